//! Thread-local variables in bodies that leave.
//!
//! Linkers refuse thread-local symbols in tables, so each such variable gets a getter function that stays in the object
//! and knows the right model. Receives the [`Selection`]; changes the bodies and hands on the getters.

use std::collections::HashSet;

use crate::ir::{Kind, Module, Value};
use crate::select::Selection;

/// A variable, or an alias of one, and its getter.
pub type Getter = (Value, Value);

/// Puts calls of getters in the place of thread-local variables in bodies that leave or go along.
pub fn replace(module: Module, selection: &Selection) -> Vec<Getter> {
    let aliases = module.aliases().filter(|alias| is_alias(*alias));
    let variables: Vec<Value> =
        module.variables().filter(|variable| variable.is_thread_local()).chain(aliases).collect();
    let mut getters = Vec::new();
    for variable in variables {
        let mut users = Vec::new();
        instructions(variable, &mut users);
        // Once each, in an order that does not change from run to run.
        let mut seen = HashSet::new();
        users.retain(|user| seen.insert(*user));
        let leaves =
            |function| selection.is_lazy.contains(&function) || selection.inlined.contains(&function);
        users.retain(|user| leaves(user.function()));
        if users.is_empty() {
            continue;
        }
        let getter = module.add_getter(&format!("__autojit_tls.{}", variable.name()));
        for user in users {
            if asks_for(user, variable) {
                user.replace_by_call(getter);
            } else {
                user.use_getter(variable, getter);
            }
        }
        getters.push((variable, getter));
    }
    getters
}

/// Whether an alias is one of a thread-local variable.
pub fn is_alias(alias: Value) -> bool {
    alias.base().is_thread_local_variable()
}

/// The instructions that use a value, also inside constants.
pub fn instructions(value: Value, found: &mut Vec<Value>) {
    for user in value.users() {
        match user.kind() {
            Kind::LLVMInstructionValueKind => found.push(user),
            Kind::LLVMGlobalVariableValueKind | Kind::LLVMGlobalAliasValueKind => {}
            _ => instructions(user, found),
        }
    }
}

/// Whether an instruction is `llvm.threadlocal.address(variable)`.
fn asks_for(instruction: Value, variable: Value) -> bool {
    instruction.called_intrinsic().is_some_and(|name| name.starts_with("llvm.threadlocal.address"))
        && instruction.operand(0) == variable
}
