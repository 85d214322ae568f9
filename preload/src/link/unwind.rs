//! Stack unwinding through code of ours: the answers to `_Unwind_Find_FDE` and `_dl_find_object`.
//!
//! libgcc's unwinder calls the first by its public name, and if it is linked into the program (-static-libgcc), the
//! second. A preloaded definition comes first: it answers from the table of what the runtime has linked, and asks the
//! next definition for everything else. (Unwinders that know neither call dl_iterate_phdr: objects.rs.) The unwinder
//! may be at work in any thread, in a signal handler, or while the loader's lock is held: no lock is taken here, and
//! nothing is allocated. (Once the program has asked for names, names.rs does both, with signals blocked.)

use std::ffi::{c_int, c_void};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use autojit_code::Fde;
use goblin::elf::program_header::PF_R;

use crate::link::names;
use crate::platform::loaded::{self, LoadedObject, Next};
use crate::program::{image, unwind_table};

/// Whether unwinders find the definitions here: if the runtime is linked, not preloaded, the C library may come first.
pub fn comes_first() -> bool {
    const UNKNOWN: u8 = 0;
    const FIRST: u8 = 1;
    const LATER: u8 = 2;
    static ORDER: AtomicU8 = AtomicU8::new(UNKNOWN);
    if ORDER.load(Ordering::Relaxed) == UNKNOWN {
        let first = loaded::each(|object| match object.define("dl_iterate_phdr") {
            Some(_) => ControlFlow::Break(object.contains(loaded::own_address())),
            None => ControlFlow::Continue(()),
        });
        let first = first.unwrap_or(false);
        ORDER.store(if first { FIRST } else { LATER }, Ordering::Relaxed);
    }
    ORDER.load(Ordering::Relaxed) == FIRST
}

/// libgcc's `struct dwarf_eh_bases`.
#[repr(C)]
#[derive(Debug)]
pub struct Bases {
    /// Base for text-relative pointers in the tables; unused on x86-64.
    pub text: *const c_void,
    /// Base for data-relative pointers in the tables.
    pub data: *const c_void,
    /// The first address that the FDE covers.
    pub function: *const c_void,
}

/// The type of `_Unwind_Find_FDE`.
type Find = unsafe extern "C" fn(*const c_void, *mut Bases) -> *const c_void;

/// A place that asks for FDEs, and the definition that answers it for all other code; 0 as long as none was looked for.
struct Asked {
    caller: AtomicUsize,
    next: AtomicUsize,
}

/// The places that have asked: an unwinder has one or two. By place, because an unwinder may come with a library and go
/// with it: another one would call from somewhere else.
static ASKED: [Asked; 8] = [const { Asked { caller: AtomicUsize::new(0), next: AtomicUsize::new(0) } }; 8];

/// The FDE that covers `pc`, or null, for the one that calls from in front of `caller`.
///
/// # Safety
/// As for libgcc's function: `bases` must be writable.
pub unsafe extern "C" fn find_fde(pc: *const c_void, bases: *mut Bases, caller: usize) -> *const c_void {
    if let Some(found) = unwind_table::TABLE.find(pc as usize) {
        // What walks a stack may ask for names afterwards.
        names::refresh();
        let null = std::ptr::null();
        // SAFETY: the caller's promise. Our tables are PC-relative: they need neither base.
        unsafe { bases.write(Bases { text: null, data: null, function: found.function as *const c_void }) };
        return found.fde.cast();
    }
    if let Some(find) = next(caller) {
        // SAFETY: the definition has this type, and its arguments are the caller's.
        return unsafe { find(pc, bases) };
    }
    let Some(found) = loaded_fde(pc as usize) else { return std::ptr::null() };
    let null = std::ptr::null();
    // SAFETY: the caller's promise. Without a base, as libgcc gives it on x86-64.
    unsafe { bases.write(Bases { text: null, data: null, function: found.start as *const c_void }) };
    found.fde as *const c_void
}

