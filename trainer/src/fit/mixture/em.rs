//! Expectation–maximisation for mixtures of trees (Meilă & Jordan 2000) whose bits have a given order.
//!
//! With an order, the expected log-likelihood is a sum of one term per bit, and a bit's term depends on the parent of
//! that bit only. Any choice of earlier parents is a forest, so that the best parent of each bit is chosen separately.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::bit::BitParameters;
use crate::bits::{Bits, members};
use crate::model::{FloatMixture, log_sigmoid};

/// Number of initial iterations in which no bit has a parent.
const WARM_UP: usize = 10;
/// Number of best-ranked candidate parents per bit whose parameters are fitted.
const SHORTLIST: usize = 4;
/// Largest distance from a bit to its parent, in bits.
const FARTHEST: usize = 255;
/// Number of rows per parallel task.
const CHUNK: usize = 512;

/// Settings of a fit of a mixture of trees.
#[derive(Clone, Copy, Debug)]
pub struct MixtureSettings {
    /// Number of components of the mixture.
    pub components: usize,
    /// Weight of the prior in each component, in rows: the prior is the distribution of each bit over all rows.
    pub pseudo_count: f64,
    /// Largest number of iterations per start.
    pub iterations: usize,
    /// Number of random starts, of which the validation rows select the best.
    pub starts: usize,
    /// Seed of the random starts.
    pub seed: u64,
}

impl Default for MixtureSettings {
    fn default() -> Self {
        Self { components: 8, pseudo_count: 2.0, iterations: 200, starts: 3, seed: 0 }
    }
}

/// Rows stored as lists of bits, the input of expectation–maximisation.
#[derive(Debug)]
pub struct EmRows {
    /// Indices of the bits that are one in each row, ascending.
    ones: IndexLists,
    /// Bits of each row, ascending, that have a constraint which makes them neither observed nor implied in that row.
    free: IndexLists,
    /// Whether each bit has a constraint: `[bit]`.
    constrained: Vec<bool>,
}

/// A list of indices for each row, stored contiguously.
#[derive(Debug)]
struct IndexLists {
    /// Start of each row's list in `items`, followed by the end of the last list.
    starts: Vec<usize>,
    items: Vec<u16>,
}

impl IndexLists {
    /// Transposes lists of rows, one per bit, to lists of bits, one per row.
    fn new<I: Iterator<Item = u32>>(rows: usize, columns: impl Fn() -> Vec<I>) -> Self {
        let mut starts = vec![0; rows + 1];
        columns().into_iter().flatten().for_each(|row| starts[row as usize + 1] += 1);
        (0..rows).for_each(|row| starts[row + 1] += starts[row]);
        let mut items = vec![0; starts[rows]];
        let mut next = starts.clone();
        for (i, column) in columns().into_iter().enumerate() {
            for row in column {
                items[next[row as usize]] = i as u16;
                next[row as usize] += 1;
            }
        }
        Self { starts, items }
    }

    /// Returns the list of indices of a row.
    fn of(&self, row: usize) -> &[u16] {
        &self.items[self.starts[row]..self.starts[row + 1]]
    }

    /// Returns the number of rows.
    fn rows(&self) -> usize {
        self.starts.len() - 1
    }
}

impl EmRows {
    /// Converts rows from storage by bit to lists of bits per row.
    pub fn new(bits: &Bits, constraints: &[u16]) -> Self {
        let constrained: Vec<bool> =
            (0..bits.width()).map(|i| constraints.get(i).is_some_and(|&constraint| constraint != u16::MAX)).collect();
        let free_sets: Vec<Vec<u64>> =
            (0..bits.width()).map(|i| if constrained[i] { bits.free(constraints, i) } else { Vec::new() }).collect();
        Self {
            ones: IndexLists::new(bits.rows, || bits.ones.iter().map(|ones| ones.iter().copied()).collect()),
            free: IndexLists::new(bits.rows, || free_sets.iter().map(|set| members(set)).collect()),
            constrained,
        }
    }
}

/// State of a fit of a mixture by expectation–maximisation.
#[derive(Debug)]
pub struct Em<'b> {
    train: &'b Bits,
    constraints: &'b [u16],
    settings: MixtureSettings,
    rows: EmRows,
    /// Shares of ones of each bit over all training rows, which form the prior: `[bit]`.
    global: Vec<GlobalRates>,
    /// Mixture after the latest step.
    pub mixture: FloatMixture,
    /// Penalty of `mixture` under the prior, in nats of the training set.
    penalty: f64,
}

