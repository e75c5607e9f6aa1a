//! The ecosystems of `export --package`.

use clap::ValueEnum;
use surprisal_trainer::export::Ecosystem;

/// An ecosystem with its own form of a library.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum EcosystemArg {
    /// A Zephyr module.
    Zephyr,
    /// An Arduino library.
    Arduino,
    /// A PlatformIO library.
    Platformio,
    /// An ESP-IDF component.
    EspIdf,
}

impl From<EcosystemArg> for Ecosystem {
    fn from(ecosystem: EcosystemArg) -> Self {
        match ecosystem {
            EcosystemArg::Zephyr => Self::Zephyr,
            EcosystemArg::Arduino => Self::Arduino,
            EcosystemArg::Platformio => Self::Platformio,
            EcosystemArg::EspIdf => Self::EspIdf,
        }
    }
}
