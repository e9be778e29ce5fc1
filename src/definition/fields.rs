//! Taking a tree apart: every `take` either gives a value or leaves a finding, and never stops the rest.
//!
//! What a key means is not known here.

use super::flow;
use super::guessed;
use super::keys::Object;
use super::known;
use super::machine::Machine;
use super::problem::{Code, Finding};
use super::timetable::Crons;
use super::tree::{Kind, Node};
use super::values;
use crate::base::{Bytes, Millis, did_you_mean};
use crate::schedule::Zone;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// Collects what is wrong while a file is taken apart.
#[derive(Default)]
pub(super) struct Checker {
    pub(super) findings: Vec<Finding>,
    /// Kept from file to file.
    pub(super) crons: Crons,
    /// The texts with expressions that were met since somebody took them.
    pub(super) written: Vec<Text>,
    /// What `queue` and its like are held against; nothing is said about them without it.
    pub(super) machine: Option<Arc<Machine>>,
    /// That of the host, for moments without one of their own.
    pub(super) zone: Option<Zone>,
    /// How many names were compared with others so far.
    pub(super) compared: usize,
}

/// So many names are compared in search of what was meant. Whoever has more mistakes mends the first ones first.
const COMPARED: usize = 20_000;

/// So many problems of a file come with what could have been written. Far fewer are shown.
const HELPED: usize = 1_000;

/// Names for a message: all, or the first of many.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const MOST: usize = 30;
    let mut names = names.into_iter();
    let mut list = names.by_ref().take(MOST).collect::<Vec<_>>().join(", ");
    match names.count() {
        0 => {}
        more => list += &format!(" and {more} more"),
    }
    list
}

/// Whether the braces of an expression are opened in a text. Most texts do not even hold the first character of them.
pub(super) fn opens_expression(text: &str) -> bool {
    text.as_bytes().contains(&b'$') && text.contains("${{")
}

/// A text with expressions, or (bare) an expression alone, as it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    pub(super) is_bare: bool,
}

/// One entry of a mapping.
#[derive(Clone)]
pub(super) struct Field<'t> {
    pub(super) key: &'t str,
    pub(super) place: Range<usize>,
    pub(super) value: &'t Node<'t>,
}

/// Where in the file a mapping stands, for messages: `tasks.dump.retry`. Built without allocating.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    pub(super) above: Option<&'p Path<'p>>,
    pub(super) name: &'p str,
}

impl<'p> Path<'p> {
    pub(super) const fn root(name: &'p str) -> Path<'p> {
        Path { above: None, name }
    }

    pub(super) const fn child(&'p self, name: &'p str) -> Path<'p> {
        Path { above: Some(self), name }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.above {
            Some(Path { above: None, .. }) => f.write_str(self.name),
            Some(above) => write!(f, "{above}.{}", self.name),
            None => f.write_str(self.name),
        }
    }
}

impl Checker {
    pub(super) fn report(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Whether so much is wrong already that nobody is told any more what could stand in its place.
    pub(super) fn has_helped_enough(&self) -> bool {
        self.findings.len() > HELPED
    }

    /// The name that a misspelt one most probably means, as long as not too many were looked for.
    pub(super) fn meant<'n>(
        &mut self,
        word: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        let left = COMPARED.saturating_sub(self.compared);
        did_you_mean(word, names.into_iter().take(left).inspect(|_| self.compared += 1))
    }

