//! Values between the braces and brackets of one line: how a text is written there, and where one with an expression in it
//! begins and ends. What spreads over several lines is left to people.

use super::token::Tokens;
use std::ops::Range;

/// A text as it can stand anywhere in YAML, also between braces: in quotes unless it is plain for sure.
pub(super) fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=+ ".contains(c);
    let is_word = text.trim_start_matches(['-', '.', '/']).starts_with(|c: char| c.is_ascii_alphabetic());
    let is_special = matches!(text.to_ascii_lowercase().as_str(), "null" | "true" | "false");
    match is_word && text.chars().all(is_plain) && !text.ends_with(' ') && !is_special {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// The value in quotes: double ones where that needs no escapes.
pub(super) fn quoted(value: &str) -> String {
    if value.contains(char::is_control) {
        return format!("\"{}\"", value.escape_debug());
    }
    match value.contains(['"', '\\']) {
        false => format!("\"{value}\""),
        true => format!("'{}'", value.replace('\'', "''")),
    }
}

/// A plain value with an expression in it, between braces or brackets that were opened in its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bare {
    pub(super) value: Range<usize>,
    /// Whether nothing else can have been meant than this very text, in quotes.
    pub(super) is_certain: bool,
}

/// All of a line, in order, in one walk. It ends where the line is no longer understood. What stands in quotes or outside
/// of braces is not among them.
pub(super) fn bare_values(line: &str) -> impl Iterator<Item = Bare> {
    let mut walk = Walk { line, at: 0, stack: Vec::new(), has_key: false, tokens: Tokens::new(line, 0) };
    std::iter::from_fn(move || walk.next_bare()).fuse()
}

/// Where in the line the walk is.
struct Walk<'l> {
    line: &'l str,
    at: usize,
    /// The brackets that are open.
    stack: Vec<char>,
    /// Whether a key stands before the value at hand.
    has_key: bool,
    /// What finds the ends of expressions.
    tokens: Tokens<'l>,
}

impl<'l> Walk<'l> {
    fn next_bare(&mut self) -> Option<Bare> {
        loop {
            let first = self.rest().chars().next()?;
            match first {
                ' ' => self.at += 1,
                '{' | '[' if self.rest().starts_with("{{") => return None,
                '{' | '[' => self.open(first),
                '}' | ']' => {
                    self.stack.pop()?;
                    self.at += 1;
                }
                ',' => self.next_entry(),
                ':' => self.end_of_key(),
                '-' if self.rest().starts_with("- ") && self.stack.is_empty() => self.at += 2,
                '"' | '\'' => self.at += quoted_length(self.rest())?,
                '#' => return None,
                _ => {
                    let value = self.plain();
                    if self.line[value.clone()].contains("${{") && !self.stack.is_empty() {
                        return Some(Bare { is_certain: self.is_certain(&value), value });
                    }
                }
            }
        }
    }

    fn rest(&self) -> &'l str {
        &self.line[self.at..]
    }

    fn open(&mut self, bracket: char) {
        self.stack.push(bracket);
        self.has_key = false;
        self.at += 1;
    }

    fn next_entry(&mut self) {
        self.has_key = false;
        self.at += 1;
    }

    fn end_of_key(&mut self) {
        self.has_key = true;
        self.at += 1;
    }

    /// Goes over a plain text; expressions in it are taken whole.
    fn plain(&mut self) -> Range<usize> {
        let (start, is_flow) = (self.at, !self.stack.is_empty());
        while let Some(first) = self.rest().chars().next() {
            let ends = match first {
                '$' if self.rest().starts_with("${{") => {
                    self.at = self.tokens.end_of_expression(self.at);
                    continue;
                }
                ':' => self.rest()[1..].chars().next().is_none_or(|next| " ,[]{}".contains(next)),
                '#' => self.line[..self.at].ends_with(' '),
                ',' | '}' | ']' => is_flow,
                _ => false,
            };
            if ends {
                break;
            }
            self.at += first.len_utf8();
        }
        let value = &self.line[start..self.at];
        start..start + value.trim_end().len()
    }

    /// A text in a list, or behind a key, with another entry or the end behind it.
    fn is_certain(&self, value: &Range<usize>) -> bool {
        let text = &self.line[value.clone()];
        let is_list = self.stack.last() == Some(&'[');
        let is_plain_start = !text.starts_with(['&', '*', '!', '|', '>', '%', '@', '`', '?']);
        let is_last = self.rest().starts_with(['}', ']']);
        let is_followed = self.rest().strip_prefix(',').is_some_and(|rest| is_list || begins_with_key(rest));
        let has_brackets = outside_expressions(text).contains(['{', '[', '}', ']']);
        (is_list || self.has_key) && is_plain_start && !has_brackets && (is_last || is_followed)
    }
}