/// Expected counts of one bit, in rows, over the rows in which no constraint makes it observed or implied.
///
/// A gap is the distance to an earlier bit. Elements at gap 0 are not used.
struct BitCounts {
    /// Expected number of rows: `[component]`.
    rows: Vec<f64>,
    /// Expected number of rows in which the bit is one: `[component]`.
    ones: Vec<f64>,
    /// Expected number of rows in which the bit at distance gap before this bit is one: `[gap][component]`, flattened.
    parent_ones: Vec<f64>,
    /// Expected number of rows in which this bit and the bit at distance gap before it are one: `[gap][component]`,
    /// flattened.
    both: Vec<f64>,
}

/// Smoothed shares of ones of a bit over all training rows, from which the prior is computed.
#[derive(Debug)]
struct GlobalRates {
    /// Smoothed share of rows in which the bit is one.
    marginal: f64,
    /// Smoothed share of ones given the value of the bit at distance gap before this bit: `[gap][value]`.
    conditional: Vec<[f64; 2]>,
}

/// Best parent of a bit, as the distance to the parent (0 for none), with the bit's parameters and its penalty in nats.
#[derive(Default)]
struct BestParent {
    gap: usize,
    parameters: BitParameters,
    penalty: f64,
}

impl<'b> Em<'b> {
    /// Prepares a fit. Call [`start`](Self::start) before [`step`](Self::step).
    pub fn new(train: &'b Bits, constraints: &'b [u16], settings: &MixtureSettings) -> Self {
        let (rows, mixture) = (EmRows::new(train, constraints), FloatMixture::default());
        let mut em = Self { train, constraints, settings: *settings, rows, global: Vec::new(), mixture, penalty: 0.0 };
        let whole = vec![1.0; train.rows];
        let totals = em.totals(&whole, 1);
        let global = |i: usize| {
            let counts = em.counts(&whole, &totals, 1, i, FARTHEST);
            let marginal = (counts.ones[0] + 1.0) / (counts.rows[0] + 2.0);
            let share = |ones: f64, rows: f64| (ones + 2.0 * marginal) / (rows + 2.0);
            let pairs = counts.both.iter().zip(&counts.parent_ones);
            let conditional =
                pairs.map(|(both, below)| [share(counts.ones[0] - both, counts.rows[0] - below), share(*both, *below)]);
            GlobalRates { marginal, conditional: conditional.collect() }
        };
        em.global = (0..train.width()).into_par_iter().map(global).collect();
        em
    }

    /// Assigns each row to a random component and takes `WARM_UP` steps without parents.
    ///
    /// Parents chosen before the components differ would model dependence that the components should model, and would
    /// persist.
    pub fn start(&mut self, seed: u64) {
        let k = self.settings.components;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut shares = vec![0.0; self.train.rows * k];
        shares.chunks_mut(k).for_each(|shares| shares[random.random_range(0..k)] = 1.0);
        self.mixture = FloatMixture::default();
        self.maximise(&shares, 0);
        for _ in 0..WARM_UP {
            (_, shares) = self.expect(&self.rows);
            self.maximise(&shares, 0);
        }
    }

    /// Takes one step and returns the objective before the step: the log-likelihood of the training rows minus the
    /// penalty, in nats of the training set.
    pub fn step(&mut self) -> f64 {
        let (log_likelihoods, shares) = self.expect(&self.rows);
        let before = log_likelihoods.iter().sum::<f64>() - self.penalty;
        self.maximise(&shares, FARTHEST);
        before
    }

    /// Returns the mean log-likelihood of rows under the current mixture, in nats per row.
    pub fn log_likelihood(&self, rows: &EmRows) -> f64 {
        let (each, _) = self.expect(rows);
        each.iter().sum::<f64>() / each.len().max(1) as f64
    }

