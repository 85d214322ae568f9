//! Constants of a module that travel with its bodies: their bytes, and the addresses in them.

use std::collections::BTreeMap;

use autojit_baseline::RelocationTarget;
use autojit_bitcode::{Constant, Opcode, Type, TypeId, Value};
use autojit_code::unit::Segment;
use autojit_code::{Access, Form};

use super::Error;
use super::emit::Emitter;

/// The largest constant that is copied for a function.
const LARGEST: u64 = 1 << 20;

/// Where the copies are in rodata, by global.
#[derive(Debug, Default)]
pub struct Constants(BTreeMap<u32, u32>);

impl Constants {
    /// Where the copy of a global is, if there is one.
    pub fn get(&self, global: u32) -> Option<u32> {
        self.0.get(&global).copied()
    }

    /// Notes where it is.
    pub fn note(&mut self, global: u32, at: u32) {
        self.0.insert(global, at);
    }

    /// Copies the constant of a global, and what it refers to.
    pub fn emit(emitter: &mut Emitter<'_>, global: u32) -> Result<u32, Error> {
        let refused = |what: &str| Error::Refused(what.to_owned());
        let bitcode = emitter.bitcode;
        let info =
            bitcode.globals().get(global as usize).ok_or_else(|| refused("a global that is not there"))?;
        let layout = bitcode.types().layout(info.value_type);
        let layout = layout.ok_or_else(|| refused("a constant without a layout"))?;
        if layout.size > LARGEST {
            return Err(refused("a large constant"));
        }
        let align = info.align.bytes().unwrap_or(layout.align.into()).max(1);
        let align = u32::try_from(align).ok().filter(|align| *align <= 4096);
        let align = align.ok_or_else(|| refused("a constant of large alignment"))?;
        let mut bytes = vec![0; layout.size as usize];
        let mut addresses = Vec::new();
        let initializer = info.initializer().ok_or_else(|| refused("a constant without a value"))?;
        write(emitter, initializer, info.value_type, 0, &mut bytes, &mut addresses)
            .ok_or_else(|| refused("a constant of this kind"))?;
        let at = emitter.builder.append(Segment::Rodata, &bytes, align);
        // Before what it refers to, which may be itself.
        emitter.note(global, at);
        for (offset, target, addend) in addresses {
            emitter.refer(Segment::Rodata, at + offset, addend, Form::Abs64, target, Access::Address)?;
        }
        Ok(at)
    }
}

/// Addresses in a constant: where, of what, and what is added.
type Addresses = Vec<(u32, RelocationTarget, i64)>;

