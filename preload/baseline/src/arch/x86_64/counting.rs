//! Counters: entries and rounds of loops, and how code is left for better code.
//!
//! ```text
//!     dec  dword ptr [counter]
//!     js   out
//! on:
//!     …
//! out:                                 behind the epilogue
//!     lea  r11, [counter]
//!     call [entry]                     keeps all other registers
//!     test r11, r11
//!     je   on
//!     jmp  r11                         entries: newer code of the function
//!
//!     mov  [rbp - …], rbx …            loops: variables that live in registers
//!     mov  rdi, rbp
//!     call r11                         runs the rest of the function
//!     jmp  epilogue
//! ```
//!
//! Entries are counted in front of the prologue: calls may lead to code that was replaced. All that is live at a loop's header
//! lies in the frame ([`stack_map`](super::stack_map)), variables apart. Exceptions pass through that last call without a
//! landing pad: cleanups are the rest's.

use autojit_abi::StackMap;
use autojit_bitcode::Block;

use super::Compiler;
use super::asm::{Assembler, Cond, Label, Mem, Width, gp};
use super::registers::{Reg, SCRATCH};
use super::values::ValueState;
use crate::analysis::{Labels, NONE};
use crate::code::{LoopHeader, RelocationKind, RelocationTarget, Runtime};
use crate::refused::{Reason, Refused};

/// What a function is compiled for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Purpose {
    /// Its code counts.
    pub counting: bool,
    /// The header of the loop whose stack map is wanted.
    pub map_of: Option<u32>,
}

/// Where a variable lies when a loop is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    /// The variable, by local number.
    pub local: u32,
    /// Where it lives.
    pub reg: Reg,
    /// Its memory's distance to rbp.
    pub offset: i32,
}

/// The loops that count.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    loops: Vec<CountedLoop>,
    /// Variables that live in registers.
    pub homes: Vec<Home>,
    /// The map that was asked for.
    pub map: Option<StackMap>,
    /// The labels of a function with `indirectbr`.
    pub labels: Option<Labels>,
}

/// The header of a loop.
#[derive(Clone, Copy, Debug)]
struct CountedLoop {
    out: Label,
    on: Label,
    block: u32,
    /// The loop may be left.
    left: bool,
}

impl Counted {
    /// All loops.
    pub(crate) fn loops(&self) -> Vec<LoopHeader> {
        let header = |counted: &CountedLoop| LoopHeader { block: counted.block, left: counted.left };
        self.loops.iter().map(header).collect()
    }
}

/// The counter of a number.
fn counter(number: u32) -> Mem {
    Mem::symbol(RelocationKind::Pc32, RelocationTarget::Counter(number), 0)
}

