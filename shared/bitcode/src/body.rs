//! A function's body: instructions, operands, blocks and locations in flat arrays that are used again for each function.

use crate::constant_reader::Scratch;
use crate::constants::{Constant, Constants};
use crate::stream::Record;
use crate::{
    Align, AttributeListId, BitcodeModule, Block, Flags, Inst, Opcode, Ordering, Predicate, RmwOp, TailKind,
    TypeId, Value,
};

/// An instruction. What its operands are is listed at [`FunctionBody::operands`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub opcode: Opcode,
    /// Comparison, read-modify-write operation or failure ordering: see the accessors.
    pub(crate) detail8: u8,
    /// What an atomic access is ordered with (of `cmpxchg`: on success).
    pub ordering: Ordering,
    /// Of `load`, `store`, `alloca`, `cmpxchg`, `atomicrmw`.
    pub align: Align,
    /// Its keywords.
    pub flags: Flags,
    /// The type of its result; `void` if it has none.
    pub ty: TypeId,
    /// The value that it defines, or [`Value::NONE`].
    pub result: Value,
    pub(crate) first: u32,
    pub(crate) count: u32,
    /// By opcode: a type, a synchronization scope, or an index of [`FunctionBody::words`].
    pub(crate) detail: u32,
    /// Index of its location, or `u32::MAX`: see [`FunctionBody::location`].
    pub(crate) location: u32,
}

impl Instruction {
    /// The comparison of `icmp` and `fcmp`.
    pub fn predicate(&self) -> Predicate {
        Predicate::from_encoded(self.detail8.into()).unwrap_or(Predicate::False)
    }

    /// The operation of `atomicrmw`.
    pub fn rmw(&self) -> RmwOp {
        RmwOp::from_encoded(self.detail8.into()).unwrap_or(RmwOp::Xchg)
    }

    /// The ordering of `cmpxchg` when it fails.
    pub fn failure_ordering(&self) -> Ordering {
        Ordering::from_encoded(self.detail8.into()).unwrap_or(Ordering::SequentiallyConsistent)
    }

    /// The synchronization scope of an atomic access or fence: see [`BitcodeModule::sync_scope`](crate::BitcodeModule::sync_scope).
    pub fn sync_scope(&self) -> u32 {
        self.detail
    }

    /// The type that `alloca` allocates, and that `getelementptr` steps through.
    pub fn source_type(&self) -> TypeId {
        TypeId(self.detail)
    }
}

/// A block: its instructions and where control goes from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockInfo {
    /// Its first instruction.
    pub first: u32,
    /// The one after its terminator.
    pub end: u32,
    pub(crate) targets: u32,
    pub(crate) target_count: u32,
}

/// Line and scope of an instruction. Scopes are numbers of metadata, counted from 1; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugLocation {
    /// Line, 0 if there is none.
    pub line: u32,
    /// Column, 0 if there is none.
    pub column: u32,
    /// The subprogram or lexical block.
    pub scope: u32,
    /// The location at which the scope was inlined.
    pub inlined_at: u32,
    /// Not in the source.
    pub implicit: bool,
}

/// An operand bundle of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its tag: see [`BitcodeModule::bundle_tag`](crate::BitcodeModule::bundle_tag).
    pub tag: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// What a `call`, `invoke` or `callbr` calls, and how.
#[derive(Clone, Copy, Debug)]
pub struct Call<'b> {
    /// What is called: a function, a pointer, or inline assembly (a constant).
    pub callee: Value,
    /// The type that it is called with.
    pub function_type: TypeId,
    /// The call's own attributes.
    pub attributes: AttributeListId,
    /// The calling convention, with LLVM's number.
    pub convention: u16,
    /// Whether the frame is reused.
    pub tail: TailKind,
    /// All arguments, those of `...` too.
    pub arguments: &'b [Value],
    /// Operand bundles.
    pub bundles: &'b [Bundle],
}

