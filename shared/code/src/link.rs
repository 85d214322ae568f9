//! The linker. Receives an ELF64 x86-64 relocatable object as LLVM emits it (PIC, small code model), or a [`Unit`] from a
//! cache; finds through a [`Resolver`] what it refers to; leaves relocated code in code memory ([`Linked`], by commit
//! [`Code`]).
//!
//! First the object becomes a unit (parse.rs), which knows what each site refers to, but no address; then its externals
//! are bound, its segments get room in code memory, and its fixups are applied (allocated.rs). Binding rules:
//! - the *address* of a global function is asked of the resolver even if the unit defines it, because all of the
//!   process must see the same one; so is where its calls lead, unless the resolver says that it is the one;
//! - calls that do not reach go through a thunk, loads of a GOT entry become address computations where they reach.

use std::fmt;
use std::ops::Range;

use crate::allocated::{Allocated, Externals, Needs, Sizes};
use crate::area::{Area, Block};
use crate::eh_frame::FrameIndex;
use crate::memory::{Arena, CodeMemory, MemoryError};
use crate::unit::{Symbol, Unit, Usage};

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its address; 0 for a weak symbol that nothing defines.
    pub address: usize,
    /// The address is a stub whose function has no code yet, or code that may be replaced: the call site is recorded with
    /// this token.
    pub pending: Option<u64>,
}

/// Finds what a unit refers to.
pub trait Resolver {
    /// The address of `symbol`. Asked at most once for each symbol and usage of a unit, with no lock held. `weak`: it
    /// may stay undefined (answer address 0). An error is the cause in words; the link fails with it.
    fn resolve(&mut self, symbol: &Symbol<'_>, usage: Usage, weak: bool) -> Result<Target, String>;

    /// Whether calls of this global function of the unit lead to the unit's definition.
    fn defines(&mut self, _symbol: &Symbol<'_>) -> bool {
        true
    }
}

/// Why an object cannot be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// The object is malformed: what is wrong with it.
    Object(String),
    /// The object uses something that the linker does not do: names relocation or section.
    Unsupported(String),
    /// A symbol has no address: its name, and the resolver's words.
    Unresolved(String, String),
    /// A symbol is out of reach of the instruction that uses it: its name.
    OutOfReach(String),
    /// There is no code memory.
    Memory(MemoryError),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(what) => write!(f, "malformed object file: {what}"),
            Self::Unsupported(what) => write!(f, "object file with something that cannot be linked: {what}"),
            Self::Unresolved(symbol, cause) => write!(f, "undefined symbol '{symbol}': {cause}"),
            Self::OutOfReach(symbol) => {
                write!(f, "symbol '{symbol}' is out of reach of the instruction that uses it")
            }
            Self::Memory(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LinkError {}

impl From<MemoryError> for LinkError {
    fn from(error: MemoryError) -> Self {
        Self::Memory(error)
    }
}

/// A direct call or jump that is to lead elsewhere later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The address of the opcode, e8 or e9: `site` of [`crate::patch_call`].
    pub address: usize,
    /// Where it leads now: `from` of [`crate::patch_call`].
    pub target: usize,
    /// The resolver's token ([`Target::pending`]).
    pub pending: u64,
}

/// Linked code. Nothing in it changes by commit.
#[derive(Debug, Default)]
pub struct Code {
    /// Calls to be patched once their function has code, or other code.
    pub call_sites: Vec<CallSite>,
    /// The code, thunks included.
    pub text: Range<usize>,
    /// The relocated .eh_frame, terminator included; empty if the object has none.
    pub eh_frame: Range<usize>,
    /// The addresses of the unit's segments.
    pub segments: [usize; 4],
    /// Bytes used in the arenas text, rodata, data.
    pub bytes: [usize; 3],
    /// The index of `eh_frame`.
    pub(crate) fdes: FrameIndex,
}

/// A linked object in memory that is not committed yet. Dropping it aborts.
#[derive(Debug)]
pub struct Linked<'a> {
    area: &'a Area,
    block: Block<'a>,
    code: Code,
    /// New thunks: where they lead, and their addresses.
    thunks: Vec<(usize, usize)>,
}

impl Linked<'_> {
    /// What will be committed.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Makes the code executable and keeps it for ever.
    pub fn commit(self) -> Result<Code, LinkError> {
        self.block.commit()?;
        let mut state = self.area.lock();
        for (target, stub) in self.thunks {
            // Another thread may have made one at the same time: either will do.
            state.thunks.entry(target).or_insert(stub);
        }
        Ok(self.code)
    }
}

/// Links the ELF relocatable `object` into `memory`, by its names.
///
/// A malformed object is an error, never a panic nor an access outside the object and its block; what its code does
/// when called is another matter.
pub fn link_object<'a>(
    object: &[u8],
    memory: &'a CodeMemory,
    resolver: &mut dyn Resolver,
) -> Result<Linked<'a>, LinkError> {
    link(&Unit::of(object, &|_| None)?, memory, resolver)
}

/// Links `unit` into `memory`: one that [`Unit::of`], a [`Builder`](crate::Builder) or [`pack`](crate::pack) has made.
/// Its fixups are checked here.
///
/// # Errors
/// A symbol has no address or is out of reach, there is no memory, or the fixups are damaged.
pub fn link<'a>(
    unit: &Unit<'_>,
    memory: &'a CodeMemory,
    resolver: &mut dyn Resolver,
) -> Result<Linked<'a>, LinkError> {
    let mut externals = Externals::bind(unit, resolver)?;
    let needs = Needs::of(unit)?;
    let mut newest = memory.newest();
    let (area, block, sizes, new_thunks) = loop {
        if let Some(area) = newest {
            let new_thunks = externals.thunks(&needs, area);
            let sizes = Sizes::of(unit, new_thunks.len(), needs.got)?;
            match area.block(sizes.arenas, sizes.aligns) {
                Err(MemoryError::Exhausted) => {}
                block => break (area, block?, sizes, new_thunks),
            }
        }
        // From the next area nothing may be in reach.
        let branched = needs.branched.iter().filter(|branched| **branched).count();
        newest = Some(memory.grow(newest, Sizes::of(unit, branched, needs.got)?.arenas)?);
    };
    let arenas = Arena::ALL.map(|arena| block.address(arena));
    let allocated = Allocated::new(unit, area.range(), sizes, arenas, externals, new_thunks);
    let mut block = block;
    block.want();
    let code = allocated.write(block.all_bytes())?;
    Ok(Linked { area, block, code, thunks: allocated.thunks() })
}
