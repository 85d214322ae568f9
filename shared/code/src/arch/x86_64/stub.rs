//! Stubs made at run time, for functions that have none in the object file: the same bytes as the plugin's
//! (`autojit_trampoline::emit`), so the trampoline does not know the difference.
//!
//! ```text
//! +0    ff 25 disp32    jmp  *slot(%rip)      steady state: slot holds finished code
//! +6    ff 15 disp32    call *entry(%rip)     the lazy entry; the slot points here until then
//! +12   eb f2           jmp  +0               the trampoline returns here: the slot is published
//! +14   cc ...          up to a multiple of 8
//! ```
//!
//! Stubs come in blocks, whose text is finished when the block is made: only slots, which are data, are written when a
//! stub is taken. So it does not matter whether the text can be written then (private pages, sealed by a fork). A block
//! has one entry pointer, and one FDE for all of its stubs.

use std::sync::atomic::Ordering;

use autojit_trampoline::contract::{
    CALL_INDIRECT, INDIRECT_LEN, JMP_INDIRECT, JMP_SHORT, ModuleRecord, SHORT_LEN, Slot,
};

use crate::area::Area;
use crate::eh_frame::{self, PLAIN_FRAME_LEN};
use crate::link::Code;
use crate::memory::{Arena, CodeMemory, MemoryError};
use crate::unwind::UnwindTable;

/// Stubs in a block.
const STUBS: usize = 64;
/// Bytes from one stub to the next.
const STRIDE: usize = 16;
/// Where in a stub the lazy entry begins.
const LAZY_ENTRY: usize = INDIRECT_LEN;
/// Bytes of a stub's instructions.
const LEN: usize = 2 * INDIRECT_LEN + SHORT_LEN;
/// Bytes of a block in the arenas.
const SIZES: [usize; 3] = sizes(STUBS);
/// Their alignments.
pub(crate) const ALIGNS: [usize; 3] = [STRIDE, 8, align_of::<Slot>()];

/// Bytes of a block of `count` stubs in the arenas: stubs, their frame, slots and entry pointer.
pub(crate) const fn sizes(count: usize) -> [usize; 3] {
    [count * STRIDE, PLAIN_FRAME_LEN + 4, count * size_of::<Slot>() + 8]
}

const _: () = assert!(LEN <= STRIDE && STRIDE.is_multiple_of(8));
const _: () = assert!(JMP_INDIRECT.len() + 4 == INDIRECT_LEN && CALL_INDIRECT.len() + 4 == INDIRECT_LEN);

/// A stub made at run time, of the same form as the plugin's.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeStub {
    /// The function's address: the stub's first byte, 8-byte aligned.
    pub function: usize,
    /// Its slot, which holds the stub's lazy entry until it is published. Lives for ever.
    pub slot: &'static Slot,
}

/// A block of stubs that are partly handed out.
#[derive(Debug)]
pub(crate) struct StubBlock {
    text: usize,
    slots: usize,
    trampoline: usize,
    taken: usize,
}

impl RuntimeStub {
    /// Bytes of its code.
    pub const SIZE: usize = LEN;

    /// Makes a stub for function `index` of the module `record`, whose lazy entry calls `trampoline`. The stub's code
    /// is registered in `unwind`. The record must lie in the image that the memory is for, or else within reach.
    pub fn create(
        memory: &CodeMemory,
        unwind: &UnwindTable,
        record: *const ModuleRecord,
        index: u32,
        trampoline: usize,
    ) -> Result<Self, MemoryError> {
        let (function, slot) = loop {
            // The rest of an older area's block is lost: some kilobytes, as if another thread has put one in its place.
            let newest = memory.newest();
            if let Some(stub) = newest.and_then(|area| take(area, trampoline)) {
                break stub;
            }
            match newest.map(|area| StubBlock::create(area, unwind, trampoline).map(|block| (area, block))) {
                None | Some(Err(MemoryError::Exhausted)) => drop(memory.grow(newest, SIZES)?),
                Some(created) => {
                    let (area, block) = created?;
                    area.lock().stubs = Some(block);
                }
            }
        };
        let module_at = slot + std::mem::offset_of!(Slot, module);
        let module = (record as i64).wrapping_sub(module_at as i64);
        let module = i32::try_from(module).map_err(|_| MemoryError::OutOfReach(record as usize))?;
        let slot = slot as *mut Slot;
        // SAFETY: the slot is one of a committed block, 16-byte aligned, in the data arena, which stays writable and is
        // never unmapped; `take` has handed it out to nothing else, so there is no reference to it yet.
        let slot = unsafe {
            (*slot).module = module;
            (*slot).index = index;
            &*slot
        };
        debug_assert_eq!(slot.target.load(Ordering::Relaxed), function + LAZY_ENTRY);
        Ok(Self { function, slot })
    }
}

