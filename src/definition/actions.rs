//! The built-in actions that `uses` can name, and what each takes under `with`.

use super::fields::{Checker, Field, Path};
use super::problem::{Code, Finding};
use super::settings::Channel;
use super::task::USES_TASK;
use super::tree::{Kind, Node};
use crate::base::{Millis, Moment, TaskName};
use crate::schedule::{Zone, due};
use std::collections::BTreeMap;
use std::ops::Range;

/// The channels of neap.yaml by name.
type Channels = BTreeMap<String, Channel>;

/// One thing an action takes.
pub struct Argument {
    /// Its name under `with`.
    pub name: &'static str,
    /// What it must look like.
    pub shape: Shape,
    /// Whether it must be given.
    pub is_required: bool,
    /// What it is for.
    pub about: &'static str,
}

/// What the value of an argument must look like, unless it holds an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// A length of time.
    Span,
    /// `true` or `false`.
    Boolean,
    /// A mapping of names to texts.
    Map,
    /// An address that begins with `http://` or `https://`.
    Url,
    /// A date with a time, or a time of day.
    Time,
    /// The name of a channel in neap.yaml.
    Channel,
    /// A status code of HTTP, or several.
    Statuses,
    /// Anything.
    Any,
}

/// A built-in action.
pub struct BuiltIn {
    /// What `uses` says.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What it takes.
    pub arguments: &'static [Argument],
    /// Its outputs, each with what it is.
    pub outputs: &'static [(&'static str, &'static str)],
}

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Argument {
    Argument { name, shape, is_required: true, about }
}

const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Argument {
    Argument { name, shape, is_required: false, about }
}

/// Every built-in action, save `task:NAME`.
const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "http.request",
        about: "Sends an HTTP request. It fails unless the status is expected.",
        arguments: &[
            required("url", Shape::Url, "Where to; `http://` or `https://`."),
            optional("method", Shape::Text, "`GET`, or `POST` when there is a body."),
            optional("headers", Shape::Map, "Headers by name."),
            optional(
                "bearer",
                Shape::Text,
                "The name of a variable of the job, best of a secret: its value is sent as `Authorization: Bearer …`.",
            ),
            optional("body", Shape::Text, "What is sent, as text."),
            optional("json", Shape::Any, "What is sent, as JSON; sets the content type."),
            optional(
                "expect",
                Shape::Statuses,
                "The status codes that count as success; any from 200 to 299 by default. A redirect that is expected is not followed.",
            ),
            optional("timeout", Shape::Span, "How long one request may take; 30 seconds by default."),
            optional(
                "save",
                Shape::Text,
                "A file that gets the body instead of the output, relative to the working directory. It is replaced at once, when the body is whole.",
            ),
        ],
        outputs: &[
            ("status", "The status code."),
            ("content_type", "The header of this name."),
            ("body", "The body as text, up to 256 KiB; not with `save`."),
        ],
    },
    BuiltIn {
        name: "wait.until",
        about: "Waits until a moment. It needs no slot.",
        arguments: &[required(
            "time",
            Shape::Time,
            "A date with a time (`2026-11-21T18:00`, or with an offset), or a time of day (`18:00`: the next one since the attempt began). Without an offset the zone of neap.yaml counts.",
        )],
        outputs: &[("time", "The moment, with its offset.")],
    },
    BuiltIn {
        name: "wait.file",
        about: "Waits until a file is there. It needs no slot.",
        arguments: &[
            required("path", Shape::Text, "The file, relative to the working directory."),
            optional(
                "settle",
                Shape::Span,
                "How long its size and its time must not have changed; by default it need only be there.",
            ),
            optional("gone", Shape::Boolean, "Wait until it is not there instead."),
        ],
        outputs: &[("path", "The whole path."), ("size", "How many bytes; not with `gone`.")],
    },
    BuiltIn {
        name: "wait.http",
        about: "Asks again and again until an address answers as expected. It needs no slot.",
        arguments: &[
            required("url", Shape::Url, "What is asked."),
            optional(
                "expect",
                Shape::Statuses,
                "The status codes that are waited for; any from 200 to 299 by default.",
            ),
            optional("every", Shape::Span, "The pause between two requests; 2 seconds by default."),
        ],
        outputs: &[("status", "The status code.")],
    },
    BuiltIn {
        name: "approval",
        about: "Waits until a person approves: `neap approve RUN/JOB`. It needs no slot.",
        arguments: &[optional("message", Shape::Text, "What is to be decided.")],
        outputs: &[("by", "Who decided.")],
    },
    BuiltIn {
        name: "notify",
        about: "Tells somebody, through a channel of `notify` in neap.yaml.",
        arguments: &[
            required("to", Shape::Channel, "The name of the channel."),
            required("message", Shape::Text, "What is said."),
            optional("title", Shape::Text, "A short heading."),
        ],
        outputs: &[],
    },
];

