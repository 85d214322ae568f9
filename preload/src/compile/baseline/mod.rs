//! First calls without LLVM: the baseline compiler (crate autojit-baseline), one function at a time.
//!
//! Receives a cold function; hands on a ready one, or says that it is for the engine. The container's bitcode is opened once for
//! each module ([`pieces`]); everything behind the machine code ([`emit`]) is as for the engine's.

mod constants;
mod emit;
mod frames;
mod inlining;
pub mod lines;
mod pieces;

use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;
use std::fmt;
use std::mem::ManuallyDrop;

use autojit_abi::{BASELINE, StackMap};
use autojit_baseline::{Baseline, Code, RelocationKind, RelocationTarget};
use autojit_bitcode::{AttributeKind, BitcodeModule, FunctionBody, Global, Linkage};
use autojit_cache::BaselineCode;
use autojit_code::{Code as CompleteCode, describe_unit, link};
use autojit_generator::{Error, Generator, Id, Made, Request};
use autojit_protocol::Scope;
use autojit_store::{Container, Symbol};

use self::emit::Numbers;
use self::inlining::Inlining;
pub use self::pieces::FORK_LOCK;
use self::pieces::Pieces;
use crate::compile::{cache, counted, modules};
use crate::link::lines::Lines;
use crate::link::publish::{Claim, Publication, publish};
use crate::program::function::Function;
use crate::program::module::Module;
use crate::program::symbols::{self, Names};
use crate::settings::failure::Failure;
use crate::settings::{options, stats, trace};
use crate::sys;

/// The bitcode of a module, opened.
pub struct Open {
    /// Borrows the bitcode.
    compiler: ManuallyDrop<Baseline<'static>>,
    body: FunctionBody,
    pieces: Pieces,
    globals: Bodies,
    /// Globals that nothing defines.
    missing: BTreeSet<u32>,
    inlining: Inlining,
    numbers: Numbers,
}

// SAFETY: the reference counts in the compiler are shared within it alone: what it hands out has none.
unsafe impl Send for Open {}

impl Open {
    /// The code of a function, by its index among the globals.
    fn compile(&mut self, global: u32, counting: bool) -> Result<Code, Error> {
        self.read(global)?;
        self.compiler.compile(&self.body, counting).map_err(refused)
    }

    /// Reads the body of a function, by its index among the globals.
    fn read(&mut self, global: u32) -> Result<(), Error> {
        let bitcode = self.pieces.bitcode();
        let block = self.pieces.block(global).map_err(Error::Refused)?;
        bitcode
            .read_code(global, block, &mut self.body)
            .map_err(|error| Error::Refused(format!("its bitcode: {error:?}")))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: dropped once, and in front of what it borrows.
        unsafe { ManuallyDrop::drop(&mut self.compiler) };
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Open({} functions)", self.globals.defined.len())
    }
}

/// The functions of a container among the globals of its bitcode. They are in the same order, with others in between, so that
/// one is found a little behind its index, which its name confirms; else by name alone.
#[derive(Debug)]
struct Bodies {
    /// The globals that have bodies.
    defined: Vec<u32>,
    /// How far behind its index the last one was.
    shift: Cell<usize>,
    /// The same by name, once that was needed.
    by_name: OnceCell<Vec<(u32, u32)>>,
}

/// How far a function is looked for behind its index.
const NEAR: usize = 64;

impl Bodies {
    fn of(bitcode: &BitcodeModule<'_>) -> Self {
        let globals = 0..bitcode.globals().len() as u32;
        let mut defined = Vec::with_capacity(globals.len());
        defined.extend(globals.filter(|number| bitcode.has_body(*number)));
        Self { defined, shift: Cell::new(0), by_name: OnceCell::new() }
    }

