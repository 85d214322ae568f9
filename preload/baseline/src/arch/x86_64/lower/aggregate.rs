//! Structures and arrays as values: their parts change owners.

use autojit_bitcode::{Type, TypeId, Value};

use super::super::Compiler;
use crate::parts::Bank;
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// A part of a result is a part of another value.
    pub(crate) fn pass_part(
        &mut self,
        result: Value,
        index: usize,
        value: Value,
        part: usize,
    ) -> Result<(), Refused> {
        if self.part_type(value, part)?.bank == Bank::X87 {
            return self.copy_x87(result, index, value, part);
        }
        let own = self.own(value, part)?;
        self.define(result, index, own)
    }

    /// The result is the value.
    pub(crate) fn lower_copy(&mut self, result: Value, value: Value) -> Result<(), Refused> {
        self.force(value)?;
        for part in 0..self.parts_of(result)?.len() {
            self.pass_part(result, part, value, part)?;
        }
        Ok(())
    }

    /// The first part of what a path of indices leads to, and how many there are.
    fn path(&mut self, ty: TypeId, indices: &[u32]) -> Result<(usize, usize), Refused> {
        let (mut ty, mut first) = (ty, 0);
        for &index in indices {
            ty = match self.types.get(ty) {
                Type::Struct { fields, .. } => {
                    for &before in fields.get(..index as usize).unwrap_or_default() {
                        first += self.part_table.of(self.types, before)?.len();
                    }
                    *fields.get(index as usize).ok_or(Reason::Internal("a field that is not there"))?
                }
                Type::Array { element, .. } => {
                    first += self.part_table.of(self.types, element)?.len() * index as usize;
                    element
                }
                _ => return Err(Reason::Internal("an index into a scalar").into()),
            };
        }
        Ok((first, self.part_table.of(self.types, ty)?.len()))
    }

    /// Lowers `extractvalue`.
    pub(crate) fn lower_extract(&mut self, inst: u32, aggregate: Value) -> Result<(), Refused> {
        let body = self.body;
        let instruction = self.instruction(inst)?;
        let result = instruction.result;
        let indices =
            body.indices(body.instructions.get(inst as usize).ok_or(Reason::Internal("an instruction"))?);
        let (first, count) = self.path(self.type_of(aggregate)?, indices)?;
        for part in 0..count {
            self.pass_part(result, part, aggregate, first + part)?;
        }
        Ok(())
    }

    /// Lowers `insertvalue`.
    pub(crate) fn lower_insert(
        &mut self,
        inst: u32,
        aggregate: Value,
        element: Value,
    ) -> Result<(), Refused> {
        let body = self.body;
        let instruction = body.instructions.get(inst as usize).ok_or(Reason::Internal("an instruction"))?;
        let result = instruction.result;
        let (first, count) = self.path(self.type_of(aggregate)?, body.indices(instruction))?;
        self.force(element)?;
        for part in 0..self.parts_of(result)?.len() {
            if (first..first + count).contains(&part) {
                self.pass_part(result, part, element, part - first)?;
            } else {
                self.pass_part(result, part, aggregate, part)?;
            }
            // More parts than registers: what has been defined may be stored.
            self.unlock_result(result, part);
        }
        Ok(())
    }

    fn unlock_result(&mut self, result: Value, part: usize) {
        if let Some(local) = self.analysis.locals.local(result)
            && self.assignments[local].count as usize > part
            && let Some(reg) = self.part(local, part).reg
        {
            self.regs.unlock(reg);
        }
    }
}
