//! Selection: the machine instructions of each IR instruction. One module for each kind; what is not supported is
//! named here or there, and refused.

mod aggregate;
mod atomic;
mod bits;
mod call;
mod class;
mod compare;
mod control;
mod convert;
mod float;
mod function;
mod integer;
mod intrinsic;
mod lanes;
mod memory;
mod move_bytes;
mod overflow;
mod variadic;
mod vector;
mod wide;
mod x86;
mod x87;

use autojit_bitcode::{Flags, Instruction, Opcode};

use super::Compiler;
use crate::refused::{Reason, Refused};
pub(crate) use call::Plan;
pub(crate) use function::Signature;

/// Whether an instruction does nothing but compute its result.
pub(crate) fn is_pure(instruction: &Instruction) -> bool {
    use Opcode::*;
    match instruction.opcode {
        Load => !instruction.flags.has(Flags::VOLATILE) && !instruction.flags.has(Flags::ATOMIC),
        // Division by zero is undefined, so it may as well not happen.
        opcode if opcode.is_binary() || opcode.is_cast() => true,
        FNeg | GetElementPtr | ICmp | FCmp | Phi | Select | ExtractElement | InsertElement
        | ShuffleVector | ExtractValue | InsertValue | Freeze => true,
        _ => false,
    }
}

impl Compiler<'_> {
    /// Emits the code of one instruction, or defers it.
    pub(crate) fn emit(&mut self, inst: u32) -> Result<(), Refused> {
        let body = self.body;
        let Some(instruction) = body.instructions.get(inst as usize) else {
            return Err(Reason::Internal("an instruction out of range").into());
        };
        let operands = body.operands(instruction);
        let result = instruction.result;
        // An instruction that is made up for is the user's, not the next one.
        let in_order = inst == self.inst;
        use Opcode::*;
        if self.concerns_vectors(instruction) && self.lower_vectors(inst)? {
            return Ok(());
        }
        match (instruction.opcode, operands) {
            (Ret, _) => self.lower_return(operands.first().copied()),
            (Br, _) => self.lower_jump(),
            (CondBr, &[condition]) => self.lower_branch(condition),
            (Switch, [value, cases @ ..]) => self.lower_switch(*value, cases),
            (IndirectBr, &[address]) => self.lower_indirect_branch(address),
            (Unreachable, _) => {
                self.asm.ud2();
                Ok(())
            }
            (Invoke, _) => self.lower_invoke(inst),
            (Call, _) => self.lower_call(inst),
            (LandingPad, clauses) => self.lower_landing_pad(inst, result, clauses),
            (Resume, &[value]) => self.lower_resume(value),

            (FNeg, &[value]) => self.lower_negate(result, value),
            (Add | Sub | Mul | And | Or | Xor, &[left, right]) => {
                self.lower_arithmetic(instruction.opcode, result, left, right)
            }
            (Shl | LShr | AShr, &[left, right]) => self.lower_shift(instruction.opcode, result, left, right),
            (UDiv | SDiv | URem | SRem, &[left, right]) => {
                self.lower_division(instruction.opcode, result, left, right)
            }
            (FAdd | FSub | FMul | FDiv | FRem, &[left, right]) => {
                self.lower_float(inst, instruction.opcode, left, right)
            }

            (Alloca, &[count]) => self.lower_alloca(inst, count),
            (Load, &[address]) => {
                if in_order && self.defer_load(inst) {
                    return Ok(());
                }
                self.lower_load(inst, address)
            }
            (Store, &[value, address]) => self.lower_store(inst, value, address),
            (GetElementPtr, _) => {
                let may_move = !self.takes_deferred_load(inst) || self.is_used_next(inst);
                if in_order && may_move && self.defer(inst) {
                    return Ok(());
                }
                self.lower_address(inst, result)
            }
            (Fence, _) => self.lower_fence(instruction.ordering),
            (CmpXchg, &[address, expected, new]) => self.lower_cmpxchg(inst, address, expected, new),
            (AtomicRmw, &[address, value]) => self.lower_rmw(inst, address, value),

            (ICmp | FCmp, &[left, right]) => {
                if in_order && self.defer_comparison(inst) {
                    return Ok(());
                }
                self.lower_comparison(inst, left, right)
            }
            (Select, &[condition, yes, no]) => self.lower_select(result, condition, yes, no),
            (Freeze, &[value]) => self.lower_copy(result, value),
            (ExtractValue, &[aggregate]) => self.lower_extract(inst, aggregate),
            (InsertValue, &[aggregate, element]) => self.lower_insert(inst, aggregate, element),
            (ExtractElement, &[vector, index]) => self.lower_extract_element(result, vector, index),
            (InsertElement, &[vector, element, index]) => {
                self.lower_insert_element(result, vector, element, index)
            }
            (VAArg, &[list]) => self.lower_va_arg(result, list),
            (opcode, &[value]) if opcode.is_cast() => self.lower_conversion(inst, opcode, result, value),
            (opcode, _) => Err(Reason::Instruction(name(opcode)).into()),
        }
    }
}

/// The name of an opcode that is not supported, or has not the operands that it should have.
fn name(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::CleanupRet => "cleanupret",
        Opcode::CatchRet => "catchret",
        Opcode::CatchSwitch => "catchswitch",
        Opcode::CleanupPad => "cleanuppad",
        Opcode::CatchPad => "catchpad",
        Opcode::CallBr => "callbr",
        _ => "with other operands",
    }
}
