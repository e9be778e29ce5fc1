//! Programs that run some of their words, or what they read, as code: shells, interpreters, and those that start a shell.
//!
//! The table is what is known. What a program does with a word that is no code for it, and a value that looks like an
//! option, are its own business.

use super::command::{SHELLS, Verdict, Word, base, evaluated, is_option};

/// Where a program takes code from.
struct Program {
    names: &'static [&'static str],
    /// Options of one letter with a word of code behind them, or with the code attached.
    flags: &'static str,
    /// The same, written out.
    long: &'static [&'static str],
    /// Options of one letter with some other word behind them.
    takes: &'static str,
    /// How many other words may stand before the option.
    operands: usize,
    words: Words,
    reads: Reads,
}

/// Which words are code besides those behind an option.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    None,
    /// The first that is no option, unless an option gave the code.
    First,
    /// All that are no options.
    All,
}

/// Whether its standard input is code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Never,
    /// When no script and no code is named.
    Alone,
    Always,
}

const fn interpreter(names: &'static [&'static str], flags: &'static str, takes: &'static str) -> Program {
    Program { names, flags, long: &[], takes, operands: 0, words: Words::None, reads: Reads::Alone }
}

const fn starter(names: &'static [&'static str], flags: &'static str, operands: usize) -> Program {
    Program {
        names,
        flags,
        long: &["--command", "--session-command"],
        takes: "",
        operands,
        words: Words::None,
        reads: Reads::Never,
    }
}

const PROGRAMS: [Program; 27] = [
    Program { long: &["--init-file", "--rcfile"], ..interpreter(&SHELLS, "c", "oO") },
    Program {
        long: &["--command"],
        ..interpreter(&["fish", "csh", "tcsh", "nu", "xonsh", "elvish"], "c", "")
    },
    Program {
        long: &["-Command", "-command", "-EncodedCommand"],
        ..interpreter(&["pwsh", "powershell"], "", "")
    },
    interpreter(&["python", "pypy"], "c", "WX"),
    interpreter(&["perl"], "eE", ""),
    interpreter(&["ruby"], "e", "ICE"),
    Program { long: &["--eval", "--print"], ..interpreter(&["node", "nodejs", "bun"], "ep", "r") },
    Program { long: &["eval"], ..interpreter(&["deno"], "", "") },
    Program { long: &["--run"], ..interpreter(&["php"], "rBRE", "dcz") },
    interpreter(&["lua", "luajit", "texlua"], "e", "l"),
    interpreter(&["R", "Rscript", "osascript", "elixir", "groovy", "scala", "racket", "ghc"], "e", ""),
    Program { long: &["--eval", "--print"], ..interpreter(&["julia"], "eEp", "") },
    interpreter(&["expect", "guile"], "c", ""),
    Program { long: &["--expression"], ..interpreter(&["dc"], "e", "") },
    interpreter(&["tclsh", "wish"], "", ""),
    Program { takes: "gGsw", reads: Reads::Always, ..starter(&["su", "runuser"], "c", 1) },
    starter(&["sg"], "c", 1),
    starter(&["script"], "c", 1),
    Program { takes: "wE", ..starter(&["flock"], "c", 1) },
    Program { long: &["--split-string"], takes: "uC", ..starter(&["env"], "S", 0) },
    Program { long: &["--rsh", "--rsync-path"], ..starter(&["rsync"], "e", usize::MAX) },
    Program { words: Words::All, takes: "n", ..starter(&["watch"], "", 0) },
    Program { words: Words::All, takes: "jaPNLSI", ..starter(&["parallel"], "", 0) },
    Program {
        long: &["--source"],
        takes: "Fv",
        words: Words::First,
        ..starter(&["awk", "gawk", "mawk", "nawk"], "e", 0)
    },
    Program { long: &["--expression"], takes: "l", words: Words::First, ..starter(&["sed", "gsed"], "e", 0) },
    Program { reads: Reads::Always, ..starter(&["at", "batch", "crontab"], "", 0) },
    Program { reads: Reads::Always, ..starter(&["ssh", "rsh"], "", 0) },
];

/// The options of ssh that are followed by a word of their own.
const SSH_OPTIONS: &str = "BbcDEeFIiJLlmOopQRSWw";

