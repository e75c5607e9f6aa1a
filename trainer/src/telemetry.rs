//! Compresses files of rows with the table of a model, packet by packet, and reads them again.
//!
//! A packet holds rows in as many bytes as they surprise, see [`surprisal::RowCodec`]. What the readings do not tell, such
//! as a text that no training row has, goes beside the packets as text, so that every cell comes back as it was written.

use std::io::{BufRead, Write};
use std::path::Path;

use rayon::prelude::*;
use surprisal::Reading;

use crate::artefact::Artefact;
use crate::data::blocks::Blocks;
use crate::data::input::{decompressed, shown};
use crate::data::{Frame, ReadOptions};
use crate::error::{Error, Result};
use crate::names::Named;
use crate::observer::Observer;
use crate::output::Output;
use crate::row_table::RowTable;
use crate::schema::{ColumnEncoding, Schema};

mod file;
mod format;
mod search;

use file::{Content, FileHeader, MAGIC, Text, Texts, add_texts, last_packet, link_of, mark, rows_of, texts_packets};
use format::{Format, has_decimals, is_real};
use search::{Found, add_damage, read_packets};

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
    /// Number of bytes of the rows as text, of the columns that the model has.
    pub text_bytes: usize,
    /// Number of bytes of the packets of rows.
    pub packet_bytes: usize,
    /// Number of these bytes that are headers and checks.
    pub overhead_bytes: usize,
    /// Number of bytes of the file.
    pub file_bytes: usize,
    /// Number of cells that are kept as text, because their readings do not tell how they are written.
    pub texts: usize,
    /// Names of the columns of the file that the model does not have, and that are left out.
    pub left_out: Vec<String>,
}

/// Numbers of what [`decompress`] decompressed.
#[derive(Clone, Debug, Default)]
pub struct Decompressed {
    /// Number of rows.
    pub rows: usize,
    /// Number of packets of rows.
    pub packets: usize,
    /// (first byte, number of bytes) of each part of the file that does not belong to a packet of the model.
    pub damages: Vec<(u64, u64)>,
    /// Number of rows that the file held when it was whole; `None` if it is no file of [`compress`] or its end is missing.
    pub whole: Option<usize>,
    /// Whether the file has a header, and so should have an end.
    pub has_header: bool,
}

/// A column of a row of readings: its encoding, and how its cells are written.
struct Channel<'s> {
    encoding: &'s ColumnEncoding,
    is_real: bool,
    format: Format,
}

impl Channel<'_> {
    fn reading(&self, text: &str) -> Reading {
        self.format.reading(text, self.is_real, &self.encoding.labels)
    }

    fn text(&self, reading: Reading) -> String {
        self.format.text(reading, &self.encoding.labels)
    }
}

