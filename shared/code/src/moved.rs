//! Lines that have moved since an object was compiled: in its debug sections, each is given the number that it has now.
//!
//! Receives debug sections of one object behind those of others, relocated, and how far which lines have moved; changes line
//! tables, and the lines of declarations and inlined calls. The object must describe one compilation unit, without types and
//! variables, in DWARF 4 or 5 as LLVM writes it; in any other, and if a line is not among those that are known, nothing is
//! said at all.
//!
//! Rows of line tables keep their bytes: in front of a row that has moved further than the last, the line is advanced. Lines
//! in entries get four bytes each, so what lies behind them, and what refers to that, moves. Numbers and forms: DWARF 5,
//! sections 6.2 and 7.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::dwarf::{self, Sections, sleb};

/// Lines of a file that have all moved as far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The file's [`digest_of_file`].
    pub file: u64,
    /// The first and the last line, as they were.
    pub first: u32,
    /// See there.
    pub last: u32,
    /// How far.
    pub by: i32,
}

/// Joins a path to the directory that it is relative to.
fn join(directory: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") || directory.is_empty() {
        path.to_vec()
    } else if path.is_empty() {
        directory.to_vec()
    } else {
        [directory, path].join(&b'/')
    }
}

/// A number for a file, whichever part of its path is the directory's.
pub fn digest_of_file(directory: &[u8], name: &[u8]) -> u64 {
    let mut path = join(directory, name);
    // Compilers that take a path apart drop what is doubled.
    path.dedup_by(|one, other| *one == b'/' && *other == b'/');
    xxh3_64(&path)
}

/// The line that a line is now. Number 0, of code without a line, stays.
fn moved(all: &[Moved], file: Option<u64>, line: u32) -> Option<u32> {
    if line == 0 {
        return Some(0);
    }
    let found = all.iter().find(|it| Some(it.file) == file && it.first <= line && line <= it.last)?;
    line.checked_add_signed(found.by)
}

/// Bytes that are read from the front.
#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A number of as many bytes.
    fn number(&mut self, width: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes.get_mut(..width)?.copy_from_slice(self.take(width)?);
        Some(u64::from_le_bytes(bytes))
    }

    fn word(&mut self) -> Option<u32> {
        self.number(4).map(|word| word as u32)
    }

    /// Any LEB128 as its bits, with how many these are.
    fn leb(&mut self) -> Option<(u64, u32)> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if byte & 0x80 == 0 {
                return Some((value, shift));
            }
        }
    }

    fn uleb(&mut self) -> Option<u64> {
        self.leb().map(|(value, _)| value)
    }

    fn sleb(&mut self) -> Option<i64> {
        let (value, width) = self.leb()?;
        let unused = 64_u32.saturating_sub(width);
        Some((value << unused).cast_signed() >> unused)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let len = self.bytes.get(self.at..)?.iter().position(|byte| *byte == 0)?;
        let string = self.take(len)?;
        self.at += 1;
        Some(string)
    }
}

/// Says where the lines are now of the object whose sections begin at `starts`. If that cannot be said, nothing is left of
/// the object.
pub fn apply<'a>(sections: &mut Sections<'a>, starts: &BTreeMap<&'a str, usize>, lines: &[Moved]) {
    if rewrite(sections, starts, lines).is_none() {
        sections.retain(|name, content| {
            starts.get(name).is_none_or(|start| {
                content.truncate(*start);
                !content.is_empty()
            })
        });
    }
}

