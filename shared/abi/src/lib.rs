//! The C interface between the runtime (libautojit.so) and the engine (libautojit-engine.so), the only library with
//! LLVM in it. The runtime loads the engine on the first cache miss and asks for [`ENGINE_SYMBOL`].
//!
//! Each side allocates with an allocator of its own: what the engine hands out goes back to it through the release
//! functions of [`EngineApi`]. No function unwinds.

mod stack_map;

use std::ffi::c_void;

pub use stack_map::{Location, LocationKind, MOST_LOCATIONS, StackMap};

/// Version of this interface; [`EngineApi::abi`] must equal it.
pub const ENGINE_ABI: u32 = 5;
/// What generates code in the engine, padded with zeros: ORC, the revision of what this project makes of it, and LLVM's
/// version. Code in the object cache belongs to it, and runtime, engine and autojitd work together only if they agree on it.
///
/// The revision is raised when the same container gives other code than before; a test of the engine compares
/// (tests/revision.rs). What users have in their caches survives every other change.
pub const GENERATOR: [u8; 32] = padded(concat!("ORC 3, LLVM ", env!("AUTOJIT_LLVM_VERSION")));

/// What generates code in the runtime itself: the baseline compiler, and its revision, which is raised when the same bitcode
/// gives other code than before (preload/baseline/tests/revision.rs compares).
pub const BASELINE: [u8; 32] = padded("baseline 10");

/// How many instructions a body may have to come along for the inliner if a function is compiled that runs often, over so many
/// calls: each further one lets in seven tenths. Code is kept by the content of what came along.
pub fn inlined_often(calls: u32) -> u32 {
    inlined(200, calls)
}

/// The same where the first call lets in `limit`.
pub fn inlined(limit: u32, calls: u32) -> u32 {
    (1..calls).fold(limit, |limit, _| limit * 7 / 10)
}

/// `text` with zeros behind it.
const fn padded(text: &str) -> [u8; 32] {
    let (mut bytes, mut index) = ([0; 32], 0);
    while index < text.len() {
        bytes[index] = text.as_bytes()[index];
        index += 1;
    }
    bytes
}

/// What the engine exports: an `extern "C" fn() -> *const EngineApi`, whose result lives as long as the process.
pub const ENGINE_SYMBOL: &str = "__autojit_engine";

/// A module that the engine keeps open. Opaque to the runtime.
#[repr(C)]
#[derive(Debug)]
pub struct EngineModule {
    _opaque: [u8; 0],
}

/// UTF-8 text or an object file, owned by the engine until [`EngineApi::release_buffer`].
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Buffer {
    /// First byte; null if there is none.
    pub data: *const u8,
    /// Length in bytes.
    pub len: usize,
    /// The engine's handle.
    pub owner: *mut c_void,
}

impl Buffer {
    /// No buffer.
    pub const EMPTY: Self = Self { data: std::ptr::null(), len: 0, owner: std::ptr::null_mut() };
}

/// What the name of a continuation has behind the function's.
pub const CONTINUATION_SUFFIX: &str = ".osr";

/// What the engine asks before it takes another function into a batch: true if the function was cold and now belongs
/// to this batch. The first argument is the `context` of [`EngineApi::compile`], the second the function's index.
pub type Claim = unsafe extern "C" fn(*mut c_void, u32) -> bool;

/// Options that the runtime passes on when it opens a module.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    /// Optimisation level 0 to 3 instead of the one the build asked for; -1 for that one. (AUTOJIT_OPT)
    pub opt_override: i32,
    /// At most so many functions in a batch; 0 for the engine's choice.
    pub batch_limit: u32,
    /// Describe types and variables to debuggers as far as the build asked for it, not only lines.
    pub full_debug: bool,
}

/// The engine's functions. Each returns 0, or a nonzero value with a message in `error`.
#[repr(C)]
#[derive(Debug)]
pub struct EngineApi {
    /// [`ENGINE_ABI`].
    pub abi: u32,
    /// [`GENERATOR`].
    pub generator: [u8; 32],
    /// LLVM's major version.
    pub llvm_major: u32,
    /// Opens the container in `data[..len]`, which must stay mapped as long as functions are asked for. One module is used by one thread
    /// at a time (the caller locks it); different modules may be used at once.
    pub open: unsafe extern "C" fn(
        data: *const u8,
        len: usize,
        options: *const OpenOptions,
        module: *mut *mut EngineModule,
        error: *mut Buffer,
    ) -> i32,
    /// Compiles function `root` of the container, which the caller has claimed, and those that the engine thinks will
    /// be called next and that `claim` grants. If it runs `often`, the optimiser gets all that may be worth inlining into it,
    /// and no other function is compiled along. `object` becomes an ELF relocatable object. It defines each compiled
    /// function as a global symbol with the function's name in the container, and refers to everything else by name.
    /// A function that `claim` granted may be missing from it, if it is what could not be compiled; on failure all are.
    pub compile: unsafe extern "C" fn(
        module: *mut EngineModule,
        root: u32,
        often: bool,
        claim: Claim,
        context: *mut c_void,
        object: *mut Buffer,
        error: *mut Buffer,
    ) -> i32,
    /// Compiles the continuation of function `root`: what is left of it from the loop header of the [`StackMap`] in
    /// `map[..len]` on, as a function that takes the address of a frame and returns what `root` returns. `object` becomes an
    /// ELF relocatable object whose one global function has the function's name and [`CONTINUATION_SUFFIX`].
    pub compile_continuation: unsafe extern "C" fn(
        module: *mut EngineModule,
        root: u32,
        map: *const u8,
        len: usize,
        object: *mut Buffer,
        error: *mut Buffer,
    ) -> i32,
    /// As `compile` for all functions of the module that `claim` grants, in one object. If the module was opened with
    /// `full_debug`, the object also describes the module's types and global variables. No object if none is granted.
    pub compile_all: unsafe extern "C" fn(
        module: *mut EngineModule,
        claim: Claim,
        context: *mut c_void,
        object: *mut Buffer,
        error: *mut Buffer,
    ) -> i32,
    /// Releases an object or an error message.
    pub release_buffer: unsafe extern "C" fn(Buffer),
    /// Closes a module.
    pub close: unsafe extern "C" fn(*mut EngineModule),
}
