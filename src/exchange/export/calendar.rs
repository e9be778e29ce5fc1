//! A cron expression as calendar events of systemd, where the two mean the same.

/// The events that together mean the expression, or why there are none.
///
/// When both days are restricted cron fires on either: that is two events.
pub(super) fn events(fields: &[String], zone: &str) -> Result<Vec<String>, &'static str> {
    let (second, fields, year) = match fields {
        [minute, hour, day, month, weekday] => ("0", [minute, hour, day, month, weekday], "*"),
        [second, minute, hour, day, month, weekday] => {
            (second.as_str(), [minute, hour, day, month, weekday], "*")
        }
        [second, minute, hour, day, month, weekday, year] => {
            (second.as_str(), [minute, hour, day, month, weekday], year.as_str())
        }
        _ => return Err("this is no cron expression"),
    };
    let [minute, hour, day, month, weekday] = fields;
    let time = format!("{}:{}:{}", field(hour, 0)?, padded(minute)?, padded(second)?);
    let tail = if zone == "local" { time } else { format!("{time} {zone}") };
    let dates = days(day, weekday)?;
    let (year, month) = (field(year, 1970)?, field(&month_numbers(month), 1)?);
    Ok(dates.iter().map(|(weekday, day)| format!("{weekday}{year}-{month}{day} {tail}")).collect())
}

/// Weekdays and days of the month: `("Mon ", "-01..07")`.
fn days(day: &str, weekday: &str) -> Result<Vec<(String, String)>, &'static str> {
    let is_open = |field: &str| matches!(field, "*" | "?");
    let both = day.starts_with('*') || weekday.starts_with(['*', '+']);
    let weekday = weekday.trim_start_matches('+');
    match (is_open(day), is_open(weekday)) {
        (true, true) => Ok(vec![(String::new(), "-*".into())]),
        (false, true) => Ok(vec![(String::new(), days_of_month(day)?)]),
        (true, false) => weekdays(weekday),
        (false, false) if both => {
            let day = days_of_month(day)?;
            let plain = weekdays(weekday)?;
            match plain.iter().all(|(_, own)| own == "-*") {
                true => Ok(plain.into_iter().map(|(weekday, _)| (weekday, day.clone())).collect()),
                false => {
                    Err("a certain weekday of the month and a day of the month cannot both be asked for")
                }
            }
        }
        (false, false) => {
            let mut all = vec![(String::new(), days_of_month(day)?)];
            all.extend(weekdays(weekday)?);
            Ok(all)
        }
    }
}

/// `L` counts from the end: `~01` is the last day.
fn days_of_month(day: &str) -> Result<String, &'static str> {
    let upper = day.to_ascii_uppercase();
    if upper.contains('W') {
        return Err("systemd does not know the nearest weekday (W)");
    }
    if let Some(rest) = upper.strip_prefix('L') {
        let before: u8 = match rest.strip_prefix('-') {
            Some(number) => number.parse().map_err(|_| "this day cannot be read")?,
            None if rest.is_empty() => 0,
            None => return Err("the last day cannot stand in a list"),
        };
        return Ok(format!("~{:02}", before + 1));
    }
    if upper.contains('L') {
        return Err("the last day cannot stand in a list");
    }
    Ok(format!("-{}", field(day, 1)?))
}

const NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Plain weekdays in one event; the second Monday (`#2`) and the last Friday (`L`) in one each.
fn weekdays(field: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut plain = [false; 7];
    let mut events = Vec::new();
    for item in field.to_ascii_uppercase().split(',') {
        if let Some((name, nth)) = item.split_once('#') {
            let name = NAMES[number(name)? % 7];
            let days = match nth {
                "L" => "~07/1".to_owned(),
                _ => {
                    let nth: u8 = nth.parse().map_err(|_| "this weekday cannot be read")?;
                    if nth == 5 { "-29..31".into() } else { format!("-{:02}..{:02}", nth * 7 - 6, nth * 7) }
                }
            };
            events.push((format!("{name} "), days));
        } else if let Some(name) = item.strip_suffix('L').filter(|name| !name.is_empty()) {
            events.push((format!("{} ", NAMES[number(name)? % 7]), "~07/1".to_owned()));
        } else {
            mark(item, &mut plain)?;
        }
    }
    if plain.contains(&true) {
        let order = [1, 2, 3, 4, 5, 6, 0];
        let names: Vec<&str> = order.into_iter().filter(|day| plain[*day]).map(|day| NAMES[day]).collect();
        events.insert(0, (format!("{} ", names.join(",")), "-*".to_owned()));
    }
    Ok(events)
}

