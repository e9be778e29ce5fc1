//! A Taskfile (version 3) to task files: one for each of its tasks.
//!
//! A task with plain commands becomes a leaf. One that calls other tasks between its commands becomes a pipeline in
//! which the called ones stand as children, because their order is part of what it means. A command that cannot be
//! translated fails with a message instead of being left out.

mod cmds;
mod job;
mod pipeline;
mod template;
mod vars;

use super::foreign::{self, NotReadable, entries, line_of};
use super::names::Names;
use super::yaml::Block;
use super::{Imported, NewFile, Remark};
use cmds::{Call, Cmd};
use serde_yaml::Value;
use std::collections::BTreeMap;
use vars::Scope;

/// Makes a task file of every task; `file` is what the Taskfile is called, `folder` where the new files go.
///
/// # Errors
/// [`NotReadable`] when it is no YAML, or has no `tasks`.
pub fn taskfile(text: &str, file: &str, folder: &str) -> Result<Imported, NotReadable> {
    let root = foreign::read(text)?;
    let Some(tasks) = root.get("tasks").filter(|tasks| tasks.is_mapping()) else {
        return Err(NotReadable::Shape {
            line: line_of(text, &["tasks"]),
            expected: "a Taskfile has `tasks`",
        });
    };
    let mut names = Names::below(folder);
    let named = |(name, _): (String, &Value)| {
        let ours = names.take(&name.replace(':', "/"));
        (name, ours)
    };
    let names = entries(tasks).map(named).collect();
    let mut global = Scope::default();
    if let Some(vars) = root.get("vars") {
        global.declare(vars);
    }
    let mut book = Book { text, file, root: &root, tasks, names, global, remarks: Vec::new() };
    Ok(book.import())
}

/// The whole Taskfile while it is read.
struct Book<'f> {
    text: &'f str,
    file: &'f str,
    root: &'f Value,
    tasks: &'f Value,
    /// Its tasks by name, each with our name.
    names: BTreeMap<String, String>,
    global: Scope,
    remarks: Vec<Remark>,
}

/// Keys of the whole file that are looked at elsewhere, or that mean nothing here.
const KNOWN: [&str; 8] = ["version", "tasks", "vars", "env", "dotenv", "silent", "method", "set"];
/// Keys of a task that are looked at elsewhere.
const TASK: [&str; 18] = [
    "cmds",
    "cmd",
    "deps",
    "desc",
    "summary",
    "dir",
    "env",
    "dotenv",
    "vars",
    "sources",
    "generates",
    "method",
    "status",
    "preconditions",
    "silent",
    "ignore_error",
    "requires",
    "platforms",
];

impl<'f> Book<'f> {
    fn import(&mut self) -> Imported {
        let mut head = Block::default();
        let (root, tasks) = (self.root, self.tasks);
        for (key, value) in entries(root).filter(|(key, _)| !KNOWN.contains(&key.as_str())) {
            let why = why_not(&key);
            self.untold(&mut head, &[&key], format!("{key}: {}", foreign::shown(value)), why);
        }
        self.unused_variables(&mut head);
        let mut files = Vec::new();
        for (name, task) in entries(tasks) {
            files.extend(self.task(&name, task, std::mem::take(&mut head)));
        }
        self.remarks.sort();
        self.remarks.dedup();
        Imported { files, remarks: std::mem::take(&mut self.remarks) }
    }

    /// What is not said is kept: as a comment where it belongs, and as a remark.
    fn untold(&mut self, block: &mut Block, path: &[&str], what: impl Into<String>, why: impl Into<String>) {
        let remark = Remark::new(line_of(self.text, path), what, why);
        block.comment(remark.comment());
        self.remarks.push(remark);
    }

    /// A variable that no task names would be lost.
    fn unused_variables(&mut self, head: &mut Block) {
        let Some(vars) = self.root.get("vars") else { return };
        for (name, value) in entries(vars) {
            let is_used = self.text.matches(name.as_str()).count() > 1;
            if !is_used {
                let what = format!("vars.{name}: {}", foreign::shown(value));
                self.untold(head, &["vars", &name], what, "no command names it");
            }
        }
    }

