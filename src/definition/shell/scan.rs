//! Walks a script as a POSIX shell reads it and splices a variable into every hole, quoted as its place needs it.
//!
//! Were the walk ever wrong about a place, the value would still only arrive split or with quotes around it: what is spliced is
//! always the name of a variable, whose value no shell reads again.

use super::command::{Command, HELD, Target, Verdict};
use super::{SafeScript, ScriptPart, ShellTroubleKind as Trouble};
use std::collections::BTreeMap;

/// A place for a value in a script that is otherwise text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hole {
    pub(super) at: usize,
    pub(super) is_raw: bool,
}

/// So many quotes, brackets and here-documents one inside the other, and nobody knows any more what a place means: every
/// further one makes each expression in it dearer.
const DEEPEST: usize = 200;

pub(super) struct Scanner<'a> {
    text: &'a str,
    holes: &'a [Hole],
    /// The next hole.
    hole: usize,
    at: usize,
    /// What comes before this is in the script already.
    copied: usize,
    frames: Vec<Frame>,
    /// Here-documents whose bodies begin with the next line.
    pending: Vec<Heredoc>,
    script: SafeScript,
    troubles: Verdict,
    /// Variables of the script that hold values: to read one is like an expression at that place.
    holders: BTreeMap<String, Vec<usize>>,
    escape: Ahead,
    bracket: Ahead,
}

/// Where the next of some characters is. Until the walk has come there, nobody looks again.
#[derive(Debug, Default)]
struct Ahead {
    from: usize,
    next: Option<usize>,
}

impl Ahead {
    /// The end of the text when there is none.
    fn next(&mut self, text: &str, at: usize, signs: &[char]) -> usize {
        if let Some(next) = self.next.filter(|next| (self.from..=*next).contains(&at)) {
            return next;
        }
        let next = text[at..].find(signs).map_or(text.len(), |found| at + found);
        *self = Ahead { from: at, next: Some(next) };
        next
    }
}

/// What the place at hand is part of, outermost first.
#[derive(Debug)]
enum Frame {
    Code(Code),
    Comment,
    Single,
    /// `$'…'`
    Ansi,
    Double,
    /// `${…}`
    Parameter {
        part: Part,
        is_quoted: bool,
    },
    /// `$((…))`, `((…))` or `$[…]`
    Arithmetic {
        depth: usize,
        close: &'static str,
    },
    Heredoc(Heredoc),
}

/// Commands, up to what closes them.
#[derive(Debug)]
struct Code {
    close: Close,
    command: Command,
    cases: Vec<Case>,
    /// The expressions in the commands before this one in its pipeline.
    piped: Vec<usize>,
    /// A program of this line that reads its standard input as code.
    reader: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    End,
    /// The `)` of a subshell, a list or a function.
    Paren,
    /// The `)` of `$(`, `<(` or `>(`: the word goes on behind it.
    Substitution,
    Backtick,
}

/// Where in a `case` the walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Pattern,
    Body,
}

/// Where in `${…}` the walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Name,
    /// Between `[` and `]`.
    Index,
    /// After `:`, which is arithmetic.
    Offset,
    /// After `:-` and its like.
    Word,
    /// After `%`, `#`, `/`: quotes count here even between quotes.
    Pattern,
}

#[derive(Clone, Debug)]
struct Heredoc {
    delimiter: String,
    has_tabs: bool,
    is_quoted: bool,
    /// Who reads it as code.
    reader: Option<String>,
}

impl Code {
    fn frame(close: Close) -> Frame {
        let (command, cases, piped) = (Command::default(), Vec::new(), Vec::new());
        Frame::Code(Code { close, command, cases, piped, reader: None })
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, holes: &'a [Hole]) -> Scanner<'a> {
        Scanner {
            text,
            holes,
            hole: 0,
            at: 0,
            copied: 0,
            frames: vec![Code::frame(Close::End)],
            pending: Vec::new(),
            script: SafeScript::default(),
            troubles: Vec::new(),
            holders: BTreeMap::new(),
            escape: Ahead::default(),
            bracket: Ahead::default(),
        }
    }

    pub(super) fn run(mut self) -> (SafeScript, Verdict) {
        loop {
            let ahead = self.ahead();
            if self.frames.len() > DEEPEST {
                // What comes further on may be about every expression before it.
                self.troubles = (0..self.holes.len()).map(|hole| (hole, Trouble::Deep)).collect();
                break;
            } else if !ahead.is_empty() {
                self.step(ahead);
            } else if self.hole < self.holes.len() {
                self.splice();
            } else {
                break;
            }
        }
        self.copy();
        while !self.frames.is_empty() {
            self.end_command();
            self.frames.pop();
        }
        (self.script, self.troubles)
    }

    /// The text up to the next hole.
    fn ahead(&self) -> &'a str {
        let end = self.holes.get(self.hole).map_or(self.text.len(), |hole| hole.at);
        &self.text[self.at..end]
    }

