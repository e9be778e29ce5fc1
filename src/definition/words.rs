//! One plain command as its words, so that it can be started without a shell.
//!
//! When in doubt the answer is no: a shell costs a millisecond, a wrong reading costs trust. Nothing that a shell would
//! expand, and no word that a shell treats as its own, is ever taken for plain.

/// Words that mean something to a shell itself: keywords of POSIX, bash, ksh and zsh, and built-ins that act on the
/// shell or that behave differently from the program of the same name. They are sorted.
const SHELL_OWN: [&str; 107] = [
    "!",
    ".",
    ":",
    "[",
    "[[",
    "]]",
    "alias",
    "autoload",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "elif",
    "else",
    "emulate",
    "enable",
    "end",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "float",
    "for",
    "foreach",
    "function",
    "getopts",
    "hash",
    "help",
    "hist",
    "history",
    "if",
    "in",
    "integer",
    "jobs",
    "kill",
    "let",
    "limit",
    "local",
    "log",
    "logout",
    "mapfile",
    "nameref",
    "newgrp",
    "noglob",
    "popd",
    "print",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "rehash",
    "repeat",
    "return",
    "select",
    "set",
    "setopt",
    "shift",
    "shopt",
    "sleep",
    "source",
    "stop",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unfunction",
    "unlimit",
    "unset",
    "unsetopt",
    "until",
    "vared",
    "wait",
    "whence",
    "where",
    "which",
    "while",
    "{",
    "}",
];

/// The words of `script` when it is one plain command that means the same without a shell; `None` when in doubt.
///
/// ```
/// use neap::definition::words;
/// assert_eq!(words("gzip -t 'out/my app.gz'\n").unwrap(), ["gzip", "-t", "out/my app.gz"]);
/// assert_eq!(words("ls *.txt"), None);
/// assert_eq!(words("cd /tmp"), None);
/// ```
pub fn words(script: &str) -> Option<Vec<String>> {
    let line = script.trim_end_matches('\n').trim_matches([' ', '\t']);
    let words = split(line)?;
    is_program(&words).then_some(words)
}

/// Whether the first word is a program that a shell would start with just these arguments.
fn is_program(words: &[String]) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./+".contains(&byte);
    if program.is_empty() || program.starts_with('-') || !program.bytes().all(is_plain) {
        return false;
    }
    match program.as_str() {
        // Built-ins differ from the program in options only: `true --help`, `sleep` with ksh's fractions.
        "true" | "false" => arguments.is_empty(),
        "sleep" => {
            matches!(arguments, [span] if span.bytes().all(|byte| byte.is_ascii_digit()) && !span.is_empty())
        }
        // Whether `-e` is an option and `\n` a newline is another matter in every shell.
        "echo" => !arguments.iter().any(|word| word.starts_with('-') || word.contains('\\')),
        "printf" => {
            !arguments.iter().any(|word| word.starts_with('-') || word.contains(['\\', '%']))
                && !arguments.is_empty()
        }
        name => SHELL_OWN.binary_search(&name).is_err(),
    }
}

/// Splits at blanks and takes quotes off; `None` at the first character a shell might do something with.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => quoted(c, &mut rest, word.get_or_insert_default())?,
            // `a=b` is an assignment before the command and `=ls` is a path in zsh.
            '=' if words.is_empty() || word.is_none() => return None,
            '=' => word.get_or_insert_default().push(c),
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' | '/' | ':' | ',' | '+' | '@' | '%' => {
                word.get_or_insert_default().push(c);
            }
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

