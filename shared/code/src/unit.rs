//! A unit: linked code in the form that it has before its addresses are known.
//!
//! [`parse`](crate::parse) makes one of an object file, [`merge`](crate::merge) one of several, [`pack`](crate::pack)
//! turns one into the bytes of a cache file and back, and [`link`](crate::link()) puts one into code memory. It is the
//! same for every process: what depends on where things landed is in its fixups.
//!
//! ```text
//! text    sections                         | thunks, made when it is linked
//! rodata  sections                         | frames, frame of the thunks, terminator
//! frames  .eh_frame sections               | part of rodata once it is linked
//! data    sections                         | GOT entries, also those of thunks
//! ```

use std::borrow::Cow;

use autojit_trampoline::counter::Counters;

use crate::eh_frame;
use crate::fixups;
pub use crate::fixups::{Fixups, Group, Sites};
use crate::memory::Arena;
use crate::moved::Moved;
use crate::reloc::{Form, Relax};
pub use crate::table::Table;

/// A part of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Segment {
    /// Machine code.
    Text = 0,
    /// Constants.
    Rodata = 1,
    /// What is written, if only by relocation.
    Data = 2,
    /// Unwind information.
    Frames = 3,
}

impl Segment {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [Self::Text, Self::Rodata, Self::Data, Self::Frames];

    /// Where it is loaded.
    pub fn arena(self) -> Arena {
        match self {
            Self::Text => Arena::Text,
            Self::Rodata | Self::Frames => Arena::Rodata,
            Self::Data => Arena::Data,
        }
    }
}

/// What a unit's symbol is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symbol<'a> {
    /// By this name.
    Name(Cow<'a, str>),
    /// The function of this index in the container that the code was compiled from.
    Function(u32),
    /// The import of this index.
    Import(u32),
}

/// What a symbol is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Usage {
    /// It is called or jumped to: any address with the function's code will do.
    Call,
    /// Its address is taken: the one address that the whole process agrees on.
    Address,
}

/// A symbol that fixups refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External<'a> {
    /// What it is called.
    pub symbol: Symbol<'a>,
    /// What it is used for.
    pub usage: Usage,
    /// It may stay undefined.
    pub weak: bool,
    /// Where the unit itself has a definition that is called: its first byte, in the text. What branches to the external
    /// holds this offset already.
    pub own: Option<u32>,
}

/// A function of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFunction<'a> {
    /// What it is called.
    pub symbol: Symbol<'a>,
    /// Its first byte, in the text.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
    /// Whether it was compiled on request, rather than made by the compiler for its own use.
    pub global: bool,
    /// What its code counts with, if it does.
    pub counters: Option<CountersAt>,
}

/// Where [`Counters`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountersAt {
    /// Their first byte, in the data.
    pub offset: u32,
    /// How many there are behind their head.
    pub count: u32,
}

impl<'a> Table<'a, UnitFunction<'a>> {
    /// The function that has the counter at this offset of the data. Code and counters of a unit are in the same order.
    pub fn with_counter(&self, at: u32) -> Option<UnitFunction<'a>> {
        let last = self.last_counting(|_, counters| counters.offset <= at);
        last.filter(|it| it.counters.is_some_and(|counters| counters.has(at)))
    }

    /// The function that counts and has the code at this offset of the text.
    pub fn with_code(&self, at: u32) -> Option<UnitFunction<'a>> {
        self.last_counting(|it, _| it.offset <= at).filter(|it| at - it.offset < it.size)
    }

    /// The last function of those that count of which something is true, as of all such functions in front of it.
    fn last_counting(&self, is: impl Fn(&UnitFunction<'a>, CountersAt) -> bool) -> Option<UnitFunction<'a>> {
        let (mut start, mut end, mut last) = (0, self.len(), None);
        while start < end {
            let middle = start + (end - start) / 2;
            let counts = |index| self.get(index).filter(|it| it.counters.is_some()).map(|it| (index, it));
            match (middle..end).find_map(counts) {
                Some((index, it)) if it.counters.is_some_and(|counters| is(&it, counters)) => {
                    (start, last) = (index + 1, Some(it));
                }
                _ => end = middle,
            }
        }
        last
    }
}

impl CountersAt {
    /// Whether an offset of the data is one of theirs.
    fn has(self, at: u32) -> bool {
        at.checked_sub(self.offset).is_some_and(|at| (at as usize) < Counters::len(self.count as usize))
    }

    /// Whether they are in data of this length, where counters can be.
    pub fn is_within(self, data: usize) -> bool {
        let end = (self.count as usize).checked_mul(Counters::SIZE);
        let end = end.and_then(|len| (self.offset as usize + Counters::HEAD).checked_add(len));
        let is_aligned = (self.offset as usize).is_multiple_of(align_of::<Counters>());
        self.count > 0 && is_aligned && end.is_some_and(|end| end <= data)
    }
}

impl External<'_> {
    /// Whether its definition, if it has one, is one that is called in a text of this length.
    pub(crate) fn is_within(&self, text: usize) -> bool {
        self.own.is_none_or(|own| self.usage == Usage::Call && own as usize <= text)
    }
}

