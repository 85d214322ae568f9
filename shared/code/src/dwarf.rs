//! DWARF 4 for functions whose lines are known as tables: line numbers, names, inlined functions.
//!
//! Receives functions with the addresses of their code; appends a compilation unit for each to sections by name. No
//! relocations are needed, since sections of a file grow from its start. Numbers and forms: DWARF 4, sections 6.2 and 7.

use std::collections::BTreeMap;

/// A source file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFile {
    /// The directory that its name is relative to.
    pub directory: Vec<u8>,
    /// Its name.
    pub name: Vec<u8>,
}

/// A function of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subprogram {
    /// Its name.
    pub name: Vec<u8>,
    /// Its symbol, if that is another.
    pub linkage_name: Vec<u8>,
    /// Its file, by index.
    pub file: u32,
    /// Where it begins.
    pub line: u32,
}

/// A call that was replaced by the callee's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inlined {
    /// The callee, by index.
    pub subprogram: u32,
    /// The inlined call that contains this one, by index, which is smaller than its own.
    pub parent: Option<u32>,
    /// Where the call is: file, line and column.
    pub call: (u32, u32, u32),
}

/// Code from `offset` to the next row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it begins, from the start of the function.
    pub offset: u32,
    /// Its file, by index.
    pub file: u32,
    /// Its line.
    pub line: u32,
    /// Its column.
    pub column: u32,
    /// The inlined call that it belongs to, by index.
    pub inlined: Option<u32>,
}

/// A compiled function with its lines. Indices that lead nowhere make entries without a name, not errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionLines {
    /// The address of its code.
    pub start: usize,
    /// The size of its code in bytes.
    pub size: u32,
    /// The files that the rest refers to; the first is the function's own.
    pub files: Vec<SourceFile>,
    /// The functions that the rest refers to; the first is the function itself.
    pub subprograms: Vec<Subprogram>,
    /// The calls that were replaced.
    pub inlined: Vec<Inlined>,
    /// The lines, by offset.
    pub rows: Vec<Row>,
}

/// Sections by name.
pub type Sections<'a> = BTreeMap<&'a str, Vec<u8>>;

pub(crate) const INFO: &str = ".debug_info";
pub(crate) const ABBREVIATIONS: &str = ".debug_abbrev";
pub(crate) const LINE: &str = ".debug_line";
const RANGES: &str = ".debug_ranges";

const VERSION: u16 = 4;

