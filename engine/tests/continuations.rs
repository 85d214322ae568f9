//! Continuations of functions whose frames are made up: they load what the stack map says, and return what the function
//! would; where that cannot be, the message says why.

mod common;

use autojit_abi::{Location, LocationKind, StackMap};
use common::{AS_BUILT, Module, Parsed, level};

const NAMES: [&str; 11] =
    ["phis", "variables", "nested", "deep", "known", "types", "byval", "saves", "frame", "twice", "again"];

fn value(value: u32, offset: i32) -> Location {
    Location { value, kind: LocationKind::Value, offset }
}

fn variable(value: u32, offset: i32) -> Location {
    Location { value, kind: LocationKind::Variable, offset }
}

fn compile(name: &str, block: u32, locations: &[Location], speed: u8) -> Result<Vec<u8>, String> {
    let container = common::container_of(include_str!("continuations.ll"), &NAMES, level(speed));
    let mut module = Module::open(&container, AS_BUILT).unwrap();
    let root = NAMES.iter().position(|known| *known == name).unwrap() as u32;
    let map = StackMap { block, locations: locations.to_vec() };
    module.continuation(root, &map).map(|object| object.to_vec())
}

/// The code of a continuation, executable; it refers to nothing.
fn load(object: &[u8], name: &str) -> *const () {
    let parsed = Parsed::new(object);
    let name = format!("{name}.osr");
    assert_eq!(parsed.defined(), [&name]);
    let code = parsed.code(&name);
    // SAFETY: a mapping of its own, which stays; the code fits.
    unsafe {
        let (all, anonymous) =
            (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let place = libc::mmap(std::ptr::null_mut(), 1 << 16, all, anonymous, -1, 0);
        assert_ne!(place, libc::MAP_FAILED);
        std::ptr::copy_nonoverlapping(code.as_ptr(), place.cast(), code.len());
        place.cast_const().cast()
    }
}

/// Compiles it at -O0 and -O2 and calls both, each with a copy of the frame; the frame's address is that of the word 8.
fn run<R>(name: &str, block: u32, locations: &[Location], frame: [u64; 16]) -> [(R, [u64; 16]); 2] {
    [0, 2].map(|speed| {
        let object = compile(name, block, locations, speed).unwrap();
        let code = load(&object, name);
        let mut frame = frame;
        // SAFETY: a continuation takes the frame's address and returns what its function does.
        let result = unsafe {
            let code: unsafe extern "C" fn(*mut u64) -> R = std::mem::transmute(code);
            code(frame.as_mut_ptr().add(8))
        };
        (result, frame)
    })
}

#[test]
fn loops_go_on_with_the_values_of_their_frame() {
    let mut frame = [0; 16];
    (frame[0], frame[1], frame[9]) = (8, 1000, 10);
    // n = 10, i = 8, total = 1000: 8 and 9 are left.
    let locations = [value(0, 8), value(1, -64), value(2, -56)];
    for (result, _) in run::<u64>("phis", 1, &locations, frame) {
        assert_eq!(result, 1017);
    }
}

extern "C" fn add_quarter(total: *mut f64) {
    // SAFETY: the function passes the address of its variable.
    unsafe { *total += 0.25 }
}

#[test]
fn variables_with_pointers_to_them_stay_where_they_are() {
    let mut frame = [0; 16];
    // n = 5, i = 2, total = 1.5
    (frame[0], frame[1], frame[2], frame[3]) = (5, add_quarter as *const () as u64, 2, 1.5_f64.to_bits());
    let locations = [value(0, -64), value(1, -56), variable(2, -48), variable(3, -40)];
    let [unoptimised, optimised] = run::<f64>("variables", 1, &locations, frame);
    for (result, frame) in [unoptimised, optimised] {
        assert_eq!((result, f64::from_bits(frame[3])), (2.25, 2.25));
        // No pointer leads to the counter: it has left the frame.
        assert_eq!(frame[2], 2);
    }
}

#[test]
fn what_is_computed_again_is_used_once_from_the_frame() {
    let plain = |rows: u64, row: u64, column: u64, sum: u64, base: u64| {
        let (mut row, mut column, mut sum, mut base) = (row, column, sum, base);
        loop {
            while column < 3 {
                (sum, column) = (sum + base, column + 1);
            }
            row += 1;
            if row >= rows {
                return sum + 1;
            }
            (base, column, sum) = (row * 10, 0, row * 10 + 1);
        }
    };
    let mut frame = [0; 16];
    // `base` of the frame differs from what row * 10 would be.
    (frame[0], frame[1], frame[2], frame[3], frame[5], frame[6]) = (3, u64::MAX, 2, 500, 1, 70);
    let locations =
        [value(0, -64), value(1, -56), value(2, -48), value(3, -40), value(5, -24), value(6, -16)];
    for rows in [3, 5] {
        frame[0] = rows;
        for (result, _) in run::<u64>("nested", 2, &locations, frame) {
            assert_eq!(result, plain(rows, 2, 1, 70, 500));
        }
    }
}

#[test]
fn loops_around_a_loop_go_on() {
    let plain = |n: u64, [mut i, mut j, mut k, mut sum]: [u64; 4]| loop {
        'first: loop {
            loop {
                sum = sum.wrapping_mul(31).wrapping_add(j).wrapping_add(k);
                match sum & 255 {
                    7 => return sum,
                    9 | 73 | 137 => break 'first,
                    11 | 75 | 139 => break,
                    _ => k += 1,
                }
                if k >= 5 {
                    break;
                }
            }
            (j, k) = (j + 1, 0);
            if j >= 12 {
                break;
            }
        }
        i += 1;
        if i >= n {
            return sum;
        }
        (j, k) = (i, 0);
    };
    let locations = [value(0, -64), value(1, -56), value(3, -48), value(5, -40), value(6, -32)];
    let mut ends = std::collections::BTreeSet::new();
    for sum in 0..12 {
        let (n, state) = (6, [sum % 3, 2 + sum % 5, sum % 4, sum * 1_000_003]);
        let mut frame = [0; 16];
        frame[0] = n;
        frame[1..5].copy_from_slice(&state);
        let expected = plain(n, state);
        for (result, _) in run::<u64>("deep", 3, &locations, frame) {
            assert_eq!(result, expected, "{state:?}");
        }
        ends.insert(expected & 255);
    }
    assert!(ends.contains(&7) && ends.len() > 2, "they end in several ways: {ends:?}");
}

