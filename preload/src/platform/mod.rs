//! What the runtime stands on inside a program: the C library and what replaces it, loaded objects, their symbols.

pub mod alloc;
pub mod arch;
#[cfg_attr(test, allow(dead_code, reason = "tests have the C library's"))]
mod c_functions;
pub mod c_library;
pub mod elf_file;
pub mod guards;
pub mod helpers;
pub mod loaded;
pub mod reentrant_rwlock;
pub mod scope;
