//! Expectation and maximisation for mixtures of trees whose bits come in a given order. Then the expected log-likelihood is
//! a sum of terms, one a bit, in each of which that bit's parent and no other occurs, and any choice of earlier parents is a
//! tree: so the best tree is every bit's best parent.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::row::Row;
use super::{Mixture, Settings};
use crate::bits::{Bits, members};
use crate::model::log_sigmoid;

/// Rows as lists of bits.
#[derive(Debug)]
pub struct Rows {
    /// The ones of each row, ascending.
    ones: Lists,
    /// The bits of each row that a guard leaves free.
    spared: Lists,
    /// For each bit, whether it has a guard.
    guarded: Vec<bool>,
}

#[derive(Debug)]
struct Lists {
    starts: Vec<usize>,
    items: Vec<u16>,
}

impl Lists {
    /// The columns' rows, turned round.
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

    fn of(&self, row: usize) -> &[u16] {
        &self.items[self.starts[row]..self.starts[row + 1]]
    }

    fn rows(&self) -> usize {
        self.starts.len() - 1
    }
}

impl Rows {
    /// Those of `bits`.
    pub fn new(bits: &Bits, guards: &[u16]) -> Self {
        let guarded: Vec<bool> =
            (0..bits.width()).map(|i| guards.get(i).is_some_and(|&guard| guard != u16::MAX)).collect();
        let free: Vec<Vec<u64>> =
            (0..bits.width()).map(|i| if guarded[i] { bits.free(guards, i) } else { Vec::new() }).collect();
        Self {
            ones: Lists::new(bits.rows, || bits.ones.iter().map(|ones| ones.iter().copied()).collect()),
            spared: Lists::new(bits.rows, || free.iter().map(|set| members(set)).collect()),
            guarded,
        }
    }
}

/// A fit under way.
#[derive(Debug)]
pub struct Em<'b> {
    train: &'b Bits,
    guards: &'b [u16],
    settings: Settings,
    rows: Rows,
    /// What is expected of each bit without components.
    global: Vec<Expected>,
    /// As it stands.
    pub mixture: Mixture,
    /// What the prior takes from its log-likelihood.
    price: f64,
}

/// The counts of one bit over the rows in which it is free, a number a component; the second index is the gap to an
/// earlier bit, 0 for none.
struct Counts {
    rows: Vec<f64>,
    ones: Vec<f64>,
    /// Rows in which the earlier bit is a one.
    below: Vec<f64>,
    /// Rows in which both are.
    both: Vec<f64>,
}

/// The probability of a one, over all rows and given each earlier bit.
#[derive(Debug)]
struct Expected {
    alone: f64,
    given: Vec<[f64; 2]>,
}

/// What a step found for a bit.
#[derive(Default)]
struct Found {
    gap: usize,
    row: Row,
    price: f64,
}

impl<'b> Em<'b> {
    /// Before the first guess.
    pub fn new(train: &'b Bits, guards: &'b [u16], settings: &Settings) -> Self {
        let (rows, mixture) = (Rows::new(train, guards), Mixture::default());
        let mut em = Self { train, guards, settings: *settings, rows, global: Vec::new(), mixture, price: 0.0 };
        let whole = vec![1.0; train.rows];
        let totals = em.totals(&whole, 1);
        let expected = |i: usize| {
            let counts = em.counts(&whole, &totals, 1, i, FARTHEST);
            let alone = (counts.ones[0] + 1.0) / (counts.rows[0] + 2.0);
            let share = |ones: f64, rows: f64| (ones + 2.0 * alone) / (rows + 2.0);
            let pairs = counts.both.iter().zip(&counts.below);
            let given =
                pairs.map(|(both, below)| [share(counts.ones[0] - both, counts.rows[0] - below), share(*both, *below)]);
            Expected { alone, given: given.collect() }
        };
        em.global = (0..train.width()).into_par_iter().map(expected).collect();
        em
    }

    /// Deals each row to a random component, and takes some steps without parents: edges that come before the components
    /// are told apart explain what components should, and stay.
    pub fn start(&mut self, seed: u64) {
        let k = self.settings.components;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut shares = vec![0.0; self.train.rows * k];
        shares.chunks_mut(k).for_each(|shares| shares[random.random_range(0..k)] = 1.0);
        self.mixture = Mixture::default();
        self.maximise(&shares, 0);
        for _ in 0..WARM_UP {
            (_, shares) = self.expect(&self.rows);
            self.maximise(&shares, 0);
        }
    }

    /// One step; returns what it raises, as it was before: the log-likelihood of the training rows less the prior's price.
    pub fn step(&mut self) -> f64 {
        let (log_likelihoods, shares) = self.expect(&self.rows);
        let before = log_likelihoods.iter().sum::<f64>() - self.price;
        self.maximise(&shares, FARTHEST);
        before
    }

    /// Mean log-likelihood of rows.
    pub fn log_likelihood(&self, rows: &Rows) -> f64 {
        let (each, _) = self.expect(rows);
        each.iter().sum::<f64>() / each.len().max(1) as f64
    }

