//! Operations over readings that tables of both kinds share, as a trait object for the host.

use surprisal::{
    Blame, Constraint, Detector, EncodeError, Encoder, Nats, Packet, PacketError, PacketTable, PacketWriter, Predictor,
    Reading, RowCodec, RowScore, Table, TableError, ViewTable,
};

use crate::error::Error;
use crate::shape::Shape;
use crate::{with_shape, with_views};

/// Operations of a [`Table`] or a [`ViewTable`] of any capacities.
pub trait RowTable: Send + Sync {
    /// Returns the score of a row of readings, as the device computes it.
    ///
    /// # Errors
    /// [`EncodeError`] if a reading does not fit its column.
    fn score(&self, readings: &[Reading]) -> Result<RowScore, EncodeError>;
    /// Returns the surprisal of a row of readings, as the device computes it.
    ///
    /// # Errors
    /// [`EncodeError`] if a reading does not fit its column.
    fn surprisal(&self, readings: &[Reading]) -> Result<Nats, EncodeError>;
    /// Writes the share of each column to `each` (`[source]`), and returns the surprisal of the row.
    ///
    /// # Errors
    /// [`EncodeError`] if a reading does not fit its column.
    fn explain(&self, readings: &[Reading], each: &mut [Nats]) -> Result<Nats, EncodeError>;
    /// Returns the column that is most likely at fault in a row, and its expected value. `readings` hold the same values
    /// afterwards.
    ///
    /// # Errors
    /// [`EncodeError`] if a reading does not fit its column.
    fn blame(&self, readings: &mut [Reading]) -> Result<Blame, EncodeError>;
    /// Returns whether the column whose reading is at this position is context for the others, and not scored.
    fn is_observed(&self, source: u16) -> bool;
    /// Returns the detector.
    fn detector(&self) -> Detector<'_>;
    /// Returns the predictor of a time series, or [`Predictor::NONE`].
    fn predictor(&self) -> Predictor<'_>;
    /// Returns the encoder of the readings: for views, that of the first view.
    fn encoder(&self) -> Encoder<'_>;
    /// Writes the scale of each reading (`[source]`) that can have an offset, the first step of
    /// [`search_offsets`](surprisal::search_offsets).
    fn offset_scales(&self, scales: &mut [Reading]);
    /// Returns the mean surprisal of each column of each view over rows (`[view][column]`), in units of 1/1024 nat.
    /// There are no views in a model of bits.
    ///
    /// # Errors
    /// [`EncodeError`] if a reading does not fit its column.
    fn view_baselines(&self, rows: &[Vec<Reading>]) -> Result<Vec<Vec<u16>>, EncodeError>;
    /// Returns what tells packets of this table with these decimals from others.
    ///
    /// # Errors
    /// [`TableError`] if the table cannot code readings.
    fn tag(&self, decimals: &[u8]) -> Result<u16, TableError>;
    /// Packs rows of readings, and returns (number of rows, bytes) of each packet: as many rows as fit `capacity` bytes.
    ///
    /// # Errors
    /// [`Error::Table`] if the table cannot code readings, [`Error::Encode`] if a row
    /// has another number of readings, and [`Error::Option`] if a row fits no packet.
    fn pack(&self, decimals: &[u8], rows: &[Vec<Reading>], capacity: usize) -> Result<Vec<(usize, Vec<u8>)>, Error>;
    /// Returns the rows of a packet, of `readings` readings each.
    ///
    /// # Errors
    /// The errors of [`pack`](Self::pack).
    fn unpack(&self, decimals: &[u8], packet: &Packet, readings: usize) -> Result<Vec<Vec<Reading>>, Error>;
}

/// Methods of [`RowTable`] that are the same for tables of both kinds.
macro_rules! shared {
    () => {
        fn offset_scales(&self, scales: &mut [Reading]) {
            self.offset_scales(scales);
        }

        fn tag(&self, decimals: &[u8]) -> Result<u16, TableError> {
            let mut history = vec![0; RowCodec::history_length(self)];
            Ok(RowCodec::new(self, decimals, &mut history)?.tag())
        }

        fn pack(
            &self,
            decimals: &[u8],
            rows: &[Vec<Reading>],
            capacity: usize,
        ) -> Result<Vec<(usize, Vec<u8>)>, Error> {
            let mut history = vec![0; RowCodec::history_length(self)];
            packed(RowCodec::new(self, decimals, &mut history)?, rows, capacity)
        }

        fn unpack(&self, decimals: &[u8], packet: &Packet, readings: usize) -> Result<Vec<Vec<Reading>>, Error> {
            let mut history = vec![0; RowCodec::history_length(self)];
            let mut codec = RowCodec::new(self, decimals, &mut history)?;
            let (mut rows, mut row) = (Vec::new(), vec![Reading::Missing; readings]);
            let mut from = packet.rows(&mut codec);
            while from.next(&mut row)? {
                rows.push(row.clone());
            }
            Ok(rows)
        }
    };
}

