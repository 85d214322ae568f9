//! The frames of rust_panics.rs that stay plain.
#![crate_type = "rlib"]

struct Silent;
impl Drop for Silent {
    fn drop(&mut self) {
        std::hint::black_box(());
    }
}

#[inline(never)]
pub fn relay(function: &mut dyn FnMut()) {
    let _silent = Silent;
    function();
}

#[inline(never)]
pub fn catches(function: std::panic::AssertUnwindSafe<fn()>) -> bool {
    std::panic::catch_unwind(function).is_err()
}