/// Settings of git whose values it runs, by the beginnings of their names.
const GIT: [&str; 17] = [
    "alias.",
    "browser.",
    "core.",
    "credential",
    "diff",
    "filter.",
    "gpg.",
    "hook.",
    "include",
    "interactive.",
    "man.",
    "merge",
    "pager.",
    "remote.",
    "sendemail.",
    "sequence.",
    "uploadpack.",
];

fn known(word: &Word) -> Option<&'static Program> {
    let name = base(word);
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    PROGRAMS.iter().find(|program| program.names.contains(&name) || program.names.contains(&bare))
}

/// So many programs are looked at in one command, each of which may look at all words behind it. Of a command that names
/// more of them everything further on is taken for code.
const MOST: usize = 20;

/// What the programs among these words run as code, each among the words behind it.
pub(super) fn code_of(words: &[Word]) -> Verdict {
    let (mut verdict, mut looked) = (Vec::new(), 0);
    for (at, word) in words.iter().enumerate() {
        let (name, rest) = (base(word), &words[at + 1..]);
        let program = known(word);
        if program.is_none() && name != "git" {
            continue;
        }
        looked += 1;
        if looked > MOST {
            verdict.extend(rest.iter().flat_map(|word| evaluated(word, name)));
            break;
        }
        verdict.extend(match (name, program) {
            ("ssh" | "rsh", _) => remote(name, rest),
            ("git", _) => settings_of_git(rest),
            ("sed" | "gsed", _) if rest.iter().any(|word| word.text() == "--sandbox") => Vec::new(),
            (_, program) => program.map_or_else(Vec::new, |program| program.code(name, rest)),
        });
        if name == "ssh" {
            // Everything behind its host is code already, whatever else it names.
            break;
        }
    }
    verdict
}

impl Program {
    fn code(&self, name: &str, rest: &[Word]) -> Verdict {
        let mut verdict = Vec::new();
        let (mut awaited, mut is_given, mut operands) = (None::<String>, false, 0);
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            if is_option(word) && word.text() != "--" {
                let given = self.option(word);
                is_given |= given.is_some() || self.names_a_file(word);
                if let Some(option) = &given {
                    verdict.extend(evaluated(word, &format!("{name} {option}")));
                }
                let is_whole = word.text().contains('=');
                awaited = given.filter(|_| !is_whole).or(awaited);
                if self.takes_word(word) && awaited.is_none() {
                    words.next();
                }
                continue;
            }
            if let Some(option) = awaited.take() {
                verdict.extend(evaluated(word, &format!("{name} {option}")));
                if self.names.contains(&"sh") {
                    return verdict;
                }
                continue;
            }
            operands += 1;
            let is_code = match self.words {
                Words::None => false,
                Words::First => !is_given && operands == 1,
                Words::All => true,
            };
            if is_code || (self.reads == Reads::Alone && word.text().starts_with("<(")) {
                verdict.extend(evaluated(word, name));
            }
            if self.long.contains(&word.text()) {
                awaited = Some(word.text().to_owned());
            } else if operands > self.operands && self.words != Words::All {
                return verdict;
            }
        }
        verdict
    }

    /// The option behind which, or in which, code stands.
    fn option(&self, word: &Word) -> Option<String> {
        let text = word.text();
        let is_long = |long: &&&str| {
            text.strip_prefix(**long).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        if let Some(long) = self.long.iter().find(is_long) {
            return Some((*long).to_owned());
        }
        let flag = self.flags.chars().find(|flag| text.contains(*flag)).filter(|_| !text.starts_with("--"));
        flag.map(|flag| format!("-{flag}"))
    }

    fn takes_word(&self, word: &Word) -> bool {
        let mut letters = word.text().chars().skip(1);
        matches!((letters.next(), letters.next()), (Some(letter), None) if self.takes.contains(letter))
    }

    /// Whether the code stands in a file: `awk -f`, `python -m`.
    fn names_a_file(&self, word: &Word) -> bool {
        matches!(word.text(), "-f" | "--file" | "-m") || word.text().starts_with("--file=")
    }

    /// Whether it would read its standard input as code.
    fn reads_input(&self, rest: &[Word]) -> bool {
        match self.reads {
            Reads::Never => return false,
            Reads::Always => return !rest.iter().any(|word| self.option(word).is_some()),
            Reads::Alone => {}
        }
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            if matches!(word.text(), "-" | "/dev/stdin" | "/dev/fd/0") {
                return true;
            }
            if !is_option(word) || self.option(word).is_some() || self.names_a_file(word) {
                return false;
            }
            let is_told =
                self.names.contains(&"sh") && !word.text().starts_with("--") && word.text().contains('s');
            if is_told {
                return true;
            }
            if self.takes_word(word) {
                words.next();
            }
        }
        true
    }
}

