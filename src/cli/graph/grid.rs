//! The places of a layered drawing, by the usual method of Sugiyama, Tagawa and Toda: layers are given, lines over several
//! layers are bent at each, each layer is ordered by the middle of its neighbours, and rows are then as straight as that
//! order allows.

/// How often the layers are gone through, in each direction.
const SWEEPS: usize = 6;
/// With more bends than this, long lines are drawn straight: nobody can follow them anyway.
const MOST_BENDS: usize = 20_000;

/// What came out.
pub(super) struct Grid {
    /// The row of each node.
    pub(super) rows: Vec<f64>,
    /// The rows of the bends of each edge.
    pub(super) bends: Vec<Vec<f64>>,
}

impl Grid {
    /// Places nodes on the given layers; every edge leads to a later layer.
    pub(super) fn settled(layers: &[usize], edges: &[(usize, usize)]) -> Grid {
        let mut columns = Columns::new(layers, edges);
        columns.order();
        columns.straighten();
        let top = columns.rows.iter().copied().fold(f64::INFINITY, f64::min);
        for row in &mut columns.rows {
            *row -= top;
        }
        let bends = columns.bends.iter().map(|spots| spots.iter().map(|&spot| columns.rows[spot]).collect());
        Grid { bends: bends.collect(), rows: columns.rows[..layers.len()].to_vec() }
    }
}

/// Nodes and bends alike are spots; lines lead only from one column to the next.
struct Columns {
    /// The spots of each layer, from the top.
    columns: Vec<Vec<usize>>,
    before: Vec<Vec<usize>>,
    behind: Vec<Vec<usize>>,
    rows: Vec<f64>,
    /// The spots of the bends of each edge.
    bends: Vec<Vec<usize>>,
}

impl Columns {
    fn new(layers: &[usize], edges: &[(usize, usize)]) -> Columns {
        let mut columns = vec![Vec::new(); layers.iter().max().map_or(0, |last| last + 1)];
        for (spot, &layer) in layers.iter().enumerate() {
            columns[layer].push(spot);
        }
        let all: usize = edges.iter().map(|&(from, to)| layers[to] - layers[from] - 1).sum();
        let mut made = Columns {
            columns,
            before: vec![Vec::new(); layers.len()],
            behind: vec![Vec::new(); layers.len()],
            rows: Vec::new(),
            bends: Vec::with_capacity(edges.len()),
        };
        for &(from, to) in edges {
            let between = if all > MOST_BENDS { 0..0 } else { layers[from] + 1..layers[to] };
            let bends: Vec<usize> = between.map(|layer| made.bend(layer)).collect();
            let path: Vec<usize> = [from].into_iter().chain(bends.iter().copied()).chain([to]).collect();
            for pair in path.windows(2) {
                made.behind[pair[0]].push(pair[1]);
                made.before[pair[1]].push(pair[0]);
            }
            made.bends.push(bends);
        }
        made.rows = vec![0.0; made.before.len()];
        made.number();
        made
    }

    fn bend(&mut self, layer: usize) -> usize {
        let spot = self.before.len();
        self.before.push(Vec::new());
        self.behind.push(Vec::new());
        self.columns[layer].push(spot);
        spot
    }

    /// Every spot in the row of its place.
    fn number(&mut self) {
        for column in &self.columns {
            for (place, &spot) in column.iter().enumerate() {
                self.rows[spot] = place as f64;
            }
        }
    }

    /// Where the neighbours of a spot are in the middle; its own row when it has none.
    fn middle(&self, spot: usize, neighbours: &[Vec<usize>]) -> f64 {
        let others = &neighbours[spot];
        if others.is_empty() {
            return self.rows[spot];
        }
        others.iter().map(|&other| self.rows[other]).sum::<f64>() / others.len() as f64
    }

    fn order(&mut self) {
        for _ in 0..SWEEPS {
            for at in (0..self.columns.len()).chain((0..self.columns.len()).rev()) {
                self.order_one(at, Side::Before);
            }
            for at in (0..self.columns.len()).rev() {
                self.order_one(at, Side::Behind);
            }
        }
    }

    fn order_one(&mut self, at: usize, side: Side) {
        let mut keyed: Vec<(f64, usize)> =
            self.columns[at].iter().map(|&spot| (self.middle(spot, self.side(side)), spot)).collect();
        // Stable, so that what nothing tells apart stays as it was written.
        keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
        for (place, (_, spot)) in keyed.iter().enumerate() {
            self.rows[*spot] = place as f64;
        }
        self.columns[at] = keyed.into_iter().map(|(_, spot)| spot).collect();
    }