/// A statement about a variable of the source, in front of an instruction. Numbers of metadata are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugRecord {
    /// With the numbers of bitcode: 61 and 64 `value`, 62 `declare`, 63 `assign`, 65 `label`, 66 `declare_value`.
    pub kind: u8,
    /// The instruction that it stands in front of.
    pub before: Inst,
    /// Its location.
    pub location: u32,
    /// The variable or label.
    pub variable: u32,
    /// The expression.
    pub expression: u32,
    /// The value, or metadata that names it; none for labels.
    pub value: Value,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// The global of this index.
    Global(u32),
    /// A constant: [`FunctionBody::constant`].
    Constant,
    /// The parameter of this index.
    Argument(u32),
    /// The result of this instruction.
    Instruction(Inst),
    /// Metadata, with its number.
    Metadata(u32),
}

/// A function's body. [`BitcodeModule::read_function`](crate::BitcodeModule::read_function) fills it; what was in it before is
/// dropped, its memory used again.
#[derive(Debug, Default)]
pub struct FunctionBody {
    /// The function: its index among the globals.
    pub function: u32,
    /// All instructions, block after block.
    pub instructions: Vec<Instruction>,
    /// All blocks; 0 is the entry.
    pub blocks: Vec<BlockInfo>,
    pub(crate) operands: Vec<Value>,
    pub(crate) targets: Vec<Block>,
    pub(crate) words: Vec<u32>,
    pub(crate) bundles: Vec<Bundle>,
    pub(crate) locations: Vec<DebugLocation>,
    /// Whether instructions have locations, kept or not.
    pub(crate) located: bool,
    /// The first argument's value.
    pub(crate) first_argument: u32,
    pub(crate) first_constant: u32,
    pub(crate) first_result: u32,
    /// The function's own constants.
    pub(crate) constants: Constants,
    /// Types of arguments, constants and results.
    pub(crate) types: Vec<TypeId>,
    /// The instruction of each result.
    pub(crate) results: Vec<u32>,
    pub(crate) debug_records: Vec<DebugRecord>,
    /// Where the function's metadata and its attachments are in its block, in bits; 0 for none.
    pub(crate) metadata: u64,
    pub(crate) attachments: u64,
    pub(crate) record: Record,
    pub(crate) scratch: Scratch,
}

impl FunctionBody {
    pub(crate) fn clear(&mut self) {
        self.instructions.clear();
        self.blocks.clear();
        self.operands.clear();
        self.targets.clear();
        self.words.clear();
        self.bundles.clear();
        self.locations.clear();
        self.constants.clear();
        self.types.clear();
        self.results.clear();
        self.debug_records.clear();
        self.scratch.pending.clear();
        self.located = false;
        (self.metadata, self.attachments) = (0, 0);
        (self.first_argument, self.first_constant, self.first_result) = (0, 0, 0);
    }

    /// The instructions of a block with their numbers, the terminator last.
    pub fn block(&self, block: Block) -> impl Iterator<Item = (Inst, &Instruction)> {
        let info = self.blocks.get(block.0 as usize).copied().unwrap_or_default();
        let instructions = self.instructions.get(info.first as usize..info.end as usize).unwrap_or(&[]);
        instructions.iter().zip(info.first..).map(|(instruction, number)| (Inst(number), instruction))
    }

    /// An instruction's operands, in this order:
    ///
    /// | instruction | operands | and |
    /// | --- | --- | --- |
    /// | `ret` | the value, if any | |
    /// | `br`, `unreachable`, `fence` | none | [`successors`](Self::successors) |
    /// | conditional `br` | condition | successors: if true, if false |
    /// | `switch` | condition, value of each case | successors: default, that of each case |
    /// | `indirectbr` | address | successors |
    /// | `call`, `invoke`, `callbr` | callee, arguments | [`call`](Self::call); successors: normal, unwind or indirect ones |
    /// | `resume`, `freeze`, `fneg`, conversions | the value | |
    /// | `cleanupret`, `catchret` | the pad | successors |
    /// | `catchswitch` | parent | successors: handlers, unwind if any |
    /// | `cleanuppad`, `catchpad` | parent, arguments | |
    /// | binary operations, comparisons | left, right | |
    /// | `alloca` | number of elements | [`source_type`](Instruction::source_type) |
    /// | `load`, `va_arg` | address | |
    /// | `store`, `atomicrmw` | `store`: value, address; `atomicrmw`: address, value | |
    /// | `cmpxchg` | address, expected, new | |
    /// | `getelementptr` | base, indices | `source_type` |
    /// | `phi` | a value for each edge | [`phi`](Self::phi) |
    /// | `select` | condition, if true, if false | |
    /// | `extractelement` | vector, index | |
    /// | `insertelement` | vector, element, index | |
    /// | `shufflevector` | left, right, mask (a constant) | |
    /// | `extractvalue` | aggregate | [`indices`](Self::indices) |
    /// | `insertvalue` | aggregate, element | `indices` |
    /// | `landingpad` | a constant for each clause | [`clause_is_filter`](Self::clause_is_filter) |
    pub fn operands(&self, instruction: &Instruction) -> &[Value] {
        let first = instruction.first as usize;
        self.operands.get(first..first + instruction.count as usize).unwrap_or(&[])
    }

