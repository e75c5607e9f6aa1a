//! Logs of a serial port, which `surprisal collect` converts to CSV.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use surprisal_fuzz::{LIMITS, use_frame};
use surprisal_trainer::collect::Capture;
use surprisal_trainer::data::{Frame, Header, ReadOptions};

fuzz_target!(|input: &[u8]| {
    let path = Path::new("capture.log");
    let Ok(capture) = Capture::parse(path, &String::from_utf8_lossy(input)) else { return };
    let _ = capture.sessions();
    let _ = capture.csv(true);
    let Ok(csv) = capture.csv(false) else { return };
    // The rows are numbers under names, which `fit` reads next.
    let options = ReadOptions { header: Header::Yes, limits: LIMITS, ..ReadOptions::default() };
    if let Ok(frame) = Frame::from_bytes(path, csv.into_bytes(), &options) {
        use_frame(frame, &options);
    }
});
