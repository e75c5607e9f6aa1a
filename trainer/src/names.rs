//! Names of the values that an option takes.

use surprisal::Activation;

use crate::error::{Error, Result};

/// A type whose values have names, as an option on the command line or a key in a file gives them.
pub trait Named: Copy + PartialEq + 'static {
    /// The option that takes the names, for example `--family`.
    const OPTION: &'static str;
    /// Every value with its name.
    const NAMES: &'static [(&'static str, Self)];
    /// Former names that are still read.
    const ALIASES: &'static [(&'static str, Self)] = &[];

    /// Returns the name of the value.
    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, value)| *value == self).map_or("unknown", |(name, _)| name)
    }

    /// Returns the value of that name or former name.
    ///
    /// # Errors
    /// [`Error::Option`] if there is none; the message lists the names.
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
