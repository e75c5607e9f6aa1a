//! What everything fast is compared with: by definition, a few lines a part, nothing clever.
#![allow(dead_code, reason = "each test takes what it needs")]

use surprisal::{Activation, Column, Conditional, Constraint, Detector, Kind, Model, Nats, Reading, Term};

/// A decision tree as the word is understood.
#[derive(Clone, Debug)]
pub enum Tree {
    Leaf(i8),
    /// The bit that is asked, what follows a zero, what follows a one.
    Ask(usize, Box<Tree>, Box<Tree>),
}

impl Tree {
    pub fn leaf(&self, row: &[bool]) -> i8 {
        match self {
            Self::Leaf(leaf) => *leaf,
            Self::Ask(bit, zero, one) => if row[*bit] { one } else { zero }.leaf(row),
        }
    }
}

/// logit = bias + scale · Σ of the weights w\[j\] with x_j = 1, in units of 1/65536 nat.
pub fn linear(bias: i16, scale: u16, weights: &[i32], row: &[bool]) -> f64 {
    let sum: i32 = weights.iter().zip(row).map(|(&weight, &bit)| if bit { weight } else { 0 }).sum();
    f64::from(bias) * 64.0 + f64::from(sum) * f64::from(scale)
}

/// A hidden layer: its slices mean what `Nade::new` says.
#[derive(Clone, Debug)]
pub struct Layer {
    pub activation: Activation,
    pub shift: u32,
    pub biases: Vec<i16>,
    pub gains: Vec<u16>,
    pub inputs: Vec<i8>,
    pub outputs: Vec<i8>,
    pub scales: Vec<u16>,
}

impl Layer {
    /// logit_i = scale_i / 2^shift · Σ_u v_iu · f(c_u + Σ_{j<i, x_j=1} w_ju), rounded down, in units of 1/65536 nat. Sums of
    /// 16 bits and logits of 32 wrap.
    pub fn logit(&self, row: &[bool], i: usize) -> f64 {
        let units = self.biases.len();
        let unit = |u: usize| {
            let ones = (0..i).filter(|&j| row[j]);
            let sum: i64 = i64::from(self.biases[u]) + ones.map(|j| i64::from(self.inputs[j * units + u])).sum::<i64>();
            let sum = i64::from(sum as i16);
            match self.activation {
                Activation::Relu => sum.max(0),
                Activation::Sigmoid => (mass(step((sum * i64::from(self.gains[u])) as f64)) / 2.0).floor() as i64,
                _ => sum,
            }
        };
        let sum: i64 = (0..units).map(|u| i64::from(self.outputs[i * units + u]) * unit(u)).sum();
        f64::from(((sum * i64::from(self.scales[i])) >> self.shift) as i32)
    }
}

/// The grid point of a logit in units of 1/65536 nat: the nearest multiple of 1/32 nat, a tie going up, within ±11.
pub fn step(logit: f64) -> f64 {
    (logit / 2048.0 + 0.5).floor().clamp(-352.0, 352.0)
}

/// How many of 65536 equally likely coins give a one at a grid point.
pub fn mass(step: f64) -> f64 {
    let rare = (65536.0 / (1.0 + (step.abs() / 32.0).exp())).round().max(1.0);
    if step > 0.0 { 65536.0 - rare } else { rare }
}

/// What a constraint leaves bit i, given the bits before it.
pub fn implied(constraints: &[u16], row: &[bool], i: usize) -> Option<bool> {
    let (parent, when, value) = Constraint::from_raw(*constraints.get(i)?).condition()?;
    (row[parent] == when).then_some(value)
}

/// How many of the 65536^n equally likely sequences of n coins give this row.
pub fn coins<const N: usize, T: Term<N>>(model: &Model<N, T>, row: &[bool; N]) -> u128 {
    let (mut coins, mut walk) = (1, model.walk());
    while let Some((i, conditional)) = walk.next(row) {
        coins *= match conditional {
            Conditional::Free(logit) => u128::from(logit.mass().of(row[i])),
            Conditional::Known(value) => {
                if value == row[i] {
                    65536
                } else {
                    0
                }
            }
        };
        walk.observe(row[i]);
    }
    coins
}

/// All rows of n bits.
pub fn rows<const N: usize>(n: usize) -> impl Iterator<Item = [bool; N]> {
    (0..1u32 << n).map(move |number| std::array::from_fn(|i| i < n && number >> i & 1 == 1))
}