/// The next stub of the area's block, if there is one with this trampoline: the addresses of stub and slot.
fn take(area: &Area, trampoline: usize) -> Option<(usize, usize)> {
    let mut state = area.lock();
    let block = state.stubs.as_mut().filter(|b| b.trampoline == trampoline && b.taken < STUBS)?;
    let number = block.taken;
    block.taken += 1;
    Some((block.text + number * STRIDE, block.slots + number * size_of::<Slot>()))
}

impl StubBlock {
    fn create(area: &Area, unwind: &UnwindTable, trampoline: usize) -> Result<Self, MemoryError> {
        let mut block = area.block(SIZES, ALIGNS)?;
        let addresses = Arena::ALL.map(|arena| block.address(arena));
        let [text, _, slots] = addresses;
        let mut arenas = block.all_bytes();
        let mut code = fill(STUBS, addresses, &mut arenas);
        let data = &mut arenas[Arena::Data as usize];
        for (number, slot) in data.chunks_exact_mut(size_of::<Slot>()).take(STUBS).enumerate() {
            slot[..8].copy_from_slice(&lazy_entry(text, number).to_le_bytes());
        }
        data[STUBS * size_of::<Slot>()..].copy_from_slice(&trampoline.to_le_bytes());
        block.commit()?;
        unwind.register(&mut code, None);
        Ok(Self { text, slots, trampoline, taken: 0 })
    }
}

/// The lazy entry of a stub in the block at `text`.
pub(crate) fn lazy_entry(text: usize, number: usize) -> usize {
    text + number * STRIDE + LAZY_ENTRY
}

/// A stub of the block at `text`, with its slots at `slots`: the addresses of stub and slot.
pub(crate) fn of_block(text: usize, slots: usize, number: usize) -> (usize, usize) {
    (text + number * STRIDE, slots + number * size_of::<Slot>())
}

/// Writes a block of `count` stubs at these addresses, whose slots and entry pointer are empty.
pub(crate) fn fill(
    count: usize,
    [text, rodata, slots]: [usize; 3],
    [to_text, to_rodata, to_data]: &mut [&mut [u8]; 3],
) -> Code {
    let sizes = sizes(count);
    let entry = slots + count * size_of::<Slot>();
    to_text.fill(0xcc);
    for (number, stub) in to_text.chunks_exact_mut(STRIDE).enumerate() {
        let (at, slot) = of_block(text, slots, number);
        indirect(&mut stub[0..], JMP_INDIRECT, at, slot); //               jmp  *slot(%rip)
        indirect(&mut stub[LAZY_ENTRY..], CALL_INDIRECT, at + LAZY_ENTRY, entry); //   call *entry(%rip)
        stub[2 * LAZY_ENTRY..LEN].copy_from_slice(&[JMP_SHORT, -(LEN as i8) as u8]); // jmp  +0
    }
    to_data.fill(0);
    let range = text..text + sizes[0];
    to_rodata.fill(0);
    to_rodata[..PLAIN_FRAME_LEN].copy_from_slice(&eh_frame::plain_frame(rodata, &range));
    let fdes = eh_frame::index(to_rodata, rodata, &range).unwrap_or_default();
    let fdes = fdes.iter().map(|fde| eh_frame::Entry::of(fde, range.start, rodata));
    let fdes = eh_frame::FrameIndex::Made(fdes.collect());
    let (eh_frame, segments) = (rodata..rodata + sizes[1], [text, rodata, slots, rodata]);
    Code { text: range, eh_frame, fdes, segments, bytes: sizes, ..Code::default() }
}

/// Writes `jmp` or `call *pointer(%rip)`, to lie at `at`.
fn indirect(code: &mut [u8], opcode: [u8; 2], at: usize, pointer: usize) {
    // Within the area, which is smaller than 2 GiB.
    let displacement = pointer.wrapping_sub(at + INDIRECT_LEN) as i32;
    code[..2].copy_from_slice(&opcode);
    code[2..INDIRECT_LEN].copy_from_slice(&displacement.to_le_bytes());
}
