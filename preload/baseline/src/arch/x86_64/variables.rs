//! Variables: allocas that live in registers for the whole function.
//!
//! Front ends put every local variable into memory at -O0. Those of which nothing but whole loads and stores exist may as
//! well be in a register; the ones that are used most, loops counted, get the callee-saved ones, so that calls and
//! unwinding keep them. Not in functions that return twice: the second time, registers are those of the first.

use autojit_bitcode::{AttributeKind, Flags, FunctionBody, Instruction, Opcode, Type, Value};

use super::Compiler;
use super::registers::Reg;
use super::values::ValueState;
use crate::analysis::Info;
use crate::refused::Refused;

/// What is known of an alloca.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Candidate {
    /// Bytes of it; 0 if it is none.
    bytes: u64,
    /// Whole loads and stores, and marks of its lifetime.
    known: u32,
    /// How much loads and stores count.
    pub uses: u64,
}

impl Candidate {
    /// Whether nothing else uses it.
    pub(crate) fn is_variable(&self, uses: u32) -> bool {
        self.bytes > 0 && self.known == uses
    }
}

impl Compiler<'_> {
    /// The allocas that may be variables, by local number, if there are some.
    pub(crate) fn possible_variables(&mut self) -> Result<Option<Vec<Candidate>>, Refused> {
        let (body, analysis) = (self.body, self.analysis);
        let mut candidates = Vec::new();
        let Some(entry) = body.blocks.first() else { return Ok(None) };
        for (inst, instruction) in (0..entry.end).zip(&body.instructions) {
            if instruction.opcode == Opcode::Alloca
                && let Some(local) = analysis.locals.local(instruction.result)
                && self.static_size(inst)?.is_some()
                && let Some(bytes) = self.register_bytes(instruction.source_type())
                && body.operands(instruction).first().is_some_and(|count| self.is_one(*count))
            {
                candidates.resize(analysis.values.len(), Candidate::default());
                candidates[local].bytes = bytes;
            }
        }
        Ok((!candidates.is_empty()).then_some(candidates))
    }

    fn is_one(&mut self, count: Value) -> bool {
        matches!(self.constant_bits(count), Ok(Some(1)))
    }

    /// The size of a type that fits a general-purpose register exactly.
    fn register_bytes(&self, ty: autojit_bitcode::TypeId) -> Option<u64> {
        match self.types.get(ty) {
            Type::Int(bits @ (8 | 16 | 32 | 64)) => Some(u64::from(bits) / 8),
            Type::Pointer(0) => Some(8),
            _ => None,
        }
    }

    /// Counts the uses of candidates that a register serves. Whatever else uses them, they have more uses than these.
    pub(crate) fn count_uses(&self, candidates: &mut [Candidate], instruction: &Instruction, weight: u64) {
        let body: &FunctionBody = self.body;
        let operands = body.operands(instruction);
        let (address, value) = match (instruction.opcode, operands) {
            (Opcode::Load, [address]) => (address, None),
            (Opcode::Store, [value, address]) => (address, Some(value)),
            (Opcode::Call, _) if self.is_lifetime(instruction) => {
                for operand in operands {
                    let local = self.analysis.locals.local(*operand);
                    if let Some(candidate) = local.and_then(|local| candidates.get_mut(local)) {
                        candidate.known += 1;
                    }
                }
                return;
            }
            _ => return,
        };
        if instruction.flags.has(Flags::VOLATILE) || instruction.flags.has(Flags::ATOMIC) {
            return;
        }
        let local = self.analysis.locals.local(*address);
        let candidate = local.and_then(|local| candidates.get_mut(local)).filter(|it| it.bytes > 0);
        let Some(candidate) = candidate else { return };
        let ty = value.map_or(Some(instruction.ty), |value| body.type_of(self.module, *value));
        if ty.and_then(|ty| self.register_bytes(ty)) == Some(candidate.bytes) {
            candidate.known += 1;
            candidate.uses = candidate.uses.saturating_add(weight);
        }
    }

    pub(crate) fn is_lifetime(&self, instruction: &Instruction) -> bool {
        self.body.call(instruction).is_some_and(|call| {
            let global = self.module.globals().get(call.callee.0 as usize);
            global.is_some_and(|global| self.module.name(global).starts_with(b"llvm.lifetime."))
        })
    }

    /// Whether it calls what LLVM knows by name.
    pub(crate) fn is_intrinsic(&self, instruction: &Instruction) -> bool {
        self.body.call(instruction).is_some_and(|call| {
            let global = self.module.globals().get(call.callee.0 as usize);
            global.is_some_and(|global| self.module.name(global).starts_with(b"llvm."))
        })
    }

    /// Whether anything that it calls returns twice (setjmp).
    pub(crate) fn calls_what_returns_twice(&self) -> bool {
        let is_call = |it: &Instruction| matches!(it.opcode, Opcode::Call | Opcode::Invoke | Opcode::CallBr);
        self.body.instructions.iter().any(|it| is_call(it) && self.returns_twice(it))
    }

    pub(crate) fn returns_twice(&self, instruction: &Instruction) -> bool {
        self.body.call(instruction).is_some_and(|call| {
            let twice = |list| self.module.attributes(list).function().has(AttributeKind::ReturnsTwice);
            let global = self.module.globals().get(call.callee.0 as usize);
            twice(call.attributes) || global.is_some_and(|global| twice(global.attributes))
        })
    }

    /// The register of the variable that a deferred load reads. Only the next instruction may look at it, so nothing has
    /// written to it since.
    pub(crate) fn variable(&self, value: Value) -> Option<Reg> {
        let &[address] = self.body.operands(self.deferred_load_of(value)?) else { return None };
        self.variable_at(address)
    }

    /// The register of the variable that is at an address.
    pub(crate) fn variable_at(&self, address: Value) -> Option<Reg> {
        match self.state_of(address) {
            ValueState::Variable(reg) => Some(reg),
            _ => None,
        }
    }

    /// Whether a deferred load is among an instruction's operands: it must not move away from that.
    pub(crate) fn takes_deferred_load(&self, inst: u32) -> bool {
        let instruction = self.body.instructions.get(inst as usize);
        instruction.is_some_and(|instruction| {
            self.body.operands(instruction).iter().any(|operand| self.deferred_load_of(*operand).is_some())
        })
    }

    /// Whether the only user of an instruction's result is the next instruction.
    pub(crate) fn is_used_next(&self, inst: u32) -> bool {
        let result = self.body.instructions.get(inst as usize).map(|it| it.result);
        let local = result.and_then(|result| self.analysis.locals.local(result));
        local.is_some_and(|local| {
            let info: Info = self.analysis.values[local];
            info.uses == 1 && info.user == inst + 1
        })
    }
}
