//! Trees as YAML, in every style that YAML has: block and flow, five kinds of scalars, anchors, merges, comments.

use super::Rng;

/// A value without a style.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    pub(crate) fn text(text: &str) -> Tree {
        Tree::Text(text.to_owned())
    }
}

/// Writes a tree.
pub(crate) fn emit(rng: &mut Rng, tree: &Tree) -> String {
    let mut out = Emitter { text: String::new(), rng, anchors: 0, step: 2 };
    out.step = 1 + out.rng.below(4);
    if out.rng.one_in(12) {
        out.text
            .push_str(["---\n", "# a comment\n", "\u{feff}", "%YAML 1.2\n---\n", "--- "][out.rng.below(5)]);
    }
    match tree {
        Tree::Map(entries) if !entries.is_empty() && !out.rng.one_in(20) => out.block_map(entries, 0),
        Tree::List(items) if !items.is_empty() => out.block_list(items, 0),
        _ => out.flow(tree),
    }
    if out.rng.one_in(12) {
        let line_ends = out.text.replace('\n', "\r\n");
        out.text = line_ends;
    }
    if out.rng.one_in(30) {
        out.text.push_str(["\n...\n", "\n---\n", "\n# end", "\n\n\n", "  "][out.rng.below(5)]);
    }
    out.text
}

struct Emitter<'r> {
    text: String,
    rng: &'r mut Rng,
    anchors: usize,
    /// Blanks for each level.
    step: usize,
}

impl Emitter<'_> {
    fn indent(&mut self, level: usize) {
        self.text.push_str(&" ".repeat(level * self.step));
    }

    fn end_line(&mut self) {
        self.text.push_str(match self.rng.below(60) {
            0 => " # why\n",
            1 => "\n\n",
            2 => "  \n",
            3 => "\n # alone\n",
            _ => "\n",
        });
    }

    fn block_map(&mut self, entries: &[(String, Tree)], level: usize) {
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                self.indent(level);
            }
            if self.anchors > 0 && self.rng.one_in(40) {
                let anchor = self.rng.below(self.anchors);
                self.text.push_str(&format!("<<: *n{anchor}\n"));
                self.indent(level);
            }
            if self.rng.one_in(60) {
                self.text.push_str("? ");
                self.scalar(key, true, level);
                self.text.push('\n');
                self.indent(level);
            } else {
                self.scalar(key, true, level);
            }
            self.text.push(':');
            self.block_value(value, level);
        }
    }

    fn block_list(&mut self, items: &[Tree], level: usize) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.indent(level);
            }
            self.text.push('-');
            self.block_value(item, level);
        }
    }

    /// What comes behind `key:` or `-`.
    fn block_value(&mut self, value: &Tree, level: usize) {
        self.text.push(' ');
        if self.alias() {
            return self.end_line();
        }
        self.properties();
        match value {
            Tree::Map(entries) if !entries.is_empty() && !self.rng.one_in(3) => {
                self.text.push('\n');
                self.indent(level + 1);
                self.block_map(entries, level + 1);
            }
            Tree::List(items) if !items.is_empty() && !self.rng.one_in(3) => {
                self.text.push('\n');
                self.indent(level + 1);
                self.block_list(items, level + 1);
            }
            Tree::Text(text) => {
                self.scalar(text, false, level);
                self.end_line();
            }
            Tree::Map(_) | Tree::List(_) => {
                self.flow(value);
                self.end_line();
            }
        }
    }

    fn alias(&mut self) -> bool {
        let is_one = self.anchors > 0 && self.rng.one_in(40);
        if is_one {
            let one_too_many = usize::from(self.rng.one_in(10));
            let anchor = self.rng.below(self.anchors + one_too_many);
            self.text.push_str(&format!("*n{anchor} "));
        }
        is_one
    }

    fn properties(&mut self) {
        if self.rng.one_in(30) {
            self.text.push_str(&format!("&n{} ", self.anchors));
            self.anchors += 1;
        }
        if self.rng.one_in(300) {
            self.text.push_str(["!!str ", "!!int ", "!mine ", "! "][self.rng.below(4)]);
        }
    }

    fn flow(&mut self, tree: &Tree) {
        if self.alias() {
            return;
        }
        self.properties();
        let between = if self.rng.one_in(10) { ",\n    " } else { ", " };
        match tree {
            Tree::Text(text) => self.flow_scalar(text),
            Tree::List(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.text.push_str(if index > 0 { between } else { "" });
                    self.flow(item);
                }
                self.text.push(']');
            }
            Tree::Map(entries) => {
                self.text.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.text.push_str(if index > 0 { between } else { " " });
                    self.flow_scalar(key);
                    self.text.push_str(": ");
                    self.flow(value);
                }
                self.text.push('}');
            }
        }
    }

    fn flow_scalar(&mut self, text: &str) {
        let is_plain = !text.is_empty()
            && text.chars().all(|c| c.is_alphanumeric() || "_-./* ".contains(c))
            && !text.starts_with(['-', '*', ' ', '.', '/'])
            && !text.ends_with(' ');
        match self.rng.below(8) {
            0..=4 if is_plain => self.text.push_str(text),
            5 if self.rng.one_in(4) => self.text.push_str(text),
            6 => self.single(text),
            _ => self.double(text),
        }
    }

    /// A scalar outside of `[ ]` and `{ }`.
    fn scalar(&mut self, text: &str, is_key: bool, level: usize) {
        if !is_key && text.contains('\n') && !self.rng.one_in(4) || !is_key && self.rng.one_in(25) {
            return self.block_scalar(text, level);
        }
        let is_plain = !text.contains('\n')
            && !text.contains(": ")
            && !text.contains(" #")
            && !text.ends_with(':')
            && text.trim() == text
            && !text.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@`".contains(c));
        match self.rng.below(8) {
            0..=4 if is_plain => self.text.push_str(text),
            5 if !is_key && self.rng.one_in(4) => self.text.push_str(text),
            6 => self.single(text),
            _ => self.double(text),
        }
    }

    fn single(&mut self, text: &str) {
        self.text.push_str(&format!("'{}'", text.replace('\'', "''").replace('\n', "\n\n  ")));
    }

    fn double(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\t' if self.rng.one_in(2) => self.text.push_str("\\t"),
                '\0' => self.text.push_str("\\0"),
                c if self.rng.one_in(200) => self.text.push_str(&format!("\\U{:08x}", u32::from(c))),
                ' ' if self.rng.one_in(60) => self.text.push_str(" \\\n      "),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    fn block_scalar(&mut self, text: &str, level: usize) {
        let header = ["|", "|-", "|+", ">", ">-", ">+"][self.rng.below(6)];
        self.text.push_str(header);
        if self.rng.one_in(12) {
            self.text.push_str(&self.step.to_string());
        }
        for line in text.split('\n') {
            self.text.push('\n');
            if !line.is_empty() || self.rng.one_in(6) {
                self.indent(level + 1);
            }
            self.text.push_str(line);
        }
    }
}
