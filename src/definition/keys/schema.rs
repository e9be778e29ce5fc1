//! The JSON Schema of task files and of `neap.yaml`, for editors.
//!
//! It is draft-07, which every YAML language server knows, and it sees shapes only: what a name leads to and whether a
//! cron expression can be read is found by `neap check`. Whatever it refuses, the decoder refuses as well.

use super::actions;
use super::{
    Bond, CHILD, DEFAULTS, Default, FILE, Key, LEAF, Names, OBJECTS, Object, PIPELINE, Places, SETTINGS,
    STEP, SUBJECTS, Shape, Special, TEMPLATE,
};
use crate::definition::source::Source;
use crate::definition::{tree, values};
use serde_json::{Map, Value, json};

/// Which files a schema is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// The files of `tasks/`.
    Task,
    /// `neap.yaml`.
    Settings,
}

/// Text that holds no expression.
const NO_EXPRESSION: &str = r"^(?![\s\S]*\$\{\{)";
/// Text that holds no expression and is more than blanks.
const FILLED: &str = r"^(?![\s\S]*\$\{\{)[\s\S]*\S";
const EXPRESSION: &str = r"\$\{\{";
const ONE_EXPRESSION: &str = r"^\s*\$\{\{[\s\S]*\}\}\s*$";
const IDENTIFIER: &str = "^[A-Za-z_][A-Za-z0-9_]*$";
const CHILD_NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]*$";
/// Before another pattern: no length of time without a length.
const NOT_ZERO: &str = r"^(?!\s*(0+(ms|s|m|h|d|w)? *)+$)";
const DURATION: &str = r"^\s*([0-9]+|[0-9]+(ms|s|m|h|d|w)( *[0-9]+(ms|s|m|h|d|w))* *)\s*$";
const SCRIPT_FILE: &str = r"^(?![\s\S]*\$\{\{)(?!/)(?!.*(^|/)\.{0,2}(/|$))[\s\S]*\S";
const WORD: &str = r"^\S+$";

/// The JSON Schema (draft-07) of task files or of `neap.yaml`.
///
/// ```
/// use neap::definition::{SchemaKind, schema};
/// let schema = schema(SchemaKind::Task);
/// assert_eq!(schema["properties"]["retry"]["$ref"], "#/definitions/key_retry");
/// ```
pub fn schema(kind: SchemaKind) -> Value {
    let (mut root, title) = match kind {
        SchemaKind::Task => (task(), "A task of neap"),
        SchemaKind::Settings => (mapping(&SETTINGS), "Settings of a neap host"),
    };
    let head = [
        ("$schema", json!("http://json-schema.org/draft-07/schema#")),
        ("title", json!(title)),
        ("definitions", definitions(kind)),
    ];
    let members = root.as_object_mut().expect("a schema of a mapping is an object");
    members.extend(head.map(|(name, value)| (name.to_owned(), value)));
    root
}

/// A leaf or a pipeline: all keys are offered, and those that do not go together are refused.
fn task() -> Value {
    let mut root = mapping(&FILE);
    let members = root.as_object_mut().expect("a schema of a mapping is an object");
    members.insert("type".into(), json!("object"));
    members.insert("if".into(), json!({ "anyOf": [{ "required": ["tasks"] }, { "required": ["steps"] }] }));
    members.insert("then".into(), only(&PIPELINE, Places::LEAF, Places::PIPELINE));
    members.insert("else".into(), only(&LEAF, Places::PIPELINE, Places::LEAF));
    root
}

/// What holds for one of the two kinds of files: no keys of the other.
fn only(object: &Object, other: Places, own: Places) -> Value {
    let foreign = FILE.all_keys().filter(|key| key.places.touches(other) && !key.places.touches(own));
    let refused: Map<String, Value> = foreign.map(|key| (key.name.to_owned(), json!(false))).collect();
    let mut schema = Map::from_iter([("properties".to_owned(), Value::Object(refused))]);
    bind(object, &mut schema);
    Value::Object(schema)
}