/// It would take days if the outer loop were entered in its middle.
#[test]
fn loops_around_a_loop_are_optimised() {
    let mut frame = [0_u64; 16];
    // row = 3, column = 998, sum = 5
    (frame[0], frame[1], frame[2], frame[3]) = (1 << 40, 3, 998, 5);
    let locations = [value(0, -64), value(1, -56), value(3, -48), value(4, -40)];
    let code = load(&compile("known", 2, &locations, 2).unwrap(), "known");
    // SAFETY: a continuation takes the frame's address and returns what its function does.
    let result = unsafe {
        let code: unsafe extern "C" fn(*mut u64) -> u64 = std::mem::transmute(code);
        code(frame.as_mut_ptr().add(8))
    };
    assert_eq!(result, 5 + 998 + 999 + ((1 << 40) - 4) * 499_500);
}

#[repr(C)]
struct Pair(u64, f64);

#[test]
fn values_of_all_types_are_loaded() {
    let mut frame = [0; 16];
    frame[0] = 4;
    frame[1] = u64::from(2.5_f32.to_bits()) | 0xdead_beef << 32;
    (frame[2], frame[3]) = (1, 100);
    (frame[4], frame[5]) = (1 | 2 << 32, 1000 | 4 << 32);
    // Above the seven bits is anything.
    frame[6] = 0xffff_ffff_ffff_ff80 | 33;
    frame[7] = 2;
    let locations = [value(0, -64), value(1, -56), value(2, -48), value(3, -32), value(4, -16), value(5, -8)];
    for (Pair(sum, scale), _) in run("types", 1, &locations, frame) {
        assert_eq!((sum, scale), (4 + 100 + 1000 + 33, 2.5));
    }
}

#[test]
fn arguments_in_memory_stay_there() {
    let mut frame = [0; 16];
    frame[12] = 77;
    frame[0] = 1;
    for (result, _) in run::<u64>("byval", 1, &[variable(0, 16), value(1, -64)], frame) {
        assert_eq!(result, 77);
    }
}

#[test]
fn the_stack_pointer_of_the_frame_is_not_taken() {
    let mut frame = [0; 16];
    // n = 5, i = 3; what was saved is above all of the stack.
    (frame[0], frame[1], frame[2]) = (5, u64::MAX << 15, 3);
    for (result, _) in run::<u64>("saves", 1, &[value(0, -64), value(1, -56), value(2, -48)], frame) {
        assert_eq!(result, 9);
    }
}

#[test]
fn a_continuation_calls_its_function_by_name() {
    for speed in [0, 2] {
        let object = compile("again", 1, &[value(0, 8), value(1, -8)], speed).unwrap();
        let parsed = Parsed::new(&object);
        assert_eq!((parsed.defined(), parsed.undefined()), (vec!["again.osr"], vec!["again"]));
    }
}

#[test]
fn what_cannot_be_continued_is_refused_with_a_reason() {
    let all = [value(0, 8), value(1, -8), value(2, -16), value(3, -24), value(4, -32)];
    let cases: [(&str, u32, &[Location], &str); 8] = [
        ("frame", 1, &all[..2], "llvm.frameaddress.p0"),
        ("twice", 1, &all[..4], "a call that returns twice"),
        ("phis", 1, &all[..2], "the stack map does not have"),
        ("phis", 1, &all[1..3], "the stack map does not have"),
        ("phis", 0, &all[..3], "the stack map is of no loop"),
        ("phis", 3, &all[..3], "the stack map is of no loop"),
        ("phis", 1, &[value(0, 8), value(0, 8)], "the stack map is not of this function"),
        ("phis", 1, &[variable(0, 8)], "the stack map has a variable that is none"),
    ];
    for (name, block, locations, reason) in cases {
        let message = compile(name, block, locations, 2).unwrap_err();
        let wanted = format!("{name} of test.c, from a loop on: {reason}");
        assert!(message.starts_with(&wanted), "{message}");
    }
    let message = compile("phis", 1, &[value(99, 8)], 2).unwrap_err();
    assert!(message.contains("not of this function"), "{message}");
}
