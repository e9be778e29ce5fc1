//! Finding keys by the words people type: `retry.backoff`, `tasks.*.stdin`, an alias, a word of another tool.

use super::actions;
use super::{FILE, Key, Later, OBJECTS, Object, Places, SETTINGS, SUBJECTS};
use crate::base::did_you_mean;

/// Something that can be explained.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A key, where it is found, and the file that shows it.
    Key { path: String, key: &'static Key, example: &'static str },
    /// A key that this version does not have.
    Later { path: String, later: &'static Later },
    /// A built-in action.
    Action(&'static Object),
}

/// What came of a search.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// These are it: one, or several with the same name in several places.
    Entries(Vec<Entry>),
    /// Nothing is. Perhaps this was meant.
    Nothing { meant: Option<String> },
}

impl Entry {
    /// Where it is found: `retry.backoff`, `params.*.type`, `http.request.url`.
    pub(crate) fn path(&self) -> &str {
        match self {
            Entry::Key { path, .. } | Entry::Later { path, .. } => path,
            Entry::Action(object) => object.path,
        }
    }

    /// Its first sentence.
    pub(crate) fn about(&self) -> &'static str {
        match self {
            Entry::Key { key, .. } => key.about,
            Entry::Later { later, .. } => later.about,
            Entry::Action(object) => object.title,
        }
    }
}

/// Everything that can be explained, in the order of the reference page.
pub(crate) fn all() -> Vec<Entry> {
    let mut entries = Vec::new();
    for key in SUBJECTS.iter().flat_map(|subject| subject.keys).filter(|key| key.alias_of.is_none()) {
        entries.push(Entry::Key { path: path_of(key), key, example: key.example });
        for object in key.shape.objects() {
            below(object, key.example, &mut entries);
        }
    }
    for action in actions::all() {
        entries.push(Entry::Action(action));
        let example = action.keys().map(|key| key.example).find(|example| !example.is_empty());
        below(action, example.unwrap_or_default(), &mut entries);
    }
    entries.extend(later_of(&FILE).chain(later_of(&SETTINGS)));
    entries.extend(OBJECTS.iter().flat_map(|object| later_of(object)));
    entries
}

/// A key of `neap.yaml` that is called like one of a job is found behind this word.
fn path_of(key: &Key) -> String {
    let is_namesake = |other: &&Key| other.name == key.name && other.places != key.places;
    let has_namesake = SUBJECTS.iter().flat_map(|subject| subject.keys).any(|other| is_namesake(&other));
    match key.places == Places::SETTINGS && has_namesake {
        true => format!("settings.{}", key.name),
        false => key.name.to_owned(),
    }
}

/// The keys of a smaller mapping, and of those below it. Places of tasks and children have their keys elsewhere.
fn below(object: &'static Object, example: &'static str, entries: &mut Vec<Entry>) {
    for key in object.keys().filter(|key| key.places == Places::NONE) {
        let shown = if key.example.is_empty() { example } else { key.example };
        let path = format!("{}.{}", object.path, key.name);
        if entries.iter().any(|entry| entry.path().replace(".*", "") == path) {
            continue;
        }
        entries.push(Entry::Key { path, key, example: shown });
        for object in key.shape.objects() {
            below(object, shown, entries);
        }
    }
}

fn later_of(object: &'static Object) -> impl Iterator<Item = Entry> {
    object.later.iter().map(|later| {
        let path = match object.path {
            "" => later.name.to_owned(),
            above => format!("{above}.{}", later.name),
        };
        Entry::Later { path, later }
    })
}

