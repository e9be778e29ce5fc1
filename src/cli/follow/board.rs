//! What is known of one run while it goes on: the engine's own fold of its events, and what each of them tells people.
//! Pure: events in, notes out.

use crate::api::remaining;
use crate::base::{AttemptId, Millis, Moment, RunId};
use crate::definition::Action;
use crate::engine::{
    Author, Cause, Event, Exit, Late, Outcome, Phase, RunOutcome, RunPhase, State, StopCause,
};
use crate::host::{Happening, Progress};
use crate::plan::Plan;
use crate::store::Usuals;
use std::sync::Arc;

/// One run.
pub(crate) struct Board {
    pub(crate) run: RunId,
    /// `nightly#128`.
    pub(crate) name: String,
    pub(crate) plan: Arc<Plan>,
    pub(crate) created: Moment,
    state: State,
    /// The names of its jobs, as people see them in this run.
    names: Vec<String>,
    jobs: Vec<Track>,
    cancelled: Option<(Author, Option<String>)>,
    done: usize,
    end: Option<RunOutcome>,
    /// How long its jobs usually take, and how many of them go on at once.
    usual: Option<(Usuals, usize)>,
}

/// What the state of a job does not keep, and people want to see.
#[derive(Clone, Default)]
struct Track {
    first_started: Option<Moment>,
    started: Option<Moment>,
    ended: Option<Moment>,
    cause: Option<Cause>,
    progress: Option<Progress>,
}

/// Something worth a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) at: Moment,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Started {
        reused: usize,
    },
    Paused {
        by: Author,
        reason: Option<String>,
    },
    Resumed {
        by: Author,
    },
    Cancelling {
        by: Author,
        reason: Option<String>,
    },
    Late(Late),
    Retry {
        job: u32,
        cause: Option<Cause>,
        took: Option<Millis>,
        attempt: u32,
        wait: Millis,
        reason: Option<String>,
    },
    Done {
        job: u32,
        outcome: Outcome,
        took: Option<Millis>,
        attempts: u32,
        problem: Option<String>,
    },
    Ended {
        outcome: RunOutcome,
        took: Millis,
    },
}

impl Board {
    pub(crate) fn new(run: RunId, number: u64, plan: Arc<Plan>) -> Board {
        Board {
            run,
            name: format!("{}#{number}", plan.task),
            created: Moment::default(),
            state: State::default(),
            jobs: vec![Track::default(); plan.nodes.len()],
            names: plan.nodes.iter().map(|node| node.leaf.name.seen_from(&plan.task).to_owned()).collect(),
            cancelled: None,
            done: 0,
            end: None,
            usual: None,
            plan,
        }
    }

    /// The same run, of which it is known how long its jobs usually take, and how many of them go on at once.
    pub(crate) fn with_usual(mut self, usuals: Usuals, slots: usize) -> Board {
        self.usual = Some((usuals, slots));
        self
    }

    /// How long it will still take, when that can be told.
    pub(crate) fn remaining(&self, now: Moment) -> Option<Millis> {
        let (usuals, slots) = self.usual.as_ref()?;
        remaining(self.state.runs.get(&self.run)?, usuals, *slots, now)
    }

    /// Takes what happened into account, and says what is worth telling.
    pub(crate) fn hear(&mut self, happening: &Happening) -> Option<Note> {
        match happening {
            // What came before this board was made, or after its end, says nothing without the rest.
            Happening::Event { record, .. }
                if record.event.run() == Some(self.run) && self.knows(&record.event) =>
            {
                let what = self.take(record.at, &record.event);
                what.map(|what| Note { at: record.at, what })
            }
            Happening::Progress { attempt, progress } if attempt.job.run == self.run => {
                if let Some(track) = self.jobs.get_mut(attempt.job.index as usize) {
                    track.progress = Some(progress.clone());
                }
                None
            }
            Happening::Event { .. } | Happening::Progress { .. } | Happening::Reloaded { .. } => None,
        }
    }

    fn knows(&self, event: &Event) -> bool {
        matches!(event, Event::RunCreated(_)) != self.state.runs.contains_key(&self.run)
    }

    fn take(&mut self, at: Moment, event: &Event) -> Option<What> {
        let what = self.told(at, event);
        match event {
            // On the wire, and in the journal, a plan is only its hash.
            Event::RunCreated(new) => {
                let mut new = new.clone();
                new.plan.fill(Arc::clone(&self.plan));
                self.state.apply(at, &Event::RunCreated(new));
            }
            event => self.state.apply(at, event),
        }
        what
    }

