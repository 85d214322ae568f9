//! Writes the bodies that leave: the module in the form that the engine expects, as bitcode in a container.
//!
//! In that form every function that leaves is external, has default visibility and no comdat, and is not dso_local, so
//! that with position-independent code each reference to it keeps a relocation, which the runtime binds to the
//! function's one address or its code. Data that stays is declared: dso_local if it is in this image, so that code
//! near the image reaches it directly, else through the GOT; optimisers also get the values of constants, and of other
//! variables that they have the size that their type says. Constants that travel are defined. Functions that stay
//! keep their bodies, which are not read.
//!
//! Nothing is cloned: the module takes that form, is written, and takes its old form again, but for the lists of its
//! debug information: the object has no use for them.

use std::collections::HashSet;

use autojit_store::{Contents, Key};
use llvm_sys::prelude::LLVMComdatRef;

use crate::host::Host;
use crate::ir::{Attachments, IrModule, IrVisibility, Kind, Linkage, Value, constants};
use crate::pieces::Pieces;
use crate::plan::{Plan, container_name};
use crate::select::Selection;

/// A container.
#[derive(Debug)]
pub struct Encoded {
    pub bytes: Vec<u8>,
    pub key: Key,
}

/// Writes the container of `plan`'s functions.
pub fn write(module: IrModule, plan: &Plan, selection: &Selection, host: &Host) -> Result<Encoded, String> {
    let form = ContainerForm::take(module, plan, selection, host);
    let bitcode = module.bitcode();
    form.leave();

    let functions: Vec<_> = plan.functions.iter().map(|function| function.stored.clone()).collect();
    let imports: Vec<_> = plan.imports().map(|import| import.name.clone()).collect();
    let source = module.source_name();
    let pieces = Pieces::of(&bitcode, host.optimises());
    let contents = Contents {
        source: &source,
        opt: host.opt,
        options: &host.options,
        functions: &functions,
        imports: &imports,
        bitcode: &pieces.list(),
    };
    let (bytes, key) =
        autojit_store::encode(&contents).map_err(|e| format!("cannot compress the bitcode: {e}"))?;
    Ok(Encoded { bytes, key })
}

/// The module while it has the container's form, with what is needed to take it back.
struct ContainerForm {
    module: IrModule,
    asm: String,
    /// Its data layout, if that of the container's form is another one.
    layout: Option<String>,
    description: Option<Value>,
    variables: Vec<Variable>,
    functions: Vec<Declared>,
    /// What has another name in the container, with its own.
    renamed: Vec<(Value, String)>,
}

/// A variable that stays.
struct Variable {
    value: Value,
    initializer: Option<Value>,
    initialized_elsewhere: bool,
    linkage: Linkage,
    visibility: IrVisibility,
    dso_local: bool,
    comdat: LLVMComdatRef,
    attachments: Attachments,
}

/// A function that stays.
struct Declared {
    value: Value,
    /// Whether it was marked as no builtin.
    marked: bool,
    linkage: Linkage,
    visibility: IrVisibility,
    dso_local: bool,
}

impl ContainerForm {
    fn take(module: IrModule, plan: &Plan, selection: &Selection, host: &Host) -> Self {
        let asm = module.inline_asm();
        module.set_inline_asm("");
        // Here, and not where it is read: that may be before the program's C library is ready for what LLVM does it with.
        let layout = module.newer_layout().map(|newer| {
            let own = module.data_layout();
            module.set_data_layout(&newer);
            own
        });
        let description = module.take_description();
        let direct: HashSet<_> = plan.direct.iter().filter_map(|i| i.value).collect();
        let exposed: HashSet<_> = if host.optimises() { exposed(module, plan) } else { HashSet::new() };
        let sized: HashSet<_> = if host.looks_at_sizes() { sized(plan) } else { HashSet::new() };
        for table in plan.carried.iter().filter(|variable| !variable.is_constant()) {
            // Of labels, and nothing changes it. It does not come back.
            table.set_constant(true);
        }
        let variables = module
            .variables()
            .filter(|variable| !plan.carried.contains(variable))
            .map(|variable| {
                let known = match () {
                    () if exposed.contains(&variable) => Known::Value,
                    () if sized.contains(&variable) => Known::Size,
                    () => Known::Nothing,
                };
                declare_variable(variable, direct.contains(&variable), known)
            })
            .collect();
        let mut functions = Vec::new();
        for function in module.functions() {
            if Some(function) == description {
                continue;
            }
            if selection.is_lazy.contains(&function) {
                // Optimisers do not take local functions for those of the C library that have their names. What allocates is
                // seen through where it is defined, else pairs of calls are useless and results are different.
                if function.is_local() || ALLOCATES.contains(&&*function.name()) {
                    function.set_attribute(NO_BUILTIN, true);
                }
                function.set_comdat(std::ptr::null_mut());
                function.set_linkage(Linkage::LLVMExternalLinkage);
                function.set_visibility(IrVisibility::LLVMDefaultVisibility);
                function.set_dso_local(false);
            } else {
                functions.push(declare_function(function));
            }
        }
        Self { module, asm, layout, description, variables, functions, renamed: rename(module) }
    }

