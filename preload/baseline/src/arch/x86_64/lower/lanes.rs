//! Vectors of any size and shape, lane by lane through memory: all that [`vector`](super::vector) has no instruction for.
//!
//! A vector is kept in parts of 16, 8 and 4 bytes, and of 2 and 1 at its end; a vector of single bits in integers. Its
//! *image* is what a store of it would write.

use autojit_bitcode::{Opcode, Predicate, Type, TypeId, Value};

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Gp, Mem, Prefix, Shift, Sse, Unary, Width, Xmm, gp};
use super::super::edges::Condition;
use super::super::registers::{SCRATCH, SCRATCH_X};
use super::compare::{float_condition, int_condition};
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

    /// Lowers a binary operation of integers.
    pub(crate) fn lower_int_lanes(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let lanes = self.lanes(result)?;
        if matches!(lanes.element, Element::Float(_)) || lanes.bits() == 1 && !is_bitwise(opcode) {
            return Err(Reason::Vector("arithmetic").into());
        }
        self.force_all(&[left, right])?;
        let signed = matches!(opcode, Opcode::AShr | Opcode::SDiv | Opcode::SRem);
        let divides = matches!(opcode, Opcode::UDiv | Opcode::SDiv | Opcode::URem | Opcode::SRem);
        let shifts = matches!(opcode, Opcode::Shl | Opcode::LShr | Opcode::AShr);
        let (a, b) = (self.image(0, left)?, self.image(1, right)?);
        let out = self.result_image(lanes)?;
        let x = if divides { gp::RAX } else { gp::RSI };
        self.take(x)?;
        self.take(gp::RCX)?;
        if divides {
            self.take(gp::RDX)?;
        }
        let y = gp::RCX;
        for lane in 0..lanes.count {
            self.load_lane(x, lanes, a, lane, signed);
            self.load_lane(y, lanes, b, lane, signed && divides);
            let mut from = x;
            match opcode {
                Opcode::Add => self.asm.alu(Alu::Add, Width::B8, x, y),
                Opcode::Sub => self.asm.alu(Alu::Sub, Width::B8, x, y),
                Opcode::And => self.asm.alu(Alu::And, Width::B8, x, y),
                Opcode::Or => self.asm.alu(Alu::Or, Width::B8, x, y),
                Opcode::Xor => self.asm.alu(Alu::Xor, Width::B8, x, y),
                Opcode::Mul => self.asm.imul(Width::B8, x, y),
                Opcode::Shl => self.asm.shift_cl(Shift::Shl, Width::B8, x),
                Opcode::LShr => self.asm.shift_cl(Shift::Shr, Width::B8, x),
                Opcode::AShr => self.asm.shift_cl(Shift::Sar, Width::B8, x),
                _ => {
                    if signed {
                        self.asm.sign_into_rdx(Width::B8);
                    } else {
                        self.asm.zero(gp::RDX);
                    }
                    self.asm.unary(if signed { Unary::Idiv } else { Unary::Div }, Width::B8, y);
                    if matches!(opcode, Opcode::URem | Opcode::SRem) {
                        from = gp::RDX;
                    }
                }
            }
            self.store_lane(lanes, out, lane, from);
        }
        debug_assert!(shifts || divides || lanes.count > 0);
        self.take_image(result, out)
    }

    /// Lowers a minimum, maximum or absolute value of integers: lane `x`, or `y` if the condition holds for them.
    pub(crate) fn lower_lane_choice(
        &mut self,
        cond: Cond,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let lanes = self.lanes(result)?;
        let (a, b) = (self.image(0, left)?, self.image(1, right)?);
        let out = self.result_image(lanes)?;
        let (x, y) = (self.temporary_gp()?, self.temporary_gp()?);
        let signed = matches!(cond, Cond::L | Cond::G);
        for lane in 0..lanes.count {
            self.load_lane(x, lanes, a, lane, signed);
            self.load_lane(y, lanes, b, lane, signed);
            self.asm.alu(Alu::Cmp, Width::B8, x, y);
            self.asm.cmov(cond, Width::B8, x, y);
            self.store_lane(lanes, out, lane, x);
        }
        self.take_image(result, out)
    }

    /// Lowers `llvm.abs`.
    pub(crate) fn lower_lane_absolute(&mut self, result: Value, value: Value) -> Result<(), Refused> {
        let lanes = self.lanes(result)?;
        let image = self.image(0, value)?;
        let (x, sign) = (self.temporary_gp()?, self.temporary_gp()?);
        for lane in 0..lanes.count {
            self.load_lane(x, lanes, image, lane, true);
            self.asm.mov(Width::B8, sign, x);
            self.asm.shift_i(Shift::Sar, Width::B8, sign, 63);
            self.asm.alu(Alu::Xor, Width::B8, x, sign);
            self.asm.alu(Alu::Sub, Width::B8, x, sign);
            self.store_lane(lanes, image, lane, x);
        }
        self.take_image(result, image)
    }

    /// Lowers a binary operation of floats that have no whole registers.
    pub(crate) fn lower_float_lanes(
        &mut self,
        sse: Sse,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let lanes = self.lanes(result)?;
        let Element::Float(double) = lanes.element else { return Err(Reason::Vector("arithmetic").into()) };
        let packed = if double { Prefix::P66 } else { Prefix::None };
        if self.lower_parts(packed, sse, result, left, right)? {
            return Ok(());
        }
        Err(Reason::Vector("arithmetic").into())
    }

    /// Lowers `icmp` and `fcmp` to a vector of bits.
    pub(crate) fn lower_lane_comparison(
        &mut self,
        opcode: Opcode,
        predicate: Predicate,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let (lanes, bits) = (self.lanes(left)?, self.lanes(result)?);
        let (a, b) = (self.image(0, left)?, self.image(1, right)?);
        let out = self.result_image(bits)?;
        let x = self.temporary_gp()?;
        for lane in 0..lanes.count {
            match (opcode, lanes.element) {
                (Opcode::ICmp, Element::Int(_)) => {
                    let cond = int_condition(predicate)?;
                    let signed = matches!(cond, Cond::L | Cond::Ge | Cond::Le | Cond::G);
                    self.load_lane(x, lanes, a, lane, signed);
                    self.load_lane(SCRATCH, lanes, b, lane, signed);
                    self.asm.alu(Alu::Cmp, Width::B8, x, SCRATCH);
                    self.asm.setcc(cond, x);
                }
                (Opcode::FCmp, Element::Float(double)) => {
                    let condition = match float_condition(predicate) {
                        Ok((condition, swap)) => {
                            let (a, b) = if swap { (b, a) } else { (a, b) };
                            self.asm.load_x(lanes.bits() / 8, SCRATCH_X, lanes.at(a, lane));
                            let prefix = if double { Prefix::P66 } else { Prefix::None };
                            self.asm.sse(prefix, Sse::Ucomi, SCRATCH_X, lanes.at(b, lane));
                            condition
                        }
                        Err(known) => Condition::Known(known),
                    };
                    let before = self.regs.in_use();
                    self.set(condition, x)?;
                    self.regs.only_in_use(before);
                }
                _ => return Err(Reason::Vector("comparison").into()),
            }
            self.store_lane(bits, out, lane, x);
        }
        self.take_image(result, out)
    }

    /// Lowers `select` by a vector of bits.
    pub(crate) fn lower_lane_select(
        &mut self,
        result: Value,
        condition: Value,
        yes: Value,
        no: Value,
    ) -> Result<(), Refused> {
        let (lanes, bits) = (self.lanes(result)?, self.lanes(condition)?);
        let (a, b) = (self.image(0, yes)?, self.image(1, no)?);
        let mask = self.image(2, condition)?;
        let (x, y) = (self.temporary_gp()?, self.temporary_gp()?);
        if lanes.bits() == 1 {
            // (a ^ b) & mask ^ b
            for byte in (0..lanes.count.div_ceil(8)).step_by(8) {
                let at = |image: Image| Mem::at(gp::RBP, image.0 + byte as i32);
                self.asm.mov(Width::B8, x, at(a));
                self.asm.alu(Alu::Xor, Width::B8, x, at(b));
                self.asm.alu(Alu::And, Width::B8, x, at(mask));
                self.asm.alu(Alu::Xor, Width::B8, x, at(b));
                self.asm.mov_mr(Width::B8, at(a), x);
            }
            return self.take_image(result, a);
        }
        for lane in 0..lanes.count {
            self.load_lane(x, lanes, a, lane, false);
            self.load_lane(y, lanes, b, lane, false);
            self.load_lane(SCRATCH, bits, mask, lane, false);
            self.asm.test(Width::B4, SCRATCH, SCRATCH);
            self.asm.cmov(Cond::E, Width::B8, x, y);
            self.store_lane(lanes, a, lane, x);
        }
        self.take_image(result, a)
    }

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
    fn indexed(&mut self, lanes: Lanes, image: Image, index: Value) -> Result<Mem, Refused> {
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

    /// Lowers `llvm.vector.reduce.*`; `start` is what floats begin with.
    pub(crate) fn lower_reduction(
        &mut self,
        name: &[u8],
        result: Value,
        start: Option<Value>,
        vector: Value,
    ) -> Result<(), Refused> {
        let lanes = self.lanes(vector)?;
        let image = self.image(0, vector)?;
        match (name, lanes.element, start) {
            (b"fadd" | b"fmul", Element::Float(double), Some(start)) => {
                let sse = if name == b"fadd" { Sse::Add } else { Sse::Mul };
                let own: Xmm = self.own_x(start, 0)?;
                for lane in 0..lanes.count {
                    let prefix = if double { Prefix::F2 } else { Prefix::F3 };
                    self.asm.sse(prefix, sse, own, lanes.at(image, lane));
                }
                self.define(result, 0, own)
            }
            (_, Element::Int(_), None) => {
                let (x, y) = (self.temporary_gp()?, self.temporary_gp()?);
                let signed = matches!(name, b"smin" | b"smax");
                self.load_lane(x, lanes, image, 0, signed);
                for lane in 1..lanes.count {
                    self.load_lane(y, lanes, image, lane, signed);
                    let cond = match name {
                        b"add" => {
                            self.asm.alu(Alu::Add, Width::B8, x, y);
                            continue;
                        }
                        b"mul" => {
                            self.asm.imul(Width::B8, x, y);
                            continue;
                        }
                        b"and" => {
                            self.asm.alu(Alu::And, Width::B8, x, y);
                            continue;
                        }
                        b"or" => {
                            self.asm.alu(Alu::Or, Width::B8, x, y);
                            continue;
                        }
                        b"xor" => {
                            self.asm.alu(Alu::Xor, Width::B8, x, y);
                            continue;
                        }
                        b"smin" => Cond::G,
                        b"smax" => Cond::L,
                        b"umin" => Cond::A,
                        b"umax" => Cond::B,
                        _ => return Err(Reason::Vector("reduction").into()),
                    };
                    self.asm.alu(Alu::Cmp, Width::B8, x, y);
                    self.asm.cmov(cond, Width::B8, x, y);
                }
                self.define(result, 0, x)
            }
            _ => Err(Reason::Vector("reduction").into()),
        }
    }
}

fn is_bitwise(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::And | Opcode::Or | Opcode::Xor)
}