    fn step(&mut self, ahead: &str) {
        match self.frames.last_mut() {
            Some(Frame::Code(_)) | None => self.code(ahead),
            Some(Frame::Comment) => self.comment(ahead),
            Some(Frame::Single) => self.single(ahead),
            Some(Frame::Ansi) => self.ansi(ahead),
            Some(Frame::Double) => self.double(ahead),
            Some(Frame::Parameter { .. }) => self.parameter(ahead),
            Some(Frame::Arithmetic { .. }) => self.arithmetic(ahead),
            Some(Frame::Heredoc(_)) => self.heredoc(ahead),
        }
    }

    // What is spliced where.

    fn splice(&mut self) {
        let (index, is_raw) = (self.hole, self.holes[self.hole].is_raw);
        self.hole += 1;
        self.copy();
        match self.frame() {
            Frame::Comment => return,
            _ if is_raw => return self.script.script.push(ScriptPart::Raw(index)),
            _ => {}
        }
        let name = format!("NEAP_V{}", self.script.variables.len() + 1);
        match self.quoted(&name, index) {
            Ok(text) => {
                self.write(&text);
                self.script.variables.push((name, index));
            }
            Err(trouble) => self.troubles.push((index, trouble)),
        }
    }

    /// The variable as this place needs it.
    fn quoted(&mut self, name: &str, index: usize) -> Result<String, Trouble> {
        self.touch_all(index)?;
        let words = || Ok(format!("\"${{{name}}}\""));
        let bare = || Ok(format!("${{{name}}}"));
        let is_ansi = matches!(self.frame(), Frame::Ansi);
        let again = if is_ansi && self.has_escapes() { "$'" } else { "'" };
        match self.frame() {
            Frame::Code(_) => words(),
            Frame::Comment | Frame::Double => bare(),
            Frame::Single => Ok(format!("'\"${{{name}}}\"'")),
            Frame::Ansi => Ok(format!("'\"${{{name}}}\"{again}")),
            Frame::Parameter { part: Part::Name, .. } => Err(Trouble::Name),
            Frame::Parameter { part: Part::Word, is_quoted: true } => bare(),
            Frame::Parameter { .. } => words(),
            Frame::Arithmetic { .. } => Err(Trouble::Arithmetic),
            Frame::Heredoc(heredoc) if heredoc.is_quoted => {
                Err(Trouble::QuotedHeredoc { delimiter: heredoc.delimiter.clone() })
            }
            Frame::Heredoc(_) => bare(),
        }
    }

    /// Tells every command around this place about the expression, and refuses it where its value would be evaluated.
    fn touch_all(&mut self, index: usize) -> Result<(), Trouble> {
        for frame in self.frames.iter_mut().rev() {
            match frame {
                Frame::Code(code) if code.command.is_index() => return Err(Trouble::Arithmetic),
                Frame::Code(code) => code.command.hole(index),
                Frame::Arithmetic { .. } | Frame::Parameter { part: Part::Index | Part::Offset, .. } => {
                    return Err(Trouble::Arithmetic);
                }
                Frame::Heredoc(Heredoc { reader: Some(by), .. }) => {
                    return Err(Trouble::Evaluated { by: by.clone() });
                }
                Frame::Heredoc(_) => return Ok(()),
                Frame::Comment | Frame::Single | Frame::Ansi | Frame::Double | Frame::Parameter { .. } => {}
            }
        }
        Ok(())
    }

    /// A variable is read that may hold values: where these would be evaluated, they are by this.
    fn read(&mut self, name: &str) {
        for index in self.holders.get(name).cloned().unwrap_or_default() {
            if let Err(trouble) = self.touch_all(index) {
                self.troubles.push((index, trouble));
            }
        }
    }

