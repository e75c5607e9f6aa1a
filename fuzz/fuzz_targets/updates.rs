//! Updates on their way into the flash of a device.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| surprisal_fuzz::updates(input));
