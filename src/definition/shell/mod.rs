//! Values in scripts of a POSIX shell: what is spliced in is the name of a variable, and the value travels in the environment.
//!
//! So a value can never become code, whatever it holds. Where a shell would read a variable's value as code all the same (in
//! arithmetic, after `eval`), the expression is refused.

mod command;
mod programs;
mod scan;
#[cfg(test)]
mod tests;

use super::template::{Expression, Piece, Template, shown};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A script with a variable in the place of every expression.
///
/// ```
/// use neap::definition::{Template, safe_script};
/// let template = Template::parse("rm -- ${{ params.file }} \"/backup/${{ params.day }}\"")?;
/// let safe = safe_script(&template).expect("it evaluates nothing");
/// let values = ["a; reboot".into(), "$(date)".into()];
/// assert_eq!(safe.fill(&values), r#"rm -- "${NEAP_V1}" "/backup/${NEAP_V2}""#);
/// assert_eq!(safe.environment(&values)[0], ("NEAP_V1".to_owned(), "a; reboot".to_owned()));
/// # Ok::<(), neap::definition::TemplateError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SafeScript {
    /// The script, in order.
    pub script: Vec<ScriptPart>,
    /// The variables, and for each the index of the expression whose value it holds.
    pub variables: Vec<(String, usize)>,
}

/// A part of a [`SafeScript`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptPart {
    /// It stands for itself.
    Text(String),
    /// The value of this `raw(…)` expression comes in its place, as code.
    Raw(usize),
}

/// An expression at a place of a script where its value could become code, or could not get to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ShellTrouble {
    /// Which expression, counted from 0.
    pub index: usize,
    /// Where it stands in the text of the template: bytes, braces included.
    pub at: Range<usize>,
    /// What is wrong there.
    pub kind: ShellTroubleKind,
}

/// Why an expression cannot stand where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShellTroubleKind {
    /// Inside `<<'EOF'` nothing is expanded.
    #[error(
        "nothing is expanded in a here-document whose delimiter is quoted: write `<<{delimiter}` without quotes"
    )]
    QuotedHeredoc {
        /// The delimiter, without its quotes.
        delimiter: String,
    },
    /// A shell evaluates what it finds in arithmetic, also what it finds in a variable.
    #[error(
        "the shell would evaluate the value as arithmetic, which can run commands: compute it in the expression instead"
    )]
    Arithmetic,
    /// The value would be read as code.
    #[error("`{by}` would run the value as code: pass it as an argument or in a variable instead")]
    Evaluated {
        /// What would: `eval`, `sh -c`, `ssh`.
        by: String,
    },
    /// It is part of a name that the shell must know before it runs: of a variable in `${…}`, of a delimiter.
    #[error("the shell needs this name before the value is known")]
    Name,
    /// The script is too deep to be sure of any place in it.
    #[error("the script has too many quotes and brackets one inside the other")]
    Deep,
}

impl SafeScript {
    /// The text for the shell. Only raw expressions leave their values in it.
    pub fn fill(&self, values: &[Value]) -> String {
        let part = |part: &ScriptPart| match part {
            ScriptPart::Text(text) => text.clone(),
            ScriptPart::Raw(index) => values.get(*index).map(shown).unwrap_or_default(),
        };
        self.script.iter().map(part).collect()
    }

    /// The variables with these values. A value with a zero byte in it fits in no environment; the caller refuses it.
    pub fn environment(&self, values: &[Value]) -> Vec<(String, String)> {
        let variable = |(name, index): &(String, usize)| {
            (name.clone(), values.get(*index).map(shown).unwrap_or_default())
        };
        self.variables.iter().map(variable).collect()
    }
}

/// Puts a variable in the place of every expression, quoted as its place in the script needs it: its value arrives byte by byte,
/// as one word or as part of the word it stands in.
///
/// # Errors
/// Every expression at a place where its value would be read as code, or would not be read at all.
pub fn safe_script(template: &Template) -> Result<SafeScript, Vec<ShellTrouble>> {
    let mut text = String::new();
    let mut holes = Vec::new();
    for piece in &template.pieces {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Expression(Expression { is_raw, .. }) => {
                holes.push(scan::Hole { at: text.len(), is_raw: *is_raw });
            }
        }
    }
    let (script, troubles) = scan::Scanner::new(&text, &holes).run();
    if troubles.is_empty() {
        return Ok(script);
    }
    let mut first = BTreeMap::new();
    for (index, kind) in troubles {
        first.entry(index).or_insert(kind);
    }
    let trouble = |(index, expression): (usize, &Expression)| {
        let kind = first.remove(&index)?;
        Some(ShellTrouble { index, at: expression.at.clone(), kind })
    };
    Err(template.expressions().enumerate().filter_map(trouble).collect())
}

/// An expression in a word of a program that runs this word as code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodeInArgv {
    /// The word.
    pub(super) word: usize,
    /// Which of its expressions.
    pub(super) expression: usize,
    /// The program, and the option if there is one: `sh -c`.
    pub(super) by: String,
}

/// The expressions in a program and its arguments that the program would run as code, without a shell around it.
pub(super) fn code_in_argv(argv: &[Template]) -> Vec<CodeInArgv> {
    let mut places = Vec::new();
    let mut words = Vec::new();
    for (at, template) in argv.iter().enumerate() {
        let text = template.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Expression(_) => None,
        });
        let begins = matches!(template.pieces.first(), Some(Piece::Expression(_)));
        let first = places.len();
        places.extend(template.expressions().enumerate().map(|(expression, _)| (at, expression)));
        words.push(command::Word::new(text.collect(), (first..places.len()).collect(), begins));
    }
    let (mut found, mut told) = (Vec::new(), BTreeSet::new());
    for (hole, kind) in programs::code_of(&words) {
        let (word, expression) = places[hole];
        if let ShellTroubleKind::Evaluated { by } = kind
            && told.insert(hole)
        {
            found.push(CodeInArgv { word, expression, by });
        }
    }
    found
}

/// The program among these words that reads its standard input as code.
pub(super) fn code_reader(argv: &[Template]) -> Option<String> {
    let word = |template: &Template| {
        command::Word::new(template.fill(&[]), Vec::new(), template.is_single().is_some())
    };
    let words: Vec<command::Word> = argv.iter().map(word).collect();
    programs::reader(&words).map(str::to_owned)
}

/// Whether the program that `shell:` names reads scripts as a POSIX shell does, going by its file name.
pub fn is_posix_shell(shell: &[String]) -> bool {
    let name = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut names = shell.iter().map(name).skip_while(|name| name == "env" || name == "busybox");
    names.next().is_some_and(|name| command::SHELLS.contains(&name.as_str()))
}
