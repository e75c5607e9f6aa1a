//! The golden streams, on the host; `cargo xtask on-target` runs the same cases on boards.

#[path = "support/cases.rs"]
mod cases;
