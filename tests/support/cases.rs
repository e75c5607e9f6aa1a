//! The cases that host and boards share: the golden table reproduces its streams, whatever the machine.

#[path = "coin.rs"]
mod coin;
#[path = "../golden/flagship.rs"]
#[rustfmt::skip]
#[allow(dead_code, reason = "the shuttle's columns are those of all tables")]
mod flagship;
#[path = "../golden/mixture.rs"]
#[rustfmt::skip]
#[allow(dead_code, reason = "the shuttle's columns are those of all tables")]
mod mixture;
#[path = "../golden/motor.rs"]
#[rustfmt::skip]
#[allow(dead_code, reason = "the bits of all its rows are those of the table")]
mod motor;
#[path = "operation.rs"]
mod operation;
#[path = "offsets.rs"]
mod offsets;
#[path = "packet_cases.rs"]
mod packet_cases;
#[path = "refusals.rs"]
mod refusals;
#[path = "../golden/shuttle.rs"]
#[rustfmt::skip]
mod shuttle;
#[path = "signal.rs"]
mod signal;
#[path = "../golden/stream.rs"]
#[rustfmt::skip]
mod stream;
#[path = "tank.rs"]
mod tank;
#[path = "view_cases.rs"]
mod view_cases;
#[path = "../golden/views.rs"]
#[rustfmt::skip]
#[allow(dead_code, reason = "the shuttle's columns are those of all tables")]
mod views;

use coin::{Coin, pack};
use packet_cases::packets_are;
use refusals::self_test_passes;
use shuttle::{BITS, COLUMNS};
use surprisal::{
    ColumnScore, Fingerprint, Libm, Logit, Monitor, Nats, Reading, RowScore, Samples, Stream, Table, TableError,
};

macro_rules! cases {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        $($(#[$doc])* #[cfg_attr(test, test)] fn $name() $body)*
        /// Every case and its name, for boards, which have no libtest.
        #[cfg(not(test))]
        pub const CASES: &[(&str, fn())] = &[$((stringify!($name), $name)),*];
    };
}

/// Bytes where a table may begin: at a multiple of four.
#[repr(C, align(4))]
struct Aligned<T: ?Sized>(T);

/// The files of a golden table.
struct Golden {
    bytes: &'static Aligned<[u8]>,
    nats: &'static [u8],
    samples: &'static [u8],
    /// How many bytes every eighth row takes, each by itself, and a digest of them.
    packets: (usize, u32),
}

macro_rules! golden {
    ($name:literal, $packets:expr) => {
        Golden {
            bytes: &Aligned(*include_bytes!(concat!("../golden/", $name, ".srp"))),
            nats: include_bytes!(concat!("../golden/", $name, ".nats")),
            samples: include_bytes!(concat!("../golden/", $name, ".samples")),
            packets: $packets,
        }
    };
}

/// Logistic rows and trees; those and a hidden layer; a mixture of trees.
static SHUTTLE: Golden = golden!("shuttle", (1286, 1_050_738_225));
static FLAGSHIP: Golden = golden!("flagship", (2302, 2_340_620_292));
static MIXTURE: Golden = golden!("mixture", (1058, 3_502_496_581));
static READINGS: &[u8] = include_bytes!("../golden/shuttle.readings");

/// Runs a check on every golden table: as it is read from bytes, as it was compiled in, and with its streams.
macro_rules! each_table {
    ($check:ident) => {
        $check(table(&SHUTTLE, &shuttle::TABLE), &shuttle::TABLE, &SHUTTLE);
        $check(table(&FLAGSHIP, &flagship::TABLE), &flagship::TABLE, &FLAGSHIP);
        $check(table(&MIXTURE, &mixture::TABLE), &mixture::TABLE, &MIXTURE);
    };
}

/// The begin of a table, whose head says that it is all, so that the checksum is another. Small boards have no room for a second
/// whole table.
static CORRUPT: &Aligned<[u8]> = &Aligned({
    let whole = include_bytes!("../golden/mixture.srp");
    let (mut bytes, mut at) = ([0u8; 512], 0);
    while at < bytes.len() {
        bytes[at] = whole[at];
        at += 1;
    }
    [bytes[8], bytes[9], bytes[10], bytes[11]] = (bytes.len() as u32).to_le_bytes();
    bytes
});

/// Returns a golden table as it is read from bytes. A big-endian machine refuses them, and has the table that was compiled in.
fn table<const H: usize, const K: usize>(golden: &'static Golden, source: &Any<H, K>) -> Any<H, K> {
    read(&golden.bytes.0, source)
}

fn read<const N: usize, const H: usize, const K: usize>(
    bytes: &'static [u8],
    source: &Table<'static, N, H, K>,
) -> Table<'static, N, H, K> {
    let read = Table::from_bytes(bytes, ANY);
    if cfg!(target_endian = "big") {
        assert_eq!(read.map(|_| ()), Err(TableError::NotATable));
        return *source;
    }
    read.expect("the golden table is whole")
}