    /// The index among the globals of a function of the container.
    fn find(&self, bitcode: &BitcodeModule<'_>, function: &Function) -> Option<u32> {
        let name = function.info().name.as_bytes();
        let is_it = |number: &u32| {
            bitcode.globals().get(*number as usize).is_some_and(|global| bitcode.name(global) == name)
        };
        let behind = self.defined.get(function.index() as usize..).unwrap_or_default();
        if let Some(number) = behind.get(self.shift.get()).copied().filter(is_it) {
            return Some(number);
        }
        if let Some(shift) = behind.iter().take(NEAR).position(is_it) {
            self.shift.set(shift);
            return Some(behind[shift]);
        }
        let by_name = self.by_name.get_or_init(|| {
            let of = |number: &u32| {
                let name = bitcode.globals().get(*number as usize).map_or(&b""[..], |it| bitcode.name(it));
                (hash(name), *number)
            };
            let mut all: Vec<(u32, u32)> = self.defined.iter().map(of).collect();
            all.sort_unstable();
            all
        });
        let hash = hash(name);
        let first = by_name.partition_point(|(other, _)| *other < hash);
        let same = by_name[first..].iter().take_while(|(other, _)| *other == hash);
        same.map(|(_, number)| *number).find(is_it)
    }
}

/// Of a name: FNV-1a.
fn hash(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// What is known of a module's bitcode.
#[derive(Debug, Default)]
pub enum SessionState {
    /// Nothing was compiled of it yet.
    #[default]
    Closed,
    /// It is open.
    Open(Box<Open>),
    /// All of it is for the engine.
    Refused,
}

fn refused(refused: autojit_baseline::Refused) -> Error {
    Error::Refused(refused.to_string())
}

/// Whether functions of `module` may be compiled here.
pub fn serves(module: &'static Module) -> bool {
    // Debuggers that want to know variables get the engine's code, which describes them.
    let serves = match options::baseline() {
        options::Baseline::Off => false,
        options::Baseline::Auto => options::tier() != options::Tier::Off || is_plain(module),
        options::Baseline::On | options::Baseline::Only => true,
    };
    serves && !module.described_in_full()
}

/// Whether neither the build nor AUTOJIT_OPT asks for optimised code.
fn is_plain(module: &'static Module) -> bool {
    match options::opt_override() {
        -1 => module.open().is_ok_and(|opened| opened.container.opt_level().speed == 0),
        level => level == 0,
    }
}

/// Whether functions of `module` begin with code that counts, until better code replaces it.
pub fn counts(module: &'static Module) -> bool {
    options::tier() != options::Tier::Off && serves(module) && !is_plain(module)
}

/// Of which modules there may be code of it that is kept.
pub fn code() -> BaselineCode {
    match options::baseline() {
        options::Baseline::Off => BaselineCode::None,
        _ if options::tier() != options::Tier::Off => BaselineCode::Counted,
        options::Baseline::Auto => BaselineCode::Unoptimised,
        options::Baseline::On | options::Baseline::Only => BaselineCode::All,
    }
}

/// Whether everything is compiled here, or fails.
pub fn is_alone() -> bool {
    options::baseline() == options::Baseline::Only
}

/// Makes `root` ready, or leaves it cold for the engine; or returns because another thread owns it.
///
/// # Errors
/// It cannot be had: it was refused, and there is nothing else to compile it.
pub fn compile(root: &'static Function) -> Result<(), Failure> {
    let module = root.module();
    let since = options::stats_are_wanted().then(sys::monotonic_time);
    let mut state = modules::lock_bitcode(module);
    // Not earlier: the thread that held the lock may have compiled it.
    if !root.claim() {
        return Ok(());
    }
    let result = open(module, &mut state).and_then(|open| run(open, root));
    if let Some(since) = since {
        stats::COUNTERS.baseline_time.add_time(sys::monotonic_time() - since);
        trace::note("baseline compiler", Some(since), || root.info().name.to_owned());
    }
    let Err(error) = result else { return Ok(()) };
    let failed = |failure| {
        root.fail();
        Err(failure)
    };
    match error {
        Error::Refused(reason) if is_alone() => failed(Failure::new(format_args!(
            "the baseline compiler does not know {reason}; AUTOJIT_BASELINE=on has such functions compiled by the engine"
        ))),
        Error::Refused(reason) => {
            root.unclaim();
            log::debug!("{} of {} is for the engine: {reason}", root.info().name, module.source());
            stats::refuse(reason);
            Ok(())
        }
        error => failed(Failure::new(format_args!("{error}"))),
    }
}

/// Where a frame of the code of a function that counts has what is live at the header of a loop.
///
/// # Errors
/// Something is live there that cannot be described.
pub fn stack_map(function: &'static Function, block: u32) -> Result<StackMap, Failure> {
    let mut state = modules::lock_bitcode(function.module());
    let map = open(function.module(), &mut state).and_then(|open| {
        let global = open.globals.find(open.pieces.bitcode(), function);
        open.read(global.ok_or_else(|| Error::Refused("a function without a body".into()))?)?;
        open.compiler.stack_map(&open.body, block).map_err(refused)
    });
    map.map_err(|error| Failure::new(format_args!("{error}")))
}

/// The module's bitcode.
fn open<'s>(module: &'static Module, state: &'s mut SessionState) -> Result<&'s mut Open, Error> {
    if matches!(state, SessionState::Closed) {
        *state = match read(module) {
            Ok(open) => SessionState::Open(Box::new(open)),
            Err(reason) => {
                log::info!("{} is for the engine: {reason}", module.source());
                SessionState::Refused
            }
        };
    }
    match state {
        SessionState::Open(open) => Ok(open),
        _ => Err(Error::Refused("its module".into())),
    }
}

fn read(module: &'static Module) -> Result<Open, String> {
    module.verify().map_err(|failure| failure.to_string())?;
    let container = &module.opened().ok_or("it is not open")?.container;
    if let Some(word) = container.options().split(' ').find(|word| !is_for_optimisers(word)) {
        return Err(format!("it was built with {word}"));
    }
    let mut pieces = Pieces::open(*container)?;
    let opened = pieces.bitcode();
    let missing = missing_globals(module, container, opened);
    let really: BTreeSet<u32> =
        missing.iter().copied().filter(|global| !is_for_inlining(opened, *global)).collect();
    let inlining = Inlining::of(&mut pieces, &really);
    let compiler = ManuallyDrop::new(Baseline::new(opened));
    let globals = Bodies::of(opened);
    Ok(Open {
        compiler,
        body: FunctionBody::default(),
        pieces,
        globals,
        missing,
        inlining,
        numbers: Numbers::default(),
    })
}

/// The globals that the image has been linked without.
fn missing_globals(
    module: &'static Module,
    container: &Container<'_>,
    bitcode: &BitcodeModule<'_>,
) -> BTreeSet<u32> {
    let is_missing = |import| module.import(import) == Some(0);
    if !(0..container.import_count()).any(is_missing) {
        return BTreeSet::new();
    }
    let globals = bitcode.globals().iter().enumerate();
    let is_missing = |(_, global): &(usize, &Global)| {
        let name = std::str::from_utf8(bitcode.name(global)).unwrap_or_default();
        global.linkage != Linkage::ExternalWeak
            && matches!(container.find(name), Some(Symbol::Import(import)) if is_missing(import))
    };
    globals.filter(is_missing).map(|(number, _)| number as u32).collect()
}

/// Whether a word of a build's options (engine/shim/build.cpp) says how to optimise, and nothing else.
fn is_for_optimisers(word: &str) -> bool {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    // What may be fused, reordered or assumed need not be; traps and threads are as the strictest choice has them. Where
    // results depend on fusing, the code generator knows from the instructions.
    [
        "",
        "contract",
        "vectorize",
        "slp",
        "unroll",
        "interleave",
        "align-loops",
        "no-infs",
        "no-nans",
        "no-signed-zeros",
        "no-trapping",
        "single-thread",
        "trap-unreachable",
        "no-trap-after-noreturn",
    ]
    .contains(&name)
}

/// Functions that one unit has copies of, at most.
const COPIES: usize = 32;

/// Compiles what `codes` call of functions whose bodies the module has for inlining only, where nothing defines them.
fn copy_callees(
    open: &mut Open,
    bitcode: &BitcodeModule<'static>,
    codes: &mut Vec<(u32, Code)>,
) -> Result<(), Error> {
    let mut next = 0;
    while let Some((_, code)) = codes.get(next) {
        next += 1;
        let callees: BTreeSet<u32> = code
            .text_relocations
            .iter()
            .filter_map(|relocation| match (relocation.kind, relocation.target) {
                (RelocationKind::Call, RelocationTarget::Global(callee)) => Some(callee),
                _ => None,
            })
            .filter(|callee| open.missing.contains(callee) && is_for_inlining(bitcode, *callee))
            .collect();
        for callee in callees {
            if codes.iter().any(|(known, _)| *known == callee) {
                continue;
            }
            if codes.len() > COPIES || open.inlining.concerns(callee) {
                return Err(Error::Refused("what depends on inlining".into()));
            }
            codes.push((callee, open.compile(callee, false)?));
        }
    }
    Ok(())
}

/// Whether a function is defined elsewhere, and its body is here to be inlined.
fn is_for_inlining(bitcode: &BitcodeModule<'_>, global: u32) -> bool {
    let info = bitcode.globals().get(global as usize);
    info.is_some_and(|info| info.linkage == Linkage::AvailableExternally) && bitcode.has_body(global)
}

/// The baseline compiler for a module that the calling thread has locked.
struct Session<'o> {
    module: &'static Module,
    open: &'o mut Open,
    /// Whether the code of what was compiled last has lines.
    has_lines: bool,
}

