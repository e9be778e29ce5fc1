//! One command for many runs: what came of each, or what would. A run to which it cannot be done keeps nobody else from it.

use super::error::{FINDINGS, Failure};
use super::output::{Output, print};
use super::see::See;
use crate::api::RunInfo;
use crate::base::RunId;
use std::process::ExitCode;

/// What is being done.
pub(crate) struct Each<'o> {
    output: &'o Output,
    /// Whether runs were named that may be many: then what is printed for machines is a list.
    is_many: bool,
    /// Whether they were named by what they have in common: then one that has ended meanwhile is not missed.
    is_common: bool,
    infos: Vec<RunInfo>,
    first: Option<Failure>,
}

impl<'o> Each<'o> {
    pub(crate) fn new(is_many: bool, output: &'o Output) -> Each<'o> {
        Each { output, is_many, is_common: is_many, infos: Vec::new(), first: None }
    }

    /// The same for runs that are always told of as a list, however they were named.
    pub(crate) fn listed(is_common: bool, output: &'o Output) -> Each<'o> {
        Each { is_common, ..Each::new(true, output) }
    }

    /// What came of one.
    pub(crate) fn take(&mut self, done: Result<RunInfo, Failure>) {
        match (done, &self.first) {
            (Ok(info), _) => self.infos.push(info),
            (Err(failure), _) if self.is_common && failure.code == FINDINGS => {
                self.output.say(&failure.message);
            }
            (Err(failure), None) => self.first = Some(failure),
            (Err(failure), Some(_)) => self.output.say(&format!("error: {}", failure.message)),
        }
    }

    /// Says what would be done to each of them, and does nothing.
    pub(crate) async fn would(mut self, verb: &str, see: &See, runs: &[RunId]) -> Result<ExitCode, Failure> {
        for &run in runs {
            let info = see.run(run).await.and_then(|info| going(info, verb));
            if let (Ok(info), false) = (&info, self.output.json) {
                print(&format!("would {verb} {} ({}), by {}\n", info.name, info.state.word(), info.by))?;
            }
            self.take(info);
        }
        self.end()
    }

    pub(crate) fn end(self) -> Result<ExitCode, Failure> {
        match (self.first, self.infos.as_slice()) {
            (Some(failure), _) => return Err(failure),
            (None, [info]) if self.output.json && !self.is_many => self.output.print_json(info)?,
            (None, infos) if self.output.json => self.output.print_json(&infos)?,
            (None, _) => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The run, if it goes on.
pub(crate) fn going(info: RunInfo, verb: &str) -> Result<RunInfo, Failure> {
    if info.state.is_over() {
        let message = format!("{} is over ({}): there is nothing to {verb}", info.name, info.state.word());
        return Err(Failure::new(FINDINGS, message));
    }
    Ok(info)
}

/// The runs that these words name, each once, in the order in which they were named.
pub(crate) fn named(see: &See, words: &[String]) -> Result<Vec<RunId>, Failure> {
    let mut runs = Vec::new();
    for word in words {
        for selected in see.select(word)? {
            if !runs.contains(&selected.run) {
                runs.push(selected.run);
            }
        }
    }
    Ok(runs)
}

/// Whether a word may name many runs.
pub(crate) fn is_many(word: &str) -> bool {
    word.starts_with(':')
}
