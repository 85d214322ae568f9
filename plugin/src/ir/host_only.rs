//! Functions that the host's own passes and code generator must see.
//!
//! Receives the untouched module and what is known of the host; hands on functions that stay, and why. Their bodies go
//! through all that the host does behind our pass.

use std::collections::HashSet;

use super::{IrModule, Value};
use crate::host::Host;

/// Functions that call what only the host can handle, with the reason. Functions that may inline them stay as well.
pub fn callers(module: IrModule, host: &Host) -> Vec<(Value, &'static str)> {
    let mut found = Vec::new();
    let mut add = |callee: Value, why| {
        found.extend(callee.using_instructions().into_iter().map(|user| (user.function(), why)));
    };
    for function in module.functions().filter(|function| function.is_intrinsic()) {
        let name = function.name();
        if name.starts_with("llvm.matrix.") {
            add(function, "it computes with matrices");
        } else if name.starts_with("llvm.allow.") {
            add(function, "the compiler decides which of its checks are made");
        }
    }
    for function in module.vector_functions(host.machine) {
        add(function, "the library of vector functions has what it calls");
    }
    found
}

/// Functions with calls that are wrong unless the host's optimiser removes them, with the reason.
pub fn decided(module: IrModule) -> Vec<(Value, &'static str)> {
    let mut found = Vec::new();
    for function in module.functions() {
        if ["dontcall-error", "dontcall-warn"].iter().any(|name| function.has_string_attribute(name)) {
            let why = "the compiler tells of a call in it, if that remains";
            found.extend(function.using_instructions().into_iter().map(|user| (user.function(), why)));
        }
    }
    found
}

/// The lazy functions that may be inlined into `functions`, which stay.
pub fn inlined_into(functions: HashSet<Value>, is_lazy: &HashSet<Value>, optimised: bool) -> HashSet<Value> {
    let mut found = HashSet::new();
    let mut next: Vec<Value> = functions.into_iter().collect();
    while let Some(function) = next.pop() {
        for callee in function.instructions().filter_map(Value::callee) {
            // Functions with labels that data refers to are never inlined.
            let inlined = || callee.labels().next().is_none() && may_be_inlined(callee, optimised);
            if is_lazy.contains(&callee) && inlined() && found.insert(callee) {
                next.push(callee);
            }
        }
    }
    found
}

/// Why a function stays for the sake of the host's messages about its code.
pub fn measured(function: Value) -> Option<&'static str> {
    if function.has_string_attribute("warn-stack-size") {
        return Some("-Wframe-larger-than measures its stack");
    }
    let features = function.string_attribute("target-features").unwrap_or_default();
    let missing = ["-sse", "-sse2", "-x87"];
    if features.split(',').any(|feature| missing.contains(&feature)) {
        return Some("without SSE or x87, the code generator may refuse it");
    }
    None
}

/// From this number of instructions on, no function is inlined, unless it is local and called once.
const INLINED: usize = 700;

/// Whether a function may be inlined into its callers.
pub fn may_be_inlined(function: Value, optimised: bool) -> bool {
    if function.has_attribute("alwaysinline") {
        return true;
    }
    let once = || function.is_local() && function.users().nth(1).is_none();
    optimised && !function.has_attribute("noinline") && (once() || function.size() < INLINED)
}