/// Finds how the cells of a file are written, from its first rows: the columns of the model, in the order of the file.
fn channels<'s>(aligned: &'s Schema, frame: &Frame) -> Vec<Channel<'s>> {
    let is_series = aligned.predictor.view().window() > 0;
    let mut encodings = aligned.readings_of_a_row();
    encodings.sort_by_key(|encoding| encoding.file);
    let channel = |encoding: &'s ColumnEncoding| {
        let column = &frame.columns[encoding.file];
        let cells: Vec<_> = (0..frame.rows()).map(|row| column.text(row)).collect();
        let texts = || cells.iter().map(AsRef::as_ref);
        let is_real = is_real(encoding, is_series, || has_decimals(texts()));
        let mut format = Format::find(encoding.source, is_real, texts());
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
/// [`Error::Io`] if a file cannot be read or written; [`Error::Input`], with the line, if a line is no row or a column is
/// absent; [`Error::Option`] if a row fits no packet, or the model is one of raw signals.
pub fn compress(
    artefact: &Artefact,
    input: &Path,
    output: &Path,
    options: &ReadOptions,
    size: PacketSize,
    inputs: &[&Path],
    observer: &dyn Observer,
) -> Result<Compressed> {
    if artefact.notes.fit.signal.is_some() {
        let message = "is a model of raw signals, whose features do not tell the signal; pass a model of rows";
        return Err(Error::Inconsistent(format!("the model {message}")));
    }
    let table = artefact.open()?;
    let mut blocks = Blocks::open(input, options, observer)?;
    let (separator, named) = (blocks.separator().name().to_owned(), blocks.is_named());
    let mut output = Output::create(output, inputs)?;
    let mut done = Compressed::default();
    let mut aligned = Schema::default();
    let mut first = blocks.next()?;
    if let Some(frame) = &first {
        aligned = of_rows(artefact).aligned(frame)?;
        let kept: Vec<usize> = aligned.readings_of_a_row().iter().map(|encoding| encoding.file).collect();
        let others = (0..frame.columns.len()).filter(|column| !kept.contains(column));
        done.left_out = others.map(|column| frame.columns[column].name.clone()).collect();
    }
    let mut coding: Option<Coding> = None;
    while let Some(frame) = match first.take() {
        Some(frame) => Some(frame),
        None => blocks.next()?,
    } {
        if coding.is_none() {
            let (made, header) = Coding::new(&*table, channels(&aligned, &frame), separator.clone(), named, None)?;
            output.write_all(&header).map_err(|error| output.failed(error))?;
            done.file_bytes += header.len();
            coding = Some(made);
        }
        let Some(coding) = &coding else { break };
        let rows: Vec<usize> = (0..frame.rows()).collect();
        let parts: Vec<_> = rows.par_chunks(size.rows).map(|rows| coding.packed(&frame, rows, size.bytes)).collect();
        for part in parts {
            let (bytes, part) = part?;
            output.write_all(&bytes).map_err(|error| output.failed(error))?;
            done.rows += part.rows;
            done.packets += part.packets;
            done.text_bytes += part.text_bytes;
            done.packet_bytes += part.packet_bytes;
            done.overhead_bytes += part.overhead_bytes;
            done.file_bytes += bytes.len();
            done.texts += part.texts;
        }
    }
    if done.rows == 0 {
        return Err(Error::input(input, "no rows; expected one row of readings per line"));
    }
    let last = coding.map(|coding| last_packet(coding.tag, done.rows)).unwrap_or_default();
    output.write_all(&last).map_err(|error| output.failed(error))?;
    done.file_bytes += last.len();
    output.commit()?;
    Ok(done)
}

/// Returns the schema of the rows that a board passes in: for a time series without the last values of states.
fn of_rows(artefact: &Artefact) -> Schema {
    let schema = &artefact.schema;
    let columns = schema.readings_of_a_row().into_iter().cloned().collect();
    Schema { columns, ..schema.clone() }
}

/// A table with the columns of a file.
struct Coding<'a> {
    table: &'a dyn RowTable,
    channels: Vec<Channel<'a>>,
    decimals: Vec<u8>,
    tag: u16,
}

impl<'a> Coding<'a> {
    /// Returns the coding of a file and the bytes of its header. The decimals of bare packets are those of the board.
    fn new(
        table: &'a dyn RowTable,
        channels: Vec<Channel<'a>>,
        separator: String,
        named: bool,
        bare: Option<&[u8]>,
    ) -> Result<(Self, Vec<u8>)> {
        let columns = channels.iter().map(|channel| channel.format.clone()).collect();
        let header = FileHeader { tag: 0, separator, named, columns };
        let decimals = bare.map_or_else(|| header.decimals(), <[u8]>::to_vec);
        let tag = table.tag(&decimals)?;
        Ok((Self { table, channels, decimals, tag }, FileHeader { tag, ..header }.bytes()))
    }

