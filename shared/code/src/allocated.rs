//! The last step of a link: a [`Unit`] whose segments have addresses, and whose externals have theirs. Receives the
//! bytes of its block; copies the segments, writes GOT entries and thunks, applies the fixups.

use std::ops::Range;

use autojit_trampoline::contract::{INDIRECT_LEN, JMP_INDIRECT};

use crate::eh_frame::{self, Entry, FrameIndex, PLAIN_FRAME_LEN};
use crate::fixups;
use crate::link::{CallSite, Code, LinkError, Target};
use crate::memory::{Arena, LARGEST_SEGMENT, MemoryError};
use crate::object::malformed;
use crate::reloc::{Form, Relax};
use crate::space;
use crate::unit::{Group, Segment, Sites, Source, Unit};

mod externals;

use externals::name_of;
pub(crate) use externals::{Externals, Needs};

/// Bytes of a thunk: the jump, and padding.
const THUNK: usize = 8;
const _: () = assert!(INDIRECT_LEN <= THUNK);
/// `int3`, between and behind functions.
pub const TRAP: u8 = 0xcc;

pub(crate) fn damaged() -> LinkError {
    malformed("fixups that lead out of the unit")
}

/// What the block needs.
pub(crate) struct Sizes {
    pub(crate) arenas: [usize; 3],
    pub(crate) aligns: [usize; 3],
    /// Thunks, in the text.
    thunks: usize,
    /// The unit's frames, in rodata.
    pub(crate) frames: usize,
    /// The frame of the thunks, in rodata.
    thunk_frame: usize,
    /// GOT entries, in the data; behind them those of the thunks.
    got: usize,
}

impl Sizes {
    /// Of `unit` with this number of new thunks, with a GOT even if it has no entries if `got_base` is used.
    pub(crate) fn of(unit: &Unit<'_>, far: usize, got_base: bool) -> Result<Self, LinkError> {
        let len = |segment: Segment| unit.segments[segment as usize].len();
        // Segments have less than 4 GiB (Unit::check), so nothing overflows.
        let thunks = len(Segment::Text).next_multiple_of(THUNK);
        let frames = len(Segment::Rodata).next_multiple_of(8);
        let thunk_frame = frames + len(Segment::Frames);
        let behind = thunk_frame + if far == 0 { 0 } else { PLAIN_FRAME_LEN };
        // The terminator.
        let rodata = if behind == frames { len(Segment::Rodata) } else { behind + 4 };
        let got = len(Segment::Data).next_multiple_of(8);
        let data = got + (unit.got.len() + far).max(usize::from(got_base)) * 8;
        let text = if far == 0 { len(Segment::Text) } else { thunks + far * THUNK };
        let data = if data == got { len(Segment::Data) } else { data };
        let arenas = [text, rodata, data];
        for size in &arenas {
            if *size > LARGEST_SEGMENT {
                return Err(LinkError::Memory(MemoryError::Exhausted));
            }
        }
        let align = |segment: Segment, least: u32| unit.aligns[segment as usize].max(least) as usize;
        let aligns = [align(Segment::Text, 16), align(Segment::Rodata, 8), align(Segment::Data, 8)];
        Ok(Self { arenas, aligns, thunks, frames, thunk_frame, got })
    }
}

/// A unit whose segments and externals have addresses.
pub(crate) struct Allocated<'u> {
    unit: &'u Unit<'u>,
    /// What the code may be put into: a displacement must reach from everywhere in it.
    room: Range<usize>,
    sizes: Sizes,
    /// The addresses of the segments.
    bases: [usize; 4],
    externals: Externals,
    /// Where the new thunks lead.
    new_thunks: Vec<usize>,
    /// Gets the absolute values, if they are not to be written: where, what they are relative to, and what they add.
    absolute: Option<&'u dyn Absolute>,
}

/// Receives absolute values.
pub(crate) trait Absolute {
    /// The word at `at` is to be the address `symbol`, and `addend` more.
    fn word(&self, at: usize, symbol: usize, addend: i64);
    /// Whether something other than such a word may depend on the address `symbol`.
    fn is_known(&self, symbol: usize, form: Form) -> bool;
}

