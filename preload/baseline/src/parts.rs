//! Types as the parts that values of them are kept in: each fits one register.
//!
//! A scalar has one part, an integer of more than 64 bits two, a structure or array those of its elements, in order.
//! Computed once for each type of a module.

use std::rc::Rc;

use autojit_bitcode::{Type, TypeId, TypeTable};

use crate::refused::{Reason, Refused};

/// Parts of a value at most; larger aggregates are rare as values.
pub(crate) const MOST: usize = 32;

/// The kind of register that a part is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bank {
    /// Integers and pointers.
    Gp,
    /// Floats and vectors.
    Xmm,
    /// `x86_fp80`: kept in memory only.
    X87,
}

/// A part of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartType {
    /// Where it is kept.
    pub bank: Bank,
    /// Bits that mean something; of integers the rest of the register is undefined.
    pub bits: u16,
    /// Its offset in memory, from the start of the value.
    pub offset: u32,
    /// It is a vector.
    pub vector: bool,
}

impl PartType {
    /// Bytes that a spill slot has for it.
    pub(crate) fn slot_bytes(self) -> u32 {
        match self.bank {
            Bank::Gp => 8,
            Bank::Xmm if self.bits <= 64 => 8,
            _ => 16,
        }
    }

    /// Bytes that a store of it to memory writes.
    pub(crate) fn store_bytes(self) -> u32 {
        u32::from(self.bits).div_ceil(8)
    }
}

/// The parts of a module's types.
#[derive(Debug)]
pub(crate) struct PartTable {
    /// By type.
    known: Vec<Option<Result<Parts, Reason>>>,
    /// By type, the part of those that were found to have one.
    singles: Vec<Option<PartType>>,
    /// Whether there are vectors.
    pub vectors: bool,
}

/// The parts of a type.
pub(crate) type Parts = Rc<[PartType]>;

/// Whether the result of an operation on this vector can be kept in one register of 16 bytes: element bits and count.
pub(crate) fn vector_shape(types: &TypeTable, id: TypeId) -> Option<(u32, u32, bool)> {
    let Type::Vector { element, count, scalable: false } = types.get(id) else { return None };
    let (bits, float) = match types.get(element) {
        Type::Int(bits @ (8 | 16 | 32 | 64)) => (bits, false),
        Type::Pointer(0) => (64, false),
        Type::Float => (32, true),
        Type::Double => (64, true),
        _ => return None,
    };
    (count.is_power_of_two() && (32..=128).contains(&(bits * count))).then_some((bits, count, float))
}

/// The bits of a vector's elements; None for those that are not supported.
pub(crate) fn lane_bits(types: &TypeTable, element: TypeId) -> Option<u32> {
    match types.get(element) {
        Type::Int(bits @ (1 | 8 | 16 | 32 | 64)) => Some(bits),
        Type::Pointer(0) | Type::Double => Some(64),
        Type::Float => Some(32),
        _ => None,
    }
}

impl PartTable {
    /// A table for these types.
    pub(crate) fn new(types: &TypeTable) -> Self {
        let is_vector = |id| matches!(types.get(TypeId(id)), Type::Vector { .. });
        let vectors = (0..types.len() as u32).any(is_vector);
        Self { known: Vec::new(), singles: vec![None; types.len()], vectors }
    }

    /// The part of a type that has one.
    #[inline]
    pub(crate) fn single(&mut self, types: &TypeTable, id: TypeId) -> Result<Option<PartType>, Refused> {
        match self.singles.get(id.0 as usize) {
            Some(Some(part)) => Ok(Some(*part)),
            _ => self.find_single(types, id),
        }
    }

    fn find_single(&mut self, types: &TypeTable, id: TypeId) -> Result<Option<PartType>, Refused> {
        let &[part] = &*self.of(types, id)? else { return Ok(None) };
        if let Some(known) = self.singles.get_mut(id.0 as usize) {
            *known = Some(part);
        }
        Ok(Some(part))
    }

