//! How people name runs: `k3v`, `nightly`, `nightly#127`, `nightly@-1`, `@`, `@failed`, each with `/job` and `.attempt` behind
//! it where a job is meant. What names many of them is in `many`.

use super::many::{Many, WORDS};
use crate::base::{RunId, TaskName};
use crate::host::Live;
use crate::store::{History, RunFilter, RunStatus, StoreError};
use std::fmt;
use std::str::FromStr;

/// A name for a run, read but not looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    run: Which,
    /// The job behind the run, as text: it may hold a slash of its own.
    tail: Option<String>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    /// `@`: the latest run of anything; `@-1`: the one before.
    Latest(u32),
    /// `@failed`: the latest that failed.
    Failed,
    /// `:running` and its like.
    Many(Many),
    /// `nightly#127`.
    Numbered(TaskName, u64),
    /// `nightly@-1`: counted back from the latest.
    Back(TaskName, u32),
    /// A task name or the beginning of an id. Which, the history knows.
    Word(String),
}

/// A run, and perhaps a job of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The run.
    pub run: RunId,
    /// The job, by its name as seen from the run's task.
    pub job: Option<String>,
    /// The attempt at the job.
    pub attempt: Option<u32>,
}

/// Nothing, or more than one thing, is meant.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The text names no run in any form.
    #[error("`{0}` does not name a run")]
    Shape(String),
    /// Nothing has that name.
    #[error("no run matches `{text}`")]
    Nothing {
        /// What was asked for.
        text: String,
        /// A task that was probably meant.
        near: Option<String>,
    },
    /// More than one run begins like that.
    #[error("`{text}` could be any of {}", .candidates.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Which.
        candidates: Vec<RunId>,
    },
    /// The run has no job of that name.
    #[error("run {run} has no job `{job}`; its jobs: {}", .jobs.join(", "))]
    NoJob {
        /// Which run.
        run: RunId,
        /// What was asked for.
        job: String,
        /// What there is.
        jobs: Vec<String>,
    },
    /// The history could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FromStr for Selector {
    type Err = SelectError;

    fn from_str(text: &str) -> Result<Selector, SelectError> {
        let bad = || SelectError::Shape(text.to_owned());
        if let Some(many) = Many::parse(text) {
            return Ok(Selector { run: Which::Many(many?), tail: None, text: text.to_owned() });
        }
        let (head, tail) = split(text);
        let run = match head {
            "@" => Which::Latest(0),
            "@failed" => Which::Failed,
            _ => match (head.split_once('#'), head.split_once('@')) {
                (Some((task, number)), _) => {
                    Which::Numbered(name(task).ok_or_else(bad)?, number.parse().map_err(|_| bad())?)
                }
                (None, Some((task, back))) => {
                    let back = back.strip_prefix('-').unwrap_or(back).parse().map_err(|_| bad())?;
                    match task {
                        "" => Which::Latest(back),
                        task => Which::Back(name(task).ok_or_else(bad)?, back),
                    }
                }
                (None, None) => Which::Word(name(head).ok_or_else(bad)?.to_string()),
            },
        };
        Ok(Selector { run, tail, text: text.to_owned() })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn name(text: &str) -> Option<TaskName> {
    TaskName::new(text).ok()
}

/// Cuts `nightly#128/dump.2` behind the number. Where there is no `#` or `@`, the slash may belong to the task's name,
/// and only the history can tell: then everything is the head.
fn split(text: &str) -> (&str, Option<String>) {
    let mark = text.find(['#', '@']);
    let slash = mark.and_then(|mark| text[mark..].find('/').map(|slash| mark + slash));
    match slash {
        Some(slash) => (&text[..slash], Some(text[slash + 1..].to_owned())),
        None => (text, None),
    }
}

impl Selector {
    /// Looks the runs up: one, save for `:running` and its like. `live` is what goes on now, when somebody knows.
    ///
    /// # Errors
    /// [`SelectError`] when nothing, or more than one thing, is meant.
    pub fn find(&self, history: &History, live: &Live, tasks: &[&str]) -> Result<Vec<Selected>, SelectError> {
        let nothing = || {
            let near = crate::base::did_you_mean(&self.text, tasks.iter().copied());
            SelectError::Nothing { text: self.text.clone(), near: near.map(str::to_owned) }
        };
        let (runs, tail) = match &self.run {
            Which::Many(many) => {
                let meant = live.state.runs.iter().filter(|(_, run)| many.holds(run));
                (meant.map(|(&run, _)| run).collect(), self.tail.clone())
            }
            Which::Latest(back) => (latest(history, *back, None)?, self.tail.clone()),
            Which::Failed => (latest(history, 0, Some(RunStatus::Failed))?, self.tail.clone()),
            Which::Numbered(task, number) => {
                let row = history.by_number(task, *number)?;
                (row.into_iter().map(|row| row.run).collect(), self.tail.clone())
            }
            Which::Back(task, back) => {
                let row = history.latest(task, back + 1)?;
                (row.into_iter().map(|row| row.run).collect(), self.tail.clone())
            }
            Which::Word(word) => word_of(history, word)?,
        };
        if runs.is_empty() {
            return Err(nothing());
        }
        runs.into_iter().map(|run| with_job(history, live, run, tail.as_deref())).collect()
    }

    /// Looks one run up.
    ///
    /// # Errors
    /// [`SelectError`] when nothing, or more than one thing, is meant.
    pub fn find_one(&self, history: &History, live: &Live, tasks: &[&str]) -> Result<Selected, SelectError> {
        let mut found = self.find(history, live, tasks)?;
        if found.len() > 1 {
            let candidates = found.iter().map(|selected| selected.run).collect();
            return Err(SelectError::Ambiguous { text: self.text.clone(), candidates });
        }
        found.pop().ok_or_else(|| SelectError::Nothing { text: self.text.clone(), near: None })
    }
}

fn latest(history: &History, back: u32, status: Option<RunStatus>) -> Result<Vec<RunId>, StoreError> {
    let rows = history.runs(&RunFilter { status, limit: back + 1, ..RunFilter::default() })?;
    Ok(rows.into_iter().nth(back as usize).map(|row| row.run).into_iter().collect())
}

impl SelectError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            SelectError::Nothing { text, near: Some(near) } if text == near => {
                Some(format!("it has not run yet: neap run {near}"))
            }
            SelectError::Nothing { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            SelectError::Nothing { text, near: None } if text.starts_with(':') => {
                Some("see what goes on with `neap ps`".into())
            }
            SelectError::Nothing { near: None, .. } => Some("see what there is with `neap history`".into()),
            SelectError::Shape(text) if text.starts_with(':') => {
                let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
                Some(format!("of many runs there are {}", words.join(" ")))
            }
            SelectError::Ambiguous { text, .. } if text.starts_with(':') => {
                Some("this command takes one run at a time".into())
            }
            SelectError::Shape(_) => {
                Some("write an id (k3v), a task (nightly), a run (nightly#127), or @ for the latest".into())
            }
            SelectError::Ambiguous { .. } => Some("write more letters of the id".into()),
            SelectError::NoJob { .. } | SelectError::Store(_) => None,
        }
    }
}

