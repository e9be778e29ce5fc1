//! Files of other tools, imported: what comes out is stored beside them, loads, and can be run.
//!
//! `REWRITE=1 cargo test --test tests exchange` writes what comes out; look at it before you keep it.

mod export;

use neap::definition::{Catalog, Registered, Settings, Source};
use neap::exchange::{Crontab, Imported, Layout, crontab, dagu, taskfile};
use neap::schedule::Zone;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn folder(tool: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import").join(tool)
}

/// Every foreign file of a tool, by name.
fn foreign(tool: &str) -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder(tool)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending != "out"));
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// The crontab of somebody called Anna, on a machine with a web server.
pub(crate) fn options(file: &str) -> Crontab {
    let homes = [("anna", "/home/anna"), ("root", "/root"), ("www-data", "/var/www")];
    Crontab {
        file: file.into(),
        folder: "imported".into(),
        layout: Layout::Guess,
        homes: homes.map(|(user, home)| (user.to_owned(), home.to_owned())).into(),
        user: Some("anna".into()),
    }
}

fn import(tool: &str, file: &str, text: &str) -> Imported {
    match tool {
        "crontab" => crontab(text, &options(file)),
        "taskfile" => taskfile(text, file, "").unwrap(),
        _ => dagu(text, file, "").unwrap(),
    }
}

/// Everything that came out, in one text.
fn shown(imported: &Imported) -> String {
    let mut text = String::new();
    for file in &imported.files {
        text += &format!("=== {} (line {})\n{}", file.path(), file.line, file.text);
    }
    text += "=== remarks\n";
    for remark in &imported.remarks {
        text += &format!("{}: {} — {}\n", remark.line, remark.what, remark.why);
    }
    text
}

/// Tasks that are imported from files of their own.
fn used_tasks(text: &str) -> impl Iterator<Item = &str> {
    let uses = text.lines().filter_map(|line| line.trim().strip_prefix("uses: "));
    uses.filter_map(|name| name.trim_matches(['"', '\'']).strip_prefix("task:"))
}

fn problems(imported: &Imported) -> Vec<String> {
    let others = imported.files.iter().flat_map(|file| used_tasks(&file.text));
    let own = imported.files.iter().map(|file| Source::new(file.path(), file.text.as_str()));
    let sources = own.chain(others.map(|name| Source::new(format!("tasks/{name}.yaml"), "run: ls")));
    let catalog = Catalog::load(sources, &Registered::default(), &Settings::new(Zone::utc()), None);
    catalog.problems().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(tool: &str) {
    for (file, text) in foreign(tool) {
        let imported = import(tool, &file, &text);
        let out = folder(tool).join(format!("{file}.out"));
        if std::env::var_os("REWRITE").is_some() {
            std::fs::write(&out, shown(&imported)).unwrap();
        }
        assert_eq!(problems(&imported), Vec::<String>::new(), "{tool}/{file}");
        assert_eq!(shown(&imported), std::fs::read_to_string(&out).unwrap_or_default(), "{tool}/{file}");
        for remark in &imported.remarks {
            assert!((1..=text.lines().count()).contains(&remark.line), "{tool}/{file}: {remark:?}");
        }
    }
}

#[test]
fn crontabs_are_imported() {
    check("crontab");
}

#[test]
fn taskfiles_are_imported() {
    check("taskfile");
}

#[test]
fn dagu_files_are_imported() {
    check("dagu");
}

/// Whatever is in a crontab ends up in some file or in some remark.
#[test]
fn no_line_of_a_crontab_is_lost() {
    for (file, text) in foreign("crontab") {
        let imported = import("crontab", &file, &text);
        let all = shown(&imported);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let inner = line.trim_start_matches('#').trim();
            let value =
                inner.split_once('=').map_or(inner, |(_, value)| value.trim().trim_matches(['"', '\'']));
            let is_kept = all.contains(inner) || all.contains(value);
            assert!(is_kept || imported.files.is_empty(), "{file}: {line}\n{all}");
        }
    }
}

/// Anything at all may stand in a file.
#[test]
fn nothing_panics_and_everything_loads() {
    use proptest::prelude::*;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
    let line =
        "(\\*|\\*/5|[0-9]{1,2}|@daily|@reboot)( \\*){0,4} [ -~]{0,30}|[A-Z]{1,5} ?= ?[ -~]{0,12}|\\PC{0,20}";
    let lines = proptest::collection::vec(line, 0..8);
    runner
        .run(&lines, |lines| {
            let imported = crontab(&lines.join("\n"), &options("x"));
            prop_assert_eq!(problems(&imported), Vec::<String>::new(), "{}", shown(&imported));
            let _ = (taskfile(&lines.join("\n"), "x", ""), dagu(&lines.join("\n"), "x", ""));
            Ok(())
        })
        .unwrap();
}

/// Commands with all their signs, as items of the other tools.
#[test]
fn any_command_loads() {
    use proptest::prelude::*;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
    let commands = proptest::collection::vec("[ -~]{1,30}|\\PC{1,10}|[a-z{}.$\"' \n]{1,20}", 1..4);
    runner
        .run(&commands, |commands| {
            let list = serde_json::to_string(&commands).unwrap();
            let go =
                format!("version: 3\nvars: {{ x: 1 }}\ntasks: {{ a: {{ cmds: {list}, status: {list} }} }}");
            prop_assert_eq!(problems(&taskfile(&go, "x", "").unwrap()), Vec::<String>::new());
            let steps: Vec<_> = commands.iter().map(|text| serde_json::json!({ "command": text })).collect();
            let dag = format!("params: x=1\nsteps: {}", serde_json::to_string(&steps).unwrap());
            prop_assert_eq!(problems(&dagu(&dag, "x", "").unwrap()), Vec::<String>::new());
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_is_no_file_of_the_tool_is_refused() {
    let refusals: BTreeMap<&str, String> = [
        ("tabs", taskfile("tasks:\n\tx: y", "x", "").unwrap_err().to_string()),
        ("no tasks", taskfile("version: 3\n", "x", "").unwrap_err().to_string()),
        ("a list", dagu("- a\n", "x", "").unwrap_err().to_string()),
        ("no steps", dagu("name: x\n", "x", "").unwrap_err().to_string()),
    ]
    .into();
    assert!(refusals["tabs"].starts_with("line 2: "), "{refusals:?}");
    assert_eq!(refusals["no tasks"], "line 1: a Taskfile has `tasks`");
    assert_eq!(refusals["a list"], "line 1: a mapping is expected here");
    assert_eq!(refusals["no steps"], "line 1: a DAG has `steps`");
}
