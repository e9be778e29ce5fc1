//! What the documents show is true: fences load, names exist, commands are understood.

use super::support::{Cli, repository};
use neap::base::Moment;
use neap::definition::{Catalog, Problem, Registered, SchemaKind, Settings, Source, schema};
use neap::lua::{Limits, Script, Scripts, Shape};
use neap::schedule::Zone;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A piece of a document between two lines of backticks.
struct Fence {
    /// Where it begins, for messages.
    place: String,
    /// What stands behind the first backticks.
    language: String,
    text: String,
}

fn documents() -> Vec<(String, String)> {
    let mut paths: Vec<_> =
        std::fs::read_dir(repository("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.extend([repository("README.md"), repository("CONTRIBUTING.md")]);
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.strip_prefix(repository("")).unwrap().display().to_string();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

fn fences() -> Vec<Fence> {
    let mut fences = Vec::new();
    for (name, text) in documents() {
        let mut open: Option<Fence> = None;
        for (number, line) in (1..).zip(text.lines()) {
            match (line.strip_prefix("```"), open.as_mut()) {
                (Some(language), None) => {
                    let place = format!("{name}:{number}");
                    open = Some(Fence { place, language: language.into(), text: String::new() });
                }
                (Some(_), Some(_)) => fences.extend(open.take()),
                (None, Some(fence)) => fence.text = format!("{}{line}\n", fence.text),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "a fence of {name} is not closed");
    }
    fences
}

fn of(language: &str) -> Vec<Fence> {
    let found: Vec<Fence> = fences().into_iter().filter(|fence| fence.language == language).collect();
    assert!(!found.is_empty(), "no document has any {language}");
    found
}

/// A comment in the first line says which file it is; otherwise it is some task.
fn problems(fence: &Fence) -> Vec<Problem> {
    let first = fence.text.lines().next().unwrap_or_default();
    let path =
        first.strip_prefix("# ").filter(|path| path.ends_with(".yaml")).unwrap_or("tasks/example.yaml");
    let source = Source::new(path, fence.text.as_str());
    if path == "neap.yaml" {
        return Settings::load(&source, Zone::utc()).1;
    }
    let others = ["fetch", "other"].map(|name| Source::new(format!("tasks/{name}.yaml"), "run: ls"));
    let registered = Registered::new(["resize"]);
    let channels = Source::new(
        "neap.yaml",
        "notify: { ops: { command: [echo] } }\nqueues: { heavy: { slots: 1 } }\ncalendars: { holidays: [2026-12-25] }\nwebhooks: { listen: '127.0.0.1:7979' }",
    );
    let (settings, _) = Settings::load(&channels, Zone::utc());
    Catalog::load(others.into_iter().chain([source]), &registered, &settings, None).problems().to_vec()
}

#[test]
fn every_task_that_is_shown_loads() {
    for fence in of("yaml") {
        let problems: Vec<String> = problems(&fence).iter().map(ToString::to_string).collect();
        assert_eq!(problems, Vec::<String>::new(), "{}", fence.place);
    }
}

/// What the documents show is not marked by an editor either.
#[test]
fn every_task_that_is_shown_fits_the_schema() {
    let compiled = |kind| jsonschema::draft7::new(&schema(kind)).unwrap();
    let (task, settings) = (compiled(SchemaKind::Task), compiled(SchemaKind::Settings));
    for fence in of("yaml") {
        let mut yaml: serde_yaml::Value = serde_yaml::from_str(&fence.text).unwrap();
        yaml.apply_merge().unwrap();
        let json = serde_json::to_value(yaml).unwrap();
        let validator = if fence.text.starts_with("# neap.yaml") { &settings } else { &task };
        let against: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert_eq!(against, Vec::<String>::new(), "{}", fence.place);
    }
}

#[test]
fn every_task_that_is_shown_as_wrong_is_refused() {
    for fence in of("yaml,wrong") {
        assert!(problems(&fence).iter().any(Problem::is_error), "{} is good", fence.place);
    }
}

#[test]
fn every_script_that_is_shown_compiles() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = Scripts::open(folder.path().into(), Limits::default(), Arc::new(|| Moment(0))).unwrap();
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    std::fs::write(folder.path().join("lib/sizes.lua"), "return {}").unwrap();
    for fence in of("lua") {
        std::fs::write(folder.path().join("shown.lua"), &fence.text).unwrap();
        let problems = scripts.check(&[Script { file: "shown.lua".into(), shape: Shape::Hooks }]);
        assert_eq!(problems, [], "{}", fence.place);
    }
    for fence in of("lua,body") {
        assert_eq!(scripts.check_text("shown", &fence.text), None, "{}", fence.place);
    }
}

/// What is shown of Rust is a piece of the example, which is compiled.
#[test]
fn every_piece_of_rust_stands_in_the_example() {
    let squeezed = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let example = squeezed(&std::fs::read_to_string(repository("examples/embed.rs")).unwrap());
    for fence in of("rust") {
        assert!(example.contains(&squeezed(fence.text.trim())), "{} is not in the example", fence.place);
    }
}

#[test]
fn every_command_that_is_shown_is_understood() {
    let fences = of("console");
    let lines = fences.iter().flat_map(|fence| fence.text.lines());
    let verbs: BTreeSet<&str> = lines
        .filter_map(|line| line.strip_prefix("$ neap "))
        .flat_map(|line| line.split(" && neap "))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert!(verbs.len() > 5, "{verbs:?}");
    for verb in verbs {
        assert_eq!(Cli::new().neap(&[verb, "--help"]).code, 0, "there is no verb {verb}");
    }
}

#[test]
fn the_readme_begins_with_two_commands() {
    let readme = of("console").into_iter().find(|fence| fence.place.starts_with("README.md:")).unwrap();
    assert_eq!(readme.text, "$ cargo run --release -- run pipeline\n$ cargo test\n");
}

/// Links lead somewhere.
#[test]
fn every_link_leads_to_a_file() {
    for (name, text) in documents() {
        let folder = repository(&name).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            let is_outside = link.starts_with("http");
            // Written by hand beside the code; it is not part of what these tests are about.
            let is_ours = path.ends_with("ARCHITECTURE.md");
            assert!(is_outside || is_ours || path.is_empty() || folder.join(path).exists(), "{name}: {link}");
        }
    }
}

#[test]
fn every_dependency_has_a_sentence() {
    let manifest = std::fs::read_to_string(repository("Cargo.toml")).unwrap();
    let mut used = BTreeSet::new();
    let mut section = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if let ("[dependencies]" | "[dev-dependencies]", Some((name, _))) =
            (section, line.split_once(" = "))
        {
            used.insert(name.to_owned());
        }
    }
    let page = std::fs::read_to_string(repository("docs/dependencies.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let explained: BTreeSet<String> = rows
        .map(|row| {
            let (name, why) = row.split_once("` | ").unwrap();
            assert!(why.trim_end_matches(" |").ends_with('.'), "{name} has no sentence");
            name.to_owned()
        })
        .collect();
    assert_eq!(explained, used);
}

/// Every code that the documents name exists.
#[test]
fn every_code_that_is_named_exists() {
    for (name, text) in documents() {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            let is_code = word.len() == 5
                && word.starts_with(['E', 'W', 'H'])
                && word[1..].bytes().all(|byte| byte.is_ascii_digit());
            assert!(!is_code || neap::definition::explain(word).is_some(), "{name} names {word}");
        }
    }
}
