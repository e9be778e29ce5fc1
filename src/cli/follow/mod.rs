//! Follows one run from its beginning to its end and shows it: one way for a host that is up and for one of our own.
//!
//! | file | its subject |
//! |---|---|
//! | `reach`, `taps` | where what is shown comes from: events, and the output of jobs |
//! | `board` | what is known of the run |
//! | `plain`, `paint`, `ending` | what it looks like |
//! | `screen`, `signals`, `asker` | the terminal |

mod asker;
mod board;
mod ending;
mod paint;
pub(crate) mod plain;
mod reach;
mod screen;
mod signals;
mod taps;

pub(crate) use reach::Reach;
pub(crate) use signals::{Signals, Wish};

use super::args;
use super::error::{FINDINGS, Failure, OURSELVES};
use super::neutral;
use super::output::{BUSY, DIM, Output, now, print};
use crate::api::{RunInfo, RunState};
use crate::base::RunId;
use crate::engine::{Event, RunOutcome};
use crate::exec::LogReader;
use crate::host::Happening;
use asker::{Asker, Typed};
use board::Board;
use reach::Source;
use screen::Screen;
use signals::Asked;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use taps::{Piece, Taps};
use tokio::time::{Instant, sleep_until};

/// What is shown of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// What happens, and of the output the last lines of what failed.
    Failed,
    /// What happens, and every line of every job behind its name.
    Prefix,
    /// What happens, and nothing of the output.
    Quiet,
    /// Nothing but the output, as it is.
    Bare,
}

impl From<args::Output> for Show {
    fn from(what: args::Output) -> Show {
        match what {
            args::Output::Failed => Show::Failed,
            args::Output::Prefix => Show::Prefix,
            args::Output::Quiet => Show::Quiet,
        }
    }
}

/// Where it is shown.
enum Face {
    Terminal(Screen),
    Lines,
    Nowhere,
}

struct Follower<'a> {
    reach: &'a Reach,
    board: Board,
    face: Face,
    show: Show,
    taps: Option<Taps>,
    asker: Asker,
    asked: Asked,
    /// The first of the signals that asked it to stop.
    wish: Option<Wish>,
    output: &'a Output,
}

/// Follows a run to its end and says how it ended. The code is that of the job that failed first, or of the signal that
/// ended it. A host of our own is closed then, unless they left it alone.
pub(crate) async fn follow(
    reach: Reach,
    run: RunId,
    show: Show,
    signals: &mut Signals,
    output: &Output,
) -> Result<ExitCode, Failure> {
    match to_the_end(&reach, run, show, signals, output).await {
        Ok(Some(code)) => {
            reach.close().await;
            Ok(code)
        }
        Ok(None) => Ok(ExitCode::from(130)),
        Err(failure) => {
            reach.close().await;
            Err(failure)
        }
    }
}

/// `None` when they did not want to wait any longer.
async fn to_the_end(
    reach: &Reach,
    run: RunId,
    show: Show,
    signals: &mut Signals,
    output: &Output,
) -> Result<Option<ExitCode>, Failure> {
    let (number, plan) = reach.plan(run)?;
    let is_silent = output.json || (output.quiet && show != Show::Bare);
    let taps = match show {
        Show::Prefix | Show::Bare if !is_silent => Some(Taps::new(reach.state_dir(), run)?),
        Show::Prefix | Show::Bare | Show::Failed | Show::Quiet => None,
    };
    let face = match show {
        _ if is_silent => Face::Nowhere,
        Show::Bare => Face::Nowhere,
        Show::Failed | Show::Prefix | Show::Quiet if output.is_terminal => Face::Terminal(Screen::new()),
        Show::Failed | Show::Prefix | Show::Quiet => Face::Lines,
    };
    let board = Board::new(run, number, plan);
    let board = match face {
        Face::Terminal(_) => reach.foresee(board).await,
        Face::Lines | Face::Nowhere => board,
    };
    let asker = Asker::default();
    let mut follower =
        Follower { reach, board, face, show, taps, asker, asked: Asked::Not, wish: None, output };
    let mut source = reach.events(run).await?;
    let way = follower.follow(&mut source, signals).await;
    if let Face::Terminal(screen) = &mut follower.face {
        screen.paint(&[]);
    }
    match way? {
        Way::Ended => follower.ending().await.map(Some),
        Way::Left => Ok(None),
    }
}

/// How following came to its end.
enum Way {
    Ended,
    Left,
}

