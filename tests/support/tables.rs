//! Random tables as bytes.
#![allow(dead_code, reason = "each test takes what it needs")]

use surprisal::{
    Column, Detector, Encoder, EncoderSlices, Forest, Kind, Linear, LinearSlices, LinearWeights, Mixture, Model, Nade,
    Nats, Table, TableError, Terms, total_order,
};

use super::mixture::RandomMixture;
use super::random::{Dice, Random, UNITS, encoder_slices};

/// Capacity for the bits of the widest random table; the product of 7 masses fits 128 bits.
pub const N: usize = 7;
/// Capacity for the components of a random mixture.
pub const K: usize = 3;

pub type Whole<'t> = Table<'t, N, UNITS, K>;

/// First byte that the checksum, at bytes 12..16, covers.
pub const CHECKED: usize = 16;
/// The section lengths, behind the six words of the head.
pub const COUNTS: std::ops::Range<usize> = 24..24 + 4 * SECTIONS;
pub const SECTIONS: usize = 28;

/// Bytes at an address that is a multiple of four.
pub struct Aligned {
    words: Vec<u32>,
    length: usize,
}

impl Aligned {
    pub fn new(bytes: &[u8]) -> Self {
        let word = |chunk: &[u8]| u32::from_ne_bytes(std::array::from_fn(|i| *chunk.get(i).unwrap_or(&0)));
        Self { words: bytes.chunks(4).map(word).collect(), length: bytes.len() }
    }

    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }

    pub fn read(&self) -> Result<Whole<'_>, TableError> {
        Table::from_bytes(self.bytes(), surprisal::Fingerprint::ANY)
    }
}

/// Which of the terms a table has: linear, trees, hidden, mixture.
pub type Has = [bool; 4];
/// A table with every term.
pub const ALL: Has = [true; 4];

/// Creates a table of some of the four terms; it always has biases.
pub fn whole<'t>(random: &'t Random, mixture: &'t RandomMixture, has: Has, encoder: Encoder<'t>) -> Whole<'t> {
    let marginals =
        Linear::new(LinearSlices { biases: &random.biases, scales: &[], weights: LinearWeights::Dense(&[]) })
            .expect("biases need nothing else");
    let linear = if has[0] { random.linear() } else { marginals };
    let trees = if has[1] { random.forest() } else { Forest::EMPTY };
    let hidden = if has[2] { random.nade() } else { Nade::EMPTY };
    let mixture = if has[3] { mixture.term() } else { Mixture::EMPTY };
    let model = Model::new(Terms { linear, trees, hidden, mixture }, &random.constraints, random.bits);
    let detector = Detector { threshold: Nats::from_raw(7 << 16), false_alarm_ppm: 10_000, rows: 99, ..Detector::OFF };
    Table::new(encoder, model.expect("the constraints are valid"), detector)
}

pub fn written<const N: usize, const H: usize, const K: usize>(table: &Table<N, H, K>) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.write(|piece| bytes.extend_from_slice(piece));
    bytes
}

/// Draws columns of all kinds that take `bits` bits together; some may be missing.
pub fn columns(bits: usize, dice: &mut Dice) -> Vec<Column<'static>> {
    const REALS: &[i32] = &[total_order(-1.5), total_order(0.0), total_order(2.5)];
    let mut columns = Vec::new();
    let mut left = bits;
    while left > 0 {
        let (kind, values, widths): (_, &[i32], &[u16]) = match dice.between(0, 4) {
            0 => (Kind::Flag { flipped: dice.one_in(2) }, &[], &[]),
            1 => (Kind::Integer, &[-3, 4], &[900, 0, 2048]),
            2 => (Kind::Real, REALS, &[7, 0, 500, 7]),
            3 => (Kind::Category, &[2, 0, 7], &[]),
            _ => (Kind::Integer, &[100], &[5, 0]),
        };
        let pivot = if widths.is_empty() { 0 } else { dice.between(0, values.len() as i64) as u16 };
        let reach = if widths.is_empty() { 0 } else { dice.between(-128, 127) as i8 };
        let column = Column {
            source: columns.len() as u16,
            kind,
            may_miss: dice.one_in(3),
            values,
            pivot,
            tail_scale: reach,
            log_widths: widths,
        };
        if column.bits() <= left {
            left -= column.bits();
            columns.push(column);
        }
    }
    columns
}

/// Returns the bytes of a random table with a random encoder.
pub fn random_bytes(random: &Random, has: Has, dice: &mut Dice) -> Vec<u8> {
    let (words, values, widths) = encoder_slices(&columns(random.bits, dice));
    let encoder = if dice.one_in(4) {
        Encoder::EMPTY
    } else {
        Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths })
    };
    let mixture = RandomMixture::new(random.bits, K, false, dice);
    written(&whole(random, &mixture, has, encoder))
}

/// Sets the checksum of the bytes.
pub fn seal(bytes: &mut [u8]) {
    let length = (u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize).min(bytes.len());
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes[CHECKED..length.max(CHECKED)]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
}