fn packed<T: PacketTable>(
    mut codec: RowCodec<'_, T>,
    rows: &[Vec<Reading>],
    capacity: usize,
) -> Result<Vec<(usize, Vec<u8>)>, Error> {
    let (mut packets, mut left, mut buffer) = (Vec::new(), rows, vec![0; capacity]);
    while !left.is_empty() {
        let mut writer = PacketWriter::new(&mut codec, &mut buffer);
        for row in left {
            match writer.push(row) {
                Ok(()) => {}
                Err(PacketError::Row(error)) => return Err(error.into()),
                Err(_) => break,
            }
        }
        let count = usize::from(writer.rows());
        if count == 0 {
            return Err(Error::option("--bytes", format!("a row does not fit {capacity} bytes; allow more")));
        }
        packets.push((count, writer.finish().to_vec()));
        left = &left[count..];
    }
    Ok(packets)
}

impl<const N: usize, const H: usize, const K: usize> RowTable for Table<'_, N, H, K> {
    fn score(&self, readings: &[Reading]) -> Result<RowScore, EncodeError> {
        self.score(readings)
    }

    fn surprisal(&self, readings: &[Reading]) -> Result<Nats, EncodeError> {
        self.surprisal(readings)
    }

    fn explain(&self, readings: &[Reading], each: &mut [Nats]) -> Result<Nats, EncodeError> {
        self.explain(readings, each)
    }

    fn blame(&self, readings: &mut [Reading]) -> Result<Blame, EncodeError> {
        self.blame(readings)
    }

    fn is_observed(&self, source: u16) -> bool {
        let first = self.encoder.columns().find(|(column, _)| column.source == source).map(|(_, bits)| bits.start);
        let constraint = first.and_then(|bit| self.model.constraints().get(bit).copied());
        constraint == Some(Constraint::OBSERVED.raw())
    }

    fn detector(&self) -> Detector<'_> {
        self.detector
    }

    fn predictor(&self) -> Predictor<'_> {
        self.predictor
    }

    fn encoder(&self) -> Encoder<'_> {
        self.encoder
    }

    fn view_baselines(&self, _: &[Vec<Reading>]) -> Result<Vec<Vec<u16>>, EncodeError> {
        Ok(Vec::new())
    }

    shared!();
}

impl<const C: usize, const V: usize> RowTable for ViewTable<'_, C, V> {
    fn score(&self, readings: &[Reading]) -> Result<RowScore, EncodeError> {
        self.score(readings)
    }

    fn surprisal(&self, readings: &[Reading]) -> Result<Nats, EncodeError> {
        self.surprisal(readings)
    }

    fn explain(&self, readings: &[Reading], each: &mut [Nats]) -> Result<Nats, EncodeError> {
        self.explain(readings, each)
    }

    fn blame(&self, readings: &mut [Reading]) -> Result<Blame, EncodeError> {
        self.blame(readings)
    }

    fn is_observed(&self, source: u16) -> bool {
        let Some(view) = self.views.first() else { return false };
        let mut columns = view.encoder.columns().zip(view.tables.slices().columns);
        columns.any(|((column, _), &[_, rows, _])| column.source == source && rows == 0)
    }

    fn detector(&self) -> Detector<'_> {
        self.detector
    }

    fn predictor(&self) -> Predictor<'_> {
        self.predictor
    }

    fn encoder(&self) -> Encoder<'_> {
        self.views.first().map_or(Encoder::EMPTY, |view| view.encoder)
    }

    fn view_baselines(&self, rows: &[Vec<Reading>]) -> Result<Vec<Vec<u16>>, EncodeError> {
        let baselines = self.views.iter().map(|view| {
            let mut sums = vec![0u64; view.tables.columns()];
            let mut each = vec![Nats::ZERO; sums.len()];
            for readings in rows {
                view.explain::<C>(readings, &mut each)?;
                sums.iter_mut().zip(&each).for_each(|(sum, nats)| *sum += u64::from(nats.raw()));
            }
            let mean = |sum: u64| (sum as f64 / (64 * rows.len().max(1)) as f64).round().min(65535.0) as u16;
            Ok(sums.into_iter().map(mean).collect())
        });
        baselines.collect()
    }

    shared!();
}

/// Reads the table in these bytes, which must be aligned to four bytes.
///
/// # Errors
/// [`TableError`] if the bytes are not a table.
pub fn open<'t>(bytes: &'t [u8], shape: Shape) -> Result<Box<dyn RowTable + 't>, TableError> {
    Ok(match shape.views {
        0 => {
            with_shape!(shape, N, H, K => Box::new(Table::<N, H, K>::from_bytes(bytes, surprisal::Fingerprint::ANY)?) as Box<dyn RowTable + 't>)
        }
        _ => with_views!(shape, C, V => Box::new(ViewTable::<C, V>::from_bytes(bytes, surprisal::Fingerprint::ANY)?)),
    })
}
