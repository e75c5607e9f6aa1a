//! The door for exported source: what it fills in, and what it refuses.

use surprisal::generated::v5;
use surprisal::{Detector, OutcomeTables, Reading, Table, TableError, ViewTable};

const SOURCE: v5::Source<'static> =
    v5::Source { bits: 2, linear_biases: &[100, -100], calibration: &[70_000, 500], ..v5::Source::EMPTY };

fn table(source: v5::Source<'static>) -> Result<Table<'static, 2>, TableError> {
    v5::table(source)
}

/// A file that was exported before a calibration number existed keeps compiling, and the number has its default.
#[test]
fn calibration_words_that_are_missing_take_their_defaults() {
    let words = Detector::OFF.words();
    for given in 0..=words.len() {
        let changed: &'static [u32] = words.map(|word| word ^ 1)[..given].to_vec().leak();
        let detector = table(v5::Source { calibration: changed, ..SOURCE }).expect("the sections fit").detector;
        assert_eq!(detector.words()[..given], *changed);
        assert_eq!(detector.words()[given..], words[given..]);
    }
}

#[test]
fn a_minimal_source_is_a_table() {
    const TABLE: Table<'static, 2> = match v5::table(SOURCE) {
        Ok(table) => table,
        Err(_) => panic!("the sections fit"),
    };
    assert_eq!((TABLE.model.bits(), TABLE.detector.threshold.raw(), TABLE.detector.false_alarm_ppm), (2, 70_000, 500));
    assert_eq!(TABLE.detector.score_cap, Detector::OFF.score_cap);
    assert!(TABLE.model.surprisal(&[true, false]) < TABLE.model.surprisal(&[false, true]));
}

#[test]
fn each_damaged_section_is_refused_by_name() {
    let refused = |source, error| assert_eq!(table(source).map(|_| ()), Err(error));
    let misfit = TableError::Inconsistent;
    refused(v5::Source { bits: 3, ..SOURCE }, TableError::TooManyBits { bits: 3 });
    refused(v5::Source { constraints: &[0], ..SOURCE }, misfit("constraints"));
    refused(v5::Source { linear_dense: &[1, 2], ..SOURCE }, misfit("linear weights"));
    refused(v5::Source { linear_starts: &[0, 1], ..SOURCE }, misfit("linear entries"));
    refused(v5::Source { tree_leaves: &[1], ..SOURCE }, misfit("forest"));
    refused(v5::Source { hidden_activation: 3, ..SOURCE }, misfit("activation"));
    refused(v5::Source { hidden_biases: &[1], hidden_scales: &[1], ..SOURCE }, TableError::TooManyUnits { units: 1 });
    refused(v5::Source { mixture_priors: &[1], ..SOURCE }, TableError::TooManyComponents { components: 1 });
    refused(v5::Source { calibration: &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], ..SOURCE }, misfit("calibration"));
    refused(v5::Source { quantiles: &[1, 2], ..SOURCE }, misfit("quantiles"));
    refused(v5::Source { predictor_words: &[0], ..SOURCE }, misfit("predictor"));
}

/// Flags 0 and 1, of which the second mostly equals the first.
const VIEW: v5::ViewSource<'static> = v5::ViewSource {
    encoder_columns: &[0, 1],
    outcome_columns: &[[2, 1, OutcomeTables::NO_PARENT], [2, 2, 0]],
    outcome_groups: &[0, 1],
    outcome_rows: &[32768, 60000, 5536],
    starts: &[[0; 5], [1, 0, 0, 0, 1]],
    ..v5::ViewSource::EMPTY
};
const VIEWS: v5::ViewsSource<'static, 2> =
    v5::ViewsSource { views: [VIEW, VIEW], calibration: &[70_000, 500], ..v5::ViewsSource::EMPTY };

#[test]
fn a_source_of_views_is_a_table_in_a_constant() {
    const TABLE: ViewTable<'static, 2, 2> = match v5::view_table(VIEWS) {
        Ok(table) => table,
        Err(_) => panic!("the sections fit"),
    };
    assert_eq!((TABLE.detector.threshold.raw(), TABLE.detector.false_alarm_ppm), (70_000, 500));
    assert_eq!(TABLE.detector.score_cap, Detector::OFF.score_cap);
    let nats = |row: [i32; 2]| TABLE.surprisal(&row.map(Reading::Integer)).expect("the row fits");
    assert!(nats([1, 1]) < nats([1, 0]));
    let mut bytes = Vec::new();
    TABLE.write(|piece| bytes.extend_from_slice(piece));
    let words: Vec<u32> = bytes.as_chunks().0.iter().map(|&word| u32::from_ne_bytes(word)).collect();
    let read = ViewTable::<2, 2>::from_bytes(bytemuck::cast_slice(&words), surprisal::Fingerprint::ANY);
    if cfg!(target_endian = "big") {
        assert_eq!(read.err(), Some(TableError::NotATable));
        return;
    }
    let read = read.expect("the bytes are whole");
    assert_eq!(read.surprisal(&[1, 0].map(Reading::Integer)), TABLE.surprisal(&[1, 0].map(Reading::Integer)));
}

#[test]
fn each_damaged_section_of_views_is_refused_by_name() {
    let misfit = TableError::Inconsistent;
    let refused = |source: v5::ViewsSource<'static, 2>, error| {
        assert_eq!(v5::view_table::<2, 2>(source).map(|_| ()), Err(error));
    };
    let damaged = |view| v5::ViewsSource { views: [VIEW, view], ..VIEWS };
    refused(damaged(v5::ViewSource { outcome_rows: &[32768, 60000], ..VIEW }), misfit("outcome rows"));
    refused(damaged(v5::ViewSource { outcome_groups: &[0, 2], ..VIEW }), misfit("outcome groups"));
    refused(damaged(v5::ViewSource { starts: &[[0; 5]], ..VIEW }), misfit("view starts"));
    refused(damaged(v5::ViewSource { prototype_points: &[1], ..VIEW }), misfit("prototype points"));
    refused(damaged(v5::ViewSource { prototype_columns: &[[0, 0, 0, 31]], ..VIEW }), misfit("prototype columns"));
    refused(v5::ViewsSource { calibration: &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], ..VIEWS }, misfit("calibration"));
    refused(v5::ViewsSource { quantiles: &[1, 2], ..VIEWS }, misfit("quantiles"));
    refused(v5::ViewsSource { predictor_words: &[0], ..VIEWS }, misfit("predictor"));
    assert_eq!(v5::view_table::<1, 2>(VIEWS).map(|_| ()), Err(TableError::TooManyColumns { columns: 2 }));
    assert_eq!(v5::view_table::<1, 0>(v5::ViewsSource::EMPTY).map(|_| ()), Err(misfit("views")));
}
