//! What the host compiles a module for, and what it will do to it behind our pass: `host.cpp` finds that out.

use std::ffi::{CStr, c_char, c_void};
use std::fmt::Write;

use autojit_store::OptLevel;

use crate::ffi;
use crate::ir::IrModule;

/// Of the calling convention: what stacks are aligned to where no option (`-mstack-alignment`) says otherwise.
const STACK_ALIGNMENT: u64 = 16;

/// The host's options, as far as they matter to bodies that leave.
#[derive(Debug)]
pub struct Host {
    /// The level of optimisation.
    pub opt: OptLevel,
    /// Why the module must be left alone, if so.
    pub why: Option<String>,
    /// Further options for the engine, as words; usually none.
    pub options: String,
    /// Its `TargetMachine`, or null.
    pub machine: *mut c_void,
}

impl Host {
    /// # Safety
    /// The texts of `build` are C strings or null. Its machine outlives the result.
    pub unsafe fn new(build: &ffi::Build) -> Self {
        let text = |text: *const c_char| {
            // SAFETY: as the caller promises.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        };
        Self {
            opt: OptLevel { speed: build.speed, size: build.size },
            why: text(build.why),
            options: text(build.options).unwrap_or_default(),
            machine: build.machine,
        }
    }

    /// With what only a module's flags tell of its options.
    pub fn for_module(mut self, module: IrModule) -> Self {
        if let Some(align) = module.flag("override-stack-alignment").filter(|align| *align != STACK_ALIGNMENT)
        {
            let space = if self.options.is_empty() { "" } else { " " };
            write!(self.options, "{space}align-stack={align}").expect("strings grow");
        }
        self
    }

    /// Whether anything computes the sizes of objects: the optimiser, or a pass that checks bounds.
    pub fn looks_at_sizes(&self) -> bool {
        self.optimises() || self.options.contains("bounds-checking")
    }

    /// Whether functions are inlined, and code that cannot run is removed.
    pub fn optimises(&self) -> bool {
        self.opt.speed > 0
    }
}
