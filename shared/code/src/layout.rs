//! Which sections of an object are loaded, and where in the segments of its unit each one goes.

use goblin::elf64::section_header::{
    SHF_ALLOC, SHF_COMPRESSED, SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHT_NOBITS, SHT_NOTE, SHT_PROGBITS,
    SectionHeader,
};

use crate::arch::UNWIND_SECTION;
use crate::arena::{PAGE, align_up};
use crate::debug_file::STUB_SECTION;
use crate::link::LinkError;
use crate::memory::LARGEST_SEGMENT;
use crate::memory::MemoryError;
use crate::object::{ElfObject, malformed};
use crate::unit::Segment;

/// The largest section without bits: compiled code has no variables of its own, so there is hardly use for one.
const LARGEST_EMPTY: usize = 1 << 20;

/// A loaded section.
#[derive(Clone, Copy, Debug)]
pub struct LoadedSection<'a> {
    /// Its name.
    pub name: &'a str,
    /// The segment it belongs to.
    pub segment: Segment,
    /// Its offset in it.
    pub offset: usize,
    /// Its size in memory.
    pub size: usize,
    /// Its bytes in the file: all, or none.
    pub content: &'a [u8],
}

/// See the module's comment.
#[derive(Debug)]
pub struct Layout<'a> {
    /// By section index; None: not loaded.
    pub sections: Vec<Option<LoadedSection<'a>>>,
    /// Bytes of the segments so far.
    pub sizes: [usize; 4],
    /// Their alignments.
    pub aligns: [usize; 4],
}

impl<'a> Layout<'a> {
    /// Sites the object's sections; no segment may become larger than a code memory.
    pub fn of(object: &ElfObject<'a>) -> Result<Self, LinkError> {
        let mut layout =
            Self { sections: vec![None; object.sections.len()], sizes: [0; 4], aligns: [16, 8, 8, 8] };
        for (index, header) in object.sections.iter().enumerate() {
            let name = object.section_name(&header)?;
            let Some(segment) = piece_of(&header, name)? else { continue };
            // Frames lie one behind the other without gaps: they become one table.
            if segment == Segment::Frames && header.sh_size % 4 != 0 {
                return Err(malformed(".eh_frame of a length that is not a multiple of 4"));
            }
            layout.add(object, index, &header, name, segment)?;
        }
        Ok(layout)
    }

    fn add(
        &mut self,
        object: &ElfObject<'a>,
        index: usize,
        header: &SectionHeader,
        name: &'a str,
        segment: Segment,
    ) -> Result<(), LinkError> {
        let align = if segment == Segment::Frames { 1 } else { header.sh_addralign.max(1) as usize };
        if !align.is_power_of_two() || align > PAGE {
            return Err(LinkError::Unsupported(format!("alignment {align} of section {name}")));
        }
        let size = header.sh_size as usize;
        if header.sh_type == SHT_NOBITS && size > LARGEST_EMPTY {
            return Err(LinkError::Unsupported(format!("{size} bytes of zeros in section {name}")));
        }
        let at = segment as usize;
        let offset = align_up(self.sizes[at], align);
        let end =
            offset.and_then(|offset| offset.checked_add(size)).filter(|end| *end <= LARGEST_SEGMENT / 4);
        let (Some(offset), Some(end)) = (offset, end) else {
            return Err(LinkError::Memory(MemoryError::Exhausted));
        };
        self.sizes[at] = end;
        self.aligns[at] = self.aligns[at].max(align);
        let content = object.content(header)?;
        self.sections[index] = Some(LoadedSection { name, segment, offset, size, content });
        Ok(())
    }
}

/// The segment that a section belongs to; None if it is not loaded.
fn piece_of(header: &SectionHeader, name: &str) -> Result<Option<Segment>, LinkError> {
    let flag = |flag: u32| header.sh_flags & u64::from(flag) != 0;
    if !flag(SHF_ALLOC) || header.sh_type == SHT_NOTE || name.starts_with(STUB_SECTION) {
        return Ok(None);
    }
    let refuse = |why: &str| Err(LinkError::Unsupported(format!("section {name}: {why}")));
    if !matches!(header.sh_type, SHT_PROGBITS | SHT_NOBITS | UNWIND_SECTION) {
        // .init_array among them: what it asks for would not happen.
        return refuse("a type that is not loaded");
    }
    if name.starts_with(".ctors") || name.starts_with(".dtors") {
        return refuse("constructors do not run");
    }
    match (flag(SHF_TLS), flag(SHF_COMPRESSED), flag(SHF_WRITE), flag(SHF_EXECINSTR)) {
        (true, ..) => refuse("thread-local variables"),
        (_, true, ..) => refuse("compressed"),
        (_, _, true, true) => refuse("writable and executable"),
        (_, _, true, false) => Ok(Some(Segment::Data)),
        (_, _, false, true) => Ok(Some(Segment::Text)),
        (_, _, false, false) if name == ".eh_frame" => Ok(Some(Segment::Frames)),
        (_, _, false, false) => Ok(Some(Segment::Rodata)),
    }
}
