//! Publishing linked code: from here on other threads run it.
//!
//! Receives linked code with what is known of it, whatever has made it; hands on nothing: the slots of its functions
//! lead to it. The order of the steps is the contract with every other thread.

use autojit_code::unit::Segment;
use autojit_code::{Code, CodeMemory, Description, LinkError, Linked, unit};
use autojit_trampoline::counter::Counters;

use crate::link::lines::Lines;
use crate::link::listeners::{self, Published};
use crate::program::function::{Function, Tier};
use crate::program::module::Module;
use crate::program::symbols;
use crate::settings::stats;

/// Code that is to be published, with its description.
pub struct Publication<'a> {
    /// Called when the code is complete, before anything leads to it.
    pub ready: &'a dyn Fn(&Code),
    /// Functions that the calling thread owns: no others are published.
    pub claimed: &'a [Claim],
    /// Publishes functions that nothing has named yet, so that none is claimed; returns the number of functions.
    pub unnamed: &'a dyn Fn(&Code) -> usize,
    /// What describes it, without the addresses yet; and how many functions that has.
    pub description: (&'static mut [u8], usize),
    /// What describes its lines.
    pub lines: Lines,
    /// Objects that tell debuggers more of it.
    pub objects: &'a [unit::Lines<'a>],
}

/// A function, and where it is in code.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The function.
    pub function: &'static Function,
    /// Where in the text it begins.
    pub offset: u32,
    /// Where in the data it counts, if it does: then it is of the first tier.
    pub counters: Option<u32>,
}

impl Claim {
    /// One of a function of a unit.
    pub fn of(function: &'static Function, definition: &unit::UnitFunction<'_>) -> Self {
        let counters = definition.counters.map(|counters| counters.offset);
        Self { function, offset: definition.offset, counters }
    }

    /// Gives the function, which the calling thread owns, this code: text and data are at these addresses.
    pub fn publish(&self, text: usize, data: usize) {
        let tier = match self.counters {
            None => Tier::Last,
            Some(counters) => {
                // SAFETY: the data stays as long as the code, and has counters there (CountersAt).
                unsafe { self.function.set_counters((data + counters as usize) as *const Counters) };
                Tier::First
            }
        };
        self.function.publish(text + self.offset as usize, tier);
    }
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
    let Publication { ready, claimed, unnamed, description: (description, functions), lines, objects } =
        publication;
    // 1. Bytes and permissions: the code is complete and executable before its address is handed out.
    let code = linked.commit()?;

    ready(&code);

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
    for claim in claimed {
        claim.publish(code.text.start, code.segments[Segment::Data as usize]);
        let (function, address) = (claim.function, code.text.start + claim.offset as usize);
        log::debug!("{} of {} is at {address:#x}", function.info().name, function.module().source());
    }
    let published = claimed.len() + unnamed(&code);
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
