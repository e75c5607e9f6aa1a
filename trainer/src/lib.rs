//! Fits, quantises, calibrates and exports the tables that the `surprisal` crate reads on a microcontroller.
//!
//! ```text
//! data -> schema -> bits -> order -> fit -> quantise -> calibrate -> artefact (.srp) -> export (.rs)
//! ```
//!
//! Whatever the device does (encoding, logits, masses, nats, verdicts) is done here by the `surprisal` crate itself,
//! over the very bytes that are exported, so the numbers are the same bit for bit.

pub mod error;
pub mod names;
pub mod escape;
pub mod output;
pub mod observer;
pub mod data;
pub mod collect;
pub mod split;
pub mod predictor;
pub mod schema;
pub mod windows;
pub mod history;
pub mod bits;
pub mod order;
pub mod model;
pub mod fit;
pub mod blend;
pub mod journal;
pub mod select;
pub mod shape;
pub mod table;
pub mod calibrate;
pub mod artefact;
pub mod pipeline;
pub mod export;
pub mod batch;
pub mod evaluate;
pub mod divergence;
pub mod sample;

pub use error::{Error, Result};