    fn told(&mut self, at: Moment, event: &Event) -> Option<What> {
        match event {
            Event::RunCreated(new) => {
                self.created = at;
                self.done = new.reused.len();
                Some(What::Started { reused: new.reused.len() })
            }
            Event::RunPaused { by, reason, .. } => {
                Some(What::Paused { by: by.clone(), reason: reason.clone() })
            }
            Event::RunResumed { by, .. } => Some(What::Resumed { by: by.clone() }),
            Event::RunCancelled { by, reason, .. } => {
                self.cancelled = Some((by.clone(), reason.clone()));
                Some(What::Cancelling { by: by.clone(), reason: reason.clone() })
            }
            Event::RunLate { what, limit, .. } => {
                Some(What::Late(Late { what: *what, limit: *limit, since: at }))
            }
            Event::RunFinished { outcome, .. } => {
                self.end = Some(outcome.clone());
                Some(What::Ended { outcome: outcome.clone(), took: at - self.created })
            }
            Event::AttemptStarted { attempt, .. } => {
                let track = &mut self.jobs[attempt.job.index as usize];
                let first_started = track.first_started.or(Some(at));
                *track = Track { first_started, started: Some(at), ..Track::default() };
                None
            }
            Event::AttemptEnded { attempt, exit, .. } => {
                let cause = self.cause_of(*attempt, exit);
                let track = &mut self.jobs[attempt.job.index as usize];
                (track.ended, track.cause, track.progress) = (Some(at), cause, None);
                None
            }
            Event::HookAsked { attempt, cause: Some(cause), .. } => {
                self.jobs[attempt.job.index as usize].cause = Some(cause.clone());
                None
            }
            Event::RetryScheduled { job, until, reason, .. } => {
                let track = &self.jobs[job.index as usize];
                Some(What::Retry {
                    job: job.index,
                    cause: track.cause.clone(),
                    took: track.started.zip(track.ended).map(|(started, ended)| ended - started),
                    attempt: self.state.job(*job).attempts,
                    wait: *until - at,
                    reason: reason.clone(),
                })
            }
            Event::JobFinished { job, outcome, problem } => {
                self.done += 1;
                let took = self.jobs[job.index as usize].first_started.map(|started| at - started);
                let attempts = self.state.job(*job).attempts;
                let (job, outcome, problem) = (job.index, outcome.clone(), problem.clone());
                Some(What::Done { job, outcome, took, attempts, problem })
            }
            Event::JobSpread { cells, .. } => {
                self.jobs.extend(std::iter::repeat_n(Track::default(), cells.len()));
                self.names.extend(cells.iter().map(|cell| cell.name.seen_from(&self.plan.task).to_owned()));
                None
            }
            Event::JobQueued { .. }
            | Event::JobPreparing { .. }
            | Event::JobPrepared { .. }
            | Event::Decided { .. }
            | Event::RoundScheduled { .. }
            | Event::AttemptAdmitted { .. }
            | Event::AttemptPaused { .. }
            | Event::AttemptResumed { .. }
            | Event::AttemptStopping { .. }
            | Event::HookAsked { cause: None, .. }
            | Event::CleanupOwed { .. }
            | Event::CleanupStarted { .. }
            | Event::JobDelayed { .. }
            | Event::RunReleased { .. }
            | Event::ScheduleArmed { .. }
            | Event::ScheduleDisarmed { .. }
            | Event::SlotSkipped { .. }
            | Event::SlotsMissed { .. }
            | Event::TaskPaused { .. }
            | Event::TaskResumed { .. }
            | Event::RunBegan { .. }
            | Event::RateUsed { .. }
            | Event::QueuePaused { .. }
            | Event::QueueResumed { .. }
            | Event::RunPrioritised { .. }
            | Event::RunRefused(_) => None,
        }
    }

