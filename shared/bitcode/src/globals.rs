//! Global variables, functions, aliases and indirect functions.

use crate::{Align, AttributeListId, TypeId, Value};

/// What a global is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum GlobalKind {
    Variable,
    Function,
    Alias,
    Ifunc,
}

/// How a global is bound between modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names are those of the language reference.
pub enum Linkage {
    External,
    AvailableExternally,
    LinkOnceAny,
    LinkOnceOdr,
    WeakAny,
    WeakOdr,
    Appending,
    Internal,
    Private,
    ExternalWeak,
    Common,
}

/// How a global is seen from other images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Visibility {
    Default,
    Hidden,
    Protected,
}

/// Whether each thread has its own, and how it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ThreadLocal {
    No,
    GeneralDynamic,
    LocalDynamic,
    InitialExec,
    LocalExec,
}

/// Whether the address means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum UnnamedAddr {
    No,
    Local,
    Yes,
}

/// A global; its [`Value`] is its index among the globals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Global {
    /// What it is.
    pub kind: GlobalKind,
    /// Where its name is in the string table: see [`BitcodeModule::name`](crate::BitcodeModule::name).
    pub(crate) name: (u32, u32),
    /// The type of what is at its address: of a function its function type.
    pub value_type: TypeId,
    /// The type of its address: a pointer.
    pub pointer_type: TypeId,
    /// How it is bound.
    pub linkage: Linkage,
    /// How other images see it.
    pub visibility: Visibility,
    /// Whether each thread has its own.
    pub thread_local: ThreadLocal,
    /// Whether its address means anything.
    pub unnamed_addr: UnnamedAddr,
    /// Whether it is of this image for sure.
    pub dso_local: bool,
    /// A declaration without a definition: a function without a body, a variable without an initialiser.
    pub declaration: bool,
    /// A variable that is never written.
    pub constant: bool,
    /// A variable that something else initialises before the program starts.
    pub externally_initialized: bool,
    /// Its alignment.
    pub align: Align,
    /// Its comdat, counted from 1, or 0: see [`BitcodeModule::comdat`](crate::BitcodeModule::comdat).
    pub comdat: u32,
    /// A function's calling convention, with LLVM's number.
    pub convention: u16,
    /// A function's or variable's attributes.
    pub attributes: AttributeListId,
    /// The personality of a function, the initialiser of others.
    pub(crate) value: Option<Value>,
    /// What few have, counted from 1, or 0: see [`BitcodeModule::seldom`](crate::BitcodeModule::seldom).
    pub(crate) seldom: u32,
    /// Something is said of it that is not here: a partition, what sanitizers leave out.
    pub more: bool,
}

// A module may have many thousands, of which few are ever looked at.
const _: () = assert!(size_of::<Global>() <= 52);

impl Global {
    /// A variable's initialiser, an alias's aliasee, an indirect function's resolver.
    pub fn initializer(&self) -> Option<Value> {
        self.value.filter(|_| self.kind != GlobalKind::Function)
    }

    /// A function's personality.
    pub fn personality(&self) -> Option<Value> {
        self.value.filter(|_| self.kind == GlobalKind::Function)
    }
}

/// What few globals have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seldom {
    /// The section, counted from 1, or 0: see [`BitcodeModule::section`](crate::BitcodeModule::section).
    pub section: u32,
    /// What lies before a function's entry.
    pub prefix: Option<Value>,
    /// What a function begins with.
    pub prologue: Option<Value>,
    /// A function's garbage collector, counted from 1, or 0.
    pub gc: u32,
    /// A variable's code model, in LLVM's encoding, or 0.
    pub code_model: u8,
}
