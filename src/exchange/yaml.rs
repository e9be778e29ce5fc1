//! YAML as a person would write it: block style, comments, and quotes only where they are needed.
//!
//! It writes nothing that it could not read back: when in doubt a text is quoted.

use std::fmt::Display;

/// The lines of a mapping: keys and comments in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
enum Row {
    Comment(String),
    /// A key with a value on its own line.
    Value(String, String),
    /// A key with text of several lines.
    Lines(String, String),
    Block(String, Block),
}

/// Where a text stands: inside brackets more characters mean something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Block,
    Flow,
}

/// Lists that are longer than this get a line for each item.
const WIDE: usize = 90;

impl Block {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A comment; every line of the text gets its own `#`.
    pub(super) fn comment(&mut self, text: impl Into<String>) {
        self.rows.push(Row::Comment(text.into()));
    }

    /// A key with text.
    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.rows.push(match is_literal(text) {
            true => Row::Lines(key.to_owned(), text.to_owned()),
            false => Row::Value(key.to_owned(), scalar(text, Context::Block)),
        });
    }

    /// A key with a number, a boolean or a length of time.
    pub(super) fn plain(&mut self, key: &str, value: impl Display) {
        self.rows.push(Row::Value(key.to_owned(), value.to_string()));
    }

    /// A key with a list of texts; one text needs no list.
    pub(super) fn texts(&mut self, key: &str, texts: &[String]) {
        let flow = flow_list(texts);
        match texts {
            [text] => self.text(key, text),
            _ if flow.len() <= WIDE => self.plain(key, flow),
            _ => {
                let items = texts.iter().map(|text| format!("\n  - {}", scalar(text, Context::Block)));
                self.plain(key, items.collect::<String>());
            }
        }
    }

    /// A key with a short mapping of texts on one line.
    pub(super) fn short(&mut self, key: &str, entries: &[(&str, String)]) {
        self.plain(key, short(entries));
    }

    /// A key with a list of short mappings.
    pub(super) fn shorts(&mut self, key: &str, items: &[String]) {
        match items {
            [item] => self.plain(key, item),
            _ => self.plain(key, items.iter().map(|item| format!("\n  - {item}")).collect::<String>()),
        }
    }

    /// A key with a mapping; an empty one is left out.
    pub(super) fn block(&mut self, key: &str, block: Block) {
        if !block.is_empty() {
            self.rows.push(Row::Block(key.to_owned(), block));
        }
    }

    /// The rows of another block behind these.
    pub(super) fn append(&mut self, other: Block) {
        self.rows.extend(other.rows);
    }

    /// The document.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        self.write(0, &mut text);
        text
    }

    fn write(&self, depth: usize, into: &mut String) {
        for row in &self.rows {
            row.write(depth, into);
        }
    }
}

impl Row {
    fn write(&self, depth: usize, into: &mut String) {
        let pad = "  ".repeat(depth);
        match self {
            Row::Comment(text) => into.push_str(&comment(text, &pad)),
            Row::Value(key, value) if value.starts_with('\n') => {
                let value = value.replace('\n', &format!("\n{pad}"));
                into.push_str(&format!("{pad}{}:{value}\n", scalar(key, Context::Block)));
            }
            Row::Value(key, value) => {
                into.push_str(&format!("{pad}{}: {value}\n", scalar(key, Context::Block)));
            }
            Row::Lines(key, text) => {
                let head = format!("{pad}{}: {}", scalar(key, Context::Block), literal_head(text));
                into.push_str(&head);
                into.push_str(&literal(text, &"  ".repeat(depth + 1)));
            }
            Row::Block(key, block) => {
                into.push_str(&format!("{pad}{}:\n", scalar(key, Context::Block)));
                block.write(depth + 1, into);
            }
        }
    }
}

/// A short mapping in braces.
pub(super) fn short(entries: &[(&str, String)]) -> String {
    let entries: Vec<String> =
        entries.iter().map(|(key, value)| format!("{key}: {}", scalar(value, Context::Flow))).collect();
    format!("{{ {} }}", entries.join(", "))
}

fn flow_list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| scalar(text, Context::Flow)).collect();
    format!("[{}]", texts.join(", "))
}

/// Every line behind a `#`; what no comment can hold is shown as a question mark.
fn comment(text: &str, pad: &str) -> String {
    let clean = |line: &str| -> String {
        line.chars().map(|c| if is_plain_char(c) || c == '\t' { c } else { '?' }).collect()
    };
    let line = |line: &str| format!("{pad}# {}", clean(line)).trim_end().to_owned() + "\n";
    match text.is_empty() {
        true => format!("{pad}#\n"),
        false => text.lines().map(line).collect(),
    }
}

/// A character that YAML takes as it is, wherever it stands.
fn is_plain_char(c: char) -> bool {
    let is_hidden = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff0}'..='\u{ffff}');
    !c.is_control() && !is_hidden
}

