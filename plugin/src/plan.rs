//! What becomes of each global: which functions get a stub, what goes into the import table, what leaves.
//!
//! Receives selection and uses; hands on the [`Plan`] from which the container, the stubs and the tables are written.
//! Gives unnamed globals a name (container and assembler text need one) and changes nothing else.

use std::collections::HashSet;

use autojit_store::FunctionKind;
use autojit_trampoline::emit::{Binding, STUB_ALIGN, Visibility};

use crate::constants::is_label_table;
use crate::ir::{IrVisibility, Kind, Linkage, Module, Value};
use crate::library_calls;
use crate::select::Selection;
use crate::thread_locals::{self, Getter};
use crate::uses::{Use, Uses};

/// A function whose body leaves.
#[derive(Debug)]
pub struct Function {
    pub value: Value,
    pub name: String,
    pub kind: FunctionKind,
    pub binding: Binding,
    pub visibility: Visibility,
    /// Its comdat group, if it has a stub.
    pub group: Option<String>,
    /// Whether it is known to be in this image.
    pub dso_local: bool,
    /// Whether another definition may take its place.
    pub interposable: bool,
    /// Whether bodies refer to this definition even where linkers and the loader find another one by its name.
    pub named_directly: bool,
    /// The alignment of its address, if the source asks for one; else 0.
    pub align: u32,
    /// Its entry in the import table, if it has a stub.
    pub import: Option<u32>,
}

/// An entry of the import table.
#[derive(Debug)]
pub struct Import {
    /// None for what the code generator will ask for.
    pub value: Option<Value>,
    /// Its name in the container.
    pub name: String,
    /// Its symbol in the object.
    pub symbol: String,
    pub weak: bool,
    /// Undefined here and declared hidden.
    pub hidden: bool,
    /// A function that is only called: by way of the PLT, so that it is bound when it is called first, as in a plain
    /// build, and may be missing until then.
    pub callee: bool,
    /// A function that linkers or the loader may find elsewhere. Said here because `value` may be gone when the
    /// tables are written.
    pub replaceable: bool,
}

impl Import {
    fn of_callee(value: Option<Value>, symbol: String) -> Self {
        let replaceable = value.is_some_and(is_replaceable);
        let name = container_name(&symbol);
        Self { value, name, symbol, weak: false, hidden: false, callee: true, replaceable }
    }
}

fn is_replaceable(value: Value) -> bool {
    value.kind() != Kind::LLVMGlobalVariableValueKind && !value.is_local()
}

/// What becomes of each global.
#[derive(Debug, Default)]
pub struct Plan {
    /// The source file's name.
    pub source: String,
    /// By index in the container.
    pub functions: Vec<Function>,
    /// The first imports: by way of the GOT.
    pub got: Vec<Import>,
    /// The imports after them: in this image.
    pub direct: Vec<Import>,
    /// Constants that the container defines.
    pub carried: HashSet<Value>,
    /// Those of them that nothing which stays uses.
    pub leaving: Vec<Value>,
    /// Bodies for inlining that nothing which stays uses.
    pub unneeded: Vec<Value>,
    /// Whether the module may become part of a shared library.
    shared: bool,
}

