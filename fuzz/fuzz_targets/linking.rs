//! Shared by the targets that link: a memory to link into, and a resolver that finds everything.

use std::sync::OnceLock;

use autojit_code::{CodeMemory, Resolver, Symbol, Target, Usage};

/// Everything is somewhere, near or far; nothing of it is called.
pub struct Anything(usize);

impl Resolver for Anything {
    fn resolve(&mut self, symbol: &Symbol<'_>, usage: Usage, weak: bool) -> Result<Target, String> {
        let length = match symbol {
            Symbol::Name(name) => name.len(),
            Symbol::Function(index) | Symbol::Import(index) => *index as usize,
        };
        let pending = (usage == Usage::Call).then_some(1);
        Ok(Target { address: if weak { 0 } else { self.0 ^ ((length % 2) << 45) }, pending })
    }
}

/// A memory near this program, and the resolver for it. What is linked is dropped again, so it does not fill up.
pub fn memory() -> (&'static CodeMemory, Anything) {
    static MEMORY: OnceLock<CodeMemory> = OnceLock::new();
    let memory = MEMORY.get_or_init(|| {
        let here = memory as *const () as usize;
        CodeMemory::with_options(here..here + 1, 1 << 24, true).expect("there is room near the program")
    });
    (memory, Anything(memory.newest().expect("it has an area").range().start + 0x1000))
}
