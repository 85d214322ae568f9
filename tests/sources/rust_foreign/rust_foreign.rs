//! C functions that call Rust back, function pointers with C linkage, 128-bit numbers, an exit status.
//# prints: sorted [1, 2, 3, 5, 8]
//# prints: variadic 5 printed
//# prints: wide 170141183460469231731687303715884105727
//# prints: at exit 9
//# exit: 4
use std::ffi::{c_char, c_int, c_void};

unsafe extern "C" {
    fn qsort(base: *mut c_void, count: usize, size: usize, compare: extern "C" fn(*const c_int, *const c_int) -> c_int);
    fn snprintf(buffer: *mut c_char, size: usize, format: *const c_char, ...) -> c_int;
    fn atexit(function: extern "C" fn()) -> c_int;
}

extern "C" fn compare(a: *const c_int, b: *const c_int) -> c_int {
    unsafe { *a - *b }
}

extern "C" fn at_exit() {
    println!("at exit {}", std::hint::black_box(3) * 3);
}

fn divide(a: u128, b: u128) -> u128 {
    a / b
}

fn main() {
    let mut numbers = [5, 2, 8, 1, 3];
    unsafe { qsort(numbers.as_mut_ptr().cast(), numbers.len(), 4, compare) };
    println!("sorted {numbers:?}");
    let mut buffer = [0_u8; 16];
    let length = unsafe { snprintf(buffer.as_mut_ptr().cast(), 16, c"%d%s%.1f".as_ptr(), 1_i32, c"x".as_ptr(), 2.5) };
    println!("variadic {length} printed");
    println!("wide {}", divide(std::hint::black_box(u128::MAX), 2));
    unsafe { atexit(at_exit) };
    std::process::exit(4);
}
