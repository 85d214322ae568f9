//! Linking groups of an image pack ahead: for the addresses that they will have in later processes.
//!
//! Receives the units of all groups, and what their externals stand for ([`Binding`]); hands on bytes that are mapped as they
//! are ([`crate::prelinked`]), with tables of what each process has to complete: absolute addresses, and what other images
//! define. Text refers to such things by way of the GOT, so that none of its pages is written.

use std::cell::{Cell, RefCell};
use std::mem::offset_of;

use autojit_trampoline::contract::Slot;

use crate::allocated::{Absolute, Allocated, Externals, Needs, Sizes, TRAP, damaged};
use crate::arena::PAGE;
use crate::link::{Code, LinkError};
use crate::memory::MemoryError;
use crate::prelinked::{Base, Prelinked, PrelinkedGroup, Word};
use crate::reloc::Form;
use crate::stub;
use crate::unit::{External, Unit};

/// What an external stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// This address, in the image.
    Image(usize),
    /// The function of a group, by number, at an offset in its text.
    Code(u32, u32),
    /// A function without code, by the number of its stub.
    Stub(u32),
    /// Something that each process has to find.
    Outside,
}

/// A function that gets a stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stub {
    /// The address of the record of its module.
    pub record: usize,
    /// Its index in it.
    pub index: u32,
    /// Where its code is, if it has some: the group, and the offset in its text.
    pub code: Option<(u32, u32)>,
}

/// Where externals are put that have no address: apart from all addresses of user space, and 16 bytes from each other.
const NOWHERE: usize = 1 << 62;

/// The external, by number, that has its position there.
fn outside(address: usize) -> Option<u32> {
    (NOWHERE..2 * NOWHERE).contains(&address).then(|| ((address - NOWHERE) / 16) as u32)
}

/// Notes absolute values.
#[derive(Default)]
struct Notes {
    words: RefCell<Vec<(usize, usize, i64)>>,
    /// Whether the address of the image counts.
    absolute: Cell<bool>,
}

impl Absolute for Notes {
    fn word(&self, at: usize, symbol: usize, addend: i64) {
        self.words.borrow_mut().push((at, symbol, addend));
    }

    fn is_known(&self, symbol: usize, form: Form) -> bool {
        if matches!(form, Form::Abs32 | Form::Abs32S) {
            self.absolute.set(true);
        }
        outside(symbol).is_none()
    }
}

