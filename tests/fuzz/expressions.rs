//! Texts with `${{ }}`: taken apart, made safe for a shell, compiled and evaluated.

use super::EVALUATED;
use super::kit::{ALLOWED, Campaign, Input, Rng, corpus, expression, mutated, processor_time, raw, script};
use neap::base::Moment;
use neap::definition::{
    Catalog, Piece, Registered, Settings, Source, Template, references, safe_script, shown,
};
use neap::lua::{EXPRESSION_FUNCTIONS, Evaluation, Limits, Scripts};
use neap::schedule::Zone;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A value that would be noticed if it came into a script.
const HOSTILE: &str = "'\"`$(touch hacked)\u{7}";

fn apart(text: &str, template: &Template) -> Result<(), String> {
    let mut done = 0;
    for piece in &template.pieces {
        match piece {
            Piece::Text(piece) => {
                if piece.is_empty() || text.get(done..done + piece.len()) != Some(piece) {
                    return Err(format!("{piece:?} does not stand at {done}"));
                }
                done += piece.len();
            }
            Piece::Expression(expression) => {
                let whole = text.get(expression.at.clone()).unwrap_or_default();
                if expression.at.start != done || !whole.starts_with("${{") || !whole.ends_with("}}") {
                    return Err(format!("{expression:?} does not stand at {done}"));
                }
                if expression.source.is_empty() || !whole.contains(&expression.source) {
                    return Err(format!("{expression:?} is not from {whole:?}"));
                }
                done = expression.at.end;
            }
        }
    }
    if done == text.len() { Ok(()) } else { Err(format!("nothing is said about what comes after {done}")) }
}

fn examine_template(input: &Input) -> Result<Duration, String> {
    let text = String::from_utf8_lossy(&input[0]);
    let begun = processor_time();
    let parsed = Template::parse(&text);
    let safe = parsed.as_ref().ok().map(safe_script);
    let read: Vec<_> =
        parsed.iter().flat_map(Template::expressions).map(|one| references(&one.source)).collect();
    let took = processor_time() - begun;
    let template = match parsed {
        Ok(template) => template,
        Err(error) if text.get(error.at.clone()).is_some_and(|part| part.starts_with("${{")) => {
            return Ok(took);
        }
        Err(error) => return Err(format!("{error} at {:?}", error.at)),
    };
    apart(&text, &template)?;
    for (expression, references) in template.expressions().zip(read) {
        let is_there = |at: &std::ops::Range<usize>| expression.source.get(at.clone()).is_some();
        if !references.iter().all(|reference| is_there(&reference.at)) {
            return Err(format!("{references:?} in {expression:?}"));
        }
    }
    let count = template.expressions().count();
    let values = vec![Value::from(HOSTILE); count];
    match safe.unwrap_or_else(|| Err(Vec::new())) {
        Ok(safe) => {
            let raw = template.expressions().filter(|expression| expression.is_raw).count();
            let found = safe.fill(&values).matches(HOSTILE).count();
            if found > raw + text.matches(HOSTILE).count() {
                return Err(format!("a value became code: {:?}", safe.fill(&values)));
            }
            if safe.environment(&values).iter().any(|(_, value)| *value != shown(&values[0])) {
                return Err("a variable holds something else".into());
            }
        }
        Err(troubles) => {
            let is_placed = troubles
                .iter()
                .all(|trouble| text.get(trouble.at.clone()).is_some() && trouble.index < count);
            if troubles.is_empty() || !is_placed {
                return Err(format!("{troubles:?}"));
            }
        }
    }
    Ok(took)
}

#[test]
fn every_text_with_expressions_is_answered() {
    let corpus = corpus();
    let make = |rng: &mut Rng| {
        let script = script(rng).into_bytes();
        vec![match rng.below(6) {
            0 => raw(rng),
            1 => {
                let texts = [script, rng.pick(&corpus).clone()];
                mutated(rng, &texts)
            }
            2 => mutated(rng, &[script]),
            _ => script,
        }]
    };
    Campaign { name: "templates", everyday: 4_000, share: 1, allowed: ALLOWED }.run(make, examine_template);
}