/// Takes the text up to the closing quote.
fn quoted(quote: char, rest: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            c if c == quote => return Some(()),
            '\n' | '\r' | '\0' => return None,
            '$' | '`' | '\\' | '!' if quote == '"' => return None,
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[track_caller]
    fn check(script: &str, expected: &[&str]) {
        let expected = (!expected.is_empty()).then(|| expected.iter().map(|&word| word.to_owned()).collect());
        assert_eq!(words(script), expected, "{script:?}");
    }

    #[test]
    fn the_words_of_a_shell_can_be_searched() {
        assert!(SHELL_OWN.is_sorted());
        for word in SHELL_OWN {
            assert!(!is_program(&[word.to_owned(), "x".to_owned()]), "{word}");
        }
    }

    #[test]
    fn plain_commands_are_split() {
        check("make test", &["make", "test"]);
        check("  make\ttest \n\n", &["make", "test"]);
        check("echo 'a b'\"c d\"e", &["echo", "a bc de"]);
        check("cargo build --features=a,b", &["cargo", "build", "--features=a,b"]);
        check("curl -u '' \"\"", &["curl", "-u", "", ""]);
        check("./run.sh", &["./run.sh"]);
        check("echo \"it's\"", &["echo", "it's"]);
        check("true", &["true"]);
        check("sleep 5", &["sleep", "5"]);
    }

    #[test]
    fn what_a_shell_would_do_itself_is_left_to_it() {
        for script in [
            "",
            " ",
            "a\nb",
            "A=1 make",
            "cd /tmp",
            "exit 3",
            "export A=1",
            "exec ls",
            "set -x",
            ". ./env",
            "source x",
            "test -f x",
            "[ -f x ]",
            "ls *.txt",
            "ls ?",
            "ls ~",
            "ls ~/x",
            "echo $A",
            "echo `ls`",
            "a | b",
            "a && b",
            "a; b",
            "a &",
            "a > b",
            "a < b",
            "(a)",
            "{ a; }",
            "! a",
            "a # b",
            "a\\ b",
            "echo \"$A\"",
            "'unclosed",
            "\"unclosed",
            "echo {a,b}",
            "if",
            "time ls",
            "kill 1",
            "pwd",
            "echo -n a",
            "echo 'a\\nb'",
            "printf '%s' a",
            "''",
            "'a b'",
            "-x",
            "true --help",
            "=ls",
            "a =ls",
            "echo a^b",
            "sleep 1.5",
            "\u{a0}ls",
            "ls\u{2003}a",
            "umask 022",
            "x=y",
            "a=b c",
            "printf",
            "a\r",
        ] {
            check(script, &[]);
        }
    }

    #[test]
    fn no_word_of_a_real_shell_is_taken_for_a_program() {
        let Ok(output) = Command::new("bash").args(["-c", "compgen -b; compgen -k"]).output() else { return };
        let names = String::from_utf8(output.stdout).unwrap();
        for name in names.split_whitespace().filter(|name| !["echo", "printf"].contains(name)) {
            check(&format!("{name} --help"), &[]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(120))]
        #[test]
        fn a_real_shell_sees_the_same_words(tail in r#"([ \t'"=a-c$*~#;|&<>(){}\[\]!\\%@:,.+-]|'[a ="$]*'|"[a ']*"){0,12}"#) {
            let line = format!("/usr/bin/printf '<%s>' {tail}");
            if let Some(words) = words(&line) {
                let direct = Command::new(&words[0]).args(&words[1..]).output().unwrap();
                let shell = Command::new("sh").args(["-eu", "-c", &line]).output().unwrap();
                prop_assert_eq!(&direct.stdout, &shell.stdout, "{}", line);
                prop_assert_eq!(direct.status.code(), shell.status.code());
            }
        }

        #[test]
        fn programs_do_the_same_without_a_shell(program in "(echo|printf|true|false|ls|cat)", tail in r#"( [a-c'"\\=%@:.,+-]{0,4}){0,3}"#) {
            let line = format!("{program}{tail}");
            if let Some(words) = words(&line) {
                let direct = Command::new(&words[0]).args(&words[1..]).stdin(std::process::Stdio::null()).output().unwrap();
                let shell = Command::new("sh").args(["-eu", "-c", &line]).stdin(std::process::Stdio::null()).output().unwrap();
                prop_assert_eq!(&direct.stdout, &shell.stdout, "{}", line);
                prop_assert_eq!(direct.status.code(), shell.status.code(), "{}", line);
            }
        }

        #[test]
        fn any_text_is_answered(script in ".{0,40}") {
            let _ = words(&script);
        }
    }
}
