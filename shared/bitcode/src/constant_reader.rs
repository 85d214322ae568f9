//! Reads a block of constants, of the module or of a function.
//!
//! Operands of constants may come later in the block, so that they exist, have the right types and lead to no cycle is
//! checked when the block is read.

use crate::abbreviations::{Encoding, Field};
use crate::bits::signed;
use crate::casts;
use crate::constants::{Constants, DEPTH, Entry, Kind, Numbers};
use crate::opcode::{Flags, Opcode, Predicate};
use crate::stream::{Array, Head, Next, Reader, Record};
use crate::types::Kind as TypeKind;
use crate::{Global, GlobalKind, Reason, Result, TypeId, TypeTable, Value};

/// Memory that is used again for each block.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub record: Record,
    /// Values that must exist in the end, with the types that they must have.
    pub pending: Vec<(Value, TypeId)>,
    marks: Vec<u32>,
    stack: Vec<(u32, u32)>,
}

/// The widest integer constants, in bits: a few bits of input must not become a megabyte each.
const WIDEST: u32 = 4096;

/// For a value in `pending` that may have any type.
pub(crate) const ANY: TypeId = TypeId(u32::MAX);

/// What a constant block is read into, and what it may refer to.
pub(crate) struct ConstantReader<'m> {
    pub types: &'m TypeTable,
    pub globals: &'m [Global],
    pub table: &'m mut Constants,
    /// The type of each constant is added here.
    pub value_types: &'m mut Vec<TypeId>,
    pub scratch: &'m mut Scratch,
    /// Whether data is copied: the bits do not stay.
    pub copies: bool,
}

type Read<T> = core::result::Result<T, Reason>;

/// The forms of records of addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Address {
    /// Type and operands.
    Plain,
    /// The same, within bounds.
    InBounds,
    /// With flags.
    Flagged,
    /// With flags and a range.
    Ranged,
    /// With a flag and the number of an operand.
    Indexed,
}

