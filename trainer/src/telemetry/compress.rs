//! Compresses rows into packets.

use std::io::Write;
use std::path::Path;

use rayon::prelude::*;
use surprisal::Reading;

use super::file::{FileHeader, MOST_BYTES, MOST_TEXT, PACKETS, Text, last_packet, mark, texts_packets};
use super::format::{Format, has_decimals, is_comma, is_real};
use super::spelling::{Kept, warnings};
use super::{Channel, Coding, of_rows};
use crate::artefact::Artefact;
use crate::data::blocks::Blocks;
use crate::data::input::shown;
use crate::data::missing::is_code;
use crate::data::{Frame, ReadOptions};
use crate::error::{Error, Result};
use crate::names::Named;
use crate::observer::Observer;
use crate::output::Output;
use crate::schema::{ColumnEncoding, Schema};
use crate::warning::Warning;

/// How packets are made.
#[derive(Clone, Copy, Debug)]
pub struct PacketSize {
    /// Largest number of rows.
    pub rows: usize,
    /// Largest number of bytes.
    pub bytes: usize,
}

/// Numbers of what [`compress`] compressed.
#[derive(Clone, Debug, Default)]
pub struct Compressed {
    /// Number of rows.
    pub rows: usize,
    /// Number of packets of rows.
    pub packets: usize,
    /// Number of bytes of the cells of the columns that the model has, each with the separator or line end behind it.
    pub text_bytes: usize,
    /// Number of bytes of the packets of rows.
    pub packet_bytes: usize,
    /// Number of these bytes that are headers and checks.
    pub overhead_bytes: usize,
    /// Number of bytes of the file.
    pub file_bytes: usize,
    /// Number of cells that are kept as text, because their readings do not tell how they are written.
    pub texts: usize,
    /// Number of decimals of each reading, by position in a row, without which packets cannot be read if the header is lost.
    pub decimals: Vec<u8>,
    /// Names of the columns of the file that the model does not have, and that are left out.
    pub left_out: Vec<String>,
    /// Lines that were left out, and columns whose texts take many bytes.
    pub warnings: Vec<Warning>,
}

impl Compressed {
    /// Adds the numbers of more rows.
    fn add(&mut self, more: &Self) {
        self.rows += more.rows;
        self.packets += more.packets;
        self.text_bytes += more.text_bytes;
        self.packet_bytes += more.packet_bytes;
        self.overhead_bytes += more.overhead_bytes;
        self.file_bytes += more.file_bytes;
        self.texts += more.texts;
    }
}

/// Packets of some rows.
#[derive(Default)]
struct Part {
    bytes: Vec<u8>,
    done: Compressed,
    /// What is kept as text, by position of the column.
    kept: Vec<Kept>,
}

/// Finds how the cells of a file are written, from its first rows: the columns of the model, in the order of the file.
fn channels<'s>(aligned: &'s Schema, frame: &Frame, options: &ReadOptions) -> Vec<Channel<'s>> {
    let is_series = aligned.predictor.view().window() > 0;
    let mut encodings = aligned.readings_of_a_row();
    encodings.sort_by_key(|encoding| encoding.file);
    let channel = |encoding: &'s ColumnEncoding| {
        let column = &frame.columns[encoding.file];
        let cells: Vec<_> = (0..frame.rows()).map(|row| column.text(row)).collect();
        let texts = || cells.iter().map(AsRef::as_ref);
        let comma = is_comma(options.decimal, texts());
        let is_real = is_real(encoding, is_series, || has_decimals(comma, texts()));
        let codes = options.missing.of(&column.name);
        let is_code = |text: &str| is_code(&codes, text, text.parse().ok());
        let mut format = Format::find(encoding.source, is_real, comma, is_code, texts());
        if is_series && is_real {
            // Residuals have no other form.
            format.decimals = format.decimals.clamp(1, Reading::MOST_DECIMALS);
        }
        Channel { encoding, is_real, format }
    };
    encodings.into_iter().map(channel).collect()
}

