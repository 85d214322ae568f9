//! Which bodies leave the module: everything that can be compiled later without an observable difference.
//!
//! Receives the untouched module; hands on a [`Selection`]: the functions whose bodies leave. docs/compatibility.md lists for users what stays.

use std::collections::HashSet;

use crate::host::Host;
use crate::inline_assembly::{self, InlineAssembly, Mentioned};
use crate::ir::host_only::{self, may_be_inlined};
use crate::ir::{IrModule, Kind, Value};
use crate::options::Options;

/// What [`select`] decides.
#[derive(Debug)]
pub struct Selection {
    /// Functions whose bodies leave, in module order.
    pub lazy: Vec<Value>,
    /// The same as a set.
    pub is_lazy: HashSet<Value>,
    /// Bodies that other modules define, here only to be inlined: they go along with those that use them.
    pub inlined: HashSet<Value>,
    /// Their [notable instructions](Value::notable_instructions).
    pub notable: Vec<Value>,
    /// Those of [`lazy`](Self::lazy) whose bodies the host also keeps, to inline them into functions that stay because
    /// only its optimiser knows what will be left of them.
    pub copied: HashSet<Value>,
    /// What only references name that the optimiser removes from the bodies that leave: it needs no definition.
    pub unreferenced: HashSet<Value>,
    /// Functions that stay because the loader goes by the place of their calls.
    pub uses_caller_identity: HashSet<Value>,
    /// What assembler text names.
    pub mentioned: Vec<Mentioned>,
    /// Functions that the module defines and whose bodies stay, by name, and why, in the order in which that was found.
    pub staying: Vec<(String, &'static str)>,
}

/// Why nothing of this module can be compiled later, and no text of ours may be in its assembly either, if so.
pub fn foreign(module: IrModule) -> Option<&'static str> {
    if !autojit_options::target::is_lazy(&module.triple()) {
        return Some("its target is not x86-64 Linux with the GNU C library");
    }
    let merged = ["ThinLTO", "EnableSplitLTOUnit"].iter().any(|flag| module.flag(flag).is_some());
    merged.then_some("link-time optimisation needs its bodies")
}

/// Why nothing of this module can be compiled later, if so.
pub fn ineligible(module: IrModule) -> Option<&'static str> {
    if module.flag("kcfi").is_some() || module.flag("CFI Canonical Jump Tables").is_some() {
        return Some("control-flow integrity needs its bodies");
    }
    if module.flag("Code Model").is_some_and(|model| model > 1) {
        return Some("its code model is not the small one");
    }
    for function in module.functions() {
        let name = function.name();
        if name.starts_with("llvm.instrprof.") {
            return Some("profile instrumentation needs its bodies");
        }
        if function.has_mangled_symbol() {
            return Some("it has a function of the vectorcall convention, whose symbol is not its name");
        }
        if !function.is_declaration() && SANITIZERS.iter().any(|s| function.has_attribute(s)) {
            return Some("a sanitizer needs its bodies");
        }
        // Linkers take all code of such an object for code that looks whether its stack is large enough, and change it where it calls
        // other code; ours, by which the object registers, cannot be changed so.
        if !function.is_declaration() && function.has_string_attribute("split-stack") {
            return Some("linkers change the code of split stacks");
        }
    }
    if module.lies_otherwise() {
        return Some("its integers of more than 64 bits lie in memory as older releases of LLVM have them");
    }
    let writable = |value: Value| !value.has_name() || autojit_trampoline::emit::is_writable(&value.name());
    if !(module.functions().all(writable) && module.variables().all(writable)) {
        return Some("assemblers cannot read the name of one of its symbols");
    }
    None
}

const SANITIZERS: [&str; 11] = [
    "sanitize_address",
    "sanitize_hwaddress",
    "sanitize_memory",
    "sanitize_thread",
    "sanitize_memtag",
    "sanitize_realtime",
    "sanitize_realtime_blocking",
    "sanitize_type",
    "sanitize_numerical_stability",
    "sanitize_alloc_token",
    "safestack",
];

