//! `call`, `invoke`, `callbr`, and operand bundles.

use super::{Draft, Fields, FunctionReader, Read, metadata};
use crate::body::Bundle;
use crate::casts;
use crate::opcode::{Flags, Opcode};
use crate::types::Kind;
use crate::{Reason, Type, TypeId};

/// Marks an operand of a bundle that is metadata.
const METADATA: u64 = 0x8000_0000;

impl FunctionReader<'_, '_> {
    pub(super) fn bundle(&mut self, fields: &mut Fields<'_>) -> Read<()> {
        let tag = fields.number()?;
        if tag as usize >= self.module.bundle_tags.len() {
            return Err(Reason::Record);
        }
        let first = self.body.operands.len() as u32;
        while let Some(&field) = fields.0.first() {
            let value = if field == METADATA {
                fields.next()?;
                metadata(fields.number()?)?
            } else {
                self.pair(fields)?.0
            };
            self.push(value);
        }
        let count = self.body.operands.len() as u32 - first;
        self.body.bundles.push(Bundle { tag, first, count });
        Ok(())
    }

    pub(super) fn call(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let attributes = self.attributes(fields)?;
        let info = fields.next()?;
        // Bit 0: tail, 1 to 10: convention, 14: musttail, 15: the type is written, 16: notail, 17: fast-math flags.
        if info & !0x3_c7ff != 0 {
            return Err(Reason::Record);
        }
        let mut flags = Flags::NONE;
        if info >> 17 & 1 != 0 {
            flags = casts::fast_math(fields.next()?).ok_or(Reason::Record)?;
        }
        for (bit, flag) in [(0, Flags::TAIL), (14, Flags::MUSTTAIL), (16, Flags::NOTAIL)] {
            if info >> bit & 1 != 0 {
                // The last one written decides.
                flags = Flags(flags.0 & !(Flags::TAIL.0 | Flags::MUSTTAIL.0)).with(flag);
            }
        }
        if info >> 15 & 1 == 0 {
            return Err(Reason::TypedPointer);
        }
        let (detail, ty) = self.callee(fields, attributes, (info >> 1 & 0x3ff) as u32)?;
        Ok(Draft { flags, detail, ..Draft::new(Opcode::Call, ty) })
    }

    pub(super) fn invoke(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let attributes = self.attributes(fields)?;
        let info = fields.next()?;
        if info & !0x23ff != 0 {
            return Err(Reason::Record);
        }
        if info >> 13 & 1 == 0 {
            return Err(Reason::TypedPointer);
        }
        self.target(fields)?;
        self.target(fields)?;
        let (detail, ty) = self.callee(fields, attributes, (info & 0x3ff) as u32)?;
        Ok(Draft { detail, ..Draft::new(Opcode::Invoke, ty) })
    }

    pub(super) fn call_branch(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let attributes = self.attributes(fields)?;
        let info = fields.next()?;
        if info & !0x87fe != 0 {
            return Err(Reason::Record);
        }
        if info >> 15 & 1 == 0 {
            return Err(Reason::TypedPointer);
        }
        self.target(fields)?;
        let count = fields.next()?;
        for _ in 0..count {
            self.target(fields)?;
        }
        let (detail, ty) = self.callee(fields, attributes, (info >> 1 & 0x3ff) as u32)?;
        Ok(Draft { detail, ..Draft::new(Opcode::CallBr, ty) })
    }

    fn attributes(&self, fields: &mut Fields<'_>) -> Read<u32> {
        let list = fields.number()?;
        if list as usize <= self.module.attributes.lists.len() { Ok(list) } else { Err(Reason::Attribute) }
    }

    /// Function type, callee and arguments; gives the place of the call's words and the type of its result.
    fn callee(&mut self, fields: &mut Fields<'_>, attributes: u32, convention: u32) -> Read<(u32, TypeId)> {
        let function_type = self.ty(fields)?;
        let Type::Function { result, parameters, variadic } = self.types.get(function_type) else {
            return Err(Reason::Type);
        };
        let (callee, callee_type) = self.pair(fields)?;
        if self.kind(callee_type) != Kind::Pointer {
            return Err(Reason::ValueType);
        }
        self.push(callee);
        for &parameter in parameters {
            let argument = match self.kind(parameter) {
                Kind::Label => return Err(Reason::Unsupported),
                Kind::Metadata => metadata(self.relative(fields.next()?)?.0)?,
                _ => self.typed(fields, parameter)?,
            };
            self.push(argument);
        }
        if variadic {
            while !fields.0.is_empty() {
                let (argument, _) = self.pair(fields)?;
                self.push(argument);
            }
        }
        fields.end()?;
        let detail = self.body.words.len() as u32;
        let bundles = self.body.bundles.len() as u32;
        let (first, count) = (self.bundles_start, bundles - self.bundles_start);
        self.bundles_start = bundles;
        self.body.words.extend([function_type.0, attributes, convention, first, count]);
        Ok((detail, result))
    }
}
