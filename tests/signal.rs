//! Features of raw signals against their definitions, and at the ends of the range of floats.

#[path = "support/budget.rs"]
mod budget;
#[path = "support/naive.rs"]
mod naive;
#[path = "support/random.rs"]
mod random;
#[path = "support/signal.rs"]
mod signal;

use proptest::prelude::*;
use surprisal::{Feature, Features, Libm, Math, Micromath, Samples};

/// Windows of every make: noise, a tone, a tone with knocks, steps; at any scale, some far from zero.
fn window() -> impl Strategy<Value = Vec<f32>> {
    let noise = prop::collection::vec(-1.0f32..1.0, 16..600);
    (noise, 0u8..4, 0.01f32..3.0, -6i32..6, -100.0f32..100.0, any::<bool>())
        .prop_map(|(noise, make, pitch, scale, offset, far)| {
            let make = |(t, noise): (usize, f32)| match make {
                0 => noise,
                1 => (t as f32 * pitch).sin() + 0.1 * noise,
                2 => (t as f32 * pitch).sin() + if t % 37 == 0 { 10.0 } else { 0.0 },
                _ => (3.0 * noise).round(),
            };
            let offset = if far { offset } else { 0.0 };
            noise.into_iter().enumerate().map(make).map(|x| (x + offset) * 10f32.powi(scale)).collect()
        })
        .prop_filter("constant", |samples: &Vec<f32>| samples.iter().any(|x| *x != samples[0]))
}

fn statistics<M: Math>(samples: &[f32]) -> [f64; 6] {
    let mut row = [0.0; 6];
    let length = samples.len();
    Features { window: length, hop: length, bands: 0, features: &Feature::STATISTICS }.row::<M>(samples, &mut row);
    row.map(f64::from)
}

fn logs<M: Math>(samples: &[f32], bands: u16) -> Vec<f64> {
    let features: Vec<Feature> = (0..bands).map(|k| Feature::band(k, bands)).collect();
    let mut row = vec![0.0; features.len()];
    let length = samples.len();
    Features { window: length, hop: length, bands, features: &features }.row::<M>(samples, &mut row);
    row.into_iter().map(f64::from).collect()
}

/// Errors of the six statistics as shares of their budgets.
fn errors(samples: &[f32]) -> [f64; 6] {
    let (got, wanted) = (statistics::<Libm>(samples), naive::statistics(samples));
    let [mean, rms, ..] = wanted;
    let budget = budget::statistic(samples.len(), mean.abs() / rms);
    let error = |i: usize, unit: f64| (got[i] - wanted[i]).abs() / (unit * budget);
    // A sample at the mean may fall on either side.
    let near = samples.iter().filter(|&&x| (f64::from(x) - mean).abs() < budget * rms).count() as f64;
    let crossings = ((got[5] - wanted[5]).abs() * samples.len() as f64 - 2.0 * near - 1e-3).max(0.0);
    [error(0, rms), error(1, rms), error(2, wanted[2]), error(3, wanted[3]), error(4, 4.0 * wanted[4]), crossings]
}

/// Errors of bands as shares of their budget.
fn band_error(samples: &[f32], bands: u16) -> f64 {
    let [mean, rms, ..] = naive::statistics(samples);
    let budget = budget::band(samples.len(), mean.abs() / rms, bands.into()) * rms * rms;
    let powers = naive::powers(samples, bands.into());
    let errors = logs::<Libm>(samples, bands).into_iter().zip(powers).map(|(ln, power)| (ln.exp() - power).abs());
    errors.fold(0.0, f64::max) / budget
}

proptest! {
    #![proptest_config(random::cases(256))]

    #[test]
    fn statistics_are_those_of_the_definitions(samples in window()) {
        prop_assert!(errors(&samples).iter().all(|share| *share <= 1.0), "{:?}", errors(&samples));
    }

    #[test]
    fn bands_are_fourier_sums(samples in window(), bands in 1u16..65) {
        prop_assume!(samples.len() >= 2 * usize::from(bands));
        prop_assert!(band_error(&samples, bands) <= 1.0, "{}", band_error(&samples, bands));
    }

    #[test]
    fn bands_share_out_the_mean_square(samples in window(), bands in 1u16..9) {
        let whole = samples.len() / (2 * usize::from(bands)) * 2 * usize::from(bands);
        let samples = &samples[..whole];
        let [mean, rms, ..] = naive::statistics(samples);
        let total: f64 = logs::<Libm>(samples, bands).into_iter().map(f64::exp).sum();
        let budget = f64::from(bands) * budget::band(whole, mean.abs() / rms, bands.into());
        prop_assert!((total / (rms * rms) - 1.0).abs() <= budget);
    }

    #[test]
    fn micromath_is_as_near_as_it_says(samples in window(), bands in 1u16..9) {
        let (exact, fast) = (statistics::<Libm>(&samples), statistics::<Micromath>(&samples));
        let off = |i: usize| (fast[i] / exact[i] - 1.0).abs();
        prop_assert_eq!((fast[0], fast[2], fast[5]), (exact[0], exact[2], exact[5]));
        prop_assert!(off(1) <= budget::MICROMATH_ROOT + 1e-6 && off(3) <= budget::MICROMATH_ROOT + 1e-6);
        prop_assert!(off(4) <= budget::MICROMATH_KURTOSIS);
        let logs = logs::<Libm>(&samples, bands).into_iter().zip(logs::<Micromath>(&samples, bands));
        prop_assert!(logs.into_iter().all(|(exact, fast)| (exact - fast).abs() <= budget::MICROMATH_LN));
    }

    #[test]
    fn any_bits_give_a_number_or_missing(bits in prop::collection::vec(any::<u32>(), 0..40), bands in 0u16..5) {
        let samples: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        let finite = !samples.is_empty() && samples.iter().all(|x| x.is_finite());
        for value in statistics::<Libm>(&samples).into_iter().chain(logs::<Micromath>(&samples, bands)) {
            prop_assert!(!value.is_infinite());
            prop_assert!(finite || value.is_nan());
        }
    }

    #[test]
    fn a_stream_gives_the_rows_of_its_windows(samples in prop::collection::vec(-9.0f32..9.0, 0..60), hop in 1usize..9) {
        let all = [Feature::Mean, Feature::Kurtosis, Feature::band(1, 2)];
        let features = Features { window: 8, hop, bands: 2, features: &all };
        let mut stream = Samples::<8, 3>::new(&features).unwrap();
        let rows: Vec<[f32; 3]> = samples.iter().filter_map(|&x| stream.push::<Libm>(x)).collect();
        let wanted: Vec<[f32; 3]> = samples
            .windows(8)
            .step_by(hop)
            .map(|window| {
                let mut row = [0.0; 3];
                features.row::<Libm>(window, &mut row);
                row
            })
            .collect();
        prop_assert_eq!(rows, wanted);
    }
}