/// The outcome of a reading, `Some(None)` if it is missing, or `None` if it does not fit the column.
pub fn outcome(column: &Column, reading: Reading) -> Option<Option<usize>> {
    let rank = |beyond: &dyn Fn(i32) -> bool| column.values.iter().filter(|&&edge| beyond(edge)).count();
    let real = |key: i32| f32::from_bits(surprisal::total_order(f32::from_bits(key as u32)) as u32);
    let outcome = match (column.kind, reading) {
        (_, Reading::Missing) => None,
        (_, Reading::Real(value)) if value.is_nan() => None,
        (Kind::Real, Reading::Real(value)) => Some(rank(&|edge| value > real(edge))),
        (Kind::Integer, Reading::Integer(value)) => Some(rank(&|edge| value > edge)),
        (Kind::Category, Reading::Integer(value)) => {
            Some(column.values.iter().position(|&code| code == value).unwrap_or(column.values.len()))
        }
        (Kind::Flag { flipped }, Reading::Integer(value @ 0..=1)) => Some(usize::from((value == 1) != flipped)),
        (Kind::Flag { .. }, Reading::Integer(_)) => Some(1),
        _ => return None,
    };
    (outcome.is_some() || column.may_miss).then_some(outcome)
}

/// What a reading beyond the outermost edges costs for its distance d, in nats: 2 ln(1 + d/s), s = 2^reach, for flags 1.
/// Infinity is 2^128; nothing is farther than 2^53 s.
pub fn tail(column: &Column, reading: Reading) -> f64 {
    let real = |key: i32| f64::from(f32::from_bits(surprisal::total_order(f32::from_bits(key as u32)) as u32));
    let [first, last] = [column.values.first(), column.values.last()].map(|edge| edge.copied().unwrap_or(0));
    let (value, first, last) = match (column.kind, reading) {
        (Kind::Flag { .. }, Reading::Integer(value)) => (f64::from(value), 0.0, 1.0),
        (Kind::Integer, Reading::Integer(value)) => (f64::from(value), f64::from(first), f64::from(last)),
        (Kind::Real, Reading::Real(value)) if !value.is_nan() => (f64::from(value), real(first), real(last)),
        _ => return 0.0,
    };
    // Exact, also under Miri, which returns other numbers than `powi` does on purpose.
    let power_of_two = |exponent: i16| f64::from_bits((1023 + i64::from(exponent)).cast_unsigned() << 52);
    let limit = |x: f64, exponent| x.clamp(-power_of_two(exponent), power_of_two(exponent));
    let scaled = |x: f64| limit(x, 128) / power_of_two(column.tail_scale.into());
    let most = |x: f64| limit(x, 53);
    let [value, first, last] = [value, first, last].map(|x| most(scaled(x)));
    2.0 * most((first - value).max(value - last).max(0.0)).ln_1p()
}

/// The bits of a reading, and what makes their mass a density, in nats. Bits: "missing?" if the column may miss, then "is
/// the outcome above the pivot, the next, …?", then "is it at most the one before the pivot, the one before that, …?".
/// Nats: the cell's log-width, the distance, and ln 65536 for what is no flag.
pub fn encode(column: &Column, reading: Reading) -> Option<(Vec<bool>, f64)> {
    let outcome = outcome(column, reading)?;
    let mut bits = Vec::new();
    bits.extend(column.may_miss.then_some(outcome.is_none()));
    let (pivot, levels) = (usize::from(column.pivot), column.bits() - bits.len());
    bits.extend((pivot..levels).map(|level| outcome.is_some_and(|outcome| outcome > level)));
    bits.extend((0..pivot).rev().map(|level| outcome.is_some_and(|outcome| outcome <= level)));
    let width = outcome.and_then(|outcome| column.log_widths.get(outcome)).copied().unwrap_or(0);
    let no_flag =
        matches!((column.kind, reading), (Kind::Flag { .. }, Reading::Integer(value)) if !(0..=1).contains(&value));
    let rarest = if no_flag { f64::from(Nats::RAREST) } else { 0.0 };
    Some((bits, f64::from(width) / 2048.0 + tail(column, reading) + rarest))
}

/// The constraints that say which bits of a column follow from which: none is asked below a "missing", past a level that was
/// not reached, or on the other side of the pivot.
pub fn constraints(columns: &[Column]) -> Vec<u16> {
    let mut constraints = Vec::new();
    for column in columns {
        let first = constraints.len();
        let after = |bit: usize, when| Constraint::implied((first + bit) as u16, when, false);
        let downwards = column.bits() - usize::from(column.pivot);
        for bit in 0..column.bits() {
            constraints.push(match bit {
                0 => Constraint::FREE.raw(),
                1 if column.may_miss => after(0, true).raw(),
                _ if bit == downwards => after(0, true).raw(),
                _ => after(bit - 1, false).raw(),
            });
        }
    }
    constraints
}

/// One step of a cumulative sum: is it an alarm?
pub fn cusum(sum: &mut i64, score: u32, detector: &Detector) -> bool {
    let grown = (*sum + i64::from(score.min(detector.cusum_cap.raw()))).min(u32::MAX.into());
    *sum = (grown - i64::from(detector.reference.raw())).max(0);
    let alarm = *sum > i64::from(detector.decision_interval.raw());
    if alarm {
        *sum = 0;
    }
    alarm
}

