//! The memory functions against plain loops, at all small sizes, alignments and overlaps. They are also defined under
//! their C names here, so that this test's own code uses them, and must be hidden.

use std::process::Command;

use autojit_trampoline::mem;
use support::run;

mod support;

autojit_trampoline::define_memory_functions!();

/// The sizes at which the code takes another path, and beyond a page.
fn sizes() -> impl Iterator<Item = usize> {
    (0..100).chain([127, 128, 129, 1000, 4096, 10_000])
}

fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 7 + index / 251) as u8).collect()
}

#[test]
fn copy_handles_every_size_and_overlap() {
    for len in sizes() {
        for from in [0, 1, 5, 16] {
            for to in (0..40).chain([from + len, from + len + 3, (from + len).saturating_sub(1)]) {
                let mut bytes = numbered(from.max(to) + len + 8);
                let mut expected = bytes.clone();
                let block: Vec<u8> = (0..len).map(|index| bytes[from + index]).collect();
                for (index, byte) in block.iter().enumerate() {
                    expected[to + index] = *byte;
                }
                let base = bytes.as_mut_ptr();
                // SAFETY: both ranges are in the vector.
                let result = unsafe { mem::copy(base.add(to), base.add(from), len) };
                assert_eq!(result as usize, base as usize + to);
                assert!(bytes.iter().eq(expected.iter()), "{len} bytes from {from} to {to}");
            }
        }
    }
}

#[test]
fn set_writes_exactly_the_range() {
    for len in sizes() {
        for at in [0, 1, 7] {
            let mut bytes = numbered(at + len + 8);
            let expected: Vec<u8> = (0..bytes.len())
                .map(|index| if (at..at + len).contains(&index) { 0xa5 } else { bytes[index] })
                .collect();
            // SAFETY: the range is in the vector.
            let result = unsafe { mem::set(bytes.as_mut_ptr().add(at), 0x12_34a5, len) };
            assert_eq!(result as usize, bytes.as_ptr() as usize + at);
            assert!(bytes.iter().eq(expected.iter()), "{len} bytes at {at}");
        }
    }
}

#[test]
fn compare_orders_by_the_first_difference_as_unsigned_bytes() {
    for len in sizes() {
        let a = numbered(len);
        let mut b = a.clone();
        // SAFETY: both are len bytes long.
        assert_eq!(unsafe { mem::compare(a.as_ptr(), b.as_ptr(), len) }, 0);
        for at in (0..len).filter(|&at| at < 20 || at + 20 > len) {
            for (mine, theirs) in [(1_u8, 2_u8), (2, 1), (0x7f, 0x80), (0xff, 0)] {
                let mut a = a.clone();
                (a[at], b[at]) = (mine, theirs);
                // What is behind the first difference must not matter.
                if at + 1 < len {
                    b[at + 1] = !a[at + 1];
                }
                // SAFETY: as above.
                let result = unsafe { mem::compare(a.as_ptr(), b.as_ptr(), len) };
                assert_eq!(result.signum(), if mine < theirs { -1 } else { 1 }, "{len} bytes, {at}");
                b.copy_from_slice(&numbered(len));
            }
        }
    }
}

#[test]
fn length_stops_at_the_first_nul_and_stays_in_its_page() {
    const PAGE: usize = 4096;
    // SAFETY: a fresh mapping, of which the second page is made inaccessible.
    let page = unsafe {
        let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let base = libc::mmap(std::ptr::null_mut(), 2 * PAGE, prot, flags, -1, 0);
        assert_ne!(base, libc::MAP_FAILED);
        assert_eq!(libc::mprotect(base.add(PAGE), PAGE, libc::PROT_NONE), 0);
        std::slice::from_raw_parts_mut(base.cast::<u8>(), PAGE)
    };
    for len in 0..100 {
        for behind in 0..20 {
            page.fill(b'x');
            page[..PAGE - behind - len - 1].fill(0);
            page[PAGE - behind - 1] = 0;
            // SAFETY: the NUL is in the page.
            assert_eq!(unsafe { mem::length(&page[PAGE - behind - len - 1]) }, len, "{behind}");
        }
    }
}

#[test]
fn the_c_names_are_hidden_and_call_nothing() {
    unsafe extern "C" {
        fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
        fn strlen(text: *const u8) -> usize;
    }
    // The C library's would be in another image.
    let image = |address: usize| {
        // SAFETY: dladdr takes any address.
        unsafe {
            let mut info: libc::Dl_info = std::mem::zeroed();
            assert_ne!(libc::dladdr(address as *const _, &mut info), 0);
            info.dli_fbase as usize
        }
    };
    let here = image(the_c_names_are_hidden_and_call_nothing as *const () as usize);
    assert_eq!(image(memcpy as *const () as usize), here);
    assert_eq!(image(strlen as *const () as usize), here);

    let program = std::env::current_exe().unwrap();
    let output = run(Command::new("nm").arg(&program)).stdout;
    let symbols = String::from_utf8(output).unwrap();
    for name in ["memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen"] {
        // Lower case: hidden, and so local in the linked file. No undefined one beside it.
        assert!(symbols.lines().any(|line| line.ends_with(&format!(" t {name}"))), "{name}");
        assert!(!symbols.lines().any(|line| line.ends_with(&format!(" U {name}"))), "{name}");
    }
}
