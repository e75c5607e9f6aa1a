//! Raw signals: turns windows of samples into readings, namely statistics and band energies in `f32`.
//!
//! Every sum runs over the samples in order and rounds after each operation, so that a board with [`Libm`] computes the
//! same bits as the trainer. Floats end here: the readings go to an encoder, and probabilities are computed with integers
//! only.

/// The two mathematical functions that features need beyond arithmetic.
pub trait Math {
    /// Returns the square root of a number that is not negative.
    fn sqrt(x: f32) -> f32;
    /// Returns the natural logarithm of a normal positive number.
    fn ln(x: f32) -> f32;
}

/// Mathematics by the crate `libm`: exact to a unit in the last place. The trainer uses it, too.
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

/// Mathematics by the crate `micromath`: square roots up to 6.1 % too large, logarithms to within 0.0001. The readings
/// therefore differ from those that the trainer saw.
#[cfg(feature = "micromath")]
#[derive(Clone, Copy, Debug)]
pub struct Micromath;

#[cfg(feature = "micromath")]
impl Math for Micromath {
    fn sqrt(x: f32) -> f32 {
        // The crate halves the bits of zero as well, which does not give zero.
        if x == 0.0 { 0.0 } else { micromath::F32Ext::sqrt(x) }
    }

    fn ln(x: f32) -> f32 {
        // Below 1 the crate uses an inverse that is off by a tenth, so it only gets mantissas between 1 and 2.
        let exponent = (x.to_bits() >> 23) as i32 - 127;
        let mantissa = f32::from_bits(x.to_bits() & 0x7F_FFFF | 0x3F80_0000);
        exponent as f32 * core::f32::consts::LN_2 + micromath::F32Ext::ln(mantissa)
    }
}

/// A feature: one number computed from a window of n samples x. In the formulas, d is x minus the mean of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Feature {
    /// The mean Σx / n, in units of the signal.
    Mean,
    /// The root mean square √(Σd² / n) about the mean, in units of the signal. It does not contain the offset, see
    /// [`Mean`](Self::Mean).
    Rms,
    /// The peak-to-peak value max x - min x, in units of the signal.
    PeakToPeak,
    /// The crest factor max |d| / RMS, at least 1; 0 if the window is constant.
    Crest,
    /// The kurtosis, the fourth standardised moment Σ(d / RMS)⁴ / n: 3 for Gaussian noise, 1.5 for a sine, at least 1; 0 if the
    /// window is constant.
    Kurtosis,
    /// The share, 0 to 1, of neighbouring samples with d ≥ 0 in one and d < 0 in the other: zero crossings.
    Crossings,
    /// The natural logarithm of the mean square of d in one frequency band, in units of the signal squared. Create it with
    /// [`band`](Self::band).
    Band {
        /// 2 cos of the band's centre in radians per sample.
        coefficient: f32,
    },
}

impl Feature {
    /// All features except bands.
    pub const STATISTICS: [Self; 6] =
        [Self::Mean, Self::Rms, Self::PeakToPeak, Self::Crest, Self::Kurtosis, Self::Crossings];

    /// Returns band `k` of `bands` equally wide bands from zero to half the sampling rate. Its centre lies at (k + ½) / bands
    /// of that range.
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

/// The features of one channel of a signal: constants in flash. `surprisal fit --signal` chooses them, and
/// `surprisal export` writes them.
///
/// The bands are `bands` equal parts of the range from zero to half the sampling rate; together they hold the mean square
/// of d. The window is cut into segments of 2 · `bands` samples, Goertzel's recurrence (*American Mathematical Monthly*
/// 65, 1958) gives the power of each segment at the centres of the bands, and the power of a band is the mean over
/// segments (Bartlett, *Biometrika* 37, 1950). The powers of a segment at these frequencies add up to its mean square
/// (Parseval), so no power is lost between bands. A segment is short, so the power of one frequency spreads over the
/// bands near it. Samples after the last complete segment are in no band.
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
    /// The number of samples per row.
    pub window: usize,
    /// The number of samples from the beginning of one window to the beginning of the next, 1 to `window`.
    pub hop: usize,
    /// The number of bands that the range up to half the sampling rate is divided into. `features` may omit some.
    pub bands: u16,
    /// The features of a row, in order.
    pub features: &'t [Feature],
}

impl Features<'_> {
    /// Writes the features of one window to the start of `row`. Takes at most five passes over the samples, and one more
    /// per band.
    ///
    /// If `samples` is empty or contains a sample that is not finite, all features are NaN, which an encoder treats as
    /// missing. A feature that leaves the range of `f32` is NaN, too; that cannot happen if every |d| is 0 or between 1e-15
    /// and 1e15. Much smaller d count as 0, and a band with less power than [`f32::MIN_POSITIVE`] gets that power.
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

/// Returns mean, minimum and maximum. The mean is taken over differences to the first sample, so that an offset costs no
/// digits; it is not finite if a sample is not.
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

/// Returns the root mean square about the mean, and the share of neighbouring samples on different sides of it.
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

/// Returns the mean square of d in one of `bands` bands, by Goertzel's recurrence on each complete segment.
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
    // Of the two frequencies, f and -f, in a segment of 2B samples: 2 |X|² / (2B)².
    let scale = segments.max(1) as f32 * (bands.max(1) as f32 * length as f32);
    sum / scale
}

/// The last samples of one channel, which turns every full window into a row of features: the state, in RAM.
///
/// ```
/// use surprisal::{Feature, Features, Libm, Samples};
/// const FEATURES: Features = Features { window: 4, hop: 2, bands: 0, features: &[Feature::Mean, Feature::PeakToPeak] };
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
    /// Creates a window without samples. Returns `None` unless W is the window, F the number of features, and the hop lies
    /// in 1..=W.
    pub const fn new(features: &'t Features<'t>) -> Option<Self> {
        if features.window == W && features.features.len() == F && 1 <= features.hop && features.hop <= W {
            Some(Self { features, samples: [0.0; W], filled: 0 })
        } else {
            None
        }
    }

    /// Adds a sample, and returns a row if that fills the window: the first row after W samples, then one per hop. All other
    /// samples cost no more than a store.
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