/// The whole word as a task; else cut at each slash, the longest task first; else the beginning of an id.
fn word_of(history: &History, word: &str) -> Result<(Vec<RunId>, Option<String>), SelectError> {
    let cuts = word.rmatch_indices('/').map(|(at, _)| (&word[..at], Some(word[at + 1..].to_owned())));
    for (head, tail) in std::iter::once((word, None)).chain(cuts) {
        if let Some(task) = name(head)
            && let Some(row) = history.latest(&task, 1)?
        {
            return Ok((vec![row.run], tail));
        }
        let candidates =
            if head.len() >= 3 && !head.contains('/') { history.by_prefix(head)? } else { Vec::new() };
        match candidates.as_slice() {
            [] => {}
            [run] => return Ok((vec![*run], tail)),
            _ => return Err(SelectError::Ambiguous { text: word.to_owned(), candidates }),
        }
    }
    Ok((Vec::new(), None))
}

fn with_job(history: &History, live: &Live, run: RunId, tail: Option<&str>) -> Result<Selected, SelectError> {
    let Some(tail) = tail else { return Ok(Selected { run, job: None, attempt: None }) };
    let jobs: Vec<String> = match live.state.runs.get(&run) {
        Some(run) => {
            let name = |index| run.node(index).leaf.name.seen_from(&run.plan.plan().task).to_owned();
            (0..run.jobs.len() as u32).map(name).collect()
        }
        None => match history.run(run)? {
            Some(row) => {
                history.jobs(run)?.iter().map(|job| job.name.seen_from(&row.task).to_owned()).collect()
            }
            None => return Err(SelectError::Nothing { text: run.to_string(), near: None }),
        },
    };
    if jobs.iter().any(|job| job == tail) {
        return Ok(Selected { run, job: Some(tail.to_owned()), attempt: None });
    }
    // `dump.2` is the second attempt at `dump`, unless a job is called just that.
    if let Some((job, attempt)) = tail.rsplit_once('.')
        && let Ok(attempt) = attempt.parse()
        && jobs.iter().any(|name| name == job)
    {
        return Ok(Selected { run, job: Some(job.to_owned()), attempt: Some(attempt) });
    }
    Err(SelectError::NoJob { run, job: tail.to_owned(), jobs })
}
