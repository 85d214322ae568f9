//! Files that say which functions have run: whatever is in them, they can be read, added to, and read again.
#![no_main]

use autojit_cache::profile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let merged = profile::merged(&text, "0123456789abcdef", ["f", "g"].into_iter());
    let names: Vec<_> = profile::entries(&merged).map(|(_, name)| name).collect();
    assert!(names.contains(&"f") && names.contains(&"g"));
    assert_eq!(profile::merged(&merged, "0123456789abcdef", ["g"].into_iter()), merged);
});
