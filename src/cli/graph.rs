//! `neap graph`: the jobs of a task and what they need, drawn for a terminal, a browser, Mermaid or Graphviz.

use super::args::{self, GraphFormat};
use super::error::Failure;
use super::look::{Look, count};
use super::output::{Output, print};
use super::project::Project;
use super::see::{See, block_on};
use crate::base::TaskName;
use crate::definition::{Catalog, Params};
use crate::host::SubmitError;
use crate::plan::Plan;
use layout::Layout;
use std::process::ExitCode;

mod grid;
mod json;
mod layout;
mod svg;
mod tree;

pub(crate) fn graph(project: &Project, args: &args::Graph, output: &Output) -> Result<ExitCode, Failure> {
    let look = Look::new(output)?;
    let see = block_on(async { Ok(See::new(project).await) })?;
    let plan = plan(&see, &args.task)?;
    if output.json {
        output.print_json(&json::document(&Layout::new(&plan)))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&drawn(&plan, args.format, &look))?;
    Ok(ExitCode::SUCCESS)
}

/// The picture of one task for another program; `neap export` asks for it.
pub(crate) fn of_task(
    catalog: &Catalog,
    name: &TaskName,
    format: GraphFormat,
    look: &Look,
) -> Result<String, Failure> {
    let plan = Plan::build(catalog, name, Params::new()).map_err(SubmitError::from)?;
    Ok(drawn(&plan, format, look))
}

fn drawn(plan: &Plan, format: GraphFormat, look: &Look) -> String {
    let layout = Layout::new(plan);
    match format {
        GraphFormat::Text => text(&layout, look),
        GraphFormat::Mermaid => mermaid(&layout),
        GraphFormat::Dot => dot(&layout),
        GraphFormat::Svg => svg::svg(&layout),
        GraphFormat::Json => json::text(&layout),
    }
}

/// What a run of the task would be. Its parameters do not matter for the shape.
fn plan(see: &See, text: &str) -> Result<Plan, Failure> {
    let catalog = &see.definitions()?.catalog;
    // The same mistakes get the same words as in `neap run`, which asks a request for its plan.
    let named = || crate::host::RunRequest::new(text, "graph").plan(catalog);
    match TaskName::new(text) {
        Ok(name) if catalog.find(text).is_some() => {
            Ok(Plan::build(catalog, &name, Params::new()).map_err(SubmitError::from)?)
        }
        _ => Ok(named()?),
    }
}

fn text(layout: &Layout, look: &Look) -> String {
    let nodes = &layout.nodes;
    let head =
        format!("{}: {} in {}\n\n", layout.task, count(nodes.len(), "job"), count(layout.layers(), "step"));
    let width = if look.is_terminal { look.width } else { 120 };
    let strokes = if look.is_unicode { tree::UNICODE } else { tree::ASCII };
    let has_more = layout.lines().iter().any(|lines| lines.len() > 1);
    let legend = if has_more { "\n(+job): needs that one too\n" } else { "" };
    let text = head + &tree::draw(layout, width, strokes) + legend;
    if look.is_unicode { text } else { text.replace('×', "x") }
}

fn mermaid(layout: &Layout) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (index, node) in layout.nodes.iter().enumerate() {
        let note = if node.note.is_empty() { String::new() } else { format!("<br/>{}", node.note) };
        text += &format!("    j{index}[\"{}{note}\"]\n", node.name);
    }
    text.extend(layout.edges.iter().map(|edge| match &edge.when {
        None => format!("    j{} --> j{}\n", edge.from, edge.to),
        Some(when) => format!("    j{} -. {when} .-> j{}\n", edge.from, edge.to),
    }));
    text
}

