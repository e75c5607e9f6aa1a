//! The bytes of a table: the `.srp` format, which `docs/format.md` describes. No other module knows the layout.

use bytemuck::{Pod, try_cast_slice};
use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table as LookUp};

use crate::detector::Detector;
use crate::encoder::{Encoder, EncoderSlices};
use crate::error::TableError;
use crate::fingerprint::Fingerprint;
use crate::model::Model;
use crate::predictor::{Predictor, PredictorSlices};
use crate::row_schema::RowSchema;
use crate::table::Table;
use crate::term::{
    Activation, Forest, ForestSlices, Linear, LinearSlices, LinearWeights, Mixture, MixtureSlices, Nade, NadeSlices,
    Terms,
};

#[cfg(feature = "embedded-storage")]
mod arrival;
mod views;

#[cfg(feature = "embedded-storage")]
pub(crate) use arrival::Arrival;

/// The version of the format, which this library reads and writes.
pub const VERSION: u32 = 5;

/// The first four bytes of a file, `SRPL`. A big-endian machine reads another word, and so rejects every file.
const MAGIC: u32 = u32::from_le_bytes(*b"SRPL");
/// The number of sections that every table has: three of the schema of a row, three of the detector and two of the predictor.
const SHARED: usize = 8;
/// The number of sections of a table with a model of bits.
const SECTIONS: usize = SHARED + 20;
/// The number of words in the header before the section lengths.
const HEAD: usize = 6;
/// With a look-up table of 1 KiB, because bit by bit a checksum takes most of the time of reading a table.
pub(crate) static CHECKSUM: Crc<u32, LookUp<1>> = Crc::<u32, LookUp<1>>::new(&CRC_32_ISO_HDLC);
/// The first byte that the checksum covers: the byte after the checksum itself.
const CHECKED: usize = 16;
/// The bits of the word of flags that hold the number of views, 0 for a model of bits.
const VIEWS: u32 = 0xFF;
/// The bit of the word of flags that is set if the linear weights are dense.
const DENSE: u32 = 1 << 8;
/// The position, within the word of flags, of the lowest bit of the hidden layer's activation code.
const ACTIVATION: u32 = 9;
/// The position, within the word of flags, of the lowest bit of the hidden layer's shift.
const SHIFT: u32 = 11;
/// The position, within the word of flags, of the lowest bit of the number of feature bits of a split.
const FEATURE_BITS: u32 = 16;

