//! Counters: entries and rounds of loops, and how code is left for better code.
//!
//! ```text
//!     dec  dword ptr [counter]         entries
//!     js   out
//! on:
//!     …
//!     dec  dword ptr [rbp - rounds]    a round of a loop, where its header begins
//!     je   many
//! on:
//!     …
//!     dec  dword ptr [rbp - rounds]    or r10d: in the place of each jump to it, if nothing else leads back
//!     jne  on
//!     jmp  many
//!     …
//! many:                                behind the epilogue
//!     movzx r11d, word ptr [step]
//!     mov  [rbp - rounds], r11d        or r10d
//!     sub  [counter], r11d
//!     jns  on
//! out:
//!     lea  r11, [counter]
//!     call [entry]                     keeps all other registers
//!     test r11, r11
//!     je   on
//!     jmp  r11                         entries: newer code of the function
//!
//!     mov  [rbp - …], rbx …            loops: variables and values that live in registers
//!     mov  rdi, rbp
//!     call r11                         runs the rest of the function
//!     jmp  epilogue
//! ```
//!
//! Entries are counted in front of the prologue: calls may lead to code that was replaced. Rounds are counted in the frame,
//! those of all loops together, and a step of them at once is those of the loop in which it is complete: one of a few
//! instructions would have to wait for the counter's memory each time. One that does not call, and is entered by jumps,
//! counts its own in r10, which nothing in it gets: those of its last step are lost each time.
//!
//! All that is live at a loop's header lies in the frame ([`stack_map`](super::stack_map)), but for variables and values that have
//! registers for themselves ([`homes`](super::homes)), which have memory for this. Exceptions pass through that last call without a
//! landing pad: cleanups are the rest's.

use autojit_abi::StackMap;
use autojit_bitcode::{Block, Opcode};

use super::Compiler;
use super::asm::{Alu, Assembler, Base, Cond, Gp, Label, Mem, Rm, Width, gp};
use super::registers::{Reg, SCRATCH, slot_width};
use super::values::ValueState;
use crate::analysis::{Labels, NONE};
use crate::code::{LoopHeader, RelocationKind, RelocationTarget, Runtime};
use crate::parts::PartType;
use crate::refused::{Reason, Refused};

/// Counts rounds of loops that do not call.
const ROUNDS: Gp = gp::R10;

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
    /// Where rounds are counted until they come to a step, as a distance to rbp.
    rounds: Option<i32>,
    /// By position, what is known of headers of loops to which only jumps lead back, which count in its place.
    by_jumps: Vec<Option<ByJumps>>,
    /// The last position of the loop that counts in [`ROUNDS`] here.
    in_register: Option<u32>,
    /// Variables that live in registers.
    pub homes: Vec<Home>,
    /// Values that have registers for themselves, as lists of one loop after the other: register, part, memory.
    values: Vec<(Reg, PartType, Mem)>,
    /// The map that was asked for.
    pub map: Option<StackMap>,
    /// The labels of a function with `indirectbr`.
    pub labels: Option<Labels>,
}

/// A loop that counts where jumps lead back.
#[derive(Clone, Copy, Debug)]
struct ByJumps {
    /// Its number in [`Counted::loops`], once its header is there.
    number: u32,
    /// Its last position, if it counts in [`ROUNDS`].
    in_register: Option<u32>,
}

/// The header of a loop.
#[derive(Clone, Copy, Debug)]
struct CountedLoop {
    out: Label,
    on: Label,
    block: u32,
    /// The loop may be left.
    left: bool,
    /// Where its rounds are counted.
    rounds: Rm,
    /// How many values in registers its header and those before it have.
    values: u32,
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

/// How many rounds are counted at once.
const STEP: Mem = Mem {
    base: Base::Symbol(RelocationKind::Pc32, RelocationTarget::Counter(0)),
    index: None,
    disp: LoopHeader::STEP,
};

impl Compiler<'_> {
    /// Gives rounds the memory in which they are counted, and variables that live in registers that in which they lie when a
    /// loop is left.
    pub(crate) fn allocate_homes(&mut self) -> Result<(), Refused> {
        if !self.purpose.counting || self.analysis.order.loops.is_empty() {
            return Ok(());
        }
        self.counted.rounds = Some(self.frame.allocate(8, 8)?);
        self.find_jumps();
        for local in 0..self.assignments.len() {
            if let ValueState::Variable(reg) = self.assignments[local].state {
                let offset = self.frame.allocate(8, 8)?;
                self.counted.homes.push(Home { local: local as u32, reg, offset });
            }
        }
        Ok(())
    }

