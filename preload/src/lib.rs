//! libautojit.so: the runtime that compiles functions when they are first called.
//!
//! Its modules lie in floors, each of which uses those below it:
//!
//! - [`startup`]: [`exports`](startup::exports): the symbols that the library shows; [`lifecycle`](startup::lifecycle): an image
//!   registers, the runtime starts; [`resolver`](startup::resolver): a first call. **Start reading here.**
//! - [`compile`]: a batch goes through the compiler, which is the engine, autojitd or the baseline compiler, and to the cache.
//! - [`link`]: code becomes that of its functions ([`publish`](link::publish)): unwinders, names, debuggers, slots.
//! - [`program`]: what has registered: images, modules, down to one function and its state; what names stand for.
//! - [`settings`]: what the user says and sees: options, messages, statistics.
//! - [`platform`]: what the runtime stands on: the C library and what replaces it, loaded objects and their symbols.
//!
//! The library lives inside other people's processes. On the path of a first call there is no dlsym, no malloc of the
//! program's, no stdio, no thread-local with a destructor, and no panic that unwinds.

#![cfg_attr(feature = "static", allow(dead_code, reason = "what is interposed is left out there"))]

mod compile;
mod link;
mod platform;
mod program;
mod settings;
mod startup;

/// What the runtime has instead of the C library's wrappers.
use autojit_sys as sys;

/// All memory that the runtime allocates. (Tests use the C library's, and test this one by itself.)
#[cfg_attr(not(test), global_allocator)]
static ALLOCATOR: platform::alloc::Allocator = platform::alloc::Allocator::new();

#[cfg(not(test))]
autojit_trampoline::define_memory_functions!();
