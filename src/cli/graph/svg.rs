//! A picture as SVG: for a browser, a page or a report. It follows the reader's choice of light or dark, needs no script and
//! no font of its own, and every job says what it runs when the pointer rests on it.

use super::layout::{Edge, Layout, Node};
use crate::cli::output::clean;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// In pixels: a letter of the name, the box, and what is between boxes.
const LETTER: f64 = 7.8;
const BOX: f64 = 40.0;
const PADDING: f64 = 12.0;
const ROW: f64 = 58.0;
const GAP: f64 = 64.0;
const MARGIN: f64 = 16.0;
/// Longer names are cut in the box, and whole when the pointer rests on it.
const LONGEST: usize = 32;

const STYLE: &str = "\
svg{color-scheme:light dark;font:13px ui-monospace,Menlo,Consolas,monospace}\
.j rect{fill:#f6f8fa;stroke:#59636e}.j text{fill:#1f2328;text-anchor:middle}.j .n{font-size:11px;fill:#59636e}\
.e{fill:none;stroke:#818b98;stroke-width:1.5}.w{stroke-dasharray:5 4}.l{font-size:11px;fill:#59636e;text-anchor:middle}\
#a path{fill:#818b98}\
@media(prefers-color-scheme:dark){.j rect{fill:#151b23;stroke:#9198a1}.j text{fill:#f0f6fc}.j .n,.l{fill:#9198a1}}";

pub(super) fn svg(layout: &Layout) -> String {
    let columns = Columns::of(layout);
    let rows = layout
        .nodes
        .iter()
        .map(|node| node.row)
        .chain(layout.edges.iter().flat_map(|edge| edge.bends.iter().copied()));
    let height = rows.fold(0.0, f64::max) * ROW + BOX + 2.0 * MARGIN;
    let width = columns.width;
    let task = escaped(&layout.task);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-label=\"{task}\">\n<title>{task}</title>\n<style>{STYLE}</style>\n<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
    );
    for edge in &layout.edges {
        text += &line(edge, layout, &columns);
    }
    for node in &layout.nodes {
        text += &job(node, &columns);
    }
    text + "</svg>\n"
}

/// Where each layer begins, and how wide it is.
struct Columns {
    starts: Vec<(f64, f64)>,
    width: f64,
}

impl Columns {
    fn of(layout: &Layout) -> Columns {
        let mut widths = vec![0.0_f64; layout.layers()];
        for node in &layout.nodes {
            let letters = shown(&node.name).width().max(node.note.width());
            widths[node.layer] = widths[node.layer].max(letters as f64 * LETTER + 2.0 * PADDING);
        }
        let mut next = MARGIN;
        let mut starts = Vec::with_capacity(widths.len());
        for width in widths {
            starts.push((next, width));
            next += width + GAP;
        }
        Columns { starts, width: next - GAP.min(next) + MARGIN }
    }
}

/// The middle of a row.
fn middle(row: f64) -> f64 {
    MARGIN + row * ROW + BOX / 2.0
}

fn job(node: &Node, columns: &Columns) -> String {
    let (x, width) = columns.starts[node.layer];
    let (y, center) = (middle(node.row), x + width / 2.0);
    let top = y - BOX / 2.0;
    let (first, note) = match node.note.as_str() {
        "" => (y + 4.5, String::new()),
        note => (
            y - 2.5,
            format!("<text class=\"n\" x=\"{center:.1}\" y=\"{:.1}\">{}</text>", y + 12.5, escaped(note)),
        ),
    };
    format!(
        "<g class=\"j\"><title>{}: {}</title><rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BOX}\" rx=\"6\"/><text x=\"{center:.1}\" y=\"{first:.1}\">{}</text>{note}</g>\n",
        escaped(&node.name),
        escaped(&node.action),
        escaped(&shown(&node.name)),
    )
}

/// A line from the right edge of one job to the left edge of another, level wherever it passes a layer.
fn line(edge: &Edge, layout: &Layout, columns: &Columns) -> String {
    let (from, to) = (&layout.nodes[edge.from], &layout.nodes[edge.to]);
    let (start, width) = columns.starts[from.layer];
    let mut at = (start + width, middle(from.row));
    let mut path = format!("M{:.1} {:.1}", at.0, at.1);
    for (layer, &row) in (from.layer + 1..).zip(&edge.bends) {
        let (left, width) = columns.starts[layer];
        curve(&mut path, at, (left, middle(row)));
        at = (left + width, middle(row));
        // Text can always grow.
        let _ = write!(path, "H{:.1}", at.0);
    }
    let end = (columns.starts[to.layer].0 - 1.0, middle(to.row));
    let label = edge.when.as_ref().map(|when| {
        let (x, y) = ((at.0 + end.0) / 2.0, (at.1 + end.1) / 2.0 - 5.0);
        format!("<text class=\"l\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escaped(when))
    });
    curve(&mut path, at, end);
    let class = if edge.when.is_some() { "e w" } else { "e" };
    format!("<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#a)\"/>\n") + &label.unwrap_or_default()
}

fn curve(path: &mut String, from: (f64, f64), to: (f64, f64)) {
    let half = (from.0 + to.0) / 2.0;
    // Text can always grow.
    let _ = write!(path, "C{half:.1} {:.1} {half:.1} {:.1} {:.1} {:.1}", from.1, to.1, to.0, to.1);
}

fn shown(name: &str) -> String {
    match name.chars().count() > LONGEST {
        true => name.chars().take(LONGEST - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}

/// As text of XML, also inside quotes. What XML cannot hold at all is shown as the terminal shows it.
fn escaped(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(clean).collect();
    let text = lines.join("\n").replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(escaped("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
        let odd = escaped("x\u{0}\u{1b}[31m\u{ffff}y\nz");
        assert!(odd.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{ffff}'), "{odd:?}");
    }
}
