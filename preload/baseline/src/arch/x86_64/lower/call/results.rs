//! Results of calls: taken from registers, or loaded from the memory that the callee has written.

use autojit_bitcode::Value;

use crate::arch::x86_64::Compiler;
use crate::arch::x86_64::abi::{Location, result_locations};
use crate::arch::x86_64::asm::{Mem, X87, gp};
use crate::parts::PartType;
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// The results of a call become the parts of a value.
    pub(super) fn take_results(
        &mut self,
        result: Value,
        parts: &[PartType],
        locations: &[Location],
    ) -> Result<(), Refused> {
        if parts.is_empty() {
            return Ok(());
        }
        // All of them first: what is kept elsewhere must not be put into one of these registers.
        for location in locations {
            match *location {
                Location::Gp(reg) => self.take(reg)?,
                Location::Xmm(reg) => self.take(reg)?,
                _ => {}
            }
        }
        let used = self.is_used(result);
        for (part, location) in locations.iter().enumerate() {
            match *location {
                Location::Gp(reg) => self.define(result, part, reg)?,
                Location::Xmm(reg) => self.define(result, part, reg)?,
                Location::High(_) => {}
                Location::X87(_) if used => {
                    let mem = self.define_in_memory(result, part)?;
                    self.asm.fstp(10, mem);
                }
                Location::X87(_) => self.asm.x87(X87::FstpSt0),
                Location::Stack(_) => return Err(Reason::Internal("a result on the stack").into()),
            }
        }
        if locations.iter().any(|location| matches!(location, Location::High(_))) {
            self.take_high(result, locations)?;
            self.asm.zero_high();
        }
        Ok(())
    }

    /// Whether a result has users.
    pub(crate) fn is_used(&self, result: Value) -> bool {
        self.analysis.locals.local(result).is_some_and(|local| self.analysis.values[local].uses > 0)
    }

    /// The result of a runtime function becomes the value.
    pub(crate) fn take_result(&mut self, result: Value) -> Result<(), Refused> {
        let parts = self.parts_of(result)?;
        let locations = result_locations(&parts).ok_or(Reason::Internal("a large result"))?;
        self.take_results(result, &parts, &locations)
    }

    /// What a runtime function returns becomes the first part of a value, whose parts are these.
    pub(crate) fn take_first_result(&mut self, result: Value, parts: &[PartType]) -> Result<(), Refused> {
        let first = parts.get(..1).ok_or(Reason::Internal("a value of no parts"))?;
        let locations = result_locations(first).ok_or(Reason::Internal("a large result"))?;
        self.take_results(result, first, &locations)
    }

    pub(super) fn load_results(
        &mut self,
        result: Value,
        parts: &[PartType],
        offset: i32,
    ) -> Result<(), Refused> {
        if !self.is_used(result) {
            return Ok(());
        }
        for (part, ty) in parts.iter().enumerate() {
            let at = i32::try_from(ty.offset).map_err(|_| Reason::Size)?;
            self.load_part_from(result, part, *ty, Mem::at(gp::RBP, offset + at))?;
        }
        Ok(())
    }
}
