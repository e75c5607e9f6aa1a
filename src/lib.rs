#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// No function panics: these lints forbid indexing and unwrapping, and `tests/no-panic` proves it at link time.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fingerprint;
mod error;
mod reading;
mod decimal;
mod row_schema;
mod nats;
mod logit;
mod signal;
mod predictor;
#[cfg(feature = "heapless")]
mod stream;
mod encoder;
mod constraint;
mod term;
mod model;
mod walk;
mod codec;
mod detector;
mod table;
mod score;
mod outcome_tables;
mod prototypes;
mod view;
mod view_table;
mod offset_search;
mod offsets;
mod packet;
mod blame;
mod format;
#[doc(hidden)]
pub mod generated;
#[cfg(feature = "defmt")]
mod capture;
#[cfg(feature = "embedded-hal")]
mod hal;
#[cfg(feature = "embedded-storage")]
mod update;

pub use blame::Blame;
#[cfg(feature = "defmt")]
pub use capture::{CaptureHeader, CaptureRow};
pub use codec::{Compressor, Decompressor};
pub use constraint::Constraint;
#[cfg(feature = "heapless")]
pub use detector::Recent;
pub use detector::{
    Absence, Adaptation, AlarmRule, AnomalyScore, Calibrator, Cusum, Detector, Drift, DriftEstimate, Monitor, PValue,
    Recalibration, Report, RowScore, Severity, Verdict,
};
pub use encoder::{Column, Encoder, EncoderSlices, Kind};
pub use error::{EncodeError, TableError};
pub use fingerprint::Fingerprint;
pub use format::VERSION;
#[cfg(feature = "embedded-hal")]
pub use hal::{NamedReport, Watch, WatchError, WatchedRow, flags};
pub use logit::{Logit, Mass};
pub use model::{Conditional, Model};
pub use nats::Nats;
pub use offset_search::{OffsetSums, concordance, grain, search_offsets};
pub use offsets::Offsets;
pub use outcome_tables::{Masses, OutcomeTables, OutcomeTablesSlices, OutcomeWalk};
pub use packet::{Damage, Packet, PacketError, PacketRows, PacketTable, PacketWriter, Packets, RowCodec};
pub use predictor::{Predictor, PredictorSlices};
pub use prototypes::{Prototypes, PrototypesSlices};
pub use reading::{Reading, total_order};
pub use row_schema::{RowSchema, SelfTestError};
pub use score::ColumnScore;
#[cfg(feature = "libm")]
pub use signal::Libm;
#[cfg(feature = "micromath")]
pub use signal::Micromath;
pub use signal::{Feature, Features, Math, Samples};
#[cfg(feature = "heapless")]
pub use stream::Stream;
pub use table::Table;
pub use term::{
    Activation, Forest, ForestSlices, Linear, LinearSlices, LinearWeights, Mixture, MixtureSlices, Nade, NadeSlices,
    Term, Terms,
};
#[cfg(feature = "embedded-storage")]
pub use update::{Accepted, Incoming, Installed, Received, Slots, UpdateError, UpdateHeader};
pub use view::{Regime, View};
pub use view_table::ViewTable;
pub use walk::Walk;
