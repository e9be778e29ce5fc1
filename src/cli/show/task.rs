//! One task: what it takes, what it runs and when, how it fared, and what is wrong with its file.

use super::{inside, short_hash};
use crate::api::{LeftOutInfo, RunInfo, TaskInfo};
use crate::base::Moment;
use crate::cli::error::{FINDINGS, Failure};
use crate::cli::history::table;
use crate::cli::look::{Look, MONTH, brief, count, next_line, short_id, stats_words, strong};
use crate::cli::output::{BAD, BOLD, DIM, ODD, Output, Table, clean, print};
use crate::cli::see::See;
use crate::definition::{
    Action, Catchup, Hook, Leaf, OnHookError, Overlap, Param, ParamType, Problem, Task, Timetable,
};
use crate::store::{RunFilter, Stats};
use serde::Serialize;

/// How many of the last runs, and of the next fires, are shown.
const RUNS: u32 = 8;
const FIRES: usize = 3;
/// How many of the last slots that got no run.
const LEFT_OUT: u32 = 5;

/// A task as `--json` gives it: as in lists, and what only one task is worth.
#[derive(Serialize)]
struct Shown<'t> {
    #[serde(flatten)]
    info: &'t TaskInfo,
    stats: &'t Stats,
    #[serde(skip_serializing_if = "<[LeftOutInfo]>::is_empty")]
    left_out: &'t [LeftOutInfo],
    problems: Vec<&'t Problem>,
    normal: serde_json::Value,
}

pub(super) async fn show(see: &See, task: &Task, look: &Look, output: &Output) -> Result<(), Failure> {
    let info = see.tasks().await?.into_iter().find(|info| info.name == task.name);
    // The host may not have noticed the file yet.
    let info = info.ok_or_else(|| {
        Failure::new(FINDINGS, format!("the host does not know {} yet", task.name)).hint("neap reload")
    })?;
    let filter = RunFilter { task: Some(task.name.clone()), limit: RUNS, ..RunFilter::default() };
    let runs = see.runs(&filter)?;
    let stats = see.history()?.stats(&task.name, look.now - MONTH)?;
    let left_out = see.left_out(task, LEFT_OUT)?;
    let catalog = &see.definitions()?.catalog;
    let problems: Vec<&Problem> =
        catalog.problems().iter().filter(|problem| problem.file == task.file).collect();
    if output.json {
        output.print_json(&Shown {
            info: &info,
            stats: &stats,
            left_out: &left_out,
            problems,
            normal: task.to_json(),
        })?;
    } else {
        let ids = runs.iter().map(|run| {
            if look.is_terminal { Ok(short_id(see.history()?, run.id)) } else { Ok(run.id.to_string()) }
        });
        let ids: Vec<String> = ids.collect::<Result<_, Failure>>()?;
        let past = Past { runs: &runs, ids: &ids, stats: &stats, left_out: &left_out };
        print(&render(task, &info, &past, &problems, look))?;
    }
    Ok(())
}

/// How the task fared.
struct Past<'r> {
    runs: &'r [RunInfo],
    ids: &'r [String],
    stats: &'r Stats,
    left_out: &'r [LeftOutInfo],
}

fn render(task: &Task, info: &TaskInfo, past: &Past<'_>, problems: &[&Problem], look: &Look) -> String {
    let mut text = head(task, info, look);
    text += &params(&task.params);
    text += &format!("\n{}", jobs(task));
    if !past.runs.is_empty() {
        text += &format!("\n{}", indent(&table(past.runs, past.ids, look)));
        text += &format!("  last 30 days: {}\n", stats_words(past.stats));
    }
    if !past.left_out.is_empty() {
        text += &format!("\n  {BOLD}slots without a run{BOLD:#}\n");
        text.extend(past.left_out.iter().map(|left_out| left_out_line(left_out, look)));
    }
    if !problems.is_empty() {
        let lines = problems.iter().map(|problem| format!("  {}\n", clean(&problem.to_string())));
        text += &format!("\n{}", lines.collect::<String>());
    }
    if look.is_terminal {
        text += &next_line(&next(task, past.runs));
    }
    text
}

fn head(task: &Task, info: &TaskInfo, look: &Look) -> String {
    let about = task.description.as_ref().map(|text| format!("   {}", brief(text, usize::MAX)));
    let mut text = format!("{}{}\n", strong(task.name.as_str()), about.unwrap_or_default());
    let more = task.description.iter().flat_map(|text| text.trim().lines().skip(1));
    text.extend(more.map(|line| format!("  {}\n", clean(line))));
    text += &format!("  file      {}   definition {}\n", task.file, short_hash(&task.hash));
    if info.is_stale {
        text += &format!("            {BAD}has errors{BAD:#}: this is its last good version\n");
    }
    if !task.labels.is_empty() {
        let labels: Vec<String> = task.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        text += &format!("  labels    {}\n", brief(&labels.join(" "), 200));
    }
    for timetable in &task.timetables {
        text += &format!("  schedule  {}\n", schedule(task, timetable, look));
    }
    if let Some(pause) = &info.paused {
        let reason = pause.reason.as_ref().map(|reason| format!(": \"{}\"", brief(reason, 200)));
        let (by, since) = (clean(&pause.by.0), look.distance(pause.since.0));
        text += &format!("  {ODD}paused{ODD:#}    by {by} {since}{}\n", reason.unwrap_or_default());
    }
    text + &hooks(task)
}

