//! What a host and a shim say to each other: JSON behind its length, over a socket.

use crate::base::{AttemptId, Millis};
use crate::definition::{Action, LogMode, Process, Signal};
use crate::engine::{Exit, NotSpawned, Usage};
use crate::exec::joint::Joint;
use crate::exec::mask::Masks;
use crate::exec::outputs::Outputs;
use crate::exec::runner::{Line, Start, Stdin, Stdout};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;

/// What one shim is for. The pipes to other attempts come beside it, as descriptors.
#[derive(Serialize, Deserialize)]
pub(super) struct Errand {
    attempt: AttemptId,
    label: String,
    action: Action,
    working_dir: Text,
    env: Vec<(Text, Text)>,
    log: Text,
    log_mode: LogMode,
    log_size: Option<u64>,
    watch_lines: bool,
    secrets: Vec<String>,
    stdin: Input,
    stdout: Target,
    outputs: Text,
    stall_timeout: Option<Millis>,
    process: Process,
}

#[derive(Serialize, Deserialize)]
enum Input {
    Nothing,
    Text(Arc<str>),
    File(Text),
    Pipe,
}

#[derive(Serialize, Deserialize)]
enum Target {
    Log,
    LogAnd(Text),
    Pipe,
}

/// What a host wants of a shim.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToShim {
    /// Let nothing of it do anything.
    Pause,
    /// Let it go on.
    Resume,
    /// Ask it to stop; kill what is left after the grace.
    Stop { signal: Signal, grace: Millis },
    /// Kill it now.
    Kill,
    /// Its end is written down: nobody will ask any more.
    Forget,
}

/// What a shim has to say.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToHost {
    /// It runs.
    Spawned { pid: u32 },
    /// It wrote something.
    Lines { lines: Vec<Line>, dropped: u64 },
    /// It has shown no sign of life for as long as it may.
    Stalled,
    /// Nothing of it is left. The last that is said.
    Ended(Ending),
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::exec) struct Ending {
    pub(in crate::exec) exit: Exit,
    pub(in crate::exec) usage: Option<Usage>,
    /// How many processes had outlived their leader and were killed.
    pub(in crate::exec) left_over: u32,
    outputs: String,
    outputs_cut: bool,
}

impl Ending {
    pub(in crate::exec) fn new(exit: Exit, usage: Option<Usage>, left_over: u32, outputs: Outputs) -> Ending {
        Ending { exit, usage, left_over, outputs: outputs.text, outputs_cut: outputs.is_cut }
    }

    pub(in crate::exec) fn not_started(message: String) -> Ending {
        let exit = Exit::NotSpawned { why: NotSpawned::Other, message };
        Ending::new(exit, None, 0, Outputs::default())
    }

    /// What the attempt hands on.
    pub(in crate::exec) fn take_outputs(&mut self) -> Outputs {
        Outputs { text: std::mem::take(&mut self.outputs), is_cut: self.outputs_cut }
    }
}

impl Errand {
    /// Takes the order apart: what can be said, and what must be handed over.
    pub(super) fn of(start: &mut Start) -> io::Result<(Errand, Vec<OwnedFd>)> {
        let gone = || io::Error::other("the pipe was taken by an earlier attempt or is closed");
        let mut pipes = Vec::new();
        let stdin = match std::mem::take(&mut start.stdin) {
            Stdin::Nothing => Input::Nothing,
            Stdin::Text(text) => Input::Text(text),
            Stdin::File(path) => Input::File(path.into()),
            Stdin::Stream(joint) => {
                pipes.push(joint.take_reader().ok_or_else(gone)?.into());
                Input::Pipe
            }
        };
        let stdout = match std::mem::take(&mut start.stdout) {
            Stdout::Log => Target::Log,
            Stdout::LogAnd(path) => Target::LogAnd(path.into()),
            Stdout::Stream(joint) => {
                pipes.push(joint.take_writer().ok_or_else(gone)?.into());
                Target::Pipe
            }
        };
        let env = std::mem::take(&mut start.env);
        let errand = Errand {
            attempt: start.attempt,
            label: start.label.clone(),
            action: start.action.clone(),
            working_dir: start.working_dir.clone().into(),
            env: env.into_iter().map(|(name, value)| (Text(name), Text(value))).collect(),
            log: start.log.clone().into(),
            log_mode: start.log_mode,
            log_size: start.log_size,
            watch_lines: start.watch_lines,
            secrets: start.masks.secrets().to_vec(),
            stdin,
            stdout,
            outputs: start.outputs.clone().into(),
            stall_timeout: start.stall_timeout,
            process: start.process.clone(),
        };
        Ok((errand, pipes))
    }

