//! The twin of library/mod.rs in the static library, which never has the engine in the process.

use std::ffi::CStr;

use crate::settings::failure::Failure;

/// Whether libraries can be loaded at all.
pub const IS_POSSIBLE: bool = false;

/// No library.
#[derive(Clone, Debug)]
pub enum Library {}

impl Library {
    /// # Errors
    /// Always.
    pub fn load(_: &CStr) -> Result<Self, Failure> {
        Err(Failure::new(format_args!(
            "programs that the runtime is linked into are compiled by autojitd only"
        )))
    }

    /// The address of the function `name`.
    pub fn find(&self, _: &str) -> Option<usize> {
        match *self {}
    }

    /// Prepares the calling thread.
    pub fn enter_thread(&self) {
        match *self {}
    }
}

/// What the engine wants to do when a thread ends.
pub mod thread_end {
    /// Nothing is reserved for it.
    pub fn reserve() {}
}
