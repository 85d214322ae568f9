//! The register file: which part of which value is in which register at this point of the emission.
//!
//! A register is free, *occupied* by a part of a value, or a *temporary* of the instruction that is being lowered.
//! Registers in use by that instruction are *locked*: they are not given to anything else before it has ended.
//! r11 and xmm15 are never given out: moves between blocks and address arithmetic may change them at any time.

use super::Compiler;
use super::asm::{Gp, Mem, Width, Xmm, gp};
use crate::parts::Bank;
use crate::refused::{Reason, Refused};

/// A register of either kind: general-purpose ones from 0 on, vector ones from 16 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reg(pub u8);

/// Changed freely between and within instructions.
pub(crate) const SCRATCH: Gp = gp::R11;
/// The same among vector registers.
pub(crate) const SCRATCH_X: Xmm = Xmm(15);

/// Registers that calls keep.
pub(crate) const CALLEE_SAVED: u32 = 1 << 3 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15;
/// Registers that calls change, of those that are given out.
const CALLER_SAVED: u32 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10;
const VECTORS: u32 = 0x7fff_0000;

impl From<Gp> for Reg {
    fn from(reg: Gp) -> Self {
        Self(reg.0)
    }
}

impl From<Xmm> for Reg {
    fn from(reg: Xmm) -> Self {
        Self(reg.0 + 16)
    }
}

impl Reg {
    /// As a general-purpose register.
    pub(crate) fn gp(self) -> Gp {
        Gp(self.0 & 15)
    }

    /// As a vector register.
    pub(crate) fn xmm(self) -> Xmm {
        Xmm(self.0 & 15)
    }

    fn bit(self) -> u32 {
        1 << (self.0 & 31)
    }

    /// Whether it is a vector register.
    pub(crate) fn is_vector(self) -> bool {
        self.0 >= 16
    }
}

/// See the module's comment.
#[derive(Debug, Default)]
pub(crate) struct RegisterFile {
    /// Of occupied registers: the value's local number and the part's.
    owners: [(u32, u8); 32],
    occupied: u32,
    temporary: u32,
    locked: u32,
    /// Not given out: variables.
    reserved: u32,
    /// Callee-saved registers that were ever given out.
    pub saved: u32,
    clock: u32,
}

impl RegisterFile {
    /// What occupies a register.
    pub(crate) fn owner(&self, reg: Reg) -> Option<(u32, u8)> {
        (self.occupied & reg.bit() != 0).then(|| self.owners[reg.0 as usize & 31])
    }

