//! Packets of rows: any bytes, and any payload with a correct check, for tables of every kind.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::packets(input));
