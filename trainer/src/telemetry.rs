//! Compresses files of rows with the table of a model, packet by packet, and reads them again.
//!
//! A packet holds rows in as many bytes as they surprise, see [`surprisal::RowCodec`]. What the readings do not tell, such
//! as a text that no training row has, goes beside the packets as text, so that every cell comes back as it was written.

use surprisal::Reading;

use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::row_table::RowTable;
use crate::schema::{ColumnEncoding, Schema};

mod checksums;
mod compress;
mod decompress;
mod file;
mod format;
mod search;
mod spelling;

pub use compress::{Compressed, PacketSize, compress};
pub use decompress::{Completeness, Decompressed, decompress};

use file::Text;
use format::Format;

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

/// Returns the schema of the rows that a board passes in: for a time series without the last values of states.
///
/// # Errors
/// [`Error::Inconsistent`] if the model is one of raw signals.
fn of_rows(artefact: &Artefact) -> Result<Schema> {
    if artefact.notes.fit.signal.is_some() {
        let message = "the model is one of raw signals, whose features do not tell the signal; pass a model of rows";
        return Err(Error::Inconsistent(message.into()));
    }
    let schema = &artefact.schema;
    let columns = schema.readings_of_a_row().into_iter().cloned().collect();
    Ok(Schema { columns, ..schema.clone() })
}

/// A table with the columns of a file.
struct Coding<'a> {
    table: &'a dyn RowTable,
    channels: Vec<Channel<'a>>,
    decimals: Vec<u8>,
    tag: u16,
}

impl<'a> Coding<'a> {
    fn new(table: &'a dyn RowTable, channels: Vec<Channel<'a>>, decimals: Vec<u8>) -> Result<Self> {
        let tag = table.tag(&decimals)?;
        Ok(Self { table, channels, decimals, tag })
    }

    /// Returns the rows of a packet as texts.
    fn unpacked(&self, packet: &surprisal::Packet, texts: &[Text]) -> Result<Vec<Vec<String>>> {
        let rows = self.table.unpack(&self.decimals, packet, self.channels.len())?;
        let texts_of = |row: Vec<Reading>| {
            let cell = |channel: &Channel| channel.text(row[usize::from(channel.format.source)]);
            self.channels.iter().map(cell).collect::<Vec<String>>()
        };
        let mut rows: Vec<Vec<String>> = rows.into_iter().map(texts_of).collect();
        let mut positions = vec![0; self.channels.len()];
        self.channels.iter().enumerate().for_each(|(at, channel)| positions[usize::from(channel.format.source)] = at);
        for (row, source, text) in texts {
            let position = positions.get(*source);
            if let Some(cell) = rows.get_mut(*row).zip(position).and_then(|(row, &at)| row.get_mut(at)) {
                cell.clone_from(text);
            }
        }
        Ok(rows)
    }
}
