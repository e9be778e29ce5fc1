//! Text with `${{ … }}` in it: taken apart, looked through, and put together again.
//!
//! Nothing is evaluated here; [`super::shell`] has the rules for scripts, where a value must never become code.

use super::params;
use super::token::{Kind, Token, Tokens};
use memchr::memmem;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Range;

/// Text with expressions, taken apart. The pieces, in order, are the whole text.
///
/// ```
/// use neap::definition::Template;
/// let template = Template::parse("to ${{ params.host }}:${{ params.port }}/")?;
/// let sources: Vec<&str> = template.expressions().map(|expression| expression.source.as_str()).collect();
/// assert_eq!(sources, ["params.host", "params.port"]);
/// assert_eq!(template.fill(&["db1".into(), 22.into()]), "to db1:22/");
/// # Ok::<(), neap::definition::TemplateError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Texts are never empty, and no two of them are neighbours.
    pub pieces: Vec<Piece>,
}

/// One piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// It stands for itself.
    Text(String),
    /// Its value comes in its place.
    Expression(Expression),
}

/// What stands between `${{` and `}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The Lua expression, without blanks around it.
    pub source: String,
    /// The whole expression was `raw(…)`; the source is what stands in these brackets.
    pub is_raw: bool,
    /// Where it stands in the text: bytes, braces included.
    pub at: Range<usize>,
}

/// A `${{` that begins no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct TemplateError {
    /// The bytes of the text that are to blame.
    pub at: Range<usize>,
    /// What is wrong with them.
    pub kind: TemplateErrorKind,
}

/// What is wrong with a `${{`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateErrorKind {
    /// There is no `}}` for it.
    #[error("this `${{{{` has no `}}}}`")]
    Unclosed,
    /// Nothing stands in it but blanks and comments.
    #[error("there is no expression in it")]
    Empty,
}

impl Template {
    /// Takes a text apart. The `}}` of an expression is found as Lua reads it: texts, comments and tables may hold braces.
    ///
    /// # Errors
    /// The first `${{` that is not closed or holds nothing.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let mut pieces = Vec::new();
        let (mut done, mut tokens) = (0, Tokens::new(text, 0));
        while let Some(begin) = find(text, done) {
            if begin > done {
                pieces.push(Piece::Text(text[done..begin].to_owned()));
            }
            let expression = expression(text, begin, &mut tokens)?;
            done = expression.at.end;
            pieces.push(Piece::Expression(expression));
        }
        if done < text.len() {
            pieces.push(Piece::Text(text[done..].to_owned()));
        }
        Ok(Template { pieces })
    }

    /// Whether the text holds an expression at all. Much cheaper than [`Template::parse`].
    pub fn has_expressions(text: &str) -> bool {
        find(text, 0).is_some()
    }

    /// The expressions, in order. Their values are given to [`Template::fill`] in the same order.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Expression(expression) => Some(expression),
            Piece::Text(_) => None,
        })
    }

    /// The expression that is the whole text: its value keeps its type.
    pub fn is_single(&self) -> Option<&Expression> {
        match self.pieces.as_slice() {
            [Piece::Expression(expression)] => Some(expression),
            _ => None,
        }
    }

    /// The text with these values in the place of its expressions. A value that is missing leaves nothing.
    ///
    /// For a word of an argv, a variable, a path; not for the script of a shell: see [`safe_script`](super::safe_script).
    pub fn fill(&self, values: &[Value]) -> String {
        let mut values = values.iter();
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Expression(_) => values.next().map(shown).unwrap_or_default(),
        });
        pieces.collect()
    }
}

const OPEN: &str = "${{";

fn find(text: &str, from: usize) -> Option<usize> {
    memmem::find(&text.as_bytes()[from..], OPEN.as_bytes()).map(|at| from + at)
}

