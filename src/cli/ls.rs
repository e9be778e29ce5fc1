//! `neap ls`: the tasks, how they fared last, and when they run next.

use super::error::Failure;
use super::look::{Look, brief, count};
use super::output::{BAD, BUSY, Cell, DIM, GOOD, ODD, Output, Table, clean, print, styled};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::{RecentInfo, RunState, TaskInfo};
use crate::base::Millis;
use std::collections::BTreeSet;
use std::process::ExitCode;

pub(crate) fn ls(project: &Project, output: &Output) -> Result<ExitCode, Failure> {
    let look = Look::new(output)?;
    let (tasks, problems) = block_on(async {
        let see = See::new(project).await;
        Ok((see.tasks().await?, see.problems().await?))
    })?;
    if output.json {
        output.print_json(&tasks)?;
        return Ok(ExitCode::SUCCESS);
    }
    if look.is_terminal {
        print(&format!("{}{}", listing(&tasks, &look), footer(&tasks, &problems)))?;
    } else {
        print(&listing(&tasks, &look))?;
        if let Some(line) = problem_line(&problems) {
            output.say(&line);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How many of the last runs are shown as dots.
const DOTS: usize = 8;

fn listing(tasks: &[TaskInfo], look: &Look) -> String {
    if tasks.is_empty() && look.is_terminal {
        return "There are no tasks yet: write one into tasks/hello.yaml, or let `neap init` do it.\n".into();
    }
    let headings = match look.is_terminal {
        true => ["TASK", "LAST", "", "WHEN", "TOOK", "NEXT", "ABOUT"],
        false => ["TASK", "LAST", "RECENT", "WHEN", "TOOK", "NEXT", "ABOUT"],
    };
    let mut table = Table::new(&headings);
    // Those at the top come first; each directory follows under its name.
    let mut sorted: Vec<(&str, &TaskInfo)> = tasks.iter().map(|task| (directory(task), task)).collect();
    sorted.sort_by_key(|(directory, task)| (*directory, task.name.clone()));
    let mut last = "";
    for (directory, task) in sorted {
        if look.is_terminal && directory != last {
            table.row([styled(format!("[{directory}]"), DIM)]);
            last = directory;
        }
        table.row(row(task, directory, look));
    }
    table.render(look.is_terminal)
}

fn directory(task: &TaskInfo) -> &str {
    task.name.as_str().rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn row(task: &TaskInfo, directory: &str, look: &Look) -> [Cell; 7] {
    let name = match look.is_terminal && !directory.is_empty() {
        true => &task.name.as_str()[directory.len() + 1..],
        false => task.name.as_str(),
    };
    let name = if task.is_stale { styled(name, ODD) } else { name.into() };
    let latest = task.recent.first();
    [
        name,
        latest.map_or_else(|| "-".into(), |run| last_word(run.state)),
        dots(&task.recent).into(),
        latest.map_or_else(|| "-".into(), |run| when(run, look)).into(),
        latest.map_or_else(|| "-".into(), |run| took(run, look)).into(),
        next(task, look),
        about(task, look).into(),
    ]
}

/// As `RunState::word`, but failure is loud in a list of many.
fn last_word(state: RunState) -> Cell {
    match state {
        RunState::Succeeded => styled("ok", GOOD),
        RunState::Failed => styled("FAIL", BAD),
        RunState::Cancelled => styled("cancelled", ODD),
        RunState::Paused => styled("paused", ODD),
        RunState::Cancelling => styled("cancelling", ODD),
        RunState::Running => styled("run", BUSY),
        RunState::Queued => styled("queued", DIM),
    }
}

/// One character for each of the last runs, the oldest first.
fn dots(recent: &[RecentInfo]) -> String {
    let dot = |run: &RecentInfo| match run.state {
        RunState::Succeeded => 'o',
        RunState::Failed => 'X',
        RunState::Cancelled => 'c',
        RunState::Queued | RunState::Running | RunState::Paused | RunState::Cancelling => '*',
    };
    let dots: String = recent.iter().take(DOTS).rev().map(dot).collect();
    format!("{dots:.>DOTS$}")
}

fn when(run: &RecentInfo, look: &Look) -> String {
    match run.took_ms {
        None if look.is_terminal => "now".into(),
        None => look.distance(run.created.0),
        Some(took) => look.distance(run.created.0 + Millis(took)),
    }
}

fn took(run: &RecentInfo, look: &Look) -> String {
    run.took_ms.map_or(look.now - run.created.0, Millis).to_string()
}

fn next(task: &TaskInfo, look: &Look) -> Cell {
    match (&task.paused, task.next, task.schedules.is_empty()) {
        (Some(_), _, _) => styled("paused", ODD),
        (None, Some(next), _) if look.is_terminal => {
            format!("{} ({})", look.clock(next.0), look.distance(next.0)).into()
        }
        (None, Some(next), _) => look.clock(next.0).into(),
        // What fires after something else has no time.
        (None, None, false) if !task.occasions.is_empty() => task.occasions.join(", ").into(),
        (None, None, false) => styled("never", DIM),
        (None, None, true) => styled("-", DIM),
    }
}

fn about(task: &TaskInfo, look: &Look) -> String {
    let mut words = Vec::new();
    if let Some(pause) = &task.paused {
        let reason =
            pause.reason.as_ref().map(|reason| format!(": \"{}\"", clean(reason))).unwrap_or_default();
        words.push(format!("(paused by {} {}{reason})", clean(&pause.by.0), look.distance(pause.since.0)));
    }
    if task.is_stale {
        words.push(format!("({} has errors: this is its last good version)", task.file));
    }
    let longest = if look.is_terminal { 60 } else { usize::MAX };
    words.extend(task.description.as_ref().map(|text| brief(text, longest)));
    words.join(" ")
}

fn footer(tasks: &[TaskInfo], problems: &[String]) -> String {
    let is_failed = |task: &&TaskInfo| task.recent.first().is_some_and(|run| run.state == RunState::Failed);
    let failed: Vec<&TaskInfo> = tasks.iter().filter(is_failed).collect();
    let mut text = String::new();
    if let Some(first) = failed.first().or(tasks.first().as_ref()) {
        let failures = match failed.len() {
            0 => String::new(),
            failures => format!(", {failures} failed last time"),
        };
        text += &format!("{}{failures}.   ", count(tasks.len(), "task"));
        let show = match (failed.is_empty(), first.recent.first()) {
            (false, Some(run)) => format!("{}#{}", first.name, run.number),
            _ => first.name.to_string(),
        };
        text += &format!("{DIM}neap show {show}   neap next{DIM:#}\n");
    }
    text + &problem_line(problems).map(|line| line + "\n").unwrap_or_default()
}

/// `1 file has errors: tasks/broken.yaml   neap check`.
pub(crate) fn problem_line(problems: &[String]) -> Option<String> {
    // `file:line:col: error[code]: what`; what is wrong with a script has no severity, because it is always an error.
    let file_of = |problem: &String| {
        let line = problem.lines().next().unwrap_or_default();
        let is_error = !line.contains(": warning[") && !line.contains(": hint[");
        is_error.then(|| line.split(':').next().unwrap_or_default().to_owned())
    };
    let files: BTreeSet<String> = problems.iter().filter_map(file_of).collect();
    if files.is_empty() {
        return None;
    }
    const SHOWN: usize = 3;
    let mut names: Vec<String> = files.iter().take(SHOWN).map(|file| clean(file)).collect();
    if files.len() > SHOWN {
        names.push(format!("and {} more", files.len() - SHOWN));
    }
    let verb = if files.len() == 1 { "has" } else { "have" };
    let names = names.join(", ");
    Some(format!(
        "{ODD}{} {verb} errors{ODD:#}: {names}   {DIM}neap check{DIM:#}",
        count(files.len(), "file")
    ))
}

#[cfg(test)]
mod tests {
    use super::super::look::{plain, test_look};
    use super::*;
    use crate::api::{PauseInfo, Time};
    use crate::base::{Moment, RunId, TaskName};
    use crate::engine::Author;

    fn task(name: &str, description: &str, states: &[RunState]) -> TaskInfo {
        let now = test_look().now;
        let recent = |(back, &state): (usize, &RunState)| RecentInfo {
            id: RunId(back as u64),
            number: 100 - back as u64,
            state,
            created: Time(Moment(now.0 - (back as u64 + 1) * 7_200_000)),
            took_ms: state.is_over().then_some(109_000),
        };
        TaskInfo {
            name: TaskName::new(name).unwrap(),
            file: format!("tasks/{name}.yaml"),
            description: Some(description.into()),
            labels: Default::default(),
            jobs: vec![name.into()],
            params: Vec::new(),
            schedules: Vec::new(),
            next: None,
            occasions: Vec::new(),
            paused: None,
            recent: states.iter().enumerate().map(recent).collect(),
            is_stale: false,
            definition: "9f2c1a".into(),
        }
    }

    fn tasks() -> Vec<TaskInfo> {
        use RunState::{Cancelled, Failed, Running, Succeeded};
        let now = test_look().now;
        let author = Author("anna".into());
        let pause = PauseInfo {
            by: author,
            reason: Some("month\u{1b} end".into()),
            since: Time(Moment(now.0 - 60_000)),
        };
        vec![
            task("hello", "Say hello", &[Succeeded]),
            TaskInfo {
                next: Some(Time(Moment(now.0 + 65_580_000))),
                schedules: vec!["daily at 03:13 (UTC)".into()],
                ..task("nightly", "Dump it", &[Failed, Succeeded, Cancelled])
            },
            TaskInfo { paused: Some(pause), ..task("ops/report", "Report", &[]) },
            TaskInfo { is_stale: true, ..task("ops/rotate", "Rotate logs", &[Running, Succeeded]) },
            task("watch", "Watch", &[]),
        ]
    }

    #[test]
    fn people_see_groups_dots_and_distances() {
        let text = plain(&listing(&tasks(), &test_look()));
        let expected = "\
TASK     LAST            WHEN    TOOK   NEXT                     ABOUT
hello    ok    .......o  1h ago  1m49s  -                        Say hello
nightly  FAIL  .....coX  1h ago  1m49s  03:13 tomorrow (in 18h)  Dump it
watch    -     ........  -       -      -                        Watch
[ops]
report   -     ........  -       -      paused                   (paused by anna 1m ago: \"month\u{fffd} end\") Report
rotate   run   ......o*  now     2h     -                        (tasks/ops/rotate.yaml has errors: this is its last good version) Rotate logs
";
        assert_eq!(text, expected);
    }

    #[test]
    fn programs_get_full_names_and_times() {
        let look = Look { is_terminal: false, ..test_look() };
        let text = plain(&listing(&tasks(), &look));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "TASK\tLAST\tRECENT\tWHEN\tTOOK\tNEXT\tABOUT");
        assert_eq!(
            lines[2],
            "nightly\tFAIL\t.....coX\t2026-11-21T07:01:49Z\t1m49s\t2026-11-22T03:13:00Z\tDump it"
        );
        assert!(lines[4].starts_with("ops/report\t-\t"), "{text}");
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn the_footer_counts_and_says_what_to_type() {
        let problems = [
            "tasks/a.yaml:1:1: error[E0104]: unknown field".to_owned(),
            "tasks/a.yaml:2:1: error[E0104]: unknown field".to_owned(),
            "tasks/b.yaml:1:1: warning[W0210]: odd".to_owned(),
            "scripts/h.lua:3: no such function\n  3 | x".to_owned(),
        ];
        assert_eq!(
            plain(&footer(&tasks(), &problems)),
            "5 tasks, 1 failed last time.   neap show nightly#100   neap next\n\
             2 files have errors: scripts/h.lua, tasks/a.yaml   neap check\n"
        );
        assert_eq!(plain(&footer(&tasks()[..1], &[])), "1 task.   neap show hello   neap next\n");
        assert_eq!(footer(&[], &[]), "");
    }
}
