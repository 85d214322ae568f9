//! The engine: libautojit-engine.so, loaded when the first function is to be compiled, and the generator in it ([`Orc`]).
//!
//! Receives options; hands on units. The library lies beside libautojit.so unless
//! AUTOJIT_ENGINE_PATH says otherwise. The runtime maps it by itself ([`crate::compile::library`]).

use std::borrow::Cow;
use std::ffi::{CString, c_void};
use std::sync::OnceLock;

use autojit_abi::{ENGINE_ABI, ENGINE_SYMBOL, GENERATOR};
use autojit_code::unit::Lines;
use autojit_generator::orc::{self, Mismatch};
use autojit_generator::{Error, Generator, Id, Made, Request};
use autojit_trampoline::stack::with_compiler_stack;

use crate::compile::library::Library;
use crate::platform::loaded;
use crate::program::module::{Module, Opened};
use crate::settings::failure::Failure;
use crate::settings::options::{self, Options};
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
    orc: orc::Engine,
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

impl Engine {
    /// An engine that is not loaded yet.
    fn new(options: &Options) -> Self {
        let path = match &options.engine_path {
            Some(path) => sys::absolute(path),
            None => beside_runtime(),
        };
        Self { path, loaded: OnceLock::new() }
    }

    /// The engine, for the calling thread; loads it at the first call.
    ///
    /// # Errors
    /// It is not there, cannot be loaded, or belongs to another release.
    pub fn enter(&self) -> Result<orc::Engine, Failure> {
        let loaded = self.loaded.get_or_init(|| {
            let start = sys::monotonic_time();
            let loaded = self.load();
            stats::COUNTERS.engine_load_time.add_time(sys::monotonic_time() - start);
            trace::note("load LLVM", Some(start), String::new);
            loaded
        });
        let Loaded { library, orc } = loaded.as_ref().map_err(Clone::clone)?;
        library.enter_thread();
        Ok(*orc)
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
        // SAFETY: the symbol of a library that is never unloaded.
        let orc = unsafe { orc::Engine::at(entry as *const c_void) }.map_err(|mismatch| match mismatch {
            Mismatch::Interface(found) => failure(&format_args!(
                "its interface has version {found}, this runtime uses version {ENGINE_ABI}"
            )),
            Mismatch::Generator => {
                failure(&"it is of another version than this runtime: the two files are installed together")
            }
        })?;
        log::info!("loaded {} (LLVM {})", self.path.to_string_lossy(), orc.llvm_major());
        Ok(Loaded { library, orc })
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

/// The engine's handle of a module, if it has it open.
#[derive(Debug)]
pub struct EngineHandle(pub Option<orc::OrcModule>);

/// ORC in this process, for a module that the calling thread has locked.
pub struct Orc<'m> {
    engine: orc::Engine,
    module: &'static Module,
    handle: &'m mut EngineHandle,
}

impl<'m> Orc<'m> {
    /// The generator of a module, whose handle is `handle`.
    pub fn new(engine: orc::Engine, module: &'static Module, handle: &'m mut EngineHandle) -> Self {
        Self { engine, module, handle }
    }

    /// The module, open.
    fn open(&mut self) -> Result<&mut orc::OrcModule, Failure> {
        let EngineHandle(handle) = &mut *self.handle;
        match handle {
            Some(open) => Ok(open),
            None => {
                let Opened { bytes, origin, .. } = self.module.open()?;
                let (level, full) = (options::opt_override(), self.module.described_in_full());
                // SAFETY: the container is mapped as long as the image is there, with which the handle goes.
                let open = unsafe { self.engine.open(bytes, level, full) };
                let open = open.map_err(|error| {
                    Failure::new(format_args!("reading its bitcode in {origin}: {error}"))
                })?;
                Ok(handle.insert(open))
            }
        }
    }
}

impl Generator for Orc<'_> {
    fn id(&self) -> &'static Id {
        &GENERATOR
    }

    fn compile(&mut self, request: &Request<'_>) -> Result<Option<Made>, Error> {
        self.module.verify()?;
        let mut made = on_its_stack(|| self.open()?.compile(request))??;
        // Names and debuggers read lines as long as the code is there.
        for Lines { object, .. } in made.iter_mut().flat_map(|made| &mut made.unit.lines) {
            *object = Cow::Borrowed(std::mem::take(object).into_owned().leak());
        }
        Ok(made)
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
        let message = engine("/nowhere/e.so").enter().unwrap_err().to_string();
        assert!(message.contains("/nowhere/e.so") && message.contains("no such file"), "{message}");
        assert!(message.contains("AUTOJIT_ENGINE_PATH"), "{message}");
    }

    #[test]
    fn another_file_is_no_engine() {
        let message = engine("/proc/self/environ").enter().unwrap_err().to_string();
        assert!(message.contains("/proc/self/environ"), "{message}");
        let libm = engine("libm.so.6").path;
        assert!(libm.as_bytes().starts_with(b"/") && libm.as_bytes().ends_with(b"/libm.so.6"));
    }

    #[test]
    fn it_lies_beside_the_runtime() {
        assert!(beside_runtime().as_bytes().ends_with(b"/libautojit-engine.so"));
    }
}
