//! Thread-local variables in bodies that leave.
//!
//! Linkers refuse thread-local symbols in tables, so each such variable gets a getter function that stays in the object
//! and knows the right model. Receives the [`Selection`]; hands on the getters that there will be ([`accessed`]), for the
//! plan, and makes them ([`replace`]).

use std::collections::HashSet;

use crate::ir::{IrModule, Value};
use crate::select::Selection;

/// A variable, or an alias of one, that is to be accessed by a getter.
#[derive(Debug)]
pub struct Accessed {
    pub variable: Value,
    /// The getter's name.
    pub getter: String,
}

/// The thread-local variables that bodies access which leave or go along. Changes nothing.
pub fn accessed(module: IrModule, selection: &Selection) -> Vec<Accessed> {
    let aliases = module.aliases().filter(|alias| alias.is_thread_local_alias());
    let variables = module.variables().filter(|variable| variable.is_thread_local()).chain(aliases);
    let accessed = variables.filter(|variable| !users(*variable, selection).is_empty());
    accessed
        .map(|variable| Accessed { variable, getter: format!("__autojit_tls.{}", variable.name()) })
        .collect()
}

/// Puts calls of getters in the place of variables. Returns the getters, which have no bodies yet, in the same order.
pub fn replace(module: IrModule, selection: &Selection, accessed: &[Accessed]) -> Vec<Value> {
    let mut getters = Vec::new();
    for Accessed { variable, getter } in accessed {
        let getter = module.add_getter(getter);
        // Not those that the plan has seen: a constant of two variables has become instructions with the first of them.
        for user in users(*variable, selection) {
            if asks_for(user, *variable) {
                user.replace_by_call(getter);
            } else {
                user.use_getter(*variable, getter);
            }
        }
        getters.push(getter);
    }
    getters
}

/// The instructions that use a variable in bodies that leave or go along, each once, in an order that does not change from
/// run to run.
fn users(variable: Value, selection: &Selection) -> Vec<Value> {
    let mut users = variable.using_instructions();
    let mut seen = HashSet::new();
    let leaves = |function| selection.is_lazy.contains(&function) || selection.inlined.contains(&function);
    users.retain(|user| seen.insert(*user) && leaves(user.function()));
    users
}

/// Whether an instruction is `llvm.threadlocal.address(variable)`.
fn asks_for(instruction: Value, variable: Value) -> bool {
    instruction.called_intrinsic().is_some_and(|name| name.starts_with("llvm.threadlocal.address"))
        && instruction.operand(0) == variable
}
