//! Questions about globals: what their symbols are, where they are defined, which code uses them.

use std::collections::HashSet;

use autojit_trampoline::emit::{Binding, Visibility};

use super::constants::only_in;
use super::{IrVisibility, Kind, Linkage, Value};

impl Value {
    /// The binding of a global's symbol.
    pub fn symbol_binding(self) -> Binding {
        match self.linkage() {
            Linkage::LLVMExternalLinkage => Binding::Global,
            _ if self.is_local() => Binding::Local,
            _ => Binding::Weak,
        }
    }

    /// The visibility of a global's symbol.
    pub fn symbol_visibility(self) -> Visibility {
        match self.visibility() {
            IrVisibility::LLVMDefaultVisibility => Visibility::Default,
            IrVisibility::LLVMHiddenVisibility => Visibility::Hidden,
            IrVisibility::LLVMProtectedVisibility => Visibility::Protected,
        }
    }

    /// Whether another module defines a function, whose body is only here to be inlined.
    pub fn is_elsewhere(self) -> bool {
        self.linkage() == Linkage::LLVMAvailableExternallyLinkage
    }

    /// Whether this module defines a global for others, or for itself.
    pub fn is_defined_here(self) -> bool {
        !self.is_declaration() && !self.is_elsewhere()
    }

    /// Whether calls of a function that another object defines go through the PLT: not with -fno-plt.
    pub fn is_called_by_plt(self) -> bool {
        self.kind() == Kind::LLVMFunctionValueKind
            && self.is_declaration()
            && self.linkage() == Linkage::LLVMExternalLinkage
            && self.visibility() == IrVisibility::LLVMDefaultVisibility
            && !self.has_attribute("nonlazybind")
    }

    /// Whether an alias is one of a thread-local variable.
    pub fn is_thread_local_alias(self) -> bool {
        self.base().is_thread_local_variable()
    }

    /// The instructions that use a value, also inside constants.
    pub fn using_instructions(self) -> Vec<Self> {
        fn collect(value: Value, found: &mut Vec<Value>) {
            for user in value.users() {
                match user.kind() {
                    Kind::LLVMInstructionValueKind => found.push(user),
                    Kind::LLVMGlobalVariableValueKind | Kind::LLVMGlobalAliasValueKind => {}
                    _ => collect(user, found),
                }
            }
        }
        let mut found = Vec::new();
        collect(self, &mut found);
        found
    }

    /// Other functions with addresses of a function's labels in their code.
    pub fn label_readers(self) -> HashSet<Self> {
        let users = self.labels().flat_map(Self::using_instructions);
        users.map(Self::function).filter(|reader| *reader != self).collect()
    }

    /// Whether anything but the function itself, or a table of its labels that only it uses, refers to its labels.
    pub fn labels_escape(self) -> bool {
        self.labels().any(|label| !label.users().all(|user| only_in(user, self, 0)))
    }
}