    /// The log-likelihood of each row, and what share of it each component has.
    ///
    /// As far as bits without guards go, ln p_k is a constant, plus a term for each one, plus the weight of each one whose
    /// parent is a one as well; the free ones of the others are looked up.
    fn expect(&self, rows: &Rows) -> (Vec<f64>, Vec<f64>) {
        let (mixture, k, n) = (&self.mixture, self.mixture.components(), rows.guarded.len());
        let mut base: Vec<f64> = mixture.priors.iter().map(|prior| prior.ln()).collect();
        let mut single = vec![0.0; n * k];
        for at in (0..n * k).filter(|at| !rows.guarded[at / k]) {
            let (i, bias) = (at / k, mixture.biases[at]);
            base[at % k] += log_sigmoid(bias, false);
            single[at] += bias;
            if mixture.gaps[i] > 0 {
                let of_parent = log_sigmoid(bias + mixture.weights[i], false) - log_sigmoid(bias, false);
                single[at - usize::from(mixture.gaps[i]) * k] += of_parent;
            }
        }
        let mut shares = vec![0.0; rows.ones.rows() * k];
        let work = |first: usize, shares: &mut [f64]| -> Vec<f64> {
            let mut row = vec![false; n];
            let of_row = |(at, shares): (usize, &mut [f64])| {
                let ones = rows.ones.of(first + at);
                ones.iter().for_each(|&i| row[usize::from(i)] = true);
                shares.copy_from_slice(&base);
                let mut alike = 0.0;
                for i in ones.iter().map(|&i| usize::from(i)) {
                    add(shares, &single[i * k..][..k]);
                    let gap = usize::from(mixture.gaps[i]);
                    alike += if gap > 0 && !rows.guarded[i] && row[i - gap] { mixture.weights[i] } else { 0.0 };
                }
                for i in rows.spared.of(first + at).iter().map(|&i| usize::from(i)) {
                    for (component, share) in shares.iter_mut().enumerate() {
                        *share += log_sigmoid(mixture.logit(i, component, &row), row[i]);
                    }
                }
                ones.iter().for_each(|&i| row[usize::from(i)] = false);
                let most = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                shares.iter_mut().for_each(|share| *share = (*share - most).exp());
                let sum: f64 = shares.iter().sum();
                shares.iter_mut().for_each(|share| *share /= sum);
                alike + most + sum.ln()
            };
            shares.chunks_mut(k).enumerate().map(of_row).collect()
        };
        let chunks = shares.par_chunks_mut(CHUNK * k).enumerate();
        let log_likelihoods: Vec<Vec<f64>> = chunks.map(|(at, shares)| work(at * CHUNK, shares)).collect();
        (log_likelihoods.concat(), shares)
    }

    /// The best mixture for these shares, with parents at most `reach` before their bits.
    fn maximise(&mut self, shares: &[f64], reach: usize) {
        let k = self.settings.components;
        let totals = self.totals(shares, k);
        let best = |i: usize| self.best(&self.counts(shares, &totals, k, i, reach), i);
        let found: Vec<Found> = (0..self.train.width()).into_par_iter().map(best).collect();
        // One row more for each component: none ever vanishes.
        let mut priors = vec![1.0; k];
        shares.chunks(k).for_each(|shares| add(&mut priors, shares));
        let sum: f64 = priors.iter().sum();
        priors.iter_mut().for_each(|prior| *prior /= sum);
        self.price = found.iter().map(|found| found.price).sum::<f64>() - priors.iter().map(|p| p.ln()).sum::<f64>();
        self.mixture = Mixture {
            priors,
            gaps: found.iter().map(|found| found.gap as u8).collect(),
            weights: found.iter().map(|found| found.row.weight).collect(),
            biases: found.into_iter().flat_map(|found| found.row.biases).collect(),
        };
    }

    /// For each bit and each earlier one, their mutual information given the component, in nats of the training set;
    /// guards are not looked at.
    pub fn dependence(&self) -> Vec<Vec<f64>> {
        let (_, shares) = self.expect(&self.rows);
        let k = self.settings.components;
        let totals = self.totals(&shares, k);
        let mut rows = vec![0.0; k];
        shares.chunks(k).for_each(|shares| add(&mut rows, shares));
        let of_bit = |i: usize| -> Vec<f64> {
            let both = self.counts(&shares, &totals, k, i, i).both;
            let between = |j: usize, c: usize| {
                let (n, a, b, both) = (rows[c], totals[i][c], totals[j][c], both[(i - j) * k + c]);
                let joint = [both, a - both, b - both, n - a - b + both];
                joint.map(|count| plogp(count, n)).iter().sum::<f64>()
                    - [a, n - a, b, n - b].map(|count| plogp(count, n)).iter().sum::<f64>()
            };
            (0..i).map(|j| (0..k).map(|component| between(j, component)).sum()).collect()
        };
        (0..self.train.width()).into_par_iter().map(of_bit).collect()
    }