    /// Finds the loops whose rounds are counted where jumps lead back.
    fn find_jumps(&mut self) {
        let order = &self.analysis.order;
        let mut by_jumps = vec![None; order.blocks.len()];
        for around in &order.loops {
            if self.is_counted(around.first) && !self.is_dispatched(order.blocks[around.first as usize]) {
                let in_register =
                    Some(around.last).filter(|_| self.may_count_in_register(around.first, around.last));
                by_jumps[around.first as usize] = Some(ByJumps { number: NONE, in_register });
            }
        }
        for (position, block) in order.blocks.iter().enumerate() {
            let last = self.body.block(Block(*block)).last();
            if last.is_none_or(|(_, instruction)| instruction.opcode == Opcode::Br) {
                continue;
            }
            for target in self.body.successors(Block(*block)) {
                let target = order.positions.get(target.0 as usize).copied().unwrap_or(NONE) as usize;
                match by_jumps.get_mut(target) {
                    // A branch on a condition jumps in any case.
                    Some(counted) if target <= position => *counted = None,
                    Some(Some(counted)) => counted.in_register = None,
                    _ => {}
                }
            }
        }
        self.counted.by_jumps = by_jumps;
    }

    /// Whether no loop is in the one of these positions, and nothing that calls or takes many registers.
    fn may_count_in_register(&self, first: u32, last: u32) -> bool {
        use Opcode::{AtomicRmw, Call, CallBr, CmpXchg, Invoke};
        let order = &self.analysis.order;
        let own = order.innermost[first as usize];
        (first..=last).all(|position| {
            let block = Block(order.blocks[position as usize]);
            order.innermost[position as usize] == own
                && self.body.block(block).all(|(_, instruction)| {
                    !matches!(instruction.opcode, Call | Invoke | CallBr | CmpXchg | AtomicRmw)
                })
        })
    }

    /// What is known of a loop whose header a jump from here leads to, if that counts.
    fn by_jumps(&self, target: u32) -> Option<(u32, ByJumps)> {
        let position = *self.analysis.order.positions.get(target as usize)?;
        Some((position, (*self.counted.by_jumps.get(position as usize)?)?))
    }

    /// Goes to `target`, where the moves of this edge lead: a jump that may be one to the header of a loop. Counts then.
    pub(crate) fn jump_and_count(&mut self, target: u32) {
        match self.by_jumps(target) {
            Some((position, ByJumps { number, .. })) if position <= self.position => {
                let CountedLoop { out, on, rounds, .. } = self.counted.loops[number as usize];
                self.asm.dec(Width::B4, rounds);
                self.asm.jcc(Cond::Ne, on);
                self.asm.jmp(out);
            }
            Some((_, ByJumps { in_register: Some(_), .. })) => {
                // What it may have held is in its slot: the header begins with all registers empty.
                self.asm.movzx(Width::B2, ROUNDS, STEP);
                self.continue_at(target);
            }
            _ => self.continue_at(target),
        }
    }

    /// Keeps [`ROUNDS`] for a loop whose header is at a position, and gives it back behind the last one.
    pub(crate) fn keep_rounds(&mut self, position: u32) {
        if self.counted.in_register.is_some_and(|last| position > last) {
            self.counted.in_register = None;
            self.regs.give_back(ROUNDS.into());
        }
        if let Some(Some(ByJumps { in_register: Some(last), .. })) =
            self.counted.by_jumps.get(position as usize)
        {
            self.counted.in_register = Some(*last);
            self.regs.reserve(ROUNDS.into());
        }
    }

