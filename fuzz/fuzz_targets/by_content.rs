//! Files of code by the content of functions: what is read of them lies within them, also if the checksum is right.
#![no_main]

use autojit_cache::by_content;
use libfuzzer_sys::fuzz_target;
use xxhash_rust::xxh3::xxh3_64;

/// Where the key is, and what follows it.
const KEY: usize = 24;
const TABLE: usize = 56;
const ENTRY: usize = 64;

/// The key of all files here.
const OWN: [u8; 32] = [7; 32];

/// Has the head say what is true of the first `end` bytes.
fn sign(bytes: &mut [u8], end: usize) {
    let sum = xxh3_64(&bytes[KEY..end]).to_le_bytes();
    bytes[16..KEY].copy_from_slice(&sum);
}

fuzz_target!(|data: &[u8]| {
    if data.len() < TABLE {
        return;
    }
    let mut bytes = data.to_vec();
    bytes[..8].copy_from_slice(b"AJSAME\0\0");
    bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
    bytes[KEY..TABLE].copy_from_slice(&OWN);
    let count = usize::from(bytes[12]) % 4;
    bytes[12..16].copy_from_slice(&(count as u32).to_le_bytes());
    // Names may end anywhere: the checksum is of all up to there.
    let names = (TABLE + count * ENTRY).min(bytes.len());
    for end in names..=bytes.len().min(names + 64) {
        sign(&mut bytes, end);
        for entry in by_content::entries(&bytes, &OWN).into_iter().flatten() {
            let inside = bytes.as_ptr_range();
            assert!(inside.contains(&entry.name.as_ptr()) || entry.name.is_empty());
            assert!(inside.contains(&entry.numbers.as_ptr()) || entry.numbers.is_empty());
            assert!(inside.contains(&entry.bundle.as_ptr()) || entry.bundle.is_empty());
        }
    }
});