/// Marks the days of a value, a range or a step.
fn mark(item: &str, plain: &mut [bool; 7]) -> Result<(), &'static str> {
    let (range, step) = item.split_once('/').unwrap_or((item, "1"));
    let step: usize = step.parse().map_err(|_| "this step cannot be read")?;
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (0, 6),
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(range)?, number(range)?),
    };
    // A range of names may end on Sunday, which is 7 then.
    let last = if last < first { last + 7 } else { last };
    (first..=last).step_by(step.max(1)).for_each(|day| plain[day % 7] = true);
    Ok(())
}

fn number(text: &str) -> Result<usize, &'static str> {
    let named = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text));
    named.or_else(|| text.parse().ok()).filter(|day| *day <= 7).ok_or("this weekday cannot be read")
}

fn month_numbers(field: &str) -> String {
    let names = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    let mut text = field.to_ascii_uppercase();
    for (number, name) in (1..).zip(names) {
        text = text.replace(name, &number.to_string());
    }
    text
}

fn padded(field: &str) -> Result<String, &'static str> {
    let text = self::field(field, 0)?;
    Ok(if text.len() == 1 && text != "*" { format!("0{text}") } else { text })
}

/// `*/15` is `0/15`, `9-17` is `9..17`, and lists are lists.
fn field(field: &str, first: u16) -> Result<String, &'static str> {
    let item = |item: &str| match item.split_once('/') {
        Some(("*", step)) => format!("{first}/{step}"),
        Some((range, step)) => format!("{}/{step}", range.replace('-', "..")),
        None if item == "?" => "*".to_owned(),
        None => item.replace('-', ".."),
    };
    let is_known = |c: char| c.is_ascii_digit() || "*/-,?".contains(c);
    match field.chars().all(is_known) {
        true => Ok(field.split(',').map(item).collect::<Vec<_>>().join(",")),
        false => Err("systemd cannot say this field"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: &[&str]) {
        let fields: Vec<String> = expression.split_whitespace().map(str::to_owned).collect();
        assert_eq!(
            events(&fields, "UTC"),
            Ok(expected.iter().map(|event| format!("{event} UTC")).collect()),
            "{expression}"
        );
    }

    #[test]
    fn expressions_are_calendar_events() {
        check("13 3 * * *", &["*-*-* 3:13:00"]);
        check("*/15 9-17 * * mon-fri", &["Mon,Tue,Wed,Thu,Fri *-*-* 9..17:0/15:00"]);
        check("0 4 * * 0", &["Sun *-*-* 4:00:00"]);
        check("0 4 * * 5-7", &["Fri,Sat,Sun *-*-* 4:00:00"]);
        check("0 0 1,15 * *", &["*-*-1,15 0:00:00"]);
        check("0 0 1 jan,jul *", &["*-1,7-1 0:00:00"]);
        check("0 0 13 * fri", &["*-*-13 0:00:00", "Fri *-*-* 0:00:00"]);
        check("0 0 */2 * fri", &["Fri *-*-1/2 0:00:00"]);
        check("0 0 L * *", &["*-*~01 0:00:00"]);
        check("0 0 * * mon#2", &["Mon *-*-08..14 0:00:00"]);
        check("0 0 * * 5L", &["Fri *-*~07/1 0:00:00"]);
        check("10 0 0 * * *", &["*-*-* 0:00:10"]);
        check("0 0 0 1 1 * 2030", &["2030-1-1 0:00:00"]);
        check("* * * * *", &["*-*-* *:*:00"]);
        check("5-50/5 */6 * * *", &["*-*-* 0/6:5..50/5:00"]);
        let odd: Vec<String> = "0 0 15W * *".split_whitespace().map(str::to_owned).collect();
        assert!(events(&odd, "UTC").is_err());
    }
}
