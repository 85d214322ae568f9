//! Forks: what a child process inherits of the runtime is whole.
//!
//! Handlers of pthread_atfork take the lock that threads in the runtime share ([`ForkGuard`]), take the runtime's
//! locks, and seal the code memory: its pages are shared between parent and child, so neither may write to them
//! afterwards. Both sides release the locks again. A child that came without handlers (raw clone) is found out by a
//! page that the kernel wipes in it, and does the same when it first takes a guard. A child that shares the memory
//! (vfork, posix_spawn) is no other process in this sense, and the page is not wiped in it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use autojit_code::lock::ForkLock;
use autojit_sys::Helper;

use crate::platform::c_library;
use crate::platform::reentrant_rwlock::{ReadGuard, ReentrantRwLock};
use crate::program::image::{self, Image};
use crate::program::unwind_table;
use crate::settings::failure::Failure;
use crate::settings::log;
use crate::sys;

/// Shared by threads that are in the runtime; the thread that forks has it for itself.
static IN_RUNTIME: ReentrantRwLock = ReentrantRwLock::new();

/// The first byte of a page that is zero in a child until its handler (or [`adopt_process`]) has run, 1 otherwise. Null
/// before [`install`], or if the kernel (before Linux 4.14) cannot wipe pages: raw clones are not found out then.
static PAGE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

/// The signal mask of the thread that forks, from [`prepare`] on.
static MASK: AtomicU64 = AtomicU64::new(0);

/// Being in the runtime, with the process's memory its own, until drop.
pub struct ForkGuard {
    shared: ReadGuard<'static>,
}

impl ForkGuard {
    /// Enters as soon as no other thread forks.
    pub fn enter() -> Self {
        let guard = Self { shared: IN_RUNTIME.read() };
        if guard.shared.is_writer() {
            // A fork handler of the program's, before or after ours, calls a function for the first time.
            // SAFETY: this thread is the writer, so `prepare` has taken the locks in it.
            unsafe { release() };
        }
        if is_unmarked() && !guard.shared.is_writer() {
            adopt_process();
        }
        guard
    }
}

impl Drop for ForkGuard {
    fn drop(&mut self) {
        if self.shared.is_writer() {
            hold();
        }
    }
}

/// What takes part in forks.
pub struct Parts {
    /// All locks that a thread may hold without a fork guard, or that seal something, in the order in which the runtime
    /// nests them.
    pub locks: &'static [&'static dyn ForkLock],
    /// What a child does first, with all locks free.
    pub in_child: &'static [fn()],
}

static PARTS: OnceLock<&Parts> = OnceLock::new();

fn parts() -> &'static Parts {
    PARTS.get().expect("set before the handlers are installed")
}

/// The code memory of all images.
#[derive(Debug)]
pub struct Memories;

impl ForkLock for Memories {
    fn before_fork(&self) {
        image::all().filter_map(Image::reserved_memory).for_each(ForkLock::before_fork);
    }

    unsafe fn after_fork(&self) {
        // SAFETY: the caller's promise.
        image::all().filter_map(Image::reserved_memory).for_each(|memory| unsafe { memory.after_fork() });
    }
}

const PAGE_SIZE: usize = 4096;

/// A page with nothing else in it.
#[repr(align(4096))]
struct Page([u8; PAGE_SIZE]);

