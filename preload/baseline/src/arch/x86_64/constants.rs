//! Constants: what a part of one is, and how it comes into a register or into read-only memory.

use autojit_bitcode::{Constant, Flags, Opcode, ThreadLocal, Type, TypeId, Value};

use super::Compiler;
use super::asm::{Gp, Mem, Prefix, Sse, Width, Xmm};
use super::registers::SCRATCH;
use crate::code::{RelocationKind, RelocationTarget};
use crate::parts::lane_bits;
use crate::refused::{Reason, Refused};

/// Constant expressions and aggregates are nested this deeply at most.
const DEEPEST: u32 = 64;

/// What a part of a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A value of the function: its local number, and the part's.
    Local(usize, usize),
    /// These bits.
    Bits(u128),
    /// The address of a global, and what is added.
    Symbol(u32, i64),
    /// The address of a block of this function.
    Block(u32),
}

impl Compiler<'_> {
    /// The type of a value.
    pub(crate) fn type_of(&self, value: Value) -> Result<TypeId, Refused> {
        let ty = self.body.type_of(self.module, value);
        Ok(ty.ok_or(Reason::Internal("an operand without a type"))?)
    }

    /// What a part of a value comes from.
    pub(crate) fn source(&mut self, value: Value, part: usize) -> Result<Source, Refused> {
        match self.analysis.locals.local(value) {
            Some(local) => Ok(Source::Local(local, part)),
            None => self.constant(value, part, DEEPEST),
        }
    }

    fn constant(&mut self, value: Value, part: usize, deep: u32) -> Result<Source, Refused> {
        let deep = deep.checked_sub(1).ok_or(Reason::Constant("of great depth"))?;
        if (value.0 as usize) < self.module.globals().len() {
            return self.global(value.0);
        }
        let ty = self.type_of(value)?;
        let constant = self.body.constant(self.module, value);
        let constant = constant.ok_or(Reason::Internal("an operand that is no value"))?;
        Ok(match constant {
            Constant::Null | Constant::Undef | Constant::Poison => Source::Bits(0),
            Constant::Int(int) => {
                Source::Bits(((i128::from(int) >> (64 * part.min(1))) as u128) & u128::from(u64::MAX))
            }
            Constant::WideInt(words) => Source::Bits(words.get(part).copied().unwrap_or(0).into()),
            Constant::Float(bits) => Source::Bits(bits),
            Constant::Aggregate(elements) => {
                if matches!(self.types.get(ty), Type::Vector { .. }) {
                    return self.vector(ty, elements, part, deep);
                }
                let mut part = part;
                for &element in elements {
                    let count = self.part_table.of(self.types, self.type_of(element)?)?.len();
                    if part < count {
                        return self.constant(element, part, deep);
                    }
                    part -= count;
                }
                return Err(Reason::Internal("a part of a constant out of range").into());
            }
            Constant::Data(data) => {
                let mut words = Vec::new();
                self.module.data(&data, &mut words).map_err(|_| Reason::Bitcode)?;
                match self.types.get(ty) {
                    Type::Vector { .. } => {
                        let (bits, first, count) = self.lanes_of_part(ty, part)?;
                        let lanes = words.into_iter().skip(first).take(count);
                        Source::Bits(pack(lanes.map(u128::from), bits))
                    }
                    _ => Source::Bits(words.get(part).copied().unwrap_or(0).into()),
                }
            }
            Constant::Cast { op, value, .. } => self.constant_cast(op, value, ty, part, deep)?,
            Constant::GetElementPtr { .. } if matches!(self.types.get(ty), Type::Vector { .. }) => {
                return Err(Reason::Constant("a vector of addresses").into());
            }
            Constant::GetElementPtr { source, operands, .. } => {
                self.constant_address(source, operands, deep)?
            }
            Constant::Binary { op, left, right, flags } => {
                let _: Flags = flags;
                let (left, right) = (self.constant(left, part, deep)?, self.constant(right, part, deep)?);
                match (op, left, right) {
                    (Opcode::Add, Source::Symbol(global, by), Source::Bits(bits))
                    | (Opcode::Add, Source::Bits(bits), Source::Symbol(global, by)) => {
                        Source::Symbol(global, by.wrapping_add(bits as i64))
                    }
                    (Opcode::Sub, Source::Symbol(global, by), Source::Bits(bits)) => {
                        Source::Symbol(global, by.wrapping_sub(bits as i64))
                    }
                    // The length of a constant slice, as rustc writes it. The type is as wide as an address.
                    (Opcode::Sub, Source::Symbol(global, by), Source::Symbol(from, of)) if global == from => {
                        Source::Bits(by.wrapping_sub(of) as u64 as u128)
                    }
                    _ => return Err(Reason::Constant("a binary operation").into()),
                }
            }
            Constant::DsoLocalEquivalent(value) | Constant::NoCfi(value) => {
                self.constant(value, part, deep)?
            }
            Constant::BlockAddress { function, block } if function.0 == self.body.function => {
                Source::Block(block.0)
            }
            Constant::BlockAddress { .. } => return Err(Reason::Constant("a block's address").into()),
            Constant::Former(_) => return Err(Reason::Constant("expression of an older LLVM").into()),
            Constant::PtrAuth(_) => return Err(Reason::Constant("ptrauth").into()),
            Constant::InlineAsm(_) => return Err(Reason::InlineAssembly.into()),
            Constant::ExtractElement { .. }
            | Constant::InsertElement { .. }
            | Constant::ShuffleVector { .. } => {
                return Err(Reason::Constant("an operation on vectors").into());
            }
        })
    }

    fn global(&self, index: u32) -> Result<Source, Refused> {
        match self.module.globals().get(index as usize) {
            Some(global) if global.thread_local != ThreadLocal::No => Err(Reason::ThreadLocal.into()),
            Some(_) => Ok(Source::Symbol(index, 0)),
            None => Err(Reason::Internal("a global out of range").into()),
        }
    }

    fn constant_cast(
        &mut self,
        op: Opcode,
        value: Value,
        ty: TypeId,
        part: usize,
        deep: u32,
    ) -> Result<Source, Refused> {
        let from = self.type_of(value)?;
        let is_vector = [from, ty].iter().any(|ty| matches!(self.types.get(*ty), Type::Vector { .. }));
        let bits = [from, ty].map(|ty| self.types.layout(ty).map_or(0, |it| it.bits));
        match op {
            // A part has its place in each.
            Opcode::BitCast if bits[0] == bits[1] && self.has_parts_of(from, ty)? => {
                self.constant(value, part, deep)
            }
            Opcode::PtrToInt | Opcode::IntToPtr | Opcode::PtrToAddr if bits[0] == bits[1] => {
                self.constant(value, part, deep)
            }
            _ if is_vector => Err(Reason::Constant("a conversion of a vector").into()),
            // The address is never cut: nothing that is relocated is narrower. A number that is narrower than what it becomes is
            // extended by zeros.
            Opcode::Trunc | Opcode::IntToPtr | Opcode::PtrToInt | Opcode::PtrToAddr => {
                let known = bits[0].saturating_sub(64 * part as u64).min(64);
                if known == 0 {
                    return Ok(Source::Bits(0));
                }
                match self.constant(value, part, deep)? {
                    Source::Bits(number) => Ok(Source::Bits(number & (u128::MAX >> (128 - known)))),
                    _ => Err(Reason::Constant("part of an address").into()),
                }
            }
            _ => Err(Reason::Constant("a conversion").into()),
        }
    }

    /// Whether values of two types have as many parts.
    fn has_parts_of(&mut self, one: TypeId, other: TypeId) -> Result<bool, Refused> {
        let count = self.part_table.of(self.types, one)?.len();
        Ok(count == self.part_table.of(self.types, other)?.len())
    }

    fn constant_address(&mut self, source: TypeId, operands: &[Value], deep: u32) -> Result<Source, Refused> {
        let Some((&base, indices)) = operands.split_first() else {
            return Err(Reason::Internal("an address without a base").into());
        };
        let base = self.constant(base, 0, deep)?;
        let mut offset = 0_i64;
        let mut ty = source;
        for (depth, &index) in indices.iter().enumerate() {
            let Source::Bits(bits) = self.constant(index, 0, deep)? else {
                return Err(Reason::Constant("an address as an index").into());
            };
            let width = self.types.layout(self.type_of(index)?).map_or(64, |it| it.bits as u32);
            let number = sign_extend(bits as u64, width);
            let (by, inner) = self.step(ty, depth == 0, number)?;
            offset = offset.wrapping_add(by);
            ty = inner;
        }
        Ok(match base {
            Source::Symbol(global, by) => Source::Symbol(global, by.wrapping_add(offset)),
            Source::Bits(bits) => Source::Bits((bits as u64).wrapping_add(offset as u64).into()),
            Source::Block(_) | Source::Local(..) => return Err(Reason::Constant("an address").into()),
        })
    }

    /// How far a constant index of `getelementptr` leads, and the type that is there.
    pub(crate) fn step(&self, ty: TypeId, first: bool, index: i64) -> Result<(i64, TypeId), Refused> {
        let (size, inner) = match self.types.get(ty) {
            _ if first => (self.size_of(ty)?, ty),
            Type::Struct { fields, .. } => {
                let field = u32::try_from(index).ok().and_then(|index| fields.get(index as usize));
                let offset = self.types.field_offset(ty, index as u32);
                let (Some(&field), Some(offset)) = (field, offset) else {
                    return Err(Reason::Internal("a field that is not there").into());
                };
                return Ok((offset as i64, field));
            }
            Type::Array { element, .. } => (self.size_of(element)?, element),
            Type::Vector { element, scalable: false, .. } => (self.size_of(element)?, element),
            _ => return Err(Reason::Internal("an index into a scalar").into()),
        };
        Ok((index.wrapping_mul(size), inner))
    }

    /// The distance between elements of a type.
    pub(crate) fn size_of(&self, ty: TypeId) -> Result<i64, Refused> {
        let layout = self.types.layout(ty).ok_or(Reason::Type("without a layout"))?;
        Ok(i64::try_from(layout.size).map_err(|_| Reason::Size)?)
    }

    /// The bits of a vector's elements, the first that is in a part, and how many are.
    fn lanes_of_part(&mut self, ty: TypeId, part: usize) -> Result<(u32, usize, usize), Refused> {
        let Type::Vector { element, .. } = self.types.get(ty) else {
            return Err(Reason::Internal("not a vector").into());
        };
        let bits = lane_bits(self.types, element).ok_or(Reason::Vector("type"))?;
        let parts = self.part_table.of(self.types, ty)?;
        let part = parts.get(part).ok_or(Reason::Internal("a part out of range"))?;
        Ok((bits, (part.offset * 8 / bits) as usize, (u32::from(part.bits) / bits) as usize))
    }

    fn vector(&mut self, ty: TypeId, elements: &[Value], part: usize, deep: u32) -> Result<Source, Refused> {
        let (bits, first, count) = self.lanes_of_part(ty, part)?;
        let mut all = Vec::new();
        for &element in elements.iter().skip(first).take(count) {
            match self.constant(element, 0, deep)? {
                Source::Bits(bits) => all.push(bits),
                _ => return Err(Reason::Constant("a vector of addresses").into()),
            }
        }
        Ok(Source::Bits(pack(all.into_iter(), bits)))
    }

    /// Whether a global is at a fixed distance from the code: the rest is reached through the GOT.
    pub(crate) fn is_near(&self, global: u32) -> bool {
        use autojit_bitcode::Linkage::{ExternalWeak, Internal, Private};
        self.module.globals().get(global as usize).is_some_and(|it| {
            (it.dso_local && it.linkage != ExternalWeak) || matches!(it.linkage, Internal | Private)
        })
    }

    /// dst = address of a global, and what is added
    pub(crate) fn load_symbol(&mut self, dst: Gp, global: u32, addend: i64) -> Result<(), Refused> {
        let target = RelocationTarget::Global(global);
        if self.is_near(global)
            && let Ok(disp) = i32::try_from(addend)
        {
            self.asm.lea(dst, Mem::symbol(RelocationKind::Pc32, target, disp));
            return Ok(());
        }
        self.asm.mov(Width::B8, dst, Mem::symbol(RelocationKind::GotRelaxable, target, 0));
        match i32::try_from(addend) {
            Ok(0) => {}
            // lea leaves the flags alone.
            Ok(disp) => self.asm.lea(dst, Mem::at(dst, disp)),
            Err(_) => {
                self.asm.mov_i(SCRATCH, addend as u64);
                let sum = Mem { index: Some((SCRATCH, 0)), ..Mem::at(dst, 0) };
                self.asm.lea(dst, sum);
            }
        }
        Ok(())
    }

    /// These bits in the function's read-only memory, as an operand of so many bytes.
    pub(crate) fn constant_memory(&mut self, bits: u128, bytes: u32) -> Mem {
        let offset = self.rodata.constant(bits, bytes);
        Mem::symbol(RelocationKind::Pc32, RelocationTarget::Rodata, offset as i32)
    }

    /// dst = these bits
    pub(crate) fn load_vector_constant(&mut self, dst: Xmm, bits: u128, bytes: u32) {
        if bits == 0 {
            self.asm.sse(Prefix::None, Sse::Xor, dst, dst);
        } else {
            let bytes = if bytes > 8 { 16 } else { bytes.next_power_of_two().max(4) };
            let mem = self.constant_memory(bits, bytes);
            self.asm.load_x(bytes, dst, mem);
        }
    }
}

/// Elements of so many bits, the first lowest.
fn pack(elements: impl Iterator<Item = u128>, bits: u32) -> u128 {
    let mask = u128::MAX >> (128 - bits.clamp(1, 128));
    let place =
        |(index, element): (usize, u128)| (element & mask).checked_shl(index as u32 * bits).unwrap_or(0);
    elements.enumerate().map(place).fold(0, |all, element| all | element)
}

/// The lower `bits` of a value as a signed number.
pub(crate) fn sign_extend(value: u64, bits: u32) -> i64 {
    let shift = 64 - bits.clamp(1, 64);
    ((value << shift) as i64) >> shift
}
