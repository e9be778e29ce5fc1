//! `neap graph`: the jobs of a task and what they need, drawn for a terminal, Mermaid or Graphviz.

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
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

mod tree;

/// A job in the picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    /// Its name as seen from the task.
    pub(crate) name: String,
    /// The names of those it needs.
    pub(crate) needs: Vec<String>,
    /// 0 when it needs nothing, else one more than the largest of those it needs.
    pub(crate) layer: usize,
}

#[derive(Serialize)]
struct Picture<'a> {
    task: &'a TaskName,
    nodes: Vec<Node>,
}

pub(crate) fn graph(project: &Project, args: &args::Graph, output: &Output) -> Result<ExitCode, Failure> {
    let look = Look::new(output)?;
    let see = block_on(async { Ok(See::new(project).await) })?;
    let plan = plan(&see, &args.task)?;
    if output.json {
        output.print_json(&Picture { task: &plan.task, nodes: nodes(&plan) })?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = match args.format {
        GraphFormat::Text => text(&plan, &look),
        GraphFormat::Mermaid => mermaid(&plan),
        GraphFormat::Dot => dot(&plan),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The picture of one task for another program; `neap export` asks for it.
pub(crate) fn of_task(catalog: &Catalog, name: &TaskName, format: GraphFormat) -> Result<String, Failure> {
    let plan = Plan::build(catalog, name, Params::new()).map_err(SubmitError::from)?;
    Ok(if format == GraphFormat::Dot { dot(&plan) } else { mermaid(&plan) })
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

/// Each job on the layer behind everything it needs. Needs stand first in a plan, so one walk is enough.
fn nodes(plan: &Plan) -> Vec<Node> {
    let name = |index: &u32| plan.nodes[*index as usize].leaf.name.seen_from(&plan.task).to_owned();
    let mut nodes: Vec<Node> = Vec::with_capacity(plan.nodes.len());
    for (index, node) in (0..).zip(&plan.nodes) {
        let layer = node.needs.iter().map(|need| nodes[*need as usize].layer + 1).max().unwrap_or(0);
        nodes.push(Node { name: name(&index), needs: node.needs.iter().map(name).collect(), layer });
    }
    nodes
}

fn text(plan: &Plan, look: &Look) -> String {
    let nodes = nodes(plan);
    let layers = nodes.iter().map(|node| node.layer + 1).max().unwrap_or(0);
    let head = format!("{}: {} in {}\n\n", plan.task, count(nodes.len(), "job"), count(layers, "step"));
    let needs: Vec<Vec<usize>> =
        plan.nodes.iter().map(|node| node.needs.iter().map(|&need| need as usize).collect()).collect();
    let width = if look.is_terminal { look.width } else { 120 };
    let strokes = if look.is_unicode { tree::UNICODE } else { tree::ASCII };
    let has_more = nodes.iter().any(|node| node.needs.len() > 1);
    let legend = if has_more { "\n(+job): needs that one too\n" } else { "" };
    head + &tree::draw(&nodes, &needs, width, strokes) + legend
}

fn mermaid(plan: &Plan) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (index, node) in nodes(plan).iter().enumerate() {
        text += &format!("    j{index}[\"{}\"]\n", node.name);
    }
    for (index, node) in plan.nodes.iter().enumerate() {
        text.extend(node.needs.iter().map(|need| format!("    j{need} --> j{index}\n")));
    }
    text
}

fn dot(plan: &Plan) -> String {
    let mut text = format!("digraph \"{}\" {{\n    rankdir=LR;\n    node [shape=box];\n", plan.task);
    for (index, node) in nodes(plan).iter().enumerate() {
        text += &format!("    j{index} [label=\"{}\"];\n", node.name);
    }
    for (index, node) in plan.nodes.iter().enumerate() {
        text.extend(node.needs.iter().map(|need| format!("    j{need} -> j{index};\n")));
    }
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
        assert_eq!(text(&plan, &test_look()), expected);
        let ascii = Look { is_unicode: false, ..test_look() };
        assert!(text(&plan, &ascii).contains("dump -+-> checksum --> notify (+upload)\n      `-> upload\n"));
        assert_eq!(
            mermaid(&plan),
            "flowchart LR\n    j0[\"dump\"]\n    j1[\"checksum\"]\n    j2[\"upload\"]\n    j3[\"notify\"]\n    \
             j0 --> j1\n    j0 --> j2\n    j1 --> j3\n    j2 --> j3\n"
        );
        let dot = dot(&plan);
        assert!(dot.starts_with("digraph \"n\" {\n") && dot.ends_with("    j2 -> j3;\n}\n"), "{dot}");
        let layers: Vec<usize> = nodes(&plan).iter().map(|node| node.layer).collect();
        assert_eq!(layers, [0, 1, 1, 2]);
    }
}
