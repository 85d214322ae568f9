//! Calls: arguments to their locations, the call itself, results from theirs.

mod arguments;
mod results;

use autojit_bitcode::{AttributeKind, Constant, Definition, Instruction, TailKind, Type, Value};

use super::super::Compiler;
use super::super::abi::{Arguments, Location, NEST};
use super::super::asm::{Alu, Mem, Rm, Width, gp};
use super::super::frame::Tail;
use super::super::registers::SCRATCH;
use super::function::{C_LIKE, POINTER, by_value, check_argument};
use crate::code::{RelocationTarget, Runtime};
use crate::parts::{Bank, PartType};
use crate::refused::{Reason, Refused};

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callee {
    /// A function.
    Symbol(RelocationTarget),
    /// What this pointer leads to.
    Pointer(Value),
}

/// What a part of an argument is.
#[derive(Clone, Copy, Debug)]
enum What {
    Part(Value, usize),
    /// The address of the frame's bytes from here on.
    Frame(i32),
    /// Memory that the pointer leads to is copied.
    Copy(Value, u32),
}

#[derive(Clone, Copy, Debug)]
struct Passed {
    what: What,
    location: Location,
    /// Bits from which it is extended to 32, and whether by its sign.
    extend: Option<(u32, bool)>,
}

/// A call that is being made.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    passed: Vec<Passed>,
    arguments: Arguments,
}

impl Plan {
    /// Passes the address of a part of the frame.
    pub(crate) fn frame(&mut self, offset: i32) {
        let location = self.arguments.part(POINTER);
        self.passed.push(Passed { what: What::Frame(offset), location, extend: None });
    }

    /// Passes a part of a value as it is.
    pub(crate) fn part(&mut self, value: Value, part: usize, ty: PartType) {
        let location = self.arguments.part(ty);
        self.passed.push(Passed { what: What::Part(value, part), location, extend: None });
    }

    /// Passes a value of one part, zero-extended if it is narrow.
    pub(crate) fn value(&mut self, value: Value, ty: PartType) {
        let location = self.arguments.part(ty);
        let extend = (ty.bank == Bank::Gp && ty.bits < 32).then_some((ty.bits.into(), false));
        self.passed.push(Passed { what: What::Part(value, 0), location, extend });
    }
}

/// Whether the text of inline assembly has nothing but comments.
fn has_no_instructions(mut text: &[u8]) -> bool {
    loop {
        text = text.trim_ascii_start();
        let (begin, end): (_, &[u8]) = match text {
            [] => return true,
            [b'/', b'*', ..] => (2, b"*/"),
            [b'#', ..] => (1, b"\n"),
            _ => return false,
        };
        let rest = &text[begin..];
        match rest.windows(end.len()).position(|bytes| bytes == end) {
            Some(at) => text = &rest[at + end.len()..],
            // What ends with the text is for the assembler to judge, but for a line.
            None => return end == b"\n",
        }
    }
}

/// Inline assembly that takes and gives nothing, as loops that wait for another thread have it, and the bytes of it.
const ALONE: [(&[u8], &[u8]); 8] = [
    (b"pause", &[0xf3, 0x90]),
    (b"rep; nop", &[0xf3, 0x90]),
    (b"rep nop", &[0xf3, 0x90]),
    (b"rep;nop", &[0xf3, 0x90]),
    (b"nop", &[0x90]),
    (b"lfence", &[0x0f, 0xae, 0xe8]),
    (b"mfence", &[0x0f, 0xae, 0xf0]),
    (b"sfence", &[0x0f, 0xae, 0xf8]),
];

/// The bytes of such assembly, which one semicolon or line may end.
fn alone(text: &[u8]) -> Option<&'static [u8]> {
    let text = text.trim_ascii();
    let text = text.strip_suffix(b";").unwrap_or(text).trim_ascii_end();
    ALONE.iter().find(|(known, _)| *known == text).map(|(_, bytes)| *bytes)
}