    /// For each bit, the shares of the rows in which it is one.
    fn totals(&self, shares: &[f64], k: usize) -> Vec<Vec<f64>> {
        let of_bit = |ones: &Vec<u32>| {
            let mut sum = vec![0.0; k];
            ones.iter().for_each(|&row| add(&mut sum, &shares[row as usize * k..][..k]));
            sum
        };
        self.train.ones.par_iter().map(of_bit).collect()
    }

    /// The counts of bit `i` with itself and the bits at most `reach` before it.
    fn counts(&self, shares: &[f64], totals: &[Vec<f64>], k: usize, i: usize, reach: usize) -> Counts {
        let reach = reach.min(i);
        let mut counts = Counts {
            rows: vec![0.0; k],
            ones: vec![0.0; k],
            below: vec![0.0; (reach + 1) * k],
            both: vec![0.0; (reach + 1) * k],
        };
        let of_row = |row: u32| &shares[row as usize * k..][..k];
        let earlier = |row: u32, each: &mut dyn FnMut(usize)| {
            let ones = self.rows.ones.of(row as usize);
            for j in ones.iter().map(|&j| usize::from(j)).take_while(|&j| j < i) {
                if i - j <= reach {
                    each(i - j);
                }
            }
        };
        let free = self.train.free(self.guards, i);
        if self.rows.guarded[i] {
            for row in members(&free) {
                add(&mut counts.rows, of_row(row));
                earlier(row, &mut |gap| add(&mut counts.below[gap * k..][..k], of_row(row)));
            }
        } else {
            (0..self.train.rows as u32).for_each(|row| add(&mut counts.rows, of_row(row)));
            (1..=reach).for_each(|gap| counts.below[gap * k..][..k].copy_from_slice(&totals[i - gap]));
        }
        for &row in self.train.ones[i].iter().filter(|&&row| free[row as usize / 64] >> (row % 64) & 1 == 1) {
            add(&mut counts.ones, of_row(row));
            earlier(row, &mut |gap| add(&mut counts.both[gap * k..][..k], of_row(row)));
        }
        counts
    }

    /// The parent of bit `i` and the logits that maximise the expected log-likelihood less the prior's price: in each
    /// component the expected share counts for some rows, and a parent costs what a parameter does (Schwarz 1978).
    fn best(&self, counts: &Counts, i: usize) -> Found {
        let (k, global) = (self.settings.components, &self.global[i]);
        let alpha = self.settings.pseudo_count.max(1e-6);
        let prior = |gap: usize| match gap {
            0 => [[alpha * (1.0 - global.alone), alpha * global.alone], [0.0; 2]],
            _ => global.given[gap].map(|expected| [alpha * (1.0 - expected), alpha * expected]),
        };
        let counted = |gap: usize, c: usize| {
            let (rows, ones) = (counts.rows[c], counts.ones[c]);
            let (below, both) =
                if gap == 0 { (0.0, 0.0) } else { (counts.below[gap * k + c], counts.both[gap * k + c]) };
            let [[a, b], [c, d]] = prior(gap);
            let rest = |whole: f64, part: f64| (whole - part).max(0.0);
            [[a + rest(rest(rows, below), ones - both), b + rest(ones, both)], [c + rest(below, both), d + both]]
        };
        // Parents are ranked as if each component had a weight of its own, which needs no search.
        let entropy = |[zeros, ones]: [f64; 2]| plogp(zeros, zeros + ones) + plogp(ones, zeros + ones);
        let apart = |gap: usize| {
            let own = prior(gap).map(entropy);
            let gained =
                |c| counted(gap, c).into_iter().zip(own).map(|(counts, own)| entropy(counts) - own).sum::<f64>();
            (0..k).map(gained).sum::<f64>()
        };
        let mut ranked: Vec<(f64, usize)> = (1..counts.below.len() / k).map(|gap| (apart(gap), gap)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let now = self.mixture.gaps.get(i).map_or(0, |&gap| usize::from(gap));
        let gaps = [0, now].into_iter().chain(ranked.iter().take(SHORTLIST).map(|(_, gap)| *gap));
        let toll = 0.5 * (self.train.rows as f64).ln();
        let found = gaps.map(|gap| {
            let counts: Vec<_> = (0..k).map(|c| counted(gap, c)).collect();
            let (row, toll) = (Row::best(&counts), if gap > 0 { toll } else { 0.0 });
            let own = k as f64 * prior(gap).map(entropy).iter().sum::<f64>();
            let price = toll + own - row.log_likelihood(&vec![prior(gap); k]);
            (row.log_likelihood(&counts) - own - toll, Found { gap, row, price })
        });
        found.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|(_, found)| found).unwrap_or_default()
    }
}

fn plogp(count: f64, of: f64) -> f64 {
    if count > 0.0 { count * (count / of).ln() } else { 0.0 }
}

/// Steps without parents.
const WARM_UP: usize = 10;
/// How many parents to fit.
const SHORTLIST: usize = 4;
/// How far before its bit a parent may lie.
const FARTHEST: usize = 255;
/// Rows that a thread takes at a time.
const CHUNK: usize = 512;

fn add(sum: &mut [f64], terms: &[f64]) {
    sum.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}
