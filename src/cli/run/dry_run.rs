//! `neap run --dry-run`: what would run, in which order and why not, without starting anything.

use crate::api::Client;
use crate::cli::error::Failure;
use crate::cli::follow::block_on;
use crate::cli::gist::{action, cells, rule, word};
use crate::cli::output::{Output, clean, print};
use crate::cli::project::Project;
use crate::definition::{Check, Leaf, Method, Stdin, When};
use crate::host::{Definitions, Prospect, RunRequest, Whose, conditions_now, definitions, fresh_now};
use crate::plan::{Node, Plan};
use crate::store::History;
use serde_json::{Value, json};
use std::process::ExitCode;

pub(super) fn dry_run(project: &Project, request: &RunRequest, output: &Output) -> Result<ExitCode, Failure> {
    let definitions = definitions(&project.root);
    definitions.refuse_bad_settings()?;
    let plan = request.plan(&definitions.catalog)?;
    let history = History::open_or_empty(&project.state_dir)?;
    let prospects = prospects(project, &definitions, request, &plan)?;
    let fresh = |node: &Node| match fresh_now(&project.root, &history, node) {
        Ok(Some(reason)) if !request.force => format!("nothing to do now: {reason}"),
        Ok(_) => freshness(&node.leaf),
        Err(problem) => problem,
    };
    let found = Found { fresh: plan.nodes.iter().map(fresh).collect(), prospects };
    if output.json {
        output.print_json(&as_json(&plan, &found))?;
    } else {
        print(&as_text(&plan, &found))?;
        output.say("nothing was started");
    }
    Ok(ExitCode::SUCCESS)
}

/// What was found out about the jobs, in the order of the plan.
struct Found {
    fresh: Vec<String>,
    prospects: Vec<Option<Prospect>>,
}

/// What becomes of the conditions. A run is handed to the host that is up, so then its environment counts.
fn prospects(
    project: &Project,
    definitions: &Definitions,
    request: &RunRequest,
    plan: &Plan,
) -> Result<Vec<Option<Prospect>>, Failure> {
    // Without a condition there is nothing to ask, and no thread to start.
    if plan.nodes.iter().all(|node| node.leaf.condition.is_none()) {
        return Ok(vec![None; plan.nodes.len()]);
    }
    block_on(async {
        let is_up = Client::new(&project.state_dir).is_up().await;
        let whose = if is_up { Whose::Hosts } else { Whose::Ours };
        Ok(conditions_now(&project.root, &definitions.settings, request, plan, whose).await)
    })
}

/// The jobs in an order in which one slot would do them.
fn as_text(plan: &Plan, found: &Found) -> String {
    let mut text = format!("{}: {} jobs\n", plan.task, plan.nodes.len());
    for (name, value) in &plan.params {
        text += &format!("  {name}={}\n", word(value));
    }
    for (place, node) in plan.nodes.iter().enumerate() {
        let leaf = &node.leaf;
        text += &format!("\n{}. {}\n", place + 1, name(plan, place as u32));
        for line in action(leaf).lines() {
            text += &format!("     {}\n", clean(line));
        }
        text += &detail("needs", &needs(plan, node).join(", "));
        text += &detail("rule", &rule(leaf));
        text += &detail("if", &condition(leaf, found.prospects[place].as_ref()));
        text += &detail("checks", &checks(leaf).join(", "));
        text += &detail("cells", &cells(leaf));
        text += &detail("stdin", &stdin(leaf));
        text += &detail("fresh", &found.fresh[place]);
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

/// The condition, and what becomes of it.
fn condition(leaf: &Leaf, prospect: Option<&Prospect>) -> String {
    let (Some(text), Some(prospect)) = (&leaf.condition, prospect) else { return String::new() };
    let becomes = match prospect {
        Prospect::Holds => "yes",
        Prospect::Skips => "no: it would be skipped",
        Prospect::Open(why) => why,
        Prospect::Fails(why) => &format!("it would fail: {why}"),
    };
    format!("{} -> {becomes}", text.trim())
}

fn condition_json(leaf: &Leaf, prospect: Option<&Prospect>) -> Value {
    let (Some(text), Some(prospect)) = (&leaf.condition, prospect) else { return Value::Null };
    let (holds, why_unknown, error) = match prospect {
        Prospect::Holds => (Some(true), None, None),
        Prospect::Skips => (Some(false), None, None),
        Prospect::Open(why) => (None, Some(why), None),
        Prospect::Fails(why) => (None, None, Some(why)),
    };
    json!({ "text": text, "holds": holds, "why_unknown": why_unknown, "error": error })
}

fn checks(leaf: &Leaf) -> Vec<&str> {
    let texts = leaf.preconditions.iter().map(|precondition| match &precondition.check {
        Check::Run(text) | Check::Lua(text) => text.trim(),
    });
    texts.collect()
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

/// When it would be skipped.
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

fn as_json(plan: &Plan, found: &Found) -> Value {
    let job = |(place, node): (usize, &Node)| {
        json!({
            "name": name(plan, place as u32),
            "task": node.leaf.name,
            "action": node.leaf.action,
            "needs": needs(plan, node),
            "rule": node.leaf.rule,
            "if": node.leaf.condition,
            "condition": condition_json(&node.leaf, found.prospects[place].as_ref()),
            "preconditions": checks(&node.leaf),
            "cells": cells(&node.leaf),
            "stdin": node.leaf.stdin,
            "fresh": found.fresh[place],
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
