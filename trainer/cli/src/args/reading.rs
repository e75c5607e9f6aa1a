//! Options that say how files are to be read, where recognition is not wanted.

use clap::Args;
use surprisal_trainer::data::{Decimal, Header, MissingCodes, ReadOptions, Separator};

use super::help::header_help;
use super::parse;

/// Options for reading files of rows. What they leave out is recognised from many lines of each file.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Data")]
pub struct ReadingArgs {
    #[arg(long, default_value_t, value_name = "WHEN", value_parser = parse::named(header_help), hide_short_help = true,
        help = "Whether the first line of the table names the columns")]
    pub header: Header,
    #[arg(long, value_name = "NAME", value_parser = parse::named(separator_help), hide_short_help = true,
        help = "What separates the cells of a line; by default recognised from many lines")]
    pub separator: Option<Separator>,
    #[arg(long, value_name = "NAME", value_parser = parse::named(decimal_help), hide_short_help = true,
        help = "Decimal separator of numbers; by default recognised for each column where that is clear")]
    pub decimal: Option<Decimal>,
    /// Skip this many lines before the header or the first row; by default a preamble is recognised where it is clear.
    #[arg(long, value_name = "LINES", hide_short_help = true)]
    pub skip: Option<usize>,
    /// Leave out up to this many lines that cannot be read, and report them. Without it, such lines are errors.
    #[arg(long, value_name = "LINES", default_value_t = 0, hide_short_help = true)]
    pub skip_bad: usize,
    /// Read this text as a missing reading, for example -999, Bad or MM; COLUMN=TEXT applies to one column.
    ///
    /// The option may be repeated. A number stands for all cells of the same value. A model keeps the codes of its fit,
    /// so that `score`, `eval` and `explain` apply them too.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, hide_short_help = true)]
    pub missing: Vec<String>,
}

impl ReadingArgs {
    /// Returns the options for the library.
    pub fn options(&self) -> ReadOptions {
        let mut missing = MissingCodes::default();
        self.missing.iter().for_each(|code| missing.add(code));
        ReadOptions {
            header: self.header,
            separator: self.separator,
            decimal: self.decimal,
            skip: self.skip,
            skip_bad: self.skip_bad,
            missing,
            ..ReadOptions::default()
        }
    }
}

fn separator_help(separator: Separator) -> &'static str {
    match separator {
        Separator::Comma => "A comma; `,` is the same",
        Separator::Semicolon => "A semicolon; `;` is the same",
        Separator::Tab => "A tab",
        Separator::Pipe => "A vertical bar; `|` is the same",
        Separator::Spaces => "One or more spaces or tabs",
    }
}

fn decimal_help(decimal: Decimal) -> &'static str {
    match decimal {
        Decimal::Point => "A point, and commas may separate thousands; `.` is the same",
        Decimal::Comma => "A comma, and points may separate thousands; `,` is the same",
    }
}
