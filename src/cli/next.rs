//! `neap next`: when schedules fire, of everything, of one task, or of an expression that is still an idea.

use super::args;
use super::error::{FINDINGS, Failure};
use super::look::{Look, brief};
use super::output::{Cell, DIM, ODD, Output, Table, print, styled};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::FireInfo;
use crate::base::{Millis, Moment};
use crate::definition::{Task, Timetable};
use crate::schedule::{Schedule, Zone};
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

mod collisions;
mod expression;

pub(crate) fn next(
    directory: Option<&Path>,
    args: &args::Next,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let mut look = Look::new(output)?;
    if let Some(from) = &args.from {
        look.now = moment(from, &look.zone, "--from")?;
    }
    match &args.what {
        None => all(&Project::find(directory)?, &look, output),
        Some(text) if expression::is_expression(text) => expression::next(text, args.count, &look, output),
        Some(name) => match Project::find(directory) {
            Ok(project) => of_task(&project, name, args.count, &look, output),
            // Without a project there are no tasks, so it was meant as an expression.
            Err(_) if directory.is_none() => expression::next(name, args.count, &look, output),
            Err(failure) => Err(failure),
        },
    }
}

/// RFC 3339, or a date and a time in the zone.
pub(super) fn moment(text: &str, zone: &Zone, flag: &str) -> Result<Moment, Failure> {
    let once = Schedule::at(text, zone).map_err(|error| Failure::usage(format!("{flag}: {error}")))?;
    Ok(once.next(Moment(0)).unwrap_or_default())
}