    /// The entries of a mapping: merged, without duplicates and without `x-` keys. `None` when it is none.
    pub(super) fn fields<'t>(
        &mut self,
        node: &'t Node<'t>,
        what: &dyn fmt::Display,
    ) -> Option<Vec<Field<'t>>> {
        match &node.kind {
            Kind::Map(entries) => Some(self.own_and_merged(entries)),
            Kind::Null => Some(Vec::new()),
            Kind::Broken => None,
            Kind::Text { .. } | Kind::List(_) => {
                let message = format!("`{what}` must be a mapping");
                self.report(Finding::new(
                    Code::E0110,
                    node.span.clone(),
                    message,
                    "expected `key: value` lines",
                ));
                None
            }
        }
    }

    fn own_and_merged<'t>(&mut self, entries: &'t [(Node<'t>, Node<'t>)]) -> Vec<Field<'t>> {
        let mut fields: Vec<Field<'t>> = Vec::with_capacity(entries.len());
        let mut seen = Seen::default();
        let mut merges = Vec::new();
        for (key, value) in entries {
            let Some(name) = self.key(key) else { continue };
            if let Some(first) = seen.insert(name, &key.span) {
                let finding = Finding::new(
                    Code::E0106,
                    key.span.clone(),
                    format!("`{name}` is given twice"),
                    "given again here",
                );
                self.report(finding.also(first.clone(), "first given here"));
            } else if name == "<<" {
                merges.push(value);
            } else if !name.starts_with("x-") {
                fields.push(Field { key: name, place: key.span.clone(), value });
            }
        }
        for value in merges {
            for field in self.merged(value) {
                if seen.insert(field.key, &field.place).is_none() {
                    fields.push(field);
                }
            }
        }
        fields
    }

    /// Looks for duplicate keys in a value whose keys nobody knows.
    pub(super) fn free_form(&mut self, node: &Node<'_>) {
        match &node.kind {
            Kind::Map(entries) => {
                for field in self.own_and_merged(entries) {
                    self.free_form(field.value);
                }
            }
            Kind::List(items) => {
                for item in items {
                    self.free_form(item);
                }
            }
            Kind::Null | Kind::Text { .. } | Kind::Broken => {}
        }
    }

    fn key<'t>(&mut self, key: &'t Node<'t>) -> Option<&'t str> {
        match &key.kind {
            Kind::Text { text, .. } => Some(text),
            Kind::Broken => None,
            Kind::Null | Kind::List(_) | Kind::Map(_) => {
                let finding =
                    Finding::new(Code::E0115, key.span.clone(), "a key must be text", "this is no text");
                self.report(finding);
                None
            }
        }
    }

    fn merged<'t>(&mut self, value: &'t Node<'t>) -> Vec<Field<'t>> {
        let mut fields = Vec::new();
        let maps = match &value.kind {
            Kind::List(items) => items.as_slice(),
            Kind::Null | Kind::Text { .. } | Kind::Map(_) | Kind::Broken => std::slice::from_ref(value),
        };
        for map in maps {
            match &map.kind {
                Kind::Map(entries) => fields.extend(self.own_and_merged(entries)),
                Kind::Broken => {}
                Kind::Null | Kind::Text { .. } | Kind::List(_) => {
                    let message = "the merge key `<<` takes a mapping";
                    self.report(Finding::new(
                        Code::E0114,
                        map.span.clone(),
                        message,
                        "expected an alias such as `*common`",
                    ));
                }
            }
        }
        fields
    }

    /// Says what is wrong with a key that nobody took: not built yet, from another tool, misspelt, or unknown.
    ///
    /// Gives whether a body was probably meant: then nobody needs to hear that there is none.
    pub(super) fn unknown(&mut self, field: &Field<'_>, path: &Path<'_>, object: &Object) -> bool {
        let key = field.key;
        if let Some(later) = object.later.iter().find(|later| later.name == key) {
            let message =
                format!("`{key}` is part of the task language, but this version does not have it yet");
            let finding = Finding::new(Code::E0150, field.place.clone(), message, "not built yet");
            self.report(finding.help(later.instead.unwrap_or("remove it for now")));
            return false;
        }
        let message = match path.above {
            Some(_) => format!("unknown field `{key}` in {path}"),
            None => format!("unknown field `{key}`"),
        };
        let finding = Finding::new(Code::E0104, field.place.clone(), message, "not a field of this object");
        if let Some((help, is_body)) = guessed::instead(key, object) {
            self.report(finding.help(help));
            return is_body;
        }
        if self.has_helped_enough() {
            self.report(finding);
            return false;
        }
        let foreign = object.keys().find(|ours| ours.foreign.contains(&key)).map(|ours| ours.name);
        let meant = self.meant(key, object.names());
        self.report(match foreign {
            Some(ours) => finding.help(format!("here it is called `{ours}`")),
            None => finding.suggest(key, meant, || {
                format!("known fields: {}", object.names().collect::<Vec<_>>().join(", "))
            }),
        });
        foreign.or(meant).is_some_and(|word| known::BODIES.contains(&word))
    }

    /// Says that a key has no value.
    pub(super) fn no_value(&mut self, node: &Node<'_>, what: &str) {
        let finding = Finding::new(
            Code::E0116,
            node.span.clone(),
            format!("`{what}` has no value"),
            "expected a value here",
        );
        self.report(finding.help(match what {
            "run" => NO_COMMAND,
            _ => "write a value, or remove the key; an empty text is \"\"",
        }));
    }

    fn wrong_shape(&mut self, node: &Node<'_>, what: &str, expected: &str) {
        let message = format!("`{what}` must be {expected}");
        self.report(Finding::new(Code::E0110, node.span.clone(), message, format!("expected {expected}")));
    }

    /// Text, or anything that is written as one: `1.10` stays `1.10`.
    pub(super) fn text(&mut self, node: &Node<'_>, what: &str) -> Option<String> {
        match &node.kind {
            Kind::Text { text, .. } if text.contains('\0') => {
                let message = format!("`{what}` holds a NUL character");
                self.report(Finding::new(
                    Code::E0110,
                    node.span.clone(),
                    message,
                    "no program can be given this",
                ));
                None
            }
            Kind::Text { text, .. } if opens_expression(text) => {
                self.refuse_expression(node, what);
                None
            }
            Kind::Text { text, .. } => Some(text.clone().into_owned()),
            Kind::Null => {
                self.no_value(node, what);
                None
            }
            Kind::List(_) if what == "run" => {
                let message = "`run` must be text";
                let finding = Finding::new(Code::E0110, node.span.clone(), message, "this is a list");
                self.report(finding.help(
                    "several commands are lines of one text (`run: |`), or `steps`; a program with its arguments is \
                     `exec: [ … ]`",
                ));
                None
            }
            Kind::List(_) | Kind::Map(_) => {
                self.wrong_shape(node, what, "text");
                None
            }
            Kind::Broken => None,
        }
    }

    fn refuse_expression(&mut self, node: &Node<'_>, what: &str) {
        let message = format!("`{what}` cannot hold an expression");
        let label = "it must be known when the file is read";
        self.report(Finding::new(Code::E0151, node.span.clone(), message, label));
    }

    /// Text that may hold expressions.
    pub(super) fn template(&mut self, node: &Node<'_>, what: &str) -> Option<String> {
        match &node.kind {
            Kind::Text { text, .. } if opens_expression(text) && !text.contains('\0') => {
                let text = text.clone().into_owned();
                self.written.push(Text { text: text.clone(), span: node.span.clone(), is_bare: false });
                Some(text)
            }
            Kind::Text { .. } | Kind::Null | Kind::List(_) | Kind::Map(_) | Kind::Broken => {
                self.text(node, what)
            }
        }
    }

    /// Text that is more than blanks and may hold expressions.
    pub(super) fn filled_template(&mut self, node: &Node<'_>, what: &str) -> Option<String> {
        let text = self.template(node, what)?;
        self.filled(text, node, what)
    }

    fn filled(&mut self, text: String, node: &Node<'_>, what: &str) -> Option<String> {
        if !text.trim().is_empty() {
            return Some(text);
        }
        let message = format!("`{what}` is empty");
        let finding = Finding::new(Code::E0116, node.span.clone(), message, "expected more than nothing");
        self.report(finding.help(match what {
            "run" => NO_COMMAND,
            _ => "write a value, or remove the key",
        }));
        None
    }

    /// Text that is more than blanks and whose expressions were noted before.
    pub(super) fn plain_template(&mut self, node: &Node<'_>, what: &str) -> Option<String> {
        let noted = self.written.len();
        let text = self.filled_template(node, what);
        self.written.truncate(noted);
        text
    }

    /// Notes an expression that stands without braces.
    pub(super) fn bare_expression(&mut self, node: &Node<'_>, text: &str) {
        self.written.push(Text { text: text.to_owned(), span: node.span.clone(), is_bare: true });
    }

    /// Notes every text with expressions in a value whose keys nobody knows.
    pub(super) fn templates_within(&mut self, node: &Node<'_>) {
        match &node.kind {
            Kind::Text { text, .. } if opens_expression(text) => {
                self.written.push(Text {
                    text: text.clone().into_owned(),
                    span: node.span.clone(),
                    is_bare: false,
                });
            }
            Kind::List(items) => items.iter().for_each(|item| self.templates_within(item)),
            Kind::Map(entries) => entries.iter().for_each(|(_, value)| self.templates_within(value)),
            Kind::Text { .. } | Kind::Null | Kind::Broken => {}
        }
    }

    /// A mapping of names to texts that may hold expressions.
    pub(super) fn template_map(
        &mut self,
        node: &Node<'_>,
        what: &str,
    ) -> Vec<(String, Range<usize>, String)> {
        let fields = self.fields(node, &what).unwrap_or_default();
        let entry = |field: Field<'_>| {
            let value = self.template(field.value, field.key)?;
            Some((field.key.to_owned(), field.place, value))
        };
        fields.into_iter().filter_map(entry).collect()
    }

    /// Every entry of a list of texts that may hold expressions; a single text counts as a list of one.
    pub(super) fn templates(&mut self, node: &Node<'_>, what: &str) -> Vec<String> {
        list(node).iter().filter_map(|item| self.template(item, what)).collect()
    }

    /// Text that is more than blanks.
    pub(super) fn filled_text(&mut self, node: &Node<'_>, what: &str) -> Option<String> {
        let text = self.text(node, what)?;
        self.filled(text, node, what)
    }

    /// `true` or `false` and nothing else.
    pub(super) fn boolean(&mut self, node: &Node<'_>, what: &str) -> Option<bool> {
        let word = match &node.kind {
            Kind::Text { text, .. } if opens_expression(text) => {
                self.refuse_expression(node, what);
                return None;
            }
            Kind::Text { text, is_plain: true } if text == "true" || text == "false" => {
                return Some(text == "true");
            }
            Kind::Text { text, .. } => text.to_ascii_lowercase(),
            Kind::Null => {
                self.no_value(node, what);
                return None;
            }
            Kind::List(_) | Kind::Map(_) => {
                self.wrong_shape(node, what, "`true` or `false`");
                return None;
            }
            Kind::Broken => return None,
        };
        let meant = match word.as_str() {
            "yes" | "y" | "on" | "true" | "1" => Some("true"),
            "no" | "n" | "off" | "false" | "0" => Some("false"),
            _ => None,
        };
        let message = format!("`{what}` must be `true` or `false`");
        let finding = Finding::new(Code::E0113, node.span.clone(), message, "this is neither");
        self.report(match meant {
            Some(word) => finding.fix(node.span.clone(), word).help(format!("did you mean `{word}`?")),
            None => finding.help("write `true` or `false`"),
        });
        None
    }

    /// A whole number in a range.
    pub(super) fn integer(&mut self, node: &Node<'_>, what: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let number = self.scalar(node, what, "a whole number")?.parse::<i64>().ok();
        let (low, high) = (range.start(), range.end());
        match number {
            Some(number) if range.contains(&number) => Some(number),
            Some(number) => self.bad_number(
                node,
                what,
                format!("from {low} to {high}"),
                format!("{number} is out of range"),
            ),
            None => self.bad_number(
                node,
                what,
                format!("a whole number from {low} to {high}"),
                "this is no whole number".to_owned(),
            ),
        }
    }

    /// A number in a range.
    pub(super) fn number(&mut self, node: &Node<'_>, what: &str, range: RangeInclusive<f64>) -> Option<f64> {
        let number =
            self.scalar(node, what, "a number")?.parse::<f64>().ok().filter(|number| number.is_finite());
        let (low, high) = (range.start(), range.end());
        let bounds = if *high == f64::MAX { String::new() } else { format!(" from {low} to {high}") };
        match number {
            Some(number) if range.contains(&number) => Some(number),
            Some(number) => {
                self.bad_number(node, what, format!("a number{bounds}"), format!("{number} is out of range"))
            }
            None => self.bad_number(node, what, format!("a number{bounds}"), "this is no number".to_owned()),
        }
    }

    fn bad_number<T>(&mut self, node: &Node<'_>, what: &str, expected: String, label: String) -> Option<T> {
        self.report(Finding::new(
            Code::E0121,
            node.span.clone(),
            format!("`{what}` must be {expected}"),
            label,
        ));
        None
    }

    /// The text of a scalar, or a finding that something else was expected.
    fn scalar<'t>(&mut self, node: &'t Node<'_>, what: &str, expected: &str) -> Option<&'t str> {
        match &node.kind {
            Kind::Text { text, .. } if opens_expression(text) => {
                self.refuse_expression(node, what);
                None
            }
            Kind::Text { text, .. } => Some(text),
            Kind::Null => {
                self.no_value(node, what);
                None
            }
            Kind::List(_) | Kind::Map(_) => {
                self.wrong_shape(node, what, expected);
                None
            }
            Kind::Broken => None,
        }
    }

    /// A length of time; zero only where `may_be_zero`.
    pub(super) fn span(&mut self, node: &Node<'_>, what: &str, may_be_zero: bool) -> Option<Millis> {
        let text = self.scalar(node, what, "a duration such as 30s")?;
        let label = match text.parse::<Millis>() {
            Ok(Millis(0)) if !may_be_zero => "it must be longer than nothing".to_owned(),
            Ok(span) => return Some(span),
            Err(error) => error.to_string(),
        };
        let message = format!("`{what}` is not a duration: `{text}`");
        self.report(Finding::new(Code::E0120, node.span.clone(), message, label));
        None
    }

    /// A number of bytes, at least so many.
    pub(super) fn bytes(&mut self, node: &Node<'_>, what: &str, least: u64) -> Option<u64> {
        self.bytes_within(node, what, least..=u64::MAX)
    }

    /// The same with bounds.
    pub(super) fn bytes_within(
        &mut self,
        node: &Node<'_>,
        what: &str,
        bounds: RangeInclusive<u64>,
    ) -> Option<u64> {
        let text = self.scalar(node, what, "a size such as 64MiB")?;
        let (least, most) = (*bounds.start(), *bounds.end());
        let label = match text.parse::<Bytes>() {
            Ok(Bytes(bytes)) if bytes < least => format!("it must be at least {}", Bytes(least)),
            Ok(Bytes(bytes)) if bytes > most => format!("it must be at most {}", Bytes(most)),
            Ok(Bytes(bytes)) => return Some(bytes),
            Err(error) => error.to_string(),
        };
        let message = format!("`{what}` is not such a size: `{text}`");
        self.report(Finding::new(Code::E0128, node.span.clone(), message, label));
        None
    }

    /// One of these words.
    pub(super) fn choice<T: Copy>(&mut self, node: &Node<'_>, what: &str, words: &[(&str, T)]) -> Option<T> {
        let all = || words.iter().map(|(word, _)| *word);
        let list = || all().collect::<Vec<_>>().join(", ");
        let text = self.scalar(node, what, "a word")?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let message = format!("`{text}` is not a value of `{what}`");
        let finding = Finding::new(Code::E0122, node.span.clone(), message, format!("one of: {}", list()));
        let meant = self.meant(text, all());
        self.report(finding.suggest(text, meant, || format!("write one of: {}", list())));
        None
    }

    /// Every entry of a list of texts; a single text counts as a list of one.
    pub(super) fn texts(&mut self, node: &Node<'_>, what: &str) -> Vec<String> {
        list(node).iter().filter_map(|item| self.text(item, what)).collect()
    }

    /// A mapping of names to texts.
    pub(super) fn text_map(&mut self, node: &Node<'_>, what: &str) -> Vec<(String, Range<usize>, String)> {
        let fields = self.fields(node, &what).unwrap_or_default();
        let entry = |field: Field<'_>| {
            let value = self.text(field.value, field.key)?;
            Some((field.key.to_owned(), field.place, value))
        };
        fields.into_iter().filter_map(entry).collect()
    }

    /// Says that a name of a variable or a parameter is none; gives whether it is one.
    pub(super) fn is_identifier(&mut self, name: &str, place: &Range<usize>, what: &str) -> bool {
        let is_good = values::is_identifier(name);
        if !is_good {
            let message = format!("`{name}` cannot be the name of {what}");
            let label = "use letters, digits and `_`, and begin with no digit";
            self.report(Finding::new(Code::E0123, place.clone(), message, label));
        }
        is_good
    }

    /// A path below a folder of the project: relative, without `..`.
    pub(super) fn path_below(&mut self, node: &Node<'_>, what: &str, folder: &str) -> Option<String> {
        let path = self.filled_text(node, what)?;
        let is_below = !path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_below {
            let message = format!("`{path}` does not name a file below `{folder}/`");
            let finding = Finding::new(
                Code::E0124,
                node.span.clone(),
                message,
                "expected a relative path without `..`",
            );
            self.report(finding);
            return None;
        }
        if let Some(short) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) {
            let message = format!("the path is already relative to `{folder}/`");
            let finding =
                Finding::new(Code::W0202, node.span.clone(), message, format!("this is `{folder}/{path}`"));
            self.report(finding.fix(node.span.clone(), flow::scalar(short)).help(format!("write `{short}`")));
        }
        Some(path)
    }
}

