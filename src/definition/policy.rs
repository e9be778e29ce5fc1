//! The values of single leaf keys: interpreter, priority, stopping, retrying, hooks, tidying up.

use super::fields::{Checker, Field, Path, list};
use super::flow;
use super::keys;
use super::problem::{Code, Finding};
use super::task::{Cleanup, Hook, OnHookError, Retry, Signal};
use super::tree::{Kind, Node};
use super::words::words;
use crate::base::{Millis, did_you_mean};

const PRIORITIES: [(&str, i32); 4] = [("low", -10), ("normal", 0), ("high", 10), ("urgent", 50)];

/// `low`, `normal`, `high`, `urgent`, or a number from -100 to 100.
pub(super) fn priority(checker: &mut Checker, node: &Node<'_>) -> Option<i32> {
    let is_number =
        |text: &str| text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit());
    match node.as_text() {
        Some(text) if is_number(text) => {
            let number = checker.integer(node, "priority", -100..=100)?;
            Some(i32::try_from(number).expect("the range was checked"))
        }
        Some(_) | None => checker.choice(node, "priority", &PRIORITIES),
    }
}

/// The words of an interpreter, ready to get the script appended; `{0}` stands for a file that holds it.
///
/// For an interpreter without `{0}` the option that takes a program text is added where it is known: `-c` for shells
/// and Python, `-e` for node, perl, ruby and lua, `-r` for php. Any other gets the script as a file.
pub(super) fn shell(checker: &mut Checker, node: &Node<'_>) -> Option<Vec<String>> {
    let mut words: Vec<String> = match &node.kind {
        Kind::Text { .. } => {
            checker.filled_text(node, "shell")?.split_whitespace().map(str::to_owned).collect()
        }
        Kind::List(_) => checker.texts(node, "shell"),
        Kind::Null | Kind::Map(_) | Kind::Broken => {
            checker.text(node, "shell");
            return None;
        }
    };
    let Some(program) = words.first() else {
        checker.no_value(node, "shell");
        return None;
    };
    if !words.iter().any(|word| word.contains("{0}")) {
        let option = text_option(program);
        if words.len() == 1 || words.last().is_some_and(|last| last != option) {
            words.push(option.to_owned());
        }
    }
    Some(words)
}

fn text_option(program: &str) -> &'static str {
    let name = program.rsplit('/').next().unwrap_or(program);
    match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "mksh" | "fish" | "python" | "pypy" => "-c",
        "node" | "bun" | "perl" | "ruby" | "lua" | "luajit" => "-e",
        "php" => "-r",
        "pwsh" => "-Command",
        _ => "{0}",
    }
}

/// `{signal, grace}`.
pub(super) fn stop(
    checker: &mut Checker,
    node: &Node<'_>,
    above: &Path<'_>,
) -> (Option<Signal>, Option<Millis>) {
    let path = above.child("stop");
    let (mut signal_given, mut grace) = (None, None);
    for field in checker.fields(node, &path).unwrap_or_default() {
        match field.key {
            "signal" => signal_given = signal(checker, field.value, "signal"),
            "grace" => grace = checker.span(field.value, "grace", true),
            _ => _ = checker.unknown(&field, &path, &keys::STOP),
        }
    }
    (signal_given, grace)
}

/// As in `SIGTERM`, whether or not it was written so.
fn with_sig(upper: &str) -> String {
    format!("SIG{}", upper.strip_prefix("SIG").unwrap_or(upper))
}

/// `SIGTERM`, `TERM` or `15`.
pub(super) fn signal(checker: &mut Checker, node: &Node<'_>, what: &str) -> Option<Signal> {
    let text = checker.filled_text(node, what)?;
    if let Some(signal) = Signal::named(&text) {
        return Some(signal);
    }
    let upper = text.to_ascii_uppercase();
    let meant = did_you_mean(upper.strip_prefix("SIG").unwrap_or(&upper), Signal::names())
        .map(|name| format!("SIG{name}"));
    let finding = Finding::new(
        Code::E0125,
        node.span.clone(),
        format!("`{text}` is not a signal"),
        "no signal has this name",
    );
    checker.report(finding.suggest(&with_sig(&upper), meant.as_deref(), || {
        "write a name such as SIGTERM or SIGINT".to_owned()
    }));
    None
}

