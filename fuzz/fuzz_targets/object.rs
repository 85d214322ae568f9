//! The object reader and linker: an error or linked code, whatever the bytes are.
#![no_main]

mod linking;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (memory, mut resolver) = linking::memory();
    // Dropped: what was reserved is given back.
    let _ = autojit_code::link_object(data, memory, &mut resolver);
});
