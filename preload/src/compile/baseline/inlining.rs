//! Functions that mean what they do only once an optimiser has inlined what they call.
//!
//! `llvm.objectsize` is answered in the function into which the one that asks was inlined: `_FORTIFY_SOURCE` relies on
//! it. And what nothing defines may be named by an inline function whose callers never lead there. Such functions are
//! for the engine, and all that they may be inlined into. So are those that look at their frame or return address and are
//! always inlined: it is their caller's that they mean.

use std::collections::BTreeSet;

use autojit_bitcode::{AttributeKind, FunctionBody};

use super::pieces::Pieces;

/// Beginnings of the names of intrinsics that tell a function of its frame, behind `llvm.`.
const FRAME: [&[u8]; 5] =
    [b"returnaddress", b"addressofreturnaddress", b"frameaddress", b"sponentry", b"eh.dwarf.cfa"];

/// The functions, by global; empty where nothing in a module depends on inlining.
#[derive(Debug, Default)]
pub struct Inlining(Vec<bool>);

impl Inlining {
    /// Finds them. `missing`: globals that nothing defines. Reads all bodies, unless the module has nothing of the kind.
    pub fn of(pieces: &mut Pieces, missing: &BTreeSet<u32>) -> Self {
        let bitcode = pieces.bitcode();
        let globals = bitcode.globals();
        // Of an intrinsic, behind `llvm.`: most globals are none.
        let name = |number: usize| bitcode.name(globals.get(number)?).strip_prefix(b"llvm.");
        // Where something is missing, whether it is named may be what was asked.
        let asks = |number: usize| {
            let Some(name) = name(number) else { return false };
            name.starts_with(b"objectsize.") || (!missing.is_empty() && name.starts_with(b"is.constant."))
        };
        let looks = |number: usize| {
            name(number).is_some_and(|name| FRAME.iter().any(|intrinsic| name.starts_with(intrinsic)))
        };
        let has = |function: u32, kind| {
            let attributes = globals.get(function as usize).map(|global| global.attributes);
            attributes.is_some_and(|list| bitcode.attributes(list).function().has(kind))
        };
        let is_always_inlined = |function: u32| has(function, AttributeKind::AlwaysInline);
        let may_ask = !missing.is_empty() || (0..globals.len()).any(asks);
        let may_look = (0..globals.len()).any(looks) && (0..globals.len() as u32).any(is_always_inlined);
        if !may_ask && !may_look {
            return Self::default();
        }
        let mut found = vec![false; globals.len()];
        // By callee, the functions that it may be inlined into.
        let mut callers: Vec<Vec<u32>> = vec![Vec::new(); globals.len()];
        let (mut asking, mut looking) = (Vec::new(), Vec::new());
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
                    if asks(number) || missing.contains(&operand.0) {
                        asking.push(function);
                    }
                    if looks(number) && is_always_inlined(function) {
                        looking.push(function);
                    }
                    if bitcode.has_body(operand.0) {
                        callers[number].push(function);
                    }
                }
            }
        }
        let mut spread = |mut open: Vec<u32>, is_inlined: &dyn Fn(u32) -> bool| {
            let mut known = vec![false; globals.len()];
            while let Some(function) = open.pop() {
                if std::mem::replace(&mut known[function as usize], true) {
                    continue;
                }
                found[function as usize] = true;
                if is_inlined(function) {
                    open.extend(&callers[function as usize]);
                }
            }
        };
        spread(asking, &|function| !has(function, AttributeKind::NoInline));
        spread(looking, &is_always_inlined);
        Self(found)
    }

    /// Whether a function is one of them.
    pub fn concerns(&self, global: u32) -> bool {
        self.0.get(global as usize).is_some_and(|found| *found)
    }
}
