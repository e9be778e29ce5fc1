//! The texts of a leaf that may hold expressions: found when a file is read, filled in when a job becomes ready.

use super::fields::opens_expression;
use super::freshness::Freshness;
use super::gate::Check;
use super::stdin::Stdin;
use super::task::{Action, Cleanup, Leaf};
use serde_json::Value;

/// What a text of a leaf is, which decides how a value is put into it.
#[derive(Debug)]
pub enum TextMut<'l> {
    /// Text for this shell. A value must arrive as one word and never as code.
    Script(&'l mut String, &'l [String]),
    /// The words of a program. A word that is one expression with a list becomes several.
    Words(&'l mut Vec<String>),
    /// Plain text.
    Plain(&'l mut String),
    /// A value of any shape; a text in it that is one expression takes the type of its value.
    Json(&'l mut Value),
}

/// What runs the scripts that name no shell.
const SH: [String; 0] = [];

impl Leaf {
    /// Whether any of its texts holds an expression. It is not changed.
    pub(super) fn holds_expressions(&mut self) -> bool {
        let mut found = false;
        self.visit_texts(&mut |text| {
            found |= match text {
                TextMut::Script(text, _) | TextMut::Plain(text) => opens_expression(text),
                TextMut::Words(words) => words.iter().any(|word| opens_expression(word)),
                TextMut::Json(value) => json_holds(value),
            }
        });
        found
    }

    /// Shows every text that may hold expressions, always in the same order.
    pub fn visit_texts(&mut self, visit: &mut dyn FnMut(TextMut<'_>)) {
        match &mut self.action {
            Action::Run { script, shell, .. } => visit(TextMut::Script(script, shell)),
            Action::Exec { argv } => visit(TextMut::Words(argv)),
            Action::Call { with, .. } => visit(TextMut::Json(with)),
            Action::Lua { .. } | Action::Script { .. } => {}
        }
        self.working_dir.iter_mut().for_each(|text| visit(TextMut::Plain(text)));
        self.env.values_mut().for_each(|text| visit(TextMut::Plain(text)));
        self.dotenv.iter_mut().for_each(|text| visit(TextMut::Plain(text)));
        match &mut self.stdin {
            Some(Stdin::Text { text }) => visit(TextMut::Plain(text)),
            Some(Stdin::File { path }) => visit(TextMut::Plain(path)),
            Some(Stdin::Task { .. }) | None => {}
        }
        self.artifacts.iter_mut().for_each(|text| visit(TextMut::Plain(text)));
        for item in &mut self.cleanup {
            match item {
                Cleanup::Run { script } => visit(TextMut::Script(script, &SH)),
                Cleanup::Exec { argv } => visit(TextMut::Words(argv)),
                Cleanup::Remove { path } => visit(TextMut::Plain(path)),
            }
        }
        for precondition in &mut self.preconditions {
            if let Check::Run(script) = &mut precondition.check {
                visit(TextMut::Script(script, &SH));
            }
            precondition.message.iter_mut().for_each(|text| visit(TextMut::Plain(text)));
        }
        if let Some(Freshness { sources, generates, status, .. }) = &mut self.freshness {
            sources.iter_mut().chain(generates).for_each(|text| visit(TextMut::Plain(text)));
            status.iter_mut().for_each(|text| visit(TextMut::Script(text, &SH)));
        }
        self.sharing.locks.iter_mut().for_each(|lock| visit(TextMut::Plain(&mut lock.name)));
        self.sharing.rate.iter_mut().for_each(|rate| visit(TextMut::Plain(&mut rate.key)));
    }
}

fn json_holds(value: &Value) -> bool {
    match value {
        Value::String(text) => opens_expression(text),
        Value::Array(items) => items.iter().any(json_holds),
        Value::Object(map) => map.values().any(json_holds),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