/// Tag, whether there are children, attributes with their forms.
type Abbreviation = (u8, bool, &'static [(u8, u8)]);

/// The abbreviations, whose codes count from 1.
const TABLE: [Abbreviation; 6] = [
    (
        COMPILE_UNIT,
        true,
        &[
            (LANGUAGE, DATA1),
            (NAME, STRING),
            (COMP_DIR, STRING),
            (STMT_LIST, SEC_OFFSET),
            (LOW_PC, ADDR),
            (HIGH_PC, DATA4),
        ],
    ),
    (
        SUBPROGRAM,
        true,
        &[(NAME, STRING), (DECL_FILE, UDATA), (DECL_LINE, UDATA), (LOW_PC, ADDR), (HIGH_PC, DATA4)],
    ),
    (
        SUBPROGRAM,
        true,
        &[
            (NAME, STRING),
            (DECL_FILE, UDATA),
            (DECL_LINE, UDATA),
            (LOW_PC, ADDR),
            (HIGH_PC, DATA4),
            (LINKAGE_NAME, STRING),
        ],
    ),
    (SUBPROGRAM, false, &[(NAME, STRING), (DECL_FILE, UDATA), (DECL_LINE, UDATA), (INLINE, DATA1)]),
    (
        SUBPROGRAM,
        false,
        &[(NAME, STRING), (DECL_FILE, UDATA), (DECL_LINE, UDATA), (INLINE, DATA1), (LINKAGE_NAME, STRING)],
    ),
    (
        INLINED_SUBROUTINE,
        true,
        &[
            (ABSTRACT_ORIGIN, REF4),
            (RANGES_AT, SEC_OFFSET),
            (CALL_FILE, UDATA),
            (CALL_LINE, UDATA),
            (CALL_COLUMN, UDATA),
        ],
    ),
];
const UNIT: u8 = 1;
/// The codes of functions without a linkage name; those with one have the next.
const CONCRETE: u8 = 2;
const ABSTRACT: u8 = 4;
const INLINED: u8 = 6;

// Tags.
const COMPILE_UNIT: u8 = 0x11;
const INLINED_SUBROUTINE: u8 = 0x1d;
const SUBPROGRAM: u8 = 0x2e;
// Attributes.
const NAME: u8 = 0x03;
const STMT_LIST: u8 = 0x10;
const LOW_PC: u8 = 0x11;
const HIGH_PC: u8 = 0x12;
const LANGUAGE: u8 = 0x13;
const COMP_DIR: u8 = 0x1b;
const INLINE: u8 = 0x20;
const ABSTRACT_ORIGIN: u8 = 0x31;
const DECL_FILE: u8 = 0x3a;
const DECL_LINE: u8 = 0x3b;
const RANGES_AT: u8 = 0x55;
const CALL_COLUMN: u8 = 0x57;
const CALL_FILE: u8 = 0x58;
const CALL_LINE: u8 = 0x59;
const LINKAGE_NAME: u8 = 0x6e;
// Forms.
const ADDR: u8 = 0x01;
const DATA4: u8 = 0x06;
const STRING: u8 = 0x08;
const DATA1: u8 = 0x0b;
const UDATA: u8 = 0x0f;
const REF4: u8 = 0x13;
const SEC_OFFSET: u8 = 0x17;

// Languages.
const C99: u8 = 0x0c;
const C_PLUS_PLUS: u8 = 0x04;
const RUST: u8 = 0x1c;

/// The value of DW_AT_inline: DW_INL_inlined.
const WAS_INLINED: u8 = 1;

impl FunctionLines {
    /// Appends what describes the function. Addresses in it are less by `base`.
    pub fn append(&self, sections: &mut Sections<'_>, base: usize) {
        let start = self.start.wrapping_sub(base) as u64;
        let abbreviations = sections.entry(ABBREVIATIONS).or_default();
        let table = abbreviations.len() as u32;
        abbreviations.extend(abbreviation_table());
        let line = sections.entry(LINE).or_default();
        let lines_at = line.len() as u32;
        self.append_lines(line, start);
        let mut at = Vec::with_capacity(self.inlined.len());
        let ranges = sections.entry(RANGES).or_default();
        for index in 0..self.inlined.len() {
            at.push(ranges.len() as u32);
            for (start, end) in self.ranges(index as u32) {
                ranges.extend(u64::from(start).to_le_bytes());
                ranges.extend(u64::from(end).to_le_bytes());
            }
            ranges.extend([0; 16]);
        }
        self.append_info(sections.entry(INFO).or_default(), (table, lines_at, &at), start);
    }

    fn directory(&self) -> &[u8] {
        self.files.first().map_or(&[], |file| &file.directory)
    }

    /// The language, by the file: debuggers demangle names of C++ in units that are of it.
    fn language(&self) -> u8 {
        let name = self.files.first().map_or(&b""[..], |file| &file.name);
        match name.rsplit(|byte| *byte == b'.').next() {
            Some(b"c" | b"i") => C99,
            Some(b"rs") => RUST,
            _ => C_PLUS_PLUS,
        }
    }

    fn append_info(&self, out: &mut Vec<u8>, (table, lines, ranges): (u32, u32, &[u32]), start: u64) {
        let unit = out.len();
        out.extend([0; 4]); //                    unit length
        out.extend(VERSION.to_le_bytes());
        out.extend(table.to_le_bytes());
        out.push(8); //                           address size
        out.push(UNIT);
        out.push(self.language());
        string(out, self.files.first().map_or(&[], |file| &file.name));
        string(out, self.directory());
        out.extend(lines.to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend(self.size.to_le_bytes());
        let mut origins = vec![0; self.subprograms.len()];
        for call in &self.inlined {
            let index = call.subprogram as usize;
            if let (Some(origin @ 0), Some(callee)) = (origins.get_mut(index), self.subprograms.get(index)) {
                *origin = (out.len() - unit) as u32;
                callee.append(out, ABSTRACT, |out| out.push(WAS_INLINED));
            }
        }
        if let Some(own) = self.subprograms.first() {
            own.append(out, CONCRETE, |out| {
                out.extend(start.to_le_bytes());
                out.extend(self.size.to_le_bytes());
            });
            self.append_inlined(out, &origins, ranges);
            out.push(0);
        }
        out.push(0);
        let length = (out.len() - unit - 4) as u32;
        out[unit..unit + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// The tree of inlined calls, depth first, without recursion.
    fn append_inlined(&self, out: &mut Vec<u8>, origins: &[u32], ranges: &[u32]) {
        let mut children: BTreeMap<Option<u32>, Vec<u32>> = BTreeMap::new();
        for (index, call) in self.inlined.iter().enumerate().rev() {
            // Nothing is inside itself.
            let parent = call.parent.filter(|parent| (*parent as usize) < index);
            children.entry(parent).or_default().push(index as u32);
        }
        // None: the end of a list of children.
        let mut open: Vec<Option<u32>> = Vec::new();
        open.extend(children.remove(&None).unwrap_or_default().into_iter().map(Some));
        while let Some(next) = open.pop() {
            let Some(index) = next else {
                out.push(0);
                continue;
            };
            let call = &self.inlined[index as usize];
            out.push(INLINED);
            out.extend(origins.get(call.subprogram as usize).copied().unwrap_or(0).to_le_bytes());
            out.extend(ranges[index as usize].to_le_bytes());
            let (file, line, column) = call.call;
            uleb(out, file + 1);
            uleb(out, line);
            uleb(out, column);
            open.push(None);
            open.extend(children.remove(&Some(index)).unwrap_or_default().into_iter().map(Some));
        }
    }

    /// The code that belongs to an inlined call, and to those inside it.
    fn ranges(&self, inlined: u32) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            let end = self.rows.get(number + 1).map_or(self.size, |next| next.offset);
            if row.offset >= end || !self.is_in(row.inlined, inlined) {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.1 == row.offset => last.1 = end,
                _ => ranges.push((row.offset, end)),
            }
        }
        ranges
    }

    fn is_in(&self, mut inner: Option<u32>, outer: u32) -> bool {
        while let Some(index) = inner {
            if index <= outer {
                return index == outer;
            }
            // Parents are smaller.
            inner = self.inlined.get(index as usize).and_then(|call| call.parent).filter(|it| *it < index);
        }
        false
    }

    fn append_lines(&self, out: &mut Vec<u8>, start: u64) {
        let unit = out.len();
        out.extend([0; 4]); //                    unit length
        out.extend(VERSION.to_le_bytes());
        out.extend([0; 4]); //                    header length
        // Instruction length, operations, is_stmt, the special opcodes, and operands of the standard ones.
        out.extend([1, 1, 1, LINE_BASE as u8, LINE_RANGE, OPCODE_BASE, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]);
        let mut directories: Vec<&[u8]> = Vec::new();
        let mut numbers = Vec::new();
        for file in &self.files {
            // Number 0 is the unit's.
            let number = if file.directory == self.directory() {
                0
            } else {
                let known = directories.iter().position(|directory| *directory == file.directory);
                known.unwrap_or_else(|| {
                    directories.push(&file.directory);
                    directories.len() - 1
                }) + 1
            };
            numbers.push(number as u32);
        }
        directories.iter().for_each(|directory| string(out, directory));
        out.push(0);
        for (file, number) in self.files.iter().zip(numbers) {
            string(out, &file.name);
            uleb(out, number);
            out.extend([0, 0]); //                time and size are unknown
        }
        out.push(0);
        let header = (out.len() - unit - 10) as u32;
        out[unit + 6..unit + 10].copy_from_slice(&header.to_le_bytes());

        out.extend([0, 9, SET_ADDRESS]);
        out.extend(start.to_le_bytes());
        let (mut offset, mut file, mut line, mut column) = (0, 0, 1, 0);
        for row in &self.rows {
            if row.file != file {
                out.push(SET_FILE);
                uleb(out, row.file + 1);
            }
            if row.column != column {
                out.push(SET_COLUMN);
                uleb(out, row.column);
            }
            advance(out, row.offset.saturating_sub(offset), i64::from(row.line) - i64::from(line));
            (offset, file, line, column) = (row.offset, row.file, row.line, row.column);
        }
        out.push(ADVANCE_PC);
        uleb(out, self.size.saturating_sub(offset));
        out.extend([0, 1, END_SEQUENCE]);
        let length = (out.len() - unit - 4) as u32;
        out[unit..unit + 4].copy_from_slice(&length.to_le_bytes());
    }
}

impl Subprogram {
    fn append(&self, out: &mut Vec<u8>, code: u8, rest: impl FnOnce(&mut Vec<u8>)) {
        let has_symbol = !self.linkage_name.is_empty();
        out.push(code + u8::from(has_symbol));
        string(out, &self.name);
        uleb(out, self.file + 1);
        uleb(out, self.line);
        rest(out);
        if has_symbol {
            string(out, &self.linkage_name);
        }
    }
}

const LINE_BASE: i8 = -5;
const LINE_RANGE: u8 = 14;
const OPCODE_BASE: u8 = 13;
pub(crate) const COPY: u8 = 1;
const ADVANCE_PC: u8 = 2;
pub(crate) const ADVANCE_LINE: u8 = 3;
pub(crate) const SET_FILE: u8 = 4;
const SET_COLUMN: u8 = 5;
pub(crate) const FIXED_ADVANCE_PC: u8 = 9;
pub(crate) const END_SEQUENCE: u8 = 1;
pub(crate) const SET_ADDRESS: u8 = 2;

/// A row, so many bytes and lines behind the last.
fn advance(out: &mut Vec<u8>, bytes: u32, lines: i64) {
    let special = |bytes: u32, lines: i64| {
        let line = u8::try_from(lines - i64::from(LINE_BASE)).ok().filter(|line| *line < LINE_RANGE)?;
        let opcode = bytes.checked_mul(LINE_RANGE.into())?.checked_add(u32::from(line + OPCODE_BASE))?;
        u8::try_from(opcode).ok()
    };
    if let Some(opcode) = special(bytes, lines) {
        out.push(opcode);
        return;
    }
    out.push(ADVANCE_PC);
    uleb(out, bytes);
    if let Some(opcode) = special(0, lines) {
        out.push(opcode);
        return;
    }
    out.push(ADVANCE_LINE);
    sleb(out, lines);
    out.push(COPY);
}

fn abbreviation_table() -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    for ((tag, has_children, attributes), code) in TABLE.iter().zip(1..) {
        out.extend([code, *tag, u8::from(*has_children)]);
        attributes.iter().for_each(|(attribute, form)| out.extend([*attribute, *form]));
        out.extend([0, 0]);
    }
    out.push(0);
    out
}

/// A string ends at its first zero.
fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().take_while(|byte| **byte != 0));
    out.push(0);
}

