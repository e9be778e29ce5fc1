//! The classic mistakes that stop a YAML scanner, recognised and patched over.
//!
//! A patch never changes the length of the text, so every place stays true, and the rest of the file still gets
//! checked. The patched value itself is marked as broken and nobody looks at it again.

use super::flow::{self, quoted};
use super::problem::{Code, Finding};
use super::source::floor;
use super::tree;
use crate::base::TaskName;
use granit_parser::{ErrorKind, ScanError};
use std::ops::Range;

/// More wounds than this and the rest is not read: every further one costs a scan of the file.
const MAX_WOUNDS: usize = 16;

/// A text in which the known classics are patched over.
pub(super) struct Healed {
    pub(super) text: String,
    /// Values that must not be looked at.
    pub(super) broken: Vec<Range<usize>>,
    pub(super) findings: Vec<Finding>,
    /// Whether the text can be scanned to its end now.
    pub(super) is_whole: bool,
}

/// Finds out what stopped the scanner, again and again until it reaches the end or meets something unknown.
pub(super) fn heal(text: &str, error: ScanError) -> Healed {
    let mut healed =
        Healed { text: text.to_owned(), broken: Vec::new(), findings: Vec::new(), is_whole: false };
    let mut error = error;
    for _ in 0..MAX_WOUNDS {
        let wound = diagnose(&healed.text, &error);
        healed.findings.push(wound.finding);
        let Some(patch) = wound.patch.filter(|patch| !healed.broken.contains(&patch.value)) else {
            return healed;
        };
        healed.text.replace_range(patch.value.clone(), &patch.text);
        healed.broken.push(patch.value);
        match tree::first_error(&healed.text) {
            Some(next) => error = next,
            None => {
                healed.is_whole = true;
                return healed;
            }
        }
    }
    healed
}

struct Wound {
    finding: Finding,
    patch: Option<Patch>,
}

/// A harmless text of the same length for a value.
struct Patch {
    value: Range<usize>,
    text: String,
}

impl Patch {
    fn over(text: &str, value: Range<usize>) -> Option<Patch> {
        let length = text.get(value.clone())?.len();
        (length > 0).then(|| Patch { value, text: "x".repeat(length) })
    }
}

fn diagnose(text: &str, error: &ScanError) -> Wound {
    let at = floor(text, error.marker().byte_offset().unwrap_or(0));
    if let Some(finding) = leading_tab(text, at) {
        return Wound { finding, patch: None };
    }
    if let Some(bare) = bare_expression(text, at) {
        return unquoted_expression(text, bare);
    }
    if let Some(value) = unquoted_star(text, at) {
        return Wound { finding: quote_the_star(text, value.clone()), patch: Patch::over(text, value) };
    }
    if let Some(value) = reserved_start(text, at) {
        let first = text[value.clone()].chars().next().unwrap_or('@');
        let message = format!("a value that begins with `{first}` must be quoted");
        let finding = Finding::new(
            Code::E0118,
            value.clone(),
            message,
            format!("YAML keeps a leading `{first}` for itself"),
        );
        let fix = quoted(&text[value.clone()]);
        return Wound { finding: finding.fix(value.clone(), fix), patch: Patch::over(text, value) };
    }
    if let Some(value) = inner_colon(text, at) {
        let message = "a value that contains `: ` must be quoted";
        let finding =
            Finding::new(Code::E0105, value.clone(), message, "YAML reads the `:` in it as a second mapping");
        let fix = used_task(text, &value).unwrap_or_else(|| quoted(&text[value.clone()]));
        return Wound { finding: finding.fix(value.clone(), fix), patch: Patch::over(text, value) };
    }
    Wound { finding: in_own_words(text, at, error), patch: None }
}

