//! The engine: libautojit-engine.so, loaded when the first function is to be compiled.
//!
//! Receives options; hands on the engine's functions. The library lies beside libautojit.so unless
//! AUTOJIT_ENGINE_PATH says otherwise. This is the only place that calls dlopen.

use std::ffi::{CStr, CString};
use std::ops::ControlFlow;
use std::sync::OnceLock;

use autojit_abi::{Buffer, ENGINE_ABI, ENGINE_SYMBOL, EngineApi};

use crate::failure::Failure;
use crate::image::absolute;
use crate::options::Options;
use crate::{loaded, stats, sys};

/// The engine's file name.
const ENGINE_FILE: &[u8] = b"libautojit-engine.so";

/// What there is to know of the engine.
#[derive(Debug)]
pub struct Engine {
    /// Its path: found when the runtime starts, as the working directory may change.
    path: CString,
    api: OnceLock<Result<&'static EngineApi, Failure>>,
}

impl Engine {
    /// An engine that is not loaded yet.
    pub fn new(options: &Options) -> Self {
        let path = match &options.engine_path {
            Some(path) => absolute(path),
            None => beside_runtime(),
        };
        Self { path, api: OnceLock::new() }
    }

    /// The engine's functions; loads it at the first call.
    ///
    /// # Errors
    /// It is not there, cannot be loaded, or belongs to another release.
    pub fn api(&self) -> Result<&'static EngineApi, Failure> {
        self.api
            .get_or_init(|| {
                let start = sys::monotonic_time();
                let api = self.load();
                stats::COUNTERS.engine_load_time.add_time(sys::monotonic_time() - start);
                api
            })
            .clone()
    }

    /// Whether loading it was finished.
    pub fn loaded(&self) -> bool {
        self.api.get().is_some()
    }

    fn load(&self) -> Result<&'static EngineApi, Failure> {
        let failure = |cause: &dyn std::fmt::Display| {
            Failure::new(format_args!(
                "loading the compiler {}: {cause}; install it there or set AUTOJIT_ENGINE_PATH",
                self.path.to_string_lossy()
            ))
        };
        sys::readable(&self.path).map_err(|error| failure(&error))?;
        // DEEPBIND: what the program has put in place of the C library's functions is not the engine's to call, as it
        // may be lazy itself.
        let flags = libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_DEEPBIND;
        // SAFETY: our own library, whose constructors are made for this.
        let handle = unsafe { libc::dlopen(self.path.as_ptr(), flags) };
        if handle.is_null() {
            // SAFETY: dlerror returns a C string, or null, after a failed call in the same thread.
            let cause = unsafe {
                let cause = libc::dlerror();
                if cause.is_null() { c"unknown cause" } else { CStr::from_ptr(cause) }
            };
            return Err(failure(&cause.to_string_lossy()));
        }
        // SAFETY: the handle is a library's.
        let entry = unsafe { libc::dlsym(handle, ENGINE_SYMBOL.as_ptr()) };
        if entry.is_null() {
            return Err(failure(&"this is not autojit's compiler"));
        }
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
        log::info!("loaded {} (LLVM {})", self.path.to_string_lossy(), api.llvm_major);
        Ok(api)
    }
}

/// The engine's path in the directory of this library.
fn beside_runtime() -> CString {
    let own = loaded::each(|object| {
        if object.contains(loaded::own_address()) {
            ControlFlow::Break(object.name.to_owned())
        } else {
            ControlFlow::Continue(())
        }
    });
    let own = own.unwrap_or_default();
    let directory = own.to_bytes().iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    absolute(&[&own.to_bytes()[..directory], ENGINE_FILE].concat())
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

    /// Its text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.buffer.data.is_null() {
            // SAFETY: the buffer came from this engine, and nobody has released it.
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
