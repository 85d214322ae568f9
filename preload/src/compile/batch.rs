//! One batch: functions that are claimed, compiled, linked and published together.
//!
//! Receives a cold function; hands on ready ones. Only the module's lock is held, and only while the engine works on
//! the module: other modules compile at the same time, and threads that wait for a function of the batch sleep on its
//! state.

use std::cell::RefCell;
use std::ffi::c_void;
use std::time::Duration;

use autojit_abi::{CONTINUATION_SUFFIX, EngineApi, OpenOptions, StackMap};
use autojit_code::lock::Guard;
use autojit_code::unit::Lines;
use autojit_code::{Symbol, Unit, describe_unit, place};
use autojit_protocol::What;

use crate::compile::compiler::{Compiler, Held, Object};
use crate::compile::daemon::{self, Gone};
use crate::compile::engine::{self, Owned};
use crate::compile::modules::{self, EngineHandle};
use crate::compile::{baseline, cache, image_cache};
use crate::link::lines;
use crate::link::publish::{Publication, publish};
use crate::program::function::{Function, State, Tier};
use crate::program::module::{Module, Opened};
use crate::program::process;
use crate::program::symbols::{self, Names};
use crate::settings::failure::Failure;
use crate::settings::options;
use crate::settings::stats::{self, Counter};
use crate::settings::trace;
use crate::sys;

/// Functions that this thread owns until they are published; what is left over becomes cold again on drop.
pub struct Batch<'w> {
    module: &'static Module,
    claimed: RefCell<Vec<&'static Function>>,
    /// It has all of the module's own functions, by index, and is kept for debuggers.
    whole: Option<&'w [bool]>,
    /// It replaces code of the first tier, for a function that runs often.
    replaces: bool,
}

/// Makes `root` ready, with those that the engine compiles along; or returns because another thread owns it, or has
/// made it ready, by now.
///
/// # Errors
/// It cannot be had. It is marked as failed, and the process is to end.
pub fn compile(root: &'static Function) -> Result<(), Failure> {
    let module = root.module();
    process::notice_unloads();
    if baseline::is_alone() {
        module.open()?;
    } else {
        // Most often with what the program has called next in earlier runs.
        let since = trace::begin();
        image_cache::bind(root);
        trace::note("bind from the image's file", since, String::new);
        if root.code().is_some() {
            return Ok(());
        }
        module.open()?;
        // The module is entered for the first time: what the cache has of it is bound, most likely with this function.
        let since = trace::begin();
        modules::bind_cached(module);
        trace::note("bind from the module's file", since, || module.source().to_string());
        if root.state() == State::Cold {
            cache::bind_copies(root);
        }
        // Another thread may be binding it, too.
        if root.state() != State::Cold {
            return Ok(());
        }
    }
    if baseline::serves(module) {
        baseline::compile(root)?;
        if root.state() != State::Cold {
            cache::flush_if_due();
            return Ok(());
        }
    }
    // Before the module's lock: threads that compile in other modules may wait for the engine, too.
    let compiler = Compiler::choose()?;
    let handle = modules::lock_engine(module);
    // Not earlier: the thread that held the lock may have compiled it along.
    let Some(batch) = Batch::claim(root) else { return Ok(()) };
    let result = batch.run(compiler, handle, Some(root)).and_then(|()| match root.code() {
        Some(_) => Ok(()),
        None => Err(Failure::new(format_args!("generating code: the compiler did not define it"))),
    });
    cache::flush_if_due();
    result.inspect_err(|_| {
        batch.claimed.borrow_mut().retain(|function| !std::ptr::eq(*function, root));
        root.fail();
    })
}

/// Has the engine of this process compile what replaces a function's code of the first tier.
///
/// # Errors
/// It cannot be had.
pub fn replace_here(root: &'static Function, api: &'static EngineApi) -> Result<(), Failure> {
    let module = root.module();
    let handle = modules::lock_engine(module);
    let mut batch = Batch::of(module, None);
    batch.replaces = true;
    if !root.claim_replacement() {
        return Ok(());
    }
    batch.claimed.get_mut().push(root);
    batch.run(Compiler::Engine(api), handle, Some(root))
}

/// Publishes what autojitd has compiled to replace a function's code of the first tier.
///
/// # Errors
/// It cannot be had.
pub fn replace_with(root: &'static Function, code: daemon::Code) -> Result<(), Failure> {
    let mut batch = Batch::of(root.module(), None);
    batch.replaces = true;
    let counter = &stats::COUNTERS.from_daemon;
    batch.accept(code, Some(root), counter, || ()).map_err(|error| Failure::new(format_args!("{error}")))?
}