/// The mappings that stand in several places, each once.
fn definitions(kind: SchemaKind) -> Value {
    let (objects, places): (&[&Object], Places) = match kind {
        SchemaKind::Task => (&[&CHILD, &STEP, &TEMPLATE, &DEFAULTS], Places::FILE.and(Places::STEP)),
        SchemaKind::Settings => (&[&TEMPLATE, &DEFAULTS], Places::SETTINGS.and(Places::TEMPLATE)),
    };
    let objects = objects.iter().chain(OBJECTS).copied().chain(actions::all());
    let mut all: Map<String, Value> = objects.map(|object| (name(object), mapping(object))).collect();
    let keys = SUBJECTS.iter().flat_map(|subject| subject.keys);
    for key in keys.filter(|key| key.places.touches(places)) {
        all.insert(shared(key.name), property(key));
        all.extend(key.aliases.iter().map(|alias| (shared(alias), deprecated(property(key), key.name))));
    }
    Value::Object(all)
}

/// `retry`, `params_entry`, `strategy_matrix`; an action has its own name.
fn name(object: &Object) -> String {
    let is_action = actions::all().iter().any(|action| action.is(object));
    if is_action { object.path.to_owned() } else { object.path.replace(".*", "_entry").replace('.', "_") }
}

fn reference(object: &Object) -> Value {
    json!({ "$ref": format!("#/definitions/{}", name(object)) })
}

/// The name of the definition of a key that stands in several places.
fn shared(key: &str) -> String {
    format!("key_{key}")
}

/// A mapping with known keys.
fn mapping(object: &Object) -> Value {
    let mut properties = Map::new();
    for key in object.all_keys() {
        for name in [key.name].iter().chain(key.aliases) {
            let schema = match key.places == Places::NONE {
                true if *name == key.name => property(key),
                true => deprecated(property(key), key.name),
                false => json!({ "$ref": format!("#/definitions/{}", shared(name)) }),
            };
            properties.insert((*name).to_owned(), schema);
        }
    }
    let rest = match &object.rest {
        Some((_, shape)) => value(shape),
        None => json!(false),
    };
    let mut schema = Map::from_iter([
        ("type".to_owned(), json!(["object", "null"])),
        ("properties".to_owned(), Value::Object(properties)),
        ("patternProperties".to_owned(), json!({ "^x-": {} })),
        ("additionalProperties".to_owned(), rest),
    ]);
    if let Some((names, _)) = &object.rest {
        schema.extend(property_names(*names));
    }
    let required: Vec<&str> = object.keys().filter(|key| key.is_required).map(|key| key.name).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    bind(object, &mut schema);
    if object.names().any(|name| name == "uses") {
        let all = schema.entry("allOf").or_insert_with(|| json!([]));
        all.as_array_mut().expect("it is a list").extend(actions::all().iter().map(argument));
    }
    Value::Object(schema)
}

/// What `with` holds when `uses` names this action.
fn argument(action: &Object) -> Value {
    let uses = match action.path {
        "task:NAME" => json!({ "pattern": "^task:", "type": "string" }),
        name => json!({ "const": name }),
    };
    let needs_with = action.keys().any(|key| key.is_required);
    let mut then = json!({ "properties": { "with": reference(action) } });
    if needs_with {
        then["anyOf"] = json!([{ "required": ["with"] }, { "required": ["extends"] }]);
    }
    json!({ "if": { "properties": { "uses": uses }, "required": ["uses"] }, "then": then })
}

fn property_names(names: Names) -> Option<(String, Value)> {
    let pattern = match names {
        Names::Any => return None,
        Names::Child => CHILD_NAME,
        Names::Identifier => IDENTIFIER,
    };
    let pattern = format!("^x-|^<<$|{pattern}");
    Some(("propertyNames".to_owned(), json!({ "pattern": pattern })))
}

