//! The commands of a task, as they are written in a Taskfile.

use super::super::foreign;
use serde_yaml::Value;

/// One item of `cmds`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cmd {
    /// Text for a shell.
    Run { text: String, ignores_error: bool },
    /// The same text for each of these words.
    Each { words: Vec<String>, text: String },
    /// Another task, with values for its variables.
    Call(Call),
    /// Text for a shell when the task has ended, whatever happened.
    Defer(String),
    /// It is meant for other systems: what it is.
    Elsewhere(String),
    /// It has no equal: what it is, and why.
    Untold(String, String),
}

/// Another task and the values for its variables.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) task: String,
    pub(super) vars: Value,
}

impl Call {
    /// An item of `deps`, or a call in `cmds`.
    pub(super) fn read(value: &Value) -> Option<Call> {
        if let Some(task) = foreign::word(value) {
            return Some(Call { task, vars: Value::Null });
        }
        let task = foreign::word(value.get("task")?)?;
        Some(Call { task, vars: value.get("vars").cloned().unwrap_or(Value::Null) })
    }
}

/// What a task does: `cmds`, `cmd`, or the short forms in which it is a text or a list.
pub(super) fn of(task: &Value) -> Vec<Cmd> {
    let items = match task {
        Value::Mapping(_) => task.get("cmds").or_else(|| task.get("cmd")),
        _ => Some(task),
    };
    let task_ignores = task.get("ignore_error").and_then(Value::as_bool).unwrap_or(false);
    items.map_or(&[][..], foreign::list).iter().map(|item| cmd(item, task_ignores)).collect()
}

fn cmd(item: &Value, task_ignores: bool) -> Cmd {
    if let Some(text) = foreign::word(item) {
        // The task's own `ignore_error` is a key of ours as well; here it lets the next command follow.
        return Cmd::Run { text, ignores_error: task_ignores };
    }
    if let Some(platforms) = item.get("platforms").and_then(foreign::words)
        && !is_linux(&platforms)
    {
        return Cmd::Elsewhere(foreign::shown(item));
    }
    if let Some(deferred) = item.get("defer") {
        return match foreign::word(deferred) {
            Some(text) => Cmd::Defer(text),
            None => Cmd::Untold(foreign::shown(item), "a cleanup runs commands, not tasks".into()),
        };
    }
    let odd = ["if", "interactive"].into_iter().find(|key| item.get(key).is_some());
    if let Some(key) = odd {
        return Cmd::Untold(foreign::shown(item), format!("a single command has no `{key}` here"));
    }
    let words = item.get("for").map(foreign::words);
    let text = item.get("cmd").and_then(foreign::word);
    let ignores_error = task_ignores || item.get("ignore_error").and_then(Value::as_bool).unwrap_or(false);
    match (words, text, Call::read(item)) {
        (Some(Some(words)), Some(text), _) if item.get("for").is_some_and(Value::is_sequence) => {
            Cmd::Each { words, text }
        }
        (Some(_), ..) => {
            Cmd::Untold(foreign::shown(item), "only a loop over words that stand there is translated".into())
        }
        (None, Some(text), _) => Cmd::Run { text, ignores_error },
        (None, None, Some(call)) => Cmd::Call(call),
        (None, None, None) => Cmd::Untold(foreign::shown(item), "this is no command of a Taskfile".into()),
    }
}

/// `linux`, `linux/amd64` or a processor alone: neap runs on Linux.
/// The systems of a task that is not meant for this one.
pub(super) fn elsewhere(task: &Value) -> Option<Vec<String>> {
    task.get("platforms").and_then(foreign::words).filter(|platforms| !is_linux(platforms))
}

pub(super) fn is_linux(platforms: &[String]) -> bool {
    let others = ["windows", "darwin", "freebsd", "openbsd", "netbsd"];
    platforms.is_empty()
        || platforms.iter().any(|platform| !others.contains(&platform.split('/').next().unwrap_or_default()))
}

/// Whether a command leaves something behind in its shell, or fails without ending it.
pub(super) fn needs_own_shell(text: &str) -> bool {
    let own = [
        "cd", "export", "set", "exit", "exec", "shopt", "trap", "umask", "return", "unset", "source", ".",
        "alias",
    ];
    let is_assignment =
        |word: &str| word.split_once('=').is_some_and(|(name, _)| super::template::is_identifier(name));
    let words = || text.split(|c: char| c.is_whitespace() || ";&|(){}".contains(c));
    text.contains(['\n', '!'])
        || text.contains("&&")
        || words().any(|word| own.contains(&word) || is_assignment(word))
}

/// Whether a command needs more than a POSIX shell.
pub(super) fn needs_bash(text: &str) -> bool {
    let signs = [
        "[[",
        "<<<",
        "<(",
        "=(",
        "${!",
        "//",
        "pipefail",
        "shopt ",
        "function ",
        "&>",
        "((",
        "{1..",
        "source ",
    ];
    let is_url = |at: usize| text[..at].ends_with(':');
    signs.iter().any(|sign| {
        text.match_indices(sign).any(|(at, _)| *sign != "//" || (!is_url(at) && text[..at].contains("${")))
    })
}
