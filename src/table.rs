//! A whole model as one table, and its bytes: the `.srp` format, which `docs/format.md` describes.

use bytemuck::{Pod, try_cast_slice};
use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

use crate::detector::{Detector, Verdict};
use crate::encoder::{Encoder, Reading};
use crate::error::{EncodeError, TableError};
use crate::link::Nats;
use crate::model::Model;
use crate::part::{Activation, Columns, Forest, Linear, Mixture, Nade, Sum};
use crate::stream::Predictor;

/// The format that this library reads and writes.
pub const VERSION: u32 = 3;

/// `SRPL` as the bytes lie in the file; another byte order does not match.
const MAGIC: u32 = u32::from_le_bytes(*b"SRPL");
const SECTIONS: usize = 25;
/// Words of the header before the section lengths, and bytes of the whole header.
const HEAD: usize = 5;
const HEADER: usize = 4 * (HEAD + SECTIONS);
const CHECKSUM: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
/// The checksum covers everything after itself.
const CHECKED: usize = 16;
/// Set when the linear weights are dense.
const DENSE: u32 = 1;
/// Where the hidden layer's activation and shift, and the bits of a split's feature, lie in the flags.
const ACTIVATION: u32 = 1;
const SHIFT: u32 = 8;
const FEATURE_BITS: u32 = 16;

/// The parts that a table of this format holds.
pub type Parts<'t, const H: usize = 0, const K: usize = 0> =
    Sum<Sum<Linear<'t>, Forest<'t>>, Sum<Nade<'t, H>, Mixture<'t, K>>>;

/// Encoder, model and detector for rows of at most N bits: everything a board needs. H is the room for hidden units and
/// K that for components of a mixture; without them both are zero and cost nothing.
///
/// ```
/// use surprisal::{Columns, Detector, Encoder, Forest, Linear, Mixture, Model, Nade, Nats, Reading, Sum, Table};
/// // Two flags; the second is mostly what the first is.
/// let rows = Linear::new(&[0, -3072], &[3000, 3000], Columns::Dense(&[100])).unwrap();
/// let model = Model::new(Sum(Sum(rows, Forest::EMPTY), Sum(Nade::EMPTY, Mixture::EMPTY)), &[], 2).unwrap();
/// let detector = Detector { threshold: Nats::from_raw(3 << 16), false_alarm_ppm: 10_000, rows: 99, ..Detector::OFF };
/// let table = Table::<2>::new(Encoder::new(&[0, 1], &[], &[]), model, detector);
///
/// let odd = table.score(&[Reading::Integer(0), Reading::Integer(1)]).unwrap();
/// assert_eq!(format!("{odd}"), "3.742"); // ln 2 + ln(1 + e³)
/// assert!(table.judge(&[Reading::Integer(0), Reading::Integer(1)]).unwrap().is_odd());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Table<'t, const N: usize, const H: usize = 0, const K: usize = 0> {
    /// Readings to bits.
    pub encoder: Encoder<'t>,
    /// Bits to nats.
    pub model: Model<'t, N, Parts<'t, H, K>>,
    /// Nats to a verdict.
    pub detector: Detector<'t>,
    /// Rows in time to readings; [`Predictor::NONE`] for rows on their own.
    pub predictor: Predictor<'t>,
}

impl<'t, const N: usize, const H: usize, const K: usize> Table<'t, N, H, K> {
    /// From its three pieces.
    pub const fn new(encoder: Encoder<'t>, model: Model<'t, N, Parts<'t, H, K>>, detector: Detector<'t>) -> Self {
        Self { encoder, model, detector, predictor: Predictor::NONE }
    }

    /// The same for rows in time.
    pub const fn after(self, predictor: Predictor<'t>) -> Self {
        Self { predictor, ..self }
    }

    /// The surprisal of one row of readings: log-probability plus log-widths, see [`Encoder::encode`].
    ///
    /// # Errors
    /// [`EncodeError`] says which reading does not fit its column.
    pub fn score(&self, readings: &[Reading]) -> Result<Nats, EncodeError> {
        let mut row = [false; N];
        let widths = self.encode(readings, &mut row)?;
        Ok(self.model.surprisal(&row) + widths)
    }