impl Follower<'_> {
    async fn follow(&mut self, source: &mut Source, signals: &mut Signals) -> Result<Way, Failure> {
        while self.board.end().is_none() {
            let due = match &self.face {
                Face::Terminal(screen) => Some(screen.due()),
                Face::Lines | Face::Nowhere => None,
            };
            tokio::select! {
                happening = source.next() => match happening {
                    Some(happening) => {
                        self.hear(&happening)?;
                        self.notice_approval(&happening).await?;
                    }
                    None => return Err(self.host_gone()),
                },
                wish = signals.next() => if self.obey(wish).await? == Some(Asked::Now) {
                    return Ok(Way::Left);
                },
                () = ready(&mut self.taps) => self.read()?,
                typed = self.asker.next() => self.decide(typed).await?,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            self.paint();
        }
        if let Some(pieces) = self.taps.as_mut().map(Taps::drain) {
            self.tell_output(pieces)?;
        }
        Ok(Way::Ended)
    }

    fn host_gone(&self) -> Failure {
        let message = format!("the host has ended before {}", self.board.name);
        Failure::new(OURSELVES, message).hint("the next host goes on with it: neap serve")
    }

    fn hear(&mut self, happening: &Happening) -> Result<(), Failure> {
        let note = self.board.hear(happening);
        if let Some(piece) = self.tap(happening) {
            self.tell_output(vec![piece])?;
        }
        match &mut self.face {
            Face::Terminal(screen) => {
                screen.touch();
                if let Some(note) = note {
                    screen.scroll(&paint::line(&note, &self.board));
                }
                Ok(())
            }
            Face::Lines => note.map_or(Ok(()), |note| print(&plain::line(&note, &self.board))),
            Face::Nowhere => Ok(()),
        }
    }

    /// No other program reaches a run of our own, so whoever started it is asked; where nobody can be, that is an answer.
    async fn notice_approval(&mut self, happening: &Happening) -> Result<(), Failure> {
        let (Happening::Event { record, .. }, Reach::Own(_)) = (happening, self.reach) else { return Ok(()) };
        match &record.event {
            Event::AttemptStarted { attempt, .. } if self.board.waits_for_approval(attempt.job.index) => {
                let job = attempt.job.index;
                if !Asker::is_there() {
                    let reason = "nobody can be asked: there is no terminal, and no host is up (neap serve)";
                    return self
                        .reach
                        .decide(self.board.run, self.board.job_name(job), false, Some(reason))
                        .await;
                }
                self.asker.begin(job);
                self.ask();
            }
            Event::JobFinished { job, .. } => self.asker.end(job.index),
            _ => {}
        }
        Ok(())
    }

    fn ask(&mut self) {
        if let Some(job) = self.asker.asks() {
            let question = self.board.question(job);
            self.say(&format!("{}: {question} [y/n]", self.board.job_name(job)));
        }
    }

    async fn decide(&mut self, typed: Typed) -> Result<(), Failure> {
        // What was typed stands on the terminal now.
        if let Face::Terminal(screen) = &mut self.face {
            screen.forget();
        }
        match typed {
            Typed::Decision { job, approved } => {
                self.asker.end(job);
                self.reach.decide(self.board.run, self.board.job_name(job), approved, None).await?;
            }
            Typed::Unclear { .. } => {}
            Typed::Gone { job } => {
                self.asker.end(job);
                let reason = Some("the terminal is gone");
                self.reach.decide(self.board.run, self.board.job_name(job), false, reason).await?;
            }
        }
        self.ask();
        Ok(())
    }

    /// Says something that stays on the terminal.
    fn say(&mut self, text: &str) {
        match &mut self.face {
            Face::Terminal(screen) => screen.scroll(&format!("{}\n", super::output::clean(text))),
            Face::Lines | Face::Nowhere => self.output.say(&super::output::clean(text)),
        }
    }

    /// Begins and ends reading along.
    fn tap(&mut self, happening: &Happening) -> Option<Piece> {
        let Happening::Event { record, .. } = happening else { return None };
        let taps = self.taps.as_mut()?;
        match &record.event {
            Event::AttemptStarted { attempt, .. } => {
                taps.begin(*attempt, self.board.job_name(attempt.job.index))
            }
            Event::JobFinished { job, .. } => taps.end(job.index),
            _ => None,
        }
    }

    fn read(&mut self) -> Result<(), Failure> {
        let pieces = self.taps.as_mut().map(Taps::read).unwrap_or_default();
        self.tell_output(pieces)
    }

    fn tell_output(&mut self, pieces: Vec<Piece>) -> Result<(), Failure> {
        let mut text = String::new();
        for Piece { job, lines } in pieces {
            let name = format!("{:<1$}", self.board.job_name(job), self.board.name_width());
            for line in lines {
                let line = if self.output.is_terminal { neutral::line(&line) } else { line };
                match self.show {
                    Show::Bare => text += &line,
                    Show::Failed | Show::Prefix | Show::Quiet => {
                        text += &format!("{BUSY}{name}{BUSY:#} {DIM}|{DIM:#} {line}");
                    }
                }
                text.push('\n');
            }
        }
        match &mut self.face {
            Face::Terminal(screen) => screen.scroll(&text),
            Face::Lines | Face::Nowhere if text.is_empty() => {}
            Face::Lines | Face::Nowhere => print(&text)?,
        }
        Ok(())
    }

    fn paint(&mut self) {
        if let Face::Terminal(screen) = &mut self.face
            && screen.due() <= Instant::now()
        {
            screen.paint(&paint::block(&self.board, now(), self.asked, Screen::size()));
        }
    }

    /// The first signal asks, the second kills, the third leaves. Gives how far they had gone before.
    async fn obey(&mut self, wish: Wish) -> Result<Option<Asked>, Failure> {
        if wish == Wish::Continue {
            if let Face::Terminal(screen) = &mut self.face {
                screen.forget();
            }
            return Ok(None);
        }
        let before = self.asked;
        self.wish.get_or_insert(wish);
        match before {
            Asked::Not => {
                self.asked = Asked::Kindly;
                self.talk(&format!("{}: asked to stop; once more kills at once", wish.word()));
                self.reach.cancel(self.board.run, wish.word(), false).await?;
            }
            Asked::Kindly => {
                self.asked = Asked::Now;
                self.talk("killing; once more leaves it alone");
                self.reach.cancel(self.board.run, wish.word(), true).await?;
            }
            Asked::Now => {
                self.output.say("left; what is still there is ended by the next neap in this project");
            }
        }
        Ok(Some(before))
    }

    /// A terminal shows it in the block.
    fn talk(&mut self, text: &str) {
        match &mut self.face {
            Face::Terminal(screen) => screen.touch(),
            Face::Lines | Face::Nowhere => self.output.say(text),
        }
    }

    async fn ending(&self) -> Result<ExitCode, Failure> {
        let info = self.reach.info(self.board.run).await?;
        let code = self.code(&info);
        if self.output.json {
            self.output.print_json(&RunInfo { exit_code: Some(code.into()), ..info })?;
        } else if self.show == Show::Bare {
            self.bare_ending(&info);
        } else if info.state != RunState::Succeeded || matches!(self.face, Face::Terminal(_)) {
            self.tell_ending(&info)?;
        }
        Ok(ExitCode::from(code))
    }

    fn code(&self, info: &RunInfo) -> u8 {
        match (self.board.end(), self.wish) {
            (Some(RunOutcome::Cancelled), Some(wish)) => wish.exit_code(),
            _ => info.exit_code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FINDINGS),
        }
    }

    /// A command that merely failed has said so itself; one that could not, cannot have.
    fn bare_ending(&self, info: &RunInfo) {
        let exits =
            |job: &crate::api::JobInfo| matches!(job.cause(), Some(crate::engine::Cause::Exit { .. }) | None);
        if info.state == RunState::Failed && !info.jobs.iter().all(exits) {
            let why = info.jobs.iter().find_map(|job| job.result.as_deref()).unwrap_or("failed");
            self.output.say(&format!("{}: {}", info.name, super::output::clean(why)));
        }
    }

    fn tell_ending(&self, info: &RunInfo) -> Result<(), Failure> {
        let short = self.reach.short(info.id)?;
        let root = info.root.as_ref().and_then(|root| info.jobs.iter().find(|job| job.name == *root));
        let log = root.and_then(|job| job.log.clone()).filter(|log| log.exists());
        let lines = match (&log, self.show) {
            (Some(log), Show::Failed) => last_lines(log),
            _ => Vec::new(),
        };
        let text = ending::ending(&ending::Ending {
            info,
            short: &short,
            cancelled: self.board.cancelled(),
            lines: &lines,
            log: log.map(nearer).as_deref(),
        });
        print(&text)
    }
}

async fn ready(taps: &mut Option<Taps>) {
    match taps {
        Some(taps) => taps.ready().await,
        None => std::future::pending().await,
    }
}

/// So many lines of what failed are shown.
const LINES: usize = 10;
/// And they are looked for in so much of the end of the log.
const END: usize = 16 * 1024;

/// The last lines of a log, fit for a terminal; none when it cannot be read.
fn last_lines(log: &Path) -> Vec<String> {
    let end = LogReader::open(log).and_then(|reader| reader.last(END)).unwrap_or_default();
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| neutral::line(line)).collect()
}

/// A path as one would type it here.
fn nearer(path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().and_then(std::fs::canonicalize);
    here.ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf)).unwrap_or(path)
}

/// Runs a command that may have a host of its own. That host works beside the terminal: a reader who is slow, or has
/// stopped the output, must not keep it from its deadlines.
pub(crate) fn block_on<R>(work: impl Future<Output = Result<R, Failure>>) -> Result<R, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(work);
    // Who left does not wait for what is still going on.
    runtime.shutdown_background();
    result
}
