//! The section of a file that tells of static functions: each name and reason comes from the bytes, in their order.
#![no_main]

use autojit_trampoline::staying::Staying;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let strings = data.iter().filter(|byte| **byte == 0).count() + 1;
    let read: usize = Staying::entries(data)
        .iter()
        .map(|entry| 2 + entry.reasons.iter().map(|(_, names)| 1 + names.len()).sum::<usize>())
        .sum();
    assert!(read <= strings);
});
