//! libautojit.so: the runtime that compiles functions when they are first called.
//!
//! In the order in which a program meets it:
//!
//! - [`exports`]: the symbols that the library shows; [`lifecycle`]: an image registers, the runtime starts;
//!   [`options`], [`log`](mod@log), [`stats`]: what the user says and sees.
//! - [`image`], [`module`], [`function`]: what has registered, down to one function and its state.
//! - [`resolver`]: a first call. **Start reading here.** [`compile`]: a batch goes through the [`compiler`], which is the
//!   [`engine`] or the [`daemon`], the linker (crate autojit-code) with [`symbols`] as its source of addresses, and [`publish`].
//! - [`baseline`]: first calls without LLVM, if it is asked for.
//! - [`fork`], [`gate`]: no child inherits half of anything. [`unwind`], [`unwinders`]: exceptions pass through our code. [`confine`]:
//!   what the program is about to give up is fetched first; [`locked`]: mlockall.
//! - [`debugger`]: what gdb is told.
//! - [`names`], [`addresses`], [`objects`]: names and lines of compiled code, for those who ask the C library; [`perf`].
//! - [`loaded`], [`scope`], [`elf_file`], [`helpers`]: where symbols come from; [`library`]: how the engine is loaded.
//! - [`sys`](autojit_sys), [`alloc`], [`undisturbed`], [`c_functions`]: what the runtime stands on instead of the C library;
//!   [`c_library`]: what it needs of it.
//!
//! The library lives inside other people's processes. On the path of a first call there is no dlsym, no malloc of the
//! program's, no stdio, no thread-local with a destructor, and no panic that unwinds.

#![cfg_attr(feature = "static", allow(dead_code, reason = "what is interposed is left out there"))]

#[cfg(not(feature = "static"))]
mod addresses;
mod alloc;
mod baseline;
#[cfg_attr(test, allow(dead_code, reason = "tests have the C library's"))]
mod c_functions;
mod c_library;
mod cache;
mod compile;
mod compiler;
#[cfg(not(feature = "static"))]
mod confine;
mod daemon;
mod debugger;
mod elf_file;
mod engine;
#[cfg_attr(feature = "static", path = "linked/exports.rs")]
mod exports;
mod failure;
mod fork;
mod function;
mod gate;
mod helpers;
mod image;
mod image_cache;
#[cfg_attr(feature = "static", path = "linked/library.rs")]
mod library;
mod lifecycle;
mod loaded;
#[cfg(not(feature = "static"))]
mod locked;
mod log;
mod missing;
mod module;
mod names;
#[cfg(not(test))]
mod no_unwinder;
#[cfg(not(feature = "static"))]
mod objects;
mod options;
mod perf;
mod prepare;
mod publish;
mod resolver;
mod scope;
mod stats;
mod symbols;
mod undisturbed;
#[cfg_attr(feature = "static", path = "linked/unwind.rs")]
mod unwind;
mod unwinders;
mod whole;

/// What the runtime has instead of the C library's wrappers.
use autojit_sys as sys;

/// All memory that the runtime allocates. (Tests use the C library's, and test this one by itself.)
#[cfg_attr(not(test), global_allocator)]
static ALLOCATOR: alloc::Allocator = alloc::Allocator::new();

#[cfg(not(test))]
autojit_trampoline::define_memory_functions!();