    /// Whether what is left of `$'…'` has escapes in it.
    fn has_escapes(&mut self) -> bool {
        let next = self.escape.next(self.text, self.at, &['\\', '\'']);
        self.text[next..].starts_with('\\')
    }

    // Moving on.

    /// The innermost frame.
    fn frame(&self) -> &Frame {
        self.frames.last().expect("the outermost frame is only taken away at the end")
    }

    fn copy(&mut self) {
        let text = &self.text[self.copied..self.at];
        self.copied = self.at;
        self.write(text);
    }

    fn write(&mut self, text: &str) {
        match self.script.script.last_mut() {
            Some(ScriptPart::Text(last)) => last.push_str(text),
            Some(ScriptPart::Raw(_)) | None if text.is_empty() => {}
            Some(ScriptPart::Raw(_)) | None => self.script.script.push(ScriptPart::Text(text.to_owned())),
        }
    }

    /// Goes over one byte and writes something else in its place.
    fn replace(&mut self, text: &str) {
        self.copy();
        self.write(text);
        self.at += 1;
        self.copied = self.at;
    }

    fn push(&mut self, length: usize, frame: Frame) {
        self.at += length;
        self.touch();
        self.frames.push(frame);
    }

    fn pop(&mut self, length: usize) {
        self.at += length;
        self.frames.pop();
    }

    /// Goes over text that stands for itself in the word at hand.
    fn literal(&mut self, text: &str) {
        self.at += text.len();
        if let Some(code) = self.code_at_hand() {
            code.command.push(text);
        }
    }

    fn touch(&mut self) {
        if let Some(code) = self.code_at_hand() {
            code.command.touch();
        }
    }

    /// The commands whose word is being written, if the place is part of a word.
    fn code_at_hand(&mut self) -> Option<&mut Code> {
        let own = self.frames.iter_mut().rev().find_map(|frame| match frame {
            Frame::Code(code) => Some(Some(code)),
            Frame::Heredoc(_) | Frame::Comment => Some(None),
            Frame::Single
            | Frame::Ansi
            | Frame::Double
            | Frame::Parameter { .. }
            | Frame::Arithmetic { .. } => None,
        });
        own.flatten()
    }

    /// A backslash and what it escapes. Before a hole it is left out, or doubled where it would stand for itself.
    fn backslash(&mut self, ahead: &str, before_hole: &str) {
        match ahead[1..].chars().next() {
            Some('\n') => self.at += 2,
            Some(escaped) => {
                self.at += 1;
                self.literal(&ahead[1..1 + escaped.len_utf8()]);
            }
            None if self.hole < self.holes.len() => self.replace(before_hole),
            None => self.at += 1,
        }
    }

    /// Text up to the first of these bytes, or the one character at hand.
    fn plain(&mut self, ahead: &str, stops: &[u8]) {
        let first = ahead.chars().next().map_or(0, char::len_utf8);
        let more = ahead[first..].bytes().position(|byte| stops.contains(&byte));
        self.literal(&ahead[..more.map_or(ahead.len(), |more| first + more)]);
    }

    /// What a `$` begins, outside of single quotes.
    fn dollar(&mut self, ahead: &str, is_quoted: bool) {
        if ahead.starts_with("$((") {
            self.push(3, Frame::Arithmetic { depth: 0, close: "))" });
        } else if ahead.starts_with("$(") {
            self.push(2, Code::frame(Close::Substitution));
        } else if let Some(inside) = ahead.strip_prefix("${") {
            self.read(inside[..name(inside)].trim_start_matches(['#', '!']));
            self.push(2 + name(inside), Frame::Parameter { part: Part::Name, is_quoted });
        } else if ahead.starts_with("$[") && self.is_old_arithmetic() {
            self.push(2, Frame::Arithmetic { depth: 0, close: "]" });
        } else if ahead.starts_with("$'") && !is_quoted {
            self.push(2, Frame::Ansi);
        } else if ahead.starts_with("$$") {
            self.literal("$$");
        } else if ahead == "$" && self.hole < self.holes.len() {
            // With the name of the variable behind it, it would not stand for itself any more.
            self.replace("\\$");
            self.touch();
        } else {
            self.read(&ahead[1..1 + name(&ahead[1..])]);
            self.literal("$");
        }
    }

    /// Only bash knows `$[`: it must look like it.
    fn is_old_arithmetic(&mut self) -> bool {
        let next = self.bracket.next(self.text, self.at, &[']', '\n', '"', '\'']);
        self.text[next..].starts_with(']')
    }

