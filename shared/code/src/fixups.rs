//! Fixups: the places in a unit whose value depends on where the unit, or something that it refers to, lands.
//!
//! A place holds as much of its value as is known before: the addend, where in its piece the symbol is, and, if the value
//! is relative, less the place's own offset. What is missing is the same number for all places of a [`Group`]. Placing
//! computes it once and adds it to each; if it is 0, as for a call between functions of the unit, no place is looked at.

use std::borrow::Cow;

use crate::reloc::Form;
use crate::unit::{Piece, Source};

/// What some places have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The piece that they are in.
    pub piece: Piece,
    /// How their value is computed and written.
    pub form: Form,
    /// S; a place in the unit has offset 0 here: the places hold the offset.
    pub source: Source,
}

/// Offsets of places in their piece, packed; the form's width is within the piece.
pub type Places<'a> = &'a [[u8; PLACE]];

/// Bytes of a packed group.
pub(crate) const GROUP: usize = 12;
/// Bytes of a packed place.
pub(crate) const PLACE: usize = 4;

impl Group {
    /// Whether its places have their values whatever happens: distances within a piece.
    pub fn is_constant(&self) -> bool {
        self.form.is_relative() && self.source == Source::Inside(self.piece, 0)
    }

    /// `number: u32, places: u32, piece: u8, form: u8, kind: u8, 0`
    fn packed(&self, places: u32) -> [u8; GROUP] {
        let (kind, number) = self.source.packed();
        let mut bytes = [0; GROUP];
        bytes[0..4].copy_from_slice(&number.to_le_bytes());
        bytes[4..8].copy_from_slice(&places.to_le_bytes());
        bytes[8..11].copy_from_slice(&[self.piece as u8, self.form as u8, kind]);
        bytes
    }

    /// What [`packed`](Self::packed) gave.
    fn unpacked(bytes: &[u8; GROUP]) -> Option<(Self, u32)> {
        let [n0, n1, n2, n3, places @ .., piece, form, kind, _] = *bytes;
        let source = Source::unpacked(kind, u32::from_le_bytes([n0, n1, n2, n3]))?;
        let (piece, form) = (*Piece::ALL.get(piece as usize)?, *Form::ALL.get(form as usize)?);
        Some((Self { piece, form, source }, u32::from_le_bytes(places)))
    }

    fn key(&self) -> (u8, u32, u8, u8) {
        let (kind, number) = self.source.packed();
        (kind, number, self.piece as u8, self.form as u8)
    }
}

/// The offset that a packed place stands for.
pub fn offset(place: &[u8; PLACE]) -> usize {
    u32::from_le_bytes(*place) as usize
}

/// The fixups of a unit, packed as in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fixups<'a> {
    pub(crate) groups: Cow<'a, [u8]>,
    pub(crate) places: Cow<'a, [u8]>,
}

impl Fixups<'static> {
    /// These: groups, and a place in each.
    pub fn of(mut all: Vec<(Group, u32)>) -> Self {
        all.sort_unstable_by_key(|(group, place)| (group.key(), *place));
        let (mut groups, mut places) = (Vec::new(), Vec::with_capacity(all.len() * PLACE));
        for run in all.chunk_by(|(a, _), (b, _)| a == b) {
            groups.extend_from_slice(&run[0].0.packed(run.len() as u32));
            run.iter().for_each(|(_, place)| places.extend_from_slice(&place.to_le_bytes()));
        }
        Self { groups: groups.into(), places: places.into() }
    }
}

impl Fixups<'_> {
    /// The groups with their places. None stands for what is no group, or lacks places.
    pub fn groups(&self) -> impl Iterator<Item = Option<(Group, Places<'_>)>> {
        let mut rest = self.places.as_chunks().0;
        self.groups.as_chunks().0.iter().map(move |group| {
            let (group, count) = Group::unpacked(group)?;
            let (places, behind) = rest.split_at_checked(count as usize)?;
            rest = behind;
            Some((group, places))
        })
    }

    /// The externals that groups branch to. Reads nothing else of them.
    pub(crate) fn branches(&self) -> impl Iterator<Item = u32> {
        let branches = self.groups.as_chunks::<GROUP>().0.iter().filter(|group| Source::is_branch(group[10]));
        branches.map(|&[n0, n1, n2, n3, ..]| u32::from_le_bytes([n0, n1, n2, n3]))
    }

    /// Whether a group's value depends on where the GOT is.
    pub(crate) fn use_got(&self) -> bool {
        let groups = self.groups.as_chunks::<GROUP>().0;
        groups.iter().any(|group| Source::is_got(group[10]) || group[9] == Form::GotRel64 as u8)
    }

    /// Whether the tables consist of whole entries, and each place belongs to a group.
    pub(crate) fn are_whole(&self) -> bool {
        let counts = || self.groups().map(|group| group.map(|(_, places)| places.len()));
        self.groups.len().is_multiple_of(GROUP)
            && counts().sum::<Option<usize>>().map(|count| count * PLACE) == Some(self.places.len())
    }
}
