//! Modules of `sources` whose functions count, compiled and linked.

use std::collections::HashMap;
use std::process::Command;

use autojit_abi::StackMap;
use autojit_baseline::{Baseline, Code};
use autojit_bitcode::{BitcodeModule, FunctionBody};

use super::link::Linked;
use super::{Scratch, assemble, open, run, source};

/// The bitcode of one of `sources`.
pub fn assembled(name: &str) -> (Vec<u8>, Scratch) {
    let scratch = Scratch::new();
    (assemble(&source(name), &scratch), scratch)
}

/// A module, compiled.
pub struct Compiled<'m> {
    module: &'m BitcodeModule<'m>,
    /// With the indices of their functions, by name.
    pub codes: HashMap<String, (u32, Code)>,
}

impl<'m> Compiled<'m> {
    /// Compiles all functions.
    pub fn of(module: &'m BitcodeModule<'m>) -> Self {
        let mut codes = HashMap::new();
        let mut body = FunctionBody::default();
        for (index, global) in (0..).zip(module.globals()).filter(|(index, _)| module.has_body(*index)) {
            module.read_function(index, &mut body).expect("a readable body");
            let code = Baseline::new(module).compile(&body, true).expect("it is compiled");
            codes.insert(String::from_utf8_lossy(module.name(global)).into_owned(), (index, code));
        }
        Self { module, codes }
    }

    /// All of it, in memory, with the data of the same module that clang has compiled.
    pub fn linked(&self, scratch: &Scratch) -> Linked {
        let data = scratch.0.join("data.so");
        let mut clang = Command::new(concat!("clang++-", env!("LLVM_RELEASE")));
        run(clang.args(["-shared", "-fPIC", "-w", "-o"]).arg(&data).arg(source("counting.ll")));
        let codes: Vec<_> = self.codes.values().cloned().collect();
        Linked::new(self.module, &codes, open(&data))
    }

    /// The code of a function.
    pub fn code(&self, name: &str) -> &Code {
        &self.codes[name].1
    }

    /// The map of the only loop of a function.
    pub fn map(&self, name: &str) -> Result<StackMap, String> {
        let (index, code) = &self.codes[name];
        let mut body = FunctionBody::default();
        self.module.read_function(*index, &mut body).expect("a readable body");
        let [header] = code.loops[..] else { panic!("{name}: {:?}", code.loops) };
        let map = Baseline::new(self.module).stack_map(&body, header.block);
        map.map_err(|refused| refused.to_string())
    }
}
