//! The auxiliary vector: what the kernel tells a new program (getauxval(3), a function that the program may define).

use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::{File, syscall};

/// PR_GET_AUXV of prctl(2), since Linux 6.4: "AUXV".
const PR_GET_AUXV: usize = 0x4155_5856;
const AT_NULL: usize = 0;
/// Pairs of type and value that the vector may have; Linux 6.18 has 24.
const PAIRS: usize = 48;

/// The vector on the process's first stack; 0 if it is not known.
static ON_STACK: AtomicUsize = AtomicUsize::new(0);

/// Finds the vector behind the arguments that glibc passes to initialisers of shared libraries.
///
/// # Safety
/// `arguments` must be the program's as they were at its start: `count` pointers and a null pointer, then the environment
/// and a null pointer, then the vector. They must stay.
pub unsafe fn note_arguments(count: c_int, arguments: *const *const c_char) {
    // SAFETY: the caller's promise.
    unsafe {
        if !(*arguments.add(count as usize)).is_null() {
            return;
        }
        let mut at = arguments.add(count as usize + 1);
        while !(*at).is_null() {
            at = at.add(1);
        }
        ON_STACK.store(at.add(1) as usize, Relaxed);
    }
}

/// The value of a type (AT_*) of the vector. None if it is not in there, or the kernel does not tell.
pub fn auxiliary(kind: u64) -> Option<usize> {
    let known = ON_STACK.load(Relaxed) as *const [usize; 2];
    if !known.is_null() {
        let mut index = 0;
        let pairs = std::iter::from_fn(|| {
            index += 1;
            // SAFETY: the vector stays where it is (note_arguments), and the search ends at AT_NULL.
            Some(unsafe { known.add(index - 1).read() })
        });
        return find(pairs, kind);
    }
    let mut vector = [[AT_NULL; 2]; PAIRS];
    let size = size_of_val(&vector);
    // SAFETY: the kernel writes at most `size` bytes, and the last pair is kept as the end.
    let told = unsafe {
        syscall(
            libc::SYS_prctl,
            [PR_GET_AUXV, vector.as_mut_ptr() as usize, size - size_of::<[usize; 2]>(), 0, 0, 0],
        )
    };
    if told.is_err() {
        vector = from_file(c"/proc/self/auxv")?;
    }
    find(vector.into_iter(), kind)
}

/// Whether the process has more rights than the process that started it (set-user-ID, capabilities).
pub fn runs_with_other_rights() -> bool {
    auxiliary(libc::AT_SECURE).map_or_else(
        || {
            // SAFETY: none has arguments.
            let id = |number| unsafe { syscall(number, [0; 6]) };
            id(libc::SYS_getuid) != id(libc::SYS_geteuid) || id(libc::SYS_getgid) != id(libc::SYS_getegid)
        },
        |secure| secure != 0,
    )
}

/// The vector as a file has it.
fn from_file(path: &CStr) -> Option<[[usize; 2]; PAIRS]> {
    let bytes = File::open(path, libc::O_RDONLY, 0).and_then(|file| file.read_to_end()).ok()?;
    let mut vector = [[AT_NULL; 2]; PAIRS];
    for (pair, bytes) in vector[..PAIRS - 1].iter_mut().zip(bytes.chunks_exact(16)) {
        let word = |at: usize| usize::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        *pair = [word(0), word(8)];
    }
    Some(vector)
}

fn find(pairs: impl Iterator<Item = [usize; 2]>, kind: u64) -> Option<usize> {
    pairs.take_while(|pair| pair[0] != AT_NULL).find(|pair| pair[0] as u64 == kind).map(|pair| pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_is_the_c_librarys() {
        let file = from_file(c"/proc/self/auxv").unwrap();
        for kind in [libc::AT_PHDR, libc::AT_PHNUM, libc::AT_BASE, libc::AT_PAGESZ, libc::AT_SECURE] {
            // SAFETY: it has no preconditions.
            let expected = Some(unsafe { libc::getauxval(kind) } as usize);
            assert_eq!(auxiliary(kind), expected, "{kind}");
            assert_eq!(find(file.into_iter(), kind), expected, "{kind}");
        }
        assert_eq!(auxiliary(0xdead), None);
    }

    #[test]
    fn the_vector_lies_behind_the_arguments() {
        let (argument, variable) = (c"program".as_ptr(), c"A=B".as_ptr());
        let nothing = std::ptr::null();
        let stack = [
            argument,
            nothing,
            variable,
            nothing,
            6 as *const c_char,
            4096 as *const c_char,
            nothing,
            nothing,
        ];
        // SAFETY: laid out as asked for, and the static is put back before the array goes.
        unsafe { note_arguments(1, stack.as_ptr()) };
        let (pages, secure) = (auxiliary(libc::AT_PAGESZ), auxiliary(libc::AT_SECURE));
        ON_STACK.store(0, Relaxed);
        assert_eq!((pages, secure), (Some(4096), None));
    }
}
