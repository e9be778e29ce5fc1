//! A crontab with a line for each schedule.

use super::{Exported, beat, fields, words};
use crate::definition::{Task, Timetable};
use crate::exchange::shell_word;
use crate::schedule::Occasion;
use std::sync::Arc;

/// A crontab that runs the tasks of a project; `program` is how cron finds neap.
///
/// Cron starts a command whether or not its last run goes on, and keeps to the machine's zone where `CRON_TZ` is not
/// known: the head of the file says so.
pub fn crontab<'t>(tasks: impl IntoIterator<Item = &'t Arc<Task>>, project: &str, program: &str) -> Exported {
    let mut text = String::from(HEAD);
    let mut zone = String::new();
    for task in tasks.into_iter().filter(|task| !task.timetables.is_empty()) {
        text += &format!("\n# {}\n", about(task));
        for timetable in &task.timetables {
            text += &entry(task, timetable, project, program, &mut zone);
        }
    }
    Exported { name: "crontab".into(), text }
}

const HEAD: &str = "\
# Schedules of neap for cron. Cron starts a command even when its last run still goes on,
# and mails its output; CRON_TZ is understood by cronie.
";

fn about(task: &Task) -> String {
    let first = task.description.as_ref().and_then(|text| text.lines().next());
    first.map_or_else(|| task.name.to_string(), |text| format!("{}: {text}", task.name))
}

fn entry(task: &Task, timetable: &Timetable, project: &str, program: &str, zone: &mut String) -> String {
    let schedule = timetable.schedule.to_string();
    let own = timetable.schedule.zone().map_or("UTC", |zone| zone.name());
    let when = match said_of(timetable, &schedule) {
        Ok(when) => when,
        Err(why) => return format!("# not exported: {schedule} — {why}\n"),
    };
    let mut line = String::new();
    if own != zone && own != "local" {
        line += &format!("CRON_TZ={own}\n");
        own.clone_into(zone);
    }
    let words: Vec<String> = words(task, timetable).iter().map(|word| shell_word(word)).collect();
    let command = format!("cd {} && {} {}", shell_word(project), shell_word(program), words.join(" "));
    // In a command of cron a bare percent sign is a line end.
    let command = command.replace('%', "\\%");
    if command.contains('\n') {
        return line + "# not exported: a parameter has several lines\n";
    }
    let off = if timetable.enabled { "" } else { "# switched off: " };
    line + &format!("{off}{when}  {command}\n")
}

/// What happens besides the clock, or the five fields; or why there are none.
fn said_of(timetable: &Timetable, schedule: &str) -> Result<String, &'static str> {
    match timetable.schedule.occasion() {
        Some(Occasion::Startup) => Ok("@reboot".to_owned()),
        Some(Occasion::After { .. }) => Err("cron does not see what else ends"),
        Some(Occasion::Watch { .. }) => Err("cron does not see what files do"),
        Some(Occasion::Webhook { .. }) => Err("cron cannot be called"),
        None if timetable.schedule.limits().is_some() => Err("cron knows no start, no end and no exceptions"),
        None => said(schedule),
    }
}

/// The five fields, or why there are none.
fn said(schedule: &str) -> Result<String, &'static str> {
    if let Some(beat) = beat(schedule) {
        return Ok(beat);
    }
    let Some(fields) = fields(schedule) else {
        return Err(match schedule.starts_with("at ") {
            true => "cron has no single moments; see at(1)",
            false => "cron counts from the full hour or day, and this interval does not fit into one",
        });
    };
    let [_, _, day, _, weekday] = fields.as_slice() else { return Err("cron has neither seconds nor years") };
    let is_odd = |field: &str, signs: &[char]| field.to_ascii_uppercase().contains(signs);
    if is_odd(day, &['L', 'W', '?']) || is_odd(weekday, &['L', '#', '?', '+']) {
        return Err("cron knows none of L, W, #, ? and +");
    }
    Ok(schedule.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cron_cannot_say_has_a_reason() {
        #[track_caller]
        fn check(schedule: &str, expected: Result<&str, &str>) {
            assert_eq!(said(schedule).as_deref().map_err(|why| &why[..9]), expected, "{schedule}");
        }
        check("13 3 * * mon-fri", Ok("13 3 * * mon-fri"));
        check("@daily", Ok("@daily"));
        check("0 0 L * *", Err("cron know"));
        check("0 0 * jul *", Ok("0 0 * jul *"));
        check("0 0 * * mon#2", Err("cron know"));
        check("0 0 0 * * *", Err("cron has "));
        check("at 2026-12-24T18:00:00Z", Err("cron has "));
        check("every 5m", Ok("*/5 * * * *"));
        check("every 6h", Ok("0 */6 * * *"));
        check("every 1d", Ok("0 0 * * *"));
        check("every 7m", Err("cron coun"));
        check("every 30s", Err("cron coun"));
    }
}