fn dot(layout: &Layout) -> String {
    let mut text = format!("digraph \"{}\" {{\n    rankdir=LR;\n    node [shape=box];\n", layout.task);
    for (index, node) in layout.nodes.iter().enumerate() {
        let note = if node.note.is_empty() { String::new() } else { format!("\\n{}", node.note) };
        text += &format!("    j{index} [label=\"{}{note}\"];\n", node.name);
    }
    text.extend(layout.edges.iter().map(|edge| match &edge.when {
        None => format!("    j{} -> j{};\n", edge.from, edge.to),
        Some(when) => format!("    j{} -> j{} [label=\"{when}\", style=dashed];\n", edge.from, edge.to),
    }));
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::super::look::test_look;
    use super::*;
    use crate::definition::{Registered, Settings, Source};
    use crate::schedule::Zone;

    fn planned(yaml: &str) -> Plan {
        let settings = Settings::new(Zone::utc());
        let catalog =
            Catalog::load([Source::new("tasks/n.yaml", yaml)], &Registered::default(), &settings, None);
        assert_eq!(catalog.problems(), []);
        Plan::build(&catalog, &TaskName::new("n").unwrap(), Params::new()).unwrap()
    }

    const NIGHTLY: &str = "
params: { day: { type: date, required: true } }
tasks:
  dump: { run: ls }
  checksum: { run: ls, depends_on: dump }
  upload: { run: ls, depends_on: dump }
  notify: { run: ls, depends_on: [upload, checksum] }
";

    #[test]
    fn a_pipeline_is_drawn_in_every_format() {
        let plan = planned(NIGHTLY);
        let expected = "\
n: 4 jobs in 3 steps

dump ─┬─> checksum ──> notify (+upload)
      └─> upload

(+job): needs that one too
";
        let layout = Layout::new(&plan);
        assert_eq!(text(&layout, &test_look()), expected);
        let ascii = Look { is_unicode: false, ..test_look() };
        assert!(
            text(&layout, &ascii).contains("dump -+-> checksum --> notify (+upload)\n      `-> upload\n")
        );
        assert_eq!(
            mermaid(&layout),
            "flowchart LR\n    j0[\"dump\"]\n    j1[\"checksum\"]\n    j2[\"upload\"]\n    j3[\"notify\"]\n    \
             j0 --> j1\n    j0 --> j2\n    j1 --> j3\n    j2 --> j3\n"
        );
        let dot = dot(&layout);
        assert!(dot.starts_with("digraph \"n\" {\n") && dot.ends_with("    j2 -> j3;\n}\n"), "{dot}");
        let layers: Vec<usize> = layout.nodes.iter().map(|node| node.layer).collect();
        assert_eq!(layers, [0, 1, 1, 2]);
    }

    const UNUSUAL: &str = "
tasks:
  build: { run: ls, strategy: { matrix: { os: [a, b, c] } } }
  lint: { run: ls, depends_on: { task: build, when: started } }
  alert: { run: ls, depends_on: [{ task: build, when: failed }, lint], trigger_rule: any_failed }
  each: { run: ls, depends_on: lint, foreach: '${{ tasks.lint.outputs.x }}', if: 'env.X' }
finally: { down: { run: ls } }
";

    #[test]
    fn what_is_unusual_is_said() {
        let layout = Layout::new(&planned(UNUSUAL));
        let text = text(&layout, &test_look());
        for part in [
            "build [×3] ──> lint [started] ─┬─> ",
            "alert [any_failed] (+build failed)",
            "──> down [always] (+each)",
            "each [×?, if]\n",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        assert!(mermaid(&layout).contains("[\"alert<br/>any_failed\"]\n"));
        assert!(mermaid(&layout).contains(" -. failed .-> "));
        assert!(dot(&layout).contains(" [label=\"failed\", style=dashed];\n"));
        let svg = svg::svg(&layout);
        assert!(svg.contains(">any_failed</text>") && svg.contains("<path class=\"e w\""), "{svg}");
        let document = json::document(&layout);
        assert_eq!(document["nodes"][1]["when"], serde_json::json!({ "build": "started" }));
        assert_eq!(document["nodes"][0]["note"], "×3");
    }
}
