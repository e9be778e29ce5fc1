//! `neap history`: past runs, the newest first.

use super::args;
use super::error::Failure;
use super::look::{Look, MONTH, short_id, state_cell, stats_words};
use super::output::{Output, Table, print};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::{RunInfo, RunState, SelectError};
use crate::base::{Millis, TaskName};
use crate::store::{RunFilter, RunStatus, Stats};
use std::process::ExitCode;

pub(crate) fn history(project: &Project, args: &args::History, output: &Output) -> Result<ExitCode, Failure> {
    let look = Look::new(output)?;
    let see = block_on(async { Ok(See::new(project).await) })?;
    let filter = filter(&see, args, &look)?;
    let runs = see.runs(&filter)?;
    if output.json {
        output.print_json(&runs)?;
        return Ok(ExitCode::SUCCESS);
    }
    let ids: Vec<String> = match look.is_terminal {
        true => {
            runs.iter().map(|run| Ok(short_id(see.history()?, run.id))).collect::<Result<_, Failure>>()?
        }
        false => runs.iter().map(|run| run.id.to_string()).collect(),
    };
    let stats = match &filter.task {
        Some(task) if look.is_terminal => Some(see.history()?.stats(task, look.now - MONTH)?),
        _ => None,
    };
    print(&listing(&runs, &ids, stats.as_ref(), &look))?;
    Ok(ExitCode::SUCCESS)
}

fn filter(see: &See, args: &args::History, look: &Look) -> Result<RunFilter, Failure> {
    let task = args.task.as_ref().map(|name| task(see, name)).transpose()?;
    let before = match &args.before {
        Some(text) => {
            let run = see.select_one(text)?.run;
            see.history()?.run(run)?.map(|row| row.position())
        }
        None => None,
    };
    let since = match &args.since {
        Some(text) => {
            let span: Millis =
                text.parse().map_err(|why| Failure::usage(format!("`{text}` is not a duration: {why}")))?;
            Some(look.now - span)
        }
        None => None,
    };
    let status = args.status.as_deref().map(status).transpose()?;
    let is_late = args.late;
    Ok(RunFilter { task, status, is_late, since, before, limit: args.limit, ..RunFilter::default() })
}

/// A task that is defined, or that was: its past stays.
fn task(see: &See, text: &str) -> Result<TaskName, Failure> {
    let unknown =
        |near: Option<&str>| SelectError::Nothing { text: text.to_owned(), near: near.map(str::to_owned) };
    let catalog = &see.definitions()?.catalog;
    let Ok(name) = TaskName::new(text) else { return Err(unknown(None).into()) };
    if catalog.find(text).is_some() || see.history()?.latest(&name, 1)?.is_some() {
        return Ok(name);
    }
    Err(unknown(catalog.suggest(text)).into())
}

fn status(text: &str) -> Result<RunStatus, Failure> {
    match text {
        "succeeded" | "ok" => Ok(RunStatus::Succeeded),
        "failed" => Ok(RunStatus::Failed),
        "cancelled" => Ok(RunStatus::Cancelled),
        "unfinished" | "running" => Ok(RunStatus::Unfinished),
        _ => Err(Failure::usage(format!("`{text}` is not a status"))
            .hint("write succeeded, failed, cancelled or unfinished")),
    }
}

fn listing(runs: &[RunInfo], ids: &[String], stats: Option<&Stats>, look: &Look) -> String {
    let mut text = match runs.is_empty() && look.is_terminal {
        true => "No runs.\n".to_owned(),
        false => table(runs, ids, look),
    };
    if let Some(stats) = stats {
        text += &format!("last 30 days: {}\n", stats_words(stats));
    }
    text
}

/// The runs in columns; `show` uses it for the last runs of a task.
pub(crate) fn table(runs: &[RunInfo], ids: &[String], look: &Look) -> String {
    let mut table = Table::new(&["RUN", "ID", "RESULT", "STARTED", "TOOK", "QUEUED", "BY", "WHY"]);
    for (run, id) in runs.iter().zip(ids) {
        table.row([
            run.name.as_str().into(),
            id.as_str().into(),
            state_cell(run.state),
            look.clock(run.created.0).into(),
            Millis(run.took_ms).to_string().into(),
            Millis(run.queued_ms).to_string().into(),
            by(run).into(),
            why(run).into(),
        ]);
    }
    table.render(look.is_terminal)
}

fn by(run: &RunInfo) -> String {
    match run.retry_of {
        Some(_) => format!("{} (retry)", run.by),
        None => run.by.to_string(),
    }
}

/// Why it ended as it did, else why it was created.
fn why(run: &RunInfo) -> String {
    let words = match (&run.why, &run.reason, run.state) {
        (Some(why), _, _) => why.clone(),
        (None, _, _) if !run.late.is_empty() => {
            run.late.iter().map(|late| late.words.as_str()).collect::<Vec<_>>().join(", ")
        }
        (None, Some(reason), RunState::Cancelled) => reason.clone(),
        (None, Some(reason), _) => format!("\"{reason}\""),
        (None, None, _) => String::new(),
    };
    words.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::look::{plain, test_look};
    use super::super::ps::tests::run;
    use super::*;

    #[test]
    fn runs_are_listed_with_their_reasons() {
        let runs = [
            RunInfo {
                reason: Some("try\u{9b}it".into()),
                ..run("nightly#129", RunState::Running, Vec::new())
            },
            RunInfo {
                why: Some("upload (exit 7)".into()),
                took_ms: 109_000,
                queued_ms: 200,
                ..run("nightly#128", RunState::Failed, Vec::new())
            },
        ];
        let ids = ["w2c".to_owned(), "k3v".to_owned()];
        let stats = Stats { succeeded: 26, failed: 2, p50: Some(Millis(43_000)), ..Stats::default() };
        let expected = "\
RUN          ID   RESULT   STARTED      TOOK   QUEUED  BY    WHY
nightly#129  w2c  running  08:59 today  41s    0s      anna  \"try\u{fffd}it\"
nightly#128  k3v  failed   08:59 today  1m49s  0.2s    anna  upload (exit 7)
last 30 days: 26 ok, 2 failed   p50 43s
";
        assert_eq!(plain(&listing(&runs, &ids, Some(&stats), &test_look())), expected);
        assert_eq!(listing(&[], &[], None, &test_look()), "No runs.\n");
    }

    #[test]
    fn a_status_is_one_of_four() {
        assert_eq!(status("ok").unwrap(), RunStatus::Succeeded);
        assert_eq!(status("unfinished").unwrap(), RunStatus::Unfinished);
        assert!(status("broken").is_err());
    }
}
