//! The words of one simple command, and whether it would run some of them as code.
//!
//! This is the best that can be known without running anything: a function or an alias may hide what it likes.

use super::ShellTroubleKind as Kind;

/// The shells whose scripts are read here, by the names of their programs.
pub(super) const SHELLS: [&str; 7] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh"];

/// Words before the one that says what is done.
const PREFIXES: [&str; 18] = [
    "!", "{", "}", "builtin", "command", "do", "elif", "else", "env", "exec", "if", "nohup", "sudo", "then",
    "time", "until", "while", "doas",
];

/// Programs other than shells that take code as a word, and the option it follows.
const INTERPRETERS: [(&str, char); 9] = [
    ("su", 'c'),
    ("python", 'c'),
    ("python3", 'c'),
    ("perl", 'e'),
    ("perl", 'E'),
    ("ruby", 'e'),
    ("node", 'e'),
    ("lua", 'e'),
    ("php", 'r'),
];

/// The options of ssh that are followed by a word of their own.
const SSH_OPTIONS: &str = "BbcDEeFIiJLlmOopQRSWw";

#[derive(Debug, Default)]
pub(super) struct Command {
    words: Vec<Word>,
    word: Option<Word>,
    /// The next word says where output goes or input comes from.
    is_target: bool,
}

/// One word, as far as it is known before it is expanded.
#[derive(Debug, Default)]
pub(super) struct Word {
    text: String,
    /// The expressions in it, however deep.
    holes: Vec<usize>,
    begins_with_hole: bool,
}

pub(super) type Verdict = Vec<(usize, Kind)>;

impl Command {
    /// A word has begun, even if nothing of it is known.
    pub(super) fn touch(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    pub(super) fn push(&mut self, text: &str) {
        self.touch().text.push_str(text);
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
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.is_target)
        {
            self.words.push(word);
        }
    }

    pub(super) fn redirect(&mut self) {
        self.end_word();
        self.is_target = true;
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
        let Some(word) = &self.word else { return false };
        let name = word.text.split_once('[').filter(|(_, index)| !index.contains(']')).map(|(name, _)| name);
        self.own().is_empty() && name.is_some_and(is_name)
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
        let is_assignment = |word: &Word| {
            word.text.split_once('=').is_some_and(|(name, _)| !word.begins_with_hole && is_name(name))
        };
        let is_prefix = |word: &Word| PREFIXES.contains(&word.text.as_str()) && word.holes.is_empty();
        let own = self.words.iter().position(|word| !is_assignment(word) && !is_prefix(word));
        &self.words[own.unwrap_or(self.words.len())..]
    }

    /// The expressions that this command would run as code.
    pub(super) fn judge(&self) -> Verdict {
        let own = self.own();
        let Some((first, rest)) = own.split_first() else { return Vec::new() };
        let mut verdict = match base(first) {
            "eval" => rest.iter().flat_map(|word| evaluated(word, "eval")).collect(),
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
        let programs = (0..self.words.len()).flat_map(|at| code_of(&self.words[at], &self.words[at + 1..]));
        verdict.extend(programs);
        verdict
    }

    /// The program that reads its standard input as code: a shell without a script, a shell far away.
    pub(super) fn reads_code(&self) -> Option<&str> {
        let reads = |(at, word): (usize, &Word)| {
            let is_shell = SHELLS.contains(&base(word)) && self.words[at + 1..].iter().all(is_option);
            is_shell || base(word) == "ssh"
        };
        let found = self.words.iter().enumerate().position(reads);
        found.map(|at| base(&self.words[at]))
    }
}

fn base(word: &Word) -> &str {
    word.text.rsplit('/').next().unwrap_or_default()
}

fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('+').unwrap_or(text);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_option(word: &Word) -> bool {
    word.text.starts_with(['-', '+']) && !word.begins_with_hole
}

fn evaluated(word: &Word, by: &str) -> Verdict {
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

/// What a program named by `word` runs as code among the words after it.
fn code_of(word: &Word, rest: &[Word]) -> Verdict {
    let name = base(word);
    if name == "ssh" {
        let remote = rest.get(host(rest)..).unwrap_or_default();
        return remote.iter().flat_map(|word| evaluated(word, "ssh")).collect();
    }
    let other = INTERPRETERS.iter().filter(|(program, _)| *program == name).map(|(_, flag)| *flag);
    let flags: Vec<char> = if SHELLS.contains(&name) { vec!['c'] } else { other.collect() };
    let code = flags.iter().filter_map(|flag| Some((flag, code_after(*flag, rest)?)));
    code.flat_map(|(flag, word)| evaluated(word, &format!("{name} -{flag}"))).collect()
}

/// The first word after the options, when one of them has this flag.
fn code_after(flag: char, rest: &[Word]) -> Option<&Word> {
    let mut has_flag = false;
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        if !is_option(word) {
            return has_flag.then_some(word);
        }
        has_flag |= word.text.contains(flag) && !word.text.starts_with("--");
        if matches!(word.text.as_str(), "-o" | "+o" | "-O" | "+O") {
            words.next();
        }
        if has_flag && !word.holes.is_empty() {
            return Some(word);
        }
    }
    None
}

/// How many words come before what ssh runs: its options and the host.
fn host(rest: &[Word]) -> usize {
    let mut at = 0;
    while let Some(word) = rest.get(at).filter(|word| is_option(word)) {
        let takes_word = word.text.len() == 2 && word.text.ends_with(|option| SSH_OPTIONS.contains(option));
        at += 1 + usize::from(takes_word);
    }
    at + 1
}
