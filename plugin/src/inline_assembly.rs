//! Inline assembly that keeps its function from being compiled later.
//!
//! Receives the calls of inline assembly of all functions; hands on the functions that must stay, and what the text of
//! each names. What stays: text that may be there only once, or in one file; what the host's code generator does not
//! take, so that the host itself says why, with the place in the source.

use std::collections::HashSet;

use crate::assembly::{self, Mentions};
use crate::host::Host;
use crate::ir::constants::travels;
use crate::ir::{IrModule, Kind, Value};

/// Names in assembler text.
#[derive(Debug)]
pub struct Mentioned {
    /// The function whose inline assembly has them; None for the module's own text.
    pub function: Option<Value>,
    /// What may be names of symbols.
    pub names: HashSet<String>,
}

/// What inline assembly has to do with the selection.
#[derive(Debug, Default)]
pub struct InlineAssembly {
    /// What all assembler text of the module names.
    pub mentioned: Vec<Mentioned>,
    /// Functions that stay, and why.
    pub staying: Vec<(Value, &'static str)>,
}

/// Whether an instruction calls inline assembly.
pub fn is_call(instruction: Value) -> bool {
    instruction.callee().is_some_and(|callee| callee.kind() == Kind::LLVMInlineAsmValueKind)
}

/// Looks at the calls of inline assembly in a module's functions, and at the module's own text.
pub fn look(module: IrModule, host: &Host, calls: &[Value]) -> InlineAssembly {
    let text = module.inline_asm();
    let words = assembly::words(&text);
    let macros = assembly::has_macros(&text);
    let mut found = InlineAssembly::default();
    let taken = Value::assemble(calls, host.machine);
    for (call, taken) in calls.iter().zip(taken) {
        let function = call.function();
        let (why, names) = look_at(*call, taken, macros);
        let why = why.or_else(|| {
            // It may be a constant there.
            let shared = !names.is_disjoint(&words);
            shared.then_some("its inline assembly has a name in common with assembly outside functions")
        });
        found.staying.extend(why.map(|why| (function, why)));
        if !names.is_empty() {
            found.mentioned.push(Mentioned { function: Some(function), names });
        }
    }
    let misplaced = misplaced(module, &found.mentioned);
    found.staying.extend(
        misplaced.into_iter().map(|f| (f, "only the assembler can find what its inline assembly names")),
    );
    if !text.is_empty() {
        found.mentioned.push(Mentioned { function: None, names: words });
    }
    found
}

/// Why the function of a call of inline assembly stays, and what the text names.
fn look_at(call: Value, taken: bool, macros: bool) -> (Option<&'static str>, HashSet<String>) {
    let (text, constraints, intel) = call.callee().expect("a call").assembly();
    let Mentions { names, defines } = assembly::mentions(&text, intel);
    let immediates = assembly::immediates(&constraints);
    let number =
        |value: Value| matches!(value.kind(), Kind::LLVMConstantIntValueKind | Kind::LLVMConstantFPValueKind);
    let symbolic =
        immediates.iter().zip(call.operands()).any(|(constant, value)| *constant && !number(value));
    let why = if defines {
        "its inline assembly defines symbols, or has to do with more than its place"
    } else if symbolic {
        // The address of a symbol, which code of the engine finds in a table, or what inlining makes a constant.
        "its inline assembly takes constants that are no numbers"
    } else if macros && !text.trim().is_empty() {
        "its inline assembly may use macros of assembly outside functions"
    } else if !taken {
        "only the compiler can say whether its inline assembly is right"
    } else {
        return (None, names);
    };
    (Some(why), names)
}

/// Functions whose assembly names what only the host's assembler can find: what the module does not declare, a
/// thread-local variable, or a constant that would travel.
fn misplaced(module: IrModule, mentioned: &[Mentioned]) -> Vec<Value> {
    if mentioned.is_empty() {
        return Vec::new();
    }
    let variables = module.variables().filter(|v| !v.is_thread_local() && !travels(*v));
    let globals = variables.chain(module.functions()).chain(module.aliases()).chain(module.ifuncs());
    let known: HashSet<String> = globals.map(Value::name).collect();
    mentioned.iter().filter(|m| !m.names.is_subset(&known)).filter_map(|m| m.function).collect()
}
