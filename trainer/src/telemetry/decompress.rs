//! Reads packets, and writes their rows.

use std::io::{BufRead, Cursor, Read};
use std::path::Path;

use super::file::{Content, FileHeader, MAGIC, PACKETS, Texts, add_texts, last_of, link_of};
use super::format::{FLOAT, Format, is_real};
use super::search::{Found, add_damage, read_packets};
use super::{Channel, Coding, of_rows};
use crate::artefact::Artefact;
use crate::data::ReadOptions;
use crate::data::input::{decompressed, shown};
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::output::Output;
use crate::schema::{ColumnEncoding, Schema};
use crate::warning::Warning;

/// Whether a file holds all of its packets, as far as its ends tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Completeness {
    /// There is neither a header nor a last packet, as in packets of a board, so that nothing tells.
    #[default]
    Unknown,
    /// All packets are there, in their order.
    Whole,
    /// The file has a header, but no last packet.
    EndMissing,
    /// The file has a last packet, but no header, and held other packets.
    FrontMissing {
        /// Number of rows that it held.
        rows: usize,
    },
    /// Packets are missing, doubled or in another order.
    Changed {
        /// Number of rows that the file held.
        rows: usize,
    },
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
    /// Whether the file holds all of its packets.
    pub completeness: Completeness,
    /// A damaged header, if all packets are there.
    pub warnings: Vec<Warning>,
}

/// Decompresses a file that [`compress`](super::compress) wrote, or the packets of a board, into rows of text. For packets without
/// a header, or with one that is damaged, `decimals` holds the number of decimals of each reading, as the board or
/// [`Compressed::decimals`](super::Compressed::decimals) has it.
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
    let schema = of_rows(artefact)?;
    let table = artefact.open()?;
    let (mut reader, advice) = decompressed(input, &ReadOptions::default().limits, observer)?;
    let path = shown(input);
    let failed = |error| Error::io(&path, advice)(error);
    let mut start = Vec::new();
    let header = if reader.fill_buf().map_err(failed)?.starts_with(MAGIC) {
        match FileHeader::read(&path, &mut reader, schema.columns.len(), &mut start) {
            Ok(_) if !decimals.is_empty() => {
                return Err(Error::input(&path, "has a header, which holds the decimals; leave out --decimals"));
            }
            Err(error) if decimals.is_empty() => return Err(error),
            read => read.ok(),
        }
    } else {
        None
    };
    let (is_bare, is_damaged) = (header.is_none(), header.is_none() && !start.is_empty());
    // A damaged header is damage like any other.
    let at = if is_bare { 0 } else { start.len() as u64 };
    let mut reader = Cursor::new(if is_bare { start } else { Vec::new() }).chain(reader);
    let (decimals, header) = match header {
        Some(header) => (header.decimals(), header),
        None => (decimals.to_vec(), bare(&schema, decimals)),
    };
    let encoding = |format: &Format| schema.of_source(format.source).map(|encoding| (encoding, format.clone()));
    let is_series = schema.predictor.view().window() > 0;
    let channel = |(encoding, format): (_, Format)| Channel {
        encoding,
        is_real: is_real(encoding, is_series, || format.decimals > 0),
        format,
    };
    let channels = header.columns.iter().filter_map(encoding).map(channel).collect();
    let coding = Coding::new(&*table, channels, decimals)?;
    if !is_bare && header.tag != coding.tag {
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
    let completeness = if is_bare { Completeness::Unknown } else { Completeness::EndMissing };
    let mut done = Decompressed { completeness, ..Decompressed::default() };
    let (mut foreign, mut texts, mut digest) = (None, Texts::default(), PACKETS.digest());
    let mut found = |found: Found| -> Result<()> {
        let (packet, bytes, at) = match found {
            Found::Packet { packet, bytes, at } => (packet, bytes, at),
            // A board keeps packets in flash, of which some is still erased.
            Found::Erased { .. } if is_bare => return Ok(()),
            Found::Erased { at, length } => {
                add_damage(&mut done.damages, at, length);
                return Ok(());
            }
            Found::Damage { at, length, tag } => {
                foreign = foreign.or(tag);
                add_damage(&mut done.damages, at, length);
                return Ok(());
            }
        };
        let crc = digest.clone().finalize();
        digest.update(bytes);
        let rows = done.rows;
        if done.completeness == Completeness::Whole {
            done.completeness = Completeness::Changed { rows };
        }
        let content = Content::of(packet.tag(), coding.tag);
        let own = match content {
            Content::Texts => {
                add_texts(&mut texts, packet.payload(), coding.channels.len());
                return Ok(());
            }
            Content::Last => {
                match last_of(packet.payload()) {
                    Some(last) if last == (rows, crc) => done.completeness = Completeness::Whole,
                    Some((rows, _)) if is_bare => done.completeness = Completeness::FrontMissing { rows },
                    Some((rows, _)) => done.completeness = Completeness::Changed { rows },
                    None => add_damage(&mut done.damages, at, bytes.len() as u64),
                }
                return Ok(());
            }
            Content::Rows => Texts::default(),
            Content::Marked => std::mem::take(&mut texts),
        };
        let is_own = own.link == link_of(packet.payload()) && own.count > 0 && own.count == own.texts.len();
        if content == Content::Marked && !is_own {
            // Its cells would come back as others without a word.
            add_damage(&mut done.damages, at, bytes.len() as u64);
            return Ok(());
        }
        let rows = coding.unpacked(&packet, &own.texts)?;
        (done.rows, done.packets) = (done.rows + rows.len(), done.packets + 1);
        rows.iter().try_for_each(|row| csv.write_record(row)).map_err(written)
    };
    read_packets(&mut reader, at, &Content::tags(coding.tag), failed, &mut found)?;
    if done.packets == 0 {
        // The tag of a header is that of the model, which cannot be at fault then.
        let message = if is_bare {
            let front = if is_damaged { "has a damaged header" } else { "begins with no header of `compress`" };
            let other = foreign.map_or(String::new(), |tag| {
                format!(" (the first has the tag {tag:04x}, this model has {:04x})", coding.tag)
            });
            format!(
                "{front}, and holds no packet of this model{other}; pass the model with which the rows were packed, for packets of \
                 a board its --decimals, and for a file of `compress` whose front is missing the list of --decimals that it printed"
            )
        } else {
            "was compressed with this model, but is damaged or cut short behind its header, so that no packet of rows is whole; copy \
             the file again"
                .into()
        };
        return Err(Error::input(&path, message));
    }
    // The last packet tells that every packet is there, so that the damage in front of them is the header.
    if is_bare
        && done.completeness == Completeness::Whole
        && let [(0, length)] = done.damages[..]
    {
        let message = format!(
            "the header of {length} bytes is damaged, but all packets are there; zeros at the end of decimals, decimal commas and \
             spellings of missing readings may differ from those of the rows that were compressed"
        );
        let (file, column) = (path.display().to_string(), String::new());
        (done.damages, done.warnings) = (Vec::new(), vec![Warning { file, column, message }]);
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
        let decimals = decimals.get(usize::from(encoding.source)).copied().unwrap_or(FLOAT);
        Format {
            source: encoding.source,
            decimals,
            shown: if decimals <= 9 { decimals } else { 0 },
            missing: String::new(),
            comma: false,
        }
    };
    FileHeader {
        tag: 0,
        separator: "comma".into(),
        named: !schema.is_unnamed(),
        columns: encodings.into_iter().map(format).collect(),
    }
}
