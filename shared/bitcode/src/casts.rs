//! How bitcode numbers operations and their flags, and which types conversions take.

use crate::opcode::{Flags, Opcode};
use crate::types::{Kind, TypeTable};
use crate::{TypeId, opcode};

/// A binary operation.
pub(crate) const fn binary(encoded: u64, floating: bool) -> Option<Opcode> {
    use Opcode::*;
    Some(match (encoded, floating) {
        (0, false) => Add,
        (0, true) => FAdd,
        (1, false) => Sub,
        (1, true) => FSub,
        (2, false) => Mul,
        (2, true) => FMul,
        (3, false) => UDiv,
        (4, false) => SDiv,
        (4, true) => FDiv,
        (5, false) => URem,
        (6, false) => SRem,
        (6, true) => FRem,
        (7, false) => Shl,
        (8, false) => LShr,
        (9, false) => AShr,
        (10, false) => And,
        (11, false) => Or,
        (12, false) => Xor,
        _ => return None,
    })
}

/// A conversion.
pub(crate) const fn cast(encoded: u64) -> Option<Opcode> {
    use Opcode::*;
    Some(match encoded {
        0 => Trunc,
        1 => ZExt,
        2 => SExt,
        3 => FPToUI,
        4 => FPToSI,
        5 => UIToFP,
        6 => SIToFP,
        7 => FPTrunc,
        8 => FPExt,
        9 => PtrToInt,
        10 => IntToPtr,
        11 => BitCast,
        12 => AddrSpaceCast,
        13 => PtrToAddr,
        _ => return None,
    })
}

/// Fast-math flags; the lowest bit is an older form of all of them.
pub(crate) const fn fast_math(encoded: u64) -> Option<Flags> {
    match encoded {
        0..=0xff if encoded & 1 != 0 => Some(Flags::FAST),
        0..=0xff => Some(Flags(encoded as u32)),
        _ => None,
    }
}

const fn bits(encoded: u64, flags: [Flags; 3]) -> Option<Flags> {
    let mut all = 0;
    let mut known = 0;
    let mut bit = 0;
    while bit < flags.len() {
        if flags[bit].0 != 0 {
            known |= 1 << bit;
        }
        if encoded >> bit & 1 != 0 {
            all |= flags[bit].0;
        }
        bit += 1;
    }
    if encoded & !known == 0 { Some(Flags(all)) } else { None }
}

/// The flags of a binary operation.
pub(crate) const fn binary_flags(opcode: Opcode, encoded: u64) -> Option<Flags> {
    match opcode {
        Opcode::Add | Opcode::Sub | Opcode::Mul | Opcode::Shl => {
            bits(encoded, [Flags::NUW, Flags::NSW, Flags::NONE])
        }
        Opcode::UDiv | Opcode::SDiv | Opcode::LShr | Opcode::AShr => {
            bits(encoded, [Flags::EXACT, Flags::NONE, Flags::NONE])
        }
        Opcode::Or => bits(encoded, [Flags::DISJOINT, Flags::NONE, Flags::NONE]),
        Opcode::FAdd | Opcode::FSub | Opcode::FMul | Opcode::FDiv | Opcode::FRem => fast_math(encoded),
        _ => bits(encoded, [Flags::NONE; 3]),
    }
}

/// The flags of a conversion.
pub(crate) const fn cast_flags(opcode: Opcode, encoded: u64) -> Option<Flags> {
    match opcode {
        Opcode::Trunc => bits(encoded, [Flags::NUW, Flags::NSW, Flags::NONE]),
        Opcode::ZExt | Opcode::UIToFP => bits(encoded, [Flags::NNEG, Flags::NONE, Flags::NONE]),
        Opcode::FPTrunc | Opcode::FPExt => fast_math(encoded),
        _ => bits(encoded, [Flags::NONE; 3]),
    }
}

/// The flags of an address computation.
pub(crate) const fn address_flags(encoded: u64) -> Option<Flags> {
    bits(encoded, [Flags::INBOUNDS.with(Flags::NUSW), Flags::NUSW, Flags::NUW])
}

/// Whether a conversion takes the one type to the other.
pub(crate) fn is_valid(types: &TypeTable, opcode: Opcode, from: TypeId, to: TypeId) -> bool {
    let (Some(outer_from), Some(outer_to)) = (types.entry(from), types.entry(to)) else { return false };
    let (from_id, to_id) = (types.scalar(from), types.scalar(to));
    let (Some(scalar_from), Some(scalar_to)) = (types.entry(from_id), types.entry(to_id)) else {
        return false;
    };
    let (source, target) = (scalar_from.kind, scalar_to.kind);
    if opcode == Opcode::BitCast {
        // Pointers to pointers of the same space, anything else to the same number of bits.
        let pointers = (source == Kind::Pointer, target == Kind::Pointer);
        let first_class =
            |kind: Kind| kind.is_storable() && !matches!(kind, Kind::Struct | Kind::Array | Kind::Opaque);
        return match pointers {
            (true, true) => scalar_from.a == scalar_to.a && same_size(types, from, to),
            (false, false) => {
                first_class(outer_from.kind) && first_class(outer_to.kind) && same_size(types, from, to)
            }
            _ => false,
        };
    }
    let vectors = (outer_from.kind == Kind::Vector, outer_to.kind == Kind::Vector);
    let shape = match vectors {
        (false, false) => true,
        (true, true) => outer_from.b == outer_to.b && outer_from.flag == outer_to.flag,
        _ => false,
    };
    let bits = |id| types.layout(id).map_or(0, |layout| layout.bits);
    let (int, float, pointer) = (Kind::Int, Kind::is_float, Kind::Pointer);
    shape
        && match opcode {
            opcode::Opcode::Trunc => source == int && target == int && scalar_from.a > scalar_to.a,
            Opcode::ZExt | Opcode::SExt => source == int && target == int && scalar_from.a < scalar_to.a,
            Opcode::FPToUI | Opcode::FPToSI => float(source) && target == int,
            Opcode::UIToFP | Opcode::SIToFP => source == int && float(target),
            Opcode::FPTrunc => float(source) && float(target) && bits(from_id) > bits(to_id),
            Opcode::FPExt => float(source) && float(target) && bits(from_id) < bits(to_id),
            Opcode::PtrToInt | Opcode::PtrToAddr => source == pointer && target == int,
            Opcode::IntToPtr => source == int && target == pointer,
            Opcode::AddrSpaceCast => source == pointer && target == pointer && scalar_from.a != scalar_to.a,
            _ => false,
        }
}

/// Scalable vectors have no layout; those of equal shape and element size are as large.
fn same_size(types: &TypeTable, from: TypeId, to: TypeId) -> bool {
    match (types.layout(from), types.layout(to)) {
        (Some(from), Some(to)) => from.bits == to.bits,
        (None, None) => from == to,
        _ => false,
    }
}
