//! The frame, prologue and epilogue.
//!
//! ```text
//! rbp + 16   arguments on the stack
//! rbp + 8    return address
//! rbp        the caller's rbp
//! rbp - 40   room for the callee-saved registers that are used, pushed from above
//! …          allocas and slots of values, at fixed distances
//! rsp        16-byte aligned; below it dynamic allocas, and arguments of calls while they are made
//! ```
//!
//! How large the frame is and which registers it saves is known at the end only. So the prologue is written last, into
//! room that was left for its longest form, and the function begins where it begins; entries are counted in front of it.

use super::Compiler;
use super::asm::{Alu, Assembler, Cond, Gp, Label, Mem, Rm, Width, gp};
use super::registers::{CALLEE_SAVED, SCRATCH};
use crate::code::{Frame, RelocationTarget, Runtime};
use crate::refused::{Reason, Refused};

/// Bytes below rbp for the callee-saved registers.
const SAVED: i32 = 40;
/// Room for the longest prologue: two pushes and a move, four pushes of two bytes, and `sub rsp, imm32`. A whole number
/// of words, which functions begin with, so that places in the code are aligned as they are laid out.
const PROLOGUE: u32 = (1_u32 + 3 + 1 + 4 * 2 + 7).next_multiple_of(8);
/// Room for counting an entry, a whole number of words too.
const COUNT: u32 = (6_u32 + 6).next_multiple_of(8);
/// How far the stack pointer may go down without touching what it passes.
pub(crate) const PAGE: i32 = 4096;
/// Frames beyond this are refused: distances in them are computed in 32 bits.
const LARGEST: i32 = 1 << 30;
/// The callee-saved registers in the order in which they are pushed, with their DWARF numbers.
const PUSHED: [(Gp, u8); 5] = [(gp::RBX, 3), (gp::R12, 12), (gp::R13, 13), (gp::R14, 14), (gp::R15, 15)];

/// A call in the place of the function: the frame is taken down at `exit`, then control goes to the target, or to rax.
#[derive(Debug)]
pub(crate) struct Tail {
    pub exit: Label,
    pub target: Option<RelocationTarget>,
}

/// What has been given out of the frame.
#[derive(Debug)]
pub(crate) struct FrameLayout {
    /// Bytes below rbp in use.
    size: i32,
    /// Free slots of 8 and of 16 bytes.
    free: [Vec<i32>; 2],
    /// Slots stay with the values that had them: something returns twice, and what was needed then is needed again.
    pub kept: bool,
    /// rsp moves in the body: a dynamic alloca, or stackrestore.
    pub dynamic: bool,
    /// Places of `lea rsp, [rbp - frame]` in landing pads: their displacements.
    pub resets: Vec<u32>,
}

impl Default for FrameLayout {
    fn default() -> Self {
        Self { size: SAVED, free: Default::default(), kept: false, dynamic: false, resets: Vec::new() }
    }
}

impl FrameLayout {
    /// Room at a fixed distance from rbp, for good.
    pub(crate) fn allocate(&mut self, bytes: u64, align: u32) -> Result<i32, Refused> {
        let bytes = i32::try_from(bytes).map_err(|_| Reason::Size)?;
        // rbp is aligned to 16.
        let align = align.clamp(1, 16) as i32;
        let size = self.size.checked_add(bytes).and_then(|size| size.checked_add(align - 1));
        let size = size.filter(|size| *size < LARGEST).ok_or(Reason::Size)?;
        self.size = size & !(align - 1);
        Ok(-self.size)
    }

    /// A slot for a value.
    pub(crate) fn allocate_slot(&mut self, bytes: u32) -> Result<i32, Refused> {
        let free = match bytes {
            0..=8 => self.free[0].pop(),
            9..=16 => self.free[1].pop(),
            _ => None,
        };
        match free {
            Some(slot) => Ok(slot),
            None if bytes <= 8 => self.allocate(8, 8),
            None => self.allocate(bytes.next_multiple_of(16).into(), 16),
        }
    }

    /// Takes a slot back.
    pub(crate) fn free_slot(&mut self, slot: i32, bytes: u32) {
        match bytes {
            _ if self.kept => {}
            0..=8 => self.free[0].push(slot),
            9..=16 => self.free[1].push(slot),
            _ => {}
        }
    }
}

