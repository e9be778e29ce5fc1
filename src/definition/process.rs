//! How the process of a job is held: what may outlive what.

use super::fields::{Checker, Field};
use serde::{Deserialize, Serialize};

/// How the process of a job is held. A job that is no process (Lua, a function) has none of this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// What becomes of processes that outlive the one that was started.
    #[serde(default, skip_serializing_if = "OnLeak::is_usual")]
    pub on_leak: OnLeak,
    /// What becomes of all of them when the host dies; as the host has it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_host_death: Option<OnHostDeath>,
}

impl Process {
    /// Whether nothing is said about it.
    pub fn is_usual(&self) -> bool {
        *self == Process::default()
    }
}

/// What becomes of processes of a job that outlive the one that was started for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLeak {
    /// They are killed, and the job says how many there were.
    #[default]
    Kill,
    /// The job goes on until they have ended.
    Wait,
    /// They are let go: the job ends, and nobody looks after them any more.
    Detach,
}

impl OnLeak {
    /// Whether it need not be written.
    pub fn is_usual(&self) -> bool {
        *self == OnLeak::Kill
    }
}

/// What becomes of a running job when the host dies: by SIGKILL, by a crash, for want of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHostDeath {
    /// It dies with the host.
    #[default]
    Kill,
    /// It goes on, and the next host takes it up where it is then.
    Keep,
}

pub(super) const ON_LEAK: &[(&str, &str)] = &[
    ("kill", "they are killed, and the job says how many there were"),
    ("wait", "the job goes on until they have ended"),
    ("detach", "they are let go, and nobody looks after them any more"),
];

pub(super) const ON_HOST_DEATH: &[(&str, &str)] = &[
    ("kill", "it dies with the host"),
    ("keep", "it goes on, and the next host takes it up where it is then"),
];

/// What is written about it in one place of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Written {
    on_leak: Option<OnLeak>,
    on_host_death: Option<OnHostDeath>,
}

impl Written {
    /// Takes the field if it is one of these keys; gives whether it was.
    pub(super) fn take(&mut self, field: &Field<'_>, checker: &mut Checker) -> bool {
        let (key, value) = (field.key, field.value);
        match key {
            "on_leak" => {
                let words = [("kill", OnLeak::Kill), ("wait", OnLeak::Wait), ("detach", OnLeak::Detach)];
                self.on_leak = checker.choice(value, key, &words);
            }
            "on_host_death" => {
                let words = [("kill", OnHostDeath::Kill), ("keep", OnHostDeath::Keep)];
                self.on_host_death = checker.choice(value, key, &words);
            }
            _ => return false,
        }
        true
    }

    /// What holds: of each key the nearest.
    pub(super) fn nearest<'w>(all: impl Iterator<Item = &'w Written>) -> Process {
        let all: Vec<&Written> = all.collect();
        Process {
            on_leak: all.iter().find_map(|written| written.on_leak).unwrap_or_default(),
            on_host_death: all.iter().find_map(|written| written.on_host_death),
        }
    }
}
