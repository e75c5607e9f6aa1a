//! Arrays in NumPy's formats, `.npy` and `.npz`, as rows and as raw signals.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::arrays(input));
