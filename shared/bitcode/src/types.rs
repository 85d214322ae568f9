//! The type table.
//!
//! Receives the records of the type block, hands on types by number. A type refers only to types that exist, and no type
//! contains itself other than behind a pointer, so walks over types end.

use std::collections::BTreeMap;

use crate::TypeId;

/// A type, as far as one table entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The names are those of the language reference.
pub enum Type<'m> {
    Void,
    Half,
    BFloat,
    Float,
    Double,
    X86Fp80,
    Fp128,
    PpcFp128,
    Label,
    Metadata,
    Token,
    X86Amx,
    /// An integer of so many bits, 1 to 2^23.
    Int(u32),
    /// A pointer to this address space.
    Pointer(u32),
    Vector {
        element: TypeId,
        count: u32,
        scalable: bool,
    },
    Array {
        element: TypeId,
        count: u64,
    },
    Struct {
        fields: &'m [TypeId],
        packed: bool,
    },
    /// A named structure without contents.
    Opaque,
    Function {
        result: TypeId,
        parameters: &'m [TypeId],
        variadic: bool,
    },
    /// A type that only one target knows. None is known here, so it cannot be laid out.
    TargetExt,
}

/// The size of a type and the offset of its parts, as x86-64 Linux lays it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The size in bits: of an integer its width, of everything else a multiple of eight.
    pub bits: u64,
    /// The distance between elements of an array of it, in bytes: the size rounded up to the alignment.
    pub size: u64,
    /// The ABI's alignment in bytes.
    pub align: u32,
}

impl Layout {
    /// How many bytes a store of it writes.
    pub const fn store_size(&self) -> u64 {
        self.bits.div_ceil(8)
    }
}

/// What kind of entry, and which of its numbers mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    Void,
    Half,
    BFloat,
    Float,
    Double,
    X86Fp80,
    Fp128,
    PpcFp128,
    Label,
    Metadata,
    Token,
    X86Amx,
    Int,
    Pointer,
    Vector,
    Array,
    Struct,
    Opaque,
    Function,
    TargetExt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub kind: Kind,
    /// Scalable, packed or variadic.
    pub flag: bool,
    /// Width, address space, element, result, or first of the fields.
    pub a: u32,
    /// Count of elements or fields.
    pub b: u64,
    /// First of the parameters; of a structure whether it is one with a name of its own.
    pub c: u32,
}

/// The types of a module.
#[derive(Debug, Default)]
pub struct TypeTable {
    pub(crate) entries: Vec<Entry>,
    pub(crate) parts: Vec<TypeId>,
    pub(crate) layouts: Vec<Option<Layout>>,
    /// Name of each structure in `name_bytes`; empty for what has none.
    pub(crate) names: Vec<(u32, u32)>,
    pub(crate) name_bytes: Vec<u8>,
    /// Where each field begins, as `parts`.
    pub(crate) offsets: Vec<u64>,
    pub(crate) computed: Computed,
    /// The kind of each type's elements, if it is a vector, else its own.
    pub(crate) scalars: Vec<Kind>,
}

impl TypeTable {
    /// How many types there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A type. A number that is not in the table gives [`Type::Void`]; numbers that the reader hands out are in it.
    pub fn get(&self, id: TypeId) -> Type<'_> {
        let Some(entry) = self.entries.get(id.0 as usize) else { return Type::Void };
        match entry.kind {
            Kind::Void => Type::Void,
            Kind::Half => Type::Half,
            Kind::BFloat => Type::BFloat,
            Kind::Float => Type::Float,
            Kind::Double => Type::Double,
            Kind::X86Fp80 => Type::X86Fp80,
            Kind::Fp128 => Type::Fp128,
            Kind::PpcFp128 => Type::PpcFp128,
            Kind::Label => Type::Label,
            Kind::Metadata => Type::Metadata,
            Kind::Token => Type::Token,
            Kind::X86Amx => Type::X86Amx,
            Kind::Int => Type::Int(entry.a),
            Kind::Pointer => Type::Pointer(entry.a),
            Kind::Vector => {
                Type::Vector { element: TypeId(entry.a), count: entry.b as u32, scalable: entry.flag }
            }
            Kind::Array => Type::Array { element: TypeId(entry.a), count: entry.b },
            Kind::Struct => Type::Struct { fields: self.part(entry.a, entry.b), packed: entry.flag },
            Kind::Opaque => Type::Opaque,
            Kind::Function => Type::Function {
                result: TypeId(entry.a),
                parameters: self.part(entry.c, entry.b),
                variadic: entry.flag,
            },
            Kind::TargetExt => Type::TargetExt,
        }
    }

    fn part(&self, first: u32, count: u64) -> &[TypeId] {
        (first as usize)
            .checked_add(count as usize)
            .and_then(|end| self.parts.get(first as usize..end))
            .unwrap_or(&[])
    }

    /// Size and alignment, if the type has any: not `void`, functions, labels, opaque structures, scalable vectors.
    pub fn layout(&self, id: TypeId) -> Option<Layout> {
        self.layouts.get(id.0 as usize).copied().flatten()
    }

    /// Where the field begins within a structure, in bytes.
    pub fn field_offset(&self, id: TypeId, field: u32) -> Option<u64> {
        let entry = self.entries.get(id.0 as usize)?;
        if entry.kind != Kind::Struct || u64::from(field) >= entry.b {
            return None;
        }
        self.layout(id)?;
        self.offsets.get(entry.a as usize + field as usize).copied()
    }

    /// Whether the place of something depends on the alignment of integers of more than 64 bits, perhaps.
    pub(crate) fn have_parts_of_wide_integers(&self) -> bool {
        let is_wide =
            |id: &TypeId| self.entries.get(id.0 as usize).is_some_and(|it| it.kind == Kind::Int && it.a > 64);
        self.entries.iter().any(|entry| match entry.kind {
            Kind::Int => entry.a > 128,
            Kind::Array => is_wide(&TypeId(entry.a)),
            Kind::Struct => !entry.flag && self.part(entry.a, entry.b).iter().any(is_wide),
            _ => false,
        })
    }

    /// A structure's name, if it has one.
    pub fn name(&self, id: TypeId) -> Option<&[u8]> {
        let &(start, length) = self.names.get(id.0 as usize)?;
        if length == 0 {
            return None;
        }
        self.name_bytes.get(start as usize..start as usize + length as usize)
    }
}

