//! How a script failed, told to its author: where, what, the lines around it, the way there, and help.
//!
//! Nothing here decides what a failure means for a task; that is the host's business.

use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The text is not Lua.
    Syntax,
    /// The file cannot be used: it cannot be read, or what it returns is wrong.
    Load,
    /// The script raised an error, or a hook returned a bad decision.
    Hook,
    /// It used up its processor time.
    Cpu,
    /// It used up its time.
    Wall,
    /// It used up its memory.
    Memory,
    /// It asked for something that is not allowed here.
    Denied,
    /// It used a function of the host wrongly.
    Api,
    /// The hook was stopped too often and is not called until its file changes.
    Muted,
    /// The attempt was cancelled, or nobody waits for the answer any more.
    Cancelled,
    /// The host failed the script, not the other way round.
    Host,
}

impl ErrorKind {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorKind::Syntax => "syntax",
            ErrorKind::Load => "load",
            ErrorKind::Hook => "hook",
            ErrorKind::Cpu => "budget cpu",
            ErrorKind::Wall => "budget wall",
            ErrorKind::Memory => "budget memory",
            ErrorKind::Denied => "denied",
            ErrorKind::Api => "api",
            ErrorKind::Muted => "muted",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::Host => "host",
        }
    }

    /// Whether a budget was used up.
    pub const fn is_budget(self) -> bool {
        matches!(self, ErrorKind::Cpu | ErrorKind::Wall | ErrorKind::Memory)
    }
}

/// A line of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as people know it, `scripts/ffmpeg.lua`.
    pub file: String,
    /// From 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One failure of a script. Shown with `{}` it is a text of several lines for the author of the script.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct ScriptError(pub(super) Box<Parts>);

/// What is known about a failure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Parts {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
    pub(super) place: Option<Place>,
    /// Who was running: the hook, the task, the run and the attempt.
    pub(super) who: String,
    pub(super) excerpt: Vec<(u32, String)>,
    pub(super) stack: Vec<String>,
    /// The table given to `error`, when it was one.
    pub(super) content: Option<Value>,
    pub(super) help: Option<String>,
}

impl ScriptError {
    pub(super) fn new(kind: ErrorKind, who: impl Into<String>, message: impl Into<String>) -> ScriptError {
        ScriptError(Box::new(Parts {
            kind,
            message: message.into(),
            place: None,
            who: who.into(),
            excerpt: Vec::new(),
            stack: Vec::new(),
            content: None,
            help: None,
        }))
    }

    /// Points at a line of this source.
    pub(super) fn at(mut self, place: Place, source: &str) -> ScriptError {
        self.0.excerpt = excerpt(source, place.line);
        self.0.place = Some(place);
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> ScriptError {
        self.0.help = Some(help.into());
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, in one line, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The line at which it happened, when one is known.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// The hook, task, run and attempt.
    pub fn who(&self) -> &str {
        &self.0.who
    }

    /// The line and its neighbours, with their numbers.
    pub fn excerpt(&self) -> &[(u32, String)] {
        &self.0.excerpt
    }

    /// The functions on the way there, innermost first: `output (scripts/ffmpeg.lua:14)`.
    pub fn stack(&self) -> &[String] {
        &self.0.stack
    }

    /// The table the script gave to `error`.
    pub fn content(&self) -> Option<&Value> {
        self.0.content.as_ref()
    }

    /// What may be done about it.
    pub fn hint(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &self.0;
        write!(f, "error[{}]: ", parts.kind.name())?;
        if let Some(place) = &parts.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", parts.message)?;
        if !parts.who.is_empty() {
            write!(f, "\n   {}", parts.who)?;
        }
        write_excerpt(f, parts.place.as_ref().map(|place| place.line), &parts.excerpt)?;
        if !parts.stack.is_empty() {
            write!(f, "\n   stack: {}", parts.stack.join(", "))?;
        }
        match &parts.help {
            Some(help) => write!(f, "\n   help: {help}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a script file, found when it was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScriptProblem {
    /// The file as people know it, `scripts/ffmpeg.lua`.
    pub file: String,
    /// From 1, when a line is to blame.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What may be done about it.
    pub hint: Option<String>,
    /// The line and its neighbours, with their numbers.
    pub excerpt: Vec<(u32, String)>,
}

impl ScriptProblem {
    pub(super) fn of(file: &str, error: &ScriptError) -> ScriptProblem {
        let place = error.place();
        ScriptProblem {
            file: place.map_or_else(|| file.to_owned(), |place| place.file.clone()),
            line: place.map(|place| place.line),
            message: error.message().to_owned(),
            hint: error.hint().map(str::to_owned),
            excerpt: error.excerpt().to_vec(),
        }
    }
}

impl fmt::Display for ScriptProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message)?,
            None => write!(f, "{}: {}", self.file, self.message)?,
        }
        write_excerpt(f, self.line, &self.excerpt)?;
        match &self.hint {
            Some(hint) => write!(f, "\n   help: {hint}"),
            None => Ok(()),
        }
    }
}

fn write_excerpt(f: &mut fmt::Formatter<'_>, marked: Option<u32>, lines: &[(u32, String)]) -> fmt::Result {
    for (number, text) in lines {
        let mark = if Some(*number) == marked { '>' } else { ' ' };
        write!(f, "\n {mark} {number:>3} | {text}")?;
    }
    Ok(())
}

/// The line and its two neighbours; long lines are cut, since a generated file may be one line.
fn excerpt(source: &str, line: u32) -> Vec<(u32, String)> {
    let first = line.saturating_sub(1).max(1);
    let numbered = (1..).zip(source.lines()).skip(first as usize - 1);
    let shown = numbered.take_while(|(number, _)| *number <= line.saturating_add(1));
    shown.map(|(number, text)| (number, text.chars().take(160).collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_like_a_page() {
        let source = "local M = {}\nfunction M.output(ctx, ev)\n  return ctx.nope.x\nend\nreturn M\n";
        let mut error = ScriptError::new(ErrorKind::Hook, "hook `output`, task t", "attempt to index nil")
            .at(Place { file: "scripts/x.lua".into(), line: 3 }, source)
            .help("look again");
        error.0.stack = vec!["output (scripts/x.lua:3)".into()];
        assert_eq!(
            error.to_string(),
            "error[hook]: scripts/x.lua:3: attempt to index nil\n   hook `output`, task t\n     2 | function M.output(ctx, ev)\n \
             >   3 |   return ctx.nope.x\n     4 | end\n   stack: output (scripts/x.lua:3)\n   help: look again"
        );
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!((&json["kind"], &json["place"]["line"]), (&"hook".into(), &3.into()));
    }

    #[test]
    fn an_excerpt_stays_inside_the_file() {
        assert_eq!(excerpt("a\nb", 1), [(1, "a".into()), (2, "b".into())]);
        assert_eq!(excerpt("a\nb", 2), [(1, "a".into()), (2, "b".into())]);
        assert_eq!(excerpt("", 7), []);
        assert_eq!(excerpt("x", u32::MAX), []);
    }
}
