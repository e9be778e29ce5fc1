//! `neap run`: one run, by the host that is up or by one of our own, shown until it has ended.

use super::args;
use super::error::{Failure, USAGE};
use super::follow::{Reach, Show, Signals, block_on, follow};
use super::output::{Output, print, whoami};
use super::project::Project;
use crate::base::RunId;
use crate::definition::{Action, Check, Leaf, Method, Over, Rule, Stdin, When, matrix_cells};
use crate::host::{RunRequest, definitions};
use crate::plan::{Node, Plan};
use serde_json::{Value, json};
use std::process::ExitCode;

pub(crate) fn run(project: &Project, args: args::Run, output: &Output) -> Result<ExitCode, Failure> {
    let request = request(&args)?;
    if args.dry_run {
        return dry_run(project, &request, output);
    }
    block_on(async {
        let mut signals = Signals::new()?;
        let slots = args.slots;
        if args.detach {
            let reach = Reach::up(project).await?;
            let run = reach.submit(request).await.map_err(wrong_task)?;
            return handed_over(&reach, run, output).await;
        }
        let reach = Reach::of(project, slots).await?;
        if slots.is_some() && matches!(reach, Reach::Up { .. }) {
            output.say("-j has no effect: the host that is up has its own slots");
        }
        let run = match reach.submit(request).await {
            Ok(run) => run,
            Err(failure) => {
                reach.close().await;
                return Err(wrong_task(failure));
            }
        };
        follow(reach, run, Show::from(args.output), &mut signals, output).await
    })
}

/// That there is no such task is bad usage, with and without a host.
fn wrong_task(failure: Failure) -> Failure {
    let code = if failure.code == super::error::FINDINGS { USAGE } else { failure.code };
    Failure { code, ..failure }
}

