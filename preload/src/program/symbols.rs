//! What a symbol in compiled code stands for.
//!
//! Receives the symbols that a unit refers to; hands on addresses. A symbol is
//!
//! 1. a function of the module, by number, that has no static stub: its code if it is ready and only called, else the stub that
//!    the runtime makes for it; a call of code that may be replaced is noted. An inline function is the image's one copy, whichever module asks;
//! 2. an import, by number, or a function of the module with a static stub (whose address is an import, too): the import table's
//!    address. If that is a stub, a call binds to the code behind it, or is noted to be rewritten later; if nothing defines
//!    it, a call binds to a stub that says so;
//! 3. by name, what the code generator made up (`memcpy`, `__udivti3`, `_Unwind_Resume`): the first definition in the dynamic
//!    symbol tables of the objects that the image sees, else in the static symbol table of the image, else in that of
//!    the executable, else a helper that the runtime brings along. What counters call is the runtime's own.

use std::collections::BTreeMap;

use autojit_baseline::Runtime;
use autojit_code::{Resolver, Symbol, Target, Usage};
use autojit_store::FunctionKind;
use autojit_trampoline::entry;

use crate::platform::{helpers, loaded, scope};
use crate::program::function::Function;
use crate::program::image::{self, Image};
use crate::program::missing;
use crate::program::module::Module;
use crate::settings::failure::Failure;
use crate::settings::options;
use autojit_code::lock::{ForkLock, Lock};

/// The names of one module.
pub struct Names<'a> {
    /// The module.
    pub module: &'static Module,
    /// Whether a function's code is the one that is being linked.
    pub owned: &'a dyn Fn(&'static Function) -> bool,
}

impl Resolver for Names<'_> {
    fn resolve(&mut self, symbol: &Symbol<'_>, usage: Usage, weak: bool) -> Result<Target, String> {
        let required = is_required(usage, weak);
        // An address is that of the stub, or of the PLT entry that leads there.
        let usage = if options::calls_pass_stubs() { Usage::Address } else { usage };
        match symbol {
            Symbol::Function(index) => {
                let function = self.module.function(*index).ok_or("the container is damaged")?;
                bind_function(function, usage).map_err(|failure| failure.to_string())
            }
            Symbol::Import(index) => bind_import(self.module, *index, usage, required),
            Symbol::Name(name) => bind_library_function(name, self.module.image(), usage, weak),
        }
    }

    fn defines(&mut self, symbol: &Symbol<'_>) -> bool {
        let Symbol::Function(index) = symbol else { return true };
        !options::calls_pass_stubs()
            && self.module.function(*index).is_some_and(|function| (self.owned)(function))
    }
}

