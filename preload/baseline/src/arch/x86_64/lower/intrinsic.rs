//! Intrinsic functions, by name.

use autojit_bitcode::{AttributeKind, Definition, Opcode, Value};

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Mem, Rm, Shift, Width, gp};
use super::super::constants::Source;
use super::Plan;
use super::float::Sign;
use super::overflow::Checked;
use crate::parts::PartType;
use crate::refused::{Reason, Refused};

/// The name without the types that it is overloaded for.
fn base(name: &[u8]) -> &[u8] {
    let mut end = 0;
    for segment in name.split(|byte| *byte == b'.') {
        if end > 0 && is_type(segment) {
            break;
        }
        end += segment.len() + usize::from(end > 0);
    }
    name.get(..end).unwrap_or(name)
}

fn is_type(segment: &[u8]) -> bool {
    let (Some(first), rest) = (segment.first(), segment.get(1..).unwrap_or_default()) else { return false };
    matches!(first, b'i' | b'p' | b'f' | b'v' | b's' | b'a') && rest.first().is_some_and(u8::is_ascii_digit)
        || matches!(segment, b"bf16" | b"ppcf128")
        || segment.starts_with(b"sl_")
}

impl Compiler<'_> {
    /// Lowers a call of an intrinsic function; `name` is without `llvm.`.
    pub(crate) fn lower_intrinsic(
        &mut self,
        inst: u32,
        name: &[u8],
        arguments: &[Value],
    ) -> Result<(), Refused> {
        let result = self.instruction(inst)?.result;
        if name.starts_with(b"dbg.") {
            return Ok(());
        }
        if let Some(name) = name.strip_prefix(b"x86.")
            && self.lower_x86(name, result, arguments)?
        {
            return Ok(());
        }
        let of_vectors = self.is_vector(result) || arguments.iter().any(|argument| self.is_vector(*argument));
        if of_vectors && self.lower_vector_intrinsic(base(name), result, arguments)? {
            return Ok(());
        }
        // What optimisers know of an object's size is theirs to say: programs are protected by it.
        match (base(name), arguments) {
            (
                b"lifetime.start"
                | b"lifetime.end"
                | b"assume"
                | b"donothing"
                | b"sideeffect"
                | b"pseudoprobe"
                | b"experimental.noalias.scope.decl"
                | b"invariant.end"
                | b"var.annotation"
                | b"prefetch"
                | b"va_end"
                | b"fake.use",
                _,
            ) => Ok(()),
            (b"invariant.start", _) if !self.is_used(result) => Ok(()),
            (
                b"expect"
                | b"expect.with.probability"
                | b"annotation"
                | b"ptr.annotation"
                | b"launder.invariant.group"
                | b"strip.invariant.group"
                | b"ssa.copy"
                | b"arithmetic.fence"
                | b"preserve.static.offset",
                &[value, ..],
            ) => self.lower_copy(result, value),
            (b"is.constant", &[value]) => self.lower_is_constant(inst, result, value),
            (b"trap" | b"ubsantrap" | b"debugtrap", _) if self.call_says(inst, b"trap-func-name") => {
                Err(Reason::Attribute("trap-func-name").into())
            }
            (b"trap", _) => {
                self.asm.ud2();
                Ok(())
            }
            (b"ubsantrap", &[kind]) => {
                let kind = self.constant_bits(kind)?.unwrap_or(0) as u8;
                // ud1l kind(%eax), %eax
                self.asm.raw(&[0x67, 0x0f, 0xb9, 0x40, kind]);
                Ok(())
            }
            (b"debugtrap", _) => {
                self.asm.int3();
                Ok(())
            }

            (b"memcpy" | b"memcpy.inline", &[to, from, size, ..]) => {
                self.lower_copy_memory(false, to, from, size)
            }
            (b"memmove", &[to, from, size, ..]) => self.lower_copy_memory(true, to, from, size),
            (b"memset" | b"memset.inline", &[to, byte, size, ..]) => self.lower_set_memory(to, byte, size),

            (b"sadd.with.overflow", &[a, b]) => self.lower_with_overflow(Checked::Add, true, result, a, b),
            (b"uadd.with.overflow", &[a, b]) => self.lower_with_overflow(Checked::Add, false, result, a, b),
            (b"ssub.with.overflow", &[a, b]) => self.lower_with_overflow(Checked::Sub, true, result, a, b),
            (b"usub.with.overflow", &[a, b]) => self.lower_with_overflow(Checked::Sub, false, result, a, b),
            (b"smul.with.overflow", &[a, b]) => self.lower_with_overflow(Checked::Mul, true, result, a, b),
            (b"umul.with.overflow", &[a, b]) => self.lower_with_overflow(Checked::Mul, false, result, a, b),
            (b"sadd.sat", &[a, b]) => self.lower_saturating(Checked::Add, true, result, a, b),
            (b"uadd.sat", &[a, b]) => self.lower_saturating(Checked::Add, false, result, a, b),
            (b"ssub.sat", &[a, b]) => self.lower_saturating(Checked::Sub, true, result, a, b),
            (b"usub.sat", &[a, b]) => self.lower_saturating(Checked::Sub, false, result, a, b),
            (b"smin", &[a, b]) => self.lower_choice(Cond::G, result, a, b),
            (b"smax", &[a, b]) => self.lower_choice(Cond::L, result, a, b),
            (b"umin", &[a, b]) => self.lower_choice(Cond::A, result, a, b),
            (b"umax", &[a, b]) => self.lower_choice(Cond::B, result, a, b),
            (b"scmp", &[a, b]) => self.lower_three_way(true, result, a, b),
            (b"ucmp", &[a, b]) => self.lower_three_way(false, result, a, b),
            (b"abs", &[value, ..]) => self.lower_absolute(result, value),

            (b"ctpop", &[value]) => self.lower_popcount(result, value),
            (b"ctlz", &[value, ..]) => self.lower_count_zeros(true, result, value),
            (b"cttz", &[value, ..]) => self.lower_count_zeros(false, result, value),
            (b"bswap", &[value]) => self.lower_swap_bytes(result, value),
            (b"bitreverse", &[value]) => self.lower_reverse_bits(result, value),
            (b"fshl", &[high, low, by]) => self.lower_funnel(true, result, high, low, by),
            (b"fshr", &[high, low, by]) => self.lower_funnel(false, result, high, low, by),
            (b"ptrmask", &[pointer, mask]) => self.lower_arithmetic(Opcode::And, result, pointer, mask),

            (b"fabs", &[value]) => self.lower_sign(Sign::Clear, result, value),
            (b"copysign", &[size, sign]) => self.lower_copysign(result, size, sign),
            (b"canonicalize", &[value]) => self.lower_canonical(result, value),
            (b"sqrt", &[value]) => self.lower_square_root(result, value),
            (b"minnum", &[a, b]) => self.lower_extremum(false, result, a, b),
            (b"maxnum", &[a, b]) => self.lower_extremum(true, result, a, b),
            (b"fmuladd", &[a, b, c]) => self.lower_multiply_add(result, a, b, c),
            (b"is.fpclass", &[value, classes]) => self.lower_class(result, value, classes),
            (b"floor", &[value]) => self.lower_round(9, ["floorf", "floor", "floorl"], result, value),
            (b"ceil", &[value]) => self.lower_round(10, ["ceilf", "ceil", "ceill"], result, value),
            (b"trunc", &[value]) => self.lower_round(11, ["truncf", "trunc", "truncl"], result, value),
            (b"rint", &[value]) => self.lower_round(4, ["rintf", "rint", "rintl"], result, value),
            (b"nearbyint", &[value]) => {
                self.lower_round(12, ["nearbyintf", "nearbyint", "nearbyintl"], result, value)
            }
            (b"fptosi.sat", &[value]) => self.lower_to_int_saturating(true, result, value),
            (b"fptoui.sat", &[value]) => self.lower_to_int_saturating(false, result, value),
            (name, values @ [_, ..]) if library_names(name).is_some() => {
                self.call_library(name, result, values)
            }

            (b"modf", &[value]) => self.call_for_two(["modff", "modf", "modfl"], true, result, value),
            (b"sincos", &[value]) => {
                self.call_for_two(["sincosf", "sincos", "sincosl"], false, result, value)
            }
            (b"get.rounding", _) => self.lower_rounding(result),
            (b"load.relative", &[base, offset]) => self.lower_load_relative(result, base, offset),

            (b"va_start", &[list]) => self.lower_va_start(list),
            (b"va_copy", &[to, from]) => self.lower_va_copy(to, from),
            (b"stacksave", _) => {
                let reg = self.temporary_gp()?;
                self.asm.mov(Width::B8, reg, gp::RSP);
                self.define(result, 0, reg)
            }
            (b"stackrestore", &[value]) => {
                let reg = self.gp(value, 0)?;
                self.asm.mov(Width::B8, gp::RSP, reg);
                Ok(())
            }
            (b"frameaddress", &[depth]) => self.lower_frame_address(result, depth, None),
            (b"returnaddress", &[depth]) => self.lower_frame_address(result, depth, Some(8)),
            (b"addressofreturnaddress", _) => {
                let reg = self.temporary_gp()?;
                self.asm.lea(reg, Mem::at(gp::RBP, 8));
                self.define(result, 0, reg)
            }
            (b"eh.typeid.for", &[info]) => self.lower_type_id(result, info),
            (b"readcyclecounter" | b"x86.rdtsc", _) => {
                self.take(gp::RAX)?;
                self.take(gp::RDX)?;
                // rdtsc; the upper half is in rdx.
                self.asm.raw(&[0x0f, 0x31]);
                self.asm.shift_i(Shift::Shl, Width::B8, gp::RDX, 32);
                self.asm.alu(Alu::Or, Width::B8, gp::RAX, gp::RDX);
                self.define(result, 0, gp::RAX)
            }
            (b"threadlocal.address", _) => Err(Reason::ThreadLocal.into()),
            (other, _) => Err(Refused::with(Reason::Intrinsic, String::from_utf8_lossy(other).into_owned())),
        }
    }

    /// Lowers `llvm.is.constant` as LLVM without optimisation does: constants are, parameters are not, nor is what the
    /// plugin has marked. What else may be found to be one is the optimiser's to say, but in Rust, whose
    /// `is_val_statically_known` promises no answer.
    fn lower_is_constant(&mut self, inst: u32, result: Value, value: Value) -> Result<(), Refused> {
        let known = match self.analysis.locals.local(value) {
            None => matches!(self.source(value, 0)?, Source::Bits(_)),
            Some(_) if self.is_unoptimised() || self.is_in_rust() || self.is_parameter(value) => false,
            Some(_) if self.call_says(inst, b"autojit-not-constant") => false,
            Some(_) => {
                return Err(Refused::with(Reason::Intrinsic, "is.constant".to_owned()));
            }
        };
        let reg = self.temporary_gp()?;
        self.asm.mov_i(reg, known.into());
        self.define(result, 0, reg)
    }

    fn is_unoptimised(&self) -> bool {
        let global = self.module.globals().get(self.body.function as usize);
        global.is_some_and(|global| {
            self.module.attributes(global.attributes).function().has(AttributeKind::OptimizeNone)
        })
    }

    /// Whether the function's name is one of rustc's.
    fn is_in_rust(&self) -> bool {
        let global = self.module.globals().get(self.body.function as usize);
        global.is_some_and(|global| is_mangled_by_rustc(self.module.name(global)))
    }

    /// Whether a value is a parameter, or is loaded from a variable that only ever holds one.
    fn is_parameter(&self, value: Value) -> bool {
        let body = self.body;
        let inst = match body.definition(self.module, value) {
            Some(Definition::Argument(_)) => return true,
            Some(Definition::Instruction(inst)) => inst,
            _ => return false,
        };
        let Some(load) = body.instruction(inst).filter(|it| it.opcode == Opcode::Load) else { return false };
        let &[variable] = body.operands(load) else { return false };
        let is_alloca = matches!(body.definition(self.module, variable), Some(Definition::Instruction(inst))
            if body.instruction(inst).is_some_and(|it| it.opcode == Opcode::Alloca));
        // One look at all instructions for each question: not in very large functions.
        is_alloca
            && body.instructions.len() < 1 << 14
            && body.instructions.iter().all(|it| match (it.opcode, body.operands(it)) {
                (Opcode::Load, _) => true,
                (Opcode::Store, &[stored, to]) if to == variable => {
                    matches!(body.definition(self.module, stored), Some(Definition::Argument(_)))
                }
                (Opcode::Call, operands) if self.is_lifetime(it) => !operands.is_empty(),
                (_, operands) => !operands.contains(&variable),
            })
    }

    /// Whether a call has an attribute of this name.
    fn call_says(&self, inst: u32, name: &[u8]) -> bool {
        let instruction = self.body.instructions.get(inst as usize);
        let call = instruction.and_then(|instruction| self.body.call(instruction));
        call.is_some_and(|call| self.module.attributes(call.attributes).function().string(name).is_some())
    }

    /// Lowers an intrinsic on vectors. False: as one on scalars, which only passes values on.
    fn lower_vector_intrinsic(
        &mut self,
        name: &[u8],
        result: Value,
        arguments: &[Value],
    ) -> Result<bool, Refused> {
        if let Some(operation) = name.strip_prefix(b"vector.reduce.") {
            match *arguments {
                [vector] => self.lower_reduction(operation, result, None, vector)?,
                [start, vector] => self.lower_reduction(operation, result, Some(start), vector)?,
                _ => return Err(Reason::Internal("a reduction of nothing").into()),
            }
            return Ok(true);
        }
        match (name, arguments) {
            (b"smin", &[a, b]) => self.lower_lane_choice(Cond::G, result, a, b)?,
            (b"smax", &[a, b]) => self.lower_lane_choice(Cond::L, result, a, b)?,
            (b"umin", &[a, b]) => self.lower_lane_choice(Cond::A, result, a, b)?,
            (b"umax", &[a, b]) => self.lower_lane_choice(Cond::B, result, a, b)?,
            (b"abs", &[value, ..]) => self.lower_lane_absolute(result, value)?,
            (b"fabs" | b"sqrt" | b"fmuladd" | b"ssa.copy" | b"arithmetic.fence" | b"fake.use", _) => {
                return Ok(false);
            }
            (b"floor", &[value]) if self.features.sse41 => self.round_lanes(9, result, value)?,
            (b"ceil", &[value]) if self.features.sse41 => self.round_lanes(10, result, value)?,
            (b"trunc", &[value]) if self.features.sse41 => self.round_lanes(11, result, value)?,
            (b"roundeven", &[value]) if self.features.sse41 => self.round_lanes(8, result, value)?,
            (b"rint", &[value]) if self.features.sse41 => self.round_lanes(4, result, value)?,
            (b"nearbyint", &[value]) if self.features.sse41 => self.round_lanes(12, result, value)?,
            (b"canonicalize", _) => return Ok(false),
            (b"fma", &[a, b, c]) if self.features.fma => self.lower_multiply_add(result, a, b, c)?,
            _ => {
                let detail = format!("{} of vectors", String::from_utf8_lossy(name));
                return Err(Refused::with(Reason::Intrinsic, detail));
            }
        }
        Ok(true)
    }

    /// The base, and what 32 bits at an offset to it say.
    fn lower_load_relative(&mut self, result: Value, base: Value, offset: Value) -> Result<(), Refused> {
        let part = self.single(offset)?;
        let (own, base) = (self.extended(offset, part, true)?, self.gp(base, 0)?);
        let mem = Mem { index: Some((own, 0)), ..Mem::at(base, 0) };
        self.asm.movsx(Width::B8, Width::B4, own, mem);
        self.asm.alu(Alu::Add, Width::B8, own, base);
        self.define(result, 0, own)
    }

    fn call_library(&mut self, name: &[u8], result: Value, values: &[Value]) -> Result<(), Refused> {
        let names = library_names(name).ok_or(Reason::Internal("a library function without a name"))?;
        let Some(&first) = values.first() else { return Err(Reason::Internal("no arguments").into()) };
        let part = self.single(first)?;
        self.call_with_floats(name_for(names, part)?, result, values)
    }

    /// Calls a function of the C library that makes two floats of one: all go through memory, but for the first if it is what the
    /// function returns.
    fn call_for_two(
        &mut self,
        names: [&'static str; 3],
        returns: bool,
        result: Value,
        value: Value,
    ) -> Result<(), Refused> {
        let (part, parts) = (self.single(value)?, self.parts_of(result)?);
        let name = name_for(names, part)?;
        let mut plan = Plan::default();
        plan.value(value, part);
        let mut slots = Vec::new();
        for _ in usize::from(returns)..parts.len() {
            let slot = self.frame.allocate_slot(16)?;
            plan.frame(slot);
            slots.push(slot);
        }
        self.call_runtime(name, &plan)?;
        if returns {
            self.take_first_result(result, &parts)?;
        }
        for (index, &slot) in (usize::from(returns)..).zip(&slots) {
            if self.is_used(result) {
                self.load_part_from(result, index, parts[index], Mem::at(gp::RBP, slot))?;
            }
            self.frame.free_slot(slot, 16);
        }
        Ok(())
    }

    /// Lowers `llvm.get.rounding`: C's FLT_ROUNDS of the x87 control word's bits 10 and 11, as LLVM has it (SDM volume 1, 8.1.5.3;
    /// nearest 1, down 3, up 2, towards zero 0).
    fn lower_rounding(&mut self, result: Value) -> Result<(), Refused> {
        const OF_CONTROL: u64 = 0b00_10_11_01;
        let word = self.spare()?;
        self.take(gp::RCX)?;
        let reg = self.temporary_gp()?;
        self.asm.fnstcw(word);
        self.asm.movzx(Width::B2, gp::RCX, word);
        self.asm.shift_i(Shift::Shr, Width::B4, gp::RCX, 9);
        self.asm.alu_i(Alu::And, Width::B4, Rm::from(gp::RCX), 6);
        self.asm.mov_i(reg, OF_CONTROL);
        self.asm.shift_cl(Shift::Shr, Width::B4, reg);
        self.asm.alu_i(Alu::And, Width::B4, Rm::from(reg), 3);
        self.define(result, 0, reg)
    }

    /// The frame or return address of a caller, by walking saved frame pointers; of this function, without.
    fn lower_frame_address(
        &mut self,
        result: Value,
        depth: Value,
        offset: Option<i32>,
    ) -> Result<(), Refused> {
        let Source::Bits(depth) = self.source(depth, 0)? else {
            return Err(Reason::Internal("a depth that is no number").into());
        };
        let reg = self.temporary_gp()?;
        self.asm.mov(Width::B8, reg, gp::RBP);
        for _ in 0..depth.min(64) {
            self.asm.mov(Width::B8, reg, Mem::at(reg, 0));
        }
        if let Some(offset) = offset {
            self.asm.mov(Width::B8, reg, Mem::at(reg, offset));
        }
        self.define(result, 0, reg)
    }
}