/// The golden rows and their scores.
fn rows(golden: &Golden) -> impl Iterator<Item = ([Reading; COLUMNS.len()], Nats)> {
    let (readings, _) = READINGS.as_chunks::<2>();
    let (rows, _) = readings.as_chunks::<{ COLUMNS.len() }>();
    let (nats, _) = golden.nats.as_chunks::<4>();
    assert!(rows.len() == nats.len() && rows.len() >= 1024);
    rows.iter().zip(nats).map(|(row, &nats)| {
        (
            row.map(|reading| Reading::Integer(i16::from_le_bytes(reading).into())),
            Nats::from_raw(u32::from_le_bytes(nats)),
        )
    })
}

const ANY: Fingerprint = Fingerprint::ANY;

type Any<const H: usize, const K: usize> = Table<'static, BITS, H, K>;

fn scores_are<const H: usize, const K: usize>(table: Any<H, K>, _: &Any<H, K>, golden: &Golden) {
    for (row, nats) in rows(golden) {
        assert_eq!(table.surprisal(&row), Ok(nats));
    }
}

/// What was compiled in is what the bytes say.
fn is_written_as<const N: usize, const H: usize, const K: usize>(source: &Table<N, H, K>, bytes: &[u8]) {
    // A big-endian machine writes no table that another could read.
    if cfg!(target_endian = "big") {
        return;
    }
    let mut left = bytes;
    source.write(|piece| left = left.strip_prefix(piece).expect("the source differs from the bytes"));
    assert!(left.is_empty());
}

fn source_is_the_same<const H: usize, const K: usize>(_: Any<H, K>, source: &Any<H, K>, golden: &Golden) {
    is_written_as(source, &golden.bytes.0);
    for (row, nats) in rows(golden).step_by(16) {
        assert_eq!(source.surprisal(&row), Ok(nats));
    }
}

fn explanations_add_up<const H: usize, const K: usize>(table: Any<H, K>, _: &Any<H, K>, golden: &Golden) {
    for (row, nats) in rows(golden).step_by(4) {
        let mut each = [Nats::IMPOSSIBLE; COLUMNS.len()];
        assert_eq!(table.explain(&row, &mut each), Ok(nats));
        assert_eq!(each.into_iter().sum::<Nats>(), nats);
    }
}

fn samples_are<const H: usize, const K: usize>(table: Any<H, K>, _: &Any<H, K>, golden: &Golden) {
    let mut coin = Coin::default();
    let samples = golden.samples.chunks_exact(BITS.div_ceil(8));
    assert_eq!(samples.len(), 64);
    for sample in samples {
        let row = table.model.sample(|| coin.toss());
        assert!(row.chunks(8).map(pack).eq(sample.iter().copied()));
        assert!(table.model.surprisal(&row) < Nats::IMPOSSIBLE);
    }
}