    /// An instruction by its number.
    pub fn instruction(&self, inst: Inst) -> Option<&Instruction> {
        self.instructions.get(inst.0 as usize)
    }

    /// Where control may go at the end of a block, in the terminator's order; a block may be there more than once.
    pub fn successors(&self, block: Block) -> &[Block] {
        let Some(info) = self.blocks.get(block.0 as usize) else { return &[] };
        let first = info.targets as usize;
        self.targets.get(first..first + info.target_count as usize).unwrap_or(&[])
    }

    /// The edges of a `phi`: value, and the block that control comes from. A block may be there more than once.
    pub fn phi(&self, instruction: &Instruction) -> impl Iterator<Item = (Value, Block)> {
        let count = if instruction.opcode == Opcode::Phi { instruction.count as usize } else { 0 };
        let first = instruction.detail as usize;
        let blocks = self.words.get(first..first + count).unwrap_or(&[]);
        self.operands(instruction).iter().copied().zip(blocks.iter().map(|&block| Block(block)))
    }

    /// The path of `extractvalue` and `insertvalue`.
    pub fn indices(&self, instruction: &Instruction) -> &[u32] {
        if !matches!(instruction.opcode, Opcode::ExtractValue | Opcode::InsertValue) {
            return &[];
        }
        let first = instruction.detail as usize;
        let Some(&count) = self.words.get(first) else { return &[] };
        self.words.get(first + 1..first + 1 + count as usize).unwrap_or(&[])
    }

    /// Whether a clause of a `landingpad` is a filter (else it is a catch).
    pub fn clause_is_filter(&self, instruction: &Instruction, clause: u32) -> bool {
        instruction.opcode == Opcode::LandingPad
            && clause < instruction.count
            && self.words.get(instruction.detail as usize + clause as usize).is_some_and(|&kind| kind == 1)
    }

