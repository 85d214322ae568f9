//! mlockall(2), which a limit (`ulimit -l`) allows for programs that are small enough: what the runtime has mapped beside
//! the program is not to count.
//!
//! The kernel compares all that is mapped with the limit, also what was only reserved. So where it refuses, and without
//! the compiler and its memory, stacks and reservations the process were within the limit, everything else is locked one
//! by one. Memory that is mapped afterwards is the kernel's to lock, the runtime's as well (MCL_FUTURE): what a compile
//! needs is fetched before.

use std::ffi::c_int;
use std::ops::Range;

use autojit_code::reservation;
use autojit_trampoline::stack;

use crate::compile::library;
use crate::platform::c_library;
use crate::platform::guards::SignalGuard;
use crate::program::process;
use crate::startup::confine;
use crate::sys;

/// Does what mlockall(2) does; `next` calls the function itself.
pub fn lock_all(flags: c_int, next: impl Fn(c_int) -> c_int) -> c_int {
    let limit = sys::soft_limit(libc::RLIMIT_MEMLOCK);
    if process::asleep() || limit == libc::RLIM64_INFINITY {
        return next(flags);
    }
    if flags & libc::MCL_FUTURE != 0 {
        confine::provide();
    }
    // SAFETY: the calling thread's errno.
    let errno = c_library::errno().map_or(0, |errno| unsafe { *errno });
    let result = next(flags);
    let refused = c_library::errno().is_some_and(|errno| {
        // SAFETY: as above.
        result != 0 && unsafe { *errno } == libc::ENOMEM
    });
    if !refused || flags & libc::MCL_CURRENT == 0 || !lock_each(flags, limit as usize) {
        return result;
    }
    if let Some(place) = c_library::errno() {
        // SAFETY: as above.
        unsafe { *place = errno };
    }
    match flags & !libc::MCL_CURRENT {
        rest if rest & libc::MCL_FUTURE != 0 => next(rest),
        _ => 0,
    }
}

/// Locks what is mapped, but for what is the runtime's alone, if that is within the limit.
fn lock_each(flags: c_int, limit: usize) -> bool {
    let _uninterrupted = SignalGuard::new();
    let Ok(mapped) = reservation::mappings() else { return false };
    let mut own: Vec<Range<usize>> = reservation::free();
    own.extend(library::mapped());
    own.extend(stack::idle_compiler_stacks());
    own.sort_by_key(|range| range.start);
    let others: Vec<_> = mapped.iter().flat_map(|range| without(range, &own)).collect();
    if others.iter().map(Range::len).sum::<usize>() > limit {
        return false;
    }
    let on_fault = flags & libc::MCL_ONFAULT != 0;
    // What cannot be accessed is locked, too, though the kernel says that it could not be read.
    others
        .iter()
        .all(|range| matches!(sys::lock_pages(range, on_fault), Ok(()) | Err(sys::Errno(libc::ENOMEM))))
}

/// What is left of a range without those of `holes`, which are sorted.
fn without(range: &Range<usize>, holes: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut left = Vec::new();
    let mut start = range.start;
    for hole in holes.iter().filter(|hole| hole.start < range.end && hole.end > range.start) {
        left.push(start..hole.start.max(start));
        start = start.max(hole.end);
    }
    left.push(start..range.end.max(start));
    left.retain(|part| !part.is_empty());
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_left_out() {
        let holes = [0..2, 4..6, 5..7, 9..20];
        assert_eq!(without(&(1..10), &holes), [2..4, 7..9]);
        assert_eq!(without(&(2..4), &holes), vec![Range { start: 2, end: 4 }]);
        assert_eq!(without(&(10..12), &holes), []);
    }
}