/// What `uses: task:NAME` takes.
const TASK: BuiltIn = BuiltIn {
    name: "task:NAME",
    about: "Creates a run of another task, and waits for its end. It needs no slot.",
    arguments: &[
        optional("params", Shape::Any, "The parameters of that run."),
        optional(
            "wait",
            Shape::Boolean,
            "`false`: it ends as soon as the run is created; its output `run` is the id.",
        ),
    ],
    outputs: &[(
        "run",
        "The id of that run. The outputs of a task that is a single job are handed on as well.",
    )],
};

/// Every built-in action, with what it takes and what its outputs are.
///
/// ```
/// let mut actions = neap::definition::built_in_actions();
/// assert!(actions.any(|action| action.name == "wait.file" && action.arguments[0].name == "path"));
/// ```
pub fn built_in_actions() -> impl Iterator<Item = &'static BuiltIn> {
    BUILT_IN.iter().chain([&TASK])
}

/// The names of the built-in actions.
pub(super) const NAMES: [&str; 6] =
    ["http.request", "wait.until", "wait.file", "wait.http", "approval", "notify"];

/// Whether `uses` names a built-in action.
pub fn is_built_in(function: &str) -> bool {
    function.starts_with(USES_TASK) || NAMES.contains(&function)
}

/// The task that `uses` names, when it names one.
pub(super) fn used_task(function: &str) -> Option<&str> {
    function.strip_prefix(USES_TASK)
}

/// Says what is wrong with `uses` and `with` of a built-in action.
pub(super) fn check(
    checker: &mut Checker,
    uses: &Field<'_>,
    with: Option<&Field<'_>>,
    function: &str,
    channels: Option<&Channels>,
) {
    let action = BUILT_IN.iter().find(|action| action.name == function).unwrap_or(&TASK);
    if let Some(Err(error)) = used_task(function).map(TaskName::new) {
        let message = format!("`{function}` names no task: {error}");
        let finding =
            Finding::new(Code::E0123, uses.value.span.clone(), message, "write `task:` and the full name");
        let bare = used_task(function).map(str::trim).filter(|name| TaskName::new(name).is_ok());
        return checker.report(match bare {
            Some(name) => finding
                .fix(uses.value.span.clone(), format!("\"task:{name}\""))
                .help(format!("write `uses: \"task:{name}\"`, without a blank")),
            None => finding,
        });
    }
    let place = with.map_or(uses.value.span.clone(), |with| with.place.clone());
    let fields = match with {
        None => Vec::new(),
        Some(with) => match checker.fields(with.value, &"with") {
            Some(fields) => fields,
            None => return,
        },
    };
    refuse_missing(checker, action, &fields, place);
    refuse_two_bodies(checker, action, &fields);
    let names: Vec<&str> = action.arguments.iter().map(|argument| argument.name).collect();
    for field in fields {
        match action.arguments.iter().find(|argument| argument.name == field.key) {
            Some(argument) => check_value(checker, argument, field.value, channels),
            None => refuse(checker, action, &field, &names),
        }
    }
}

