//! The words of one simple command, and whether it would run some of them as code.
//!
//! This is the best that can be known without running anything: a function or an alias may hide what it likes.

use super::ShellTroubleKind as Kind;
use super::programs;

/// The shells whose scripts are read here, by the names of their programs.
pub(super) const SHELLS: [&str; 7] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh"];

/// Words before the one that says what is done.
const PREFIXES: [&str; 18] = [
    "!", "{", "}", "builtin", "command", "do", "elif", "else", "env", "exec", "if", "nohup", "sudo", "then",
    "time", "until", "while", "doas",
];

#[derive(Debug, Default)]
pub(super) struct Command {
    words: Vec<Word>,
    /// How many of them come before the command proper.
    before: usize,
    word: Option<Word>,
    /// The next word says where output goes or input comes from.
    target: Option<Target>,
    /// The expressions in a text that it reads: behind `<<<`, in `< <( … )`.
    input: Vec<usize>,
}

/// What a word behind `<` or `>` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A file.
    File,
    /// The text itself.
    Text,
}

/// One word, as far as it is known before it is expanded.
#[derive(Debug, Default)]
pub(super) struct Word {
    text: String,
    /// The expressions in it, however deep.
    holes: Vec<usize>,
    begins_with_hole: bool,
    /// There is a `[` in it.
    has_bracket: bool,
    /// So far it is the index of an array: `list[` without its `]`.
    is_index: bool,
}

impl Word {
    /// Looks only at what is new: a word may have a mebibyte, and come in as many pieces.
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        let inside =
            if self.has_bracket { Some(text) } else { text.split_once('[').map(|(_, inside)| inside) };
        let Some(inside) = inside else { return };
        if !self.has_bracket {
            self.has_bracket = true;
            self.is_index = self.text.split_once('[').is_some_and(|(name, _)| is_name(name));
        }
        self.is_index &= !inside.contains(']');
    }

    /// Whether it is an assignment, or a word before the one that says what is done.
    fn is_before(&self) -> bool {
        let is_assignment =
            self.text.split_once('=').is_some_and(|(name, _)| !self.begins_with_hole && is_name(name));
        is_assignment || (PREFIXES.contains(&self.text.as_str()) && self.holes.is_empty())
    }
}

pub(super) type Verdict = Vec<(usize, Kind)>;

impl Command {
    /// A word has begun, even if nothing of it is known.
    pub(super) fn touch(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    pub(super) fn push(&mut self, text: &str) {
        self.touch().push(text);
    }

    pub(super) fn hole(&mut self, index: usize) {
        let word = self.touch();
        word.begins_with_hole |= word.text.is_empty() && word.holes.is_empty();
        word.holes.push(index);
    }

    pub(super) fn is_between_words(&self) -> bool {
        self.word.is_none()
    }

    pub(super) fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match self.target.take() {
            None => {
                self.before += usize::from(self.before == self.words.len() && word.is_before());
                self.words.push(word);
            }
            Some(Target::File) if !word.text.starts_with("<(") => {}
            Some(Target::File | Target::Text) => self.input.extend(word.holes),
        }
    }

    pub(super) fn redirect(&mut self, target: Target) {
        self.end_word();
        self.target = Some(target);
    }

    /// The expressions in what it reads.
    pub(super) fn input(&self) -> &[usize] {
        &self.input
    }

    /// Whether the next word would be the name of a command.
    pub(super) fn is_at_start(&self) -> bool {
        self.word.is_none() && self.own().is_empty()
    }

    /// Whether `((` would be arithmetic here: `((x = 1))`, `for ((;;))`.
    pub(super) fn may_compute(&self) -> bool {
        let is_loop = matches!(self.own(), [word] if word.text == "for");
        self.word.is_none() && (is_loop || self.own().is_empty())
    }

    /// Whether the word being written is an assignment so far, as in `list=(`.
    pub(super) fn is_assigning(&self) -> bool {
        self.word.as_ref().is_some_and(|word| word.text.ends_with('='))
    }

    /// Whether the word being written may be the index of an array that is assigned to: `list[`.
    pub(super) fn is_index(&self) -> bool {
        self.own().is_empty() && self.word.as_ref().is_some_and(|word| word.is_index)
    }

    /// `case x in`, and `case x` when the line ends there.
    pub(super) fn is_case(&self, last: &str) -> bool {
        let own = self.own();
        own.first().is_some_and(|word| word.text == "case")
            && own.get(2).map_or("", |word| &word.text) == last
            && own.len() == if last.is_empty() { 2 } else { 3 }
    }

    pub(super) fn is_esac(&self) -> bool {
        matches!(self.own(), [word] if word.text == "esac")
    }

    pub(super) fn is_in_test(&self) -> bool {
        let mut texts = self.own().iter().map(|word| word.text.as_str());
        texts.next() == Some("[[") && texts.next_back() != Some("]]")
    }

    pub(super) fn holes(&self) -> impl Iterator<Item = usize> {
        self.words.iter().flat_map(|word| word.holes.iter().copied())
    }

    /// The command proper: without assignments, keywords and programs that run another one.
    fn own(&self) -> &[Word] {
        &self.words[self.before..]
    }