const NO_COMMAND: &str = "write a command; one that does nothing is `run: \"true\"`";

/// Keys that were met and where. Few keys are compared one by one, which is faster than to hash them.
#[derive(Default)]
struct Seen<'t> {
    few: Vec<(&'t str, Range<usize>)>,
    many: HashMap<&'t str, Range<usize>>,
}

const FEW: usize = 24;

impl<'t> Seen<'t> {
    /// Notes a key, unless it was met before: then gives where.
    fn insert(&mut self, key: &'t str, place: &Range<usize>) -> Option<Range<usize>> {
        if let Some((_, first)) = self.few.iter().find(|(other, _)| *other == key) {
            return Some(first.clone());
        }
        if self.few.len() < FEW {
            self.few.push((key, place.clone()));
            return None;
        }
        match self.many.entry(key) {
            Entry::Occupied(first) => Some(first.get().clone()),
            Entry::Vacant(free) => {
                free.insert(place.clone());
                None
            }
        }
    }
}

/// The entries of a list; a single value counts as a list of one, nothing as an empty list.
pub(super) fn list<'t>(node: &'t Node<'t>) -> &'t [Node<'t>] {
    match &node.kind {
        Kind::List(items) => items,
        Kind::Null | Kind::Broken => &[],
        Kind::Text { .. } | Kind::Map(_) => std::slice::from_ref(node),
    }
}
