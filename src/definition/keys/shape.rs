//! What a value looks like: in words for people. What it is for an editor is said in `schema.rs`.

use super::Object;

/// What the value of a key looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Text, perhaps empty.
    Text,
    /// Text that is more than blanks.
    Filled,
    /// Text that may hold expressions, perhaps empty.
    Template,
    /// Text that may hold expressions and is more than blanks.
    FilledTemplate,
    /// A Lua expression, bare or in braces.
    Expression,
    /// The name of a variable, a parameter or an item.
    Identifier,
    /// A file below `scripts/`.
    ScriptFile,
    /// A program and its arguments.
    Argv,
    /// A whole number from the first to the second.
    Whole(i64, i64),
    /// A number from the first to the second; any number that is large enough where there is no second.
    Number(Option<f64>, Option<f64>),
    /// `true` or `false`.
    Boolean,
    /// A length of time; whether it may be nothing.
    Duration { may_be_zero: bool },
    /// One of these, each with what it means.
    Words(&'static [(&'static str, &'static str)]),
    /// Text of a kind of its own.
    Special(&'static Special),
    /// One of these, or a list of them.
    List(&'static Shape),
    /// Names of one's own, with such a value each.
    Map(Names, &'static Shape),
    /// A mapping with known keys.
    Object(&'static Object),
    /// A list of these: a single one is none.
    Items(&'static Shape),
    /// Any of these.
    Either(&'static [Shape]),
    /// A list with something in it, or one expression that gives a list.
    Values,
    /// Such a value, or a text with expressions that gives one.
    Late(&'static Shape),
    /// Whatever YAML can say.
    Any,
}

/// Which names are possible in a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Any text.
    Any,
    /// The name of a child: letters, digits, `.`, `_` and `-`.
    Child,
    /// The name of a variable: letters, digits and `_`.
    Identifier,
}

/// Text of a kind of its own.
#[derive(Debug)]
pub(crate) struct Special {
    /// What it is, with an article.
    pub(crate) what: &'static str,
    /// A regular expression that every such text fits.
    pub(crate) pattern: &'static str,
    /// What an editor offers.
    pub(crate) suggestions: &'static [&'static str],
}

impl Shape {
    /// What it is, for a table or a sentence: `a whole number from 1 to 1000`.
    pub(crate) fn words(&self) -> String {
        match self {
            Shape::Text | Shape::Filled => "text".to_owned(),
            Shape::Template | Shape::FilledTemplate => "text, with expressions".to_owned(),
            Shape::Expression => "a Lua expression".to_owned(),
            Shape::Identifier => "a name".to_owned(),
            Shape::ScriptFile => "a file below `scripts/`".to_owned(),
            Shape::Argv => "a list of words, with expressions".to_owned(),
            Shape::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Shape::Number(Some(low), Some(high)) => format!("a number from {low} to {high}"),
            Shape::Number(Some(low), None) => format!("a number, at least {low}"),
            Shape::Number(None, Some(high)) => format!("a number, at most {high}"),
            Shape::Number(None, None) => "a number".to_owned(),
            Shape::Boolean => "`true` or `false`".to_owned(),
            Shape::Duration { .. } => "a length of time".to_owned(),
            Shape::Words(words) => listed(words.iter().map(|(word, _)| format!("`{word}`")).collect()),
            Shape::Special(special) => special.what.to_owned(),
            Shape::List(shape) => format!("{}; or a list", shape.words()),
            Shape::Map(names, shape) => format!("a mapping of {} to {}", names.words(), shape.words()),
            Shape::Object(object) => format!("a mapping ({})", object.title),
            Shape::Items(shape) => format!("a list; in it {}", shape.words()),
            Shape::Either(shapes) => shapes.iter().map(Shape::words).collect::<Vec<_>>().join("; or "),
            Shape::Values => "a list, or one expression that gives one".to_owned(),
            Shape::Late(shape) => shape.words(),
            Shape::Any => "anything".to_owned(),
        }
    }

    /// The mappings with known keys that it can hold, the nearest first.
    pub(crate) fn objects(&self) -> Vec<&'static Object> {
        match self {
            Shape::Object(object) => vec![object],
            Shape::List(shape) | Shape::Items(shape) | Shape::Map(_, shape) | Shape::Late(shape) => {
                shape.objects()
            }
            Shape::Either(shapes) => shapes.iter().flat_map(Shape::objects).collect(),
            Shape::Text
            | Shape::Filled
            | Shape::Template
            | Shape::FilledTemplate
            | Shape::Expression
            | Shape::Identifier
            | Shape::ScriptFile
            | Shape::Argv
            | Shape::Whole(..)
            | Shape::Number(..)
            | Shape::Boolean
            | Shape::Duration { .. }
            | Shape::Words(_)
            | Shape::Special(_)
            | Shape::Values
            | Shape::Any => Vec::new(),
        }
    }

    /// The words that it can be, each with what it means.
    pub(crate) fn choices(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Shape::Words(words) => words,
            Shape::List(shape) | Shape::Items(shape) | Shape::Map(_, shape) | Shape::Late(shape) => {
                shape.choices()
            }
            Shape::Either(shapes) => {
                shapes.iter().map(Shape::choices).find(|words| !words.is_empty()).unwrap_or(&[])
            }
            Shape::Text
            | Shape::Filled
            | Shape::Template
            | Shape::FilledTemplate
            | Shape::Expression
            | Shape::Identifier
            | Shape::ScriptFile
            | Shape::Argv
            | Shape::Whole(..)
            | Shape::Number(..)
            | Shape::Boolean
            | Shape::Duration { .. }
            | Shape::Special(_)
            | Shape::Object(_)
            | Shape::Values
            | Shape::Any => &[],
        }
    }
}

impl Names {
    fn words(self) -> &'static str {
        match self {
            Names::Any | Names::Child => "names",
            Names::Identifier => "names (letters, digits, `_`)",
        }
    }
}

/// `a`; `a or b`; `a, b or c`.
fn listed(mut words: Vec<String>) -> String {
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} or {last}", words.join(", ")),
        last => last.unwrap_or_default(),
    }
}