/// The program among these words that reads its standard input as code: a shell without a script, a shell far away.
pub(super) fn reader(words: &[Word]) -> Option<&str> {
    let programs: Vec<Option<&'static Program>> = words.iter().map(known).collect();
    let mut looked = 0;
    for (at, word) in words.iter().enumerate() {
        let rest = &words[at + 1..];
        let is_xargs = base(word) == "xargs";
        let program = programs[at].filter(|program| program.reads != Reads::Never);
        looked += usize::from(is_xargs || program.is_some());
        if looked > MOST || (is_xargs && hands_on_code(rest, &programs[at + 1..])) {
            return Some(base(word));
        }
        let Some(program) = program else { continue };
        if program.reads_input(rest) {
            return Some(base(word));
        }
        if program.reads == Reads::Alone {
            // What stands behind a script are its arguments.
            return None;
        }
    }
    None
}

/// Whether `xargs` would put what it reads into code: behind `-c`, or wherever `-I` says. `programs` are those that the
/// words behind it name.
fn hands_on_code(rest: &[Word], programs: &[Option<&'static Program>]) -> bool {
    let takes_code = |(at, program): (usize, &Option<&'static Program>)| {
        program.filter(|program| !program.flags.is_empty()).map(|program| (at, program))
    };
    let Some((at, program)) = programs.iter().enumerate().find_map(takes_code) else { return false };
    let behind = &rest[at + 1..];
    let Some(option) = behind.iter().position(|word| program.option(word).is_some()) else { return false };
    let is_placed = rest[..at].iter().any(|word| {
        word.text().starts_with("-I") || word.text().starts_with("-i") || word.text().starts_with("--replace")
    });
    is_placed || behind[option + 1..].iter().all(is_option)
}

/// All words behind the host, and options that name a command.
fn remote(name: &str, rest: &[Word]) -> Verdict {
    let mut verdict = Vec::new();
    let mut at = 0;
    while let Some(word) = rest.get(at).filter(|word| is_option(word)) {
        let takes_word =
            word.text().len() == 2 && word.text().ends_with(|option| SSH_OPTIONS.contains(option));
        let setting = if word.text() == "-o" { rest.get(at + 1) } else { Some(word) };
        let setting = setting.filter(|setting| setting.text().to_lowercase().contains("command"));
        verdict.extend(setting.map(|setting| evaluated(setting, name)).unwrap_or_default());
        at += 1 + usize::from(takes_word);
    }
    let remote = rest.get(at + 1..).unwrap_or_default();
    verdict.extend(remote.iter().flat_map(|word| evaluated(word, name)));
    verdict
}

/// `git -c alias.x=…` runs what stands there, and so do others.
fn settings_of_git(rest: &[Word]) -> Verdict {
    let mut verdict = Vec::new();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.text() {
            "-c" => {
                let Some(setting) = words.next() else { return verdict };
                let name = setting.text().to_lowercase();
                let is_run = !name.contains('=') || GIT.iter().any(|section| name.starts_with(section));
                verdict.extend(if is_run { evaluated(setting, "git -c") } else { Vec::new() });
            }
            "-C" | "--git-dir" | "--work-tree" => _ = words.next(),
            _ if is_option(word) => {}
            "submodule" => {
                let rest = words.as_slice();
                let code = rest.iter().skip_while(|word| word.text() != "foreach").skip(1);
                verdict.extend(code.flat_map(|word| evaluated(word, "git submodule foreach")));
                return verdict;
            }
            _ => return verdict,
        }
    }
    verdict
}