/// Chooses the functions whose bodies leave. The error says why nothing of the module can be compiled later.
pub fn select(module: IrModule, host: &Host, options: &Options) -> Result<Selection, &'static str> {
    let constructors = constructors(module);
    let mut assembly = Vec::new();
    let mut lazy: Vec<Value> = Vec::new();
    let mut is_lazy = HashSet::new();
    let mut inlined = HashSet::new();
    let mut notable = Vec::new();
    let mut labelled = Vec::new();
    let mut staying = Vec::new();
    for function in module.functions() {
        if function.is_declaration() {
            continue;
        }
        if function.is_elsewhere() {
            inlined.insert(function);
        }
        let (instructions, labels) = function.notable_instructions();
        if labels.missing {
            return Err("a function in it has the address of a label that is nowhere");
        }
        assembly.extend(instructions.iter().filter(|instruction| inline_assembly::is_call(**instruction)));
        match stays(function, &constructors) {
            None => {
                notable.extend(instructions);
                labelled.extend(labels.used.then_some(function));
                lazy.push(function);
                is_lazy.insert(function);
            }
            Some(why) => {
                options.debug(&format!("{} is compiled as usual: {why}", function.name()));
                if !function.is_elsewhere() {
                    staying.push((function.name(), why));
                }
            }
        }
    }
    let mut drop = |function: Value, why: &'static str| {
        if is_lazy.remove(&function) {
            options.debug(&format!("{} is compiled as usual: {why}", function.name()));
            staying.push((function.name(), why));
        }
    };
    for ifunc in module.ifuncs() {
        drop_with_callees(ifunc.target().base(), &mut drop);
    }
    let mut uses_caller_identity = HashSet::new();
    for function in module.functions().filter(|function| minds_its_caller(&function.name())) {
        for user in function.using_instructions() {
            drop(user.function(), "the loader goes by its address");
            uses_caller_identity.insert(user.function());
        }
    }
    for function in labelled {
        for other in function.label_readers() {
            drop(other, "it has the address of another function's label");
        }
        if function.labels_escape() {
            drop(function, "data that stays refers to its labels");
        }
    }
    let InlineAssembly { mentioned, staying: assembled } = inline_assembly::look(module, host, &assembly);
    for (function, why) in assembled.into_iter().chain(host_only::callers(module, host)) {
        drop_with_callers(function, why, host.optimises(), &mut drop);
    }
    lazy.retain(|function| is_lazy.contains(function));
    let (dead, chosen) =
        if host.optimises() { module.dead_references(&lazy, host) } else { (Vec::new(), Vec::new()) };
    let mut drop = |function: Value, why: &'static str| {
        if is_lazy.remove(&function) {
            options.debug(&format!("{} is compiled as usual: {why}", function.name()));
            staying.push((function.name(), why));
        }
    };
    let why = "the optimiser chooses whether it calls something that needs no definition then";
    let mut decided = HashSet::new();
    for (function, why) in
        host_only::decided(module).into_iter().chain(chosen.into_iter().map(|function| (function, why)))
    {
        decided.extend(drop_with_callers(function, why, host.optimises(), &mut drop));
    }
    let copied = host_only::inlined_into(decided, &is_lazy, host.optimises());
    lazy.retain(|function| is_lazy.contains(function));
    notable.retain(|instruction| is_lazy.contains(&instruction.function()));
    let unreferenced = dead.into_iter().collect();
    Ok(Selection {
        lazy,
        is_lazy,
        inlined,
        notable,
        copied,
        unreferenced,
        uses_caller_identity,
        mentioned,
        staying,
    })
}

