//! Fits, quantises, calibrates and exports the tables that the `surprisal` crate reads on a microcontroller.
//!
//! ```text
//! data -> schema -> bits -> order -> fit -> quantise -> calibrate -> artefact (.srp) -> export (.rs)
//! ```
//!
//! The crate `surprisal` itself encodes and scores rows here, over the same bytes that are exported, so that host and device
//! compute the same numbers bit for bit. [`pipeline::run`] fits a file; the crate `surprisal-cli` installs the command.

pub mod error;
pub mod names;
pub mod escape;
pub mod counted;
pub mod output;
pub mod warning;
pub mod observer;
pub mod data;
pub mod collect;
pub mod split;
mod resemblance;
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
pub mod row_table;
pub mod calibrate;
pub mod views;
pub mod artefact;
pub mod golden;
pub mod like;
pub mod recalibrate;
pub mod pipeline;
pub mod export;
pub mod signing;
pub mod batch;
pub mod evaluate;
pub mod divergence;
pub mod sample;
pub mod telemetry;
pub mod applied;
pub mod alarms;
pub mod report;
pub mod fleet;

pub use error::{Error, Result};