impl ConstantReader<'_> {
    /// Reads the block. What is pending afterwards is the caller's to check.
    pub fn read(&mut self, reader: &mut Reader<'_, '_>) -> Result<()> {
        let mut current = None;
        loop {
            match reader.next()? {
                Next::End => return Ok(()),
                Next::Block(_) => return Err(reader.error(Reason::Block)),
                Next::Record(abbreviation) => {
                    let head = reader.head(abbreviation)?;
                    if head.code == 1 {
                        let record = reader.fields(head, &mut self.scratch.record)?;
                        current = set_type(self.types, record);
                        if current.is_none() {
                            return Err(reader.error(Reason::Type));
                        }
                        continue;
                    }
                    let Some(ty) = current else { return Err(reader.error(Reason::Structure)) };
                    let entry = match head.code {
                        8 | 9 | 22 => self.data(reader, head, ty)?,
                        _ => {
                            let mut record = core::mem::take(&mut self.scratch.record);
                            let fields = reader.fields(head, &mut record)?;
                            let entry = self
                                .constant(head.code, ty, fields)
                                .map_err(|reason| reader.error(reason))?;
                            self.scratch.record = record;
                            entry
                        }
                    };
                    if self.table.entries.len() >= 1 << 29 {
                        return Err(reader.error(Reason::TooLarge));
                    }
                    self.table.entries.push(entry);
                    self.value_types.push(ty);
                }
            }
        }
    }

    fn constant(&mut self, code: u32, ty: TypeId, record: &[u64]) -> Read<Entry> {
        match (code, record) {
            (2, []) => self.null(ty),
            (3, []) => Ok(leaf(Kind::Undef, 0)),
            (26, []) => Ok(leaf(Kind::Poison, 0)),
            (4, &[value]) => self.integer(ty, value),
            (5, words) => self.wide_integer(ty, words),
            (6, words) => self.float(ty, words),
            (7, values) => self.aggregate(ty, values),
            (10, _) => self.binary(ty, record),
            (11, _) => self.cast(ty, record),
            (31, _) => self.address(ty, Address::Ranged, record),
            (32, _) => self.address(ty, Address::Flagged, record),
            // What LLVM before 19 wrote.
            (12, _) => self.address(ty, Address::Plain, record),
            (20, _) => self.address(ty, Address::InBounds, record),
            (24, _) => self.address(ty, Address::Indexed, record),
            (14, &[vector_type, vector, index_type, index]) => {
                let vector_type = self.ty(vector_type)?;
                if self.types.kind(vector_type) != TypeKind::Vector || self.types.scalar(vector_type) != ty {
                    return Err(Reason::ValueType);
                }
                let index_type = self.ty(index_type)?;
                self.values(Kind::ExtractElement, &[(vector, vector_type), (index, index_type)])
            }
            (15, &[vector, element, index_type, index]) => {
                if self.types.kind(ty) != TypeKind::Vector {
                    return Err(Reason::ValueType);
                }
                let index_type = self.ty(index_type)?;
                let element_type = self.types.scalar(ty);
                self.values(
                    Kind::InsertElement,
                    &[(vector, ty), (element, element_type), (index, index_type)],
                )
            }
            (16, &[left, right, mask]) => self.shuffle(ty, ty, left, right, mask),
            (19, &[operands, left, right, mask]) => {
                let operands = self.ty(operands)?;
                self.shuffle(ty, operands, left, right, mask)
            }
            (21, &[_, function, block]) => {
                let (function, block) = (self.global(function)?, number(block)?);
                if self.globals.get(function.0 as usize).map(|global| global.kind)
                    != Some(GlobalKind::Function)
                {
                    return Err(Reason::Value);
                }
                Ok(leaf(Kind::BlockAddress, Entry::range(function.0 as usize, block as usize)))
            }
            (27, &[_, global]) => Ok(leaf(Kind::DsoLocalEquivalent, self.global(global)?.0.into())),
            (29, &[_, global]) => Ok(leaf(Kind::NoCfi, self.global(global)?.0.into())),
            (33, values @ [_, _, _, _]) | (34, values @ [_, _, _, _, _]) => {
                let start = self.table.values.len();
                for &value in values {
                    self.operand(value, ANY)?;
                }
                Ok(leaf(Kind::PtrAuth, Entry::range(start, values.len())))
            }
            (30, _) => self.inline_assembly(record),
            (13, &[condition, yes, no]) => self.choice(ty, condition, yes, no),
            (17, &[operands, left, right, predicate]) => {
                self.comparison(ty, operands, left, right, predicate)
            }
            (25, &[0, value]) | (25, &[0, value, _]) if self.types.kind(self.types.scalar(ty)).is_float() => {
                self.values(Kind::Former, &[(value, ty)])
            }
            // Inline assembly without its function type, which only typed pointers had.
            (18 | 23 | 28, _) => Err(Reason::Unsupported),
            (2..=34, _) => Err(Reason::Record),
            _ => Err(Reason::UnknownRecord),
        }
    }

    fn ty(&self, id: u64) -> Read<TypeId> {
        let id = TypeId(number(id)?);
        self.types.entry(id).map(|_| id).ok_or(Reason::Type)
    }

    fn global(&self, id: u64) -> Read<Value> {
        let id = number(id)?;
        if (id as usize) < self.globals.len() { Ok(Value(id)) } else { Err(Reason::Value) }
    }

    /// Adds a value to the pool, and to what must exist with this type.
    fn operand(&mut self, id: u64, ty: TypeId) -> Read<()> {
        let value = Value(number(id)?);
        self.table.values.push(value);
        self.scratch.pending.push((value, ty));
        Ok(())
    }

    fn values(&mut self, kind: Kind, values: &[(u64, TypeId)]) -> Read<Entry> {
        let start = self.table.values.len();
        for &(value, ty) in values {
            self.operand(value, ty)?;
        }
        Ok(leaf(kind, Entry::range(start, values.len())))
    }

    /// Zero: numbers as numbers, so that there is one form for each.
    fn null(&mut self, ty: TypeId) -> Read<Entry> {
        Ok(match self.types.entry(ty) {
            Some(entry) if entry.kind == TypeKind::Int && entry.a <= 64 => leaf(Kind::Int, 0),
            Some(entry) if entry.kind == TypeKind::Int && entry.a > WIDEST => {
                return Err(Reason::Unsupported);
            }
            Some(entry) if entry.kind == TypeKind::Int => {
                let (start, count) = (self.table.words.len(), entry.a.div_ceil(64) as usize);
                self.table.words.resize(start + count, 0);
                leaf(Kind::WideInt, Entry::range(start, count))
            }
            Some(entry) if entry.kind.is_float() => leaf(Kind::Float, 0),
            _ => leaf(Kind::Null, 0),
        })
    }

    fn width(&self, ty: TypeId) -> Read<u32> {
        match self.types.entry(ty) {
            Some(entry) if entry.kind == TypeKind::Int && entry.a > WIDEST => Err(Reason::Unsupported),
            Some(entry) if entry.kind == TypeKind::Int => Ok(entry.a),
            // A vector of one number: LLVM writes it only when told to.
            Some(entry) if entry.kind == TypeKind::Vector => Err(Reason::Unsupported),
            _ => Err(Reason::ValueType),
        }
    }

    fn integer(&mut self, ty: TypeId, value: u64) -> Read<Entry> {
        let width = self.width(ty)?;
        if width > 64 {
            return self.wide_integer(ty, &[value]);
        }
        let value = signed(value);
        let extended = value << (64 - width) >> (64 - width);
        if extended != value {
            return Err(Reason::Record);
        }
        Ok(leaf(Kind::Int, value as u64))
    }

    fn wide_integer(&mut self, ty: TypeId, words: &[u64]) -> Read<Entry> {
        let width = self.width(ty)?;
        let count = width.div_ceil(64) as usize;
        if width <= 64 || words.is_empty() || words.len() > count {
            return Err(Reason::Record);
        }
        let start = self.table.words.len();
        self.table.words.extend(words.iter().map(|&word| signed(word) as u64));
        self.table.words.resize(start + count, 0);
        // Bits above the width must be zero.
        let above = width % 64;
        if above != 0 && self.table.words.last().is_some_and(|word| word >> above != 0) {
            return Err(Reason::Record);
        }
        Ok(leaf(Kind::WideInt, Entry::range(start, count)))
    }

    fn float(&mut self, ty: TypeId, words: &[u64]) -> Read<Entry> {
        let narrow = |bits: u64, greatest: u64| {
            if bits <= greatest { Ok(leaf(Kind::Float, bits)) } else { Err(Reason::Record) }
        };
        match (self.types.kind(ty), words) {
            (TypeKind::Half | TypeKind::BFloat, &[bits]) => narrow(bits, 0xffff),
            (TypeKind::Float, &[bits]) => narrow(bits, 0xffff_ffff),
            (TypeKind::Double, &[bits]) => narrow(bits, u64::MAX),
            // Sign, exponent and the upper 48 bits; then the lower 16.
            (TypeKind::X86Fp80, &[upper, lower @ 0..=0xffff]) => {
                Ok(self.long(lower | upper << 16, upper >> 48))
            }
            (TypeKind::Fp128 | TypeKind::PpcFp128, &[lower, upper]) => Ok(self.long(lower, upper)),
            (TypeKind::Vector, _) => Err(Reason::Unsupported),
            _ => Err(Reason::Record),
        }
    }

    fn long(&mut self, lower: u64, upper: u64) -> Entry {
        let start = self.table.words.len();
        self.table.words.extend([lower, upper]);
        Entry { source: 1, ..leaf(Kind::Float, Entry::range(start, 2)) }
    }

    fn aggregate(&mut self, ty: TypeId, values: &[u64]) -> Read<Entry> {
        if self.types.parts_of(ty) != Some(values.len() as u64) {
            return Err(Reason::Record);
        }
        let start = self.table.values.len();
        for (index, &value) in values.iter().enumerate() {
            let part = self.types.contained(ty, index as u64).ok_or(Reason::Type)?;
            self.operand(value, part)?;
        }
        Ok(leaf(Kind::Aggregate, Entry::range(start, values.len())))
    }

    fn binary(&mut self, ty: TypeId, record: &[u64]) -> Read<Entry> {
        let (&[opcode, left, right], flags) = record.split_first_chunk().ok_or(Reason::Record)?;
        let floating = self.types.kind(self.types.scalar(ty)).is_float();
        let opcode = casts::binary(opcode, floating).ok_or(Reason::Record)?;
        let flags = match *flags {
            [] => Flags::NONE,
            [flags] => casts::binary_flags(opcode, flags).ok_or(Reason::Record)?,
            _ => return Err(Reason::Record),
        };
        Ok(Entry { opcode, flags, ..self.values(Kind::Binary, &[(left, ty), (right, ty)])? })
    }

    fn cast(&mut self, ty: TypeId, record: &[u64]) -> Read<Entry> {
        let (&[opcode, from, value], flags) = record.split_first_chunk().ok_or(Reason::Record)?;
        let from = self.ty(from)?;
        let opcode = casts::cast(opcode).ok_or(Reason::Record)?;
        if !casts::is_valid(self.types, opcode, from, ty) {
            return Err(Reason::ValueType);
        }
        let flags = match *flags {
            [] => Flags::NONE,
            [flags] => casts::cast_flags(opcode, flags).ok_or(Reason::Record)?,
            _ => return Err(Reason::Record),
        };
        Ok(Entry { opcode, flags, ..self.values(Kind::Cast, &[(value, from)])? })
    }

    fn address(&mut self, ty: TypeId, form: Address, record: &[u64]) -> Read<Entry> {
        let (&source, mut rest) = record.split_first().ok_or(Reason::Record)?;
        let source = self.ty(source)?;
        let flags = match form {
            Address::Plain => 0,
            Address::InBounds => 1,
            Address::Flagged | Address::Ranged | Address::Indexed => {
                let (&flags, behind) = rest.split_first().ok_or(Reason::Record)?;
                rest = behind;
                // The index that the address stays within lies above.
                if form == Address::Indexed { flags & 1 } else { flags }
            }
        };
        let flags = casts::address_flags(flags).ok_or(Reason::Record)?;
        if form == Address::Ranged {
            // Width and bounds; wider ones begin with the number of words of each.
            let (&[width, first], _) = rest.split_first_chunk().ok_or(Reason::Record)?;
            let bounds = if width <= 64 { 2 } else { (first & 0xffff_ffff).saturating_add(first >> 32) + 1 };
            let end = usize::try_from(bounds + 1).map_err(|_| Reason::Record)?;
            let (range, behind) = rest.split_at_checked(end).ok_or(Reason::Record)?;
            let number = self.table.entries.len() as u32;
            self.table.ranges.push((number, self.table.words.len() as u32, range.len() as u32));
            self.table.words.extend_from_slice(range);
            rest = behind;
        }
        if rest.is_empty() || rest.len() % 2 != 0 {
            return Err(Reason::Record);
        }
        let start = self.table.values.len();
        for pair in rest.chunks_exact(2) {
            let ty = self.ty(pair[0])?;
            self.operand(pair[1], ty)?;
        }
        let base = self.ty(rest[0])?;
        let pointer = |ty| self.types.kind(self.types.scalar(ty)) == TypeKind::Pointer;
        if !pointer(base) || !pointer(ty) {
            return Err(Reason::ValueType);
        }
        let entry = leaf(Kind::GetElementPtr, Entry::range(start, rest.len() / 2));
        Ok(Entry { flags, source: source.0, ..entry })
    }

    fn shuffle(&mut self, ty: TypeId, operands: TypeId, left: u64, right: u64, mask: u64) -> Read<Entry> {
        let vector = |ty| self.types.kind(ty) == TypeKind::Vector;
        if !vector(ty) || !vector(operands) || self.types.scalar(ty) != self.types.scalar(operands) {
            return Err(Reason::ValueType);
        }
        self.values(Kind::ShuffleVector, &[(left, operands), (right, operands), (mask, ANY)])
    }

    /// A choice between constants.
    fn choice(&mut self, ty: TypeId, condition: u64, yes: u64, no: u64) -> Read<Entry> {
        self.values(Kind::Former, &[(condition, ANY), (yes, ty), (no, ty)])
    }

    /// A comparison of constants.
    fn comparison(
        &mut self,
        ty: TypeId,
        operands: u64,
        left: u64,
        right: u64,
        predicate: u64,
    ) -> Read<Entry> {
        let operands = self.ty(operands)?;
        let floating = match self.types.kind(self.types.scalar(operands)) {
            TypeKind::Int | TypeKind::Pointer => false,
            kind if kind.is_float() => true,
            _ => return Err(Reason::ValueType),
        };
        if Predicate::from_encoded(predicate).is_none() || (predicate < 32) != floating {
            return Err(Reason::Record);
        }
        if self.types.shaped(operands, self.types.computed.bool) != Some(ty) {
            return Err(Reason::ValueType);
        }
        self.values(Kind::Former, &[(left, operands), (right, operands)])
    }

    fn inline_assembly(&mut self, record: &[u64]) -> Read<Entry> {
        let (&[ty, flags, length], rest) = record.split_first_chunk().ok_or(Reason::Record)?;
        let ty = self.ty(ty)?;
        if self.types.kind(ty) != TypeKind::Function || flags > 15 {
            return Err(Reason::Record);
        }
        let split =
            |length: u64, from: &[u64]| usize::try_from(length).ok().filter(|&length| length <= from.len());
        let (text, rest) = rest.split_at(split(length, rest).ok_or(Reason::Record)?);
        let (&length, constraints) = rest.split_first().ok_or(Reason::Record)?;
        if length != constraints.len() as u64 {
            return Err(Reason::Record);
        }
        let start = self.table.bytes.len();
        for &character in text.iter().chain(constraints) {
            self.table.bytes.push(u8::try_from(character).map_err(|_| Reason::Record)?);
        }
        let source = self.table.words.len() as u32;
        self.table.words.extend([length, ty.0.into()]);
        let entry = leaf(Kind::InlineAsm, Entry::range(start, text.len()));
        Ok(Entry { flags: Flags(flags as u32), source, ..entry })
    }

    /// A string or an array or vector of numbers, which is not decoded.
    fn data(&mut self, reader: &mut Reader<'_, '_>, head: Head, ty: TypeId) -> Result<Entry> {
        let array = reader.array(head)?;
        let terminated = head.code == 9;
        let mut data =
            Numbers { bit: array.bit, written: array.count, encoding: encode(array.element), terminated };
        let element = self.types.contained(ty, 0).map_or(TypeKind::Void, |element| self.types.kind(element));
        let bits = self
            .types
            .contained(ty, 0)
            .and_then(|element| self.types.layout(element))
            .map_or(0, |it| it.bits);
        let right = match head.code {
            22 => matches!(bits, 8 | 16 | 32 | 64) && (element == TypeKind::Int || element.is_float()),
            _ => element == TypeKind::Int && bits == 8,
        };
        let sequence = matches!(self.types.kind(ty), TypeKind::Array | TypeKind::Vector);
        if !right || !sequence || self.types.parts_of(ty) != Some(data.len() as u64) {
            return Err(reader.error(Reason::ValueType));
        }
        if self.copies {
            data.bit = self.table.bytes.len() as u64 * 8 + data.bit % 8;
            self.table.bytes.extend_from_slice(reader.cursor.since(array.bit));
        }
        self.table.data.push(data);
        Ok(leaf(Kind::Data, self.table.data.len() as u64 - 1))
    }
}

