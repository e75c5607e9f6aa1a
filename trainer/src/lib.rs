//! Fits, quantises, calibrates and exports the tables that the `surprisal` crate reads on a microcontroller.
//!
//! ```text
//! data -> schema -> bits -> order -> fit -> quantise -> calibrate -> artefact (.srp) -> export (.rs)
//! ```
//!
//! Whatever the device does (encoding, logits, masses, nats, verdicts) is done here by the `surprisal` crate itself,
//! over the very bytes that are exported, so the numbers are the same bit for bit.

pub mod artefact;
pub mod bits;
pub mod cli;
pub mod data;
pub mod evaluate;
pub mod export;
pub mod fit;
pub mod model;
pub mod order;
pub mod pipeline;
pub mod quantise;
pub mod schema;
pub mod select;
pub mod split;