/// A number of further tries, or a mapping.
pub(super) fn retry(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Option<Retry> {
    if let Kind::Text { .. } | Kind::Null = node.kind {
        let further = checker.integer(node, "retry", 0..=1000)?;
        return Some(Retry { attempts: 1 + narrow(further), ..Retry::default() });
    }
    let path = above.child("retry");
    let mut retry = Retry::default();
    let (mut has_attempts, mut max_delay) = (false, None);
    for field in checker.fields(node, &path)? {
        let (key, value) = (field.key, field.value);
        match key {
            "attempts" => {
                has_attempts = true;
                retry.attempts = checker.integer(value, key, 1..=1000).map_or(1, narrow);
            }
            "delay" => retry.delay = checker.span(value, key, true).unwrap_or(retry.delay),
            "backoff" => retry.backoff = checker.number(value, key, 1.0..=1000.0).unwrap_or(retry.backoff),
            "max_delay" => max_delay = checker.span(value, key, true).map(|span| (span, &value.span)),
            "jitter" => retry.jitter = checker.number(value, key, 0.0..=1.0).unwrap_or(0.0),
            "on_exit" => retry.on_exit = exit_codes(checker, &field),
            "not_on_exit" => retry.not_on_exit = exit_codes(checker, &field),
            _ => _ = checker.unknown(&field, &path, &keys::RETRY),
        }
    }
    if !has_attempts {
        let finding = Finding::new(
            Code::E0130,
            node.span.clone(),
            format!("{path} has no `attempts`"),
            "`attempts` is required",
        );
        checker.report(finding.help("`attempts` counts all tries: with 1 nothing is tried again"));
    }
    match max_delay {
        Some((longest, place)) if longest < retry.delay => {
            let finding = Finding::new(
                Code::E0137,
                place.clone(),
                "`max_delay` is shorter than `delay`",
                "no wait could be this short",
            );
            checker.report(finding);
        }
        Some((longest, _)) => retry.max_delay = longest,
        None => retry.max_delay = retry.max_delay.max(retry.delay),
    }
    Some(retry)
}

fn narrow(number: i64) -> u32 {
    u32::try_from(number).expect("the range was checked")
}

fn exit_codes(checker: &mut Checker, field: &Field<'_>) -> Vec<i32> {
    let codes = list(field.value).iter().filter_map(|item| checker.integer(item, field.key, 1..=255));
    codes.map(|code| i32::try_from(code).expect("the range was checked")).collect()
}

/// File names, or `{file, on_error}`.
pub(super) fn hooks(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Vec<Hook> {
    let path = above.child("hooks");
    list(node).iter().filter_map(|item| hook(checker, item, &path)).collect()
}

fn hook(checker: &mut Checker, node: &Node<'_>, path: &Path<'_>) -> Option<Hook> {
    if !matches!(node.kind, Kind::Map(_)) {
        let file = checker.path_below(node, "hooks", "scripts")?;
        return Some(Hook { file, on_error: OnHookError::default() });
    }
    let (mut file, mut on_error) = (None, OnHookError::default());
    let mut has_file = false;
    for field in checker.fields(node, path)? {
        match field.key {
            "file" => {
                has_file = true;
                file = checker.path_below(field.value, "file", "scripts");
            }
            "on_error" => {
                let words = [("warn", OnHookError::Warn), ("fail", OnHookError::Fail)];
                on_error = checker.choice(field.value, "on_error", &words).unwrap_or_default();
            }
            _ => _ = checker.unknown(&field, path, &keys::HOOK),
        }
    }
    if !has_file {
        checker.report(Finding::new(
            Code::E0130,
            node.span.clone(),
            "a hook has no `file`",
            "`file` is required",
        ));
    }
    file.map(|file| Hook { file, on_error })
}

/// Shell text, `{run}`, `{exec}` or `{remove}`, or a list of them.
pub(super) fn cleanup(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Vec<Cleanup> {
    let path = above.child("cleanup");
    list(node).iter().filter_map(|item| cleanup_item(checker, item, &path)).collect()
}

fn cleanup_item(checker: &mut Checker, node: &Node<'_>, path: &Path<'_>) -> Option<Cleanup> {
    if !matches!(node.kind, Kind::Map(_)) {
        return checker.filled_template(node, "cleanup").map(|script| Cleanup::Run { script });
    }
    let fields = checker.fields(node, path)?;
    let (known, unknown): (Vec<_>, Vec<_>) =
        fields.into_iter().partition(|field| matches!(field.key, "run" | "exec" | "remove"));
    for field in &unknown {
        checker.unknown(field, path, &keys::CLEANUP);
    }
    match known.as_slice() {
        [field] => match field.key {
            "run" => checker.filled_template(field.value, "run").map(|script| Cleanup::Run { script }),
            "exec" => argv(checker, field.value).map(|argv| Cleanup::Exec { argv }),
            _ => checker.filled_template(field.value, "remove").map(|path| Cleanup::Remove { path }),
        },
        [] => {
            if unknown.is_empty() {
                let message = "an entry of `cleanup` has nothing to do";
                checker.report(Finding::new(
                    Code::E0130,
                    node.span.clone(),
                    message,
                    "one of `run`, `exec`, `remove` is required",
                ));
            }
            None
        }
        [first, second, ..] => {
            let message = "an entry of `cleanup` does two things";
            let finding = Finding::new(Code::E0131, second.place.clone(), message, "the second one");
            checker.report(finding.also(first.place.clone(), "the first one").help("make two entries of it"));
            None
        }
    }
}

/// A program and its arguments.
pub(super) fn argv(checker: &mut Checker, node: &Node<'_>) -> Option<Vec<String>> {
    if let Kind::Text { text, .. } = &node.kind
        && text.contains(char::is_whitespace)
        && !text.contains("${{")
    {
        let plain = words(text).map(|words| words.iter().map(|word| flow::scalar(word)).collect::<Vec<_>>());
        let finding = Finding::new(
            Code::E0110,
            node.span.clone(),
            "`exec` must be a list of words",
            "this is one word with blanks in it",
        );
        let finding = finding.help("write a list, or use `run` for a shell");
        // Where a shell would do more than split at blanks, nobody knows what was meant.
        checker.report(match plain {
            Some(words) => finding.fix(node.span.clone(), format!("[{}]", words.join(", "))),
            None => finding,
        });
        return None;
    }
    if matches!(node.kind, Kind::Map(_) | Kind::Null) {
        checker.text(node, "exec");
        return None;
    }
    let before = checker.findings.len();
    let argv = checker.templates(node, "exec");
    if checker.findings.len() > before || matches!(node.kind, Kind::Broken) {
        return None;
    }
    if argv.first().is_none_or(String::is_empty) {
        checker.report(Finding::new(
            Code::E0134,
            node.span.clone(),
            "`exec` names no program",
            "the program comes first",
        ));
        return None;
    }
    Some(argv)
}
