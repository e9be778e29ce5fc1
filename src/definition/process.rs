//! What the process of a job is given, and how it is held: what may outlive what.

use super::fields::{Checker, Field, Path, list};
use super::keys;
use super::problem::{Code, Finding};
use super::tree::{Kind, Node};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What the process of a job is given, and how it is held. A job that is no process (Lua, a function) has none of this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// What becomes of processes that outlive the one that was started.
    #[serde(default, skip_serializing_if = "OnLeak::is_usual")]
    pub on_leak: OnLeak,
    /// What becomes of all of them when the host dies; as the host has it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_host_death: Option<OnHostDeath>,
    /// The mode bits that new files lack; as the host has them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub umask: Option<u16>,
    /// How much it leaves to others, -20 to 19; as the host does when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nice: Option<i8>,
    /// The user it runs as: `NAME`, `NUMBER`, or one of these with `:GROUP`. That of the host when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// It gets none of the host's own variables but the [few](Process::passes) that every program needs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clean_env: bool,
    /// Names, with `*` and `?`, of those that it gets nevertheless.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_passthrough: Vec<String>,
    /// What it may use of the machine.
    #[serde(default, skip_serializing_if = "Limits::is_usual")]
    pub limits: Limits,
}

/// What the processes of an attempt may use of the machine, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory, all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Thousandths of a processor, all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u32>,
    /// Processes and threads at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
    /// Open files of each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nofile: Option<u32>,
    /// Bytes of each file that they write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// Bytes that they write to standard output and standard error, all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
}

impl Limits {
    /// Whether there are none.
    pub fn is_usual(&self) -> bool {
        *self == Limits::default()
    }
}

impl Process {
    /// Whether nothing is said about it.
    pub fn is_usual(&self) -> bool {
        *self == Process::default()
    }

    /// Whether a variable of the host's own environment is handed on.
    ///
    /// Who runs as another user has another home, so the variables that speak of the user are not handed on then.
    pub fn passes(&self, name: &str) -> bool {
        if self.user.is_some() && OF_THE_USER.contains(&name) {
            return false;
        }
        !self.clean_env
            || CLEAN.iter().chain(OF_THE_USER).any(|pattern| fits(pattern, name))
            || self.env_passthrough.iter().any(|pattern| fits(pattern, name))
    }

    /// The first of these keys that only a supervisor can do, when one is there: what happens between fork and exec
    /// must not happen in a program that embeds a host.
    pub fn needs_supervisor(&self) -> Option<&'static str> {
        let keys = [
            ("umask", self.umask.is_some()),
            ("nice", self.nice.is_some()),
            ("user", self.user.is_some()),
            ("limits", !self.limits.is_usual()),
        ];
        keys.into_iter().find(|(_, is_given)| *is_given).map(|(key, _)| key)
    }
}

/// What a clean environment has of the host's, beside what speaks of the user.
const CLEAN: &[&str] = &["PATH", "LANG", "LC_*", "TZ", "TMPDIR"];
/// What speaks of the user.
pub(crate) const OF_THE_USER: &[&str] = &["HOME", "USER", "LOGNAME"];

