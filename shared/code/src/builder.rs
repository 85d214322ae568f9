//! A unit from a code generator that makes no object file.
//!
//! Receives bytes of segments, and what they refer to; hands on a [`Unit`]. The twin of parse.rs, without symbols and
//! sections in between.

use std::borrow::Cow;

use crate::eh_frame;
use crate::fixups::{Fixups, Group};
use crate::link::LinkError;
use crate::object::malformed;
use crate::reloc::{Form, Relax};
use crate::unit::{CountersAt, External, Segment, Source, Symbol, Unit, UnitFunction, Usage};

/// What an instruction or a word wants of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its address.
    Address,
    /// Any code of it, by the displacement of a call or jump (e8, e9).
    Call,
    /// Its GOT entry; a `mov` of it becomes a `lea` of the address if that is within reach.
    GotEntry,
}

/// A unit in the making. The segments grow by [`append`](Self::append).
#[derive(Debug, Default)]
pub struct Builder<'a> {
    segments: [Vec<u8>; 4],
    aligns: [u32; 4],
    externals: Vec<External<'a>>,
    got: Vec<Source>,
    fixups: Vec<(Group, u32)>,
    functions: Vec<UnitFunction<'a>>,
    names: Vec<Cow<'a, str>>,
}

impl<'a> Builder<'a> {
    /// A unit without contents.
    pub fn new() -> Self {
        Self { aligns: [1; 4], ..Self::default() }
    }

    /// Adds bytes to a segment, and returns where. `align` is a power of two.
    pub fn append(&mut self, segment: Segment, bytes: &[u8], align: u32) -> u32 {
        let into = &mut self.segments[segment as usize];
        let filler = if segment == Segment::Text { TRAP } else { 0 };
        into.resize(into.len().next_multiple_of(align as usize), filler);
        let offset = into.len() as u32;
        into.extend_from_slice(bytes);
        self.aligns[segment as usize] = self.aligns[segment as usize].max(align);
        offset
    }

    /// Names a function whose code is this part of the text, and counts with these counters.
    pub fn function(
        &mut self,
        symbol: Symbol<'a>,
        name: Cow<'a, str>,
        (offset, size): (u32, u32),
        counters: Option<CountersAt>,
    ) {
        self.functions.push(UnitFunction { symbol, offset, size, global: true, counters });
        self.names.push(name);
    }

    /// A symbol for [`refer`](Self::refer). `weak`: it may stay undefined. `own`: where the unit's own definition is.
    pub fn external(&mut self, symbol: Symbol<'a>, usage: Usage, weak: bool, own: Option<u32>) -> u32 {
        self.externals.push(External { symbol, usage, weak, own });
        self.externals.len() as u32 - 1
    }

    /// The place `at` of a segment takes the address of a place in the unit.
    ///
    /// # Errors
    /// The value does not fit.
    pub fn point(
        &mut self,
        segment: Segment,
        at: u32,
        addend: i64,
        form: Form,
        to: (Segment, u32),
    ) -> Result<(), LinkError> {
        self.fix(segment, at, addend, form, Source::Inside(to.0, 0), to.1)
    }

    /// The place `at` of a segment refers to an external, which was made for the same usage.
    ///
    /// # Errors
    /// The value does not fit.
    pub fn refer(
        &mut self,
        segment: Segment,
        at: u32,
        addend: i64,
        form: Form,
        (external, access): (u32, Access),
    ) -> Result<(), LinkError> {
        let own = self.externals.get(external as usize).and_then(|external| external.own).unwrap_or(0);
        match access {
            Access::Address => self.fix(segment, at, addend, form, Source::Address(external), 0),
            Access::Call => self.fix(segment, at, addend, form, Source::Branch { external, site: true }, own),
            Access::GotEntry => {
                let entry = self.got_entry(external);
                let text = &self.segments[Segment::Text as usize];
                let relaxed = segment == Segment::Text && Relax::Mov.fits(text, at as usize) && addend == -4;
                let source = if relaxed { Source::Relax(Relax::Mov, entry) } else { Source::GotEntry(entry) };
                self.fix(segment, at, addend, form, source, 0)
            }
        }
    }

    fn got_entry(&mut self, external: u32) -> u32 {
        let known = self.got.iter().position(|entry| *entry == Source::Address(external));
        let entry = known.unwrap_or_else(|| {
            self.got.push(Source::Address(external));
            self.got.len() - 1
        });
        entry as u32
    }

    fn fix(
        &mut self,
        segment: Segment,
        at: u32,
        addend: i64,
        form: Form,
        source: Source,
        symbol: u32,
    ) -> Result<(), LinkError> {
        let place = if form.is_relative() { i64::from(at) } else { 0 };
        let known = addend.wrapping_add(i64::from(symbol) - place);
        let field = self.segments[segment as usize].get_mut(at as usize..);
        let field = field.filter(|field| field.len() >= form.width());
        let field = field.ok_or_else(|| malformed("a reference outside its segment"))?;
        field[..form.width()].fill(0);
        form.shift(field, known).ok_or_else(|| malformed("a reference that is too far"))?;
        let group = Group { segment, form, source };
        if !group.is_constant() {
            self.fixups.push((group, at));
        }
        Ok(())
    }

