//! Cuts a module's bitcode into the pieces of its container: the module's own blocks, its metadata, groups of bodies, and
//! what is said of these for debuggers.
//!
//! A group is what a first call unpacks: a body has 2 KB on average.

use std::ops::Range;

use autojit_bitcode::{Cut, Split};
use autojit_store::{Piece, whole};

/// Groups have so many bytes, and the rest of the body in which they reach it. Larger ones pack better: bodies of sqlite3.c at
/// -O0 are packed to 948 KB so, to 936 KB with twice it.
const GROUP: usize = 32 * 1024;

/// Bitcode that has been cut.
#[derive(Debug)]
pub struct Pieces<'b> {
    bitcode: &'b [u8],
    cut: Option<Cut>,
    split: Option<Split>,
}

impl<'b> Pieces<'b> {
    /// Cuts `bitcode`, if it can be and is more than a group. What is said for debuggers is taken out of its bodies if
    /// LLVM will hardly read them: it takes some microseconds to put back into a body.
    pub fn of(bitcode: &'b [u8], for_llvm: bool) -> Self {
        let cut = if bitcode.len() < GROUP { None } else { autojit_bitcode::cut(bitcode) };
        let split = cut.as_ref().filter(|_| !for_llvm).and_then(|cut| autojit_bitcode::split(bitcode, cut));
        Self { bitcode, cut, split: split.filter(|split| split.located) }
    }

    /// The pieces.
    pub fn list(&self) -> Vec<Piece<&[u8]>> {
        let Some(cut) = &self.cut else { return whole(self.bitcode).into() };
        let other = |bytes| Piece { bytes, bodies: 0 };
        let of = |range: &Range<usize>| other(&self.bitcode[range.clone()]);
        let mut pieces = vec![of(&cut.head), of(&cut.metadata), of(&cut.middle)];
        let notes = match &self.split {
            Some(split) => {
                group(&split.bodies, &split.starts, split.bodies.len(), &mut pieces);
                &split.notes[..]
            }
            None => {
                group(self.bitcode, &cut.bodies, cut.tail.start, &mut pieces);
                &[]
            }
        };
        pieces.extend([other(notes), of(&cut.tail), of(&cut.strings)]);
        pieces
    }
}

/// Makes groups of bodies that begin at `rest`.
fn group<'b>(bytes: &'b [u8], mut rest: &[usize], end: usize, pieces: &mut Vec<Piece<&'b [u8]>>) {
    while let [start, ..] = rest {
        let count = rest.iter().skip(1).take_while(|next| *next - start < GROUP).count() + 1;
        let (_, behind) = rest.split_at(count);
        let bytes = &bytes[*start..behind.first().copied().unwrap_or(end)];
        pieces.push(Piece { bytes, bodies: count as u32 });
        rest = behind;
    }
}
