//! What makes a schedule fire besides the clock.

use crate::base::{Millis, TaskName};
use std::fmt;
use std::sync::Arc;

/// Something that happens, and creates a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// A host that follows schedules comes up.
    Startup,
    /// A run of another task has ended.
    After {
        /// Of which.
        task: TaskName,
        /// How.
        when: End,
    },
    /// Files have changed, and then come to rest.
    Watch {
        /// Which: patterns, relative to the project.
        paths: Arc<[String]>,
        /// For so long nothing happens to them any more.
        settle: Millis,
    },
    /// Somebody calls the host over HTTP.
    Webhook {
        /// The task whose hook is called.
        task: TaskName,
        /// The name of the secret by which callers are known.
        token: Arc<str>,
    },
}

/// How a run has to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// It did what it should.
    #[default]
    Succeeded,
    /// It did not. A run that was cancelled has not failed.
    Failed,
    /// In whatever way.
    Ended,
}

impl Occasion {
    /// In words: `when the host comes up`, `after nightly has succeeded`.
    pub(super) fn describe(&self) -> String {
        match self {
            Occasion::Startup => "when the host comes up".to_owned(),
            Occasion::After { task, when } => format!("after {task} has {when}"),
            Occasion::Watch { .. } => self.to_string(),
            Occasion::Webhook { task, .. } => format!("on POST /hooks/{task}"),
        }
    }
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Occasion::Startup => f.write_str("at startup"),
            Occasion::After { task, when } => write!(f, "after {task} {when}"),
            // How long they have to rest is no part of the name: to change it must not forget what was seen.
            Occasion::Watch { paths, .. } => write!(f, "on change of {}", paths.join(", ")),
            // The token is a part of the name: a task may have one hook for each of those who call it.
            Occasion::Webhook { task, token } => write!(f, "on POST /hooks/{task} with {token}"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Succeeded => "succeeded",
            End::Failed => "failed",
            End::Ended => "ended",
        })
    }
}