    /// Returns the packets of some rows of a frame, with those of their texts, and counts them.
    fn packed(&self, frame: &Frame, rows: &[usize], capacity: usize) -> Result<(Vec<u8>, Compressed)> {
        let (mut readings, mut texts) = (Vec::with_capacity(rows.len()), Vec::new());
        let mut done = Compressed { rows: rows.len(), ..Compressed::default() };
        for (at, &row) in rows.iter().enumerate() {
            let mut of_row = vec![Reading::Missing; self.channels.len()];
            for (position, channel) in self.channels.iter().enumerate() {
                let text = frame.columns[channel.encoding.file].text(row);
                done.text_bytes += text.len() + 1;
                let reading = channel.reading(&text);
                of_row[usize::from(channel.format.source)] = reading;
                if channel.text(reading) != text {
                    texts.push((at, position, text.into_owned()));
                }
            }
            readings.push(of_row);
        }
        done.texts = texts.len();
        let (mut bytes, mut first, mut texts) = (Vec::new(), 0, &texts[..]);
        for (count, mut packet) in self.table.pack(&self.decimals, &readings, capacity)? {
            let (own, rest) = texts.split_at(texts.partition_point(|(row, ..)| *row < first + count));
            let own: Vec<Text> = own.iter().map(|(row, column, text)| (row - first, *column, text.clone())).collect();
            if !own.is_empty() {
                let link = mark(&mut packet);
                bytes.extend(texts_packets(&frame.path, self.tag, link, &own, capacity)?);
            }
            bytes.extend(&packet);
            done.packets += 1;
            done.packet_bytes += packet.len();
            done.overhead_bytes += if packet[0] & 0x80 == 0 { 4 } else { 6 };
            (first, texts) = (first + count, rest);
        }
        Ok((bytes, done))
    }

    /// Returns the rows of a packet as texts.
    fn unpacked(&self, packet: &surprisal::Packet, texts: &[Text]) -> Result<Vec<Vec<String>>> {
        let rows = self.table.unpack(&self.decimals, packet, self.channels.len())?;
        let texts_of = |row: Vec<Reading>| {
            let cell = |channel: &Channel| channel.text(row[usize::from(channel.format.source)]);
            self.channels.iter().map(cell).collect::<Vec<String>>()
        };
        let mut rows: Vec<Vec<String>> = rows.into_iter().map(texts_of).collect();
        for (row, column, text) in texts {
            if let Some(cell) = rows.get_mut(*row).and_then(|row| row.get_mut(*column)) {
                cell.clone_from(text);
            }
        }
        Ok(rows)
    }
}

