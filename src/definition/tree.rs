//! YAML text as a tree in which every node knows its place.
//!
//! No key means anything here yet. What the reader is sure of (a document too many, an unknown anchor, an expression)
//! is noted and the rest is still read; only a mistake that stops the scanner itself ends the reading.

use super::heal;
use super::problem::{Code, Finding};
use super::slip;
use crate::base::did_you_mean;
use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// More is refused unread; a task file of a person has a few kilobytes.
pub(super) const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 100_000;
/// Nodes that exist only because an alias repeats them.
const MAX_COPIES: usize = 10_000;

/// So many names of anchors are compared with an unknown one, and the fewer the more unknown ones there are.
const COMPARED: usize = 1_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) span: Range<usize>,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind<'a> {
    /// Nothing was written, or `~` or `null`.
    Null,
    /// Text; `is_plain` when it stood without quotes, so that it may also mean a number.
    Text { text: Cow<'a, str>, is_plain: bool },
    /// A list.
    List(Vec<Node<'a>>),
    /// A mapping in the order it was written, with duplicates.
    Map(Vec<(Node<'a>, Node<'a>)>),
    /// A value that was found wrong already: nothing more is said about it.
    Broken,
}

impl<'a> Node<'a> {
    /// The text of a scalar.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text { text, .. } => Some(text),
            Kind::Null | Kind::List(_) | Kind::Map(_) | Kind::Broken => None,
        }
    }

    fn weight(&self) -> usize {
        match &self.kind {
            Kind::Null | Kind::Text { .. } | Kind::Broken => 1,
            Kind::List(items) => 1 + items.iter().map(Node::weight).sum::<usize>(),
            Kind::Map(entries) => {
                1 + entries.iter().map(|(key, value)| key.weight() + value.weight()).sum::<usize>()
            }
        }
    }
}

/// Reads `text`. Scalars that begin inside one of the `broken` ranges become [`Kind::Broken`].
///
/// `None` for the root means that a budget was exceeded, which is among the findings.
pub(super) fn build<'a>(
    text: &'a str,
    broken: &[Range<usize>],
) -> Result<(Option<Node<'a>>, Vec<Finding>), ScanError> {
    let mut builder = Builder { text, broken, ..Builder::default() };
    for next in Parser::new_from_str_with_options(text, options()) {
        let (event, span) = next?;
        let span = span.byte_range().expect("a parser over text knows bytes");
        if builder.take(event, span).is_break() {
            return Ok((builder.root, builder.findings));
        }
    }
    let empty = Node { kind: Kind::Null, span: 0..0 };
    Ok((Some(builder.root.unwrap_or(empty)), builder.findings))
}

/// The first mistake that stops the scanner.
pub(super) fn first_error(text: &str) -> Option<ScanError> {
    Parser::new_from_str_with_options(text, options()).find_map(Result::err)
}

fn options() -> granit_parser::Options {
    granit_parser::options! { emit_anchor_events: true, emit_unresolved_aliases: true, emit_comments: false }
}

#[derive(Default)]
struct Builder<'a, 'b> {
    text: &'a str,
    broken: &'b [Range<usize>],
    stack: Vec<Open<'a>>,
    root: Option<Node<'a>>,
    anchors: HashMap<usize, (Node<'a>, usize)>,
    names: Vec<String>,
    documents: usize,
    nodes: usize,
    copies: usize,
    findings: Vec<Finding>,
}

/// A collection that is not closed yet.
struct Open<'a> {
    node: Node<'a>,
    key: Option<Node<'a>>,
    anchor: usize,
}

type Flow = std::ops::ControlFlow<()>;
const GO_ON: Flow = Flow::Continue(());
const STOP: Flow = Flow::Break(());

