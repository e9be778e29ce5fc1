//! The templates of a Taskfile: `{{.NAME}}` and what else stands in double braces.

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Text(&'t str),
    /// The value of a variable, with what stands for it when it is empty.
    Variable(&'t str, Option<&'t str>),
    /// Anything else in double braces.
    Strange(&'t str),
}

/// The parts of a text in their order.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((start, end)) = braces(rest) {
        pieces.push(Piece::Text(&rest[..start]));
        pieces.push(piece(&rest[start..end]));
        rest = &rest[end..];
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

fn braces(text: &str) -> Option<(usize, usize)> {
    let start = text.find("{{")?;
    let end = text[start..].find("}}").map_or(text.len(), |end| start + end + 2);
    Some((start, end))
}

fn piece(braces: &str) -> Piece<'_> {
    let inner = braces.trim_start_matches("{{").trim_end_matches("}}").trim_matches('-').trim();
    let words: Vec<&str> = inner.split_whitespace().collect();
    let name = |word: &'_ str| word.starts_with('.') && is_identifier(&word[1..]);
    match words.as_slice() {
        [word] if name(word) => Piece::Variable(&inner[1..], None),
        _ => with_default(inner).unwrap_or(Piece::Strange(braces)),
    }
}

/// `.X | default "y"`, or `default "y" .X`.
fn with_default(inner: &str) -> Option<Piece<'_>> {
    let (name, value) = match inner.split_once('|') {
        Some((name, rest)) => (name.trim(), rest.trim().strip_prefix("default")?.trim()),
        None => {
            let rest = inner.strip_prefix("default")?.trim();
            let at = rest.rfind(" .")?;
            (rest[at..].trim(), rest[..at].trim())
        }
    };
    let name = name.strip_prefix('.').filter(|name| is_identifier(name))?;
    let quoted = ['"', '`'].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let value = quoted.or_else(|| is_number.then_some(value))?;
    (!value.contains(['"', '\\'])).then_some(Piece::Variable(name, Some(value)))
}

pub(super) fn is_identifier(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(is_word)
}

/// In which quotes of a shell a place stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Quote {
    #[default]
    None,
    Single,
    Double,
}

impl Quote {
    /// The state behind a text that begins in this state.
    pub(super) fn after(self, text: &str) -> Quote {
        let mut state = self;
        let mut is_escaped = false;
        for c in text.chars() {
            state = match (state, c) {
                _ if is_escaped => state,
                (Quote::None, '\'') => Quote::Single,
                (Quote::None, '"') => Quote::Double,
                (Quote::Single, '\'') | (Quote::Double, '"') => Quote::None,
                _ => state,
            };
            is_escaped = !is_escaped && c == '\\' && state != Quote::Single;
        }
        state
    }
}

/// A command while variables are put into it, with the quotes they stand in.
#[derive(Default)]
pub(super) struct Placed {
    script: String,
    /// The quotes that the text itself has open.
    quote: Quote,
    /// What stands last is a quote of ours that opens the text's own quotes again.
    is_reopened: bool,
}

impl Placed {
    pub(super) fn text(&mut self, text: &str) {
        match text.strip_prefix('\'').filter(|_| self.is_reopened) {
            Some(rest) => {
                self.script.pop();
                self.script.push_str(rest);
            }
            None => self.script.push_str(text),
        }
        self.quote = self.quote.after(text);
        self.is_reopened = false;
    }

    /// The value of a variable; in single quotes, which keep everything as it is, between them.
    pub(super) fn variable(&mut self, expansion: &str) {
        if self.quote != Quote::Single {
            return self.script.push_str(expansion);
        }
        let before = self.script.strip_suffix('\'').filter(|text| Quote::None.after(text) == Quote::None);
        match before.map(str::len) {
            Some(length) => self.script.truncate(length),
            None => self.script.push('\''),
        }
        self.script.push_str(&format!("\"{expansion}\"'"));
        self.is_reopened = true;
    }

    pub(super) fn finish(self) -> String {
        self.script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[Piece<'_>]) {
        assert_eq!(pieces(text), expected, "{text}");
    }

    #[test]
    fn templates_are_taken_apart() {
        check("a {{.X}}b", &[Piece::Text("a "), Piece::Variable("X", None), Piece::Text("b")]);
        check("{{- .X -}}", &[Piece::Variable("X", None)]);
        check("{{.X | default \"y z\"}}", &[Piece::Variable("X", Some("y z"))]);
        check("{{default 3 .X}}", &[Piece::Variable("X", Some("3"))]);
        check("{{if .X}}y", &[Piece::Strange("{{if .X}}"), Piece::Text("y")]);
        check("{{OS}}", &[Piece::Strange("{{OS}}")]);
        check("{{.X.Y}}", &[Piece::Strange("{{.X.Y}}")]);
        check("{{.X", &[Piece::Variable("X", None)]);
    }

    #[test]
    fn quotes_are_followed() {
        assert_eq!(Quote::None.after("echo 'a"), Quote::Single);
        assert_eq!(Quote::None.after("echo \"it's \\\" "), Quote::Double);
        assert_eq!(Quote::None.after("echo \\' 'a\\' x"), Quote::None);
    }

    #[track_caller]
    fn check_placed(before: &str, behind: &str, expected: &str) {
        let mut placed = Placed::default();
        placed.text(before);
        placed.variable("${X}");
        placed.text(behind);
        assert_eq!(placed.finish(), expected);
    }

    #[test]
    fn variables_leave_single_quotes() {
        check_placed("echo ", " b", "echo ${X} b");
        check_placed("echo \"a", "b\"", "echo \"a${X}b\"");
        check_placed("echo 'a ", " b'", "echo 'a '\"${X}\"' b'");
        check_placed("echo '", "'", "echo \"${X}\"");
        check_placed("echo 'a'", "", "echo 'a'${X}");
        check_placed("'a''", "'", "'a'\"${X}\"");
    }
}
