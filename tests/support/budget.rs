//! Every tolerance of the tests, with its reason. What is not here is compared exactly.
#![allow(dead_code, reason = "each test takes what it needs")]

/// A stored surprisal is -ln of its mass, rounded: half a unit of 1/65536 nat, and the error of `f64::ln`.
pub const NATS_OF_A_BIT: f64 = 0.5 / 65536.0 + 1e-12;

/// An interval of at least 2²⁴ units is shared out by whole ones: a share of at least 2⁻¹⁶ of it is too small by at most one
/// in 2⁸, log2(256/255) bits, an eighth of which are bytes.
pub const BYTES_OF_A_BIT: f64 = 0.00565 / 8.0;

/// What a distance costs lies at most so far below 2 ln(1 + d/s): the binary logarithm on a straight line between powers of
/// two is at most 0.0861 below, times 2 ln 2; and distances are off by less than s/256.
pub const BELOW_THE_TAIL: f64 = 0.0861 * 2.0 * std::f64::consts::LN_2 + ABOVE_THE_TAIL;
/// And at most so far above: s/256 too far.
pub const ABOVE_THE_TAIL: f64 = 2.0 / 256.0 + RAW_NATS;

/// Anomaly score of so many columns, in units of τ: each step of the soft maximum is a straight line between entries of the
/// link's table, (1/32)²/32 from the curve, whose masses are rounded to 1/65536 of at least a half, and surprisals again;
/// and what is divided by τ is rounded down. Together less than 6/65536.
pub fn anomaly_score(columns: usize) -> f64 {
    6.0 / 65536.0 * columns as f64
}

/// Chi-square with 7 degrees of freedom stays below this in all but one of 10,000 fair experiments.
pub const CHI_SQUARE_7: f64 = 29.88;

/// A mean within this many standard errors of its expectation: all but one of 15,000 fair experiments.
pub const STANDARD_ERRORS: f64 = 4.0;

/// The link rounds a logit to 1/32 nat, which costs each bit p(1-p)/2 · (1/64)²/3 < 1.1e-5 nats in the mean, and
/// where the rarer outcome is off the grid's end a little more; weights of 8 bits cost about as much again.
pub const KL_A_BIT: f64 = 1e-4;

/// One row may lie further off than the mean of all: half a step of the link, 1/64 nat, for each of its bits, and as
/// much again for the weights. Over hundreds of rows most of that cancels.
pub const FLOAT_TO_INTEGER_A_BIT: f64 = 2e-3;

/// The solver stops when no single coordinate would gain more than this many nats of the whole training set; a
/// gradient that leaves the optimality conditions by g promises g² / (2 · curvature) of them. Twice that is left for
/// the curvature's drift since the last Newton step.
pub const LOGISTIC_GAIN: f64 = 2.0 * 2e-3;

/// Four bits rounded to 1/32 nat each, and n + 2 for a row that a third of n could be: ln(1 + 2/230).
pub const UNKNOWN: f64 = 4.0 / 64.0 + 0.01;

/// A share of 0.5 % of wild values moves no quantile that measures the spread by more than that share of the rows, and
/// may be the reason why another of two close measures applies, or why another cell of few rows is the narrowest: a factor of 3
/// in the least width of a cell. About one file of 1,300 exceeds a factor of 2.
pub const GRAIN: f64 = 1.0986;

/// Sums of a few thousand `f64` in another order.
pub const F64_SUM: f64 = 1e-9;

/// Seven parameters from 4000 rows cost 7 / (2 · 4000) nats a row in the mean; the difference of two scores of 4000
/// other rows has a standard error of about as much. Four times both, with the rounding of four bits.
pub const ESTIMATION: f64 = 4.0 * 2.0 * 7.0 / 8000.0 + 4.0 * KL_A_BIT;

/// Growth of all trees at once is greedy: another order may happen to serve the training rows a little better.
pub const ORDER: f64 = 2e-3;

