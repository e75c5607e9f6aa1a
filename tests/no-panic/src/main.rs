//! A probe that links only if no function of the library can panic: its panic handler calls a function that does not
//! exist, so the handler must be dead code.

#![no_std]
#![no_main]

mod every;
mod flash;

use core::fmt::{self, Write};
use core::hint::black_box;
use core::ops::ControlFlow;
use core::panic::PanicInfo;
use core::pin::pin;
use core::task::{Context, Waker};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{ErrorKind, ErrorType, InputPin, OutputPin};
use surprisal::{
    Activation, AnomalyScore, Column, Compressor, Cusum, Decompressor, Detector, Drift, Encoder, EncoderSlices, Kind,
    Logit, Mixture, MixtureSlices, Model, Monitor, Nade, NadeSlices, Nats, OffsetSums, PValue, Predictor,
    PredictorSlices, Reading, Recent, Report, RowScore, Stream, Table, Terms, View, ViewTable, Watch, concordance,
    flags, grain, search_offsets, total_order,
};

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    unsafe extern "C" {
        #[link_name = "ERROR: a panic path is still linked"]
        fn still_linked() -> !;
    }
    // SAFETY: never called, as it does not link if it could be.
    unsafe { still_linked() }
}

/// Returns the value, hidden from the compiler.
fn any<T>(value: T) -> T {
    black_box(value)
}

/// Calls everything that a board calls for each row or sample.
fn scoring<const H: usize, const K: usize>(table: &Table<64, H, K>, readings: &[Reading]) {
    let mut each = [Nats::ZERO; 9];
    let mut row = any([false; 64]);
    let mut coin = || any(0u16);
    _ = any((table.surprisal(readings), table.judge(readings)));
    _ = any(table.explain(readings, any(&mut each[..])));
    _ = any((table.score(readings), table.top::<3>(readings)));
    _ = any(table.blame(any(&mut [Reading::Missing; 9][..])).map(|blame| blame.is_ambiguous()));
    _ = any(table.offsets(any(&[[Reading::Missing; 9]][..]), || _ = any(0)));
    _ = any(table.encoder.encode(readings, &mut row));
    _ = any(table.encoder.bits());
    _ = any((table.model.surprisal(&row), table.model.explain(&row, &mut any([Nats::ZERO; 64]))));
    _ = any((table.model.sample(&mut coin), table.model.complete(any(&[true]), &mut coin)));
    let mut compressor = Compressor::new(|byte| _ = any(byte));
    _ = any(table.model.compress(&row, &mut compressor));
    compressor.finish();
    table.model.decompress(&mut row, &mut Decompressor::new(any(readings).iter().map(|_| any(0))));
    let mut walk = table.model.walk();
    while let Some((_, conditional)) = walk.next(&row) {
        walk.observe(any(conditional.decide(&mut coin)));
    }
}

/// Calls every function of a table with these capacities.
fn every_operation<const H: usize, const K: usize>(bytes: &'static [u8], readings: &[Reading]) {
    let Ok(table) = Table::<64, H, K>::from_bytes(bytes, surprisal::Fingerprint::ANY) else { return };
    scoring(&table, readings);
    _ = any(table.self_test::<9>().map_err(|error| write!(Sink, "{error}")));
    every_state(&table.detector);
    let mut stream = any(Stream::<2, 3>::new());
    _ = any(stream.push(&table.predictor, any(&mut [Reading::Real(0.5), Reading::Integer(1), Reading::Missing][..])));
    stream.reset();
    let slices = PredictorSlices { words: any(&[]), weights: any(&[]) };
    _ = any(Predictor::new(slices).map(|predictor| predictor.states().count()).ok());
    _ = any(table.predictor.mean(any([1, 2]).into_iter()));
    table.write(|piece| _ = any(piece));
}

