//! Features of raw signals: turns windows of samples into readings, namely statistics and band powers in `f32`.
//!
//! Every sum runs over the samples in order and rounds after each operation, so that a board with [`Libm`] computes the
//! same bits as the trainer. No other module computes with floats: the readings go to an encoder, and probabilities are
//! integers.

/// The two mathematical functions that features need beyond arithmetic.
pub trait Math {
    /// Returns the square root of a number that is zero or positive.
    fn sqrt(x: f32) -> f32;
    /// Returns the natural logarithm of a positive number that is not subnormal.
    fn ln(x: f32) -> f32;
}

/// Mathematical functions of the crate `libm`, exact to one unit in the last place. The trainer uses them as well.
#[cfg(feature = "libm")]
#[derive(Clone, Copy, Debug)]
pub struct Libm;

#[cfg(feature = "libm")]
impl Math for Libm {
    fn sqrt(x: f32) -> f32 {
        libm::sqrtf(x)
    }

    fn ln(x: f32) -> f32 {
        libm::logf(x)
    }
}

/// Mathematical functions of the crate `micromath`: square roots are up to 6.1 % too large, logarithms exact to 0.0001.
/// So the features of a window differ from the features that the trainer computes with [`Libm`].
#[cfg(feature = "micromath")]
#[derive(Clone, Copy, Debug)]
pub struct Micromath;

#[cfg(feature = "micromath")]
impl Math for Micromath {
    fn sqrt(x: f32) -> f32 {
        // The crate halves the bits of its argument, which for zero does not give zero.
        if x == 0.0 { 0.0 } else { micromath::F32Ext::sqrt(x) }
    }

    fn ln(x: f32) -> f32 {
        // Below 1 the crate uses a reciprocal with an error of a tenth, so it only gets mantissas between 1 and 2.
        let exponent = (x.to_bits() >> 23) as i32 - 127;
        let mantissa = f32::from_bits(x.to_bits() & 0x7F_FFFF | 0x3F80_0000);
        exponent as f32 * core::f32::consts::LN_2 + micromath::F32Ext::ln(mantissa)
    }
}

/// A feature: one number computed from a window of n samples x. In the formulas, d is a sample minus the mean of the
/// window.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Feature {
    /// The mean Σx / n, in units of the signal.
    Mean,
    /// The root mean square about the mean, √(Σd² / n), in units of the signal. A constant offset does not change it.
    Rms,
    /// The peak-to-peak value max x - min x, in units of the signal.
    PeakToPeak,
    /// The crest factor max |d| / RMS, at least 1; 0 if the window is constant.
    Crest,
    /// The kurtosis, the fourth standardised moment Σ(d / RMS)⁴ / n: 3 for Gaussian noise, 1.5 for a sine, at least 1;
    /// 0 if the window is constant.
    Kurtosis,
    /// The zero crossings: the share, 0 to 1, of pairs of neighbouring samples in which one has d ≥ 0 and the other d <
    /// 0.
    Crossings,
    /// The natural logarithm of the mean square of d in one frequency band, in units of the signal squared. Create it
    /// with [`band`](Self::band).
    Band {
        /// 2 cos of the band's centre in radians per sample.
        coefficient: f32,
    },
}

impl Feature {
    /// All features except bands, in the order of the variants.
    pub const STATISTICS: [Self; 6] =
        [Self::Mean, Self::Rms, Self::PeakToPeak, Self::Crest, Self::Kurtosis, Self::Crossings];

    /// Returns band `k`, 0 to `bands` - 1, of `bands` equally wide bands from zero to half the sampling rate. Its
    /// centre is at (k + ½) / bands of that range.
    ///
    /// ```
    /// use surprisal::Feature;
    /// let quarter = Feature::Band { coefficient: 2f32.sqrt() };
    /// assert_eq!([Feature::band(0, 2), Feature::band(0, 1)], [quarter, Feature::Band { coefficient: 0.0 }]);
    /// ```
    pub const fn band(k: u16, bands: u16) -> Self {
        let bands = if bands == 0 { 1 } else { bands };
        // 2 cos θ = 2 sin (π/2 - θ) by Maclaurin's series, exact to f64 after 13 terms for angles up to π/2.
        let angle = core::f64::consts::PI * (bands as f64 - 2.0 * k as f64 - 1.0) / (2.0 * bands as f64);
        let (mut term, mut sum, mut n) = (angle, angle, 1.0);
        while n < 26.0 {
            term *= -angle * angle / ((n + 1.0) * (n + 2.0));
            sum += term;
            n += 2.0;
        }
        Self::Band { coefficient: (2.0 * sum) as f32 }
    }
}