    /// Why an attempt that ended like this failed: the first cause is the one that counts.
    fn cause_of(&self, attempt: AttemptId, exit: &Exit) -> Option<Cause> {
        match (&self.state.job(attempt.job).phase, exit) {
            (Phase::Stopping { cause: StopCause::TimedOut }, _) => Some(Cause::TimedOut),
            (Phase::Stopping { cause: StopCause::OutOfTime }, _) => Some(Cause::OutOfTime),
            (Phase::Stopping { cause: StopCause::Stalled }, _) => Some(Cause::Stalled),
            (_, Exit::Code { code: 0 } | Exit::Skipped { .. }) => None,
            (_, Exit::Code { code }) => Some(Cause::Exit { code: *code }),
            (_, Exit::Signal { signal }) => Some(Cause::Signal { signal: *signal }),
            (_, Exit::NotSpawned { why, message }) => {
                Some(Cause::NotSpawned { why: *why, message: message.clone() })
            }
            (_, Exit::Lost) => Some(Cause::Lost),
            (_, Exit::BadOutputs { message }) => Some(Cause::Outputs { message: message.clone() }),
            (_, Exit::Limit { which, most }) => Some(Cause::Limit { which: *which, most: *most }),
        }
    }

    /// The name of a job as people see it in this run.
    pub(crate) fn job_name(&self, index: u32) -> &str {
        self.names.get(index as usize).map_or("?", String::as_str)
    }

    /// Whether a job is a question to a person.
    pub(crate) fn waits_for_approval(&self, index: u32) -> bool {
        self.state.runs.get(&self.run).is_some_and(|run| run.leaf(index).is_approval())
    }

    /// What a job that waits for an approval asks.
    pub(crate) fn question(&self, index: u32) -> String {
        let message = self.state.runs.get(&self.run).and_then(|run| match &run.leaf(index).action {
            Action::Call { with, .. } => with.get("message")?.as_str().map(str::to_owned),
            _ => None,
        });
        message.unwrap_or_else(|| "may it go on?".to_owned())
    }

    /// How many tries a job may have.
    pub(crate) fn attempts_max(&self, index: u32) -> u32 {
        let run = self.state.runs.get(&self.run);
        run.map_or(1, |run| run.leaf(index).retry.attempts)
    }

    /// How wide the names of its jobs are.
    pub(crate) fn name_width(&self) -> usize {
        (0..self.jobs.len() as u32).map(|index| self.job_name(index).len()).max().unwrap_or(0).min(24)
    }

    pub(crate) fn done(&self) -> usize {
        self.done
    }

    pub(crate) fn total(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn end(&self) -> Option<&RunOutcome> {
        self.end.as_ref()
    }

    /// Who cancelled it, and why.
    pub(crate) fn cancelled(&self) -> Option<&(Author, Option<String>)> {
        self.cancelled.as_ref()
    }

    /// Who holds it, while it is held.
    pub(crate) fn pause(&self) -> Option<&crate::engine::Pause> {
        match &self.state.runs.get(&self.run)?.phase {
            RunPhase::Paused(pause) => Some(pause),
            RunPhase::Going | RunPhase::Cancelling { .. } => None,
        }
    }

    /// The jobs that are not done, each with what is to be seen of it.
    pub(crate) fn open(&self) -> Vec<Open<'_>> {
        let Some(run) = self.state.runs.get(&self.run) else { return Vec::new() };
        let open = run.jobs.iter().enumerate().filter(|(_, job)| !job.phase.is_done());
        open.map(|(index, job)| {
            let track = &self.jobs[index];
            let (node, leaf) = (run.node(index as u32), run.leaf(index as u32));
            let needs = node.needs.iter().filter(|&&need| !run.jobs[need as usize].phase.is_done());
            Open {
                name: self.job_name(index as u32),
                phase: &job.phase,
                since: job.since,
                started: track.started,
                attempt: job.attempts,
                attempts_max: leaf.retry.attempts,
                grace: leaf.stop.grace,
                cells: if job.phase == Phase::Spread { job.open_cells } else { 0 },
                needs: needs.map(|&need| self.job_name(need)).collect(),
                progress: track.progress.as_ref(),
            }
        })
        .collect()
    }
}

/// A job that is not done.
pub(crate) struct Open<'b> {
    pub(crate) name: &'b str,
    pub(crate) phase: &'b Phase,
    /// Since when it is in this phase.
    pub(crate) since: Moment,
    pub(crate) started: Option<Moment>,
    pub(crate) attempt: u32,
    pub(crate) attempts_max: u32,
    pub(crate) grace: Millis,
    /// How many of the jobs that it became are not done.
    pub(crate) cells: u32,
    /// What it needs and is not done.
    pub(crate) needs: Vec<&'b str>,
    pub(crate) progress: Option<&'b Progress>,
}
