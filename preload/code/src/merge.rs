//! Several units in one: what a process has compiled of a module, with what others had compiled before.
//!
//! References that no process can bind otherwise are settled for good, so that a cache file has no fixups for them:
//! places in the same piece, and calls of functions that only their own module can name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::reloc::Form;
use crate::unit::{External, Fixup, Fixups, Function, Lines, Piece, Source, Symbol, Unit, Usage};

/// The unit in the making.
#[derive(Default)]
struct Merged<'l> {
    pieces: [Vec<u8>; 4],
    aligns: [u32; 4],
    externals: Vec<External<'static>>,
    numbers: BTreeMap<(Symbol<'static>, Usage), u32>,
    cells: Vec<Source>,
    fixups: Vec<Fixup>,
    functions: Vec<(Function<'static>, Cow<'static, str>)>,
    defined: BTreeSet<Symbol<'static>>,
    lines: Vec<Lines<'l>>,
}

impl<'l> Unit<'l> {
    /// One unit with the functions of all `units`, of which the first that defines a function counts. `is_local` says
    /// which functions (by index) only the module itself can name. None if the pieces are too large for one unit. The
    /// lines are those of the units, which may be large: borrowed if theirs are.
    pub fn merge(units: &[Self], is_local: impl Fn(u32) -> bool) -> Option<Self> {
        let mut merged = Merged { aligns: [1; 4], ..Merged::default() };
        units.iter().try_for_each(|unit| merged.add(unit))?;
        Some(merged.finish(is_local))
    }
}

impl Unit<'_> {
    /// The same in memory of its own, with the names that `number` knows replaced; without sections and lines.
    pub fn numbered(self, number: impl Fn(&str) -> Option<Symbol<'static>>) -> Unit<'static> {
        let rename = |symbol: Symbol<'_>| match &symbol {
            Symbol::Name(name) => number(name).unwrap_or_else(|| symbol.into_owned()),
            _ => symbol.into_owned(),
        };
        let externals = self.externals.into_iter().map(|external| {
            let External { symbol, usage, weak } = external;
            External { symbol: rename(symbol), usage, weak }
        });
        let functions = self.functions.into_iter().map(|function| {
            let Function { symbol, offset, size, global } = function;
            Function { symbol: rename(symbol), offset, size, global }
        });
        Unit {
            pieces: self.pieces.map(|piece| piece.into_owned().into()),
            aligns: self.aligns,
            externals: externals.collect(),
            cells: self.cells,
            fixups: Fixups(self.fixups.0.into_owned().into()),
            functions: functions.collect(),
            names: self.names.into_iter().map(|name| name.into_owned().into()).collect(),
            frame_index: Cow::default(),
            sections: Vec::new(),
            lines: Vec::new(),
        }
    }
}

impl Symbol<'_> {
    /// The same, with a name of its own.
    pub fn into_owned(self) -> Symbol<'static> {
        match self {
            Self::Name(name) => Symbol::Name(name.into_owned().into()),
            Self::Function(index) => Symbol::Function(index),
            Self::Import(index) => Symbol::Import(index),
        }
    }
}

