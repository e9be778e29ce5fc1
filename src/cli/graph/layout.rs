//! Where the jobs of a plan stand in a picture: in columns, each behind everything it needs, and in rows so that lines
//! are short and seldom cross. Every format is drawn from this; none decides anything about the shape itself.

use super::grid::Grid;
use crate::cli::gist::{action, cell_count, word};
use crate::definition::{Leaf, Rule, When};
use crate::plan::Plan;
use serde_json::json;
use std::collections::HashSet;

/// A plan with a place for every job.
pub(super) struct Layout {
    /// The task that was asked for.
    pub(super) task: String,
    /// The jobs; what one needs stands before it.
    pub(super) nodes: Vec<Node>,
    /// The lines, ordered by the job that needs.
    pub(super) edges: Vec<Edge>,
}

/// A job in the picture.
pub(super) struct Node {
    /// Its name as seen from the task.
    pub(super) name: String,
    /// What is unusual about it, in a few words: `×6`, `any_failed`. Often empty.
    pub(super) note: String,
    /// What it runs.
    pub(super) action: String,
    /// All that it needs, also what no line is drawn for.
    pub(super) needs: Vec<usize>,
    /// 0 when it needs nothing, else one more than the largest of those it needs.
    pub(super) layer: usize,
    /// Where it stands in its layer, from the top; neighbours are at least 1 apart.
    pub(super) row: f64,
}

/// A line to a job from one that it needs.
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    /// What must have become of the one that is needed; `None` when it must just have succeeded.
    pub(super) when: Option<String>,
    /// The rows in which the line passes the layers between the two.
    pub(super) bends: Vec<f64>,
}

impl Layout {
    pub(super) fn new(plan: &Plan) -> Layout {
        let mut layers: Vec<usize> = Vec::with_capacity(plan.nodes.len());
        for node in &plan.nodes {
            layers.push(node.needs.iter().map(|&need| layers[need as usize] + 1).max().unwrap_or(0));
        }
        let mut edges: Vec<Edge> = (0..plan.nodes.len()).flat_map(|to| drawn(plan, to)).collect();
        let ends: Vec<(usize, usize)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let grid = Grid::settled(&layers, &ends);
        for (edge, bends) in edges.iter_mut().zip(grid.bends) {
            edge.bends = bends;
        }
        let nodes = plan.nodes.iter().zip(layers).zip(grid.rows).map(|((node, layer), row)| Node {
            name: node.leaf.name.seen_from(&plan.task).to_owned(),
            note: note(&node.leaf),
            action: action(&node.leaf),
            needs: node.needs.iter().map(|&need| need as usize).collect(),
            layer,
            row,
        });
        Layout { task: plan.task.to_string(), nodes: nodes.collect(), edges }
    }

    /// How many layers there are.
    pub(super) fn layers(&self) -> usize {
        self.nodes.iter().map(|node| node.layer + 1).max().unwrap_or(0)
    }

    /// The lines to each job.
    pub(super) fn lines(&self) -> Vec<Vec<&Edge>> {
        let mut lines: Vec<Vec<&Edge>> = vec![Vec::new(); self.nodes.len()];
        for edge in &self.edges {
            lines[edge.to].push(edge);
        }
        lines
    }
}

/// The lines to a job. One that runs when all the others have ended, as `finally` does, gets lines only from the last of
/// them.
fn drawn(plan: &Plan, to: usize) -> Vec<Edge> {
    let node = &plan.nodes[to];
    let is_last = node.leaf.rule == Rule::Always;
    let inner = if is_last { above(plan, &node.needs) } else { HashSet::new() };
    let edge = |(from, when): (u32, When)| Edge {
        from: from as usize,
        to,
        when: (when != When::Succeeded && !is_last).then(|| word(&json!(when))),
        bends: Vec::new(),
    };
    node.edges().filter(|(from, _)| !inner.contains(from)).map(edge).collect()
}

/// Everything that these jobs need.
fn above(plan: &Plan, jobs: &[u32]) -> HashSet<u32> {
    let mut found = HashSet::new();
    let mut open: Vec<u32> = jobs.to_vec();
    while let Some(job) = open.pop() {
        open.extend(plan.nodes[job as usize].needs.iter().filter(|&&need| found.insert(need)));
    }
    found
}

fn note(leaf: &Leaf) -> String {
    let cells = leaf.spread.as_ref().map(|spread| match cell_count(spread) {
        Some(count) => format!("×{count}"),
        None => "×?".to_owned(),
    });
    let rule = match leaf.rule {
        Rule::AllSucceeded => None,
        Rule::Join { min_succeeded, .. } => Some(format!("{min_succeeded} of them")),
        rule => Some(word(&json!(rule))),
    };
    let condition = leaf.condition.as_ref().map(|_| "if".to_owned());
    [cells, rule, condition].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
