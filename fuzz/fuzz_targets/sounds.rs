//! Sounds in RIFF format, `.wav`, as raw signals.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::sounds(input));
