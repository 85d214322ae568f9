//! Several units in one: what a process has compiled of a module, with what others had compiled before.
//!
//! References that no process can bind otherwise are settled for good, so that a cache file has no fixups for them:
//! positions in the same segment, and calls of functions that only their own module can name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::fixups;
use crate::reloc::Relax;
use crate::unit::{
    CountersAt, External, Fixups, Group, Lines, Segment, Source, Symbol, Unit, UnitFunction, Usage,
};

/// The unit in the making.
#[derive(Default)]
struct Merged<'l> {
    segments: [Vec<u8>; 4],
    aligns: [u32; 4],
    externals: Vec<External<'static>>,
    numbers: BTreeMap<(Symbol<'static>, Usage), u32>,
    got: Vec<Source>,
    /// What branches to externals does not hold their offset yet.
    fixups: Vec<(Group, u32)>,
    functions: Vec<(UnitFunction<'static>, Cow<'static, str>)>,
    defined: BTreeSet<Symbol<'static>>,
    lines: Vec<Lines<'l>>,
}

impl<'l> Unit<'l> {
    /// One unit with the functions of all `units`, of which the first that defines a function counts. `is_local` says
    /// which functions (by index) only the module itself can name. None if the segments are too large for one unit. The
    /// lines are those of the units, which may be large: borrowed if theirs are.
    pub fn merge(units: &[&Self], is_local: impl Fn(u32) -> bool) -> Option<Self> {
        Self::merge_modules(units, is_local, |_| None, |_| false)
    }

    /// The same of units of several modules, whose functions and imports have numbers in common. `target` is the function
    /// that an import leads to, if it is one of these: a call by way of the import holds its position, too. What
    /// `is_near` says is within reach, wherever the code will be: it is referred to without a GOT entry.
    pub(crate) fn merge_modules(
        units: &[&Self],
        is_local: impl Fn(u32) -> bool,
        target: impl Fn(u32) -> Option<u32>,
        is_near: impl Fn(&Symbol<'_>) -> bool,
    ) -> Option<Self> {
        let mut merged = Merged::with_room_for(units);
        units.iter().try_for_each(|unit| merged.add(unit))?;
        merged.bind_own(target);
        merged.finish(is_local, is_near)
    }
}

impl<'a> Unit<'a> {
    /// The same with other numbers for functions (`function`) and imports (`import`); bytes and names are borrowed.
    pub(crate) fn renumbered<'s>(
        &'s self,
        mut function: impl FnMut(u32) -> u32,
        mut import: impl FnMut(u32) -> u32,
    ) -> Unit<'s>
    where
        'a: 's,
    {
        self.renamed(|symbol| match symbol {
            Symbol::Name(name) => Symbol::Name(name),
            Symbol::Function(index) => Symbol::Function(function(index)),
            Symbol::Import(index) => Symbol::Import(import(index)),
        })
    }

    /// The same with other symbols; bytes and names are borrowed.
    pub fn renamed<'s>(&'s self, mut rename: impl FnMut(Symbol<'a>) -> Symbol<'s>) -> Unit<'s>
    where
        'a: 's,
    {
        let functions: Vec<UnitFunction<'s>> =
            self.functions.iter().map(|it| UnitFunction { symbol: rename(it.symbol), ..it }).collect();
        let externals: Vec<External<'s>> =
            self.externals.iter().map(|it| External { symbol: rename(it.symbol), ..it }).collect();
        Unit {
            segments: self.segments.each_ref().map(|segment| Cow::Borrowed(&**segment)),
            aligns: self.aligns,
            externals: externals.into(),
            got: self.got.clone(),
            fixups: Fixups {
                groups: Cow::Borrowed(&self.fixups.groups),
                sites: Cow::Borrowed(&self.fixups.sites),
            },
            functions: functions.into(),
            names: self.names.iter().map(|name| Cow::Borrowed(&**name)).collect(),
            frame_index: Cow::default(),
            sections: Vec::new(),
            lines: self.lines.clone(),
        }
    }
}