/// Writes a constant of type `ty` at `at`. None if it is of a kind that is not known here.
fn write(
    emitter: &Emitter<'_>,
    value: Value,
    ty: TypeId,
    at: u32,
    bytes: &mut [u8],
    addresses: &mut Addresses,
) -> Option<()> {
    let (bitcode, types) = (emitter.bitcode, emitter.bitcode.types());
    if (value.0 as usize) < bitcode.globals().len() {
        addresses.push((at, RelocationTarget::Global(value.0), 0));
        return Some(());
    }
    let layout = types.layout(ty)?;
    let size = layout.store_size() as usize;
    let mut put = |source: &[u8]| {
        let len = size.min(source.len());
        bytes.get_mut(at as usize..)?.get_mut(..len)?.copy_from_slice(&source[..len]);
        Some(())
    };
    match bitcode.constant(value)? {
        Constant::Null | Constant::Undef | Constant::Poison => {}
        Constant::Int(int) => put(&number(int, layout.bits))?,
        Constant::WideInt(words) => {
            let words: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            put(&words)?;
        }
        Constant::Float(bits) => put(&bits.to_le_bytes())?,
        Constant::Data(data) => {
            let (Type::Array { element, .. } | Type::Vector { element, .. }) = types.get(ty) else {
                return None;
            };
            let width = types.layout(element)?.store_size() as usize;
            let mut words = Vec::new();
            bitcode.data(&data, &mut words).ok()?;
            for (index, word) in words.iter().enumerate() {
                let start = at as usize + index * width;
                bytes.get_mut(start..start + width)?.copy_from_slice(word.to_le_bytes().get(..width)?);
            }
        }
        // Elements that are no whole bytes lie closer than in an array.
        Constant::Aggregate(_)
            if let Type::Vector { element, .. } = types.get(ty)
                && types.layout(element)?.bits != 8 * types.layout(element)?.size =>
        {
            return None;
        }
        Constant::Aggregate(elements) => {
            for (index, &element) in elements.iter().enumerate() {
                let (element_type, offset) = match types.get(ty) {
                    Type::Struct { fields, .. } => {
                        (*fields.get(index)?, types.field_offset(ty, index as u32)?)
                    }
                    Type::Array { element, .. } | Type::Vector { element, .. } => {
                        (element, types.layout(element)?.size * index as u64)
                    }
                    _ => return None,
                };
                write(emitter, element, element_type, at + u32::try_from(offset).ok()?, bytes, addresses)?;
            }
        }
        // A number as a pointer, or the reverse.
        Constant::Cast { op: Opcode::BitCast | Opcode::PtrToInt | Opcode::IntToPtr, value, .. }
            if let Some(Constant::Int(int)) = bitcode.constant(value) =>
        {
            // From here on it is a number without a sign.
            put(&number(int, types.layout(bitcode.type_of(value)?)?.bits))?;
        }
        Constant::GetElementPtr { .. } | Constant::Cast { .. } | Constant::DsoLocalEquivalent(_)
            if layout.bits >= ADDRESS =>
        {
            let (global, addend) = address(emitter, value)?;
            addresses.push((at, RelocationTarget::Global(global), addend));
        }
        Constant::BlockAddress { function, block } if emitter.is_own(function.0) => {
            addresses.push((at, RelocationTarget::Text, emitter.block(block.0)?));
        }
        _ => return None,
    }
    Some(())
}

/// Bits of an address.
const ADDRESS: u64 = 64;

/// The bytes of a number of so many bits, above which are zeros.
fn number(int: i64, bits: u64) -> [u8; 16] {
    (int as i128 as u128 & (u128::MAX >> (128 - bits.clamp(1, 128)))).to_le_bytes()
}

/// What a constant pointer points to.
fn address(emitter: &Emitter<'_>, value: Value) -> Option<(u32, i64)> {
    let (bitcode, types) = (emitter.bitcode, emitter.bitcode.types());
    if (value.0 as usize) < bitcode.globals().len() {
        return Some((value.0, 0));
    }
    match bitcode.constant(value)? {
        // What has been cut is no address any more.
        Constant::Cast { op: Opcode::BitCast | Opcode::PtrToInt | Opcode::IntToPtr, value: of, .. }
            if types.layout(bitcode.type_of(value)?)?.bits >= ADDRESS =>
        {
            address(emitter, of)
        }
        Constant::DsoLocalEquivalent(of) => address(emitter, of),
        Constant::GetElementPtr { source, operands, .. } => {
            let (&base, indices) = operands.split_first()?;
            let (global, mut addend) = address(emitter, base)?;
            let mut ty = source;
            for (number, &index) in indices.iter().enumerate() {
                let Constant::Int(index) = bitcode.constant(index)? else { return None };
                if number == 0 {
                    addend = addend.checked_add(index.checked_mul(types.layout(ty)?.size as i64)?)?;
                    continue;
                }
                let (next, by) = match types.get(ty) {
                    Type::Struct { fields, .. } => {
                        let field = u32::try_from(index).ok()?;
                        (*fields.get(field as usize)?, types.field_offset(ty, field)? as i64)
                    }
                    Type::Array { element, .. } | Type::Vector { element, .. } => {
                        (element, index.checked_mul(types.layout(element)?.size as i64)?)
                    }
                    _ => return None,
                };
                addend = addend.checked_add(by)?;
                ty = next;
            }
            Some((global, addend))
        }
        _ => None,
    }
}
