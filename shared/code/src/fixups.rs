//! Fixups: the sites in a unit whose value depends on where the unit, or something that it refers to, lands.
//!
//! A site holds as much of its value as is known before: the addend, where in its segment the symbol is, and, if the
//! value is relative, less the site's own offset. What is missing is the same number for all sites of a [`Group`].
//! Linking computes it once and adds it to each; if it is 0, as for a call between functions of the unit, no site is
//! looked at.

use std::borrow::Cow;

use crate::reloc::Form;
use crate::unit::{Segment, Source};

/// What some sites have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The segment that they are in.
    pub segment: Segment,
    /// How their value is computed and written.
    pub form: Form,
    /// S; a position in the unit has offset 0 here: the sites hold the offset.
    pub source: Source,
}

/// Offsets of sites in their segment, packed; the form's width is within the segment.
pub type Sites<'a> = &'a [[u8; SITE]];

/// Bytes of a packed group.
pub(crate) const GROUP: usize = 12;
/// Bytes of a packed site.
pub(crate) const SITE: usize = 4;

impl Group {
    /// Whether its sites have their values whatever happens: distances within a segment.
    pub fn is_constant(&self) -> bool {
        self.form.is_relative() && self.source == Source::Inside(self.segment, 0)
    }

    /// Of `number: u32, sites: u32, segment: u8, form: u8, kind: u8, 0`.
    fn unpacked(bytes: &[u8; GROUP]) -> Option<(Self, u32)> {
        let [n0, n1, n2, n3, sites @ .., segment, form, kind, _] = *bytes;
        let source = Source::unpacked(kind, u32::from_le_bytes([n0, n1, n2, n3]))?;
        let (segment, form) = (*Segment::ALL.get(segment as usize)?, *Form::ALL.get(form as usize)?);
        Some((Self { segment, form, source }, u32::from_le_bytes(sites)))
    }

    /// By which groups are sorted: `form: u8, segment: u8, number: u32, kind: u8`, the last of which counts most.
    fn key(&self) -> u64 {
        let (kind, number) = self.source.packed();
        let [n0, n1, n2, n3] = number.to_le_bytes();
        u64::from_le_bytes([self.form as u8, self.segment as u8, n0, n1, n2, n3, kind, 0])
    }

    /// The group of a [`key`](Self::key), with so many sites, packed.
    fn packed(key: u64, sites: u32) -> [u8; GROUP] {
        let [form, segment, n0, n1, n2, n3, kind, _] = key.to_le_bytes();
        let [p0, p1, p2, p3] = sites.to_le_bytes();
        [n0, n1, n2, n3, p0, p1, p2, p3, segment, form, kind, 0]
    }
}

/// The offset that a packed site stands for.
pub fn offset(site: &[u8; SITE]) -> usize {
    u32::from_le_bytes(*site) as usize
}

/// The fixups of a unit, packed as in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fixups<'a> {
    pub(crate) groups: Cow<'a, [u8]>,
    pub(crate) sites: Cow<'a, [u8]>,
}

impl Fixups<'static> {
    /// These: groups, and a site in each.
    pub fn of(all: Vec<(Group, u32)>) -> Self {
        // There are many, so that keys are made once.
        let mut all: Vec<_> = all.into_iter().map(|(group, site)| (group.key(), site)).collect();
        all.sort_unstable();
        let (mut groups, mut sites) = (Vec::new(), Vec::with_capacity(all.len() * SITE));
        for run in all.chunk_by(|(a, _), (b, _)| a == b) {
            groups.extend_from_slice(&Group::packed(run[0].0, run.len() as u32));
            run.iter().for_each(|(_, site)| sites.extend_from_slice(&site.to_le_bytes()));
        }
        Self { groups: groups.into(), sites: sites.into() }
    }
}

impl Fixups<'_> {
    /// The groups with their sites. None stands for what is no group, or lacks sites.
    pub fn groups(&self) -> impl Iterator<Item = Option<(Group, Sites<'_>)>> {
        let mut rest = self.sites.as_chunks().0;
        self.groups.as_chunks().0.iter().map(move |group| {
            let (group, count) = Group::unpacked(group)?;
            let (sites, behind) = rest.split_at_checked(count as usize)?;
            rest = behind;
            Some((group, sites))
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

    /// Whether the tables consist of whole entries, and each site belongs to a group.
    pub(crate) fn are_whole(&self) -> bool {
        let counts = || self.groups().map(|group| group.map(|(_, sites)| sites.len()));
        self.groups.len().is_multiple_of(GROUP)
            && counts().sum::<Option<usize>>().map(|count| count * SITE) == Some(self.sites.len())
    }
}
