//! The engine: libautojit-engine.so, loaded when the first function is to be compiled.
//!
//! Receives options; hands on the engine's functions. The library lies beside libautojit.so unless
//! AUTOJIT_ENGINE_PATH says otherwise. The runtime maps it by itself ([`crate::compile::library`]).

use std::ffi::CString;
use std::sync::OnceLock;

use autojit_abi::{Buffer, ENGINE_ABI, ENGINE_SYMBOL, EngineApi, GENERATOR};
use autojit_protocol::What;
use autojit_trampoline::stack::with_compiler_stack;

use crate::compile::library::Library;
use crate::platform::loaded;
use crate::settings::failure::Failure;
use crate::settings::options::Options;
use crate::settings::{stats, trace};
use crate::sys;

/// The engine's file name.
const ENGINE_FILE: &[u8] = b"libautojit-engine.so";

/// What there is to know of the engine.
#[derive(Debug)]
pub struct Engine {
    /// Its path: found when the runtime starts, as the working directory may change.
    path: CString,
    loaded: OnceLock<Result<Loaded, Failure>>,
}

/// The engine in memory.
#[derive(Clone, Debug)]
struct Loaded {
    library: Library,
    api: &'static EngineApi,
}

static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Notes where the engine is, once.
pub fn begin(options: &Options) {
    ENGINE.get_or_init(|| Engine::new(options));
}

/// The engine.
///
/// # Panics
/// If the runtime has not started.
pub fn get() -> &'static Engine {
    ENGINE.get().expect("an image has registered")
}

/// Why the compiler has refused. What is only to become better needs no remedy.
pub fn cannot_generate(what: What, reason: &dyn std::fmt::Display) -> Failure {
    match what {
        What::Often(_) | What::Continuation(_) => Failure::new(format_args!("generating code: {reason}")),
        What::Function(_) | What::Everything => {
            Failure::new(format_args!("generating code: {reason}; build its file without autojit"))
        }
    }
}

impl Engine {
    /// An engine that is not loaded yet.
    fn new(options: &Options) -> Self {
        let path = match &options.engine_path {
            Some(path) => sys::absolute(path),
            None => beside_runtime(),
        };
        Self { path, loaded: OnceLock::new() }
    }

    /// The engine's functions, for the calling thread; loads it at the first call.
    ///
    /// # Errors
    /// It is not there, cannot be loaded, or belongs to another release.
    pub fn api(&self) -> Result<&'static EngineApi, Failure> {
        let loaded = self.loaded.get_or_init(|| {
            let start = sys::monotonic_time();
            let loaded = self.load();
            stats::COUNTERS.engine_load_time.add_time(sys::monotonic_time() - start);
            trace::note("load LLVM", Some(start), String::new);
            loaded
        });
        let Loaded { library, api } = loaded.as_ref().map_err(Clone::clone)?;
        library.enter_thread();
        Ok(api)
    }

    /// Whether it is loaded.
    pub fn is_loaded(&self) -> bool {
        matches!(self.loaded.get(), Some(Ok(_)))
    }

    /// Whether it could not be loaded.
    pub fn is_missing(&self) -> bool {
        matches!(self.loaded.get(), Some(Err(_)))
    }

    fn load(&self) -> Result<Loaded, Failure> {
        let failure = |cause: &dyn std::fmt::Display| {
            Failure::new(format_args!(
                "loading the compiler {}: {cause}; install it there or set AUTOJIT_ENGINE_PATH",
                self.path.to_string_lossy()
            ))
        };
        let library = on_its_stack(|| Library::load(&self.path))?.map_err(|error| failure(&error))?;
        let entry = library.find(ENGINE_SYMBOL).ok_or_else(|| failure(&"this is not autojit's compiler"))?;
        // SAFETY: the symbol's type and the lifetime of its result (autojit_abi).
        let api = unsafe {
            let entry: extern "C" fn() -> *const EngineApi = std::mem::transmute(entry);
            &*entry()
        };
        if api.abi != ENGINE_ABI {
            return Err(failure(&format_args!(
                "its interface has version {}, this runtime uses version {ENGINE_ABI}",
                api.abi
            )));
        }
        // What it compiles is kept under this name.
        if api.generator != GENERATOR {
            return Err(failure(
                &"it is of another version than this runtime: the two files are installed together",
            ));
        }
        log::info!("loaded {} (LLVM {})", self.path.to_string_lossy(), api.llvm_major);
        Ok(Loaded { library, api })
    }
}

/// Runs `f` with as much stack as LLVM may need.
///
/// # Errors
/// There is no memory for it.
pub fn on_its_stack<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    let mut result = None;
    with_compiler_stack(|| result = Some(f())).map_err(|error| {
        let error = sys::Errno(error.0);
        Failure::new(format_args!(
            "mapping the compiler's stack: {error}; the process may have as many mappings as vm.max_map_count allows"
        ))
    })?;
    Ok(result.expect("it has run"))
}

/// The engine's path in the directory of this library.
fn beside_runtime() -> CString {
    sys::c_string(&[&loaded::own_directory(), ENGINE_FILE])
}

/// A buffer of the engine's, given back on drop.
#[derive(Debug)]
pub struct Owned {
    api: &'static EngineApi,
    buffer: Buffer,
}

impl Owned {
    /// No buffer yet; [`Owned::out`] is where the engine puts one.
    pub fn empty(api: &'static EngineApi) -> Self {
        Self { api, buffer: Buffer::EMPTY }
    }

    /// Where the engine writes the buffer.
    pub fn out(&mut self) -> *mut Buffer {
        &raw mut self.buffer
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        if self.buffer.data.is_null() {
            return &[];
        }
        // SAFETY: the engine's buffer lives until it is released.
        unsafe { std::slice::from_raw_parts(self.buffer.data, self.buffer.len) }
    }

    /// Its bytes, for ever.
    pub fn leak(self) -> &'static [u8] {
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: the engine's buffer lives until it is released, and nobody will.
        unsafe { std::mem::transmute::<&[u8], &'static [u8]>(this.bytes()) }
    }

    /// Its text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.buffer.data.is_null() {
            // SAFETY: the buffer came from this engine, and was not released.
            unsafe { (self.api.release_buffer)(self.buffer) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(path: &str) -> Engine {
        Engine::new(&Options { engine_path: Some(path.into()), ..Options::defaults() })
    }

    #[test]
    fn a_missing_engine_is_named_with_the_reason() {
        let message = engine("/nowhere/e.so").api().unwrap_err().to_string();
        assert!(message.contains("/nowhere/e.so") && message.contains("no such file"), "{message}");
        assert!(message.contains("AUTOJIT_ENGINE_PATH"), "{message}");
    }

    #[test]
    fn another_file_is_no_engine() {
        let message = engine("/proc/self/environ").api().unwrap_err().to_string();
        assert!(message.contains("/proc/self/environ"), "{message}");
        let libm = engine("libm.so.6").path;
        assert!(libm.as_bytes().starts_with(b"/") && libm.as_bytes().ends_with(b"/libm.so.6"));
    }

    #[test]
    fn it_lies_beside_the_runtime() {
        assert!(beside_runtime().as_bytes().ends_with(b"/libautojit-engine.so"));
    }
}
