//! Model files, `.srp`: reading them, and all operations of the host on what was read.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::models(input));
