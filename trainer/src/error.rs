//! The error type of the library.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use surprisal::{EncodeError, TableError};

/// Result of a fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync>;

/// Reason why a file, an option or a table cannot be used.
///
/// Each message names the file, line, column or option first, then what was expected and found, then what to do.
/// Options have the names of the command line of `surprisal`. The alternate form `{:#}` adds the causes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be opened, read or written.
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Failed operation, and advice.
        message: String,
        /// Cause that the operating system reports.
        source: io::Error,
    },
    /// An input file holds a value that cannot be used.
    Input {
        /// Path of the file.
        path: PathBuf,
        /// Line or sample that holds the value, if it is known.
        place: Option<Place>,
        /// Name of the column that holds the value, if it is a single column.
        column: Option<String>,
        /// Expected and found value, and advice.
        message: String,
        /// Cause that the parser reports, if a parser found the error.
        source: Option<Source>,
    },
    /// Several errors in the same input, in the order in which they should be corrected.
    Several(Vec<Error>),
    /// An option has a value that is invalid or cannot be achieved.
    Option {
        /// Name of the option on the command line, for example `--flash`.
        name: &'static str,
        /// Reason why the value cannot be used, and advice.
        message: String,
    },
    /// A model file is damaged, invalid, or from another version, or is not a model.
    Model {
        /// Path of the file.
        path: PathBuf,
        /// Description of the defect, and advice.
        message: String,
        /// Detailed cause, if there is one.
        source: Option<Source>,
    },
    /// Bytes or slices are not a table.
    Table(TableError),
    /// A reading does not fit its column.
    Encode(EncodeError),
    /// The sections of a model file contradict each other.
    Inconsistent(String),
    /// Two models, or a model and data, cannot be compared.
    Incomparable(String),
    /// The output would overwrite a file that the same command reads.
    OutputIsInput(PathBuf),
    /// The [`Observer`](crate::observer::Observer) cancelled the fit before it found a model.
    Cancelled,
}

/// Position in an input file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Unit that `number` counts: "line" or "sample".
    pub unit: &'static str,
    /// Number of the line or sample, counted from 1.
    pub number: u64,
}

impl Error {
    /// Returns an error in an input file; [`at`](Self::at), [`column`](Self::column) and [`caused_by`](Self::caused_by)
    /// add details.
    pub(crate) fn input(path: &Path, message: impl Into<String>) -> Self {
        Self::Input { path: path.to_owned(), place: None, column: None, message: message.into(), source: None }
    }

    /// Returns one error for all of these, or `None` if there are none.
    pub(crate) fn all(mut errors: Vec<Self>) -> Option<Self> {
        if errors.len() > 1 { Some(Self::Several(errors)) } else { errors.pop() }
    }

    /// Adds the line or sample in which an input error was found; `unit` is "line" or "sample".
    pub(crate) fn at(mut self, unit: &'static str, number: u64) -> Self {
        if let Self::Input { place, .. } = &mut self {
            *place = Some(Place { unit, number });
        }
        self
    }

    /// Adds the name of the column in which an input error was found.
    pub(crate) fn column(mut self, name: &str) -> Self {
        if let Self::Input { column, .. } = &mut self {
            *column = Some(name.to_owned());
        }
        self
    }

    /// Adds a detailed cause to an input error or a model error.
    pub(crate) fn caused_by(mut self, cause: impl Into<Source>) -> Self {
        if let Self::Input { source, .. } | Self::Model { source, .. } = &mut self {
            *source = Some(cause.into());
        }
        self
    }

    /// Returns a function that converts an I/O error to [`Error::Io`] with a path and a message.
    pub(crate) fn io(path: &Path, message: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let (path, message) = (path.to_owned(), message.into());
        |source| Self::Io { path, message, source }
    }

    /// Returns an error in a model file.
    pub(crate) fn model(path: &Path, message: impl Into<String>) -> Self {
        Self::Model { path: path.to_owned(), message: message.into(), source: None }
    }

    /// Returns an error about the value of an option.
    pub(crate) fn option(name: &'static str, message: impl Into<String>) -> Self {
        Self::Option { name, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, message, .. } | Self::Model { path, message, .. } => {
                write!(f, "{}: {message}", path.display())
            }
            Self::Input { path, place, column, message, .. } => {
                write!(f, "{}: ", path.display())?;
                match (place, column) {
                    (Some(place), Some(column)) => write!(f, "{} {}, column `{column}`: ", place.unit, place.number)?,
                    (Some(place), None) => write!(f, "{} {}: ", place.unit, place.number)?,
                    (None, Some(column)) => write!(f, "column `{column}`: ")?,
                    (None, None) => {}
                }
                f.write_str(message)
            }
            Self::Several(errors) => {
                let mut separator = "";
                for error in errors {
                    write!(f, "{separator}{error}")?;
                    separator = "\n";
                }
                Ok(())
            }
            Self::Option { name, message } => write!(f, "{name}: {message}"),
            Self::Table(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Inconsistent(message) | Self::Incomparable(message) => f.write_str(message),
            Self::OutputIsInput(path) => write!(
                f,
                "{}: is an input of the same command and would be overwritten; name another output with -o",
                path.display()
            ),
            Self::Cancelled => f.write_str("the fit was cancelled before it found a model; nothing was written"),
        }?;
        let mut cause = self.source().filter(|_| f.alternate());
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Input { source, .. } | Self::Model { source, .. } => {
                source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
            }
            _ => None,
        }
    }
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}
