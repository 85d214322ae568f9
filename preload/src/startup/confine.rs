//! Calls by which a program gives up what a compile needs: its view of files (chroot, other users, namespaces), its
//! right to map executable memory (seccomp filters), memory and descriptors (resource limits).
//!
//! The engine is loaded with the first compile, or autojitd connected with, and that may come later than such a call. So the runtime interposes
//! them ([`exports`](crate::startup::exports)) and fetches everything first, in programs with lazy code only. Each of them costs
//! a comparison in other programs. What cannot be prepared for is left to the message of the first call that fails.

use autojit_trampoline::stack::with_resolver_stack;

use crate::compile::compiler::Compiler;
use crate::compile::{cache, image_cache, modules, tier};
use crate::platform::guards::SignalGuard;
use crate::program::fork::ForkGuard;
use crate::program::image::{self, Image};
use crate::program::module::Module;
use crate::program::process;
use crate::sys;

/// Binds what the object cache has, reserves code memory, maps the files of images, and loads the engine, or connects
/// with autojitd, unless every function has code. Failures are found again, and told, by the first call that needs what is missing.
pub fn provide() {
    provide_and(|| ());
}

/// The same; then something else with what is there.
fn provide_and(end: fn()) {
    if process::asleep() {
        return;
    }
    let _uninterrupted = SignalGuard::new();
    // The caller may have a small stack. Without another one there is nothing to be had.
    let _ = with_resolver_stack(|| {
        let _fork_guard = ForkGuard::enter();
        image::all().for_each(provide_image);
        if !image::all().flat_map(Image::modules).all(Module::is_complete) {
            Compiler::provide();
        }
        cache::flush();
        end();
    });
}

/// Opens and maps what compiles of its functions may want to have from outside the process, the object cache included.
fn provide_image(image: &'static Image) {
    image.provide();
    image_cache::bind_all(image);
    // Failures are kept for the first use.
    for module in image.modules().filter(|module| module.open().is_ok()) {
        modules::bind_cached(module);
    }
}

/// Maps memory for the code of all functions that have none: there may be no right to have more of it.
fn provide_memory() {
    for image in image::all() {
        let left: usize = image.modules().filter(|module| module.open().is_ok()).map(Module::left).sum();
        if left > 0 {
            image.memory().provide(left.saturating_mul(USUAL_CODE).min(MOST_CODE));
        }
    }
}

/// Bytes of text that are provided for each function: twice what unoptimised ones have on average. What is not used takes addresses.
const USUAL_CODE: usize = 1 << 10;
/// And for all of them.
const MOST_CODE: usize = 32 << 20;

/// Before the process sees other files, or the same as another user: the object cache is not its own any more.
pub fn leave_files() {
    provide();
    cache::close();
    autojit_code::live::end();
}

/// Before the effective user becomes `user` (-1: stays).
pub fn before_user(user: u32) {
    if user != u32::MAX && user != sys::user() {
        leave_files();
    }
}

/// Before the effective group becomes `group` (-1: stays).
pub fn before_group(group: u32) {
    if group != u32::MAX && group != sys::group() {
        provide();
    }
}

/// Before unshare(2).
pub fn before_unshare(flags: i32) {
    if flags & (libc::CLONE_NEWNS | libc::CLONE_NEWUSER) != 0 {
        leave_files();
    }
}

/// Before `resource` of a process (0: this one) gets new limits.
///
/// # Safety
/// `limit` is null or points to the new limits.
pub unsafe fn before_limit(process: i32, resource: u32, limit: *const libc::rlimit64) {
    if process::asleep() || (process != 0 && process as u32 != sys::process_id()) {
        return;
    }
    // SAFETY: the caller's promise.
    let Some(limit) = (unsafe { limit.as_ref() }).map(|limit| limit.rlim_cur) else { return };
    match resource {
        libc::RLIMIT_AS | libc::RLIMIT_DATA if limit != libc::RLIM64_INFINITY => {
            provide();
            if resource == libc::RLIMIT_AS {
                // What was reserved counts.
                let _uninterrupted = SignalGuard::new();
                autojit_code::reservation::trim(limit as usize / RESERVED_PART);
            }
        }
        // Programs that raise it are many.
        libc::RLIMIT_NOFILE if limit < sys::soft_limit(resource) => provide(),
        _ => {}
    }
}

/// What part of a limited address space may be reserved for code that images are going to have.
const RESERVED_PART: usize = 16;

/// Before an operation of prctl(2): some are doors that close, seccomp filters, what has to come before one, and the
/// refusal of memory that becomes executable.
pub fn before_prctl(operation: i32) {
    const PR_SET_MDWE: i32 = 65;
    match operation {
        // Code that runs often must not make system calls then that it does not make otherwise.
        libc::PR_SET_SECCOMP | libc::PR_SET_NO_NEW_PRIVS => provide_and(|| {
            tier::stop();
            autojit_code::live::end();
            provide_memory();
        }),
        PR_SET_MDWE => provide_and(provide_memory),
        _ => {}
    }
}
