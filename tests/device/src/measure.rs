//! Measures every operation of a table.

use crate::coin::Coin;
use crate::meter::{self, Instructions};
use crate::tally::{Rows, Tally};
use core::hint::black_box;
use surprisal::{Compressor, Decompressor, Model, Monitor, Nats, Reading, RowScore, Table, Term};

/// The number of rows that are sampled bit by bit.
const SAMPLED: usize = 64;
/// How often every bit of the costliest row is flipped in the search for a costlier row.
const PASSES: usize = 2;

/// A table that is measured. It is a constant, as in a product.
pub trait Subject<const N: usize, const H: usize, const K: usize, const C: usize> {
    /// The name of the table.
    const NAME: &'static str;
    /// The table.
    const TABLE: &'static Table<'static, N, H, K>;
    /// The rows that are measured.
    const ROWS: Rows;
}

/// A row, with the inputs and results of the operations.
#[derive(Clone)]
struct Case<const N: usize, const C: usize> {
    readings: [Reading; C],
    bits: [bool; N],
    score: RowScore,
    each: [Nats; C],
    nats: Nats,
    packet: Packet,
}

/// The bytes of a compressed row, and their number.
type Packet = ([u8; 512], usize);

/// An operation on a row, behind a pointer. No operation is called anywhere else, so that the compiler inlines as in a program
/// that does not measure.
type Operation<'v, const N: usize, const C: usize> = &'v mut dyn FnMut(&mut Case<N, C>);

/// Prints a line per operation. The worst number of `model` includes the rows that [`search`] finds.
pub fn measure<S: Subject<N, H, K, C>, const N: usize, const H: usize, const K: usize, const C: usize>(
    meter: &Instructions,
) {
    const FITS: &str = "every row fits the columns of the table";
    let (coin, monitor) = (&mut Coin::default(), &mut Monitor::new());
    let mut operations: [(&str, Operation<N, C>); 9] = [
        ("encode", &mut |case| _ = black_box(S::TABLE.encoder.encode(&case.readings, &mut case.bits).expect(FITS))),
        ("score", &mut |case| case.score = S::TABLE.score(&case.readings).expect(FITS)),
        ("compress", &mut |case| compress(&S::TABLE.model, &case.bits, &mut case.packet)),
        ("decompress", &mut |case| {
            let (bytes, length) = &case.packet;
            let bytes = bytes.iter().take(*length).copied();
            S::TABLE.model.decompress(&mut case.bits, &mut Decompressor::new(bytes));
        }),
        ("model", &mut |case| case.nats = S::TABLE.model.surprisal(&case.bits)),
        ("surprisal", &mut |case| case.nats = S::TABLE.surprisal(&case.readings).expect(FITS)),
        ("explain", &mut |case| case.nats = S::TABLE.explain(&case.readings, &mut case.each).expect(FITS)),
        ("push", &mut |case| _ = black_box(monitor.push(&S::TABLE.detector, &case.score))),
        ("sample", &mut |case| case.bits = S::TABLE.model.sample(|| coin.toss())),
    ];
    for at in 0..operations.len() {
        let (mut costliest, mut most, mut tally) = (None, 0, Tally::default());
        for (anomalous, readings) in S::ROWS.each() {
            let [nats, each] = [Nats::ZERO; 2];
            let score = RowScore::default();
            let mut case = Case { readings, bits: [false; N], score, each: [each; C], nats, packet: ([0; 512], 0) };
            // The first three operations compute the inputs of the others.
            operations[..3].iter_mut().for_each(|(_, prepare)| prepare(&mut case));
            let taken = count(meter, operations[at].1, &mut case);
            tally.add(anomalous, taken);
            if taken > most {
                (costliest, most) = (Some(case), taken);
            }
        }
        let (name, work) = &mut operations[at];
        if let Some(case) = &mut costliest {
            if *name == "model" {
                tally.add(true, search(meter, *work, case, most));
            }
            tally.bytes = meter::stack(|| work(black_box(case)));
        }
        tally.print(S::NAME, name);
    }
    steps::<S, N, H, K, C>(meter);
}

fn compress<const N: usize, P: Term<N>>(model: &Model<N, P>, bits: &[bool; N], (bytes, length): &mut Packet) {
    let mut free = bytes.iter_mut();
    let mut compressor = Compressor::new(|byte| _ = free.next().map(|slot| *slot = byte));
    model.compress(bits, &mut compressor).expect("an encoded row is possible");
    compressor.finish();
    *length = 512 - free.len();
}

/// Counts the instructions of an operation, minus those of calling an empty function. Not inlined, so that all rows are counted
/// by the same code.
#[inline(never)]
fn count<const N: usize, const C: usize>(meter: &Instructions, work: Operation<N, C>, case: &mut Case<N, C>) -> u32 {
    let mut nothing = |case: &mut Case<N, C>| _ = black_box(case);
    let nothing: Operation<N, C> = black_box(&mut nothing);
    // The black box keeps the arithmetic of this count out of the next one.
    let call = black_box(meter.count(|| nothing(black_box(case))).1);
    meter.count(|| work(black_box(case))).1.saturating_sub(call)
}

/// Searches for a costlier row by flipping one bit after the other, keeping the row possible, and returns its cost.
fn search<const N: usize, const C: usize>(
    meter: &Instructions,
    surprisal: Operation<N, C>,
    case: &mut Case<N, C>,
    mut most: u32,
) -> u32 {
    for bits in [[false; N], [true; N]] {
        let mut flat = Case { bits, ..case.clone() };
        let taken = count(meter, surprisal, &mut flat);
        if taken > most && flat.nats < Nats::IMPOSSIBLE {
            (*case, most) = (flat, taken);
        }
    }
    for i in (0..PASSES).flat_map(|_| 0..N) {
        case.bits[i] ^= true;
        let taken = count(meter, surprisal, case);
        if taken > most && case.nats < Nats::IMPOSSIBLE {
            most = taken;
        } else {
            case.bits[i] ^= true;
        }
    }
    most
}

/// Prints the cost per bit while sampling: the mean, and the maximum from one bit to the next.
fn steps<S: Subject<N, H, K, C>, const N: usize, const H: usize, const K: usize, const C: usize>(meter: &Instructions) {
    let (mut coin, mut tally) = (Coin::default(), Tally::default());
    for _ in 0..SAMPLED {
        let (mut row, mut walk) = ([false; N], S::TABLE.model.walk());
        loop {
            let (more, taken) = meter.count(|| {
                let (i, conditional) = walk.next(black_box(&row))?;
                let bit = conditional.decide(|| coin.toss());
                walk.observe(bit);
                Some((i, bit))
            });
            let Some((i, bit)) = more else { break };
            row[i] = bit;
            tally.add(false, taken);
        }
    }
    tally.print(S::NAME, "bit");
}