    /// The same number, in as many instructions for any row of bits as for any other; see [`Model::steady`]. Encoding takes
    /// its time by the readings.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn steady(&self, readings: &[Reading]) -> Result<Nats, EncodeError> {
        let mut row = [false; N];
        let widths = self.encode(readings, &mut row)?;
        Ok(self.model.steady(&row) + widths)
    }

    /// Readings to bits, and what makes the mass of those that are scored a density. A function of its own, whose stack is
    /// free again before the model takes its own.
    #[inline(never)]
    fn encode(&self, readings: &[Reading], row: &mut [bool; N]) -> Result<Nats, EncodeError> {
        self.encoder.encode_counted(readings, row, |start| !self.model.is_given(start))
    }

    /// The detector's verdict on the [`oddness`](crate::Surprise::oddness) of a row.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn judge(&self, readings: &[Reading]) -> Result<Verdict, EncodeError> {
        Ok(self.detector.judge(self.surprise(readings)?.oddness))
    }

    /// Borrows a table from the bytes of a `.srp` file, in flash or in memory; nothing is copied. What follows the
    /// table in the file (names and provenance for the host) is not looked at.
    ///
    /// ```
    /// use surprisal::{Table, TableError};
    /// #[repr(C, align(4))]
    /// struct Aligned<T: ?Sized>(T);
    /// static FLASH: &Aligned<[u8]> =
    ///     &Aligned(*include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.srp")));
    ///
    /// let table = Table::<201>::from_bytes(&FLASH.0)?;
    /// assert_eq!(table.model.bits(), 201);
    /// assert_eq!(Table::<201>::from_bytes(&FLASH.0[..100]).unwrap_err(), TableError::Truncated);
    /// # Ok::<(), TableError>(())
    /// ```
    ///
    /// # Errors
    /// [`TableError`] for anything that is not a whole, uncorrupted table of this version for at most N bits, H
    /// units and K components, at an address that is a multiple of four.
    pub fn from_bytes(bytes: &'t [u8]) -> Result<Self, TableError> {
        let header = bytes.get(..HEADER).ok_or(TableError::Truncated)?;
        let words: &[u32] = try_cast_slice(header).map_err(|_| TableError::Misaligned)?;
        let (&[magic, version, length, checksum, flags], counts) =
            words.split_first_chunk::<HEAD>().ok_or(TableError::Truncated)?;
        if magic != MAGIC {
            return Err(TableError::Foreign);
        }
        if version != VERSION {
            return Err(TableError::Version(version));
        }
        let bytes = bytes.get(..length as usize).ok_or(TableError::Truncated)?;
        if CHECKSUM.checksum(bytes.get(CHECKED..).ok_or(TableError::Truncated)?) != checksum {
            return Err(TableError::Corrupt);
        }
        let mut sections = Sections { bytes: bytes.get(HEADER..).ok_or(TableError::Truncated)?, counts };
        let encoder = Encoder::new(sections.next()?, sections.next()?, sections.next()?);
        let (guards, biases, scales) = (sections.next()?, sections.next()?, sections.next()?);
        let (starts, weights): (&[u16], &[u8]) = (sections.next()?, sections.next()?);
        let columns = if flags & DENSE != 0 {
            Columns::Dense(try_cast_slice(weights).map_err(|_| TableError::Misaligned)?)
        } else {
            Columns::Sparse {
                starts,
                entries: try_cast_slice(weights).map_err(|_| TableError::Shape("linear entries"))?,
            }
        };
        let linear = Linear::new(biases, scales, columns)?;
        let feature_bits = (flags >> FEATURE_BITS) as u16;
        let forest = Forest::new(feature_bits, sections.next()?, sections.next()?, sections.next()?, sections.next()?)?;
        let activation = Activation::from_code(flags >> ACTIVATION & 3).ok_or(TableError::Shape("activation"))?;
        let (shift, biases) = (flags >> SHIFT & 0xFF, sections.next()?);
        let (gains, inputs, outputs, scales) = (sections.next()?, sections.next()?, sections.next()?, sections.next()?);
        let nade = Nade::new(activation, shift, biases, gains, inputs, outputs, scales)?;
        let mixture = Mixture::new(sections.next()?, sections.next()?, sections.next()?)?;
        // A mixture needs no rows beside it.
        let bits = linear.bits().max(mixture.bits());
        let parts = [("linear", linear.bits()), ("forest", forest.bits()), ("hidden layer", nade.bits())];
        for (part, found) in parts.into_iter().chain([("mixture", mixture.bits())]) {
            if found != 0 && found != bits {
                return Err(TableError::Shape(part));
            }
        }
        if encoder.bits() != bits && encoder.columns().next().is_some() {
            return Err(TableError::Shape("encoder"));
        }
        let detector = Detector::from_words(sections.next()?, sections.next()?, sections.next()?)?;
        if !detector.usual.is_empty() && detector.usual.len() != encoder.columns().count() {
            return Err(TableError::Shape("usual"));
        }
        let model = Model::new(Sum(Sum(linear, forest), Sum(nade, mixture)), guards, bits)?;
        let mut first = 0;
        for column in encoder.columns() {
            let mut own = first..first + column.bits();
            // A column is given as a whole, and not scored then, or not at all.
            if own.any(|bit| model.is_given(bit) != model.is_given(first)) {
                return Err(TableError::Shape("guards"));
            }
            first += column.bits();
        }
        let predictor = Predictor::new(sections.next()?, sections.next()?)?;
        Ok(Self { encoder, model, detector, predictor })
    }

    /// Writes the bytes that [`from_bytes`](Self::from_bytes) reads, piece by piece.
    pub fn write(&self, mut sink: impl FnMut(&[u8])) {
        let mut digest = CHECKSUM.digest();
        let mut length = CHECKED as u32;
        self.write_checked(&mut |bytes| {
            digest.update(bytes);
            length += bytes.len() as u32;
        });
        for word in [MAGIC, VERSION, length, digest.finalize()] {
            sink(&word.to_le_bytes());
        }
        self.write_checked(&mut sink);
    }

    fn flags(&self) -> u32 {
        let (Sum(Sum(linear, forest), Sum(nade, _)), _) = self.model.pieces();
        let dense = if matches!(linear.slices().2, Columns::Dense(_)) { DENSE } else { 0 };
        let (activation, shift, ..) = nade.slices();
        dense | activation.code() << ACTIVATION | shift << SHIFT | u32::from(forest.slices().0) << FEATURE_BITS
    }

    fn write_checked(&self, sink: &mut impl FnMut(&[u8])) {
        sink(&self.flags().to_le_bytes());
        let (columns, values, widths) = self.encoder.slices();
        let (Sum(Sum(linear, forest), Sum(nade, mixture)), guards) = self.model.pieces();
        let (biases, scales, rows) = linear.slices();
        let (starts, weights): (&[u16], &[u8]) = match rows {
            Columns::Dense(weights) => (&[], bytes_of(weights)),
            Columns::Sparse { starts, entries } => (starts, bytes_of(entries)),
        };
        let (_, trees, splits, leaves, leaf_scales) = forest.slices();
        let (_, _, hidden, gains, inputs, outputs, output_scales) = nade.slices();
        let (priors, parents, logits) = mixture.slices();
        let (words, weights_in_time) = self.predictor.slices();
        let (calibration, Detector { quantiles, usual, .. }) = (self.detector.words(), self.detector);
        let sections: [(usize, &[u8]); SECTIONS] = [
            (columns.len(), bytes_of(columns)),
            (values.len(), bytes_of(values)),
            (widths.len(), bytes_of(widths)),
            (guards.len(), bytes_of(guards)),
            (biases.len(), bytes_of(biases)),
            (scales.len(), bytes_of(scales)),
            (starts.len(), bytes_of(starts)),
            (weights.len(), weights),
            (trees.len(), bytes_of(trees)),
            (splits.len(), bytes_of(splits)),
            (leaves.len(), bytes_of(leaves)),
            (leaf_scales.len(), bytes_of(leaf_scales)),
            (hidden.len(), bytes_of(hidden)),
            (gains.len(), bytes_of(gains)),
            (inputs.len(), bytes_of(inputs)),
            (outputs.len(), bytes_of(outputs)),
            (output_scales.len(), bytes_of(output_scales)),
            (priors.len(), bytes_of(priors)),
            (parents.len(), bytes_of(parents)),
            (logits.len(), bytes_of(logits)),
            (calibration.len(), bytes_of(&calibration)),
            (quantiles.len(), bytes_of(quantiles)),
            (usual.len(), bytes_of(usual)),
            (words.len(), bytes_of(words)),
            (weights_in_time.len(), bytes_of(weights_in_time)),
        ];
        sections.iter().for_each(|(count, _)| sink(&(*count as u32).to_le_bytes()));
        for (_, bytes) in sections {
            sink(bytes);
            // Every section starts at a multiple of four.
            sink([0; 3].get(..bytes.len().wrapping_neg() % 4).unwrap_or_default());
        }
    }
}

/// Bytes are never misaligned, but the compiler does not always see it.
fn bytes_of<T: Pod>(numbers: &[T]) -> &[u8] {
    try_cast_slice(numbers).unwrap_or_default()
}

/// The sections that are still to be read.
struct Sections<'t> {
    bytes: &'t [u8],
    counts: &'t [u32],
}

impl<'t> Sections<'t> {
    fn next<T: Pod>(&mut self) -> Result<&'t [T], TableError> {
        let (&count, counts) = self.counts.split_first().ok_or(TableError::Truncated)?;
        self.counts = counts;
        let length = (count as usize).checked_mul(size_of::<T>()).ok_or(TableError::Truncated)?;
        let (section, _) = self.bytes.split_at_checked(length).ok_or(TableError::Truncated)?;
        let padded = length.checked_next_multiple_of(4).ok_or(TableError::Truncated)?;
        self.bytes = self.bytes.get(padded..).unwrap_or_default();
        try_cast_slice(section).map_err(|_| TableError::Misaligned)
    }
}
