//! Which minutes of the next week begin more than one run.
//!
//! The fires of all schedules are walked in the order of time, up to a bound, so that a beat of one second cannot keep
//! anybody waiting; where the bound cuts the week short, that is said.

use super::WEEK;
use crate::base::Moment;
use crate::cli::look::{Look, count};
use crate::definition::{Task, Timetable};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Fires that are looked at.
const BUDGET: usize = 20_000;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
struct Week {
    /// How many minutes begin runs of more than one task.
    collisions: usize,
    /// The first of the busiest minutes, and the tasks that begin in it.
    busiest: Option<(Moment, Vec<usize>)>,
    /// Where the walk was cut short.
    cut: Option<Moment>,
}

/// One line about the week.
pub(super) fn line(tasks: &[&Task], look: &Look) -> String {
    let Week { collisions, busiest, cut } = walk(tasks, look.now);
    let until = match cut {
        None => "in the next 7 days".to_owned(),
        Some(cut) => format!("until {} (the first {BUDGET} fires)", look.clock(cut)),
    };
    match busiest {
        Some((minute, together)) if together.len() > 1 => {
            const SHOWN: usize = 4;
            let mut names: Vec<&str> =
                together.iter().take(SHOWN).map(|&task| tasks[task].name.as_str()).collect();
            names.extend((together.len() > SHOWN).then_some("..."));
            let (minutes, runs) = (count(collisions, "minute"), count(together.len(), "run"));
            let verb = if collisions == 1 { "begins" } else { "begin" };
            let (when, names) = (look.clock(minute), names.join(", "));
            format!("{minutes} {until} {verb} more than one run. The busiest: {when} ({runs}: {names}).\n")
        }
        Some(_) => format!("Nothing collides {until}.\n"),
        None => format!("Nothing fires {until}.\n"),
    }
}

fn walk<'t>(tasks: &[&'t Task], now: Moment) -> Week {
    let enabled = |task: &'t Task| task.timetables.iter().filter(|timetable| timetable.enabled);
    let of = |(index, task): (usize, &&'t Task)| enabled(task).map(move |timetable| (index, timetable));
    let schedules: Vec<(usize, &Timetable)> = tasks.iter().enumerate().flat_map(of).collect();
    let next = |which: usize, after: Moment| {
        schedules[which]
            .1
            .fires(&tasks[schedules[which].0].name, after)
            .next()
            .filter(|at| *at < now + WEEK)
            .map(|at| Reverse((at, which)))
    };
    let mut heap: BinaryHeap<_> = (0..schedules.len()).filter_map(|which| next(which, now)).collect();
    let mut week = Week { collisions: 0, busiest: None, cut: None };
    let mut minute: Option<(Moment, Vec<usize>)> = None;
    for _ in 0..BUDGET {
        let Some(Reverse((at, which))) = heap.pop() else {
            week.close(minute);
            return week;
        };
        let start = Moment(at.0 - at.0 % 60_000);
        match &mut minute {
            Some((same, together)) if *same == start => {
                // The beat of one task is no collision with itself.
                if !together.contains(&schedules[which].0) {
                    together.push(schedules[which].0);
                }
            }
            other => week.close(other.replace((start, vec![schedules[which].0]))),
        }
        heap.extend(next(which, at));
    }
    week.close(minute);
    week.cut = heap.pop().map(|Reverse((at, _))| at);
    week
}

impl Week {
    /// Takes a minute that is over.
    fn close(&mut self, minute: Option<(Moment, Vec<usize>)>) {
        let Some((start, together)) = minute else { return };
        self.collisions += usize::from(together.len() > 1);
        if self.busiest.as_ref().is_none_or(|(_, most)| most.len() < together.len()) {
            self.busiest = Some((start, together));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::look::test_look;
    use crate::definition::{Catalog, Registered, Settings, Source};
    use crate::schedule::Zone;

    #[track_caller]
    fn check(schedules: &[&str], expected: &str) {
        let source = |(index, schedule): (usize, &&str)| {
            Source::new(format!("tasks/t{index}.yaml"), format!("{{ run: 'true', schedule: {schedule} }}"))
        };
        let sources = schedules.iter().enumerate().map(source);
        let catalog = Catalog::load(sources, &Registered::default(), &Settings::new(Zone::utc()), None);
        let tasks: Vec<&Task> = catalog.tasks().map(|task| &**task).collect();
        assert_eq!(tasks.len(), schedules.len(), "{:?}", catalog.problems());
        assert_eq!(line(&tasks, &test_look()), expected);
    }

    #[test]
    fn the_week_is_walked() {
        check(&["'0 4 * * *'", "'1 4 * * *'"], "Nothing collides in the next 7 days.\n");
        check(&["'0 0 31 2 *'"], "Nothing fires in the next 7 days.\n");
        check(
            &["'0 4 * * *'", "'0 4 * * sun'", "{ every: 4h }"],
            "7 minutes in the next 7 days begin more than one run. The busiest: 04:00 tomorrow (3 runs: t0, t1, t2).\n",
        );
        check(
            &["'0 5 * * sun'", "'0 5 * * *'"],
            "1 minute in the next 7 days begins more than one run. The busiest: 05:00 tomorrow (2 runs: t0, t1).\n",
        );
    }

    #[test]
    fn a_beat_of_one_second_cuts_the_week_short() {
        let tasks = ["{ every: 1s }"];
        check(&tasks, "Nothing collides until 14:33 today (the first 20000 fires).\n");
    }
}
