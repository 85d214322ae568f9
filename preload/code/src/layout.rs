//! Which sections of an object are loaded, and where in the block of code memory each one goes.
//!
//! ```text
//! text    sections | far stubs
//! rodata  sections | .eh_frame sections | frame of the far stubs | terminator
//! data    sections | GOT cells
//! ```

use goblin::elf64::section_header::{
    SHF_ALLOC, SHF_COMPRESSED, SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHT_NOBITS, SHT_NOTE, SHT_PROGBITS,
    SHT_X86_64_UNWIND, SectionHeader,
};

use crate::arena::{PAGE, align_up};
use crate::link::LinkError;
use crate::memory::{Arena, MemoryError};
use crate::object::{Object, malformed};

/// A loaded section.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// Its name.
    pub name: &'a str,
    /// The arena it belongs to.
    pub arena: Arena,
    /// Its place in the block's piece of that arena.
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
    pub sections: Vec<Option<Placed<'a>>>,
    /// Bytes of the three pieces so far.
    pub sizes: [usize; 3],
    /// Their alignments.
    pub aligns: [usize; 3],
    /// Where in rodata the first .eh_frame begins, if there is one.
    pub eh_frame: Option<usize>,
}

impl<'a> Layout<'a> {
    /// Places the object's sections; no piece may become larger than `limit` bytes.
    pub fn of(object: &Object<'a>, limit: usize) -> Result<Self, LinkError> {
        let mut layout = Self {
            sections: vec![None; object.sections.len()],
            sizes: [0; 3],
            aligns: [16, 8, 8],
            eh_frame: None,
        };
        let mut frames = Vec::new();
        for (index, header) in object.sections.iter().enumerate() {
            let name = object.section_name(&header)?;
            let Some(arena) = arena_of(&header, name)? else { continue };
            if name == ".eh_frame" {
                frames.push((index, header, name));
            } else {
                layout.place(object, index, &header, name, arena, limit)?;
            }
        }
        // One behind the other without gaps: they become one table.
        for (index, mut header, name) in frames {
            if header.sh_size % 4 != 0 {
                return Err(malformed(".eh_frame of a length that is not a multiple of 4"));
            }
            header.sh_addralign = if layout.eh_frame.is_none() { 8 } else { 1 };
            layout.place(object, index, &header, name, Arena::Rodata, limit)?;
            layout.eh_frame = layout.eh_frame.or(layout.sections[index].map(|placed| placed.offset));
        }
        Ok(layout)
    }

    fn place(
        &mut self,
        object: &Object<'a>,
        index: usize,
        header: &SectionHeader,
        name: &'a str,
        arena: Arena,
        limit: usize,
    ) -> Result<(), LinkError> {
        let align = header.sh_addralign.max(1) as usize;
        if !align.is_power_of_two() || align > PAGE {
            return Err(LinkError::Unsupported(format!("alignment {align} of section {name}")));
        }
        let size = header.sh_size as usize;
        let offset = self.add(arena, size, align, limit)?;
        let content = object.content(header)?;
        self.sections[index] = Some(Placed { name, arena, offset, size, content });
        Ok(())
    }

    /// Adds `size` bytes to a piece; returns where they begin.
    pub fn add(&mut self, arena: Arena, size: usize, align: usize, limit: usize) -> Result<usize, LinkError> {
        let at = arena as usize;
        self.aligns[at] = self.aligns[at].max(align);
        let offset = align_up(self.sizes[at], align);
        let end = offset.and_then(|offset| offset.checked_add(size)).filter(|end| *end <= limit);
        let (Some(offset), Some(end)) = (offset, end) else {
            return Err(LinkError::Memory(MemoryError::Exhausted(arena)));
        };
        self.sizes[at] = end;
        Ok(offset)
    }
}

/// The arena that a section belongs to; None if it is not loaded.
fn arena_of(header: &SectionHeader, name: &str) -> Result<Option<Arena>, LinkError> {
    let flag = |flag: u32| header.sh_flags & u64::from(flag) != 0;
    if !flag(SHF_ALLOC) || header.sh_type == SHT_NOTE {
        return Ok(None);
    }
    let refuse = |why: &str| Err(LinkError::Unsupported(format!("section {name}: {why}")));
    if !matches!(header.sh_type, SHT_PROGBITS | SHT_NOBITS | SHT_X86_64_UNWIND) {
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
        (_, _, true, false) => Ok(Some(Arena::Data)),
        (_, _, false, true) => Ok(Some(Arena::Text)),
        (_, _, false, false) => Ok(Some(Arena::Rodata)),
    }
}
