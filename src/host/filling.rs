//! Values in the place of expressions: first every expression of a leaf is collected, then, in the same order, what came
//! of it is put in.

use crate::definition::{
    Leaf, SafeScript, ScriptPart, Template, TextMut, is_posix_shell, safe_script, shown,
};
use serde_json::Value;
use std::sync::Arc;

/// The expressions of a leaf, in the order in which its texts are visited.
#[derive(Debug, Default)]
pub(super) struct Filling {
    sources: Vec<Arc<str>>,
}

/// Whether a condition that gave this holds: Lua's own idea of truth.
pub(super) fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

impl Filling {
    /// The expressions that were collected.
    pub(super) fn sources(&self) -> Vec<Arc<str>> {
        self.sources.clone()
    }

    /// Collects the expressions of one text of a leaf.
    pub(super) fn take(&mut self, text: TextMut<'_>) {
        match text {
            TextMut::Script(text, _) | TextMut::Plain(text) => self.plain(text),
            TextMut::Words(words) => words.iter().for_each(|word| self.plain(word)),
            TextMut::Json(value) => self.json(value),
        }
    }

    /// Collects the expressions of a text.
    pub(super) fn plain(&mut self, text: &str) {
        if let Some(template) = template(text) {
            self.sources
                .extend(template.expressions().map(|expression| Arc::from(expression.source.as_str())));
        }
    }

    /// Collects the expressions of every text in a value.
    pub(super) fn json(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.plain(text),
            Value::Array(items) => items.iter().for_each(|item| self.json(item)),
            Value::Object(map) => map.values().for_each(|value| self.json(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// What a text that was collected alone comes to.
    pub(super) fn value_of(&self, text: &str, values: &[Value]) -> Value {
        Rest { values }.value(text)
    }

    /// What a value that was collected alone comes to.
    pub(super) fn json_of(&self, value: &Value, values: &[Value]) -> Value {
        Rest { values }.json(value)
    }

    /// Puts the values into the leaf.
    ///
    /// # Errors
    /// Where a value cannot be put safely; the checks of the definition refuse that before.
    pub(super) fn fill(&self, leaf: &mut Leaf, values: &[Value]) -> Result<(), String> {
        let mut rest = Rest { values };
        let mut variables = Vec::new();
        let mut problem = None;
        leaf.visit_texts(&mut |text| match text {
            TextMut::Script(text, shell) => match rest.script(text, shell, variables.len()) {
                Ok((script, more)) => {
                    *text = script;
                    variables.extend(more);
                }
                Err(error) => problem = problem.take().or(Some(error)),
            },
            TextMut::Words(words) => *words = words.drain(..).flat_map(|word| rest.words(&word)).collect(),
            TextMut::Plain(text) => *text = shown(&rest.value(text)),
            TextMut::Json(value) => *value = rest.json(value),
        });
        leaf.env.extend(variables);
        leaf.is_templated = false;
        match problem {
            Some(problem) => Err(problem),
            None => {
                leaf.sharing.settle()?;
                refuse_nul(leaf)
            }
        }
    }
}

fn template(text: &str) -> Option<Template> {
    // What does not parse is refused when the file is read.
    Template::has_expressions(text).then(|| Template::parse(text).ok()).flatten()
}

/// No program can be given a NUL character.
fn refuse_nul(leaf: &mut Leaf) -> Result<(), String> {
    let mut has_nul = false;
    leaf.visit_texts(&mut |text| {
        has_nul |= match text {
            TextMut::Script(text, _) | TextMut::Plain(text) => text.contains('\0'),
            TextMut::Words(words) => words.iter().any(|word| word.contains('\0')),
            TextMut::Json(_) => false,
        }
    });
    if has_nul {
        Err("an expression gave text with a NUL character, which no program can be given".into())
    } else {
        Ok(())
    }
}

/// The values that are not used yet.
struct Rest<'v> {
    values: &'v [Value],
}

impl<'v> Rest<'v> {
    fn next(&mut self, count: usize) -> &'v [Value] {
        let (now, rest) = self.values.split_at(count.min(self.values.len()));
        self.values = rest;
        now
    }

    /// A text that is one expression keeps the type of its value.
    fn value(&mut self, text: &str) -> Value {
        let Some(template) = template(text) else { return Value::String(text.to_owned()) };
        let values = self.next(template.expressions().count());
        match (template.is_single(), values) {
            (Some(_), [value]) => value.clone(),
            _ => Value::String(template.fill(values)),
        }
    }

    fn json(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.value(text),
            Value::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), self.json(value))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// A word that is one expression with a list becomes several words.
    fn words(&mut self, word: &str) -> Vec<String> {
        match self.value(word) {
            Value::Array(items) => items.iter().map(shown).collect(),
            value => vec![shown(&value)],
        }
    }

