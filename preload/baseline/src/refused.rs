//! Why a function is left to LLVM. Nothing of it has been published then.

use std::fmt;

/// The reasons. New ones are meant to be rare and old ones to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The bitcode reader gave an error.
    Bitcode,
    /// An integer of more than 128 bits.
    WideInteger,
    /// A type without a known lowering; its name.
    Type(&'static str),
    /// A vector type or operation.
    Vector(&'static str),
    /// An instruction; its name.
    Instruction(&'static str),
    /// A form of a known instruction; which.
    Form(&'static str),
    /// An intrinsic function; its name is in the module.
    Intrinsic,
    /// A calling convention.
    CallingConvention,
    /// An attribute of a function, argument or call that changes code; its name.
    Attribute(&'static str),
    /// A constant expression.
    Constant(&'static str),
    /// Inline assembly.
    InlineAssembly,
    /// A thread-local variable.
    ThreadLocal,
    /// A frame or function too large for 32-bit offsets.
    Size,
    /// A fault of the compiler itself, noticed before code was made of it.
    Internal(&'static str),
}

/// A function was not compiled. One word, so that results of the many steps that may refuse are returned in registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(Box<(Reason, String)>);

impl Refused {
    /// `detail`: what more is known, the name of an intrinsic or a type.
    #[cold]
    pub(crate) fn with(reason: Reason, detail: String) -> Self {
        Self(Box::new((reason, detail)))
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.0.0
    }
}

impl From<Reason> for Refused {
    #[cold]
    fn from(reason: Reason) -> Self {
        Self::with(reason, String::new())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, detail) = &*self.0;
        match reason {
            Reason::Bitcode => write!(f, "bitcode")?,
            Reason::WideInteger => write!(f, "an integer of more than 128 bits")?,
            Reason::Type(what) => write!(f, "type {what}")?,
            Reason::Vector(what) => write!(f, "vector: {what}")?,
            Reason::Instruction(what) => write!(f, "instruction {what}")?,
            Reason::Form(what) => write!(f, "{what}")?,
            Reason::Intrinsic => write!(f, "intrinsic")?,
            Reason::CallingConvention => write!(f, "calling convention")?,
            Reason::Attribute(what) => write!(f, "attribute {what}")?,
            Reason::Constant(what) => write!(f, "constant {what}")?,
            Reason::InlineAssembly => write!(f, "inline assembly")?,
            Reason::ThreadLocal => write!(f, "thread-local variable")?,
            Reason::Size => write!(f, "too large")?,
            Reason::Internal(what) => write!(f, "internal: {what}")?,
        }
        if !detail.is_empty() {
            write!(f, " ({detail})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}
