//! `neap check`: everything that is wrong with the files, at once, and `--fix` for what can be mended.
//!
//! It reads files and never asks a host: what it says is about the text that is there now. It is also no style checker:
//! what it does not mention will load.

mod fix;
mod render;
mod sarif;
#[cfg(test)]
mod tests;

use super::args;
use super::error::{FINDINGS, Failure};
use super::output::{BAD, GOOD, ODD, Output, print};
use super::project::Project;
use crate::definition::{Problem, Severity};
use crate::host::{self, Definitions};
use crate::lua::ScriptProblem;
use fix::Fixed;
use serde::Serialize;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Problems that are drawn with their lines at most: whoever has more mends these first.
const DRAWN: usize = 100;

pub(crate) fn check(project: &Project, args: &args::Check, output: &Output) -> Result<ExitCode, Failure> {
    let begun = Instant::now();
    let (definitions, fixed) = match args.fix {
        true => fix::fix(&project.root),
        false => (host::check(&project.root), Fixed::default()),
    };
    let findings = findings(&definitions);
    let tally = Tally::of(&definitions, &findings, begun.elapsed());
    if args.sarif {
        output.print_json(&sarif::log(&findings))?;
    } else if output.json {
        output.print_json(&Document { problems: &findings, tally: &tally, fixed: &fixed })?;
    } else if args.one_line {
        if !fixed.is_empty() {
            output.say(fixed.lines().trim_end());
        }
        print(&findings.iter().map(|finding| format!("{}\n", finding.line())).collect::<String>())?;
        output.say(tally.words(&findings).trim_end());
    } else {
        print(&(fixed.lines() + &drawn(&definitions, &findings) + &tally.words(&findings)))?;
    }
    let code = if tally.errors > 0 { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS };
    // The program ends now, and the system takes everything back at once.
    std::mem::forget(definitions);
    Ok(code)
}

/// One thing that is wrong, in YAML or in Lua.
#[derive(Clone, Copy, Debug)]
enum Finding<'d> {
    Yaml(&'d Problem),
    Lua(&'d ScriptProblem),
}

fn findings(definitions: &Definitions) -> Vec<Finding<'_>> {
    let lua = definitions.script_problems.iter().map(Finding::Lua);
    definitions.problems().map(Finding::Yaml).chain(lua).collect()
}

impl Finding<'_> {
    fn severity(&self) -> Severity {
        match self {
            Finding::Yaml(problem) => problem.severity,
            Finding::Lua(_) => Severity::Error,
        }
    }

    fn is_fixable(&self) -> bool {
        matches!(self, Finding::Yaml(Problem { fix: Some(_), .. }))
    }

    /// `file:line:column: error[E0104]: what`; editors and CI read it.
    fn line(&self) -> String {
        match self {
            Finding::Yaml(problem) => problem.to_string(),
            Finding::Lua(ScriptProblem { file, line, message, .. }) => {
                format!("{file}:{}:1: error: {message}", line.unwrap_or(1))
            }
        }
    }
}

impl Serialize for Finding<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Lua<'d> {
            severity: Severity,
            code: Option<&'d str>,
            file: &'d str,
            line: Option<u32>,
            column: Option<u32>,
            message: &'d str,
            help: Option<&'d str>,
        }
        match self {
            Finding::Yaml(problem) => problem.serialize(serializer),
            Finding::Lua(problem) => Lua {
                severity: Severity::Error,
                code: None,
                file: &problem.file,
                line: problem.line,
                column: None,
                message: &problem.message,
                help: problem.hint.as_deref(),
            }
            .serialize(serializer),
        }
    }
}

#[derive(Serialize)]
struct Document<'d> {
    problems: &'d [Finding<'d>],
    #[serde(flatten)]
    tally: &'d Tally,
    #[serde(flatten)]
    fixed: &'d Fixed,
}

/// How many of what.
#[derive(Debug, Serialize)]
struct Tally {
    errors: usize,
    warnings: usize,
    hints: usize,
    fixable: usize,
    files: usize,
    took_ms: u64,
}

impl Tally {
    fn of(definitions: &Definitions, findings: &[Finding<'_>], took: Duration) -> Tally {
        let count = |severity| findings.iter().filter(|finding| finding.severity() == severity).count();
        Tally {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            hints: count(Severity::Hint),
            fixable: findings.iter().filter(|finding| finding.is_fixable()).count(),
            files: definitions.file_count(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The last line: `2 errors, 1 warning in 14 files (6 ms).` and what can be done.
    fn words(&self, findings: &[Finding<'_>]) -> String {
        let counts =
            [(self.errors, "error", BAD), (self.warnings, "warning", ODD), (self.hints, "hint", GOOD)];
        let counts = counts.into_iter().filter(|(count, _, _)| *count > 0);
        let counts: Vec<String> =
            counts.map(|(count, word, style)| format!("{style}{}{style:#}", several(count, word))).collect();
        let what = if counts.is_empty() { format!("{GOOD}no problems{GOOD:#}") } else { counts.join(", ") };
        let mut words = format!("{what} in {} ({} ms).", several(self.files, "file"), self.took_ms);
        if self.fixable > 0 {
            words += &format!("   {} can be fixed: neap check --fix", self.fixable);
        }
        let coded = findings.iter().find_map(|finding| match finding {
            Finding::Yaml(problem) => Some(problem.code),
            Finding::Lua(_) => None,
        });
        if let Some(code) = coded {
            words += &format!("   more about a code: neap explain {code}");
        }
        words + "\n"
    }
}

fn several(count: usize, word: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {word}{s}")
}

/// The first problems with their lines, those that keep a file from being used before the others.
fn drawn(definitions: &Definitions, findings: &[Finding<'_>]) -> String {
    let mut ordered: Vec<&Finding<'_>> = findings.iter().collect();
    ordered.sort_by_key(|finding| finding.severity());
    let mut text = String::new();
    for finding in ordered.iter().take(DRAWN) {
        text += &match finding {
            Finding::Yaml(problem) => render::problem(problem, |path| definitions.source(path)),
            Finding::Lua(problem) => render::script_problem(problem),
        };
        text += "\n\n";
    }
    match ordered.len().saturating_sub(DRAWN) {
        0 => text,
        more => text + &format!("and {more} more (--one-line shows all)\n\n"),
    }
}
