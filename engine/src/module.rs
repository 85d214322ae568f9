//! An open module: a container, its bitcode kept open in LLVM, and what is known of its functions. Receives the
//! index of a function that is called; hands on the object of the batch around it.

use std::collections::HashMap;
use std::ffi::CString;

use autojit_abi::{OpenOptions, StackMap};
use autojit_store::{Container, FunctionInfo, FunctionKind, Symbol};

use crate::batch::{self, Limits};
use crate::fatal::Compiling;
use crate::shim::{Attributes, IrFunction, Kept, Member, ObjectBuffer, Options, Role};

/// A module that LLVM has read, or will read when functions of it are wanted.
#[derive(Debug)]
pub struct OpenModule {
    container: Container<'static>,
    /// LLVM's side.
    pub kept: Kept,
    /// How its functions are compiled.
    pub options: Options,
    /// Attribute kinds.
    pub attributes: Attributes,
    limits: Limits,
    lazy: HashMap<IrFunction, Option<u32>>,
}

/// What the container and the user's options say about optimisation.
fn options(container: &Container<'_>, asked: OpenOptions) -> Options {
    let built = container.opt_level();
    let (speed, size) = match asked.opt_override {
        0 => (0, 0),
        level @ 1.. => (level.min(3) as u8, built.size),
        _ => (built.speed.min(3), built.size.min(2)),
    };
    let drop_optnone = built.speed == 0 && speed > 0;
    let set = |name| std::env::var_os(name).is_some();
    let verify = set("AUTOJIT_ENGINE_VERIFY");
    let full_debug = asked.full_debug || set("AUTOJIT_ENGINE_FULL_DEBUG");
    Options { speed, size, drop_optnone, verify, full_debug }
}

impl OpenModule {
    /// Opens a container.
    ///
    /// # Errors
    /// A message with the source file's name, as far as it is known, and the reason.
    pub fn open(bytes: &'static [u8], asked: OpenOptions) -> Result<Self, String> {
        let container = Container::parse(bytes).map_err(|error| error.to_string())?;
        let source = container.source();
        let context = |error: &dyn std::fmt::Display| format!("bitcode of {source}: {error}");
        let bitcode = container.bitcode().map_err(|error| context(&error))?.into_boxed_slice();
        let options = options(&container, asked);
        let name = CString::new(source).map_err(|error| context(&error))?;
        let build = CString::new(container.options()).map_err(|error| context(&error))?;
        let kept = Kept::open(bitcode, &name, options, &build).map_err(|error| context(&error))?;
        let limits = Limits::new(options, asked.batch_limit);
        let attributes = Attributes::default();
        Ok(Self { container, kept, options, attributes, limits, lazy: HashMap::new() })
    }

    /// Compiles function `root` and those that belong with it and that `claim` grants, which are then in the object
    /// too; if it runs `often`, `root` alone, as well as can be. If the batch fails, `root` is compiled alone: then those
    /// that `claim` granted are not in the object.
    ///
    /// # Errors
    /// A message with the function, the source file and LLVM's reason.
    pub fn compile(
        &mut self,
        root: u32,
        often: bool,
        claim: &mut dyn FnMut(u32) -> bool,
    ) -> Result<ObjectBuffer, String> {
        let source = self.container.source();
        let Some(info) = self.container.function(root) else {
            return Err(format!("{source} has no lazy function {root}"));
        };
        let _compiling = Compiling::new(info.name, source);
        let context = |error| format!("{} of {source}: {error}", info.name);
        let Some(function) = self.kept.find(info.name) else {
            return Err(context("its bitcode does not define it".into()));
        };
        let limits = if often { self.limits.often() } else { self.limits };
        let mut attempt = |limits: &Limits, claim: &mut dyn FnMut(u32) -> bool| {
            let root = member(function, &info);
            let members = batch::choose(self, vec![root], limits, claim)?;
            Ok((members.len(), self.kept.compile(&members, false)))
        };
        match attempt(&limits, claim).map_err(context)? {
            (_, Ok(object)) => Ok(object),
            (1, Err(error)) => Err(context(error)),
            // Another function of the batch may be what cannot be compiled.
            (_, Err(_)) => {
                let alone = Limits { functions: 1, ..limits };
                attempt(&alone, &mut |_| false).map_err(context)?.1.map_err(context)
            }
        }
    }

    /// Compiles what is left of function `root` from a loop header on, for frames that are there.
    ///
    /// # Errors
    /// A message with the function, the source file and LLVM's reason, or why it cannot be continued there.
    pub fn compile_continuation(&mut self, root: u32, map: &StackMap) -> Result<ObjectBuffer, String> {
        let source = self.container.source();
        let Some(info) = self.container.function(root) else {
            return Err(format!("{source} has no lazy function {root}"));
        };
        let _compiling = Compiling::new(info.name, source);
        let context = |error| format!("{} of {source}, from a loop on: {error}", info.name);
        let Some(function) = self.kept.find(info.name) else {
            return Err(context("its bitcode does not define it".into()));
        };
        let root = member(function, &info);
        let limits = self.limits.often();
        let members = batch::choose(self, vec![root], &limits, &mut |_| false).map_err(context)?;
        self.kept.compile_continuation(&members, map).map_err(context)
    }

    /// Compiles all functions that `claim` grants, with what describes the whole module; None if it grants none.
    ///
    /// # Errors
    /// A message with the source file and LLVM's reason.
    pub fn compile_all(
        &mut self,
        claim: &mut dyn FnMut(u32) -> bool,
    ) -> Result<Option<ObjectBuffer>, String> {
        let source = self.container.source();
        let context = |error| format!("{source}: {error}");
        let mut granted = Vec::new();
        for (index, info) in self.container.functions().enumerate() {
            if claim(index as u32) {
                let missing = || format!("{source}: its bitcode does not define {}", info.name);
                let function = self.kept.find(info.name).ok_or_else(missing)?;
                granted.push(member(function, &info));
            }
        }
        let Some(first) = granted.first() else { return Ok(None) };
        let name = first.function.name().to_owned();
        let _compiling = Compiling::new(&name, source);
        // All that may be compiled is there already.
        let limits = Limits { functions: 0, inlined: usize::MAX, ..self.limits };
        let members = batch::choose(self, granted, &limits, &mut |_| false).map_err(context)?;
        self.kept.compile(&members, true).map(Some).map_err(context)
    }

    /// The index of a function, if it is lazy.
    pub fn lazy(&mut self, function: IrFunction) -> Option<u32> {
        *self.lazy.entry(function).or_insert_with(|| match self.container.find(function.name()) {
            Some(Symbol::Function(index)) => Some(index),
            _ => None,
        })
    }

    /// What lazy function `index`, which is `function`, is to a batch.
    pub fn member(&self, function: IrFunction, index: u32) -> Member {
        let info = self.container.function(index).expect("an index from `lazy` is one of the container's");
        member(function, &info)
    }
}

fn member(function: IrFunction, info: &FunctionInfo<'_>) -> Member {
    let role = match info.kind {
        _ if info.interposable => Role::Interposable,
        // Each module's copy may have been written differently, as long as it does the same.
        FunctionKind::Inline => Role::OneOfEquals,
        FunctionKind::Local | FunctionKind::Stub => Role::Exact,
    };
    Member { function, role, stubbed: info.kind == FunctionKind::Stub }
}
