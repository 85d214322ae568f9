//! One batch: functions that are claimed, compiled, linked and published together.
//!
//! Receives a cold function; hands on ready ones. Only the module's lock is held, and only while the engine works on
//! the module: other modules compile at the same time, and threads that wait for a function of the batch sleep on its
//! state.

use std::cell::RefCell;
use std::ffi::c_void;

use autojit_abi::{EngineApi, OpenOptions};
use autojit_code::lock::Guard;
use autojit_code::{Unit, describe, place};

use crate::engine::Owned;
use crate::failure::Failure;
use crate::function::Function;
use crate::module::{EngineHandle, Module, Opened};
use crate::publish::{Origin, publish};
use crate::symbols::{self, Names};
use crate::{cache, lifecycle, names, stats, sys};

/// Functions that this thread owns until they are published; what is left over becomes cold again on drop.
struct Batch {
    module: &'static Module,
    claimed: RefCell<Vec<&'static Function>>,
}

/// Makes `root` ready, with those that the engine compiles along; or returns because another thread owns it, or has
/// made it ready, by now.
///
/// # Errors
/// It cannot be had. It is marked as failed, and the process is to end.
pub fn compile(root: &'static Function) -> Result<(), Failure> {
    let module = root.module();
    module.open()?;
    lifecycle::notice_unloads();
    // The module is entered for the first time: what the cache has of it is bound, most likely with this function.
    module.bind_cached();
    if root.code().is_some() {
        return Ok(());
    }
    module.verify()?;
    // Before the module's lock: threads that compile in other modules may wait for the engine, too.
    let api = lifecycle::engine().api()?;
    let handle = module.lock_engine();
    // Not earlier: the thread that held the lock may have compiled it along.
    let Some(batch) = Batch::claim(root) else { return Ok(()) };
    let result = batch.run(api, handle, Some(root)).and_then(|()| match root.code() {
        Some(_) => Ok(()),
        None => Err(Failure::new(format_args!("generating code: the compiler did not define it"))),
    });
    cache::flush_if_due();
    result.inspect_err(|_| {
        batch.claimed.borrow_mut().retain(|function| !std::ptr::eq(*function, root));
        root.fail();
    })
}

/// Makes all functions of a module ready that are cold, for a debugger, to which the module is described in full.
///
/// # Errors
/// They cannot be had at once. They are cold, and each may still be had by itself.
pub fn compile_all(module: &'static Module) -> Result<(), Failure> {
    let api = lifecycle::engine().api()?;
    let handle = module.lock_engine();
    module.open()?;
    if handle.0.is_null() {
        module.describe_in_full();
    }
    let batch = Batch { module, claimed: RefCell::default() };
    batch.run(api, handle, None)
}

impl Batch {
    fn claim(root: &'static Function) -> Option<Self> {
        root.claim().then(|| Self { module: root.module(), claimed: RefCell::new(vec![root]) })
    }

    /// Compiles, links and publishes. The module stays locked while the engine works on it.
    fn run(
        &self,
        api: &'static EngineApi,
        mut handle: Guard<'_, EngineHandle>,
        root: Option<&Function>,
    ) -> Result<(), Failure> {
        let start = sys::monotonic_time();
        let object = self.run_engine(api, &mut handle, root);
        drop(handle);
        let compiled = sys::monotonic_time();
        stats::COUNTERS.compile_time.add_time(compiled - start);
        let object = object?;
        let result = if object.bytes().is_empty() { Ok(()) } else { self.finish(object) };
        stats::COUNTERS.link_time.add_time(sys::monotonic_time() - compiled);
        result
    }

    /// Has the engine compile the batch that it chooses around `root`, or, without a root, whatever is cold.
    fn run_engine(
        &self,
        api: &'static EngineApi,
        handle: &mut EngineHandle,
        root: Option<&Function>,
    ) -> Result<Owned, Failure> {
        let (mut object, mut error) = (Owned::empty(api), Owned::empty(api));
        if handle.0.is_null() {
            let Opened { bytes, place, .. } = self.module.open()?;
            let options = OpenOptions {
                opt_override: lifecycle::opt_override(),
                batch_limit: 0,
                full_debug: self.module.described_in_full(),
            };
            // SAFETY: the container is mapped for ever; the pointers are to variables of this function.
            let status = unsafe {
                (api.open)(bytes.as_ptr(), bytes.len(), &raw const options, &raw mut handle.0, error.out())
            };
            if status != 0 {
                return Err(Failure::new(format_args!("reading its bitcode in {place}: {}", error.text())));
            }
        }
        stats::COUNTERS.batches.add(1);
        // SAFETY: the module is open, and locked by the caller; claim_callback gets the batch that it expects.
        let status = unsafe {
            let context = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
            match root {
                Some(root) => {
                    let (index, out, error) = (root.index(), object.out(), error.out());
                    (api.compile)(handle.0, index, claim_callback, context, out, error)
                }
                None => (api.compile_all)(handle.0, claim_callback, context, object.out(), error.out()),
            }
        };
        if status != 0 {
            return Err(Failure::new(format_args!(
                "generating code: {}; build its file without autojit",
                error.text()
            )));
        }
        Ok(object)
    }

    /// Links and publishes the object.
    fn finish(&self, object: Owned) -> Result<(), Failure> {
        // Lines stay in the object until somebody asks for them.
        let (mut held, mut lines) = (None, None);
        let object = if describe::has_lines(object.bytes()) {
            *lines.insert(object.leak())
        } else {
            held.insert(object).bytes()
        };
        let failure = |error: &dyn std::fmt::Display| {
            Failure::new(format_args!("linking its code: {error}; build its file without autojit"))
        };
        let memory = self.module.image().memory()?;
        let mut names = Names { module: self.module, owned: &symbols::is_chosen };
        let unit = Unit::of(object).map_err(|error| failure(&error))?;
        let linked = place(&unit, memory, &mut names).map_err(|error| failure(&error))?;
        let described = lines.map_or(names::Lines::None, names::Lines::Object);
        let origin = Origin::Compiled { object, claimed: &self.claimed.borrow() };
        publish(self.module, memory, linked, described, origin).map_err(|error| failure(&error))?;
        // What a debugger wants to know is no use to others.
        if !self.module.described_in_full() {
            cache::keep(self.module, unit, lines);
        }
        Ok(())
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for function in self.claimed.get_mut().drain(..) {
            if function.code().is_none() {
                function.unclaim();
            }
        }
    }
}

/// Whether the engine may take function `index` of the module into the batch: it is cold, and it is the definition
/// that its name stands for (another module's may have won).
unsafe extern "C" fn claim_callback(context: *mut c_void, index: u32) -> bool {
    // SAFETY: run_engine passes the batch, and waits for the engine.
    let batch = unsafe { &*context.cast::<Batch>() };
    let Some(function) = batch.module.function(index) else { return false };
    let wanted = symbols::chosen(function).is_some_and(|chosen| std::ptr::eq(chosen, function));
    let granted = wanted && function.claim();
    if granted {
        batch.claimed.borrow_mut().push(function);
    }
    granted
}