/// τ ln Σ_j exp((s_j + U - u_j)/τ) of surprisals by the position of the reading, in nats; and the largest s_j + U - u_j.
pub fn anomaly_score(detector: &Detector, each: &[Nats]) -> (f64, f64) {
    let tau = f64::from(1u32 << detector.log2_temperature);
    let level = detector.baselines.iter().max().map_or(0.0, |&usual| f64::from(usual) / 1024.0);
    let usual = |column: usize| detector.baselines.get(column).map_or(0.0, |&usual| f64::from(usual) / 1024.0);
    let moved: Vec<f64> = each.iter().enumerate().map(|(j, &nats)| f64::from(nats) + level - usual(j)).collect();
    let largest = moved.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = moved.iter().map(|moved| ((moved - largest) / tau).exp()).sum();
    (largest + tau * sum.ln(), largest)
}

/// Mean and standard deviation of scores in units of 1/65536 nat, in nats.
pub fn moments(scores: &[u32]) -> (f64, f64) {
    let n = scores.len() as f64;
    let nats = |score: u32| f64::from(score) / 65536.0;
    let mean = scores.iter().map(|&score| nats(score)).sum::<f64>() / n;
    let squares: f64 = scores.iter().map(|&score| (nats(score) - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}

/// The mean score over that of held-out rows, and its standard error, in nats.
pub fn drift(scores: &[u32], detector: &Detector) -> (f64, f64) {
    let capped: Vec<u32> = scores.iter().map(|&score| score.min(detector.score_cap.raw())).collect();
    let (mean, deviation) = moments(&capped);
    let held_out = f64::from(detector.deviation).powi(2) / f64::from(detector.rows);
    (mean - f64::from(detector.entropy), (deviation.powi(2) / scores.len() as f64 + held_out).sqrt())
}

/// What the core calls mean, RMS, peak to peak, crest, kurtosis and crossings of a window.
pub fn statistics(samples: &[f32]) -> [f64; 6] {
    let count = samples.len() as f64;
    let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let deviations: Vec<f64> = samples.iter().map(|&x| f64::from(x) - mean).collect();
    let moment = |k| deviations.iter().map(|d| d.powi(k)).sum::<f64>() / count;
    let (least, most) = deviations.iter().fold((f64::MAX, f64::MIN), |(least, most), &d| (least.min(d), most.max(d)));
    let crossings = deviations.windows(2).filter(|pair| (pair[0] >= 0.0) != (pair[1] >= 0.0)).count();
    let rms = moment(2).sqrt();
    let crest = most.max(-least) / rms;
    [mean, rms, most - least, crest, moment(4) / moment(2).powi(2), crossings as f64 / (count - 1.0)]
}

/// The mean squares of a window in equally wide bands: the Fourier sums of segments of twice as many samples as there are bands,
/// at the centres of the bands.
pub fn powers(samples: &[f32], bands: usize) -> Vec<f64> {
    let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / samples.len() as f64;
    let segments = samples.chunks_exact(2 * bands);
    let power = |k: usize| {
        let angle = std::f64::consts::PI * (k as f64 + 0.5) / bands as f64;
        let sum = |wave: fn(f64) -> f64, segment: &[f32]| -> f64 {
            segment.iter().enumerate().map(|(t, &x)| (f64::from(x) - mean) * wave(angle * t as f64)).sum()
        };
        let squares = |segment: &[f32]| sum(f64::cos, segment).powi(2) + sum(f64::sin, segment).powi(2);
        segments.clone().map(squares).sum::<f64>() / segments.len() as f64 / (2 * bands * bands) as f64
    };
    (0..bands).map(power).collect()
}

/// A reading in steps of 2^reach / 256 from the centre, as far as 32 bits reach; none of a missing one. Infinity is 2¹²⁸.
pub fn steps(reading: Reading, reach: i32, centre: i32) -> Option<f64> {
    let value = match reading {
        Reading::Integer(value) => f64::from(value),
        Reading::Real(value) if !value.is_nan() => f64::from(value).clamp(-2f64.powi(128), 2f64.powi(128)),
        _ => return None,
    };
    let most = f64::from(i32::MAX);
    Some((value * 256.0 / f64::from(reach).exp2() - f64::from(centre)).clamp(-most, most))
}

/// What a linear predictor leaves of a number of a row, in steps, given the window's rows and the numbers before it:
/// 4096 times the weights of the last row, of the means, and of those numbers.
pub fn residual(weights: &[i16], past: &[Vec<f64>], now: &[f64], number: usize) -> f64 {
    let mean = |of: usize| past.iter().map(|row| row[of]).sum::<f64>() / past.len() as f64;
    let known =
        past[past.len() - 1].iter().copied().chain((0..now.len()).map(mean)).chain(now[..number].iter().copied());
    let expected: f64 = weights.iter().zip(known).map(|(&weight, value)| f64::from(weight) / 4096.0 * value).sum();
    (now[number] - expected).clamp(i32::MIN.into(), i32::MAX.into())
}
