//! Attributes of functions, their parameters and results, and of calls.
//!
//! A *list* is what one function or call has; it is made of *sets*, at most one for the function, one for the result
//! and one for each parameter. Sets are decoded once, when the module is opened.

use crate::TypeId;
pub use crate::attribute_kind::AttributeKind;

/// An attribute with what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute<'m> {
    /// A plain one: `noreturn`, `zeroext`.
    Enum(AttributeKind),
    /// One with a number: `align`, `dereferenceable`, `uwtable`, `memory` (its encoding is LLVM's).
    Int(AttributeKind, u64),
    /// One with a type: `byval`, `sret`.
    Type(AttributeKind, TypeId),
    /// Ranges of integers: `range`, `initializes`, with their bounds as bitcode has them.
    Range(AttributeKind, &'m [u64]),
    /// Two strings, the second may be empty: `"target-cpu"="x86-64"`.
    String(&'m [u8], &'m [u8]),
}

/// What one attribute index (a function, result or parameter) has.
#[derive(Clone, Copy, Debug)]
pub struct AttributeSet<'m> {
    pub(crate) table: &'m Attributes,
    /// `u32::MAX`: none.
    pub(crate) group: u32,
}

/// What a function or call has.
#[derive(Clone, Copy, Debug)]
pub struct AttributeList<'m> {
    pub(crate) table: &'m Attributes,
    pub(crate) groups: &'m [u32],
}

/// All lists and sets of a module.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    pub groups: Vec<Group>,
    pub entries: Vec<Stored>,
    pub strings: Vec<u8>,
    /// Bounds of ranges.
    pub bounds: Vec<u64>,
    /// Start and end in `members` of each list.
    pub lists: Vec<(u32, u32)>,
    /// Indices of groups.
    pub members: Vec<u32>,
}

/// A set: at which attribute index, and what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub id: u32,
    /// 0 for the result, 1 for the first parameter, `u32::MAX` for the function.
    pub index: u32,
    pub mask: u128,
    pub first: u32,
    pub end: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Stored {
    Enum(AttributeKind),
    Int(AttributeKind, u64),
    Type(AttributeKind, TypeId),
    /// Start and end in `bounds`.
    Range(AttributeKind, u32, u32),
    /// Start, end of the key, end of the value.
    String(u32, u32, u32),
}

impl Attributes {
    pub(crate) fn list(&self, id: crate::AttributeListId) -> AttributeList<'_> {
        let groups = (id.0 as usize)
            .checked_sub(1)
            .and_then(|index| self.lists.get(index))
            .and_then(|&(start, end)| self.members.get(start as usize..end as usize))
            .unwrap_or(&[]);
        AttributeList { table: self, groups }
    }
}

impl<'m> AttributeList<'m> {
    fn at(&self, index: u32) -> AttributeSet<'m> {
        let found =
            |&&group: &&u32| self.table.groups.get(group as usize).is_some_and(|group| group.index == index);
        AttributeSet { table: self.table, group: self.groups.iter().find(found).copied().unwrap_or(u32::MAX) }
    }

    /// What the function as such has.
    pub fn function(&self) -> AttributeSet<'m> {
        self.at(u32::MAX)
    }

    /// What the result has.
    pub fn result(&self) -> AttributeSet<'m> {
        self.at(0)
    }

    /// What a parameter has, counted from 0.
    pub fn parameter(&self, index: u32) -> AttributeSet<'m> {
        self.at(index.saturating_add(1))
    }

    /// All sets by their indices: 0 for the result, 1 for the first parameter, `u32::MAX` for the function.
    pub(crate) fn sets(&self) -> impl Iterator<Item = (u32, AttributeSet<'m>)> + use<'m> {
        let (table, groups) = (self.table, self.groups);
        let index = |group: u32| table.groups.get(group as usize).map(|known| known.index);
        groups.iter().filter_map(move |group| Some((index(*group)?, AttributeSet { table, group: *group })))
    }

    /// Whether nothing has any.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

impl<'m> AttributeSet<'m> {
    fn group(&self) -> Option<&'m Group> {
        self.table.groups.get(self.group as usize)
    }

    fn stored(&self) -> &'m [Stored] {
        self.group()
            .and_then(|group| self.table.entries.get(group.first as usize..group.end as usize))
            .unwrap_or(&[])
    }

    /// Whether an attribute of this kind is in it.
    pub fn has(&self, kind: AttributeKind) -> bool {
        self.group().is_some_and(|group| group.mask & 1 << kind as u8 != 0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.stored().is_empty()
    }

    /// The number that belongs to an attribute: `align`, `alignstack`, `uwtable` …
    pub fn int(&self, kind: AttributeKind) -> Option<u64> {
        if !self.has(kind) {
            return None;
        }
        self.iter().find_map(|attribute| match attribute {
            Attribute::Int(found, value) if found == kind => Some(value),
            _ => None,
        })
    }

    /// The type that belongs to an attribute: `byval`, `sret`, `elementtype` …
    pub fn ty(&self, kind: AttributeKind) -> Option<TypeId> {
        if !self.has(kind) {
            return None;
        }
        self.iter().find_map(|attribute| match attribute {
            Attribute::Type(found, ty) if found == kind => Some(ty),
            _ => None,
        })
    }

    /// The value of a string attribute.
    pub fn string(&self, key: &[u8]) -> Option<&'m [u8]> {
        self.iter().find_map(|attribute| match attribute {
            Attribute::String(found, value) if found == key => Some(value),
            _ => None,
        })
    }

    /// All of them, in the order of the bitcode.
    pub fn iter(&self) -> impl Iterator<Item = Attribute<'m>> + use<'m> {
        let table = self.table;
        self.stored().iter().map(move |stored| match *stored {
            Stored::Enum(kind) => Attribute::Enum(kind),
            Stored::Int(kind, value) => Attribute::Int(kind, value),
            Stored::Type(kind, ty) => Attribute::Type(kind, ty),
            Stored::Range(kind, start, end) => {
                Attribute::Range(kind, table.bounds.get(start as usize..end as usize).unwrap_or(&[]))
            }
            Stored::String(start, middle, end) => Attribute::String(
                table.strings.get(start as usize..middle as usize).unwrap_or(&[]),
                table.strings.get(middle as usize..end as usize).unwrap_or(&[]),
            ),
        })
    }
}
