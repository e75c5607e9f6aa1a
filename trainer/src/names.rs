//! Names of the values of command-line options and of keys in files.

use surprisal::Activation;

use crate::error::{Error, Result};

/// A type whose values have names on the command line and in files.
pub trait Named: Copy + PartialEq + 'static {
    /// Command-line option whose values have these names, for example `--family`.
    const OPTION: &'static str;
    /// Pairs of a name and its value, one for every value of the type.
    const NAMES: &'static [(&'static str, Self)];
    /// Pairs of a former name and its value. Former names are accepted but not written.
    const ALIASES: &'static [(&'static str, Self)] = &[];

    /// Returns the name of the value.
    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, value)| *value == self).map_or("unknown", |(name, _)| name)
    }

    /// Returns the value with the given name or former name.
    ///
    /// # Errors
    /// [`Error::Option`] if no value has the name; the message lists the names.
    fn named(name: &str) -> Result<Self> {
        let known = Self::NAMES.iter().chain(Self::ALIASES).find(|(known, _)| *known == name);
        known.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
            Error::option(Self::OPTION, format!("`{name}` is unknown; expected one of {}", names.join(", ")))
        })
    }
}

impl Named for Activation {
    const OPTION: &'static str = "--activation";
    const NAMES: &'static [(&'static str, Self)] =
        &[("relu", Self::Relu), ("sigmoid", Self::Sigmoid), ("identity", Self::Identity)];
}

/// Implements `Display` and `FromStr` for a [`Named`] type.
macro_rules! display_by_name {
    ($($type:ty),*) => {$(
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::names::Named::name(*self))
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::Error;

            fn from_str(name: &str) -> $crate::Result<Self> {
                $crate::names::Named::named(name)
            }
        }
    )*};
}

pub(crate) use display_by_name;
