//! Vectors of any size and shape, lane by lane through memory: all that [`vector`](super::vector) has no instruction for.
//!
//! A vector is kept in parts of 16, 8 and 4 bytes, and of 2 and 1 at its end; a vector of single bits in integers. Its
//! *image* is what a store of it would write.

mod arithmetic;
mod movement;

use autojit_bitcode::{Type, TypeId, Value};

use super::super::Compiler;
use super::super::asm::{Alu, Gp, Mem, Prefix, Shift, Sse, Width, gp};
use super::super::registers::{SCRATCH, SCRATCH_X};
use crate::parts::{Bank, MOST, lane_bits};
use crate::refused::{Reason, Refused};

/// What a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    /// An integer or pointer of so many bits.
    Int(u32),
    /// A float, or a double.
    Float(bool),
}

/// The lanes of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lanes {
    element: Element,
    count: u32,
}

impl Lanes {
    fn bits(self) -> u32 {
        match self.element {
            Element::Int(bits) => bits,
            Element::Float(double) => 32 << u32::from(double),
        }
    }

    fn width(self) -> Width {
        Width::of_bits(self.bits())
    }

    /// Where a lane of bytes is in an image.
    fn at(self, image: Image, lane: u32) -> Mem {
        Mem::at(gp::RBP, image.0 + (lane * self.bits() / 8) as i32)
    }
}

/// A vector in the frame, at this distance to rbp.
#[derive(Clone, Copy, Debug)]
struct Image(i32);

/// Frame bytes of an image: room for the largest vector.
const IMAGE: u64 = 16 * MOST as u64;

impl Compiler<'_> {
    fn lanes(&self, value: Value) -> Result<Lanes, Refused> {
        self.lanes_of_type(self.type_of(value)?)
    }

    fn lanes_of_type(&self, ty: TypeId) -> Result<Lanes, Refused> {
        let Type::Vector { element, count, scalable: false } = self.types.get(ty) else {
            return Err(Reason::Vector("an operand of another type").into());
        };
        let element = match self.types.get(element) {
            Type::Float => Element::Float(false),
            Type::Double => Element::Float(true),
            _ => Element::Int(lane_bits(self.types, element).ok_or(Reason::Vector("type"))?),
        };
        Ok(Lanes { element, count })
    }

    /// One of three slots for images, which are used by one instruction at a time.
    fn image_slot(&mut self, number: usize) -> Result<Image, Refused> {
        if let Some(slot) = self.images[number] {
            return Ok(Image(slot));
        }
        let slot = self.frame.allocate(IMAGE, 16)?;
        self.images[number] = Some(slot);
        Ok(Image(slot))
    }

    /// Writes a value's parts to memory as a store of it would.
    fn image(&mut self, number: usize, value: Value) -> Result<Image, Refused> {
        let image = self.image_slot(number)?;
        self.force(value)?;
        for (index, part) in self.parts_of(value)?.iter().enumerate() {
            let to = Mem::at(gp::RBP, image.0 + part.offset as i32);
            if part.bank == Bank::Gp {
                self.read_into(value, index, SCRATCH)?;
                if part.bits % 8 != 0 {
                    self.extend(SCRATCH, part.bits.into(), false);
                }
                self.asm.mov_mr(Width::of_bits(part.bits.into()), to, SCRATCH);
            } else {
                self.read_into(value, index, SCRATCH_X)?;
                self.asm.store_x(part.store_bytes(), to, SCRATCH_X);
            }
        }
        Ok(image)
    }

    /// The result is what an image holds.
    fn take_image(&mut self, result: Value, image: Image) -> Result<(), Refused> {
        for (index, part) in self.parts_of(result)?.iter().enumerate() {
            let from = Mem::at(gp::RBP, image.0 + part.offset as i32);
            self.load_part_from(result, index, *part, from)?;
        }
        Ok(())
    }

    /// dst = an integer lane, extended to 64 bits
    fn load_lane(&mut self, dst: Gp, lanes: Lanes, image: Image, lane: u32, signed: bool) {
        match lanes.bits() {
            1 => {
                self.asm.movzx(Width::B1, dst, Mem::at(gp::RBP, image.0 + (lane / 8) as i32));
                self.asm.shift_i(Shift::Shl, Width::B8, dst, 63 - (lane % 8) as u8);
                self.asm.shift_i(if signed { Shift::Sar } else { Shift::Shr }, Width::B8, dst, 63);
            }
            64 => self.asm.mov(Width::B8, dst, lanes.at(image, lane)),
            _ if signed => self.asm.movsx(Width::B8, lanes.width(), dst, lanes.at(image, lane)),
            32 => self.asm.mov(Width::B4, dst, lanes.at(image, lane)),
            _ => self.asm.movzx(lanes.width(), dst, lanes.at(image, lane)),
        }
    }

    /// Writes an integer lane; lanes of single bits are added to an image of zeros. Changes `src`.
    fn store_lane(&mut self, lanes: Lanes, image: Image, lane: u32, src: Gp) {
        if lanes.bits() == 1 {
            self.asm.alu_i(Alu::And, Width::B4, src, 1);
            self.asm.shift_i(Shift::Shl, Width::B4, src, (lane % 8) as u8);
            let at = Mem::at(gp::RBP, image.0 + (lane / 8) as i32);
            self.asm.alu_mr(Alu::Or, Width::B1, at, src);
        } else {
            self.asm.mov_mr(lanes.width(), lanes.at(image, lane), src);
        }
    }

    /// A slot for a result, zeroed where lanes are bits.
    fn result_image(&mut self, lanes: Lanes) -> Result<Image, Refused> {
        let image = self.image_slot(2)?;
        if lanes.bits() == 1 {
            for byte in (0..lanes.count.div_ceil(8)).step_by(8) {
                self.asm.mov_mi(Width::B8, Mem::at(gp::RBP, image.0 + byte as i32), 0);
            }
        }
        Ok(image)
    }

    /// An operation whose instruction does all lanes of a register, part by part. False if there is none, or parts are
    /// not in such registers.
    pub(crate) fn lower_parts(
        &mut self,
        prefix: Prefix,
        sse: Sse,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<bool, Refused> {
        let parts = self.parts_of(result)?;
        if parts.iter().any(|part| part.bank != Bank::Xmm) {
            return Ok(false);
        }
        self.force(left)?;
        self.force(right)?;
        for index in 0..parts.len() {
            let before = self.regs.in_use();
            self.read_into(right, index, SCRATCH_X)?;
            let own = self.own_x(left, index)?;
            self.asm.sse(prefix, sse, own, SCRATCH_X);
            self.define(result, index, own)?;
            self.regs.only_in_use(before);
        }
        Ok(true)
    }
}