/// Whether the next entry of a mapping begins here: `b: 2`.
fn begins_with_key(rest: &str) -> bool {
    let rest = rest.trim_start();
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let word = rest.len() - rest.trim_start_matches(is_word).len();
    rest.starts_with('}') || (word > 0 && rest[word..].starts_with(':'))
}

/// The text without its expressions.
fn outside_expressions(text: &str) -> String {
    let (mut outside, mut done, mut tokens) = (String::new(), 0, Tokens::new(text, 0));
    while let Some(open) = text[done..].find("${{") {
        outside.push_str(&text[done..done + open]);
        done = tokens.end_of_expression(done + open);
    }
    outside + &text[done..]
}

/// The length of the text in quotes that begins here.
fn quoted_length(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut inside = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = inside.next() {
        match c {
            '\\' if quote == '"' => _ = inside.next(),
            c if c == quote && quote == '\'' && inside.peek().is_some_and(|(_, next)| *next == '\'') => {
                inside.next();
            }
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value around the first expression, `?` behind it when it is not certain.
    #[track_caller]
    fn check(line: &str, expected: &str) {
        let found = bare_values(line).next();
        let shown = found.map_or("nothing".to_owned(), |bare| {
            format!("{}{}", &line[bare.value], if bare.is_certain { "" } else { " ?" })
        });
        assert_eq!(shown, expected, "{line}");
    }

    #[test]
    fn values_in_braces_are_found_whole() {
        check("a: { run: echo g ${{ x }} }", "echo g ${{ x }}");
        check("a: { run: echo ${{ x }} ${{ {1} }} b, timeout: 5m }", "echo ${{ x }} ${{ {1} }} b");
        check("exec: [echo, ${{ params.day }}, b]", "${{ params.day }}");
        check("  - { A: x${{ f('}}, a: b') }}y }", "x${{ f('}}, a: b') }}y");
        check("a: { \"k: {\": [ 'it''s', ${{ x }} ] }", "${{ x }}");
        check("a: { run: echo \"a\" ${{ x }} }", "echo \"a\" ${{ x }}");
        check("a: { url: http://x/${{ x }} }", "http://x/${{ x }}");
    }

    #[test]
    fn all_values_of_a_line_are_found() {
        let line = "a: { b: ${{ x }}, c: \"${{ y }}\", d: [e, ${{ z ]}, f }} g], h: ${{ ' }}";
        let found: Vec<&str> = bare_values(line).map(|bare| &line[bare.value]).collect();
        assert_eq!(found, ["${{ x }}", "${{ z ]}, f }} g", "${{ ' }}"]);
    }

    #[test]
    fn what_may_mean_something_else_is_not_certain() {
        check("a: { run: echo a, ${{ x }} }", "${{ x }} ?");
        check("a: { run: echo ${{ x }}, b }", "echo ${{ x }} ?");
        check("a: { run: echo {${{ x }}} }", "echo {${{ x }} ?");
        check("a: { run: echo ${{ x }}", "echo ${{ x }} ?");
        check("a: { run: echo ${{ x }", "echo ${{ x } ?");
        check("a: { run: &x ${{ x }} }", "&x ${{ x }} ?");
        check("a: { run: \"echo ${{ x }}\" }", "nothing");
        check("a: echo ${{ x }}", "nothing");
        check("a: { b: 'open ${{ x }} }", "nothing");
    }

    #[test]
    fn texts_are_quoted_where_they_must_be() {
        let check = |text: &str, expected: &str| assert_eq!(scalar(text), expected);
        check("make test", "make test");
        check("-la", "-la");
        check("./run", "./run");
        check("- a", "\"- a\"");
        check("echo a: b", "\"echo a: b\"");
        check("echo \"a\" it's", "'echo \"a\" it''s'");
        check("null", "\"null\"");
        check("", "\"\"");
        check("5", "\"5\"");
        check("a\tb", "\"a\\tb\"");
        check("echo ${{ x }}", "\"echo ${{ x }}\"");
    }
}
