//! The object reader and linker, and what describes lines: an error or linked code, lines or none, whatever the bytes are.
#![no_main]

mod linking;

use autojit_code::describe::{Linked, elf};
use autojit_code::moved::Moved;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (memory, mut resolver) = linking::memory();
    // Dropped: what was reserved is given back.
    let _ = autojit_code::link_object(data, memory, &mut resolver);
    // Most numbers of sections are there.
    let sections = [1, 2, 3, 4, 5].map(|index| (index, 0x7000_0000 + index as usize * 0x1000));
    let moved = [Moved { file: 0, first: 1, last: u32::MAX, by: 3 }];
    for moved in [&[][..], &moved] {
        let _ = elf(&(0x7000_0000..0x7001_0000), [], [Linked { object: data, sections: &sections, moved }], []);
    }
});
