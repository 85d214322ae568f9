//! Instructions that make a value of other values.

use super::{Draft, Fields, FunctionReader, Read};
use crate::casts;
use crate::opcode::{Opcode, Predicate};
use crate::types::Kind;
use crate::{Flags, Reason, TypeId};

impl FunctionReader<'_, '_> {
    pub(super) fn unary(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (value, ty) = self.pair(fields)?;
        if fields.next()? != 0 || !self.scalar_kind(ty).is_float() {
            return Err(Reason::Record);
        }
        self.push(value);
        let flags = self.fast_math(fields.optional()?)?;
        Ok(Draft { flags, ..Draft::new(Opcode::FNeg, ty) })
    }

    fn fast_math(&self, encoded: Option<u64>) -> Read<Flags> {
        casts::fast_math(encoded.unwrap_or(0)).ok_or(Reason::Record)
    }

    pub(super) fn binary(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (left, ty) = self.pair(fields)?;
        let right = self.typed(fields, ty)?;
        let kind = self.scalar_kind(ty);
        let floating = kind.is_float();
        if !floating && kind != Kind::Int {
            return Err(Reason::ValueType);
        }
        let opcode = casts::binary(fields.next()?, floating).ok_or(Reason::Record)?;
        let flags = match fields.optional()? {
            None => Flags::NONE,
            Some(flags) => casts::binary_flags(opcode, flags).ok_or(Reason::Record)?,
        };
        self.push(left);
        self.push(right);
        Ok(Draft { flags, ..Draft::new(opcode, ty) })
    }

    pub(super) fn cast(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (value, from) = self.pair(fields)?;
        let ty = self.ty(fields)?;
        let opcode = casts::cast(fields.next()?).ok_or(Reason::Record)?;
        let flags = match fields.optional()? {
            None => Flags::NONE,
            Some(flags) => casts::cast_flags(opcode, flags).ok_or(Reason::Record)?,
        };
        if !casts::is_valid(self.types, opcode, from, ty) {
            return Err(Reason::ValueType);
        }
        self.push(value);
        Ok(Draft { flags, ..Draft::new(opcode, ty) })
    }

    pub(super) fn compare(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (left, operands) = self.pair(fields)?;
        let right = self.typed(fields, operands)?;
        let predicate = fields.next()?;
        let floating = match self.scalar_kind(operands) {
            Kind::Int | Kind::Pointer => false,
            kind if kind.is_float() => true,
            _ => return Err(Reason::ValueType),
        };
        if Predicate::from_encoded(predicate).is_none() || (predicate < 32) != floating {
            return Err(Reason::Record);
        }
        let flags = match (fields.optional()?, floating) {
            (None | Some(0), _) => Flags::NONE,
            (Some(1), false) => Flags::SAMESIGN,
            (Some(_), false) => return Err(Reason::Record),
            (flags, true) => self.fast_math(flags)?,
        };
        let ty = self.types.shaped(operands, self.types.computed.bool).ok_or(Reason::MissingType)?;
        self.push(left);
        self.push(right);
        let opcode = if floating { Opcode::FCmp } else { Opcode::ICmp };
        Ok(Draft { flags, detail8: predicate as u8, ..Draft::new(opcode, ty) })
    }

    pub(super) fn select(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (yes, ty) = self.pair(fields)?;
        let no = self.typed(fields, ty)?;
        let (condition, condition_type) = self.pair(fields)?;
        let bool = self.types.computed.bool;
        let whole = Some(condition_type) == bool;
        if !whole && self.types.shaped(ty, bool) != Some(condition_type) {
            return Err(Reason::ValueType);
        }
        let flags = self.fast_math(fields.optional()?)?;
        self.push(condition);
        self.push(yes);
        self.push(no);
        Ok(Draft { flags, ..Draft::new(Opcode::Select, ty) })
    }

    pub(super) fn freeze(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (value, ty) = self.pair(fields)?;
        fields.end()?;
        self.push(value);
        Ok(Draft::new(Opcode::Freeze, ty))
    }

