//! Tables as a device reads them, with a correct checksum, and every verb on any readings.

use surprisal::{
    Calibrator, Compressor, Constraint, Decompressor, Fingerprint, Monitor, Nats, OutcomeTables, PValue, Reading,
    RowScore, Stream, Table, ViewTable,
};
use surprisal_trainer::data::checksum;

/// The bytes at the start of an input from which the readings are made.
pub const READING_BYTES: usize = 32;
/// The capacities of the device.
const BITS: usize = 512;
const COLUMNS: usize = 32;

/// Reads the bytes after the readings as a table of each kind, and calls everything.
pub fn tables(input: &[u8]) {
    let Some((seed, bytes)) = input.split_first_chunk::<READING_BYTES>() else { return };
    let mut bytes = bytes.to_vec();
    if let Some(length) =
        bytes.get(8..12).map(|word| word.iter().rev().fold(0, |word, byte| word << 8 | usize::from(*byte)))
        && let Some(crc) = bytes.get(16..length).map(checksum)
    {
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    }
    // The table must be aligned.
    let mut words = vec![0u32; bytes.len().div_ceil(4)];
    let aligned: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    aligned[..bytes.len()].copy_from_slice(&bytes);
    let aligned = &aligned[..bytes.len()];
    if let Ok(table) = Table::<BITS, 32, 8>::from_bytes(aligned, Fingerprint::ANY) {
        of_bits(&table, seed);
    }
    of_views::<1>(aligned, seed);
    of_views::<2>(aligned, seed);
}

/// Returns rows of readings of all types, from the bytes and from extremes.
fn rows(seed: &[u8; READING_BYTES], readings: usize) -> Vec<Vec<Reading>> {
    let extremes = [
        Reading::Integer(0),
        Reading::Integer(i32::MIN),
        Reading::Integer(i32::MAX),
        Reading::Real(0.0),
        Reading::Real(f32::NEG_INFINITY),
        Reading::Real(f32::MAX),
        Reading::Real(f32::NAN),
        Reading::Missing,
    ];
    let words: Vec<u32> = seed.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let drawn = |at: usize| match words[at % 8] {
        word if at.is_multiple_of(3) => Reading::Real(f32::from_bits(word)),
        word => Reading::Integer(word as i32 >> (at % 24)),
    };
    let row = |pick: &dyn Fn(usize) -> Reading| (0..readings).map(pick).collect();
    let mut rows: Vec<Vec<Reading>> = extremes.iter().map(|reading| row(&|_| *reading)).collect();
    rows.push(row(&|at| extremes[at % 8]));
    rows.push(row(&drawn));
    rows
}

/// Returns the number of readings that a row of a table needs.
fn width(kinds: &[u8], sources: impl Iterator<Item = u16>) -> usize {
    if kinds.is_empty() {
        sources.filter(|source| *source < 4095).max().map_or(0, |last| usize::from(last) + 1)
    } else {
        kinds.len()
    }
}

fn of_bits(table: &Table<BITS, 32, 8>, seed: &[u8; READING_BYTES]) {
    let _ = table.self_test::<COLUMNS>();
    let readings = width(table.schema.kinds, table.encoder.columns().map(|(column, _)| column.source));
    let mut stream = Stream::<2, 3>::new();
    let mut states = States::new();
    for mut row in rows(seed, readings) {
        let mut each = vec![Nats::ZERO; readings];
        let _ = (table.surprisal(&row), table.judge(&row), table.explain(&row, &mut each), table.top::<3>(&row));
        let _ = (table.blame(&mut row.clone()), stream.push(&table.predictor, &mut row.clone()));
        states.push(&table.detector, table.score(&row).unwrap_or(RowScore::IMPOSSIBLE));
        let mut bits = [false; BITS];
        if table.encoder.encode(&row, &mut bits).is_ok() {
            let mut packet = Vec::new();
            let mut compressor = Compressor::new(|byte| packet.push(byte));
            if table.model.compress(&bits, &mut compressor).is_ok() {
                compressor.finish();
                let mut decoded = [false; BITS];
                for (bit, constraint) in table.model.constraints().iter().enumerate() {
                    decoded[bit] = bits[bit] && *constraint == Constraint::OBSERVED.raw();
                }
                table.model.decompress(&mut decoded, &mut Decompressor::new(packet.iter().copied()));
                assert_eq!(decoded[..table.model.bits()], bits[..table.model.bits()], "a row comes back as another");
            }
        }
        row.clear();
    }
    let mut coin = seed.iter().cycle().map(|byte| u16::from(*byte) * 257);
    let mut bits = table.model.sample(|| coin.next().unwrap_or(0));
    table.model.decompress(&mut bits, &mut Decompressor::new(seed.iter().copied()));
    let mut walk = table.model.walk();
    while let Some((bit, conditional)) = walk.next(&bits) {
        walk.observe(conditional.decide(|| seed[bit % READING_BYTES].into()));
    }
}

