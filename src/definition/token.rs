//! The words of a Lua expression, as far as finding its end and what it reads needs them.
//!
//! It never fails: what is not Lua becomes some token, and the compiler says later what is wrong with it.

use memchr::memmem;
use std::ops::Range;

/// A word of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) at: Range<usize>,
}

/// What sort of word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or a keyword.
    Name,
    Number,
    /// A text with its quotes, or a stretch of a text in backticks.
    Text,
    Symbol,
    /// The `}}` that belongs to no table. Nothing comes after it.
    End,
}

/// The tokens of a text from some place on. Braces are counted, so that `}}` inside of a table is not the end.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Open>,
    is_over: bool,
    /// Levels of long brackets that are closed nowhere in what is left: nobody looks for them twice.
    never_closed: [bool; LEVELS],
    /// For `"` and for `'`: no such quote that begins before this place is closed.
    unclosed: [usize; 2],
}

/// How many `=` a long bracket may have. More are taken for single symbols.
const LEVELS: usize = 17;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Brace,
    Backtick,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Tokens<'a> {
        let open = Vec::new();
        Tokens { text, at, open, is_over: false, never_closed: [false; LEVELS], unclosed: [0; 2] }
    }

    /// Begins again, further on. What was found out about the rest of the text is still true there, so that many
    /// expressions cost no more than the text is long.
    pub(super) fn begin(&mut self, at: usize) {
        (self.at, self.is_over) = (at, false);
        self.open.clear();
    }

    /// Where the expression ends whose `${{` stands at `open`: the end of the text when it is not closed.
    pub(super) fn end_of_expression(&mut self, open: usize) -> usize {
        self.begin(open + "${{".len());
        self.find(|token| token.kind == Kind::End).map_or(self.text.len(), |end| end.at.end)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take(&mut self, kind: Kind, length: usize) -> Token<'a> {
        let at = self.at..self.at + length;
        self.at = at.end;
        Token { kind, text: &self.text[at.clone()], at }
    }

    fn skip_blank(&mut self) {
        loop {
            self.at += self.rest().len() - self.rest().trim_start().len();
            let Some(comment) = self.rest().strip_prefix("--") else { return };
            self.at += match self.long_bracket(comment) {
                Some(length) => length + 2,
                None => line_comment(self.rest()),
            };
        }
    }

    /// The length of the long bracket that the text begins with.
    fn long_bracket(&mut self, text: &str) -> Option<usize> {
        let inside = text.strip_prefix('[')?;
        let level = inside.len() - inside.trim_start_matches('=').len();
        let body = inside[level..].strip_prefix('[')?;
        if *self.never_closed.get(level)? {
            return None;
        }
        let close = format!("]{}]", "=".repeat(level));
        let end = memmem::find(body.as_bytes(), close.as_bytes());
        self.never_closed[level] = end.is_none();
        Some(end? + (text.len() - body.len()) + close.len())
    }

    /// The length of the text in quotes that stands here; `None` when it is not closed in its line.
    ///
    /// Behind a quote that is not closed all others of its kind in that line are escaped. Whatever begins with one of
    /// them ends nowhere too.
    fn quoted(&mut self) -> Option<usize> {
        let quote = self.rest().bytes().next()?;
        let index = [b'"', b'\''].iter().position(|known| *known == quote)?;
        if self.at < self.unclosed[index] {
            return None;
        }
        let length = quoted(self.rest(), quote);
        if let Err(looked) = length {
            self.unclosed[index] = self.at + looked;
        }
        length.ok()
    }

    /// A stretch of a text in backticks, up to the next hole or its end. A line end means that it was never closed.
    fn interpolated(&mut self) -> Token<'a> {
        let bytes = self.rest().as_bytes();
        let mut length = 0;
        while let Some(&byte) = bytes.get(length) {
            length += 1;
            match byte {
                b'\\' => length = after(self.rest(), length),
                b'{' => {
                    self.open.push(Open::Brace);
                    break;
                }
                b'`' | b'\n' => {
                    self.open.pop();
                    break;
                }
                _ => {}
            }
        }
        self.take(Kind::Text, length)
    }

    fn symbol(&mut self, first: char) -> Token<'a> {
        match first {
            '{' => self.open.push(Open::Brace),
            '}' => drop(self.open.pop()),
            '`' => self.open.push(Open::Backtick),
            _ => {}
        }
        let long = ["...", "..", "==", "~=", "<=", ">=", "::", "->"];
        let length = long.iter().find(|symbol| self.rest().starts_with(**symbol)).map(|symbol| symbol.len());
        self.take(Kind::Symbol, length.unwrap_or(first.len_utf8()))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if self.open.last() == Some(&Open::Backtick) && !self.rest().is_empty() {
            return Some(self.interpolated());
        }
        self.skip_blank();
        let rest = self.rest();
        let first = rest.chars().next().filter(|_| !self.is_over)?;
        if self.open.is_empty() && rest.starts_with("}}") {
            self.is_over = true;
            return Some(self.take(Kind::End, 2));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        Some(match (first, self.quoted().or_else(|| self.long_bracket(rest))) {
            (_, Some(length)) => self.take(Kind::Text, length),
            (c, None) if c.is_ascii_digit() => self.take(Kind::Number, word),
            (c, None) if is_word(c) => self.take(Kind::Name, word),
            (c, None) => self.symbol(c),
        })
    }
}

