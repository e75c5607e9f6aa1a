//! Rows per second on one thread with the golden shuttle table, in blocks and one by one:
//! `cargo bench -p surprisal-trainer --bench batch`. `cargo xtask bench host` compares with NumPy and measures flags.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use surprisal::{Reading, Table};
use surprisal_trainer::batch::Batch;

#[repr(C, align(4))]
struct AlignedBytes<T: ?Sized>(T);
static TABLE: &AlignedBytes<[u8]> = &AlignedBytes(*include_bytes!("../../tests/golden/shuttle.srp"));
const BITS: usize = 201;

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("no pool yet");
    divan::main();
}

fn rows() -> Vec<Vec<Reading>> {
    let (words, _) = include_bytes!("../../tests/golden/shuttle.readings").as_chunks::<2>();
    let reading = |word: &[u8; 2]| Reading::Integer(i16::from_le_bytes(*word).into());
    words.chunks(9).map(|row| row.iter().map(reading).collect()).collect()
}

#[divan::bench]
fn by_blocks(bencher: Bencher) {
    let (table, rows) = (Table::<BITS>::from_bytes(&TABLE.0, surprisal::Fingerprint::ANY).expect("a table"), rows());
    let batch = Batch::new(&table).expect("no mixture");
    bencher.counter(ItemsCount::new(rows.len())).bench(|| batch.surprisals(black_box(&rows)));
}

#[divan::bench]
fn one_after_another(bencher: Bencher) {
    let (table, rows) = (Table::<BITS>::from_bytes(&TABLE.0, surprisal::Fingerprint::ANY).expect("a table"), rows());
    let score = |row: &Vec<Reading>| table.surprisal(row);
    bencher
        .counter(ItemsCount::new(rows.len()))
        .bench(|| black_box(&rows).iter().map(score).collect::<Result<Vec<_>, _>>());
}