impl<'u> Allocated<'u> {
    /// A unit at these addresses, with thunks for these externals, which lead to the addresses that stand beside them.
    pub(crate) fn new(
        unit: &'u Unit<'u>,
        room: Range<usize>,
        sizes: Sizes,
        arenas: [usize; 3],
        externals: Externals,
        new_thunks: Vec<(u32, usize)>,
    ) -> Self {
        let bases = [arenas[0], arenas[1], arenas[2], arenas[1] + sizes.frames];
        let mut allocated =
            Self { unit, room, sizes, bases, externals, new_thunks: Vec::new(), absolute: None };
        for (number, (bound, target)) in new_thunks.into_iter().enumerate() {
            let thunk = allocated.thunk(number as u32);
            allocated.externals.branch_to(bound, thunk);
            allocated.new_thunks.push(target);
        }
        allocated
    }

    /// Lets `absolute` have the absolute values.
    pub(crate) fn without_absolute(mut self, absolute: &'u dyn Absolute) -> Self {
        self.absolute = Some(absolute);
        self
    }

    /// Writes everything, to the bytes of the arenas.
    pub(crate) fn write(&self, mut arenas: [&mut [u8]; 3]) -> Result<Code, LinkError> {
        let mut code = Code { bytes: self.sizes.arenas, segments: self.bases, ..Code::default() };
        code.text = self.bases[0]..self.bases[0] + self.sizes.arenas[0];
        self.copy_segments(&mut arenas);
        self.write_got(&mut arenas)?;
        for group in self.unit.fixups.groups() {
            let (group, sites) = group.ok_or_else(damaged)?;
            // Where the segment is in its arena's bytes.
            let start = if group.segment == Segment::Frames { self.sizes.frames } else { 0 };
            let len = self.unit.segments[group.segment as usize].len();
            let bytes = arenas[group.segment.arena() as usize].get_mut(start..start + len);
            self.complete(&group, sites, bytes.ok_or_else(damaged)?, &mut code.call_sites)?;
        }
        self.index_frames(arenas[Arena::Rodata as usize], &mut code)?;
        Ok(code)
    }

    fn copy_segments(&self, [to_text, to_rodata, to_data]: &mut [&mut [u8]; 3]) {
        let [text, rodata, data, frames] = &self.unit.segments;
        // Aborted blocks leave their remains.
        let copy = |bytes: &mut [u8], segment: &[u8], filler: u8| {
            bytes[..segment.len()].copy_from_slice(segment);
            bytes[segment.len()..].fill(filler);
        };
        copy(to_text, text, TRAP);
        copy(to_data, data, 0);
        let (constants, behind) = to_rodata.split_at_mut(self.sizes.frames.min(to_rodata.len()));
        copy(constants, rodata, 0);
        copy(behind, frames, 0);
    }

    fn write_got(&self, [to_text, to_rodata, to_data]: &mut [&mut [u8]; 3]) -> Result<(), LinkError> {
        let count = self.unit.got.len();
        if count + self.new_thunks.len() == 0 {
            return Ok(());
        }
        let (entries, far) = to_data[self.sizes.got..].split_at_mut(count * 8);
        let write = |entry: &mut [u8], number: usize, address: usize| match self.absolute {
            Some(absolute) => absolute.word(self.got_entry(number as u32), address, 0),
            None => entry.copy_from_slice(&address.to_le_bytes()),
        };
        for (number, (entry, source)) in entries.chunks_exact_mut(8).zip(&self.unit.got).enumerate() {
            write(entry, number, self.held(*source)?.address);
        }
        if self.new_thunks.is_empty() {
            return Ok(());
        }
        for (number, (entry, target)) in far.chunks_exact_mut(8).zip(&self.new_thunks).enumerate() {
            write(entry, count + number, *target);
        }
        let text = &mut to_text[self.sizes.thunks..];
        for (number, stub) in text.chunks_exact_mut(THUNK).enumerate() {
            let address = self.thunk(number as u32);
            // Within the area, which is smaller than 2 GiB.
            let displacement =
                self.got_entry((count + number) as u32).wrapping_sub(address + INDIRECT_LEN) as i32;
            stub[..2].copy_from_slice(&JMP_INDIRECT); //                      jmp *entry(%rip)
            stub[2..INDIRECT_LEN].copy_from_slice(&displacement.to_le_bytes());
        }
        let stubs = self.thunk(0)..self.thunk(self.new_thunks.len() as u32);
        let frame = eh_frame::plain_frame(self.bases[1] + self.sizes.thunk_frame, &stubs);
        to_rodata[self.sizes.thunk_frame..][..PLAIN_FRAME_LEN].copy_from_slice(&frame);
        Ok(())
    }

