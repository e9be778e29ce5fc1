//! The list of keys against the decoder, the schema and the documents: each must say what the others say.

use super::*;
use crate::definition::{Catalog, Code, Problem, Registered, Settings, Source, tree, values};
use crate::schedule::Zone;
use jsonschema::Validator;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn is_settings(text: &str) -> bool {
    text.starts_with("# neap.yaml")
        || text.starts_with("# yaml-language-server: $schema=.neap/schema/settings")
}

/// What is wrong with a file, whichever it is.
fn problems(text: &str) -> Vec<Problem> {
    if is_settings(text) {
        return Settings::load(&Source::new("neap.yaml", text), Zone::utc()).1;
    }
    let others =
        ["fetch", "other", "prepare"].map(|name| Source::new(format!("tasks/{name}.yaml"), "run: ls"));
    let sources = others.into_iter().chain([Source::new("tasks/example.yaml", text)]);
    let registered = Registered::new(["resize", "send_mail"]);
    let channel = Source::new(
        "neap.yaml",
        "notify: { ops: { command: cat } }\nqueues: { heavy: { slots: 2 } }\ncalendars: { holidays: [2026-12-25] }\nwebhooks: { listen: '127.0.0.1:7979' }\nsecrets: { name: HOOK_TOKEN, from: store }",
    );
    let settings = Settings::load(&channel, Zone::utc()).0;
    Catalog::load(sources, &registered, &settings, None).problems().to_vec()
}

struct Schemas {
    task: Validator,
    settings: Validator,
}

impl Schemas {
    fn new() -> Schemas {
        let compiled = |kind| jsonschema::draft7::new(&schema(kind)).unwrap();
        Schemas { task: compiled(SchemaKind::Task), settings: compiled(SchemaKind::Settings) }
    }

    /// What the schema has against a file; `None` when it is no YAML.
    fn refuses(&self, text: &str) -> Option<Vec<String>> {
        let (root, _) = tree::build(text, &[]).ok()?;
        let json = values::json(&root?);
        let validator = if is_settings(text) { &self.settings } else { &self.task };
        Some(
            validator.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect(),
        )
    }
}

/// Every object, with a file in which a key can be put in.
fn contexts() -> Vec<(&'static Object, &'static str)> {
    let mut contexts: Vec<(&Object, &str)> = vec![
        (&LEAF, "run: make\nKEY\n"),
        (&PIPELINE, "tasks: { a: { run: make } }\nKEY\n"),
        (&CHILD, "tasks: { a: { run: make, KEY } }\n"),
        (&STEP, "steps: [{ run: make, KEY }]\n"),
        (&TEMPLATE, "templates: { t: { run: make, KEY } }\nextends: t\n"),
        (&DEFAULTS, "tasks: { a: { run: make } }\ndefaults: { KEY }\n"),
        (&SETTINGS, "# neap.yaml\nslots: 2\nKEY\n"),
        (&RETRY, "run: make\nretry: { attempts: 2, KEY }\n"),
        (&STOP, "run: make\nstop: { signal: INT, KEY }\n"),
        (&LIMITS, "run: make\nlimits: { KEY }\n"),
        (&ENTRY, "run: make\nschedule: { cron: '0 3 * * *', KEY }\n"),
        (&AFTER, "run: make\nschedule: { after: { task: other, KEY } }\n"),
        (&WATCH, "run: make\nschedule: { watch: { paths: in, KEY } }\n"),
        (&WEBHOOK, "run: make\nschedule: { webhook: { token: HOOK_TOKEN, KEY } }\n"),
        (&EXCLUDE, "run: make\nschedule: { cron: '0 3 * * *', exclude: { KEY } }\n"),
        (&PARAM, "run: make\nparams: { a: { KEY } }\n"),
        (&PARAM_IN_LIST, "run: make\nparams: [{ name: a, KEY }]\n"),
        (&SECRET, "run: make\nsecrets: { name: A, KEY }\n"),
        (&STDIN, "run: make\nstdin: { text: a, KEY }\n"),
        (&NEED, "tasks: { a: { run: make }, b: { run: make, depends_on: { task: a, KEY } } }\n"),
        (
            &JOIN,
            "tasks: { a: { run: make }, b: { run: make, depends_on: a, join: { min_succeeded: 1, KEY } } }\n",
        ),
        (&PRECONDITION, "run: make\npreconditions: { run: ls, KEY }\n"),
        (&STRATEGY, "run: make\nstrategy: { matrix: { a: [1] }, KEY }\n"),
        (&graph::MATRIX, "run: make\nstrategy: { matrix: { a: [1], KEY } }\n"),
        (&FOREACH, "run: make\nforeach: { items: [1], KEY }\n"),
        (&OUTPUT, "run: make\noutputs: { a: { KEY } }\n"),
        (&LOG, "run: make\nlog: { KEY }\n"),
        (&REPEAT, "run: make\nrepeat: { until: 'true', KEY }\n"),
        (&HOOK, "run: make\nhooks: { file: a.lua, KEY }\n"),
        (&CLEANUP, "run: make\ncleanup: { run: ls, KEY }\n"),
        (&CHANNEL, "# neap.yaml\nnotify: { a: { webhook: x, KEY } }\n"),
        (&WEBHOOKS, "# neap.yaml\nwebhooks: { listen: '127.0.0.1:7979', KEY }\n"),
        (&CONCURRENCY, "run: make\nconcurrency: { group: a, KEY }\n"),
        (&sharing::RESOURCES, "run: make\nresources: { KEY }\n"),
        (&LOCK, "run: make\nlocks: [{ name: db, KEY }]\n"),
        (&RATE, "run: make\nrate_limit: { limit: 1, per: 1s, KEY }\n"),
        (&EXPECT, "run: make\nexpect: { KEY }\n"),
        (&QUEUE, "# neap.yaml\nqueues: { heavy: { slots: 1, KEY } }\n"),
    ];
    let uses = [
        "uses: http.request\nwith: { url: 'http://x', KEY }\n",
        "uses: wait.until\nwith: { time: '18:00', KEY }\n",
        "uses: wait.file\nwith: { path: x, KEY }\n",
        "uses: wait.http\nwith: { url: 'http://x', KEY }\n",
        "uses: approval\nwith: { message: x, KEY }\n",
        "uses: notify\nwith: { to: ops, message: x, KEY }\n",
        "uses: 'task:other'\nwith: { wait: true, KEY }\n",
    ];
    contexts.extend(actions::all().iter().zip(uses));
    for object in OBJECTS.iter().copied().chain(actions::all()) {
        assert!(contexts.iter().any(|(other, _)| other.is(object)), "{} has no context", object.path);
    }
    contexts
}

