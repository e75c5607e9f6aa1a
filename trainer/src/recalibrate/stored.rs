//! The calibration of one machine as a small file beside the table that machines share.

use std::path::Path;

use serde::{Deserialize, Serialize};
use surprisal::{Detector, Reading};

use super::{Adjustment, less};
use crate::artefact::{Artefact, Recalibrated};
use crate::calibrate::Calibration;
use crate::data::input::{InputLimits, read_bytes};
use crate::data::{Machine, checksum};
use crate::error::{Error, Result};
use crate::golden::golden_rows;

/// How the names of such files end.
pub(crate) const ENDING: &str = "cal";

/// What a file holds: one line of JSON, and a line with its CRC-32 in hexadecimal digits.
#[derive(Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Name of the file of the table, in the same folder.
    table: String,
    /// CRC-32 of that file.
    crc: u32,
    machine: Machine,
    /// Number of rows of the machine.
    rows: usize,
    /// Number of consecutive rows of the machine that got into the same share; `None` if it was 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stretch: Option<usize>,
    recalibrated: Recalibrated,
    /// Numbers of the detector, as [`Detector::words`] returns them.
    detector: [u32; 11],
    quantiles: Vec<u32>,
    baselines: Vec<u16>,
    views: Vec<Vec<u16>>,
    reach: u32,
}

impl Stored {
    /// Describes an adjustment of an artefact for a machine. `table` is (name, CRC-32) of its file, `rows` is (number, digest, stretch of
    /// the split) of the machine's rows.
    pub fn new(
        table: (&str, u32),
        machine: Machine,
        (rows, digest, stretch): (usize, u32, Option<usize>),
        adjustment: &Adjustment,
        artefact: &Artefact,
    ) -> Self {
        let detector = adjustment.calibration.view();
        let named = artefact.schema.columns.iter().filter_map(|encoding| {
            let offset = adjustment.offsets[usize::from(encoding.source)];
            // Rounded, so that the text of the file holds it exactly.
            (offset != 0.0).then(|| (artefact.schema.name(encoding).to_owned(), f64::from(offset as f32)))
        });
        Self {
            table: table.0.to_owned(),
            crc: table.1,
            machine,
            rows,
            stretch,
            recalibrated: Recalibrated { rows: detector.rows as usize, digest, offsets: named.collect() },
            detector: detector.words(),
            quantiles: detector.quantiles.to_vec(),
            baselines: detector.baselines.to_vec(),
            views: adjustment.baselines.clone(),
            reach: adjustment.reach,
        }
    }

    /// Returns the bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).expect("a calibration is plain data");
        format!("{json}\n{:08x}\n", checksum(json.as_bytes())).into_bytes()
    }

    /// Reads the bytes of a file.
    fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::model(path, "is damaged, or no calibration of a machine; fit again");
        let (json, crc) =
            std::str::from_utf8(bytes).ok().and_then(|text| text.trim_end().split_once('\n')).ok_or_else(damaged)?;
        if u32::from_str_radix(crc, 16) != Ok(checksum(json.as_bytes())) {
            return Err(damaged());
        }
        serde_json::from_str(json).map_err(|_| damaged())
    }

    /// Returns whether this is a calibration of a table whose file has this CRC-32.
    pub fn is_of(path: &Path, crc: u32) -> bool {
        std::fs::read(path).ok().and_then(|bytes| Self::from_bytes(path, &bytes).ok()).is_some_and(|own| own.crc == crc)
    }

    /// Returns the table of the machine.
    pub fn applied(&self, shared: &Artefact) -> Result<Artefact> {
        let detector = Detector::from_words(&self.detector, &self.quantiles, &self.baselines);
        let mut offsets = vec![0.0; shared.schema.columns.len()];
        for encoding in &shared.schema.columns {
            let name = shared.schema.name(encoding);
            let own = self.recalibrated.offsets.iter().find(|(column, _)| column == name);
            if let (Some((_, offset)), Some(slot)) = (own, offsets.get_mut(usize::from(encoding.source))) {
                *slot = *offset;
            }
        }
        // The golden rows of the table, as this machine would read them.
        let mut golden = golden_rows(shared)?;
        let move_by = |(reading, offset): (&mut Reading, &f64)| *reading = less(*reading, -offset);
        golden.iter_mut().for_each(|row| row.iter_mut().zip(&offsets).for_each(move_by));
        let calibration = Calibration::of_detector(&detector, 1);
        let adjustment = Adjustment { offsets, baselines: self.views.clone(), calibration, reach: self.reach };
        let mut done = adjustment.applied(shared, &golden, self.recalibrated.digest)?;
        // The machine's rows were split on their own, with the shares and the seed of the shared table.
        let fit = &mut done.notes.fit;
        (fit.machine, fit.rows, fit.stretch) = (Some(self.machine.clone()), Some(self.rows), self.stretch);
        fit.digest = self.recalibrated.digest;
        Ok(done)
    }
}

/// Reads a model: a `.srp` file, or the calibration of a machine (`.cal`) together with the table that it belongs to, which lies in the
/// same folder.
///
/// # Errors
/// The errors of [`Artefact::read`]; [`Error::Model`] if a calibration is damaged, or of another table.
pub fn read(path: &Path) -> Result<Artefact> {
    if path.extension().is_none_or(|ending| ending != ENDING) {
        return Artefact::read(path);
    }
    let advice = "cannot be read; pass a file that `surprisal fit` wrote";
    let stored = Stored::from_bytes(path, &read_bytes(path, &InputLimits::default(), advice)?)?;
    let is_name = Path::new(&stored.table).file_name().is_some_and(|name| name == stored.table.as_str());
    let table = path.with_file_name(&stored.table);
    let bytes =
        read_bytes(&table, &InputLimits::default(), "cannot be read; keep it beside the calibrations of its machines")?;
    if !is_name || checksum(&bytes) != stored.crc {
        let message = format!(
            "does not belong to {}, which is damaged or of another fit; restore it, or fit the fleet again",
            table.display()
        );
        return Err(Error::model(path, message));
    }
    stored.applied(&Artefact::from_bytes(&table, &bytes)?)
}