    pub(super) fn extract_element(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (vector, vector_type) = self.pair(fields)?;
        let (index, index_type) = self.pair(fields)?;
        fields.end()?;
        if self.kind(vector_type) != Kind::Vector || self.kind(index_type) != Kind::Int {
            return Err(Reason::ValueType);
        }
        self.push(vector);
        self.push(index);
        Ok(Draft::new(Opcode::ExtractElement, self.types.scalar(vector_type)))
    }

    pub(super) fn insert_element(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (vector, ty) = self.pair(fields)?;
        let element = self.typed(fields, self.types.scalar(ty))?;
        let (index, index_type) = self.pair(fields)?;
        fields.end()?;
        if self.kind(ty) != Kind::Vector || self.kind(index_type) != Kind::Int {
            return Err(Reason::ValueType);
        }
        self.push(vector);
        self.push(element);
        self.push(index);
        Ok(Draft::new(Opcode::InsertElement, ty))
    }

    pub(super) fn shuffle(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (left, operands) = self.pair(fields)?;
        let right = self.typed(fields, operands)?;
        let (mask, mask_type) = self.pair(fields)?;
        fields.end()?;
        let vectors = self.kind(operands) == Kind::Vector && self.kind(mask_type) == Kind::Vector;
        let thirty_two =
            self.types.layout(self.types.scalar(mask_type)).is_some_and(|layout| layout.bits == 32);
        if !vectors
            || self.scalar_kind(mask_type) != Kind::Int
            || !thirty_two
            || mask.0 >= self.body.first_result
        {
            return Err(Reason::ValueType);
        }
        let element = self.types.scalar(operands);
        let ty = self.types.shaped(mask_type, Some(element)).ok_or(Reason::MissingType)?;
        self.push(left);
        self.push(right);
        self.push(mask);
        Ok(Draft::new(Opcode::ShuffleVector, ty))
    }

    /// Reads a path into an aggregate; gives the place of its indices among the words, and the type it leads to.
    fn path(&mut self, fields: &mut Fields<'_>, mut ty: TypeId) -> Read<(u32, TypeId)> {
        let detail = self.body.words.len() as u32;
        if fields.0.is_empty() {
            return Err(Reason::Record);
        }
        self.body.words.push(fields.0.len() as u32);
        for &index in fields.0 {
            if !matches!(self.kind(ty), Kind::Struct | Kind::Array) || index > u32::MAX.into() {
                return Err(Reason::ValueType);
            }
            ty = self.types.contained(ty, index).ok_or(Reason::ValueType)?;
            self.body.words.push(index as u32);
        }
        Ok((detail, ty))
    }

    pub(super) fn extract_value(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (aggregate, aggregate_type) = self.pair(fields)?;
        let (detail, ty) = self.path(fields, aggregate_type)?;
        self.push(aggregate);
        Ok(Draft { detail, ..Draft::new(Opcode::ExtractValue, ty) })
    }

    pub(super) fn insert_value(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (aggregate, ty) = self.pair(fields)?;
        let (element, element_type) = self.pair(fields)?;
        let (detail, found) = self.path(fields, ty)?;
        if found != element_type {
            return Err(Reason::ValueType);
        }
        self.push(aggregate);
        self.push(element);
        Ok(Draft { detail, ..Draft::new(Opcode::InsertValue, ty) })
    }

    pub(super) fn phi(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let ty = self.ty(fields)?;
        if ty == self.void {
            return Err(Reason::ValueType);
        }
        let detail = self.body.words.len() as u32;
        while fields.0.len() >= 2 {
            let distance = crate::bits::signed(fields.next()?);
            let number =
                i64::from(self.next).checked_sub(distance).and_then(|number| u32::try_from(number).ok());
            let value = crate::Value(number.ok_or(Reason::Value)?);
            self.must_be(value, ty)?;
            self.push(value);
            let block = self.block(fields)?;
            self.body.words.push(block.0);
        }
        let flags = match fields.optional()? {
            None => Flags::NONE,
            Some(flags) => casts::fast_math(flags).ok_or(Reason::Record)?,
        };
        Ok(Draft { flags, detail, ..Draft::new(Opcode::Phi, ty) })
    }
}