    /// The occupied registers.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = Reg> + use<> {
        bits(self.occupied)
    }

    /// Nothing occupies it any more.
    pub(crate) fn release(&mut self, reg: Reg) {
        self.occupied &= !reg.bit();
    }

    /// A part occupies it from now on; it was free or a temporary.
    pub(crate) fn occupy(&mut self, reg: Reg, local: u32, part: u8) {
        self.temporary &= !reg.bit();
        self.occupied |= reg.bit();
        self.locked |= reg.bit();
        self.owners[reg.0 as usize & 31] = (local, part);
    }

    /// What was occupied is a temporary now.
    pub(crate) fn steal(&mut self, reg: Reg) {
        self.occupied &= !reg.bit();
        self.temporary |= reg.bit();
        self.locked |= reg.bit();
    }

    /// Keeps an occupied register where it is until the instruction ends.
    pub(crate) fn lock(&mut self, reg: Reg) {
        self.locked |= reg.bit();
    }

    /// Lets a locked register be given out again.
    pub(crate) fn unlock(&mut self, reg: Reg) {
        self.locked &= !reg.bit();
    }

    /// Whether it is a temporary.
    pub(crate) fn is_temporary(&self, reg: Reg) -> bool {
        self.temporary & reg.bit() != 0
    }

    /// Gives a temporary back before its instruction ends.
    pub(crate) fn free_temporary(&mut self, reg: Reg) {
        self.temporary &= !reg.bit();
        self.locked &= !reg.bit();
    }

    /// What the instruction uses at this point.
    pub(crate) fn in_use(&self) -> (u32, u32) {
        (self.temporary, self.locked)
    }

    /// Gives back what has been taken since [`in_use`](Self::in_use).
    pub(crate) fn only_in_use(&mut self, (temporary, locked): (u32, u32)) {
        self.temporary &= temporary;
        self.locked &= locked;
    }

    /// The instruction has ended: no temporaries, nothing locked.
    pub(crate) fn end_instruction(&mut self) {
        self.temporary = 0;
        self.locked = 0;
    }

    /// Whether calls change it.
    pub(crate) fn is_changed_by_calls(&self, reg: Reg) -> bool {
        CALLEE_SAVED & reg.bit() == 0
    }

    /// Keeps a register for a variable.
    pub(crate) fn reserve(&mut self, reg: Reg) {
        self.reserved |= reg.bit();
        self.saved |= reg.bit() & CALLEE_SAVED;
    }

    /// Whether it is kept for variables and values.
    pub(crate) fn is_reserved(&self, reg: Reg) -> bool {
        self.reserved & reg.bit() != 0
    }

    /// Lets a register be given out that was kept.
    pub(crate) fn give_back(&mut self, reg: Reg) {
        self.reserved &= !reg.bit();
    }

    fn take_temporary(&mut self, reg: Reg) {
        self.temporary |= reg.bit();
        self.locked |= reg.bit();
        self.saved |= reg.bit() & CALLEE_SAVED;
    }

    /// A free register, the cheapest.
    pub(crate) fn free(&self, bank: Bank) -> Option<Reg> {
        let free = !(self.occupied | self.temporary | self.reserved);
        let choices = match bank {
            Bank::Gp => [CALLER_SAVED, CALLEE_SAVED & self.saved, CALLEE_SAVED],
            _ => [VECTORS, 0, 0],
        };
        let mask = choices.into_iter().map(|mask| mask & free).find(|mask| *mask != 0)?;
        Some(Reg(mask.trailing_zeros() as u8))
    }
}

fn bits(mut mask: u32) -> impl Iterator<Item = Reg> {
    std::iter::from_fn(move || {
        let reg = mask.trailing_zeros();
        (reg < 32).then(|| {
            mask &= mask - 1;
            Reg(reg as u8)
        })
    })
}