impl Compiler<'_> {
    /// Leaves room for the prologue.
    pub(crate) fn reserve_prologue(&mut self) {
        self.asm.raw(&[0xcc; (PROLOGUE + COUNT) as usize][..self.room() as usize]);
        self.asm.bind(self.entry);
    }

    /// Room for the prologue, and what is in front of it.
    fn room(&self) -> u32 {
        if self.purpose.counting { PROLOGUE + COUNT } else { PROLOGUE }
    }

    /// Sets rsp to where the prologue leaves it: a landing pad may be entered with it lower.
    pub(crate) fn reset_stack(&mut self) {
        if !self.frame.dynamic {
            // A displacement of 32 bits.
            self.asm.lea(gp::RSP, Mem::at(gp::RBP, -LARGEST));
            self.frame.resets.push(self.asm.offset() - 4);
        }
    }

    /// Writes the epilogue here and the prologue in its place. Returns where the function begins, and its frame.
    pub(crate) fn finish_frame(&mut self) -> (u32, Frame) {
        let pushed: Vec<(Gp, u8)> =
            PUSHED.into_iter().filter(|(reg, _)| self.regs.saved & CALLEE_SAVED & 1 << reg.0 != 0).collect();
        let size = (self.frame.size + 15) & !15;
        let size = if self.frame.size == SAVED && pushed.is_empty() { 0 } else { size };
        for at in std::mem::take(&mut self.frame.resets) {
            self.asm.patch(at, &(-size).to_le_bytes());
        }

        let mut prologue = Assembler::default();
        let counted = self.count_entry(&mut prologue);
        prologue.push(gp::RBP);
        let established_from = prologue.offset();
        prologue.mov_mr_registers(gp::RBP, gp::RSP);
        let established = prologue.offset();
        for (reg, _) in &pushed {
            prologue.push(*reg);
        }
        let saved = prologue.offset();
        let below = size - 8 * pushed.len() as i32;
        let probed = self.signature.probes && below >= PAGE;
        // e9: a jump to the code that touches the pages, which is behind the epilogue.
        let jump = [0xe9, 0, 0, 0, 0];
        if probed {
            prologue.raw(&jump);
        } else if below > 0 {
            prologue.alu_i(Alu::Sub, Width::B8, Rm::from(gp::RSP), below);
        }
        // The jump does not come to what is behind it.
        let filler = prologue.offset().next_multiple_of(8) - prologue.offset();
        if probed {
            prologue.raw(&[0xcc; 7][..filler as usize]);
        } else {
            prologue.nop(filler);
        }
        let start = self.room() - prologue.offset();
        let behind_jump = self.room() - filler;
        if let Some(relocations) = prologue.finish() {
            self.asm.patch(start, prologue.bytes());
            self.asm.adopt(relocations, start);
        }

        let mut overruns = Vec::new();
        let mut returns = Vec::new();
        self.asm.bind(self.epilogue);
        self.take_down(&pushed, &mut overruns);
        let at_return = self.asm.offset();
        self.asm.ret();
        returns.push((at_return, self.asm.offset()));
        for Tail { exit, target } in std::mem::take(&mut self.tails) {
            self.asm.bind(exit);
            self.take_down(&pushed, &mut overruns);
            let at_jump = self.asm.offset();
            match target {
                Some(target) => self.asm.jmp_symbol(target),
                None => self.asm.jmp_rm(gp::RAX),
            }
            returns.push((at_jump, self.asm.offset()));
        }
        if !overruns.is_empty() {
            overruns.into_iter().for_each(|overrun| self.asm.bind(overrun));
            self.asm.call_symbol(RelocationTarget::Runtime(Runtime("__stack_chk_fail")));
        }
        self.finish_counting();
        // Behind all that has labels in it.
        let probing = self.asm.offset();
        if probed {
            self.asm.patch(behind_jump - 4, &(probing - behind_jump).to_le_bytes());
            self.probe(below);
        }
        let outside = self.finish_entry(start + counted);
        let frame = Frame {
            pushed: start + established_from,
            established: start + established,
            saved_registers: pushed.iter().zip(3..).map(|((_, dwarf), nth)| (*dwarf, nth * 8)).collect(),
            saved: start + saved,
            outside,
            returns,
            size: size as u32,
        };
        (start, frame)
    }
}

impl Compiler<'_> {
    /// Restores registers and takes the frame down.
    fn take_down(&mut self, pushed: &[(Gp, u8)], overruns: &mut Vec<Label>) {
        overruns.extend(self.check_guard());
        if pushed.is_empty() {
            self.asm.leave();
            return;
        }
        self.asm.lea(gp::RSP, Mem::at(gp::RBP, -8 * pushed.len() as i32));
        for (reg, _) in pushed.iter().rev() {
            self.asm.pop(*reg);
        }
        self.asm.pop(gp::RBP);
    }

    /// Lowers rsp by `below`, page by page, and goes on with the function.
    fn probe(&mut self, below: i32) {
        let pages = below & -PAGE;
        self.asm.lea(SCRATCH, Mem::at(gp::RSP, -pages));
        let again = self.asm.label();
        self.asm.bind(again);
        self.asm.alu_i(Alu::Sub, Width::B8, Rm::from(gp::RSP), PAGE);
        self.asm.mov_mi(Width::B8, Mem::at(gp::RSP, 0), 0);
        self.asm.alu(Alu::Cmp, Width::B8, gp::RSP, SCRATCH);
        self.asm.jcc(Cond::Ne, again);
        if below > pages {
            self.asm.alu_i(Alu::Sub, Width::B8, Rm::from(gp::RSP), below - pages);
        }
        self.asm.jmp(self.entry);
    }
}

impl Assembler {
    /// dst = src, as compilers write it in prologues
    fn mov_mr_registers(&mut self, dst: Gp, src: Gp) {
        self.mov(Width::B8, dst, src);
    }
}
