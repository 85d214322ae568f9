//! The container reader: an error or an answer, whatever the bytes are. The index check is repaired first, or nothing
//! would get past it.
#![no_main]

use autojit_store::{Container, Symbol, Unpacker, containers};
use libfuzzer_sys::fuzz_target;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize
}

/// Makes length and index check right, as far as there is an index (the layout is in shared/store/src/lib.rs).
fn repair(bytes: &mut Vec<u8>) {
    if bytes.len() < 120 {
        return;
    }
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let length = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    let tables = word(bytes, 64) * 16 + word(bytes, 68) * 8 + word(bytes, 100) * 8 + word(bytes, 112) * 12;
    let index = 120 + tables + word(bytes, 72);
    if let Some(indexed) = bytes.get(64..index) {
        let check = xxh3_64_with_seed(indexed, xxh3_64(&bytes[8..24]));
        bytes[56..64].copy_from_slice(&check.to_le_bytes());
    }
}

fn read(bytes: &[u8]) {
    for container in containers(bytes) {
        let Ok((_, bytes)) = container else { break };
        let Ok(container) = Container::parse(bytes) else { continue };
        for function in container.functions() {
            if let Some(Symbol::Function(index)) = container.find(function.name) {
                assert_eq!(container.function(index).map(|found| found.name), Some(function.name));
            }
        }
        for index in 0..container.import_count() {
            container.import_name(index).map(|name| container.find(name));
        }
        let _ = (container.source(), container.opt_level(), container.key(), container.verify());
        let mut unpacker = Unpacker::new().expect("there is memory");
        let pieces = (0..).take_while(|&number| container.piece(number).is_some());
        let alone: Result<Vec<_>, _> = pieces.map(|number| container.unpack(number, &mut unpacker)).collect();
        let whole = container.bitcode();
        if !container.is_apart() {
            assert_eq!(whole.ok(), alone.ok().map(|pieces| pieces.concat()));
        }
    }
}

fuzz_target!(|data: &[u8]| {
    read(data);
    let mut repaired = data.to_vec();
    repair(&mut repaired);
    read(&repaired);
});
