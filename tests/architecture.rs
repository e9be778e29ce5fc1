//! The rules of the house, checked: who may use whom, what the pure layers may not touch, and where each library lives.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. A module may use only modules on lines above its own; modules that share a line may not use each
/// other.
const LAYERS: &[&[&str]] = &[
    &["base"],
    &["schedule"],
    &["definition"],
    &["exchange", "plan"],
    &["engine"],
    &["exec", "lua", "store", "watch"],
    &["host"],
    &["api"],
    &["cli"],
];

/// What unit tests share with those outside of the library; it names none of its modules.
const FOR_TESTS: &str = "fuzz";

const PURE: &[&str] = &["base", "schedule", "definition", "exchange", "plan", "engine"];
/// What would make a pure layer impure.
const FORBIDDEN_IN_PURE: &[&str] = &[
    "std::fs",
    "std::process",
    "std::thread",
    "std::env",
    "std::net",
    "Instant::now",
    "SystemTime",
    "tokio",
    "async fn",
    "tracing::",
];

/// A library, and the only module that may name it.
const HOMES: &[(&str, &str)] = &[
    ("rusqlite", "store"),
    ("mlua", "lua"),
    ("notify::", "watch"),
    ("reqwest", "host"),
    ("rustls", "host"),
    ("ring::hmac", "host"),
    ("axum", "api"),
    ("hyper", "api"),
    ("clap", "cli"),
    ("annotate_snippets", "cli"),
    ("anstream", "cli"),
    ("granit_parser", "definition"),
    ("croner", "schedule"),
    ("println!", "cli"),
];

#[test]
fn modules_use_only_the_layers_below_them() {
    let levels = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(level, modules)| modules.iter().map(move |&module| (module, level)));
    let level: BTreeMap<&str, usize> = levels.collect();
    let mut wrong = Vec::new();
    for (path, module, text) in sources() {
        let Some(&own) = level.get(module.as_str()) else {
            wrong.push(format!("{}: `{module}` is in no layer", path.display()));
            continue;
        };
        for (number, line) in code(&text) {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let is_for_tests = used == FOR_TESTS && is_test(&path);
                if used != module
                    && !is_for_tests
                    && level.get(used.as_str()).is_none_or(|&other| other >= own)
                {
                    wrong.push(format!("{}:{number}: `{module}` uses `{used}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn pure_layers_stay_pure() {
    let mut wrong = Vec::new();
    for (path, module, text) in sources() {
        if !PURE.contains(&module.as_str()) || is_test(&path) {
            continue;
        }
        for (number, line) in code(&text) {
            for word in FORBIDDEN_IN_PURE.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{number}: `{word}` in a pure layer", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn each_library_has_one_home() {
    let mut wrong = Vec::new();
    for (path, module, text) in sources() {
        if is_test(&path) {
            continue;
        }
        for (number, line) in code(&text) {
            for (library, home) in
                HOMES.iter().filter(|(library, home)| module != *home && line.contains(library))
            {
                wrong.push(format!("{}:{number}: `{library}` belongs to `{home}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(.., text)| !text.starts_with("//! ")).map(|s| s.0).collect();
    assert!(silent.is_empty(), "no module comment: {silent:?}");
}

#[test]
fn nothing_is_left_for_later() {
    let words = ["todo!(", "unimplemented!(", "FIXME", "TODO", "XXX", "placeholder"];
    let mut wrong = Vec::new();
    for (path, _, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_checks_can_fail() {
    let planted =
        "use crate::host::Host;\n// use crate::cli in a comment\n#[cfg(test)]\nuse crate::api::X;\n";
    let found: Vec<(usize, &str)> = code(planted).collect();
    assert_eq!(found, [(1, "use crate::host::Host;")]);
}

/// Every source file below `src`, with the top-level module it belongs to.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let is_root = path == root.join("lib.rs") || path == root.join("main.rs");
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") && !is_root {
                let inside = path.strip_prefix(&root).unwrap();
                let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
                let module = first.trim_end_matches(".rs").to_string();
                let text = fs::read_to_string(&path).unwrap();
                files.push((inside.to_path_buf(), module, text));
            }
        }
    }
    files.sort();
    files
}

/// Unit tests in files of their own may use what they like.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_str().is_some_and(|part| part.starts_with("tests")))
}

/// The lines that are not comments, up to the unit tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}