/// Says what was handed over to the host.
pub(crate) async fn handed_over(reach: &Reach, run: RunId, output: &Output) -> Result<ExitCode, Failure> {
    let info = reach.info(run).await?;
    if output.json {
        output.print_json(&info)?;
    } else {
        print(&format!("{} {}\n", info.name, info.id))?;
        let short = reach.short(run)?;
        output.say(&format!("the host has it: neap wait {short}, neap logs -f {short}, neap cancel {short}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn request(args: &args::Run) -> Result<RunRequest, Failure> {
    let mut request = RunRequest::new(&args.task, whoami());
    for word in args.params.iter().chain(&args.more_params) {
        let Some((name, value)) = word.split_once('=') else {
            return Err(Failure::usage(format!("`{word}` is not a parameter"))
                .hint(format!("write it as {word}=VALUE; a run has one task")));
        };
        if request.params.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Failure::usage(format!("the parameter `{name}` is given twice")));
        }
    }
    request.priority = args.priority.as_deref().map(priority).transpose()?;
    request.reason = args.reason.clone();
    request.force = args.force;
    Ok(request)
}

fn priority(word: &str) -> Result<i32, Failure> {
    let number = match word {
        "low" => Some(-10),
        "normal" => Some(0),
        "high" => Some(10),
        "urgent" => Some(50),
        word => word.parse().ok().filter(|number| (-100..=100).contains(number)),
    };
    number.ok_or_else(|| {
        Failure::usage(format!("`{word}` is not a priority"))
            .hint("write low, normal, high, urgent, or a number from -100 to 100")
    })
}

fn dry_run(project: &Project, request: &RunRequest, output: &Output) -> Result<ExitCode, Failure> {
    let definitions = definitions(&project.root);
    let plan = request.plan(&definitions.catalog)?;
    if output.json {
        output.print_json(&as_json(&plan))?;
    } else {
        print(&as_text(&plan))?;
        output.say("nothing was started");
    }
    Ok(ExitCode::SUCCESS)
}

/// The jobs in an order in which one slot would do them.
fn as_text(plan: &Plan) -> String {
    let mut text = format!("{}: {} jobs\n", plan.task, plan.nodes.len());
    for (name, value) in &plan.params {
        text += &format!("  {name}={}\n", word(value));
    }
    for (place, node) in plan.nodes.iter().enumerate() {
        let leaf = &node.leaf;
        text += &format!("\n{}. {}\n", place + 1, name(plan, place as u32));
        for line in action(leaf).lines() {
            text += &format!("     {}\n", super::output::clean(line));
        }
        text += &detail("needs", &needs(plan, node).join(", "));
        text += &detail("rule", &rule(leaf));
        text += &detail("if", leaf.condition.as_deref().unwrap_or_default());
        text += &detail("checks", &checks(leaf).join(", "));
        text += &detail("cells", &cells(leaf));
        text += &detail("stdin", &stdin(leaf));
        text += &detail("fresh", &freshness(leaf));
        text += &detail("in", leaf.working_dir.as_deref().unwrap_or_default());
        text += &detail("env", &leaf.env.keys().cloned().collect::<Vec<_>>().join(", "));
        text += &detail(
            "secrets",
            &leaf.secrets.iter().map(|secret| secret.name.as_str()).collect::<Vec<_>>().join(", "),
        );
        text += &detail("hooks", &hooks(leaf).join(", "));
        text += &detail("limits", &limits(leaf));
    }
    text
}

fn detail(what: &str, about: &str) -> String {
    if about.is_empty() { String::new() } else { format!("     {what:<7} {about}\n") }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn name(plan: &Plan, index: u32) -> &str {
    plan.nodes[index as usize].leaf.name.seen_from(&plan.task)
}

/// What it waits for; of what does not just have to succeed, also what must become of it.
fn needs(plan: &Plan, node: &Node) -> Vec<String> {
    let need = |(need, when): (u32, When)| match when {
        When::Succeeded => name(plan, need).to_owned(),
        when => format!("{} ({})", name(plan, need), word(&json!(when))),
    };
    node.edges().map(need).collect()
}

/// The rule over its dependencies, unless it is the usual one.
fn rule(leaf: &Leaf) -> String {
    match leaf.rule {
        Rule::AllSucceeded => String::new(),
        Rule::Join { min_succeeded, cancel_rest } => {
            let rest = if cancel_rest { ", the rest is stopped" } else { "" };
            format!("{min_succeeded} of them must succeed{rest}")
        }
        rule => word(&json!(rule)),
    }
}

fn checks(leaf: &Leaf) -> Vec<&str> {
    let texts = leaf.preconditions.iter().map(|precondition| match &precondition.check {
        Check::Run(text) | Check::Lua(text) => text.trim(),
    });
    texts.collect()
}

/// How many jobs it becomes, as far as that is known before it starts.
fn cells(leaf: &Leaf) -> String {
    let Some(spread) = &leaf.spread else { return String::new() };
    let count = match &spread.over {
        Over::Items { items: Value::Array(items), .. } => Some(items.len()),
        Over::Items { .. } => None,
        Over::Matrix { axes, include, exclude } => {
            matrix_cells(axes, include, exclude).ok().map(|cells| cells.len())
        }
    };
    let at_once = spread.max_parallel.map(|most| format!(", at most {most} at once")).unwrap_or_default();
    match count {
        Some(count) => format!("{count} jobs{at_once}"),
        None => format!("as many jobs as an expression gives{at_once}"),
    }
}

fn stdin(leaf: &Leaf) -> String {
    match &leaf.stdin {
        None => String::new(),
        Some(Stdin::Text { text }) => format!("a text of {} bytes", text.len()),
        Some(Stdin::File { path }) => path.clone(),
        Some(Stdin::Task { task, stream: true }) => format!("the output of {task}, as it comes"),
        Some(Stdin::Task { task, stream: false }) => format!("the output of {task}"),
    }
}

/// Why it would be skipped.
fn freshness(leaf: &Leaf) -> String {
    let Some(freshness) = &leaf.freshness else { return String::new() };
    let method = match freshness.method {
        Method::Checksum => "skipped while its sources are unchanged",
        Method::Timestamp => "skipped while what it generates is younger than its sources",
        Method::None => "skipped while what it generates is there",
    };
    if freshness.sources.is_empty() {
        "skipped while what it generates is there".to_owned()
    } else {
        method.to_owned()
    }
}

fn hooks(leaf: &Leaf) -> Vec<&str> {
    leaf.hooks.iter().map(|hook| hook.file.as_str()).collect()
}

fn limits(leaf: &Leaf) -> String {
    let timeout = leaf.timeout.map(|timeout| format!("timeout {timeout}"));
    let tries = (leaf.retry.attempts > 1).then(|| format!("{} tries", leaf.retry.attempts));
    [timeout, tries].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What a job runs, as its author wrote it.
fn action(leaf: &Leaf) -> String {
    match &leaf.action {
        Action::Run { script, .. } => format!("$ {}", script.trim_end().replace('\n', "\n  ")),
        Action::Exec { argv } => format!("exec {}", serde_json::to_string(argv).unwrap_or_default()),
        Action::Lua { text } => format!("lua {}", text.trim_end().replace('\n', "\n    ")),
        Action::Script { file } => format!("lua scripts/{file}"),
        Action::Call { function, .. } => format!("uses {function}"),
    }
}

fn as_json(plan: &Plan) -> Value {
    let job = |(place, node): (usize, &Node)| {
        json!({
            "name": name(plan, place as u32),
            "task": node.leaf.name,
            "action": node.leaf.action,
            "needs": needs(plan, node),
            "rule": node.leaf.rule,
            "if": node.leaf.condition,
            "preconditions": checks(&node.leaf),
            "cells": cells(&node.leaf),
            "stdin": node.leaf.stdin,
            "fresh": freshness(&node.leaf),
            "secrets": node.leaf.secrets.iter().map(|secret| &secret.name).collect::<Vec<_>>(),
            "working_dir": node.leaf.working_dir,
            "env": node.leaf.env.keys().collect::<Vec<_>>(),
            "hooks": hooks(&node.leaf),
            "timeout_ms": node.leaf.timeout,
            "attempts_max": node.leaf.retry.attempts,
        })
    };
    let jobs: Vec<Value> = plan.nodes.iter().enumerate().map(job).collect();
    json!({ "task": plan.task, "definition": plan.definition, "params": plan.params, "jobs": jobs })
}
