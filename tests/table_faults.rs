//! Each fault of a table's bytes has an error of its own.

mod support {
    pub mod mixture;
    pub mod naive;
    pub mod random;
    pub mod tables;
}

use support::mixture::RandomMixture;
use support::random::{Dice, Random, UNITS, encoder_slices};
use support::tables::{ALL, Aligned, COUNTS, K, N, Whole, columns, random_bytes, seal, whole, written};
use surprisal::{Detector, Encoder, EncoderSlices, Table, TableError};

#[test]
#[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
fn each_fault_has_its_own_name() {
    let mut dice = Dice(9);
    let whole = random_bytes(&Random::new(5, false, false, &mut dice), ALL, &mut dice);
    let error = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        Aligned::new(&bytes).read().expect_err("it is damaged")
    };
    assert_eq!(error(&|bytes| bytes[0] = b'X'), TableError::NotATable);
    assert_eq!(
        error(&|bytes| bytes[4] = 1),
        TableError::UnsupportedVersion { found: 1, supported: surprisal::VERSION }
    );
    assert_eq!(error(&|bytes| bytes.truncate(100)), TableError::Truncated);
    assert_eq!(error(&|bytes| bytes[40] ^= 1), TableError::Corrupt);
    let aligned = Aligned::new(&[&[0], &whole[..]].concat());
    assert_eq!(
        Whole::from_bytes(&aligned.bytes()[1..], surprisal::Fingerprint::ANY).err(),
        Some(TableError::Misaligned)
    );
    assert_eq!(
        Table::<4, UNITS, K>::from_bytes(Aligned::new(&whole).bytes(), surprisal::Fingerprint::ANY).err(),
        Some(TableError::TooManyBits { bits: 5 })
    );
    let units = Table::<N, 0, K>::from_bytes(Aligned::new(&whole).bytes(), surprisal::Fingerprint::ANY).err();
    let components = Table::<N, UNITS, 0>::from_bytes(Aligned::new(&whole).bytes(), surprisal::Fingerprint::ANY).err();
    assert!(matches!(units, Some(TableError::TooManyUnits { units: 1.. })), "{units:?}");
    assert_eq!(components, Some(TableError::TooManyComponents { components: K as u16 }));
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
fn each_fault_of_a_hidden_layer_or_mixture_has_its_own_name() {
    let mut dice = Dice(9);
    let random = Random::new(5, false, false, &mut dice);
    assert!(!random.layer.biases.is_empty(), "there are units");
    let bytes = random_bytes(&random, ALL, &mut dice);
    let error = |at: usize, change: &dyn Fn(u8) -> u8| {
        let mut bytes = bytes.clone();
        bytes[at] = change(bytes[at]);
        seal(&mut bytes);
        Aligned::new(&bytes).read().map(|_| ())
    };
    // The flags' second byte holds the activation in bits 1 and 2, and the shift in the bits above.
    assert_eq!(error(21, &|flags| flags | 6), Err(TableError::Inconsistent("activation")));
    assert_eq!(error(21, &|flags| flags & 7 | 17 << 3), Err(TableError::Inconsistent("hidden layer")));
    assert_eq!(error(21, &|flags| flags & 7 | 16 << 3), Ok(()));
    let section = |number: usize| COUNTS.start + 4 * number;
    let fewer = |number: usize| error(section(number), &|count| count - 1);
    assert_eq!(error(section(20), &|_| 7), Err(TableError::TooManyUnits { units: 7 }), "units");
    assert_eq!(error(section(25), &|_| 4), Err(TableError::TooManyComponents { components: 4 }), "components");
    for number in [22, 23, 24] {
        assert_eq!(fewer(number), Err(TableError::Inconsistent("hidden layer")), "section {number}");
    }
    for number in [25, 26, 27] {
        assert_eq!(fewer(number), Err(TableError::Inconsistent("mixture")), "section {number}");
    }
    assert_eq!(fewer(12), Err(TableError::Inconsistent("linear weights")));
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
fn each_fault_of_a_calibration_has_its_own_name() {
    let mut dice = Dice(10);
    let random = Random::new(5, false, false, &mut dice);
    let mixture = RandomMixture::new(random.bits, K, false, &mut dice);
    let columns = columns(random.bits, &mut dice);
    let (words, values, widths) = encoder_slices(&columns);
    let mut table = whole(
        &random,
        &mixture,
        ALL,
        Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths }),
    );
    let read = |detector: Detector| {
        let mut table = table;
        table.detector = detector;
        let bytes = written(&table);
        Aligned::new(&bytes).read().map(|_| ())
    };
    let whole = vec![7; Detector::levels(99).count()];
    let baselines = vec![1; columns.len()];
    let detector = Detector { rows: 99, quantiles: &whole, baselines: &baselines, ..Detector::OFF };
    assert_eq!(read(detector), Ok(()));
    assert_eq!(read(Detector { quantiles: &whole[1..], ..detector }), Err(TableError::Inconsistent("quantiles")));
    let falling: Vec<u32> = (0..whole.len() as u32).rev().collect();
    assert_eq!(read(Detector { quantiles: &falling, ..detector }), Err(TableError::Inconsistent("quantiles")));
    assert_eq!(read(Detector { baselines: &baselines[1..], ..detector }).is_ok(), columns.len() == 1);
    let more = vec![1; columns.len() + 1];
    assert_eq!(read(Detector { baselines: &more, ..detector }), Err(TableError::Inconsistent("baselines")));
    assert_eq!(read(Detector { log2_temperature: 8, ..detector }), Ok(()));
    assert_eq!(read(Detector { log2_temperature: 9, ..detector }), Err(TableError::Inconsistent("calibration")));
    table.detector = detector;
    let mut bytes = written(&table);
    bytes[COUNTS.start + 4 * 3] = 7;
    seal(&mut bytes);
    assert_eq!(Aligned::new(&bytes).read().map(|_| ()), Err(TableError::Inconsistent("calibration")));
}
