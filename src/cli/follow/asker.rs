//! Questions to the person in front of the terminal: jobs that wait for an approval in a run that no other program can
//! reach.

use std::collections::VecDeque;
use std::io::{BufRead, IsTerminal};
use tokio::sync::mpsc;

/// Asks one question at a time.
#[derive(Default)]
pub(crate) struct Asker {
    waiting: VecDeque<u32>,
    /// What is typed. A thread of its own reads it, because a terminal cannot be asked whether there is a line.
    lines: Option<mpsc::Receiver<String>>,
}

/// What somebody typed about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Yes or no.
    Decision { job: u32, approved: bool },
    /// Something else.
    Unclear { job: u32 },
    /// Nobody types any more.
    Gone { job: u32 },
}

impl Asker {
    /// Whether anybody can be asked.
    pub(crate) fn is_there() -> bool {
        std::io::stdin().is_terminal()
    }

    /// A job waits for a decision.
    pub(crate) fn begin(&mut self, job: u32) {
        self.waiting.push_back(job);
        if self.lines.is_none() {
            self.lines = Some(listen());
        }
    }

    /// A job does not wait any more.
    pub(crate) fn end(&mut self, job: u32) {
        self.waiting.retain(|other| *other != job);
    }

    /// The job that is asked about now.
    pub(crate) fn asks(&self) -> Option<u32> {
        self.waiting.front().copied()
    }

    /// What is typed next about the first job that waits; never when none does. Nothing is lost when the wait is given
    /// up.
    pub(crate) async fn next(&mut self) -> Typed {
        let (Some(&job), Some(lines)) = (self.waiting.front(), &mut self.lines) else {
            return std::future::pending().await;
        };
        match lines.recv().await.as_deref().map(str::trim) {
            Some("y" | "Y" | "yes") => Typed::Decision { job, approved: true },
            Some("n" | "N" | "no") => Typed::Decision { job, approved: false },
            Some(_) => Typed::Unclear { job },
            None => Typed::Gone { job },
        }
    }
}

/// The thread ends with the input, or with the program: nothing can call it back from its read.
fn listen() -> mpsc::Receiver<String> {
    let (tell, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if tell.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
