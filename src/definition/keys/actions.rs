//! The built-in actions as mappings with known keys: what stands under `with`. Their own list is in `actions.rs` of the
//! definition.

use super::{Bond, Key, Names, Object, Shape, Special};
use crate::definition::actions::{self, Argument, BuiltIn, built_in_actions};
use std::sync::LazyLock;

/// Every built-in action.
pub(crate) fn all() -> &'static [Object] {
    static ALL: LazyLock<Vec<Object>> = LazyLock::new(|| built_in_actions().map(object).collect());
    &ALL
}

fn object(action: &'static BuiltIn) -> Object {
    let example = EXAMPLES.iter().find(|(name, _)| *name == action.name).map_or("", |(_, example)| example);
    let key = |argument: &'static Argument| Key {
        is_required: argument.is_required,
        ..Key::new(argument.name, shape(argument), argument.about).example(example)
    };
    let keys: Vec<Key> = action.arguments.iter().map(key).collect();
    // They live as long as the program, as all other keys do.
    let object = Object::new(action.name, action.about, keys.leak());
    match action.name {
        "http.request" => object.bound(&[Bond::AtMostOne(&["body", "json"])]),
        _ => object,
    }
}

fn shape(argument: &Argument) -> Shape {
    match argument.shape {
        actions::Shape::Text | actions::Shape::Time | actions::Shape::Channel => Shape::Late(&Shape::Filled),
        actions::Shape::Span => Shape::Late(&Shape::Duration { may_be_zero: false }),
        actions::Shape::Boolean => Shape::Late(&Shape::Boolean),
        actions::Shape::Map => Shape::Late(&Shape::Map(Names::Any, &Shape::Template)),
        actions::Shape::Url => Shape::Late(&Shape::Special(&URL)),
        actions::Shape::Statuses => Shape::Late(&Shape::List(&Shape::Whole(100, 599))),
        actions::Shape::Any if argument.name == "params" => Shape::Late(&Shape::Map(Names::Any, &Shape::Any)),
        actions::Shape::Any => Shape::Late(&Shape::Any),
    }
}

const URL: Special = Special { what: "an address", pattern: "^https?://", suggestions: &[] };

/// A file with each action, in which every key of it is found.
const EXAMPLES: &[(&str, &str)] = &[
    ("http.request", HTTP_REQUEST),
    ("wait.until", "uses: wait.until\nwith: { time: \"18:00\" }\n"),
    ("wait.file", "uses: wait.file\nwith: { path: data/ready.csv, settle: 5s, gone: false }\n"),
    (
        "wait.http",
        "uses: wait.http\nwith: { url: \"http://localhost:8080/health\", expect: 200, every: 5s }\n",
    ),
    ("approval", "uses: approval\nwith: { message: Publish it? }\n"),
    ("notify", "uses: notify\nwith: { to: ops, title: Nightly, message: It is done. }\n"),
    ("task:NAME", "uses: \"task:other\"\nwith: { params: { day: 2026-11-21 }, wait: false }\n"),
];

const HTTP_REQUEST: &str = "\
tasks:
  call:
    uses: http.request
    with:
      url: https://example.org/hook
      method: PUT
      headers: { X-Source: neap }
      bearer: TOKEN
      json: { ok: true }
      expect: [200, 204]
      timeout: 10s
      save: out/answer.json
  say:
    uses: http.request
    with: { url: \"https://example.org/log\", body: It is done. }
";