    /// The expressions that this command would run as code.
    pub(super) fn judge(&self) -> Verdict {
        let own = self.own();
        let Some((first, rest)) = own.split_first() else { return Vec::new() };
        let mut verdict = match base(first) {
            "eval" | "alias" => rest.iter().flat_map(|word| evaluated(word, base(first))).collect(),
            "source" | "." | "trap" => rest
                .iter()
                .find(|word| !is_option(word))
                .map(|word| evaluated(word, base(first)))
                .unwrap_or_default(),
            "let" => rest.iter().flat_map(arithmetic).collect(),
            "declare" | "typeset" | "local" => declaration(base(first), rest),
            "export" | "readonly" | "unset" | "read" => named(base(first), rest),
            "[[" => test(rest, &["-eq", "-ne", "-lt", "-le", "-gt", "-ge"]),
            "[" | "test" => test(rest, &[]),
            "printf" => after_option(rest, "-v").map(|word| evaluated(word, "printf -v")).unwrap_or_default(),
            _ => Vec::new(),
        };
        verdict.extend(programs::code_of(&self.words));
        verdict
    }

    /// The program that reads its standard input as code: a shell without a script, a shell far away.
    pub(super) fn reads_code(&self) -> Option<&str> {
        programs::reader(&self.words)
    }

    /// The variables that it gives values, and the expressions in those.
    pub(super) fn gives(&self) -> Vec<(&str, Vec<usize>)> {
        let own = self.own();
        let before = &self.words[..self.words.len() - own.len()];
        let name = own.first().map(base).unwrap_or_default();
        let declared = if DECLARING.contains(&name) { own } else { &[] };
        let assigned = before.iter().chain(declared).filter_map(|word| {
            let (name, _) = word.text.split_once('=').filter(|_| !word.begins_with_hole)?;
            Some((name.strip_suffix('+').unwrap_or(name), few(&word.holes)))
        });
        let mut gives: Vec<(&str, Vec<usize>)> = assigned.collect();
        let all = |words: &[Word]| words.iter().flat_map(|word| few(&word.holes)).take(HELD).collect();
        match (name, own) {
            ("for", [_, variable, rest @ ..]) => gives.push((&variable.text, all(rest))),
            ("read", [_, rest @ ..]) => {
                gives.extend(rest.iter().map(|word| (word.text.as_str(), few(&self.input))));
            }
            ("set", [_, rest @ ..]) => gives.extend(ARGUMENTS.map(|argument| (argument, all(rest)))),
            _ => {}
        }
        gives.retain(|(_, holes)| !holes.is_empty());
        gives
    }
}

impl Word {
    /// A word of a program that no shell has read.
    pub(super) fn new(text: String, holes: Vec<usize>, begins_with_hole: bool) -> Word {
        Word { text, holes, begins_with_hole, ..Word::default() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// So many expressions are remembered of one variable: `a=$a$a` would double them. Where the variable is evaluated its
/// script is refused because of these, and the others are told when these are mended.
pub(super) const HELD: usize = 8;

fn few(holes: &[usize]) -> Vec<usize> {
    holes.iter().take(HELD).copied().collect()
}

/// Commands that give values to variables as words.
const DECLARING: [&str; 5] = ["export", "readonly", "local", "declare", "typeset"];

/// What `set` gives values.
const ARGUMENTS: [&str; 11] = ["@", "*", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

pub(super) fn base(word: &Word) -> &str {
    word.text.rsplit('/').next().unwrap_or_default()
}

fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('+').unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

pub(super) fn is_option(word: &Word) -> bool {
    word.text.starts_with(['-', '+']) && !word.begins_with_hole
}

pub(super) fn evaluated(word: &Word, by: &str) -> Verdict {
    word.holes.iter().map(|hole| (*hole, Kind::Evaluated { by: by.to_owned() })).collect()
}

fn arithmetic(word: &Word) -> Verdict {
    word.holes.iter().map(|hole| (*hole, Kind::Arithmetic)).collect()
}

/// `declare "$x"` reads the name in it, and the name may have an index, which is evaluated.
fn named(by: &str, words: &[Word]) -> Verdict {
    words.iter().filter(|word| word.begins_with_hole).flat_map(|word| evaluated(word, by)).collect()
}

fn declaration(by: &str, words: &[Word]) -> Verdict {
    if words.iter().any(|word| is_option(word) && word.text.contains('i')) {
        return words.iter().flat_map(arithmetic).collect();
    }
    named(by, words)
}

/// Comparing numbers in `[[ ]]` evaluates both sides; `-v` evaluates the index of a name.
fn test(words: &[Word], operators: &[&str]) -> Verdict {
    let mut verdict = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_comparison = operators.contains(&word.text.as_str());
        if is_comparison && let Some(left) = at.checked_sub(1) {
            verdict.extend(arithmetic(&words[left]));
        }
        if is_comparison || word.text == "-v" {
            verdict.extend(words.get(at + 1).map(arithmetic).unwrap_or_default());
        }
    }
    verdict
}

fn after_option<'a>(words: &'a [Word], option: &str) -> Option<&'a Word> {
    words.get(words.iter().position(|word| word.text == option)? + 1)
}
