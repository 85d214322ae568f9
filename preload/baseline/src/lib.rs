//! The baseline compiler: machine code of one function of a bitcode module, without LLVM, in two passes over its
//! instructions: one that analyses, one that emits.
//!
//! The runtime has it answer first calls if AUTOJIT_BASELINE asks for it, with the engine for what it refuses
//! (preload/src/compile/baseline).
//!
//! ```text
//! FunctionBody (autojit-bitcode)
//!   -> analysis   order of the blocks, loops, how long values live, how often they are used
//!   -> arch       emission: registers, frame, ABI, selection, exceptions; bytes
//!   -> Code       text, constants, relocations, frame, LSDA, lines
//! ```
//!
//! What it does not know is [`Refused`] with a reason, before any code is handed out; it never guesses. It runs in
//! other people's processes: no panics, no unsafe code, time and memory linear in the size of the function. The same
//! bitcode gives the same code on every machine.
//!
//! Code that [counts](Counting) does so behind the prologue and at the loop headers that the analysis finds; there every
//! live value is in its slot, at a fixed distance from rbp, so that the slots describe the frame.

#![forbid(unsafe_code)]

mod analysis;
mod arch;
mod code;
mod features;
mod lists;
mod parts;
mod refused;
mod rodata;

use autojit_bitcode::{FunctionBody, Module};

pub use code::{Code, Counting, Frame, LineRow, Lsda, Relocation, RelocationKind, Runtime, Target};
pub use refused::{Reason, Refused};

/// Compiles the functions of a module; keeps what it found out about the module's types.
pub struct Baseline<'m> {
    module: &'m Module<'m>,
    parts: parts::PartTable,
    lists: lists::Lists,
    /// Memory of the function before.
    analysis: analysis::Analysis,
    scratch: arch::x86_64::Scratch,
}

impl<'m> Baseline<'m> {
    /// A compiler for a module.
    pub fn new(module: &'m Module<'m>) -> Self {
        Self {
            module,
            parts: parts::PartTable::new(module.types()),
            lists: lists::Lists::default(),
            analysis: analysis::Analysis::default(),
            scratch: arch::x86_64::Scratch::default(),
        }
    }

    /// Compiles a function whose body has been read; its code counts if `counting`.
    ///
    /// # Errors
    /// It contains something that is not supported.
    pub fn compile(&mut self, body: &FunctionBody, counting: Option<Counting>) -> Result<Code, Refused> {
        let analysis = analysis::Analysis::of(body, std::mem::take(&mut self.analysis))?;
        let (parts, lists, scratch) = (&mut self.parts, &mut self.lists, &mut self.scratch);
        let code = arch::x86_64::compile(self.module, body, &analysis, counting, parts, lists, scratch);
        self.analysis = analysis;
        code
    }
}