fn rewrite<'a>(
    sections: &mut Sections<'a>,
    starts: &BTreeMap<&'a str, usize>,
    lines: &[Moved],
) -> Option<()> {
    let (info_at, line_at) = (*starts.get(dwarf::INFO)?, *starts.get(dwarf::LINE)?);
    let abbreviations = sections.get(dwarf::ABBREVIATIONS)?;
    let unit = Unit::read(sections.get(dwarf::INFO)?.get(info_at..)?, abbreviations)?;
    let table = LineTable::read(sections, line_at, unit.directory(sections))?;
    let rows = table.rewrite(lines)?;
    let entries = unit.rewrite(&table.files, lines)?;
    for at in unit.forms {
        *sections.get_mut(dwarf::ABBREVIATIONS)?.get_mut(at)? = form::DATA4;
    }
    for (name, at, content) in [(dwarf::INFO, info_at, entries), (dwarf::LINE, line_at, rows)] {
        let section = sections.get_mut(name)?;
        section.truncate(at);
        section.extend_from_slice(&content);
    }
    // Indexes of names, by where the entries were. Readers do without.
    for name in [".debug_pubnames", ".debug_pubtypes", ".debug_gnu_pubnames", ".debug_gnu_pubtypes"] {
        if let (Some(section), Some(start)) = (sections.get_mut(name), starts.get(name)) {
            section.truncate(*start);
        }
    }
    starts.get(".debug_names").is_none().then_some(())
}

/// A string of another section.
fn string_of<'s>(sections: &'s Sections<'_>, section: &str, at: u64) -> Option<&'s [u8]> {
    let bytes = sections.get(section)?;
    Reader { bytes, at: usize::try_from(at).ok()? }.string()
}

/// Forms.
mod form {
    pub const ADDR: u8 = 0x01;
    pub const DATA2: u8 = 0x05;
    pub const DATA4: u8 = 0x06;
    pub const DATA8: u8 = 0x07;
    pub const STRING: u8 = 0x08;
    pub const DATA1: u8 = 0x0b;
    pub const FLAG: u8 = 0x0c;
    pub const SDATA: u8 = 0x0d;
    pub const STRP: u8 = 0x0e;
    pub const UDATA: u8 = 0x0f;
    pub const REF4: u8 = 0x13;
    pub const SEC_OFFSET: u8 = 0x17;
    pub const FLAG_PRESENT: u8 = 0x19;
    pub const STRX: u8 = 0x1a;
    pub const ADDRX: u8 = 0x1b;
    pub const DATA16: u8 = 0x1e;
    pub const LINE_STRP: u8 = 0x1f;
    pub const IMPLICIT_CONST: u8 = 0x21;
    pub const RNGLISTX: u8 = 0x23;
    pub const STRX1: u8 = 0x25;
    pub const STRX2: u8 = 0x26;
    pub const STRX3: u8 = 0x27;
    pub const STRX4: u8 = 0x28;
    pub const ADDRX1: u8 = 0x29;
    pub const ADDRX2: u8 = 0x2a;
    pub const ADDRX3: u8 = 0x2b;
    pub const ADDRX4: u8 = 0x2c;
}

/// Attributes that are looked at.
mod attribute {
    pub const COMP_DIR: u64 = 0x1b;
    pub const DECL_FILE: u64 = 0x3a;
    pub const DECL_LINE: u64 = 0x3b;
    pub const CALL_FILE: u64 = 0x58;
    pub const CALL_LINE: u64 = 0x59;
}

/// The unit of entries of an object.
struct Unit<'a> {
    bytes: &'a [u8],
    abbreviations: BTreeMap<u64, Abbreviation>,
    /// Where forms of lines are in the section of abbreviations.
    forms: Vec<usize>,
    /// Where the first entry is.
    entries: usize,
}

/// What entries of one kind have.
struct Abbreviation {
    has_children: bool,
    /// Attributes and forms.
    attributes: Vec<(u64, u8)>,
}

/// Whether an attribute is a line, and if so, which one is its file.
fn file_of(attribute: u64) -> Option<u64> {
    match attribute {
        attribute::DECL_LINE => Some(attribute::DECL_FILE),
        attribute::CALL_LINE => Some(attribute::CALL_FILE),
        _ => None,
    }
}

