//! Reads the type block, and lays types out.

use crate::stream::{Next, Reader, Record};
use crate::types::{Entry, Kind};
use crate::{Layout, Reason, Result, TypeId, TypeTable};

/// The greatest nesting of types.
const DEPTH: u32 = 1024;
/// No size may be greater, in bytes, so that sums of a few do not overflow.
const GREATEST: u64 = 1 << 60;

struct TypeReader<'t> {
    table: &'t mut TypeTable,
    /// Nesting of each type.
    depths: Vec<u32>,
    /// The name for the structure that comes next.
    name: (u32, u32),
}

/// Reads the block into the table.
pub(crate) fn read(reader: &mut Reader<'_, '_>, table: &mut TypeTable) -> Result<()> {
    let mut types = TypeReader { table, depths: Vec::new(), name: (0, 0) };
    let mut announced = None;
    let mut record = Record::default();
    loop {
        match reader.next()? {
            Next::End => break,
            Next::Block(_) => return Err(reader.error(Reason::Block)),
            Next::Record(abbreviation) => {
                let head = reader.head(abbreviation)?;
                match (head.code, reader.fields(head, &mut record)?) {
                    (1, &[count]) => announced = Some(count),
                    (1, _) => return Err(reader.error(Reason::Record)),
                    (19, name) => types.name = types.bytes(name).ok_or(reader.error(Reason::Record))?,
                    (code, fields) => types.define(code, fields).map_err(|reason| reader.error(reason))?,
                }
            }
        }
    }
    if announced != Some(types.table.entries.len() as u64) {
        return Err(reader.error(Reason::Type));
    }
    Ok(())
}

type Defined = core::result::Result<(), Reason>;

impl TypeReader<'_> {
    fn bytes(&mut self, characters: &[u64]) -> Option<(u32, u32)> {
        let start = self.table.name_bytes.len();
        for &character in characters {
            self.table.name_bytes.push(u8::try_from(character).ok()?);
        }
        Some((start as u32, characters.len() as u32))
    }

    fn define(&mut self, code: u32, fields: &[u64]) -> Defined {
        let simple = |kind| (kind, fields.is_empty());
        let (kind, right) = match code {
            2 => simple(Kind::Void),
            3 => simple(Kind::Float),
            4 => simple(Kind::Double),
            5 => simple(Kind::Label),
            10 => simple(Kind::Half),
            13 => simple(Kind::X86Fp80),
            14 => simple(Kind::Fp128),
            15 => simple(Kind::PpcFp128),
            16 => simple(Kind::Metadata),
            22 => simple(Kind::Token),
            23 => simple(Kind::BFloat),
            24 => simple(Kind::X86Amx),
            6 => (Kind::Opaque, fields == [0]),
            7 => return self.integer(fields),
            8 => return Err(Reason::TypedPointer),
            25 => return self.pointer(fields),
            11 | 12 => return self.sequence(code == 12, fields),
            18 | 20 => return self.structure(code == 20, fields),
            21 => return self.function(fields),
            26 => {
                self.name = (0, 0);
                (Kind::TargetExt, true)
            }
            9 | 17 => return Err(Reason::Unsupported),
            _ => return Err(Reason::UnknownRecord),
        };
        if !right {
            return Err(Reason::Record);
        }
        self.push(Entry { kind, flag: false, a: 0, b: 0, c: 0 }, 0);
        Ok(())
    }

    /// Takes the name only if it is a structure's that may have one.
    fn push(&mut self, entry: Entry, depth: u32) {
        let name = match entry.kind {
            Kind::Opaque => core::mem::take(&mut self.name),
            Kind::Struct if entry.c == 1 => core::mem::take(&mut self.name),
            _ => (0, 0),
        };
        let layout = layout(self.table, &entry);
        self.table.index(&entry);
        self.table.entries.push(entry);
        self.table.layouts.push(layout);
        self.table.names.push(name);
        self.depths.push(depth);
    }

    /// A type that is contained in the next one: it must be there already, which is why no type contains itself.
    fn part(&self, id: u64, depth: &mut u32) -> core::result::Result<(TypeId, Kind), Reason> {
        let index = usize::try_from(id).map_err(|_| Reason::Type)?;
        let entry = self.table.entries.get(index).ok_or(Reason::Type)?;
        let nested = self.depths.get(index).map_or(0, |depth| depth + 1);
        if nested > DEPTH {
            return Err(Reason::NestedType);
        }
        *depth = nested.max(*depth);
        Ok((TypeId(id as u32), entry.kind))
    }

    fn integer(&mut self, fields: &[u64]) -> Defined {
        match *fields {
            [width @ 1..=0x80_0000] => {
                self.push(Entry { kind: Kind::Int, flag: false, a: width as u32, b: 0, c: 0 }, 0);
                Ok(())
            }
            _ => Err(Reason::Record),
        }
    }

    fn pointer(&mut self, fields: &[u64]) -> Defined {
        match *fields {
            [space @ 0..=0xff_ffff] => {
                self.push(Entry { kind: Kind::Pointer, flag: false, a: space as u32, b: 0, c: 0 }, 0);
                Ok(())
            }
            _ => Err(Reason::Record),
        }
    }

    fn sequence(&mut self, vector: bool, fields: &[u64]) -> Defined {
        let (count, element, scalable) = match *fields {
            [count, element] => (count, element, false),
            [count, element, scalable @ 0..=1] if vector => (count, element, scalable == 1),
            _ => return Err(Reason::Record),
        };
        let mut depth = 0;
        let (element, inner) = self.part(element, &mut depth)?;
        let kind = if vector { Kind::Vector } else { Kind::Array };
        let right = if vector {
            let scalar = matches!(inner, Kind::Int | Kind::Pointer | Kind::TargetExt) || inner.is_float();
            scalar && (1..=u32::MAX.into()).contains(&count)
        } else {
            inner.is_storable()
        };
        if !right {
            return Err(Reason::Type);
        }
        self.push(Entry { kind, flag: scalable, a: element.0, b: count, c: 0 }, depth);
        Ok(())
    }

    fn structure(&mut self, named: bool, fields: &[u64]) -> Defined {
        let (&packed, fields) = fields.split_first().ok_or(Reason::Record)?;
        if packed > 1 {
            return Err(Reason::Record);
        }
        let first = self.table.parts.len();
        let mut depth = 0;
        for &field in fields {
            let (field, kind) = self.part(field, &mut depth)?;
            if !kind.is_storable() {
                return Err(Reason::Type);
            }
            self.table.parts.push(field);
            self.table.offsets.push(0);
        }
        let kind = Kind::Struct;
        let count = fields.len() as u64;
        self.push(Entry { kind, flag: packed == 1, a: first as u32, b: count, c: named.into() }, depth);
        Ok(())
    }

    fn function(&mut self, fields: &[u64]) -> Defined {
        let [variadic @ 0..=1, result, ref parameters @ ..] = *fields else { return Err(Reason::Record) };
        let mut depth = 0;
        let (result, kind) = self.part(result, &mut depth)?;
        if matches!(kind, Kind::Function | Kind::Label | Kind::Metadata) {
            return Err(Reason::Type);
        }
        let first = self.table.parts.len();
        for &parameter in parameters {
            let (parameter, kind) = self.part(parameter, &mut depth)?;
            if matches!(kind, Kind::Function | Kind::Void) {
                return Err(Reason::Type);
            }
            self.table.parts.push(parameter);
            self.table.offsets.push(0);
        }
        let count = parameters.len() as u64;
        let entry =
            Entry { kind: Kind::Function, flag: variadic == 1, a: result.0, b: count, c: first as u32 };
        self.push(entry, depth);
        Ok(())
    }
}

