#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// The device never panics: no indexing, no unwrapping, no arithmetic that could overflow unseen.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod features;
mod encoder;
mod link;
mod part;
mod model;
mod codec;
mod steady;
mod detector;
mod stream;
mod table;
mod explain;
#[cfg(feature = "defmt")]
mod capture;
#[cfg(feature = "embedded-hal")]
mod hal;
mod error;

#[cfg(feature = "defmt")]
pub use capture::{Header, Row};
pub use codec::{Compressor, Decompressor};
#[cfg(feature = "heapless")]
pub use detector::Recent;
pub use detector::{Cusum, Detector, Drift, Excess, Monitor, Oddness, PValue, Report, Verdict};
pub use encoder::{Column, Encoder, Kind, Reading, total_order};
pub use error::{EncodeError, TableError};
pub use explain::{Share, Surprise};
#[cfg(feature = "libm")]
pub use features::Libm;
#[cfg(feature = "micromath")]
pub use features::Micromath;
pub use features::{Feature, Features, Math, Samples};
#[cfg(feature = "embedded-hal")]
pub use hal::{Fault, Seen, Watch, flags};
pub use link::{Logit, Mass, Nats};
pub use model::{Conditional, Guard, Model, Walk};
pub use part::{Activation, Columns, Forest, Linear, Mixture, Nade, Part, Sum};
pub use steady::{Mask, Steady};
pub use stream::Predictor;
#[cfg(feature = "heapless")]
pub use stream::Stream;
pub use table::{Parts, Table, VERSION};