impl Unit<'_> {
    /// The same, with bytes and names of its own.
    pub fn into_owned(self) -> Unit<'static> {
        let function = |UnitFunction { symbol, offset, size, global, counters }: UnitFunction<'_>| {
            UnitFunction { symbol: symbol.into_owned(), offset, size, global, counters }
        };
        let external = |External { symbol, usage, weak, own }: External<'_>| External {
            symbol: symbol.into_owned(),
            usage,
            weak,
            own,
        };
        let functions: Vec<_> = self.functions.iter().map(function).collect();
        let externals: Vec<_> = self.externals.iter().map(external).collect();
        let lines =
            self.lines.into_iter().map(|lines| Lines { object: lines.object.into_owned().into(), ..lines });
        Unit {
            segments: self.segments.map(|segment| segment.into_owned().into()),
            aligns: self.aligns,
            externals: externals.into(),
            got: self.got,
            fixups: Fixups {
                groups: self.fixups.groups.into_owned().into(),
                sites: self.fixups.sites.into_owned().into(),
            },
            functions: functions.into(),
            names: self.names.into_iter().map(|name| name.into_owned().into()).collect(),
            frame_index: self.frame_index.into_owned().into(),
            sections: self.sections,
            lines: lines.collect(),
        }
    }

    /// Defines functions no longer for others that `is_wanted` does not want: there is better code for them.
    pub fn demote(&mut self, is_wanted: impl Fn(&UnitFunction<'_>) -> bool) {
        if self.functions.iter().all(|it| !it.global || is_wanted(&it)) {
            return;
        }
        let demoted = |it: UnitFunction<'_>| {
            let global = it.global && is_wanted(&it);
            UnitFunction { global, symbol: it.symbol.into_owned(), ..it }
        };
        self.functions = self.functions.iter().map(demoted).collect::<Vec<_>>().into();
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
    /// An empty one, with memory for most of what these units have: vectors that grow are copied, to memory that is new.
    fn with_room_for(units: &[&Unit<'l>]) -> Self {
        let sum = |len: fn(&Unit<'l>) -> usize| units.iter().map(|unit| len(unit)).sum();
        Self {
            segments: [0, 1, 2, 3].map(|at| {
                let len =
                    |unit: &&Unit<'_>| unit.segments[at].len().next_multiple_of(unit.aligns[at] as usize);
                Vec::with_capacity(units.iter().map(len).sum())
            }),
            aligns: [1; 4],
            fixups: Vec::with_capacity(sum(|unit| unit.fixups.sites.len() / fixups::SITE)),
            functions: Vec::with_capacity(sum(|unit| unit.functions.len())),
            ..Self::default()
        }
    }

    fn add(&mut self, unit: &Unit<'l>) -> Option<()> {
        let globals = || unit.functions.iter().filter(|function| function.global);
        if globals().count() > 0 && globals().all(|f| self.defined.contains(&f.symbol.into_owned())) {
            return Some(());
        }
        let mut bases = [0; 4];
        for segment in Segment::ALL {
            let at = segment as usize;
            self.aligns[at] = self.aligns[at].max(unit.aligns[at]);
            // Frames follow one another without gaps, and what has no bytes needs no room.
            if !unit.segments[at].is_empty() {
                let align = if segment == Segment::Frames { 1 } else { unit.aligns[at] as usize };
                let filler = if segment == Segment::Text { crate::allocated::TRAP } else { 0 };
                let start = self.segments[at].len().next_multiple_of(align);
                self.segments[at].resize(start, filler);
                self.segments[at].extend_from_slice(&unit.segments[at]);
                bases[at] = u32::try_from(start).ok()?;
                u32::try_from(self.segments[at].len()).ok()?;
            }
        }
        let externals: Vec<_> =
            unit.externals.iter().map(|external| (self.external(&external), external.own)).collect();
        let first_entry = self.got.len() as u32;
        // And by how much a site that refers to it holds less than before.
        let moved = |source: Source| match source {
            Source::Inside(segment, offset) => (Source::Inside(segment, offset), 0),
            Source::Address(external) => (Source::Address(externals[external as usize].0), 0),
            Source::Branch { external, site } => {
                let (external, own) = externals[external as usize];
                (Source::Branch { external, site }, own.unwrap_or(0))
            }
            Source::GotEntry(entry) => (Source::GotEntry(entry + first_entry), 0),
            Source::Relax(relax, entry) => (Source::Relax(relax, entry + first_entry), 0),
            Source::GotBase => (Source::GotBase, 0),
        };
        self.got.extend(unit.got.iter().map(|entry| match moved(*entry).0 {
            Source::Inside(segment, offset) => Source::Inside(segment, offset + bases[segment as usize]),
            other => other,
        }));
        for (group, sites) in unit.fixups.groups().flatten() {
            let (source, less) = moved(group.source);
            let base = bases[group.segment as usize];
            let symbol = if let Source::Inside(segment, _) = source { bases[segment as usize] } else { 0 };
            let own = if group.form.is_relative() { base } else { 0 };
            let shift = i64::from(symbol) - i64::from(own) - i64::from(less);
            for site in sites {
                let at = base + fixups::offset(site) as u32;
                group.form.shift(&mut self.segments[group.segment as usize][at as usize..], shift)?;
                self.fixups.push((Group { source, ..group }, at));
            }
        }
        for Lines { object, sections, moved } in &unit.lines {
            let place = |(index, segment, offset): &(u32, Segment, u32)| {
                (*index, *segment, offset + bases[*segment as usize])
            };
            let sections = sections.iter().map(place).collect();
            self.lines.push(Lines { object: object.clone(), sections, moved: moved.clone() });
        }
        for (number, function) in unit.functions.iter().enumerate() {
            let UnitFunction { size, global, counters, .. } = function;
            let symbol = function.symbol.into_owned();
            // Calls within the unit may lead to what counts, and are to lead to better code when it has run out.
            let global = global && self.defined.insert(symbol.clone());
            if global || !function.global || counters.is_some() {
                let offset = function.offset + bases[0];
                let name = unit.names.get(number).map_or(Cow::Borrowed("?"), |name| name.to_string().into());
                let counters =
                    counters.map(|it| CountersAt { offset: it.offset + bases[Segment::Data as usize], ..it });
                self.functions.push((UnitFunction { symbol, offset, size, global, counters }, name));
            }
        }
        Some(())
    }

    fn external(&mut self, external: &External<'_>) -> u32 {
        let symbol = external.symbol.clone().into_owned();
        let new = self.externals.len() as u32;
        let number = *self.numbers.entry((symbol.clone(), external.usage)).or_insert(new);
        if number == new {
            self.externals.push(External { symbol, usage: external.usage, weak: external.weak, own: None });
        } else {
            self.externals[number as usize].weak &= external.weak;
        }
        number
    }

    /// Gives externals that are called their definitions in the unit.
    fn bind_own(&mut self, target: impl Fn(u32) -> Option<u32>) {
        let own: BTreeMap<&Symbol<'_>, u32> = (self.functions.iter())
            .filter(|(function, _)| function.global)
            .map(|(function, _)| (&function.symbol, function.offset))
            .collect();
        for external in self.externals.iter_mut().filter(|external| external.usage == Usage::Call) {
            let behind = match external.symbol {
                Symbol::Import(index) => target(index).map(Symbol::Function),
                _ => None,
            };
            external.own = own.get(behind.as_ref().unwrap_or(&external.symbol)).copied();
        }
    }

    fn finish(
        mut self,
        is_local: impl Fn(u32) -> bool,
        is_near: impl Fn(&Symbol<'_>) -> bool,
    ) -> Option<Unit<'l>> {
        let mut fixups = std::mem::take(&mut self.fixups);
        let mut is_whole = true;
        fixups.retain_mut(|(group, site)| {
            let is_open = self.settle(group, site, &is_local, &is_near);
            is_whole &= is_open.is_some();
            is_open == Some(true)
        });
        if !is_whole {
            return None;
        }
        self.keep_got(&mut fixups);
        self.functions.sort_by_key(|(function, _)| function.offset);
        let (functions, names): (Vec<_>, _) = self.functions.into_iter().unzip();
        Some(Unit {
            segments: self.segments.map(Into::into),
            aligns: self.aligns,
            externals: self.externals.into(),
            got: self.got,
            fixups: Fixups::of(fixups),
            functions: functions.into(),
            names,
            frame_index: Cow::default(),
            sections: Vec::new(),
            lines: self.lines,
        })
    }

    /// Settles a fixup as far as nothing can change any more. Whether something is left of it; None if the value does not fit.
    fn settle(
        &mut self,
        group: &mut Group,
        site: &mut u32,
        is_local: impl Fn(u32) -> bool,
        is_near: impl Fn(&Symbol<'_>) -> bool,
    ) -> Option<bool> {
        let is_settled = |external: &External<'_>| {
            external.own.is_some() && matches!(external.symbol, Symbol::Function(index) if is_local(index))
        };
        if let Source::Relax(relax, entry) = group.source {
            let near = match self.got[entry as usize] {
                Source::Address(external) | Source::Branch { external, .. } => {
                    let external = &self.externals[external as usize];
                    is_near(&external.symbol) || is_settled(external)
                }
                _ => true,
            };
            if near {
                (group.source, *site) = self.relax(group, relax, entry, *site)?;
            }
        }
        if let Source::Branch { external, .. } = group.source
            && let external = &self.externals[external as usize]
            && let Some(own) = external.own
        {
            let field = &mut self.segments[group.segment as usize][*site as usize..];
            group.form.shift(field, i64::from(own))?;
            if is_settled(external) {
                group.source = Source::Inside(Segment::Text, 0);
            }
        }
        Some(!group.is_constant())
    }

    /// Changes an instruction so that it does without its GOT entry; returns what its operand refers to, and where that
    /// is.
    fn relax(&mut self, group: &Group, relax: Relax, entry: u32, site: u32) -> Option<(Source, u32)> {
        let bytes = &mut self.segments[group.segment as usize];
        let old = site as usize;
        if !relax.fits(bytes, old) {
            return None;
        }
        let field: [u8; 4] = *bytes.get(old..)?.first_chunk()?;
        let new = relax.apply(bytes, old);
        bytes[new..new + 4].copy_from_slice(&field);
        let (source, inside) = match self.got[entry as usize] {
            Source::Inside(segment, offset) => (Source::Inside(segment, 0), offset),
            Source::Branch { external, .. } => (Source::Branch { external, site: relax != Relax::Mov }, 0),
            other => (other, 0),
        };
        group.form.shift(&mut bytes[new..], (old - new) as i64 + i64::from(inside))?;
        Some((source, new as u32))
    }

    /// Leaves one GOT entry for each thing that is referred to by way of one.
    fn keep_got(&mut self, fixups: &mut [(Group, u32)]) {
        let mut numbers: BTreeMap<(u8, u32), u32> = BTreeMap::new();
        let mut kept = Vec::new();
        for (group, _) in fixups {
            let (Source::GotEntry(entry) | Source::Relax(_, entry)) = &mut group.source else { continue };
            let content = self.got[*entry as usize];
            *entry = *numbers.entry(content.packed()).or_insert_with(|| {
                kept.push(content);
                kept.len() as u32 - 1
            });
        }
        self.got = kept;
    }
}