/// Has the engine of this process compile the continuation of a function from a loop header on, and returns its address.
///
/// # Errors
/// It cannot be had.
pub fn continue_here(
    function: &'static Function,
    map: &StackMap,
    api: &'static EngineApi,
) -> Result<usize, Failure> {
    let map = encode(map)?;
    let module = function.module();
    let mut handle = modules::lock_engine(module);
    let what = What::Continuation(function.index());
    let object = run_engine(module, api, &mut handle, what, &map, &|_| false)?;
    drop(handle);
    Batch::of(module, None).link_continuation(&Held::new(Object::Engine(object)))
}

/// The bytes of a stack map.
///
/// # Errors
/// It is too large.
pub fn encode(map: &StackMap) -> Result<Vec<u8>, Failure> {
    map.encode().ok_or_else(|| Failure::new(format_args!("too much is live at the loop")))
}

/// Publishes a continuation that autojitd has compiled, and returns its address.
///
/// # Errors
/// It cannot be had.
pub fn continue_with(function: &'static Function, code: daemon::Code) -> Result<usize, Failure> {
    Batch::of(function.module(), None).link_continuation(&Held::new(Object::Daemon(code.object)))
}

/// The two halves of a batch, for the statistics: compiling, with the module locked, and linking.
struct Halves<'a> {
    handle: Option<Guard<'a, EngineHandle>>,
    since: Duration,
    module: &'static Module,
}

impl Halves<'_> {
    /// The functions of the batch are claimed, and their code is there.
    fn compiled(&mut self) {
        if self.handle.take().is_some() {
            let now = sys::monotonic_time();
            stats::COUNTERS.compile_time.add_time(now - self.since);
            trace::note("LLVM", Some(self.since), || self.module.source().to_string());
            self.since = now;
        }
    }
}

impl Drop for Halves<'_> {
    fn drop(&mut self) {
        self.compiled();
        stats::COUNTERS.link_time.add_time(sys::monotonic_time() - self.since);
        trace::note("link and publish", Some(self.since), || self.module.source().to_string());
    }
}

impl<'w> Batch<'w> {
    /// Of no functions yet. `whole`: of which the module defines, if it is to have all of them.
    pub fn of(module: &'static Module, whole: Option<&'w [bool]>) -> Self {
        Self { module, claimed: RefCell::default(), whole, replaces: false }
    }

    fn claim(root: &'static Function) -> Option<Self> {
        root.claim().then(|| Self { claimed: RefCell::new(vec![root]), ..Self::of(root.module(), None) })
    }

