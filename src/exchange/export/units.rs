//! A service and a timer of systemd for each task with a schedule.

use super::calendar::events;
use super::{Exported, beat, fields, words};
use crate::definition::{Task, Timetable};
use crate::schedule::Occasion;
use std::sync::Arc;

/// Units that run the tasks of a project; `program` is the whole path of neap, which systemd wants.
///
/// Schedules of a task with the same parameters share a timer; others get one of their own.
pub fn systemd<'t>(
    tasks: impl IntoIterator<Item = &'t Arc<Task>>,
    project: &str,
    program: &str,
) -> Vec<Exported> {
    let mut files = Vec::new();
    for task in tasks {
        for (number, (words, group)) in (1..).zip(groups(task)) {
            let name = unit_name(task, number);
            files.push(Exported {
                name: format!("{name}.service"),
                text: service(task, &words, project, program),
            });
            files.push(Exported { name: format!("{name}.timer"), text: timer(task, &name, &group) });
        }
    }
    files
}

/// The timetables that start the same command.
fn groups(task: &Task) -> Vec<(Vec<String>, Vec<&Timetable>)> {
    let mut groups: Vec<(Vec<String>, Vec<&Timetable>)> = Vec::new();
    for timetable in &task.timetables {
        let words = words(task, timetable);
        match groups.iter_mut().find(|(other, _)| *other == words) {
            Some((_, group)) => group.push(timetable),
            None => groups.push((words, vec![timetable])),
        }
    }
    groups
}

fn unit_name(task: &Task, number: usize) -> String {
    let name = task.name.as_str().replace('/', "-");
    if number == 1 { format!("neap-{name}") } else { format!("neap-{name}-{number}") }
}

fn about(task: &Task) -> String {
    let first = task.description.as_ref().and_then(|text| text.lines().next());
    first.map_or_else(|| format!("neap run {}", task.name), |text| format!("{text} (neap run {})", task.name))
}

fn service(task: &Task, words: &[String], project: &str, program: &str) -> String {
    let words: Vec<String> =
        [program].into_iter().chain(words.iter().map(String::as_str)).map(argument).collect();
    format!(
        "[Unit]\nDescription={}\n\n[Service]\nType=oneshot\nWorkingDirectory={}\nExecStart={}\n",
        plain(&about(task)),
        plain(project),
        words.join(" ")
    )
}

fn timer(task: &Task, name: &str, group: &[&Timetable]) -> String {
    let mut text = format!("[Unit]\nDescription={}\n\n[Timer]\n", plain(&about(task)));
    for timetable in group {
        text += &lines(timetable);
    }
    text += "# On the second: systemd's own default is any time within a minute.\nAccuracySec=1s\n";
    text + &format!("Unit={name}.service\n\n[Install]\nWantedBy=timers.target\n")
}

fn lines(timetable: &Timetable) -> String {
    let schedule = timetable.schedule.to_string();
    let zone = timetable.schedule.zone().map_or("UTC", |zone| zone.name());
    let off = if timetable.enabled { "" } else { "# switched off: " };
    let said = |events: Vec<String>| {
        events.iter().map(|event| format!("{off}OnCalendar={event}\n")).collect::<String>()
    };
    let head = format!("# {schedule}\n");
    match timetable.schedule.occasion() {
        Some(Occasion::Startup) => return format!("{head}{off}OnStartupSec=0\n"),
        Some(Occasion::After { .. }) => {
            return format!("{head}# not exported: see `OnSuccess=` and `OnFailure=` of the other unit\n");
        }
        Some(Occasion::Watch { .. }) => {
            return format!("{head}# not exported: see `PathChanged=` of a path unit\n");
        }
        Some(Occasion::Webhook { .. }) => {
            return format!("{head}# not exported: a timer cannot be called\n");
        }
        None if timetable.schedule.limits().is_some() => {
            return format!("{head}# not exported: a timer knows no start, no end and no exceptions\n");
        }
        None => {}
    }
    if let Some(moment) = schedule.strip_prefix("at ") {
        return head
            + &once(moment, timetable)
                .map_or_else(|| "# not exported: it is over\n".into(), |event| said(vec![event]));
    }
    let fields =
        beat(&schedule).map(|beat| (beat, "UTC")).or_else(|| Some((fields(&schedule)?.join(" "), zone)));
    let Some((expression, zone)) = fields else {
        let interval = schedule.trim_start_matches("every ");
        return format!(
            "{head}# not exact: it counts from the end of boot and from the last run, neap from the full hour\n\
             {off}OnBootSec={interval}\n{off}OnUnitActiveSec={interval}\n"
        );
    };
    let fields: Vec<String> = expression.split(' ').map(str::to_owned).collect();
    match events(&fields, zone) {
        Ok(events) => head + &said(events),
        Err(why) => format!("{head}# not exported: {schedule} — {why}\n{}", nearest(fields, zone)),
    }
}

/// A single moment, in UTC.
fn once(_text: &str, timetable: &Timetable) -> Option<String> {
    let moment = timetable.schedule.next(crate::base::Moment(0))?;
    Some(format!("{} UTC", crate::schedule::Zone::utc().civil(moment)))
}

/// The same time on every day, for whoever wants to go on from there.
fn nearest(mut fields: Vec<String>, zone: &str) -> String {
    let count = fields.len();
    let day = if count == 5 { 2 } else { 3 };
    if let Some(field) = fields.get_mut(day) {
        "*".clone_into(field);
    }
    let events = events(&fields, zone).unwrap_or_default();
    events.iter().map(|event| format!("# the nearest: OnCalendar={event}\n")).collect()
}

/// A value in which `%` means nothing, on one line.
fn plain(text: &str) -> String {
    text.replace('%', "%%").replace(['\n', '\r'], " ")
}

/// An argument of a command: quoted, with specifiers and variables escaped.
fn argument(word: &str) -> String {
    let word = word.replace('%', "%%").replace('$', "$$");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./+=:,@%$".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_escaped() {
        let cases =
            [("a", "a"), ("a b", "\"a b\""), ("50%", "50%%"), ("$x", "$$x"), ("a\"b\\", "\"a\\\"b\\\\\"")];
        for (word, expected) in cases {
            assert_eq!(argument(word), expected);
        }
    }
}
