//! Logs of a serial port, which `surprisal collect` converts to CSV.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::logs(input));
