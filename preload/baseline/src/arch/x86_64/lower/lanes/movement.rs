//! Lanes that go elsewhere: casts, conversions, shuffles, lanes that are taken out and put in.

use autojit_bitcode::{Opcode, Value};

use super::{Element, Image, Lanes};
use crate::arch::x86_64::Compiler;
use crate::arch::x86_64::asm::{Alu, Mem, Prefix, Sse, Width, gp};
use crate::parts::{Bank, PartType};
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// Lowers `bitcast` from or to a vector: what one stores, the other loads.
    pub(crate) fn lower_lane_bitcast(&mut self, result: Value, value: Value) -> Result<(), Refused> {
        if self.parts_of(value)?.iter().any(|part| part.bank == Bank::X87)
            || self.parts_of(result)?.iter().any(|part| part.bank == Bank::X87)
        {
            return Err(Reason::Vector("bitcast").into());
        }
        let image = self.image(0, value)?;
        self.take_image(result, image)
    }

    /// Lowers conversions of each lane.
    pub(crate) fn lower_lane_conversion(
        &mut self,
        opcode: Opcode,
        result: Value,
        value: Value,
    ) -> Result<(), Refused> {
        let (from, to) = (self.lanes(value)?, self.lanes(result)?);
        let image = self.image(0, value)?;
        let out = self.result_image(to)?;
        let x = self.temporary_gp()?;
        let own = self.temporary_x()?;
        for lane in 0..to.count {
            let before = self.regs.in_use();
            match (opcode, from.element, to.element) {
                (
                    Opcode::Trunc | Opcode::ZExt | Opcode::SExt | Opcode::PtrToInt | Opcode::IntToPtr,
                    Element::Int(_),
                    Element::Int(_),
                ) => {
                    self.load_lane(x, from, image, lane, opcode == Opcode::SExt);
                    self.store_lane(to, out, lane, x);
                }
                (Opcode::FPExt | Opcode::FPTrunc, Element::Float(double), Element::Float(_)) => {
                    let prefix = if double { Prefix::F2 } else { Prefix::F3 };
                    self.asm.load_x(from.bits() / 8, own, from.at(image, lane));
                    self.asm.sse(prefix, Sse::Cvt, own, own);
                    self.asm.store_x(to.bits() / 8, to.at(out, lane), own);
                }
                (Opcode::SIToFP | Opcode::UIToFP, Element::Int(bits), Element::Float(double)) => {
                    let signed = opcode == Opcode::SIToFP;
                    self.load_lane(x, from, image, lane, signed);
                    self.asm.sse(Prefix::None, Sse::Xor, own, own);
                    if signed || bits < 64 {
                        self.asm.cvt_from_int(double, Width::B8, own, x);
                    } else {
                        self.unsigned_to_float(double, own, x);
                    }
                    self.asm.store_x(to.bits() / 8, to.at(out, lane), own);
                }
                (Opcode::FPToSI | Opcode::FPToUI, Element::Float(double), Element::Int(bits)) => {
                    self.asm.load_x(from.bits() / 8, own, from.at(image, lane));
                    if opcode == Opcode::FPToSI || bits < 64 {
                        self.asm.cvt_to_int(double, Width::B8, x, own);
                        self.store_lane(to, out, lane, x);
                    } else {
                        let converted = self.float_to_unsigned(double, own)?;
                        self.store_lane(to, out, lane, converted);
                    }
                }
                _ => return Err(Reason::Vector("conversion").into()),
            }
            self.regs.only_in_use(before);
        }
        self.take_image(result, out)
    }

    /// Lowers `shufflevector`; `lanes` are those of the result, out of range where it does not matter what they are.
    pub(crate) fn lower_lane_shuffle(
        &mut self,
        result: Value,
        left: Value,
        right: Value,
        mask: Value,
    ) -> Result<(), Refused> {
        let (from, to) = (self.lanes(left)?, self.lanes(result)?);
        let chosen = self.lanes_of(mask, to.count)?;
        let sources = [self.image(0, left)?, self.image(1, right)?];
        let out = self.result_image(to)?;
        let x = self.temporary_gp()?;
        for (lane, source) in (0..to.count).zip(chosen) {
            let (image, number) =
                if source < from.count { (sources[0], source) } else { (sources[1], source - from.count) };
            if number < from.count {
                self.load_lane(x, from, image, number, false);
                self.store_lane(to, out, lane, x);
            }
        }
        self.take_image(result, out)
    }

    /// The address of a lane of bytes with a variable index; what is out of range is undefined, but stays in the image.
    pub(super) fn indexed(&mut self, lanes: Lanes, image: Image, index: Value) -> Result<Mem, Refused> {
        let part = self.single(index)?;
        let reg = self.own_gp(index, 0)?;
        self.extend(reg, u32::from(part.bits), false);
        self.asm.alu_i(Alu::And, Width::B8, reg, lanes.count.next_power_of_two() as i32 - 1);
        Ok(Mem { index: Some((reg, (lanes.bits() / 8).trailing_zeros() as u8)), ..lanes.at(image, 0) })
    }

    /// Lowers `extractelement`.
    pub(crate) fn lower_extract_lane(
        &mut self,
        result: Value,
        vector: Value,
        index: Value,
    ) -> Result<(), Refused> {
        let lanes = self.lanes(vector)?;
        let known = self.constant_bits(index)?;
        self.force_all(&[vector, index])?;
        let image = self.image(0, vector)?;
        if lanes.bits() == 1 {
            let known = known.filter(|known| *known < u64::from(lanes.count));
            let known = known.ok_or(Reason::Vector("a variable index into bits"))?;
            let reg = self.temporary_gp()?;
            self.load_lane(reg, lanes, image, known as u32, false);
            return self.define(result, 0, reg);
        }
        let at = match known {
            Some(known) if known < u64::from(lanes.count) => lanes.at(image, known as u32),
            _ => self.indexed(lanes, image, index)?,
        };
        let part = self.single(result)?;
        self.load_part_from(result, 0, part, at)
    }

    /// Lowers `insertelement`.
    pub(crate) fn lower_insert_lane(
        &mut self,
        result: Value,
        vector: Value,
        element: Value,
        index: Value,
    ) -> Result<(), Refused> {
        let lanes = self.lanes(vector)?;
        let known = self.constant_bits(index)?;
        if let Some(known) = known
            && self.insert_into_part(result, vector, element, lanes.bits(), known)?
        {
            return Ok(());
        }
        self.force_all(&[vector, element, index])?;
        let image = self.image(0, vector)?;
        if lanes.bits() == 1 {
            let known = known.filter(|known| *known < u64::from(lanes.count));
            let lane = known.ok_or(Reason::Vector("a variable index into bits"))? as u32;
            let reg = self.own_gp(element, 0)?;
            let at = Mem::at(gp::RBP, image.0 + (lane / 8) as i32);
            self.asm.alu_i(Alu::And, Width::B1, at, i32::from(!(1_u8 << (lane % 8)) as i8));
            self.store_lane(lanes, image, lane, reg);
            return self.take_image(result, image);
        }
        let at = match known {
            Some(known) if known < u64::from(lanes.count) => lanes.at(image, known as u32),
            _ => self.indexed(lanes, image, index)?,
        };
        let part = self.single(element)?;
        self.store_part_to(element, 0, part, at)?;
        self.take_image(result, image)
    }

    /// Puts a lane into the part of 16 bytes that it is in; false if it does not lie so, or takes memory.
    fn insert_into_part(
        &mut self,
        result: Value,
        vector: Value,
        element: Value,
        bits: u32,
        index: u64,
    ) -> Result<bool, Refused> {
        let parts = self.parts_of(vector)?;
        let is_whole = |part: &PartType| part.bank == Bank::Xmm && part.bits == 128;
        let of_part = u64::from(128 / bits.max(1));
        let is_whole = matches!(parts.len(), 2 | 4) && parts.iter().all(is_whole);
        if !is_whole || !matches!(bits, 32 | 64) || index >= of_part * parts.len() as u64 {
            return Ok(false);
        }
        let float = self.single(element)?.bank == Bank::Xmm;
        for part in 0..parts.len() {
            let own = self.own_x(vector, part)?;
            let changed = if part as u64 == index / of_part {
                self.insert(own, element, bits, float, (index % of_part) as u8)?
            } else {
                Some(own)
            };
            self.define(result, part, changed.ok_or(Reason::Internal("a lane of another size"))?)?;
        }
        Ok(true)
    }
}
