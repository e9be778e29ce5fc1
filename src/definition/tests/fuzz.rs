//! Our reader of YAML against another one: both accept the same texts and see the same values in them, but for the
//! differences that are listed here, each with its reason.
//!
//! The other one is libyaml, which reads YAML 1.1 with some of 1.2; ours reads YAML 1.2.

use super::super::tree::{self, Kind, Node};
use super::super::values;
use crate::definition::{SchemaKind, schema};
use crate::fuzz::{ALLOWED, Campaign, Files, Input, Rng, processor_time};
use serde_yaml::Value;
use std::collections::HashSet;
use std::time::Duration;

/// One reader refuses what the other accepts.
struct Known {
    /// What ours says: the name of the mistake, or nothing when it accepts the text.
    ours: &'static str,
    /// What is in the message of the other one; nothing when it accepts the text.
    theirs: &'static str,
    /// What the text must look like, beyond that.
    when: fn(&str) -> bool,
    example: &'static str,
    why: &'static str,
}

/// We accept what they refuse.
const fn more(
    theirs: &'static str,
    when: fn(&str) -> bool,
    example: &'static str,
    why: &'static str,
) -> Known {
    Known { ours: "", theirs, when, example, why }
}

/// We refuse what they accept.
const fn less(ours: &'static str, when: fn(&str) -> bool, example: &'static str, why: &'static str) -> Known {
    Known { ours, theirs: "", when, example, why }
}

const KNOWN: &[Known] = &[
    more(
        "duplicate entry",
        |_| true,
        "a: 1\na: 2",
        "keys given twice are told later, with both places: E0106",
    ),
    more(
        "as u128",
        |_| true,
        "18446744073709551616",
        "numbers too large for 64 bits lose digits, as in JSON",
    ),
    more(
        "as i128",
        |_| true,
        "-18446744073709551616",
        "numbers too large for 64 bits lose digits, as in JSON",
    ),
    more(
        "expected ',' or '}'",
        |text| text.contains('{'),
        "{ a\nb: c }",
        "a key between braces may go on in the next line",
    ),
    more(
        "expected ',' or ']'",
        |text| text.contains('?'),
        "[x,? ]",
        "a lone `?` between brackets is a key without a value",
    ),
    more("expected key", has_no_key, ": a", "a key may be nothing; it is told later: E0115"),
    more("expected node content", has_no_key, "{: }", "a key may be nothing; it is told later: E0115"),
    more(
        "expected node content",
        |text| text.contains("..."),
        "...\n",
        "a document may end before it begins",
    ),
    more(
        "expected node content",
        has_text_with_colon,
        "{ a: :b }",
        "a text may begin with `:` between brackets",
    ),
    more(
        "while scanning a quoted scalar",
        has_text_with_colon,
        "{:\"}",
        "a text may begin with `:` between brackets, and a quote inside of it is a letter",
    ),
    more(
        "tab character",
        |text| text.contains('\t'),
        "a: >-\n  \tb",
        "a tab may stand where no indentation is",
    ),
    more(
        "cannot start any token",
        |text| text.contains('\t'),
        "\t",
        "a tab may stand where no indentation is",
    ),
    more(
        "unexpected ':'",
        |text| text.contains(['{', '[']),
        "{ a:, b: c }",
        "between brackets a `:` ends a key before `,` too",
    ),
    more(
        "directive name",
        |text| text.contains('%'),
        "%YAM\n---\n",
        "directives that nobody knows mean nothing",
    ),
    more(
        "non-alphabetical",
        |text| text.contains('%'),
        "%YAML\"1.2\n---\n",
        "directives that nobody knows mean nothing",
    ),
    less("E0119", |text| text.contains('!'), "!x a", "tags mean nothing in a task"),
    less("MissingTagUri", |text| text.contains('!'), "!!! a", "libyaml takes a tag without a name"),
    less(
        "InvalidTagTerminator",
        |text| text.contains('!'),
        "n: !:!",
        "only a handle of letters, digits and dashes ends with `!`, and no other `!` may stand in a tag",
    ),
    less(
        "CommentNotSeparated",
        |text| text.contains('#'),
        "a: |# b\n c\n",
        "a comment begins behind a blank",
    ),
    less(
        "TabInBlockIndentation",
        |text| text.contains('\t'),
        "s: {\n\t}",
        "a line that begins with a tab is refused between brackets too",
    ),
    less(
        "InvalidBlockScalarIndent",
        is_with_block,
        "a: >+3\n # b\nc: d\n",
        "libyaml lets a block be indented less than its header says",
    ),
    less(
        "InvalidQuotedScalarIndent",
        |text| text.contains(['\'', '"']),
        "a: '\nb'",
        "the lines of a text in quotes must be indented",
    ),
    less(
        "PlainScalarStartsWithDashFlowIndicator",
        |text| text.contains('-'),
        "{-}",
        "a lone `-` between brackets is no text",
    ),
    less(
        "E0112",
        |text| text.matches(['-', '?', ':', '[', '{']).count() > 32,
        concat!(
            "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - ",
            "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - a"
        ),
        "no task is nested so deep; the other reader stops at twice that",
    ),
    less("SimpleKeyExpected", is_with_block, "a:\n>+\n b: c\n", "a block must be indented more than its key"),
];

