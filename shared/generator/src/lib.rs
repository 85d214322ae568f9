//! Code generators: what compiles functions of a module.
//!
//! Each implements [`Generator`]: the baseline compiler, the engine in this process ([`orc`]), and the client of autojitd.
//! All hand over the same, a [`Unit`], whose names of the module's functions and imports are numbers of its container; the
//! linker, publishing, debuggers and the object cache take that and nothing else.

pub mod orc;

use autojit_code::{LinkError, Symbol, Unit};
use autojit_protocol::Scope;
use autojit_store::Container;

/// What tells generators apart: part of the keys of what they make (`autojit_abi::GENERATOR`, `autojit_abi::BASELINE`).
pub type Id = [u8; 32];

/// A request for code of one module.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What is to be compiled.
    pub what: Scope,
    /// The bytes of the stack map (`autojit_abi::StackMap`) that a continuation is for, otherwise empty.
    pub stack_map: &'a [u8],
    /// Asked for each function besides that of `what` that the generator compiles, or has compiled, along with it: true
    /// makes it the caller's to publish.
    pub claim: &'a dyn Fn(u32) -> bool,
}

impl<'a> Request<'a> {
    /// A request without a stack map.
    pub fn new(what: Scope, claim: &'a dyn Fn(u32) -> bool) -> Self {
        Self { what, stack_map: &[], claim }
    }
}

/// What a generator has made.
#[derive(Debug)]
pub struct Made {
    /// The code.
    pub unit: Unit<'static>,
    /// Whether another process adds it to the object cache.
    pub kept: bool,
    /// The mapped file that the unit borrows from, if it does: its memory can be given back once it was read.
    pub mapped: Option<&'static [u8]>,
}

impl From<Unit<'static>> for Made {
    fn from(unit: Unit<'static>) -> Self {
        Self { unit, kept: false, mapped: None }
    }
}

/// The functions of the container that a unit defines, by index.
pub fn defined<'u>(unit: &'u Unit<'_>) -> impl Iterator<Item = u32> + 'u {
    unit.functions.iter().filter(|function| function.global).filter_map(|function| match function.symbol {
        Symbol::Function(index) => Some(index),
        _ => None,
    })
}

/// Why there is no code.
#[derive(Debug)]
pub enum Error {
    /// The generator does not compile it: why.
    Refused(String),
    /// What it has made cannot be linked.
    Link(LinkError),
    /// The generator cannot be used, whatever it is asked for: what was attempted, and why that failed.
    Failed(String),
    /// Nothing answers (any more): why. Another generator can be asked.
    Disconnected(String),
}

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(reason) | Self::Failed(reason) | Self::Disconnected(reason) => f.write_str(reason),
            Self::Link(error) => write!(f, "linking its code: {error}"),
        }
    }
}

/// Compiles functions of a module, which it was made for.
pub trait Generator {
    /// What it is called in keys.
    fn id(&self) -> &'static Id;

    /// Compiles what is asked for. Nothing if that is nothing.
    ///
    /// # Errors
    /// See [`Error`].
    fn compile(&mut self, request: &Request<'_>) -> Result<Option<Made>, Error>;
}

/// What a name is called in code of the container's module, if the container knows it.
pub fn number(container: &Container<'_>, name: &str) -> Option<Symbol<'static>> {
    Some(match container.find(name)? {
        autojit_store::Symbol::Function(index) => Symbol::Function(index),
        autojit_store::Symbol::Import(index) => Symbol::Import(index),
    })
}