cases! {
    /// Rows of readings become the same packets on every machine, and come back.
    fn packets_of_readings_are_the_golden_ones() {
        packet_cases::golden_ones();
    }

    /// What the trainer computed is what this machine computes.
    fn every_score_equals_the_stream() {
        each_table!(scores_are);
    }

    /// Flash holds the same table whether it came as bytes or as Rust source.
    fn the_exported_source_is_the_same_table() {
        each_table!(source_is_the_same);
    }

    /// Raw samples to features, in floats, to nats: the same bits on every machine.
    fn samples_become_the_golden_rows_and_scores() {
        const FEATURES: usize = motor::COLUMNS.len();
        let (rows, _) = include_bytes!("../golden/motor.rows").as_chunks::<{ 4 * FEATURES }>();
        let (nats, _) = include_bytes!("../golden/motor.nats").as_chunks::<4>();
        let mut samples = Samples::<256, FEATURES>::new(&motor::CHANNELS[0]).expect("the window and features are its own");
        let mut golden = rows.iter().zip(nats);
        let heard = |worn| signal::motor(worn).skip(signal::RECORDED).take(signal::HEARD).map(f32::from);
        let mut anomalous = 0;
        for row in heard(false).chain(heard(true)).filter_map(|sample| samples.push::<Libm>(sample)) {
            let (wanted, nats) = golden.next().expect("a golden row a window");
            assert_eq!(row.map(f32::to_le_bytes).as_flattened(), wanted);
            let score = motor::TABLE.score(&row.map(Reading::Real)).expect("the row is of the training columns");
            assert_eq!(score.nats.raw(), u32::from_le_bytes(*nats));
            anomalous += u32::from(motor::TABLE.detector.judge(score.anomaly).is_anomalous());
        }
        // Most of the worn half, and not all of the other.
        assert!(golden.next().is_none() && (rows.len() as u32 / 3..rows.len() as u32).contains(&anomalous));
    }

    /// Rows of a stream to nats, given the rows before: what the host made of the same rows in a file.
    fn rows_of_a_stream_become_the_golden_scores() {
        static BYTES: &Aligned<[u8]> = &Aligned(*include_bytes!("../golden/stream.srp"));
        let table = read(&BYTES.0, &stream::TABLE);
        is_written_as(&stream::TABLE, &BYTES.0);
        assert_eq!((stream::COLUMNS, stream::WINDOW), (tank::CHANNELS, tank::WINDOW));
        let (nats, _) = include_bytes!("../golden/stream.nats").as_chunks::<4>();
        let mut golden = nats.iter();
        let mut past = Stream::<{ tank::CHANNELS.len() }, { tank::WINDOW }>::new();
        assert!(size_of_val(&past) <= 4 * tank::CHANNELS.len() * tank::WINDOW + 3 * size_of::<usize>());
        let (mut monitor, mut anomalous) = (Monitor::new(), [0, 0]);
        for (at, row) in tank::heard().enumerate() {
            if at == tank::GAP {
                past.reset();
                monitor.reset();
                assert!(row.contains(&None));
            }
            let mut given = [Reading::Missing; stream::ROW];
            given.iter_mut().zip(row).for_each(|(slot, reading)| *slot = reading.into());
            if !past.push(&table.predictor, &mut given).expect("the row is of the training channels") {
                assert!(at < tank::WINDOW || (tank::GAP..tank::GAP + tank::WINDOW).contains(&at));
                continue;
            }
            let score = table.score(&given).expect("the table takes what the stream makes");
            assert_eq!(golden.next(), Some(&score.nats.raw().to_le_bytes()));
            let report = monitor.push(&table.detector, &score);
            anomalous[usize::from(tank::LEAK.contains(&at))] += u32::from(report.verdict.is_anomalous());
        }
        // Most rows while the tank leaks, and few others.
        assert!(golden.next().is_none() && anomalous[0] < 8 && anomalous[1] > 15, "{anomalous:?}");
    }

    /// The shares of the columns lose nothing.
    fn explanations_add_up_to_the_score() {
        each_table!(explanations_add_up);
    }

    /// A row is anomalous when its anomaly score exceeds the threshold, and some rows of both kinds are here.
    fn verdicts_follow_the_threshold() {
        let table = table(&SHUTTLE, &shuttle::TABLE);
        let anomalous = rows(&SHUTTLE).filter(|(row, nats)| {
            let score = table.score(row).expect("golden rows are of the training columns");
            let anomalous = table.judge(row).expect("golden rows are of the training columns").is_anomalous();
            assert_eq!((anomalous, score.nats), (score.anomaly > table.detector.threshold, *nats));
            anomalous
        });
        assert!((1..1024).contains(&anomalous.count()));
    }

    /// AnomalyScore, p-values, the cumulative sum, drift and what surprises most are the host's numbers: sums over all golden rows, of
    /// half of which are anomalous.
    fn detectors_agree_everywhere() {
        let table = table(&SHUTTLE, &shuttle::TABLE);
        let scores = rows(&SHUTTLE).map(|(row, _)| table.score(&row).expect("golden rows are of the training columns"));
        let (sums, drift) = operation::detected(&table.detector, scores);
        assert_eq!(sums, [1_726_126_336, 254_983_947, 113, 804_186_124, 3_741_194_563]);
        assert_eq!((drift.raw, drift.error.raw(), drift.is_drifted()), (1_214_794, 39_601, true));
    }

    /// Calibration on the board, adaptation and rules of alarms have the host's numbers.
    fn operation_agrees_everywhere() {
        let table = table(&SHUTTLE, &shuttle::TABLE);
        let scores = rows(&SHUTTLE).map(|(row, _)| table.score(&row).expect("golden rows are of the training columns"));
        let found = operation::operated(&table.detector, scores);
        assert_eq!((found.calibration, found.adapted), ((56_971_149, 55_816_756), (3_679_498_844, 1_668_951_779)));
        assert_eq!((found.alarms, found.severities, found.thresholds), (86, 957, 3_636_865));
    }

    /// The offsets of another machine are the host's. 24 rows do not tell them exactly from those that were added.
    fn offsets_agree_everywhere() {
        let is_usual = |row: &[Reading]| views::TABLE.judge(row).is_ok_and(|verdict| !verdict.is_anomalous());
        let usual = rows(&SHUTTLE).map(|(row, _)| row).filter(|row| is_usual(row));
        let found = offsets::found(&views::TABLE, usual);
        assert!(found == [0, 0, 11, 0, -10, 0, 0, 8, 0]);
    }

    /// A column's share is its own, and the largest come first.
    fn the_largest_excess_comes_first() {
        let table = table(&SHUTTLE, &shuttle::TABLE);
        let (mut first, mut largest) = ([0; COLUMNS.len()], 0u64);
        for (row, nats) in rows(&SHUTTLE).step_by(8) {
            let mut each = [Nats::ZERO; COLUMNS.len()];
            assert_eq!(table.explain(&row, &mut each), Ok(nats));
            let score = table.score(&row).expect("golden rows are of the training columns");
            let RowScore { nats: total, largest: most, column, .. } = score;
            assert_eq!((total, most, each[usize::from(column)]), (nats, each.into_iter().max().unwrap_or(Nats::ZERO), most));
            let top = table.top::<3>(&row).expect("golden rows are of the training columns");
            let baseline = |share: &ColumnScore| share.baseline == table.detector.baseline(share.column);
            assert!(top.len() == 3 && top.iter().all(baseline) && top.is_sorted_by_key(|share| -share.excess()));
            assert!(top.iter().all(|share| share.nats == each[usize::from(share.column)]));
            first[usize::from(top[0].column)] += 1;
            largest += u64::from(most.raw());
        }
        assert_eq!((first, largest), ([62, 7, 2, 12, 5, 4, 7, 4, 25], 198_000_537));
    }

    /// Two views have the scores of the host, whose file the test of this name checks row by row, and the shares of the
    /// columns add up to them.
    fn views_are_scored_as_on_the_host() {
        view_cases::scores_are_the_hosts(&views::TABLE, rows(&SHUTTLE).map(|(row, _)| row));
    }

    /// A reading that is missing for the first time is left out of the score. Half of the rows are anomalous, and about as
    /// many alarm as before.
    fn a_missing_reading_stops_nothing() {
        view_cases::missing_readings_stop_nothing(&views::TABLE, rows(&SHUTTLE).map(|(row, _)| row));
    }

    /// Blame names the reading that was replaced, and restores the row.
    fn a_replaced_reading_is_blamed() {
        view_cases::replaced_readings_are_blamed(&views::TABLE, rows(&SHUTTLE).map(|(row, _)| row));
    }

    /// The same coins give the same rows.
    fn every_sample_equals_the_stream() {
        each_table!(samples_are);
    }

    /// Rows become the same bytes everywhere, and rows again.
    fn every_packet_is_the_same() {
        each_table!(packets_are);
    }

    /// A table asks for room that the program does not have.
    fn more_units_or_components_than_the_capacity_are_refused() {
        let units = flagship::TABLE.model.terms().hidden.units() as u16;
        let components = mixture::TABLE.model.terms().mixture.components() as u16;
        if cfg!(target_endian = "big") {
            return;
        }
        refusals::capacities_are_checked::<BITS>(&FLAGSHIP.bytes.0, units, &MIXTURE.bytes.0, components);
    }

    /// Every table tests itself, refuses rows of another length, and is refused where other columns are expected.
    fn the_schema_of_a_row_is_checked() {
        each_table!(self_test_passes);
        if cfg!(target_endian = "little") {
            refusals::other_columns_are_refused::<BITS>(&SHUTTLE.bytes.0, shuttle::FINGERPRINT);
        }
    }

    /// Damage is noticed, and named.
    fn damaged_bytes_are_refused() {
        if cfg!(target_endian = "big") {
            return;
        }
        refusals::damage_is_named::<BITS>(&SHUTTLE.bytes.0, &CORRUPT.0);
    }

    /// At every step of the link the two masses add up to one, mirror each other, and grow with the logit.
    fn masses_add_up_to_one() {
        let mut last = 0;
        for step in -352..=352 {
            let (logit, mirrored) = (Logit::from_raw(step << 11), Logit::from_raw(-step << 11));
            let mass = logit.mass();
            assert_eq!((logit.step(), mass.of(true) + mass.of(false)), (step, 65536));
            assert_eq!(mass.of(true), mirrored.mass().of(false));
            assert_eq!(logit.surprisal(true), mirrored.surprisal(false));
            assert!(mass.of(true) >= last.max(1));
            last = mass.of(true);
        }
        for beyond in [i32::MIN, i32::MAX] {
            assert_eq!(Logit::from_raw(beyond).mass().of(beyond > 0), 65535);
        }
    }
}