impl UnitFunction<'_> {
    /// Whether it is in a text of this length, and what it counts with in data of that length.
    pub(crate) fn is_within(&self, text: usize, data: usize) -> bool {
        self.offset.checked_add(self.size).is_some_and(|end| end as usize <= text)
            && self.counters.is_none_or(|counters| counters.is_within(data))
    }
}

/// What a fixup takes for S.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A position in the unit.
    Inside(Segment, u32),
    /// The address of an external.
    Address(u32),
    /// Any code of an external: itself, or a thunk. `site`: the operand of an e8 or e9 that can be patched later.
    Branch {
        /// The external.
        external: u32,
        /// Whether the call is to be recorded if its function has no code yet.
        site: bool,
    },
    /// A GOT entry.
    GotEntry(u32),
    /// What a GOT entry holds, if that is within reach, by a changed instruction; else the entry.
    Relax(Relax, u32),
    /// The first GOT entry.
    GotBase,
}

/// A section of an object, for debuggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its index in the object's section header table.
    pub index: u32,
    /// The segment that it is in.
    pub segment: Segment,
    /// Its offset in the segment.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
}

/// An object with debug information that a unit, or a part of one, was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines<'a> {
    /// The object's bytes.
    pub object: Cow<'a, [u8]>,
    /// Its loaded sections: index, and where in the unit.
    pub sections: Vec<(u32, Segment, u32)>,
    /// Where its lines are now, if the source was edited since: all of them, or none that have moved.
    pub moved: Vec<Moved>,
}

/// See the module's comment. All indices and offsets in it are within their tables and segments.
#[derive(Clone, Debug, Default)]
pub struct Unit<'a> {
    /// The bytes, by [`Segment`].
    pub segments: [Cow<'a, [u8]>; 4],
    /// The alignments of the segments, powers of two of a page at most.
    pub aligns: [u32; 4],
    /// What fixups refer to.
    pub externals: Table<'a, External<'a>>,
    /// What the GOT entries hold: [`Source::Inside`], [`Source::Address`] or, for calls, [`Source::Branch`].
    pub got: Vec<Source>,
    /// The relocations.
    pub fixups: Fixups<'a>,
    /// The functions, by offset.
    pub functions: Table<'a, UnitFunction<'a>>,
    /// Their names; none if they were not asked for.
    pub names: Vec<Cow<'a, str>>,
    /// Which code the entries in the frames are for, as [`eh_frame::Entry`](crate::eh_frame::Entry)s are packed; none if
    /// they were not looked for.
    pub frame_index: Cow<'a, [u8]>,
    /// The sections of the object that it was made of; none if it comes from a file.
    pub sections: Vec<Section>,
    /// The objects that describe lines of it.
    pub lines: Vec<Lines<'a>>,
}

/// The first number of the sources that are not positions in the unit, which have the segment's number.
const OUTSIDE: u8 = 8;

impl Source {
    /// As a kind and a number.
    pub(crate) fn packed(self) -> (u8, u32) {
        match self {
            Self::Inside(segment, offset) => (segment as u8, offset),
            Self::Address(external) => (OUTSIDE, external),
            Self::Branch { external, site: false } => (OUTSIDE + 1, external),
            Self::Branch { external, site: true } => (OUTSIDE + 2, external),
            Self::GotEntry(entry) => (OUTSIDE + 3, entry),
            Self::Relax(Relax::Mov, entry) => (OUTSIDE + 4, entry),
            Self::Relax(Relax::Call, entry) => (OUTSIDE + 5, entry),
            Self::Relax(Relax::Jmp, entry) => (OUTSIDE + 6, entry),
            Self::GotBase => (OUTSIDE + 7, 0),
        }
    }

    /// Whether a packed kind is that of a branch.
    pub(crate) fn is_branch(kind: u8) -> bool {
        kind == OUTSIDE + 1 || kind == OUTSIDE + 2
    }

    /// Whether a packed kind is that of the GOT's address.
    pub(crate) fn is_got(kind: u8) -> bool {
        kind == OUTSIDE + 7
    }

