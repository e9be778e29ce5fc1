//! A graph as lines that run to the right and branch downwards. Every job stands there once: behind the last of those
//! it needs; the others are named beside it.
//!
//! What would leave the screen goes on below under a number, so that neither a long chain nor a thousand jobs break
//! the drawing, and its depth is bounded by the width.

use super::layout::{Edge, Layout, Node};
use std::collections::VecDeque;
use unicode_width::UnicodeWidthStr;

/// What lines are drawn with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strokes {
    /// From a job to the only one behind it.
    only: &'static str,
    /// From a job to the first of several.
    first: &'static str,
    /// To one between.
    middle: &'static str,
    /// To the last.
    last: &'static str,
    /// Past those between.
    past: &'static str,
}

pub(super) const UNICODE: Strokes =
    Strokes {
        only: " ──> ", first: " ─┬─> ", middle: " ├─> ", last: " └─> ", past: " │   "
    };
pub(super) const ASCII: Strokes =
    Strokes { only: " --> ", first: " -+-> ", middle: " |-> ", last: " `-> ", past: " |   " };

/// Draws jobs behind what they need, at most about `width` columns wide.
pub(super) fn draw(layout: &Layout, width: usize, strokes: Strokes) -> String {
    let (nodes, needs) = (layout.nodes.as_slice(), layout.lines());
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut roots = VecDeque::new();
    for (index, needs) in needs.iter().enumerate() {
        match parent(nodes, needs) {
            Some(parent) => behind[parent].push(index),
            None => roots.push_back((index, None)),
        }
    }
    let mut drawing =
        Drawing { nodes, needs: &needs, behind, width, strokes, text: String::new(), roots, numbers: 0 };
    while let Some((root, number)) = drawing.roots.pop_front() {
        let label = number.map(|number: usize| format!("({number}) ")).unwrap_or_default();
        drawing.text += &label;
        let prefix = " ".repeat(label.width());
        drawing.branch(root, prefix);
    }
    drawing.text
}

/// Behind which of its needs a job is drawn: the one on the last layer, of several the first.
fn parent(nodes: &[Node], needs: &[&Edge]) -> Option<usize> {
    needs.iter().map(|edge| edge.from).max_by_key(|&need| (nodes[need].layer, std::cmp::Reverse(need)))
}

struct Drawing<'a> {
    nodes: &'a [Node],
    needs: &'a [Vec<&'a Edge>],
    behind: Vec<Vec<usize>>,
    width: usize,
    strokes: Strokes,
    text: String,
    /// What is still to be drawn from the left edge, and the number under which it goes on.
    roots: VecDeque<(usize, Option<usize>)>,
    numbers: usize,
}

