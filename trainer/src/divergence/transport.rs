//! Wasserstein-1: the fewest steps, in the mean, by which the rows of one distribution become those of another.
//!
//! A row is a point of a grid, one coordinate a column, and a step changes one coordinate by one. In the bits of a
//! thermometer that is one flipped bit, so that the distance is Hamming's.

use pathfinding::prelude::{Matrix, kuhn_munkres_min};

/// Between two distributions over all points of a grid, the last coordinate running fastest: exact but for the
/// rounding of `f64`. `sizes` says how many values each coordinate has.
///
/// On a grid optimal transport is the cheapest flow along its edges. Successive shortest paths with prices (Ahuja,
/// Magnanti & Orlin, *Network Flows*, 1993, chapter 9) take at most one round for each distance there is.
///
/// ```
/// use surprisal_trainer::divergence::transport::exact;
/// // Two bits: half of the mass has one bit to flip, the other half two.
/// assert_eq!(exact(&[1.0, 0.0, 0.0, 0.0], &[0.0, 0.5, 0.0, 0.5], &[2, 2]), 1.5);
/// ```
pub fn exact(p: &[f64], q: &[f64], sizes: &[usize]) -> f64 {
    let mut grid = Grid::new(p, q, sizes);
    while grid.reprice() {
        grid.ship();
    }
    grid.flow.iter().map(|flow| flow.abs()).sum()
}

/// Between two samples of equally many rows: the cheapest way to pair them off, in steps a pair (Kuhn 1955, Munkres
/// 1957). Its expectation is never below the distance of the distributions that were sampled, and two samples of one
/// distribution lie apart as well.
///
/// ```
/// use surprisal_trainer::divergence::transport::matched;
/// let (a, b) = (vec![vec![0, 0], vec![1, 1]], vec![vec![1, 0], vec![0, 0]]);
/// assert_eq!(matched(&a, &b), 0.5);
/// ```
///
/// # Panics
/// `a` has more rows than `b`.
pub fn matched(a: &[Vec<u16>], b: &[Vec<u16>]) -> f64 {
    let steps =
        |(i, j): (usize, usize)| -> i64 { a[i].iter().zip(&b[j]).map(|(x, y)| i64::from(x.abs_diff(*y))).sum() };
    let (total, _) = kuhn_munkres_min(&Matrix::from_fn(a.len(), b.len(), steps));
    total as f64 / a.len().max(1) as f64
}

/// A flow on its way to be one.
#[derive(Debug)]
struct Grid {
    /// How many values each coordinate has, and how far apart in the list its neighbours are.
    axes: Vec<(usize, usize)>,
    /// What each point has too much of; negative where it wants.
    excess: Vec<f64>,
    /// For each axis and point, what flows from it to the next point, less what flows back.
    flow: Vec<f64>,
    /// How far each point is from what has too much.
    prices: Vec<i32>,
}

/// A step along an edge: to which point, over which entry of `flow`, up (1) or down (-1).
type Step = (usize, usize, f64);

impl Grid {
    fn new(p: &[f64], q: &[f64], sizes: &[usize]) -> Self {
        let mut stride = p.len();
        let axes = sizes.iter().map(|&size| {
            stride /= size;
            (size, stride)
        });
        let axes: Vec<(usize, usize)> = axes.collect();
        let excess = p.iter().zip(q).map(|(p, q)| p - q).collect();
        Self { flow: vec![0.0; axes.len() * p.len()], prices: vec![0; p.len()], axes, excess }
    }

    /// Each axis has a step up and a step down, except at its ends.
    fn step(&self, from: usize, index: usize) -> Option<Step> {
        let (size, stride) = self.axes[index / 2];
        let (at, slot) = (from / stride % size, index / 2 * self.excess.len() + from);
        match index % 2 {
            0 => (at + 1 < size).then(|| (from + stride, slot, 1.0)),
            _ => (at > 0).then(|| (from - stride, slot - stride, -1.0)),
        }
    }

