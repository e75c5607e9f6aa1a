//! Sounds in RIFF format, `.wav`, as raw signals.

#![no_main]

use libfuzzer_sys::fuzz_target;
use surprisal_fuzz::{options, use_frame, with_file};
use surprisal_trainer::windows::{Signal, read};

fuzz_target!(|input: &[u8]| {
    let (options, windows, content) = options(input);
    with_file(".wav", content, |path| {
        let _ = Signal::read_with(path, &options);
        let Some(Ok(frame)) = windows.map(|windows| read(Some(windows), &[path.to_owned()], &options)) else { return };
        use_frame(frame, &options);
    });
});