impl<'t, const N: usize, const H: usize, const K: usize> Table<'t, N, H, K> {
    /// Reads a table from the bytes of a `.srp` file in place, in flash or in RAM, and checks it.
    ///
    /// The table borrows its slices from `bytes`; nothing is copied. Bytes after the table (the notes, with the names
    /// of the columns and the provenance, which only the host reads) are ignored.
    ///
    /// `expected` is the fingerprint of the columns for which the program was written, `FINGERPRINT` of the exported source,
    /// so that a table of other columns is refused. [`Fingerprint::ANY`] accepts every table.
    ///
    /// ```
    /// use surprisal::{Fingerprint, Table, TableError};
    /// #[repr(C, align(4))]
    /// struct Aligned<T: ?Sized>(T);
    /// static FLASH: &Aligned<[u8]> =
    ///     &Aligned(*include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.srp")));
    ///
    /// let table = Table::<201>::from_bytes(&FLASH.0, Fingerprint::ANY)?;
    /// assert_eq!(table.model.bits(), 201);
    /// let cut = Table::<201>::from_bytes(&FLASH.0[..100], Fingerprint::ANY);
    /// assert_eq!(cut.unwrap_err(), TableError::Truncated);
    /// # Ok::<(), TableError>(())
    /// ```
    ///
    /// # Errors
    /// [`TableError`] unless `bytes` hold a complete, undamaged table of this [`VERSION`], with at most N bits, H
    /// hidden units and K mixture components, at an address that is a multiple of four, for rows with the expected
    /// fingerprint.
    pub fn from_bytes(bytes: &'t [u8], expected: Fingerprint) -> Result<Self, TableError> {
        let (flags, mut sections) = checked(bytes, 0, SECTIONS, expected)?;
        let Shared { schema, detector, predictor } = sections.shared()?;
        // The fields of a struct literal are evaluated in the order of the source, here the order of the sections.
        let encoder = Encoder::new(EncoderSlices {
            columns: sections.next()?,
            values: sections.next()?,
            log_widths: sections.next()?,
        });
        let (constraints, biases, scales) = (sections.next()?, sections.next()?, sections.next()?);
        let (starts, weights): (&[u16], &[u8]) = (sections.next()?, sections.next()?);
        let weights = if flags & DENSE != 0 {
            LinearWeights::Dense(try_cast_slice(weights).map_err(|_| TableError::Misaligned)?)
        } else {
            let entries = try_cast_slice(weights).map_err(|_| TableError::Inconsistent("linear entries"))?;
            LinearWeights::Sparse { starts, entries }
        };
        let terms = Terms {
            linear: Linear::new(LinearSlices { biases, scales, weights })?,
            trees: Forest::new(ForestSlices {
                feature_bits: (flags >> FEATURE_BITS) as u16,
                starts: sections.next()?,
                splits: sections.next()?,
                leaves: sections.next()?,
                scales: sections.next()?,
            })?,
            hidden: Nade::new(NadeSlices {
                activation: Activation::from_code(flags >> ACTIVATION & 3)
                    .ok_or(TableError::Inconsistent("activation"))?,
                shift: flags >> SHIFT & 31,
                biases: sections.next()?,
                gains: sections.next()?,
                inputs: sections.next()?,
                outputs: sections.next()?,
                scales: sections.next()?,
            })?,
            mixture: Mixture::new(MixtureSlices {
                priors: sections.next()?,
                parents: sections.next()?,
                logits: sections.next()?,
            })?,
        };
        let bits = checked_bits(&terms, &encoder)?;
        if !detector.baselines.is_empty() && detector.baselines.len() != encoder.columns().count() {
            return Err(TableError::Inconsistent("baselines"));
        }
        let model = Model::new(terms, constraints, bits)?;
        for (_, mut bits) in encoder.columns() {
            let first = bits.start;
            // Scoring by columns needs columns whose bits are either all observed or all not.
            if bits.any(|bit| model.is_observed(bit) != model.is_observed(first)) {
                return Err(TableError::Inconsistent("constraints"));
            }
        }
        Ok(Self { encoder, model, detector, predictor, schema })
    }

    /// Writes the table as the bytes that [`from_bytes`](Self::from_bytes) reads, in pieces that are passed to `sink`. What a
    /// big-endian machine writes is no table.
    pub fn write(&self, mut sink: impl FnMut(&[u8])) {
        write(&mut sink, |sink| self.write_checked(sink));
    }

    /// Passes the bytes that the checksum covers to `sink`.
    fn write_checked(&self, sink: &mut dyn FnMut(&[u8])) {
        let terms = self.model.terms();
        let (linear, trees) = (terms.linear.slices(), terms.trees.slices());
        let (hidden, mixture) = (terms.hidden.slices(), terms.mixture.slices());
        let (dense, starts, weights): (u32, &[u16], &[u8]) = match linear.weights {
            LinearWeights::Dense(weights) => (DENSE, &[], bytes_of(weights)),
            LinearWeights::Sparse { starts, entries } => (0, starts, bytes_of(entries)),
        };
        let layer = hidden.activation.code() << ACTIVATION | hidden.shift << SHIFT;
        let flags = dense | layer | u32::from(trees.feature_bits) << FEATURE_BITS;
        let (encoder, constraints) = (self.encoder.slices(), self.model.constraints());
        let calibration = self.detector.words();
        let shared = shared_sections(&self.schema, &self.detector, &calibration, &self.predictor);
        let own: [(usize, &[u8]); SECTIONS - SHARED] = [
            (encoder.columns.len(), bytes_of(encoder.columns)),
            (encoder.values.len(), bytes_of(encoder.values)),
            (encoder.log_widths.len(), bytes_of(encoder.log_widths)),
            (constraints.len(), bytes_of(constraints)),
            (linear.biases.len(), bytes_of(linear.biases)),
            (linear.scales.len(), bytes_of(linear.scales)),
            (starts.len(), bytes_of(starts)),
            (weights.len(), weights),
            (trees.starts.len(), bytes_of(trees.starts)),
            (trees.splits.len(), bytes_of(trees.splits)),
            (trees.leaves.len(), bytes_of(trees.leaves)),
            (trees.scales.len(), bytes_of(trees.scales)),
            (hidden.biases.len(), bytes_of(hidden.biases)),
            (hidden.gains.len(), bytes_of(hidden.gains)),
            (hidden.inputs.len(), bytes_of(hidden.inputs)),
            (hidden.outputs.len(), bytes_of(hidden.outputs)),
            (hidden.scales.len(), bytes_of(hidden.scales)),
            (mixture.priors.len(), bytes_of(mixture.priors)),
            (mixture.parents.len(), bytes_of(mixture.parents)),
            (mixture.logits.len(), bytes_of(mixture.logits)),
        ];
        write_sections(self.schema.fingerprint, flags, shared.into_iter().chain(own), sink);
    }
}