    /// A CIE for frames that find the CFA at rsp+8 when they are entered. With a personality, a GOT entry has its
    /// address.
    ///
    /// # Errors
    /// The value does not fit.
    pub fn cie(&mut self, personality: Option<u32>) -> Result<u32, LinkError> {
        let (bytes, entry) = eh_frame::cie(personality.is_some());
        let cie = self.append(Segment::Frames, &bytes, 8);
        if let (Some(external), Some(at)) = (personality, entry) {
            let entry = self.got_entry(external);
            self.fix(Segment::Frames, cie + at, 0, Form::Rel32, Source::GotEntry(entry), 0)?;
        }
        Ok(cie)
    }

    /// An FDE for a part of the text: `instructions` are those of the DWARF standard, `lsda` is in rodata; only for CIEs
    /// with a personality.
    ///
    /// # Errors
    /// A value does not fit.
    pub fn fde(
        &mut self,
        cie: u32,
        (start, size): (u32, u32),
        instructions: &[u8],
        lsda: Option<u32>,
    ) -> Result<(), LinkError> {
        let at = self.segments[Segment::Frames as usize].len().next_multiple_of(8) as u32;
        let bytes = eh_frame::fde(at - cie, size, instructions, lsda.is_some());
        let fde = self.append(Segment::Frames, &bytes, 8);
        self.point(Segment::Frames, fde + eh_frame::FDE_START, 0, Form::Rel32, (Segment::Text, start))?;
        match lsda {
            Some(lsda) => {
                self.point(Segment::Frames, fde + eh_frame::FDE_LSDA, 0, Form::Rel32, (Segment::Rodata, lsda))
            }
            None => Ok(()),
        }
    }

    /// The unit.
    ///
    /// # Errors
    /// It is none.
    pub fn finish(self) -> Result<Unit<'a>, LinkError> {
        let unit = Unit {
            segments: self.segments.map(Cow::Owned),
            aligns: self.aligns,
            externals: self.externals.into(),
            got: self.got,
            fixups: Fixups::of(self.fixups),
            functions: self.functions.into(),
            names: self.names,
            ..Unit::default()
        };
        unit.check_tables().map_err(malformed)?;
        // What its fixups refer to is looked at when it is placed.
        debug_assert_eq!(unit.check(), Ok(()));
        Ok(unit)
    }
}

/// int3, between functions.
const TRAP: u8 = 0xcc;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::link;
    use crate::memory::CodeMemory;
    use crate::{Resolver, Target};

    extern "C" fn doubled(number: i32) -> i32 {
        number * 2
    }

    static NUMBER: i32 = 20;

    /// By the numbers of imports.
    struct Known;

    impl Resolver for Known {
        fn resolve(&mut self, symbol: &Symbol<'_>, _: Usage, _: bool) -> Result<Target, String> {
            let address = match symbol {
                Symbol::Import(0) => doubled as *const () as usize,
                Symbol::Import(1) => &raw const NUMBER as usize,
                _ => return Err("it is unknown".into()),
            };
            Ok(Target { address, pending: None })
        }
    }

    #[test]
    fn code_calls_and_reads_what_it_refers_to() {
        let mut builder = Builder::new();
        // push %rbp; mov entry(%rip), %rax; mov (%rax), %edi; call; add constant(%rip), %eax; pop %rbp; ret
        let code = [
            0x55, 0x48, 0x8b, 0x05, 0, 0, 0, 0, 0x8b, 0x38, 0xe8, 0, 0, 0, 0, 0x03, 0x05, 0, 0, 0, 0, 0x5d,
            0xc3,
        ];
        let text = builder.append(Segment::Text, &code, 16);
        let constant = builder.append(Segment::Rodata, &2_i32.to_le_bytes(), 4);
        builder.function(Symbol::Function(0), "answer".into(), (text, code.len() as u32), None);
        let callee = builder.external(Symbol::Import(0), Usage::Call, false, None);
        let variable = builder.external(Symbol::Import(1), Usage::Address, false, None);
        builder.refer(Segment::Text, text + 4, -4, Form::Rel32, (variable, Access::GotEntry)).unwrap();
        builder.refer(Segment::Text, text + 11, -4, Form::Rel32, (callee, Access::Call)).unwrap();
        builder.point(Segment::Text, text + 17, -4, Form::Rel32, (Segment::Rodata, constant)).unwrap();
        let cie = builder.cie(None).unwrap();
        builder.fde(cie, (text, code.len() as u32), &[0x41, 0x0e, 16], None).unwrap();
        let unit = builder.finish().unwrap();

        let here = doubled as *const () as usize;
        let memory = CodeMemory::with_options(here..here + 1, 1 << 20, true).unwrap();
        let code = link(&unit, &memory, &mut Known).unwrap().commit().unwrap();
        assert_eq!(code.fdes.len(), 1);
        assert_eq!(code.call_sites.len(), 0, "no call waits for its function");
        // SAFETY: the code above is a function of this type, which is committed, and whose memory lives on.
        let answer: extern "C" fn() -> i32 = unsafe { std::mem::transmute(code.text.start + text as usize) };
        assert_eq!(answer(), 42);
    }

    #[test]
    fn references_out_of_a_piece_are_errors() {
        let mut builder = Builder::new();
        let text = builder.append(Segment::Text, &[0xe8, 0, 0, 0], 16);
        assert!(builder.point(Segment::Text, text + 1, -4, Form::Rel32, (Segment::Text, 0)).is_err());
    }
}
