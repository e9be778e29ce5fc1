//! One field of a cron expression: checked, and rewritten in numbers.
//!
//! This reading exists for the sake of its errors, each with a place and a hint. Which values a field stands for is
//! left to croner, which is given the numbers.

use super::error::{CronError, CronField, FieldFault};

/// A field that passed.
pub(super) struct Reading {
    /// The field with every name replaced by its number.
    pub(super) numbers: String,
    /// The items whose days depend on the month.
    pub(super) special: Vec<Special>,
}

/// An item of a day field which picks a day by its place in the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// `L`: the last day.
    LastDay,
    /// `LW`: the last day from Monday to Friday.
    LastWorkday,
    /// `15W`: the day from Monday to Friday that is nearest to this day.
    NearestWorkday(u16),
    /// `5L`: the last of this weekday.
    LastOf(u16),
    /// `1#2`: the second of this weekday.
    Nth(u16, u16),
}

/// Checks one field. `at` is where it starts inside the expression.
pub(super) fn read(field: CronField, text: &str, at: usize) -> Result<Reading, CronError> {
    let (plus, list) = match (field, text.strip_prefix('+')) {
        (CronField::Weekday, Some(list)) => ("+", list),
        _ => ("", text),
    };
    let is_day = matches!(field, CronField::Day | CronField::Weekday);
    if list == "*" || (list == "?" && is_day) {
        return Ok(Reading { numbers: format!("{plus}*"), special: Vec::new() });
    }
    let mut start = at + plus.len();
    let mut numbers: Vec<String> = Vec::new();
    let mut special = Vec::new();
    for item in list.split(',') {
        let span = start..start + item.len();
        let wrong = |Wrong { fault, hint }| CronError::Field { field, fault, hint, span };
        numbers.push(read_item(field, item, &mut special).map_err(wrong)?);
        start += item.len() + 1;
    }
    if special.contains(&Special::LastDay) && special.contains(&Special::LastWorkday) {
        let fault = modifier(list, "`L` and `LW` cannot stand in one list").fault;
        return Err(CronError::Field { field, fault, hint: None, span: at..at + text.len() });
    }
    Ok(Reading { numbers: format!("{plus}{}", numbers.join(",")), special })
}

struct Wrong {
    fault: FieldFault,
    hint: Option<String>,
}

fn wrong(fault: FieldFault) -> Wrong {
    Wrong { fault, hint: None }
}

fn modifier(text: &str, rule: &'static str) -> Wrong {
    wrong(FieldFault::Modifier { text: text.to_owned(), rule })
}

fn write_instead(instead: String) -> Option<String> {
    Some(format!("write `{instead}`"))
}

fn read_item(field: CronField, item: &str, special: &mut Vec<Special>) -> Result<String, Wrong> {
    match item.split_once('/') {
        Some((range, step)) => read_stepped(field, item, range, step),
        None if item.is_empty() => Err(wrong(FieldFault::EmptyItem)),
        None if item == "*" => Err(wrong(FieldFault::StarInList)),
        None => match read_special(field, item)? {
            Some(found) => {
                special.push(found);
                Ok(found.numbers())
            }
            None if item.contains('-') => read_range(field, item),
            None => Ok(value(field, item)?.to_string()),
        },
    }
}

fn read_stepped(field: CronField, item: &str, range: &str, step: &str) -> Result<String, Wrong> {
    let is_step =
        (1..=4).contains(&step.len()) && step.bytes().all(|b| b.is_ascii_digit()) && step.parse() != Ok(0);
    if !is_step {
        return Err(wrong(FieldFault::BadStep(step.to_owned())));
    }
    let without_range = |instead| {
        let hint = write_instead(format!("{instead}/{step}"));
        Wrong { fault: FieldFault::StepWithoutRange(item.to_owned()), hint }
    };
    match range {
        "*" => Ok(item.to_owned()),
        "" => Err(without_range("*".to_owned())),
        range if range.contains('-') => Ok(format!("{}/{step}", read_range(field, range)?)),
        single => {
            value(field, single)?;
            Err(without_range(format!("{single}-{}", field.edges(single).1)))
        }
    }
}

fn read_range(field: CronField, range: &str) -> Result<String, Wrong> {
    let (from, to) = range.split_once('-').unwrap_or((range, ""));
    let (first, mut last) = (value(field, from)?, value(field, to)?);
    // Sunday ends the week when it is named at the end: `FRI-SUN`.
    if to.eq_ignore_ascii_case("SUN") && first > 0 {
        last = 7;
    }
    if first > last {
        let (low, high) = field.edges(from);
        let head = if from.eq_ignore_ascii_case(high) { from.to_owned() } else { format!("{from}-{high}") };
        let tail = if to.eq_ignore_ascii_case(low) { to.to_owned() } else { format!("{low}-{to}") };
        let hint = write_instead(format!("{head},{tail}"));
        return Err(Wrong { fault: FieldFault::Backwards(range.to_owned()), hint });
    }
    Ok(format!("{first}-{last}"))
}

