//! x86-64: stubs and tables as assembler text, the trampoline, and all other assembly.

pub mod boot;
pub mod caller;
pub mod counter;
pub mod debugger;
pub mod emit;
pub mod entry;
pub mod linked;
pub mod mem;
pub(crate) mod search;
pub mod stack;
pub(crate) mod sys;
pub mod tls;
