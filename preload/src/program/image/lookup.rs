//! From addresses and slots to functions, modules and images.
//!
//! Receives addresses that code leads to, or that a stub passes on; hands on functions of registered images.

use std::sync::atomic::{AtomicUsize, Ordering};

use autojit_trampoline::contract::{ModuleRecord, Slot, slot_of_stub};

use super::{Image, all, owner};
use crate::program::function::Function;
use crate::program::module::Module;
use crate::program::unwind_table;
use crate::settings::options;

/// The function that `slot` is to lead to. None for a slot of no registered image.
///
/// # Safety
/// The slot must be a stub's (contract).
pub unsafe fn function_of_slot(slot: *const Slot) -> Option<&'static Function> {
    // SAFETY: the caller's promise.
    let (module, index) = unsafe { (module_of_slot(slot), (*slot).index) };
    module?.function(index)
}

/// The module of a slot. None for a slot of no registered image.
///
/// # Safety
/// The slot must be a stub's (contract).
pub unsafe fn module_of_slot(slot: *const Slot) -> Option<&'static Module> {
    // SAFETY: the caller's promise.
    module_of(unsafe { (*slot).record() })
}

/// The module of a record in a registered image.
fn module_of(record: *const ModuleRecord) -> Option<&'static Module> {
    let image = all().find(|image| image.records.contains(&(record as usize)))?;
    image.module((record as usize - image.records.start) / size_of::<ModuleRecord>())
}

/// The function whose static stub is at `address`. None if there is no stub of a registered image.
pub fn function_of_stub(address: usize) -> Option<&'static Function> {
    let slot = slot_at_stub(address)?;
    // SAFETY: the slot is an image's.
    let function = unsafe { function_of_slot(slot) }?;
    function.adopt(slot);
    Some(function)
}

/// The slot of the static stub at `address`. None if there is no stub of a registered image.
pub fn slot_at_stub(address: usize) -> Option<&'static Slot> {
    let image = image_with_code(address)?;
    // SAFETY: the bytes are the image's code, which is mapped and readable.
    let slot = unsafe { slot_of_stub(address as *const u8) }? as usize;
    let is_slot = image.slots.contains(&slot) && (slot - image.slots.start).is_multiple_of(size_of::<Slot>());
    // SAFETY: the slot is one of the image's.
    is_slot.then(|| unsafe { &*(slot as *const Slot) })
}

/// The code that a slot of a stub leads to. None if it leads to the stub's lazy entry, or to code that may be replaced.
pub fn last_code_behind(slot: &Slot) -> Option<usize> {
    let target = slot.target.load(Ordering::Acquire);
    if all().any(|image| image.mapping.range.contains(&target)) {
        return None;
    }
    if options::tier() == options::Tier::Off {
        return Some(target);
    }
    // SAFETY: the caller's slot is a stub's.
    let (module, index) = unsafe { (module_of_slot(slot), slot.index) };
    // What has no name yet has code of the last tier: it came from an image pack.
    match module?.named_function(index) {
        Some(function) => function.last_code(),
        None => Some(target),
    }
}

/// The function whose entry, made by the runtime, is at `address`.
pub fn function_of_entry(address: usize) -> Option<&'static Function> {
    let memory = owner(address)?.reserved_memory()?;
    // Only what is in the table is known to be mapped. What has a name there is code, not an entry.
    if !unwind_table::TABLE.contains(address) || unwind_table::TABLE.symbol(address).is_some() {
        return None;
    }
    // SAFETY: entries are shorter than their distance from one another, and their text is mapped as a whole.
    let slot = unsafe { slot_of_stub(address as *const u8) }?;
    let data = memory.area_of(address)?.arena(autojit_code::Arena::Data);
    let ours = data.contains(&(slot as usize)) && slot.is_aligned();
    // SAFETY: what such a jump goes through is data of ours; a pointer that is no slot leads to no module.
    if ours { unsafe { function_of_slot(slot) } } else { None }
}

/// Where the PLT entry at `address` leads, if it is one of a registered image: into the image's own PLT until the loader
/// has bound it.
pub fn behind_plt(address: usize) -> Option<usize> {
    let image = image_with_code(address)?;
    // SAFETY: the bytes are the image's code, which is mapped and readable.
    let pointer = unsafe { slot_of_stub(address as *const u8) }? as usize;
    let readable = |pointer: usize| image.mapping.readable.iter().any(|segment| segment.contains(&pointer));
    if !pointer.is_multiple_of(size_of::<usize>()) || !readable(pointer) {
        return None;
    }
    // SAFETY: an aligned word of the image; the loader may be binding it.
    Some(unsafe { (*(pointer as *const AtomicUsize)).load(Ordering::Relaxed) })
}

/// The image with code at `address`, as much as [`slot_of_stub`] looks at.
fn image_with_code(address: usize) -> Option<&'static Image> {
    const STUB: usize = 16;
    all().find(|image| {
        image.mapping.code.iter().any(|code| code.contains(&address) && code.contains(&(address + STUB - 1)))
    })
}