    /// The script, and the variables in which its values are.
    fn script(
        &mut self,
        text: &str,
        shell: &[String],
        first: usize,
    ) -> Result<(String, Vec<(String, String)>), String> {
        let Some(template) = template(text) else { return Ok((text.to_owned(), Vec::new())) };
        let values = self.next(template.expressions().count());
        if !shell.is_empty() && !is_posix_shell(shell) {
            return Ok((template.fill(values), Vec::new()));
        }
        let safe = safe_script(&template)
            .map_err(|troubles| troubles.first().map_or_else(String::new, ToString::to_string))?;
        let safe = numbered_after(first, safe);
        Ok((safe.fill(values), safe.environment(values)))
    }
}

/// A leaf has one environment for all of its scripts, so their variables are counted on.
fn numbered_after(first: usize, mut safe: SafeScript) -> SafeScript {
    if first == 0 {
        return safe;
    }
    for (at, (name, _)) in safe.variables.iter_mut().enumerate().rev() {
        let new = format!("NEAP_V{}", first + at + 1);
        for part in &mut safe.script {
            if let ScriptPart::Text(text) = part {
                *text = text.replace(&format!("${{{name}}}"), &format!("${{{new}}}"));
            }
        }
        *name = new;
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TaskName;
    use crate::definition::{Action, Catalog, Cleanup, LockMode, Registered, Settings, Source};
    use crate::schedule::Zone;
    use serde_json::json;

    #[test]
    fn values_arrive_where_their_expressions_stood() {
        let action = Action::Exec { argv: vec!["tar".into(), "${{ files }}".into(), "x${{ n }}".into()] };
        let mut leaf = Leaf::new(TaskName::new("a").unwrap(), action);
        leaf.env.insert("DAY".into(), "on ${{ day }}".into());
        leaf.cleanup =
            ["echo ${{ a }}", "rm \"${{ b }}\""].map(|script| Cleanup::Run { script: script.into() }).into();
        let mut filling = Filling::default();
        leaf.visit_texts(&mut |text| filling.take(text));
        let sources: Vec<String> = filling.sources().iter().map(ToString::to_string).collect();
        assert_eq!(sources, ["files", "n", "day", "a", "b"]);
        filling
            .fill(&mut leaf, &[json!(["a b", "c"]), json!(3), json!("monday"), json!("x;y"), json!("z")])
            .unwrap();
        let argv = ["tar", "a b", "c", "x3"].map(str::to_owned).to_vec();
        assert_eq!(leaf.action, Action::Exec { argv });
        assert_eq!(leaf.env["DAY"], "on monday");
        let scripts: Vec<String> = leaf.cleanup.iter().map(|item| format!("{item:?}")).collect();
        assert!(scripts[0].contains("${NEAP_V1}") && scripts[1].contains("${NEAP_V2}"), "{scripts:?}");
        assert_eq!((leaf.env["NEAP_V1"].as_str(), leaf.env["NEAP_V2"].as_str()), ("x;y", "z"));
    }

    #[test]
    fn names_of_locks_that_become_the_same_are_one_lock() {
        let text = "{ run: make, params: { a: 1, b: 2, c: 3 }, locks: [{ name: 'db-${{ params.a }}', mode: shared }, db-x, '${{ params.b }}'], rate_limit: { limit: 1, per: 1s, key: 'k ${{ params.c }}' } }";
        let mut leaf = leaf_of(text);
        let mut filling = Filling::default();
        leaf.visit_texts(&mut |text| filling.take(text));
        assert_eq!(filling.sources().len(), 3);
        let filled = |values: &[Value]| {
            let mut leaf = leaf.clone();
            filling.fill(&mut leaf, values).map(|()| leaf.sharing)
        };
        let sharing = filled(&[json!(7), json!("x"), json!("z")]).unwrap();
        let locks: Vec<(&str, LockMode)> =
            sharing.locks.iter().map(|lock| (lock.name.as_str(), lock.mode)).collect();
        assert_eq!(locks, [("7", LockMode::Exclusive), ("db-x", LockMode::Exclusive)]);
        assert_eq!(sharing.rate.unwrap().key, "k z");
        let error = filled(&[json!(""), json!("x"), json!("z")]).unwrap_err();
        assert_eq!(error, "an expression gave an empty name for a lock");
    }

    fn leaf_of(text: &str) -> Leaf {
        let settings = Settings::new(Zone::utc());
        let catalog =
            Catalog::load([Source::new("tasks/a.yaml", text)], &Registered::default(), &settings, None);
        Leaf::clone(&catalog.task("a").unwrap_or_else(|| panic!("{:?}", catalog.problems())).leaves[0])
    }

    #[test]
    fn a_single_expression_keeps_its_type() {
        let value = json!({ "n": "${{ n }}", "text": "n=${{ n }}", "list": ["${{ l }}", 1] });
        let mut filling = Filling::default();
        filling.json(&value);
        assert_eq!(filling.sources().len(), 3);
        let filled = filling.json_of(&value, &[json!([1, 2]), json!(5), json!(5)]);
        assert_eq!(filled, json!({ "n": 5, "text": "n=5", "list": [[1, 2], 1] }));
    }
}
