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
//! Code that [counts](LoopHeader) does so in front of the prologue and at the loop headers that the analysis finds; there every
//! live value is in its slot, at a fixed distance from rbp, and [`Baseline::stack_map`] tells which: what is called when
//! a counter has run out may hand back code that runs the rest of the function on that frame.

#![forbid(unsafe_code)]

mod analysis;
mod arch;
mod code;
mod features;
mod lists;
mod parts;
mod refused;
mod rodata;

use autojit_abi::StackMap;
use autojit_bitcode::{BitcodeModule, FunctionBody};

pub use code::{
    Code, Frame, LineRow, LoopHeader, Lsda, Relocation, RelocationKind, RelocationTarget, Runtime,
};
pub use refused::{Reason, Refused};

use arch::x86_64::Purpose;

/// Compiles the functions of a module; keeps what it found out about the module's types.
pub struct Baseline<'m> {
    module: &'m BitcodeModule<'m>,
    parts: parts::PartTable,
    lists: lists::Lists,
    /// Memory of the function before.
    analysis: analysis::Analysis,
    scratch: arch::x86_64::Scratch,
}

impl<'m> Baseline<'m> {
    /// A compiler for a module.
    pub fn new(module: &'m BitcodeModule<'m>) -> Self {
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
    pub fn compile(&mut self, body: &FunctionBody, counting: bool) -> Result<Code, Refused> {
        self.run(body, Purpose { counting, map_of: None }).map(|(code, _)| code)
    }

    /// Where a frame of code that counts has what is live at the header of a loop, by the header's block: one of
    /// [`Code::loops`].
    ///
    /// # Errors
    /// Something is live there that the frame does not have in the form that LLVM would store it in.
    pub fn stack_map(&mut self, body: &FunctionBody, block: u32) -> Result<StackMap, Refused> {
        let (_, map) = self.run(body, Purpose { counting: true, map_of: Some(block) })?;
        Ok(map.ok_or(Reason::Form("a block at which no loop is left"))?)
    }

    fn run(&mut self, body: &FunctionBody, purpose: Purpose) -> Result<(Code, Option<StackMap>), Refused> {
        let analysis = analysis::Analysis::of(body, std::mem::take(&mut self.analysis))?;
        let (parts, lists, scratch) = (&mut self.parts, &mut self.lists, &mut self.scratch);
        let code = arch::x86_64::compile(self.module, body, &analysis, purpose, parts, lists, scratch);
        self.analysis = analysis;
        code
    }
}
