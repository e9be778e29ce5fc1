//! Files of variables, as `dotenv` names them: `NAME=value` lines.
//!
//! What the tools that read such files agree on is understood: comments, `export`, values in single quotes (as they are)
//! and in double quotes (with `\n`, `\"` and the like, over several lines). Nothing in a value is expanded.

use super::values::is_identifier;

/// A line that is none; `line` counts from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct DotenvProblem {
    /// Where.
    pub line: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// The variables of a file, in order.
///
/// # Errors
/// The first line that is none.
///
/// ```
/// use neap::definition::dotenv;
/// let variables = dotenv("# ours\nexport HOST=db1\nGREETING=\"hello\\nyou\"\n").unwrap();
/// assert_eq!(variables, [("HOST", "db1"), ("GREETING", "hello\nyou")].map(|(n, v)| (n.to_owned(), v.to_owned())));
/// ```
pub fn dotenv(text: &str) -> Result<Vec<(String, String)>, DotenvProblem> {
    let mut variables = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut line = 1;
    while !rest.is_empty() {
        let (now, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let trimmed = now.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            (rest, line) = (after, line + 1);
            continue;
        }
        let problem = |what| DotenvProblem { line, what };
        let (name, value) = rest
            .split_once('=')
            .filter(|(name, _)| !name.contains('\n'))
            .ok_or(problem("there is no `=`"))?;
        let name = name.trim();
        let name = name.strip_prefix("export ").map_or(name, str::trim);
        if !is_identifier(name) {
            return Err(problem("the name must be letters, digits and `_`"));
        }
        let (value, after) = value_of(value).ok_or(problem("a quote is not closed"))?;
        line += rest[..rest.len() - after.len()].matches('\n').count();
        variables.push((name.to_owned(), value));
        rest = after;
    }
    Ok(variables)
}

/// The value at the beginning of a text, and what stands behind its line.
fn value_of(text: &str) -> Option<(String, &str)> {
    let start = text.trim_start_matches([' ', '\t']);
    let behind = |rest: &'_ str| rest.find('\n').map_or(rest.len(), |end| end + 1);
    match start.chars().next() {
        Some('\'') => {
            let (value, rest) = start[1..].split_once('\'')?;
            Some((value.to_owned(), &rest[behind(rest)..]))
        }
        Some('"') => {
            let (value, rest) = double_quoted(&start[1..])?;
            Some((value, &rest[behind(rest)..]))
        }
        _ => {
            let end = behind(start);
            let line = start[..end].trim_end();
            let value = line.find(" #").map_or(line, |comment| line[..comment].trim_end());
            Some((value.to_owned(), &start[end..]))
        }
    }
}

fn double_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match rest.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                c @ ('"' | '\\' | '$' | '`') => value.push(c),
                c => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = dotenv(text).unwrap();
        let found: Vec<(&str, &str)> =
            found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn lines_are_variables() {
        check("A=1\r\nB = two words # not this\n\n# C=3\n", &[("A", "1"), ("B", "two words")]);
        check(
            "A='$HOME \"x\"' # c\nB=\"a\\\"b\\$c\nd\"\nC=",
            &[("A", "$HOME \"x\""), ("B", "a\"b$c\nd"), ("C", "")],
        );
        check("export A=b#c\nURL=http://x/?a=b&c=d", &[("A", "b#c"), ("URL", "http://x/?a=b&c=d")]);
    }

    #[test]
    fn other_lines_are_refused_with_their_place() {
        let problem = |text: &str| dotenv(text).unwrap_err().to_string();
        assert_eq!(problem("A=1\nnonsense\n"), "line 2: there is no `=`");
        assert_eq!(problem("A=\"1\n2\"\n1B=x"), "line 3: the name must be letters, digits and `_`");
        assert_eq!(problem("A='x"), "line 1: a quote is not closed");
    }
}