/// Checks the header, the checksum and the fingerprint of a file of `views` views, or of a model of bits if that is 0, and
/// returns its word of flags and its sections.
fn checked(
    bytes: &[u8],
    views: u32,
    sections: usize,
    expected: Fingerprint,
) -> Result<(u32, Sections<'_>), TableError> {
    let head = bytes.get(..4 * HEAD).ok_or(TableError::Truncated)?;
    let &[magic, version, length, checksum, fingerprint, flags] = try_cast_slice::<_, u32>(head)
        .map_err(|_| TableError::Misaligned)?
        .first_chunk::<HEAD>()
        .ok_or(TableError::Truncated)?;
    check_kind(magic, version)?;
    let bytes = bytes.get(..length as usize).ok_or(TableError::Truncated)?;
    let mut digest = CHECKSUM.digest();
    digest_blocks(&mut digest, bytes.get(CHECKED..).ok_or(TableError::Truncated)?);
    if digest.finalize() != checksum {
        return Err(TableError::Corrupt);
    }
    let fingerprint = Fingerprint::new(fingerprint);
    check_fingerprint(fingerprint, expected)?;
    let found = flags & VIEWS;
    if found != views {
        return Err(TableError::Views { found: found as u16, expected: views as u16 });
    }
    let (counts, rest) =
        bytes.get(4 * HEAD..).and_then(|rest| rest.split_at_checked(4 * sections)).ok_or(TableError::Truncated)?;
    let counts = try_cast_slice(counts).map_err(|_| TableError::Misaligned)?;
    Ok((flags, Sections { fingerprint, bytes: rest, counts }))
}

/// Adds bytes to a checksum, in blocks whose loop the compiler unrolls: one instruction less per byte on a Cortex-M.
fn digest_blocks(digest: &mut Digest<'static, u32, LookUp<1>>, bytes: &[u8]) {
    let (blocks, rest) = bytes.as_chunks::<8>();
    blocks.iter().for_each(|block| digest.update(block));
    digest.update(rest);
}

/// Checks the first two words of a file.
fn check_kind(magic: u32, version: u32) -> Result<(), TableError> {
    match version {
        _ if magic != MAGIC => Err(TableError::NotATable),
        VERSION => Ok(()),
        found => Err(TableError::UnsupportedVersion { found, supported: VERSION }),
    }
}

/// Checks that a table is for rows with the expected fingerprint.
fn check_fingerprint(found: Fingerprint, expected: Fingerprint) -> Result<(), TableError> {
    let is_expected = expected == Fingerprint::ANY || found == expected;
    if is_expected { Ok(()) } else { Err(TableError::Fingerprint { found, expected }) }
}

