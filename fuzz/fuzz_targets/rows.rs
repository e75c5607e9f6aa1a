//! Files of rows as text, in any dialect: separators, encodings, preambles, bad lines, missing codes, decimal commas.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use surprisal_fuzz::{options, use_frame};
use surprisal_trainer::data::Frame;

fuzz_target!(|input: &[u8]| {
    let (options, _, content) = options(input);
    if let Ok(frame) = Frame::from_bytes(Path::new("rows.csv"), content.to_vec(), &options) {
        use_frame(frame, &options);
    }
});
