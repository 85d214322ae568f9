//! Everything between an object file in memory and machine code that a thread may run: code memory near the image,
//! the object linker, run-time stubs, the call-site patcher, and the unwind table.
//!
//! - [`memory`]: areas of address space near an image, three arenas in each, W^X; `reserve`, `commit`, `abort`, `patch`.
//! - [`reservation`]: the address space that images within reach of each other share.
//! - [`link`](mod@link): an ELF relocatable object as the engine emits it becomes a [`Unit`]; in memory, [`Linked`],
//!   and by commit [`Code`].
//! - [`Builder`]: a unit from a code generator that makes no object.
//! - [`prelink`]: groups of an image pack that are linked ahead, [`prelinked`]: their bytes in the file.
//! - [`pack`]: units in the bytes of a cache file; [`Unit::merge`]: several in one; [`image_pack`]: those of many modules.
//! - [`bundle`]: a unit with its lines in one sequence of bytes.
//! - [`DebugFile`]: linked objects as debuggers read them.
//! - [`stub`]: stubs for functions that have none in the object file.
//! - [`patch`]: calls that went through a stub become direct calls.
//! - [`unwind`]: program counter -> FDE and name, without locks.
//! - [`describe`]: an ELF file with names and lines of linked code, for readers of such files; [`Description`]: the
//!   one that code from a cache comes with.
//! - [`live`]: ELF files that the code lies in while its process runs.
//! - [`dwarf`]: lines of functions that were compiled without an object.
//! - [`lock`]: the lock that all of the runtime uses, which a fork can carry across.
//!
//! The order in which the runtime uses them: [`CodeMemory::new`] once per image; for each unit [`link()`],
//! [`Linked::commit`], [`UnwindTable::register`], then the slots, then [`patch_call`] for the recorded call sites.
//! Around a fork: `before_fork` and `after_fork` of every memory and of the table.
//!
//! This crate lives inside other people's processes: it makes raw system calls only, uses no thread-locals, and
//! allocates through the global allocator alone (which is the runtime's own).

mod allocated;
mod arch;
mod area;
mod arena;
mod builder;
pub mod bundle;
mod debug_file;
pub mod describe;
mod description;
pub mod dwarf;
mod eh_frame;
mod fixups;
mod groups;
pub mod image_pack;
mod layout;
pub mod link;
pub mod live;
pub mod lock;
pub mod memory;
mod merge;
pub mod moved;
mod object;
pub mod pack;
mod parse;
pub mod prelink;
pub mod prelinked;
pub mod reservation;
mod space;
mod table;
pub mod unit;
pub mod unwind;

use arch::reloc;
pub use arch::{patch, stub};
pub use area::Area;
pub use builder::{Access, Builder};
pub use debug_file::DebugFile;
pub use description::{Description, describe as describe_unit};
pub use eh_frame::{Fde, candidate, covering};
pub use link::{CallSite, Code, LinkError, Linked, Resolver, Target, link, link_object};
pub use memory::{Arena, CodeMemory, MemoryError};
pub use patch::patch_call;
pub use reloc::Form;
pub use reservation::Booking;
pub use stub::RuntimeStub;
pub use unit::{Symbol, Unit, Usage};
pub use unwind::{FdeInfo, Named, UnwindTable};