/// Whether a text can stand as indented lines below `|`.
fn is_literal(text: &str) -> bool {
    let is_good_line = |line: &str| {
        line.is_empty() || (!line.trim().is_empty() && line.chars().all(|c| is_plain_char(c) || c == '\t'))
    };
    text.contains('\n')
        && text.starts_with(|c: char| !c.is_whitespace())
        && text.split('\n').all(is_good_line)
}

/// `|` with what says how many line ends the text has at its end.
fn literal_head(text: &str) -> &'static str {
    match text.len() - text.trim_end_matches('\n').len() {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    }
}

fn literal(text: &str, pad: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{pad}{line}\n") };
    text.split('\n').map(line).collect()
}

/// A text on one line: bare where that is certain, else in the quotes that need fewer escapes.
fn scalar(text: &str, context: Context) -> String {
    if is_bare(text, context) {
        return text.to_owned();
    }
    let is_single = text.contains(['"', '\\']) && text.chars().all(is_plain_char);
    match is_single && !text.contains('\'') {
        true => format!("'{text}'"),
        false => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            // The language refuses it: no program can be given this character.
            '\0' => quoted.push(char::REPLACEMENT_CHARACTER),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if is_plain_char(c) => quoted.push(c),
            c if u32::from(c) > 0xffff => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    quoted + "\""
}

/// Whether a text needs no quotes: it begins with a letter or a path, holds nothing that could end it, and is read as
/// text by every version of YAML.
fn is_bare(text: &str, context: Context) -> bool {
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_' | '$'));
    let is_dotted = text.strip_prefix('.').is_some_and(|rest| rest.starts_with(['/', 'a', 'e', 'v']));
    let is_ascii = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let ends_early = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']);
    let is_flow = context == Context::Flow && text.contains([',', '[', ']', '{', '}', ':', '"', '\'']);
    (starts_well || is_dotted) && is_ascii && !ends_early && !is_flow && !is_word_of_yaml(text)
}

/// Words that some version of YAML takes for a boolean, for nothing, or for a key.
fn is_word_of_yaml(text: &str) -> bool {
    let words = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    words.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Catalog, Registered, Settings, Source};
    use crate::schedule::Zone;
    use proptest::prelude::*;

    /// What the decoder makes of a task with this text as description, variable and label.
    #[track_caller]
    fn read_back(text: &str) -> Vec<String> {
        let mut block = Block::default();
        block.comment(text);
        block.text("description", text);
        block.texts("exec", &["echo".to_owned(), text.to_owned()]);
        let mut env = Block::default();
        env.comment(text);
        env.text("X", text);
        block.block("env", env);
        block.short("labels", &[("x", text.to_owned())]);
        let yaml = block.render();
        let settings = Settings::new(Zone::utc());
        let catalog =
            Catalog::load([Source::new("tasks/a.yaml", &*yaml)], &Registered::default(), &settings, None);
        assert_eq!(catalog.problems(), [], "{yaml}");
        let task = catalog.task("a").unwrap();
        let crate::definition::Action::Exec { argv } = &task.leaves[0].action else { panic!("{yaml}") };
        let texts =
            [&task.description.clone().unwrap(), &argv[1], &task.leaves[0].env["X"], &task.labels["x"]];
        texts.map(Clone::clone).to_vec()
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut block = Block::default();
        block.text("x", text);
        assert_eq!(block.render(), format!("x: {expected}\n"));
        assert_eq!(read_back(text), [text; 4]);
    }

    #[test]
    fn quotes_stand_only_where_they_are_needed() {
        check("make test", "make test");
        check("./run.sh --all", "./run.sh --all");
        check("echo \"a b\" | cat > x", "echo \"a b\" | cat > x");
        check("echo a: b", "\"echo a: b\"");
        check("echo a # b", "\"echo a # b\"");
        check("* * * * *", "\"* * * * *\"");
        check("yes", "\"yes\"");
        check("0755", "\"0755\"");
        check("1.10", "\"1.10\"");
        check("-x", "\"-x\"");
        check("", "\"\"");
        check(" a", "\" a\"");
        check("%a \"b\" \\c", "'%a \"b\" \\c'");
        check("it's \"so\"", "it's \"so\"");
        check("'it's' \"so\"", "\"'it's' \\\"so\\\"\"");
        check("ä\u{7}", "\"ä\\u0007\"");
        check("a\nb", "|-\n  a\n  b");
        check("a\n\n b\n", "|\n  a\n\n   b");
        check("a\n\n", "|+\n  a\n");
        check(" a\nb", "\" a\\nb\"");
        check("\u{1f600}\u{feff}", "\"\u{1f600}\\ufeff\"");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_text_comes_back(text in "\\PC{0,20}|[ -~]{0,30}|[a-c:#\\-\\[\\]{},&*!|>'\"%@`$ \n\t]{0,16}|(?s:.{0,12})") {
            prop_assume!(!text.contains("${{") && !text.contains('\0'));
            prop_assert_eq!(read_back(&text), vec![text.clone(); 4]);
        }
    }
}