    /// Compiles, links and publishes what is chosen around `root`, or, without a root, whatever is cold. The module stays
    /// locked while it is compiled.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn run(
        &self,
        compiler: Compiler,
        handle: Guard<'_, EngineHandle>,
        root: Option<&'static Function>,
    ) -> Result<(), Failure> {
        let mut halves = Halves { handle: Some(handle), since: sys::monotonic_time(), module: self.module };
        stats::COUNTERS.batches.add(1);
        let api = match compiler {
            Compiler::Engine(api) => api,
            Compiler::Daemon => match self.run_daemon(&mut halves, root) {
                Ok(result) => return result,
                Err(gone) => Compiler::instead_of(gone)?,
            },
        };
        let handle = halves.handle.as_mut().expect("the module is locked until its code is there");
        let claim = |index| self.claim_index(index);
        let what = match root.map(Function::index) {
            Some(root) if self.replaces => What::Often(root),
            Some(root) => What::Function(root),
            None => What::Everything,
        };
        let object = Held::new(Object::Engine(run_engine(self.module, api, handle, what, &[], &claim)?));
        halves.compiled();
        if object.bytes().is_empty() {
            return Ok(());
        }
        let container = &self.module.open()?.container;
        let unit = autojit_cache::unit_of(object.bytes(), container).map_err(|error| cannot_link(&error))?;
        self.finish(unit, &object, &stats::COUNTERS.compiled, true)
    }

    /// Has autojitd compile it, which chooses without knowing what is cold; links and publishes it as well.
    ///
    /// # Errors
    /// Nobody answers.
    fn run_daemon(
        &self,
        halves: &mut Halves<'_>,
        root: Option<&Function>,
    ) -> Result<Result<(), Failure>, Gone> {
        let what = root.map_or(What::Everything, |root| What::Function(root.index()));
        daemon::request(self.module, what, Compiler::may_spawn(), |code| -> Result<_, String> {
            self.accept(code, root, &stats::COUNTERS.from_daemon, || halves.compiled())
        })
        .map(Result::flatten)
    }

    /// Links and publishes what autojitd has compiled around `root`. `counter` counts it; `claimed` is called when its
    /// functions are claimed.
    ///
    /// # Errors
    /// It is no answer. Or it cannot be had.
    fn accept(
        &self,
        code: daemon::Code,
        root: Option<&Function>,
        counter: &'static Counter,
        claimed: impl FnOnce(),
    ) -> Result<Result<(), Failure>, String> {
        let object = Held::new(Object::Daemon(code.object));
        if object.bytes().is_empty() && root.is_none() {
            return Ok(Ok(()));
        }
        let container = &self.module.open().map_err(|failure| failure.to_string())?.container;
        let unit = autojit_cache::unit_of(object.bytes(), container);
        let unit = unit.map_err(|error| format!("an object with {error}"))?;
        self.claim_defined(&unit, root)?;
        claimed();
        // What autojitd keeps is code whose calls are bound.
        let keep = !code.kept || options::calls_pass_stubs();
        Ok(self.finish(unit, &object, counter, keep))
    }

    /// Claims the functions that a unit defines, if they are cold. What others have made ready, or are about to, stays.
    ///
    /// # Errors
    /// `root` is not among them.
    pub fn claim_defined(&self, unit: &Unit<'_>, root: Option<&Function>) -> Result<(), String> {
        let mut found = root.is_none();
        for function in unit.functions.iter().filter(|function| function.global) {
            if let Symbol::Function(index) = function.symbol {
                found |= root.is_some_and(|root| root.index() == index);
                self.claim_index(index);
            }
        }
        if found { Ok(()) } else { Err("code without the function".into()) }
    }

    /// Claims function `index` of the module, if it is cold, and the definition that its name stands for (another
    /// module's may have won).
    fn claim_index(&self, index: u32) -> bool {
        let Some(function) = self.module.function(index) else { return false };
        let granted = symbols::is_chosen(function)
            && (function.claim() || self.replaces && function.claim_replacement());
        if granted {
            self.claimed.borrow_mut().push(function);
        }
        granted
    }

    /// Links and publishes the unit of an object, whose functions `counter` counts, and keeps it for later runs if `keep`.
    fn finish(
        &self,
        mut unit: Unit<'static>,
        object: &Held,
        counter: &'static Counter,
        keep: bool,
    ) -> Result<(), Failure> {
        unit.lines = object.lines().map(|object| unit.lines_of(object)).into_iter().collect();
        let lines = lines::Lines::Objects(unit.lines.clone());
        self.link(&unit, lines, &unit.lines, counter, &[])?;
        match self.whole {
            Some(functions) => {
                cache::keep_described(self.module, functions, object.bytes());
            }
            // What a debugger wants to know is no use to others.
            None if !self.module.described_in_full() => {
                cache::keep(self.module, unit, keep);
            }
            None => {}
        }
        Ok(())
    }

    /// Links and publishes a continuation, which nothing leads to, and returns its address.
    ///
    /// # Errors
    /// It cannot be linked.
    fn link_continuation(&self, object: &Held) -> Result<usize, Failure> {
        let container = &self.module.open()?.container;
        let unit = autojit_cache::unit_of(object.bytes(), container);
        let mut unit = unit.map_err(|error| cannot_link(&error))?;
        unit.lines = object.lines().map(|object| unit.lines_of(object)).into_iter().collect();
        let mut functions = unit.functions.iter().zip(unit.names.iter());
        let offset = functions
            .find(|(function, name)| function.global && name.ends_with(CONTINUATION_SUFFIX))
            .map(|(function, _)| function.offset as usize)
            .ok_or_else(|| Failure::new(format_args!("generating code: no continuation has come")))?;
        let memory = self.module.image().memory();
        let mut names = Names { module: self.module, owned: &|_| false };
        let linked = place(&unit, memory, &mut names).map_err(|error| cannot_link(&error))?;
        let address = std::cell::Cell::new(0);
        let publication = Publication {
            claimed: &[],
            tier: Tier::Last,
            unnamed: &|text| {
                address.set(text + offset);
                0
            },
            description: (describe_unit(&unit), unit.functions.len()),
            lines: lines::Lines::Objects(unit.lines.clone()),
            objects: &unit.lines,
        };
        publish(self.module, memory, linked, publication).map_err(|error| cannot_link(&error))?;
        Ok(address.get())
    }

    /// Links and publishes those functions of a unit that are claimed. `counter` counts them, but for those that `kept` has
    /// by index, which are from the cache. `objects` tell debuggers more of it.
    ///
    /// # Errors
    /// It cannot be linked.
    pub fn link(
        &self,
        unit: &Unit<'_>,
        lines: lines::Lines,
        objects: &[Lines<'_>],
        counter: &'static Counter,
        kept: &[bool],
    ) -> Result<(), Failure> {
        let memory = self.module.image().memory();
        let mut claimed = self.claimed.borrow_mut();
        claimed.sort_unstable_by_key(|function| function.index());
        let find = |index| claimed.binary_search_by_key(&index, |function| function.index()).ok();
        let owned =
            |function: &'static Function| find(function.index()).is_some() && symbols::is_chosen(function);
        let mut names = Names { module: self.module, owned: &owned };
        let linked = place(unit, memory, &mut names).map_err(|error| cannot_link(&error))?;
        let globals = unit.functions.iter().filter(|function| function.global);
        let defined = globals.filter_map(|definition| match definition.symbol {
            Symbol::Function(index) => Some((claimed[find(index)?], definition.offset)),
            _ => None,
        });
        let defined: Vec<_> = defined.collect();
        let publication = Publication {
            claimed: &defined,
            tier: Tier::Last,
            unnamed: &|_| 0,
            description: (describe_unit(unit), unit.functions.len()),
            lines,
            objects,
        };
        let replaced = defined.iter().filter(|(function, _)| function.tier() == Tier::Replaced).count();
        publish(self.module, memory, linked, publication).map_err(|error| cannot_link(&error))?;
        stats::COUNTERS.optimized.add(replaced as u64);
        for (function, _) in &defined {
            let is_kept = kept.get(function.index() as usize) == Some(&true);
            if is_kept { &stats::COUNTERS.from_cache } else { counter }.add(1);
        }
        Ok(())
    }
}

