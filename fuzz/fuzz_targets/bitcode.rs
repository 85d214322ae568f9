//! The bitcode reader: a module and all of its functions, from any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../shared/bitcode/tests/drive/mod.rs"]
mod drive;

fuzz_target!(|bytes: &[u8]| {
    let _ = drive::drive(bytes);
});