/// Calls everything that a board calls for each row of a table of views.
fn scoring_views<const V: usize>(table: &ViewTable<9, V>, readings: &[Reading]) {
    _ = any((table.surprisal(readings), table.judge(readings), table.score(readings), table.regime(readings)));
    _ = any(table.explain(readings, any(&mut [Nats::ZERO; 9][..])));
    _ = any(table.blame(any(&mut [Reading::Missing; 9][..])).map(|blame| blame.is_ambiguous()));
    _ = any(table.offsets(any(&[[Reading::Missing; 9]][..]), || _ = any(0)));
    let mut row = any([0; 9]);
    for view in &table.views {
        _ = any((view.encode(readings, &mut row), view.regime::<9>(readings)));
        _ = any(View::starts(&view.encoder, &view.tables).count());
        view.tables.sample(any(&mut row[..]), || any(0));
        _ = any(view.tables.surprisal(any(&row[..])));
        let mut compressor = Compressor::new(|byte| _ = any(byte));
        view.tables.compress(any(&row[..]), &mut compressor);
        compressor.finish();
        let bytes = any(readings).iter().map(|_| any(0));
        view.tables.decompress(any(&mut row[..]), &mut Decompressor::new(bytes));
        let mut walk = view.tables.walk();
        while let Some(conditional) = walk.next(any(&row[..])) {
            _ = any(conditional.map(|masses| (masses.decide(any(0)), masses.mode(), masses.tail(any(0)))));
        }
    }
}

/// Calls every function of a table of V views.
fn every_view<const V: usize>(bytes: &'static [u8], readings: &[Reading]) {
    let Ok(table) = ViewTable::<9, V>::from_bytes(bytes, surprisal::Fingerprint::ANY) else { return };
    scoring_views(&table, readings);
    _ = any(table.self_test::<9>().is_ok());
    table.write(|piece| _ = any(piece));
    _ = any(ViewTable::<9, V>::new(any([View::EMPTY; V]), any(Detector::OFF), any(Predictor::NONE)).is_ok());
}

/// A sink for printed text.
struct Sink;

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        _ = any(text);
        Ok(())
    }
}

/// Calls every function of a detector and of the state of a stream.
fn every_state(detector: &Detector) {
    let score = any(Nats::ZERO);
    _ = any((detector.judge(score), detector.p_value(score), detector.largest_baseline(), detector.baseline(any(0))));
    let mut anomaly = any(AnomalyScore::new(detector));
    anomaly.push(detector, any(0), score);
    _ = any(anomaly.nats(detector));
    _ = any(Detector::levels(any(0)).count());
    let (mut cusum, mut drift, mut recent) = any((Cusum::new(), Drift::new(), Recent::<8>::new()));
    _ = any(cusum.push(detector, score));
    drift.push(detector, score);
    _ = any(drift.estimate(detector).is_drifted());
    recent.push(score);
    _ = any(recent.mean());
    (cusum.reset(), drift.reset(), recent.reset());
    let mut monitor = any(Monitor::new());
    _ = any(write!(Sink, "{}", monitor.push(detector, &any(RowScore::default()))));
    _ = any(write!(Sink, "{}", PValue::from_ppm(any(0))));
    monitor.reset();
}

/// A pin and a clock with unknown behaviour.
struct Hardware;

impl ErrorType for Hardware {
    type Error = ErrorKind;
}

impl InputPin for Hardware {
    fn is_high(&mut self) -> Result<bool, ErrorKind> {
        any(Ok(true))
    }

    fn is_low(&mut self) -> Result<bool, ErrorKind> {
        any(Ok(true))
    }
}

impl OutputPin for Hardware {
    fn set_high(&mut self) -> Result<(), ErrorKind> {
        any(Ok(()))
    }

    fn set_low(&mut self) -> Result<(), ErrorKind> {
        any(Ok(()))
    }
}

impl embedded_hal_async::delay::DelayNs for Hardware {
    async fn delay_ns(&mut self, ns: u32) {
        _ = any(ns);
    }
}

impl DelayNs for Hardware {
    fn delay_ns(&mut self, ns: u32) {
        _ = any(ns);
    }
}

/// Calls every function between pins and rows.
fn every_pin(table: &Table<64>) {
    let read = || any(Err::<[Reading; 2], _>(0)).or_else(|_: i32| flags(any(&mut [Hardware, Hardware])));
    let Ok(mut watch) = Watch::new(&table.detector, Hardware) else { return };
    _ = any(watch.judge(any(Ok(RowScore::default()))));
    let score = |row: &[Reading; 2]| table.score(row).map(any(Some));
    let ended = watch.run(&mut Hardware, any(1), read, score, |row| any(ControlFlow::<Report>::Break(row.report)));
    _ = any(ended);
    let row = async || any(Ok::<_, i32>(any([Reading::Integer(1); 2])));
    let mut delay = Hardware;
    let task = watch.run_async(&mut delay, any(1), row, score, |row| any(ControlFlow::<Report>::Break(row.report)));
    _ = any(pin!(task).poll(&mut Context::from_waker(Waker::noop())));
    _ = any(watch.release());
}

