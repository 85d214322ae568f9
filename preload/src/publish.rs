//! Publishing linked code: from here on other threads run it.
//!
//! Receives a linked object and the functions that it was compiled for; hands on nothing: their slots lead to it. The
//! order of the steps is the contract with every other thread.

use autojit_code::{CodeMemory, LinkError, Linked};
use autojit_store::Symbol;

use crate::function::Function;
use crate::module::Module;
use crate::{debugger, names, perf, stats, symbols, unwind};

/// Where code comes from, for the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// This process has compiled it: the object.
    Compiled(&'a [u8]),
    /// The object cache.
    Cache,
}

/// Makes the functions of `linked` those of the module that its object was compiled from, and returns their number.
/// `claimed` are the functions that the calling thread owns; no others are published. `lines` is what
/// describes their lines.
///
/// # Errors
/// The code cannot be made executable.
pub fn publish(
    module: &'static Module,
    memory: &'static CodeMemory,
    linked: Linked<'_>,
    claimed: &[&'static Function],
    lines: names::Lines,
    origin: Origin<'_>,
) -> Result<usize, LinkError> {
    // 1. Bytes and permissions: the code is complete and executable before anybody learns its address.
    let code = linked.commit()?;

    // 2. Unwind information: an exception may pass through the first call.
    unwind::TABLE.register(&code);
    names::register(&code, memory, lines);
    perf::write(&code);

    // 3. Debuggers: breakpoints are to be set in the code before anybody runs it.
    debugger::register(module, origin, &code);

    // 4. Calls in the new code to functions that are not compiled yet are noted with these functions. Before 5, as
    //    the new functions may call one another.
    for call in &code.call_sites {
        // SAFETY: the tokens are those of symbols::Names, which the object was linked with.
        let callee = unsafe { symbols::function_of_token(call.pending) };
        callee.add_call_site(memory, call.address, call.target);
    }

    // 5. Slots, and the calls that wait for these functions: threads may enter.
    let container = &module.opened().expect("its code was compiled from it").container;
    let mut claimed = claimed.to_vec();
    claimed.sort_unstable_by_key(|function| function.index());
    let mut published = 0;
    for symbol in code.functions.iter().filter(|symbol| symbol.global) {
        let index = symbol.index.or_else(|| match container.find(symbol.name)? {
            Symbol::Function(index) => Some(index),
            Symbol::Import(_) => None,
        });
        let Some(index) = index else { continue };
        if let Ok(found) = claimed.binary_search_by_key(&index, |function| function.index()) {
            let function = claimed[found];
            function.publish(symbol.address);
            published += 1;
            log::debug!("{} of {} is at {:#x}", symbol.name, module.source(), symbol.address);
        }
    }
    let counter = match origin {
        Origin::Compiled(_) => &stats::COUNTERS.compiled,
        Origin::Cache => &stats::COUNTERS.from_cache,
    };
    counter.add(published as u64);
    stats::COUNTERS.code_bytes.add(code.text.len() as u64);
    Ok(published)
}
