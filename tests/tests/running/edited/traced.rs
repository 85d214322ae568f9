//! A function that prints where it is.

use std::backtrace::Backtrace;
use std::hint::black_box;

// Lines are put in front of this.
#[inline(never)]
fn traced(show: bool, x: u32) -> u32 {
    if show {
        println!("{}", Backtrace::force_capture());
    }
    x.wrapping_mul(3) ^ black_box(7)
}

#[inline(never)]
fn edited(x: u64) -> u64 {
    black_box(x * 5)
}

fn main() {
    let mut sum = 0;
    for x in 0..500 {
        sum += u64::from(traced(false, x)) + edited(u64::from(x));
    }
    traced(true, black_box(sum) as u32);
}