    /// Returns the log-likelihood of each row in nats, and the posterior `[row][component]`, flattened.
    ///
    /// Over the bits without constraints, ln p_k is a constant plus a term for each bit that is one, plus the parent's
    /// weight for each bit that is one and has a parent that is one. Constrained bits that are neither observed nor
    /// implied are added one by one.
    fn expect(&self, rows: &EmRows) -> (Vec<f64>, Vec<f64>) {
        let (mixture, k, n) = (&self.mixture, self.mixture.components(), rows.constrained.len());
        let mut base: Vec<f64> = mixture.priors.iter().map(|prior| prior.ln()).collect();
        let mut single = vec![0.0; n * k];
        for at in (0..n * k).filter(|at| !rows.constrained[at / k]) {
            let (i, bias) = (at / k, mixture.biases[at]);
            base[at % k] += log_sigmoid(bias, false);
            single[at] += bias;
            if mixture.gaps[i] > 0 {
                let parent_term = log_sigmoid(bias + mixture.weights[i], false) - log_sigmoid(bias, false);
                single[at - usize::from(mixture.gaps[i]) * k] += parent_term;
            }
        }
        let mut shares = vec![0.0; rows.ones.rows() * k];
        let work = |first: usize, shares: &mut [f64]| -> Vec<f64> {
            let mut row = vec![false; n];
            let row_likelihood = |(at, shares): (usize, &mut [f64])| {
                let ones = rows.ones.of(first + at);
                ones.iter().for_each(|&i| row[usize::from(i)] = true);
                shares.copy_from_slice(&base);
                let mut parents = 0.0;
                for i in ones.iter().map(|&i| usize::from(i)) {
                    add(shares, &single[i * k..][..k]);
                    let gap = usize::from(mixture.gaps[i]);
                    parents += if gap > 0 && !rows.constrained[i] && row[i - gap] { mixture.weights[i] } else { 0.0 };
                }
                for i in rows.free.of(first + at).iter().map(|&i| usize::from(i)) {
                    for (component, share) in shares.iter_mut().enumerate() {
                        *share += log_sigmoid(mixture.logit(i, component, &row), row[i]);
                    }
                }
                ones.iter().for_each(|&i| row[usize::from(i)] = false);
                let highest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                shares.iter_mut().for_each(|share| *share = (*share - highest).exp());
                let sum: f64 = shares.iter().sum();
                shares.iter_mut().for_each(|share| *share /= sum);
                parents + highest + sum.ln()
            };
            shares.chunks_mut(k).enumerate().map(row_likelihood).collect()
        };
        let chunks = shares.par_chunks_mut(CHUNK * k).enumerate();
        let log_likelihoods: Vec<Vec<f64>> = chunks.map(|(at, shares)| work(at * CHUNK, shares)).collect();
        (log_likelihoods.concat(), shares)
    }

    /// Replaces the mixture by the maximum of the expected objective, given the posteriors `shares`
    /// (`[row][component]`), with parents at most `reach` bits away.
    fn maximise(&mut self, shares: &[f64], reach: usize) {
        let k = self.settings.components;
        let totals = self.totals(shares, k);
        let best = |i: usize| self.best(&self.counts(shares, &totals, k, i, reach), i);
        let found: Vec<BestParent> = (0..self.train.width()).into_par_iter().map(best).collect();
        // One additional row per component keeps every prior above zero.
        let mut priors = vec![1.0; k];
        shares.chunks(k).for_each(|shares| add(&mut priors, shares));
        let sum: f64 = priors.iter().sum();
        priors.iter_mut().for_each(|prior| *prior /= sum);
        self.penalty =
            found.iter().map(|found| found.penalty).sum::<f64>() - priors.iter().map(|p| p.ln()).sum::<f64>();
        self.mixture = FloatMixture {
            priors,
            gaps: found.iter().map(|found| found.gap as u8).collect(),
            weights: found.iter().map(|found| found.parameters.weight).collect(),
            biases: found.into_iter().flat_map(|found| found.parameters.biases).collect(),
        };
    }

    /// Returns the mutual information of each bit and each earlier bit given the component: `[bit][earlier bit]`, in
    /// nats of the training set. Constraints are ignored.
    pub fn dependence(&self) -> Vec<Vec<f64>> {
        let (_, shares) = self.expect(&self.rows);
        let k = self.settings.components;
        let totals = self.totals(&shares, k);
        let mut rows = vec![0.0; k];
        shares.chunks(k).for_each(|shares| add(&mut rows, shares));
        let bit_dependence = |i: usize| -> Vec<f64> {
            let both = self.counts(&shares, &totals, k, i, i).both;
            let between = |j: usize, c: usize| {
                let (n, a, b, both) = (rows[c], totals[i][c], totals[j][c], both[(i - j) * k + c]);
                let joint = [both, a - both, b - both, n - a - b + both];
                joint.map(|count| plogp(count, n)).iter().sum::<f64>()
                    - [a, n - a, b, n - b].map(|count| plogp(count, n)).iter().sum::<f64>()
            };
            (0..i).map(|j| (0..k).map(|component| between(j, component)).sum()).collect()
        };
        (0..self.train.width()).into_par_iter().map(bit_dependence).collect()
    }

    /// Returns the sum of the posteriors `shares` over the training rows in which each bit is one: `[bit][component]`.
    fn totals(&self, shares: &[f64], k: usize) -> Vec<Vec<f64>> {
        let bit_total = |ones: &Vec<u32>| {
            let mut sum = vec![0.0; k];
            ones.iter().for_each(|&row| add(&mut sum, &shares[row as usize * k..][..k]));
            sum
        };
        self.train.ones.par_iter().map(bit_total).collect()
    }

