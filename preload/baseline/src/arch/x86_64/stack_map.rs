//! Stack maps: where a frame has what is live at the header of a loop.
//!
//! Registers are empty there, but for variables and values with registers for themselves, whose memory is written when the loop is left. A map has more than is
//! live: all variables, and each value that is kept for any use from the header on. What lies in the frame in another
//! form than LLVM would store it in refuses the map.

use autojit_abi::{Location, LocationKind, StackMap};
use autojit_bitcode::{Definition, Opcode, Type};

use super::Compiler;
use super::values::ValueState;
use crate::parts::Bank;
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// The map at the header of a loop, whose block begins here.
    pub(crate) fn stack_map(&mut self, block: u32) -> Result<StackMap, Refused> {
        let mut locations = Vec::new();
        for local in 0..self.assignments.len() {
            let Some(value) = self.analysis.locals.number(local) else { continue };
            let (kind, offset) = match self.assignments[local].state {
                ValueState::Frame(offset) => (LocationKind::Variable, offset),
                ValueState::Variable(_) => {
                    let home = self.counted.homes.iter().find(|home| home.local as usize == local);
                    let home = home.ok_or(Reason::Internal("a variable without memory"))?;
                    (LocationKind::Variable, home.offset)
                }
                // What continues the loop has other labels. It is refused if one is needed.
                _ if self.counted.labels.as_ref().is_some_and(|labels| labels.has(local)) => continue,
                ValueState::Live if self.is_kept(local) => (LocationKind::Value, self.memory_offset(local)?),
                // Neither crosses blocks.
                ValueState::Live | ValueState::Deferred(..) | ValueState::None => continue,
            };
            locations.push(Location { value, kind, offset });
        }
        Ok(StackMap { block, locations })
    }

    /// Whether a value comes from in front of this block, or is a phi of it, and has uses from here on.
    pub(crate) fn is_kept(&self, local: usize) -> bool {
        let info = self.analysis.values[local];
        let value = self.analysis.locals.value(local);
        let is_phi = || {
            matches!(self.body.definition(self.module, value), Some(Definition::Instruction(inst))
                if self.body.instruction(inst).is_some_and(|it| it.opcode == Opcode::Phi))
        };
        let is_live = match self.assignments[local].home {
            Some(home) => self.homes.at(self.position).any(|(reg, at)| reg == home && at == local),
            None => info.until >= self.position,
        };
        is_live && (info.first < self.position || info.first == self.position && info.uses > 0 && is_phi())
    }

    /// The distance to rbp of a value that lies in the frame as LLVM would store it.
    fn memory_offset(&mut self, local: usize) -> Result<i32, Refused> {
        let value = self.analysis.locals.value(local);
        let ty = self.type_of(value)?;
        let types = self.part_table.of(self.types, ty)?;
        let scattered = (0..types.len()).any(|part| self.part(local, part).offset != types[part].offset);
        // LLVM takes bits of a byte that no value has for zero.
        let whole =
            || types.iter().all(|part| part.bank != Bank::Gp || matches!(part.bits, 8 | 16 | 32 | 64));
        let natural = match self.types.get(ty) {
            Type::Int(_) | Type::Pointer(_) | Type::Float | Type::Double | Type::X86Fp80 => true,
            Type::Vector { .. } | Type::Array { .. } | Type::Struct { .. } => whole(),
            _ => false,
        };
        let slot = self.assignments[local].slot;
        if scattered || !natural || slot == 0 {
            return Err(Reason::Form("a live value that lies in pieces").into());
        }
        Ok(slot)
    }
}