    /// What a `call`, `invoke` or `callbr` calls; none for other instructions.
    pub fn call(&self, instruction: &Instruction) -> Option<Call<'_>> {
        if !matches!(instruction.opcode, Opcode::Call | Opcode::Invoke | Opcode::CallBr) {
            return None;
        }
        let (&callee, arguments) = self.operands(instruction).split_first()?;
        let first = instruction.detail as usize;
        let &[function_type, attributes, convention, bundle, bundles] = self.words.get(first..first + 5)?
        else {
            return None;
        };
        let flags = instruction.flags;
        let tail = if flags.has(Flags::MUSTTAIL) {
            TailKind::MustTail
        } else if flags.has(Flags::TAIL) {
            TailKind::Tail
        } else if flags.has(Flags::NOTAIL) {
            TailKind::NoTail
        } else {
            TailKind::None
        };
        Some(Call {
            callee,
            function_type: TypeId(function_type),
            attributes: AttributeListId(attributes),
            convention: convention as u16,
            tail,
            arguments,
            bundles: self.bundles.get(bundle as usize..bundle as usize + bundles as usize)?,
        })
    }

    /// What is in a bundle.
    pub fn bundle(&self, bundle: &Bundle) -> &[Value] {
        let first = bundle.first as usize;
        self.operands.get(first..first + bundle.count as usize).unwrap_or(&[])
    }

    /// The source location of an instruction, if it has one.
    pub fn location(&self, inst: Inst) -> Option<&DebugLocation> {
        self.locations.get(self.instructions.get(inst.0 as usize)?.location as usize)
    }

    /// Whether instructions have source locations, be it that they were not kept
    /// ([`BitcodeModule::read_code`](crate::BitcodeModule::read_code)).
    pub fn has_locations(&self) -> bool {
        self.located
    }

    /// Statements about variables, if they were asked for
    /// ([`BitcodeModule::read_function_with_debug_records`](crate::BitcodeModule::read_function_with_debug_records)).
    pub fn debug_records(&self) -> &[DebugRecord] {
        &self.debug_records
    }

    /// The value of a parameter.
    pub fn argument(&self, index: u32) -> Value {
        Value(self.first_argument.saturating_add(index))
    }

    /// How many parameters there are, those of `...` not counted.
    pub fn arguments(&self) -> u32 {
        self.first_constant.saturating_sub(self.first_argument)
    }

    /// One more than the greatest value.
    pub fn values(&self) -> u32 {
        self.first_argument + self.types.len() as u32
    }

    /// What a value is.
    pub fn definition(&self, module: &BitcodeModule<'_>, value: Value) -> Option<Definition> {
        if let Some(metadata) = value.metadata() {
            return Some(Definition::Metadata(metadata));
        }
        let number = value.0;
        if number >= self.first_result {
            let inst = *self.results.get((number - self.first_result) as usize)?;
            return Some(Definition::Instruction(Inst(inst)));
        }
        Some(if number >= self.first_constant {
            Definition::Constant
        } else if number >= self.first_argument {
            Definition::Argument(number - self.first_argument)
        } else if (number as usize) < module.globals().len() {
            Definition::Global(number)
        } else {
            Definition::Constant
        })
    }

    /// The constant that a value is, the module's or the function's; none if it is something else.
    pub fn constant<'b>(&'b self, module: &'b BitcodeModule<'_>, value: Value) -> Option<Constant<'b>> {
        if value.0 < self.first_argument {
            return module.constant(value);
        }
        self.own_constant(value.0.checked_sub(self.first_constant)?)
    }

    pub(crate) fn own_constant(&self, index: u32) -> Option<Constant<'_>> {
        self.constants.get(index as usize, &self.constants.bytes)
    }

    /// A value's type; none for metadata.
    pub fn type_of(&self, module: &BitcodeModule<'_>, value: Value) -> Option<TypeId> {
        match value.0.checked_sub(self.first_argument) {
            Some(index) => self.types.get(index as usize).copied(),
            None => module.type_of(value),
        }
    }
}

/// The blocks from which control comes to each block, in the order of the blocks.
#[derive(Debug, Default)]
pub struct Predecessors {
    starts: Vec<u32>,
    blocks: Vec<Block>,
}

impl Predecessors {
    /// Fills it for a body; its memory is used again.
    pub fn compute(&mut self, body: &FunctionBody) {
        self.starts.clear();
        self.starts.resize(body.blocks.len() + 2, 0);
        for &target in &body.targets {
            if let Some(count) = self.starts.get_mut(target.0 as usize + 2) {
                *count += 1;
            }
        }
        for index in 1..self.starts.len() {
            self.starts[index] += self.starts[index - 1];
        }
        self.blocks.clear();
        self.blocks.resize(body.targets.len(), Block(0));
        for block in 0..body.blocks.len() as u32 {
            for target in body.successors(Block(block)) {
                if let Some(next) = self.starts.get_mut(target.0 as usize + 1) {
                    if let Some(place) = self.blocks.get_mut(*next as usize) {
                        *place = Block(block);
                    }
                    *next += 1;
                }
            }
        }
    }

    /// The predecessors of a block; one that comes here in several ways is there several times.
    pub fn of(&self, block: Block) -> &[Block] {
        let block = block.0 as usize;
        let (Some(&start), Some(&end)) = (self.starts.get(block), self.starts.get(block + 1)) else {
            return &[];
        };
        self.blocks.get(start as usize..end as usize).unwrap_or(&[])
    }
}