/// Returns the (number of elements, bytes) of each section that every table has.
fn shared_sections<'s>(
    schema: &RowSchema<'s>,
    detector: &Detector<'s>,
    calibration: &'s [u32],
    predictor: &Predictor<'s>,
) -> [(usize, &'s [u8]); SHARED] {
    let predictor = predictor.slices();
    [
        (schema.kinds.len(), schema.kinds),
        (schema.golden_readings.len(), bytes_of(schema.golden_readings)),
        (2 * schema.golden_scores.len(), bytes_of(schema.golden_scores)),
        (calibration.len(), bytes_of(calibration)),
        (detector.quantiles.len(), bytes_of(detector.quantiles)),
        (detector.baselines.len(), bytes_of(detector.baselines)),
        (predictor.words.len(), bytes_of(predictor.words)),
        (predictor.weights.len(), bytes_of(predictor.weights)),
    ]
}

/// Writes a file: the head, and what `body` writes, whose length and checksum are in the head.
fn write(sink: &mut dyn FnMut(&[u8]), body: impl Fn(&mut dyn FnMut(&[u8]))) {
    let mut digest = CHECKSUM.digest();
    let mut length = CHECKED as u32;
    body(&mut |bytes| {
        digest.update(bytes);
        length += bytes.len() as u32;
    });
    for word in [MAGIC, VERSION, length, digest.finalize()] {
        sink(&word.to_le_bytes());
    }
    body(sink);
}

/// Writes the fingerprint, the flags, the number of elements of each section, and then the sections.
fn write_sections<'s>(
    fingerprint: Fingerprint,
    flags: u32,
    sections: impl Iterator<Item = (usize, &'s [u8])> + Clone,
    sink: &mut dyn FnMut(&[u8]),
) {
    let counts = sections.clone().map(|(count, _)| count as u32);
    [fingerprint.get(), flags].into_iter().chain(counts).for_each(|word| sink(&word.to_le_bytes()));
    for (_, bytes) in sections {
        sink(bytes);
        // Every section starts at a multiple of four.
        sink([0; 3].get(..bytes.len().wrapping_neg() % 4).unwrap_or_default());
    }
}

/// Returns the number of bits of a row, or an error if the terms and the encoder have different numbers of bits.
fn checked_bits<const H: usize, const K: usize>(terms: &Terms<H, K>, encoder: &Encoder) -> Result<usize, TableError> {
    // Every table has a linear term, which holds the biases, or a mixture.
    let bits = terms.linear.bits().max(terms.mixture.bits());
    let found = [("forest", terms.trees.bits()), ("hidden layer", terms.hidden.bits())];
    let optional = [("linear", terms.linear.bits()), ("mixture", terms.mixture.bits())];
    for (section, found) in found.into_iter().chain(optional) {
        if found != 0 && found != bits {
            return Err(TableError::Inconsistent(section));
        }
    }
    if encoder.bits() != bits && encoder.columns().next().is_some() {
        return Err(TableError::Inconsistent("encoder"));
    }
    Ok(bits)
}

/// Returns the bytes of a slice of numbers. The cast never fails, but the compiler cannot always prove it.
fn bytes_of<T: Pod>(numbers: &[T]) -> &[u8] {
    try_cast_slice(numbers).unwrap_or_default()
}

/// The sections of a table that have not been read yet.
struct Sections<'t> {
    /// The fingerprint in the header.
    fingerprint: Fingerprint,
    /// The bytes of the remaining sections.
    bytes: &'t [u8],
    /// `[section]`: the number of elements of each remaining section.
    counts: &'t [u32],
}

/// The parts that tables of both kinds have in common.
struct Shared<'t> {
    schema: RowSchema<'t>,
    detector: Detector<'t>,
    predictor: Predictor<'t>,
}

impl<'t> Sections<'t> {
    /// Removes the sections that tables of both kinds have, and returns the checked parts that they hold.
    fn shared(&mut self) -> Result<Shared<'t>, TableError> {
        // The fields of a struct literal are evaluated in the order of the source, here the order of the sections.
        let (kinds, golden_readings, scores) = (self.next()?, self.next()?, self.next::<u32>()?);
        let golden_scores = try_cast_slice(scores).map_err(|_| TableError::Inconsistent("golden rows"))?;
        let schema = RowSchema { fingerprint: self.fingerprint, kinds, golden_readings, golden_scores }.check()?;
        let words = self.next()?.try_into().map_err(|_| TableError::Inconsistent("calibration"))?;
        let detector = Detector::from_words(words, self.next()?, self.next()?).check()?;
        let predictor = Predictor::new(PredictorSlices { words: self.next()?, weights: self.next()? })?;
        Ok(Shared { schema, detector, predictor })
    }

    /// Removes the next section and returns it as a slice of numbers.
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
