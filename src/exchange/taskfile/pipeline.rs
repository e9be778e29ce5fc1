//! A task that calls others: a pipeline in which every call is a child, or several.

use super::super::Remark;
use super::super::foreign::{self, line_of};
use super::super::names::unique;
use super::super::refusal;
use super::super::yaml::Block;
use super::cmds::{self, Call, Cmd};
use super::vars::{Scope, Untold};
use super::{Book, name_of, required};
use serde_yaml::Value;

/// The children so far.
#[derive(Default)]
struct Dag {
    children: Vec<(String, Block)>,
    /// What was called already, with the same values, after the same children.
    seen: Vec<(Call, Vec<String>, Vec<String>)>,
    /// The tasks that are being called now, the outermost first.
    stack: Vec<String>,
    comments: Block,
}

impl Book<'_> {
    pub(super) fn pipeline(&mut self, name: &str, task: &Value, scope: &mut Scope) -> Block {
        let mut dag = Dag::default();
        self.expand(&mut dag, name, task, scope, Vec::new());
        let mut children = Block::default();
        dag.children.into_iter().for_each(|(id, child)| children.block(&id, child));
        let mut block = dag.comments;
        block.block("tasks", children);
        block
    }

    /// Adds what a task does behind these children; gives the children that end it.
    fn expand(
        &mut self,
        dag: &mut Dag,
        name: &str,
        task: &Value,
        scope: &mut Scope,
        after: Vec<String>,
    ) -> Vec<String> {
        if cmds::elsewhere(task).is_some() {
            let mut child = Block::default();
            child.text("run", "true");
            return dag.add(name, after, child);
        }
        dag.stack.push(name.to_owned());
        let mut ignored = Block::default();
        let deps = self.deps(name, task, &mut ignored);
        let mut ends = Vec::new();
        for call in &deps {
            ends.extend(self.call(dag, call, scope, after.clone()));
        }
        let mut after = if ends.is_empty() { after } else { ends };
        let all = cmds::of(task);
        if all.iter().any(|cmd| matches!(cmd, Cmd::Call(_))) {
            after = self.gate(dag, name, task, scope, after);
        }
        let mut from = 0;
        while from < all.len() {
            let count = all[from..].iter().take_while(|cmd| !matches!(cmd, Cmd::Call(_))).count();
            if let Cmd::Call(call) = &all[from] {
                after = self.call(dag, call, scope, after);
            } else {
                after = self.group(dag, name, task, &all[from..from + count], scope, after);
            }
            from += count.max(1);
        }
        if all.is_empty() && deps.is_empty() {
            after = self.group(dag, name, task, &[], scope, after);
        }
        dag.stack.pop();
        after
    }

    /// What must hold before the first of several children; and what cannot hold for all of them.
    fn gate(
        &mut self,
        dag: &mut Dag,
        name: &str,
        task: &Value,
        scope: &mut Scope,
        after: Vec<String>,
    ) -> Vec<String> {
        for key in ["sources", "generates", "status", "method"] {
            if let Some(value) = task.get(key) {
                let what = format!("{key}: {}", foreign::shown(value));
                let why = "a task that calls others always runs; those can say when they are up to date";
                self.untold(&mut dag.comments, &["tasks", name, key], what, why);
            }
        }
        if task.get("preconditions").is_none() {
            return after;
        }
        let mut child = Block::default();
        self.preconditions(name, task, scope, &mut child);
        child.text("run", "true");
        dag.add("preconditions", after, child)
    }

    /// Commands between two calls.
    fn group(
        &mut self,
        dag: &mut Dag,
        name: &str,
        task: &Value,
        cmds: &[Cmd],
        scope: &mut Scope,
        after: Vec<String>,
    ) -> Vec<String> {
        let wish = if dag.stack.len() == 1 { "run" } else { name };
        let mut child = Block::default();
        child.append(match cmds.len() == cmds::of(task).len() {
            true => self.leaf(name, task, cmds, &[], scope),
            false => self.job(name, task, cmds, scope),
        });
        dag.add(wish, after, child)
    }

    fn call(&mut self, dag: &mut Dag, call: &Call, caller: &mut Scope, after: Vec<String>) -> Vec<String> {
        if let Some((_, _, ends)) = dag.seen.iter().find(|(other, place, _)| other == call && *place == after)
        {
            return ends.clone();
        }
        let ends = match self.callee(dag, call, caller) {
            Ok((task, mut scope)) => {
                let ends = self.expand(dag, &call.task, &task, &mut scope, after.clone());
                for (name, default) in scope.params {
                    caller.params.entry(name).or_insert(default);
                }
                ends
            }
            Err(why) => {
                let root = dag.stack.first().cloned().unwrap_or_default();
                let mut child = Block::default();
                self.untold(&mut child, &["tasks", &root], format!("task: {}", call.task), why);
                child.text("shell", "sh -e");
                child.text("run", &refusal("a call"));
                dag.add(&call.task, after.clone(), child)
            }
        };
        dag.seen.push((call.clone(), after, ends.clone()));
        ends
    }

    /// The called task with what it sees.
    fn callee(&mut self, dag: &Dag, call: &Call, caller: &Scope) -> Result<(Value, Scope), Untold> {
        let task = self.tasks.get(call.task.as_str()).cloned().ok_or("this Taskfile has no such task")?;
        if dag.stack.contains(&call.task) {
            return Err("it calls itself".into());
        }
        let mut scope = self.global.of(&call.task);
        scope.params.clone_from(&caller.params);
        if let Some(vars) = task.get("vars") {
            // Another task may have a variable of the same name: this one stands with the child.
            let mut own = self.global.of(&call.task);
            own.declare(vars);
            if scope.hand(vars, &own).is_err() {
                scope.declare(vars);
            }
        }
        let handed = scope.hand(&call.vars, caller);
        handed.map_err(|piece| format!("`{piece}` is not known before the task runs"))?;
        for name in required(&task).iter().filter_map(name_of) {
            if scope.has(&name) {
                continue;
            }
            scope.require(&name);
            let why = format!("the task that calls `{}` must be given it as well", call.task);
            let line = line_of(self.text, &["tasks", &call.task, "requires"]);
            self.remarks.push(Remark::new(line, format!("requires: {name}"), why));
        }
        Ok((task, scope))
    }
}

impl Dag {
    fn add(&mut self, wish: &str, after: Vec<String>, body: Block) -> Vec<String> {
        let id = unique(wish, |id| self.children.iter().any(|(other, _)| other == id));
        let mut child = Block::default();
        if !after.is_empty() {
            child.texts("depends_on", &after);
        }
        child.append(body);
        self.children.push((id.clone(), child));
        vec![id]
    }
}