impl<'l> Merged<'l> {
    fn add(&mut self, unit: &Unit<'l>) -> Option<()> {
        let globals = || unit.functions.iter().filter(|function| function.global);
        if globals().count() > 0 && globals().all(|f| self.defined.contains(&f.symbol.clone().into_owned())) {
            return Some(());
        }
        let mut bases = [0; 4];
        for piece in Piece::ALL {
            let at = piece as usize;
            self.aligns[at] = self.aligns[at].max(unit.aligns[at]);
            // Frames follow one another without gaps, and what has no bytes needs no place.
            if !unit.pieces[at].is_empty() {
                let align = if piece == Piece::Frames { 1 } else { unit.aligns[at] as usize };
                let filler = if piece == Piece::Text { crate::place::TRAP } else { 0 };
                let start = self.pieces[at].len().next_multiple_of(align);
                self.pieces[at].resize(start, filler);
                self.pieces[at].extend_from_slice(&unit.pieces[at]);
                bases[at] = u32::try_from(start).ok()?;
                u32::try_from(self.pieces[at].len()).ok()?;
            }
        }
        let externals: Vec<u32> = unit.externals.iter().map(|external| self.external(external)).collect();
        let inside = |source: Source| match source {
            Source::Inside(piece, offset) => Source::Inside(piece, offset + bases[piece as usize]),
            Source::Address(external) => Source::Address(externals[external as usize]),
            Source::Branch { external, site } => {
                Source::Branch { external: externals[external as usize], site }
            }
            other => other,
        };
        let first_cell = self.cells.len() as u32;
        self.cells.extend(unit.cells.iter().map(|cell| inside(*cell)));
        for fixup in unit.fixups.iter() {
            let source = match inside(fixup.source) {
                Source::Cell(cell) => Source::Cell(cell + first_cell),
                Source::Relax(relax, cell) => Source::Relax(relax, cell + first_cell),
                other => other,
            };
            let offset = fixup.offset + bases[fixup.piece as usize];
            self.fixups.push(Fixup { offset, source, ..fixup });
        }
        for Lines { object, sections } in &unit.lines {
            let moved = |(index, piece, offset): &(u32, Piece, u32)| {
                (*index, *piece, offset + bases[*piece as usize])
            };
            self.lines.push(Lines { object: object.clone(), sections: sections.iter().map(moved).collect() });
        }
        for (number, function) in unit.functions.iter().enumerate() {
            let symbol = function.symbol.clone().into_owned();
            if !function.global || self.defined.insert(symbol.clone()) {
                let offset = function.offset + bases[0];
                let Function { size, global, .. } = *function;
                let name = unit.names.get(number).map_or(Cow::Borrowed("?"), |name| name.to_string().into());
                self.functions.push((Function { symbol, offset, size, global }, name));
            }
        }
        Some(())
    }

    fn external(&mut self, external: &External<'_>) -> u32 {
        let symbol = external.symbol.clone().into_owned();
        let new = self.externals.len() as u32;
        let number = *self.numbers.entry((symbol.clone(), external.usage)).or_insert(new);
        if number == new {
            self.externals.push(External { symbol, usage: external.usage, weak: external.weak });
        } else {
            self.externals[number as usize].weak &= external.weak;
        }
        number
    }

    fn finish(mut self, is_local: impl Fn(u32) -> bool) -> Unit<'l> {
        let own: BTreeMap<u32, u32> = (self.functions.iter())
            .map(|(function, _)| function)
            .filter(|function| function.global)
            .filter_map(|function| match function.symbol {
                Symbol::Function(index) if is_local(index) => Some((index, function.offset)),
                _ => None,
            })
            .collect();
        let mut fixups = Fixups::default();
        for mut fixup in self.fixups {
            if let Source::Branch { external, .. } = fixup.source
                && let Symbol::Function(index) = self.externals[external as usize].symbol
                && let Some(offset) = own.get(&index)
            {
                fixup.source = Source::Inside(Piece::Text, *offset);
            }
            match fixup.source {
                Source::Inside(piece, to) if piece == fixup.piece && fixup.form == Form::Rel32 => {
                    // Pieces are smaller than 4 GiB, code smaller than 2: what does not fit is left to be refused.
                    let distance = i64::from(to) + i64::from(fixup.addend) - i64::from(fixup.offset);
                    match i32::try_from(distance) {
                        Ok(distance) => {
                            let at = fixup.offset as usize;
                            self.pieces[piece as usize][at..at + 4].copy_from_slice(&distance.to_le_bytes());
                        }
                        Err(_) => fixups.push(fixup),
                    }
                }
                _ => fixups.push(fixup),
            }
        }
        self.functions.sort_by_key(|(function, _)| function.offset);
        let (functions, names) = self.functions.into_iter().unzip();
        Unit {
            pieces: self.pieces.map(Into::into),
            aligns: self.aligns,
            externals: self.externals,
            cells: self.cells,
            fixups,
            functions,
            names,
            frame_index: Cow::default(),
            sections: Vec::new(),
            lines: self.lines,
        }
    }
}
