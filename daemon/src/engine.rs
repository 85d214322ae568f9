//! The engine in this process: libautojit-engine.so, loaded when the daemon starts, so that each process that compiles
//! is born with it.

use std::ffi::{CStr, CString, OsStr, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use autojit_abi::{Buffer, ENGINE_ABI, ENGINE_SYMBOL, EngineApi, EngineModule, GENERATOR, OpenOptions};
use autojit_protocol::What;

/// The engine's file name.
const ENGINE_FILE: &str = "libautojit-engine.so";

/// The engine's functions.
#[derive(Clone, Copy, Debug)]
pub struct Engine(&'static EngineApi);

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

impl Engine {
    /// Loads it.
    ///
    /// # Errors
    /// It is not there, or is of another version: in words.
    pub fn load() -> Result<Self, String> {
        let path = path();
        let failure = |cause: &dyn std::fmt::Display| {
            format!(
                "loading the compiler {}: {cause}; install it there or set AUTOJIT_ENGINE_PATH",
                path.display()
            )
        };
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| failure(&error))?;
        let symbol = CString::new(ENGINE_SYMBOL).map_err(|error| failure(&error))?;
        // SAFETY: the library's constructors are LLVM's and mimalloc's; the symbol has the type that autojit_abi gives it.
        let api = unsafe {
            let library = libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
            let entry =
                if library.is_null() { std::ptr::null_mut() } else { libc::dlsym(library, symbol.as_ptr()) };
            if entry.is_null() {
                let error = OsStr::from_bytes(CStr::from_ptr(libc::dlerror()).to_bytes());
                return Err(failure(&error.display()));
            }
            let entry: extern "C" fn() -> *const EngineApi = std::mem::transmute::<*mut c_void, _>(entry);
            &*entry()
        };
        if api.abi != ENGINE_ABI || api.generator != GENERATOR {
            return Err(failure(
                &"it is of another version than this autojitd: the two files are installed together",
            ));
        }
        Ok(Self(api))
    }

    /// Has the engine compile a few functions, without optimisation and with it, so that its tables are built and its pages
    /// are in memory when the first request comes. Nothing depends on it.
    pub fn warm(self) {
        /// Of src/warm.c.
        static CONTAINER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/warm.ajc"));
        for level in [-1, 2] {
            // SAFETY: the container is static.
            if let Ok(mut module) = unsafe { self.open(CONTAINER, level, false) } {
                let _ = module.compile(What::Function(0), &[], |_| true);
                let _ = module.compile(What::Function(3), &[], |_| true);
            }
        }
    }

    /// Opens the container in `bytes`, which must stay as long as the module: see [`Module`].
    ///
    /// # Errors
    /// The engine's message.
    ///
    /// # Safety
    /// `bytes` must outlive the module.
    pub unsafe fn open(self, bytes: &[u8], level: i32, full_debug: bool) -> Result<Module, String> {
        let options = OpenOptions { opt_override: level, batch_limit: 0, full_debug };
        let (mut module, mut error) = (std::ptr::null_mut(), Output::new(self));
        // SAFETY: the caller keeps the container; the pointers are to variables of this function.
        let status = unsafe {
            (self.0.open)(
                bytes.as_ptr(),
                bytes.len(),
                &raw const options,
                &raw mut module,
                &raw mut error.buffer,
            )
        };
        if status == 0 { Ok(Module { engine: self, module }) } else { Err(error.text()) }
    }
}

/// What the engine gives out, given back on drop.
#[derive(Debug)]
pub struct Output {
    engine: Engine,
    buffer: Buffer,
}

impl Output {
    fn new(engine: Engine) -> Self {
        Self { engine, buffer: Buffer::EMPTY }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        if self.buffer.data.is_null() {
            return &[];
        }
        // SAFETY: the engine's buffer lives until it is released.
        unsafe { std::slice::from_raw_parts(self.buffer.data, self.buffer.len) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.buffer.data.is_null() {
            // SAFETY: the buffer came from this engine, and is released here alone.
            unsafe { (self.engine.0.release_buffer)(self.buffer) }
        }
    }
}

/// A module that the engine has open.
#[derive(Debug)]
pub struct Module {
    engine: Engine,
    module: *mut EngineModule,
}

// SAFETY: the engine lets any thread use a module, one at a time (autojit_abi).
unsafe impl Send for Module {}

impl Module {
    /// Compiles what is wanted, and what belongs with it and `claim` grants. `map`: the stack map of a continuation.
    ///
    /// # Errors
    /// The engine's message.
    pub fn compile(
        &mut self,
        what: What,
        map: &[u8],
        mut claim: impl FnMut(u32) -> bool,
    ) -> Result<Output, String> {
        unsafe extern "C" fn forward<F: FnMut(u32) -> bool>(context: *mut c_void, index: u32) -> bool {
            // SAFETY: the context is the closure that `compile` passes, which is alive during the call.
            unsafe { (*context.cast::<F>())(index) }
        }
        fn forwarder<F: FnMut(u32) -> bool>(_: &F) -> autojit_abi::Claim {
            forward::<F>
        }
        let api = self.engine.0;
        let (mut object, mut error) = (Output::new(self.engine), Output::new(self.engine));
        let (claimer, context) = (forwarder(&claim), (&raw mut claim).cast());
        // SAFETY: the module is open and this thread's; the claim gets its closure; the buffers are ours.
        let status = unsafe {
            let (object, error) = (&raw mut object.buffer, &raw mut error.buffer);
            match what {
                What::Function(root) | What::Often(root) => {
                    let often = matches!(what, What::Often(_));
                    (api.compile)(self.module, root, often, claimer, context, object, error)
                }
                What::Continuation(root) => {
                    (api.compile_continuation)(self.module, root, map.as_ptr(), map.len(), object, error)
                }
                What::Everything => (api.compile_all)(self.module, claimer, context, object, error),
            }
        };
        if status == 0 { Ok(object) } else { Err(error.text()) }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the handle came from this engine, and is closed here alone.
        unsafe { (self.engine.0.close)(self.module) }
    }
}
