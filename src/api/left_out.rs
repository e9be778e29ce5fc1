//! Slots of schedules that got no run, and why: nothing that was due is missing without a word.

use super::read::Sight;
use super::types::Time;
use crate::base::{Moment, RunId};
use crate::definition::Task;
use crate::engine::{Missed, ScheduleKey};
use crate::store::{SlotRow, StoreError};
use serde::{Deserialize, Serialize};

/// A slot, or a stretch of slots, that got no run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutInfo {
    /// Which schedule of the task: `13 3 * * * (Europe/Berlin)`.
    pub schedule: String,
    /// The first slot.
    pub slot: Time,
    /// The last slot.
    pub until: Time,
    /// How many slots.
    pub count: u64,
    /// The reason in a word: `overlap`, `queued`, `crowded`, `paused`; `missed`, `too_old`, `too_many`, `not_last`.
    pub why: String,
    /// The same for people: `nightly#12 was still going on`.
    pub words: String,
}

impl Sight<'_> {
    /// The slots of the schedules of a task that got no run, the latest first.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn left_out(&self, task: &Task, limit: u32) -> Result<Vec<LeftOutInfo>, StoreError> {
        let end = Moment(i64::MAX.unsigned_abs());
        let mut found = Vec::new();
        for timetable in &task.timetables {
            let key = ScheduleKey(timetable.key(&task.name).into());
            for row in self.history.slots(&key, end, limit)? {
                found.push(self.left_out_info(&key, &row)?);
            }
        }
        found.sort_by_key(|left_out| std::cmp::Reverse(left_out.until));
        found.truncate(limit as usize);
        Ok(found)
    }

    fn left_out_info(&self, key: &ScheduleKey, row: &SlotRow) -> Result<LeftOutInfo, StoreError> {
        let blocker = row.blocker.map(|run| self.called(run)).transpose()?;
        Ok(LeftOutInfo {
            schedule: key.about().to_owned(),
            slot: Time(row.slot),
            until: Time(row.until),
            count: row.count,
            why: row.why.clone(),
            words: words(&row.why, blocker.as_deref()),
        })
    }

    /// What people call a run: `nightly#128`; its identity when it is forgotten.
    fn called(&self, run: RunId) -> Result<String, StoreError> {
        let row = self.history.run(run)?;
        Ok(row.map_or_else(|| run.to_string(), |row| format!("{}#{}", row.task, row.number)))
    }
}

fn words(why: &str, blocker: Option<&str>) -> String {
    let blocker = blocker.unwrap_or("another run");
    let missed = [Missed::Down, Missed::TooOld, Missed::TooMany, Missed::NotLast];
    match why {
        "overlap" => format!("{blocker} was still going on"),
        "queued" => format!("{blocker} was waiting for its turn already"),
        "crowded" => format!("{blocker} had the room of its group"),
        "paused" => "the schedules of the task were paused".to_owned(),
        _ => {
            missed.iter().find(|missed| missed.word() == why).map_or(why, |missed| missed.words()).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words() {
        assert_eq!(words("overlap", Some("n#3")), "n#3 was still going on");
        assert_eq!(words("overlap", None), "another run was still going on");
        for why in ["queued", "crowded", "paused", "missed", "too_old", "too_many", "not_last"] {
            assert_ne!(words(why, Some("n#3")), why);
        }
    }
}
