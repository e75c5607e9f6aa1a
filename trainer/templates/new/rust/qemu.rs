//! Scores the rows of `rows.rs` and prints a line per row to the console of the debugger.

#![no_std]
#![no_main]

use @CRATE@::rows::ROWS;
use @CRATE@::{Scorer, self_test};
use cortex_m_rt::ExceptionFrame;
use semihosting::{eprintln, println, process};

#[cortex_m_rt::entry]
fn main() -> ! {
    if let Err(error) = self_test() {
        eprintln!("{error}");
        process::exit(1)
    }
    println!("self-test passed");
    let mut scorer = Scorer::default();
    for (row, failed) in &ROWS {
        match scorer.score(row, failed) {
            Ok(Some(judgement)) => println!("{judgement}"),
            Ok(None) => {}
            Err(error) => {
                eprintln!("{error}");
                process::exit(1)
            }
        }
    }
    process::exit(0)
}

#[cortex_m_rt::exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    eprintln!("the processor faulted");
    process::exit(101)
}
