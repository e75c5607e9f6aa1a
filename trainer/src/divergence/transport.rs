//! Wasserstein-1: the smallest mean number of steps per row that turn one distribution over rows into another.
//!
//! A row is a point of a grid with one coordinate per column, and a step changes one coordinate by one. In a
//! thermometer code, a step flips one bit, so that the distance between rows is the Hamming distance.

use pathfinding::prelude::{Matrix, kuhn_munkres_min};

/// Returns Wasserstein-1 between two distributions over all points of a grid, exact up to the rounding of `f64`.
///
/// `p` and `q` list the probabilities of the points, where the last coordinate varies fastest; `sizes` lists the number
/// of values of each coordinate. The result is in steps per row.
///
/// On a grid, optimal transport is the cheapest flow along the edges. Successive shortest paths with prices (Ahuja,
/// Magnanti & Orlin, *Network Flows*, 1993, chapter 9) take at most one round per distance.
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

/// Returns Wasserstein-1 between two samples of the same size, in steps per row, as the cost of the cheapest matching
/// (Kuhn 1955, Munkres 1957).
///
/// The expectation of the result is at least the distance between the sampled distributions, and positive even for two
/// samples of the same distribution.
///
/// ```
/// use surprisal_trainer::divergence::transport::matched;
/// let (a, b) = (vec![vec![0, 0], vec![1, 1]], vec![vec![1, 0], vec![0, 0]]);
/// assert_eq!(matched(&a, &b), 0.5);
/// ```
///
/// # Panics
/// Panics if `a` has more rows than `b`.
pub fn matched(a: &[Vec<u16>], b: &[Vec<u16>]) -> f64 {
    let steps =
        |(i, j): (usize, usize)| -> i64 { a[i].iter().zip(&b[j]).map(|(x, y)| i64::from(x.abs_diff(*y))).sum() };
    let (total, _) = kuhn_munkres_min(&Matrix::from_fn(a.len(), b.len(), steps));
    total as f64 / a.len().max(1) as f64
}

/// A flow along the edges of a grid, with the mass that it has not moved yet.
#[derive(Debug)]
struct Grid {
    /// (number of values, index distance between points that differ by one step) of each coordinate.
    axes: Vec<(usize, usize)>,
    /// Mass that each point still has to send, negative if the point has to receive mass: `[point]`.
    excess: Vec<f64>,
    /// Net flow from each point to the next point along each axis: `[axis][point]`, flattened.
    flow: Vec<f64>,
    /// Potential of each point in steps, from which the reduced costs of steps are computed: `[point]`.
    prices: Vec<i32>,
}

/// A step along an edge: (target point, index in [`Grid::flow`], direction). Direction 1 is up, -1 is down.
type Step = (usize, usize, f64);

impl Grid {
    /// Returns the grid with zero flow, so that p - q still has to be moved.
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

    /// Returns a step from a point along axis `index / 2`: up if `index` is even, down if `index` is odd. Returns
    /// `None` at the end of the axis.
    fn step(&self, from: usize, index: usize) -> Option<Step> {
        let (size, stride) = self.axes[index / 2];
        let (at, slot) = (from / stride % size, index / 2 * self.excess.len() + from);
        match index % 2 {
            0 => (at + 1 < size).then(|| (from + stride, slot, 1.0)),
            _ => (at > 0).then(|| (from - stride, slot - stride, -1.0)),
        }
    }

    /// Iterates over all steps that start at a point.
    fn steps(&self, from: usize) -> impl Iterator<Item = Step> + '_ {
        (0..2 * self.axes.len()).filter_map(move |index| self.step(from, index))
    }

    /// Returns the capacity of a step: the opposite flow, which the step cancels, or infinity without opposite flow.
    fn capacity(&self, (_, slot, sign): Step) -> f64 {
        let against = -sign * self.flow[slot];
        if against > 0.0 { against } else { f64::INFINITY }
    }

    /// Returns the cost of a step plus the price of `from` minus the price of the target. The cost is -1 if the step
    /// cancels opposite flow, and 1 otherwise; the prices keep the result from being negative.
    fn reduced_cost(&self, from: usize, step: Step) -> i32 {
        let cost = if self.capacity(step) < f64::INFINITY { -1 } else { 1 };
        cost + self.prices[from] - self.prices[step.0]
    }

    /// Raises the prices so that a path from a source (a point with mass to send) to a sink (a point that has to
    /// receive mass) has reduced cost zero, by the algorithm of Dijkstra (1959) with buckets.
    ///
    /// Returns false if no source can reach a sink, because the flow is then optimal.
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

    /// Augments the flow along paths of reduced cost zero until no source can reach a sink by such paths (Dinic 1970).
    fn ship(&mut self) {
        while let Some(mut levels) = self.levels() {
            // Index of the first step of each point that the search has not excluded.
            let mut next = vec![0; levels.len()];
            for source in 0..levels.len() {
                let (mut at, mut path) = (source, Vec::new());
                while self.excess[source] > 0.0 {
                    if self.excess[at] < 0.0 {
                        self.send(source, at, &path);
                        path.clear();
                        at = source;
                        continue;
                    }
                    let is_admissible = |step: &Step| {
                        levels[step.0] == levels[at].saturating_add(1) && self.reduced_cost(at, *step) == 0
                    };
                    let found = (next[at]..2 * self.axes.len())
                        .find_map(|index| self.step(at, index).filter(is_admissible).map(|step| (index, step)));
                    if let Some((index, step)) = found {
                        next[at] = index;
                        path.push((at, step));
                        at = step.0;
                    } else {
                        levels[at] = u32::MAX;
                        let Some((from, _)) = path.pop() else { break };
                        at = from;
                    }
                }
            }
        }
    }

    /// Returns `[point]` the distance of each point from the sources, in steps of reduced cost zero, or `None` if such
    /// steps reach no sink.
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

    /// Sends as much mass along a path as its ends and the capacities of its steps allow. `path` holds (point, step
    /// from it).
    fn send(&mut self, source: usize, target: usize, path: &[(usize, Step)]) {
        let ends = self.excess[source].min(-self.excess[target]);
        let amount = path.iter().map(|(_, step)| self.capacity(*step)).fold(ends, f64::min);
        path.iter().for_each(|&(_, (_, slot, sign))| self.flow[slot] += sign * amount);
        self.excess[source] -= amount;
        self.excess[target] += amount;
    }
}