impl Compiler<'_> {
    /// A temporary register of this kind.
    pub(crate) fn temporary(&mut self, bank: Bank) -> Result<Reg, Refused> {
        let reg = match self.regs.free(bank) {
            Some(reg) => reg,
            None => {
                let among = if bank == Bank::Gp { CALLER_SAVED | CALLEE_SAVED } else { VECTORS };
                let victims = self.regs.occupied & !self.regs.locked & among;
                // By turns, so that what was loaded last stays.
                let later = victims & (!0 << (self.regs.clock & 31));
                let mask = if later != 0 { later } else { victims };
                if mask == 0 {
                    return Err(Reason::Internal("no register is left").into());
                }
                let reg = Reg(mask.trailing_zeros() as u8);
                self.regs.clock = u32::from(reg.0) + 1;
                self.evict(reg)?;
                reg
            }
        };
        self.regs.take_temporary(reg);
        Ok(reg)
    }

    /// A temporary general-purpose register.
    pub(crate) fn temporary_gp(&mut self) -> Result<Gp, Refused> {
        Ok(self.temporary(Bank::Gp)?.gp())
    }

    /// A temporary vector register.
    pub(crate) fn temporary_x(&mut self) -> Result<Xmm, Refused> {
        Ok(self.temporary(Bank::Xmm)?.xmm())
    }

    /// Makes one particular register a temporary. What occupies it moves elsewhere.
    pub(crate) fn take(&mut self, reg: impl Into<Reg>) -> Result<(), Refused> {
        let reg = reg.into();
        if self.regs.temporary & reg.bit() != 0 {
            return Err(Reason::Internal("a register is taken twice").into());
        }
        if let Some((local, part)) = self.regs.owner(reg) {
            if self.regs.locked & reg.bit() != 0 {
                return Err(Reason::Internal("a register in use is taken").into());
            }
            let bank = if reg.is_vector() { Bank::Xmm } else { Bank::Gp };
            let stored = self.part(local as usize, part as usize).stored;
            let elsewhere = self
                .regs
                .free(bank)
                .filter(|_| !stored)
                .filter(|it| it.bit() & CALLEE_SAVED & !self.regs.saved == 0);
            match elsewhere {
                Some(elsewhere) => {
                    self.move_register(elsewhere, reg);
                    self.regs.release(reg);
                    self.regs.occupy(elsewhere, local, part);
                    self.regs.unlock(elsewhere);
                    self.part_mut(local as usize, part as usize).reg = Some(elsewhere);
                }
                None => self.evict(reg)?,
            }
        }
        self.regs.take_temporary(reg);
        Ok(())
    }

    /// dst = src, all of it
    pub(crate) fn move_register(&mut self, dst: Reg, src: Reg) {
        match (dst == src, dst.is_vector(), src.is_vector()) {
            (true, ..) => {}
            (_, true, true) => self.asm.mov_xx(dst.xmm(), src.xmm()),
            (_, false, false) => self.asm.mov(Width::B8, dst.gp(), src.gp()),
            (_, true, false) => self.asm.mov_xg(Width::B8, dst.xmm(), src.gp()),
            (_, false, true) => self.asm.mov_gx(Width::B8, dst.gp(), src.xmm()),
        }
    }

    /// Empties an occupied register; its part is in its slot then.
    pub(crate) fn evict(&mut self, reg: Reg) -> Result<(), Refused> {
        if let Some((local, part)) = self.regs.owner(reg) {
            self.store_part(local as usize, part as usize)?;
            self.part_mut(local as usize, part as usize).reg = None;
            self.regs.release(reg);
        }
        Ok(())
    }

    /// Writes a part into its slot, if that does not hold it yet.
    pub(crate) fn store_part(&mut self, local: usize, part: usize) -> Result<(), Refused> {
        let info = *self.part(local, part);
        let Some(reg) = info.reg else { return Ok(()) };
        if !info.stored {
            let mem = self.slot(local, part)?;
            if reg.is_vector() {
                self.asm.store_x(if info.ty.bits <= 32 { 4 } else { info.ty.slot_bytes() }, mem, reg.xmm());
            } else {
                self.asm.mov_mr(slot_width(info.ty.bits), mem, reg.gp());
            }
            self.part_mut(local, part).stored = true;
        }
        Ok(())
    }

    /// Reads a part from its slot into a register.
    pub(crate) fn load_part(&mut self, reg: Reg, local: usize, part: usize) -> Result<(), Refused> {
        let info = *self.part(local, part);
        if !info.stored {
            return Err(Reason::Internal("a value is nowhere").into());
        }
        let mem = self.slot(local, part)?;
        self.load_slot(reg, info.ty.bits, mem);
        Ok(())
    }

    /// Reads a spilled part of so many bits into a register.
    pub(crate) fn load_slot(&mut self, reg: Reg, bits: u16, mem: Mem) {
        if reg.is_vector() {
            let bytes = match bits {
                0..=32 => 4,
                33..=64 => 8,
                _ => 16,
            };
            self.asm.load_x(bytes, reg.xmm(), mem);
        } else {
            self.asm.mov(slot_width(bits), reg.gp(), mem);
        }
    }
}

/// How wide an integer of so many bits is in its slot.
pub(crate) fn slot_width(bits: u16) -> Width {
    if bits <= 32 { Width::B4 } else { Width::B8 }
}
