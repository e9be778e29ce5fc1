//! `neap explain`: a paragraph about a code, or every code with its first sentence.

use super::args;
use super::error::Failure;
use super::output::{BOLD, Output, Table, print, styled};
use crate::base::did_you_mean;
use crate::definition::Code;
use serde_json::{Value, json};
use std::process::ExitCode;

pub(crate) fn explain(args: &args::Explain, output: &Output) -> Result<ExitCode, Failure> {
    match &args.code {
        Some(text) => one(find(text)?, output)?,
        None => all(output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn find(text: &str) -> Result<Code, Failure> {
    let found = Code::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| {
        let failure = Failure::usage(format!("there is no code `{text}`"));
        let near = did_you_mean(text, Code::ALL.iter().map(|code| code.as_str()));
        match near {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`neap explain` lists them all"),
        }
    })
}

fn one(code: Code, output: &Output) -> Result<(), Failure> {
    match output.json {
        true => output.print_json(&document(code)),
        false => print(&paragraph(code)),
    }
}

fn all(output: &Output) -> Result<(), Failure> {
    if output.json {
        return output.print_json(&Code::ALL.iter().copied().map(document).collect::<Vec<_>>());
    }
    let mut table = Table::new(&["CODE", "ABOUT"]);
    for code in Code::ALL {
        table.row([styled(code.as_str(), BOLD), first_sentence(code.about()).into()]);
    }
    print(&table.render(output.is_terminal))
}

fn document(code: Code) -> Value {
    json!({ "code": code.as_str(), "severity": code.severity(), "about": code.about() })
}

/// Lines are this long at most, so that they read well on any terminal.
const WIDTH: usize = 80;

fn paragraph(code: Code) -> String {
    let mut text = format!("{BOLD}{} {code}{BOLD:#}\n", code.severity());
    let mut width = 0;
    for word in code.about().split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            text.push('\n');
            width = 0;
        }
        if width > 0 {
            text.push(' ');
            width += 1;
        }
        text += word;
        width += length;
    }
    text + "\n"
}

fn first_sentence(about: &str) -> &str {
    about.split_once(". ").map_or(about.trim_end_matches('.'), |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_in_any_case_and_guessed_otherwise() {
        assert_eq!(find("e0301").unwrap(), Code::E0301);
        assert_eq!(find("E301").unwrap_err().hints, ["did you mean `E0301`?"]);
        assert_eq!(find("help!").unwrap_err().hints, ["`neap explain` lists them all"]);
    }

    #[test]
    fn a_paragraph_is_wrapped() {
        for &code in Code::ALL {
            let text = paragraph(code);
            assert!(text.lines().skip(1).all(|line| line.chars().count() <= WIDTH), "{text}");
            let words: Vec<&str> = text.lines().skip(1).flat_map(|line| line.split(' ')).collect();
            assert_eq!(words.join(" "), code.about());
            assert!(!first_sentence(code.about()).ends_with('.'));
        }
    }
}