impl Drawing<'_> {
    /// Draws a job and what is behind it. `prefix` is what stands left of it on further lines. Each step to the right
    /// makes the prefix at least four columns longer, so the width bounds the recursion.
    fn branch(&mut self, node: usize, prefix: String) {
        let label = self.label(node);
        self.text += &label;
        let children = std::mem::take(&mut self.behind[node]);
        let edge = prefix.width() + label.width();
        match children[..] {
            [] => self.text.push('\n'),
            _ if self.is_too_far(edge, &children) => self.go_on_below(&children),
            [only] => {
                self.text += self.strokes.only;
                self.branch(only, prefix + &" ".repeat(label.width() + self.strokes.only.width()));
            }
            _ => self.fork(&children, &prefix, label.width()),
        }
    }

    fn fork(&mut self, children: &[usize], prefix: &str, label: usize) {
        // The first stroke has one column more than the others: its way from the name to the fork.
        let indent = format!("{prefix}{}", " ".repeat(label + 1));
        let last = children.len() - 1;
        for (at, &child) in children.iter().enumerate() {
            let (stroke, past) = match at {
                0 => (self.strokes.first, self.strokes.past),
                at if at == last => (self.strokes.last, "     "),
                _ => (self.strokes.middle, self.strokes.past),
            };
            if at > 0 {
                self.text += &indent;
            }
            self.text += stroke;
            self.branch(child, format!("{indent}{past}"));
        }
    }

    /// Whether the longest of the next names would leave the screen.
    fn is_too_far(&self, edge: usize, children: &[usize]) -> bool {
        let longest = children.iter().map(|&child| self.nodes[child].name.width()).max().unwrap_or(0);
        // Room for the stroke, and for the number under which it may have to go on.
        edge > 0 && edge + 6 + longest + 12 > self.width
    }

    fn go_on_below(&mut self, children: &[usize]) {
        let first = self.numbers + 1;
        self.numbers += children.len();
        self.roots.extend(children.iter().zip(first..).map(|(&child, number)| (child, Some(number))));
        self.text += self.strokes.only;
        self.text += &match children.len() {
            1 => format!("({first})\n"),
            _ => format!("({first}) to ({})\n", self.numbers),
        };
    }

    /// The name, what is unusual about it, and the needs that are drawn elsewhere: `join [any_failed] (+lookup)`.
    fn label(&self, node: usize) -> String {
        const SHOWN: usize = 3;
        let needs = &self.needs[node];
        let drawn = parent(self.nodes, needs);
        let mut label = self.nodes[node].name.clone();
        let when = needs.iter().find(|edge| Some(edge.from) == drawn).and_then(|edge| edge.when.as_deref());
        let notes: Vec<&str> = when
            .into_iter()
            .chain([self.nodes[node].note.as_str()])
            .filter(|note| !note.is_empty())
            .collect();
        if !notes.is_empty() {
            label += &format!(" [{}]", notes.join(", "));
        }
        let others: Vec<String> =
            needs.iter().filter(|edge| Some(edge.from) != drawn).map(|edge| self.other(edge)).collect();
        match others.len() {
            0 => label,
            1..=SHOWN => format!("{label} (+{})", others.join(", +")),
            more => format!("{label} (+{} and {} more)", others[..SHOWN].join(", +"), more - SHOWN),
        }
    }

    fn other(&self, edge: &Edge) -> String {
        let name = &self.nodes[edge.from].name;
        edge.when.as_ref().map_or_else(|| name.clone(), |when| format!("{name} {when}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout<N: Into<String>>(jobs: impl IntoIterator<Item = (N, Vec<usize>)>) -> Layout {
        let mut layout = Layout { task: "t".into(), nodes: Vec::new(), edges: Vec::new() };
        for (to, (name, needs)) in jobs.into_iter().enumerate() {
            let layer = needs.iter().map(|&need| layout.nodes[need].layer + 1).max().unwrap_or(0);
            let (note, action) = (String::new(), String::new());
            layout.nodes.push(Node {
                name: name.into(),
                note,
                action,
                needs: needs.clone(),
                layer,
                row: 0.0,
            });
            let edge = |from| Edge { from, to, when: None, bends: Vec::new() };
            layout.edges.extend(needs.into_iter().map(edge));
        }
        layout
    }

    #[track_caller]
    fn check(edges: &[(&str, &[usize])], width: usize, expected: &str) {
        let layout = layout(edges.iter().map(|(name, needs)| (*name, needs.to_vec())));
        assert_eq!(draw(&layout, width, UNICODE), expected.trim_start_matches('\n'));
    }

    #[test]
    fn forks_nest() {
        check(
            &[
                ("a", &[]),
                ("b", &[0]),
                ("c", &[1]),
                ("d", &[1]),
                ("e", &[0]),
                ("f", &[0]),
                ("g", &[5]),
                ("lone", &[]),
            ],
            80,
            "
a ─┬─> b ─┬─> c
   │      └─> d
   ├─> e
   └─> f ──> g
lone
",
        );
    }

    #[test]
    fn what_needs_several_stands_behind_the_last_of_them() {
        check(
            &[("a", &[]), ("b", &[]), ("c", &[0, 1]), ("d", &[2]), ("e", &[2])],
            80,
            "
a ──> c (+b) ─┬─> d
              └─> e
b
",
        );
    }

    #[test]
    fn a_chain_goes_on_below_where_the_screen_ends() {
        check(
            &[("one", &[]), ("two", &[0]), ("three", &[1]), ("four", &[2])],
            30,
            "
one ──> two ──> (1)
(1) three ──> (2)
(2) four
",
        );
    }

    #[test]
    fn a_thousand_jobs_neither_break_the_screen_nor_the_stack() {
        let chain: Vec<Vec<usize>> = (0..1000usize).map(|n| n.checked_sub(1).into_iter().collect()).collect();
        let fan: Vec<Vec<usize>> = (0..1000usize).map(|n| if n == 0 { vec![] } else { vec![0] }).collect();
        let join: Vec<Vec<usize>> =
            (0..1000usize).map(|n| if n == 999 { (0..999).collect() } else { vec![] }).collect();
        for needs in [chain, fan, join] {
            let layout = layout(needs.into_iter().enumerate().map(|(n, needs)| (format!("job-{n}"), needs)));
            let text = draw(&layout, 80, UNICODE);
            assert!(
                text.lines().all(|line| line.width() <= 90),
                "{}",
                text.lines().next().unwrap_or_default()
            );
            for node in &layout.nodes {
                assert!(text.contains(&node.name), "{} is missing", node.name);
            }
        }
    }
}
