//! Core files: whatever is in one, its tables can be read or are refused, and segments that are found do not overlap.
#![no_main]

#[path = "../../tools/src/revive/arch/mod.rs"]
#[allow(dead_code)]
mod arch;
#[path = "../../tools/src/revive/core_file.rs"]
#[allow(dead_code)]
mod core_file;

use core_file::Unusable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let part = |offset: u64, len: u64| {
        let part = usize::try_from(offset).ok().and_then(|offset| data.get(offset..));
        let part = part.and_then(|rest| rest.get(..usize::try_from(len).ok()?));
        part.map(<[u8]>::to_vec).ok_or(Unusable::Truncated)
    };
    if let Ok(core) = core_file::parse(data.len() as u64, part) {
        assert!(core.segments.is_sorted_by(|a, b| a.range.end <= b.range.start));
        assert!(core.segments.iter().all(|segment| segment.offset + segment.kept <= data.len() as u64));
        assert!(core.files.iter().all(|part| part.range.start <= part.range.end));
    }
});
