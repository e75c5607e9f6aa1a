//! Rows that are in memory, as columns of texts.

use std::path::Path;

use super::header::column_names;
use super::{Cells, Frame, FrameColumn, ReadOptions, Texts};
use crate::error::{Error, Result};

impl Frame {
    /// Makes rows of columns that are in memory, each with its name and one text per row; an empty text is a missing reading.
    ///
    /// The cells mean what they mean in a CSV file with a line of names: texts are trimmed, codes of missing readings are
    /// emptied, and numbers with units or decimal commas are rewritten. `source` names the rows in messages.
    ///
    /// ```
    /// use surprisal_trainer::data::{Cell, Frame, ReadOptions, Texts};
    /// let celsius: Texts = ["20.5", " 21 ", ""].map(str::to_owned).into_iter().collect();
    /// let frame = Frame::from_columns("rows", vec![("celsius".to_owned(), celsius)], &ReadOptions::default())?;
    /// assert_eq!(frame.rows(), 3);
    /// assert_eq!(frame.cell(1, 0), Cell::Text("21"));
    /// assert!(frame.cell(2, 0).is_missing());
    /// # Ok::<(), surprisal_trainer::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Input`] if there are no columns or no rows, if a column has another number of rows than the first, if the
    /// limits are exceeded, or if a time stamp cannot be read.
    pub fn from_columns(source: &str, columns: Vec<(String, Texts)>, options: &ReadOptions) -> Result<Self> {
        let path = Path::new(source);
        options.limits.check_columns(path, columns.len())?;
        let rows = columns.first().map_or(0, |(_, texts)| texts.codes.len());
        options.limits.check_cells(path, rows, columns.len())?;
        if rows == 0 {
            return Err(Error::input(path, "no rows; expected at least one column and one row of readings"));
        }
        if let Some((name, texts)) = columns.iter().find(|(_, texts)| texts.codes.len() != rows) {
            let message = format!("{} rows, but the first column has {rows}", texts.codes.len());
            return Err(Error::input(path, message).column(name));
        }
        let (names, mut cells): (Vec<String>, Vec<Texts>) =
            columns.into_iter().map(|(name, texts)| (name.trim().to_owned(), texts)).unzip();
        let (names, renamed) = column_names(Some(&names), names.len());
        cells.iter_mut().for_each(Texts::trim);
        let column = |(name, texts)| FrameColumn { name, cells: Cells::Text(texts) };
        let mut frame = Self {
            path: path.to_owned(),
            columns: names.into_iter().zip(cells).map(column).collect(),
            lines: (1..=rows as u64).collect(),
            unit: "row",
            ..Self::default()
        };
        frame.digest = frame.digest_of_cells();
        frame.remark_renamed(&renamed);
        frame.rewrite_numbers(options);
        frame.empty_codes(options);
        frame.find_sessions_if_any(options)?;
        Ok(frame)
    }

    /// Returns a checksum of the names and cells, which does not depend on how a file writes them.
    pub(super) fn digest_of_cells(&self) -> u32 {
        let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
        let mut digest = crc.digest();
        let mut add = |text: &str| {
            digest.update(text.as_bytes());
            digest.update(&[0]);
        };
        for column in &self.columns {
            add(&column.name);
            (0..self.rows()).for_each(|row| add(&column.cells.get(row).text()));
        }
        digest.finalize()
    }
}

impl Texts {
    /// Removes white space at the ends of the texts.
    fn trim(&mut self) {
        let trimmed = |text: &String| (text.trim().len() < text.len()).then(|| text.trim().to_owned());
        let others: Vec<Option<String>> = self.distinct.iter().map(trimmed).collect();
        self.replace(&others);
    }
}
