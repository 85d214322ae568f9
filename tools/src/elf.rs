//! ELF files and archives of them, as far as tools look into them: sections, and what is at an address.

use goblin::elf::section_header::SHT_NOBITS;
use goblin::elf::{Elf, SectionHeader};

/// A file with its sections.
pub struct File<'a> {
    bytes: &'a [u8],
    pub elf: Elf<'a>,
}

/// Whether a file is an ELF file.
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// Whether a file is an archive that has its members in it.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"!<arch>\n")
}

/// The members of an archive that are ELF files, with their names. Archives of Rust also have metadata in them.
///
/// # Errors
/// The archive is damaged.
pub fn members(archive: &[u8]) -> Result<Vec<(String, &[u8])>, String> {
    let parsed =
        goblin::archive::Archive::parse(archive).map_err(|error| format!("a damaged archive: {error}"))?;
    // By number: several may have one name.
    let members = (0..parsed.len()).filter_map(|index| parsed.get_at(index)).map(|member| {
        let begin = usize::try_from(member.offset).unwrap_or(usize::MAX);
        let object = archive.get(begin..).and_then(|rest| rest.get(..member.size())).unwrap_or_default();
        (member.extended_name().to_owned(), object)
    });
    Ok(members.filter(|(_, object)| is_elf(object)).collect())
}

impl<'a> File<'a> {
    /// # Errors
    /// The file is damaged.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let elf = Elf::parse(bytes).map_err(|error| format!("a damaged ELF file: {error}"))?;
        Ok(Self { bytes, elf })
    }

    /// The section of that name: its address and its bytes.
    ///
    /// # Errors
    /// It is not whole.
    pub fn section(&self, name: &str) -> Result<Option<(u64, &'a [u8])>, String> {
        let is = |header: &&SectionHeader| self.elf.shdr_strtab.get_at(header.sh_name) == Some(name);
        let Some(header) = self.elf.section_headers.iter().find(is) else { return Ok(None) };
        let bytes = header.file_range().and_then(|range| self.bytes.get(range));
        let bytes = bytes.ok_or_else(|| format!("damaged: its section {name} is not whole"))?;
        Ok(Some((header.sh_addr, bytes)))
    }

    /// What is in the file from an address on, to the end of the section.
    pub fn at(&self, address: u64) -> Option<&'a [u8]> {
        let holds = |header: &&SectionHeader| {
            header.sh_type != SHT_NOBITS
                && header.sh_addr != 0
                && address.checked_sub(header.sh_addr).is_some_and(|offset| offset < header.sh_size)
        };
        let header = self.elf.section_headers.iter().find(holds)?;
        self.bytes.get(header.file_range()?)?.get((address - header.sh_addr) as usize..)
    }

    /// The C string at an address.
    pub fn string(&self, address: u64) -> Option<&'a [u8]> {
        self.at(address)?.split(|byte| *byte == 0).next()
    }
}