impl Plan {
    pub fn new(module: Module, selection: &Selection, uses: &Uses<'_>, optimised: bool) -> Self {
        name_the_unnamed(module);
        let set = |flag| module.flag(flag).is_some_and(|level| level != 0);
        let shared = set("PIC Level") && !set("PIE Level");
        let mut plan = Self { source: module.source_name(), shared, ..Self::default() };
        for variable in module.variables() {
            plan.variable(variable, uses, selection);
        }
        for function in &selection.lazy {
            plan.function(*function, uses.of(*function), module);
        }
        for function in module.functions() {
            let lazy = selection.is_lazy.contains(&function);
            let used = uses.of(function);
            if !lazy && !function.is_intrinsic() && used.body {
                // What is always inlined is not called in the end.
                let inlined = selection.inlined.contains(&function) && function.has_attribute("alwaysinline");
                let optional = inlined || !used.required || selection.unreferenced.contains(&function);
                if !optional && !used.body_address && is_only_called(function) {
                    plan.direct.push(Import::of_callee(Some(function), function.name()));
                } else {
                    plan.import(function, optional, false);
                }
            }
            if selection.inlined.contains(&function) && !used.stays {
                plan.unneeded.push(function);
            }
        }
        for alias in module.aliases().chain(module.ifuncs()) {
            let used = uses.of(alias);
            if used.body && !thread_locals::is_alias(alias) {
                plan.import(alias, !used.required, false);
            }
        }
        for (name, weak) in library_calls::of(module, selection, optimised) {
            let known = |import: &Import| import.name == name;
            if plan.imports().any(known) || plan.functions.iter().any(|function| function.name == name) {
                continue;
            }
            let callee = Import::of_callee(None, name);
            if weak {
                plan.got.push(Import { weak, callee: false, ..callee });
            } else {
                plan.direct.push(callee);
            }
        }
        plan.number();
        plan
    }

    /// The functions with a stub, with their indices.
    pub fn stubs(&self) -> impl Iterator<Item = (u32, &Function)> {
        let all = self.functions.iter().enumerate().map(|(index, f)| (index as u32, f));
        all.filter(|(_, function)| function.kind == FunctionKind::Stub)
    }

    /// The imports, by index.
    pub fn imports(&self) -> impl Iterator<Item = &Import> {
        self.got.iter().chain(&self.direct)
    }

    fn variable(&mut self, variable: Value, uses: &Uses<'_>, selection: &Selection) {
        let used = uses.of(variable);
        if !variable.is_used() && is_label_table(variable) {
            // The compiler has looked it up already. Its function leaves, or something would use it.
            self.leaving.push(variable);
            return;
        }
        if variable.name().starts_with("llvm.") || variable.is_thread_local() || !used.body {
            return;
        }
        if uses.travels(variable) {
            self.carried.insert(variable);
            if !used.stays {
                self.leaving.push(variable);
            }
        } else {
            self.import(variable, !used.required || selection.unreferenced.contains(&variable), false);
        }
    }

    fn function(&mut self, value: Value, used: Use, module: Module) {
        let linkage = value.linkage();
        let inline =
            matches!(linkage, Linkage::LLVMLinkOnceODRLinkage | Linkage::LLVMLinkOnceODRAutoHideLinkage);
        let align = value.alignment();
        // The runtime makes all its entries alike.
        let placed = align > STUB_ALIGN && used.body_address;
        let kind = if value.is_local() {
            if used.stays || placed { FunctionKind::Stub } else { FunctionKind::Local }
        } else if inline && !used.stays && !placed && (!used.body_address || value.is_unnamed_address()) {
            FunctionKind::Inline
        } else {
            FunctionKind::Stub
        };
        let binding = match linkage {
            Linkage::LLVMExternalLinkage => Binding::Global,
            _ if value.is_local() => Binding::Local,
            _ => Binding::Weak,
        };
        let replaceable = matches!(linkage, Linkage::LLVMWeakAnyLinkage | Linkage::LLVMLinkOnceAnyLinkage);
        let preemptible = !value.is_local()
            && !value.is_dso_local()
            && module.flag("SemanticInterposition").is_some_and(|flag| flag != 0);
        // The start code of static PIEs takes the address of `main` from the GOT, before anything is relocated, unless
        // the linker relaxes that, and mold does not if there is another reference to the GOT entry.
        if kind == FunctionKind::Stub && value.name() == "main" && !self.is_here(value) && !used.body {
            self.direct.push(Import::of_callee(Some(value), value.name()));
        } else if kind == FunctionKind::Stub {
            self.import(value, false, self.has_local_alias(value));
        }
        self.functions.push(Function {
            value,
            name: value.name(),
            kind,
            binding,
            visibility: visibility(value),
            group: value.comdat_name(),
            dso_local: self.is_here(value),
            interposable: replaceable || preemptible,
            named_directly: value.is_local() && value.comdat_name().is_none() || self.has_local_alias(value),
            align,
            import: None, // numbered when all are known
        });
    }