/// A mean of eight repetitions within this many of the standard errors that they suggest themselves: Student's t with
/// 7 degrees of freedom exceeds it once in 10,000 fair experiments.
pub const EIGHT_REPEATS: f64 = 7.06;

/// The logit of bit i of a mixture, in units of 1/65536 nat: each bit before it costs a weight at most 2⁻¹⁵ of itself, each
/// component's share of A and of B at most one unit of 2¹⁵, a straight line between the entries of the logarithm 1/8192 nat;
/// and three units for the roundings of its table.
pub fn mixture_logit(i: usize, components: usize) -> f64 {
    2.0 * (i + components) as f64 + 8.0 + 3.0
}

/// A maximisation step ends when it gains less than 1e-10 of its log-likelihood a Newton step, once a bit.
pub const EM_STEP: f64 = 1e-8;

/// A pseudo-count of 1/1000 row moves a share among 100 rows or more by less than this; the rest is Newton's.
pub const PSEUDO_COUNT: f64 = 2e-5;

/// 2 + 7 + 16 parameters from 6000 rows cost 25 / (2 · 6000) nats a row in the mean. Four times that.
pub const PLANTED_MIXTURE: f64 = 4.0 * 25.0 / 12000.0;

/// 300 rows of 8 bits tell their mean log-likelihood to within about 1.5/√300 nats; twice that, and the cost of estimation.
pub const VALIDATION: f64 = 2.0 * 0.087 + 0.05;

/// A gradient in `f32`, of parameters of about one: sums of up to a thousand terms below one, each with a few units of
/// rounding of 2⁻²⁴, and as much for those that cancel. A share of one plus the gradient.
pub const F32_GRADIENT: f64 = 1e-4;

/// A mean log-likelihood in `f32`: some dozens of bits, each below ten nats and off by a few units of 2⁻²⁴ of its logit.
pub const F32_LIKELIHOOD: f64 = 2e-5;

/// A parameter after hundreds of steps in `f32`, each with a unit of rounding of 2⁻²⁴.
pub const F32_STEPS: f64 = 1e-4;

/// What a climb may leave of a concave likelihood of two parameters, in nats a row: the rate ends at zero, and what is left of
/// the batches' noise is that of its last steps.
pub const SUMMIT: f64 = 1e-4;

/// Newton's method ends with a step below 1e-5; its gradient is then that times the curvature of a few thousand rows, over
/// their number.
pub const NEWTON_GRADIENT: f64 = 1e-5;

/// An integer layer's logit besides its own rounding: floats of 24 bits on both sides.
pub const F32_LOGIT: f64 = 1e-4;

/// Surprisals of rows of eight flags have a standard deviation of less than 1.5 nats: a mean of 400 samples and one of 600 rows
/// are off by less than four standard errors of both; a layer that was fitted for five epochs is off by some tenths itself.
pub const SAMPLED_FLAGS: f64 = 4.0 * 1.5 * 0.065 + 0.2;

/// A mean that is rounded to a unit of 1/65536 nat.
pub const RAW_NATS: f64 = 1.0 / 65536.0;

/// A standard error whose squares are of differences of up to ten nats, rounded to 1/4096 nat: as many 1/4096 nat² are lost
/// or won of the variance at most, an error of √(10/4096) where that is zero. Scores of the tests spread over a tenth of a
/// nat or more, which divides it by twice that.
pub const STANDARD_ERROR: f64 = 10.0 / 4096.0 / 0.2;

/// Two empirical distributions of one law are this far apart in all but one of 10,000 fair experiments (Smirnov 1948: √(ln(2 ·
/// 10⁴) / 2) · √(1/n + 1/m)); and 1/32 of the rows lie on each line between two quantiles, which for an exponential law leaves
/// it by less than an eighth of that share.
pub fn kolmogorov_smirnov(n: u32, m: u32) -> f64 {
    2.23 * (1.0 / f64::from(n) + 1.0 / f64::from(m)).sqrt() + 1.0 / 256.0
}

