//! Files of rows as text, in any dialect: separators, encodings, preambles, bad lines, missing codes, decimal commas.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::rows(input));
