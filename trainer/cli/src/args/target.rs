//! What `export --package` and `new` write for: ecosystems, boards and languages.

use clap::ValueEnum;
use surprisal_trainer::export::{Board, Ecosystem, Language};

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

/// A board for which there is a project.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum BoardArg {
    /// A BBC micro:bit v2.
    Microbit,
    /// A Raspberry Pi Pico.
    Pico,
    /// An STM32 NUCLEO-F401RE.
    Nucleo,
    /// An emulated Cortex-M3: QEMU's mps2-an385.
    QemuM3,
    /// An emulated Cortex-M4F: QEMU's mps2-an386.
    QemuM4,
}

impl From<BoardArg> for Board {
    fn from(board: BoardArg) -> Self {
        match board {
            BoardArg::Microbit => Self::Microbit,
            BoardArg::Pico => Self::Pico,
            BoardArg::Nucleo => Self::Nucleo,
            BoardArg::QemuM3 => Self::QemuM3,
            BoardArg::QemuM4 => Self::QemuM4,
        }
    }
}

/// The language of a project.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LanguageArg {
    /// Rust, with the crate surprisal.
    Rust,
    /// C99, with the C reader; for emulated boards.
    C,
}

impl From<LanguageArg> for Language {
    fn from(language: LanguageArg) -> Self {
        match language {
            LanguageArg::Rust => Self::Rust,
            LanguageArg::C => Self::C,
        }
    }
}