    /// [`ROUNDS`], if a loop counts in it here, and where it is kept while a function of a library is called for an instruction.
    pub(crate) fn rounds_in_register(&self) -> Option<(Gp, Mem)> {
        let rounds = self.counted.rounds.filter(|_| self.counted.in_register.is_some());
        rounds.map(|rounds| (ROUNDS, Mem::at(gp::RBP, rounds)))
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

    /// Begins to count rounds, behind the prologue: r11 is free.
    pub(crate) fn begin_rounds(&mut self) {
        if let Some(rounds) = self.counted.rounds {
            self.next_step(Mem::at(gp::RBP, rounds).into());
        }
    }

    /// Has a step of rounds counted, whose number is in r11 then.
    fn next_step(&mut self, rounds: Rm) {
        self.asm.movzx(Width::B2, SCRATCH, STEP);
        match rounds {
            Rm::Reg(reg) => self.asm.mov(Width::B4, Gp(reg), SCRATCH),
            Rm::Mem(rounds) => self.asm.mov_mr(Width::B4, rounds, SCRATCH),
        }
    }

    /// Counts a round of a loop, where its header begins: nothing is in r11 or the flags.
    pub(crate) fn count_round(&mut self, block: u32) -> Result<(), Refused> {
        let Some(rounds) = self.counted.rounds else { return Ok(()) };
        // The exception is in registers there.
        let left = !self.is_landing_pad(block);
        let (out, on) = (self.asm.label(), self.asm.label());
        let number = self.counted.loops.len() as u32;
        let mut rounds = Mem::at(gp::RBP, rounds).into();
        match &mut self.counted.by_jumps[self.position as usize] {
            None => {
                self.asm.dec(Width::B4, rounds);
                self.asm.jcc(Cond::E, out);
            }
            Some(counted) => {
                counted.number = number;
                if counted.in_register.is_some() {
                    rounds = ROUNDS.into();
                }
            }
        }
        self.asm.bind(on);
        self.list_values()?;
        let values = self.counted.values.len() as u32;
        self.counted.loops.push(CountedLoop { out, on, block, left, rounds, values });
        if left && self.purpose.map_of == Some(block) {
            self.counted.map = Some(self.stack_map(block)?);
        }
        Ok(())
    }

    /// Gives the values that have registers at the header of a loop the memory in which they lie when it is left.
    fn list_values(&mut self) -> Result<(), Refused> {
        let here: Vec<(Reg, usize)> = self.homes.at(self.position).collect();
        for (reg, local) in here {
            // Neither variables nor what the block defines.
            if self.assignments[local].home.is_none() || !self.is_kept(local) {
                continue;
            }
            self.assign(local)?;
            let part = *self.part(local, 0);
            let memory = self.slot(local, 0)?;
            // An argument that lies on the stack does already.
            if !part.stored {
                self.counted.values.push((reg, part.ty, memory));
            }
        }
        Ok(())
    }

    /// Emits what is done when a step of rounds is complete, and when the counter of a loop has run out. Behind the epilogue.
    pub(crate) fn finish_counting(&mut self) {
        let mut first = 0;
        for index in 0..self.counted.loops.len() {
            let CountedLoop { out, on, block, left, rounds, values } = self.counted.loops[index];
            let range = std::mem::replace(&mut first, values as usize)..values as usize;
            let number = index as u32 + 1;
            self.line_of_block(block);
            self.asm.bind(out);
            self.next_step(rounds);
            self.asm.alu_mr(Alu::Sub, Width::B4, counter(number), SCRATCH);
            self.asm.jcc(Cond::Ns, on);
            self.call_counter(number);
            if left {
                self.asm.test(Width::B8, SCRATCH, SCRATCH);
                self.asm.jcc(Cond::E, on);
                self.leave_loop(range);
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
    fn leave_loop(&mut self, values: std::ops::Range<usize>) {
        for Home { reg, offset, .. } in &self.counted.homes {
            self.asm.mov_mr(Width::B8, Mem::at(gp::RBP, *offset), reg.gp());
        }
        for &(reg, ty, memory) in self.counted.values.get(values).unwrap_or_default() {
            if reg.is_vector() {
                self.asm.store_x(if ty.bits <= 32 { 4 } else { ty.slot_bytes() }, memory, reg.xmm());
            } else {
                self.asm.mov_mr(slot_width(ty.bits), memory, reg.gp());
            }
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
