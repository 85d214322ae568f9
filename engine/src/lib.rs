//! The engine, libautojit-engine.so: the only code with LLVM in it at run time.
//!
//! It receives containers ([`autojit_store`]) and asks for functions of them by index, and hands on ELF relocatable
//! objects, which the runtime links and publishes. The interface is [`autojit_abi`]; everything else is hidden, and
//! the library brings its own allocator, C++ runtime and unwinder, so that it does not meet those of the program.
//!
//! * [`module`]: a container whose bitcode is kept open; function bodies are read when they are wanted
//! * [`resident`]: which modules are open at a time
//! * [`batch`]: which functions are compiled together
//! * [`shim`]: the C++ side: ORC, optimisation and code generation
//! * [`fatal`]: LLVM's fatal errors
//!
//! For work on the plugin or the engine: with `AUTOJIT_ENGINE_VERIFY` in the environment each batch goes
//! through LLVM's verifier, with `AUTOJIT_ENGINE_FULL_DEBUG` objects describe types and variables, not only lines, as
//! they do if the runtime asks for it; `AUTOJIT_ENGINE_OPEN` says how many bytes of bitcode are open at most.

mod batch;
mod fatal;
mod module;
mod resident;
mod shim;

use std::ffi::c_void;

use autojit_abi::{Buffer, Claim, ENGINE_ABI, EngineApi, EngineModule, GENERATOR, OpenOptions, StackMap};
// Its malloc, free and operator new take the place of libc's within this library.
use libmimalloc_sys as _;

use resident::Resident;

static API: EngineApi = EngineApi {
    abi: ENGINE_ABI,
    generator: GENERATOR,
    llvm_major: 22,
    open,
    compile,
    compile_continuation,
    compile_all,
    release_buffer,
    close,
};

/// What the library exports: its functions.
#[unsafe(no_mangle)]
pub extern "C" fn __autojit_engine() -> *const EngineApi {
    static START: std::sync::Once = std::sync::Once::new();
    START.call_once(|| {
        fatal::install();
        shim::initialize_target();
    });
    &raw const API
}

/// What a [`Buffer`] owns.
enum Owned {
    Object(shim::ObjectBuffer),
    Text(String),
}

fn hand_out(owned: Owned) -> Buffer {
    let owned = Box::new(owned);
    let bytes = match &*owned {
        Owned::Object(object) => object.bytes(),
        Owned::Text(text) => text.as_bytes(),
    };
    Buffer { data: bytes.as_ptr(), len: bytes.len(), owner: Box::into_raw(owned).cast() }
}

/// Hands out an object or a message; returns the status.
///
/// # Safety
/// `object` and `error` can be written to.
unsafe fn answer(result: Result<shim::ObjectBuffer, String>, object: *mut Buffer, error: *mut Buffer) -> i32 {
    let (place, owned, status) = match result {
        Ok(compiled) => (object, Owned::Object(compiled), 0),
        Err(message) => (error, Owned::Text(message), 1),
    };
    // SAFETY: the caller's promise.
    unsafe { place.write(hand_out(owned)) };
    status
}

unsafe extern "C" fn open(
    data: *const u8,
    len: usize,
    options: *const OpenOptions,
    module: *mut *mut EngineModule,
    error: *mut Buffer,
) -> i32 {
    // SAFETY: data[..len] stays readable until `close` (EngineApi::open), which ends the Resident; options is valid.
    let (container, options) = unsafe { (std::slice::from_raw_parts(data, len), *options) };
    match Resident::open(container, options) {
        Ok(opened) => {
            // SAFETY: `module` is the caller's, for this result.
            unsafe { module.write(Box::into_raw(Box::new(opened)).cast()) };
            0
        }
        Err(message) => {
            // SAFETY: `error` is the caller's, for this result.
            unsafe { error.write(hand_out(Owned::Text(message))) };
            1
        }
    }
}

unsafe extern "C" fn compile(
    module: *mut EngineModule,
    root: u32,
    often: bool,
    claim: Claim,
    context: *mut c_void,
    object: *mut Buffer,
    error: *mut Buffer,
) -> i32 {
    // SAFETY: `module` is from `open`, not closed, and used by this thread only (EngineApi::open).
    let module = unsafe { &mut *module.cast::<Resident>() };
    // SAFETY: the caller's function with the argument that it wants.
    let mut claim = |index| unsafe { claim(context, index) };
    // SAFETY: `object` and `error` are the caller's, for these results.
    unsafe { answer(module.with(|module| module.compile(root, often, &mut claim)), object, error) }
}

unsafe extern "C" fn compile_continuation(
    module: *mut EngineModule,
    root: u32,
    map: *const u8,
    len: usize,
    object: *mut Buffer,
    error: *mut Buffer,
) -> i32 {
    // SAFETY: `module` is from `open`, not closed, and used by this thread only (EngineApi::open).
    let module = unsafe { &mut *module.cast::<Resident>() };
    // SAFETY: map[..len] is the caller's, for this call (EngineApi::compile_continuation).
    let map = StackMap::decode(unsafe { std::slice::from_raw_parts(map, len) });
    let compiled = match map {
        Some(map) => module.with(|module| module.compile_continuation(root, &map)),
        None => Err("a stack map that cannot be read".into()),
    };
    // SAFETY: `object` and `error` are the caller's, for these results.
    unsafe { answer(compiled, object, error) }
}

unsafe extern "C" fn compile_all(
    module: *mut EngineModule,
    claim: Claim,
    context: *mut c_void,
    object: *mut Buffer,
    error: *mut Buffer,
) -> i32 {
    // SAFETY: `module` is from `open`, not closed, and used by this thread only (EngineApi::open).
    let module = unsafe { &mut *module.cast::<Resident>() };
    // SAFETY: the caller's function with the argument that it wants.
    let mut claim = |index| unsafe { claim(context, index) };
    let (result, owned, status) = match module.with(|module| module.compile_all(&mut claim)) {
        Ok(Some(compiled)) => (object, Owned::Object(compiled), 0),
        Ok(None) => return 0,
        Err(message) => (error, Owned::Text(message), 1),
    };
    // SAFETY: `object` and `error` are the caller's, for these results.
    unsafe { result.write(hand_out(owned)) };
    status
}

unsafe extern "C" fn release_buffer(buffer: Buffer) {
    if !buffer.owner.is_null() {
        // SAFETY: the owner of a buffer is from `hand_out`, and is released once.
        drop(unsafe { Box::from_raw(buffer.owner.cast::<Owned>()) });
    }
}

unsafe extern "C" fn close(module: *mut EngineModule) {
    // SAFETY: `module` is from `open` and not used any more.
    drop(unsafe { Box::from_raw(module.cast::<Resident>()) });
}