/// What must hold between keys: where two do not go together, the second one is refused by name.
fn bind(object: &Object, schema: &mut Map<String, Value>) {
    let mut all = Vec::new();
    let mut dependencies: Map<String, Value> = Map::new();
    let mut depend = |key: &str, needs: Value| {
        let list = dependencies.entry(key).or_insert_with(|| json!({ "allOf": [] }));
        list["allOf"].as_array_mut().expect("it was made as a list").push(needs);
    };
    for key in object.keys() {
        for alias in key.aliases {
            depend(key.name, json!({ "properties": { *alias: false } }));
        }
    }
    for bond in object.bonds {
        match bond {
            Bond::One(keys) | Bond::AtMostOne(keys) => {
                for (at, key) in keys.iter().enumerate() {
                    let later = keys[at + 1..].iter().flat_map(|key| spellings(object, key));
                    let refused: Map<String, Value> =
                        later.map(|key| (key.to_owned(), json!(false))).collect();
                    if !refused.is_empty() {
                        spellings(object, key).for_each(|key| depend(key, json!({ "properties": refused })));
                    }
                }
            }
            Bond::AtLeastOne(_) => {}
            Bond::Needs(key, others) => depend(key, any(object, others)),
        }
        if let Bond::One(keys) | Bond::AtLeastOne(keys) = bond {
            all.push(any(object, keys));
        }
    }
    if !dependencies.is_empty() {
        schema.insert("dependencies".to_owned(), Value::Object(dependencies));
    }
    if !all.is_empty() {
        schema.insert("allOf".to_owned(), Value::Array(all));
    }
}

