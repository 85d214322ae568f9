//! Fixups that contradict their unit are found when they are applied.

use super::*;
use crate::unit::Fixups;
use crate::{CodeMemory, Resolver, link};

struct Nothing;

impl Resolver for Nothing {
    fn resolve(&mut self, _: &crate::Symbol<'_>, _: crate::Usage, _: bool) -> Result<Target, String> {
        Err("nothing is anywhere".into())
    }
}

/// Links a unit of three bytes of code, one constant, no data and no frames that has one fixup.
fn link_fixup(segment: Segment, form: Form, source: Source, at: u32) -> Result<(), LinkError> {
    let here = link_fixup as *const () as usize;
    let memory = CodeMemory::with_options(here..here + 1, 1 << 20, true)?;
    let unit = Unit {
        segments: [vec![0x90, 0x90, 0xc3].into(), vec![1].into(), Vec::new().into(), Vec::new().into()],
        aligns: [1; 4],
        fixups: Fixups::of(vec![(Group { segment, form, source }, at)]),
        ..Unit::default()
    };
    link(&unit, &memory, &mut Nothing).map(drop)
}

#[test]
fn fixups_that_lead_out_of_the_unit() {
    let inside = Source::Inside(Segment::Text, 0);
    let branch = Source::Branch { external: 0, site: true };
    for (segment, form, source, at) in [
        (Segment::Frames, Form::Rel32, inside, 0),
        (Segment::Rodata, Form::Rel32, inside, 0),
        (Segment::Rodata, Form::Rel32, inside, u32::MAX),
        (Segment::Data, Form::Abs64, inside, 0),
        (Segment::Text, Form::Abs64, Source::Address(0), 0),
        (Segment::Text, Form::Rel32, branch, 0),
        (Segment::Text, Form::Rel32, Source::Relax(Relax::Call, 0), 2),
    ] {
        let result = link_fixup(segment, form, source, at);
        assert!(matches!(result, Err(LinkError::Object(_))), "{segment:?} {form:?} {source:?}: {result:?}");
    }
    // Of what is the same everywhere no site is looked at.
    assert_eq!(link_fixup(Segment::Text, Form::Rel32, inside, u32::MAX), Ok(()));
}
