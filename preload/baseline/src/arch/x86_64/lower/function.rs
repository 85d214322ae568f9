//! The function as a whole: what is refused at once, how arguments come in, and how results go out.

use autojit_bitcode::{AttributeKind, AttributeSet, Opcode, Type, TypeId, Value};

use super::super::Compiler;
use super::super::abi::{Arguments, Location, NEST, result_locations, wide_result_locations};
use super::super::asm::{Mem, Width, gp};
use super::super::registers::{Reg, SCRATCH, SCRATCH_X};
use super::super::values::ValueState;
use crate::features::Features;
use crate::lists::Traits;
use crate::parts::{Bank, PartType, Parts, lane_bits, vector_shape};
use crate::refused::{Reason, Refused};

/// The calling conventions that are the C convention on x86-64.
pub(crate) const C_LIKE: [u16; 3] = [0, 8, 9];
/// What the rest of the function must know of its own signature.
#[derive(Debug, Default)]
pub(crate) struct Signature {
    /// Where results go; None: to memory whose address is in `result_address`.
    pub results: Option<Vec<Location>>,
    /// The slot of the address that is returned in rax: of `sret`, or of memory for a large result.
    pub result_address: Option<i32>,
    /// Of a variadic function: what its arguments take, and where their registers were saved.
    pub variadic: Option<(Arguments, i32)>,
    /// Frames of many pages must be touched in order.
    pub probes: bool,
    /// Where the value lies that says at the end whether something was written beyond what it should.
    pub guard: Option<i32>,
}

/// What attributes of a function change its code in a way that is not supported.
const REFUSED: [(AttributeKind, &str); 10] = [
    (AttributeKind::Naked, "naked"),
    (AttributeKind::NoImplicitFloat, "noimplicitfloat"),
    (AttributeKind::Safestack, "safestack"),
    (AttributeKind::Shadowcallstack, "shadowcallstack"),
    (AttributeKind::PresplitCoroutine, "presplitcoroutine"),
    (AttributeKind::SpeculativeLoadHardening, "speculative_load_hardening"),
    (AttributeKind::StackAlignment, "alignstack"),
    (AttributeKind::SanitizeMemtag, "sanitize_memtag"),
    (AttributeKind::StrictFp, "strictfp"),
    (AttributeKind::FnretthunkExtern, "fn_ret_thunk_extern"),
];

/// Values with which a string attribute changes nothing.
type Harmless = &'static [&'static [u8]];

/// String attributes that change code, unless they have one of these values.
const REFUSED_STRINGS: [(&[u8], &str, Harmless); 13] = [
    (b"patchable-function-entry", "patchable-function-entry", &[]),
    (b"patchable-function", "patchable-function", &[]),
    (b"fentry-call", "fentry-call", &[b"false"]),
    (b"function-instrument", "function-instrument", &[b"xray-never"]),
    (b"split-stack", "split-stack", &[]),
    (b"indirect-tls-seg-refs", "indirect-tls-seg-refs", &[]),
    (b"gc-leaf-function", "gc-leaf-function", &[]),
    (b"use-soft-float", "use-soft-float", &[b"false"]),
    (b"stackrealign", "stackrealign", &[]),
    (b"zero-call-used-regs", "zero-call-used-regs", &[b"skip"]),
    (b"no_caller_saved_registers", "no_caller_saved_registers", &[]),
    (b"no_callee_saved_registers", "no_callee_saved_registers", &[]),
    (b"interrupt", "interrupt", &[]),
];

/// Attributes of arguments that change where they are.
const REFUSED_ARGUMENTS: [(AttributeKind, &str); 5] = [
    (AttributeKind::InAlloca, "inalloca"),
    (AttributeKind::Preallocated, "preallocated"),
    (AttributeKind::SwiftSelf, "swiftself"),
    (AttributeKind::SwiftError, "swifterror"),
    (AttributeKind::SwiftAsync, "swiftasync"),
];

/// Refuses arguments with attributes that are not supported.
pub(crate) fn check_argument(attributes: &AttributeSet<'_>) -> Result<(), Refused> {
    match REFUSED_ARGUMENTS.iter().find(|(kind, _)| attributes.has(*kind)) {
        Some((_, name)) => Err(Reason::Attribute(name).into()),
        None => Ok(()),
    }
}

