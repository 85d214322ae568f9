//! One module for each architecture.
pub(crate) mod x86_64;
