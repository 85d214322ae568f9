//! LLVM's ORC, in the engine (libautojit-engine.so), behind its C interface (`autojit_abi`).
//!
//! Receives the engine's entry, however that was loaded; hands on units. The ELF object that LLVM writes is read here and
//! nowhere else, and goes back to the engine at once; of one that describes lines, a copy stays with the unit.

use std::ffi::c_void;

use autojit_abi::{Buffer, ENGINE_ABI, EngineApi, EngineModule, GENERATOR, OpenOptions};
use autojit_code::{LinkError, Unit, describe};
use autojit_protocol::Scope;
use autojit_store::Container;

use crate::{Error, Generator, Id, Made, Request, number};

/// An engine of this build, loaded for ever.
#[derive(Clone, Copy, Debug)]
pub struct Engine(&'static EngineApi);

/// Why an engine is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Its interface has this version.
    Interface(u32),
    /// It generates other code than this build takes it to.
    Generator,
}

impl Engine {
    /// The engine whose `ENGINE_SYMBOL` is at `entry`.
    ///
    /// # Errors
    /// It is of another build.
    ///
    /// # Safety
    /// It is that symbol's address, in a library that is never unloaded.
    pub unsafe fn at(entry: *const c_void) -> Result<Self, Mismatch> {
        // SAFETY: the symbol's type and the lifetime of its result (autojit_abi); the caller's promise.
        let api = unsafe {
            let entry: extern "C" fn() -> *const EngineApi = std::mem::transmute(entry);
            &*entry()
        };
        if api.abi != ENGINE_ABI {
            return Err(Mismatch::Interface(api.abi));
        }
        // What it compiles is kept under this name.
        if api.generator != GENERATOR { Err(Mismatch::Generator) } else { Ok(Self(api)) }
    }

    /// LLVM's major version.
    pub fn llvm_major(self) -> u32 {
        self.0.llvm_major
    }

    /// Opens a module with the container in `bytes`.
    ///
    /// # Errors
    /// The engine's message.
    ///
    /// # Safety
    /// `bytes` must stay as long as the module.
    pub unsafe fn open(self, bytes: &[u8], level: i32, full_debug: bool) -> Result<OrcModule, String> {
        let options = OpenOptions { opt_override: level, batch_limit: 0, full_debug };
        let (mut handle, mut error) = (std::ptr::null_mut(), Output::new(self));
        // SAFETY: the caller keeps the bytes; the pointers are to variables of this function.
        let status = unsafe {
            (self.0.open)(
                bytes.as_ptr(),
                bytes.len(),
                &raw const options,
                &raw mut handle,
                &raw mut error.buffer,
            )
        };
        if status == 0 {
            Ok(OrcModule { engine: self, handle, bytes: &raw const *bytes, full_debug })
        } else {
            Err(error.text())
        }
    }
}

/// What the engine gives out, given back on drop.
#[derive(Debug)]
struct Output {
    engine: Engine,
    buffer: Buffer,
}

impl Output {
    fn new(engine: Engine) -> Self {
        Self { engine, buffer: Buffer::EMPTY }
    }

    fn bytes(&self) -> &[u8] {
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

/// A module that the engine has open; closed on drop.
#[derive(Debug)]
pub struct OrcModule {
    engine: Engine,
    handle: *mut EngineModule,
    /// Its container.
    bytes: *const [u8],
    full_debug: bool,
}

// SAFETY: the engine lets any thread use a module, one at a time (autojit_abi); the container is only read.
unsafe impl Send for OrcModule {}

impl OrcModule {
    fn container(&self) -> Result<Container<'_>, Error> {
        // SAFETY: it stays as long as the module (`open`).
        let bytes = unsafe { &*self.bytes };
        // Its index was checked when the engine opened it.
        Container::open(bytes).map_err(|error| Error::Failed(format!("reading its container: {error}")))
    }

    fn object(&mut self, request: &Request<'_>) -> Result<Output, String> {
        /// Whether the engine may take a function of the module into what it compiles.
        unsafe extern "C" fn claim(context: *mut c_void, index: u32) -> bool {
            // SAFETY: the context is the request's closure, which is there during the call.
            let claim = unsafe { &*context.cast::<&dyn Fn(u32) -> bool>() };
            claim(index)
        }
        let api = self.engine.0;
        let (mut object, mut error) = (Output::new(self.engine), Output::new(self.engine));
        let context = (&raw const request.claim).cast_mut().cast::<c_void>();
        // SAFETY: the module is open and this thread's; `claim` gets its closure; the buffers are ours.
        let status = unsafe {
            let (object, error) = (&raw mut object.buffer, &raw mut error.buffer);
            match request.what {
                Scope::Function(root) | Scope::Often(root) => {
                    let often = matches!(request.what, Scope::Often(_));
                    (api.compile)(self.handle, root, often, claim, context, object, error)
                }
                Scope::Continuation(root) => {
                    let (map, len) = (request.stack_map.as_ptr(), request.stack_map.len());
                    (api.compile_continuation)(self.handle, root, map, len, object, error)
                }
                Scope::Everything => (api.compile_all)(self.handle, claim, context, object, error),
            }
        };
        if status == 0 { Ok(object) } else { Err(error.text()) }
    }
}

impl Generator for OrcModule {
    fn id(&self) -> &'static Id {
        &GENERATOR
    }

    fn compile(&mut self, request: &Request<'_>) -> Result<Option<Made>, Error> {
        let object = self.object(request).map_err(Error::Refused)?;
        if object.bytes().is_empty() {
            return Ok(None);
        }
        let mut unit = unit_of(object.bytes(), &self.container()?)?;
        if self.full_debug || describe::has_lines(object.bytes()) {
            unit.lines.push(unit.lines_of(object.bytes().to_vec()));
        }
        Ok(Some(unit.into()))
    }
}

impl Drop for OrcModule {
    fn drop(&mut self) {
        // SAFETY: the handle came from this engine, and is closed here alone.
        unsafe { (self.engine.0.close)(self.handle) }
    }
}

/// The unit of an object that LLVM has made of the container's module.
fn unit_of(object: &[u8], container: &Container<'_>) -> Result<Unit<'static>, LinkError> {
    Unit::of(object, &|name| number(container, name))
}