impl<'a> Builder<'a, '_> {
    fn take(&mut self, event: Event<'a>, span: Range<usize>) -> Flow {
        match event {
            Event::DocumentStart(..) => self.document(span),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span);
                let node = self.scalar(text, style, span);
                self.close(node, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span);
                self.open(Kind::List(Vec::new()), span, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span);
                self.open(Kind::Map(Vec::new()), span, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Open { mut node, anchor, .. }) => {
                    node.span.end = span.end.max(node.span.start);
                    self.close(node, anchor)
                }
                None => GO_ON,
            },
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let finding = self.unknown_anchor(&name, span.clone());
                self.findings.push(finding);
                self.close(Node { kind: Kind::Broken, span }, 0)
            }
            Event::Anchor(_, name) => {
                self.names.push(name.into_owned());
                GO_ON
            }
            // Starts and ends of the stream, and whatever events a later parser adds, are no values.
            _ => GO_ON,
        }
    }

    fn document(&mut self, span: Range<usize>) -> Flow {
        self.documents += 1;
        if self.documents == 1 {
            return GO_ON;
        }
        let finding = Finding::new(
            Code::E0109,
            span,
            "the file holds more than one YAML document",
            "a second document begins here",
        );
        self.findings.push(finding.help("one file is one task: move this into a file of its own"));
        STOP
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, span: &Range<usize>) {
        if let Some(tag) = tag {
            let message = format!("the tag `{}` means nothing here", tag.original());
            let finding = Finding::new(Code::E0119, span.clone(), message, "this value has a tag");
            self.findings.push(finding.help("remove the tag; a value that begins with `!` must be quoted"));
        }
    }

    fn scalar(&mut self, text: Cow<'a, str>, style: ScalarStyle, span: Range<usize>) -> Node<'a> {
        if self.broken.iter().any(|range| range.contains(&span.start)) {
            return Node { kind: Kind::Broken, span };
        }
        let is_plain = style == ScalarStyle::Plain;
        // The parser gives `~` for what is not there at all.
        match is_plain && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL") {
            true => Node { kind: Kind::Null, span },
            false => Node { kind: Kind::Text { text, is_plain }, span },
        }
    }

    fn open(&mut self, kind: Kind<'a>, span: Range<usize>, anchor: usize) -> Flow {
        if self.stack.len() >= MAX_DEPTH {
            return self.refuse(span, format!("the file is nested deeper than {MAX_DEPTH} levels"));
        }
        self.stack.push(Open { node: Node { kind, span }, key: None, anchor });
        GO_ON
    }

    /// Puts a complete node into its place.
    fn close(&mut self, node: Node<'a>, anchor: usize) -> Flow {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return self.refuse(node.span, format!("the file holds more than {MAX_NODES} values"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), node.weight()));
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open { node: Node { kind: Kind::Map(entries), .. }, key, .. }) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
            Some(Open { node: Node { kind: Kind::List(items), .. }, .. }) => items.push(node),
            Some(_) => {}
        }
        GO_ON
    }

    fn alias(&mut self, id: usize, span: Range<usize>) -> Flow {
        let Some((node, weight)) = self.anchors.get(&id) else {
            let finding =
                Finding::new(Code::E0107, span.clone(), "an anchor cannot contain itself", "used here");
            self.findings.push(finding);
            return self.close(Node { kind: Kind::Broken, span }, 0);
        };
        self.copies += weight;
        if self.copies > MAX_COPIES {
            return self.refuse(span, format!("aliases repeat more than {MAX_COPIES} values"));
        }
        let node = Node { span, kind: node.kind.clone() };
        self.close(node, 0)
    }

    fn refuse(&mut self, span: Range<usize>, message: String) -> Flow {
        self.findings.push(Finding::new(Code::E0112, span, message, "the limit is reached here"));
        self.root = None;
        STOP
    }

    fn unknown_anchor(&self, name: &str, span: Range<usize>) -> Finding {
        // A `*` of cron was meant when a blank, `/` or `,` follows. Then the whole line is read, so not for each of many.
        let after = self.text.get(span.start + 1..).unwrap_or_default();
        let may_be_cron =
            self.findings.len() < 20 && (after.is_empty() || after.starts_with([' ', '/', ',', '\n', '\r']));
        let value = if may_be_cron { heal::unquoted_star(self.text, span.start) } else { None };
        if let Some(value) = value {
            return heal::quote_the_star(self.text, value);
        }
        let message = format!("no anchor named `{name}` stands above this line");
        let finding = Finding::new(Code::E0107, span.clone(), message, "used here");
        // Each unknown name is compared with all others.
        let few = self.names.iter().map(String::as_str).take(COMPARED / (1 + self.findings.len()));
        match did_you_mean(name, few) {
            Some(meant) if slip::of_name(name, meant) => {
                finding.help(format!("did you mean `*{meant}`?")).fix(span, format!("*{meant}"))
            }
            Some(meant) => finding.help(format!("did you mean `*{meant}`?")),
            None => finding.help(format!("define it first: `x-common: &{name} {{ timeout: 5m }}`")),
        }
    }
}
