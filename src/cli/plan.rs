//! `neap plan`: what would start when, and where jobs would wait, before it happens.

use super::args;
use super::error::Failure;
use super::look::{Look, count};
use super::next::moment;
use super::output::{DIM, ODD, Output, Table, clean, print, styled};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::{AheadInfo, AheadRun, Time};
use crate::base::{Millis, Moment};
use std::process::ExitCode;

/// What is looked at when nobody says how far.
const DAY: Millis = Millis::from_secs(24 * 60 * 60);
/// In what is shorter than this, seconds matter.
const SHORT: Millis = Millis::from_secs(60 * 60);
/// Stretches of waiting that a person is told of.
const STRETCHES: usize = 5;

pub(crate) fn plan(project: &Project, args: &args::Plan, output: &Output) -> Result<ExitCode, Failure> {
    let look = Look::new(output)?;
    let from = args.from.as_deref().map(|text| moment(text, &look.zone, "--from")).transpose()?;
    let begin = from.unwrap_or(look.now);
    let to = match args.to.as_deref() {
        None => begin + DAY,
        Some(text) => match text.parse::<Millis>() {
            Ok(length) => begin + length,
            Err(_) => moment(text, &look.zone, "--to")?,
        },
    };
    if to < begin {
        return Err(Failure::usage("--to is before --from"));
    }
    let speed = args.speed.unwrap_or(1.0);
    if !(speed.is_finite() && speed > 0.0) {
        return Err(Failure::usage(
            "--speed: a number above 0, for example 2 for a machine that is twice as fast",
        ));
    }
    let ahead = block_on(async { See::new(project).await.ahead(from, to, speed) })?;
    if output.json {
        output.print_json(&ahead)?;
    } else {
        print(&render(&ahead, &look))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn render(ahead: &AheadInfo, look: &Look) -> String {
    if ahead.runs.is_empty() && look.is_terminal {
        return format!("Nothing starts until {}.\n", look.clock(ahead.to.0)) + &unforeseen(ahead);
    }
    let clock = |at: Time| clock(at, ahead, look);
    let mut table = Table::new(&["WHEN", "TASK", "WAITS", "TAKES", "ENDS", "SCHEDULE"]);
    for run in &ahead.runs {
        let schedule = run.schedule.as_deref().unwrap_or("goes on now");
        if let Some(why) = &run.skipped {
            let (when, task) = (clock(run.created), run.task.to_string());
            let why = styled(format!("no run: {why}"), ODD);
            table.row([when.into(), task.into(), "-".into(), "-".into(), why, schedule.into()]);
            continue;
        }
        table.row([
            clock(run.created).into(),
            run.task.to_string().into(),
            if run.waits_ms == 0 { "-".into() } else { Millis(run.waits_ms).to_string().into() },
            takes(run).into(),
            run.ended.map_or_else(|| "later".to_owned(), clock).into(),
            schedule.into(),
        ]);
    }
    let mut text = table.render(look.is_terminal);
    if look.is_terminal {
        text += &footer(ahead, look);
    }
    text
}

fn clock(at: Time, ahead: &AheadInfo, look: &Look) -> String {
    let is_short = ahead.to.0 - ahead.from.0 <= SHORT;
    if !(is_short && look.is_terminal) {
        return look.clock(at.0);
    }
    let civil = look.zone.civil(at.0);
    format!("{:02}:{:02}:{:02}", civil.hour, civil.minute, civil.second)
}

fn takes(run: &AheadRun) -> String {
    match (run.takes(), run.is_guessed) {
        (_, true) => "?".into(),
        (Some(takes), false) => takes.to_string(),
        (None, false) => "-".into(),
    }
}

/// What may start besides, whenever it will.
fn unforeseen(ahead: &AheadInfo) -> String {
    let mut text = String::new();
    for one in ahead.unforeseen.iter().take(STRETCHES) {
        text += &format!("{DIM}not foreseen: {}, {}{DIM:#}\n", one.task, clean(&one.schedule));
    }
    let more = ahead.unforeseen.len().saturating_sub(STRETCHES);
    if more > 0 {
        text += &format!("{DIM}and {more} more{DIM:#}\n");
    }
    text
}

fn footer(ahead: &AheadInfo, look: &Look) -> String {
    let runs = ahead.runs.iter().filter(|run| run.skipped.is_none()).count();
    let skipped = ahead.runs.len() - runs;
    let without =
        if skipped > 0 { format!(", {} without a run", count(skipped, "slot")) } else { String::new() };
    let mut text = format!("{}{without} until {}.\n", count(runs, "run"), look.clock(ahead.to.0));
    for full in ahead.full.iter().take(STRETCHES) {
        let to =
            full.to.map_or_else(|| "to the end".to_owned(), |to| format!("to {}", clock(to, ahead, look)));
        let waiting = count(full.waiting, "job");
        text +=
            &format!("{ODD}up to {waiting} would wait{ODD:#} from {} {to}\n", clock(full.from, ahead, look));
    }
    let more = ahead.full.len().saturating_sub(STRETCHES);
    if more > 0 {
        text += &format!("and {} more\n", count(more, "time"));
    }
    if ahead.runs.iter().any(|run| run.is_guessed) {
        text += &format!("{DIM}? was never seen to succeed; a second is assumed{DIM:#}\n");
    }
    text += &unforeseen(ahead);
    if ahead.is_cut {
        let last = ahead.runs.last().map_or(Moment(0), |run| run.created.0);
        text += &format!("{ODD}cut{ODD:#}: there is more after {}\n", look.clock(last));
    }
    text
}