/// A chain of 100 states instead of a line: each step is rounded by up to 1/400 of the limit, which cancels but for the
/// curvature of the law of steps.
pub const CHAIN: f64 = 0.02;

/// A mean run of 500 rows rests on the mean of 20,000 held-out scores, known to 1/140 of a standard deviation; a limit of
/// some five deviations makes e^(2 · 5 / 140) of that, and the deviation of a heavy tail as much again. Three times both.
pub const CUSUM_SAMPLING: f64 = 0.3;

/// A statistic in `f32`, as a share of itself (the mean: of the RMS): n roundings of 2⁻²⁴ in a sum, as good as random;
/// those of the mean and of the samples are as many times larger as the offset is larger than the RMS. A fourth power
/// has four of each.
pub fn statistic(samples: usize, offset: f64) -> f64 {
    4.0 * 2f64.powi(-24) * ((samples as f64).sqrt() + offset)
}

/// A band's power in `f32`, as a share of the window's mean square: Goertzel's recurrence holds sums that are 1/sin of
/// the band's angle larger than what comes of them, squared, and at most 2B/π of that; and the roundings of a
/// statistic.
pub fn band(samples: usize, offset: f64, bands: usize) -> f64 {
    statistic(samples, offset) + 2f64.powi(-24) * (2.0 * bands as f64 / std::f64::consts::PI).powi(2)
}

/// `micromath`'s square root is a straight line between powers of four, 1.5/√2 too large where it is worst; the fourth
/// power of its inverse, 0.79, is in the kurtosis.
pub const MICROMATH_ROOT: f64 = 1.5 / std::f64::consts::SQRT_2 - 1.0;
/// See there.
pub const MICROMATH_KURTOSIS: f64 = 0.21 + 1e-4;
/// `micromath`'s logarithm is a polynomial of fourth degree between powers of two.
pub const MICROMATH_LN: f64 = 1e-4;

/// What is left of one of so many numbers, in steps: each number that it rests on is cut to a step, and each mean again, by
/// weights of 1/4096; so is the number itself, and what is expected of it. With roundings of `f64` at sums below 2⁴⁰.
pub fn residual(weights: &[i16], numbers: usize) -> f64 {
    let sum = |weights: &[i16]| weights.iter().map(|&weight| f64::from(weight).abs()).sum::<f64>() / 4096.0;
    2.0 + sum(weights) + sum(&weights[numbers..2 * numbers]) + 1e-3
}

/// The surprisal of a mass, see `Nats::of_mass`: a line between 129 points of a logarithm lies up to half a unit of 1/65536 nat
/// below it, is cut to a unit, and its points are rounded up; the error of `f64::ln` is nothing to that.
pub const NATS_OF_A_MASS: f64 = 1.5 / 65536.0;

/// The surprisal of a row of so many columns in so many views: each mass and each log-width; each distance beyond the range; and
/// the mixture of two views, whose difference is rounded to 1/32 nat and so its logarithm by up to a quarter of that.
pub fn view_nats(views: usize, columns: usize, tails: u32) -> f64 {
    let mixture = (views as f64 - 1.0) * (1.0 / 128.0 + 2.0 * RAW_NATS);
    columns as f64 * (NATS_OF_A_MASS + RAW_NATS) + f64::from(tails) * BELOW_THE_TAIL + mixture
}

/// The soft maxima of so many views together: the power and the logarithm to base 2 of Mitchell are each up to 0.0861 off, in
/// opposite directions; what is divided by τ and what is shifted to the largest octave is cut, a few units per number; the
/// surprisals themselves; and a tail is up to 0.0861 ln 2 too high, as its logarithm is linear between powers of two.
pub fn soft_maximum(views: usize, temperature: f64, numbers: u32, tails: u32) -> f64 {
    let cut = temperature * f64::from(numbers) * 3.0 / 65536.0;
    views as f64 * (temperature * 0.0861 + 0.0597) + cut + view_nats(1, numbers as usize, tails)
}