/// The FDE that covers `pc` in what the loader has loaded. A linker that has met this library takes its definition of
/// `_Unwind_Find_FDE` for the one that libgcc's archive needs (-static-libgcc), so there may be no other in the process.
fn loaded_fde(pc: usize) -> Option<Fde> {
    let look = |object: LoadedObject<'_>| {
        // SAFETY: readable segments of a loaded object, which stays while the loader's list is locked.
        let bytes = |range: &Range<usize>| unsafe {
            std::slice::from_raw_parts(range.start as *const u8, range.len())
        };
        let header = object.frames_header()?;
        let fde = autojit_code::candidate(bytes(&header), header.start, pc)?;
        let segment = object.segments(PF_R).find(|segment| segment.contains(&fde))?;
        autojit_code::covering(bytes(&segment), segment.start, fde, pc)
    };
    let found = loaded::each_mapped(|object| match object.contains(pc) {
        true => ControlFlow::Break(look(object)),
        false => ControlFlow::Continue(()),
    });
    found.flatten()
}

fn next(caller: usize) -> Option<Find> {
    let known = ASKED
        .iter()
        .find(|asked| asked.caller.load(Ordering::Acquire) == caller)
        .map_or(0, |asked| asked.next.load(Ordering::Acquire));
    let address = if known == 0 { find_next(caller) } else { known };
    if address == NO_OTHER {
        return None;
    }
    // SAFETY: a function of that name and type (libgcc's unwind-dw2-fde.h).
    Some(unsafe { std::mem::transmute::<usize, Find>(address) })
}

/// What stands for the definition where there is none: an unwinder that comes later is not this one's.
const NO_OTHER: usize = usize::MAX;

/// The unwinder's own definition, or else the first one there is; noted if there is room.
fn find_next(caller: usize) -> usize {
    let name = "_Unwind_Find_FDE";
    let own = loaded::each(|object| match object.contains(caller) {
        true => ControlFlow::Break(object.define(name)),
        false => ControlFlow::Continue(()),
    });
    let definition = own.flatten().or_else(|| loaded::find(name, loaded::own_address()));
    // SAFETY: what is loaded is relocated before its unwinder runs.
    let address = definition.map_or(NO_OTHER, |definition| unsafe { definition.resolve() });
    let free = |asked: &&Asked| {
        let taken = asked.caller.compare_exchange(0, caller, Ordering::AcqRel, Ordering::Acquire);
        matches!(taken, Ok(0)) || taken == Err(caller)
    };
    if let Some(asked) = ASKED.iter().find(free) {
        asked.next.store(address, Ordering::Release);
    }
    address
}

/// glibc's `struct dl_find_object` (dlfcn.h), of which x86-64 has these fields.
#[repr(C)]
#[derive(Debug)]
pub struct FoundObject {
    flags: u64,
    start: *const c_void,
    end: *const c_void,
    link_map: *const c_void,
    eh_frame: *const c_void,
    reserved: [u64; 7],
}

static DL_FIND_OBJECT: Next = Next::new("_dl_find_object");

/// The object around `address`: 0, or -1 if there is none. Compiled code counts to its image, but for its addresses
/// and its unwind information.
///
/// # Safety
/// As for the C library's function: `found` must be writable.
pub unsafe fn find_object(address: *const c_void, found: *mut FoundObject) -> c_int {
    // glibc before 2.35 lacks it, so nothing there calls it.
    let Some(next) = DL_FIND_OBJECT.find() else { return -1 };
    // SAFETY: the C library's function has this type.
    let next: unsafe extern "C" fn(*const c_void, *mut FoundObject) -> c_int =
        unsafe { std::mem::transmute(next) };
    let Some(frames) = unwind_table::TABLE.frames(address as usize) else {
        // SAFETY: the caller's promise.
        return unsafe { next(address, found) };
    };
    let Some(image) = image::owner(address as usize) else { return -1 };
    // What walks a stack may ask for names afterwards.
    names::refresh();
    // SAFETY: as above; `next` fills the structure if it returns 0.
    unsafe {
        let result = next(image.address() as *const c_void, found);
        if result == 0 {
            (*found).start = frames.text.start as *const c_void;
            (*found).end = frames.text.end as *const c_void;
            (*found).eh_frame = frames.header.cast();
        }
        result
    }
}
