//! Counters: entries and rounds of loops, and how a loop is left for better code.
//!
//! ```text
//!     sub  dword ptr [counter], weight
//!     js   out
//! on:
//!     …
//! out:                                 behind the epilogue
//!     call [counter + 8]               with the counter's address in r11; keeps all other registers
//!     test r11, r11                    at loop headers only
//!     je   on
//!     mov  [rbp - …], rbx …            variables that live in registers
//!     mov  rdi, rbp
//!     call r11                         runs the rest of the function
//!     jmp  epilogue
//! ```
//!
//! All that is live at a header lies in the frame ([`stack_map`](super::stack_map)), variables apart. Exceptions pass
//! through that last call without a landing pad: cleanups are the rest's.

use autojit_abi::StackMap;
use autojit_bitcode::Block;

use super::Compiler;
use super::asm::{Alu, Cond, Label, Mem, Width, gp};
use super::registers::{Reg, SCRATCH};
use super::values::State;
use crate::code::{Counting, LoopHeader};
use crate::refused::Refused;

/// What a function is compiled for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Purpose {
    /// How its code counts, if it does.
    pub counting: Option<Counting>,
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
    pub place: i32,
}

/// What is known of places that count.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    places: Vec<Place>,
    /// Variables that live in registers.
    pub homes: Vec<Home>,
    /// The map that was asked for.
    pub map: Option<StackMap>,
}

/// A place that counts.
#[derive(Clone, Copy, Debug)]
struct Place {
    out: Label,
    on: Label,
    /// Behind the call.
    returned: Label,
    block: u32,
    /// The loop may be left.
    left: bool,
}

impl Counted {
    /// The loops that may be left, in code that begins at `start`.
    pub(crate) fn loops(&self, asm: &super::Assembler, start: u32) -> Vec<LoopHeader> {
        let left = self.places.iter().filter(|place| place.left);
        let loops = left.filter_map(|place| {
            Some(LoopHeader { returns: asm.place_of(place.returned)? - start, block: place.block })
        });
        loops.collect()
    }
}

impl Compiler<'_> {
    /// Gives variables that live in registers the memory that they lie in when a loop is left.
    pub(crate) fn place_homes(&mut self) -> Result<(), Refused> {
        if self.purpose.counting.is_none() || self.analysis.order.loops.is_empty() {
            return Ok(());
        }
        for local in 0..self.assignments.len() {
            if let State::Variable(reg) = self.assignments[local].state {
                let place = self.frame.allocate(8, 8)?;
                self.counted.homes.push(Home { local: local as u32, reg, place });
            }
        }
        Ok(())
    }

    /// Counts an entry, behind the prologue.
    pub(crate) fn count_entry(&mut self) {
        if let Some(counting) = self.purpose.counting {
            self.count(counting.counter, counting.entry, 0, false);
        }
    }

    /// Counts a round of a loop, where its header begins.
    pub(crate) fn count_round(&mut self, block: u32) -> Result<(), Refused> {
        let Some(counting) = self.purpose.counting else { return Ok(()) };
        // The exception is in registers there.
        let left = !self.is_landing_pad(block);
        self.count(counting.counter, counting.round, block, left);
        if left && self.purpose.map_of == Some(block) {
            self.counted.map = Some(self.stack_map(block)?);
        }
        Ok(())
    }

    /// Counts, where nothing is in r11 or the flags.
    fn count(&mut self, counter: u64, weight: i32, block: u32, left: bool) {
        let (out, on, returned) = (self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.mov_i64(SCRATCH, counter);
        self.asm.alu_i(Alu::Sub, Width::B4, Mem::at(SCRATCH, 0), weight);
        self.asm.jcc(Cond::S, out);
        self.asm.bind(on);
        self.counted.places.push(Place { out, on, returned, block, left });
    }

    /// Emits what is done when a counter has run out. Behind the epilogue.
    pub(crate) fn finish_counting(&mut self) {
        for index in 0..self.counted.places.len() {
            let Place { out, on, returned, block, left } = self.counted.places[index];
            let body = self.body;
            if let Some((inst, _)) = body.block(Block(block)).find(|(inst, _)| body.location(*inst).is_some())
            {
                self.line(inst.0);
            }
            self.asm.bind(out);
            self.asm.call_rm(Mem::at(SCRATCH, 8));
            self.asm.bind(returned);
            if left {
                self.asm.test(Width::B8, SCRATCH, SCRATCH);
                self.asm.jcc(Cond::E, on);
                self.leave_loop();
            } else {
                self.asm.jmp(on);
            }
        }
    }

    /// Has the function whose address is in r11 run the rest, and returns.
    fn leave_loop(&mut self) {
        for Home { reg, place, .. } in &self.counted.homes {
            self.asm.mov_mr(Width::B8, Mem::at(gp::RBP, *place), reg.gp());
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