fn refuse_missing(checker: &mut Checker, action: &BuiltIn, fields: &[Field<'_>], place: Range<usize>) {
    let is_given = |name: &str| fields.iter().any(|field| field.key == name);
    let missing = action.arguments.iter().filter(|argument| argument.is_required && !is_given(argument.name));
    let missing: Vec<String> = missing.map(|argument| format!("`{}`", argument.name)).collect();
    if !missing.is_empty() {
        let message = format!("`uses: {}` needs {} under `with`", action.name, missing.join(" and "));
        checker.report(Finding::new(Code::E0130, place, message, format!("missing: {}", missing.join(", "))));
    }
}

/// Only one of them can be sent.
fn refuse_two_bodies(checker: &mut Checker, action: &BuiltIn, fields: &[Field<'_>]) {
    let place = |name: &str| fields.iter().find(|field| field.key == name).map(|field| field.place.clone());
    if let (Some(body), Some(json)) = (place("body"), place("json")) {
        let message = format!("`{}` sends either `body` or `json`", action.name);
        let finding = Finding::new(Code::E0137, json, message, "this is a second body");
        checker.report(finding.also(body, "this is the first"));
    }
}

fn refuse(checker: &mut Checker, action: &BuiltIn, field: &Field<'_>, names: &[&str]) {
    let message = format!("unknown field `{}` in with of `{}`", field.key, action.name);
    let finding = Finding::new(Code::E0104, field.place.clone(), message, "not a field of this object");
    let hint = match action.name {
        "task:NAME" => "write parameters of the other task under `params:`".to_owned(),
        _ => format!("known fields: {}", names.join(", ")),
    };
    let meant = checker.meant(field.key, names.iter().copied());
    checker.report(finding.suggest(field.key, meant, || hint));
}

/// Values with expressions are looked at when they are known.
fn check_value(checker: &mut Checker, argument: &Argument, node: &Node<'_>, channels: Option<&Channels>) {
    if node.as_text().is_some_and(|text| text.contains("${{")) {
        return;
    }
    let name = argument.name;
    match argument.shape {
        Shape::Text => _ = checker.filled_text(node, name),
        Shape::Url => check_url(checker, node, name),
        Shape::Time => check_time(checker, node, name),
        Shape::Channel => check_channel(checker, node, name, channels),
        Shape::Span => _ = checker.span(node, name, false),
        Shape::Boolean => _ = checker.boolean(node, name),
        Shape::Statuses => {
            for item in super::fields::list(node) {
                checker.integer(item, name, 100..=599);
            }
        }
        Shape::Map => {
            let path = Path::root("with");
            for field in checker.fields(node, &path.child(name)).unwrap_or_default() {
                if !field.value.as_text().is_some_and(|text| text.contains("${{")) {
                    checker.text(field.value, field.key);
                }
            }
        }
        Shape::Any if name == "params" && !matches!(node.kind, Kind::Map(_) | Kind::Null | Kind::Broken) => {
            checker.report(Finding::new(
                Code::E0110,
                node.span.clone(),
                "`params` must be a mapping",
                "expected `name: value` lines",
            ));
        }
        Shape::Any => {}
    }
}

fn check_url(checker: &mut Checker, node: &Node<'_>, name: &str) {
    let Some(text) = checker.filled_text(node, name) else { return };
    let is_web = text.starts_with("http://") || text.starts_with("https://");
    if !is_web || text.contains(char::is_control) {
        let message = format!("`{text}` is no address that can be asked");
        let label = "it must begin with `http://` or `https://`";
        checker.report(Finding::new(Code::E0110, node.span.clone(), message, label));
    }
}

fn check_time(checker: &mut Checker, node: &Node<'_>, name: &str) {
    let Some(text) = checker.filled_text(node, name) else { return };
    // Whether it can be read does not depend on the zone, nor on when.
    if let Err(error) = due(&text, &Zone::utc(), Moment(0)) {
        checker.report(Finding::new(Code::E0127, node.span.clone(), error.to_string(), "this is no time"));
    }
}

fn check_channel(checker: &mut Checker, node: &Node<'_>, name: &str, channels: Option<&Channels>) {
    let Some(text) = checker.filled_text(node, name) else { return };
    let Some(channels) = channels.filter(|channels| !channels.contains_key(&text)) else { return };
    let names = || channels.keys().map(String::as_str);
    let all = || match channels.is_empty() {
        true => "neap.yaml has no channels; write them there under `notify`".to_owned(),
        false => format!("there are: {}", names().collect::<Vec<_>>().join(", ")),
    };
    let message = format!("`{text}` is no channel of neap.yaml");
    let finding = Finding::new(Code::E0308, node.span.clone(), message, "no channel has this name");
    let meant = checker.meant(&text, names());
    checker.report(finding.suggest_name(&text, meant, all));
}

/// How long a value of an action means, with a default; `None` when it is no length of time.
pub fn span_of(value: Option<&serde_json::Value>, default: Millis) -> Option<Millis> {
    match value {
        None | Some(serde_json::Value::Null) => Some(default),
        Some(serde_json::Value::Number(number)) => number.to_string().parse().ok(),
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/actions.md");
    const BEGIN: &str = "<!-- what every action takes: written by a test -->\n";

    fn section(action: &BuiltIn) -> String {
        let mut text = format!("### {}\n\n{}\n\n", action.name, action.about);
        text += "| under `with` | meaning |\n|---|---|\n";
        for Argument { name, about, is_required, shape: _ } in action.arguments {
            let required = if *is_required { " (required)" } else { "" };
            writeln!(text, "| `{name}`{required} | {about} |").unwrap();
        }
        if !action.outputs.is_empty() {
            text += "\n| output | meaning |\n|---|---|\n";
        }
        for (name, about) in action.outputs {
            writeln!(text, "| `{name}` | {about} |").unwrap();
        }
        text + "\n"
    }

    #[test]
    fn the_page_says_what_every_action_takes() {
        let written: String = built_in_actions().map(section).collect();
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (before, found) = page.split_once(BEGIN).expect("the page has the mark");
        if std::env::var_os("NEAP_REWRITE_SNAPSHOTS").is_some() {
            std::fs::write(PAGE, format!("{before}{BEGIN}\n{}", written.trim_end().to_owned() + "\n"))
                .unwrap();
            return;
        }
        assert_eq!(found.trim(), written.trim(), "docs/actions.md; NEAP_REWRITE_SNAPSHOTS=1 writes it anew");
    }

    #[test]
    fn every_action_has_its_name_in_the_list() {
        let names: Vec<&str> = BUILT_IN.iter().map(|action| action.name).collect();
        assert_eq!(names, NAMES);
    }
}
