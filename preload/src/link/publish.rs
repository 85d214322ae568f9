//! Publishing linked code: from here on other threads run it.
//!
//! Receives placed code with what is known of it, whatever has made it; hands on nothing: the slots of its functions lead to
//! it. The order of the steps is the contract with every other thread.

use autojit_code::{Code, CodeMemory, Description, LinkError, Linked, unit};

use crate::link::lines::Lines;
use crate::link::listeners::{self, Published};
use crate::program::function::{Function, Tier};
use crate::program::module::Module;
use crate::program::symbols;
use crate::settings::stats;

/// What is known of code that is to be published.
pub struct Publication<'a> {
    /// Functions that the calling thread owns, and where they are in the code: no others are published.
    pub claimed: &'a [(&'static Function, u32)],
    /// Which tier the code is of.
    pub tier: Tier,
    /// Publishes functions that nothing has named yet, so that none is claimed; gets the address of the text, returns the
    /// number of functions.
    pub unnamed: &'a dyn Fn(usize) -> usize,
    /// What describes it, without the addresses yet; and how many functions that has.
    pub description: (&'static mut [u8], usize),
    /// What describes its lines.
    pub lines: Lines,
    /// Objects that tell debuggers more of it.
    pub objects: &'a [unit::Lines<'a>],
}

/// Makes the functions of `linked` those of the module that its code was compiled from, and returns their number.
///
/// # Errors
/// The code cannot be made executable.
pub fn publish(
    module: &'static Module,
    memory: &'static CodeMemory,
    linked: Linked<'_>,
    publication: Publication<'_>,
) -> Result<usize, LinkError> {
    let Publication { claimed, tier, unnamed, description: (description, functions), lines, objects } =
        publication;
    // 1. Bytes and permissions: the code is complete and executable before its address is handed out.
    let code = linked.commit()?;

    // 2. Those that hear of it: unwinders, as an exception may pass through the first call; debuggers, as breakpoints are
    //    to be set in the code before it runs; and others.
    let code = announce(module, memory, code, lines, (description, functions), objects);

    // 3. Calls in the new code to functions that are not compiled yet are noted with these functions. Before 4, as
    //    the new functions may call one another.
    for call in &code.call_sites {
        // SAFETY: the tokens are those of symbols::Names, which the code was linked with.
        let callee = unsafe { symbols::function_of_token(call.pending) };
        callee.add_call_site(memory, call.address, call.target);
    }

    // 4. Slots, and the calls that wait for these functions: threads may enter.
    for (function, offset) in claimed {
        let address = code.text.start + *offset as usize;
        function.publish(address, tier);
        log::debug!("{} of {} is at {address:#x}", function.info().name, function.module().source());
    }
    let published = claimed.len() + unnamed(code.text.start);
    Ok(published)
}

/// Tells all that hear of code of it, which is complete and executable, and which nothing leads to yet. `description`: see
/// [`Publication`].
pub fn announce(
    module: &'static Module,
    memory: &'static CodeMemory,
    code: Code,
    lines: Lines,
    (description, functions): (&'static mut [u8], usize),
    objects: &[unit::Lines<'_>],
) -> Code {
    let description = Description::bind(description, functions, code.text.start);
    let mut published = Published { module, memory, code, lines, description, objects };
    listeners::published(&mut published);
    stats::COUNTERS.code_bytes.add(published.code.text.len() as u64);
    published.code
}