/// `L`, `W` and `#`, in the two fields that know them.
fn read_special(field: CronField, item: &str) -> Result<Option<Special>, Wrong> {
    match field {
        CronField::Day => read_special_day(item),
        CronField::Weekday => read_special_weekday(item),
        _ if item.contains('#') => {
            Err(modifier(item, "`#` counts weekdays and belongs in the weekday field"))
        }
        CronField::Second | CronField::Minute | CronField::Hour | CronField::Month | CronField::Year => {
            Ok(None)
        }
    }
}

fn read_special_day(item: &str) -> Result<Option<Special>, Wrong> {
    match item.to_ascii_uppercase().as_str() {
        "L" => Ok(Some(Special::LastDay)),
        "LW" => Ok(Some(Special::LastWorkday)),
        "W" => Err(modifier(item, "put the day before it, as in `15W`")),
        upper if upper.contains('#') => {
            Err(modifier(item, "`#` counts weekdays and belongs in the weekday field"))
        }
        upper if upper.starts_with('L') => Err(modifier(item, "only `L` and `LW` are known")),
        upper => match upper.strip_suffix('W') {
            Some(range) if range.contains('-') => Err(modifier(item, "`W` follows a single day")),
            Some(day) => Ok(Some(Special::NearestWorkday(value(CronField::Day, day)?))),
            None => Ok(None),
        },
    }
}

fn read_special_weekday(item: &str) -> Result<Option<Special>, Wrong> {
    let (day, nth) = match (item.split_once('#'), item.strip_suffix(['L', 'l'])) {
        (Some((day, nth)), _) => (day, nth),
        (None, Some(day)) => (day, "L"),
        (None, None) => return Ok(None),
    };
    if day.is_empty() {
        return Err(modifier(item, "put the weekday before it, as in `FRIL` or `MON#2`"));
    }
    if day.contains('-') {
        return Err(modifier(item, "name the weekdays one by one, as in `MON#1,TUE#1`"));
    }
    let day = value(CronField::Weekday, day)?;
    match (nth, nth.parse()) {
        ("L" | "l", _) => Ok(Some(Special::LastOf(day))),
        ("1" | "2" | "3" | "4" | "5", Ok(nth)) => Ok(Some(Special::Nth(day, nth))),
        _ => Err(modifier(item, "after `#` stands a number from 1 to 5")),
    }
}

/// One number or name.
fn value(field: CronField, text: &str) -> Result<u16, Wrong> {
    if let Some(place) = field.names().iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(place as u16 + field.first_name());
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        let fault = FieldFault::NotAValue { text: text.to_owned(), expected: field.expected() };
        return Err(Wrong { fault, hint: field.short_name(text) });
    }
    let (low, high) = field.bounds();
    let out = || {
        let hint = match (field, text) {
            (CronField::Hour, "24") => Some("midnight is hour 0 of the next day".to_owned()),
            (CronField::Minute | CronField::Second, "60") => Some("the full hour or minute is 0".to_owned()),
            _ => None,
        };
        Wrong { fault: FieldFault::OutOfRange { text: text.to_owned(), low, high }, hint }
    };
    match text.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(out()),
    }
}

impl Special {
    /// As croner writes it.
    fn numbers(self) -> String {
        match self {
            Special::LastDay => "L".to_owned(),
            Special::LastWorkday => "LW".to_owned(),
            Special::NearestWorkday(day) => format!("{day}W"),
            Special::LastOf(weekday) => format!("{weekday}#L"),
            Special::Nth(weekday, nth) => format!("{weekday}#{nth}"),
        }
    }
}

impl CronField {
    fn bounds(self) -> (u16, u16) {
        match self {
            CronField::Second | CronField::Minute => (0, 59),
            CronField::Hour => (0, 23),
            CronField::Day => (1, 31),
            CronField::Month => (1, 12),
            CronField::Weekday => (0, 7),
            CronField::Year => (1970, 5000),
        }
    }

    /// The first and last value, as names or as numbers like the value beside them.
    fn edges(self, beside: &str) -> (&'static str, &'static str) {
        let is_number = beside.bytes().all(|b| b.is_ascii_digit());
        match self {
            CronField::Second | CronField::Minute => ("0", "59"),
            CronField::Hour => ("0", "23"),
            CronField::Day => ("1", "31"),
            CronField::Month if is_number => ("1", "12"),
            CronField::Month => ("JAN", "DEC"),
            CronField::Weekday if is_number => ("0", "6"),
            CronField::Weekday => ("SUN", "SAT"),
            CronField::Year => ("1970", "5000"),
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            CronField::Month => {
                &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
            }
            CronField::Weekday => &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
            CronField::Second | CronField::Minute | CronField::Hour | CronField::Day | CronField::Year => &[],
        }
    }

    fn first_name(self) -> u16 {
        u16::from(self == CronField::Month)
    }

    fn expected(self) -> &'static str {
        match self {
            CronField::Month => "neither a number nor a name from JAN to DEC",
            CronField::Weekday => "neither a number nor a name from SUN to SAT",
            CronField::Second | CronField::Minute | CronField::Hour | CronField::Day | CronField::Year => {
                "not a number"
            }
        }
    }

    /// `MONDAY` is `MON`.
    fn short_name(self, text: &str) -> Option<String> {
        let is_short = |name: &&&str| text.to_ascii_uppercase().starts_with(**name);
        self.names().iter().find(is_short).and_then(|name| write_instead((*name).to_owned()))
    }
}
