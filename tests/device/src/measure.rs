//! One table, every verb.

use crate::coin::Coin;
use crate::meter::{self, Instructions};
use core::hint::black_box;
use semihosting::println;
use surprisal::{Monitor, Nats, Reading, Surprise, Table};

/// Rows that are sampled bit by bit.
const SAMPLED: usize = 64;
/// How often every bit of the costliest row is flipped to see whether that costs more.
const PASSES: usize = 2;

/// A row on each stage of its way.
#[derive(Clone)]
struct Case<const N: usize, const C: usize> {
    odd: bool,
    readings: [Reading; C],
    bits: [bool; N],
    surprise: Surprise,
}

/// What a verb took, in instructions and bytes.
#[derive(Default)]
struct Tally {
    rows: u32,
    sum: u64,
    max: u32,
    worst: u32,
    stack: u32,
}

impl Tally {
    /// Of an ordinary row, or of another.
    fn add(&mut self, odd: bool, instructions: u32) {
        self.worst = self.worst.max(instructions);
        if !odd {
            self.rows += 1;
            self.sum += u64::from(instructions);
            self.max = self.max.max(instructions);
        }
    }

    fn print(&self, table: &str, verb: &str) {
        let rows = u64::from(self.rows).max(1);
        println!("{table} {verb} {} {} {} {}", (self.sum + rows / 2) / rows, self.max, self.worst, self.stack);
    }
}

/// What is done with a row. Behind a pointer, as a function of a product would be.
type Verb<'v, const N: usize, const C: usize> = &'v mut dyn FnMut(&Case<N, C>);

/// Prints a line a verb: table, verb, the mean and the largest number of instructions over rows that the table calls
/// ordinary, the largest number over all rows and what [`climb`] finds, bytes of stack. `rows` are readings, an `i16` each.
#[inline(always)]
pub fn measure<const N: usize, const H: usize, const K: usize, const C: usize>(
    meter: &Instructions,
    name: &str,
    table: &'static Table<'static, N, H, K>,
    _: [&str; C],
    rows: &'static [u8],
) {
    let (readings, _) = rows.as_chunks::<2>();
    let (rows, _) = readings.as_chunks::<C>();
    let (coin, monitor) = (&mut Coin::default(), &mut Monitor::new());
    let verbs: [(&str, Verb<N, C>); 7] = [
        ("encode", &mut |case| _ = black_box(table.encoder.encode(&case.readings, &mut black_box([false; N])))),
        ("surprisal", &mut |case| _ = black_box(table.model.surprisal(&case.bits))),
        ("score", &mut |case| _ = black_box(table.score(&case.readings))),
        ("explain", &mut |case| _ = black_box(table.explain(&case.readings, &mut black_box([Nats::ZERO; C])))),
        ("surprise", &mut |case| _ = black_box(table.surprise(&case.readings))),
        ("push", &mut |case| _ = black_box(monitor.push(&table.detector, &case.surprise))),
        ("sample", &mut |_| _ = black_box(table.model.sample(|| coin.toss()))),
    ];
    for (verb, work) in verbs {
        let mut tally = Tally::default();
        let (mut costliest, mut most) = (None, 0);
        for row in rows {
            let case = case(table, row);
            let taken = count(meter, work, &case);
            tally.add(case.odd, taken);
            if taken > most {
                (costliest, most) = (Some(case), taken);
            }
        }
        if let Some(case) = &mut costliest {
            if verb == "surprisal" {
                tally.add(true, climb(meter, table, work, case, most));
            }
            tally.stack = meter::stack(|| work(black_box(case)));
        }
        tally.print(name, verb);
    }
    steps(meter, name, table);
}

/// Readings to all that the verbs ask for.
#[inline(never)]
fn case<const N: usize, const H: usize, const K: usize, const C: usize>(
    table: &Table<N, H, K>,
    row: &[[u8; 2]; C],
) -> Case<N, C> {
    let readings = row.map(|reading| Reading::Integer(i16::from_le_bytes(reading).into()));
    let surprise = table.surprise(&readings).expect("all rows are of the table's columns");
    let mut bits = [false; N];
    table.encoder.encode(&readings, &mut bits).expect("all rows are of the table's columns");
    Case { odd: table.detector.judge(surprise.oddness).is_odd(), readings, bits, surprise }
}

/// Instructions of a verb, beyond those of calling what does nothing.
fn count<const N: usize, const C: usize>(meter: &Instructions, work: Verb<N, C>, case: &Case<N, C>) -> u32 {
    let mut nothing = |case: &Case<N, C>| _ = black_box(case);
    let nothing: Verb<N, C> = black_box(&mut nothing);
    let call = meter.count(|| nothing(black_box(case))).1;
    meter.count(|| work(black_box(case))).1.saturating_sub(call)
}

/// Flips bit after bit where that costs more and the row stays possible, and says what the last row costs.
fn climb<const N: usize, const H: usize, const K: usize, const C: usize>(
    meter: &Instructions,
    table: &Table<N, H, K>,
    work: Verb<N, C>,
    case: &mut Case<N, C>,
    mut most: u32,
) -> u32 {
    for bits in [[false; N], [true; N]] {
        let flat = Case { bits, ..case.clone() };
        let taken = count(meter, work, &flat);
        if taken > most && table.model.surprisal(&bits) < Nats::IMPOSSIBLE {
            (*case, most) = (flat, taken);
        }
    }
    for i in (0..PASSES).flat_map(|_| 0..N) {
        case.bits[i] ^= true;
        let taken = count(meter, work, case);
        if taken > most && table.model.surprisal(&case.bits) < Nats::IMPOSSIBLE {
            most = taken;
        } else {
            case.bits[i] ^= true;
        }
    }
    most
}

/// Prints the cost of a bit while sampling: its mean, and the longest wait for the next one.
fn steps<const N: usize, const H: usize, const K: usize>(meter: &Instructions, name: &str, table: &Table<N, H, K>) {
    let (mut coin, mut tally) = (Coin::default(), Tally::default());
    for _ in 0..SAMPLED {
        let (mut row, mut walk) = ([false; N], table.model.walk());
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
    tally.print(name, "bit");
}
