//! What describes the lines of compiled code, from publishing until lines are asked for.
//!
//! Receives what publishing knows ([`Lines`]); hands on objects and tables for the file of names.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use autojit_code::dwarf::FunctionLines;
use autojit_code::unit::{self, Segment};
use autojit_code::{Code, describe};

use crate::link::kept_lines::KeptLines;
use crate::program::module::Module;

/// The lines of code that is being published.
pub enum Lines {
    /// Nothing.
    None,
    /// The objects that it was linked from.
    Objects(Vec<unit::Lines<'static>>),
    /// The object cache has this, and the rest can be had of the bitcode.
    Kept(Option<KeptLines>, Option<Functions>),
}

/// Lists, on demand, the functions whose lines can be made of bitcode. Places are relative to the text.
pub type Functions = Box<dyn FnOnce() -> Vec<Bitcode> + Send>;

/// Code whose lines are made of its module's bitcode.
#[derive(Debug)]
pub struct Bitcode {
    /// The module.
    pub module: &'static Module,
    /// Its functions.
    pub functions: Vec<Compiled>,
    /// Makes the lines of such functions, as far as there are any.
    pub read: fn(&'static Module, &[Compiled]) -> Vec<FunctionLines>,
}

/// Code of a function.
#[derive(Clone, Copy, Debug)]
pub struct Compiled {
    /// The function's index in its module.
    pub index: u32,
    /// Where its code is.
    pub start: usize,
    /// Its size in bytes.
    pub size: u32,
}

/// The same for code that has its place.
#[derive(Default)]
pub struct Described {
    /// Objects.
    objects: Vec<describe::Linked<'static>>,
    /// What is read on demand; where the unit's segments are.
    kept: Option<(KeptLines, [usize; 4])>,
    /// What tells the next; where the text is.
    functions: Option<(Functions, usize)>,
    /// What lines are to be made of.
    bitcode: Vec<Bitcode>,
    /// Made of that.
    lines: Vec<FunctionLines>,
}

impl Described {
    /// What describes `code`.
    pub fn of(lines: Lines, code: &Code) -> Self {
        match lines {
            Lines::None => Self::default(),
            Lines::Objects(objects) => {
                let objects = objects.iter().filter_map(|lines| linked(lines, &code.segments)).collect();
                Self { objects, ..Self::default() }
            }
            Lines::Kept(kept, functions) => Self {
                kept: kept.map(|kept| (kept, code.segments)),
                functions: functions.map(|functions| (functions, code.text.start)),
                ..Self::default()
            },
        }
    }

    /// The objects.
    pub fn objects(&mut self) -> &[describe::Linked<'static>] {
        if let Some((kept, segments)) = self.kept.take() {
            self.objects = kept.read().iter().filter_map(|lines| linked(lines, &segments)).collect();
        }
        &self.objects
    }

    /// What lines are to be made of.
    pub fn bitcode(&mut self) -> &[Bitcode] {
        if let Some((functions, text)) = self.functions.take() {
            self.bitcode = functions();
            for function in self.bitcode.iter_mut().flat_map(|bitcode| &mut bitcode.functions) {
                function.start += text;
            }
        }
        &self.bitcode
    }

    /// Takes the lines of functions of a module that were made: those of `asked`, if there are any.
    pub fn complete(
        &mut self,
        module: &'static Module,
        asked: &BTreeSet<usize>,
        made: &mut BTreeMap<usize, FunctionLines>,
    ) {
        let is_done = |bitcode: &Bitcode| {
            std::ptr::eq(bitcode.module, module)
                && bitcode.functions.iter().all(|function| asked.contains(&function.start))
        };
        for bitcode in self.bitcode.extract_if(.., |bitcode| is_done(bitcode)) {
            self.lines.extend(bitcode.functions.iter().filter_map(|function| made.remove(&function.start)));
        }
    }

    /// The lines of what was compiled without an object.
    pub fn lines(&self) -> &[FunctionLines] {
        &self.lines
    }
}

/// An object of code whose segments are there.
fn linked(lines: &unit::Lines<'static>, segments: &[usize; 4]) -> Option<describe::Linked<'static>> {
    let Cow::Borrowed(object) = lines.object else { return None };
    let place = |&(index, segment, offset): &(u32, Segment, u32)| {
        (index, segments[segment as usize] + offset as usize)
    };
    let sections: Vec<_> = lines.sections.iter().map(place).collect();
    Some(describe::Linked { object, sections: sections.leak(), moved: lines.moved.clone().leak() })
}