impl<'a> Unit<'a> {
    fn read(bytes: &'a [u8], abbreviations: &[u8]) -> Option<Self> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.word()? as usize != bytes.len().checked_sub(4)? {
            return None;
        }
        let version = reader.number(2)?;
        let at = match version {
            4 => reader.word()?,
            5 => {
                // A compilation unit, with addresses of 8 bytes.
                if reader.take(2)? != [1, 8] {
                    return None;
                }
                reader.word()?
            }
            _ => return None,
        };
        if version == 4 && reader.byte()? != 8 {
            return None;
        }
        let entries = reader.at;
        let mut unit = Self { bytes, abbreviations: BTreeMap::new(), forms: Vec::new(), entries };
        unit.read_abbreviations(Reader { bytes: abbreviations, at: at as usize })?;
        Some(unit)
    }

    fn read_abbreviations(&mut self, mut reader: Reader<'_>) -> Option<()> {
        loop {
            let code = reader.uleb()?;
            if code == 0 {
                return Some(());
            }
            let (_tag, has_children) = (reader.uleb()?, reader.byte()? != 0);
            let mut attributes = Vec::new();
            loop {
                let attribute = reader.uleb()?;
                let at = reader.at;
                let form = reader.byte()?;
                if (attribute, form) == (0, 0) {
                    break;
                }
                if form == form::IMPLICIT_CONST {
                    reader.sleb()?;
                }
                if file_of(attribute).is_some() {
                    if !matches!(form, form::DATA1 | form::DATA2 | form::DATA4 | form::UDATA) {
                        return None;
                    }
                    self.forms.push(at);
                }
                attributes.push((attribute, form));
            }
            self.abbreviations.insert(code, Abbreviation { has_children, attributes });
        }
    }

    /// The directory in which the unit was compiled, as far as line tables do not say it.
    fn directory<'s>(&self, sections: &'s Sections<'_>) -> Option<&'s [u8]> {
        let mut reader = Reader { bytes: self.bytes, at: self.entries };
        let code = reader.uleb()?;
        for (attribute, form) in &self.abbreviations.get(&code)?.attributes {
            let value = self.value(&mut reader, *form)?;
            if (*attribute, *form) == (attribute::COMP_DIR, form::STRP) {
                return string_of(sections, ".debug_str", value);
            }
        }
        None
    }

    /// Passes over a value, which is a number if the form is that of one.
    fn value(&self, reader: &mut Reader<'_>, form: u8) -> Option<u64> {
        Some(match form {
            form::FLAG_PRESENT | form::IMPLICIT_CONST => 0,
            form::DATA1 | form::FLAG | form::STRX1 | form::ADDRX1 => reader.number(1)?,
            form::DATA2 | form::STRX2 | form::ADDRX2 => reader.number(2)?,
            form::STRX3 | form::ADDRX3 => reader.number(3)?,
            form::DATA4
            | form::STRP
            | form::LINE_STRP
            | form::REF4
            | form::SEC_OFFSET
            | form::STRX4
            | form::ADDRX4 => reader.number(4)?,
            form::ADDR | form::DATA8 => reader.number(8)?,
            form::UDATA | form::SDATA | form::STRX | form::ADDRX | form::RNGLISTX => reader.uleb()?,
            form::STRING => {
                reader.string()?;
                0
            }
            _ => return None,
        })
    }

    /// The unit with the lines of now.
    fn rewrite(&self, files: &[Option<u64>], lines: &[Moved]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 4);
        let mut reader = Reader { bytes: self.bytes, at: self.entries };
        // What was written up to where, behind which the rest has moved; references.
        let (mut done, mut places, mut references) = (0, Vec::new(), Vec::new());
        let mut depth = 0_usize;
        loop {
            let code = reader.uleb()?;
            if code == 0 {
                depth = depth.checked_sub(1)?;
            } else {
                let kind = self.abbreviations.get(&code)?;
                // (attribute, value, where it begins and ends) of files and lines.
                let (mut own_files, mut own_lines) = (Vec::new(), Vec::new());
                for (attribute, form) in &kind.attributes {
                    let from = reader.at;
                    let value = self.value(&mut reader, *form)?;
                    if *form == form::REF4 {
                        references.push((from, value));
                    }
                    match *attribute {
                        attribute::DECL_FILE | attribute::CALL_FILE if *form != form::IMPLICIT_CONST => {
                            own_files.push((*attribute, value));
                        }
                        line if file_of(line).is_some() => own_lines.push((line, value, from..reader.at)),
                        _ => {}
                    }
                }
                for (attribute, line, place) in own_lines {
                    let file =
                        own_files.iter().find(|(file, _)| Some(*file) == file_of(attribute))?.1 as usize;
                    let line = moved(lines, *files.get(file)?, u32::try_from(line).ok()?)?;
                    out.extend_from_slice(&self.bytes[done..place.start]);
                    out.extend_from_slice(&line.to_le_bytes());
                    done = place.end;
                    places.push((done, out.len()));
                }
                depth += usize::from(kind.has_children);
            }
            if depth == 0 {
                break;
            }
        }
        // Nothing but padding may be behind the unit's own entry.
        if self.bytes[reader.at..].iter().any(|byte| *byte != 0) {
            return None;
        }
        out.extend_from_slice(&self.bytes[done..]);
        let place = |old: usize| match places.partition_point(|(from, _)| *from <= old).checked_sub(1) {
            Some(last) => places[last].1 + (old - places[last].0),
            None => old,
        };
        for (at, target) in references {
            let target = place(usize::try_from(target).ok()?) as u32;
            out.get_mut(place(at)..)?.get_mut(..4)?.copy_from_slice(&target.to_le_bytes());
        }
        finish(out)
    }
}

