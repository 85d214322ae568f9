//! What uses a global: bodies that leave, or what stays.
//!
//! Receives the [`Selection`] on the untouched module. Goes backwards, from a global to its users, because a module
//! has far fewer globals than operands.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::inline_assembly::Mentioned;
use crate::ir::{Kind, Value, constants};
use crate::select::Selection;

/// How a global is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// A body that leaves uses it, or a constant that travels with one.
    pub body: bool,
    /// One of those uses is not just a call.
    pub body_address: bool,
    /// One of those uses is in a body that will be compiled, or comes into one by inlining: not just in one that may be inlined.
    pub required: bool,
    /// Something that stays uses it.
    pub stays: bool,
}

impl Use {
    const BODY: Self = Self { body: true, body_address: true, required: true, stays: false };
    const STAYS: Self = Self { body: false, body_address: false, required: false, stays: true };

    fn add(&mut self, other: Self) {
        self.body |= other.body;
        self.body_address |= other.body_address;
        self.required |= other.required;
        self.stays |= other.stays;
    }
}

/// The uses of a module's globals.
#[derive(Debug)]
pub struct Uses<'a> {
    selection: &'a Selection,
    /// By the names that assembler text has for them.
    mentioned: HashMap<String, Use>,
    /// Of variables that may travel: None while one is being looked at.
    known: RefCell<HashMap<Value, Option<Use>>>,
    /// Which variables travel: each user of a large table asks.
    travels: RefCell<HashMap<Value, bool>>,
}

impl<'a> Uses<'a> {
    pub fn new(selection: &'a Selection) -> Self {
        let mut mentioned: HashMap<String, Use> = HashMap::new();
        for Mentioned { function, names } in &selection.mentioned {
            let used = match function {
                Some(function) if selection.is_lazy.contains(function) => Use::BODY,
                Some(function) if selection.inlined.contains(function) => {
                    Use { required: false, ..Use::BODY }
                }
                _ => Use::STAYS,
            };
            for name in names {
                mentioned.entry(name.clone()).or_default().add(used);
            }
        }
        Self { selection, mentioned, known: RefCell::default(), travels: RefCell::default() }
    }

    /// How `global` is used.
    pub fn of(&self, global: Value) -> Use {
        match self.known.borrow().get(&global) {
            Some(Some(known)) => return *known,
            // Constants that refer to each other in a circle: take the safe answer.
            Some(None) => return Use { stays: true, ..Use::BODY },
            None => {}
        }
        self.known.borrow_mut().insert(global, None);
        let mut found = match self.mentioned.is_empty() {
            true => Use::default(),
            false => self.mentioned.get(&global.name()).copied().unwrap_or_default(),
        };
        for user in global.users() {
            found.add(self.by(user, global));
        }
        self.known.borrow_mut().insert(global, Some(found));
        found
    }

    /// [`constants::travels`], remembered.
    pub fn travels(&self, variable: Value) -> bool {
        *self.travels.borrow_mut().entry(variable).or_insert_with(|| constants::travels(variable))
    }

    fn by(&self, user: Value, used: Value) -> Use {
        match user.kind() {
            Kind::LLVMInstructionValueKind => {
                let function = user.function();
                if self.selection.is_lazy.contains(&function) {
                    let stays = self.selection.copied.contains(&function);
                    Use { body_address: user.takes_address(used), stays, ..Use::BODY }
                } else if self.selection.inlined.contains(&function) {
                    // The body goes to all places where it may be inlined, and may yet vanish there.
                    let theirs = self.of(function);
                    let required = theirs.required
                        && (function.has_attribute("alwaysinline") || user.comes_with_inlining());
                    Use { body_address: theirs.body && user.takes_address(used), required, ..theirs }
                } else {
                    Use::STAYS
                }
            }
            // As personality.
            Kind::LLVMFunctionValueKind if self.selection.is_lazy.contains(&user) => Use::BODY,
            Kind::LLVMGlobalVariableValueKind if self.travels(user) => {
                let theirs = self.of(user);
                // A constant that nothing uses stays: nothing would take it along.
                Use { body_address: theirs.body, stays: theirs.stays || !theirs.body, ..theirs }
            }
            // Where an alias is of a variable, optimised bodies use the variable.
            Kind::LLVMGlobalAliasValueKind if !user.is_of_function_type() => {
                let theirs = self.of(user);
                Use { body_address: theirs.body, stays: true, ..theirs }
            }
            Kind::LLVMFunctionValueKind
            | Kind::LLVMGlobalVariableValueKind
            | Kind::LLVMGlobalAliasValueKind
            | Kind::LLVMGlobalIFuncValueKind => Use::STAYS,
            _ => {
                let mut all = Use::default();
                for next in user.users() {
                    all.add(self.by(next, user));
                }
                all.body_address = all.body;
                all
            }
        }
    }
}