impl Generator for Session<'_> {
    fn id(&self) -> &'static Id {
        &BASELINE
    }

    fn compile(&mut self, request: &Request<'_>) -> Result<Option<Made>, Error> {
        let Self { module, open, .. } = self;
        let Scope::Function(index) = request.what else {
            return Err(Error::Refused("what is to be optimised".into()));
        };
        let root = module.function(index);
        let root = root.ok_or_else(|| Error::Refused("a function that is not there".into()))?;
        let global = open.globals.find(open.pieces.bitcode(), root);
        let global = global.ok_or_else(|| Error::Refused("a function without a body".into()))?;
        if open.inlining.concerns(global) {
            return Err(Error::Refused("what depends on inlining".into()));
        }
        let bitcode = open.pieces.bitcode();
        let counting = counts(module);
        let mut codes = vec![(global, open.compile(global, counting)?)];
        self.has_lines = open.body.has_locations() || open.pieces.have_locations_apart();
        copy_callees(open, bitcode, &mut codes)?;
        let inlined = |global: &Global| {
            bitcode.attributes(global.attributes).function().has(AttributeKind::AlwaysInline)
        };
        let inlined = bitcode.globals().get(global as usize).is_some_and(inlined);
        let counters = if counting { counted::bytes(&codes[0].1.loops, inlined) } else { Vec::new() };
        let unit = emit::unit(bitcode, &codes, &open.missing, &mut open.numbers, &counters, root)?;
        Ok(Some(unit.into()))
    }
}

