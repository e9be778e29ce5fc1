//! `neap doctor`: whether this machine, this project and its host are as neap would like them, and what holds what here.
//!
//! Facts are gathered (`gather`), and each becomes a finding by a function of its own that looks at nothing else. What exec
//! and the store decide is asked of them, never decided here. Nothing is changed.

mod files;
mod gather;
mod processes;
mod running;

use super::error::{FINDINGS, Failure};
use super::look::count;
use super::output::{BAD, BOLD, GOOD, ODD, Output, clean, print};
use anstyle::Style;
use gather::Facts;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn doctor(directory: Option<&Path>, output: &Output) -> Result<ExitCode, Failure> {
    let facts = Facts::gather(directory)?;
    let sections = examine(&facts);
    let is_ok = !all(&sections).any(|finding| finding.state == State::Problem);
    if output.json {
        output.print_json(&Document { ok: is_ok, checks: all(&sections).collect() })?;
    } else {
        print(&text(&sections))?;
    }
    // The program ends now, and the system takes everything back at once.
    std::mem::forget(facts);
    Ok(if is_ok { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// How good that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// Something is not as it is elsewhere.
    Note,
    /// Something will not work.
    Problem,
}

/// What was found about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    name: &'static str,
    state: State,
    text: String,
    help: Option<String>,
}

impl Finding {
    fn ok(name: &'static str, text: impl Into<String>) -> Finding {
        Finding { name, state: State::Ok, text: text.into(), help: None }
    }

    fn note(name: &'static str, text: impl Into<String>) -> Finding {
        Finding { state: State::Note, ..Finding::ok(name, text) }
    }

    fn problem(name: &'static str, text: impl Into<String>) -> Finding {
        Finding { state: State::Problem, ..Finding::ok(name, text) }
    }

    /// With what to do about it.
    fn help(self, help: impl Into<String>) -> Finding {
        Finding { help: Some(help.into()), ..self }
    }
}

type Section = (&'static str, Vec<Finding>);

fn examine(facts: &Facts) -> Vec<Section> {
    let project = facts.project.as_ref();
    let files = project.map_or_else(|| vec![files::nowhere()], |project| files::findings(&project.files));
    let host = project.map(|project| running::host_findings(&project.host)).unwrap_or_default();
    let sections = vec![
        ("Processes", processes::findings(&facts.processes)),
        ("Files", files),
        ("Host", host),
        ("Time", running::time_findings(&facts.time)),
        ("Watching files", running::watch_findings(&facts.watch)),
    ];
    sections.into_iter().filter(|(_, findings)| !findings.is_empty()).collect()
}

fn all(sections: &[Section]) -> impl Iterator<Item = &Finding> {
    sections.iter().flat_map(|(_, findings)| findings)
}

#[derive(Serialize)]
struct Document<'f> {
    ok: bool,
    checks: Vec<&'f Finding>,
}

fn text(sections: &[Section]) -> String {
    let width = all(sections).map(|finding| finding.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (title, findings) in sections {
        text += &format!("{BOLD}{title}{BOLD:#}\n");
        for Finding { name, state, text: what, help } in findings {
            let (word, style) = mark(*state);
            text += &format!("  {style}{word:<7}{style:#}  {name:<width$}  {}\n", clean(what));
            if let Some(help) = help {
                text += &format!("  {:<7}  {:<width$}  {GOOD}help{GOOD:#}: {}\n", "", "", clean(help));
            }
        }
        text.push('\n');
    }
    text + &summary(sections) + "\n"
}

fn mark(state: State) -> (&'static str, Style) {
    match state {
        State::Ok => ("ok", GOOD),
        State::Note => ("note", ODD),
        State::Problem => ("problem", BAD),
    }
}

fn summary(sections: &[Section]) -> String {
    let of = |state| all(sections).filter(|finding| finding.state == state).count();
    match (of(State::Problem), of(State::Note)) {
        (0, 0) => "Everything is as it should be.".into(),
        (0, notes) => format!("No problems, {}.", count(notes, "note")),
        (problems, 0) => format!("{}.", count(problems, "problem")),
        (problems, notes) => format!("{}, {}.", count(problems, "problem"), count(notes, "note")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_stand_in_columns_with_help_below() {
        let sections = vec![
            ("One", vec![Finding::ok("a", "fine"), Finding::note("longer", "odd\u{7}").help("look")]),
            ("Two", vec![Finding::problem("b", "bad")]),
        ];
        let expected = "\
One
  ok       a       fine
  note     longer  odd\u{fffd}
                   help: look

Two
  problem  b       bad

1 problem, 1 note.
";
        assert_eq!(super::super::look::plain(&text(&sections)), expected);
        assert_eq!(summary(&[]), "Everything is as it should be.");
        assert_eq!(
            summary(&[("", vec![Finding::note("a", ""), Finding::note("b", "")])]),
            "No problems, 2 notes."
        );
    }
}