impl Compiler<'_> {
    /// Lowers `call`.
    pub(crate) fn lower_call(&mut self, inst: u32) -> Result<(), Refused> {
        let body = self.body;
        let instruction = body.instructions.get(inst as usize).ok_or(Reason::Internal("an instruction"))?;
        let call = body.call(instruction).ok_or(Reason::Internal("a call of nothing"))?;
        if let Some(Definition::Global(index)) = body.definition(self.module, call.callee)
            && let Some(global) = self.module.globals().get(index as usize)
        {
            let name = self.module.name(global);
            if let Some(intrinsic) = name.strip_prefix(b"llvm.") {
                return self.lower_intrinsic(inst, intrinsic, call.arguments);
            }
        }
        if let Some(Definition::Constant) = body.definition(self.module, call.callee)
            && let Some(Constant::InlineAsm(assembly)) = body.constant(self.module, call.callee)
        {
            // A barrier for optimisers: no instructions.
            if has_no_instructions(assembly.text) {
                return self.lower_barrier(instruction.result, assembly.constraints, call.arguments);
            }
            if let Some(bytes) = alone(assembly.text)
                && instruction.result.is_none()
                && call.arguments.is_empty()
            {
                self.asm.raw(bytes);
                return Ok(());
            }
        }
        self.make_call(instruction, None)
    }

    /// Lowers inline assembly without instructions: each result is the operand that is tied to it.
    fn lower_barrier(
        &mut self,
        result: Value,
        constraints: &[u8],
        arguments: &[Value],
    ) -> Result<(), Refused> {
        if result.is_none() {
            return Ok(());
        }
        let (mut outputs, mut next) = (0, 0);
        let mut tied = Vec::new();
        for constraint in constraints.split(|byte| *byte == b',') {
            match constraint {
                [b'=', b'*', ..] => next += 1,
                [b'=', ..] => outputs += 1,
                [b'~', ..] => {}
                input => {
                    let number =
                        std::str::from_utf8(input).ok().and_then(|input| input.parse::<usize>().ok());
                    if let Some(number) = number {
                        tied.push((number, next));
                    }
                    next += 1;
                }
            }
        }
        let values: Vec<Value> = (0..outputs)
            .map_while(|output| tied.iter().find(|(number, _)| *number == output))
            .filter_map(|(_, argument)| arguments.get(*argument).copied())
            .collect();
        if values.len() != outputs {
            return Err(Reason::InlineAssembly.into());
        }
        let mut index = 0;
        for value in values {
            self.force(value)?;
            for part in 0..self.parts_of(value)?.len() {
                self.pass_part(result, index, value, part)?;
                index += 1;
            }
        }
        if self.parts_of(result)?.len() == index { Ok(()) } else { Err(Reason::InlineAssembly.into()) }
    }

    /// An instruction of the body.
    pub(crate) fn instruction(&self, inst: u32) -> Result<&'_ Instruction, Refused> {
        Ok(self
            .body
            .instructions
            .get(inst as usize)
            .ok_or(Reason::Internal("an instruction out of range"))?)
    }

    /// The call of a `call` or `invoke` instruction; `unwind` is the landing pad's block.
    pub(crate) fn make_call(
        &mut self,
        instruction: &Instruction,
        unwind: Option<u32>,
    ) -> Result<(), Refused> {
        let body = self.body;
        let call = body.call(instruction).ok_or(Reason::Internal("a call of nothing"))?;
        if !C_LIKE.contains(&call.convention) {
            return Err(Reason::CallingConvention.into());
        }
        for bundle in call.bundles {
            if !matches!(self.module.bundle_tag(bundle.tag), b"funclet" | b"cold") {
                return Err(Reason::Form("a call with operand bundles").into());
            }
        }
        let Type::Function { result, parameters, variadic } = self.types.get(call.function_type) else {
            return Err(Reason::Internal("a call by another type").into());
        };
        let attributes = self.module.attributes(call.attributes);
        let of_callee = match body.definition(self.module, call.callee) {
            Some(Definition::Global(index)) => self.module.globals().get(index as usize),
            _ => None,
        };
        let mut keeps = |list| self.lists.keeps_registers(self.module, list);
        let callee_keeps = of_callee.is_none_or(|global| keeps(global.attributes));
        if !callee_keeps || !keeps(call.attributes) {
            return Err(Reason::Attribute("no_callee_saved_registers").into());
        }
        let mut plan = Plan { arguments: Arguments { variadic, ..Arguments::default() }, ..Plan::default() };
        plan.passed.reserve_exact(call.arguments.len() + 1);
        let (parts, results) = self.results_of(result)?;
        let mut memory = None;
        if results.is_none() {
            let layout = self.types.layout(result).ok_or(Reason::Type("without a layout"))?;
            let offset = self.frame.allocate(layout.size, layout.align)?;
            plan.frame(offset);
            memory = Some(offset);
        }
        let fixed = parameters.len();
        for (index, &argument) in call.arguments.iter().enumerate() {
            let set = attributes.parameter(index as u32);
            check_argument(&set)?;
            if argument.metadata().is_some() {
                return Err(Reason::Form("metadata as an argument").into());
            }
            if let Some((size, align)) = by_value(self, &set)? {
                let location = Location::Stack(plan.arguments.memory(size, align));
                plan.passed.push(Passed { what: What::Copy(argument, size), location, extend: None });
                continue;
            }
            let extended = set.has(AttributeKind::ZExt) || set.has(AttributeKind::SExt);
            let extend = |ty: &PartType| {
                (ty.bank == Bank::Gp && ty.bits < 32 && (extended || ty.bits == 1))
                    .then_some((ty.bits.into(), set.has(AttributeKind::SExt)))
            };
            let ty = self.type_of(argument)?;
            // Most of them.
            if let Some(part) = self.part_table.single(self.types, ty)?
                && !part.vector
                && !set.has(AttributeKind::Nest)
            {
                self.check_passed(ty)?;
                let location = plan.arguments.part(part);
                plan.passed.push(Passed { what: What::Part(argument, 0), location, extend: extend(&part) });
                continue;
            }
            let parts = self.part_table.of(self.types, ty)?;
            let locations = if set.has(AttributeKind::Nest) && index < fixed {
                vec![Location::Gp(NEST)]
            } else {
                self.locations_of(argument, &mut plan.arguments)?
            };
            for (part, (ty, location)) in parts.iter().zip(locations).enumerate() {
                plan.passed.push(Passed { what: What::Part(argument, part), location, extend: extend(ty) });
            }
        }
        let callee = match body.definition(self.module, call.callee) {
            Some(Definition::Global(index)) => Callee::Symbol(RelocationTarget::Global(index)),
            Some(Definition::Constant)
                if matches!(body.constant(self.module, call.callee), Some(Constant::InlineAsm(_))) =>
            {
                return Err(Reason::InlineAssembly.into());
            }
            _ => Callee::Pointer(call.callee),
        };
        if call.tail == TailKind::MustTail {
            return self.call_in_place(&plan, callee);
        }
        self.pass_and_call(&plan, callee, unwind)?;
        match (results, memory) {
            (Some(locations), _) => self.take_results(instruction.result, &parts, &locations),
            (None, Some(offset)) => self.load_results(instruction.result, &parts, offset),
            (None, None) => Ok(()),
        }
    }

    /// Calls a function of the C library or the compiler's support library with arguments of one part each.
    pub(crate) fn call_runtime(&mut self, name: &'static str, plan: &Plan) -> Result<(), Refused> {
        self.pass_and_call(plan, Callee::Symbol(RelocationTarget::Runtime(Runtime(name))), None)
    }

    fn pass_and_call(&mut self, plan: &Plan, callee: Callee, unwind: Option<u32>) -> Result<(), Refused> {
        self.force_arguments(plan, callee)?;
        let align = plan.arguments.align;
        let stack = plan.arguments.stack.next_multiple_of(align.max(16));
        if stack > 0 {
            if unwind.is_some() && self.frame.dynamic {
                return Err(Reason::Form("invoke with arguments on the stack and dynamic allocas").into());
            }
            if align == 0 {
                self.asm.alu_i(Alu::Sub, Width::B8, Rm::from(gp::RSP), stack as i32);
            } else {
                // Above the arguments it is kept where rsp was.
                self.asm.mov(Width::B8, SCRATCH, gp::RSP);
                self.asm.alu_i(Alu::Sub, Width::B8, Rm::from(gp::RSP), stack as i32 + 8);
                self.asm.alu_i(Alu::And, Width::B8, Rm::from(gp::RSP), -(align as i32));
                self.asm.mov_mr(Width::B8, Mem::at(gp::RSP, stack as i32), SCRATCH);
            }
            for passed in &plan.passed {
                if let Location::Stack(at) = passed.location {
                    self.pass_on_stack(passed, Mem::at(gp::RSP, at as i32))?;
                }
            }
        }
        self.move_arguments(plan)?;
        if let Callee::Pointer(value) = callee {
            self.read_into(value, 0, SCRATCH)?;
        }
        self.drop_across_call()?;
        if plan.arguments.variadic {
            if self.regs.is_temporary(gp::RAX.into()) {
                return Err(Reason::Internal("rax holds an argument").into());
            }
            self.asm.mov_i(gp::RAX, plan.arguments.vectors as u64);
        }
        let vectors = self.store_vectors()?;
        let rounds = self.rounds_in_register();
        if let Some((reg, memory)) = rounds {
            self.asm.mov_mr(Width::B4, memory, reg);
        }
        let start = self.asm.offset();
        match callee {
            Callee::Symbol(target) => self.asm.call_symbol(target),
            Callee::Pointer(_) => self.asm.call_rm(SCRATCH),
        }
        if let Some(pad) = unwind {
            self.note_call_site(start, pad)?;
        }
        if let Some((reg, memory)) = rounds {
            self.asm.mov(Width::B4, reg, memory);
        }
        for (reg, bits, memory) in vectors {
            self.load_slot(reg, bits, memory);
        }
        match (stack, align) {
            (0, _) => {}
            (_, 0) => self.asm.alu_i(Alu::Add, Width::B8, Rm::from(gp::RSP), stack as i32),
            _ => self.asm.mov(Width::B8, gp::RSP, Mem::at(gp::RSP, stack as i32)),
        }
        self.regs.end_instruction();
        Ok(())
    }

    /// A `musttail` call: in the place of this function, whose frame is taken down by what is behind the epilogue.
    fn call_in_place(&mut self, plan: &Plan, callee: Callee) -> Result<(), Refused> {
        // The callee's arguments on the stack would lie where this function's own are still read.
        if plan.arguments.stack > 0 || plan.arguments.variadic {
            return Err(Reason::Form("musttail with arguments on the stack").into());
        }
        self.force_arguments(plan, callee)?;
        self.move_arguments(plan)?;
        let target = match callee {
            Callee::Symbol(target) => Some(target),
            Callee::Pointer(value) => {
                self.take(gp::RAX)?;
                self.read_into(value, 0, gp::RAX)?;
                None
            }
        };
        let exit = self.asm.label();
        self.asm.jmp(exit);
        self.tails.push(Tail { exit, target });
        self.drop_across_call()?;
        self.regs.end_instruction();
        // The `ret` behind it has nothing to return.
        self.returned = true;
        Ok(())
    }

    /// Stores what is needed after the call and is in a register that the call changes.
    fn store_across_call(&mut self) -> Result<(), Refused> {
        for reg in self.regs.occupied() {
            if let Some((local, part)) = self.regs.owner(reg)
                && self.regs.is_changed_by_calls(reg)
                && self.lives_on(local as usize)
            {
                self.store_part(local as usize, part as usize)?;
            }
        }
        Ok(())
    }

    /// Empties the registers that the call changes.
    fn drop_across_call(&mut self) -> Result<(), Refused> {
        for reg in self.regs.occupied() {
            if let Some((local, part)) = self.regs.owner(reg)
                && self.regs.is_changed_by_calls(reg)
            {
                if self.lives_on(local as usize) {
                    self.store_part(local as usize, part as usize)?;
                }
                self.part_mut(local as usize, part as usize).reg = None;
                self.regs.release(reg);
            }
        }
        Ok(())
    }

    /// Whether a value is needed after the instruction that is being lowered, as far as its uses tell.
    fn lives_on(&self, local: usize) -> bool {
        self.assignments[local].remaining > 1
            || self.analysis.values[local].looped
            || self.analysis.values[local].user != self.inst
    }
}

#[cfg(test)]
mod tests {
    use super::{alone, has_no_instructions};

    #[test]
    fn one_instruction_is_known_whatever_ends_it() {
        for text in ["pause", "\tpause\n", "pause;", " pause ;\n"] {
            assert_eq!(alone(text.as_bytes()), Some(&[0xf3, 0x90][..]), "{text:?}");
        }
        for text in ["", ";", "pause; pause", "pause $0", "Pause", "nop; # pause"] {
            assert_eq!(alone(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn comments_are_no_instructions() {
        for none in ["", " \n\t", "/*$0*/", "/* a */ /*b*/\n", "# kept", "# one\n# two\n", "/*\n*/#"] {
            assert!(has_no_instructions(none.as_bytes()), "{none:?}");
        }
        for some in ["nop", "/*$0*/ nop", "# one\nnop", "/* open", "/*/", "/", ".byte 1", "// x", ";"] {
            assert!(!has_no_instructions(some.as_bytes()), "{some:?}");
        }
    }
}