/// `daily at 03:13 (Europe/Berlin)   03:13 tomorrow, Mon 03:13, Tue 03:13`
fn schedule(task: &Task, timetable: &Timetable, look: &Look) -> String {
    let mut words = timetable.describe();
    words += overlap(timetable.firing.overlap);
    words += match timetable.firing.catchup {
        Catchup::None => "",
        Catchup::Last => ", made up for once",
        Catchup::All => ", made up for",
    };
    if !timetable.enabled {
        return format!("{words}   {DIM}not enabled{DIM:#}");
    }
    let fires: Vec<Moment> = timetable.fires(&task.name, look.now).take(FIRES).collect();
    match fires.is_empty() {
        true if timetable.schedule.occasion().is_some() => words,
        true => format!("{words}   {DIM}never again{DIM:#}"),
        false => {
            let fires: Vec<String> = fires.into_iter().map(|at| look.clock(at)).collect();
            format!("{words}   {DIM}{}{DIM:#}", fires.join(", "))
        }
    }
}

/// `03:13 yesterday: nightly#12 was still going on`, or how many from when to when.
fn left_out_line(left_out: &LeftOutInfo, look: &Look) -> String {
    let when = match left_out.count {
        1 => look.clock(left_out.slot.0),
        many => format!("{many} from {} to {}", look.clock(left_out.slot.0), look.clock(left_out.until.0)),
    };
    format!("  {when}: {}\n", clean(&left_out.words))
}

fn overlap(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Skip => "",
        Overlap::QueueOne => ", after a run that goes on, one at most",
        Overlap::QueueAll => ", after all runs before it",
        Overlap::CancelRunning => ", in the place of a run that goes on",
        Overlap::Allow => ", also beside a run that goes on",
    }
}

fn hooks(task: &Task) -> String {
    let mut files: Vec<&Hook> = Vec::new();
    for hook in task.leaves.iter().flat_map(|leaf| &leaf.hooks) {
        if !files.contains(&hook) {
            files.push(hook);
        }
    }
    let name = |hook: &&Hook| match hook.on_error {
        OnHookError::Warn => format!("scripts/{}", hook.file),
        OnHookError::Fail => format!("scripts/{} (its failure is the job's)", hook.file),
    };
    match files.is_empty() {
        true => String::new(),
        false => format!("  hooks     {}\n", clean(&files.iter().map(name).collect::<Vec<_>>().join(", "))),
    }
}

fn params(params: &[Param]) -> String {
    if params.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["PARAM", "TYPE", "DEFAULT", "VALUES", "ABOUT"]);
    for param in params {
        let default = match (&param.default, param.required) {
            (Some(value), _) => brief(&plain(value), 40),
            (None, true) => "required".into(),
            (None, false) => "-".into(),
        };
        let about = param.description.as_ref().map(|text| brief(text, 80)).unwrap_or_default();
        table.row([
            param.name.as_str().into(),
            type_word(param.kind).into(),
            default.into(),
            values(param).into(),
            about.into(),
        ]);
    }
    format!("\n{}", indent(&table.render(true)))
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn type_word(kind: ParamType) -> &'static str {
    match kind {
        ParamType::String => "string",
        ParamType::Integer => "integer",
        ParamType::Number => "number",
        ParamType::Boolean => "boolean",
        ParamType::Date => "date",
        ParamType::Duration => "duration",
        ParamType::List => "list",
        ParamType::Json => "json",
    }
}

/// What may be given, as far as it is restricted.
fn values(param: &Param) -> String {
    if !param.choices.is_empty() {
        return brief(&param.choices.iter().map(plain).collect::<Vec<_>>().join(" | "), 60);
    }
    let range = match (param.minimum, param.maximum) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}")),
        (Some(low), None) => Some(format!("{low} or more")),
        (None, Some(high)) => Some(format!("{high} or less")),
        (None, None) => None,
    };
    let pattern = param.pattern.as_ref().map(|pattern| brief(&format!("/{pattern}/"), 40));
    let limits: Vec<String> = [range, pattern].into_iter().flatten().collect();
    if limits.is_empty() { "any".into() } else { limits.join(" ") }
}