    /// Completes the sites of a group in its segment, `bytes`.
    fn complete(
        &self,
        group: &Group,
        sites: Sites<'_>,
        bytes: &mut [u8],
        call_sites: &mut Vec<CallSite>,
    ) -> Result<(), LinkError> {
        let Group { segment, form, source } = *group;
        let base = self.bases[segment as usize];
        let mut pending_call = None;
        // S, without what the sites hold of it.
        let symbol = match source {
            Source::Inside(to, _) => self.bases[to as usize],
            Source::Address(external) => match self.externals.get(external)? {
                Some(bound) => bound.target.address,
                None => return Err(damaged()),
            },
            Source::Branch { external, site: patched } => match self.externals.get(external)? {
                Some(bound) => {
                    let pending = bound.target.pending.filter(|_| patched);
                    pending_call = pending.map(|pending| (pending, bound.branch));
                    bound.branch.wrapping_sub(bound.held as usize)
                }
                None => self.bases[0],
            },
            Source::GotEntry(entry) => self.got_entry(entry),
            Source::Relax(relax, entry) => {
                let target = self.held(*self.unit.got.get(entry as usize).ok_or_else(damaged)?)?;
                if space::reaches(&self.room, target.address) {
                    return self.relax(group, relax, target, sites, bytes, call_sites);
                }
                self.got_entry(entry)
            }
            Source::GotBase => self.got_entry(0),
        };
        if let Some(absolute) = self.absolute {
            if form == Form::Abs64 {
                for site in sites {
                    let offset = fixups::offset(site);
                    let field = bytes.get(offset..).and_then(<[u8]>::first_chunk).ok_or_else(damaged)?;
                    absolute.word(base + offset, symbol, i64::from_le_bytes(*field));
                }
                return Ok(());
            }
            if !absolute.is_known(symbol, form) {
                return Err(LinkError::OutOfReach(self.describe(source)));
            }
        }
        let missing = form.missing(symbol, base, self.got_entry(0));
        if missing == 0 && pending_call.is_none() {
            return Ok(());
        }
        if pending_call.is_none() && form == Form::Rel32 {
            // Most of them.
            for site in sites {
                let offset = fixups::offset(site);
                let field = bytes.get_mut(offset..).and_then(<[u8]>::first_chunk_mut).ok_or_else(damaged)?;
                let sum = i64::from(i32::from_le_bytes(*field)).wrapping_add(missing);
                let sum = i32::try_from(sum).map_err(|_| LinkError::OutOfReach(self.describe(source)))?;
                *field = sum.to_le_bytes();
            }
            return Ok(());
        }
        for site in sites {
            let offset = fixups::offset(site);
            let field = bytes.get_mut(offset..).filter(|field| field.len() >= form.width());
            let field = field.ok_or_else(damaged)?;
            form.complete(field, missing).ok_or_else(|| LinkError::OutOfReach(self.describe(source)))?;
            if let Some((pending, target)) = pending_call {
                // The opcode, e8 or e9, is the byte before the displacement.
                let address = base + offset.checked_sub(1).ok_or_else(damaged)?;
                call_sites.push(CallSite { address, target, pending });
            }
        }
        Ok(())
    }