/// Decompresses a file that [`compress`] wrote, or the bare packets of a board, into rows of text. For bare packets, `decimals`
/// holds the number of decimals of each reading, as the board has it.
///
/// The rows of all whole packets are written, even if others are damaged.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read or written; [`Error::Input`] if the header is damaged, or no packet is one of this
/// model; nothing is written then.
pub fn decompress(
    artefact: &Artefact,
    input: &Path,
    output: &Path,
    decimals: &[u8],
    inputs: &[&Path],
    observer: &dyn Observer,
) -> Result<Decompressed> {
    let table = artefact.open()?;
    let schema = of_rows(artefact);
    let (mut reader, advice) = decompressed(input, &ReadOptions::default().limits, observer)?;
    let path = shown(input);
    let failed = |error| Error::io(&path, advice)(error);
    if artefact.notes.fit.signal.is_some() {
        return Err(Error::Inconsistent(
            "the model is one of raw signals, which packets do not hold; pass a model of rows".into(),
        ));
    }
    let is_bare = !reader.fill_buf().map_err(failed)?.starts_with(MAGIC);
    let (header, start) = if is_bare {
        (bare(&schema, decimals), 0)
    } else if !decimals.is_empty() {
        let message = "has a header, which holds the decimals; leave out --decimals";
        return Err(Error::input(&path, message));
    } else {
        reader.consume(MAGIC.len());
        FileHeader::read(&path, &mut reader, schema.columns.len())?
    };
    let encoding = |format: &Format| schema.of_source(format.source).map(|encoding| (encoding, format.clone()));
    let is_series = schema.predictor.view().window() > 0;
    let channel = |(encoding, format): (_, Format)| Channel {
        encoding,
        is_real: is_real(encoding, is_series, || format.decimals > 0),
        format,
    };
    let channels = header.columns.iter().filter_map(encoding).map(channel).collect();
    let (coding, _) =
        Coding::new(&*table, channels, header.separator.clone(), header.named, is_bare.then_some(decimals))?;
    if header.tag != 0 && header.tag != coding.tag {
        let message = "was compressed with another model, or this model was fitted again since; pass the model with which it was \
                       compressed";
        return Err(Error::input(&path, message));
    }
    let mut csv =
        csv::WriterBuilder::new().delimiter(header.separator().byte()).from_writer(Output::create(output, inputs)?);
    let written = |error: csv::Error| Error::io(output, "cannot be written")(std::io::Error::other(error));
    if header.named {
        csv.write_record(coding.channels.iter().map(|channel| schema.name(channel.encoding))).map_err(written)?;
    }
    let mut done = Decompressed { has_header: !is_bare, ..Decompressed::default() };
    let (mut foreign, mut texts) = (None, Texts::default());
    let mut found = |found: Found| -> Result<()> {
        match found {
            Found::Packet { packet, at, length } => {
                let content = Content::of(packet.tag(), coding.tag);
                let own = match content {
                    Content::Texts => {
                        add_texts(&mut texts, packet.payload());
                        return Ok(());
                    }
                    Content::Last => {
                        done.whole = rows_of(packet.payload());
                        return Ok(());
                    }
                    Content::Rows => Texts::default(),
                    Content::Marked => std::mem::take(&mut texts),
                };
                let is_own = own.link == link_of(packet.payload()) && own.count == own.texts.len();
                if content == Content::Marked && !is_own {
                    // Its cells would come back as others without a word.
                    add_damage(&mut done.damages, at, length);
                    return Ok(());
                }
                let rows = coding.unpacked(&packet, &own.texts)?;
                (done.rows, done.packets) = (done.rows + rows.len(), done.packets + 1);
                rows.iter().try_for_each(|row| csv.write_record(row)).map_err(written)?;
            }
            Found::Damage { at, length, tag } => {
                foreign = foreign.or(tag);
                add_damage(&mut done.damages, at, length);
            }
        }
        Ok(())
    };
    // A file whose header was cut off ends as others do, but the columns of its texts are not known.
    let [rows, marked, texts_tag, last] = Content::tags(coding.tag);
    let tags = if is_bare { vec![rows, last] } else { vec![rows, marked, texts_tag, last] };
    read_packets(&mut reader, start, &tags, failed, &mut found)?;
    if done.packets == 0 {
        let other = foreign.map_or(String::new(), |tag| {
            format!(" (the first has the tag {tag:04x}, this model has {:04x})", coding.tag)
        });
        let message = format!(
            "holds no packet of this model{other}; pass the model with which the rows were packed, and for packets of a board \
             its --decimals"
        );
        return Err(Error::input(&path, message));
    }
    csv.into_inner()
        .map_err(|error| Error::io(output, "cannot be written")(std::io::Error::other(error.to_string())))?
        .commit()?;
    Ok(done)
}

/// Returns the header of bare packets.
fn bare(schema: &Schema, decimals: &[u8]) -> FileHeader {
    let mut encodings = schema.readings_of_a_row();
    encodings.sort_by_key(|encoding| encoding.source);
    let format = |encoding: &ColumnEncoding| {
        let decimals = decimals.get(usize::from(encoding.source)).copied().unwrap_or(format::FLOAT);
        Format {
            source: encoding.source,
            decimals,
            shown: if decimals <= 9 { decimals } else { 0 },
            missing: String::new(),
        }
    };
    FileHeader {
        tag: 0,
        separator: "comma".into(),
        named: !schema.is_unnamed(),
        columns: encodings.into_iter().map(format).collect(),
    }
}