/// Texts in which the two mean different things by one sign, so that anything may follow from it.
struct Dialect {
    is_spoken: fn(&str) -> bool,
    example: &'static str,
    why: &'static str,
}

const DIALECTS: &[Dialect] = &[
    Dialect {
        is_spoken: |text| text.contains(['\u{85}', '\u{2028}', '\u{2029}']),
        example: "a: b\u{85}c: d",
        why: "lines end with these in YAML 1.1 only",
    },
    Dialect {
        is_spoken: |text| plain(text).contains('\u{feff}'),
        example: "\n  \u{feff}",
        why: "a byte order mark inside of a text is a blank, a letter, or refused",
    },
    Dialect {
        is_spoken: has_odd_name,
        example: "&a: b",
        why: "libyaml ends the name of an anchor at the first sign that is no letter, YAML 1.2 at a blank",
    },
    Dialect {
        is_spoken: |text| {
            text.match_indices('?').any(|(at, _)| text[at + 1..].starts_with(|c: char| !c.is_whitespace()))
        },
        example: "[?a]",
        why: "a `?` is part of a text unless a blank follows",
    },
    Dialect {
        is_spoken: has_name_twice,
        example: "a: &a 1\nb: &a 2\nc: &c 3\nd: *a",
        why: "of two anchors with one name YAML 1.2 means the last before the alias; the other reader takes that of the next new name for it",
    },
    Dialect {
        is_spoken: is_block,
        example: "|\n- a",
        why: "a block that is the whole file may stand in the first column",
    },
];

fn has_text_with_colon(text: &str) -> bool {
    text.match_indices(':').any(|(at, _)| {
        let is_first = text[..at].ends_with(|c: char| c.is_whitespace() || "{[,:".contains(c));
        is_first && text[at + 1..].starts_with(|c: char| !c.is_whitespace())
    })
}

fn is_with_block(text: &str) -> bool {
    text.contains(['|', '>'])
}

/// A file without the mark that may stand at its beginning.
fn plain(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Whether the file is one block, `|` or `>`.
fn is_block(text: &str) -> bool {
    let lines = plain(text).lines().map(|line| line.trim_start_matches("---").trim_start());
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '%']));
    lines.next().is_some_and(|line| line.starts_with(['|', '>', '&', '!']))
}

/// Whether there is a `:` with no key before it.
fn has_no_key(text: &str) -> bool {
    let begins = |line: &str| line.trim_start_matches(['-', '?', ' ', '\t', '{', '[', ',']).starts_with(':');
    plain(text).split(['\n', '\r', '{', '[', ',']).any(begins)
}

/// Whether an anchor or an alias has a name of more than letters.
fn has_odd_name(text: &str) -> bool {
    let name = |rest: &str| -> bool {
        let end = rest.find([' ', '\t', '\n', '\r', ',', '[', ']', '{', '}']).unwrap_or(rest.len());
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        end == 0 || !rest[..end].chars().all(is_word) || rest[end..].starts_with(['[', '{'])
    };
    text.match_indices(['&', '*']).any(|(at, _)| name(&text[at + 1..]))
}

/// Whether two anchors have the same name.
fn has_name_twice(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let names = text.split('&').skip(1).map(|rest| &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]);
    let mut seen = HashSet::new();
    names.filter(|name| !name.is_empty()).any(|name| !seen.insert(name))
}

fn ours(text: &str) -> Result<Node<'_>, String> {
    let (root, findings) = tree::build(text, &[]).map_err(|error| {
        let kind = format!("{:?}", error.kind());
        kind.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
    })?;
    match findings.first() {
        Some(finding) => Err(finding.code.as_str().to_owned()),
        None => root.ok_or_else(|| "nothing".to_owned()),
    }
}

fn theirs(text: &str) -> Result<Value, String> {
    serde_yaml::from_str(plain(text)).map_err(|error| error.to_string())
}