/// Calls every function of the features of a raw signal.
#[cfg(feature = "features")]
fn of_signals() {
    use surprisal::{Feature, Features, Libm, Micromath, Samples};
    let features = Features {
        window: any(16),
        hop: any(4),
        bands: any(2),
        features: any(&const { [Feature::Crest, Feature::band(0, 2)] }),
    };
    features.row::<Libm>(any(&[1.0]), any(&mut [0.0]));
    features.row::<Micromath>(any(&[1.0]), any(&mut [0.0]));
    _ = any(Feature::band(any(0), any(0)));
    if let Some(mut samples) = any(Samples::<16, 2>::new(&features)) {
        _ = any((samples.push::<Libm>(any(0.5)), samples.push::<Micromath>(any(0.5))));
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let bytes: &'static [u8] = any(&[]);
    let readings: &[Reading] = any(&[Reading::Real(0.5)]);
    if cfg!(feature = "scoring") {
        if let Ok(model) = Model::new(Terms::EMPTY, &[], 0) {
            scoring::<32, 8>(any(&Table::new(Encoder::EMPTY, model, Detector::OFF)), readings);
        }
        let views = |detector| ViewTable::<9, 2>::new(any([View::EMPTY; 2]), detector, Predictor::NONE);
        if let Ok(table) = views(Detector::OFF) {
            scoring_views(any(&table), readings);
        }
        loop {}
    }
    every::linked();
    _ = any(search_offsets(
        any(&[]),
        any(&[any(grain(any([Reading::Missing; 9]).into_iter()))]),
        |one, other| {
            let reading = |at: usize| any([Reading::Missing; 9]).get(at).copied().unwrap_or(Reading::Missing);
            concordance(any([(); 9]).into_iter().map(|()| (reading(one), reading(other))))
        },
        [any(&mut []), any(&mut [])],
        any(0),
        |offsets, other| {
            let mut sums = OffsetSums::default();
            sums.push(any(Nats::ZERO), any(Nats::ZERO));
            any(if offsets.len() > other.map_or(0, <[Reading]>::len) { Ok(sums) } else { Err(()) })
        },
    ));
    every_view::<1>(bytes, readings);
    every_view::<2>(bytes, readings);
    every_operation::<0, 0>(bytes, readings);
    every_operation::<32, 8>(bytes, readings);
    if let Ok(table) = Table::from_bytes(bytes, surprisal::Fingerprint::ANY) {
        every_pin(&table);
    }
    _ = any(flash::update(bytes).map_err(|error| write!(Sink, "{error}")));
    let slices = MixtureSlices { priors: any(&[]), parents: any(&[]), logits: any(&[]) };
    _ = any((Mixture::<4>::logit_of(any(0)), Mixture::<4>::new(slices).is_ok()));
    let slices = NadeSlices {
        activation: Activation::Sigmoid,
        shift: any(0),
        biases: any(&[]),
        gains: any(&[]),
        inputs: any(&[]),
        outputs: any(&[]),
        scales: any(&[]),
    };
    _ = any(Nade::<4>::new(slices).is_ok());
    let column = Column {
        source: 0,
        kind: Kind::Integer,
        may_miss: any(true),
        values: any(&[]),
        pivot: any(0),
        tail_scale: any(0),
        log_widths: any(&[]),
    };
    _ = any((column.bits(), column.words().count(), column.decode(any(&[]))));
    let slices = EncoderSlices { columns: any(&[]), values: any(&[]), log_widths: any(&[]) };
    _ = any(Encoder::new(slices).bits());
    let logit = any(Logit::ZERO) + any(Logit::ZERO);
    _ = any((logit.mass().of(any(true)), logit.surprisal(any(true)), total_order(any(0.0))));
    _ = any(any(Nats::ZERO) + any(Nats::IMPOSSIBLE)).millinats();
    #[cfg(feature = "features")]
    of_signals();
    #[cfg(feature = "planted")]
    {
        _ = any(readings[any(0)]);
    }
    loop {}
}
