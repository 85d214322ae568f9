//! Cuts a module's bitcode into the pieces of its container: the module's own blocks, its metadata, groups of bodies.
//!
//! A group is what a first call unpacks: a body has 2 KB on average, with debug information 4.

use std::ops::Range;

use autojit_store::{Piece, whole};

/// Groups have so many bytes, and the rest of the body in which they reach it. Larger ones pack better, and quicker: of
/// sqlite3.c at -O0 with debug information, bodies are packed to 3.08 MB so, to 3.15 MB with half, to 3.04 MB with twice it.
const GROUP: usize = 64 * 1024;

/// The pieces of `bitcode`: one if it cannot be cut, or is hardly more than a group.
pub fn of(bitcode: &[u8]) -> Vec<Piece<&[u8]>> {
    let cut = if bitcode.len() < GROUP { None } else { autojit_bitcode::cut(bitcode) };
    let Some(cut) = cut else { return whole(bitcode).into() };
    let other = |range: Range<usize>| Piece { bytes: &bitcode[range], bodies: 0 };
    let mut pieces = vec![other(cut.head), other(cut.metadata), other(cut.middle)];
    let end = cut.tail.start;
    let mut rest = &cut.bodies[..];
    while let [start, ..] = rest {
        let count = rest.iter().skip(1).take_while(|next| *next - start < GROUP).count() + 1;
        let (_, behind) = rest.split_at(count);
        let bytes = &bitcode[*start..behind.first().copied().unwrap_or(end)];
        pieces.push(Piece { bytes, bodies: count as u32 });
        rest = behind;
    }
    pieces.extend([other(cut.tail), other(cut.strings)]);
    pieces
}