    /// Returns the expected counts of bit `i` and of its pairs with each of the `reach` bits before it.
    fn counts(&self, shares: &[f64], totals: &[Vec<f64>], k: usize, i: usize, reach: usize) -> BitCounts {
        let reach = reach.min(i);
        let mut counts = BitCounts {
            rows: vec![0.0; k],
            ones: vec![0.0; k],
            parent_ones: vec![0.0; (reach + 1) * k],
            both: vec![0.0; (reach + 1) * k],
        };
        let row_shares = |row: u32| &shares[row as usize * k..][..k];
        let earlier = |row: u32, each: &mut dyn FnMut(usize)| {
            let ones = self.rows.ones.of(row as usize);
            for j in ones.iter().map(|&j| usize::from(j)).take_while(|&j| j < i) {
                if i - j <= reach {
                    each(i - j);
                }
            }
        };
        let free = self.train.free(self.constraints, i);
        if self.rows.constrained[i] {
            for row in members(&free) {
                add(&mut counts.rows, row_shares(row));
                earlier(row, &mut |gap| add(&mut counts.parent_ones[gap * k..][..k], row_shares(row)));
            }
        } else {
            (0..self.train.rows as u32).for_each(|row| add(&mut counts.rows, row_shares(row)));
            (1..=reach).for_each(|gap| counts.parent_ones[gap * k..][..k].copy_from_slice(&totals[i - gap]));
        }
        for &row in self.train.ones[i].iter().filter(|&&row| free[row as usize / 64] >> (row % 64) & 1 == 1) {
            add(&mut counts.ones, row_shares(row));
            earlier(row, &mut |gap| add(&mut counts.both[gap * k..][..k], row_shares(row)));
        }
        counts
    }

    /// Returns the parent and the parameters of bit `i` that maximise the expected log-likelihood minus the penalty.
    ///
    /// In each component the prior adds `pseudo_count` rows with the global distribution. A parent costs ln(rows) / 2
    /// nats, like a parameter in the Bayesian information criterion (Schwarz 1978).
    fn best(&self, counts: &BitCounts, i: usize) -> BestParent {
        let (k, global) = (self.settings.components, &self.global[i]);
        let alpha = self.settings.pseudo_count.max(1e-6);
        let prior = |gap: usize| match gap {
            0 => [[alpha * (1.0 - global.marginal), alpha * global.marginal], [0.0; 2]],
            _ => global.conditional[gap].map(|share| [alpha * (1.0 - share), alpha * share]),
        };
        let counted = |gap: usize, c: usize| {
            let (rows, ones) = (counts.rows[c], counts.ones[c]);
            let (below, both) =
                if gap == 0 { (0.0, 0.0) } else { (counts.parent_ones[gap * k + c], counts.both[gap * k + c]) };
            let [[a, b], [c, d]] = prior(gap);
            let difference = |whole: f64, subset: f64| (whole - subset).max(0.0);
            [
                [a + difference(difference(rows, below), ones - both), b + difference(ones, both)],
                [c + difference(below, both), d + both],
            ]
        };
        // Candidates are ranked as if each component had a separate parent weight, because that fit has a closed form.
        let entropy = |[zeros, ones]: [f64; 2]| plogp(zeros, zeros + ones) + plogp(ones, zeros + ones);
        let separate_gain = |gap: usize| {
            let own = prior(gap).map(entropy);
            let gained =
                |c| counted(gap, c).into_iter().zip(own).map(|(counts, own)| entropy(counts) - own).sum::<f64>();
            (0..k).map(gained).sum::<f64>()
        };
        let mut ranked: Vec<(f64, usize)> =
            (1..counts.parent_ones.len() / k).map(|gap| (separate_gain(gap), gap)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let now = self.mixture.gaps.get(i).map_or(0, |&gap| usize::from(gap));
        let gaps = [0, now].into_iter().chain(ranked.iter().take(SHORTLIST).map(|(_, gap)| *gap));
        let parent_cost = 0.5 * (self.train.rows as f64).ln();
        let found = gaps.map(|gap| {
            let counts: Vec<_> = (0..k).map(|c| counted(gap, c)).collect();
            let (parameters, cost) = (BitParameters::fit(&counts), if gap > 0 { parent_cost } else { 0.0 });
            let own = k as f64 * prior(gap).map(entropy).iter().sum::<f64>();
            let penalty = cost + own - parameters.log_likelihood(&vec![prior(gap); k]);
            (parameters.log_likelihood(&counts) - own - cost, BestParent { gap, parameters, penalty })
        });
        found.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|(_, found)| found).unwrap_or_default()
    }
}

/// Returns count · ln(count / of), or zero if the count is zero.
fn plogp(count: f64, of: f64) -> f64 {
    if count > 0.0 { count * (count / of).ln() } else { 0.0 }
}

/// Adds `terms` to `sum`, element by element.
fn add(sum: &mut [f64], terms: &[f64]) {
    sum.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}
