//! What an editor makes of the schema: a real YAML language server on the files that `neap init` writes.
//!
//! The server comes from npm, once for each build directory. Where there is no node, no npm or no way to the registry,
//! the test says so and passes.

mod server;

use server::Server;
use std::process::Command;

const HEAD: &str = "# yaml-language-server: $schema=../.neap/schema/task.json\n";

/// A new project, and a server that works in it.
fn start() -> Option<(tempfile::TempDir, Server)> {
    let project = tempfile::tempdir().unwrap();
    let made =
        Command::new(env!("CARGO_BIN_EXE_neap")).args(["init", "."]).current_dir(project.path()).output();
    assert!(made.unwrap().status.success());
    match server::install() {
        Ok(script) => {
            let server = Server::start(&script, project.path());
            Some((project, server))
        }
        Err(reason) => {
            println!("SKIPPED: no YAML language server: {reason}");
            None
        }
    }
}

#[test]
fn a_language_server_completes_explains_and_marks() {
    let Some((project, mut server)) = start() else { return };
    let offered = server.completions(HEAD, 1, 0);
    for key in ["schedule", "tasks", "retry", "run", "stdin"] {
        assert!(offered.iter().any(|label| label == key), "{key} is not among {offered:?}");
    }
    assert!(!offered.iter().any(|label| label == "needs" || label == "kind"), "{offered:?}");

    let text = format!("{HEAD}run: make\nretry:\n  \n");
    let offered = server.completions(&text, 3, 2);
    assert!(offered.iter().any(|label| label == "attempts"), "{offered:?}");
    assert!(!offered.iter().any(|label| label == "schedule"), "{offered:?}");

    let text = format!("{HEAD}uses: http.request\nwith:\n  \n");
    let offered = server.completions(&text, 3, 2);
    assert!(offered.iter().any(|label| label == "headers"), "{offered:?}");

    let text = format!("{HEAD}run: make\npriority: \n");
    let offered = server.completions(&text, 2, 10);
    assert!(offered.iter().any(|label| label == "urgent"), "{offered:?}");

    let text = format!("{HEAD}run: make\ntimeout: 5m\n");
    let shown = server.hover(&text, 2, 3);
    assert!(shown.contains("How long one attempt may run."), "{shown}");

    for (wrong, about) in [
        ("run: make\ntimeot: 5m\n", "timeot"),
        ("run: make\nretry: { attemps: 3 }\n", "attemps"),
        ("run: make\nexec: make\n", "exec"),
        ("tasks: { a: { run: make } }\ntimeout: 5m\n", "timeout"),
    ] {
        let marks = server.diagnostics(&format!("{HEAD}{wrong}"));
        assert!(marks.iter().any(|mark| mark.contains(about)), "{wrong}{marks:?}");
    }
    for sample in ["hello", "pipeline", "watchdog"] {
        let text = std::fs::read_to_string(project.path().join(format!("tasks/{sample}.yaml"))).unwrap();
        assert_eq!(server.diagnostics(&text), Vec::<String>::new(), "{sample}");
    }
}
