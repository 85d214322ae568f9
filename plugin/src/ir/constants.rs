//! Which variables travel with the bodies that use them, instead of staying in the object.
//!
//! A constant has one address in a process: programs compare addresses of string literals, vtables and promoted
//! constants, and LLVM does so itself. So a constant stays in the image, where linkers merge it as in any build, and
//! bodies reach it through the import table. Only if no body can observe the address, a copy travels with each batch.

use std::collections::HashSet;

use llvm_sys::LLVMOpcode;

use super::{IrModule, Kind, Value};

/// Whether a variable travels: a constant whose address nothing observes, or a table of labels, which only its own
/// function uses. A copy may also stay.
pub fn travels(variable: Value) -> bool {
    if variable.kind() != Kind::LLVMGlobalVariableValueKind
        || !variable.is_local()
        || variable.initializer().is_none()
        || variable.section().is_some()
        || variable.is_thread_local()
        || variable.comdat_name().is_some()
    {
        return false;
    }
    let constant = variable.is_constant() && variable.is_unnamed_address() && is_only_read(variable);
    constant || is_own_label_table(variable)
}

/// Whether a variable has labels of one function, and only that function uses it.
fn is_own_label_table(variable: Value) -> bool {
    let mut owners = label_owners(variable).into_iter();
    match (owners.next(), owners.next()) {
        (Some(owner), None) => variable.users().all(|user| only_in(user, owner, 0)),
        _ => false,
    }
}

/// The functions whose labels are in a variable's value.
fn label_owners(variable: Value) -> HashSet<Value> {
    fn collect(value: Value, depth: u32, found: &mut HashSet<Value>) {
        match value.kind() {
            Kind::LLVMBlockAddressValueKind => {
                found.insert(value.labelled_function());
            }
            Kind::LLVMConstantArrayValueKind
            | Kind::LLVMConstantStructValueKind
            | Kind::LLVMConstantExprValueKind
                if depth < 8 =>
            {
                value.operands().for_each(|operand| collect(operand, depth + 1, found));
            }
            _ => {}
        }
    }
    let mut found = HashSet::new();
    variable.initializer().into_iter().for_each(|value| collect(value, 0, &mut found));
    found
}

/// Whether a pointer, and what is at a distance from it, is only loaded from, or copied from as a whole.
pub fn is_only_read(pointer: Value) -> bool {
    fn within(pointer: Value, depth: u32) -> bool {
        depth < 8
            && pointer.users().all(|user| match user.operation() {
                Some(LLVMOpcode::LLVMLoad) => true,
                Some(LLVMOpcode::LLVMGetElementPtr) => within(user, depth + 1),
                Some(LLVMOpcode::LLVMCall) => copies_from(user, pointer),
                _ => false,
            })
    }
    within(pointer, 0)
}

/// Whether a call is one of `llvm.memcpy` or `llvm.memmove` that reads from a pointer.
fn copies_from(call: Value, pointer: Value) -> bool {
    let copies = call
        .called_intrinsic()
        .is_some_and(|name| name.starts_with("llvm.memcpy.") || name.starts_with("llvm.memmove."));
    copies && call.operand(0) != pointer && call.operand(1) == pointer
}

/// The size in bytes from which on a constant's value is not worth repeating beside the bodies.
const LARGE: u64 = 1 << 16;

/// Whether a constant surely has the value that the module gives it, and that refers to no global but `known` ones.
pub fn has_known_value(module: IrModule, variable: Value, known: &HashSet<Value>) -> bool {
    fn refers_to_known(value: Value, known: &HashSet<Value>) -> bool {
        match value.kind() {
            Kind::LLVMFunctionValueKind | Kind::LLVMGlobalVariableValueKind => known.contains(&value),
            Kind::LLVMConstantArrayValueKind
            | Kind::LLVMConstantStructValueKind
            | Kind::LLVMConstantVectorValueKind
            | Kind::LLVMConstantExprValueKind => {
                value.operands().all(|operand| refers_to_known(operand, known))
            }
            Kind::LLVMConstantIntValueKind
            | Kind::LLVMConstantFPValueKind
            | Kind::LLVMConstantPointerNullValueKind
            | Kind::LLVMConstantAggregateZeroValueKind
            | Kind::LLVMConstantDataArrayValueKind
            | Kind::LLVMConstantDataVectorValueKind
            | Kind::LLVMUndefValueValueKind
            | Kind::LLVMPoisonValueKind => true,
            _ => false,
        }
    }
    variable.is_constant()
        && !variable.is_thread_local()
        && variable.has_definitive_initializer()
        && module.size_of(variable) <= LARGE
        && variable.initializer().is_some_and(|value| refers_to_known(value, known))
}

/// Whether a variable is a table of labels (computed goto), which cannot stay without its function.
pub fn is_label_table(variable: Value) -> bool {
    !label_owners(variable).is_empty()
}

/// Whether `user` is an instruction of `function`, or a constant or local variable that only such instructions use.
pub fn only_in(user: Value, function: Value, depth: u32) -> bool {
    if depth > 8 {
        return false;
    }
    match user.kind() {
        Kind::LLVMInstructionValueKind => user.function() == function,
        Kind::LLVMGlobalVariableValueKind => {
            is_movable_table(user) && user.users().all(|next| only_in(next, function, depth + 1))
        }
        _ => user.is_used() && user.users().all(|next| only_in(next, function, depth + 1)),
    }
}

/// Whether a variable can move out with the one body that uses it: nothing else can name it, and nothing changes it.
fn is_movable_table(variable: Value) -> bool {
    variable.is_local()
        && !variable.is_thread_local()
        && variable.section().is_none()
        && (variable.is_constant() || is_only_read(variable))
}
