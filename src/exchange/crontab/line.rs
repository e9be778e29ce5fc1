//! One line of a crontab, as cron itself reads it: a comment, a variable, an entry, or nothing that cron accepts.

use crate::schedule::{Schedule, Zone};

/// A line by what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line<'t> {
    Blank,
    /// The text behind `#`.
    Comment(&'t str),
    Variable {
        name: String,
        value: String,
    },
    Entry(Entry<'t>),
    /// Why cron would refuse it, or why we do.
    Bad(String),
}

/// When and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    /// Five fields with single blanks, or a nickname.
    pub(super) when: String,
    /// Everything behind the time: the command, in system crontabs with the user in front.
    pub(super) rest: &'t str,
    /// Cron was told not to log it: a `-` in front of the minute.
    pub(super) is_quiet: bool,
}

/// Cron's own nickname for its start.
pub(super) const REBOOT: &str = "@reboot";

/// Reads a line. A zone only matters for the hint of what is wrong, so none is asked for.
pub(super) fn read(line: &str) -> Line<'_> {
    let text = line.trim_start_matches([' ', '\t']);
    if text.trim_end().is_empty() {
        return Line::Blank;
    }
    if text.contains('\0') {
        return Line::Bad("it holds a NUL character".into());
    }
    if let Some(comment) = text.strip_prefix('#') {
        return Line::Comment(comment);
    }
    match variable(text) {
        Some((name, value)) => Line::Variable { name, value },
        None => entry(text),
    }
}

/// `NAME = value` by cron's rules: blanks around the `=` do not count, matching quotes keep blanks, nothing is
/// expanded, and an empty value needs quotes.
pub(super) fn variable(text: &str) -> Option<(String, String)> {
    let (name, rest) = match text.chars().next()? {
        quote @ ('"' | '\'') => {
            let (name, rest) = text[1..].split_once(quote)?;
            (name, rest)
        }
        _ => text.split_at(text.find([' ', '\t', '='])?),
    };
    let value = rest.trim_start_matches([' ', '\t']).strip_prefix('=')?.trim_start_matches([' ', '\t']);
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (value, rest) = value[1..].split_once(quote)?;
            if !rest.trim().is_empty() {
                return None;
            }
            value
        }
        Some(_) => value.trim_end(),
        None => return None,
    };
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

fn entry(text: &str) -> Line<'_> {
    let is_quiet = text.starts_with('-');
    let text = text.strip_prefix('-').unwrap_or(text);
    let fields = if text.starts_with('@') { 1 } else { 5 };
    let Some((when, rest)) = split_words(text, fields) else {
        let what =
            if fields == 1 { "a command after the nickname" } else { "five time fields and a command" };
        return Line::Bad(format!("cron wants {what} here"));
    };
    let rest = rest.trim_end_matches(['\r', '\n']);
    if when == REBOOT {
        return Line::Entry(Entry { when, rest, is_quiet });
    }
    match Schedule::cron(&when, &Zone::utc()) {
        Ok(_) => Line::Entry(Entry { when, rest, is_quiet }),
        Err(error) => Line::Bad(match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        }),
    }
}

/// So many words with single blanks, and what follows them; none when nothing follows.
pub(super) fn split_words(text: &str, count: usize) -> Option<(String, &str)> {
    let mut rest = text.trim_start();
    let mut words = Vec::new();
    for _ in 0..count {
        let end = rest.find(char::is_whitespace)?;
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    (!rest.is_empty()).then(|| (words.join(" "), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let found = variable(text);
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())), "{text}");
    }

    #[test]
    fn variables_are_read_by_crons_rules() {
        check("A=b", Some(("A", "b")));
        check("A = b c  ", Some(("A", "b c")));
        check("A=\"  b \"", Some(("A", "  b ")));
        check("A='b'  ", Some(("A", "b")));
        check("A='b' c", None);
        check("A=\"b'", None);
        check("\"A\"='b'", Some(("A", "b")));
        check("MAILTO=\"\"", Some(("MAILTO", "")));
        check("A=", None);
        check("A=b\"c\"", Some(("A", "b\"c\"")));
        check("PATH=$HOME/bin:/bin # mine", Some(("PATH", "$HOME/bin:/bin # mine")));
        check("* * * * * A=b cmd", None);
        check("@daily A=b", None);
        check("=b", None);
    }

    #[track_caller]
    fn check_entry(text: &str, expected: Option<(&str, &str)>) {
        let line = read(text);
        let found = match &line {
            Line::Entry(entry) => Some((entry.when.as_str(), entry.rest)),
            Line::Blank | Line::Comment(_) | Line::Variable { .. } | Line::Bad(_) => None,
        };
        assert_eq!(found, expected, "{text}: {line:?}");
    }

    #[test]
    fn entries_are_five_fields_or_a_nickname() {
        check_entry("5 4 * * sun  /bin/x  y", Some(("5 4 * * sun", "/bin/x  y")));
        check_entry("\t*/5\t*  * * * x", Some(("*/5 * * * *", "x")));
        check_entry("@daily x y", Some(("@daily", "x y")));
        check_entry("@reboot x", Some(("@reboot", "x")));
        check_entry("-*/5 * * * * x", Some(("*/5 * * * *", "x")));
        check_entry("5 4 * * sun", None);
        check_entry("@daily", None);
        check_entry("61 * * * * x", None);
        check_entry("@fortnightly x", None);
    }
}
