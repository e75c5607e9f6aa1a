//! What the program and the tests on the board share: the model.

#![no_std]

#[rustfmt::skip]
pub mod table;
