//! The twin of unwind.rs in the static library: unwinders are told of code instead of asking for it.
//!
//! An executable cannot put itself between an unwinder and its tables, so each batch is registered with the unwinder
//! that is linked into the program, and with the one that the dynamic linker has loaded. libgcc takes a lock and, as
//! memory for its list is passed along, does not allocate (before GCC 13).

use autojit_code::lock::Lock;
use autojit_code::{Code, Description, UnwindTable};
use autojit_trampoline::linked::{own_libgcc, own_libunwind};

use crate::loaded;

/// Everything that the runtime has linked.
pub static TABLE: UnwindTable = UnwindTable::new();

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

/// Makes published code known to unwinders.
pub fn register(code: &mut Code<'_>, description: Option<Description>) {
    TABLE.register(code, description);
    if code.eh_frame.is_empty() {
        return;
    }
    let mut state = STATE.lock();
    let state = &mut *state;
    let frames = code.eh_frame.start;
    state.frames.push(frames);
    state.unwinders.iter().for_each(|unwinder| unwinder.register(frames));
    // One that was loaded since learns everything.
    for unwinder in present().filter(|unwinder| !state.unwinders.contains(unwinder)).collect::<Vec<_>>() {
        state.frames.iter().for_each(|&frames| unwinder.register(frames));
        state.unwinders.push(unwinder);
    }
}

/// For the fork handlers: nothing is being registered until [`after_fork`].
pub fn before_fork() {
    STATE.raw_lock();
    TABLE.before_fork();
}

/// Undoes [`before_fork`], in parent or child.
///
/// # Safety
/// `before_fork` must have run in this thread, or in the thread of the parent that forked.
pub unsafe fn after_fork() {
    // SAFETY: the caller's promise.
    unsafe {
        TABLE.after_fork();
        STATE.unlock();
    }
}

/// The unwinders in the process: of the image, and that which the dynamic linker would find.
fn present() -> impl Iterator<Item = Unwinder> {
    let find = |name: &str| {
        // SAFETY: the process is past its relocation: code of it runs.
        loaded::find(name, 0).map_or(0, |definition| unsafe { definition.resolve() })
    };
    let libunwind = [own_libunwind(), find("__unw_add_dynamic_eh_frame_section")].map(Unwinder::Libunwind);
    let libgcc = [own_libgcc(), find("__register_frame_info")].map(Unwinder::Libgcc);
    let mut all: Vec<_> = libunwind.into_iter().chain(libgcc).filter(|u| u.address() != 0).collect();
    all.dedup();
    all.into_iter()
}

impl Unwinder {
    fn address(self) -> usize {
        match self {
            Self::Libgcc(address) | Self::Libunwind(address) => address,
        }
    }

    /// Registers a terminated `.eh_frame`, which stays.
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
