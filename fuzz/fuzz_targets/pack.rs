//! Cache files: an error or a unit that can be linked, whatever the bytes are. The checksum is repaired, or nothing
//! would get past it.
#![no_main]

mod linking;

use autojit_code::{bundle, pack, link};
use libfuzzer_sys::fuzz_target;
use xxhash_rust::xxh3::xxh3_64;

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    let mut key = [0; 32];
    if bytes.len() >= 56 {
        let len = pack::code_len(&bytes).unwrap_or(bytes.len()).max(24);
        let checksum = xxh3_64(&bytes[24..len]);
        bytes[16..24].copy_from_slice(&checksum.to_le_bytes());
        key.copy_from_slice(&bytes[24..56]);
    }
    let generation = pack::generation(&bytes).unwrap_or_default();
    let _ = pack::decode_lines(&bytes, &key, generation);
    let (memory, mut resolver) = linking::memory();
    // As the runtime binds it: nothing looks at the fixups before they are applied.
    if pack::check(&bytes, &key).is_ok()
        && let Ok(unit) = pack::decode_checked(&bytes)
    {
        let _ = link(&unit, memory, &mut resolver);
    }
    if let Ok(unit) = pack::decode(&bytes, &key) {
        let _ = link(&unit, memory, &mut resolver);
        // What was read can be written, and is the same then.
        let again = pack::encode(&unit, &key);
        assert!(pack::decode(&again, &key).is_ok());
        let framed = [&(bytes.len() as u64).to_le_bytes()[..], &bytes].concat();
        let _ = bundle::decode(&framed, &key);
    }
});