/// One of these keys, by any of its spellings, is there.
fn any(object: &Object, keys: &[&'static str]) -> Value {
    let keys = keys.iter().flat_map(|key| spellings(object, key));
    json!({ "anyOf": keys.map(|key| json!({ "required": [key] })).collect::<Vec<_>>() })
}

fn spellings(object: &Object, name: &'static str) -> impl Iterator<Item = &'static str> {
    let aliases = object.keys().find(|key| key.name == name).map_or(&[][..], |key| key.aliases);
    std::iter::once(name).chain(aliases.iter().copied())
}

fn property(key: &Key) -> Value {
    let mut schema = value(&key.shape);
    let members = schema.as_object_mut().expect("every shape is an object");
    let text = [key.about, key.more].join(" ");
    members.insert("description".to_owned(), json!(text.trim_end()));
    let mut page = text.trim_end().to_owned();
    if let Default::Words(words) = key.default {
        page += &format!("\n\nWithout it: {words}.");
    }
    if !key.example.is_empty() {
        page += &format!("\n\n```yaml\n{}```", key.example);
    }
    members.insert("markdownDescription".to_owned(), json!(page));
    if let Default::Value(text) = key.default {
        members.insert("default".to_owned(), values::plain(text));
    }
    if let Some(value) = example(key) {
        members.insert("examples".to_owned(), json!([value]));
    }
    match key.alias_of {
        Some(ours) => deprecated(schema, ours),
        None => schema,
    }
}

/// Another spelling: understood and explained, but not offered. `check` has a hint about it and no more.
fn deprecated(mut schema: Value, ours: &str) -> Value {
    let words = format!("Here it is written `{ours}`.");
    schema["deprecated"] = json!(true);
    schema["doNotSuggest"] = json!(true);
    schema["description"] = json!(words);
    schema["markdownDescription"] = json!(words);
    schema
}

/// The value that the example of a key gives it, where that is short enough to be offered.
fn example(key: &Key) -> Option<Value> {
    let source = Source::new("tasks/example.yaml", key.example);
    let (root, _) = tree::build(&source.text, &[]).ok()?;
    let found = values::json(&root?).get(key.name)?.clone();
    (found.is_string() || found.is_number()).then_some(found)
}

/// Text, a number or a word like `true`: everything that is written as one piece.
fn scalar(pattern: &str, what: &str) -> Value {
    json!({ "anyOf": [
        { "type": "string", "pattern": pattern, "patternErrorMessage": format!("expected {what}") },
        { "not": { "type": ["string", "array", "object", "null"] } },
    ] })
}

fn value(shape: &Shape) -> Value {
    match shape {
        Shape::Text => scalar(NO_EXPRESSION, "text without an expression"),
        Shape::Filled => scalar(FILLED, "text without an expression, more than blanks"),
        Shape::Template => scalar("", "text"),
        Shape::FilledTemplate | Shape::Expression => scalar(r"\S", "text that is more than blanks"),
        Shape::Identifier => json!({ "anyOf": [
            { "type": "string", "pattern": IDENTIFIER, "patternErrorMessage": "expected letters, digits and `_`" },
            { "not": { "type": ["string", "number", "array", "object", "null"] } },
        ] }),
        Shape::ScriptFile => scalar(SCRIPT_FILE, "a path below `scripts/`, without `..`"),
        Shape::Argv => argv(),
        Shape::Whole(low, high) => json!({
            "type": ["integer", "string"], "minimum": low, "maximum": high,
            "pattern": r"^[+-]?[0-9]+$", "patternErrorMessage": format!("expected a whole number from {low} to {high}"),
        }),
        Shape::Number(low, high) => number(*low, *high),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Duration { may_be_zero } => json!({
            "type": ["string", "integer"], "minimum": i64::from(!may_be_zero),
            "pattern": if *may_be_zero { DURATION.to_owned() } else { format!("{NOT_ZERO}{DURATION}") },
            "patternErrorMessage": "expected a length of time such as 30s, 5m or 1h30m",
        }),
        Shape::Words(words) => json!({
            "enum": words.iter().map(|(word, _)| *word).collect::<Vec<_>>(),
            "enumDescriptions": words.iter().map(|(_, about)| *about).collect::<Vec<_>>(),
        }),
        Shape::Special(special) => named(special),
        Shape::List(shape) => list(shape),
        Shape::Map(names, shape) => map(*names, shape),
        Shape::Object(object) => reference(object),
        Shape::Items(shape @ Shape::Object(_)) => {
            json!({ "type": "array", "items": value(shape), "minItems": 1 })
        }
        Shape::Items(shape) => json!({ "type": "array", "items": value(shape) }),
        Shape::Either(shapes) => json!({ "anyOf": choices(shapes) }),
        Shape::Values => json!({ "anyOf": [
            { "type": "array", "minItems": 1 },
            { "type": "string", "pattern": ONE_EXPRESSION, "patternErrorMessage": "expected a list, or one expression" },
        ] }),
        Shape::Late(shape) => json!({ "anyOf": [value(shape), { "type": "string", "pattern": EXPRESSION }] }),
        Shape::Any => json!({}),
    }
}

fn number(low: Option<f64>, high: Option<f64>) -> Value {
    let mut schema = json!({ "type": ["number", "string"], "pattern": "^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$" });
    for (name, bound) in [("minimum", low), ("maximum", high)] {
        if let Some(bound) = bound {
            schema[name] = json!(bound);
        }
    }
    schema
}

/// One word is a program without arguments.
fn argv() -> Value {
    let word = json!({ "anyOf": [
        { "type": "string", "anyOf": [{ "pattern": WORD }, { "pattern": EXPRESSION }] },
        { "not": { "type": ["string", "array", "object", "null"] } },
    ] });
    json!({ "anyOf": [{ "type": "array", "items": value(&Shape::Template), "minItems": 1 }, word] })
}

fn named(special: &Special) -> Value {
    let pattern = match special.pattern {
        r"\S" => FILLED,
        pattern => pattern,
    };
    let mut schema = scalar(pattern, special.what);
    if !special.suggestions.is_empty() {
        let choices = schema["anyOf"].as_array_mut().expect("a scalar is one of two");
        choices.insert(0, json!({ "enum": special.suggestions }));
    }
    schema
}

/// One of them, or a list of them, or nothing.
fn list(shape: &Shape) -> Value {
    let item = value(shape);
    let list = json!({ "type": "array", "items": item });
    let mut choices = match shape {
        Shape::Either(shapes) => choices(shapes),
        _ => vec![item],
    };
    // Said like this nobody is offered the word `null`.
    choices.extend([list, json!({ "not": { "type": ["string", "number", "boolean", "array", "object"] } })]);
    json!({ "anyOf": choices })
}

/// Mappings first: when nothing fits, editors tell what the first one has against it.
fn choices(shapes: &[Shape]) -> Vec<Value> {
    let (objects, others): (Vec<&Shape>, Vec<&Shape>) =
        shapes.iter().partition(|shape| matches!(shape, Shape::Object(_)));
    objects.into_iter().chain(others).map(value).collect()
}

fn map(names: Names, shape: &Shape) -> Value {
    let mut schema = Map::from_iter([
        ("type".to_owned(), json!(["object", "null"])),
        ("patternProperties".to_owned(), json!({ "^x-": {} })),
        ("additionalProperties".to_owned(), value(shape)),
    ]);
    if names == Names::Child {
        schema.extend([("type".to_owned(), json!("object")), ("minProperties".to_owned(), json!(1))]);
    }
    schema.extend(property_names(names));
    Value::Object(schema)
}