    // One frame each.

    fn code(&mut self, ahead: &str) {
        let Some(Frame::Code(code)) = self.frames.last_mut() else { return };
        let command = &mut code.command;
        match ahead.as_bytes()[0] {
            b'\n' => self.newline(),
            b' ' | b'\t' => {
                self.at += 1;
                self.end_word();
            }
            b'#' if command.is_between_words() => self.frames.push(Frame::Comment),
            b'\\' => {
                self.touch();
                self.backslash(ahead, "");
            }
            b'\'' => self.push(1, Frame::Single),
            b'"' => self.push(1, Frame::Double),
            b'$' => self.dollar(ahead, false),
            b'`' => self.backtick(),
            b'(' => self.open(ahead),
            b')' => self.close(),
            b';' | b'&' | b'|' => self.operator(ahead),
            b'<' | b'>' => self.redirect(ahead),
            _ => self.plain(ahead, b" \t\n#\\'\"$`();&|<>"),
        }
    }

    fn newline(&mut self) {
        self.at += 1;
        self.end_word();
        let Some(code) = self.code_at_hand() else { return };
        if !code.command.is_in_test() && !code.command.is_case("") {
            self.end_pipeline();
        }
        let reader = self.code_at_hand().and_then(|code| code.reader.take());
        let bodies = std::mem::take(&mut self.pending).into_iter().rev();
        self.frames.extend(bodies.map(|body| Frame::Heredoc(Heredoc { reader: reader.clone(), ..body })));
    }

