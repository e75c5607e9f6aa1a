//! One table, every verb.

use crate::coin::Coin;
use crate::meter::{self, Instructions};
use crate::tally::{Rows, Tally};
use core::hint::black_box;
use surprisal::{Compressor, Decompressor, Model, Monitor, Nats, Term, Reading, RowScore, Table};

/// Rows that are sampled bit by bit.
const SAMPLED: usize = 64;
/// How often every bit of the costliest row is flipped to see whether that costs more.
const PASSES: usize = 2;

/// What is measured. A constant, as a product's table is one to the compiler.
pub trait Subject<const N: usize, const H: usize, const K: usize, const C: usize> {
    /// What it is called.
    const NAME: &'static str;
    /// The table.
    const TABLE: &'static Table<'static, N, H, K>;
    /// Rows for it.
    const ROWS: Rows;
}

/// A row, and what the verbs make of it.
#[derive(Clone)]
struct Case<const N: usize, const C: usize> {
    readings: [Reading; C],
    bits: [bool; N],
    surprise: RowScore,
    each: [Nats; C],
    nats: Nats,
    packet: Packet,
}

/// Bytes of a compressed row, and how many they are.
type Packet = ([u8; 512], usize);

/// What is done with a row, behind a pointer. No verb is called anywhere else, so that the compiler is as free as it would be
/// if nothing were measured.
type Verb<'v, const N: usize, const C: usize> = &'v mut dyn FnMut(&mut Case<N, C>);

/// Prints a line a verb; the largest number over all rows is that of what [`climb`] finds, too.
pub fn measure<S: Subject<N, H, K, C>, const N: usize, const H: usize, const K: usize, const C: usize>(
    meter: &Instructions,
) {
    const FITS: &str = "all rows are of the table's columns";
    let (coin, monitor) = (&mut Coin::default(), &mut Monitor::new());
    let mut verbs: [(&str, Verb<N, C>); 10] = [
        ("encode", &mut |case| _ = black_box(S::TABLE.encoder.encode(&case.readings, &mut case.bits).expect(FITS))),
        ("surprise", &mut |case| case.surprise = S::TABLE.score(&case.readings).expect(FITS)),
        ("compress", &mut |case| compress(&S::TABLE.model, &case.bits, &mut case.packet)),
        ("decompress", &mut |case| {
            let (bytes, length) = &case.packet;
            let bytes = bytes.iter().take(*length).copied();
            S::TABLE.model.decompress(&mut case.bits, &mut Decompressor::new(bytes));
        }),
        ("surprisal", &mut |case| case.nats = S::TABLE.model.surprisal(&case.bits)),
        ("steady", &mut |case| case.nats = S::TABLE.model.steady(&case.bits)),
        ("score", &mut |case| case.nats = S::TABLE.surprisal(&case.readings).expect(FITS)),
        ("explain", &mut |case| case.nats = S::TABLE.explain(&case.readings, &mut case.each).expect(FITS)),
        ("push", &mut |case| _ = black_box(monitor.push(&S::TABLE.detector, &case.surprise))),
        ("sample", &mut |case| case.bits = S::TABLE.model.sample(|| coin.toss())),
    ];
    for at in 0..verbs.len() {
        let (mut costliest, mut most, mut tally) = (None, 0, Tally::default());
        for (odd, readings) in S::ROWS.each() {
            let [nats, each] = [Nats::ZERO; 2];
            let surprise = RowScore::default();
            let mut case = Case { readings, bits: [false; N], surprise, each: [each; C], nats, packet: ([0; 512], 0) };
            // Bits, surprise and packet are what other verbs begin with.
            verbs[..3].iter_mut().for_each(|(_, prepare)| prepare(&mut case));
            let taken = count(meter, verbs[at].1, &mut case);
            tally.add(odd, taken);
            if taken > most {
                (costliest, most) = (Some(case), taken);
            }
        }
        let (verb, work) = &mut verbs[at];
        if let Some(case) = &mut costliest {
            if ["surprisal", "steady"].contains(verb) {
                tally.add(true, climb(meter, *work, case, most));
            }
            tally.bytes = meter::stack(|| work(black_box(case)));
        }
        tally.print(S::NAME, verb);
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

/// Instructions of a verb, beyond those of calling what does nothing. One function, so that all rows are counted alike.
#[inline(never)]
fn count<const N: usize, const C: usize>(meter: &Instructions, work: Verb<N, C>, case: &mut Case<N, C>) -> u32 {
    let mut nothing = |case: &mut Case<N, C>| _ = black_box(case);
    let nothing: Verb<N, C> = black_box(&mut nothing);
    // The black box keeps the arithmetic of this count out of the next.
    let call = black_box(meter.count(|| nothing(black_box(case))).1);
    meter.count(|| work(black_box(case))).1.saturating_sub(call)
}

/// Flips bit after bit where that costs more and the row stays possible, and says what the last row costs.
fn climb<const N: usize, const C: usize>(
    meter: &Instructions,
    surprisal: Verb<N, C>,
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

/// Prints the cost of a bit while sampling: its mean, and the longest wait for the next one.
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
