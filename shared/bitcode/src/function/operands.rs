//! Operands of instructions: their fields, their types, and which types they must have.

use super::{Fields, FunctionReader, Read};
use crate::constant_reader::{ANY, nesting_is_finite};
use crate::constants::{Constant, Kind as ConstantKind};
use crate::types::Kind;
use crate::{Block, Reason, TypeId, Value};

/// An operand that is metadata.
pub(super) fn metadata(number: u32) -> Read<Value> {
    // All ones is no value.
    if number < 0x7fff_ffff { Ok(Value(number | Value::METADATA)) } else { Err(Reason::Metadata) }
}

impl FunctionReader<'_, '_> {
    #[inline(always)]
    pub(super) fn type_of(&self, value: Value) -> Option<TypeId> {
        match value.0.checked_sub(self.body.first_argument) {
            Some(index) => self.body.types.get(index as usize).copied(),
            None => self.module.value_types.get(value.0 as usize).copied(),
        }
    }

    /// The value that is so far back.
    #[inline(always)]
    pub(super) fn relative(&self, distance: u64) -> Read<Value> {
        let distance = u32::try_from(distance).map_err(|_| Reason::Value)?;
        Ok(Value(self.next.wrapping_sub(distance)))
    }

    /// A type's number.
    #[inline(always)]
    pub(super) fn ty(&self, fields: &mut Fields<'_>) -> Read<TypeId> {
        let id = fields.next()?;
        if id < self.types.len() as u64 { Ok(TypeId(id as u32)) } else { Err(Reason::Type) }
    }

    /// A value with its type, which is written only if the value comes later.
    #[inline(always)]
    pub(super) fn pair(&mut self, fields: &mut Fields<'_>) -> Read<(Value, TypeId)> {
        let value = self.relative(fields.next()?)?;
        if value.0 < self.next {
            return Ok((value, self.type_of(value).ok_or(Reason::Value)?));
        }
        let ty = self.ty(fields)?;
        self.later(value, ty)?;
        Ok((value, ty))
    }

    /// A value that must have this type.
    #[inline(always)]
    pub(super) fn typed(&mut self, fields: &mut Fields<'_>, ty: TypeId) -> Read<Value> {
        let value = self.relative(fields.next()?)?;
        self.must_be(value, ty)?;
        Ok(value)
    }

    #[inline(always)]
    pub(super) fn must_be(&mut self, value: Value, ty: TypeId) -> Read<()> {
        if value.0 >= self.next {
            return self.later(value, ty);
        }
        if self.type_of(value) == Some(ty) { Ok(()) } else { Err(Reason::ValueType) }
    }

    #[cold]
    pub(super) fn later(&mut self, value: Value, ty: TypeId) -> Read<()> {
        // Numbers of values have 30 bits at most.
        if value.0 >= 1 << 30 {
            return Err(Reason::Value);
        }
        self.body.scratch.pending.push((value, ty));
        Ok(())
    }

    #[inline(always)]
    pub(super) fn push(&mut self, value: Value) {
        self.body.operands.push(value);
    }

    /// Adds a target of the block's terminator.
    pub(super) fn target(&mut self, fields: &mut Fields<'_>) -> Read<()> {
        let target = self.block(fields)?;
        self.body.targets.push(target);
        Ok(())
    }

    pub(super) fn block(&self, fields: &mut Fields<'_>) -> Read<Block> {
        let number = fields.next()?;
        if number < self.block_count.into() { Ok(Block(number as u32)) } else { Err(Reason::BasicBlock) }
    }

    pub(super) fn kind(&self, ty: TypeId) -> Kind {
        self.types.kind(ty)
    }

    /// The kind of a type's elements, if it is a vector, else its own.
    pub(super) fn scalar_kind(&self, ty: TypeId) -> Kind {
        self.types.scalar_kind(ty)
    }

    /// An integer constant of the function or module.
    pub(super) fn is_integer(&self, value: Value) -> bool {
        let constants = &self.body.constants;
        let entry = match value.0.checked_sub(self.body.first_constant) {
            Some(index) => constants.entries.get(index as usize),
            None => (value.0 as usize)
                .checked_sub(self.module.globals.len())
                .and_then(|index| self.module.constants.entries.get(index)),
        };
        entry.is_some_and(|entry| matches!(entry.kind, ConstantKind::Int | ConstantKind::WideInt))
    }

    /// A constant that is an integer of at most 64 bits.
    pub(super) fn integer(&self, value: Value) -> Option<i64> {
        let constant = match value.0.checked_sub(self.body.first_constant) {
            Some(index) => self.body.own_constant(index),
            None => self.module.constant(value),
        };
        match constant {
            Some(Constant::Int(value)) => Some(value),
            _ => None,
        }
    }

    pub(super) fn check_constants(&mut self) -> Read<()> {
        let mut pending = core::mem::take(&mut self.body.scratch.pending);
        for &(value, ty) in &pending {
            let argument = value.0 >= self.body.first_argument && value.0 < self.body.first_constant;
            let found = self.type_of(value).filter(|_| !argument).ok_or(Reason::Value)?;
            if ty != ANY && found != ty {
                return Err(Reason::ValueType);
            }
        }
        pending.clear();
        self.body.scratch.pending = pending;
        let base = self.body.first_constant;
        if nesting_is_finite(&self.body.constants, base, &mut self.body.scratch) {
            Ok(())
        } else {
            Err(Reason::NestedConstant)
        }
    }

    pub(super) fn check(&mut self) -> Read<()> {
        let body = &*self.body;
        let complete = body.blocks.len() as u32 == self.block_count && self.block_count != 0;
        if !complete || self.block_start as usize != body.instructions.len() {
            return Err(Reason::BasicBlock);
        }
        if self.bundles_start != body.bundles.len() as u32 {
            return Err(Reason::Structure);
        }
        for &(value, ty) in &body.scratch.pending {
            match self.type_of(value) {
                Some(found) if found == ty => {}
                Some(_) => return Err(Reason::ValueType),
                None => return Err(Reason::Value),
            }
        }
        // Addresses of the function's own blocks; of other functions it is not known how many they have.
        for entry in body.constants.entries.iter().filter(|entry| entry.kind == ConstantKind::BlockAddress) {
            let (function, block) = (entry.payload as u32, (entry.payload >> 32) as u32);
            if function == body.function && block >= self.block_count {
                return Err(Reason::BasicBlock);
            }
        }
        Ok(())
    }
}