impl Compiler<'_> {
    /// Gives variables that live in registers the memory that they lie in when a loop is left.
    pub(crate) fn allocate_homes(&mut self) -> Result<(), Refused> {
        if !self.purpose.counting || self.analysis.order.loops.is_empty() {
            return Ok(());
        }
        for local in 0..self.assignments.len() {
            if let ValueState::Variable(reg) = self.assignments[local].state {
                let offset = self.frame.allocate(8, 8)?;
                self.counted.homes.push(Home { local: local as u32, reg, offset });
            }
        }
        Ok(())
    }

    /// Code that counts is replaced: its labels must not be known to what replaces it.
    pub(crate) fn check_labels(&mut self) -> Result<(), Refused> {
        if self.purpose.counting && Labels::are_used(self.body) {
            let labels = Labels::of(self.module, self.body, &self.analysis.locals);
            let kept = Reason::Form("labels that are kept, in code that is to be replaced");
            self.counted.labels = Some(labels.ok_or(kept)?);
        }
        Ok(())
    }

    /// Whether `indirectbr` leads to a block, in code that counts.
    pub(crate) fn is_dispatched(&self, block: u32) -> bool {
        self.counted.labels.as_ref().is_some_and(|labels| labels.lead_to(block))
    }

    /// Whether rounds of a loop are counted at a position. Where the header of a loop ends with `indirectbr`, as in
    /// interpreters, its targets count instead: in the header the label is live, which is of this code only.
    pub(crate) fn is_counted(&self, position: u32) -> bool {
        let order = &self.analysis.order;
        let block = order.blocks[position as usize];
        if self.is_dispatched(block) {
            return order.innermost[position as usize] != NONE;
        }
        let successors = self.body.successors(Block(block));
        let dispatches = self.counted.labels.is_some()
            && !successors.is_empty()
            && successors.iter().all(|target| self.is_dispatched(target.0));
        order.begins_loop(position) && !dispatches
    }

    /// Counts an entry, in front of the prologue, in code that becomes a part of it. Returns where it goes on.
    pub(crate) fn count_entry(&self, prologue: &mut Assembler) -> u32 {
        if self.purpose.counting {
            prologue.dec(Width::B4, counter(0));
            // js; [`finish_entry`](Self::finish_entry) knows where to.
            prologue.raw(&[0x0f, 0x88, 0, 0, 0, 0]);
        }
        prologue.offset()
    }

    /// Emits what is done when the counter of entries has run out, which are counted in front of `on`; behind everything else.
    /// Returns where, if they are.
    pub(crate) fn finish_entry(&mut self, on: u32) -> Option<u32> {
        if !self.purpose.counting {
            return None;
        }
        self.line_of_block(0);
        let out = self.asm.offset();
        self.asm.patch(on - 4, &(out - on).to_le_bytes());
        self.call_counter(0);
        self.asm.test(Width::B8, SCRATCH, SCRATCH);
        let on = self.asm.label_at(on);
        self.asm.jcc(Cond::E, on);
        self.asm.jmp_rm(SCRATCH);
        Some(out)
    }

    /// Counts a round of a loop, where its header begins: nothing is in r11 or the flags.
    pub(crate) fn count_round(&mut self, block: u32) -> Result<(), Refused> {
        if !self.purpose.counting {
            return Ok(());
        }
        // The exception is in registers there.
        let left = !self.is_landing_pad(block);
        let (out, on) = (self.asm.label(), self.asm.label());
        self.asm.dec(Width::B4, counter(self.counted.loops.len() as u32 + 1));
        self.asm.jcc(Cond::S, out);
        self.asm.bind(on);
        self.counted.loops.push(CountedLoop { out, on, block, left });
        if left && self.purpose.map_of == Some(block) {
            self.counted.map = Some(self.stack_map(block)?);
        }
        Ok(())
    }

    /// Emits what is done when the counter of a loop has run out. Behind the epilogue.
    pub(crate) fn finish_counting(&mut self) {
        for index in 0..self.counted.loops.len() {
            let CountedLoop { out, on, block, left } = self.counted.loops[index];
            self.line_of_block(block);
            self.asm.bind(out);
            self.call_counter(index as u32 + 1);
            if left {
                self.asm.test(Width::B8, SCRATCH, SCRATCH);
                self.asm.jcc(Cond::E, on);
                self.leave_loop();
            } else {
                self.asm.jmp(on);
            }
        }
    }

    fn call_counter(&mut self, number: u32) {
        self.asm.lea(SCRATCH, counter(number));
        self.asm.call_rm(Mem::symbol(
            RelocationKind::GotRelaxable,
            RelocationTarget::Runtime(Runtime::COUNTER),
            0,
        ));
    }

    /// Code from here on has the line of the first instruction of a block that has one.
    fn line_of_block(&mut self, block: u32) {
        let body = self.body;
        if let Some((inst, _)) = body.block(Block(block)).find(|(inst, _)| body.location(*inst).is_some()) {
            self.line(inst.0);
        }
    }

    /// Has the function whose address is in r11 run the rest, and returns.
    fn leave_loop(&mut self) {
        for Home { reg, offset, .. } in &self.counted.homes {
            self.asm.mov_mr(Width::B8, Mem::at(gp::RBP, *offset), reg.gp());
        }
        let result = self.signature.result_address.map(|slot| Mem::at(gp::RBP, slot));
        match result.filter(|_| self.signature.results.is_none()) {
            // A result that takes no registers is the rest's as well.
            Some(address) => {
                self.asm.mov(Width::B8, gp::RDI, address);
                self.asm.mov(Width::B8, gp::RSI, gp::RBP);
            }
            None => self.asm.mov(Width::B8, gp::RDI, gp::RBP),
        }
        self.asm.call_rm(SCRATCH);
        if let Some(address) = result {
            self.asm.mov(Width::B8, gp::RAX, address);
        }
        self.asm.jmp(self.epilogue);
    }
}