impl Kind {
    /// Floating point of any format.
    pub(crate) const fn is_float(self) -> bool {
        matches!(
            self,
            Kind::Half
                | Kind::BFloat
                | Kind::Float
                | Kind::Double
                | Kind::X86Fp80
                | Kind::Fp128
                | Kind::PpcFp128
        )
    }

    /// May be part of a structure or array.
    pub(crate) const fn is_storable(self) -> bool {
        !matches!(self, Kind::Void | Kind::Label | Kind::Metadata | Kind::Token | Kind::Function)
    }
}

/// Where computed types are found.
#[derive(Debug, Default)]
pub(crate) struct Computed {
    pub bool: Option<TypeId>,
    pub void: Option<TypeId>,
    pub token: Option<TypeId>,
    pub metadata: Option<TypeId>,
    /// Pointers by address space, vectors by element and count, structures of two fields: in the order of the table.
    pub pointers: BTreeMap<u32, TypeId>,
    pub vectors: BTreeMap<(TypeId, u32, bool), TypeId>,
    pub pairs: BTreeMap<(TypeId, TypeId), TypeId>,
}

impl TypeTable {
    /// Notes an entry that is about to be added.
    pub(crate) fn index(&mut self, entry: &Entry) {
        let id = TypeId(self.entries.len() as u32);
        self.scalars.push(if entry.kind == Kind::Vector { self.kind(TypeId(entry.a)) } else { entry.kind });
        let computed = &mut self.computed;
        match entry.kind {
            Kind::Int if entry.a == 1 => computed.bool = Some(id),
            Kind::Void => computed.void = Some(id),
            Kind::Token => computed.token = Some(id),
            Kind::Metadata => computed.metadata = Some(id),
            Kind::Pointer => {
                computed.pointers.insert(entry.a, id);
            }
            Kind::Vector => {
                computed.vectors.insert((TypeId(entry.a), entry.b as u32, entry.flag), id);
            }
            // Structures without a name only: those with one are equal to none.
            Kind::Struct if entry.b == 2 && entry.c == 0 && !entry.flag => {
                if let Some(&[first, second]) = self.parts.get(entry.a as usize..) {
                    computed.pairs.insert((first, second), id);
                }
            }
            _ => {}
        }
    }

    #[inline]
    pub(crate) fn kind(&self, id: TypeId) -> Kind {
        self.entries.get(id.0 as usize).map_or(Kind::Void, |entry| entry.kind)
    }

    pub(crate) fn entry(&self, id: TypeId) -> Option<&Entry> {
        self.entries.get(id.0 as usize)
    }

    /// The kind of a type's elements, if it is a vector, else its own.
    #[inline]
    pub(crate) fn scalar_kind(&self, id: TypeId) -> Kind {
        self.scalars.get(id.0 as usize).copied().unwrap_or(Kind::Void)
    }

    /// The element of a vector, and everything else itself.
    #[inline]
    pub(crate) fn scalar(&self, id: TypeId) -> TypeId {
        match self.entries.get(id.0 as usize) {
            Some(entry) if entry.kind == Kind::Vector => TypeId(entry.a),
            _ => id,
        }
    }

    /// The element of an array or vector.
    pub(crate) fn scalar_of(&self, id: TypeId) -> TypeId {
        self.entries.get(id.0 as usize).map_or(id, |entry| TypeId(entry.a))
    }

    /// The type of a field or element.
    pub(crate) fn contained(&self, id: TypeId, index: u64) -> Option<TypeId> {
        let entry = self.entries.get(id.0 as usize)?;
        match entry.kind {
            Kind::Array | Kind::Vector if index < entry.b => Some(TypeId(entry.a)),
            Kind::Struct if index < entry.b => self.parts.get(entry.a as usize + index as usize).copied(),
            _ => None,
        }
    }

    /// How many fields or elements a type has.
    pub(crate) fn parts_of(&self, id: TypeId) -> Option<u64> {
        let entry = self.entries.get(id.0 as usize)?;
        matches!(entry.kind, Kind::Array | Kind::Vector | Kind::Struct).then_some(entry.b)
    }

    /// `shape`, if it is a vector, with other elements; else the element.
    pub(crate) fn shaped(&self, shape: TypeId, element: Option<TypeId>) -> Option<TypeId> {
        let element = element?;
        match self.entries.get(shape.0 as usize) {
            Some(entry) if entry.kind == Kind::Vector => {
                self.computed.vectors.get(&(element, entry.b as u32, entry.flag)).copied()
            }
            _ => Some(element),
        }
    }
}