    /// The parts of a type; none for `void`.
    #[inline]
    pub(crate) fn of(&mut self, types: &TypeTable, id: TypeId) -> Result<Parts, Refused> {
        match self.known.get(id.0 as usize) {
            Some(Some(Ok(parts))) => Ok(Rc::clone(parts)),
            _ => self.find(types, id),
        }
    }

    fn find(&mut self, types: &TypeTable, id: TypeId) -> Result<Parts, Refused> {
        let index = id.0 as usize;
        if self.known.len() <= index {
            self.known.resize(index + 1, None);
        }
        let known = self.known[index].get_or_insert_with(|| {
            let mut parts = Vec::new();
            collect(types, id, 0, &mut parts).map(|()| parts.into())
        });
        Ok(known.clone()?)
    }
}

fn collect(types: &TypeTable, id: TypeId, offset: u32, parts: &mut Vec<PartType>) -> Result<(), Reason> {
    let mut add = |bank, bits: u32, vector| {
        if parts.len() == MOST {
            return Err(Reason::Type("an aggregate of many parts"));
        }
        parts.push(PartType { bank, bits: bits as u16, offset, vector });
        Ok(())
    };
    match types.get(id) {
        Type::Void | Type::Label | Type::Metadata => Ok(()),
        Type::Int(bits @ 0..=64) => add(Bank::Gp, bits, false),
        Type::Int(bits @ 65..=128) => {
            add(Bank::Gp, 64, false)?;
            parts.push(PartType {
                bank: Bank::Gp,
                bits: bits as u16 - 64,
                offset: offset + 8,
                vector: false,
            });
            Ok(())
        }
        Type::Int(_) => Err(Reason::WideInteger),
        Type::Pointer(0) => add(Bank::Gp, 64, false),
        Type::Pointer(_) => Err(Reason::Type("a pointer into another address space")),
        Type::Float => add(Bank::Xmm, 32, false),
        Type::Double => add(Bank::Xmm, 64, false),
        Type::X86Fp80 => add(Bank::X87, 80, false),
        Type::Half => Err(Reason::Type("half")),
        Type::BFloat => Err(Reason::Type("bfloat")),
        Type::Fp128 => Err(Reason::Type("fp128")),
        Type::Vector { element, count, scalable: false } => {
            let bits = lane_bits(types, element).ok_or(Reason::Vector("type"))?;
            collect_vector(bits.checked_mul(count).ok_or(Reason::Size)?, bits == 1, offset, parts)
        }
        Type::Vector { .. } => Err(Reason::Vector("scalable")),
        Type::Array { element, count } => {
            let size = types.layout(element).ok_or(Reason::Type("without a layout"))?.size;
            if count > MOST as u64 || size > 1 << 20 {
                return Err(Reason::Type("an aggregate of many parts"));
            }
            for index in 0..count as u32 {
                collect(types, element, offset + index * size as u32, parts)?;
            }
            Ok(())
        }
        Type::Struct { fields, .. } => {
            for (index, &field) in fields.iter().enumerate() {
                let at = types.field_offset(id, index as u32).ok_or(Reason::Type("without a layout"))?;
                let at = u32::try_from(at).map_err(|_| Reason::Size)?;
                collect(types, field, offset.checked_add(at).ok_or(Reason::Size)?, parts)?;
            }
            Ok(())
        }
        _ => Err(Reason::Type("of another kind")),
    }
}

/// A vector of so many bits: registers as large as they fit, or words for single bits.
fn collect_vector(bits: u32, of_bits: bool, offset: u32, parts: &mut Vec<PartType>) -> Result<(), Reason> {
    let mut done = 0;
    while done < bits {
        let left = bits - done;
        let (bank, size) = match left {
            _ if of_bits => (Bank::Gp, left.min(64)),
            128.. => (Bank::Xmm, 128),
            64.. => (Bank::Xmm, 64),
            32.. => (Bank::Xmm, 32),
            16.. => (Bank::Gp, 16),
            _ => (Bank::Gp, left),
        };
        if parts.len() == MOST {
            return Err(Reason::Vector("of many parts"));
        }
        parts.push(PartType { bank, bits: size as u16, offset: offset + done / 8, vector: true });
        done += size;
    }
    Ok(())
}
