//! Stack maps are read from what any client of autojitd may send. (`fuzz/fuzz_targets/stack_map.rs` reads whatever bytes.)

use autojit_abi::{Location, LocationKind, StackMap};

/// Each byte of a map in turn has each value: what is read is what was written, or nothing.
#[test]
fn other_bytes_make_another_map_or_none() {
    let value = Location { value: 3, kind: LocationKind::Value, offset: -48 };
    let variable = Location { value: 7, kind: LocationKind::Variable, offset: 16 };
    let bytes = StackMap { block: 2, locations: vec![value, variable] }.encode().expect("it is small");
    let mut read = 0;
    for at in 0..bytes.len() {
        for byte in 0..=u8::MAX {
            let mut changed = bytes.clone();
            changed[at] = byte;
            if let Some(map) = StackMap::decode(&changed) {
                assert_eq!(map.encode(), Some(changed), "{byte} at {at}");
                read += 1;
            }
        }
    }
    // Of the kinds, 0 and 1 are known: two values of their lowest bytes, one of the three others.
    assert_eq!(read, (bytes.len() - 8) * 256 + 2 * (2 + 3));
}