/// The length of a comment up to the end of its line. It does not hide the end of the expression it stands in.
fn line_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_end = |at: &usize| bytes[*at] == b'\n' || bytes.get(at + 1) == Some(&b'}');
    memchr::memchr2_iter(b'\n', b'}', bytes).find(is_end).unwrap_or(text.len())
}

/// The length of the text in quotes at the beginning, or how far was looked in vain for its end, which must be in its line.
fn quoted(text: &str, quote: u8) -> Result<usize, usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        let byte = *bytes.get(at).ok_or(text.len())?;
        at += 1;
        match byte {
            b'\\' if text[at..].starts_with('z') => {
                at = text.len() - text[at + 1..].trim_start().len();
            }
            b'\\' => at = after(text, at),
            b'\n' => return Err(at),
            byte if byte == quote => return Ok(at),
            _ => {}
        }
    }
}

/// The place after the character at `at`.
fn after(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let tokens: Vec<&str> = Tokens::new(text, 0).map(|token| token.text).collect();
        assert_eq!(tokens, expected, "{text}");
    }

    #[test]
    fn texts_and_comments_hide_what_they_hold() {
        check("a.b == 'x}}' }} c", &["a", ".", "b", "==", "'x}}'", "}}"]);
        check(r#""\"}}" }}"#, &[r#""\"}}""#, "}}"]);
        check("[[ }} ]] [==[ ]] ]==] }}", &["[[ }} ]]", "[==[ ]] ]==]", "}}"]);
        check("--[[ }} ]] a -- b }}", &["a", "}}"]);
        check("a -- b 'c\n d", &["a", "d"]);
        check("{ { 1 }, {2}}}}", &["{", "{", "1", "}", ",", "{", "2", "}", "}", "}}"]);
        check(
            "`a {b .. `{c}`} }} \\{` }}",
            &["`", "a {", "b", "..", "`", "{", "c", "}", "`", "}", " }} \\{`", "}}"],
        );
        check("'a\\z  \n  b' 1", &["'a\\z  \n  b'", "1"]);
    }

    #[test]
    fn what_is_not_lua_hides_nothing() {
        check("it's }}", &["it", "'", "s", "}}"]);
        check("a[[1 }}", &["a", "[", "[", "1", "}}"]);
        check("`a\n }}", &["`", "a\n", "}}"]);
        check("ä }}", &["ä", "}}"]);
        check("a } }}", &["a", "}", "}}"]);
        check("'\\", &["'", "\\"]);
    }
}
