//! Stack protection: a value of the thread's beside the saved registers, which must still be there at the end.

use autojit_bitcode::{AttributeKind, Flags, Opcode, Value};

use super::Compiler;
use super::asm::{Alu, Cond, Label, Mem, Width, gp};
use super::registers::SCRATCH;
use crate::refused::Refused;

/// mov r11, fs:0x28: where the psABI's C libraries keep the value.
const LOAD_GUARD: [u8; 9] = [0x64, 0x4c, 0x8b, 0x1c, 0x25, 0x28, 0, 0, 0];

impl Compiler<'_> {
    /// Stores the value, above all variables, if the function asks for it.
    pub(crate) fn store_guard(&mut self) -> Result<(), Refused> {
        let global = self.module.globals().get(self.body.function as usize);
        let Some(attributes) = global.map(|global| self.module.attributes(global.attributes).function())
        else {
            return Ok(());
        };
        let where_needed =
            attributes.has(AttributeKind::StackProtect) || attributes.has(AttributeKind::StackProtectStrong);
        if attributes.has(AttributeKind::StackProtectReq) || (where_needed && self.has_memory()) {
            let at = self.frame.allocate(8, 8)?;
            self.signature.guard = Some(at);
            self.asm.raw(&LOAD_GUARD);
            self.asm.mov_mr(Width::B8, Mem::at(gp::RBP, at), SCRATCH);
        }
        Ok(())
    }

    /// Compares it at the end. The label is where control goes if it has changed.
    pub(crate) fn check_guard(&mut self) -> Option<Label> {
        let at = self.signature.guard?;
        let overrun = self.asm.label();
        self.asm.raw(&LOAD_GUARD);
        self.asm.alu(Alu::Cmp, Width::B8, SCRATCH, Mem::at(gp::RBP, at));
        self.asm.jcc(Cond::Ne, overrun);
        Some(overrun)
    }

    /// Whether a variable is more than loaded and stored as a whole: where LLVM would protect a frame, and in a few others.
    fn has_memory(&self) -> bool {
        let body = self.body;
        let allocas: std::collections::BTreeSet<u32> =
            body.instructions.iter().filter(|it| it.opcode == Opcode::Alloca).map(|it| it.result.0).collect();
        let is_alloca = |value: &Value| allocas.contains(&value.0);
        !allocas.is_empty()
            && body.instructions.iter().any(|it| {
                let operands = body.operands(it);
                match (it.opcode, operands) {
                    (Opcode::Load, _) => false,
                    (Opcode::Store, [value, _]) if !it.flags.has(Flags::ATOMIC) => is_alloca(value),
                    (Opcode::Alloca, [count]) => self.analysis.locals.local(*count).is_some(),
                    _ => operands.iter().any(is_alloca),
                }
            })
    }
}
