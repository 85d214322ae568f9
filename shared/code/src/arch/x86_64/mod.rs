//! x86-64: what relocations ask for, how calls are rewritten, and stubs that the runtime makes.

pub mod patch;
pub(crate) mod reloc;
pub mod stub;