fn jobs(task: &Task) -> String {
    let mut table = Table::new(&["JOB", "RUNS", "LIMITS", "NEEDS"]);
    for leaf in &task.leaves {
        let needs: Vec<&str> = leaf.depends_on.iter().map(|need| inside(task, &need.task)).collect();
        table.row([
            inside(task, &leaf.name).into(),
            action(&leaf.action).into(),
            limits(leaf).into(),
            if needs.is_empty() { "-".to_owned() } else { needs.join(", ") }.into(),
        ]);
    }
    indent(&table.render(true))
}

fn action(action: &Action) -> String {
    const LONGEST: usize = 50;
    match action {
        Action::Run { script, .. } => brief(script, LONGEST),
        Action::Exec { argv } => brief(&argv.join(" "), LONGEST),
        Action::Lua { text } => format!("lua: {}", brief(text, LONGEST)),
        Action::Script { file } => format!("scripts/{}", brief(file, LONGEST)),
        Action::Call { function, .. } => format!("uses {}", brief(function, LONGEST)),
    }
}

fn limits(leaf: &Leaf) -> String {
    let tries = (leaf.retry.attempts > 1).then(|| format!("{} tries", leaf.retry.attempts));
    let timeout = leaf.timeout.map(|timeout| format!("at most {timeout}"));
    let tolerated = leaf.continue_on_error.then(|| "may fail".to_owned());
    let limits: Vec<String> = [timeout, tries, tolerated].into_iter().flatten().collect();
    if limits.is_empty() { "-".into() } else { limits.join(", ") }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn next(task: &Task, runs: &[RunInfo]) -> Vec<String> {
    let required = task.params.iter().filter(|param| param.required && param.default.is_none());
    let given: String = required.map(|param| format!(" {}=...", param.name)).collect();
    let mut commands = vec![format!("neap run {}{given}", task.name)];
    if task.leaves.len() > 1 {
        commands.push(format!("neap graph {} ({})", task.name, count(task.leaves.len(), "job")));
    }
    commands.extend(runs.first().map(|run| format!("neap show {}", run.name)));
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RunState;
    use crate::cli::look::{plain as uncoloured, test_look};
    use crate::cli::ps::tests::run;
    use crate::definition::{Catalog, Registered, Settings, Source};
    use crate::schedule::Zone;

    const YAML: &str = r#"
description: "Dump and \e[2J upload\nEvery night."
labels: { team: ops }
schedule: { cron: "13 3 * * *", params: { day: 2026-01-01 } }
params:
  day: { type: date, required: true, description: Which day }
  size: { type: integer, default: 3, minimum: 1, maximum: 9 }
  to: { enum: [a, b], default: a }
tasks:
  dump: { run: "pg_dump app", timeout: 30m, retry: 3 }
  upload: { depends_on: dump, exec: [rclone, copy], continue_on_error: true }
"#;

    #[test]
    fn a_task_says_what_it_takes_runs_and_did() {
        let source = Source::new("tasks/nightly.yaml", YAML);
        let settings = Settings::new(Zone::utc());
        let catalog = Catalog::load([source], &Registered::default(), &settings, None);
        let task = catalog.task("nightly").unwrap_or_else(|| panic!("{:?}", catalog.problems()));
        let info = TaskInfo {
            name: task.name.clone(),
            file: task.file.to_string(),
            description: None,
            labels: Default::default(),
            jobs: Vec::new(),
            params: Vec::new(),
            schedules: Vec::new(),
            next: None,
            occasions: Vec::new(),
            paused: None,
            recent: Vec::new(),
            is_stale: false,
            definition: String::new(),
        };
        let runs = [RunInfo {
            why: Some("upload (exit 7)".into()),
            ..run("nightly#4", RunState::Failed, Vec::new())
        }];
        let stats = Stats { failed: 1, ..Stats::default() };
        let past = Past { runs: &runs, ids: &["k3v".to_owned()], stats: &stats, left_out: &[] };
        let text = uncoloured(&render(task, &info, &past, &[], &test_look()));
        let hash = short_hash(&task.hash);
        let expected = format!(
            "\
nightly   Dump and \u{fffd}[2J upload
  Every night.
  file      tasks/nightly.yaml   definition {hash}
  labels    team=ops
  schedule  daily at 03:13 (UTC)   03:13 tomorrow, Mon 03:13, Tue 03:13

  PARAM  TYPE     DEFAULT   VALUES  ABOUT
  day    date     required  any     Which day
  size   integer  3         1 to 9
  to     string   a         a | b

  JOB     RUNS         LIMITS                NEEDS
  dump    pg_dump app  at most 30m, 4 tries  -
  upload  rclone copy  may fail              dump

  RUN        ID   RESULT  STARTED      TOOK  QUEUED  BY    WHY
  nightly#4  k3v  failed  08:59 today  41s   0s      anna  upload (exit 7)
  last 30 days: 1 failed
next: neap run nightly day=... | neap graph nightly (2 jobs) | neap show nightly#4
"
        );
        assert_eq!(text, expected);
    }
}
