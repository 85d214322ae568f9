//! The library of rust_thread_locals.rs.
#![crate_type = "rlib"]
use std::cell::Cell;

thread_local! {
    static COUNTER: Cell<u32> = Cell::new(std::hint::black_box(9));
}

pub fn next() -> u32 {
    COUNTER.with(|counter| {
        counter.set(counter.get() + 1);
        counter.get()
    })
}