    fn side(&self, side: Side) -> &[Vec<usize>] {
        match side {
            Side::Before => &self.before,
            Side::Behind => &self.behind,
        }
    }

    fn straighten(&mut self) {
        for _ in 0..SWEEPS {
            for at in (0..self.columns.len()).rev() {
                self.straighten_one(at, Side::Behind);
            }
            for at in 0..self.columns.len() {
                self.straighten_one(at, Side::Before);
            }
        }
    }

    fn straighten_one(&mut self, at: usize, side: Side) {
        let wanted: Vec<f64> =
            self.columns[at].iter().map(|&spot| self.middle(spot, self.side(side))).collect();
        for (&spot, row) in self.columns[at].iter().zip(spaced(&wanted)) {
            self.rows[spot] = row;
        }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    Behind,
}

/// The rows nearest to the wanted ones, by least squares, of which each is at least 1 below the one before it: where
/// they would come too near they share the middle of what they want.
fn spaced(wanted: &[f64]) -> Vec<f64> {
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (place, row) in wanted.iter().enumerate() {
        let mut block = (row - place as f64, 1);
        while let Some(&(above, count)) = blocks.last()
            && above > block.0
        {
            blocks.pop();
            let both = count + block.1;
            block = ((above * count as f64 + block.0 * block.1 as f64) / both as f64, both);
        }
        blocks.push(block);
    }
    let starts = blocks.into_iter().flat_map(|(start, count)| std::iter::repeat_n(start, count));
    starts.enumerate().map(|(place, start)| start + place as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(layers: &[usize], edges: &[(usize, usize)], expected: &[f64]) {
        let rows = Grid::settled(layers, edges).rows;
        let rounded: Vec<f64> = rows.iter().map(|row| (row * 100.0).round() / 100.0).collect();
        assert_eq!(rounded, expected, "{edges:?}");
    }

    #[test]
    fn chains_are_straight_and_forks_even() {
        check(&[0, 1, 2], &[(0, 1), (1, 2)], &[0.0, 0.0, 0.0]);
        check(&[0, 1, 1, 2], &[(0, 1), (0, 2), (1, 3), (2, 3)], &[0.5, 0.0, 1.0, 0.5]);
        check(&[], &[], &[]);
        check(&[0, 0, 0], &[], &[0.0, 1.0, 2.0]);
    }

    #[test]
    fn lines_do_not_cross_when_they_need_not() {
        // Written crosswise: a and b, then what needs b before what needs a.
        let rows = Grid::settled(&[0, 0, 1, 1], &[(1, 2), (0, 3)]).rows;
        assert!(rows[0] < rows[1] && rows[3] < rows[2] || rows[0] > rows[1] && rows[3] > rows[2], "{rows:?}");
    }

    #[test]
    fn a_long_line_is_bent_around_what_stands_between() {
        let grid = Grid::settled(&[0, 1, 2], &[(0, 1), (1, 2), (0, 2)]);
        assert_eq!(grid.bends[2].len(), 1);
        assert!((grid.bends[2][0] - grid.rows[1]).abs() >= 0.99, "{:?} {:?}", grid.bends, grid.rows);
    }

    #[test]
    fn rows_keep_their_distance() {
        assert_eq!(spaced(&[0.0, 0.0, 0.0]), [-1.0, 0.0, 1.0]);
        assert_eq!(spaced(&[5.0, 0.0, 9.0]), [2.0, 3.0, 9.0]);
        assert_eq!(spaced(&[1.0, 2.0, 4.0]), [1.0, 2.0, 4.0]);
    }

    #[test]
    fn ten_thousand_jobs_are_placed_at_once() {
        let count = 10_000;
        let layers: Vec<usize> = (0..count).map(|node| node / 100).collect();
        let edges: Vec<(usize, usize)> = (100..count)
            .flat_map(|to| (0..3).map(move |n| ((to / 100 - 1) * 100 + (to * 7 + n * 31) % 100, to)))
            .collect();
        let rows = Grid::settled(&layers, &edges).rows;
        for layer in rows.chunks(100) {
            let mut sorted = layer.to_vec();
            sorted.sort_by(f64::total_cmp);
            assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] > 0.999), "two jobs stand on each other");
        }
    }
}