fn set_type(types: &TypeTable, record: &[u64]) -> Option<TypeId> {
    let &[id] = record else { return None };
    let id = TypeId(u32::try_from(id).ok()?);
    let kind = types.entry(id)?.kind;
    (!matches!(kind, TypeKind::Void | TypeKind::Function | TypeKind::Label | TypeKind::Metadata))
        .then_some(id)
}

fn number(value: u64) -> Read<u32> {
    if value < 1 << 31 { Ok(value as u32) } else { Err(Reason::Value) }
}

const fn leaf(kind: Kind, payload: u64) -> Entry {
    Entry { kind, opcode: Opcode::Unreachable, flags: Flags::NONE, source: 0, payload }
}

const fn encode(field: Field) -> u8 {
    match field.encoding {
        Encoding::Vbr => field.width | 0x80,
        Encoding::Char6 => 0xff,
        _ => field.width,
    }
}

/// The array that numbers are read as.
pub(crate) const fn array(data: &Numbers) -> Array {
    let element = match data.encoding {
        0xff => Field::char6(),
        width if width & 0x80 != 0 => Field::vbr(width & 0x7f),
        width => Field::fixed(width),
    };
    Array { bit: data.bit, count: data.written, element }
}

/// Whether no constant of a table, whose first value is `base`, contains itself or is nested too deeply.
pub(crate) fn nesting_is_finite(table: &Constants, base: u32, scratch: &mut Scratch) -> bool {
    if table.values.is_empty() {
        return true;
    }
    const OPEN: u32 = u32::MAX;
    // 0: not seen; else its nesting and one.
    let Scratch { marks, stack, .. } = scratch;
    marks.clear();
    marks.resize(table.entries.len(), 0);
    stack.clear();
    for root in 0..table.entries.len() as u32 {
        if marks[root as usize] != 0 {
            continue;
        }
        stack.push((root, 0));
        while let Some((index, next)) = stack.pop() {
            let entry = &table.entries[index as usize];
            let values = table.operands(entry);
            if next == 0 {
                marks[index as usize] = OPEN;
            }
            let Some(&value) = values.get(next as usize) else {
                let inner =
                    |value: &Value| marks.get(value.0.wrapping_sub(base) as usize).copied().unwrap_or(0);
                let depth = 1 + values.iter().map(inner).max().unwrap_or(0);
                if depth > DEPTH {
                    return false;
                }
                marks[index as usize] = depth;
                continue;
            };
            stack.push((index, next + 1));
            let inner = value.0.wrapping_sub(base);
            match marks.get(inner as usize) {
                Some(&OPEN) => return false,
                Some(0) => stack.push((inner, 0)),
                _ => {}
            }
        }
    }
    true
}