/// The function that stands for `function` when it is named by its module: the image's copy of an inline one, the
/// definition that the linker has chosen for one with a stub. None if that is not a lazy one.
pub fn chosen(function: &'static Function) -> Option<&'static Function> {
    match function.kind() {
        (FunctionKind::Local, _) => Some(function),
        (FunctionKind::Inline, _) => {
            Some(function.chosen_copy(|| function.module().image().inline_function(function)))
        }
        (FunctionKind::Stub, import) => image::function_of_stub(function.module().import(import?)?),
    }
}

/// The function that gets the code of this definition, if the process has use for that: with a stub, the one whose stub
/// is in the image; inline, the image's one copy, whichever module the code is of.
pub fn served(function: &'static Function) -> Option<&'static Function> {
    match function.kind().0 {
        FunctionKind::Stub => function.has_slot().then_some(function),
        FunctionKind::Local | FunctionKind::Inline => chosen(function),
    }
}

/// Whether this definition of a function is the one that its module's calls lead to.
pub fn is_chosen(function: &'static Function) -> bool {
    chosen(function).is_some_and(|chosen| std::ptr::eq(chosen, function))
}

/// Binds a call of what is at `address`, by code that most likely calls nothing cold; what is cold is noted to be called
/// directly later if `noted`.
pub fn bind_call(address: usize, noted: bool) -> Target {
    let Some(slot) = image::slot_at_stub(address) else { return bind_address(address, Usage::Call) };
    match image::last_code_behind(slot) {
        Some(code) => Target { address: code, pending: None },
        None if noted => bind_address(address, Usage::Call),
        None => Target { address, pending: None },
    }
}

/// Binds a function that the code generator made up.
pub fn bind_library_function(
    name: &str,
    image: &'static Image,
    usage: Usage,
    weak: bool,
) -> Result<Target, String> {
    library_function(name, image)
        .or(weak.then_some(0))
        .map(|address| bind_address(address, usage))
        .ok_or_else(|| "no loaded library defines it".to_owned())
}

/// Binds a function of the module that names it.
pub fn bind_function(function: &'static Function, usage: Usage) -> Result<Target, Failure> {
    let (kind, import) = function.kind();
    if kind == FunctionKind::Stub {
        let import =
            import.ok_or_else(|| Failure::new(format_args!("it has no entry in the import table")))?;
        return bind_import(function.module(), import, usage, false)
            .map_err(|text| Failure::new(format_args!("{text}")));
    }
    bind_stubless(function, kind == FunctionKind::Inline, usage)
}

/// The same for a function without a stub, of which is known whether it is an inline one.
pub fn bind_stubless(function: &'static Function, inline: bool, usage: Usage) -> Result<Target, Failure> {
    let chosen = || chosen(function).expect("only functions with stubs can be of another module");
    let function = if inline { chosen() } else { function };
    if usage == Usage::Address && inline {
        // Static data or plain code may have taken the same function's address.
        if let Some(address) = function.module().image().static_address(function.info().name) {
            return Ok(Target { address, pending: None });
        }
    }
    match (usage, function.code_for_calls()) {
        (Usage::Call, Some(code)) => Ok(call_of(function, code)),
        (Usage::Call, None) => {
            Ok(Target { address: function.runtime_stub()?, pending: Some(token(function)) })
        }
        (Usage::Address, _) => Ok(Target { address: function.runtime_stub()?, pending: None }),
    }
}

/// Whether code calls what it names, and does not ask first whether anything defines it.
pub fn is_required(usage: Usage, weak: bool) -> bool {
    usage == Usage::Call && !weak
}

/// Binds an import, to a stub that says so if it is [required](is_required) and nothing defines it.
pub fn bind_import(
    module: &'static Module,
    index: u32,
    usage: Usage,
    required: bool,
) -> Result<Target, String> {
    match module.import(index).ok_or("it is not in the module's import table")? {
        0 if required => Ok(Target { address: missing::stub(module, index)?, pending: None }),
        address => Ok(bind_address(address, usage)),
    }
}

/// A call to a stub may go to the code behind it.
fn bind_address(address: usize, usage: Usage) -> Target {
    let plain = Target { address, pending: None };
    if usage == Usage::Address {
        return plain;
    }
    match image::function_of_stub(address).or_else(|| image::function_of_stub(image::behind_plt(address)?)) {
        None => plain,
        Some(function) => match function.code_for_calls() {
            Some(code) => call_of(function, code),
            None => Target { address, pending: Some(token(function)) },
        },
    }
}

/// What a call of a function with code leads to.
fn call_of(function: &'static Function, (address, remembered): (usize, bool)) -> Target {
    Target { address, pending: remembered.then(|| token(function)) }
}

/// The token of a call that waits for `function`, or for other code of it.
fn token(function: &'static Function) -> u64 {
    std::ptr::from_ref(function) as u64
}

/// The function of a [`token`].
///
/// # Safety
/// The token must come from [`Target::pending`] of [`Names`].
pub unsafe fn function_of_token(token: u64) -> &'static Function {
    // SAFETY: the caller's promise; functions live for ever.
    unsafe { &*(token as *const Function) }
}

/// Library functions that were found, by the image that asked and their name.
static FOUND: Lock<BTreeMap<(usize, String), usize>> = Lock::new(BTreeMap::new());

/// Library functions are to be found again: some object was unloaded.
pub fn forget_found() {
    FOUND.lock().clear();
}

/// A fork waits until the cache is not being changed.
pub static FORK_LOCK: &dyn ForkLock = &FOUND;

/// The address of a function that the code generator made up.
fn library_function(name: &str, image: &'static Image) -> Option<usize> {
    if name == Runtime::COUNTER.0 {
        return Some(entry::counter_address());
    }
    let key = (image.address(), name.to_owned());
    if let Some(&address) = FOUND.lock().get(&key) {
        return Some(address);
    }
    let definition = scope::find(name, image.address())
        .or_else(|| image.static_symbol(name))
        .or_else(|| image::all().find(|image| image.is_executable())?.static_symbol(name));
    let address = match definition {
        // SAFETY: the process is past its relocation: code of it runs.
        Some(definition) => unsafe { definition.resolve() },
        // What the program has opened for all to see (RTLD_GLOBAL) is not told from the rest.
        None => helpers::find(name).or_else(|| loaded::held(name)).or_else(|| {
            // SAFETY: as above.
            loaded::find(name, loaded::own_address()).map(|definition| unsafe { definition.resolve() })
        })?,
    };
    log::debug!("{name} is at {address:#x}");
    // Where no image can be unloaded, nothing asks whether other libraries were.
    if !image.is_permanent() || loaded::is_permanent(address) {
        FOUND.lock().insert(key, address);
    }
    Some(address)
}