    fn task(&mut self, name: &str, task: &Value, head: Block) -> Option<NewFile> {
        let line = line_of(self.text, &["tasks", name]);
        if name.contains('*') {
            let why = "a name with `*` stands for many tasks; write a parameter instead";
            self.remarks.push(Remark::new(line, format!("task {name}"), why));
            return None;
        }
        let mut block = Block::default();
        block.comment(format!("Imported from {}, line {line}: task {name}", self.file));
        block.append(head);
        let about = ["desc", "summary"].map(|key| task.get(key).and_then(foreign::word));
        match about {
            [Some(desc), summary] => {
                block.text("description", desc.trim_end());
                summary.iter().for_each(|text| block.comment(format!("summary: {}", text.trim_end())));
            }
            [None, Some(summary)] => block.text("description", summary.trim_end()),
            [None, None] => {}
        }
        self.odd_keys(name, task, &mut block);
        if cmds::elsewhere(task).is_some() {
            block.text("run", "true");
            return Some(NewFile {
                name: self.names[name].clone(),
                line,
                schedules: Vec::new(),
                text: block.render(),
            });
        }
        let mut scope = self.global.of(name);
        self.declare(task, &mut scope, &mut block, name);
        let cmds = cmds::of(task);
        let deps = self.deps(name, task, &mut block);
        let is_pipeline = cmds.iter().any(|cmd| matches!(cmd, Cmd::Call(_)))
            || deps.iter().any(|call| !call.vars.is_null());
        let body = match is_pipeline {
            true => self.pipeline(name, task, &mut scope),
            false => self.leaf(name, task, &cmds, &deps, &mut scope),
        };
        block.block("params", scope.declaration());
        block.append(body);
        let name = self.names[name].clone();
        Some(NewFile { name, line, schedules: Vec::new(), text: block.render() })
    }

    /// The variables of a task and those it must be given.
    fn declare(&mut self, task: &Value, scope: &mut Scope, block: &mut Block, name: &str) {
        if let Some(vars) = task.get("vars") {
            scope.declare(vars);
        }
        for item in required(task) {
            if let Some(own) = name_of(item) {
                scope.require(&own);
            }
            if item.is_mapping() {
                let why =
                    "the variable must be given; its values are not limited here: see `enum` of a parameter";
                self.untold(block, &["tasks", name, "requires"], foreign::shown(item), why);
            }
        }
    }

    fn odd_keys(&mut self, name: &str, task: &Value, block: &mut Block) {
        for (key, value) in entries(task).filter(|(key, _)| !TASK.contains(&key.as_str())) {
            let what = format!("{key}: {}", foreign::shown(value));
            self.untold(block, &["tasks", name, &key], what, why_not(&key));
        }
        if let Some(platforms) = cmds::elsewhere(task) {
            let what = format!("platforms: {}", platforms.join(", "));
            self.untold(
                block,
                &["tasks", name, "platforms"],
                what,
                "neap runs on Linux; the task does nothing",
            );
        }
    }

    /// The tasks it needs, those that are there.
    fn deps(&mut self, name: &str, task: &Value, block: &mut Block) -> Vec<Call> {
        let mut calls = Vec::new();
        for (index, item) in task.get("deps").map_or(&[][..], foreign::list).iter().enumerate() {
            match Call::read(item)
                .filter(|call| self.names.contains_key(&call.task) && item.get("for").is_none())
            {
                Some(call) => calls.push(call),
                None => {
                    let path = ["tasks", name, "deps", &format!("#{index}")];
                    let why = "this Taskfile has no such task, or it stands for several";
                    self.untold(block, &path, format!("deps: {}", foreign::shown(item)), why);
                }
            }
        }
        calls
    }
}

/// The variables that a task must be given, as they are written.
fn required(task: &Value) -> &[Value] {
    task.get("requires").and_then(|requires| requires.get("vars")).map_or(&[][..], foreign::list)
}

/// The name of such a variable.
fn name_of(item: &Value) -> Option<String> {
    foreign::word(item).or_else(|| item.get("name").and_then(foreign::word))
}

/// Why a key has no equal, and what to do.
fn why_not(key: &str) -> &'static str {
    match key {
        "includes" => "import the other Taskfile by itself, with `--into` for its namespace",
        "aliases" => "a task has one name",
        "internal" => "every task can be run",
        "prompt" => "nobody is asked: the task starts at once",
        "run" => "a task runs once in a run",
        "watch" => "neap does not run a task when files change",
        "interval" | "output" | "label" | "prefix" => {
            "it is about what Taskfile shows, or how often it looks"
        }
        "interactive" => "a job has no terminal",
        "shopt" => "write `shopt` into the command",
        "if" => "a condition is Lua here; test it in the command",
        _ => "the task language has no such key",
    }
}