    /// What [`packed`](Self::packed) gave.
    pub(crate) fn unpacked(kind: u8, number: u32) -> Option<Self> {
        Some(match kind {
            segment @ ..4 => Self::Inside(Segment::ALL[segment as usize], number),
            8 => Self::Address(number),
            9 => Self::Branch { external: number, site: false },
            10 => Self::Branch { external: number, site: true },
            11 => Self::GotEntry(number),
            12 => Self::Relax(Relax::Mov, number),
            13 => Self::Relax(Relax::Call, number),
            14 => Self::Relax(Relax::Jmp, number),
            15 => Self::GotBase,
            _ => return None,
        })
    }
}

impl Unit<'_> {
    /// What describes the lines of the unit: the object that it was made of.
    pub fn lines_of<'o>(&self, object: impl Into<Cow<'o, [u8]>>) -> Lines<'o> {
        let sections = self.sections.iter().map(|section| (section.index, section.segment, section.offset));
        Lines { object: object.into(), sections: sections.collect(), moved: Vec::new() }
    }

    /// Whether every index and offset is within its table or segment; the first that is not, in words.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        self.check_tables()?;
        if !self.fixups.are_whole() {
            return Err("a fixup of no kind");
        }
        for (group, sites) in self.fixups.groups().flatten() {
            self.check_group(&group, sites)?;
        }
        Ok(())
    }

    /// What [`check`](Self::check) says of all but the fixups, which [`link`](crate::link()) looks at itself.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check_tables(&self) -> Result<(), &'static str> {
        let [text, data] =
            [Segment::Text, Segment::Data].map(|segment| self.segments[segment as usize].len());
        if !self.functions.iter().all(|function| function.is_within(text, data)) {
            return Err("a function outside the code");
        }
        if !self.externals.iter().all(|external| external.is_within(text)) {
            return Err("a definition outside the code");
        }
        self.check_rest()
    }

    /// The same without functions and externals.
    pub(crate) fn check_rest(&self) -> Result<(), &'static str> {
        let lens = Segment::ALL.map(|segment| self.segments[segment as usize].len());
        let text = lens[Segment::Text as usize];
        if lens.iter().any(|len| u32::try_from(*len).is_err()) {
            return Err("a segment of more than 4 GiB");
        }
        if self.aligns.iter().any(|align| !align.is_power_of_two() || *align as usize > crate::arena::PAGE) {
            return Err("an alignment that is none");
        }
        if (self.aligns[Segment::Data as usize] as usize) < align_of::<Counters>()
            && self.functions.iter().any(|function| function.counters.is_some())
        {
            return Err("counters without alignment");
        }
        let in_got =
            |entry: &Source| matches!(entry, Source::Inside(..) | Source::Address(_) | Source::Branch { .. });
        if !self.got.iter().all(|entry| in_got(entry) && self.has(*entry)) {
            return Err("a GOT entry that holds nothing");
        }
        if !self.names.is_empty() && self.names.len() != self.functions.len() {
            return Err("names of other functions");
        }
        if !eh_frame::is_index(&self.frame_index, text, lens[Segment::Frames as usize]) {
            return Err("frames of code that is not there");
        }
        Ok(())
    }

    fn check_group(&self, group: &Group, sites: Sites<'_>) -> Result<(), &'static str> {
        let Group { segment, form, source } = *group;
        let bytes = &self.segments[segment as usize];
        let inside =
            |site| fixups::offset(site).checked_add(form.width()).is_some_and(|end| end <= bytes.len());
        if !self.has(source) || !sites.iter().all(inside) {
            return Err("a fixup that leads out of the unit");
        }
        let in_code = segment == Segment::Text && form == Form::Rel32;
        match source {
            Source::Inside(_, 1..) => Err("a fixup that leads out of its group"),
            Source::Relax(relax, _)
                if !in_code || !sites.iter().all(|site| relax.fits(bytes, fixups::offset(site))) =>
            {
                Err("a fixup for an instruction that is not there")
            }
            Source::Branch { site: true, .. }
                if !in_code || sites.iter().any(|site| fixups::offset(site) == 0) =>
            {
                Err("a call that is none")
            }
            _ => Ok(()),
        }
    }

    /// Whether there is such a source.
    fn has(&self, source: Source) -> bool {
        match source {
            Source::Inside(segment, offset) => offset as usize <= self.segments[segment as usize].len(),
            Source::Address(external) => self.usage(external) == Some(Usage::Address),
            Source::Branch { external, .. } => self.usage(external) == Some(Usage::Call),
            Source::GotEntry(entry) | Source::Relax(_, entry) => (entry as usize) < self.got.len(),
            Source::GotBase => true,
        }
    }

    fn usage(&self, external: u32) -> Option<Usage> {
        self.externals.get(external as usize).map(|external| external.usage)
    }
}
