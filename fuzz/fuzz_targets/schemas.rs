//! Schema files in TOML, applied to a small table of every kind of column.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::schemas(input));