fn expression(text: &str, begin: usize, tokens: &mut Tokens<'_>) -> Result<Expression, TemplateError> {
    let error = |at, kind| Err(TemplateError { at, kind });
    let inside = begin + OPEN.len();
    tokens.begin(inside);
    let mut tokens: Vec<Token<'_>> = tokens.collect();
    let Some(end) = tokens.pop_if(|token| token.kind == Kind::End) else {
        return error(begin..inside, TemplateErrorKind::Unclosed);
    };
    let at = begin..end.at.end;
    let inner = raw(&tokens);
    let is_empty = inner.as_ref().map_or(tokens.is_empty(), |inner| text[inner.clone()].trim().is_empty());
    if is_empty {
        return error(at, TemplateErrorKind::Empty);
    }
    let is_raw = inner.is_some();
    let source = text[inner.unwrap_or(inside..end.at.start)].trim().to_owned();
    Ok(Expression { source, is_raw, at })
}

/// What stands in the brackets of `raw(…)` when that is the whole expression.
fn raw(tokens: &[Token<'_>]) -> Option<Range<usize>> {
    let [raw, open, inner @ .., close] = tokens else { return None };
    if (raw.text, open.text, close.text) != ("raw", "(", ")") {
        return None;
    }
    let mut depth = 1_usize;
    for token in inner.iter().filter(|token| token.kind == Kind::Symbol) {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return None;
        }
    }
    Some(open.at.end..close.at.start)
}

/// A variable that an expression reads, as far as its text tells: `tasks.dump.outputs.size`, `tasks["my-dump"].outcome`, `item`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The variable: `tasks`.
    pub root: String,
    /// The fields of it that are named, one inside the other: `dump`, `outputs`, `size`.
    pub path: Vec<String>,
    /// Where it stands in the expression.
    pub at: Range<usize>,
}

/// Finds what an expression reads without running it.
///
/// A path ends at a call of a method and at an index that is not a plain text. Functions count too (`json`, `string.upper`): the
/// caller knows which names are variables. What the expression declares itself, as `function(x)` does, is left out.
///
/// ```
/// use neap::definition::references;
/// let found = references(r#"params.day .. tasks["my-dump"].outputs.size"#);
/// assert_eq!((found[0].root.as_str(), found[0].path.join("/")), ("params", "day".to_owned()));
/// assert_eq!((found[1].root.as_str(), found[1].path.join("/")), ("tasks", "my-dump/outputs/size".to_owned()));
/// ```
pub fn references(source: &str) -> Vec<Reference> {
    let tokens: Vec<Token<'_>> = Tokens::new(source, 0).take_while(|token| token.kind != Kind::End).collect();
    let own = declared(&tokens);
    let roots = (0..tokens.len()).filter(|&at| is_root(&tokens, at) && !own.contains(tokens[at].text));
    roots.map(|at| chain(&tokens[at..])).collect()
}

/// Words of Lua that name nothing.
pub(super) const KEYWORDS: [&str; 21] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil",
    "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// Whether a name stands for a variable: not a keyword, not a field, not a key of a table.
fn is_root(tokens: &[Token<'_>], at: usize) -> bool {
    let before = at.checked_sub(1).map_or("", |before| tokens[before].text);
    let after = tokens.get(at + 1).map_or("", |after| after.text);
    let is_key = matches!(before, "{" | "," | ";") && after == "=";
    tokens[at].kind == Kind::Name
        && !KEYWORDS.contains(&tokens[at].text)
        && !matches!(before, "." | ":" | "::")
        && !is_key
}

/// The names that the expression declares itself: parameters of its functions, locals, variables of loops.
fn declared<'a>(tokens: &[Token<'a>]) -> BTreeSet<&'a str> {
    let mut own = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        let ends: &[&str] = match (token.kind, token.text) {
            (Kind::Name, "function") => &[")", "function"],
            (Kind::Name, "for") => &["in", "=", "for"],
            (Kind::Name, "local") => &["=", "function", "local", "return", ";"],
            _ => continue,
        };
        let listed = tokens[at + 1..].iter().take_while(|token| !ends.contains(&token.text));
        own.extend(listed.filter(|token| token.kind == Kind::Name).map(|token| token.text));
    }
    own
}