/// Whether both see the same. A mapping is compared entry by entry, before anything is merged.
fn same(ours: &Node<'_>, theirs: &Value) -> Result<(), String> {
    match (&ours.kind, theirs) {
        (Kind::Null, Value::Null) => Ok(()),
        (Kind::Text { text, is_plain: false }, Value::String(other)) if text == other => Ok(()),
        (Kind::Text { text, is_plain: true }, other) if is_same_plain(text, other) => Ok(()),
        (Kind::List(items), Value::Sequence(others)) if items.len() == others.len() => {
            items.iter().zip(others).try_for_each(|(ours, theirs)| same(ours, theirs))
        }
        (Kind::Map(entries), Value::Mapping(others)) if entries.len() == others.len() => {
            entries.iter().zip(others).try_for_each(|((key, value), (other, theirs))| {
                same(key, other)?;
                same(value, theirs)
            })
        }
        // The last line of a block has no end of its own: YAML 1.2 leaves open whether it gets one.
        (Kind::Text { text, .. }, Value::String(other)) if text.strip_suffix('\n') == Some(other) => Ok(()),
        (ours, theirs) => Err(format!("VALUES\n  ours   {ours:?}\n  theirs {theirs:?}")),
    }
}

fn is_same_plain(text: &str, theirs: &Value) -> bool {
    let ours = values::plain(text);
    match theirs {
        Value::Number(number) if !number.is_finite() => ours == text,
        // Of the ways to write a number in another base, the core schema of YAML 1.2 knows two, without a sign.
        Value::Number(_) if text.starts_with(['+', '-']) || text.starts_with("0b") => {
            ours == text && text.contains(['x', 'o', 'b']) || serde_json::to_value(theirs).ok() == Some(ours)
        }
        other => serde_json::to_value(other).ok() == Some(ours),
    }
}

/// What the two do not agree about.
fn difference(text: &str) -> Result<(), String> {
    match (ours(text), theirs(text)) {
        (Ok(ours), Ok(theirs)) => same(&ours, &theirs),
        (Ok(_), Err(theirs)) => Err(format!("ours accepts it, theirs: {theirs}")),
        (Err(ours), Ok(_)) => Err(format!("theirs accepts it, ours: {ours}")),
        (Err(_), Err(_)) => Ok(()),
    }
}

fn examine(input: &Input) -> Result<Duration, String> {
    let Ok(text) = std::str::from_utf8(&input[0]) else { return Ok(Duration::ZERO) };
    let begun = processor_time();
    let _ = tree::build(text, &[]);
    let took = processor_time() - begun;
    match difference(text) {
        Err(wrong) if !is_known(text) => Err(wrong),
        Err(_) | Ok(()) => Ok(took),
    }
}

fn is_known(text: &str) -> bool {
    KNOWN.iter().any(|known| applies(known, text)) || DIALECTS.iter().any(|dialect| (dialect.is_spoken)(text))
}

fn applies(known: &Known, text: &str) -> bool {
    let said = (ours(text).err().unwrap_or_default(), theirs(text).err().unwrap_or_default());
    let is_theirs = said.1.contains(known.theirs) && said.1.is_empty() == known.theirs.is_empty();
    said.0 == known.ours && is_theirs && (known.when)(text)
}

#[test]
fn two_readers_see_the_same() {
    let files = Files::new(schema(SchemaKind::Task));
    let make = |rng: &mut Rng| vec![files.file(rng)];
    Campaign { name: "two readers", everyday: 2_000, share: 1, allowed: ALLOWED }.run(make, examine);
}

/// Whoever changes one of the readers sees which lines of the tables are not true any more.
#[test]
fn every_known_difference_is_one() {
    for known in KNOWN {
        let (example, why) = (known.example, known.why);
        assert!(applies(known, example), "{example:?}: {why}: {:?} and {:?}", ours(example), theirs(example));
    }
    for Dialect { is_spoken, example, why } in DIALECTS {
        assert!(is_spoken(example) && difference(example).is_err(), "{example:?}: {why}");
    }
}

/// What is compared above before it is merged. (Merges of merges the other one leaves half done.)
#[test]
fn both_merge_alike() {
    for text in [
        "a: &a { x: 1, y: 2 }\nb: { <<: *a, y: 3 }\n",
        "a: &a { x: 1 }\nb: &b { x: 2, z: 3 }\nc: { <<: [*a, *b], w: 4 }\n",
    ] {
        let mut theirs = theirs(text).unwrap();
        theirs.apply_merge().unwrap();
        assert_eq!(values::json(&ours(text).unwrap()), serde_json::to_value(theirs).unwrap(), "{text}");
    }
}
