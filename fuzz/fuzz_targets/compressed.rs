//! Compressed files, `.gz` and `.zst`, of rows, logs and signals.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::compressed(input));
