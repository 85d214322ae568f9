//! Values: types, globals, constants, and the instructions of bodies.

use super::part::{Part, Text};
use super::{Body, Class, Digester, Entity, UNKNOWN};
use crate::{
    Attribute, AttributeKind, AttributeListId, Block, Constant, Definition, FunctionBody, Global, GlobalKind,
    InlineAsm, Inst, Instruction, Linkage, Opcode, Result, Type, TypeId, Value,
};

/// How deep a function's own constants are nested at most.
const NESTED: u32 = 16;
/// What a body may say at most, in bytes: constants of its own are said wherever they are used.
const MOST: usize = 64 << 20;

impl Digester<'_> {
    pub(super) fn read_type(&mut self, id: TypeId) -> Result<u128> {
        let module = self.module;
        let mut text = Text::default();
        let tag = match module.types().get(id) {
            Type::Void => 0,
            Type::Half => 1,
            Type::BFloat => 2,
            Type::Float => 3,
            Type::Double => 4,
            Type::X86Fp80 => 5,
            Type::Fp128 => 6,
            Type::PpcFp128 => 7,
            Type::Label => 8,
            Type::Metadata => 9,
            Type::Token => 10,
            Type::X86Amx => 11,
            Type::Int(width) => {
                text.number(width);
                12
            }
            Type::Pointer(space) => {
                text.number(space);
                13
            }
            Type::Vector { element, count, scalable } => {
                text.wide(self.of_type(element)?);
                text.number(count);
                text.flag(scalable);
                14
            }
            Type::Array { element, count } => {
                text.wide(self.of_type(element)?);
                text.number(count);
                15
            }
            Type::Struct { fields, packed } => {
                for field in fields {
                    text.wide(self.of_type(*field)?);
                }
                text.flag(packed);
                16
            }
            Type::Opaque => {
                text.string(module.types().name(id).unwrap_or_default());
                17
            }
            Type::Function { result, parameters, variadic } => {
                text.wide(self.of_type(result)?);
                for parameter in parameters {
                    text.wide(self.of_type(*parameter)?);
                }
                text.flag(variadic);
                18
            }
            Type::TargetExt => return Err(UNKNOWN),
        };
        text.tag(tag);
        Ok(text.digest())
    }

    fn say_type(&mut self, id: TypeId, text: &mut Text) -> Result<()> {
        text.wide(self.of_type(id)?);
        Ok(())
    }

    fn say_attributes(&mut self, list: AttributeListId, text: &mut Text) -> Result<()> {
        let digest = match self.attributes.get(&list.0) {
            Some(known) => *known,
            None => {
                let digest = self.read_attributes(list)?;
                self.attributes.insert(list.0, digest);
                digest
            }
        };
        text.wide(digest);
        Ok(())
    }

    fn read_attributes(&mut self, list: AttributeListId) -> Result<u128> {
        let mut text = Text::default();
        for (index, set) in self.module.attributes(list).sets() {
            text.number(index);
            for attribute in set.iter() {
                match attribute {
                    Attribute::Enum(kind) => {
                        text.tag(1);
                        text.number(kind as u8);
                    }
                    Attribute::Int(kind, value) => {
                        text.tag(2);
                        text.number(kind as u8);
                        text.number(value);
                    }
                    Attribute::Type(kind, ty) => {
                        text.tag(3);
                        text.number(kind as u8);
                        self.say_type(ty, &mut text)?;
                    }
                    Attribute::Range(kind, bounds) => {
                        text.tag(4);
                        text.number(kind as u8);
                        text.numbers(bounds);
                    }
                    Attribute::String(key, value) => {
                        text.tag(5);
                        text.string(key);
                        text.string(value);
                    }
                }
            }
            text.tag(0);
        }
        Ok(text.digest())
    }

    /// Whether a global is a constant that travels with what uses it: nothing else knows its name.
    fn is_nameless(&self, global: &Global, class: Class) -> bool {
        global.kind == GlobalKind::Variable
            && matches!(global.linkage, Linkage::Private | Linkage::Internal)
            && global.constant
            && global.initializer().is_some()
            && class == Class::default()
    }

    /// A global: what its declaration says, and its initialiser, but no body.
    pub(super) fn of_global(&mut self, number: u32) -> Result<Part> {
        let module = self.module;
        let global = module.globals()[number as usize];
        let seldom = module.seldom(&global);
        if global.more || seldom.gc != 0 {
            return Err(UNKNOWN);
        }
        let name = module.name(&global);
        let class = (self.class)(name);
        let mut text = Text::default();
        for part in [
            global.kind as u8,
            global.linkage as u8,
            global.visibility as u8,
            global.thread_local as u8,
            global.unnamed_addr as u8,
            global.align.0,
            seldom.code_model,
            class.kind,
        ] {
            text.tag(part);
        }
        for flag in [
            global.dso_local,
            global.declaration,
            global.constant,
            global.externally_initialized,
            class.opaque,
        ] {
            text.flag(flag);
        }
        text.number(global.convention);
        self.say_type(global.value_type, &mut text)?;
        self.say_type(global.pointer_type, &mut text)?;
        self.say_attributes(global.attributes, &mut text)?;
        text.string(module.section(seldom.section).unwrap_or_default());
        text.flag(global.comdat != 0);
        if self.is_nameless(&global, class) {
            text.tag(0);
        } else {
            text.tag(1);
            text.string(name);
            text.string(module.comdat(global.comdat).unwrap_or_default());
        }
        for value in [global.initializer(), global.personality(), seldom.prefix, seldom.prologue] {
            text.flag(value.is_some());
            if let Some(value) = value {
                self.say_value(value, None, 0, &mut text)?;
            }
        }
        self.say_attached(number, &mut text)?;
        Ok(self.entities.part(&text))
    }

    pub(super) fn of_constant(&mut self, value: Value) -> Result<Part> {
        let module = self.module;
        let mut text = Text::default();
        let constant = module.constant(value).ok_or(UNKNOWN)?;
        let index = value.0 as usize - module.globals().len();
        self.say_constant(constant, module.constants.range(index), None, 0, &mut text)?;
        Ok(self.entities.part(&text))
    }

    /// Says which value it is, in a body or outside of all.
    pub(super) fn say_value(
        &mut self,
        value: Value,
        body: Option<&FunctionBody>,
        depth: u32,
        text: &mut Text,
    ) -> Result<()> {
        let module = self.module;
        if text.len() > MOST || depth > NESTED {
            return Err(UNKNOWN);
        }
        if value.metadata().is_none() && value.0 < module.values() {
            if (value.0 as usize) < module.globals().len() {
                text.tag(b'G');
                text.refer(Entity::Global(value.0));
                return Ok(());
            }
            let constant = module.constant(value).ok_or(UNKNOWN)?;
            text.tag(b'C');
            self.say_type(module.type_of(value).ok_or(UNKNOWN)?, text)?;
            if is_leaf(&constant) {
                text.tag(b'c');
                return self.say_constant(constant, &[], None, depth, text);
            }
            text.tag(b'r');
            text.refer(Entity::Constant(value));
            return Ok(());
        }
        let body = body.ok_or(UNKNOWN)?;
        match body.definition(module, value).ok_or(UNKNOWN)? {
            Definition::Argument(number) => {
                text.tag(b'A');
                text.number(number);
            }
            Definition::Instruction(Inst(number)) => {
                text.tag(b'I');
                text.number(number);
            }
            Definition::Metadata(number) => {
                text.tag(b'M');
                self.say_node(number.checked_add(1).ok_or(UNKNOWN)?, text)?;
            }
            Definition::Constant => {
                let index = value.0.checked_sub(body.first_constant).ok_or(UNKNOWN)?;
                let constant = body.own_constant(index).ok_or(UNKNOWN)?;
                text.tag(b'C');
                self.say_type(body.type_of(module, value).ok_or(UNKNOWN)?, text)?;
                text.tag(b'c');
                let range = body.constants.range(index as usize);
                self.say_constant(constant, range, Some(body), depth + 1, text)?;
            }
            Definition::Global(_) => return Err(UNKNOWN),
        }
        Ok(())
    }

    fn say_values(
        &mut self,
        values: &[Value],
        body: Option<&FunctionBody>,
        depth: u32,
        text: &mut Text,
    ) -> Result<()> {
        text.number(values.len() as u64);
        values.iter().try_for_each(|value| self.say_value(*value, body, depth, text))
    }

    fn say_constant(
        &mut self,
        constant: Constant<'_>,
        range: &[u64],
        body: Option<&FunctionBody>,
        depth: u32,
        text: &mut Text,
    ) -> Result<()> {
        let mut say = |tag: u8, values: &[Value], text: &mut Text| {
            text.tag(tag);
            self.say_values(values, body, depth, text)
        };
        match constant {
            Constant::Null => text.tag(1),
            Constant::Undef => text.tag(2),
            Constant::Poison => text.tag(3),
            Constant::Int(value) => {
                text.tag(4);
                text.number(value as u64);
            }
            Constant::WideInt(words) => {
                text.tag(5);
                text.numbers(words);
            }
            Constant::Float(bits) => {
                text.tag(6);
                text.wide(bits);
            }
            Constant::Aggregate(values) => say(7, values, text)?,
            Constant::Data(data) => {
                text.tag(8);
                let mut numbers = Vec::new();
                self.module.data(&data, &mut numbers)?;
                text.numbers(&numbers);
            }
            Constant::Binary { op, flags, left, right } => {
                say(9, &[left, right], text)?;
                text.tag(op as u8);
                text.number(flags.0);
            }
            Constant::Cast { op, flags, value } => {
                say(10, &[value], text)?;
                text.tag(op as u8);
                text.number(flags.0);
            }
            Constant::GetElementPtr { source, flags, operands } => {
                say(11, operands, text)?;
                self.say_type(source, text)?;
                text.number(flags.0);
                text.numbers(range);
            }
            Constant::ExtractElement { vector, index } => say(12, &[vector, index], text)?,
            Constant::InsertElement { vector, element, index } => say(13, &[vector, element, index], text)?,
            Constant::ShuffleVector { left, right, mask } => say(14, &[left, right, mask], text)?,
            Constant::BlockAddress { function, block } => {
                say(15, &[function], text)?;
                text.number(block.0);
            }
            Constant::DsoLocalEquivalent(value) => say(16, &[value], text)?,
            Constant::NoCfi(value) => say(17, &[value], text)?,
            Constant::InlineAsm(InlineAsm {
                ty,
                side_effects,
                align_stack,
                intel,
                can_throw,
                text: assembly,
                constraints,
            }) => {
                text.tag(18);
                self.say_type(ty, text)?;
                [side_effects, align_stack, intel, can_throw].into_iter().for_each(|flag| text.flag(flag));
                text.string(assembly);
                text.string(constraints);
            }
            // Of these the reader does not say all.
            Constant::Former(_) | Constant::PtrAuth(_) => return Err(UNKNOWN),
        }
        Ok(())
    }

    /// The body that was read.
    pub(super) fn of_body(&mut self, function: u32) -> Result<Body> {
        let body = std::mem::take(&mut self.body);
        let result = self.of_this(function, &body);
        self.body = body;
        result
    }

    fn of_this(&mut self, function: u32, body: &FunctionBody) -> Result<Body> {
        let block = self.module.block(function)?;
        self.metadata.enter_block(body, block)?;
        self.body_of = function;
        let (mut text, mut calls) = (Text::default(), Vec::new());
        text.number(body.blocks.len() as u64);
        for number in 0..body.blocks.len() as u32 {
            let block = Block(number);
            for (_, instruction) in body.block(block) {
                self.say_instruction(body, instruction, &mut text)?;
                if let Some(call) = body.call(instruction)
                    && let Some(callee) = self.callee(&call)
                {
                    let attributes = self.module.attributes(call.attributes).function();
                    calls.push((callee, attributes.has(AttributeKind::AlwaysInline)));
                }
            }
            text.tag(b';');
            body.successors(block).iter().for_each(|to| text.number(to.0));
        }
        let subprogram = self.say_metadata(body, &mut text)?;
        Ok(Body { part: self.entities.part(&text), calls, subprogram })
    }

    fn say_instruction(
        &mut self,
        body: &FunctionBody,
        instruction: &Instruction,
        text: &mut Text,
    ) -> Result<()> {
        let module = self.module;
        text.tag(instruction.opcode as u8);
        text.tag(instruction.detail8);
        text.tag(instruction.ordering as u8);
        text.tag(instruction.align.0);
        text.number(instruction.flags.0);
        self.say_type(instruction.ty, text)?;
        match instruction.opcode {
            Opcode::Alloca | Opcode::GetElementPtr => self.say_type(instruction.source_type(), text)?,
            Opcode::Load | Opcode::Store | Opcode::Fence | Opcode::CmpXchg | Opcode::AtomicRmw => {
                text.string(module.sync_scope(instruction.sync_scope()));
            }
            Opcode::Phi => body.phi(instruction).for_each(|(_, from)| text.number(from.0)),
            Opcode::ExtractValue | Opcode::InsertValue => {
                let indices = body.indices(instruction);
                text.number(indices.len() as u64);
                indices.iter().for_each(|index| text.number(*index));
            }
            Opcode::LandingPad => {
                (0..instruction.count)
                    .for_each(|clause| text.flag(body.clause_is_filter(instruction, clause)));
            }
            Opcode::Call | Opcode::Invoke | Opcode::CallBr => {
                let call = body.call(instruction).ok_or(UNKNOWN)?;
                self.say_type(call.function_type, text)?;
                self.say_attributes(call.attributes, text)?;
                text.number(call.convention);
                text.number(call.bundles.len() as u64);
                for bundle in call.bundles {
                    text.string(module.bundle_tag(bundle.tag));
                    self.say_values(body.bundle(bundle), Some(body), 0, text)?;
                }
            }
            _ => {}
        }
        self.say_values(body.operands(instruction), Some(body), 0, text)
    }
}

/// Whether a constant is said where it is used.
fn is_leaf(constant: &Constant<'_>) -> bool {
    matches!(
        constant,
        Constant::Null
            | Constant::Undef
            | Constant::Poison
            | Constant::Int(_)
            | Constant::WideInt(_)
            | Constant::Float(_)
    )
}
