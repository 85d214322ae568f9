//! What becomes of each global: which functions get a stub, what goes into the import table, what leaves.
//!
//! Receives selection and uses; hands on the [`Plan`] from which the container, the stubs and the tables are written.
//! Gives unnamed globals a name (container and assembler text need one) and changes nothing else.

use std::collections::{HashMap, HashSet};

use autojit_store::FunctionKind;
use autojit_trampoline::emit::{self, STUB_ALIGN, Stub, Visibility};

use crate::ir::constants::is_label_table;
use crate::ir::{IrModule, IrVisibility, Kind, Linkage, Value, library_calls};
use crate::select::Selection;
use crate::thread_locals::{self, Accessed};
use crate::uses::{Use, Uses};

/// A function whose body leaves.
#[derive(Debug)]
pub struct PlannedFunction {
    pub value: Value,
    /// As the container has it.
    pub stored: autojit_store::StoredFunction,
    /// As the object has it, if it has a stub.
    pub stub: Option<Stub<'static>>,
    /// Whether only its module can name it.
    pub local: bool,
    /// Whether it is known to be in this image.
    pub dso_local: bool,
    /// Whether bodies refer to this definition even where linkers and the loader find another one by its name.
    pub named_directly: bool,
}

/// An entry of the import table.
#[derive(Debug)]
pub struct Import {
    /// None for what the code generator will ask for, and for getters, which are not there yet.
    pub value: Option<Value>,
    /// Its name in the container.
    pub name: String,
    /// As the object has it: said here because `value` may be gone when the tables are written. A function that is only
    /// called is a callee: by way of the PLT, so that it is bound when it is called first, as in a plain build, and may be
    /// missing until then. A function that linkers or the loader may find elsewhere is replaceable.
    pub entry: emit::Import<'static>,
}

impl Import {
    fn new(value: Option<Value>, name: &str, entry: emit::Import<'static>) -> Self {
        Self { value, name: container_name(name), entry }
    }

    fn of_callee(value: Option<Value>, symbol: String) -> Self {
        let replaceable = value.is_some_and(is_replaceable);
        let name = symbol.clone();
        let symbol = symbol.into();
        Self::new(value, &name, emit::Import { symbol, callee: true, replaceable, ..Default::default() })
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
    pub functions: Vec<PlannedFunction>,
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
    /// Thread-local variables that get a getter, the last of the imports.
    pub accessed: Vec<Accessed>,
    /// Whether the module may become part of a shared library.
    shared: bool,
}

impl Plan {
    pub fn new(module: IrModule, selection: &Selection, uses: &Uses<'_>, optimised: bool) -> Self {
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
                if !optional && !used.body_address && function.is_called_by_plt() {
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
            if used.body && !alias.is_thread_local_alias() {
                plan.import(alias, !used.required, false);
            }
        }
        for (name, weak) in library_calls::of(module, &selection.is_lazy, &selection.notable, optimised) {
            let known = |import: &Import| import.name == name;
            if plan.imports().any(known) || plan.functions.iter().any(|function| function.stored.name == name)
            {
                continue;
            }
            let callee = Import::of_callee(None, name);
            if weak {
                let entry = emit::Import { weak, callee: false, ..callee.entry };
                plan.got.push(Import { entry, ..callee });
            } else {
                plan.direct.push(callee);
            }
        }
        plan.accessed = thread_locals::accessed(module, selection);
        for Accessed { getter, .. } in &plan.accessed {
            let entry = emit::Import { symbol: getter.clone().into(), ..Default::default() };
            plan.direct.push(Import { value: None, name: getter.clone(), entry });
        }
        plan.number();
        plan
    }

    /// The stubs.
    pub fn stubs(&self) -> impl Iterator<Item = &Stub<'static>> {
        self.functions.iter().filter_map(|function| function.stub.as_ref())
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

