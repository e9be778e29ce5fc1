//! The reference page: every key, with everything that is said about it here.

use super::{Default, FILE, Key, Keys, Later, Object, SETTINGS, SUBJECTS, Subject};
use std::fmt::Write;

const HEAD: &str = "\
# All keys

Every key that this version understands, made from the list that `neap check`, `neap explain` and the schema for editors
use. [The task language](tasks.md) tells the same as a story; what stands under `with` is told with the
[built-in actions](actions.md).

A key stands in a *task* (a file that runs something itself), a *pipeline* (a file with children), a *child* (under
`tasks`), a *step* (under `steps`), a *template*, under *defaults*, or in *neap.yaml*. A key that begins with `x-` is
ignored everywhere. Wherever a list is possible, a single value is as well.
";

/// The reference page, in Markdown: what `docs/reference.md` holds.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for subject in SUBJECTS {
        page += &about(subject);
    }
    page + &later()
}

fn about(subject: &Subject) -> String {
    let mut page = format!("\n## {}\n", subject.title);
    if !subject.about.is_empty() {
        page += &format!("\n{}\n", wrapped(subject.about));
    }
    for key in subject.keys.iter().filter(|key| key.alias_of.is_none()) {
        page += &section(key);
    }
    page
}

fn section(key: &Key) -> String {
    let mut page = format!("\n### `{}`\n\n", key.name);
    page += &wrapped([key.about, key.more].join(" ").trim_end());
    page += "\n\n| | |\n|---|---|\n";
    let mut row = |name: &str, text: String| page += &format!("| {name} | {} |\n", cell(&text));
    row("value", key.shape.words());
    if let Some(text) = without(key) {
        row("without it", text);
    }
    row("stands in", key.places.names().collect::<Vec<_>>().join(", "));
    let choices = key.shape.choices();
    if !choices.is_empty() {
        let words = choices.iter().map(|(word, about)| format!("`{word}`: {about}"));
        row("words", words.collect::<Vec<_>>().join("; "));
    }
    let spellings = aliases(key);
    if !spellings.is_empty() {
        row("also written", spellings);
    }
    for object in below(key) {
        page += &format!("\nKeys of `{}`, {}:\n\n{}", object.path, object.title, table(object));
    }
    if !key.example.is_empty() {
        page += &format!("\n```yaml\n{}```\n", key.example);
    }
    page
}

/// The smaller mappings of a key, and of the keys in them.
fn below(key: &Key) -> Vec<&'static Object> {
    let mut objects: Vec<&Object> = Vec::new();
    for object in key.shape.objects() {
        if let Keys::These(keys) = object.keys {
            objects.push(object);
            objects.extend(keys.iter().flat_map(below));
        }
    }
    objects
}

fn table(object: &Object) -> String {
    let mut page = "| key | value | without it | meaning |\n|---|---|---|---|\n".to_owned();
    for key in object.keys() {
        let mut meaning = [key.about, key.more].join(" ").trim_end().to_owned();
        let choices = key.shape.choices();
        if !choices.is_empty() {
            let words = choices.iter().map(|(word, about)| format!("`{word}`: {about}"));
            meaning += &format!(" {}.", words.collect::<Vec<_>>().join("; "));
        }
        let without = match key.is_required {
            true => "must be given".to_owned(),
            false => without(key).unwrap_or_default(),
        };
        let cells = [format!("`{}`", key.name), key.shape.words(), without, meaning].map(|text| cell(&text));
        writeln!(page, "| {} |", cells.join(" | ")).expect("text can always grow");
    }
    page
}

/// What holds without a key, in words.
pub(crate) fn without(key: &Key) -> Option<String> {
    match key.default {
        Default::Nothing => None,
        Default::Value(value) => Some(format!("`{value}`")),
        Default::Words(words) => Some(words.to_owned()),
    }
}

fn aliases(key: &Key) -> String {
    let all = SUBJECTS.iter().flat_map(|subject| subject.keys);
    let longer =
        all.filter(|other| other.alias_of.is_some_and(|ours| ours.split('.').next() == Some(key.name)));
    let spelt = key.aliases.iter().copied().chain(longer.map(|other| other.name));
    spelt.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn later() -> String {
    let mut page = "\n## Not yet\n\n".to_owned();
    page += &wrapped(
        "These are part of the language, and this version does not have them. They are refused by name (E0150) and not ignored: a task that seems to have a lock and has none is worse than one that does not load.",
    );
    page += "\n\n| key | what it will be | for now |\n|---|---|---|\n";
    let objects = [&FILE, &SETTINGS].into_iter().chain(super::OBJECTS.iter().copied());
    for object in objects {
        for Later { name, about, instead } in object.later {
            let path = match (object.path, object.is(&SETTINGS)) {
                (_, true) => format!("`{name}` in neap.yaml"),
                ("", false) => format!("`{name}`"),
                (above, false) => format!("`{above}.{name}`"),
            };
            let cells = [path.as_str(), about, instead.unwrap_or_default()].map(cell);
            writeln!(page, "| {} |", cells.join(" | ")).expect("text can always grow");
        }
    }
    page
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Lines are this long at most.
const WIDTH: usize = 120;

fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if width > 0 {
            let breaks = width + 1 + length > WIDTH;
            lines.push(if breaks { '\n' } else { ' ' });
            width = if breaks { 0 } else { width + 1 };
        }
        lines += word;
        width += length;
    }
    lines
}
