//! The library of rust_crates.rs.
#![crate_type = "rlib"]

use std::ops::Add;
use std::sync::atomic::{AtomicU32, Ordering};

pub trait Named {
    fn name(&self) -> String;
}

pub struct There;
impl Named for There {
    fn name(&self) -> String {
        "library".to_owned()
    }
}

pub fn name_of(named: &dyn Named) -> String {
    named.name()
}

pub fn add<T: Add<Output = T>>(a: T, b: T) -> T {
    a + b
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

#[inline(never)]
pub fn counter() -> u32 {
    COUNTER.fetch_add(1, Ordering::Relaxed) + 1
}

pub fn counter_through_library() -> u32 {
    counter()
}

pub fn counter_address() -> usize {
    counter as fn() -> u32 as usize
}