/// The size and alignment on the stack of an argument that is passed `byval`.
pub(crate) fn by_value(
    compiler: &Compiler<'_>,
    attributes: &AttributeSet<'_>,
) -> Result<Option<(u32, u32)>, Refused> {
    let Some(ty) = attributes.ty(AttributeKind::ByVal) else { return Ok(None) };
    let layout = compiler.types.layout(ty).ok_or(Reason::Type("without a layout"))?;
    let size = u32::try_from(layout.size).ok().filter(|size| *size < 1 << 28).ok_or(Reason::Size)?;
    let given = attributes.int(AttributeKind::Alignment).unwrap_or(0) as u32;
    let align = if given != 0 { given } else { layout.align };
    if align > 4096 {
        return Err(Reason::Form("byval with a large alignment").into());
    }
    Ok(Some((size, align.max(8))))
}

impl Compiler<'_> {
    /// Refuses functions whose attributes or convention are not supported, and notes what they ask for.
    pub(crate) fn check_function(&mut self) -> Result<(), Refused> {
        let global = self.module.globals().get(self.body.function as usize);
        let global = global.ok_or(Reason::Internal("a function out of range"))?;
        if !C_LIKE.contains(&global.convention) {
            return Err(Reason::CallingConvention.into());
        }
        let seldom = self.module.seldom(global);
        if seldom.gc != 0 || seldom.prefix.is_some() || seldom.prologue.is_some() {
            return Err(Reason::Attribute("gc, prefix or prologue").into());
        }
        if let Some(Traits { features, probes }) = self.lists.traits(global.attributes) {
            (self.features, self.signature.probes) = (features, probes);
            return Ok(());
        }
        let attributes = self.module.attributes(global.attributes).function();
        if let Some((_, name)) = REFUSED.iter().find(|(kind, _)| attributes.has(*kind)) {
            return Err(Reason::Attribute(name).into());
        }
        for (key, name, harmless) in REFUSED_STRINGS {
            if attributes.string(key).is_some_and(|value| !harmless.contains(&value)) {
                return Err(Reason::Attribute(name).into());
            }
        }
        let [features, cpu] =
            [&b"target-features"[..], b"target-cpu"].map(|key| attributes.string(key).unwrap_or(b""));
        self.features = Features::of(features, cpu);
        if self.features.restricted {
            return Err(Reason::Attribute("target-features that change code").into());
        }
        self.signature.probes = attributes.string(b"probe-stack").is_some();
        let traits = Traits { features: self.features, probes: self.signature.probes };
        self.lists.note(global.attributes, traits);
        Ok(())
    }

    /// Puts the arguments where they are on entry.
    pub(crate) fn enter(&mut self) -> Result<(), Refused> {
        let body = self.body;
        let global = self.module.globals().get(body.function as usize);
        let global = global.ok_or(Reason::Internal("a function out of range"))?;
        let Type::Function { result, parameters, variadic } = self.types.get(global.value_type) else {
            return Err(Reason::Internal("a function of another type").into());
        };
        let attributes = self.module.attributes(global.attributes);
        self.store_guard()?;
        let mut locations = Arguments { variadic, ..Arguments::default() };
        let (_, results) = self.results_of(result)?;
        self.signature.results = results;
        let mut address = None;
        if self.signature.results.is_none() {
            address = Some(locations.part(POINTER));
        }
        let mut incoming = Vec::new();
        for index in 0..parameters.len() as u32 {
            let value = body.argument(index);
            let set = attributes.parameter(index);
            check_argument(&set)?;
            if let Some((size, align)) = by_value(self, &set)? {
                let at = locations.memory(size, align);
                if let Some(local) = self.analysis.locals.local(value) {
                    self.assignments[local].state = ValueState::Frame(at as i32 + 16);
                }
                continue;
            }
            let of_part = if set.has(AttributeKind::Nest) {
                vec![Location::Gp(NEST)]
            } else {
                self.locations_of(value, &mut locations)?
            };
            if set.has(AttributeKind::StructRet) {
                address = of_part.first().copied();
            }
            incoming.push((value, of_part));
        }
        if variadic {
            self.save_registers(locations)?;
        }
        if let Some(location) = address {
            let slot = self.frame.allocate(8, 8)?;
            match location {
                Location::Gp(reg) => self.asm.mov_mr(Width::B8, Mem::at(gp::RBP, slot), reg),
                _ => return Err(Reason::Form("the address of a result is on the stack").into()),
            }
            self.signature.result_address = Some(slot);
        }
        let mut are_wide = false;
        for (value, of_part) in &incoming {
            self.bring_in(*value, of_part)?;
            are_wide |= of_part.iter().any(|location| matches!(location, Location::High(_)));
        }
        if are_wide {
            // Now that lower halves have their registers.
            for (value, of_part) in &incoming {
                self.take_high(*value, of_part)?;
            }
            // Instructions on 16 bytes are slow, or wait for upper halves, while these hold something.
            self.asm.zero_high();
        }
        self.regs.end_instruction();
        self.check_allocas()
    }

    /// The locations of the parts of an argument.
    pub(crate) fn locations_of(
        &mut self,
        value: Value,
        locations: &mut Arguments,
    ) -> Result<Vec<Location>, Refused> {
        let ty = self.type_of(value)?;
        self.locations_of_type(ty, locations)
    }

    pub(crate) fn locations_of_type(
        &mut self,
        ty: TypeId,
        locations: &mut Arguments,
    ) -> Result<Vec<Location>, Refused> {
        if let Type::Int(128) = self.types.get(ty) {
            return Ok(locations.pair().to_vec());
        }
        self.check_passed(ty)?;
        let parts = self.part_table.of(self.types, ty)?;
        if self.is_passed_wide(ty) {
            return Ok((0..parts.len() / 2).flat_map(|_| locations.halves()).collect());
        }
        Ok(parts.iter().map(|part| locations.part(*part)).collect())
    }

    /// The parts of a result, and where they are; None if that is memory.
    pub(crate) fn results_of(&mut self, ty: TypeId) -> Result<(Parts, Option<Vec<Location>>), Refused> {
        self.check_passed(ty)?;
        let parts = self.part_table.of(self.types, ty)?;
        let is_wide = self.is_passed_wide(ty);
        let locations = if is_wide { wide_result_locations(&parts) } else { result_locations(&parts) };
        Ok((parts, locations))
    }

    /// Whether a vector that may be passed is passed in registers of 32 bytes.
    fn is_passed_wide(&self, ty: TypeId) -> bool {
        self.features.avx
            && matches!(self.types.get(ty), Type::Vector { .. })
            && vector_shape(self.types, ty).is_none()
    }

    /// Refuses vectors that calls do not pass in the registers of their parts.
    pub(crate) fn check_passed(&self, ty: TypeId) -> Result<(), Refused> {
        let refused = Err(Reason::Vector("passed in larger registers, or of another shape").into());
        match self.types.get(ty) {
            Type::Vector { .. } if vector_shape(self.types, ty).is_some() => Ok(()),
            Type::Vector { element, count, .. } => {
                let bits = lane_bits(self.types, element).filter(|bits| *bits >= 8);
                let bits = bits.map_or(0, |bits| bits.saturating_mul(count));
                let most = match self.features {
                    // What the processor's name stands for.
                    Features { unknown: true, .. } => 128,
                    Features { avx512: true, .. } => 256,
                    _ => u32::MAX,
                };
                if (129..=most).contains(&bits) && count.is_power_of_two() { Ok(()) } else { refused }
            }
            Type::Array { element, .. } => self.check_passed_within(element),
            Type::Struct { fields, .. } => {
                fields.iter().try_for_each(|field| self.check_passed_within(*field))
            }
            _ => Ok(()),
        }
    }

    fn check_passed_within(&self, ty: TypeId) -> Result<(), Refused> {
        if matches!(self.types.get(ty), Type::Vector { .. }) && vector_shape(self.types, ty).is_none() {
            return Err(Reason::Vector("passed in a structure").into());
        }
        self.check_passed(ty)
    }

    fn bring_in(&mut self, value: Value, of_part: &[Location]) -> Result<(), Refused> {
        let Some(local) = self.analysis.locals.local(value) else { return Ok(()) };
        if self.analysis.values[local].uses == 0 {
            return Ok(());
        }
        self.assign(local)?;
        let home = self.assignments[local].home;
        // What lies on the stack as a slot would is left there.
        if let Some(Location::Stack(start)) = of_part.first() {
            let as_slot = |(part, location): (usize, &Location)| {
                *location == Location::Stack(start + self.part(local, part).offset)
            };
            if of_part.iter().enumerate().all(as_slot) {
                self.assignments[local].slot = *start as i32 + 16;
                for part in 0..of_part.len() {
                    self.part_mut(local, part).stored = true;
                }
                return home.map_or(Ok(()), |home| self.load_part(home, local, 0));
            }
        }
        for (part, location) in of_part.iter().enumerate() {
            let reg: Reg = match location {
                Location::Gp(reg) => (*reg).into(),
                Location::Xmm(reg) => (*reg).into(),
                Location::High(_) => continue,
                Location::Stack(at) => {
                    let from = Mem::at(gp::RBP, *at as i32 + 16);
                    let to = self.slot(local, part)?;
                    if self.part(local, part).ty.bank == Bank::Gp {
                        self.asm.mov(Width::B8, SCRATCH, from);
                        self.asm.mov_mr(Width::B8, to, SCRATCH);
                    } else {
                        self.asm.load_x(16, SCRATCH_X, from);
                        let bytes = self.part(local, part).ty.slot_bytes();
                        self.asm.store_x(bytes, to, SCRATCH_X);
                    }
                    self.part_mut(local, part).stored = true;
                    if let Some(home) = home {
                        self.load_part(home, local, part)?;
                    }
                    continue;
                }
                Location::X87(_) => return Err(Reason::Internal("an argument on the x87 stack").into()),
            };
            match home {
                Some(home) => self.move_register(home, reg),
                None => {
                    self.regs.occupy(reg, local as u32, part as u8);
                    self.part_mut(local, part).reg = Some(reg);
                }
            }
        }
        Ok(())
    }

    /// Takes the parts of a value that lie in upper halves.
    pub(crate) fn take_high(&mut self, value: Value, locations: &[Location]) -> Result<(), Refused> {
        let Some(local) = self.analysis.locals.local(value) else { return Ok(()) };
        if self.analysis.values[local].uses == 0 {
            return Ok(());
        }
        for (part, location) in locations.iter().enumerate() {
            let Location::High(from) = *location else { continue };
            match self.regs.free(Bank::Xmm) {
                Some(reg) => {
                    self.asm.extract_high(reg.xmm(), from);
                    self.regs.occupy(reg, local as u32, part as u8);
                    let part = self.part_mut(local, part);
                    (part.reg, part.stored) = (Some(reg), false);
                }
                None => {
                    let to = self.slot(local, part)?;
                    self.asm.extract_high(to, from);
                    self.part_mut(local, part).stored = true;
                }
            }
        }
        Ok(())
    }

    /// Notes dynamic allocas before anything depends on whether there are some.
    fn check_allocas(&mut self) -> Result<(), Refused> {
        let body = self.body;
        for (index, instruction) in body.instructions.iter().enumerate() {
            match instruction.opcode {
                Opcode::Alloca if self.static_size(index as u32)?.is_none() => self.frame.dynamic = true,
                Opcode::Call | Opcode::Invoke if self.restores_stack(instruction) => {
                    self.frame.dynamic = true
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lowers `ret`.
    pub(crate) fn lower_return(&mut self, value: Option<Value>) -> Result<(), Refused> {
        if std::mem::take(&mut self.returned) {
            return Ok(());
        }
        if let Some(value) = value {
            let parts = self.parts_of(value)?;
            match self.signature.results.clone() {
                Some(locations) => self.put_results(value, &parts, &locations)?,
                None => {
                    let slot = self.signature.result_address.unwrap_or_default();
                    let base = self.temporary_gp()?;
                    self.asm.mov(Width::B8, base, Mem::at(gp::RBP, slot));
                    for (index, part) in parts.iter().enumerate() {
                        let at = i32::try_from(part.offset).map_err(|_| Reason::Size)?;
                        self.store_part_to(value, index, *part, Mem::at(base, at))?;
                    }
                }
            }
        }
        if let Some(slot) = self.signature.result_address {
            self.asm.mov(Width::B8, gp::RAX, Mem::at(gp::RBP, slot));
        }
        if self.position as usize + 1 < self.analysis.order.blocks.len() {
            self.asm.jmp(self.epilogue);
        }
        Ok(())
    }

    fn put_results(
        &mut self,
        value: Value,
        parts: &[PartType],
        locations: &[Location],
    ) -> Result<(), Refused> {
        self.force_all(&[value])?;
        let global = self.module.globals().get(self.body.function as usize);
        let attributes = global.map(|global| self.module.attributes(global.attributes).result());
        let signed = attributes.is_some_and(|set| set.has(AttributeKind::SExt));
        for (index, (part, location)) in parts.iter().zip(locations).enumerate() {
            match *location {
                Location::Gp(reg) => {
                    self.take_for(reg.into(), value, index)?;
                    // Callers may rely on the extension; without an attribute it costs nothing that matters.
                    if part.bits < 32 {
                        self.extend(reg, part.bits.into(), signed);
                    }
                }
                Location::Xmm(reg) => self.take_for(reg.into(), value, index)?,
                Location::High(_) | Location::X87(_) => {}
                Location::Stack(_) => return Err(Reason::Internal("a result on the stack").into()),
            }
        }
        for (index, location) in locations.iter().enumerate() {
            if let Location::High(reg) = *location {
                self.put_high(reg, value, index)?;
            }
        }
        // The last that is pushed is the first result.
        for (index, location) in locations.iter().enumerate().rev() {
            if let Location::X87(_) = location {
                let mem = self.memory(value, index)?;
                self.asm.fld(10, mem);
            }
        }
        Ok(())
    }
}

/// A pointer as an argument.
pub(crate) const POINTER: PartType = PartType { bank: Bank::Gp, bits: 64, offset: 0, vector: false };
