//! Arrays in NumPy's formats, `.npy` and `.npz`, as rows and as raw signals.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use surprisal_fuzz::{options, use_frame, with_file};
use surprisal_trainer::data::Frame;
use surprisal_trainer::windows::{Signal, read};

fuzz_target!(|input: &[u8]| {
    let (options, windows, content) = options(input);
    if let Ok(frame) = Frame::from_bytes(Path::new("rows.npy"), content.to_vec(), &options) {
        use_frame(frame, &options);
    }
    with_file(".npy", content, |path| {
        let _ = Signal::read_with(path, &options);
        let _ = windows.map(|windows| read(Some(windows), &[path.to_owned()], &options));
    });
});
