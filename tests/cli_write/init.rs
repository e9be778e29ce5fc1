//! `neap init`: what it writes, and what it leaves alone.

use super::support::{Cli, repository};
use serde_json::{Value, json};

const FILES: [&str; 10] = [
    "neap.yaml",
    "tasks/hello.yaml",
    "tasks/pipeline.yaml",
    "tasks/watchdog.yaml",
    "scripts/notify.lua",
    "scripts/progress.lua",
    "scripts/scratch.lua",
    ".gitignore",
    ".neap/schema/task.json",
    ".neap/schema/settings.json",
];

#[test]
fn a_new_project_is_complete_and_checks_clean() {
    let cli = Cli::new();
    let said = cli.neap(&["init"]);
    assert_eq!(
        said.stdout,
        "\
wrote neap.yaml
wrote tasks/hello.yaml
wrote tasks/pipeline.yaml
wrote tasks/watchdog.yaml
wrote scripts/notify.lua
wrote scripts/progress.lua
wrote scripts/scratch.lua
wrote .gitignore
wrote .neap/schema/task.json
wrote .neap/schema/settings.json

neap run hello     one job
neap run pipeline  five jobs, a parameter, progress, a retry
neap serve         follow the schedules, take over what you change in tasks/
neap check         look for mistakes
"
    );
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
    assert_eq!(cli.read(".gitignore"), ".neap/\n");
    let checked = cli.neap(&["check"]);
    assert_eq!((checked.stdout.as_str(), checked.code), ("no problems in 7 files (N ms).\n", 0));
}

#[test]
fn what_is_there_is_kept() {
    let cli = Cli::new();
    cli.write("tasks/hello.yaml", "run: echo mine\n").write(".gitignore", "/target\n");
    let said = cli.neap(&["init"]);
    assert!(said.stdout.contains("kept  tasks/hello.yaml (it was there)\n"), "{}", said.stdout);
    assert!(said.stdout.contains("note: add `.neap/` to .gitignore, it holds the state of the host\n"));
    assert_eq!(cli.read("tasks/hello.yaml"), "run: echo mine\n");
    for file in FILES {
        cli.write(file, "mine");
    }
    let again = cli.neap(&["init", "--json"]);
    let document: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&document["written"], &document["kept"]), (&json!([]), &json!(FILES)));
    assert!(FILES.iter().all(|file| cli.read(file) == "mine"), "a file was overwritten");
}

#[test]
fn it_goes_where_it_is_told() {
    let cli = Cli::new();
    let said = cli.neap(&["init", "new/place"]);
    assert!(said.stdout.contains("\nneap -C new/place run hello     one job\n"), "{}", said.stdout);
    assert_eq!(cli.neap(&["-C", "new/place", "check"]).code, 0);
    assert_eq!(cli.neap(&["-C", "new", "init", "other"]).code, 0);
    assert_eq!(cli.read("new/other/.gitignore"), ".neap/\n");
    cli.write("file", "");
    let said = cli.neap(&["init", "file"]);
    assert!(said.stderr.starts_with("error: `file/neap.yaml` cannot be written: "), "{}", said.stderr);
    assert_eq!(said.code, 125);
}

#[test]
fn the_samples_are_those_of_the_repository() {
    let cli = Cli::new();
    cli.neap(&["init"]);
    for file in &FILES[..7] {
        assert_eq!(cli.read(file), std::fs::read_to_string(repository(file)).unwrap(), "{file}");
    }
}

/// The first line of every sample leads an editor to the schema, wherever the project lies.
#[test]
fn the_samples_name_the_schema_that_lies_beside_them() {
    let cli = Cli::new();
    cli.neap(&["init"]);
    for file in FILES.iter().filter(|file| file.ends_with(".yaml")) {
        let text = cli.read(file);
        let named = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=");
        let folder = cli.root().join(file).parent().unwrap().to_owned();
        let schema = std::fs::read_to_string(folder.join(named.unwrap())).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        assert_eq!(schema["properties"]["slots"].is_object(), *file == "neap.yaml", "{file}");
    }
}
