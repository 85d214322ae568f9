//! Functions that code calls and nothing defines.
//!
//! In an optimised build such a call is one that the optimiser removes, so that the program linked without a definition
//! (docs/decisions/0029). Code that was compiled otherwise may contain it, and reach it: then the first and only call ends the
//! process with a message, instead of a jump to address 0. Receives calls that are bound to nothing; hands on stubs for them.

use autojit_code::RuntimeStub;
use autojit_trampoline::contract::Slot;

use crate::program::module::Module;
use crate::program::{image, process, unwind_table};
use crate::settings::log;

/// The bit of [`Slot::index`] that makes the rest of it an import instead of a function.
const IMPORT: u32 = 1 << 31;

/// A stub for calls of an import that nothing defines.
///
/// # Errors
/// There is no code memory.
pub fn stub(module: &'static Module, import: u32) -> Result<usize, String> {
    let memory = module.image().memory();
    let trampoline = autojit_trampoline::entry::address();
    RuntimeStub::create(memory, &unwind_table::TABLE, module.record(), IMPORT | import, trampoline)
        .map(|stub| stub.function)
        .map_err(|error| format!("making a stub for it: {error}"))
}

/// Says what was called, and ends the process.
///
/// # Safety
/// The slot must be one of a stub of [`stub`], whose lazy entry has called the trampoline.
pub unsafe fn report(slot: *const Slot) -> ! {
    // SAFETY: the caller's promise.
    let (module, index) = unsafe { (image::module_of_slot(slot), (*slot).index) };
    let module =
        module.filter(|_| index & IMPORT != 0).expect("the entry pointers of registered images lead here");
    let source = module.source();
    let name = module.open().ok().and_then(|opened| opened.container.import_name(index & !IMPORT));
    let name = name.unwrap_or("a function");
    log::die(
        process::started(),
        format_args!(
            "{source} calls '{name}', which nothing defines: the build linked because its optimiser removes the call. Run \
             without AUTOJIT_OPT if that is set; else define the function, or compile the file as usual"
        ),
    )
}
