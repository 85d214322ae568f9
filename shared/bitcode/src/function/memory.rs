//! Instructions that make, compute and use addresses.

use super::{Draft, Fields, FunctionReader, Read};
use crate::casts;
use crate::opcode::{Flags, Opcode, Ordering, RmwOp};
use crate::types::Kind;
use crate::{Align, Reason, TypeId, Value};

impl FunctionReader<'_, '_> {
    pub(super) fn alloca(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let ty = self.ty(fields)?;
        let count_type = self.ty(fields)?;
        let count = Value(fields.number()?);
        self.must_be(count, count_type)?;
        let packed = fields.next()?;
        let space = fields.optional()?.unwrap_or(0);
        // Alignment in bits 0 to 4 and 8 to 10; 5: inalloca, 6: a type, not a pointer type, 7: swifterror.
        if packed >> 11 != 0 || self.kind(count_type) != Kind::Int {
            return Err(Reason::Record);
        }
        if packed & 0x40 == 0 {
            return Err(Reason::TypedPointer);
        }
        let align = self.align(packed & 0x1f | (packed >> 3 & 0xe0), ty)?;
        let mut flags = Flags::NONE;
        if packed & 0x20 != 0 {
            flags = flags.with(Flags::INALLOCA);
        }
        if packed & 0x80 != 0 {
            flags = flags.with(Flags::SWIFTERROR);
        }
        let space = u32::try_from(space).map_err(|_| Reason::Type)?;
        let pointer = *self.types.computed.pointers.get(&space).ok_or(Reason::MissingType)?;
        self.push(count);
        Ok(Draft { flags, align, detail: ty.0, ..Draft::new(Opcode::Alloca, pointer) })
    }

    /// An alignment; that of the ABI where none is written. Also refuses types that cannot be in memory.
    fn align(&self, encoded: u64, ty: TypeId) -> Read<Align> {
        let align = Align::from_encoded(encoded).ok_or(Reason::Record)?;
        let kind = self.kind(ty);
        if !kind.is_storable() || kind == Kind::Opaque {
            return Err(Reason::Type);
        }
        if align != Align::NONE {
            return Ok(align);
        }
        self.types.layout(ty).map(|layout| Align::of(layout.align)).ok_or(Reason::Unsupported)
    }

    fn pointer(&mut self, fields: &mut Fields<'_>) -> Read<Value> {
        let (pointer, ty) = self.pair(fields)?;
        if self.kind(ty) == Kind::Pointer { Ok(pointer) } else { Err(Reason::ValueType) }
    }

    fn volatile(&self, fields: &mut Fields<'_>) -> Read<Flags> {
        Ok(if fields.flag()? { Flags::VOLATILE } else { Flags::NONE })
    }

    fn ordering(&self, fields: &mut Fields<'_>) -> Read<Ordering> {
        Ordering::from_encoded(fields.next()?).ok_or(Reason::Record)
    }

    fn scope(&self, fields: &mut Fields<'_>) -> Read<u32> {
        // 0 and 1 are of LLVM's own.
        let scope = fields.number()?;
        if scope < 2.max(self.module.sync_scopes.len() as u32) { Ok(scope) } else { Err(Reason::Record) }
    }

    pub(super) fn load(&mut self, fields: &mut Fields<'_>, atomic: bool) -> Read<Draft> {
        let pointer = self.pointer(fields)?;
        let ty = self.ty(fields)?;
        let encoded = fields.next()?;
        let align = self.align(encoded, ty)?;
        let flags = self.volatile(fields)?;
        self.push(pointer);
        let new = Draft { flags, align, ..Draft::new(Opcode::Load, ty) };
        self.atomic(new, fields, atomic, encoded, [Ordering::Release, Ordering::AcquireRelease])
    }

    pub(super) fn store(&mut self, fields: &mut Fields<'_>, atomic: bool) -> Read<Draft> {
        let pointer = self.pointer(fields)?;
        let (value, ty) = self.pair(fields)?;
        let encoded = fields.next()?;
        let align = self.align(encoded, ty)?;
        let flags = self.volatile(fields)?;
        self.push(value);
        self.push(pointer);
        let new = Draft { flags, align, ..Draft::new(Opcode::Store, self.void) };
        self.atomic(new, fields, atomic, encoded, [Ordering::Acquire, Ordering::AcquireRelease])
    }

    /// Ordering and scope of a load or store, if it is atomic.
    fn atomic(
        &mut self,
        mut new: Draft,
        fields: &mut Fields<'_>,
        atomic: bool,
        align: u64,
        wrong: [Ordering; 2],
    ) -> Read<Draft> {
        if atomic {
            new.ordering = self.ordering(fields)?;
            new.detail = self.scope(fields)?;
            new.flags = new.flags.with(Flags::ATOMIC);
            if new.ordering == Ordering::NotAtomic || wrong.contains(&new.ordering) || align == 0 {
                return Err(Reason::Record);
            }
        }
        fields.end()?;
        Ok(new)
    }

    pub(super) fn fence(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let ordering = self.ordering(fields)?;
        let detail = self.scope(fields)?;
        fields.end()?;
        if ordering < Ordering::Acquire {
            return Err(Reason::Record);
        }
        Ok(Draft { ordering, detail, flags: Flags::ATOMIC, ..Draft::new(Opcode::Fence, self.void) })
    }