fn variables() -> serde_json::Map<String, Value> {
    let variables = json!({
        "params": { "a": "x y", "day": "2026-11-21", "list": [1, null, "b"] },
        "env": { "HOME": "/root" },
        "run": { "id": "abc", "date": "2026-11-21" },
        "task": { "name": "nightly" },
        "tasks": { "a": { "outputs": { "size": 42 } }, "dump": { "outputs": {} }, "my-dump": { "outcome": "skipped" } },
        "item": { "x": 1 },
        "matrix": { "os": "debian" },
        "outputs": { "x": "1" },
    });
    variables.as_object().unwrap().clone()
}

/// Scripts for one test, and what awaits them.
pub(super) struct Bench {
    pub(super) scripts: Scripts,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(|| Moment(1_795_251_600_000));
        let scripts = Scripts::open(folder.path().into(), Limits::default(), clock).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
        Bench { scripts, runtime, _folder: folder }
    }

    /// The value, or what is said instead of it.
    pub(super) fn value(&self, source: &str) -> Result<Value, String> {
        let request =
            Evaluation { label: "fuzz".into(), sources: vec![source.into()], variables: variables() };
        let answer = self.runtime.block_on(self.scripts.evaluate(request));
        answer.map(|mut values| values.remove(0)).map_err(|error| error.message)
    }

    /// It runs on another thread, so this is the time of a clock on the wall.
    fn examine(&self, input: &Input) -> Result<Duration, String> {
        let text = String::from_utf8_lossy(&input[0]);
        let begun = Instant::now();
        let problem = self.scripts.check_expression("expression", &text);
        let value = self.value(&text);
        let took = begun.elapsed();
        match (problem, value) {
            (Some(problem), Ok(value)) => Err(format!("{problem:?}, and its value is {value}")),
            (_, Err(message)) if message.is_empty() || message.contains(['\n', '\r']) => {
                Err(format!("{message:?} is not one line"))
            }
            // Where a table or a function lies in memory is another place each time.
            (None, Ok(value))
                if self.value(&text) != Ok(value.clone())
                    && !value.to_string().to_lowercase().contains("0x") =>
            {
                Err(format!("{value} at first, and then something else"))
            }
            (Some(_), Err(_)) | (None, Ok(_) | Err(_)) => Ok(took),
        }
    }
}

#[test]
fn every_expression_is_answered() {
    let bench = Bench::new();
    let known = EXPRESSION_FUNCTIONS.map(|function| function.example.as_bytes().to_vec());
    let make = |rng: &mut Rng| {
        vec![match rng.below(8) {
            0 => raw(rng),
            1 => mutated(rng, &known),
            2 => {
                let text = expression(rng).into_bytes();
                mutated(rng, &[text])
            }
            _ => expression(rng).into_bytes(),
        }]
    };
    let examine = |input: &Input| bench.examine(input);
    Campaign { name: "evaluations", everyday: 500, share: 20, allowed: EVALUATED }.run(make, examine);
    assert_eq!(
        bench.value("params.day .. #params.list"),
        Ok(json!("2026-11-213")),
        "the next one is not harmed"
    );
}

/// What is no Lua is a problem with a place in its file.
#[test]
fn an_expression_that_is_no_lua_has_a_place() {
    let bench = Bench::new();
    let make = |rng: &mut Rng| {
        let (one, two) = (expression(rng), script(rng).replace('\n', "\n  "));
        vec![format!("env: {{ A: {} }}\nrun: |\n  {two}\n", json!(format!("${{{{ {one} }}}}"))).into_bytes()]
    };
    let examine = |input: &Input| {
        let source = Source::from_bytes("tasks/a.yaml", &input[0]);
        let begun = processor_time();
        let catalog = Catalog::load([source], &Registered::default(), &Settings::new(Zone::utc()), None);
        let fault = |source: &str| Some(bench.scripts.check_expression("expression", source)?.message);
        let problems = catalog.bad_expressions(fault);
        let took = processor_time() - begun;
        for problem in catalog.problems().iter().chain(&problems) {
            let source = catalog.source(&problem.file).ok_or("no such file")?;
            if source.text.get(problem.span.clone()).is_none() || catalog.exhibits(problem).is_empty() {
                return Err(format!("{problem:#?}"));
            }
        }
        Ok(took)
    };
    Campaign { name: "expressions in files", everyday: 500, share: 5, allowed: ALLOWED }.run(make, examine);
}
