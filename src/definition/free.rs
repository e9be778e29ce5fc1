//! Names that an expression uses without declaring them: which there are, and what is said about those that are not.
//!
//! They are those of the machine that evaluates expressions, as a test holds.

use super::template::Reference;
use crate::base::did_you_mean;

/// The variables that are always there.
pub(super) const ROOTS: [&str; 5] = ["params", "env", "run", "task", "tasks"];

/// The variables that are there for some jobs, or for some of their expressions.
pub(super) const SOMETIMES: [&str; 4] = ["matrix", "item", "outputs", "round"];

/// Functions and libraries.
pub(super) const LIBRARY: [&str; 27] = [
    "assert",
    "basename",
    "bit32",
    "contains",
    "default",
    "dirname",
    "endswith",
    "error",
    "fromjson",
    "ipairs",
    "join",
    "json",
    "math",
    "next",
    "os",
    "pairs",
    "raw",
    "select",
    "split",
    "startswith",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "unpack",
    "utf8",
];

/// What is known of the fields of some variables.
pub(super) const FIELDS: [(&str, &[&str]); 3] = [
    (
        "run",
        &["by", "created_at", "date", "id", "number", "reason", "scheduled_at", "task", "time", "trigger"],
    ),
    ("task", &["labels", "name"]),
    ("os", &["date", "difftime", "time"]),
];

/// The fields of `tasks.NAME`.
pub(super) const OF_A_TASK: [&str; 3] = ["attempts", "outcome", "outputs"];

/// What people know from other tools, or from Lua, and what there is here instead.
const ELSEWHERE: [(&str, &str); 42] = [
    ("always", "write `trigger_rule: always` beside `run`"),
    ("success", "leave it out: a job runs only when what it depends on has succeeded"),
    ("failure", "write `depends_on: { task: NAME, when: failed }`, or `trigger_rule: any_failed`"),
    ("cancelled", "`trigger_rule: always` runs also in a run that is being cancelled"),
    ("runner", "variables of the host are in `env`"),
    ("job", "about this job there is `task.name`, about the run `run.id`"),
    ("strategy", "the values of a cell are in `matrix`"),
    ("hashFiles", "`sources` and `generates` skip a job when there is nothing to do"),
    ("toJSON", "here it is called `json`"),
    ("tojson", "here it is called `json`"),
    ("fromJSON", "here it is called `fromjson`"),
    ("format", "write `string.format( … )`, or join texts with `..`"),
    ("len", "the length of a text or a list is `#x`"),
    ("length", "the length of a text or a list is `#x`"),
    ("upper", "write `x:upper()`"),
    ("lower", "write `x:lower()`"),
    ("trim", "write `x:match(\"^%s*(.-)%s*$\")`"),
    ("replace", "write `x:gsub(\"old\", \"new\")`"),
    ("int", "write `tonumber(x)`"),
    ("str", "write `tostring(x)`"),
    ("null", "nothing is `nil` in Lua"),
    ("None", "nothing is `nil` in Lua"),
    ("undefined", "nothing is `nil` in Lua"),
    ("True", "write `true`"),
    ("False", "write `false`"),
    ("now", "the moment of the run is in `run.date` and `run.time`"),
    ("date", "the date of the run is `run.date`"),
    ("ds", "the date of the run is `run.date`"),
    ("_G", CLOSED),
    ("coroutine", CLOSED),
    ("ctx", "`ctx` is for Lua bodies and hooks; here are `params`, `env`, `run`, `task` and `tasks`"),
    ("debug", CLOSED),
    ("getmetatable", CLOSED),
    ("io", CLOSED),
    ("load", CLOSED),
    ("loadstring", CLOSED),
    ("neap", CLOSED),
    ("pcall", CLOSED),
    ("print", CLOSED),
    ("require", CLOSED),
    ("setmetatable", CLOSED),
    ("xpcall", CLOSED),
];

const CLOSED: &str = "an expression has no files, no network and no programs; do it in the script";

/// What to write instead of a name that there is not. `others` are names that are there for this expression alone.
pub(super) fn instead<'o>(reference: &Reference, others: impl Iterator<Item = &'o str>) -> String {
    let root = reference.root.as_str();
    let field = reference.path.first().map(String::as_str);
    if let Some(help) = of_github(root, field) {
        return help;
    }
    if let Some((_, help)) = ELSEWHERE.iter().find(|(name, _)| *name == root) {
        return (*help).to_owned();
    }
    let known = ROOTS.into_iter().chain(LIBRARY).chain(others);
    match did_you_mean(root, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "there are `params`, `env`, `run`, `task`, `tasks`, and functions such as `join`; a text stands in \
                 quotes"
            .to_owned(),
    }
}

/// The variables of GitHub's expressions, and their like.
fn of_github(root: &str, field: Option<&str>) -> Option<String> {
    let name = field.unwrap_or("NAME");
    Some(match (root, field) {
        ("github" | "gitlab", Some("run_id")) => "write `run.id`".to_owned(),
        ("github" | "gitlab", Some("run_number")) => "write `run.number`".to_owned(),
        ("github" | "gitlab", Some("event_name")) => "write `run.trigger`".to_owned(),
        ("github" | "gitlab", Some("actor")) => "write `run.by`".to_owned(),
        ("github" | "gitlab", _) => {
            "what is known of the run is in `run`, variables of the host are in `env`".to_owned()
        }
        ("secrets" | "secret", _) => {
            format!("a secret is a variable of the job: write \"${name}\" in the script")
        }
        ("steps" | "jobs" | "needs", _) => format!("write `tasks.{name}`, and depend on it"),
        ("inputs" | "parameters" | "args", _) => format!("write `params.{name}`"),
        ("vars" | "variables" | "var", _) => format!("write `params.{name}` or `env.{name}`"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn repository(file: &str) -> String {
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
    }

    /// What is refused here must not be there, and what is let pass must be.
    #[test]
    fn the_names_are_those_of_the_machine() {
        let text = repository("src/lua/expression.luau");
        let table = text.split("local words = {").nth(1).unwrap().split('}').next().unwrap();
        let libraries = text.split("in { ").nth(1).unwrap().split('}').next().unwrap();
        let entries = table.lines().chain(libraries.split(',')).filter_map(|entry| entry.split_once(" = "));
        let functions = text.lines().filter_map(|line| line.strip_prefix("function words.")?.split_once('('));
        let found: BTreeSet<&str> = entries.chain(functions).map(|(name, _)| name.trim()).collect();
        assert_eq!(found, LIBRARY.into_iter().collect());
    }

    #[test]
    fn the_fields_are_those_of_the_page() {
        let page = repository("docs/expressions.md");
        let row = |name: &str| page.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap();
        for (name, fields) in FIELDS.iter().filter(|(name, _)| *name != "os") {
            let shown: BTreeSet<&str> = row(name).split('`').skip(3).step_by(2).collect();
            assert_eq!(shown, fields.iter().copied().collect(), "{name}");
        }
        let shown: BTreeSet<&str> = row("tasks.NAME").split('`').skip(3).step_by(2).collect();
        assert_eq!(shown, OF_A_TASK.into_iter().collect());
    }
}