/// The choice of features of one channel of a signal: constants in flash. `surprisal fit --signal` chooses them, and
/// `surprisal export` writes them.
///
/// The bands divide the range from zero to half the sampling rate into equally wide bands. The window is cut into
/// segments of 2 · `bands` samples. Goertzel's recurrence (*American Mathematical Monthly* 65, 1958) gives the power of
/// each segment at the centres of the bands, and the power of a band is the mean over segments (Bartlett, *Biometrika*
/// 37, 1950). The powers of a segment at these frequencies add up to its mean square (Parseval), so no power is lost
/// between bands. A segment is short, so the power of one frequency spreads over neighbouring bands. Samples after the
/// last complete segment count in no band.
///
/// ```
/// use surprisal::{Feature, Features, Libm};
/// const FEATURES: Features = Features { window: 8, hop: 8, bands: 2, features: &[Feature::Rms, Feature::Crossings] };
/// let mut row = [0.0; 2];
/// FEATURES.row::<Libm>(&[3.0, 5.0, 3.0, 5.0, 3.0, 5.0, 3.0, 5.0], &mut row);
/// assert_eq!(row, [1.0, 1.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Features<'t> {
    /// The number of samples per window. Each window becomes one row.
    pub window: usize,
    /// The number of samples from the beginning of one window to the beginning of the next window, 1 to `window`.
    pub hop: usize,
    /// The number of bands from zero to half the sampling rate. `features` may omit some of them.
    pub bands: u16,
    /// The features that make a row, in the order of its readings.
    pub features: &'t [Feature],
}

impl Features<'_> {
    /// Writes the features of one window of `samples` to the start of `row`, in the order of `features`. Takes two
    /// passes over the samples, one more for the kurtosis, and one more per band.
    ///
    /// If `samples` is empty or contains a sample that is not finite, all features are NaN, which an encoder treats as
    /// missing. A feature that leaves the range of `f32` is NaN as well; that cannot happen if every |d| is 0 or
    /// between 1e-15 and 1e15. Much smaller d count as 0, and a band with less power than [`f32::MIN_POSITIVE`] gets
    /// that power.
    pub fn row<M: Math>(&self, samples: &[f32], row: &mut [f32]) {
        let (mean, least, most) = centre(samples);
        let (rms, crossings) = spread::<M>(samples, mean);
        let constant = rms == 0.0;
        for (slot, feature) in row.iter_mut().zip(self.features) {
            let value = match *feature {
                Feature::Mean => mean,
                Feature::Rms => rms,
                Feature::PeakToPeak => most - least,
                Feature::Crest if constant => 0.0,
                Feature::Crest => (most - mean).max(mean - least) / rms,
                Feature::Kurtosis if constant => 0.0,
                Feature::Kurtosis => kurtosis(samples, mean, rms),
                Feature::Crossings => crossings,
                Feature::Band { coefficient } => {
                    M::ln(power(samples, mean, self.bands, coefficient).clamp(f32::MIN_POSITIVE, f32::MAX))
                }
            };
            *slot = if mean.is_finite() && value.is_finite() { value } else { f32::NAN };
        }
    }
}

/// Returns (mean, minimum, maximum) of the samples. The mean is computed from differences to the first sample, so that
/// an offset costs no digits. It is not finite if any sample is not finite.
fn centre(samples: &[f32]) -> (f32, f32, f32) {
    let first = samples.first().copied().unwrap_or(f32::NAN);
    let (mut sum, mut least, mut most) = (0.0, first, first);
    for &x in samples {
        sum += x - first;
        least = if x < least { x } else { least };
        most = if x > most { x } else { most };
    }
    (first + sum / samples.len() as f32, least, most)
}

