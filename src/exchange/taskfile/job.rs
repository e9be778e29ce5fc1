//! One job: commands that follow each other in one shell, with everything they are given.

use super::super::Remark;
use super::super::foreign::{self, entries, line_of};
use super::super::refusal;
use super::super::yaml::{Block, short};
use super::Book;
use super::cmds::{Call, Cmd, needs_bash, needs_own_shell};
use super::vars::Scope;
use serde_yaml::Value;

impl Book<'_> {
    /// A task with plain commands; what it needs are tasks of their own.
    pub(super) fn leaf(
        &mut self,
        name: &str,
        task: &Value,
        cmds: &[Cmd],
        deps: &[Call],
        scope: &mut Scope,
    ) -> Block {
        let mut block = Block::default();
        let needs: Vec<String> = deps.iter().map(|call| self.names[&call.task].clone()).collect();
        if !needs.is_empty() {
            block.texts("depends_on", &needs);
        }
        self.freshness(name, task, scope, &mut block);
        self.preconditions(name, task, scope, &mut block);
        block.append(self.job(name, task, cmds, scope));
        block
    }

    /// Where the commands run, with what, and the commands.
    pub(super) fn job(&mut self, name: &str, task: &Value, cmds: &[Cmd], scope: &mut Scope) -> Block {
        let mut block = Block::default();
        if let Some(dir) = task.get("dir").and_then(foreign::word) {
            match scope.plain(&dir) {
                Ok(dir) if !dir.is_empty() => block.text("working_dir", &dir),
                Ok(_) => {}
                Err(piece) => {
                    self.untold_piece(&mut block, &["tasks", name, "dir"], format!("dir: {dir}"), &piece)
                }
            }
        }
        self.dotenv(name, task, scope, &mut block);
        let mut script = Script::default();
        for (index, cmd) in cmds.iter().enumerate() {
            self.command(name, index, cmd, scope, &mut script);
        }
        if task.get("ignore_error").and_then(Value::as_bool) == Some(true) {
            block.plain("continue_on_error", true);
        }
        let mut env = self.env(name, task, scope, &mut script);
        match scope.take_used() {
            Ok((lines, handed)) => {
                lines.into_iter().rev().for_each(|line| script.lines.insert(0, line));
                handed.iter().for_each(|(name, value)| env.text(name, value));
            }
            Err(piece) => {
                self.untold_piece(&mut block, &["tasks", name], format!("variables of {name}"), &piece);
                script.lines.insert(0, refusal("a variable"));
            }
        }
        block.block("env", env);
        script.finish(&self.shell(cmds), &mut block);
        block
    }

    fn untold_piece(&mut self, block: &mut Block, path: &[&str], what: String, piece: &str) {
        let why = format!("`{piece}` has no equal here");
        self.untold(block, path, what, why);
    }

    fn command(&mut self, name: &str, index: usize, cmd: &Cmd, scope: &mut Scope, script: &mut Script) {
        let told = match cmd {
            Cmd::Run { text, ignores_error } => scope
                .shell(text)
                .map(|text| script.push(&text, *ignores_error))
                .map_err(|piece| (text, piece)),
            Cmd::Each { words, text } => scope
                .shell(&text.replace("{{.ITEM}}", "${ITEM}").replace("{{ .ITEM }}", "${ITEM}"))
                .map(|text| script.each(words, &text))
                .map_err(|piece| (text, piece)),
            Cmd::Defer(text) => {
                scope.shell(text).map(|text| script.deferred.insert(0, text)).map_err(|piece| (text, piece))
            }
            Cmd::Elsewhere(what) => {
                self.note(name, index, what, "it is not meant for Linux", script);
                Ok(())
            }
            Cmd::Untold(what, why) => {
                self.note(name, index, what, why, script);
                script.lines.push(refusal("a command"));
                Ok(())
            }
            Cmd::Call(call) => {
                self.note(name, index, &call.task, "a task is called here", script);
                script.lines.push(refusal("a call"));
                Ok(())
            }
        };
        if let Err((text, piece)) = told {
            self.note(name, index, text, &format!("`{piece}` has no equal here"), script);
            script.lines.push(refusal("a command"));
        }
    }

    /// A comment inside the script, and the remark.
    fn note(&mut self, name: &str, index: usize, what: &str, why: &str, script: &mut Script) {
        let mut ignored = Block::default();
        self.untold(&mut ignored, &["tasks", name, "cmds", &format!("#{index}")], what, why);
        let text = format!("not translated: {what} — {why}").replace("${{", "$ {{");
        script.lines.extend(text.lines().map(|line| format!("# {line}")));
    }

    /// Variables of the environment: the file's, then the task's. What a command prints is asked by the script.
    fn env(&mut self, name: &str, task: &Value, scope: &mut Scope, script: &mut Script) -> Block {
        let mut env = Block::default();
        let own = task.get("env").map_or(Vec::new(), |env| entries(env).collect());
        let above = self.root.get("env").map_or(Vec::new(), |env| entries(env).collect());
        let above = above.into_iter().filter(|(key, _)| own.iter().all(|(other, _)| other != key));
        for (key, value) in above.chain(own.iter().cloned()).collect::<Vec<_>>() {
            let path = ["tasks", name, "env", &key];
            if let Some(command) = value.get("sh").and_then(foreign::word) {
                match scope.shell(&command) {
                    Ok(command) => script.lines.insert(0, format!("export {key}=\"$({command})\"")),
                    Err(piece) => self.untold_piece(&mut env, &path, format!("env.{key}: {command}"), &piece),
                }
                continue;
            }
            match foreign::word(value).map(|text| scope.plain(&text)) {
                Some(Ok(text)) if super::template::is_identifier(&key) && !text.contains("${{") => {
                    env.text(&key, &text)
                }
                _ => {
                    let what = format!("env.{key}: {}", foreign::shown(value));
                    self.untold(&mut env, &path, what, "its value is not known before the task runs");
                }
            }
        }
        env
    }

    fn dotenv(&mut self, name: &str, task: &Value, scope: &Scope, block: &mut Block) {
        let own = task.get("dotenv");
        let path: &[&str] = if own.is_some() { &["tasks", name, "dotenv"] } else { &["dotenv"] };
        let mut files = Vec::new();
        for item in own.or_else(|| self.root.get("dotenv")).map_or(&[][..], foreign::list) {
            match foreign::word(item).map(|file| scope.plain(&file)) {
                Some(Ok(file)) => files.push(file),
                Some(Err(piece)) => {
                    self.untold_piece(block, path, format!("dotenv: {}", foreign::shown(item)), &piece);
                }
                None => {
                    self.untold(block, path, format!("dotenv: {}", foreign::shown(item)), "this is no file")
                }
            }
        }
        for file in &files {
            let why = "the file must be there when the task runs; there one that is missing is passed over";
            self.remarks.push(Remark::new(line_of(self.text, path), format!("dotenv: {file}"), why));
        }
        // There the first file that has a variable wins, here the last one.
        files.reverse();
        if !files.is_empty() {
            block.texts("dotenv", &files);
        }
    }

    /// Keys that say when there is nothing to do.
    fn freshness(&mut self, name: &str, task: &Value, scope: &mut Scope, block: &mut Block) {
        for key in ["sources", "generates", "status"] {
            let Some(value) = task.get(key) else { continue };
            let texts = foreign::words(value).unwrap_or_default();
            let told = texts.iter().map(|text| match key {
                "status" => scope.shell(text),
                _ => scope.plain(text),
            });
            match told.collect::<Result<Vec<_>, _>>() {
                Ok(texts) if !texts.is_empty() && texts.iter().all(|text| !text.trim().is_empty()) => {
                    block.texts(key, &texts);
                }
                _ => {
                    let why = "a list of plain texts is understood here; the task would always run";
                    self.untold(
                        block,
                        &["tasks", name, key],
                        format!("{key}: {}", foreign::shown(value)),
                        why,
                    );
                }
            }
        }
        let method = task.get("method").or_else(|| self.root.get("method")).and_then(foreign::word);
        if let Some(method) = method.filter(|_| task.get("sources").is_some()) {
            block.text("method", &method);
        }
    }

    pub(super) fn preconditions(&mut self, name: &str, task: &Value, scope: &mut Scope, block: &mut Block) {
        let mut items = Vec::new();
        for (index, item) in task.get("preconditions").map_or(&[][..], foreign::list).iter().enumerate() {
            let test = foreign::word(item).or_else(|| item.get("sh").and_then(foreign::word));
            let message =
                item.get("msg").and_then(foreign::word).map(|text| scope.plain(&text).unwrap_or(text));
            match test.map(|test| scope.shell(&test)) {
                Some(Ok(test)) => {
                    let message = message.map(|text| ("message", text));
                    items.push(short(
                        &[Some(("run", test)), message].into_iter().flatten().collect::<Vec<_>>(),
                    ));
                }
                Some(Err(_)) | None => {
                    let path = ["tasks", name, "preconditions", &format!("#{index}")];
                    let what = format!("preconditions: {}", foreign::shown(item));
                    self.untold(block, &path, what, "this is no test of a shell");
                }
            }
        }
        if !items.is_empty() {
            block.shorts("preconditions", &items);
        }
    }

    /// Taskfile's own shell is like bash and stops at the first failing command, but knows unset variables as empty.
    fn shell(&self, cmds: &[Cmd]) -> String {
        let text = |cmd: &Cmd| match cmd {
            Cmd::Run { text, .. } | Cmd::Each { text, .. } => needs_bash(text),
            Cmd::Call(_) | Cmd::Defer(_) | Cmd::Elsewhere(_) | Cmd::Untold(..) => false,
        };
        let options = self.root.get("set").and_then(foreign::words).unwrap_or_default();
        let options: String = options
            .iter()
            .map(|option| match option.len() {
                1 => format!(" -{option}"),
                _ => format!(" -o {option}"),
            })
            .collect();
        match cmds.iter().any(text) || !options.is_empty() {
            true => format!("bash -e{options}"),
            false => "sh -e".into(),
        }
    }
}

