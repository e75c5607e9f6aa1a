//! Tables in Parquet files.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::parquet(input));