/// The path that begins with the first of these tokens.
fn chain(tokens: &[Token<'_>]) -> Reference {
    let mut reference =
        Reference { root: tokens[0].text.to_owned(), path: Vec::new(), at: tokens[0].at.clone() };
    let mut rest = &tokens[1..];
    loop {
        let (field, end) = match rest {
            [dot, name, ..] if dot.text == "." && name.kind == Kind::Name => (name.text, 2),
            [open, text, close, ..] if open.text == "[" && close.text == "]" => match plain(text) {
                Some(text) => (text, 3),
                None => return reference,
            },
            _ => return reference,
        };
        reference.path.push(field.to_owned());
        reference.at.end = rest[end - 1].at.end;
        rest = &rest[end..];
    }
}

/// What a text in quotes says when nothing in it is escaped.
fn plain<'a>(token: &Token<'a>) -> Option<&'a str> {
    let is_plain = token.kind == Kind::Text && token.text.len() > 1 && !token.text.contains('\\');
    let quote = token.text.chars().next().filter(|quote| is_plain && matches!(quote, '"' | '\''))?;
    token.text.strip_prefix(quote)?.strip_suffix(quote)
}

/// How a value is shown in a text.
///
/// Texts as they are; numbers without `.0`; `null` as nothing; lists of plain words joined by commas, other lists and tables as
/// JSON. But for `null` this is how a parameter is shown in its variable.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT => {
                (float as i64).to_string()
            }
            _ => number.to_string(),
        },
        Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => params::shown(value),
    }
}