/// Returns (root mean square about `mean`, share of the pairs of neighbouring samples that lie on different sides of
/// `mean`, 0 to 1).
fn spread<M: Math>(samples: &[f32], mean: f32) -> (f32, f32) {
    let (mut sum, mut crossings) = (0.0, 0u32);
    let mut was = samples.first().is_some_and(|&x| x >= mean);
    for &x in samples {
        let d = x - mean;
        sum += d * d;
        crossings += u32::from(was != (x >= mean));
        was = x >= mean;
    }
    let gaps = samples.len().max(2).saturating_sub(1);
    (M::sqrt(sum / samples.len() as f32), crossings as f32 / gaps as f32)
}

/// Returns the kurtosis, the fourth standardised moment Σ((x - mean) / rms)⁴ / n.
fn kurtosis(samples: &[f32], mean: f32, rms: f32) -> f32 {
    let mut sum = 0.0;
    let inverse = 1.0 / rms;
    for &x in samples {
        let u = (x - mean) * inverse;
        let square = u * u;
        sum += square * square;
    }
    sum / samples.len() as f32
}

/// Returns the power, the mean square of x - `mean`, in the band with this `coefficient` out of `bands` bands, by
/// Goertzel's recurrence on each complete segment.
fn power(samples: &[f32], mean: f32, bands: u16, coefficient: f32) -> f32 {
    let length = 2 * usize::from(bands.max(1));
    let (mut sum, mut segments) = (0.0, 0u32);
    for segment in samples.chunks_exact(length) {
        let (mut last, mut before) = (0.0, 0.0);
        for &x in segment {
            let next = (x - mean) + coefficient * last - before;
            before = last;
            last = next;
        }
        sum += last * last + before * before - coefficient * last * before;
        segments += 1;
    }
    // The power at the frequencies f and -f of a segment of 2B samples is 2 |X|² / (2B)².
    let scale = segments.max(1) as f32 * (bands.max(1) as f32 * length as f32);
    sum / scale
}

/// A buffer of the last samples of one channel, in RAM, which turns every full window into a row of features.
///
/// W is the window in samples, F the number of features.
///
/// ```
/// use surprisal::{Feature, Features, Libm, Samples};
/// const FEATURES: Features = Features { window: 4, hop: 2, bands: 0, features: &[Feature::Mean, Feature::PeakToPeak]
/// };
///
/// let mut samples = Samples::<4, 2>::new(&FEATURES).unwrap();
/// let rows: Vec<_> = (1..=7).filter_map(|x| samples.push::<Libm>(x as f32)).collect();
/// assert_eq!(rows, [[2.5, 3.0], [4.5, 3.0]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Samples<'t, const W: usize, const F: usize> {
    features: &'t Features<'t>,
    samples: [f32; W],
    filled: usize,
}

impl<'t, const W: usize, const F: usize> Samples<'t, W, F> {
    /// Creates a buffer without samples. Returns `None` unless W is the window and F the number of `features`, and the
    /// hop is in 1..=W.
    pub const fn new(features: &'t Features<'t>) -> Option<Self> {
        if features.window == W && features.features.len() == F && 1 <= features.hop && features.hop <= W {
            Some(Self { features, samples: [0.0; W], filled: 0 })
        } else {
            None
        }
    }

    /// Adds a sample, and returns the features of the window if it is full. The first row comes after W samples, and
    /// then one row per hop. All other samples are only stored.
    pub fn push<M: Math>(&mut self, sample: f32) -> Option<[f32; F]> {
        if let Some(slot) = self.samples.get_mut(self.filled) {
            *slot = sample;
        }
        self.filled += 1;
        if self.filled < W {
            return None;
        }
        let mut row = [f32::NAN; F];
        self.features.row::<M>(&self.samples, &mut row);
        self.filled = W.saturating_sub(self.features.hop);
        for i in 0..self.filled {
            let kept = self.samples.get(i + self.features.hop).copied().unwrap_or(f32::NAN);
            if let Some(slot) = self.samples.get_mut(i) {
                *slot = kept;
            }
        }
        Some(row)
    }
}