/// Several schedules: those of every task.
fn all(project: &Project, look: &Look, output: &Output) -> Result<ExitCode, Failure> {
    let (mut fires, tasks) = block_on(async {
        let see = See::new(project).await;
        let tasks: Vec<_> = see.definitions()?.catalog.tasks().cloned().collect();
        Ok((see.fires(None).await?, tasks))
    })?;
    for fire in &mut fires {
        // A host answers for its own clock; with `--from` another moment is meant.
        fire.at = fire.at.and(again(&tasks, fire, look.now));
    }
    fires.sort_by_key(|fire| (fire.at.is_none(), fire.at));
    if output.json {
        output.print_json(&fires)?;
        return Ok(ExitCode::SUCCESS);
    }
    let resting = |task: &Task| fires.iter().any(|fire| fire.task == task.name && fire.paused.is_some());
    let active: Vec<&Task> = tasks.iter().map(|task| &**task).filter(|task| !resting(task)).collect();
    let mut text = listing(&fires, look);
    if look.is_terminal && !fires.is_empty() {
        text += &collisions::line(&active, look);
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn again(tasks: &[std::sync::Arc<Task>], fire: &FireInfo, after: Moment) -> Option<crate::api::Time> {
    let task = tasks.iter().find(|task| task.name == fire.task)?;
    let fits = |timetable: &&Timetable| {
        let schedule = &timetable.schedule;
        schedule.to_string() == fire.schedule && schedule.zone().map(Zone::name) == fire.timezone.as_deref()
    };
    task.timetables.iter().find(fits)?.fires(&task.name, after).next().map(crate::api::Time)
}

fn listing(fires: &[FireInfo], look: &Look) -> String {
    if fires.is_empty() && look.is_terminal {
        return "Nothing has a schedule.\n".into();
    }
    let mut table = Table::new(&["WHEN", "IN", "TASK", "SCHEDULE", "MEANS"]);
    for fire in fires {
        let (when, distance) = when(fire, look);
        table.row([
            when,
            distance.into(),
            fire.task.to_string().into(),
            fire.schedule.as_str().into(),
            fire.description.as_str().into(),
        ]);
    }
    table.render(look.is_terminal)
}

fn when(fire: &FireInfo, look: &Look) -> (Cell, String) {
    match (&fire.paused, fire.at) {
        (Some(pause), _) => {
            let reason = pause.reason.as_ref().map(|reason| format!(": \"{}\"", brief(reason, 40)));
            (styled(format!("paused by {}{}", pause.by, reason.unwrap_or_default()), ODD), "-".into())
        }
        // What fires after something else has no time.
        (None, None) if fire.is_occasion => (styled("-", DIM), "-".into()),
        (None, None) => (styled("never", DIM), "-".into()),
        (None, Some(at)) => (look.clock(at.0).into(), (at.0 - look.now).to_string()),
    }
}

/// A schedule of a task, and when it fires.
#[derive(Serialize)]
struct Fires {
    #[serde(flatten)]
    info: FireInfo,
    fires: Vec<String>,
    #[serde(skip)]
    upcoming: Vec<Moment>,
}

fn of_task(
    project: &Project,
    name: &str,
    number: usize,
    look: &Look,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let (infos, task) = block_on(async {
        let see = See::new(project).await;
        let catalog = &see.definitions()?.catalog;
        let found = catalog.find(name).ok_or_else(|| unknown(name, catalog.suggest(name)))?;
        let task = std::sync::Arc::clone(found.task());
        Ok((see.fires(Some(&task.name)).await?, task))
    })?;
    let paused = infos.iter().find_map(|info| info.paused.clone());
    let enabled = task.timetables.iter().filter(|timetable| timetable.enabled);
    let schedules: Vec<Fires> = enabled
        .map(|timetable| {
            let upcoming: Vec<Moment> =
                timetable.fires(&task.name, look.now).take(number.min(MOST)).collect();
            let schedule = timetable.schedule.to_string();
            let told = infos.iter().find(|info| info.schedule == schedule);
            Fires {
                info: FireInfo {
                    task: task.name.clone(),
                    schedule,
                    description: told.map_or_else(|| timetable.describe(), |told| told.description.clone()),
                    timezone: timetable.schedule.zone().map(|zone| zone.name().to_owned()),
                    at: timetable
                        .fires(&task.name, look.now)
                        .next()
                        .filter(|_| paused.is_none())
                        .map(crate::api::Time),
                    paused: paused.clone(),
                    is_occasion: timetable.schedule.occasion().is_some(),
                    is_deaf: told.is_some_and(|told| told.is_deaf),
                },
                fires: upcoming.iter().map(|at| stamp(&look.zone, *at)).collect(),
                upcoming,
            }
        })
        .collect();
    if output.json {
        output.print_json(&schedules)?;
    } else if schedules.is_empty() {
        output.say(&format!("{} has no schedule: it runs when somebody asks (neap run {0})", task.name));
    } else {
        let pieces: Vec<String> = schedules.iter().map(|fires| section(fires, look)).collect();
        print(&pieces.concat())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn section(fires: &Fires, look: &Look) -> String {
    let mut text = match &fires.info.paused {
        Some(_) => format!("{ODD}{}{ODD:#}; when it goes on:\n", when(&fires.info, look).0.text),
        None => String::new(),
    };
    text += &format!("{}\n", fires.info.description);
    text + &expression::rows(&fires.upcoming, look)
}

fn unknown(name: &str, near: Option<&str>) -> Failure {
    let failure = Failure::new(FINDINGS, format!("there is no task `{}`", super::output::clean(name)));
    match near {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("a schedule has several words: neap next \"*/15 9-17 * * mon-fri\""),
    }
}

fn upcoming(schedule: &Schedule, number: usize, look: &Look) -> Vec<Moment> {
    schedule.fires(look.now).take(number.min(MOST)).collect()
}

/// More than this is not read by anybody, and a beat of one second has no end.
const MOST: usize = 10_000;

/// RFC 3339 with the offset in digits, also for UTC.
fn stamp(zone: &Zone, moment: Moment) -> String {
    let text = zone.format(moment);
    text.strip_suffix('Z').map(|text| format!("{text}+00:00")).unwrap_or(text)
}

/// A week, for the look ahead.
const WEEK: Millis = Millis(7 * 86_400_000);

#[cfg(test)]
mod tests {
    use super::super::look::{plain, test_look};
    use super::*;
    use crate::api::{PauseInfo, Time};
    use crate::base::TaskName;
    use crate::engine::Author;

    #[test]
    fn all_schedules_are_listed_the_soonest_first() {
        let look = test_look();
        let fire = |task: &str, schedule: &str, hours: u64| FireInfo {
            task: TaskName::new(task).unwrap(),
            schedule: schedule.into(),
            description: "in words".into(),
            timezone: Some("UTC".into()),
            at: Some(Time(look.now + Millis(hours * 3_600_000))),
            paused: None,
            is_occasion: false,
            is_deaf: false,
        };
        let pause =
            PauseInfo { by: Author("anna".into()), reason: Some("holidays".into()), since: Time(look.now) };
        let fires = [
            fire("nightly", "13 3 * * *", 18),
            FireInfo { at: None, paused: Some(pause), ..fire("report", "0 4 * * sun", 1) },
            FireInfo { at: None, ..fire("odd", "0 0 31 2 *", 1) },
        ];
        let expected = "\
WHEN                        IN   TASK     SCHEDULE     MEANS
03:00 tomorrow              18h  nightly  13 3 * * *   in words
paused by anna: \"holidays\"  -    report   0 4 * * sun  in words
never                       -    odd      0 0 31 2 *   in words
";
        assert_eq!(plain(&listing(&fires, &look)), expected);
    }

    #[test]
    fn a_moment_is_rfc_3339_or_civil() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert_eq!(moment("2026-11-21T09:00:00Z", &berlin, "--from").unwrap(), test_look().now);
        assert_eq!(moment("2026-11-21 10:00", &berlin, "--from").unwrap(), test_look().now);
        assert!(moment("tomorrow", &berlin, "--from").is_err());
        assert_eq!(stamp(&Zone::utc(), test_look().now), "2026-11-21T09:00:00+00:00");
        assert_eq!(stamp(&berlin, test_look().now), "2026-11-21T10:00:00+01:00");
    }
}
