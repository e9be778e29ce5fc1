//! `neap explain`.

use super::support::Cli;
use serde_json::Value;

#[test]
fn a_code_is_explained() {
    let said = Cli::new().neap(&["explain", "e0102"]);
    assert_eq!(
        said.stdout,
        "\
error E0102
A line is indented with a tab. YAML allows only spaces for indentation, because
a tab has no agreed width. Replace every leading tab by two spaces.
"
    );
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
}

#[test]
fn an_unknown_code_is_a_wrong_argument() {
    let said = Cli::new().neap(&["explain", "E01O4"]);
    assert_eq!(said.stderr, "error: there is no code `E01O4`\nhelp: did you mean `E0104`?\n");
    assert_eq!((said.stdout.as_str(), said.code), ("", 2));
}

#[test]
fn without_a_code_all_are_listed() {
    let said = Cli::new().neap(&["explain"]);
    assert!(
        said.stdout
            .starts_with("CODE\tABOUT\nE0101\tThe file is not valid YAML, so nothing in it can be read\n")
    );
    let all: Vec<Value> = serde_json::from_str(&Cli::new().neap(&["explain", "--json"]).stdout).unwrap();
    assert_eq!(all.len() + 1, said.stdout.lines().count());
    assert_eq!(all[0]["severity"], "error");
}