/// The problem that says of a key that it may not stand where it stands.
fn refusal(context: &str, key: &str, value: &str) -> Option<Problem> {
    let at = context.find("KEY").unwrap();
    let text = context.replace("KEY", &format!("{key}: {value}"));
    let is_refusal =
        |problem: &Problem| matches!(problem.code, Code::E0104 | Code::E0132 | Code::E0133 | Code::E0150);
    problems(&text).into_iter().find(|problem| problem.span.start == at && is_refusal(problem))
}

/// Every word that the decoder's own files name, besides those of the list: what it might take for a key.
fn words_of_the_decoder() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for entry in fs::read_dir(repository("src/definition")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        let literals = text.split('"').skip(1).step_by(2);
        let is_word = |word: &&str| {
            // `null` is no text, and what begins with `x-` is ignored everywhere.
            !matches!(*word, "" | "null" | "x-")
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-')
        };
        words.extend(literals.filter(is_word).map(str::to_owned));
        let others = text.split('"').step_by(2);
        words.extend(others.filter(is_word).map(str::to_owned));
    }
    let places = [&FILE, &SETTINGS, &STEP].into_iter().chain(OBJECTS.iter().copied()).chain(actions::all());
    for object in places {
        for key in object.all_keys() {
            words.insert(key.name.to_owned());
            words.extend(key.aliases.iter().chain(key.foreign).map(|word| (*word).to_owned()));
        }
        words.extend(object.later.iter().map(|later| later.name.to_owned()));
    }
    words
}

