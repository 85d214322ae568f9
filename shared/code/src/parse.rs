//! The first step of a link: an object file becomes a [`Unit`]. Nothing is resolved yet: it is found out what every
//! relocation of a loaded section refers to, and which GOT entries that takes.
//!
//! Names of the container's functions and imports end here: from here on they are numbers. The unit borrows nothing of the
//! object.

use std::borrow::Cow;

use goblin::elf64::section_header::{SHN_ABS, SHN_LORESERVE, SHN_UNDEF, SHT_REL};
use goblin::elf64::sym::{STB_LOCAL, STB_WEAK, STT_FUNC, STT_GNU_IFUNC, STT_TLS, Sym, st_bind, st_type};

use crate::layout::{Layout, LoadedSection};
use crate::link::LinkError;
use crate::object::{ElfObject, malformed};
use crate::reloc::{self, Access, Form, Relax};
use crate::unit::{External, Fixups, Group, Section, Segment, Source, Symbol, Unit, UnitFunction, Usage};

/// What one entry of the symbol table is bound to so far, by [`Usage`].
#[derive(Clone, Copy, Debug, Default)]
struct Bindings {
    sources: [Option<Source>; 2],
    got: [Option<u32>; 2],
}

struct Parser<'a, 'o> {
    object: &'o ElfObject<'a>,
    number: &'o dyn Fn(&str) -> Option<Symbol<'static>>,
    layout: Layout<'a>,
    unit: Unit<'static>,
    externals: Vec<External<'static>>,
    fixups: Vec<(Group, u32)>,
    /// By symbol index.
    symbols: Vec<Bindings>,
}

impl Unit<'static> {
    /// The unit of an ELF relocatable object. `number` tells which function or import of the container has a name; other
    /// names stay.
    ///
    /// # Errors
    /// The object is malformed, or has something in it that the linker does not do.
    pub fn of(object: &[u8], number: &dyn Fn(&str) -> Option<Symbol<'static>>) -> Result<Self, LinkError> {
        let object = ElfObject::parse(object)?;
        let layout = Layout::of(&object)?;
        let symbols = vec![Bindings::default(); object.symbols.len()];
        let (unit, externals, fixups) = (Unit::default(), Vec::new(), Vec::new());
        let mut parser = Parser { object: &object, number, layout, unit, externals, fixups, symbols };
        parser.copy_sections()?;
        parser.relocations()?;
        parser.functions()?;
        parser.unit.externals = parser.externals.into();
        parser.unit.fixups = Fixups::of(parser.fixups);
        // Relocations of a malformed object may lie one upon another: place finds instructions that are not there.
        debug_assert_eq!(parser.unit.check_tables(), Ok(()));
        debug_assert!(parser.unit.fixups.are_whole());
        Ok(parser.unit)
    }
}