/// Size and alignment by the rules of x86-64's data layout; of a structure also where its fields begin.
fn layout(table: &mut TypeTable, entry: &Entry) -> Option<Layout> {
    let of = |bits: u64, align: u32| {
        let size = bits.div_ceil(8).next_multiple_of(align.into());
        (size <= GREATEST).then_some(Layout { bits, size, align })
    };
    match entry.kind {
        Kind::Half | Kind::BFloat => of(16, 2),
        Kind::Float => of(32, 4),
        Kind::Double => of(64, 8),
        Kind::X86Fp80 => of(80, 16),
        Kind::Fp128 | Kind::PpcFp128 => of(128, 16),
        Kind::X86Amx => of(8192, 64),
        Kind::Int => {
            let bytes = entry.a.div_ceil(8).next_power_of_two();
            of(entry.a.into(), bytes.min(16))
        }
        // Address spaces of 32-bit pointers, sign- and zero-extended.
        Kind::Pointer if matches!(entry.a, 270 | 271) => of(32, 4),
        Kind::Pointer => of(64, 8),
        Kind::Vector if entry.flag => None,
        Kind::Vector => {
            let bits = table.layout(TypeId(entry.a))?.bits.checked_mul(entry.b)?;
            let bytes = bits.div_ceil(8);
            if bytes > 1 << 30 {
                return None;
            }
            of(bits, bytes.next_power_of_two() as u32)
        }
        Kind::Array => {
            let element = table.layout(TypeId(entry.a))?;
            let size = element.size.checked_mul(entry.b)?;
            (size <= GREATEST).then_some(Layout { bits: size * 8, size, align: element.align })
        }
        Kind::Struct => {
            let mut size = 0u64;
            let mut align = 1;
            for index in entry.a as usize..entry.a as usize + entry.b as usize {
                let field = table.layout(*table.parts.get(index)?)?;
                if !entry.flag {
                    size = size.next_multiple_of(field.align.into());
                    align = field.align.max(align);
                }
                *table.offsets.get_mut(index)? = size;
                size += field.size;
                if size > GREATEST {
                    return None;
                }
            }
            let size = size.next_multiple_of(align.into());
            Some(Layout { bits: size * 8, size, align })
        }
        Kind::Void
        | Kind::Label
        | Kind::Metadata
        | Kind::Token
        | Kind::Opaque
        | Kind::Function
        | Kind::TargetExt => None,
    }
}