    fn end_word(&mut self) {
        let Some(Frame::Code(code)) = self.frames.last_mut() else { return };
        code.command.end_word();
        if code.command.is_case("in") {
            code.command = Command::default();
            code.cases.push(Case::Pattern);
        } else if code.command.is_esac() && code.cases.pop().is_some() {
            code.command = Command::default();
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        let Some(Frame::Code(code)) = self.frames.last_mut() else { return };
        let command = std::mem::take(&mut code.command);
        self.troubles.extend(command.judge());
        for (name, holes) in command.gives() {
            let held = self.holders.entry(name.to_owned()).or_default();
            let new: Vec<usize> = holes.into_iter().filter(|hole| !held.contains(hole)).collect();
            held.extend(new);
            held.truncate(HELD);
        }
        if let Some(by) = command.reads_code() {
            let by = by.to_owned();
            let read = code.piped.drain(..).chain(command.input().iter().copied());
            let evaluated = read.map(|hole| (hole, Trouble::Evaluated { by: by.clone() }));
            self.troubles.extend(evaluated);
            code.reader = Some(by);
        }
        code.piped.extend(command.holes());
    }

    fn end_pipeline(&mut self) {
        self.end_command();
        if let Some(Frame::Code(code)) = self.frames.last_mut() {
            code.piped.clear();
        }
    }

    fn operator(&mut self, ahead: &str) {
        self.end_word();
        let Some(Frame::Code(code)) = self.frames.last_mut() else { return };
        let length = ahead.len() - ahead.trim_start_matches(&ahead[..1]).len();
        self.at += length;
        if code.command.is_in_test() {
            return;
        }
        // `>&1` and `&>file` are no ends of commands, but nothing is lost by taking them for such.
        if ahead.starts_with('|') && length == 1 {
            return self.end_command();
        }
        self.end_pipeline();
        if let Some(Frame::Code(code)) = self.frames.last_mut()
            && (ahead.starts_with(";;") || ahead.starts_with(";&"))
            && let Some(case) = code.cases.last_mut()
        {
            *case = Case::Pattern;
        }
    }

    fn open(&mut self, ahead: &str) {
        let Some(Frame::Code(code)) = self.frames.last_mut() else { return };
        let is_list = code.command.is_assigning();
        if code.cases.last() == Some(&Case::Pattern) && code.command.is_at_start() {
            self.at += 1;
        } else if code.command.is_in_test() {
            self.literal("(");
        } else if ahead.starts_with("((") && code.command.may_compute() {
            self.push(2, Frame::Arithmetic { depth: 0, close: "))" });
        } else if is_list {
            self.push(1, Code::frame(Close::Substitution));
        } else {
            self.push(1, Code::frame(Close::Paren));
        }
    }

    fn close(&mut self) {
        self.end_word();
        let Some(Frame::Code(code)) = self.frames.last_mut() else { return };
        let close = code.close;
        if code.command.is_in_test() {
            return self.literal(")");
        }
        if let Some(case) = code.cases.last_mut().filter(|case| **case == Case::Pattern) {
            *case = Case::Body;
            self.at += 1;
            code.command = Command::default();
            return;
        }
        self.end_command();
        match close {
            Close::End | Close::Backtick => self.at += 1,
            Close::Substitution => self.pop(1),
            Close::Paren => {
                self.pop(1);
                self.end_command();
            }
        }
    }

    fn backtick(&mut self) {
        if matches!(self.frame(), Frame::Code(Code { close: Close::Backtick, .. })) {
            self.end_command();
            self.pop(1);
        } else {
            self.push(1, Code::frame(Close::Backtick));
        }
    }

    fn redirect(&mut self, ahead: &str) {
        let Some(Frame::Code(code)) = self.frames.last_mut() else { return };
        if code.command.is_in_test() {
            return self.literal(&ahead[..1]);
        }
        if ahead.starts_with("<(") || ahead.starts_with(">(") {
            code.command.push(&ahead[..2]);
            return self.push(2, Code::frame(Close::Substitution));
        }
        if ahead.starts_with("<<") && !ahead.starts_with("<<<") {
            code.command.end_word();
            return self.announce(ahead);
        }
        code.command.redirect(if ahead.starts_with("<<<") { Target::Text } else { Target::File });
        self.at += ahead.len() - ahead.trim_start_matches(['<', '>', '&', '|']).len();
    }

    /// `<<EOF`: the body comes with the next line.
    fn announce(&mut self, ahead: &str) {
        let has_tabs = ahead.starts_with("<<-");
        let word = ahead[2 + usize::from(has_tabs)..].trim_start_matches([' ', '\t']);
        let (delimiter, length) = delimiter(word);
        self.at += ahead.len() - word.len() + length;
        if length == word.len() && self.hole < self.holes.len() {
            self.troubles.push((self.hole, Trouble::Name));
        }
        let is_quoted = delimiter != word[..length];
        self.pending.push(Heredoc { delimiter, has_tabs, is_quoted, reader: None });
    }

    fn comment(&mut self, ahead: &str) {
        let around = self.frames.iter().rev().nth(1);
        let is_in_backtick = matches!(around, Some(Frame::Code(Code { close: Close::Backtick, .. })));
        let stops: &[char] = if is_in_backtick { &['\n', '`'] } else { &['\n'] };
        match ahead.find(stops) {
            Some(end) => self.pop(end),
            None => self.at += ahead.len(),
        }
    }

    fn single(&mut self, ahead: &str) {
        match ahead.as_bytes()[0] {
            b'\'' => self.pop(1),
            _ => self.plain(ahead, b"'"),
        }
    }

    fn ansi(&mut self, ahead: &str) {
        match ahead.as_bytes()[0] {
            b'\'' => self.pop(1),
            b'\\' => self.backslash(ahead, ""),
            _ => self.plain(ahead, b"'\\"),
        }
    }

    fn double(&mut self, ahead: &str) {
        match ahead.as_bytes()[0] {
            b'"' => self.pop(1),
            b'\\' => self.backslash(ahead, "\\\\"),
            b'$' => self.dollar(ahead, true),
            b'`' => self.backtick(),
            _ => self.plain(ahead, b"\"\\$`"),
        }
    }

    fn parameter(&mut self, ahead: &str) {
        let Some(Frame::Parameter { part, is_quoted }) = self.frames.last_mut() else { return };
        let is_quoted = *is_quoted;
        match (*part, ahead.as_bytes()[0]) {
            (Part::Index, b']') => {
                *part = Part::Name;
                self.at += 1;
            }
            (_, b'}') => self.pop(1),
            (Part::Name, _) => {
                let (next, length) = operator_of(ahead);
                *part = next;
                self.at += length;
            }
            (Part::Word, b'\'') if is_quoted => self.at += 1,
            (_, b'\'') => self.push(1, Frame::Single),
            (_, b'"') => self.push(1, Frame::Double),
            (_, b'\\') => self.backslash(ahead, if is_quoted { "\\\\" } else { "" }),
            (_, b'$') => self.dollar(ahead, is_quoted),
            (_, b'`') => self.backtick(),
            _ => self.at += ahead.chars().next().map_or(1, char::len_utf8),
        }
    }

    fn arithmetic(&mut self, ahead: &str) {
        let Some(Frame::Arithmetic { depth, close }) = self.frames.last_mut() else { return };
        match ahead.as_bytes()[0] {
            _ if *depth == 0 && ahead.starts_with(*close) => {
                let length = close.len();
                self.pop(length);
            }
            b')' if *depth == 0 && *close == "))" => {
                // It was no arithmetic after all, but `$( (`.
                self.pop(1);
                self.frames.push(Code::frame(Close::Substitution));
            }
            b'(' => {
                *depth += 1;
                self.at += 1;
            }
            b')' => {
                *depth = depth.saturating_sub(1);
                self.at += 1;
            }
            b'\\' => self.backslash(ahead, ""),
            b'"' => self.push(1, Frame::Double),
            b'$' => self.dollar(ahead, true),
            b'`' => self.backtick(),
            first if first.is_ascii_alphabetic() || first == b'_' => {
                let length = name(ahead);
                self.read(&ahead[..length]);
                self.at += length;
            }
            _ => self.at += ahead.chars().next().map_or(1, char::len_utf8),
        }
    }

    fn heredoc(&mut self, ahead: &str) {
        if let Some(length) = self.delimiter_line() {
            return self.pop(length);
        }
        let is_quoted = matches!(self.frame(), Frame::Heredoc(heredoc) if heredoc.is_quoted);
        match ahead.as_bytes()[0] {
            b'\n' => self.at += 1,
            _ if is_quoted => self.plain(ahead, b"\n"),
            b'\\' if ahead.starts_with("\\\n") => self.at += 1,
            b'\\' => self.backslash(ahead, "\\\\"),
            b'$' => self.dollar(ahead, true),
            b'`' => self.backtick(),
            _ => self.plain(ahead, b"\n\\$`"),
        }
    }

    /// The length of the line at hand when it ends the here-document.
    fn delimiter_line(&self) -> Option<usize> {
        let Frame::Heredoc(Heredoc { delimiter, has_tabs, .. }) = self.frame() else { return None };
        let is_at_start = self.at == 0 || self.text[..self.at].ends_with('\n');
        if !is_at_start {
            return None;
        }
        let was_hole = self.hole.checked_sub(1).is_some_and(|last| self.holes[last].at == self.at);
        let rest = &self.text[self.at..];
        let line = rest.split('\n').next().unwrap_or_default();
        let next_hole = self.holes.get(self.hole).map_or(usize::MAX, |hole| hole.at);
        let is_whole = !was_hole && self.at + line.len() < next_hole;
        let shown = if *has_tabs { line.trim_start_matches('\t') } else { line };
        (is_whole && shown == delimiter).then(|| rest.len().min(line.len() + 1))
    }
}

/// The length of the name at the beginning of `${…}`, with the `#` or `!` before it.
fn name(inside: &str) -> usize {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let sign = usize::from(
        inside.starts_with(['#', '!']) && inside[1..].starts_with(|c| is_word(c) || "@*?-$".contains(c)),
    );
    let word = inside[sign..].find(|c| !is_word(c)).unwrap_or(inside.len() - sign);
    let special = usize::from(word == 0 && inside[sign..].starts_with(['@', '*', '?', '-', '$', '!', '#']));
    sign + word + special
}

/// What comes after the name in `${…}`, and how long it is.
fn operator_of(ahead: &str) -> (Part, usize) {
    let mut chars = ahead.chars();
    match (chars.next(), chars.next()) {
        (Some(':'), Some('-' | '=' | '?' | '+')) => (Part::Word, 2),
        (Some(':'), _) => (Part::Offset, 1),
        (Some('-' | '=' | '?' | '+'), _) => (Part::Word, 1),
        (Some('['), _) => (Part::Index, 1),
        (first, _) => (Part::Pattern, first.map_or(1, char::len_utf8)),
    }
}

/// The delimiter that a word of the script means, without its quotes, and the length of the word.
fn delimiter(word: &str) -> (String, usize) {
    let mut delimiter = String::new();
    let mut quote = None;
    let mut chars = word.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => return (delimiter, at),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None | Some('"'), '\\') => delimiter.extend(chars.next().map(|(_, c)| c)),
            _ => delimiter.push(c),
        }
    }
    (delimiter, word.len())
}
