//! Vectors: which instructions are for them, and those that SSE2 has for vectors of at most 16 bytes, as far as compilers
//! write them without being asked. Everything else goes [lane by lane](super::lanes).

use autojit_bitcode::{Instruction, Opcode, Predicate, Type, Value};

use super::super::Compiler;
use super::super::asm::{Prefix, Shift, Sse, Width, Xmm};
use super::super::constants::Source;
use crate::parts::vector_shape;
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// Whether an instruction's result or first operand is a vector. Those that only move values do not matter.
    pub(crate) fn concerns_vectors(&self, instruction: &Instruction) -> bool {
        if !self.part_table.vectors {
            return false;
        }
        use Opcode::*;
        match instruction.opcode {
            Load | Store | Phi | Freeze | Call | Invoke | ExtractValue | InsertValue | LandingPad => false,
            ExtractElement => true,
            BitCast => self.is_vector(instruction.result) || self.is_first_vector(instruction),
            Select => self.is_first_vector(instruction),
            _ => matches!(self.types.get(instruction.ty), Type::Vector { .. }),
        }
    }

    fn is_first_vector(&self, instruction: &Instruction) -> bool {
        self.body.operands(instruction).first().is_some_and(|operand| self.is_vector(*operand))
    }

    /// Whether a value is a vector.
    pub(crate) fn is_vector(&self, value: Value) -> bool {
        self.type_of(value).is_ok_and(|ty| matches!(self.types.get(ty), Type::Vector { .. }))
    }

    /// Lowers an instruction on vectors. False: as it would be lowered for a scalar.
    pub(crate) fn lower_vectors(&mut self, inst: u32) -> Result<bool, Refused> {
        let body = self.body;
        let instruction = *self.instruction(inst)?;
        let (opcode, result) = (instruction.opcode, instruction.result);
        let whole = self.shape(result).is_ok();
        use Opcode::*;
        match (opcode, body.operands(&instruction)) {
            (Add | Sub | Mul | And | Or | Xor, &[left, right]) => {
                let packed = self.shape_of_lanes(result).and_then(|bits| packed_arithmetic(opcode, bits));
                if let Some(sse) = packed
                    && self.lower_parts(Prefix::P66, sse, result, left, right)?
                {
                    return Ok(true);
                }
                if whole && opcode == Mul && self.shape(result)?.0 == 32 {
                    self.multiply_lanes(result, left, right)?;
                } else {
                    self.lower_int_lanes(opcode, result, left, right)?;
                }
            }
            (Shl | LShr | AShr, &[left, right]) => {
                match if whole { self.splat_shift(opcode, result, right)? } else { None } {
                    Some((sse, by)) => {
                        let own = self.own_x(left, 0)?;
                        let by = self.constant_memory(by.into(), 16);
                        self.asm.sse(Prefix::P66, sse, own, by);
                        self.define(result, 0, own)?;
                    }
                    None => self.lower_int_lanes(opcode, result, left, right)?,
                }
            }
            (UDiv | SDiv | URem | SRem, &[left, right]) => {
                self.lower_int_lanes(opcode, result, left, right)?;
            }
            (FAdd | FSub | FMul | FDiv, &[left, right]) => {
                if self.may_be_fused(&instruction) {
                    return Err(Reason::Form("float operations that may be fused").into());
                }
                let sse = match opcode {
                    FAdd => Sse::Add,
                    FSub => Sse::Sub,
                    FMul => Sse::Mul,
                    _ => Sse::Div,
                };
                self.lower_float_lanes(sse, result, left, right)?;
            }
            (FNeg, &[value]) => self.lower_sign(super::float::Sign::Flip, result, value)?,
            (ICmp | FCmp, &[left, right]) => {
                if inst == self.inst && self.defer_lanes(inst) {
                    return Ok(true);
                }
                self.lower_lane_comparison(opcode, instruction.predicate(), result, left, right)?;
            }
            (Select, &[condition, yes, no]) => self.lower_lane_select(result, condition, yes, no)?,
            (ExtractElement, &[vector, index]) => {
                let known = self.shape(vector).is_ok() && self.constant_bits(index)?.is_some();
                if known && self.lane(vector, index).is_ok() {
                    return Ok(false);
                }
                self.lower_extract_lane(result, vector, index)?;
            }
            (InsertElement, &[vector, element, index]) => {
                let known = whole && self.constant_bits(index)?.is_some();
                if known && self.lane(vector, index).is_ok() {
                    return Ok(false);
                }
                self.lower_insert_lane(result, vector, element, index)?;
            }
            (ShuffleVector, &[left, right, mask]) => {
                self.lower_lane_shuffle(result, left, right, mask)?;
            }
            (BitCast, &[value]) => {
                if self.is_lane_comparison(value) {
                    self.lower_lane_mask(opcode, result, value)?;
                } else if let ([a], [b]) = (&*self.parts_of(value)?, &*self.parts_of(result)?)
                    && a.bank == b.bank
                    && a.bits == b.bits
                {
                    self.lower_copy(result, value)?;
                } else {
                    self.lower_lane_bitcast(result, value)?;
                }
            }
            (_, &[value]) if opcode.is_cast() => {
                if self.is_lane_comparison(value) {
                    self.lower_lane_mask(opcode, result, value)?;
                } else {
                    self.lower_lane_conversion(opcode, result, value)?;
                }
            }
            _ => return Err(Reason::Vector("another instruction").into()),
        }
        Ok(true)
    }

    /// The bits of the elements of a vector of any size.
    fn shape_of_lanes(&self, value: Value) -> Option<u32> {
        let Type::Vector { element, .. } = self.types.get(self.type_of(value).ok()?) else { return None };
        crate::parts::lane_bits(self.types, element)
    }

    /// The bits and number of a vector's elements, and whether they are floats.
    fn shape(&self, value: Value) -> Result<(u32, u32, bool), Refused> {
        let shape = vector_shape(self.types, self.type_of(value)?);
        Ok(shape.ok_or(Reason::Vector("type"))?)
    }

    /// Products of four lanes of 32 bits, two by two.
    fn multiply_lanes(&mut self, result: Value, left: Value, right: Value) -> Result<(), Refused> {
        let (a, b) = (self.own_x(left, 0)?, self.own_x(right, 0)?);
        let (odd_a, odd_b) = (self.temporary_x()?, self.temporary_x()?);
        self.asm.pshufd(odd_a, a, 0b11_11_01_01);
        self.asm.pshufd(odd_b, b, 0b11_11_01_01);
        self.asm.sse(Prefix::P66, Sse::Pmuludq, a, b);
        self.asm.sse(Prefix::P66, Sse::Pmuludq, odd_a, odd_b);
        self.asm.pshufd(a, a, 0b00_00_10_00);
        self.asm.pshufd(odd_a, odd_a, 0b00_00_10_00);
        self.asm.sse(Prefix::P66, Sse::Punpckldq, a, odd_a);
        self.define(result, 0, a)
    }

    /// The instruction that shifts all lanes by one constant, and that, if there is one.
    fn splat_shift(
        &mut self,
        opcode: Opcode,
        result: Value,
        right: Value,
    ) -> Result<Option<(Sse, u64)>, Refused> {
        let (bits, count, _) = self.shape(result)?;
        let sse = match (opcode, bits) {
            (Opcode::Shl, 16) => Sse::Psllw,
            (Opcode::Shl, 32) => Sse::Pslld,
            (Opcode::Shl, 64) => Sse::Psllq,
            (Opcode::LShr, 16) => Sse::Psrlw,
            (Opcode::LShr, 32) => Sse::Psrld,
            (Opcode::LShr, 64) => Sse::Psrlq,
            (Opcode::AShr, 16) => Sse::Psraw,
            (Opcode::AShr, 32) => Sse::Psrad,
            _ => return Ok(None),
        };
        let Source::Bits(by) = self.source(right, 0)? else { return Ok(None) };
        let lane = |index: u32| (by >> (index * bits)) as u64 & (u64::MAX >> (64 - bits));
        let first = lane(0);
        Ok((1..count).all(|index| lane(index) == first).then_some((sse, first)))
    }

    /// A constant index within a vector.
    fn lane(&mut self, vector: Value, index: Value) -> Result<(u32, u32, bool, u32), Refused> {
        let (bits, count, float) = self.shape(vector)?;
        let index = self.constant_bits(index)?.ok_or(Reason::Vector("a variable index"))?;
        if index >= u64::from(count) {
            return Err(Reason::Vector("an index out of range").into());
        }
        Ok((bits, count, float, index as u32))
    }

    /// Lowers `extractelement` with a constant index, through memory where the lane is not the first.
    pub(crate) fn lower_extract_element(
        &mut self,
        result: Value,
        vector: Value,
        index: Value,
    ) -> Result<(), Refused> {
        let (bits, _, float, index) = self.lane(vector, index)?;
        if float && index == 0 {
            let own = self.own_x(vector, 0)?;
            return self.define(result, 0, own);
        }
        let source = self.xmm(vector, 0)?;
        let spare = self.spare()?;
        self.asm.store_x(16, spare, source);
        let at = spare.plus((index * bits / 8) as i32).ok_or(Reason::Size)?;
        let part = self.single(result)?;
        self.load_part_from(result, 0, part, at)
    }

    /// Lowers `insertelement` with a constant index.
    pub(crate) fn lower_insert_element(
        &mut self,
        result: Value,
        vector: Value,
        element: Value,
        index: Value,
    ) -> Result<(), Refused> {
        let (bits, _, float, index) = self.lane(vector, index)?;
        let own = self.own_x(vector, 0)?;
        if let Some(changed) = self.insert(own, element, bits, float, index as u8)? {
            return self.define(result, 0, changed);
        }
        let spare = self.spare()?;
        let at = spare.plus((index * bits / 8) as i32).ok_or(Reason::Size)?;
        self.asm.store_x(16, spare, own);
        if float {
            let element = self.xmm(element, 0)?;
            self.asm.store_x(bits / 8, at, element);
        } else {
            let element = self.gp(element, 0)?;
            self.asm.mov_mr(Width::of_bits(bits), at, element);
        }
        self.asm.load_x(16, own, spare);
        self.define(result, 0, own)
    }

    /// Puts a lane into 16 bytes by instructions that do so: a load of what was just written in pieces would wait for all of
    /// them. Returns the register that has the result; none if this takes memory.
    pub(crate) fn insert(
        &mut self,
        own: Xmm,
        element: Value,
        bits: u32,
        float: bool,
        index: u8,
    ) -> Result<Option<Xmm>, Refused> {
        let sse41 = self.features.sse41;
        match bits {
            64 => {
                let new = if float {
                    self.own_x(element, 0)?
                } else {
                    let (from, new) = (self.gp(element, 0)?, self.temporary_x()?);
                    self.asm.mov_xg(Width::B8, new, from);
                    new
                };
                if index == 1 {
                    self.asm.sse(Prefix::P66, Sse::Punpcklqdq, own, new);
                    return Ok(Some(own));
                }
                self.asm.shift_bytes(false, own, 8);
                self.asm.sse(Prefix::P66, Sse::Punpcklqdq, new, own);
                return Ok(Some(new));
            }
            32 => {
                let from = if float {
                    let (from, word) = (self.xmm(element, 0)?, self.temporary_gp()?);
                    self.asm.mov_gx(Width::B4, word, from);
                    word
                } else if sse41 {
                    self.gp(element, 0)?
                } else {
                    self.own_gp(element, 0)?
                };
                if sse41 {
                    self.asm.pinsr(Width::B4, own, from, index);
                } else {
                    self.asm.pinsrw(own, from, 2 * index);
                    self.asm.shift_i(Shift::Shr, Width::B4, from, 16);
                    self.asm.pinsrw(own, from, 2 * index + 1);
                }
            }
            16 if !float => {
                let from = self.gp(element, 0)?;
                self.asm.pinsrw(own, from, index);
            }
            8 if sse41 => {
                let from = self.gp(element, 0)?;
                self.asm.pinsr(Width::B1, own, from, index);
            }
            _ => return Ok(None),
        }
        Ok(Some(own))
    }

    /// The lanes that a mask names; those that are undefined are out of range.
    pub(crate) fn lanes_of(&mut self, mask: Value, count: u32) -> Result<Vec<u32>, Refused> {
        use autojit_bitcode::Constant;
        let constant = self.body.constant(self.module, mask).ok_or(Reason::Vector("shuffle"))?;
        Ok(match constant {
            Constant::Null => vec![0; count as usize],
            Constant::Undef | Constant::Poison => vec![u32::MAX; count as usize],
            Constant::Data(data) => {
                let mut words = Vec::new();
                self.module.data(&data, &mut words).map_err(|_| Reason::Bitcode)?;
                words.into_iter().map(|word| word as u32).collect()
            }
            Constant::Aggregate(elements) => {
                let lane = |element: &Value| match self.body.constant(self.module, *element) {
                    Some(Constant::Int(lane)) => lane as u32,
                    Some(Constant::Null) => 0,
                    _ => u32::MAX,
                };
                elements.iter().map(lane).collect()
            }
            _ => return Err(Reason::Vector("shuffle").into()),
        })
    }

    /// The comparison of vectors that a value is deferred as.
    fn is_lane_comparison(&self, value: Value) -> bool {
        let instruction = self.deferred(value).and_then(|inst| self.body.instructions.get(inst as usize));
        instruction.is_some_and(|it| {
            let left = self.body.operands(it).first().and_then(|left| self.type_of(*left).ok());
            it.opcode == Opcode::ICmp
                && left.is_some_and(|left| matches!(self.types.get(left), Type::Vector { .. }))
        })
    }

    /// Defers a comparison of vectors of which only a mask is made, where an instruction makes it.
    fn defer_lanes(&mut self, inst: u32) -> bool {
        let Some(instruction) = self.body.instructions.get(inst as usize) else { return false };
        let &[left, _] = self.body.operands(instruction) else { return false };
        let Ok((bits, count, false)) = self.shape(left) else { return false };
        let user =
            self.analysis.locals.local(instruction.result).map(|local| self.analysis.values[local].user);
        let user = user.and_then(|user| self.body.instructions.get(user as usize));
        let mask = user.is_some_and(|user| match (user.opcode, self.types.get(user.ty)) {
            (Opcode::SExt, _) => self.shape(user.result).is_ok_and(|(to, _, _)| to == bits),
            (Opcode::BitCast, Type::Int(16)) => bits == 8,
            _ => false,
        });
        use Predicate::{IntEq, IntNe, IntSge, IntSgt, IntSle, IntSlt};
        instruction.opcode == Opcode::ICmp
            && bits < 64
            && bits * count == 128
            && matches!(instruction.predicate(), IntEq | IntNe | IntSge | IntSgt | IntSle | IntSlt)
            && mask
            && !self.takes_deferred_load(inst)
            && self.defer(inst)
    }

    /// Lowers what makes a mask of a comparison: lanes of ones and zeros, or a bit of each lane.
    fn lower_lane_mask(&mut self, opcode: Opcode, result: Value, value: Value) -> Result<(), Refused> {
        let body = self.body;
        let inst = self.deferred(value).ok_or(Reason::Internal("not a comparison"))?;
        let instruction = body.instructions.get(inst as usize).ok_or(Reason::Internal("an instruction"))?;
        let &[left, right] = body.operands(instruction) else {
            return Err(Reason::Internal("a comparison without operands").into());
        };
        let (bits, count, float) = self.shape(left)?;
        if float || bits * count != 128 {
            return Err(Reason::Vector("comparison").into());
        }
        use autojit_bitcode::Predicate::{IntEq, IntNe, IntSge, IntSgt, IntSle, IntSlt};
        let (equal, greater) = match bits {
            8 => (Sse::Pcmpeqb, Sse::Pcmpgtb),
            16 => (Sse::Pcmpeqw, Sse::Pcmpgtw),
            32 => (Sse::Pcmpeqd, Sse::Pcmpgtd),
            _ => return Err(Reason::Vector("comparison of wide lanes").into()),
        };
        let (sse, a, b, negated) = match instruction.predicate() {
            IntEq => (equal, left, right, false),
            IntNe => (equal, left, right, true),
            IntSgt => (greater, left, right, false),
            IntSle => (greater, left, right, true),
            IntSlt => (greater, right, left, false),
            IntSge => (greater, right, left, true),
            _ => return Err(Reason::Vector("unsigned comparison").into()),
        };
        self.force(a)?;
        let other = self.xmm(b, 0)?;
        let own = self.temporary_x()?;
        self.read_into(a, 0, own)?;
        self.asm.sse(Prefix::P66, sse, own, other);
        if negated {
            let ones = self.constant_memory(u128::MAX, 16);
            self.asm.sse(Prefix::P66, Sse::Pxor, own, ones);
        }
        match (opcode, self.types.get(self.type_of(result)?)) {
            (Opcode::SExt, Type::Vector { .. }) if self.shape(result)?.0 == bits => {
                self.define(result, 0, own)
            }
            (Opcode::BitCast, Type::Int(16)) if bits == 8 => {
                let mask = self.temporary_gp()?;
                self.asm.pmovmskb(mask, own);
                self.define(result, 0, mask)
            }
            _ => Err(Reason::Vector("mask of another width").into()),
        }
    }
}

/// The instruction that does an operation on all lanes of a register.
fn packed_arithmetic(opcode: Opcode, bits: u32) -> Option<Sse> {
    Some(match (opcode, bits) {
        (_, 1) => return None,
        (Opcode::Add, 8) => Sse::Paddb,
        (Opcode::Add, 16) => Sse::Paddw,
        (Opcode::Add, 32) => Sse::Paddd,
        (Opcode::Add, _) => Sse::Paddq,
        (Opcode::Sub, 8) => Sse::Psubb,
        (Opcode::Sub, 16) => Sse::Psubw,
        (Opcode::Sub, 32) => Sse::Psubd,
        (Opcode::Sub, _) => Sse::Psubq,
        (Opcode::Mul, 16) => Sse::Pmullw,
        (Opcode::And, _) => Sse::Pand,
        (Opcode::Or, _) => Sse::Por,
        (Opcode::Xor, _) => Sse::Pxor,
        _ => return None,
    })
}