/// Has a unit begin with its length.
fn finish(mut out: Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::try_from(out.len().checked_sub(4)?).ok()?;
    out[..4].copy_from_slice(&length.to_le_bytes());
    Some(out)
}

/// The line table of an object.
struct LineTable<'a> {
    bytes: &'a [u8],
    /// The files by number.
    files: Vec<Option<u64>>,
    line_base: i8,
    line_range: u8,
    /// Operands of the standard opcodes, from number 1 on.
    operands: &'a [u8],
    /// Where the program is.
    program: usize,
}

impl<'a> LineTable<'a> {
    fn read(sections: &'a Sections<'_>, start: usize, directory: Option<&[u8]>) -> Option<Self> {
        let bytes = sections.get(dwarf::LINE)?.get(start..)?;
        let mut reader = Reader { bytes, at: 0 };
        if reader.word()? as usize != bytes.len().checked_sub(4)? {
            return None;
        }
        let version = reader.number(2)?;
        if version == 5 && reader.take(2)? != [8, 0] || !matches!(version, 4 | 5) {
            return None;
        }
        let program = (reader.word()? as usize).checked_add(reader.at)?;
        // Instruction length, operations, is_stmt.
        if reader.take(2)? != [1, 1] {
            return None;
        }
        reader.byte()?;
        let (line_base, line_range) = (reader.byte()?.cast_signed(), reader.byte()?);
        let operands = reader.byte()?.checked_sub(1).filter(|_| line_range != 0)?;
        let operands = reader.take(operands.into())?;
        if operands.len() < usize::from(dwarf::FIXED_ADVANCE_PC) {
            return None;
        }
        let files =
            if version == 5 { files_5(sections, &mut reader)? } else { files_4(&mut reader, directory?)? };
        Some(LineTable { bytes, files, line_base, line_range, operands, program })
    }

