//! Vectors of at most 16 bytes, as far as compilers write them without being asked.

use autojit_bitcode::{Opcode, Type, Value};

use super::super::Compiler;
use super::super::asm::{Prefix, Sse, Width};
use super::super::constants::Source;
use crate::parts::vector_shape;
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// The bits and number of a vector's elements, and whether they are floats.
    fn shape(&self, value: Value) -> Result<(u32, u32, bool), Refused> {
        let shape = vector_shape(self.types, self.type_of(value)?);
        Ok(shape.ok_or(Reason::Vector("type"))?)
    }

    pub(crate) fn lower_vector_arithmetic(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let (bits, _, _) = self.shape(result)?;
        let sse = match (opcode, bits) {
            (Opcode::Add, 8) => Sse::Paddb,
            (Opcode::Add, 16) => Sse::Paddw,
            (Opcode::Add, 32) => Sse::Paddd,
            (Opcode::Add, _) => Sse::Paddq,
            (Opcode::Sub, 8) => Sse::Psubb,
            (Opcode::Sub, 16) => Sse::Psubw,
            (Opcode::Sub, 32) => Sse::Psubd,
            (Opcode::Sub, _) => Sse::Psubq,
            (Opcode::Mul, 16) => Sse::Pmullw,
            (Opcode::Mul, 32) => return self.multiply_lanes(result, left, right),
            (Opcode::And, _) => Sse::Pand,
            (Opcode::Or, _) => Sse::Por,
            (Opcode::Xor, _) => Sse::Pxor,
            _ => return Err(Reason::Vector("multiplication").into()),
        };
        self.force(left)?;
        let right = self.xmm(right, 0)?;
        let own = self.own_x(left, 0)?;
        self.asm.sse(Prefix::P66, sse, own, right);
        self.define(result, 0, own)
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

    /// Shifts of all lanes by one constant.
    pub(crate) fn lower_vector_shift(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let (bits, count, _) = self.shape(result)?;
        let Source::Bits(by) = self.source(right, 0)? else { return Err(Reason::Vector("shift").into()) };
        let lane = |index: u32| (by >> (index * bits)) as u64 & (u64::MAX >> (64 - bits));
        let first = lane(0);
        let sse = match (opcode, bits) {
            (Opcode::Shl, 16) => Sse::Psllw,
            (Opcode::Shl, 32) => Sse::Pslld,
            (Opcode::Shl, 64) => Sse::Psllq,
            (Opcode::LShr, 16) => Sse::Psrlw,
            (Opcode::LShr, 32) => Sse::Psrld,
            (Opcode::LShr, 64) => Sse::Psrlq,
            (Opcode::AShr, 16) => Sse::Psraw,
            (Opcode::AShr, 32) => Sse::Psrad,
            _ => return Err(Reason::Vector("shift").into()),
        };
        if (1..count).any(|index| lane(index) != first) {
            return Err(Reason::Vector("shift by lanes").into());
        }
        let own = self.own_x(left, 0)?;
        let by = self.constant_memory(first.into(), 16);
        self.asm.sse(Prefix::P66, sse, own, by);
        self.define(result, 0, own)
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

    /// Lowers `insertelement` with a constant index, through memory.
    pub(crate) fn lower_insert_element(
        &mut self,
        result: Value,
        vector: Value,
        element: Value,
        index: Value,
    ) -> Result<(), Refused> {
        let (bits, _, float, index) = self.lane(vector, index)?;
        let own = self.own_x(vector, 0)?;
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

    /// Lowers `shufflevector` of lanes of 32 and 64 bits, lane by lane through memory.
    pub(crate) fn lower_shuffle(
        &mut self,
        result: Value,
        left: Value,
        right: Value,
        mask: Value,
    ) -> Result<(), Refused> {
        let (bits, count, _) = self.shape(left)?;
        let (to_bits, to_count, _) = self.shape(result)?;
        let Type::Vector { scalable: false, .. } = self.types.get(self.type_of(mask)?) else {
            return Err(Reason::Vector("shuffle").into());
        };
        if bits != to_bits {
            return Err(Reason::Vector("shuffle").into());
        }
        let lanes = self.lanes_of(mask, to_count)?;
        let sources = [self.xmm(left, 0)?, self.xmm(right, 0)?];
        let own = self.temporary_x()?;
        let from = self.frame.allocate_slot(32)?;
        let to = self.spare()?;
        let frame = |at: i32| super::super::asm::Mem::at(super::super::asm::gp::RBP, at);
        for (index, source) in sources.into_iter().enumerate() {
            self.asm.store_x(16, frame(from + 16 * index as i32), source);
        }
        let width = Width::of_bits(bits);
        for (index, lane) in lanes.into_iter().enumerate() {
            let (source, lane) = if lane < count { (0, lane) } else { (16, lane - count) };
            if lane >= count {
                continue;
            }
            let at = frame(from + source + (lane * bits / 8) as i32);
            self.asm.movzx(width, super::super::registers::SCRATCH, at);
            let to = to.plus((index as u32 * bits / 8) as i32).ok_or(Reason::Size)?;
            self.asm.mov_mr(width, to, super::super::registers::SCRATCH);
        }
        self.asm.load_x(16, own, to);
        self.define(result, 0, own)
    }

    /// The lanes that a mask names; those that are undefined are out of range.
    fn lanes_of(&mut self, mask: Value, count: u32) -> Result<Vec<u32>, Refused> {
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
    pub(crate) fn is_lane_comparison(&self, value: Value) -> bool {
        let instruction = self.deferred(value).and_then(|inst| self.body.instructions.get(inst as usize));
        instruction.is_some_and(|it| {
            let left = self.body.operands(it).first().and_then(|left| self.type_of(*left).ok());
            it.opcode == Opcode::ICmp
                && left.is_some_and(|left| matches!(self.types.get(left), Type::Vector { .. }))
        })
    }

    /// Defers a comparison of vectors of which only a mask is made: vectors of single bits have no registers.
    pub(crate) fn defer_lanes(&mut self, inst: u32) -> bool {
        let Some(instruction) = self.body.instructions.get(inst as usize) else { return false };
        let &[left, _] = self.body.operands(instruction) else { return false };
        let vector = self.type_of(left).is_ok_and(|ty| matches!(self.types.get(ty), Type::Vector { .. }));
        let user =
            self.analysis.locals.local(instruction.result).map(|local| self.analysis.values[local].user);
        let user = user.and_then(|user| self.body.instructions.get(user as usize));
        let mask = user.is_some_and(|user| matches!(user.opcode, Opcode::SExt | Opcode::BitCast));
        instruction.opcode == Opcode::ICmp
            && vector
            && mask
            && !self.takes_deferred_load(inst)
            && self.defer(inst)
    }

    /// Lowers what makes a mask of a comparison: lanes of ones and zeros, or a bit of each lane.
    pub(crate) fn lower_lane_mask(
        &mut self,
        opcode: Opcode,
        result: Value,
        value: Value,
    ) -> Result<(), Refused> {
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
