//! What describes the lines of compiled code, from when it is published until somebody asks.
//!
//! Receives what publishing knows ([`Lines`]); hands on objects and tables for the file of names.

use std::borrow::Cow;

use autojit_code::dwarf::FunctionLines;
use autojit_code::unit::{self, Piece};
use autojit_code::{Code, describe};

use crate::link::kept_lines::KeptLines;
use crate::program::module::Module;

/// What describes the lines of code that is being published.
#[derive(Debug)]
pub enum Lines {
    /// Nothing.
    None,
    /// The objects that it was linked from.
    Objects(Vec<unit::Lines<'static>>),
    /// The object cache has this.
    Kept(KeptLines),
    /// They can be had of the bitcode.
    Bitcode(Bitcode),
}

/// Code whose lines are made of its module's bitcode.
#[derive(Debug)]
pub struct Bitcode {
    /// The module.
    pub module: &'static Module,
    /// Its functions; before it is published, from the start of the text.
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
pub enum Described {
    /// These objects.
    Now(Vec<describe::Linked<'static>>),
    /// Read when somebody asks; where the unit's pieces are.
    Later(KeptLines, [usize; 4]),
    /// Made when somebody asks.
    Bitcode(Bitcode),
    /// What was made of that.
    Lines(Vec<FunctionLines>),
}

impl Described {
    /// What describes `code`.
    pub fn of(lines: Lines, code: &Code<'_>) -> Self {
        match lines {
            Lines::None => Self::Now(Vec::new()),
            Lines::Objects(objects) => {
                Self::Now(objects.iter().filter_map(|lines| linked(lines, &code.pieces)).collect())
            }
            Lines::Kept(kept) => Self::Later(kept, code.pieces),
            Lines::Bitcode(mut bitcode) => {
                bitcode.functions.iter_mut().for_each(|function| function.start += code.text.start);
                Self::Bitcode(bitcode)
            }
        }
    }

    /// The objects.
    pub fn objects(&mut self) -> &[describe::Linked<'static>] {
        if let Self::Later(kept, pieces) = self {
            *self = Self::Now(kept.read().iter().filter_map(|lines| linked(lines, pieces)).collect());
        }
        match self {
            Self::Now(objects) => objects,
            Self::Later(..) | Self::Bitcode(_) | Self::Lines(_) => &[],
        }
    }

    /// What the lines are to be made of.
    pub fn bitcode(&self) -> Option<&Bitcode> {
        if let Self::Bitcode(bitcode) = self { Some(bitcode) } else { None }
    }

    /// The lines of what was compiled without an object.
    pub fn lines(&self) -> &[FunctionLines] {
        if let Self::Lines(lines) = self { lines } else { &[] }
    }
}

/// An object of code whose pieces are there.
fn linked(lines: &unit::Lines<'static>, pieces: &[usize; 4]) -> Option<describe::Linked<'static>> {
    let Cow::Borrowed(object) = lines.object else { return None };
    let place =
        |&(index, piece, offset): &(u32, Piece, u32)| (index, pieces[piece as usize] + offset as usize);
    let sections: Vec<_> = lines.sections.iter().map(place).collect();
    Some(describe::Linked { object, sections: sections.leak() })
}
