//! Powers of integers ask whether their operands are known (`is_val_statically_known`), as channels do when they wait.
//# prints: powers 81 16 1024
use std::cell::Cell;
use std::hint::black_box;

#[inline(never)]
fn power(base: &Cell<u32>, exponent: u32) -> u32 {
    base.get().pow(exponent)
}

fn main() {
    let fixed = |exponent: u32| 2_u32.pow(black_box(exponent));
    println!("powers {} {} {}", power(&Cell::new(black_box(3)), 4), fixed(4), fixed(10));
}