    fn leave(self) {
        self.module.set_inline_asm(&self.asm);
        self.layout.inspect(|layout| self.module.set_data_layout(layout));
        self.renamed.into_iter().for_each(|(value, name)| value.set_name(&name));
        for saved in self.variables {
            let Variable { value, .. } = saved;
            value.set_initializer(saved.initializer);
            value.set_initialized_elsewhere(saved.initialized_elsewhere);
            value.set_linkage(saved.linkage);
            value.set_visibility(saved.visibility);
            value.set_dso_local(saved.dso_local);
            if !saved.comdat.is_null() {
                value.set_comdat(saved.comdat);
            }
            value.add_attachments(&saved.attachments);
        }
        // After the attachments, which it adds to.
        if let Some(description) = self.description {
            self.module.drop_description(description);
        }
        for saved in self.functions {
            saved.value.set_linkage(saved.linkage);
            saved.value.set_visibility(saved.visibility);
            saved.value.set_dso_local(saved.dso_local);
            if saved.marked {
                saved.value.set_attribute(NO_BUILTIN, false);
            }
        }
    }
}

/// Gives globals the names that they have in the container; returns those that had another.
fn rename(module: IrModule) -> Vec<(Value, String)> {
    let globals = module.variables().chain(module.functions()).chain(module.aliases()).chain(module.ifuncs());
    let private = globals.filter(|value| value.name().starts_with(".L"));
    let renamed = private.map(|value| {
        let full = value.full_name();
        value.set_name(&container_name(&value.name()));
        (value, full)
    });
    renamed.collect()
}

/// Functions of which optimisers know that they return new memory, beside those that always stay.
const ALLOCATES: [&str; 4] = ["strdup", "strndup", "__strdup", "__strndup"];

/// The attribute of functions that are not what their name says to the optimiser.
const NO_BUILTIN: &str = "nobuiltin";

/// The constants that stay and whose values optimisers of bodies may know: those without names that no body has an
/// import for.
fn exposed(module: IrModule, plan: &Plan) -> HashSet<Value> {
    let functions = plan.functions.iter().map(|function| function.value);
    let imports = plan.imports().filter_map(|import| import.value);
    let known: HashSet<_> = functions.chain(imports).chain(plan.carried.iter().copied()).collect();
    let variables = module.variables().filter(|v| known.contains(v) && !plan.carried.contains(v));
    variables.filter(|variable| constants::has_known_value(module, *variable, &known)).collect()
}

/// The variables of which optimisers of bodies may know that they have the size of their type (`__builtin_object_size`,
/// bounds checks): no other definition takes their place.
fn sized(plan: &Plan) -> HashSet<Value> {
    let imports = plan.imports().filter_map(|import| import.value);
    imports
        .filter(|value| {
            value.kind() == Kind::LLVMGlobalVariableValueKind && value.has_definitive_initializer()
        })
        .collect()
}

/// What optimisers of bodies are told of a variable that stays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    /// By an initialiser that says nothing, and that something else replaces before the program starts.
    Size,
    Value,
}

fn declare_variable(value: Value, direct: bool, known: Known) -> Variable {
    let saved = Variable {
        value,
        initializer: value.initializer(),
        initialized_elsewhere: value.is_initialized_elsewhere(),
        linkage: value.linkage(),
        visibility: value.visibility(),
        dso_local: value.is_dso_local(),
        comdat: value.comdat(),
        attachments: value.take_attachments(),
    };
    value.set_comdat(std::ptr::null_mut());
    match known {
        Known::Value => value.set_linkage(Linkage::LLVMAvailableExternallyLinkage),
        Known::Size => {
            value.set_linkage(Linkage::LLVMAvailableExternallyLinkage);
            value.set_initializer(saved.initializer.map(Value::poison));
            value.set_initialized_elsewhere(true);
        }
        Known::Nothing => value.set_initializer(None),
    }
    let replaceable = matches!(
        saved.linkage,
        Linkage::LLVMExternalWeakLinkage | Linkage::LLVMWeakAnyLinkage | Linkage::LLVMLinkOnceAnyLinkage
    );
    if replaceable {
        // It may be at the address of another variable.
        value.set_linkage(Linkage::LLVMExternalWeakLinkage);
    } else if known == Known::Nothing {
        value.set_linkage(Linkage::LLVMExternalLinkage);
    }
    value.set_visibility(IrVisibility::LLVMDefaultVisibility);
    value.set_dso_local(direct);
    saved
}

fn declare_function(value: Value) -> Declared {
    // The program's own malloc, say: in its module it is seen through, and pairs of calls are not taken for useless.
    let saved = Declared {
        value,
        marked: value.is_defined_here() && !value.has_attribute(NO_BUILTIN),
        linkage: value.linkage(),
        visibility: value.visibility(),
        dso_local: value.is_dso_local(),
    };
    if saved.marked {
        value.set_attribute(NO_BUILTIN, true);
    }
    let keep = [Linkage::LLVMExternalWeakLinkage, Linkage::LLVMAvailableExternallyLinkage];
    if !keep.contains(&saved.linkage) && !value.is_intrinsic() {
        value.set_linkage(Linkage::LLVMExternalLinkage);
    }
    value.set_visibility(IrVisibility::LLVMDefaultVisibility);
    value.set_dso_local(false);
    saved
}
