//! Functions that a library of ours gets instead of the C library's.

use std::ffi::{c_int, c_void};

use autojit_trampoline::tls;

use super::{TLS_START, memory, thread_end};
use crate::sys;

/// The address of the substitute for `name`.
pub fn find(name: &str) -> Option<usize> {
    match name {
        "__tls_get_addr" => Some(tls_get_addr as *const () as usize),
        "mmap" | "mmap64" => Some(memory::map as *const () as usize),
        "munmap" => Some(memory::unmap as *const () as usize),
        "qsort" => Some(sort as *const () as usize),
        "pthread_key_create" => Some(thread_end::create_key as *const () as usize),
        "pthread_key_delete" => Some(thread_end::delete_key as *const () as usize),
        "pthread_setspecific" => Some(thread_end::set as *const () as usize),
        "__cxa_thread_atexit_impl" => Some(thread_end::at_thread_exit as *const () as usize),
        _ => None,
    }
}

/// The dynamic linker's function of this name knows its own libraries only. `index` holds a module and an offset.
unsafe extern "C" fn tls_get_addr(index: *const [usize; 2]) -> usize {
    // SAFETY: the compiled code passes a pair in the library's memory (psABI for TLS, "General Dynamic").
    let [_, offset] = unsafe { index.read() };
    sys::thread_pointer().wrapping_add_signed(tls::offset()) + TLS_START + offset
}

/// The C library's `qsort` allocates, with the program's malloc.
unsafe extern "C" fn sort(
    base: *mut u8,
    count: usize,
    size: usize,
    compare: unsafe extern "C" fn(*const c_void, *const c_void) -> c_int,
) {
    if count < 2 || size == 0 {
        return;
    }
    let at = |index: usize| base.wrapping_add(index * size).cast_const();
    // SAFETY: the caller's function with two of its elements.
    let behind = |a: usize, b: usize| unsafe { compare(at(a).cast(), at(b).cast()) > 0 };
    let mut order: Vec<usize> = (0..count).collect();
    let mut merged = order.clone();
    // Not the standard library's sort, which may end the process if the caller's order is none.
    let mut run = 1;
    while run < count {
        for start in (0..count).step_by(2 * run) {
            let (middle, end) = ((start + run).min(count), (start + 2 * run).min(count));
            let (mut left, mut right) = (start, middle);
            for place in &mut merged[start..end] {
                let take_right = right < end && (left == middle || behind(order[left], order[right]));
                let from = if take_right { &mut right } else { &mut left };
                *place = order[*from];
                *from += 1;
            }
        }
        std::mem::swap(&mut order, &mut merged);
        run *= 2;
    }
    let mut sorted = Vec::with_capacity(count * size);
    for index in order {
        // SAFETY: `base` has `count` elements of `size` bytes (caller).
        sorted.extend_from_slice(unsafe { std::slice::from_raw_parts(at(index), size) });
    }
    // SAFETY: as above, and nothing else uses them now.
    unsafe { base.copy_from_nonoverlapping(sorted.as_ptr(), sorted.len()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn tens(a: *const c_void, b: *const c_void) -> c_int {
        // SAFETY: the test's elements.
        unsafe { *a.cast::<u16>() as c_int / 10 - *b.cast::<u16>() as c_int / 10 }
    }

    #[test]
    fn sorts_stably() {
        for count in [0, 1, 2, 3, 7, 64, 1000] {
            let mut numbers: Vec<u16> = (0..count).map(|n: u32| (n * 7919 % 1009) as u16).collect();
            let mut expected = numbers.clone();
            expected.sort_by_key(|n| n / 10);
            // SAFETY: the vector's elements.
            unsafe { sort(numbers.as_mut_ptr().cast(), numbers.len(), 2, tens) };
            assert_eq!(numbers, expected);
        }
    }
}
