//! Compressed files, `.gz` and `.zst`, of rows, logs and signals.

#![no_main]

use libfuzzer_sys::fuzz_target;
use surprisal_fuzz::{options, use_frame, with_file};
use surprisal_trainer::data::Frame;
use surprisal_trainer::windows::Signal;

fuzz_target!(|input: &[u8]| {
    let (options, _, content) = options(input);
    with_file(".gz", content, |path| {
        if let Ok(frame) = Frame::read_with(path, &options) {
            use_frame(frame, &options);
        }
        let _ = Signal::read_with(path, &options);
    });
});