/// Which of the functions for float, double and long double is the one for a value.
fn name_for(names: [&'static str; 3], part: PartType) -> Result<&'static str, Refused> {
    match part.bits {
        _ if part.vector => Err(Reason::Vector("a function of the C library").into()),
        32 => Ok(names[0]),
        64 => Ok(names[1]),
        _ => Ok(names[2]),
    }
}

/// The functions of the C library that an intrinsic is, for float, double and long double.
fn library_names(name: &[u8]) -> Option<[&'static str; 3]> {
    Some(match name {
        b"sin" => ["sinf", "sin", "sinl"],
        b"cos" => ["cosf", "cos", "cosl"],
        b"tan" => ["tanf", "tan", "tanl"],
        b"asin" => ["asinf", "asin", "asinl"],
        b"acos" => ["acosf", "acos", "acosl"],
        b"atan" => ["atanf", "atan", "atanl"],
        b"atan2" => ["atan2f", "atan2", "atan2l"],
        b"sinh" => ["sinhf", "sinh", "sinhl"],
        b"cosh" => ["coshf", "cosh", "coshl"],
        b"tanh" => ["tanhf", "tanh", "tanhl"],
        b"pow" => ["powf", "pow", "powl"],
        b"exp" => ["expf", "exp", "expl"],
        b"exp2" => ["exp2f", "exp2", "exp2l"],
        b"log" => ["logf", "log", "logl"],
        b"log2" => ["log2f", "log2", "log2l"],
        b"log10" => ["log10f", "log10", "log10l"],
        b"fma" => ["fmaf", "fma", "fmal"],
        b"round" => ["roundf", "round", "roundl"],
        b"roundeven" => ["roundevenf", "roundeven", "roundevenl"],
        b"lround" => ["lroundf", "lround", "lroundl"],
        b"llround" => ["llroundf", "llround", "llroundl"],
        b"lrint" => ["lrintf", "lrint", "lrintl"],
        b"llrint" => ["llrintf", "llrint", "llrintl"],
        b"ldexp" => ["ldexpf", "ldexp", "ldexpl"],
        b"powi" => ["__powisf2", "__powidf2", "__powixf2"],
        _ => return None,
    })
}

/// Whether a name is mangled as rustc does: `_R…` (RFC 2603), or `_ZN…17h<16 hexadecimal digits>E`, to which optimisers
/// add suffixes after a dot.
fn is_mangled_by_rustc(name: &[u8]) -> bool {
    if name.starts_with(b"_R") {
        return true;
    }
    let name = name.split(|&byte| byte == b'.').next().unwrap_or(name);
    let Some(name) = name.strip_prefix(b"_ZN").and_then(|name| name.strip_suffix(b"E")) else { return false };
    let Some((path, hash)) = name.split_last_chunk::<16>() else { return false };
    path.ends_with(b"17h") && hash.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::{base, is_mangled_by_rustc};

    #[test]
    fn names_without_types() {
        for (name, expected) in [
            ("memcpy.p0.p0.i64", "memcpy"),
            ("umul.with.overflow.i32", "umul.with.overflow"),
            ("va_start.p0", "va_start"),
            ("vector.reduce.add.v4i32", "vector.reduce.add"),
            ("fptosi.sat.i32.f64", "fptosi.sat"),
            ("experimental.noalias.scope.decl", "experimental.noalias.scope.decl"),
            ("trap", "trap"),
            ("sqrt.f80", "sqrt"),
        ] {
            assert_eq!(base(name.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn names_of_rust() {
        let rust: [&[u8]; 3] = [
            b"_ZN3std4sync4mpmc5utils7Backoff10spin_light17h0123456789abcdefE",
            b"_ZN3std4sync4mpmc5utils7Backoff10spin_light17h0123456789abcdefE.llvm.42",
            b"_RNvNtCs1234_7mycrate3foo3bar",
        ];
        assert!(rust.iter().all(|name| is_mangled_by_rustc(name)));
        let others: [&[u8]; 5] =
            [b"", b"main", b"_ZN3foo3barEv", b"_ZN3foo17h0123456789abcdeE", b"_ZN17h0123456789abcdegE"];
        assert!(!others.iter().any(|name| is_mangled_by_rustc(name)));
    }
}