/// Has the engine compile the batch that it chooses around a function of a module, or all functions that `claim` grants, or
/// the continuation of a function with a stack map. The module is locked by the caller.
///
/// # Errors
/// LLVM's.
pub fn run_engine(
    module: &'static Module,
    api: &'static EngineApi,
    handle: &mut EngineHandle,
    what: What,
    map: &[u8],
    claim: &dyn Fn(u32) -> bool,
) -> Result<Owned, Failure> {
    module.verify()?;
    engine::on_its_stack(|| call_engine(module, api, handle, what, map, claim))?
}

/// The same, on a stack that is large enough for it.
fn call_engine(
    module: &'static Module,
    api: &'static EngineApi,
    handle: &mut EngineHandle,
    what: What,
    map: &[u8],
    claim: &dyn Fn(u32) -> bool,
) -> Result<Owned, Failure> {
    let (mut object, mut error) = (Owned::empty(api), Owned::empty(api));
    if handle.0.is_null() {
        let Opened { bytes, place, .. } = module.open()?;
        let options = OpenOptions {
            opt_override: options::opt_override(),
            batch_limit: 0,
            full_debug: module.described_in_full(),
        };
        // SAFETY: the container is mapped for ever; the pointers are to variables of this function.
        let status = unsafe {
            (api.open)(bytes.as_ptr(), bytes.len(), &raw const options, &raw mut handle.0, error.out())
        };
        if status != 0 {
            return Err(Failure::new(format_args!("reading its bitcode in {place}: {}", error.text())));
        }
    }
    // SAFETY: the module is open, and locked by the caller; claim_callback gets the pointer that it expects.
    let status = unsafe {
        let context = (&raw const claim).cast_mut().cast::<c_void>();
        match what {
            What::Function(root) | What::Often(root) => {
                let (out, error, often) = (object.out(), error.out(), matches!(what, What::Often(_)));
                (api.compile)(handle.0, root, often, claim_callback, context, out, error)
            }
            What::Continuation(root) => {
                let (out, error) = (object.out(), error.out());
                (api.compile_continuation)(handle.0, root, map.as_ptr(), map.len(), out, error)
            }
            What::Everything => {
                (api.compile_all)(handle.0, claim_callback, context, object.out(), error.out())
            }
        }
    };
    if status != 0 {
        return Err(engine::cannot_generate(what, &error.text()));
    }
    Ok(object)
}

/// What is wrong with an object.
pub fn cannot_link(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format_args!("linking its code: {error}; build its file without autojit"))
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for function in self.claimed.get_mut().drain(..) {
            match function.code() {
                None => function.unclaim(),
                Some(_) => function.unclaim_replacement(),
            }
        }
    }
}

/// Whether the engine may take function `index` of the module into the batch.
unsafe extern "C" fn claim_callback(context: *mut c_void, index: u32) -> bool {
    // SAFETY: run_engine passes its parameter of this type, and waits for the engine.
    let claim = unsafe { &*context.cast::<&dyn Fn(u32) -> bool>() };
    claim(index)
}
