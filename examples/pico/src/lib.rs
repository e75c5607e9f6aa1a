//! What the programs share: the board and the model.

#![no_std]

pub mod board;
#[rustfmt::skip]
pub mod table;