/// A script while it is put together.
#[derive(Default)]
struct Script {
    lines: Vec<String>,
    deferred: Vec<String>,
}

impl Script {
    fn push(&mut self, text: &str, ignores_error: bool) {
        let text = text.trim_end();
        self.lines.push(match (ignores_error, text.contains('\n')) {
            (true, false) => format!("( {text} ) || true"),
            (true, true) => format!("(\n{text}\n) || true"),
            (false, _) => text.to_owned(),
        });
    }

    fn each(&mut self, words: &[String], text: &str) {
        let quoted: Vec<String> =
            words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        self.lines.push(format!("for ITEM in {}; do\n  {}\ndone", quoted.join(" "), text.trim_end()));
    }

    fn finish(mut self, shell: &str, block: &mut Block) {
        self.lines.retain(|line| !line.trim().is_empty());
        self.deferred.retain(|line| !line.trim().is_empty());
        if self.lines.is_empty() {
            self.lines.push("true".into());
        }
        let is_plain = self.lines.len() == 1 && crate::definition::words(&self.lines[0]).is_some();
        if !is_plain {
            block.text("shell", shell);
        }
        let last = self.lines.len() - 1;
        let line = |(index, line): (usize, &String)| match index < last
            && needs_own_shell(line)
            && !is_fixed(line)
        {
            true if line.contains('\n') => format!("(\n{line}\n)"),
            true => format!("( {line} )"),
            false => line.clone(),
        };
        let lines: Vec<String> = self.lines.iter().enumerate().map(line).collect();
        match lines.as_slice() {
            [line] => block.text("run", line),
            lines => block.text("run", &(lines.join("\n") + "\n")),
        }
        if !self.deferred.is_empty() {
            block.texts("cleanup", &self.deferred);
        }
    }
}

/// Lines of our own, and those that were put into brackets already.
fn is_fixed(line: &str) -> bool {
    let is_own =
        line.starts_with(['#', '(']) || line.starts_with("for ITEM ") || line.starts_with("echo 'neap: ");
    let is_value = line.starts_with("export ")
        || line.split_once("=\"$(").is_some_and(|(name, _)| super::template::is_identifier(name));
    is_own || is_value
}
