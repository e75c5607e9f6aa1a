//! Counts the instructions of reading and checking a table that arrived, and of verifying its signature.

#![no_std]
#![no_main]

#[path = "../../../support/meter.rs"]
mod meter;
/// The table, as `surprisal export` wrote it.
#[allow(dead_code, reason = "the table is read from its bytes")]
mod table {
    include!(env!("DEVICE_TABLE"));
}

use core::hint::black_box;
use core::panic::PanicInfo;
use semihosting::{println, process};
use surprisal::{UpdateHeader, ViewTable};
use table::{CAPACITY, COLUMNS, FINGERPRINT, VIEWS};

#[repr(C, align(4))]
struct Aligned<T: ?Sized>(T);

/// The update that holds the table, as `surprisal sign` wrote it.
static UPDATE: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("DEVICE_UPDATE")));
/// The public key.
#[cfg(feature = "verify")]
static KEY: [u8; 32] = *include_bytes!(env!("DEVICE_KEY"));

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let meter = meter::Instructions::new();
    let bytes = black_box(&UPDATE.0[UpdateHeader::BYTES..]);
    let load = || ViewTable::<CAPACITY, VIEWS>::from_bytes(black_box(bytes), FINGERPRINT);
    print(&meter, "load", || load().is_ok());
    let table = load().expect("the table is whole");
    print(&meter, "self-test", || black_box(&table).self_test::<{ COLUMNS.len() }>().is_ok());
    #[cfg(feature = "verify")]
    print(&meter, "verify", || {
        // As `Received::verify` does: the bytes come from the flash in pieces of 64.
        use ed25519_compact::{PublicKey, Signature};
        let (signature, signed) = black_box(&UPDATE.0).split_at(UpdateHeader::SIGNATURE_BYTES);
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        let Ok(mut state) = PublicKey::new(black_box(KEY)).verify_incremental(&signature) else { return false };
        signed.chunks(64).for_each(|bytes| state.absorb(bytes));
        state.verify().is_ok()
    });
    process::exit(0)
}

/// Prints the instructions and the bytes of stack of an operation, which must succeed.
fn print(meter: &meter::Instructions, operation: &str, work: impl Fn() -> bool) {
    let (is_right, instructions) = meter.count(&work);
    assert!(is_right, "{operation} fails");
    let stack = meter::stack(|| _ = black_box(work()));
    println!("update {operation} {instructions} {stack}");
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    println!("{info}");
    process::exit(101)
}
