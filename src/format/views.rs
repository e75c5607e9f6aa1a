//! The bytes of a table of views.

use super::{SHARED, Shared, bytes_of, checked, shared_sections, write, write_sections};
use crate::encoder::{Encoder, EncoderSlices};
use crate::error::TableError;
use crate::fingerprint::Fingerprint;
use crate::nats::Nats;
use crate::outcome_tables::{OutcomeTables, OutcomeTablesSlices};
use crate::prototypes::{Prototypes, PrototypesSlices};
use crate::view::View;
use crate::view_table::ViewTable;

/// The number of sections of a view.
const PER_VIEW: usize = 12;
/// The largest number of views.
const MOST_VIEWS: usize = 4;

impl<'t, const C: usize, const V: usize> ViewTable<'t, C, V> {
    /// Reads a table from the bytes of a `.srp` file in place, in flash or in RAM, and checks it.
    ///
    /// The table borrows its slices from `bytes`; nothing is copied. Bytes after the table are ignored. `expected` is the
    /// fingerprint of the columns for which the program was written, `FINGERPRINT` of the exported source, or
    /// [`Fingerprint::ANY`].
    ///
    /// # Errors
    /// [`TableError`] unless `bytes` hold a complete, undamaged table of V views with at most C columns each, at an
    /// address that is a multiple of four, for rows with the expected fingerprint.
    pub fn from_bytes(bytes: &'t [u8], expected: Fingerprint) -> Result<Self, TableError> {
        if V == 0 || V > MOST_VIEWS {
            return Err(TableError::Inconsistent("views"));
        }
        let (_, mut sections) = checked(bytes, V as u32, SHARED + PER_VIEW * V, expected)?;
        let Shared { schema, detector, predictor } = sections.shared()?;
        let mut views = [View::EMPTY; V];
        for view in &mut views {
            // The sections in their order.
            let (columns, values, log_widths) = (sections.next()?, sections.next()?, sections.next()?);
            view.encoder = Encoder::new(EncoderSlices { columns, values, log_widths });
            let (columns, points) = (sections.next()?, sections.next()?);
            view.prototypes = Prototypes::new(PrototypesSlices { columns, points })?;
            let (columns, groups) = (sections.next()?, sections.next()?);
            let (splits, rows) = (sections.next()?, sections.next()?);
            view.tables = OutcomeTables::new(OutcomeTablesSlices { columns, groups, splits, rows })?;
            let &[unit, reach] = sections.next()? else { return Err(TableError::Inconsistent("view numbers")) };
            (view.log_unit, view.reach) = (Nats::from_raw(unit), reach);
            view.baselines = sections.next()?;
            view.starts = sections.next()?;
        }
        Ok(Self::new(views, detector, predictor)?.with_schema(schema))
    }

    /// Writes the table as the bytes that [`from_bytes`](Self::from_bytes) reads, in pieces that are passed to `sink`. What a
    /// big-endian machine writes is no table.
    pub fn write(&self, mut sink: impl FnMut(&[u8])) {
        write(&mut sink, |sink| {
            let calibration = self.detector.words();
            let shared = shared_sections(&self.schema, &self.detector, &calibration, &self.predictor);
            let numbers = self.views.map(|view| [view.log_unit.raw(), view.reach]);
            let own = self.views.iter().zip(&numbers).flat_map(|(view, numbers)| sections_of(view, numbers));
            write_sections(self.schema.fingerprint, V as u32, shared.into_iter().chain(own), sink);
        });
    }
}

/// Returns the (number of elements, bytes) of each section of a view. `numbers` holds its log-unit and its reach.
fn sections_of<'s>(view: &View<'s>, numbers: &'s [u32; 2]) -> [(usize, &'s [u8]); PER_VIEW] {
    let (encoder, prototypes, tables) = (view.encoder.slices(), view.prototypes.slices(), view.tables.slices());
    [
        (encoder.columns.len(), bytes_of(encoder.columns)),
        (encoder.values.len(), bytes_of(encoder.values)),
        (encoder.log_widths.len(), bytes_of(encoder.log_widths)),
        (prototypes.columns.len(), bytes_of(prototypes.columns)),
        (prototypes.points.len(), bytes_of(prototypes.points)),
        (tables.columns.len(), bytes_of(tables.columns)),
        (tables.groups.len(), bytes_of(tables.groups)),
        (tables.splits.len(), bytes_of(tables.splits)),
        (tables.rows.len(), bytes_of(tables.rows)),
        (numbers.len(), bytes_of(numbers)),
        (view.baselines.len(), bytes_of(view.baselines)),
        (view.starts.len(), bytes_of(view.starts)),
    ]
}