impl<'a> Parser<'a, '_> {
    fn copy_sections(&mut self) -> Result<(), LinkError> {
        let sizes = self.layout.sizes;
        let mut segments = Segment::ALL.map(|segment| {
            let filler = if segment == Segment::Text { crate::allocated::TRAP } else { 0 };
            vec![filler; sizes[segment as usize]]
        });
        for (index, section) in self.layout.sections.iter().enumerate() {
            let Some(section) = section else { continue };
            let bytes = &mut segments[section.segment as usize][section.offset..][..section.size];
            bytes[..section.content.len()].copy_from_slice(section.content);
            bytes[section.content.len()..].fill(0);
            let (offset, size) = (section.offset as u32, section.size as u32);
            self.unit.sections.push(Section { index: index as u32, segment: section.segment, offset, size });
        }
        self.unit.segments = segments.map(Into::into);
        self.unit.aligns = self.layout.aligns.map(|align| align as u32);
        Ok(())
    }

    /// Reads all relocations of loaded sections.
    fn relocations(&mut self) -> Result<(), LinkError> {
        let is_loaded = |section: u32| matches!(self.layout.sections.get(section as usize), Some(Some(_)));
        if self.object.sections.iter().any(|s| s.sh_type == SHT_REL && is_loaded(s.sh_info)) {
            return Err(LinkError::Unsupported("relocations without addends".into()));
        }
        for table in self.object.relocations() {
            let (section, entries) = table?;
            let section = self.layout.sections.get(section);
            let Some(section) = *section.ok_or_else(|| malformed("relocations of no section"))? else {
                continue;
            };
            let code = if section.segment == Segment::Text { section.content } else { &[] };
            for entry in entries.iter() {
                let (kind, symbol) = (entry.r_info as u32, (entry.r_info >> 32) as u32);
                let (offset, addend) = (entry.r_offset as usize, entry.r_addend);
                let reference = reloc::reference(kind, code, offset, addend);
                let Some((form, access)) = reference.map_err(|what| self.unsupported(&what, symbol))? else {
                    continue;
                };
                let end = offset.checked_add(form.width());
                if end.is_none_or(|end| end > section.content.len()) {
                    return Err(malformed(format!("a relocation outside section {}", section.name)));
                }
                let source = self.source(symbol, access)?;
                self.fix(section.segment, section.offset + offset, addend, form, source)
                    .ok_or_else(|| LinkError::OutOfReach(self.describe(symbol).into()))?;
            }
        }
        Ok(())
    }

    /// Writes what is known of the value at a site, and notes what is missing. None if it does not fit.
    fn fix(&mut self, segment: Segment, at: usize, addend: i64, form: Form, source: Source) -> Option<()> {
        let (source, symbol) = match source {
            Source::Inside(segment, offset) => (Source::Inside(segment, 0), offset),
            Source::Branch { external, .. } => (source, self.externals[external as usize].own.unwrap_or(0)),
            source => (source, 0),
        };
        let own = if form.is_relative() { at as i64 } else { 0 };
        let known = addend.checked_add(i64::from(symbol) - own)?;
        let field = &mut self.unit.segments[segment as usize].to_mut()[at..];
        field[..form.width()].fill(0);
        form.shift(field, known)?;
        let group = Group { segment, form, source };
        if !group.is_constant() {
            self.fixups.push((group, at as u32));
        }
        Some(())
    }

    /// What a reference to `symbol` is bound to.
    fn source(&mut self, symbol: u32, access: Access) -> Result<Source, LinkError> {
        Ok(match access {
            Access::GotBase => Source::GotBase,
            Access::Address if !self.is_known(symbol) && self.is_got_base(symbol)? => Source::GotBase,
            Access::Address => self.bind(symbol, Usage::Address)?,
            Access::GotEntry => Source::GotEntry(self.got_entry(symbol, Usage::Address)?),
            Access::Branch { site } => match self.bind(symbol, Usage::Call)? {
                Source::Branch { external, .. } => Source::Branch { external, site },
                inside => inside,
            },
            Access::Relaxable(relax) => {
                let usage = if relax == Relax::Mov { Usage::Address } else { Usage::Call };
                Source::Relax(relax, self.got_entry(symbol, usage)?)
            }
        })
    }

    fn symbol(&self, symbol: u32) -> Result<Sym, LinkError> {
        self.object.symbols.get(symbol as usize).ok_or_else(|| malformed("a relocation of no symbol"))
    }

    /// Whether the symbol's address was asked for before, and is not that of the GOT.
    fn is_known(&self, symbol: u32) -> bool {
        let known = self.symbols.get(symbol as usize);
        known.is_some_and(|known| known.sources[Usage::Address as usize].is_some())
    }

    fn is_got_base(&self, symbol: u32) -> Result<bool, LinkError> {
        let symbol = self.symbol(symbol)?;
        Ok(symbol.st_shndx as u32 == SHN_UNDEF
            && self.object.symbol_name(&symbol)? == "_GLOBAL_OFFSET_TABLE_")
    }

    /// Where a symbol is, for a usage. A global function is external even if the object defines it: its address is the
    /// one that the process agrees on, and another definition may have been chosen for its calls.
    fn bind(&mut self, index: u32, usage: Usage) -> Result<Source, LinkError> {
        let symbol = self.symbol(index)?;
        if let Some(source) = self.symbols[index as usize].sources[usage as usize] {
            return Ok(source);
        }
        let name = self.object.symbol_name(&symbol)?;
        let (bind, kind) = (st_bind(symbol.st_info), st_type(symbol.st_info));
        let section = symbol.st_shndx as u32;
        if matches!(kind, STT_TLS | STT_GNU_IFUNC) {
            return Err(LinkError::Unsupported(format!("symbol '{name}' of type {kind}")));
        }
        let source = match section {
            SHN_UNDEF => self.external(name, usage, bind == STB_WEAK, None)?,
            SHN_ABS | SHN_LORESERVE.. => {
                return Err(LinkError::Unsupported(format!("symbol '{name}' in section {section:#x}")));
            }
            _ => {
                let LoadedSection { segment, offset, .. } = self.section_of(&symbol, name)?;
                let offset = (offset + symbol.st_value as usize) as u32;
                if kind == STT_FUNC && bind != STB_LOCAL {
                    let called = usage == Usage::Call && segment == Segment::Text;
                    self.external(name, usage, false, called.then_some(offset))?
                } else {
                    Source::Inside(segment, offset)
                }
            }
        };
        self.symbols[index as usize].sources[usage as usize] = Some(source);
        Ok(source)
    }

    /// The loaded section that a symbol is defined in.
    fn section_of(&self, symbol: &Sym, name: &str) -> Result<LoadedSection<'a>, LinkError> {
        let section = symbol.st_shndx;
        let loaded = self.layout.sections.get(section as usize);
        let loaded = loaded.ok_or_else(|| malformed(format!("symbol '{name}' in no section")))?;
        let Some(loaded) = loaded else {
            let what = format!("a reference to symbol '{name}' in section {section}, which is not loaded");
            return Err(LinkError::Unsupported(what));
        };
        if symbol.st_value > loaded.size as u64 {
            return Err(malformed(format!("symbol '{name}' outside section {}", loaded.name)));
        }
        Ok(*loaded)
    }

    /// A symbol by number, if the container knows it.
    fn numbered(&self, name: &str) -> Symbol<'static> {
        (self.number)(name).unwrap_or_else(|| Symbol::Name(name.to_owned().into()))
    }

    fn external(
        &mut self,
        name: &str,
        usage: Usage,
        weak: bool,
        own: Option<u32>,
    ) -> Result<Source, LinkError> {
        if name.is_empty() {
            return Err(malformed("a relocation of a symbol without a name"));
        }
        let external = self.externals.len() as u32;
        let symbol = self.numbered(name);
        self.externals.push(External { symbol, usage, weak, own });
        Ok(match usage {
            Usage::Call => Source::Branch { external, site: false },
            Usage::Address => Source::Address(external),
        })
    }

    /// The symbol's GOT entry for a usage.
    fn got_entry(&mut self, symbol: u32, usage: Usage) -> Result<u32, LinkError> {
        let source = self.bind(symbol, usage)?;
        let known = self.symbols[symbol as usize].got[usage as usize];
        Ok(known.unwrap_or_else(|| {
            let entry = self.unit.got.len() as u32;
            self.unit.got.push(source);
            self.symbols[symbol as usize].got[usage as usize] = Some(entry);
            entry
        }))
    }

    fn functions(&mut self) -> Result<(), LinkError> {
        let mut functions: Vec<(UnitFunction<'static>, &str)> = Vec::new();
        for symbol in self.object.symbols.iter().filter(|symbol| st_type(symbol.st_info) == STT_FUNC) {
            let Some(Some(section)) = self.layout.sections.get(symbol.st_shndx as usize) else { continue };
            let (offset, size) = (symbol.st_value as usize, symbol.st_size as usize);
            let name = self.object.symbol_name(&symbol)?;
            if section.segment != Segment::Text
                || offset.checked_add(size).is_none_or(|end| end > section.size)
            {
                return Err(malformed(format!("function '{name}' outside the code")));
            }
            let function = UnitFunction {
                symbol: self.numbered(name),
                offset: (section.offset + offset) as u32,
                size: size as u32,
                global: st_bind(symbol.st_info) != STB_LOCAL,
                counters: None,
            };
            functions.push((function, name));
        }
        functions.sort_by_key(|(function, _)| function.offset);
        self.unit.names = functions.iter().map(|(_, name)| Cow::Owned((*name).to_owned())).collect();
        self.unit.functions = functions.into_iter().map(|(function, _)| function).collect::<Vec<_>>().into();
        Ok(())
    }

    fn unsupported(&self, what: &str, symbol: u32) -> LinkError {
        LinkError::Unsupported(format!("{what}, symbol '{}'", self.describe(symbol)))
    }

    /// A name for messages.
    fn describe(&self, symbol: u32) -> &'a str {
        let Ok(symbol) = self.symbol(symbol) else { return "?" };
        match self.object.symbol_name(&symbol) {
            Ok("") => self
                .layout
                .sections
                .get(symbol.st_shndx as usize)
                .and_then(|section| *section)
                .map_or("?", |section| section.name),
            Ok(name) => name,
            Err(_) => "?",
        }
    }
}
