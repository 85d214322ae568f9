//! Terminators, and the instructions of exception handling.

use super::{Draft, Fields, FunctionReader, Read};
use crate::opcode::{Flags, Opcode};
use crate::types::Kind;
use crate::{Reason, Type, TypeId, Value};

impl FunctionReader<'_, '_> {
    pub(super) fn ret(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let function = self.module.globals.get(self.body.function as usize).map(|global| global.value_type);
        let Some(Type::Function { result, .. }) = function.map(|ty| self.types.get(ty)) else {
            return Err(Reason::Type);
        };
        if fields.0.is_empty() {
            if result != self.void {
                return Err(Reason::ValueType);
            }
        } else {
            let (value, ty) = self.pair(fields)?;
            fields.end()?;
            if ty != result {
                return Err(Reason::ValueType);
            }
            self.push(value);
        }
        Ok(Draft::new(Opcode::Ret, self.void))
    }

    pub(super) fn branch(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        self.target(fields)?;
        if fields.0.is_empty() {
            return Ok(Draft::new(Opcode::Br, self.void));
        }
        self.target(fields)?;
        let bool = self.types.computed.bool.ok_or(Reason::MissingType)?;
        let condition = self.typed(fields, bool)?;
        fields.end()?;
        self.push(condition);
        Ok(Draft::new(Opcode::CondBr, self.void))
    }

    pub(super) fn switch(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let ty = self.ty(fields)?;
        if self.kind(ty) != Kind::Int {
            return Err(Reason::ValueType);
        }
        let condition = self.typed(fields, ty)?;
        self.push(condition);
        self.target(fields)?;
        while !fields.0.is_empty() {
            let value = Value(fields.number()?);
            if value.0 >= self.next || self.type_of(value) != Some(ty) || !self.is_integer(value) {
                return Err(Reason::ValueType);
            }
            self.push(value);
            self.target(fields)?;
        }
        Ok(Draft::new(Opcode::Switch, self.void))
    }

    pub(super) fn indirect_branch(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let ty = self.ty(fields)?;
        if self.kind(ty) != Kind::Pointer {
            return Err(Reason::ValueType);
        }
        let address = self.typed(fields, ty)?;
        self.push(address);
        while !fields.0.is_empty() {
            self.target(fields)?;
        }
        Ok(Draft::new(Opcode::IndirectBr, self.void))
    }

    pub(super) fn unreachable(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        fields.end()?;
        Ok(Draft::new(Opcode::Unreachable, self.void))
    }

    pub(super) fn resume(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let (value, _) = self.pair(fields)?;
        fields.end()?;
        self.push(value);
        Ok(Draft::new(Opcode::Resume, self.void))
    }

    pub(super) fn landing_pad(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let ty = self.ty(fields)?;
        let flags = if fields.flag()? { Flags::CLEANUP } else { Flags::NONE };
        let count = fields.next()?;
        let detail = self.body.words.len() as u32;
        for _ in 0..count {
            let kind = fields.next()?;
            let (value, value_type) = self.pair(fields)?;
            // Filters are arrays, and clauses are constants.
            let array = self.kind(value_type) == Kind::Array;
            if kind > 1 || array != (kind == 1) || !self.is_constant(value) {
                return Err(Reason::Record);
            }
            self.push(value);
            self.body.words.push(kind as u32);
        }
        fields.end()?;
        if ty == self.void {
            return Err(Reason::ValueType);
        }
        Ok(Draft { flags, detail, ..Draft::new(Opcode::LandingPad, ty) })
    }

    /// A global or a constant.
    fn is_constant(&self, value: Value) -> bool {
        let argument = value.0 >= self.body.first_argument && value.0 < self.body.first_constant;
        value.0 < self.body.first_result && !argument
    }

    fn token(&self) -> Read<TypeId> {
        self.types.computed.token.ok_or(Reason::MissingType)
    }

    pub(super) fn cleanup_return(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let pad = self.typed(fields, self.token()?)?;
        self.push(pad);
        if !fields.0.is_empty() {
            self.target(fields)?;
        }
        fields.end()?;
        Ok(Draft::new(Opcode::CleanupRet, self.void))
    }

    pub(super) fn catch_return(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let pad = self.typed(fields, self.token()?)?;
        self.push(pad);
        self.target(fields)?;
        fields.end()?;
        Ok(Draft::new(Opcode::CatchRet, self.void))
    }

    pub(super) fn catch_switch(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let token = self.token()?;
        let parent = self.typed(fields, token)?;
        self.push(parent);
        let handlers = fields.next()?;
        for _ in 0..handlers {
            self.target(fields)?;
        }
        if !fields.0.is_empty() {
            self.target(fields)?;
        }
        fields.end()?;
        Ok(Draft::new(Opcode::CatchSwitch, token))
    }

    pub(super) fn pad(&mut self, fields: &mut Fields<'_>, opcode: Opcode) -> Read<Draft> {
        let token = self.token()?;
        let parent = self.typed(fields, token)?;
        self.push(parent);
        let count = fields.next()?;
        for _ in 0..count {
            let (value, _) = self.pair(fields)?;
            self.push(value);
        }
        fields.end()?;
        Ok(Draft::new(opcode, token))
    }
}
