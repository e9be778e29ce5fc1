//! The key `params`: what may be given when a run is created.

use super::fields::{Checker, Field, Path};
use super::keys::{self, Object};
use super::params;
use super::problem::{Code, Finding};
use super::task::{Param, ParamType};
use super::tree::{Kind, Node};
use super::values;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

const TYPES: [(&str, ParamType); 8] = [
    ("string", ParamType::String),
    ("integer", ParamType::Integer),
    ("number", ParamType::Number),
    ("boolean", ParamType::Boolean),
    ("date", ParamType::Date),
    ("duration", ParamType::Duration),
    ("list", ParamType::List),
    ("json", ParamType::Json),
];

/// Declarations in the order they were written: a mapping by name, or a list of `{name, …}`.
pub(super) fn params(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> Vec<Param> {
    let path = above.child("params");
    let mut declared: Vec<(Param, Range<usize>)> = Vec::new();
    if let Kind::List(items) = &field.value.kind {
        for item in items {
            declared.extend(from_list(checker, item, &path));
        }
    } else {
        for entry in checker.fields(field.value, &path).unwrap_or_default() {
            declared.extend(from_map(checker, &entry, &path));
        }
    }
    refuse_same_variable(checker, &mut declared);
    declared.into_iter().map(|(param, _)| param).collect()
}

/// `outputs`: a mapping of names to types, or a list of names.
pub(super) fn outputs(
    checker: &mut Checker,
    node: &Node<'_>,
    above: &Path<'_>,
) -> BTreeMap<String, ParamType> {
    let path = above.child("outputs");
    let mut outputs = BTreeMap::new();
    if let Kind::List(_) | Kind::Text { .. } = &node.kind {
        for item in super::fields::list(node) {
            let name = checker.filled_text(item, "outputs");
            let name = name.filter(|name| checker.is_identifier(name, &item.span, "an output"));
            outputs.extend(name.map(|name| (name, ParamType::String)));
        }
        return outputs;
    }
    for field in checker.fields(node, &path).unwrap_or_default() {
        if !checker.is_identifier(field.key, &field.place, "an output") {
            continue;
        }
        let kind = match &field.value.kind {
            Kind::Map(_) => output(checker, &field, &path),
            Kind::Null | Kind::Text { .. } | Kind::List(_) | Kind::Broken => {
                checker.choice(field.value, field.key, &TYPES)
            }
        };
        outputs.extend(kind.map(|kind| (field.key.to_owned(), kind)));
    }
    outputs
}

/// The long form of an output: `{type, description}`.
fn output(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> Option<ParamType> {
    let path = above.child(field.key);
    let mut kind = ParamType::String;
    for entry in checker.fields(field.value, &path)? {
        match entry.key {
            "type" => kind = self::kind(checker, entry.value)?,
            "description" => _ = checker.text(entry.value, "description"),
            _ => _ = checker.unknown(&entry, &path, &keys::OUTPUT),
        }
    }
    Some(kind)
}

/// Words of other languages for the same types.
const FOREIGN: [(&str, &str); 12] = [
    ("int", "integer"),
    ("long", "integer"),
    ("float", "number"),
    ("double", "number"),
    ("bool", "boolean"),
    ("str", "string"),
    ("text", "string"),
    ("array", "list"),
    ("object", "json"),
    ("map", "json"),
    ("dict", "json"),
    ("choice", "string"),
];

/// The value of `type`.
fn kind(checker: &mut Checker, node: &Node<'_>) -> Option<ParamType> {
    let foreign = node.as_text().and_then(|text| FOREIGN.iter().find(|(word, _)| *word == text));
    let Some((word, ours)) = foreign else { return checker.choice(node, "type", &TYPES) };
    let message = format!("`{word}` is not a value of `type`");
    let finding =
        Finding::new(Code::E0122, node.span.clone(), message, format!("here it is called `{ours}`"));
    checker.report(match *word {
        "choice" => finding.help("write the values under `enum`; `type` is that of each of them"),
        _ => finding.fix(node.span.clone(), *ours).help(format!("write `type: {ours}`")),
    });
    None
}

/// `day` and `DAY` would be the same variable.
fn refuse_same_variable(checker: &mut Checker, declared: &mut Vec<(Param, Range<usize>)>) {
    let mut seen = std::collections::HashMap::new();
    declared.retain(|(param, place)| {
        let variable = format!("PARAM_{}", param.name.to_ascii_uppercase());
        let first = seen.entry(variable.clone()).or_insert_with(|| place.clone()).clone();
        if first != *place {
            let message = format!("two parameters would be ${variable}");
            let finding = Finding::new(Code::E0106, place.clone(), message, "this is the second one");
            checker.report(finding.also(first.clone(), "the first one"));
        }
        first == *place
    });
}

fn from_map(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> Option<(Param, Range<usize>)> {
    if !checker.is_identifier(field.key, &field.place, "a parameter") {
        return None;
    }
    let path = above.child(field.key);
    let param = match &field.value.kind {
        Kind::Map(_) => {
            let mut draft = Draft::default();
            for entry in checker.fields(field.value, &path)? {
                draft.take(checker, &entry, &path, &keys::PARAM);
            }
            draft.finish(checker, field.key)
        }
        Kind::Broken => return None,
        Kind::Null | Kind::Text { .. } | Kind::List(_) => short(checker, field)?,
    };
    Some((param, field.place.clone()))
}

fn from_list(checker: &mut Checker, item: &Node<'_>, above: &Path<'_>) -> Option<(Param, Range<usize>)> {
    if let Some(name) = item.as_text() {
        let is_good = checker.is_identifier(name, &item.span, "a parameter");
        return is_good.then(|| (Draft::default().finish(checker, name), item.span.clone()));
    }
    let (mut draft, mut name) = (Draft::default(), None);
    for entry in checker.fields(item, above)? {
        if entry.key == "name" {
            name = Some((checker.filled_text(entry.value, "name"), entry.value.span.clone()));
        } else {
            draft.take(checker, &entry, above, &keys::PARAM_IN_LIST);
        }
    }
    let Some((name, place)) = name else {
        checker.report(Finding::new(
            Code::E0130,
            item.span.clone(),
            "a parameter has no `name`",
            "`name` is required",
        ));
        return None;
    };
    let name = name.filter(|name| checker.is_identifier(name, &place, "a parameter"))?;
    Some((draft.finish(checker, &name), place))
}

/// `day: 2026-11-21` is a parameter with that default, and its type is guessed from it.
fn short(checker: &mut Checker, field: &Field<'_>) -> Option<Param> {
    debug_assert!(params::is_name(field.key));
    if field.value.as_text().is_some_and(|text| text.contains("${{")) {
        let late = checker.template(field.value, field.key).map(|text| (text, field.value.span.clone()));
        return Some(Draft { late, ..Draft::default() }.finish(checker, field.key));
    }
    let value = values::json(field.value);
    let draft = match value {
        Value::Null => Draft::default(),
        value => Draft { default: Some((value, field.value.span.clone())), ..Draft::default() },
    };
    Some(draft.finish(checker, field.key))
}

/// A declaration while its keys are read.
#[derive(Default)]
struct Draft {
    kind: Option<ParamType>,
    default: Option<(Value, Range<usize>)>,
    /// A default with expressions.
    late: Option<(String, Range<usize>)>,
    choices: Vec<(Value, Range<usize>)>,
    required: Option<(bool, Range<usize>)>,
    pattern: Option<(String, Range<usize>)>,
    minimum: Option<(f64, Range<usize>)>,
    maximum: Option<(f64, Range<usize>)>,
    description: Option<String>,
}

impl Draft {
    fn take(&mut self, checker: &mut Checker, field: &Field<'_>, path: &Path<'_>, object: &Object) {
        let (key, value, span) = (field.key, field.value, field.value.span.clone());
        match key {
            "type" => self.kind = kind(checker, value),
            "default" => match value.kind {
                Kind::Null => checker.no_value(value, key),
                Kind::Broken => {}
                Kind::Text { .. } if value.as_text().is_some_and(|text| text.contains("${{")) => {
                    self.late = checker.template(value, key).map(|text| (text, span));
                }
                Kind::Text { .. } | Kind::List(_) | Kind::Map(_) => {
                    self.default = Some((values::json(value), span))
                }
            },
            "enum" => self.choices = choices(checker, field),
            "required" => self.required = checker.boolean(value, key).map(|required| (required, span)),
            "pattern" => self.pattern = pattern(checker, field),
            "minimum" => {
                self.minimum = checker.number(value, key, f64::MIN..=f64::MAX).map(|number| (number, span))
            }
            "maximum" => {
                self.maximum = checker.number(value, key, f64::MIN..=f64::MAX).map(|number| (number, span))
            }
            "description" => self.description = checker.text(value, key),
            _ => _ = checker.unknown(field, path, object),
        }
    }

    fn finish(self, checker: &mut Checker, name: &str) -> Param {
        let kind = self.kind.unwrap_or_else(|| self.guess());
        self.refuse_contradictions(checker, kind);
        let rules = Param {
            name: name.to_owned(),
            kind,
            default: None,
            late: self.late.map(|(text, _)| text),
            required: self.required.is_some_and(|(required, _)| required),
            choices: Vec::new(),
            pattern: self.pattern.map(|(pattern, _)| pattern),
            minimum: self.minimum.map(|(number, _)| number),
            maximum: self.maximum.map(|(number, _)| number),
            description: self.description,
        };
        let mut fitting = |rules: &Param, value: &Value, span: &Range<usize>, what: &str| match params::read(
            rules, value,
        ) {
            Ok(value) => Some(value),
            Err(fault) => {
                let message = format!("the {what} of `{name}` does not fit: {fault}");
                checker.report(Finding::new(Code::E0138, span.clone(), message, "this value"));
                None
            }
        };
        let choices =
            self.choices.iter().filter_map(|(value, span)| fitting(&rules, value, span, "enum")).collect();
        let rules = Param { choices, ..rules };
        let default = self.default.and_then(|(value, span)| fitting(&rules, &value, &span, "default"));
        Param { default, ..rules }
    }

    fn guess(&self) -> ParamType {
        let example = self.default.as_ref().or(self.choices.first()).map(|(value, _)| value);
        let bounded = self.minimum.is_some() || self.maximum.is_some();
        match example {
            Some(value) => params::guess(value),
            None if bounded => ParamType::Number,
            None => ParamType::String,
        }
    }

    fn refuse_contradictions(&self, checker: &mut Checker, kind: ParamType) {
        let mut refuse = |span: &Range<usize>, message: &str, label: &str, other: Option<&Range<usize>>| {
            let finding = Finding::new(Code::E0137, span.clone(), message, label);
            checker.report(match other {
                Some(other) => finding.also(other.clone(), "and this"),
                None => finding,
            });
        };
        let default =
            self.default.as_ref().map(|(_, span)| span).or(self.late.as_ref().map(|(_, span)| span));
        if let (Some((true, span)), Some(other)) = (&self.required, default) {
            refuse(
                span,
                "a parameter with a default cannot be required",
                "with this nothing would need the default",
                Some(other),
            );
        }
        if let (Some((low, other)), Some((high, span))) = (&self.minimum, &self.maximum)
            && low > high
        {
            refuse(span, "`maximum` is smaller than `minimum`", "no value could fit", Some(other));
        }
        if let Some((_, span)) = &self.pattern
            && kind != ParamType::String
        {
            refuse(span, "only text can have a pattern", "this parameter is no text", None);
        }
        let has_size = match kind {
            ParamType::String
            | ParamType::Integer
            | ParamType::Number
            | ParamType::Duration
            | ParamType::List => true,
            ParamType::Boolean | ParamType::Date | ParamType::Json => false,
        };
        if let Some((_, span)) = self.minimum.as_ref().or(self.maximum.as_ref())
            && !has_size
        {
            refuse(span, "a parameter of this type has no size", "this compares nothing", None);
        }
    }
}

fn choices(checker: &mut Checker, field: &Field<'_>) -> Vec<(Value, Range<usize>)> {
    let items = super::fields::list(field.value);
    if items.is_empty() && !matches!(field.value.kind, Kind::Broken) {
        let message = "`enum` is empty";
        checker.report(Finding::new(
            Code::E0134,
            field.place.clone(),
            message,
            "at least one value is needed",
        ));
    }
    items.iter().map(|item| (values::json(item), item.span.clone())).collect()
}

fn pattern(checker: &mut Checker, field: &Field<'_>) -> Option<(String, Range<usize>)> {
    let text = checker.filled_text(field.value, "pattern")?;
    match params::whole(&text) {
        Ok(_) => Some((text, field.value.span.clone())),
        Err(error) => {
            let message = format!("`{text}` is not a regular expression");
            checker.report(Finding::new(Code::E0129, field.value.span.clone(), message, error.to_string()));
            None
        }
    }
}
