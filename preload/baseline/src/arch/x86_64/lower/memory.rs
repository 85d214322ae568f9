//! Loads, stores and allocas.

use autojit_bitcode::{Flags, Instruction, Opcode, Ordering, Type, Value};

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Gp, Mem, Shift, Width, gp};
use super::super::constants::Source;
use super::super::frame::PAGE;
use super::super::registers::{Reg, SCRATCH};
use super::super::values::ValueState;
use crate::parts::{Bank, PartType};
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// Defers a load that only the next instruction looks at, as an operand in memory.
    pub(crate) fn defer_load(&mut self, inst: u32) -> bool {
        let body = self.body;
        let Some(instruction) = body.instructions.get(inst as usize) else { return false };
        let Some(local) = self.analysis.locals.local(instruction.result) else { return false };
        let plain = !instruction.flags.has(Flags::VOLATILE) && !instruction.flags.has(Flags::ATOMIC);
        let ty = self.types.get(instruction.ty);
        let whole = matches!(ty, Type::Int(8 | 16 | 32 | 64) | Type::Pointer(0) | Type::Float | Type::Double);
        use Opcode::*;
        let takes_memory = body.instructions.get(inst as usize + 1).is_some_and(|user| {
            matches!(
                user.opcode,
                Add | Sub
                    | Mul
                    | And
                    | Or
                    | Xor
                    | ICmp
                    | FCmp
                    | ZExt
                    | SExt
                    | FAdd
                    | FSub
                    | FMul
                    | FDiv
                    | SDiv
                    | UDiv
            )
        });
        let variable = body.operands(instruction).first().is_some_and(|at| self.variable_at(*at).is_some());
        let suits = variable || (plain && whole && takes_memory);
        suits && self.analysis.values[local].user == inst + 1 && self.defer(inst)
    }

    /// The load that a value is deferred as.
    pub(crate) fn deferred_load_of(&self, value: Value) -> Option<&Instruction> {
        let instruction = self.body.instructions.get(self.deferred(value)? as usize)?;
        (instruction.opcode == Opcode::Load).then_some(instruction)
    }

    /// The memory of a deferred load of so many bytes.
    pub(crate) fn deferred_load(&mut self, value: Value, bytes: u32) -> Result<Option<Mem>, Refused> {
        let body = self.body;
        let Some(instruction) = self.deferred_load_of(value) else { return Ok(None) };
        let &[address] = body.operands(instruction) else { return Ok(None) };
        if self.types.layout(instruction.ty).map(|it| it.store_size()) != Some(bytes.into()) {
            return Ok(None);
        }
        Ok(Some(self.address(address)?))
    }

    /// Whether a value's register may be changed by the instruction that is being lowered.
    pub(crate) fn can_be_changed(&self, value: Value) -> bool {
        self.analysis.locals.local(value).is_some_and(|local| {
            self.assignments[local].state == ValueState::Live
                && self.dies(local)
                && self.part(local, 0).reg.is_some()
        })
    }

    /// Lowers `load`.
    pub(crate) fn lower_load(&mut self, inst: u32, address: Value) -> Result<(), Refused> {
        let instruction = *self.instruction(inst)?;
        let parts = self.part_table.of(self.types, instruction.ty)?;
        if let Some(variable) = self.variable_at(address) {
            let reg = self.fresh(Bank::Gp)?;
            self.move_register(reg, variable);
            return self.define(instruction.result, 0, reg);
        }
        if instruction.flags.has(Flags::ATOMIC) {
            self.check_atomic(&instruction, &parts)?;
        }
        let mem = self.address(address)?;
        if !self.is_used(instruction.result) {
            // Volatile: it happens all the same.
            let [part] = &*parts else {
                return Err(Reason::Form("volatile load of several parts").into());
            };
            if part.bank == Bank::Gp {
                self.load_int(SCRATCH, mem, part.store_bytes())?;
            }
            return Ok(());
        }
        for (index, part) in parts.iter().enumerate() {
            let at = i32::try_from(part.offset).ok().and_then(|by| mem.plus(by)).ok_or(Reason::Size)?;
            self.load_part_from(instruction.result, index, *part, at)?;
        }
        Ok(())
    }

    /// Atomic accesses of up to 8 bytes are atomic if they are aligned.
    pub(crate) fn check_atomic(&self, instruction: &Instruction, parts: &[PartType]) -> Result<(), Refused> {
        let &[part] = parts else { return Err(Reason::Form("a wide atomic access").into()) };
        let bytes = u64::from(part.store_bytes());
        let aligned = instruction.align.bytes().is_none_or(|align| align >= bytes);
        if !bytes.is_power_of_two() || bytes > 8 || !aligned || part.bank == Bank::X87 {
            return Err(Reason::Form("a wide or unaligned atomic access").into());
        }
        Ok(())
    }

    /// A part of a result is what memory holds.
    pub(crate) fn load_part_from(
        &mut self,
        result: Value,
        index: usize,
        part: PartType,
        mem: Mem,
    ) -> Result<(), Refused> {
        match part.bank {
            Bank::Gp => {
                let reg = self.fresh(Bank::Gp)?.gp();
                self.load_int(reg, mem, part.store_bytes())?;
                self.define(result, index, reg)?;
                // There may be more parts than registers.
                self.regs.unlock(reg.into());
                Ok(())
            }
            Bank::Xmm => {
                let reg = self.fresh(Bank::Xmm)?.xmm();
                self.asm.load_x(part.store_bytes(), reg, mem);
                self.define(result, index, reg)?;
                self.regs.unlock(reg.into());
                Ok(())
            }
            Bank::X87 => {
                self.asm.fld(10, mem);
                let to = self.define_in_memory(result, index)?;
                self.asm.fstp(10, to);
                Ok(())
            }
        }
    }

    /// dst = an integer of 1 to 8 bytes, zero-extended to 32 bits at least. Reads no other bytes.
    pub(crate) fn load_int(&mut self, dst: Gp, mem: Mem, bytes: u32) -> Result<(), Refused> {
        match bytes {
            1 => self.asm.movzx(Width::B1, dst, mem),
            2 => self.asm.movzx(Width::B2, dst, mem),
            4 => self.asm.mov(Width::B4, dst, mem),
            8 => self.asm.mov(Width::B8, dst, mem),
            3 | 5..=7 => {
                let low = if bytes == 3 { 2 } else { 4 };
                let high = mem.plus(low).ok_or(Reason::Size)?;
                // The base may be the destination: it is read twice.
                let part = self.temporary_gp()?;
                let other = self.temporary_gp()?;
                self.load_int(part, high, bytes - low as u32)?;
                self.load_int(other, mem, low as u32)?;
                self.asm.shift_i(Shift::Shl, Width::B8, part, low as u8 * 8);
                self.asm.alu(Alu::Or, Width::B8, part, other);
                self.asm.mov(Width::B8, dst, part);
                self.regs.free_temporary(part.into());
                self.regs.free_temporary(other.into());
            }
            _ => return Err(Reason::Internal("an integer of another size").into()),
        }
        Ok(())
    }

    /// Writes the lower 1 to 8 bytes of a register, no others.
    fn store_int(&mut self, mem: Mem, src: Gp, bytes: u32) -> Result<(), Refused> {
        match bytes {
            1 => self.asm.mov_mr(Width::B1, mem, src),
            2 => self.asm.mov_mr(Width::B2, mem, src),
            4 => self.asm.mov_mr(Width::B4, mem, src),
            8 => self.asm.mov_mr(Width::B8, mem, src),
            3 | 5..=7 => {
                let low = if bytes == 3 { 2 } else { 4 };
                self.store_int(mem, src, low as u32)?;
                let rest = self.temporary_gp()?;
                self.asm.mov(Width::B8, rest, src);
                self.asm.shift_i(Shift::Shr, Width::B8, rest, low as u8 * 8);
                self.store_int(mem.plus(low).ok_or(Reason::Size)?, rest, bytes - low as u32)?;
                self.regs.free_temporary(rest.into());
            }
            _ => return Err(Reason::Internal("an integer of another size").into()),
        }
        Ok(())
    }

    /// Lowers `store`.
    pub(crate) fn lower_store(&mut self, inst: u32, value: Value, address: Value) -> Result<(), Refused> {
        let instruction = *self.instruction(inst)?;
        let parts = self.parts_of(value)?;
        if let Some(variable) = self.variable_at(address) {
            return self.read_into(value, 0, variable);
        }
        if instruction.flags.has(Flags::ATOMIC) {
            self.check_atomic(&instruction, &parts)?;
            if instruction.ordering == Ordering::SequentiallyConsistent {
                return self.store_in_order(value, address, &parts);
            }
        }
        self.force(value)?;
        let mem = self.address(address)?;
        for (index, part) in parts.iter().enumerate() {
            let at = i32::try_from(part.offset).ok().and_then(|by| mem.plus(by)).ok_or(Reason::Size)?;
            // There may be more parts than registers.
            let before = self.regs.in_use();
            self.store_part_to(value, index, *part, at)?;
            self.regs.only_in_use(before);
        }
        Ok(())
    }

    /// Writes a part of a value to memory.
    pub(crate) fn store_part_to(
        &mut self,
        value: Value,
        index: usize,
        part: PartType,
        mem: Mem,
    ) -> Result<(), Refused> {
        let bytes = part.store_bytes();
        if self.analysis.locals.local(value).is_none()
            && part.bank != Bank::X87
            && let Source::Bits(bits) = self.source(value, index)?
        {
            return self.store_constant(mem, bits, part);
        }
        match part.bank {
            Bank::Gp if u32::from(part.bits) != bytes * 8 => {
                let reg = self.own_gp(value, index)?;
                self.extend(reg, part.bits.into(), false);
                self.store_int(mem, reg, bytes)?;
                self.regs.free_temporary(reg.into());
            }
            Bank::Gp => {
                let reg = self.gp(value, index)?;
                self.store_int(mem, reg, bytes)?;
            }
            Bank::Xmm => {
                let reg = self.xmm(value, index)?;
                self.asm.store_x(bytes, mem, reg);
            }
            Bank::X87 => {
                let from = self.memory(value, index)?;
                self.asm.fld(10, from);
                self.asm.fstp(10, mem);
            }
        }
        Ok(())
    }

    fn store_constant(&mut self, mem: Mem, bits: u128, part: PartType) -> Result<(), Refused> {
        let bits = bits & (u128::MAX >> (128 - u32::from(part.bits).clamp(1, 128)));
        let bytes = part.store_bytes();
        let word = bits as u64;
        match bytes {
            1 => self.asm.mov_mi(Width::B1, mem, word as i32),
            2 => self.asm.mov_mi(Width::B2, mem, word as i32),
            4 => self.asm.mov_mi(Width::B4, mem, word as i32),
            8 if i32::try_from(word as i64).is_ok() => self.asm.mov_mi(Width::B8, mem, word as i32),
            16 => {
                let reg = self.temporary_x()?;
                self.load_vector_constant(reg, bits, 16);
                self.asm.store_x(16, mem, reg);
            }
            _ => {
                // The address may hold r11.
                let reg = self.temporary_gp()?;
                self.asm.mov_i(reg, word);
                self.store_int(mem, reg, bytes)?;
                self.regs.free_temporary(reg.into());
            }
        }
        Ok(())
    }

    /// A sequentially consistent store.
    fn store_in_order(&mut self, value: Value, address: Value, parts: &[PartType]) -> Result<(), Refused> {
        let &[part] = parts else { return Err(Reason::Form("a wide atomic access").into()) };
        self.force(value)?;
        let mem = self.address(address)?;
        let reg = match self.own(value, 0)? {
            reg if reg.is_vector() => {
                let moved = self.temporary_gp()?;
                self.move_register(Reg::from(moved), reg);
                moved
            }
            reg => reg.gp(),
        };
        let width = Width::of_bits(part.bits.into());
        if part.bank == Bank::Gp && u32::from(part.bits) != width.bits() {
            self.extend(reg, part.bits.into(), false);
        }
        self.asm.xchg(width, mem, reg);
        Ok(())
    }

    /// The size in bytes of an alloca of the entry block with a constant size; None for others.
    pub(crate) fn static_size(&mut self, inst: u32) -> Result<Option<u64>, Refused> {
        let instruction = *self.instruction(inst)?;
        let in_entry = self.body.blocks.first().is_some_and(|entry| inst < entry.end);
        let &[count] = self.body.operands(&instruction) else {
            return Err(Reason::Internal("an alloca without a count").into());
        };
        if !in_entry || self.analysis.locals.local(count).is_some() {
            return Ok(None);
        }
        let count = self.constant_bits(count)?.ok_or(Reason::Form("an alloca of an address"))?;
        let size = self.size_of(instruction.source_type())? as u64;
        Ok(Some(size.checked_mul(count).ok_or(Reason::Size)?))
    }

    /// Lowers `alloca`.
    pub(crate) fn lower_alloca(&mut self, inst: u32, count: Value) -> Result<(), Refused> {
        let instruction = *self.instruction(inst)?;
        if instruction.flags.has(Flags::INALLOCA) || instruction.flags.has(Flags::SWIFTERROR) {
            return Err(Reason::Attribute("of an alloca").into());
        }
        let Some(local) = self.analysis.locals.local(instruction.result) else {
            return Err(Reason::Internal("an alloca without a result").into());
        };
        if self.analysis.values[local].uses == 0
            || matches!(self.assignments[local].state, ValueState::Variable(_))
        {
            return Ok(());
        }
        let source = self.types.layout(instruction.source_type()).ok_or(Reason::Type("without a layout"))?;
        let align = instruction
            .align
            .bytes()
            .unwrap_or(1)
            .max(1)
            .max(if instruction.align.bytes().is_none() { source.align.into() } else { 1 });
        let align = u32::try_from(align).ok().filter(|align| *align <= 4096).ok_or(Reason::Size)?;
        match self.static_size(inst)? {
            Some(size) if align <= 16 => {
                // What is written carelessly beyond its end should not hit a saved register first.
                let offset = self.frame.allocate(size.max(1), align.max(if size >= 16 { 16 } else { 1 }))?;
                self.assignments[local].state = ValueState::Frame(offset);
                Ok(())
            }
            Some(size) => {
                let offset = self.frame.allocate(size.saturating_add(align.into()), 16)?;
                let reg = self.temporary_gp()?;
                self.asm.lea(reg, Mem::at(gp::RBP, offset + align as i32 - 1));
                self.asm.alu_i(Alu::And, Width::B8, reg, -(align as i32));
                self.define(instruction.result, 0, reg)
            }
            None => self.lower_dynamic_alloca(&instruction, count, align),
        }
    }

    fn lower_dynamic_alloca(
        &mut self,
        instruction: &Instruction,
        count: Value,
        align: u32,
    ) -> Result<(), Refused> {
        let size = self.size_of(instruction.source_type())?;
        let size = i32::try_from(size).map_err(|_| Reason::Size)?;
        let bits = u32::from(self.single(count)?.bits);
        let bytes = self.own_gp(count, 0)?;
        self.extend(bytes, bits, false);
        self.asm.imul_i(Width::B8, bytes, bytes, size);
        self.asm.alu_i(Alu::Add, Width::B8, bytes, 15);
        self.asm.alu_i(Alu::And, Width::B8, bytes, -16);
        self.asm.mov(Width::B8, SCRATCH, gp::RSP);
        self.asm.alu(Alu::Sub, Width::B8, SCRATCH, bytes);
        if align > 16 {
            self.asm.alu_i(Alu::And, Width::B8, SCRATCH, -(align as i32));
        }
        if self.signature.probes {
            // Touches each page that is passed.
            let (again, done) = (self.asm.label(), self.asm.label());
            self.asm.bind(again);
            self.asm.alu_i(Alu::Sub, Width::B8, gp::RSP, PAGE);
            self.asm.alu(Alu::Cmp, Width::B8, gp::RSP, SCRATCH);
            self.asm.jcc(Cond::B, done);
            self.asm.mov_mi(Width::B8, Mem::at(gp::RSP, 0), 0);
            self.asm.jmp(again);
            self.asm.bind(done);
        }
        self.asm.mov(Width::B8, gp::RSP, SCRATCH);
        self.asm.mov(Width::B8, bytes, gp::RSP);
        self.define(instruction.result, 0, bytes)
    }

    /// Whether a call is `llvm.stackrestore`.
    pub(crate) fn restores_stack(&self, instruction: &Instruction) -> bool {
        self.body.call(instruction).is_some_and(|call| {
            let global = self.module.globals().get(call.callee.0 as usize);
            global.is_some_and(|global| self.module.name(global).starts_with(b"llvm.stackrestore"))
        })
    }
}