    fn steps(&self, from: usize) -> impl Iterator<Item = Step> + '_ {
        (0..2 * self.axes.len()).filter_map(move |index| self.step(from, index))
    }

    /// How much a step may carry: to take back what flows against it gains one a unit, to add to what flows costs one.
    fn room(&self, (_, slot, sign): Step) -> f64 {
        let against = -sign * self.flow[slot];
        if against > 0.0 { against } else { f64::INFINITY }
    }

    /// What a step costs more than the prices at its ends say; never negative.
    fn reduced_cost(&self, from: usize, step: Step) -> i32 {
        let cost = if self.room(step) < f64::INFINITY { -1 } else { 1 };
        cost + self.prices[from] - self.prices[step.0]
    }

    /// Raises prices so that some way from what has too much to what wants costs nothing more than they say (Dijkstra
    /// 1959, in buckets). Returns whether there is one: the flow is complete otherwise.
    fn reprice(&mut self) -> bool {
        let points = self.excess.len();
        let mut distances = vec![i32::MAX; points];
        let mut buckets = vec![(0..points).filter(|&point| self.excess[point] > 0.0).collect::<Vec<_>>()];
        buckets[0].iter().for_each(|&point| distances[point] = 0);
        let (mut at, mut reach) = (0, None);
        while at < buckets.len() && reach.is_none() {
            while let Some(from) = buckets[at].pop() {
                if distances[from] != at as i32 {
                    continue;
                }
                if self.excess[from] < 0.0 {
                    reach = Some(at as i32);
                }
                for step in self.steps(from) {
                    let distance = at + self.reduced_cost(from, step) as usize;
                    if (distance as i32) < distances[step.0] {
                        distances[step.0] = distance as i32;
                        buckets.resize(buckets.len().max(distance + 1), Vec::new());
                        buckets[distance].push(step.0);
                    }
                }
            }
            at += 1;
        }
        let Some(reach) = reach else { return false };
        self.prices.iter_mut().zip(distances).for_each(|(price, distance)| *price += distance.min(reach));
        true
    }

    /// Sends all that can be sent along steps that cost nothing more than the prices say (Dinic 1970).
    fn ship(&mut self) {
        while let Some(mut levels) = self.levels() {
            // Of each point the first step that may still lead on.
            let mut next = vec![0; levels.len()];
            for source in 0..levels.len() {
                let (mut at, mut way) = (source, Vec::new());
                while self.excess[source] > 0.0 {
                    if self.excess[at] < 0.0 {
                        self.send(source, at, &way);
                        way.clear();
                        at = source;
                        continue;
                    }
                    let leads_on = |step: &Step| {
                        levels[step.0] == levels[at].saturating_add(1) && self.reduced_cost(at, *step) == 0
                    };
                    let found = (next[at]..2 * self.axes.len())
                        .find_map(|index| self.step(at, index).filter(leads_on).map(|step| (index, step)));
                    if let Some((index, step)) = found {
                        next[at] = index;
                        way.push((at, step));
                        at = step.0;
                    } else {
                        levels[at] = u32::MAX;
                        let Some((from, _)) = way.pop() else { break };
                        at = from;
                    }
                }
            }
        }
    }

    /// How many free steps each point is from what has too much, unless no point that wants can be reached.
    fn levels(&self) -> Option<Vec<u32>> {
        let mut levels = vec![u32::MAX; self.excess.len()];
        let mut front: Vec<usize> = (0..levels.len()).filter(|&point| self.excess[point] > 0.0).collect();
        front.iter().for_each(|&point| levels[point] = 0);
        for level in 1.. {
            let mut further = Vec::new();
            for &from in &front {
                for step in self.steps(from) {
                    if levels[step.0] == u32::MAX && self.reduced_cost(from, step) == 0 {
                        levels[step.0] = level;
                        further.push(step.0);
                    }
                }
            }
            if further.is_empty() {
                return None;
            }
            if further.iter().any(|&point| self.excess[point] < 0.0) {
                break;
            }
            front = further;
        }
        Some(levels)
    }

    /// As much as both ends and every step between them allow.
    fn send(&mut self, source: usize, target: usize, way: &[(usize, Step)]) {
        let ends = self.excess[source].min(-self.excess[target]);
        let amount = way.iter().map(|(_, step)| self.room(*step)).fold(ends, f64::min);
        way.iter().for_each(|&(_, (_, slot, sign))| self.flow[slot] += sign * amount);
        self.excess[source] -= amount;
        self.excess[target] += amount;
    }
}