/// Finds what a person means.
pub(crate) fn find(query: &str) -> Found {
    let spelling = SUBJECTS.iter().flat_map(|subject| subject.keys).find(|key| key.name == query);
    let query = spelling.and_then(|key| key.alias_of).unwrap_or(query);
    let entries = all();
    let wanted: Vec<&str> = query.split('.').filter(|word| !word.is_empty() && *word != "*").collect();
    let by = |fits: &dyn Fn(&Entry) -> bool| -> Vec<Entry> {
        entries.iter().filter(|entry| fits(entry)).cloned().collect()
    };
    let searches: [&dyn Fn(&Entry) -> bool; 5] = [
        &|entry| entry.path() == query,
        &|entry| fits(&path_words(entry), &wanted),
        &|entry| without_place(&wanted).any(|wanted| fits(&path_words(entry), wanted)),
        &|entry| path_words(entry).last() == wanted.last() && wanted.len() == 1,
        &|entry| matches!(entry, Entry::Key { key, .. } if wanted.last().is_some_and(|word| is_called(key, word)) && wanted.len() <= 2),
    ];
    for search in searches {
        let found = by(search);
        if !wanted.is_empty() && !found.is_empty() {
            return Found::Entries(found);
        }
    }
    let paths = || entries.iter().map(Entry::path);
    let names = || entries.iter().filter_map(|entry| entry.path().rsplit('.').next());
    let meant = did_you_mean(query, paths()).or_else(|| did_you_mean(query, names()));
    Found::Nothing { meant: meant.map(str::to_owned) }
}

fn path_words(entry: &Entry) -> Vec<&str> {
    entry.path().split('.').collect()
}

/// Whether a path is this one. Its `*` stands for a name of one's own, which may be left out.
fn fits(path: &[&str], wanted: &[&str]) -> bool {
    match (path, wanted) {
        ([], []) => true,
        (["*", path @ ..], [_, rest @ ..]) => fits(path, wanted) || fits(path, rest),
        ([word, path @ ..], [other, rest @ ..]) => word == other && fits(path, rest),
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

/// The words behind a place: `stdin` of `tasks.dump.stdin`, `timeout` of `defaults.timeout`.
fn without_place<'w>(wanted: &'w [&'w str]) -> impl Iterator<Item = &'w [&'w str]> {
    let behind: &[usize] = match wanted.first() {
        Some(&("tasks" | "steps" | "finally" | "templates")) => &[1, 2],
        Some(&("defaults" | "settings" | "with")) => &[1],
        // `neap.yaml` is two words here.
        Some(&"neap") => &[2],
        Some(_) | None => &[],
    };
    behind.iter().filter_map(|count| wanted.get(*count..)).filter(|rest| !rest.is_empty())
}

fn is_called(key: &Key, word: &str) -> bool {
    key.aliases.contains(&word) || key.foreign.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: &[&str]) {
        let found = find(query);
        let paths = match &found {
            Found::Entries(entries) => entries.iter().map(Entry::path).collect(),
            Found::Nothing { meant } => vec![meant.as_deref().unwrap_or("nothing")],
        };
        assert_eq!(paths, expected, "{query}");
    }

    #[test]
    fn keys_are_found_by_what_people_type() {
        check("retry", &["retry"]);
        check("retry.backoff", &["retry.backoff"]);
        check("tasks.retry", &["retry"]);
        check("tasks.*.stdin", &["stdin"]);
        check("tasks.dump.retry.delay", &["retry.delay"]);
        check("defaults.timeout", &["timeout"]);
        check("neap.yaml.slots", &["slots"]);
        check("params.*.type", &["params.*.type"]);
        check("params.type", &["params.*.type"]);
        check("params.day.type", &["params.*.type"]);
        check("secrets.*.from", &["secrets.from"]);
        check("backoff", &["retry.backoff"]);
        check("attempts", &["retry.attempts"]);
        check("type", &["params.*.type", "outputs.*.type"]);
        check("strategy.matrix", &["strategy.matrix"]);
        check("http.request", &["http.request"]);
        check("http.request.url", &["http.request.url"]);
        check("url", &["http.request.url", "wait.http.url"]);
        check("needs", &["depends_on"]);
        check("stop_signal", &["stop.signal"]);
        check("cmds", &["run"]);
        check("max_attempts", &["retry.attempts"]);
        check("locks", &["locks"]);
        check("retry.budget", &["retry.budget"]);
        check("timeot", &["timeout"]);
        check("retry.backof", &["retry.backoff"]);
        check("zebra", &["nothing"]);
        check("", &["nothing"]);
        check("*", &["nothing"]);
    }
}