/// From here on floating-point numbers have gaps between them.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// Texts are shown in quotes, expressions in braces, with `raw` before the raw ones.
    fn pieces(text: &str) -> String {
        let shown = |piece: &Piece| match piece {
            Piece::Text(text) => format!("{text:?}"),
            Piece::Expression(Expression { source, is_raw, .. }) => {
                format!("{}{{{source}}}", if *is_raw { "raw" } else { "" })
            }
        };
        match Template::parse(text) {
            Ok(template) => template.pieces.iter().map(shown).collect::<Vec<_>>().join(" "),
            Err(error) => format!("{:?} {:?}", error.kind, error.at),
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(pieces(text), expected, "{text}");
    }

    #[test]
    fn texts_are_taken_apart() {
        check("", "");
        check("plain {{ x }} $ { $x", r#""plain {{ x }} $ { $x""#);
        check("${{ params.day }}", "{params.day}");
        check("${{a}}${{b}}", "{a} {b}");
        check("a ${{ x }} b", r#""a " {x} " b""#);
        check("$${{ x }}", r#""$" {x}"#);
        check("${{ '}}' }}!", r#"{'}}'} "!""#);
        check("${{ {a={b=1}} }}", "{{a={b=1}}}");
        check("${{ {{1}}}}", "{{{1}}}");
        check("${{ `{x}}}` }}", "{`{x}}}`}");
        check("${{ x -- the day }} b", r#"{x -- the day} " b""#);
        check("${{ x --[[ }} ]] }}", "{x --[[ }} ]]}");
        check("${{ it's }} and ${{ more }}", r#"{it's} " and " {more}"#);
        check("${{\n  a\n  or b\n}}", "{a\n  or b}");
        check("ä${{ 'ö' }}ü", r#""ä" {'ö'} "ü""#);
    }

    #[test]
    fn raw_is_seen_when_it_is_everything() {
        check("${{ raw(x) }}", "raw{x}");
        check("${{ raw ( f(x, ')') ) }}", "raw{f(x, ')')}");
        check("${{ raw(a) .. raw(b) }}", "{raw(a) .. raw(b)}");
        check("${{ (raw(a)) }}", "{(raw(a))}");
        check("${{ rawx(a) }}", "{rawx(a)}");
        check("${{ raw(a)(b) }}", "{raw(a)(b)}");
    }

    #[test]
    fn broken_ones_say_where() {
        check("ab ${{ x", "Unclosed 3..6");
        check("${{ x }", "Unclosed 0..3");
        check("${{ { x }}", "Unclosed 0..3");
        check("${{ ok }} ${{ [[x }", "Unclosed 10..13");
        check("a ${{ }} b", "Empty 2..8");
        check("${{}}", "Empty 0..5");
        check("${{ -- nothing }}", "Empty 0..17");
        check("${{ raw( ) }}", "Empty 0..13");
    }

    #[test]
    fn a_single_expression_is_known() {
        let single = |text: &str| Template::parse(text).unwrap().is_single().is_some();
        assert_eq!(
            ["${{ x }}", " ${{ x }}", "${{ x }}${{ y }}", "x", ""].map(single),
            [true, false, false, false, false]
        );
    }

    #[test]
    fn values_are_shown_as_people_write_them() {
        let shown = |value: Value| super::shown(&value);
        assert_eq!(shown(json!("a b")), "a b");
        assert_eq!(shown(json!(5.0)), "5");
        assert_eq!(shown(json!(-0.25)), "-0.25");
        assert_eq!(shown(json!(9_007_199_254_740_991_i64)), "9007199254740991");
        assert_eq!(shown(json!(1e300)), "1e+300");
        assert_eq!(shown(json!(true)), "true");
        assert_eq!(shown(json!(null)), "");
        assert_eq!(shown(json!(["a", 1, true])), "a,1,true");
        assert_eq!(shown(json!(["a,b"])), r#"["a,b"]"#);
        assert_eq!(shown(json!({ "a": [1] })), r#"{"a":[1]}"#);
    }

    #[test]
    fn missing_values_leave_nothing() {
        assert_eq!(Template::parse("a${{ x }}b${{ y }}").unwrap().fill(&["1".into()]), "a1b");
    }

    #[track_caller]
    fn reads(source: &str, expected: &[&str]) {
        let found = references(source);
        let shown: Vec<String> = found
            .iter()
            .map(|found| format!("{}({})@{}", found.root, found.path.join("|"), &source[found.at.clone()]))
            .collect();
        assert_eq!(shown, expected, "{source}");
    }

    #[test]
    fn what_is_read_is_found() {
        reads("params.day", &["params(day)@params.day"]);
        reads("item", &["item()@item"]);
        reads(
            "tasks['my-dump'] . outputs.size > 5",
            &["tasks(my-dump|outputs|size)@tasks['my-dump'] . outputs.size"],
        );
        reads("params.day:upper()", &["params(day)@params.day"]);
        reads("tasks[item].outputs.x", &["tasks()@tasks", "item()@item"]);
        reads("tasks[ [[x]] ]", &["tasks()@tasks"]);
        reads(
            "json({ env = env.HOME, [run.id] = 1 })",
            &["json()@json", "env(HOME)@env.HOME", "run(id)@run.id"],
        );
        reads("`on {matrix.os} at {run.date}`", &["matrix(os)@matrix.os", "run(date)@run.date"]);
        reads("'params.x' --[[ env.y ]] == item -- env.z", &["item()@item"]);
        reads("if params.a then 1 elseif not nil then env.b else 2", &["params(a)@params.a", "env(b)@env.b"]);
        reads(
            "(function(p, q) local r, s = p.x, item return r.y == s end)(params.x)",
            &["item()@item", "params(x)@params.x"],
        );
        reads("(function() for k, v in params do return k end end)()", &["params()@params"]);
        reads("1e5 + 0x1F", &[]);
        reads("a.b == c.d", &["a(b)@a.b", "c(d)@c.d"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_is_lost(text in "([$]\\{\\{|\\}\\}|[{}\\[\\]='\"`\\\\]|--|[a-z ]|\n|ä){0,40}") {
            if let Ok(template) = Template::parse(&text) {
                let mut at = 0;
                for piece in &template.pieces {
                    match piece {
                        Piece::Text(piece) => {
                            prop_assert_eq!(&text[at..at + piece.len()], piece);
                            at += piece.len();
                        }
                        Piece::Expression(expression) => {
                            prop_assert_eq!(at, expression.at.start);
                            prop_assert!(!expression.source.is_empty());
                            references(&expression.source);
                            at = expression.at.end;
                            // What was known from the expressions before it has changed nothing.
                            let alone = Tokens::new(&text, expression.at.start + OPEN.len()).last();
                            prop_assert_eq!(alone.map(|end| end.at.end), Some(at));
                        }
                    }
                }
                prop_assert_eq!(at, text.len());
            }
            references(&text);
        }
    }

    #[test]
    fn hostile_texts_are_read_in_no_time() {
        for stuff in ["[[", "[=[", "'", "\"'", "{", "`{", "--[[", "${{", "`", "x.", "function(", "local "] {
            let text = format!("${{{{ {}", stuff.repeat(20_000));
            let began = std::time::Instant::now();
            assert!(Template::parse(&text).is_err(), "{stuff}");
            references(&text);
            assert!(began.elapsed().as_secs() < 5, "{stuff}");
        }
    }
}