    /// Completes the sites of a group of instructions that can do without their GOT entry.
    fn relax(
        &self,
        group: &Group,
        relax: Relax,
        target: Target,
        sites: Sites<'_>,
        bytes: &mut [u8],
        call_sites: &mut Vec<CallSite>,
    ) -> Result<(), LinkError> {
        let base = self.bases[group.segment as usize];
        let missing = group.form.missing(target.address, base, self.got_entry(0));
        for site in sites {
            let old = fixups::offset(site);
            if !relax.fits(bytes, old) {
                return Err(damaged());
            }
            let field: [u8; 4] = *bytes.get(old..).and_then(<[u8]>::first_chunk).ok_or_else(damaged)?;
            let new = relax.apply(bytes, old);
            bytes[new..new + 4].copy_from_slice(&field);
            let missing = missing + (old - new) as i64;
            let complete = group.form.complete(&mut bytes[new..new + 4], missing);
            complete.ok_or_else(|| LinkError::OutOfReach(self.describe(group.source)))?;
            if let Some(pending) = target.pending.filter(|_| relax != Relax::Mov) {
                call_sites.push(CallSite { address: base + new - 1, target: target.address, pending });
            }
        }
        Ok(())
    }

    fn index_frames(&self, bytes: &[u8], code: &mut Code) -> Result<(), LinkError> {
        if self.unit.segments[Segment::Frames as usize].is_empty() && self.new_thunks.is_empty() {
            return Ok(());
        }
        let (address, bytes) = (self.bases[3], &bytes[self.sizes.frames..]);
        code.eh_frame = address..address + bytes.len();
        let packed = self.unit.frame_index.as_chunks().0;
        if packed.is_empty() {
            let fdes = eh_frame::index(bytes, address, &code.text)
                .map_err(|what| malformed(format!(".eh_frame has {what}")))?;
            let entries = fdes.iter().map(|fde| Entry::of(fde, self.bases[0], address));
            code.fdes = FrameIndex::Made(entries.collect());
            return Ok(());
        }
        let mut entries = Vec::with_capacity(packed.len() + 1);
        entries.extend(packed.iter().map(Entry::unpacked));
        if !self.new_thunks.is_empty() {
            let start = self.sizes.thunks;
            let end = start + self.new_thunks.len() * THUNK;
            let fde = self.sizes.thunk_frame - self.sizes.frames + eh_frame::PLAIN_FDE;
            entries.push(Entry { start: start as u32, end: end as u32, fde: fde as u32 });
        }
        code.fdes = FrameIndex::Made(entries);
        Ok(())
    }

    /// What a GOT entry holds.
    fn held(&self, source: Source) -> Result<Target, LinkError> {
        let inside = |segment: Segment, at: u32| Target {
            address: self.bases[segment as usize] + at as usize,
            pending: None,
        };
        Ok(match source {
            Source::Address(external) | Source::Branch { external, .. } => {
                match self.externals.get(external)? {
                    Some(bound) => bound.target,
                    None => {
                        let external = self.unit.externals.get(external as usize);
                        inside(Segment::Text, external.and_then(|it| it.own).ok_or_else(damaged)?)
                    }
                }
            }
            Source::Inside(segment, at) => inside(segment, at),
            // Unit::check_tables leaves no others.
            Source::GotEntry(_) | Source::Relax(..) | Source::GotBase => return Err(damaged()),
        })
    }

    fn describe(&self, source: Source) -> String {
        let source = match source {
            Source::GotEntry(entry) | Source::Relax(_, entry) => self.unit.got.get(entry as usize),
            _ => Some(&source),
        };
        match source {
            Some(Source::Address(external) | Source::Branch { external, .. }) => {
                let external = self.unit.externals.get(*external as usize);
                external.map_or("?".into(), |external| name_of(&external.symbol))
            }
            Some(Source::GotBase) => "_GLOBAL_OFFSET_TABLE_".into(),
            _ => "a local symbol".into(),
        }
    }

    fn got_entry(&self, entry: u32) -> usize {
        self.bases[2] + self.sizes.got + entry as usize * 8
    }

    /// The new thunks: where they lead, and their addresses.
    pub(crate) fn thunks(&self) -> Vec<(usize, usize)> {
        self.new_thunks.iter().zip(0..).map(|(to, number)| (*to, self.thunk(number))).collect()
    }

    fn thunk(&self, stub: u32) -> usize {
        self.bases[0] + self.sizes.thunks + stub as usize * THUNK
    }
}

#[cfg(test)]
mod tests;