/// Compresses a file of rows, plain or compressed, into packets. `inputs` are the files that the output must not replace.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read or written; [`Error::Input`], with the line, if more lines than allowed are no rows, a
/// cell is too long or a column is absent; [`Error::Option`] if a row fits no packet; [`Error::Inconsistent`] if the model is one
/// of raw signals.
pub fn compress(
    artefact: &Artefact,
    input: &Path,
    output: &Path,
    options: &ReadOptions,
    size: PacketSize,
    inputs: &[&Path],
    observer: &dyn Observer,
) -> Result<Compressed> {
    let schema = of_rows(artefact)?;
    let table = artefact.open()?;
    let mut options = options.clone();
    options.missing.extend(&artefact.notes.fit.missing);
    let mut blocks = Blocks::open(input, &options, observer)?;
    let mut output = Output::create(output, inputs)?;
    let Some(first) = blocks.next()? else {
        return Err(Error::input(&shown(input), "no rows; expected one row of readings per line"));
    };
    let aligned = schema.aligned(&first)?;
    let channels = channels(&aligned, &first, &options);
    let others = (0..first.columns.len()).filter(|&at| channels.iter().all(|channel| channel.encoding.file != at));
    let left_out = others.map(|column| first.columns[column].name.clone()).collect();
    let columns = channels.iter().map(|channel| channel.format.clone()).collect();
    let (separator, named) = (blocks.separator().name().to_owned(), blocks.is_named());
    let mut header = FileHeader { tag: 0, separator, named, columns };
    let coding = Coding::new(&*table, channels, header.decimals())?;
    header.tag = coding.tag;
    let mut done = Compressed { decimals: header.decimals(), left_out, ..Compressed::default() };
    let mut kept = vec![Kept::default(); coding.channels.len()];
    let mut digest = PACKETS.digest();
    let header = header.bytes();
    output.write_all(&header).map_err(|error| output.failed(error))?;
    let mut next = Some(first);
    while let Some(frame) = next {
        for part in coding.fitting(&frame, size)? {
            output.write_all(&part.bytes).map_err(|error| output.failed(error))?;
            digest.update(&part.bytes);
            done.add(&part.done);
            kept.iter_mut().zip(&part.kept).for_each(|(kept, more)| kept.add(more));
        }
        next = blocks.next()?;
    }
    let last = last_packet(coding.tag, done.rows, digest.finalize());
    output.write_all(&last).map_err(|error| output.failed(error))?;
    done.file_bytes += header.len() + last.len();
    done.warnings = blocks.remarks();
    done.warnings.extend(warnings(&shown(input), &aligned, &coding.channels, &kept, done.file_bytes));
    output.commit()?;
    Ok(done)
}

impl Coding<'_> {
    /// Returns the packets of the rows of a frame.
    fn parts(&self, frame: &Frame, size: PacketSize) -> Result<Vec<Part>> {
        let starts: Vec<usize> = (0..frame.rows()).step_by(size.rows).collect();
        let part = |&start: &usize| self.packed(frame, start..frame.rows().min(start + size.rows), size.bytes);
        let parts: Vec<Result<Part>> = starts.par_iter().map(part).collect();
        parts.into_iter().collect()
    }

    /// Returns the packets of the rows of a frame. If the packets are too small for them, the error names a size that is not.
    fn fitting(&self, frame: &Frame, size: PacketSize) -> Result<Vec<Part>> {
        let with = |bytes| self.parts(frame, PacketSize { bytes, ..size });
        let parts = with(size.bytes);
        if !matches!(parts, Err(Error::Option { .. })) {
            return parts;
        }
        if with(MOST_BYTES).is_err() {
            let message = "a row does not fit the largest packet; compress with a model of fewer columns";
            return Err(Error::option("--bytes", message));
        }
        let (mut small, mut enough) = (size.bytes, MOST_BYTES);
        while small + 1 < enough {
            let middle = (small + enough) / 2;
            if with(middle).is_ok() {
                enough = middle;
            } else {
                small = middle;
            }
        }
        let message = format!("a row does not fit a packet of {} bytes; pass at least {enough}", size.bytes);
        Err(Error::option("--bytes", message))
    }

    /// Returns the packets of some rows of a frame, with those of their texts, and counts them.
    fn packed(&self, frame: &Frame, rows: std::ops::Range<usize>, capacity: usize) -> Result<Part> {
        let (mut readings, mut texts) = (Vec::with_capacity(rows.len()), Vec::new());
        let mut part = Part { kept: vec![Kept::default(); self.channels.len()], ..Part::default() };
        let done = &mut part.done;
        done.rows = rows.len();
        for (at, row) in rows.enumerate() {
            let mut of_row = vec![Reading::Missing; self.channels.len()];
            for (channel, kept) in self.channels.iter().zip(&mut part.kept) {
                let (column, source) = (&frame.columns[channel.encoding.file], usize::from(channel.format.source));
                let text = column.text(row);
                done.text_bytes += text.len() + 1;
                of_row[source] = channel.reading(&text);
                if channel.text(of_row[source]) == text {
                    continue;
                }
                if text.len() > MOST_TEXT {
                    let message = format!(
                        "a cell of {} bytes that has to be kept as text, but a packet holds {MOST_TEXT}; shorten it, or compress \
                         with a model that was fitted with --ignore for this column",
                        text.len()
                    );
                    return Err(Error::input(&frame.path, message)
                        .at(frame.unit, frame.lines[row])
                        .column(&column.name));
                }
                kept.push(&text);
                texts.push((at, source, text.into_owned()));
            }
            readings.push(of_row);
        }
        done.texts = texts.len();
        let (mut first, mut texts) = (0, &texts[..]);
        for (count, mut packet) in self.table.pack(&self.decimals, &readings, capacity)? {
            let (own, rest) = texts.split_at(texts.partition_point(|(row, ..)| *row < first + count));
            let own: Vec<Text> = own.iter().map(|(row, source, text)| (row - first, *source, text.clone())).collect();
            if !own.is_empty() {
                let link = mark(&mut packet);
                part.bytes.extend(texts_packets(self.tag, link, &own, capacity)?);
            }
            part.bytes.extend(&packet);
            done.packets += 1;
            done.packet_bytes += packet.len();
            done.overhead_bytes += if packet[0] & 0x80 == 0 { 4 } else { 6 };
            (first, texts) = (first + count, rest);
        }
        done.file_bytes = part.bytes.len();
        Ok(part)
    }
}