/// Links `units` for a range near the image whose pages begin at `image`: the one that `choose` gives for a number of
/// bytes. `known` says what the externals of the unit of a number stand for. Behind the groups are stubs for the
/// functions `stubs`. None if `choose` gives none.
///
/// # Errors
/// Something in the text depends on what only each process knows, or does not fit.
pub fn prelink(
    units: &[Unit<'_>],
    image: usize,
    stubs: &[Stub],
    mut known: impl FnMut(usize, &External<'_>) -> Option<Binding>,
    choose: impl FnOnce(usize) -> Option<usize>,
) -> Result<Option<Prelinked>, LinkError> {
    let mut lens = [0_usize; 3];
    let mut parts = Vec::with_capacity(units.len());
    for (unit, number) in units.iter().zip(0..) {
        let bindings = (0..unit.externals.len())
            .map(|external| known(number, &unit.externals.get(external)?))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(damaged)?;
        let needs = Needs::of(unit)?;
        let far: Vec<usize> = (0..bindings.len())
            .filter(|external| needs.branched[*external] && bindings[*external] == Binding::Outside)
            .collect();
        let sizes = Sizes::of(unit, far.len(), needs.got)?;
        let mut starts_in = [0; 3];
        for (arena, start) in starts_in.iter_mut().enumerate() {
            *start = lens[arena].next_multiple_of(sizes.aligns[arena]);
            lens[arena] = *start + sizes.arenas[arena];
        }
        parts.push((bindings, far, sizes, starts_in));
    }
    let mut block = [0; 3];
    let sizes = if stubs.is_empty() { [0; 3] } else { stub::sizes(stubs.len()) };
    for (arena, start) in block.iter_mut().enumerate() {
        *start = lens[arena].next_multiple_of(stub::ALIGNS[arena]);
        lens[arena] = *start + sizes[arena];
    }
    // Something of each, so that each is a mapping.
    let lens = lens.map(|len| len.max(1).next_multiple_of(PAGE));
    let total = lens.iter().sum();
    if u32::try_from(total).is_err() {
        return Ok(None);
    }
    let Some(base) = choose(total) else { return Ok(None) };
    let starts = [0, lens[0], lens[0] + lens[1]];
    let mut bytes = vec![TRAP; lens[0]];
    bytes.resize(total, 0);
    let (mut groups, mut outsides, mut words) = (Vec::new(), Vec::new(), Vec::new());
    let notes = Notes::default();
    let [block_text, block_rodata, block_data] = [0, 1, 2].map(|arena| base + starts[arena] + block[arena]);
    let texts: Vec<usize> = parts.iter().map(|(_, _, _, starts_in)| base + starts_in[0]).collect();
    for (number, (unit, (bindings, far, sizes, starts_in))) in units.iter().zip(parts).enumerate() {
        let mut addresses = Vec::with_capacity(bindings.len());
        for (external, binding) in bindings.iter().enumerate() {
            addresses.push(match *binding {
                Binding::Image(address) => address,
                Binding::Code(group, offset) => {
                    texts.get(group as usize).ok_or_else(damaged)? + offset as usize
                }
                Binding::Stub(number) if (number as usize) < stubs.len() => {
                    stub::of_block(block_text, block_data, number as usize).0
                }
                Binding::Stub(_) => return Err(damaged()),
                Binding::Outside => {
                    outsides.push((number as u32, external as u32));
                    NOWHERE + (outsides.len() - 1) * 16
                }
            });
        }
        let new_thunks = far.iter().map(|external| (*external as u32, addresses[*external])).collect();
        let arenas = [0, 1, 2].map(|arena| base + starts[arena] + starts_in[arena]);
        let (frames, used) = (sizes.frames, sizes.arenas);
        let externals = Externals::at(unit, addresses);
        let allocated = Allocated::new(unit, base..base + total, sizes, arenas, externals, new_thunks);
        let allocated = allocated.without_absolute(&notes);
        let code = allocated.write(parts_of(&mut bytes, lens, starts_in, used))?;
        groups.push(group(&code, frames, starts, starts_in));
    }
    if !stubs.is_empty() {
        let mut arenas = parts_of(&mut bytes, lens, block, sizes);
        let code = stub::fill(stubs.len(), [block_text, block_rodata, block_data], &mut arenas);
        groups.push(group(&code, 0, starts, block));
        let [.., data] = arenas;
        for (number, Stub { record, index, code }) in stubs.iter().enumerate() {
            let (_, slot) = stub::of_block(block_text, block_data, number);
            let field = slot + offset_of!(Slot, module);
            let module = i32::try_from(record.wrapping_sub(field) as isize);
            let module = module.map_err(|_| MemoryError::OutOfReach(*record))?;
            let bytes = &mut data[slot - block_data..][..size_of::<Slot>()];
            bytes[offset_of!(Slot, module)..][..4].copy_from_slice(&module.to_le_bytes());
            bytes[offset_of!(Slot, index)..][..4].copy_from_slice(&index.to_le_bytes());
            let code = code.and_then(|(group, offset)| Some(texts.get(group as usize)? + offset as usize));
            notes.word(slot, code.unwrap_or_else(|| stub::lazy_entry(block_text, number)), 0);
        }
        let entry = block_data + stubs.len() * size_of::<Slot>();
        words.push(Word { at: (entry - base) as u32, base: Base::Trampoline, addend: 0 });
    }
    for (at, symbol, addend) in notes.words.into_inner() {
        let at = (at - base) as u32;
        words.push(match outside(symbol) {
            Some(external) => Word { at, base: Base::External(external), addend },
            None => {
                Word { at, base: Base::Image, addend: addend.wrapping_add(symbol.wrapping_sub(image) as i64) }
            }
        });
    }
    let absolute = if notes.absolute.get() { image } else { 0 };
    let distance = image.wrapping_sub(base);
    Ok(Some(Prelinked { distance, absolute, lens, bytes, groups, outsides, words, ..Prelinked::default() }))
}

/// The parts of a group in the bytes of text, rodata and data.
fn parts_of(bytes: &mut [u8], lens: [usize; 3], starts_in: [usize; 3], used: [usize; 3]) -> [&mut [u8]; 3] {
    let (text, rest) = bytes.split_at_mut(lens[0]);
    let (rodata, data) = rest.split_at_mut(lens[1]);
    let mut parts = [text, rodata, data].into_iter().zip(starts_in).zip(used);
    std::array::from_fn(|_| {
        let ((bytes, start), used) = parts.next().expect("three of them");
        &mut bytes[start..start + used]
    })
}

fn group(code: &Code, frames: usize, starts: [usize; 3], starts_in: [usize; 3]) -> PrelinkedGroup {
    PrelinkedGroup {
        start: [0, 1, 2].map(|arena| (starts[arena] + starts_in[arena]) as u32),
        used: code.bytes.map(|used| used as u32),
        frames: frames as u32,
        has_frames: !code.eh_frame.is_empty(),
        fdes: code.fdes.iter().flat_map(|entry| entry.packed()).collect(),
    }
}