/// Compiles, links and publishes a function that the calling thread owns.
fn run(open: &mut Open, root: &'static Function) -> Result<(), Error> {
    let module = root.module();
    let mut session = Session { module, open, has_lines: false };
    let request = Request::new(Scope::Function(root.index()), &|_| false);
    let Some(Made { unit, .. }) = session.compile(&request)? else { return Ok(()) };
    let description = describe_unit(&unit);

    let memory = module.image().memory();
    let owned = |function: &'static Function| std::ptr::eq(function, root) && symbols::is_chosen(function);
    let mut resolver = Names { module, owned: &owned };
    let linked = link(&unit, memory, &mut resolver)?;
    let definition = unit.functions.get(0).ok_or_else(|| Error::Refused("no code".into()))?;
    let ready = |code: &CompleteCode| {
        if let Some(at) = definition.counters {
            // SAFETY: the unit has them there; the code is the image's.
            unsafe { counted::begin(root, code, &definition, at) };
        }
    };
    let publication = Publication {
        ready: &ready,
        claimed: &[Claim::of(root, &definition)],
        unnamed: &|_| 0,
        description: (description, unit.functions.len()),
        lines: if session.has_lines { lines::later(module, &unit) } else { Lines::None },
        objects: &[],
    };
    publish(module, memory, linked, publication)?;
    stats::COUNTERS.baseline.add(1);
    cache::keep(module, session.id(), unit, true, false);
    Ok(())
}
