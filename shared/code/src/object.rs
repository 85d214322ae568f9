//! Reads an ELF64 x86-64 relocatable object without copying it. Receives untrusted bytes; every offset is checked, and
//! what does not fit is a [`LinkError::Object`].

use goblin::elf64::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ELFMAG, ET_REL, Header};
use goblin::elf64::reloc::Rela;
use goblin::elf64::section_header::{SHT_NOBITS, SHT_RELA, SHT_SYMTAB, SectionHeader};
use goblin::elf64::sym::Sym;

use crate::arch::MACHINE;
use crate::link::LinkError;

/// What may be read from any bytes.
///
/// # Safety
/// The type consists of integers without padding.
unsafe trait Plain: Copy {}
// SAFETY: the structures of the ELF specification are laid out without padding, and goblin's are `repr(C)` copies.
unsafe impl Plain for Header {}
// SAFETY: as above.
unsafe impl Plain for SectionHeader {}
// SAFETY: as above.
unsafe impl Plain for Sym {}
// SAFETY: as above.
unsafe impl Plain for Rela {}

fn read<T: Plain>(bytes: &[u8], offset: usize) -> Option<T> {
    let bytes = bytes.get(offset..offset.checked_add(size_of::<T>())?)?;
    // SAFETY: the slice has the type's size, any bytes are a value of it (Plain), and the read is unaligned.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// The bytes of one of these structures.
#[allow(private_bounds, reason = "the entries are the four types of this file")]
pub fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: the type has no padding (Plain), so all of its bytes are initialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// A table of `T` in the object.
#[derive(Clone, Copy)]
pub struct Table<'a, T> {
    bytes: &'a [u8],
    entry: std::marker::PhantomData<T>,
}

#[allow(private_bounds, reason = "the entries are the four types of this file")]
impl<'a, T: Plain> Table<'a, T> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, entry: std::marker::PhantomData }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.bytes.len() / size_of::<T>()
    }

    /// Entry `index`.
    pub fn get(&self, index: usize) -> Option<T> {
        read(self.bytes, index.checked_mul(size_of::<T>())?)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = T> + 'a {
        let bytes = self.bytes;
        (0..self.len()).filter_map(move |i| read(bytes, i * size_of::<T>()))
    }
}

/// An object file.
pub struct ElfObject<'a> {
    bytes: &'a [u8],
    /// The section headers.
    pub sections: Table<'a, SectionHeader>,
    /// The symbols.
    pub symbols: Table<'a, Sym>,
    section_names: &'a [u8],
    symbol_names: &'a [u8],
}

pub(crate) fn malformed(what: impl Into<String>) -> LinkError {
    LinkError::Object(what.into())
}

impl<'a> ElfObject<'a> {
    /// Checks the header and finds the tables.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LinkError> {
        let header: Header = read(bytes, 0).ok_or_else(|| malformed("shorter than an ELF header"))?;
        let form = (header.e_ident[EI_CLASS], header.e_ident[EI_DATA], header.e_type, header.e_machine);
        if &header.e_ident[..4] != ELFMAG || form != (ELFCLASS64, ELFDATA2LSB, ET_REL, MACHINE) {
            return Err(malformed("not an ELF64 x86-64 relocatable object"));
        }
        if header.e_shentsize as usize != size_of::<SectionHeader>() {
            return Err(malformed("section headers of an unknown size"));
        }
        let start = header.e_shoff as usize;
        // Object files with 65,280 sections and more keep the number in the first header.
        let count = match (header.e_shnum, read::<SectionHeader>(bytes, start)) {
            (0, Some(first)) if start != 0 => first.sh_size as usize,
            (count, _) => count as usize,
        };
        let table = count
            .checked_mul(size_of::<SectionHeader>())
            .and_then(|len| bytes.get(start..start.checked_add(len)?))
            .ok_or_else(|| malformed("the section headers lie outside the file"))?;
        let sections = Table::<SectionHeader>::new(table);
        let mut object =
            Self { bytes, sections, symbols: Table::new(&[]), section_names: &[], symbol_names: &[] };

        let names = match (header.e_shstrndx as u32, sections.get(0)) {
            (goblin::elf64::section_header::SHN_XINDEX, Some(first)) => first.sh_link,
            (index, _) => index,
        };
        let names =
            sections.get(names as usize).ok_or_else(|| malformed("no section header string table"))?;
        object.section_names = object.content(&names)?;
        let mut tables = sections.iter().filter(|section| section.sh_type == SHT_SYMTAB);
        if let Some(symtab) = tables.next() {
            object.symbols = Table::new(object.content(&symtab)?);
            let strings = sections
                .get(symtab.sh_link as usize)
                .ok_or_else(|| malformed("no string table for the symbols"))?;
            object.symbol_names = object.content(&strings)?;
        }
        Ok(object)
    }

    /// The bytes of a section; none for one that has no bits in the file.
    pub fn content(&self, section: &SectionHeader) -> Result<&'a [u8], LinkError> {
        if section.sh_type == SHT_NOBITS {
            return Ok(&[]);
        }
        let (start, len) = (section.sh_offset as usize, section.sh_size as usize);
        start
            .checked_add(len)
            .and_then(|end| self.bytes.get(start..end))
            .ok_or_else(|| malformed("a section lies outside the file"))
    }

    /// The name of a section.
    pub fn section_name(&self, section: &SectionHeader) -> Result<&'a str, LinkError> {
        string(self.section_names, section.sh_name)
    }

    /// The name of a symbol.
    pub fn symbol_name(&self, symbol: &Sym) -> Result<&'a str, LinkError> {
        string(self.symbol_names, symbol.st_name)
    }

    /// The relocation tables: the index of the section that each is for, and its entries.
    pub fn relocations(&self) -> impl Iterator<Item = Result<(usize, Table<'a, Rela>), LinkError>> {
        self.sections.iter().filter(|section| section.sh_type == SHT_RELA).map(|section| {
            let entries = Table::new(self.content(&section)?);
            Ok((section.sh_info as usize, entries))
        })
    }
}

fn string(table: &[u8], offset: u32) -> Result<&str, LinkError> {
    let rest = table.get(offset as usize..).ok_or_else(|| malformed("a name lies outside its table"))?;
    let len = rest.iter().position(|byte| *byte == 0).ok_or_else(|| malformed("a name without an end"))?;
    std::str::from_utf8(&rest[..len]).map_err(|_| malformed("a name that is not UTF-8"))
}
