//! Telling unwinders of code, where they do not ask: those that are linked into the program, and those whose questions
//! the C library answers because it was loaded before the runtime.
//!
//! Receives the unwind tables of published code; hands them on to each unwinder in the process. libgcc takes a lock and, as
//! memory for its list is passed along, does not allocate (before GCC 13).

use autojit_code::CodeMemory;
use autojit_code::lock::{ForkLock, Lock};

use crate::link::listeners::{Listener, Published};
use crate::link::unwind;
use crate::platform::loaded;
use crate::program::image::Image;
use crate::program::unwind_table;

/// Makes published code known to unwinders: in the table that they ask, and where they do not ask.
#[derive(Debug)]
pub struct Unwinders;

impl Listener for Unwinders {
    fn published(&self, published: &mut Published<'_>) {
        let code = &mut published.code;
        unwind_table::TABLE.register(code, published.description);
        if !code.eh_frame.is_empty() && !unwind::comes_first() {
            register(code.eh_frame.start);
        }
    }

    fn unloaded(&self, image: &Image) {
        let areas = image.reserved_memory().into_iter().flat_map(CodeMemory::areas);
        areas.for_each(|area| unwind_table::TABLE.unregister(&area.range()));
    }
}

/// An unwinder's function for registering the `.eh_frame` at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unwinder {
    /// `__register_frame_info` of libgcc.
    Libgcc(usize),
    /// `__unw_add_dynamic_eh_frame_section` of LLVM's libunwind.
    Libunwind(usize),
}

/// What libgcc puts into its list: its `struct object` has six or seven words.
type ListEntry = [usize; 16];

/// What was registered so far.
struct State {
    unwinders: Vec<Unwinder>,
    frames: Vec<usize>,
}

static STATE: Lock<State> = Lock::new(State { unwinders: Vec::new(), frames: Vec::new() });

/// Registers the terminated `.eh_frame` at an address, which stays, with all unwinders in the process.
pub fn register(frames: usize) {
    let mut state = STATE.lock();
    let state = &mut *state;
    state.frames.push(frames);
    state.unwinders.iter().for_each(|unwinder| unwinder.register(frames));
    // One that was loaded since learns everything.
    for unwinder in present() {
        if !state.unwinders.contains(&unwinder) {
            state.frames.iter().for_each(|&frames| unwinder.register(frames));
            state.unwinders.push(unwinder);
        }
    }
}

/// A fork waits until nothing is being registered.
pub static FORK_LOCK: &dyn ForkLock = &STATE;

/// The unwinders in the process: of the program, and that which the dynamic linker would find.
fn present() -> impl Iterator<Item = Unwinder> {
    let find = |name: &str| {
        // SAFETY: the process is past its relocation: code of it runs.
        loaded::find(name, 0).map_or(0, |definition| unsafe { definition.resolve() })
    };
    let [libgcc, libunwind] = loaded::own_unwinders();
    let libgcc = [libgcc, find("__register_frame_info")].map(Unwinder::Libgcc);
    let libunwind = [libunwind, find("__unw_add_dynamic_eh_frame_section")].map(Unwinder::Libunwind);
    libgcc.into_iter().chain(libunwind).filter(|unwinder| unwinder.address() != 0)
}

impl Unwinder {
    fn address(self) -> usize {
        match self {
            Self::Libgcc(address) | Self::Libunwind(address) => address,
        }
    }

    fn register(self, frames: usize) {
        // SAFETY: the functions' types (unwind-dw2-fde.h of GCC, libunwind_ext.h of LLVM); the list entry is for ever.
        unsafe {
            match self {
                Self::Libgcc(address) => {
                    let entry: &'static mut ListEntry = Box::leak(Box::new([0; 16]));
                    let register: unsafe extern "C" fn(usize, *mut ListEntry) = std::mem::transmute(address);
                    register(frames, entry);
                }
                Self::Libunwind(address) => {
                    let register: unsafe extern "C" fn(usize) = std::mem::transmute(address);
                    register(frames);
                }
            }
        }
    }
}
