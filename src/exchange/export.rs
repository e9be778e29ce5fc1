//! Our schedules for other tools: a crontab, or units of systemd.
//!
//! Only the time moves: what runs is always `neap run TASK`. What the other tool cannot say becomes a comment with the
//! reason, never a line that means something else.

mod calendar;
mod cron;
mod units;

use crate::definition::{Params, Task, Timetable};
use serde::Serialize;

pub use cron::crontab;
pub use units::systemd;

/// A file for another tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// What it is called: `crontab`, `neap-nightly.timer`.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// The words of `neap run` for a timetable: the task and every parameter that is not its default.
fn words(task: &Task, timetable: &Timetable) -> Vec<String> {
    let mut words = vec!["run".to_owned(), task.name.to_string()];
    words.extend(given(task, &timetable.params));
    words
}

fn given(task: &Task, params: &Params) -> Vec<String> {
    let is_default = |name: &str, value: &serde_json::Value| {
        task.params.iter().any(|param| param.name == name && param.default.as_ref() == Some(value))
    };
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let own = params.iter().filter(|(name, value)| !is_default(name, value));
    own.map(|(name, value)| format!("{name}={}", text(value))).collect()
}

/// The five, six or seven fields of an expression, with its nickname written out; none for what is no cron.
fn fields(schedule: &str) -> Option<Vec<String>> {
    let text = match schedule {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        text => text,
    };
    let is_other = text.starts_with("every ") || text.starts_with("at ");
    (!is_other).then(|| text.split_whitespace().map(str::to_owned).collect())
}

/// An interval as minutes and hours of UTC, from where it is counted: `every 5m` is `*/5 * * * *` there.
fn beat(schedule: &str) -> Option<String> {
    let interval: crate::base::Millis = schedule.strip_prefix("every ")?.parse().ok()?;
    let (minute, hour, day) = (60_000, 3_600_000, 86_400_000);
    match interval.0 {
        span if span == day => Some("0 0 * * *".into()),
        span if span == hour => Some("0 * * * *".into()),
        span if span == minute => Some("* * * * *".into()),
        span if span > hour && span % hour == 0 && day % span == 0 => {
            Some(format!("0 */{} * * *", span / hour))
        }
        span if span % minute == 0 && hour % span == 0 => Some(format!("*/{} * * * *", span / minute)),
        _ => None,
    }
}