    pub(super) fn compare_exchange(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let pointer = self.pointer(fields)?;
        let (expected, ty) = self.pair(fields)?;
        let new = self.typed(fields, ty)?;
        let mut flags = self.volatile(fields)?.with(Flags::ATOMIC);
        let ordering = self.ordering(fields)?;
        let detail = self.scope(fields)?;
        let failure = self.ordering(fields)?;
        if fields.flag()? {
            flags = flags.with(Flags::WEAK);
        }
        let align = self.align(fields.optional()?.ok_or(Reason::Unsupported)?, ty)?;
        let failure_right =
            matches!(failure, Ordering::Monotonic | Ordering::Acquire | Ordering::SequentiallyConsistent);
        if ordering < Ordering::Monotonic || !failure_right {
            return Err(Reason::Record);
        }
        if !matches!(self.kind(ty), Kind::Int | Kind::Pointer) {
            return Err(Reason::ValueType);
        }
        let bool = self.types.computed.bool.ok_or(Reason::MissingType)?;
        let pair = *self.types.computed.pairs.get(&(ty, bool)).ok_or(Reason::MissingType)?;
        self.push(pointer);
        self.push(expected);
        self.push(new);
        let new = Draft::new(Opcode::CmpXchg, pair);
        Ok(Draft { flags, ordering, align, detail, detail8: failure as u8, ..new })
    }

    pub(super) fn read_modify_write(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let pointer = self.pointer(fields)?;
        let (value, ty) = self.pair(fields)?;
        let operation = RmwOp::from_encoded(fields.next()?).ok_or(Reason::Record)?;
        let flags = self.volatile(fields)?.with(Flags::ATOMIC);
        let ordering = self.ordering(fields)?;
        let detail = self.scope(fields)?;
        let align = self.align(fields.optional()?.ok_or(Reason::Unsupported)?, ty)?;
        if ordering < Ordering::Monotonic {
            return Err(Reason::Record);
        }
        let kind = self.kind(ty);
        let right = match operation {
            RmwOp::Xchg => kind == Kind::Int || kind == Kind::Pointer || kind.is_float(),
            RmwOp::FAdd | RmwOp::FSub | RmwOp::FMax | RmwOp::FMin | RmwOp::FMaximum | RmwOp::FMinimum => {
                self.scalar_kind(ty).is_float()
            }
            _ => kind == Kind::Int,
        };
        if !right {
            return Err(Reason::ValueType);
        }
        self.push(pointer);
        self.push(value);
        let new = Draft::new(Opcode::AtomicRmw, ty);
        Ok(Draft { flags, ordering, align, detail, detail8: operation as u8, ..new })
    }

    pub(super) fn address(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let flags = casts::address_flags(fields.next()?).ok_or(Reason::Record)?;
        let source = self.ty(fields)?;
        let (base, base_type) = self.pair(fields)?;
        if self.scalar_kind(base_type) != Kind::Pointer {
            return Err(Reason::ValueType);
        }
        self.push(base);
        let pointer = self.types.scalar(base_type);
        // A vector among the operands makes the result one.
        let mut ty = base_type;
        let mut inner = source;
        let mut first = true;
        while !fields.0.is_empty() {
            let (index, index_type) = self.pair(fields)?;
            if self.scalar_kind(index_type) != Kind::Int {
                return Err(Reason::ValueType);
            }
            if self.kind(index_type) == Kind::Vector && ty == pointer {
                ty = self.types.shaped(index_type, Some(pointer)).ok_or(Reason::MissingType)?;
            }
            if !first {
                inner = self.step(inner, index)?;
            }
            first = false;
            self.push(index);
        }
        if first || !self.kind(source).is_storable() {
            return Err(Reason::Record);
        }
        Ok(Draft { flags, detail: source.0, ..Draft::new(Opcode::GetElementPtr, ty) })
    }

    /// The type to which an index leads.
    fn step(&self, ty: TypeId, index: Value) -> Read<TypeId> {
        match self.kind(ty) {
            // Any index will do; a constant need not be within the bounds.
            Kind::Array | Kind::Vector => Ok(self.types.scalar_of(ty)),
            Kind::Struct => {
                // A splat of a constant is possible for vectors of addresses.
                let index = self.integer(index).ok_or(Reason::Unsupported)?;
                let index = u64::try_from(index).map_err(|_| Reason::ValueType)?;
                self.types.contained(ty, index).ok_or(Reason::ValueType)
            }
            _ => Err(Reason::ValueType),
        }
    }

    pub(super) fn va_arg(&mut self, fields: &mut Fields<'_>) -> Read<Draft> {
        let list_type = self.ty(fields)?;
        let list = self.typed(fields, list_type)?;
        let ty = self.ty(fields)?;
        fields.end()?;
        if self.kind(list_type) != Kind::Pointer || !self.kind(ty).is_storable() {
            return Err(Reason::ValueType);
        }
        self.push(list);
        Ok(Draft::new(Opcode::VAArg, ty))
    }
}
