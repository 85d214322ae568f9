//! Image packs: an error or groups that can be linked, whatever the bytes are. Checksums are repaired, or nothing would
//! get past them.
#![no_main]

mod linking;

use autojit_code::image_pack::{self, Index, still_useful};
use autojit_code::prelinked::{Summary, Tables};
use autojit_code::{pack, link};
use libfuzzer_sys::fuzz_target;
use xxhash_rust::xxh3::xxh3_64;

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    let mut key = [0; 32];
    if bytes.len() >= 80 {
        let len = bytes.len() as u64;
        bytes[72..80].copy_from_slice(&len.to_le_bytes());
        let end = image_pack::index_len(&bytes).unwrap_or(bytes.len());
        let checksum = xxh3_64(&bytes[24..end]);
        bytes[16..24].copy_from_slice(&checksum.to_le_bytes());
        key.copy_from_slice(&bytes[24..56]);
    }
    let head = image_pack::packs_at(&bytes).unwrap_or(bytes.len());
    let Ok(index) = Index::open(&bytes[..head], bytes.len(), &key) else { return };
    if let Some(summary) = index.ahead
        && let Some(tables) = bytes.get(summary.tables..summary.tables + summary.tables_len)
        && let Some(tables) = Tables::open(tables, &Summary { tables_check: xxh3_64(tables), ..summary })
    {
        let _ = (tables.words().count(), tables.externals().count());
        let _ = (tables.stub(4096, 0, 0), tables.slots().count(), tables.inline().count());
    }
    let (memory, mut resolver) = linking::memory();
    for number in 0..index.groups.len() {
        let group = index.groups[number].clone();
        let _ = index.references(number).map(|references| references.get(0));
        let mut code = bytes[group.pack].to_vec();
        if code.len() >= 56 {
            let len = pack::code_len(&code).unwrap_or(code.len()).max(24);
            let checksum = xxh3_64(&code[24..len]);
            code[16..24].copy_from_slice(&checksum.to_le_bytes());
            code[24..56].copy_from_slice(&key);
        }
        if pack::check(&code, &key).is_ok()
            && let Ok(unit) = pack::decode_checked(&code)
        {
            let _ = link(&unit, memory, &mut resolver);
        }
    }
    let groups = still_useful(&bytes, &index, &key, Some, |_, _| false, |_, _| None);
    let _ = image_pack::encode(&groups, |_| key, &key, None);
});