/// The budgets are no wider than what the motor, near and far from zero, comes to within a factor of 64 of.
#[test]
fn budgets_are_tight() {
    let (mut statistic, mut band, mut root, mut kurtosis, mut ln) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
    let motor: Vec<i16> = signal::motor(true).take(60_000).collect();
    for (k, window) in motor.chunks_exact(300).enumerate() {
        let samples: Vec<f32> =
            window.iter().map(|&x| f32::from(x) * 0.01f32.powi(k as i32 % 3) + (k % 5) as f32).collect();
        statistic = errors(&samples).into_iter().fold(statistic, f64::max);
        band = band.max(band_error(&samples, 8)).max(band_error(&samples, 64));
        let (exact, fast) = (statistics::<Libm>(&samples), statistics::<Micromath>(&samples));
        root = root.max((fast[1] / exact[1] - 1.0).abs());
        kurtosis = kurtosis.max((fast[4] / exact[4] - 1.0).abs());
        let logs = logs::<Libm>(&samples, 8).into_iter().zip(logs::<Micromath>(&samples, 8));
        ln = logs.fold(ln, |ln, (exact, fast)| ln.max((exact - fast).abs()));
    }
    println!("shares of the budgets: statistics {statistic:.3}, bands {band:.3}");
    println!("micromath: root {root:.4}, kurtosis {kurtosis:.4}, ln {ln:.5}");
    assert!((1.0 / 64.0..=1.0).contains(&statistic) && (1.0 / 64.0..=1.0).contains(&band));
    assert!((budget::MICROMATH_ROOT / 2.0..=budget::MICROMATH_ROOT + 1e-6).contains(&root));
    assert!((budget::MICROMATH_KURTOSIS / 2.0..=budget::MICROMATH_KURTOSIS).contains(&kurtosis));
    assert!((budget::MICROMATH_LN / 64.0..=budget::MICROMATH_LN).contains(&ln));
}

#[test]
fn a_constant_window_has_defined_features() {
    for x in [0.0, -0.0, 3.3, -1e30, f32::MIN_POSITIVE] {
        assert_eq!(statistics::<Libm>(&[x; 9]), [f64::from(x), 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(statistics::<Micromath>(&[x; 9]), [f64::from(x), 0.0, 0.0, 0.0, 0.0, 0.0]);
        let least = f64::from(libm_ln(f32::MIN_POSITIVE));
        assert_eq!(logs::<Libm>(&[x; 9], 2), [least, least]);
    }
    assert_eq!(statistics::<Libm>(&[2.5]), [2.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

fn libm_ln(x: f32) -> f32 {
    Libm::ln(x)
}

#[test]
fn what_is_not_finite_is_missing() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for at in 0..4 {
            let mut samples = [1.0, 2.0, 3.0, 4.0];
            samples[at] = bad;
            assert!(statistics::<Libm>(&samples).iter().chain(&logs::<Libm>(&samples, 2)).all(|value| value.is_nan()));
        }
    }
    assert!(statistics::<Libm>(&[f32::MAX, -f32::MAX, 0.0, 1.0]).iter().all(|value| value.is_nan()));
    assert!(statistics::<Libm>(&[]).iter().all(|value| value.is_nan()));
}

#[test]
fn coefficients_are_cosines_to_the_last_bit() {
    for bands in 1..=64 {
        for k in 0..bands {
            let cosine = 2.0 * (std::f64::consts::PI * (f64::from(k) + 0.5) / f64::from(bands)).cos();
            let Feature::Band { coefficient } = Feature::band(k, bands) else { panic!("a band is a band") };
            assert!((f64::from(coefficient) - cosine).abs() <= 2f64.powi(-24) + 1e-15, "{k} of {bands}");
        }
    }
}

#[test]
fn room_that_does_not_fit_is_refused() {
    let features = |window, hop| Features { window, hop, bands: 0, features: &[Feature::Rms] };
    for (window, hop) in [(8, 0), (8, 9), (7, 1), (0, 0)] {
        assert!(Samples::<8, 1>::new(&features(window, hop)).is_none());
    }
    assert!(Samples::<8, 2>::new(&features(8, 8)).is_none() && Samples::<0, 1>::new(&features(0, 0)).is_none());
}
