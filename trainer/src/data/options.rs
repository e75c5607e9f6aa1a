//! How a file of rows is to be read, as far as the user says.

use super::Header;
use super::input::InputLimits;
use super::lines::Separator;
use super::missing::MissingCodes;
use crate::names::{Named, display_by_name};

/// What separates the whole part of a number from its decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decimal {
    /// A point; a comma may separate thousands.
    Point,
    /// A comma; a point may separate thousands.
    Comma,
}

impl Named for Decimal {
    const OPTION: &'static str = "--decimal";
    const NAMES: &'static [(&'static str, Self)] = &[("point", Self::Point), ("comma", Self::Comma)];
    const ALIASES: &'static [(&'static str, Self)] = &[(".", Self::Point), (",", Self::Comma)];
}

display_by_name!(Decimal);

/// How a file of rows is to be read. What is `None` is recognised from many lines of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Whether the first line names the columns.
    pub header: Header,
    /// What separates the cells.
    pub separator: Option<Separator>,
    /// Decimal separator of numbers.
    pub decimal: Option<Decimal>,
    /// Number of lines before the header or the first row.
    pub skip: Option<usize>,
    /// Largest number of lines that are left out because they cannot be read.
    pub skip_bad: usize,
    /// Codes that stand for a missing reading.
    pub missing: MissingCodes,
    /// Column of labels, in which no code is a missing reading.
    pub label: Option<String>,
    /// Columns of time stamps, which are never read as numbers.
    pub time: Vec<String>,
    /// Column that names the machine of a row, if the file may hold several. Gaps in time are then those of each machine, and
    /// are found when its rows are [selected](super::Frame::of_machine).
    pub machine: Option<String>,
    /// Channels of a raw signal that are left out.
    pub channels_left_out: Vec<String>,
    /// Channels of a raw signal that are kept although they only rise, as a clock does; `None` keeps all such channels.
    pub channels_kept: Option<Vec<String>>,
    /// Limits on the size of a file.
    pub limits: InputLimits,
}

impl From<Header> for ReadOptions {
    fn from(header: Header) -> Self {
        Self { header, ..Self::default() }
    }
}
