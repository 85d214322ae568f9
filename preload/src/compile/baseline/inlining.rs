//! Functions that mean what they do only once an optimiser has inlined what they call.
//!
//! `llvm.objectsize` is answered in the function into which the one that asks was inlined: `_FORTIFY_SOURCE` relies on
//! it. And what nothing defines may be named by an inline function whose callers never lead there. Such functions are
//! for the engine, and all that they may be inlined into.

use std::collections::BTreeSet;

use autojit_bitcode::{AttributeKind, FunctionBody};

use super::pieces::Pieces;

/// The functions, by global; empty where nothing in a module depends on inlining.
#[derive(Debug, Default)]
pub struct Inlining(Vec<bool>);

impl Inlining {
    /// Finds them. `missing`: globals that nothing defines. Reads all bodies, unless the module has nothing of the kind.
    pub fn of(pieces: &mut Pieces, missing: &BTreeSet<u32>) -> Self {
        let bitcode = pieces.bitcode();
        let globals = bitcode.globals();
        let name = |number: usize| globals.get(number).map_or(&b""[..], |global| bitcode.name(global));
        // Where something is missing, whether it is named may be what was asked.
        let asks = |number: usize| {
            let name = name(number);
            name.starts_with(b"llvm.objectsize.")
                || (!missing.is_empty() && name.starts_with(b"llvm.is.constant."))
        };
        if missing.is_empty() && !(0..globals.len()).any(asks) {
            return Self::default();
        }
        let mut found = vec![false; globals.len()];
        // By callee, the functions that it may be inlined into.
        let mut callers: Vec<Vec<u32>> = vec![Vec::new(); globals.len()];
        let mut open = Vec::new();
        let mut body = FunctionBody::default();
        for function in (0..globals.len() as u32).filter(|number| bitcode.has_body(*number)) {
            // What cannot be read is refused when it is compiled.
            let read = |block: &[u8]| bitcode.read_code(function, block, &mut body).ok();
            if pieces.block(function).ok().and_then(read).is_none() {
                continue;
            }
            for instruction in &body.instructions {
                for operand in body.operands(instruction) {
                    let number = operand.0 as usize;
                    if number >= globals.len() {
                        continue;
                    }
                    if (asks(number) || missing.contains(&operand.0)) && !found[function as usize] {
                        found[function as usize] = true;
                        open.push(function);
                    }
                    if bitcode.has_body(operand.0) {
                        callers[number].push(function);
                    }
                }
            }
        }
        while let Some(function) = open.pop() {
            let attributes = globals.get(function as usize).map(|global| global.attributes);
            let kept = attributes
                .is_some_and(|list| bitcode.attributes(list).function().has(AttributeKind::NoInline));
            if kept {
                continue;
            }
            for caller in std::mem::take(&mut callers[function as usize]) {
                if !std::mem::replace(&mut found[caller as usize], true) {
                    open.push(caller);
                }
            }
        }
        Self(found)
    }

    /// Whether a function is one of them.
    pub fn concerns(&self, global: u32) -> bool {
        self.0.get(global as usize).is_some_and(|found| *found)
    }
}
