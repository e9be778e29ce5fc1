//! `neap schema`: what it prints, what it installs, and that the documents fit it.

use super::support::{Cli, repository};
use serde_json::{Value, json};

#[test]
fn each_kind_of_file_has_a_schema() {
    let printed = |args: &[&str]| -> Value { serde_json::from_str(&Cli::new().neap(args).stdout).unwrap() };
    let task = printed(&["schema"]);
    assert_eq!(task["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(task, printed(&["schema", "task"]));
    assert_eq!(task["definitions"]["key_needs"]["deprecated"], true);
    assert_eq!(printed(&["schema", "settings"])["definitions"]["key_durability"]["default"], "normal");
}

#[test]
fn it_is_installed_beside_the_project_and_overwrites_nothing_of_others() {
    let cli = Cli::new();
    cli.write("tasks/a.yaml", "run: ls\n").write(".neap/schema/task.json", "old");
    let said = cli.neap(&["schema", "--install"]);
    assert_eq!(
        said.stdout,
        "wrote .neap/schema/task.json\nwrote .neap/schema/settings.json\nwrote .vscode/settings.json\n"
    );
    assert_eq!(cli.read(".neap/schema/task.json"), cli.neap(&["schema"]).stdout);
    let editor: Value = serde_json::from_str(&cli.read(".vscode/settings.json")).unwrap();
    assert_eq!(editor["yaml.schemas"][".neap/schema/settings.json"], json!(["neap.yaml"]));
    cli.write(".vscode/settings.json", "{}");
    let said = cli.neap(&["schema", "--install"]);
    assert!(
        said.stdout.contains("kept  .vscode/settings.json (it was there); unless it has this, add it:\n{\n")
    );
    assert_eq!(cli.read(".vscode/settings.json"), "{}");
    let said: Value = serde_json::from_str(&cli.neap(&["schema", "--install", "--json"]).stdout).unwrap();
    assert_eq!(said["kept"], json!([".vscode/settings.json"]));
    assert_eq!(Cli::new().neap(&["schema", "--install"]).code, 2, "there is no project");
}

#[test]
fn the_reference_page_is_what_is_printed() {
    let page = std::fs::read_to_string(repository("docs/reference.md")).unwrap();
    assert!(Cli::new().neap(&["schema", "--reference"]).stdout == page);
}
