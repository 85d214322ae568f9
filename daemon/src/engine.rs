//! The engine in this process: libautojit-engine.so, loaded when the daemon starts, so that each process that compiles
//! is born with it.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use autojit_abi::ENGINE_SYMBOL;
use autojit_generator::{Generator, Request, orc};
use autojit_protocol::Scope;

/// The engine's file name.
const ENGINE_FILE: &str = "libautojit-engine.so";

/// Where the engine is: AUTOJIT_ENGINE_PATH, else where it is installed, seen from this program.
fn path() -> PathBuf {
    if let Some(path) = &crate::listen::options().engine_path {
        return OsStr::from_bytes(path).into();
    }
    let own = std::env::current_exe().unwrap_or_default();
    let directory = own.parent().unwrap_or(Path::new("."));
    let installed = directory.join("../lib").join(ENGINE_FILE);
    if installed.exists() { installed } else { directory.join(ENGINE_FILE) }
}

/// Loads it.
///
/// # Errors
/// It is not there, or is of another version: in words.
pub fn load() -> Result<orc::Engine, String> {
    let path = path();
    let failure = |cause: &dyn std::fmt::Display| {
        format!(
            "loading the compiler {}: {cause}; install it there or set AUTOJIT_ENGINE_PATH",
            path.display()
        )
    };
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| failure(&error))?;
    let symbol = CString::new(ENGINE_SYMBOL).map_err(|error| failure(&error))?;
    // SAFETY: the library's constructors are LLVM's and mimalloc's.
    let entry = unsafe {
        let library = libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        let entry =
            if library.is_null() { std::ptr::null_mut() } else { libc::dlsym(library, symbol.as_ptr()) };
        if entry.is_null() {
            let error = OsStr::from_bytes(CStr::from_ptr(libc::dlerror()).to_bytes());
            return Err(failure(&error.display()));
        }
        entry
    };
    // SAFETY: the symbol of a library that is never unloaded.
    unsafe { orc::Engine::at(entry) }.map_err(|_| {
        failure(&"it is of another version than this autojitd: the two files are installed together")
    })
}

/// Has the engine compile a few functions, without optimisation and with it, so that its tables are built and its pages
/// are in memory when the first request comes. Nothing depends on it.
pub fn warm(engine: orc::Engine) {
    /// Of src/warm.c.
    static CONTAINER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/warm.ajc"));
    for level in [-1, 2] {
        // SAFETY: the container is static.
        if let Ok(mut module) = unsafe { engine.open(CONTAINER, level, false) } {
            let _ = module.compile(&Request::new(Scope::Function(0), &|_| true));
            let _ = module.compile(&Request::new(Scope::Function(3), &|_| true));
        }
    }
}