/// Whether a name fits a pattern: `*` is anything, `?` one character.
fn fits(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    // Where to go on when the star is to take one character more.
    let mut star = None;
    loop {
        let before = name.clone();
        match (pattern.next(), name.next()) {
            (Some('*'), _) => {
                name = before;
                star = Some((pattern.clone(), name.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            (None, None) => return true,
            (Some(_), None) => return false,
            (None | Some(_), Some(_)) => {
                let Some((after, mut rest)) = star.take() else { return false };
                rest.next();
                (pattern, name) = (after.clone(), rest.clone());
                star = Some((after, rest));
            }
        }
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
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Written {
    on_leak: Option<OnLeak>,
    on_host_death: Option<OnHostDeath>,
    umask: Option<u16>,
    nice: Option<i8>,
    user: Option<String>,
    clean_env: Option<(bool, Range<usize>)>,
    env_passthrough: Option<(Vec<String>, Range<usize>)>,
    limits: Option<Limits>,
}

impl Written {
    /// Takes the field if it is one of these keys; gives whether it was.
    pub(super) fn take(&mut self, field: &Field<'_>, path: &Path<'_>, checker: &mut Checker) -> bool {
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
            "umask" => self.umask = umask(checker, value),
            "nice" => {
                let number = checker.integer(value, key, -20..=19);
                self.nice = number.map(|number| i8::try_from(number).expect("the range was checked"));
            }
            "user" => self.user = user(checker, value),
            "clean_env" => {
                self.clean_env = checker.boolean(value, key).map(|is_clean| (is_clean, field.place.clone()));
                self.agree(checker);
            }
            "env_passthrough" => {
                self.env_passthrough = Some((variables(checker, value), field.place.clone()));
                self.agree(checker);
            }
            "limits" => self.limits = Some(limits(checker, value, path)),
            _ => return false,
        }
        true
    }

    /// Whoever names what is handed on does not want everything.
    fn agree(&self, checker: &mut Checker) {
        if let (Some((false, first)), Some((_, second))) = (&self.clean_env, &self.env_passthrough) {
            let message = "`env_passthrough` means nothing with `clean_env: false`";
            let finding = Finding::new(Code::E0137, second.clone(), message, "everything is handed on");
            checker.report(finding.also(first.clone(), "because of this").help("remove one of the two"));
        }
    }

    /// What holds: of each key the nearest.
    pub(super) fn nearest<'w>(all: impl Iterator<Item = &'w Written>) -> Process {
        let all: Vec<&Written> = all.collect();
        let passthrough = || all.iter().find_map(|written| written.env_passthrough.clone());
        // Said nearer than the names, it holds for them too.
        let clean_env = all.iter().find_map(|written| match (&written.clean_env, &written.env_passthrough) {
            (Some((is_clean, _)), _) => Some(*is_clean),
            (None, Some(_)) => Some(true),
            (None, None) => None,
        });
        let clean_env = clean_env.unwrap_or(false);
        Process {
            on_leak: all.iter().find_map(|written| written.on_leak).unwrap_or_default(),
            on_host_death: all.iter().find_map(|written| written.on_host_death),
            umask: all.iter().find_map(|written| written.umask),
            nice: all.iter().find_map(|written| written.nice),
            user: all.iter().find_map(|written| written.user.clone()),
            limits: nearest_limits(&all),
            clean_env,
            env_passthrough: passthrough().filter(|_| clean_env).map_or_else(Vec::new, |(names, _)| names),
        }
    }
}

/// Of each limit the nearest: whoever gives a child more memory does not mean to take away the others.
fn nearest_limits(all: &[&Written]) -> Limits {
    let given = || all.iter().filter_map(|written| written.limits);
    Limits {
        memory: given().find_map(|limits| limits.memory),
        cpu_millis: given().find_map(|limits| limits.cpu_millis),
        pids: given().find_map(|limits| limits.pids),
        nofile: given().find_map(|limits| limits.nofile),
        file_size: given().find_map(|limits| limits.file_size),
        output: given().find_map(|limits| limits.output),
    }
}

/// `{memory, cpu, pids, nofile, file_size}`.
fn limits(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Limits {
    let path = above.child("limits");
    let mut limits = Limits::default();
    let whole = |number: i64| u32::try_from(number).expect("the range was checked");
    for field in checker.fields(node, &path).unwrap_or_default() {
        let (key, value) = (field.key, field.value);
        match key {
            // A program does not even start with less.
            "memory" => limits.memory = checker.bytes(value, key, 1 << 20),
            "file_size" => limits.file_size = checker.bytes(value, key, 1),
            "output" => limits.output = checker.bytes(value, key, 1),
            "cpu" => {
                let number = checker.number(value, key, 0.01..=1024.0);
                limits.cpu_millis = number.map(|number| (number * 1000.0).round() as u32);
            }
            "pids" => limits.pids = checker.integer(value, key, 1..=4_000_000).map(whole),
            "nofile" => limits.nofile = checker.integer(value, key, 4..=1_000_000).map(whole),
            _ => _ = checker.unknown(&field, &path, &keys::LIMITS),
        }
    }
    limits
}

/// Three or four octal digits in quotes. Without them 022 is eighteen for some readers of YAML and text for others.
fn umask(checker: &mut Checker, node: &Node<'_>) -> Option<u16> {
    let text = checker.filled_text(node, "umask")?;
    let octal = |digits: &str| {
        let is_octal =
            matches!(digits.len(), 3 | 4) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        is_octal.then(|| u16::from_str_radix(digits, 8).ok()).flatten().filter(|mask| *mask <= 0o777)
    };
    let is_plain = matches!(node.kind, Kind::Text { is_plain: true, .. });
    let digits = text.strip_prefix("0o").filter(|_| is_plain).unwrap_or(&text);
    let padded = format!("{digits:0>3}");
    let quoted = octal(&padded).map(|_| format!("\"{padded}\""));
    let message = "`umask` must be octal digits in quotes";
    let label = match is_plain && quoted.is_some() {
        true => "without quotes YAML may take this for another number",
        false => "expected three or four digits from 0 to 7, at most 0777",
    };
    let finding = Finding::new(Code::E0110, node.span.clone(), message, label);
    match (octal(&text), quoted) {
        (Some(mask), _) if !is_plain => return Some(mask),
        (_, Some(quoted)) if is_plain => {
            checker.report(finding.fix(node.span.clone(), &quoted).help(format!("write {quoted}")));
        }
        (_, _) => checker.report(finding.help("write it like \"022\"")),
    }
    None
}

/// A user, perhaps with a group behind a colon.
fn user(checker: &mut Checker, node: &Node<'_>) -> Option<String> {
    let text = checker.filled_text(node, "user")?;
    let (name, group) = text.split_once(':').map_or((&*text, None), |(name, group)| (name, Some(group)));
    let is_word = |word: &str| !word.is_empty() && !word.contains(|c: char| c == ':' || c.is_whitespace());
    if is_word(name) && group.is_none_or(is_word) {
        return Some(text);
    }
    let message = format!("`{text}` does not name a user");
    let finding = Finding::new(Code::E0123, node.span.clone(), message, "expected a name or a number");
    checker.report(finding.help("write `NAME`, `NUMBER` or `NAME:GROUP`"));
    None
}

/// Names of variables, in which `*` and `?` may stand for others.
fn variables(checker: &mut Checker, node: &Node<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for item in list(node) {
        let Some(name) = checker.filled_text(item, "env_passthrough") else { continue };
        match name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_*?".contains(&byte)) {
            true => names.push(name),
            false => {
                let message = format!("`{name}` cannot be the name of a variable");
                let label = "use letters, digits and `_`, and `*` or `?` for any others";
                checker.report(Finding::new(Code::E0123, item.span.clone(), message, label));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
    }

    #[test]
    fn patterns_of_names() {
        check("PATH", "PATH", true);
        check("PATH", "PATHS", false);
        check("LC_*", "LC_ALL", true);
        check("LC_*", "LC_", true);
        check("LC_*", "LC", false);
        check("*", "ANYTHING", true);
        check("A?C", "ABC", true);
        check("A?C", "AC", false);
        check("*_TOKEN", "A_TOKEN_TOKEN", true);
        check("*_TOKEN", "A_TOKENS", false);
        check("A*B*C", "AxBxBxC", true);
        check("A*B*C", "AxBxBx", false);
    }

    #[test]
    fn a_clean_environment_has_a_few_names() {
        let clean = Process { clean_env: true, env_passthrough: vec!["SSH_*".into()], ..Process::default() };
        let names = ["PATH", "HOME", "LC_ALL", "SSH_AUTH_SOCK", "EDITOR"];
        assert_eq!(names.map(|name| clean.passes(name)), [true, true, true, true, false]);
        let other = Process { user: Some("ada".into()), ..Process::default() };
        assert_eq!(names.map(|name| other.passes(name)), [true, false, true, true, true]);
    }
}