    /// The unit with the lines of now.
    fn rewrite(&self, lines: &[Moved]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 8);
        out.extend_from_slice(self.bytes.get(..self.program)?);
        let mut reader = Reader { bytes: self.bytes, at: self.program };
        // The line as it was, and as it was written.
        let (mut file, mut line, mut written) = (1, 1_u32, 1_u32);
        while reader.at < self.bytes.len() {
            let from = reader.at;
            let opcode = reader.byte()?;
            let standard = self.operands.get(usize::from(opcode).wrapping_sub(1)).copied();
            let mut row = false;
            match opcode {
                0 => {
                    let len = usize::try_from(reader.uleb()?).ok()?;
                    match reader.take(len)?.first()? {
                        &dwarf::END_SEQUENCE => (file, line, written) = (1, 1, 1),
                        // The address, and a discriminator.
                        &dwarf::SET_ADDRESS | 4 => {}
                        _ => return None,
                    }
                }
                dwarf::COPY => row = true,
                dwarf::ADVANCE_LINE => {
                    let by = i32::try_from(reader.sleb()?).ok()?;
                    (line, written) = (line.checked_add_signed(by)?, written.wrapping_add_signed(by));
                }
                dwarf::SET_FILE => file = usize::try_from(reader.uleb()?).ok()?,
                // Two bytes instead of a LEB128.
                dwarf::FIXED_ADVANCE_PC => {
                    reader.take(2)?;
                }
                _ => match standard {
                    Some(operands) => (0..operands).try_for_each(|_| reader.leb().map(|_| ()))?,
                    None => {
                        let special = usize::from(opcode).checked_sub(self.operands.len() + 1)? as i32;
                        let by = i32::from(self.line_base) + special % i32::from(self.line_range);
                        (line, written) = (line.checked_add_signed(by)?, written.wrapping_add_signed(by));
                        row = true;
                    }
                },
            }
            if row {
                let now = moved(lines, self.files.get(file).copied().flatten(), line)?;
                if now != written {
                    out.push(dwarf::ADVANCE_LINE);
                    sleb(&mut out, i64::from(now.wrapping_sub(written).cast_signed()));
                    written = now;
                }
            }
            out.extend_from_slice(&self.bytes[from..reader.at]);
        }
        finish(out)
    }
}

/// The files of a line table of version 4.
fn files_4(reader: &mut Reader<'_>, directory: &[u8]) -> Option<Vec<Option<u64>>> {
    let mut directories = vec![directory.to_vec()];
    loop {
        let name = reader.string()?;
        if name.is_empty() {
            break;
        }
        directories.push(join(directory, name));
    }
    // Number 0 is none.
    let mut files = vec![None];
    loop {
        let name = reader.string()?;
        if name.is_empty() {
            return Some(files);
        }
        let (number, _time, _size) = (reader.uleb()?, reader.uleb()?, reader.uleb()?);
        let directory = directories.get(usize::try_from(number).ok()?)?;
        files.push(Some(digest_of_file(directory, name)));
    }
}

/// The files of a line table of version 5.
fn files_5<'s>(sections: &'s Sections<'_>, reader: &mut Reader<'s>) -> Option<Vec<Option<u64>>> {
    let mut directories: Vec<Vec<u8>> = Vec::new();
    for (name, _) in names(sections, reader)? {
        let whole = directories.first().map_or(name.to_vec(), |first| join(first, name));
        directories.push(whole);
    }
    let files = names(sections, reader)?.into_iter();
    files
        .map(|(name, directory)| {
            let directory = directories.get(usize::try_from(directory).ok()?)?;
            Some(Some(digest_of_file(directory, name)))
        })
        .collect()
}

/// A list of names and numbers of directories, in the format that is said in front of it.
fn names<'s>(sections: &'s Sections<'_>, reader: &mut Reader<'s>) -> Option<Vec<(&'s [u8], u64)>> {
    const PATH: u64 = 1;
    const DIRECTORY: u64 = 2;
    let mut format = Vec::new();
    for _ in 0..reader.byte()? {
        format.push((reader.uleb()?, u8::try_from(reader.uleb()?).ok()?));
    }
    let mut all = Vec::new();
    for _ in 0..reader.uleb()? {
        let (mut name, mut directory) = (&[][..], 0);
        for (content, form) in &format {
            match (*content, *form) {
                (PATH, form::STRING) => name = reader.string()?,
                (PATH, form::STRP) => name = string_of(sections, ".debug_str", reader.number(4)?)?,
                (PATH, form::LINE_STRP) => name = string_of(sections, ".debug_line_str", reader.number(4)?)?,
                (DIRECTORY, form::UDATA) => directory = reader.uleb()?,
                (DIRECTORY, form::DATA1) => directory = reader.number(1)?,
                (DIRECTORY, form::DATA2) => directory = reader.number(2)?,
                // What the file was like.
                (_, form::DATA16) => {
                    reader.take(16)?;
                }
                _ => return None,
            }
        }
        all.push((name, directory));
        if format.is_empty() {
            return None;
        }
    }
    Some(all)
}