#[test]
fn the_decoder_takes_the_keys_of_the_list_and_no_others() {
    let words = words_of_the_decoder();
    assert!(words.len() > 250 && words.contains("fail-fast") && words.contains("locks"), "{}", words.len());
    let mut wrong = Vec::new();
    for (object, context) in contexts() {
        let may_stand: BTreeSet<&str> =
            object.all_keys().flat_map(|key| key.aliases.iter().copied().chain([key.name])).collect();
        for word in &words {
            // These make another kind of file out of a leaf; in a matrix every name is an axis.
            let changes_all = object.is(&LEAF) && matches!(word.as_str(), "tasks" | "steps");
            // A secret with its value in the file is refused in words of its own.
            let is_told = object.is(&SECRET) && word == "value";
            if changes_all || is_told || object.rest.is_some() {
                continue;
            }
            let refused = refusal(context, word, "zzz").map(|problem| problem.code);
            let is_later = object.later.iter().any(|later| later.name == word);
            let expected = match (may_stand.contains(word.as_str()), is_later) {
                (true, _) => refused.is_none(),
                (false, true) => refused == Some(Code::E0150),
                (false, false) => refused.is_some_and(|code| code != Code::E0150),
            };
            if !expected {
                wrong.push(format!("{} of {}{}: {refused:?}", word, object.title, object.path));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The decoder says which words it knows when it gets one that it does not know.
#[test]
fn the_words_of_the_list_are_those_of_the_decoder() {
    let mut seen = 0;
    for (object, context) in contexts() {
        for key in object.keys().filter(|key| !key.shape.choices().is_empty()) {
            let (text, words) = (context.replace("KEY", &format!("{}: zzz", key.name)), key.shape.choices());
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let value = match key.shape {
                Shape::Either([Shape::Map(..), ..]) => text.replace("zzz", "{ a: zzz }"),
                _ => text,
            };
            let found = problems(&value);
            let expected = format!("one of: {}", words.join(", "));
            assert!(found.iter().any(|problem| problem.label == expected), "{value}\n{expected}\n{found:?}");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_key_has_an_example_that_loads() {
    let schemas = Schemas::new();
    let mut wrong = Vec::new();
    for entry in all() {
        let Entry::Key { path, key, example } = entry else { continue };
        let found: Vec<String> = problems(example).iter().map(ToString::to_string).collect();
        let against = schemas.refuses(example);
        if !example.contains(&format!("{}:", key.name)) || !found.is_empty() || against != Some(Vec::new()) {
            wrong.push(format!("{path}: {found:?} {against:?}\n{example}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_key_is_described() {
    let mut paths = BTreeSet::new();
    for entry in all() {
        let about = entry.about();
        assert!(about.ends_with('.') && about.len() > 4, "{}: {about}", entry.path());
        if let Entry::Key { path, key, .. } = &entry {
            assert!(paths.insert(path.clone()), "{path} is there twice");
            assert!(key.more.is_empty() || key.more.ends_with('.'), "{path}");
        }
    }
    assert!(paths.len() > 120, "{}", paths.len());
}

#[test]
fn the_schemas_are_schemas() {
    for kind in [SchemaKind::Task, SchemaKind::Settings] {
        let schema = schema(kind);
        assert!(jsonschema::draft7::meta::is_valid(&schema));
        let text = schema.to_string();
        for part in text.split("#/definitions/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(schema["definitions"].get(name).is_some(), "{name}");
        }
    }
}

/// An editor must not mark what `check` accepts, whatever is written behind a key.
#[test]
fn what_the_schema_refuses_the_decoder_refuses() {
    let schemas = Schemas::new();
    let given = [
        "",
        "~",
        "''",
        "word",
        "two words",
        "5",
        "-1",
        "0",
        "1.5",
        "true",
        "'3'",
        "2m",
        "'1h 30m'",
        "[]",
        "[word]",
        "[5]",
        "[[word]]",
        "{}",
        "{ zzz: 1 }",
        "{ zzz: ~ }",
        "{ zzz: { type: string } }",
        "\"${{ run.id }}\"",
        "[{}]",
        "[~]",
        "SIGINT",
        "'@daily'",
        "a/b.lua",
        "../a.lua",
        "007",
        "1e3",
        "0x1f",
    ];
    let mut wrong = Vec::new();
    for (object, context) in contexts() {
        for key in object.all_keys() {
            for value in given {
                let text = context.replace("KEY", &format!("{}: {value}", key.name));
                let against = schemas.refuses(&text).unwrap_or_default();
                let is_fine = !problems(&text).iter().any(Problem::is_error);
                if is_fine && !against.is_empty() {
                    wrong.push(format!("{text}{against:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}\n", wrong.len(), wrong.join("\n"));
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(repository(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

#[test]
fn every_sample_fits_the_schema() {
    let schemas = Schemas::new();
    let mut samples = yaml_files("tasks");
    samples.extend(yaml_files("tests/definition/good"));
    samples.push(repository("neap.yaml"));
    assert!(samples.len() > 12);
    for path in samples {
        let text = fs::read_to_string(&path).unwrap();
        let against = schemas.refuses(text.trim_start_matches('\u{feff}'));
        assert_eq!(against, Some(Vec::new()), "{}", path.display());
    }
}

/// Problems that are not about shape, and why an editor cannot see them.
const UNSEEN: &[(Code, &str)] = &[
    (Code::E0103, "it is an anchor to YAML, and anchors are gone when values are compared"),
    (Code::E0106, "a key is there once when values are compared"),
    (Code::E0107, "anchors are gone when values are compared"),
    (Code::E0109, "the first document is fine"),
    (Code::E0114, "merging is done before values are compared"),
    (Code::E0115, "keys are text when values are compared"),
    (Code::E0119, "tags are gone when values are compared"),
    (Code::E0126, "there are too many time zones"),
    (Code::E0127, "cron expressions and moments have no pattern"),
    (Code::E0129, "regular expressions have no pattern"),
    (Code::E0137, "values are not compared with each other"),
    (Code::E0138, "values are not compared with declarations"),
    (Code::E0140, "a program may register any function"),
    (Code::E0152, "expressions have no pattern"),
    (Code::E0153, "scripts have no pattern"),
    (Code::E0301, "names lead nowhere in a schema"),
    (Code::E0302, "names lead nowhere in a schema"),
    (Code::E0304, "the name of the file is no value"),
    (Code::E0305, "names lead nowhere in a schema"),
    (Code::E0306, "expressions have no pattern"),
    (Code::E0307, "expressions have no pattern"),
    (Code::E0309, "names lead nowhere in a schema"),
    (Code::E0310, "values are not compared with each other"),
];

/// The same for single files.
const UNSEEN_FILES: &[(&str, &str)] = &[
    ("foreach-as-taken", "names that are taken have no pattern"),
    ("matrix-too-many", "lengths are not multiplied"),
    ("name-dependency", "a dependency may also be written with a name that somebody made up"),
    ("fix-uses-task-blank", "names behind `task:` have no pattern"),
    ("nul", "a pattern against it would stand at every text"),
    ("log-large", "sizes are not compared with each other"),
    ("limits-small", "sizes are not compared with each other"),
    ("turns-expression", "expressions have no pattern"),
    ("turns-late", "expressions have no pattern"),
    ("umask", "an editor does not see quotes"),
    ("umask-number", "an editor does not see quotes"),
    ("umask-octal", "an editor does not see quotes"),
    ("uses-unknown-action", "a program may register any function"),
];

#[test]
fn wrong_files_do_not_fit_the_schema() {
    let schemas = Schemas::new();
    let (mut refused, mut wrong) = (0, Vec::new());
    for path in yaml_files("tests/definition/wrong") {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let Some(against) = schemas.refuses(&text) else { continue };
        refused += usize::from(!against.is_empty());
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_listed = UNSEEN_FILES.iter().any(|(other, _)| *other == name);
        let is_unseen =
            |problem: &Problem| !problem.is_error() || UNSEEN.iter().any(|(code, _)| *code == problem.code);
        if against.is_empty() && !is_listed && !problems(&text).iter().all(is_unseen) {
            wrong.push(format!("{name}: {:?}", problems(&text)));
        }
    }
    println!("the schema refuses {refused} wrong files");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(refused >= 80, "{refused}");
}

#[test]
fn every_word_is_in_the_schema() {
    let text = [SchemaKind::Task, SchemaKind::Settings].map(|kind| schema(kind).to_string()).concat();
    for (object, _) in contexts() {
        for (word, about) in object.keys().flat_map(|key| key.shape.choices()) {
            assert!(text.contains(&Value::from(*word).to_string()), "{word}");
            assert!(text.contains(&Value::from(*about).to_string()), "{about}");
        }
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    let page = fs::read_to_string(repository("docs/reference.md")).unwrap_or_default();
    assert!(page == reference(), "regenerate it: cargo run -- schema --reference > docs/reference.md");
}

#[test]
fn keys_are_looked_up_in_static_lists() {
    use crate::definition::known;
    assert_eq!(known::BODIES, ["run", "exec", "lua", "script", "uses"]);
    assert_eq!(known::TASK_ONLY.len(), 16);
    assert!(known::NO_DEFAULT.contains(&"depends_on") && !known::NO_DEFAULT.contains(&"timeout"));
    assert!(known::PIPELINE.contains(&"finally") && !known::PIPELINE.contains(&"timeout"));
}
