//! The stack map that a client of autojitd sends with a request for a continuation: none, or one that is written as it was
//! read, whatever the bytes are.
#![no_main]

use autojit_abi::StackMap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(map) = StackMap::decode(data) {
        assert_eq!(map.encode().as_deref(), Some(data));
    }
});
