//! What is kept of a module while it is compiled: the engine's handle, its bitcode, and whether the cache was asked.

use std::mem::ManuallyDrop;

use autojit_code::lock::{Guard, Lock};

use crate::compile::engine::EngineHandle;
use crate::compile::{baseline, cache, engine};
use crate::link::listeners::Listener;
use crate::program::image::Image;
use crate::program::module::Module;

/// What is attached to a module.
struct State {
    /// What the object cache was asked for.
    bound: Lock<Bound>,
    /// Its bitcode, as the baseline compiler has it.
    bitcode: Lock<baseline::SessionState>,
    /// The engine's handle, once there is one. The engine wants one thread at a time in a module.
    engine: Lock<EngineHandle>,
}

/// What the object cache was asked for of a module.
#[derive(Default)]
struct Bound {
    optimised: bool,
    rest: bool,
}

impl Bound {
    fn bind_optimised(&mut self, module: &'static Module) {
        if !std::mem::replace(&mut self.optimised, true) {
            cache::bind_optimised(module);
        }
    }
}

fn state(module: &Module) -> &State {
    module.attachment().get_or_init(|| State {
        bound: Lock::new(Bound::default()),
        bitcode: Lock::new(baseline::SessionState::Closed),
        engine: Lock::new(EngineHandle(None)),
    })
}

/// Binds what the object cache has of the module, once. Other threads that enter the module wait.
pub fn bind_cached(module: &'static Module) {
    let mut bound = state(module).bound.lock();
    bound.bind_optimised(module);
    if !std::mem::replace(&mut bound.rest, true) {
        cache::bind_rest(module);
    }
}

/// Binds the optimised code that the object cache has of the module, if its container can be had: it replaces code that counts.
pub fn bind_optimised(module: &'static Module) {
    if cache::is_used() && module.open().is_ok() {
        state(module).bound.lock().bind_optimised(module);
    }
}

/// Whether the object cache was asked for all of its code, and what it has is bound.
pub fn is_bound(module: &Module) -> bool {
    known(module).is_some_and(|state| state.bound.try_lock().is_some_and(|bound| bound.rest))
}

/// The engine's handle, for the calling thread alone.
pub fn lock_engine(module: &Module) -> Guard<'_, EngineHandle> {
    state(module).engine.lock()
}

/// Its bitcode, for the calling thread alone.
pub fn lock_bitcode(module: &Module) -> Guard<'_, baseline::SessionState> {
    state(module).bitcode.lock()
}

fn known(module: &Module) -> Option<&State> {
    module.known_attachment()?.get()
}

/// Lets go of what is kept of the modules of an image, once its functions cannot be called any more.
#[derive(Debug)]
pub struct Modules;

impl Listener for Modules {
    fn unloaded(&self, image: &Image) {
        image.known_modules().filter_map(known).for_each(close);
    }
}

fn close(state: &State) {
    *state.bitcode.lock() = baseline::SessionState::Closed;
    if let Some(handle) = state.engine.lock().0.take()
        && engine::get().enter().is_ok()
    {
        // Without a stack its memory is lost, and nothing else.
        let mut handle = ManuallyDrop::new(handle);
        // SAFETY: dropped once.
        let _ = engine::on_its_stack(|| unsafe { ManuallyDrop::drop(&mut handle) });
    }
}
