//! Runs for slots that went by without one: the host was down, they were skipped, or nothing was caught up.
//!
//! Only what a schedule has dealt with can be filled in, and only where no run is: so no slot ever has two.

use crate::base::{Millis, Moment, RunId, TaskName};
use crate::definition::Overlap;
use crate::engine::{Armed, Author, Input, ScheduleKey, Submission, Trigger};
use crate::host::reload::armed_of;
use crate::host::request::{created, no_task};
use crate::host::{Host, SubmitError};
use crate::store::Durability;
use std::sync::Arc;

/// So many slots are looked at in one go.
const MOST: usize = 1000;

/// Which slots are to have runs.
#[derive(Clone, Debug)]
pub struct Backfill {
    /// The task whose schedules are meant.
    pub task: TaskName,
    /// The first moment, in UTC.
    pub from: Moment,
    /// The last one.
    pub to: Moment,
    /// Who wants it.
    pub by: Author,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Only say what would be done.
    pub is_dry: bool,
}

/// One slot, and what is done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The schedule.
    pub key: ScheduleKey,
    /// Its slot.
    pub slot: Moment,
    /// What it has.
    pub run: Fill,
}

/// What a slot has when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// It had this run before.
    There(RunId),
    /// This run was created for it.
    Created(RunId),
    /// It has none, and would get one.
    Missing,
    /// It gets none, because the group of the task has no room.
    Refused,
}

/// Why nothing was filled in.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// No task has that name, or it could not be asked for.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// It has no schedule with moments that is followed.
    #[error("`{0}` has no schedule whose slots could be filled in")]
    NoSchedule(TaskName),
    /// There are more slots than are filled in at once; the last one that would be.
    #[error("there are more than {MOST} slots; up to {0} there are {MOST}")]
    TooMany(Moment),
}

impl Host {
    /// Creates a run for each slot of a task's schedules in a stretch of time that has gone by and has none, in order. They go on
    /// one after the other, except where the schedule has `overlap: allow`.
    ///
    /// # Errors
    /// [`BackfillError`]. Runs that were created before an error stay.
    pub async fn backfill(&self, wish: Backfill) -> Result<Vec<Filled>, BackfillError> {
        // Two at once would give a slot two runs.
        let turn = Arc::new(self.0.asking.turn((wish.task.clone(), String::new())).await);
        let slots = self.past_slots(&wish)?;
        let mut filled = Vec::new();
        for (slot, armed) in slots {
            let there = self.history().run_of_slot(&armed.key, slot).map_err(SubmitError::from)?;
            let run = match there {
                Some(run) => Fill::There(run),
                None if wish.is_dry => Fill::Missing,
                None => {
                    let (host, wish, armed) = (self.clone(), wish.clone(), armed.clone());
                    let fill = async move { host.fill(&wish, &armed, slot).await };
                    self.0.in_turn(Arc::clone(&turn), fill).await?
                }
            };
            filled.push(Filled { key: armed.key, slot, run });
        }
        self.0.store.commit(Vec::new(), Durability::Synced).await.map_err(SubmitError::from)?;
        Ok(filled)
    }

    /// What the schedules of the task have dealt with in that time, in order.
    fn past_slots(&self, wish: &Backfill) -> Result<Vec<(Moment, Armed)>, BackfillError> {
        let definitions = self.definitions();
        let Some(task) = definitions.catalog.task(wish.task.as_str()) else {
            return Err(no_task(&definitions.catalog, wish.task.as_str()).into());
        };
        let mut armed = armed_of(&definitions.catalog, task);
        armed.retain(|armed| armed.schedule.occasion().is_none());
        if armed.is_empty() {
            return Err(BackfillError::NoSchedule(wish.task.clone()));
        }
        let mut slots = Vec::new();
        for armed in armed {
            let Some(cursor) = self.look(|live| live.state.cursors.get(&armed.key).copied()) else {
                continue;
            };
            let to = wish.to.min(cursor);
            let past = armed.schedule.fires(wish.from - Millis(1)).take_while(|slot| *slot <= to);
            // One more than is filled in says that there are too many, whatever the other schedules have.
            slots.extend(past.take(MOST + 1).map(|slot| (slot, armed.clone())));
        }
        slots.sort_by(|(a, one), (b, other)| (a, &one.key).cmp(&(b, &other.key)));
        match slots.get(MOST) {
            Some(_) => Err(BackfillError::TooMany(slots[MOST - 1].0)),
            None => Ok(slots),
        }
    }

    async fn fill(&self, wish: &Backfill, armed: &Armed, slot: Moment) -> Result<Fill, SubmitError> {
        let submission = Submission {
            trigger: Trigger::Schedule { key: armed.key.clone(), slot },
            reason: wish.reason.clone(),
            is_behind: armed.firing.overlap != Overlap::Allow,
            ..Submission::new(armed.plan.clone(), wish.by.clone())
        };
        let told = self.0.tell(Input::Submit(submission)).await.map_err(|_| SubmitError::Stopping)?;
        Ok(created(&told.records).map_or(Fill::Refused, Fill::Created))
    }
}
