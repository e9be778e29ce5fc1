//! Documents that grow from the schema of a file: mostly right, and here and there of a wrong shape.

use super::Rng;
use super::emit::{Tree, emit};
use super::expressions::{expression, script};
use serde_json::Value;

/// Grows documents.
pub(crate) struct Documents {
    schema: Value,
    /// Values that stand behind a key somewhere in the corpus.
    seen: Vec<String>,
}

/// Few, so that one place of a document often names another.
const NAMES: [&str; 12] = ["a", "b", "c", "dump", "check", "x-y", "os", "A", "PATH", "day", "ops/a", "ä"];

const VALUES: [&str; 44] = [
    "",
    "~",
    "null",
    "true",
    "no",
    "0",
    "1",
    "-1",
    "3",
    "100",
    "1.5",
    "1e3",
    "007",
    "0x10",
    "1_000",
    ".inf",
    "5m",
    "1h30m",
    "0s",
    "90 days",
    "2026-11-21",
    "2026-02-30T25:00",
    "0 3 * * *",
    "*/5 * * * *",
    "@daily",
    "61 * * * *",
    "every 5m",
    "Europe/Berlin",
    "Europe/Berln",
    "make",
    "echo hello",
    "ls *.txt | wc",
    "a,b",
    "HUP",
    "SIGTERM",
    "task:a",
    "http",
    "a.lua",
    "../a",
    "/etc/passwd",
    "out/*.gz",
    "a b",
    "succeeded",
    "a: b",
];

impl Documents {
    pub(crate) fn new(schema: Value, corpus: &[Vec<u8>]) -> Documents {
        let texts = corpus.iter().filter_map(|bytes| std::str::from_utf8(bytes).ok());
        let values =
            texts.flat_map(str::lines).filter_map(|line| Some(line.split_once(": ")?.1.trim().to_owned()));
        let mut seen: Vec<String> = values.filter(|value| value.len() < 80).collect();
        seen.sort();
        seen.dedup();
        Documents { schema, seen }
    }

    /// A document.
    pub(crate) fn document(&self, rng: &mut Rng) -> String {
        let tree = self.node(rng, &self.schema, 0);
        emit(rng, &tree)
    }

    fn node(&self, rng: &mut Rng, schema: &Value, depth: usize) -> Tree {
        if rng.one_in(40) || depth > 9 {
            return self.anything(rng, depth);
        }
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/definitions/"));
        if let Some(name) = name {
            return self.node(rng, &self.schema["definitions"][name], depth);
        }
        if let Some(example) = schema["examples"][0].as_str().filter(|_| rng.one_in(3)) {
            return Tree::text(example);
        }
        if let Some(words) = schema["enum"].as_array() {
            return scalar(rng.pick(words));
        }
        if let Some(choices) =
            schema["anyOf"].as_array().filter(|choices| choices[0].get("required").is_none())
        {
            let choice = rng.pick(choices);
            return self.node(rng, choice, depth);
        }
        if schema.get("properties").is_some() || schema.get("additionalProperties").is_some() {
            return self.mapping(rng, schema, depth);
        }
        match kind(rng, schema) {
            "object" => self.mapping(rng, schema, depth),
            "array" => {
                let count = rng.below(4);
                Tree::List((0..count).map(|_| self.node(rng, &schema["items"], depth + 1)).collect())
            }
            "null" => Tree::text(""),
            "boolean" => Tree::text(rng.word(&["true", "false", "yes"])),
            "integer" | "number" => {
                Tree::text(rng.word(&["0", "1", "2", "10", "137", "3600", "-1", "0.5", "1e2"]))
            }
            "string" => self.text(rng),
            _ => self.anything(rng, depth),
        }
    }

    fn mapping(&self, rng: &mut Rng, schema: &Value, depth: usize) -> Tree {
        let mut entries = Vec::new();
        if let Some(properties) = schema["properties"].as_object() {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let mut keys: Vec<&str> = required.collect();
            let all: Vec<&String> = properties.keys().collect();
            // Bodies come first, or most documents would have none.
            if depth == 0 || rng.one_in(2) {
                keys.extend(
                    ["run", "tasks", "steps", "uses", "exec"]
                        .iter()
                        .filter(|key| properties.contains_key(**key) && rng.one_in(3)),
                );
            }
            let most = if depth < 2 { 6 } else { 4 };
            keys.extend(
                (0..rng.below(most))
                    .filter(|_| !all.is_empty())
                    .map(|_| rng.pick(&all).as_str())
                    .collect::<Vec<_>>(),
            );
            for key in keys {
                let is_there = entries.iter().any(|(other, _)| other == key);
                if !is_there || rng.one_in(20) {
                    entries.push((key.to_owned(), self.node(rng, &properties[key], depth + 1)));
                }
            }
        }
        let rest = &schema["additionalProperties"];
        if rest.is_object() || rng.one_in(30) {
            for _ in 0..rng.below(4) {
                entries.push((rng.word(&NAMES).to_owned(), self.node(rng, rest, depth + 1)));
            }
        }
        Tree::Map(entries)
    }

    fn text(&self, rng: &mut Rng) -> Tree {
        match rng.below(8) {
            0 => Tree::Text(script(rng)),
            1 => Tree::Text(format!("${{{{ {} }}}}", expression(rng))),
            2 => Tree::Text(expression(rng)),
            3 => Tree::text(rng.word(&VALUES)),
            4 | 5 => Tree::text(rng.word(&NAMES)),
            _ => Tree::Text(rng.pick(&self.seen).clone()),
        }
    }

    fn anything(&self, rng: &mut Rng, depth: usize) -> Tree {
        let few = if depth > 9 { 1 } else { 4 };
        match rng.below(6) {
            0 => Tree::List((0..rng.below(few)).map(|_| self.anything(rng, depth + 1)).collect()),
            1 => Tree::Map(
                (0..rng.below(few))
                    .map(|_| (rng.word(&NAMES).to_owned(), self.anything(rng, depth + 1)))
                    .collect(),
            ),
            _ => self.text(rng),
        }
    }
}

fn scalar(value: &Value) -> Tree {
    value.as_str().map_or_else(|| Tree::Text(value.to_string()), Tree::text)
}

/// One of the types that a schema allows.
fn kind<'s>(rng: &mut Rng, schema: &'s Value) -> &'s str {
    let listed = |value: &'s Value| -> Vec<&'s str> {
        match value {
            Value::String(one) => vec![one],
            other => other.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        }
    };
    let not = listed(&schema["not"]["type"]);
    let kinds = match listed(&schema["type"]) {
        empty if empty.is_empty() && !not.is_empty() => {
            let all = ["string", "number", "boolean", "array", "object", "null"];
            all.into_iter().filter(|kind| !not.contains(kind)).collect()
        }
        found => found,
    };
    if kinds.is_empty() { "" } else { kinds[rng.below(kinds.len())] }
}