fn uleb(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn sleb(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = value as u8 & 0x7f;
        value >>= 7;
        let is_last = value == if byte & 0x40 == 0 { 0 } else { -1 };
        out.push(if is_last { byte } else { byte | 0x80 });
        if is_last {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(offset: u32, line: u32, inlined: Option<u32>) -> Row {
        Row { offset, file: 0, line, column: 0, inlined }
    }

    #[test]
    fn rows_take_a_byte_if_they_are_near() {
        let bytes = |bytes, lines| {
            let mut out = Vec::new();
            advance(&mut out, bytes, lines);
            out
        };
        assert_eq!(bytes(0, 0), [18]);
        assert_eq!(bytes(3, 8), [13 + 13 + 42]);
        assert_eq!(bytes(40, 1), [ADVANCE_PC, 40, 19]);
        assert_eq!(bytes(200, -6), [ADVANCE_PC, 0xc8, 1, ADVANCE_LINE, 0x7a, COPY]);
        assert_eq!(bytes(0, 64), [ADVANCE_PC, 0, ADVANCE_LINE, 0xc0, 0, COPY]);
    }

    #[test]
    fn inlined_calls_have_the_code_of_those_in_them() {
        let call = |parent| Inlined { subprogram: 1, parent, call: (0, 1, 1) };
        let lines = FunctionLines {
            size: 40,
            inlined: vec![call(None), call(Some(0)), call(None)],
            rows: vec![
                row(0, 1, None),
                row(4, 2, Some(0)),
                row(8, 3, Some(1)),
                row(12, 1, None),
                row(16, 2, Some(0)),
                row(20, 9, Some(2)),
            ],
            ..FunctionLines::default()
        };
        assert_eq!(lines.ranges(0), [(4, 12), (16, 20)]);
        assert_eq!(lines.ranges(1), [(8, 12)]);
        assert_eq!(lines.ranges(2), [(20, 40)]);
    }

    #[test]
    fn numbers_that_lead_nowhere_are_no_errors() {
        let inlined = Inlined { subprogram: 7, parent: Some(0), call: (9, 1, 1) };
        let lines = FunctionLines { size: 1, inlined: vec![inlined], ..FunctionLines::default() };
        let mut sections = Sections::new();
        lines.append(&mut sections, 0);
        lines.append(&mut sections, 0);
        let info = &sections[INFO];
        let length = u32::from_le_bytes(*info.first_chunk().expect("a length")) as usize;
        assert_eq!(info.len(), 2 * (length + 4));
    }
}
