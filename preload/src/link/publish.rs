//! Publishing linked code: from here on other threads run it.
//!
//! Receives a linked object and the functions that it was compiled for; hands on nothing: their slots lead to it. The
//! order of the steps is the contract with every other thread.

use std::mem;

use autojit_code::unit::Lines;
use autojit_code::{Code, CodeMemory, Description, LinkError, Linked};
use autojit_store::Symbol;

use crate::link::lines;
use crate::link::listeners::{self, Published};
use crate::program::function::Function;
use crate::program::module::Module;
use crate::program::symbols;
use crate::settings::stats::{self, Counter};

/// Where code comes from, with the functions that the calling thread owns: no others are published.
pub enum Origin<'a> {
    /// The engine or autojitd has compiled it for this process.
    Compiled {
        /// What counts its functions.
        counter: &'static Counter,
        /// By index, those that are counted as the cache's instead; short if there are none.
        kept: &'a [bool],
        /// The objects that it was made of.
        objects: &'a [Lines<'a>],
        /// Functions of the module, some of which it defines.
        claimed: &'a [&'static Function],
    },
    /// The object cache, or the baseline compiler.
    Described {
        /// What counts its functions.
        counter: &'static Counter,
        /// What describes it, without the addresses yet; and how many functions that has.
        described: (&'static mut [u8], usize),
        /// Functions, and where they are in the code.
        claimed: &'a [(&'static Function, u32)],
        /// Publishes what is not claimed, as nothing has named it yet; gets the address of the text, returns the number of
        /// functions.
        unnamed: &'a dyn Fn(usize) -> usize,
    },
}

/// Makes the functions of `linked` those of the module that its object was compiled from, and returns their number.
/// `lines` is what describes their lines.
///
/// # Errors
/// The code cannot be made executable.
pub fn publish(
    module: &'static Module,
    memory: &'static CodeMemory,
    linked: Linked<'_>,
    lines: lines::Lines,
    mut origin: Origin<'_>,
) -> Result<usize, LinkError> {
    // 1. Bytes and permissions: the code is complete and executable before its address is handed out.
    let code = linked.commit()?;

    // 2. Those that hear of it: unwinders, as an exception may pass through the first call; debuggers, as breakpoints are
    //    to be set in the code before it runs; and others.
    let (objects, description) = match &mut origin {
        Origin::Compiled { objects, .. } => (Some(*objects), None),
        Origin::Described { described: (bytes, functions), .. } => {
            (None, Description::bind(mem::take(bytes), *functions, code.text.start))
        }
    };
    let mut published = Published { module, memory, code, lines, description, objects };
    listeners::published(&mut published);
    let code = published.code;

    // 3. Calls in the new code to functions that are not compiled yet are noted with these functions. Before 4, as
    //    the new functions may call one another.
    for call in &code.call_sites {
        // SAFETY: the tokens are those of symbols::Names, which the object was linked with.
        let callee = unsafe { symbols::function_of_token(call.pending) };
        callee.add_call_site(memory, call.address, call.target);
    }

    // 4. Slots, and the calls that wait for these functions: threads may enter.
    let publish = |function: &'static Function, address: usize| {
        function.publish(address);
        log::debug!("{} of {} is at {address:#x}", function.info().name, function.module().source());
    };
    let published = match origin {
        Origin::Compiled { counter, kept, claimed, .. } => {
            let defined = defined(module, &code, claimed);
            for (function, address) in &defined {
                publish(function, *address);
                let is_kept = kept.get(function.index() as usize) == Some(&true);
                if is_kept { &stats::COUNTERS.from_cache } else { counter }.add(1);
            }
            defined.len()
        }
        Origin::Described { counter, claimed, unnamed, .. } => {
            claimed.iter().for_each(|(function, at)| publish(function, code.text.start + *at as usize));
            let functions = claimed.len() + unnamed(code.text.start);
            counter.add(functions as u64);
            functions
        }
    };
    stats::COUNTERS.code_bytes.add(code.text.len() as u64);
    Ok(published)
}

/// Those of `claimed` that an object defines, with their addresses.
fn defined(
    module: &'static Module,
    code: &Code<'_>,
    claimed: &[&'static Function],
) -> Vec<(&'static Function, usize)> {
    let container = &module.opened().expect("its code was compiled from it").container;
    let mut claimed = claimed.to_vec();
    claimed.sort_unstable_by_key(|function| function.index());
    let globals = code.functions.iter().filter(|symbol| symbol.global);
    let find = |symbol: &autojit_code::Function<'_>| {
        let Symbol::Function(index) = container.find(symbol.name)? else { return None };
        let found = claimed.binary_search_by_key(&index, |function| function.index()).ok()?;
        Some((claimed[found], symbol.address))
    };
    globals.filter_map(find).collect()
}