    /// Puts the order together again.
    pub(super) fn into_start(self, pipes: Vec<OwnedFd>) -> Start {
        let mut pipes = pipes.into_iter();
        let stdin = match self.stdin {
            Input::Nothing => Stdin::Nothing,
            Input::Text(text) => Stdin::Text(text),
            Input::File(path) => Stdin::File(path.into()),
            Input::Pipe => Stdin::Stream(Joint::of_reader(pipes.next().map(Into::into))),
        };
        let stdout = match self.stdout {
            Target::Log => Stdout::Log,
            Target::LogAnd(path) => Stdout::LogAnd(path.into()),
            Target::Pipe => Stdout::Stream(Joint::of_writer(pipes.next().map(Into::into))),
        };
        Start {
            attempt: self.attempt,
            label: self.label,
            action: self.action,
            // Those of a process are in its environment.
            params: Arc::default(),
            working_dir: self.working_dir.into(),
            env: self.env.into_iter().map(|(Text(name), Text(value))| (name, value)).collect(),
            log: self.log.into(),
            log_mode: self.log_mode,
            log_size: self.log_size,
            watch_lines: self.watch_lines,
            masks: Masks::new(self.secrets),
            stdin,
            stdout,
            outputs: self.outputs.into(),
            stall_timeout: self.stall_timeout,
            process: self.process,
        }
    }
}

/// Text of the system, which need not be UTF-8: a string where it is, else its bytes.
struct Text(OsString);

impl From<PathBuf> for Text {
    fn from(path: PathBuf) -> Text {
        Text(path.into_os_string())
    }
}

impl From<Text> for PathBuf {
    fn from(Text(text): Text) -> PathBuf {
        text.into()
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => self.0.as_bytes().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Bytes(Vec<u8>),
        }
        Ok(Text(match Either::deserialize(deserializer)? {
            Either::Text(text) => text.into(),
            Either::Bytes(bytes) => OsString::from_vec(bytes),
        }))
    }
}

/// A longer message is refused: the longest honest one is a script with its environment.
const MOST: usize = 64 << 20;

/// A message in the form that goes over the socket.
pub(super) fn framed(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message).expect("these types hold nothing that JSON cannot");
    let length = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Puts messages together from the pieces in which they come.
#[derive(Default)]
pub(super) struct Frames(Vec<u8>);

impl Frames {
    pub(super) fn feed(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
    }

    /// The next message, when all of it is here.
    ///
    /// # Errors
    /// It is not one of this kind, or too long.
    pub(super) fn next<M: DeserializeOwned>(&mut self) -> io::Result<Option<M>> {
        let Some((length, rest)) = self.0.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MOST {
            return Err(io::Error::other("a message of this length makes no sense"));
        }
        let Some(message) = rest.get(..length) else { return Ok(None) };
        let message = serde_json::from_slice(message)?;
        self.0.drain(..4 + length);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_any_pieces() {
        let sent = [framed(&ToShim::Kill), framed(&ToShim::Forget)].concat();
        for size in 1..sent.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for piece in sent.chunks(size) {
                frames.feed(piece);
                while let Some(message) = frames.next::<ToShim>().unwrap() {
                    seen.push(format!("{message:?}"));
                }
            }
            assert_eq!(seen, ["Kill", "Forget"], "in pieces of {size}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bytes in [&b"\xff\xff\xff\xff"[..], b"\x02\0\0\0{}", b"\x01\0\0\0{"] {
            let mut frames = Frames::default();
            frames.feed(bytes);
            assert!(frames.next::<ToShim>().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_survive() {
        let text = Text(OsString::from_vec(b"a\xff\0b".to_vec()));
        let read: Text = serde_json::from_slice(&serde_json::to_vec(&text).unwrap()).unwrap();
        assert_eq!(read.0, text.0);
    }
}