/// Installs the handlers, for `parts`.
///
/// # Errors
/// There is no memory.
pub fn install(parts: &'static Parts) -> Result<(), Failure> {
    PARTS.get_or_init(|| parts);
    let failure = |error: sys::Errno| Failure::new(format_args!("preparing for forks: {error}"));
    // A page of the allocator's saves a mapping.
    let page = Box::leak(Box::new(Page([0; PAGE_SIZE]))).0.as_mut_ptr();
    // SAFETY: a page of anonymous memory that lives for ever.
    if unsafe { sys::wipe_on_fork(page, PAGE_SIZE) }.is_ok() {
        PAGE.store(page, Ordering::Relaxed);
        mark();
    }
    // SAFETY: the handlers are functions of this library, which is never unloaded.
    let result = unsafe { c_library::register_atfork(prepare, parent, child, std::ptr::null()) };
    #[cfg(feature = "static")]
    // SAFETY: as above.
    let result =
        result.or_else(|| Some(unsafe { crate::platform::loaded::register_atfork(prepare, parent, child) }));
    match result.unwrap_or(libc::ENOSYS) {
        0 => Ok(()),
        error => Err(failure(sys::Errno(error))),
    }
}

/// Says that this process's memory is its own.
fn mark() {
    let page = PAGE.load(Ordering::Relaxed);
    if !page.is_null() {
        // SAFETY: the page is writable and lives for ever; it is written by single threads of new processes only.
        unsafe { page.write_volatile(1) }
    }
}

/// Whether this process came from another one without the handlers.
fn is_unmarked() -> bool {
    let page = PAGE.load(Ordering::Relaxed);
    // SAFETY: the page is readable and lives for ever.
    !page.is_null() && unsafe { page.read_volatile() } == 0
}

/// Puts a child that came without the handlers in order.
fn adopt_process() {
    // The caller has a guard; any other guard was that of a thread of the parent's.
    if IN_RUNTIME.readers() > 1 {
        log::die(
            true,
            format_args!(
                "this process was made by a clone system call while another thread of its parent compiled; use \
                 fork(), which waits for it"
            ),
        );
    }
    for memory in image::all().filter_map(image::Image::reserved_memory) {
        // SAFETY: a process begins with one thread, and this is its first work here.
        if let Err(error) = unsafe { memory.detach() } {
            log::die(true, format_args!("cannot separate code memory from the parent process's: {error}"));
        }
    }
    // SAFETY: as above.
    unsafe { unwind_table::TABLE.detach() };
    begin_child();
    mark();
}

unsafe extern "C" fn prepare() {
    // From here to the other handlers no signal handler may enter, as it would wait for its own thread.
    let mask = sys::set_signal_mask(u64::MAX);
    if is_unmarked() {
        drop(ForkGuard::enter());
    }
    IN_RUNTIME.write();
    MASK.store(mask, Ordering::Relaxed);
    hold();
}

unsafe extern "C" fn parent() {
    // SAFETY: `prepare` has run in this thread.
    unsafe { release() };
    end_fork();
}

unsafe extern "C" fn child() {
    mark();
    // SAFETY: `prepare` has run in the parent's thread that this one is a copy of.
    unsafe { release() };
    begin_child();
    end_fork();
}

fn end_fork() {
    let mask = MASK.load(Ordering::Relaxed);
    IN_RUNTIME.unlock_write();
    sys::set_signal_mask(mask);
}

/// Runs `work` in a copy of the process that stays when the process ends ([`Helper::leave_behind`]). The caller has no
/// fork guard. Handlers of the program's are not run.
///
/// # Errors
/// Those of clone(2).
pub fn leave_behind(work: impl FnOnce()) -> Result<(), sys::Errno> {
    // SAFETY: our handlers of a fork in their order, around one: the copy has all locks, and no other thread has a fork guard.
    unsafe {
        prepare();
        let result = Helper::leave_behind(|| {
            child();
            work();
        });
        parent();
        result
    }
}

/// Takes all locks, and seals the code.
fn hold() {
    parts().locks.iter().for_each(|lock| lock.before_fork());
}

/// Undoes [`hold`].
///
/// # Safety
/// `hold` must have run in this thread, or in the thread of the parent that forked.
unsafe fn release() {
    // SAFETY: the caller's promise.
    parts().locks.iter().rev().for_each(|lock| unsafe { lock.after_fork() });
}

/// The child begins as a process of its own.
fn begin_child() {
    parts().in_child.iter().for_each(|begin| begin());
}