fn of_views<const V: usize>(bytes: &[u8], seed: &[u8; READING_BYTES]) {
    let Ok(table) = ViewTable::<COLUMNS, V>::from_bytes(bytes, Fingerprint::ANY) else { return };
    let _ = table.self_test::<COLUMNS>();
    let sources = table.views.iter().flat_map(|view| view.encoder.columns().map(|(column, _)| column.source));
    let readings = width(table.schema.kinds, sources);
    let mut states = States::new();
    for row in rows(seed, readings) {
        let mut each = vec![Nats::ZERO; readings];
        let _ = (table.surprisal(&row), table.judge(&row), table.explain(&row, &mut each), table.regime(&row));
        let _ = table.blame(&mut row.clone());
        states.push(&table.detector, table.score(&row).unwrap_or(RowScore::IMPOSSIBLE));
        for view in &table.views {
            let _ = (view.explain::<COLUMNS>(&row, &mut [Nats::ZERO; COLUMNS]), view.distance::<COLUMNS>(&row));
            let mut outcomes = [0; COLUMNS];
            if view.encode::<COLUMNS>(&row, &mut outcomes).is_ok() {
                there_and_back(&view.tables, &outcomes);
            }
        }
    }
    for view in &table.views {
        let mut coin = seed.iter().cycle().map(|byte| u16::from(*byte) * 257);
        let mut outcomes = [0; COLUMNS];
        view.tables.sample(&mut outcomes, || coin.next().unwrap_or(0));
        view.tables.decompress(&mut outcomes, &mut Decompressor::new(seed.iter().copied()));
        there_and_back(&view.tables, &outcomes);
        for prototype in 0..view.prototypes.count().min(256) {
            let _ = view.prototypes.centre(usize::from(seed[0]), prototype as u8);
        }
    }
}

/// Compresses a row of outcomes and compares what comes back.
fn there_and_back(tables: &OutcomeTables, outcomes: &[u8; COLUMNS]) {
    let mut packet = Vec::new();
    let mut compressor = Compressor::new(|byte| packet.push(byte));
    tables.compress(outcomes, &mut compressor);
    compressor.finish();
    let mut decoded = *outcomes;
    tables.decompress(&mut decoded, &mut Decompressor::new(packet.iter().copied()));
    assert_eq!(decoded, *outcomes, "a row comes back as another");
}

/// Everything that keeps a state from row to row.
struct States {
    monitor: Monitor,
    calibrator: Calibrator<8>,
}

impl States {
    fn new() -> Self {
        Self { monitor: Monitor::new(), calibrator: Calibrator::new() }
    }

    fn push(&mut self, detector: &surprisal::Detector, score: RowScore) {
        let report = self.monitor.push(detector, &score);
        let _ = (report.to_string(), detector.p_value(score.anomaly), detector.severity(score.anomaly));
        self.calibrator.push(&score);
        let own = self.calibrator.finish(detector, PValue::from_ppm(10_000));
        let _ = own.detector(detector).judge(score.anomaly);
    }
}
