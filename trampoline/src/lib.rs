//! The contract between plugin and runtime, and all of the project's assembly.
//!
//! - [`contract`]: the tables that a lazy image carries ([`contract::Slot`], [`contract::ModuleRecord`],
//!   [`contract::ImageRecord`]), their sections and their symbols. The plugin writes them, the runtime reads them.
//! - [`emit`]: those tables and the stubs as assembler text, for the plugin.
//! - [`lines`]: what debuggers find in the file about lines of lazy functions, as assembler text.
//! - [`staying`]: what a file tells of functions that are not lazy, as assembler text.
//! - [`boot`]: the code that each image carries to find the runtime, as assembler text.
//! - [`linked`]: what the static library has in the place of that code.
//! - [`entry`]: the trampoline proper, where a stub's first call arrives in the runtime, or a counter has run out.
//! - [`counter`]: counters of compiled code.
//! - [`stack`]: the stacks on which the runtime resolves such a call.
//! - [`caller`]: exported functions of the runtime that need their caller's address.
//! - [`debugger`]: the symbols through which debuggers learn of compiled code.
//! - [`tls`]: thread-local room for a library that the runtime maps itself.
//! - [`mem`]: `memcpy` and its kin for the runtime, so that it never calls the program's.

mod arch;
pub mod cancellation;
pub mod contract;
pub mod lines;
pub mod staying;

use arch::sys;
pub use arch::{boot, caller, counter, debugger, emit, entry, linked, mem, stack, tls};