/// An expression whose braces YAML takes for its own. Where it is not certain what belongs to the value nothing is read on.
fn unquoted_expression(text: &str, bare: flow::Bare) -> Wound {
    let flow::Bare { value, is_certain } = bare;
    let message = "an expression between `{ }` or `[ ]` must be quoted";
    let label = "YAML reads the braces of `${{` as its own";
    let finding = Finding::new(Code::E0155, value.clone(), message, label);
    if !is_certain {
        let help = "put the whole value in quotes, or write the mapping over several lines";
        return Wound { finding: finding.help(help), patch: None };
    }
    let fix = quoted(&text[value.clone()]);
    Wound { finding: finding.fix(value.clone(), fix), patch: Patch::over(text, value) }
}

/// What is wrong, for mistakes that end the reading.
fn in_own_words(text: &str, at: usize, error: &ScanError) -> Finding {
    let here = at..at + text[at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    let finding = |message: &str, label: &str| Finding::new(Code::E0101, here.clone(), message, label);
    match error.kind() {
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => {
            let quote = open_quote(text, at);
            let finding = Finding::new(
                Code::E0101,
                quote..quote + 1,
                "a quote is not closed",
                "the quoted text begins here and never ends",
            );
            finding.help("add the closing quote")
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            let close = if *open == '[' { ']' } else { '}' };
            finding(&format!("`{open}` is not closed"), "opened here")
                .help(format!("add the closing `{close}`"))
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => finding(
            &format!("`{open}` is closed by `{close}`"),
            "this bracket does not fit the one that was opened",
        ),
        ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar => {
            finding("there is text after the closing quote", "the value ended at the quote before this")
                .help("put the whole value in quotes, not a part of it")
        }
        ErrorKind::RecursionLimitExceeded => {
            Finding::new(Code::E0112, here, "the file is nested too deeply", "the limit is reached here")
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::SimpleKeyExpected
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::MappingValueNotAllowed => {
            finding("this line does not fit the lines above it", &error.info()).help(
                "lines of one mapping or list begin in the same column; a key ends with `:` and a space",
            )
        }
        _ => finding("this is not valid YAML", &error.info()),
    }
}

/// Where a quoted text that is still open at `at` most probably begins: in the last line with an odd quote.
fn open_quote(text: &str, at: usize) -> usize {
    let mut end = at;
    while end > 0 {
        let (start, _) = line_at(text, end);
        let odd = ['"', '\''].into_iter().find(|quote| text[start..end].matches(*quote).count() % 2 == 1);
        if let Some(found) = odd.and_then(|quote| text[start..end].find(quote)) {
            return start + found;
        }
        end = start.saturating_sub(1);
    }
    at.min(text.len().saturating_sub(1))
}

/// The line that holds the byte, and where it starts.
fn line_at(text: &str, at: usize) -> (usize, &str) {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    (start, text[start..end].trim_end_matches('\r'))
}

/// A tab in the indentation of the line of the error, with a fix for it and every such line below.
fn leading_tab(text: &str, at: usize) -> Option<Finding> {
    let (start, line) = line_at(text, at);
    let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
    let tab = line[..indent].find('\t')?;
    let span = start + tab..start + indent;
    let rest = &text[start..];
    let fixed: String = rest.split_inclusive('\n').map(spaces_for_tabs).collect();
    let finding =
        Finding::new(Code::E0102, span, "a tab is used for indentation", "YAML allows only spaces here");
    let finding = finding.help("write two spaces for every leading tab");
    Some(if tabs_alone(text) { finding.fix(start..text.len(), fixed) } else { finding })
}

/// Whether tabs mean nothing but levels: no line is indented with spaces, and no script has a tab that it needs.
fn tabs_alone(text: &str) -> bool {
    let is_tabbed =
        |line: &str| !line[..line.len() - line.trim_start_matches([' ', '\t']).len()].contains(' ');
    text.lines().all(is_tabbed) && !text.contains("<<-")
}

fn spaces_for_tabs(line: &str) -> String {
    let body = line.trim_start_matches([' ', '\t']);
    let indent = &line[..line.len() - body.len()];
    format!("{}{body}", indent.replace('\t', "  "))
}

/// The value around `at` when it begins with `*` and looks like a cron expression.
pub(super) fn unquoted_star(text: &str, at: usize) -> Option<Range<usize>> {
    value_around(text, at).filter(|value| {
        let value = &text[value.clone()];
        let after = value.strip_prefix('*').unwrap_or("x");
        after.starts_with([' ', '/', ',']) || (after.is_empty() && value == "*")
    })
}

/// Says that a cron expression must be quoted.
pub(super) fn quote_the_star(text: &str, value: Range<usize>) -> Finding {
    let fix = format!("\"{}\"", &text[value.clone()]);
    let message = "a cron expression that starts with `*` must be quoted";
    Finding::new(Code::E0103, value.clone(), message, "YAML reads a leading `*` as a reference to an anchor")
        .fix(value, fix)
}

/// A value with an expression around `at` that stands without quotes inside a mapping or list on one line.
fn bare_expression(text: &str, at: usize) -> Option<flow::Bare> {
    let (start, line) = line_at(text, at);
    let is_around = |bare: &flow::Bare| (start + bare.value.start..=start + bare.value.end).contains(&at);
    let bare = flow::bare_values(line).find(is_around)?;
    Some(flow::Bare { value: start + bare.value.start..start + bare.value.end, ..bare })
}

fn reserved_start(text: &str, at: usize) -> Option<Range<usize>> {
    value_around(text, at).filter(|value| text[value.clone()].starts_with(['@', '`', '%']))
}

/// A plain value on the line of the error that holds a `: ` or ends with `:`.
fn inner_colon(text: &str, at: usize) -> Option<Range<usize>> {
    let (start, line) = line_at(text, at);
    let (key, _) = line.split_once(": ")?;
    let from = start + key.len() + 2;
    let value = trimmed(text, from..start + line.len())?;
    let shown = &text[value.clone()];
    let is_plain = !shown.starts_with(['"', '\'', '{', '[', '|', '>', '&', '*', '!']);
    (is_plain && !key.contains(['{', '[', '"', '\'']) && (shown.contains(": ") || shown.ends_with(':')))
        .then_some(value)
}

/// `uses: task: other` means the one word `task:other`.
fn used_task(text: &str, value: &Range<usize>) -> Option<String> {
    let (_, line) = line_at(text, value.start);
    let is_uses = line.trim_start().trim_start_matches("- ").starts_with("uses:");
    let name = text[value.clone()].strip_prefix("task:").map(str::trim)?;
    (is_uses && TaskName::new(name).is_ok()).then(|| format!("\"task:{name}\""))
}

/// The value on the line of `at` which `at` is a part of: after the last `: `, `- `, `{` or `[` before a plain text.
fn value_around(text: &str, at: usize) -> Option<Range<usize>> {
    let (start, line) = line_at(text, at);
    let is_flow = line.trim_start().trim_start_matches("- ").contains(['{', '[']);
    let begins = ["*", "@", "`", "%"].iter().filter_map(|sign| first_value(line, sign)).min()?;
    let rest = &line[begins..];
    let end = match is_flow {
        true => [", ", "}", "]"].iter().filter_map(|sign| rest.find(sign)).min().unwrap_or(rest.len()),
        false => rest.find(" #").unwrap_or(rest.len()),
    };
    trimmed(text, start + begins..start + begins + end)
        .filter(|value| (value.start..=value.end).contains(&at))
}

/// Where a value that begins with `sign` starts on the line.
fn first_value(line: &str, sign: &str) -> Option<usize> {
    [": ", "- ", "[", ", "]
        .iter()
        .filter_map(|before| line.find(&format!("{before}{sign}")).map(|at| at + before.len()))
        .min()
}

fn trimmed(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let shown = text.get(span.clone())?;
    let start = span.start + (shown.len() - shown.trim_start().len());
    let end = start + shown.trim().len();
    (start < end).then_some(start..end)
}