    fn function(&mut self, value: Value, used: Use, module: IrModule) {
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
        let (index, name) = (self.functions.len() as u32, value.name());
        let stub = (kind == FunctionKind::Stub).then(|| Stub {
            symbol: name.clone().into(),
            binding: value.symbol_binding(),
            visibility: value.symbol_visibility(),
            group: value.comdat_name().map(Into::into),
            index,
            endbr64: module.flag("cf-protection-branch").is_some_and(|flag| flag != 0),
            align,
        });
        self.functions.push(PlannedFunction {
            value,
            // Its import is numbered when all are known.
            stored: autojit_store::StoredFunction {
                name,
                kind,
                import: None,
                interposable: replaceable || preemptible,
            },
            stub,
            local: value.is_local(),
            dso_local: self.is_here(value),
            named_directly: value.is_local() && value.comdat_name().is_none() || self.has_local_alias(value),
        });
    }

    /// Whether linkers accept that what the module defines is addressed by its distance. In a shared library they see
    /// that others may interpose it, even if the compiler was told not to mind (-fno-semantic-interposition) and would
    /// address it by a local name.
    fn is_here(&self, value: Value) -> bool {
        value.symbol_visibility() != Visibility::Default || (value.is_dso_local() && !self.shared)
    }

    /// Whether the compiler would refer to a function by a local name (-fno-semantic-interposition).
    fn has_local_alias(&self, value: Value) -> bool {
        self.shared
            && value.is_dso_local()
            && value.kind() == Kind::LLVMFunctionValueKind
            && value.linkage() == Linkage::LLVMExternalLinkage
            && !value.is_declaration()
            && value.symbol_visibility() == Visibility::Default
            && value.comdat_name().is_none()
    }

    /// `own`: this definition, whatever its name leads to. `optional`: perhaps nothing defines it, as code that refers to it
    /// may never come to be.
    fn import(&mut self, value: Value, optional: bool, own: bool) {
        let name = value.name();
        let private = value.linkage() == Linkage::LLVMPrivateLinkage;
        let defined = value.is_defined_here();
        let hidden = value.visibility() == IrVisibility::LLVMHiddenVisibility;
        let own = own || value.is_local() || (defined && self.is_here(value));
        let symbol = if private { format!(".L{name}") } else { name.clone() };
        let entry = emit::Import {
            symbol: symbol.into(),
            // A symbol that is also defined here keeps the binding of its definition.
            weak: (optional && !defined) || value.linkage() == Linkage::LLVMExternalWeakLinkage,
            hidden: hidden && !defined,
            replaceable: is_replaceable(value),
            ..Default::default()
        };
        let import = Import::new(Some(value), &name, entry);
        // A weak symbol that nothing defines has no distance from here, only a null GOT entry.
        if own || (hidden && !import.entry.weak) { self.direct.push(import) } else { self.got.push(import) }
    }

    /// Tells each function with a stub its import, and imports the stubs that are surely in the object and that no other
    /// definition can take the place of: their addresses are known without a linker.
    fn number(&mut self) {
        let index: HashMap<Value, u32> =
            self.imports().enumerate().filter_map(|(i, import)| Some((import.value?, i as u32))).collect();
        for function in &mut self.functions {
            function.stored.import = index.get(&function.value).copied();
        }
        let own = self.functions.iter().filter(|function| function.named_directly);
        let own: HashMap<Value, u32> =
            own.filter_map(|function| Some((function.value, function.stub.as_ref()?.index))).collect();
        for import in self.got.iter_mut().chain(&mut self.direct) {
            import.entry.stub = import.value.and_then(|value| own.get(&value).copied());
        }
    }
}

/// What a container calls a global of this name: names with the assembler's private prefix (`asm(".Lname")`) are known in
/// one object only, and code of the container is in another.
pub fn container_name(name: &str) -> String {
    if name.starts_with(".L") { format!("__autojit_private{name}") } else { name.to_owned() }
}

fn name_the_unnamed(module: IrModule) {
    let all = module.variables().chain(module.functions());
    for (number, value) in all.filter(|value| !value.has_name()).enumerate() {
        value.set_name(&format!("__autojit_unnamed.{number}"));
    }
}
