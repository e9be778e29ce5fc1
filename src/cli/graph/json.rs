//! A picture as data: names, places and lines, for programs that draw themselves.

use super::layout::{Edge, Layout};
use serde_json::{Map, Value, json};

/// As `--json` prints it.
pub(super) fn document(layout: &Layout) -> Value {
    let nodes = layout.nodes.iter().zip(layout.lines()).map(|(node, lines)| {
        let names: Vec<&str> = node.needs.iter().map(|&need| layout.nodes[need].name.as_str()).collect();
        let mut document = json!({
            "name": node.name,
            "needs": names,
            "layer": node.layer,
            // Hundredths say where it stands well enough.
            "row": (node.row * 100.0).round() / 100.0,
        });
        if !node.note.is_empty() {
            document["note"] = json!(node.note);
        }
        let whens = whens(layout, &lines);
        if !whens.is_empty() {
            document["when"] = Value::Object(whens);
        }
        document
    });
    json!({ "task": layout.task, "nodes": nodes.collect::<Vec<_>>() })
}

/// What must have become of those that need not just have succeeded, by their names.
fn whens(layout: &Layout, lines: &[&Edge]) -> Map<String, Value> {
    let when =
        |edge: &&Edge| edge.when.as_ref().map(|when| (layout.nodes[edge.from].name.clone(), json!(when)));
    lines.iter().filter_map(when).collect()
}

/// The same as text.
pub(super) fn text(layout: &Layout) -> String {
    format!("{:#}\n", document(layout))
}
