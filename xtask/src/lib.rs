//! What `cargo xtask` and `cargo benches` share: boards, setup, firmware builds, and the command `surprisal`.

pub mod board;
pub mod setup;
pub mod firmware;
pub mod elf;
pub mod measure;
pub mod size;
pub mod command;
pub mod shuttle;
#[path = "../../tests/support/signal.rs"]
pub mod signal;