    /// Whether linkers accept that what the module defines is addressed by its distance. In a shared library they see
    /// that others may interpose it, even if the compiler was told not to mind (-fno-semantic-interposition) and would
    /// address it by a local name.
    fn is_here(&self, value: Value) -> bool {
        visibility(value) != Visibility::Default || (value.is_dso_local() && !self.shared)
    }

    /// Whether the compiler would refer to a function by a local name (-fno-semantic-interposition).
    fn has_local_alias(&self, value: Value) -> bool {
        self.shared
            && value.is_dso_local()
            && value.kind() == Kind::LLVMFunctionValueKind
            && value.linkage() == Linkage::LLVMExternalLinkage
            && !value.is_declaration()
            && visibility(value) == Visibility::Default
            && value.comdat_name().is_none()
    }

    /// `own`: this definition, whatever its name leads to. `optional`: perhaps nothing defines it, as code that refers to it
    /// may never come to be.
    fn import(&mut self, value: Value, optional: bool, own: bool) {
        let name = value.name();
        let private = value.linkage() == Linkage::LLVMPrivateLinkage;
        let defined = !value.is_declaration() && value.linkage() != Linkage::LLVMAvailableExternallyLinkage;
        let hidden = value.visibility() == IrVisibility::LLVMHiddenVisibility;
        let own = own || value.is_local() || (defined && self.is_here(value));
        let import = Import {
            value: Some(value),
            name: container_name(&name),
            symbol: if private { format!(".L{name}") } else { name },
            // A symbol that is also defined here keeps the binding of its definition.
            weak: (optional && !defined) || value.linkage() == Linkage::LLVMExternalWeakLinkage,
            hidden: hidden && !defined,
            callee: false,
            replaceable: is_replaceable(value),
        };
        // A weak symbol that nothing defines has no distance from here, only a null GOT cell.
        if own || (hidden && !import.weak) { self.direct.push(import) } else { self.got.push(import) }
    }

    /// Adds getters of thread-local variables, which are made after the plan.
    pub fn add_getters(&mut self, getters: &[Getter]) {
        for (_, getter) in getters {
            let name = getter.name();
            let symbol = name.clone();
            let value = Some(*getter);
            self.direct.push(Import {
                value,
                name,
                symbol,
                weak: false,
                hidden: false,
                callee: false,
                replaceable: false,
            });
        }
    }

    /// Tells each function with a stub its import.
    fn number(&mut self) {
        let index: std::collections::HashMap<Value, u32> =
            self.imports().enumerate().filter_map(|(i, import)| Some((import.value?, i as u32))).collect();
        for function in &mut self.functions {
            function.import = index.get(&function.value).copied();
        }
    }
}

/// What a container calls a global of this name: names with the assembler's private prefix (`asm(".Lname")`) are known in
/// one object only, and code of the container is in another.
pub fn container_name(name: &str) -> String {
    if name.starts_with(".L") { format!("__autojit_private{name}") } else { name.to_owned() }
}

/// Whether calls of a function that another object defines go through the PLT: not with -fno-plt.
fn is_only_called(value: Value) -> bool {
    value.kind() == Kind::LLVMFunctionValueKind
        && value.is_declaration()
        && value.linkage() == Linkage::LLVMExternalLinkage
        && value.visibility() == IrVisibility::LLVMDefaultVisibility
        && !value.has_attribute("nonlazybind")
}

fn visibility(value: Value) -> Visibility {
    match value.visibility() {
        IrVisibility::LLVMDefaultVisibility => Visibility::Default,
        IrVisibility::LLVMHiddenVisibility => Visibility::Hidden,
        IrVisibility::LLVMProtectedVisibility => Visibility::Protected,
    }
}

fn name_the_unnamed(module: Module) {
    let all = module.variables().chain(module.functions());
    for (number, value) in all.filter(|value| !value.has_name()).enumerate() {
        value.set_name(&format!("__autojit_unnamed.{number}"));
    }
}
