//! Arithmetic on lanes: integers, floating point, comparisons, selects and reductions.

use autojit_bitcode::{Opcode, Predicate, Value};

use super::super::compare::{float_condition, int_condition};
use super::{Element, Image};
use crate::arch::x86_64::Compiler;
use crate::arch::x86_64::asm::{Alu, Cond, Mem, Prefix, Shift, Sse, Unary, Width, Xmm, gp};
use crate::arch::x86_64::edges::Condition;
use crate::arch::x86_64::registers::{SCRATCH, SCRATCH_X};
use crate::refused::{Reason, Refused};

fn is_bitwise(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::And | Opcode::Or | Opcode::Xor)
}

impl Compiler<'_> {
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
