//! One step of a Dagu file: a child of the pipeline.

use super::super::foreign::{self, entries};
use super::surroundings::{self, is_identifier};
use super::{Block, Dag, Names, camel, get, unique};
use serde_yaml::Value;

/// A step with its name among ours.
pub(super) struct Step<'s> {
    pub(super) id: String,
    pub(super) value: &'s Value,
    /// The ids of those it waits for.
    pub(super) needs: Vec<String>,
    /// Where it stands.
    pub(super) path: Vec<String>,
}

/// Adds a step; its name is made one that no other has.
pub(super) fn take<'s>(found: &mut Vec<Step<'s>>, name: Option<String>, value: &'s Value, path: Vec<String>) {
    let own = ["id", "name"].iter().find_map(|key| get(value, key).and_then(foreign::word));
    let wish = name.or(own).unwrap_or_else(|| format!("step{}", found.len() + 1));
    let id = unique(&wish, |id| found.iter().any(|step| step.id == id));
    let needs = get(value, "depends").and_then(foreign::words).unwrap_or_default();
    found.push(Step { id, value, needs, path });
}

/// Lets every group of steps wait for the one before it.
pub(super) fn chain(steps: &mut [Step<'_>], groups: &[Vec<String>]) {
    for (before, group) in groups.iter().zip(groups.iter().skip(1)) {
        for step in steps.iter_mut().filter(|step| group.contains(&step.id) && step.needs.is_empty()) {
            step.needs.clone_from(before);
        }
    }
}

/// Keys of a step that are looked at here, or that say nothing about what it does.
const KNOWN: [&str; 22] = [
    "name",
    "id",
    "description",
    "command",
    "args",
    "script",
    "shell",
    "depends",
    "dir",
    "workingDir",
    "env",
    "output",
    "continueOn",
    "retryPolicy",
    "repeatPolicy",
    "preconditions",
    "precondition",
    "signalOnStop",
    "timeoutSec",
    "stdout",
    "stderr",
    "shellArgs",
];
/// So many rounds can be said.
const MOST: u64 = 1_000_000;

/// Keys that make a step something other than a command of this machine.
const OTHER_BODIES: [&str; 12] = [
    "executor",
    "type",
    "run",
    "call",
    "parallel",
    "container",
    "with",
    "config",
    "agent",
    "llm",
    "foreach",
    "action",
];

impl Dag<'_> {
    pub(super) fn children(&mut self, steps: &[Step<'_>], block: &mut Block) -> Block {
        let named = |name: &String| {
            let is_it = |step: &&Step<'_>| {
                let names = ["id", "name"].map(|key| get(step.value, key).and_then(foreign::word));
                step.id == *name || names.contains(&Some(name.clone()))
            };
            steps.iter().find(is_it).map(|step| step.id.clone())
        };
        let mut children = Block::default();
        for step in steps {
            let path: Vec<&str> = step.path.iter().map(String::as_str).collect();
            let mut needs = Vec::new();
            for name in &step.needs {
                match named(name) {
                    Some(id) => needs.push(id),
                    None => self.untold(block, &path, format!("depends: {name}"), "there is no such step"),
                }
            }
            let mut child = Block::default();
            if !needs.is_empty() {
                child.texts("depends_on", &needs);
            }
            let outputs = self.outputs_before(steps, step, &named);
            child.append(self.child(step, &outputs, &[(self.root, &["preconditions"])]));
            children.block(&step.id, child);
        }
        children
    }

    /// The outputs of everything a step waits for that its text names: the variable and the child.
    fn outputs_before(
        &self,
        steps: &[Step<'_>],
        step: &Step<'_>,
        named: &impl Fn(&String) -> Option<String>,
    ) -> Vec<(String, String)> {
        let text = foreign_text(step.value);
        let (mut open, mut seen, mut outputs) = (step.needs.clone(), Vec::new(), Vec::new());
        while let Some(id) = open.pop().as_ref().and_then(named) {
            let Some(other) = steps.iter().find(|other| other.id == id).filter(|_| !seen.contains(&id))
            else {
                continue;
            };
            open.extend(other.needs.iter().cloned());
            seen.push(id.clone());
            let variable = get(other.value, "output").and_then(output_name);
            outputs.extend(variable.filter(|name| text.contains(name.as_str())).map(|name| (name, id)));
        }
        outputs.sort();
        outputs
    }

    /// Everything about a step but what it waits for. `above` holds conditions of the whole that it must meet as well.
    pub(super) fn child(
        &mut self,
        step: &Step<'_>,
        outputs: &[(String, String)],
        above: &[(&Value, &[&str])],
    ) -> Block {
        let path: Vec<&str> = step.path.iter().map(String::as_str).collect();
        let value = step.value;
        let mut block = Block::default();
        if let Some(text) = get(value, "description").and_then(foreign::word) {
            block.text("description", text.trim_end());
        }
        self.directory(value, &path, &mut block);
        self.dotenv(&mut block);
        let mut env = self.env(value, &path);
        for (name, id) in outputs {
            // A name with a hyphen in it would be a subtraction.
            let task = if is_identifier(id) { format!("tasks.{id}") } else { format!("tasks[\"{id}\"]") };
            env.known.text(name, &format!("${{{{ {task}.outputs.{name} }}}}"));
        }
        block.block("env", std::mem::take(&mut env.known));
        let own: (&Value, &[&str]) = (value, &path);
        let conditions: Vec<(&Value, &[&str])> = above.iter().copied().chain([own]).collect();
        self.preconditions(&conditions, &mut block);
        self.policies(value, &path, &mut block);
        self.odd_keys(value, &path, &mut block);
        self.body(value, &path, env.asked, &mut block);
        block
    }

    fn odd_keys(&mut self, value: &Value, path: &[&str], block: &mut Block) {
        let is_other = OtherDag::of(value).is_some();
        for (key, value) in entries(value) {
            let name = camel(&key);
            let is_handed_on = name == "params" && is_other;
            if is_handed_on || KNOWN.contains(&name.as_str()) || OTHER_BODIES.contains(&name.as_str()) {
                continue;
            }
            let why = match name.as_str() {
                "mailOnError" | "mailOnSuccess" => "neap sends no mail; a hook can tell somebody",
                "workerSelector" => "jobs run on this machine",
                _ => "the task language has no such key",
            };
            let inner: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
            self.untold(block, &inner, format!("{key}: {}", foreign::shown(value)), why);
        }
    }

    fn policies(&mut self, value: &Value, path: &[&str], block: &mut Block) {
        let number = |value: &Value, key: &str| get(value, key).and_then(Value::as_u64);
        if let Some(seconds) = number(value, "timeoutSec").filter(|seconds| *seconds > 0) {
            block.plain("timeout", format!("{seconds}s"));
        }
        if let Some(signal) = get(value, "signalOnStop").and_then(foreign::word) {
            block.short("stop", &[("signal", signal)]);
        }
        if let Some(retry) = get(value, "retryPolicy") {
            self.retry(retry, path, block);
        }
        if let Some(on) = get(value, "continueOn") {
            self.continue_on(on, path, block);
        }
        if let Some(repeat) = get(value, "repeatPolicy") {
            self.repeat(repeat, path, block);
        }
    }

    /// `limit` counts further tries, `attempts` all of them.
    fn retry(&mut self, retry: &Value, path: &[&str], block: &mut Block) {
        let limit = get(retry, "limit").and_then(Value::as_u64);
        let Some(limit) = limit.filter(|limit| *limit < 1000) else {
            return self.untold(
                block,
                path,
                format!("retryPolicy: {}", foreign::shown(retry)),
                "`limit` is no number",
            );
        };
        let mut parts = vec![format!("attempts: {}", limit + 1)];
        parts.extend(
            get(retry, "intervalSec").and_then(Value::as_u64).map(|seconds| format!("delay: {seconds}s")),
        );
        parts.push(match get(retry, "backoff") {
            Some(Value::Bool(true)) => "backoff: 2".into(),
            Some(Value::Number(factor)) if factor.as_f64().is_some_and(|factor| factor >= 1.0) => {
                format!("backoff: {factor}")
            }
            _ => "backoff: 1".into(),
        });
        parts.extend(
            get(retry, "maxIntervalSec")
                .and_then(Value::as_u64)
                .map(|seconds| format!("max_delay: {seconds}s")),
        );
        let codes = get(retry, "exitCode").or_else(|| get(retry, "exitCodes")).and_then(foreign::words);
        parts.extend(codes.map(|codes| format!("on_exit: [{}]", codes.join(", "))));
        block.plain("retry", format!("{{ {} }}", parts.join(", ")));
    }

    fn continue_on(&mut self, on: &Value, path: &[&str], block: &mut Block) {
        let is_plain = on.as_str() == Some("failed");
        let is_failure = is_plain
            || ["failure", "failed"].iter().any(|key| get(on, key).and_then(Value::as_bool) == Some(true));
        if is_failure {
            block.plain("continue_on_error", true);
        }
        for (key, value) in entries(on).filter(|(key, _)| !matches!(key.as_str(), "failure" | "failed")) {
            let why = match camel(&key).as_str() {
                "skipped" => "a skipped job does not hold up what depends on it",
                _ => "only every failure can be let pass",
            };
            self.untold(block, path, format!("continueOn.{key}: {}", foreign::shown(value)), why);
        }
    }

    fn repeat(&mut self, repeat: &Value, path: &[&str], block: &mut Block) {
        let is_endless = get(repeat, "repeat").and_then(Value::as_bool) == Some(true);
        let has_condition = ["condition", "exitCode"].iter().any(|key| get(repeat, key).is_some());
        if !is_endless || has_condition {
            let why = "a condition is Lua here: see `repeat`; the step runs once";
            return self.untold(block, path, format!("repeatPolicy: {}", foreign::shown(repeat)), why);
        }
        let every = get(repeat, "intervalSec").and_then(Value::as_u64).unwrap_or(60);
        let limit = get(repeat, "limit").and_then(Value::as_u64).filter(|limit| *limit > 0);
        // With no round left a job fails here, and with the limit of Dagu a step is done.
        let (until, limit) = match limit {
            Some(limit) => (format!("round == {limit}"), limit.clamp(1, MOST)),
            None => ("\"false\"".to_owned(), MOST),
        };
        block.plain("repeat", format!("{{ until: {until}, every: {every}s, limit: {limit} }}"));
    }

    fn body(&mut self, value: &Value, path: &[&str], asked: Vec<String>, block: &mut Block) {
        let other = OTHER_BODIES.iter().find(|key| get(value, key).is_some_and(|value| !is_command(value)));
        let script = match other {
            Some(_) => None,
            None => self.command(value).filter(|script| !script.contains("${{")),
        };
        let Some(script) = script else {
            if let Some(other) = OtherDag::of(value) {
                return self.other_dag(&other, path, &asked, block);
            }
            let key = other.copied().unwrap_or("command");
            let what = format!("{key}: {}", foreign::shown(get(value, key).unwrap_or(value)));
            self.untold(block, path, what, "this step is no command of this machine; write one");
            block.text("shell", "sh -e");
            return block.text("run", &crate::exchange::refusal("a step"));
        };
        let shell = self.interpreter(value);
        let output = get(value, "output").and_then(output_name);
        let is_own = shell.as_deref().is_none_or(is_shell);
        let is_bare = asked.is_empty() && output.is_none() && redirections(value).is_empty();
        let script = script.trim_end();
        let (shell, command) = match shell {
            // Only a shell can redirect and hand on: any other interpreter is started by one.
            Some(shell) if !is_own && !is_bare => (None, fed(&shell, script, &redirections(value))),
            shell => (shell, redirected(script, &redirections(value))),
        };
        let mut lines = asked;
        match output {
            None => lines.push(command),
            Some(name) => {
                block.short("outputs", &[(&name, "string".into())]);
                lines.push(format!("{name}=$(\n{command}\n)"));
                lines.push(format!(
                    "printf '{name}<<NEAP_END\\n%s\\nNEAP_END\\n' \"${name}\" >> \"$NEAP_OUTPUT\""
                ));
                lines.push(format!("printf '%s\\n' \"${name}\""));
            }
        }
        let text = lines.join("\n");
        let text = if text.contains('\n') { text + "\n" } else { text };
        match shell {
            Some(shell) => block.text("shell", &shell),
            None if crate::definition::words(&text).is_none() => block.text("shell", "sh -e"),
            None => {}
        }
        block.text("run", &text);
    }

    /// A run of the task that the other file becomes.
    fn other_dag(&mut self, other: &OtherDag, path: &[&str], asked: &[String], block: &mut Block) {
        let task = Names::below(self.folder).take(&other.name);
        block.text("uses", &format!("task:{task}"));
        let (line, what) = (foreign::line_of(self.text, path), format!("run: {}", other.name));
        let why = format!("it starts the task `{task}`: import that file as well");
        self.remarks.push(super::Remark::new(line, what, why));
        if !other.params.is_empty() {
            let params: Vec<(&str, String)> =
                other.params.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            let mut with = Block::default();
            with.short("params", &params);
            block.block("with", with);
        }
        for line in asked {
            self.untold(block, path, line.clone(), "a run of another task has parameters, and no variables");
        }
    }

    /// What a step asks to be read by: `shell`, the `command` beside a `script`, or the first line of that.
    fn interpreter(&self, step: &Value) -> Option<String> {
        let script = get(step, "script").and_then(foreign::word);
        let beside = get(step, "command").filter(|_| script.is_some());
        if let Some(command) = beside.and_then(foreign::words) {
            return Some(command.join(" "));
        }
        if let Some(line) = script.as_deref().and_then(|text| text.lines().next()?.strip_prefix("#!")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let words =
                if words.first().is_some_and(|word| word.ends_with("/env")) { &words[1..] } else { &words };
            return Some(words.join(" ")).filter(|words| !words.is_empty());
        }
        let own = get(step, "shell").or_else(|| get(self.root, "shell"));
        let shell = own.and_then(foreign::words)?.join(" ");
        match shell.contains(' ') || !is_shell(&shell) {
            true => Some(shell).filter(|shell| !shell.is_empty()),
            false => Some(format!("{shell} -e")),
        }
    }

    /// `script`, or `command`: a text, the words of one command, or a list of commands.
    fn command(&self, value: &Value) -> Option<String> {
        if let Some(text) = foreign::word(value) {
            return Some(self.told(&text)).filter(|text| !text.trim().is_empty());
        }
        let command = get(value, "command");
        if let Some(script) = get(value, "script").and_then(foreign::word) {
            return Some(self.told(&script)).filter(|text| !text.trim().is_empty());
        }
        let words = foreign::words(command?)?;
        let args = get(value, "args").and_then(foreign::words).unwrap_or_default();
        // A list is the words of one command; or several commands, the first of which has words itself.
        let is_argv = words.len() > 1 && !words[0].trim().contains(' ');
        let quoted = |word: &String| match word.contains('$') {
            true => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
            false => crate::exchange::shell_word(word),
        };
        let text = match words.as_slice() {
            [one] => one.clone(),
            _ if is_argv => words.iter().map(quoted).collect::<Vec<_>>().join(" "),
            _ => words.join("\n"),
        };
        let text = args.iter().fold(text, |text, word| format!("{text} {}", quoted(word)));
        Some(self.told(&text)).filter(|text| !text.trim().is_empty())
    }
}

/// `run: other`: another file, and the parameters it is given.
struct OtherDag {
    name: String,
    params: Vec<(String, String)>,
}

impl OtherDag {
    /// `None` when more is said about it than can be said here.
    fn of(value: &Value) -> Option<OtherDag> {
        let mut more = OTHER_BODIES.iter().filter(|key| !matches!(**key, "run" | "call"));
        let name = get(value, "run").or_else(|| get(value, "call")).and_then(foreign::word)?;
        let is_plain = !name.contains(['$', '`', ' ']) && !name.is_empty();
        let is_alone = more.all(|key| get(value, key).is_none());
        let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(&name);
        let params = get(value, "params").map_or(Some(Vec::new()), surroundings::named)?;
        (is_plain && is_alone).then(|| OtherDag { name: stem.to_owned(), params })
    }
}

/// `executor: shell` and `type: command` are what a step is anyhow.
fn is_command(value: &Value) -> bool {
    let kind = foreign::word(value).or_else(|| value.get("type").and_then(foreign::word));
    kind.is_some_and(|kind| matches!(kind.as_str(), "shell" | "command" | "sh" | "bash"))
}

/// `output: NAME`, or `{name: NAME}`.
fn output_name(value: &Value) -> Option<String> {
    let name = foreign::word(value).or_else(|| value.get("name").and_then(foreign::word))?;
    let name = name.trim_start_matches('$').to_owned();
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name)
}

fn is_shell(interpreter: &str) -> bool {
    let program = interpreter.split_whitespace().next().unwrap_or_default();
    matches!(program.rsplit('/').next(), Some("sh" | "bash" | "dash" | "zsh" | "ksh"))
}

/// `stdout` and `stderr` name files.
fn redirections(value: &Value) -> String {
    let file = |key: &str| get(value, key).and_then(foreign::word).filter(|file| !file.is_empty());
    let out = file("stdout").map(|file| format!(" >> \"{file}\"")).unwrap_or_default();
    out + &file("stderr").map(|file| format!(" 2>> \"{file}\"")).unwrap_or_default()
}

fn redirected(script: &str, to: &str) -> String {
    if to.is_empty() { script.to_owned() } else { format!("{{\n{script}\n}}{to}") }
}

/// The script as the standard input of its interpreter.
fn fed(interpreter: &str, script: &str, to: &str) -> String {
    format!("{interpreter} -{to} <<'NEAP_SCRIPT'\n{script}\nNEAP_SCRIPT")
}

fn foreign_text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
