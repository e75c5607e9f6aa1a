//! Tables as a device reads them, through every verb.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::tables(input));
