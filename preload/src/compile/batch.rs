//! One batch: functions that are claimed, compiled, linked and published together.
//!
//! Receives a cold function; hands on ready ones. Only the module's lock is held, and only while the engine works on
//! the module: other modules compile at the same time, and threads that wait for a function of the batch sleep on its
//! state.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use autojit_abi::{CONTINUATION_SUFFIX, GENERATOR, StackMap};
use autojit_code::lock::Guard;
use autojit_code::unit::Lines;
use autojit_code::{Symbol, Unit, describe_unit, link};
use autojit_generator::{Made, Request, defined, orc};
use autojit_protocol::Scope;

use crate::compile::compiler::Compiler;
use crate::compile::engine::EngineHandle;
use crate::compile::failures::cannot_link;
use crate::compile::{baseline, cache, image_cache, modules};
use crate::link::lines;
use crate::link::publish::{Claim, Publication, publish};
use crate::program::function::{Function, FunctionState, Tier};
use crate::program::module::Module;
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
        if root.state() == FunctionState::Cold {
            cache::bind_copies(root);
        }
        // Another thread may be binding it, too.
        if root.state() != FunctionState::Cold {
            return Ok(());
        }
    }
    if baseline::serves(module) {
        baseline::compile(root)?;
        if root.state() != FunctionState::Cold {
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
pub fn replace_here(root: &'static Function, engine: orc::Engine) -> Result<(), Failure> {
    let module = root.module();
    let handle = modules::lock_engine(module);
    let mut batch = Batch::of(module, None);
    batch.replaces = true;
    if !root.claim_replacement() {
        return Ok(());
    }
    batch.claimed.get_mut().push(root);
    batch.run(Compiler::Engine(engine), handle, Some(root))
}

/// Publishes what autojitd has compiled to replace a function's code of the first tier.
///
/// # Errors
/// It cannot be had.
pub fn replace_with(root: &'static Function, made: Made) -> Result<(), Failure> {
    let mut batch = Batch::of(root.module(), None);
    batch.replaces = true;
    batch.claim_defined(&made.unit);
    batch.finish(made, &stats::COUNTERS.from_daemon)
}

/// Has the engine of this process compile the continuation of a function from a loop header on, and returns its address.
///
/// # Errors
/// It cannot be had.
pub fn continue_here(
    function: &'static Function,
    map: &StackMap,
    engine: orc::Engine,
) -> Result<usize, Failure> {
    let map = encode(map)?;
    let module = function.module();
    let mut handle = modules::lock_engine(module);
    let what = Scope::Continuation(function.index());
    let request = Request { what, stack_map: &map, claim: &|_| false };
    let (made, _) = Compiler::Engine(engine).compile(module, &mut handle, &request)?;
    drop(handle);
    made.map_or_else(|| Err(no_continuation()), |made| continue_with(function, made))
}

/// The bytes of a stack map.
///
/// # Errors
/// It is too large.
pub fn encode(map: &StackMap) -> Result<Vec<u8>, Failure> {
    map.encode().ok_or_else(|| Failure::new(format_args!("too much is live at the loop")))
}

fn no_continuation() -> Failure {
    Failure::new(format_args!("generating code: no continuation has come"))
}

/// Links and publishes the continuation of a function, which nothing leads to, and returns its address.
///
/// # Errors
/// It cannot be linked.
pub fn continue_with(function: &'static Function, made: Made) -> Result<usize, Failure> {
    let (module, unit) = (function.module(), made.unit);
    let mut functions = unit.functions.iter().zip(unit.names.iter());
    let offset = functions
        .find(|(function, name)| function.global && name.ends_with(CONTINUATION_SUFFIX))
        .map(|(function, _)| function.offset as usize)
        .ok_or_else(no_continuation)?;
    let memory = module.image().memory();
    let mut names = Names { module, owned: &|_| false };
    let linked = link(&unit, memory, &mut names).map_err(|error| cannot_link(&error))?;
    let address = Cell::new(0);
    let publication = Publication {
        claimed: &[],
        ready: &|_| (),
        unnamed: &|code| {
            address.set(code.text.start + offset);
            0
        },
        description: (describe_unit(&unit), unit.functions.len()),
        lines: lines::Lines::Objects(unit.lines.clone()),
        objects: &unit.lines,
    };
    publish(module, memory, linked, publication).map_err(|error| cannot_link(&error))?;
    Ok(address.get())
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
        let handle = halves.handle.as_mut().expect("the module is locked until its code is there");
        let claim = |index| self.claim_index(index);
        let what = match root.map(Function::index) {
            Some(root) if self.replaces => Scope::Often(root),
            Some(root) => Scope::Function(root),
            None => Scope::Everything,
        };
        let (made, counter) = compiler.compile(self.module, handle, &Request::new(what, &claim))?;
        halves.compiled();
        made.map_or(Ok(()), |made| self.finish(made, counter))
    }

    /// Claims the functions that a unit defines, if they are cold. What others have made ready, or are about to, stays.
    pub fn claim_defined(&self, unit: &Unit<'_>) {
        for index in defined(unit) {
            self.claim_index(index);
        }
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

    /// Links and publishes what a generator has made, whose functions `counter` counts, and keeps it for later runs.
    fn finish(&self, made: Made, counter: &'static Counter) -> Result<(), Failure> {
        let Made { unit, kept, mapped } = made;
        let lines = lines::Lines::Objects(unit.lines.clone());
        self.link(&unit, lines, &unit.lines, counter, &[])?;
        match self.whole {
            Some(functions) => cache::keep_described(self.module, functions, &unit),
            // What autojitd keeps is code whose calls are bound. What a debugger wants to know is no use to others.
            None if !self.module.described_in_full() => {
                cache::keep(
                    self.module,
                    &GENERATOR,
                    unit,
                    !kept || options::calls_pass_stubs(),
                    self.replaces,
                );
            }
            None => {}
        }
        // Lines are in the file when they are asked for; memory is for what is used.
        mapped.into_iter().for_each(sys::release_pages);
        Ok(())
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
        let linked = link(unit, memory, &mut names).map_err(|error| cannot_link(&error))?;
        let globals = unit.functions.iter().filter(|function| function.global);
        let defined = globals.filter_map(|definition| match definition.symbol {
            Symbol::Function(index) => Some(Claim::of(claimed[find(index)?], &definition)),
            _ => None,
        });
        let defined: Vec<_> = defined.collect();
        let publication = Publication {
            ready: &|_| (),
            claimed: &defined,
            unnamed: &|_| 0,
            description: (describe_unit(unit), unit.functions.len()),
            lines,
            objects,
        };
        let replaced = defined.iter().filter(|it| it.function.tier() == Tier::Replaced).count();
        publish(self.module, memory, linked, publication).map_err(|error| cannot_link(&error))?;
        stats::COUNTERS.optimized.add(replaced as u64);
        for Claim { function, .. } in &defined {
            let is_kept = kept.get(function.index() as usize) == Some(&true);
            if is_kept { &stats::COUNTERS.from_cache } else { counter }.add(1);
        }
        Ok(())
    }
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