/// The functions that run once in any case, when the image is loaded or unloaded.
fn constructors(module: IrModule) -> HashSet<Value> {
    let mut found = HashSet::new();
    for function in module.functions() {
        let listed = function.users().any(|user| {
            user.kind() == Kind::LLVMConstantStructValueKind
                && user
                    .users()
                    .flat_map(Value::users)
                    .any(|array| matches!(array.name().as_str(), "llvm.global_ctors" | "llvm.global_dtors"))
        });
        if listed {
            found.insert(function);
        }
    }
    found
}

/// Why a function's body stays, if it does.
fn stays(function: Value, constructors: &HashSet<Value>) -> Option<&'static str> {
    if function.is_elsewhere() {
        return Some("another module defines it");
    }
    if function.is_intrinsic() {
        return Some("it is an intrinsic");
    }
    if constructors.contains(&function) {
        return Some("it is a constructor or destructor");
    }
    if function.section().is_some() {
        return Some("it has a section of its own");
    }
    if function.has_attribute("naked") {
        return Some("it is naked");
    }
    if function.has_surroundings() {
        return Some("it has data before its code");
    }
    if function.has_attachment("func_sanitize") {
        return Some("-fsanitize=function has its type before its code");
    }
    if INSTRUMENTED.iter().any(|attribute| function.has_string_attribute(attribute)) {
        return Some("it is instrumented");
    }
    if function.name().starts_with(".L") {
        return Some("its name is the assembler's own");
    }
    if is_allocator(&function.name()) {
        return Some("it belongs to the memory allocator");
    }
    host_only::measured(function)
}

const INSTRUMENTED: [&str; 8] = [
    "fentry-call",
    "instrument-function-entry",
    "instrument-function-entry-inlined",
    "instrument-function-exit",
    "instrument-function-exit-inlined",
    "function-instrument",
    "patchable-function-entry",
    "xray-instruction-threshold",
];

/// The allocator must not wait for a compiler that an interrupted allocation may wait for.
fn is_allocator(name: &str) -> bool {
    const C: [&str; 12] = [
        "malloc",
        "calloc",
        "realloc",
        "reallocarray",
        "free",
        "cfree",
        "memalign",
        "aligned_alloc",
        "posix_memalign",
        "valloc",
        "pvalloc",
        "malloc_usable_size",
    ];
    // operator new, new[], delete, delete[] (Itanium C++ ABI, 5.1.3.3)
    C.contains(&name) || ["_Znw", "_Zna", "_Zdl", "_Zda"].iter().any(|operator| name.starts_with(operator))
}

/// Drops a resolver and what it calls: they run while the image is relocated, for a library before ours can be.
fn drop_with_callees(resolver: Value, drop: &mut dyn FnMut(Value, &'static str)) {
    let mut seen = HashSet::from([resolver]);
    let mut next = vec![resolver];
    while let Some(function) = next.pop() {
        drop(function, "it resolves an indirect function, or is called for that");
        let callees = function.instructions().filter_map(Value::callee).map(Value::base);
        next.extend(callees.filter(|c| c.kind() == Kind::LLVMFunctionValueKind && seen.insert(*c)));
    }
}

/// Drops a function that the host must see, and those that it may be inlined into: with it, they have what it has. Returns
/// all of them.
fn drop_with_callers(
    function: Value,
    why: &'static str,
    optimised: bool,
    drop: &mut dyn FnMut(Value, &'static str),
) -> HashSet<Value> {
    let mut seen = HashSet::from([function]);
    let mut next = vec![function];
    drop(function, why);
    while let Some(function) = next.pop() {
        if !(may_be_inlined(function, optimised) || function.is_elsewhere()) {
            continue;
        }
        for user in function.users().filter(|user| user.kind() == Kind::LLVMInstructionValueKind) {
            if seen.insert(user.function()) {
                drop(user.function(), "it may inline a function that has to stay");
                next.push(user.function());
            }
        }
    }
    seen
}

/// Whether a function of the loader looks at where it was called from: which library comes next, what a library sees,
/// whose search path counts.
fn minds_its_caller(name: &str) -> bool {
    ["dlsym", "dlvsym", "dlopen", "dlmopen"].contains(&name)
}
