//! How the moments of a schedule become runs: what happens while a run of the task goes on, and what to slots that were
//! missed.
//!
//! The moments themselves are the schedule's.

use crate::base::Millis;
use serde::{Deserialize, Serialize};

/// How the slots of a schedule become runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// What happens while a run of the task goes on.
    pub overlap: Overlap,
    /// What happens to slots that nobody could act on in time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub catchup: Catchup,
    /// Slots that are older are not caught up.
    #[serde(default = "usual_window", skip_serializing_if = "is_usual_window")]
    pub catchup_window: Millis,
    /// A run is created up to so much later than its slot.
    #[serde(default, skip_serializing_if = "is_default")]
    pub jitter: Millis,
    /// After so many failures in a row the schedules of the task rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_on_failure: Option<u32>,
}

impl Firing {
    /// Nothing is caught up after so long, unless the definition says otherwise: a laptop over a week of holidays.
    pub const USUAL_WINDOW: Millis = Millis::from_secs(7 * 86_400);
    /// A slot this late is still carried out like any other, so no window is shorter.
    pub const SHORTEST_WINDOW: Millis = Millis::from_secs(60);
    /// No window is longer.
    pub const LONGEST_WINDOW: Millis = Millis::from_secs(366 * 86_400);
}

impl Default for Firing {
    fn default() -> Firing {
        Firing {
            overlap: Overlap::default(),
            catchup: Catchup::default(),
            catchup_window: Firing::USUAL_WINDOW,
            jitter: Millis(0),
            pause_on_failure: None,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn usual_window() -> Millis {
    Firing::USUAL_WINDOW
}

fn is_usual_window(window: &Millis) -> bool {
    *window == Firing::USUAL_WINDOW
}

/// What a schedule does while a run of its task goes on, whoever asked for that run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The slot is left out, and that is written down.
    #[default]
    Skip,
    /// A run is created that begins when the others have ended. While one waits like this, further slots are left out.
    QueueOne,
    /// As `QueueOne`, but every slot gets its run; they go on one after the other.
    QueueAll,
    /// What goes on is cancelled; the new run begins when that has ended.
    CancelRunning,
    /// Another run is created beside it.
    Allow,
}

/// What a schedule does about slots that nobody could act on in time: the host was down, or the machine slept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Catchup {
    /// They are written down as missed.
    #[default]
    None,
    /// One run for all of them, for the last.
    Last,
    /// A run for each, one after the other and not all at once.
    All,
}
