//! Reads a function's body: the walk over its block, and what all instructions share.
//!
//! An operand is written as a distance back from the next result. One that comes later has its type beside it; such
//! operands are kept in a list until the end of the body, when it is known whether they exist and have this type.

mod calls;
mod control;
mod memory;
mod operands;
mod values;

use operands::metadata;

use crate::bits::Cursor;
use crate::body::{BlockInfo, DebugLocation, DebugRecord, FunctionBody, Instruction};
use crate::constant_reader::ConstantReader;
use crate::opcode::{Flags, Opcode, Ordering};
use crate::stream::{Next, Reader, Step, block};
use crate::types::TypeTable;
use crate::{Align, BitcodeModule, Error, Reason, Result, Type, TypeId, Value};

type Read<T> = core::result::Result<T, Reason>;

/// Fields of a record that are taken one after the other.
struct Fields<'r>(&'r [u64]);

impl Fields<'_> {
    #[inline(always)]
    fn next(&mut self) -> Read<u64> {
        let (&first, rest) = self.0.split_first().ok_or(Reason::Record)?;
        self.0 = rest;
        Ok(first)
    }

    fn number(&mut self) -> Read<u32> {
        u32::try_from(self.next()?).map_err(|_| Reason::Record)
    }

    fn flag(&mut self) -> Read<bool> {
        match self.next()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Reason::Record),
        }
    }

    /// A last field that need not be written.
    fn optional(&mut self) -> Read<Option<u64>> {
        let last = self.0.first().copied();
        self.0 = self.0.get(1..).unwrap_or(&[]);
        self.end().map(|()| last)
    }

    fn end(&self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Reason::Record) }
    }
}

/// An instruction that is about to be added; its operands are in place.
struct Draft {
    opcode: Opcode,
    ty: TypeId,
    detail8: u8,
    ordering: Ordering,
    align: Align,
    flags: Flags,
    detail: u32,
}

impl Draft {
    fn new(opcode: Opcode, ty: TypeId) -> Draft {
        Draft {
            opcode,
            ty,
            detail8: 0,
            ordering: Ordering::NotAtomic,
            align: Align::NONE,
            flags: Flags::NONE,
            detail: 0,
        }
    }
}

/// How much of what is said for debuggers is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Debug {
    /// Whether there are locations.
    None,
    /// Locations.
    Locations,
    /// Statements about variables, too.
    Records,
}

/// The code of records that say where in the source an instruction comes from.
pub(crate) const LOCATION: u32 = 35;
/// That of records that say that it comes from where the one before does.
pub(crate) const LOCATION_AGAIN: u32 = 33;
/// Those of statements about variables.
pub(crate) const RECORDS: core::ops::RangeInclusive<u32> = 61..=66;

impl Debug {
    /// The records whose fields are not needed, by code.
    fn passed(self) -> u128 {
        let records = RECORDS.fold(0, |codes, code| codes | 1 << code);
        match self {
            Debug::None => records | 1 << LOCATION,
            Debug::Locations => records,
            Debug::Records => 0,
        }
    }
}

/// Reads the body of a function into `body`, from its block.
pub(crate) fn read(
    module: &BitcodeModule<'_>,
    function: u32,
    bytes: &[u8],
    body: &mut FunctionBody,
    debug: Debug,
) -> Result<()> {
    body.clear();
    body.function = function;
    let failed = |reason| Error { reason, bit: 0 };
    let global = module.globals.get(function as usize).ok_or(failed(Reason::NoBody))?;
    let Type::Function { parameters, .. } = module.types.get(global.value_type) else {
        return Err(failed(Reason::Type));
    };
    let first = module.values();
    body.first_argument = first;
    body.types.extend_from_slice(parameters);
    body.first_constant = first + parameters.len() as u32;
    body.first_result = body.first_constant;
    let void = module.types.computed.void.ok_or(failed(Reason::MissingType))?;
    let mut outer = Reader::within(Cursor::new(bytes), module.width);
    if !module.has_body(function) || outer.next()? != Next::Block(block::FUNCTION) {
        return Err(failed(Reason::NoBody));
    }
    let mut reader = outer.enter(block::FUNCTION, &module.info)?;
    reader.passed = debug.passed();
    let next = body.first_result;
    let mut function = FunctionReader {
        module,
        types: &module.types,
        body,
        next,
        block_count: 0,
        block_start: 0,
        targets_start: 0,
        operands_start: 0,
        bundles_start: 0,
        location: u32::MAX,
        constants: false,
        debug,
        void,
    };
    function.walk(&mut reader)?;
    function.check().map_err(|reason| reader.error(reason))
}

struct FunctionReader<'m, 'b> {
    module: &'m BitcodeModule<'m>,
    types: &'m TypeTable,
    body: &'b mut FunctionBody,
    /// The number of the next result.
    next: u32,
    /// How many blocks there will be.
    block_count: u32,
    /// First instruction and first target of the block that is being read.
    block_start: u32,
    targets_start: u32,
    /// First operand of the instruction that is being read; first bundle of the call that comes next.
    operands_start: u32,
    bundles_start: u32,
    /// The last location that was written.
    location: u32,
    constants: bool,
    debug: Debug,
    void: TypeId,
}

impl FunctionReader<'_, '_> {
    fn walk(&mut self, reader: &mut Reader<'_, '_>) -> Result<()> {
        let mut record = core::mem::take(&mut self.body.record);
        loop {
            match reader.step(&mut record)? {
                Step::Record(code, fields) => {
                    self.record(code, fields).map_err(|reason| reader.error(reason))?
                }
                Step::End => break,
                Step::Block(block::CONSTANTS) => {
                    if self.constants || !self.body.instructions.is_empty() {
                        return Err(reader.error(Reason::Structure));
                    }
                    self.constants = true;
                    let mut inner = reader.enter(block::CONSTANTS, &self.module.info)?;
                    let body = &mut *self.body;
                    let mut constants = ConstantReader {
                        types: self.types,
                        globals: &self.module.globals,
                        table: &mut body.constants,
                        value_types: &mut body.types,
                        scratch: &mut body.scratch,
                        copies: true,
                    };
                    constants.read(&mut inner)?;
                    self.next += self.body.constants.entries.len() as u32;
                    self.body.first_result = self.next;
                    self.check_constants().map_err(|reason| inner.error(reason))?;
                }
                Step::Block(block::METADATA) if self.body.metadata == 0 => {
                    self.body.metadata = reader.cursor.bit();
                    reader.skip_block()?;
                }
                Step::Block(block::METADATA_ATTACHMENT) if self.body.attachments == 0 => {
                    self.body.attachments = reader.cursor.bit();
                    reader.skip_block()?;
                }
                Step::Block(block::VALUE_SYMBOLS | block::USE_LISTS) => reader.skip_block()?,
                Step::Block(_) => return Err(reader.error(Reason::Structure)),
            }
        }
        self.body.record = record;
        Ok(())
    }

    fn record(&mut self, code: u32, record: &[u64]) -> Read<()> {
        let fields = &mut Fields(record);
        // 1, 33, 35, 55 and 60 to 66 are no instructions.
        match code {
            1 => return self.declare_blocks(record),
            LOCATION_AGAIN => return self.location_again(),
            LOCATION => return self.location(record),
            55 => return self.bundle(fields),
            60 => return Ok(()),
            61..=66 if self.debug == Debug::Records => return self.debug_record(code, fields),
            61..=66 => return Ok(()),
            _ => {}
        }
        if self.body.blocks.len() as u32 >= self.block_count {
            return Err(Reason::BasicBlock);
        }
        self.operands_start = self.body.operands.len() as u32;
        let new = match code {
            34 => self.call(fields)?,
            20 => self.load(fields, false)?,
            44 => self.store(fields, false)?,
            43 => self.address(fields)?,
            11 => self.branch(fields)?,
            2 => self.binary(fields)?,
            3 => self.cast(fields)?,
            9 | 28 => self.compare(fields)?,
            10 => self.ret(fields)?,
            16 => self.phi(fields)?,
            19 => self.alloca(fields)?,
            12 => self.switch(fields)?,
            29 => self.select(fields)?,
            26 => self.extract_value(fields)?,
            27 => self.insert_value(fields)?,
            15 => self.unreachable(fields)?,
            13 => self.invoke(fields)?,
            47 => self.landing_pad(fields)?,
            39 => self.resume(fields)?,
            6 => self.extract_element(fields)?,
            7 => self.insert_element(fields)?,
            8 => self.shuffle(fields)?,
            56 => self.unary(fields)?,
            58 => self.freeze(fields)?,
            23 => self.va_arg(fields)?,
            31 => self.indirect_branch(fields)?,
            36 => self.fence(fields)?,
            41 => self.load(fields, true)?,
            45 => self.store(fields, true)?,
            46 => self.compare_exchange(fields)?,
            59 => self.read_modify_write(fields)?,
            57 => self.call_branch(fields)?,
            48 => self.cleanup_return(fields)?,
            49 => self.catch_return(fields)?,
            50 => self.pad(fields, Opcode::CatchPad)?,
            51 => self.pad(fields, Opcode::CleanupPad)?,
            52 => self.catch_switch(fields)?,
            // What LLVM before 22 wrote.
            4 | 5 | 24 | 30 | 37 | 38 | 40 | 42 => return Err(Reason::Unsupported),
            _ => return Err(Reason::UnknownRecord),
        };
        self.add(new)
    }

    /// Adds an instruction, whose operands and targets were added before.
    #[inline(always)]
    fn add(&mut self, new: Draft) -> Read<()> {
        let body = &mut *self.body;
        if body.instructions.len() >= 1 << 30 || body.operands.len() >= 1 << 31 || self.next >= 1 << 30 {
            return Err(Reason::TooLarge);
        }
        if self.bundles_start != body.bundles.len() as u32 {
            return Err(Reason::Structure);
        }
        let number = body.instructions.len() as u32;
        let result = if new.ty == self.void {
            Value::NONE
        } else {
            body.types.push(new.ty);
            body.results.push(number);
            self.next += 1;
            Value(self.next - 1)
        };
        body.instructions.push(Instruction {
            opcode: new.opcode,
            detail8: new.detail8,
            ordering: new.ordering,
            align: new.align,
            flags: new.flags,
            ty: new.ty,
            result,
            first: self.operands_start,
            count: body.operands.len() as u32 - self.operands_start,
            detail: new.detail,
            location: u32::MAX,
        });
        if new.opcode.is_terminator() {
            let targets = body.targets.len() as u32;
            body.blocks.push(BlockInfo {
                first: self.block_start,
                end: number + 1,
                targets: self.targets_start,
                target_count: targets - self.targets_start,
            });
            self.block_start = number + 1;
            self.targets_start = targets;
        }
        Ok(())
    }

    fn declare_blocks(&mut self, record: &[u64]) -> Read<()> {
        match *record {
            [count @ 1..=0x3fff_ffff] if self.block_count == 0 => {
                self.block_count = count as u32;
                Ok(())
            }
            _ => Err(Reason::BasicBlock),
        }
    }

    fn location(&mut self, record: &[u64]) -> Read<()> {
        if self.debug == Debug::None {
            return self.location_again();
        }
        let number = |index: usize| match record.get(index) {
            Some(&field) => u32::try_from(field).map_err(|_| Reason::Record),
            None => Ok(0),
        };
        if !(4..=7).contains(&record.len()) {
            return Err(Reason::Record);
        }
        let location = DebugLocation {
            line: number(0)?,
            column: number(1)?,
            scope: number(2)?,
            inlined_at: number(3)?,
            implicit: number(4)? != 0,
        };
        self.location = self.body.locations.len() as u32;
        self.body.locations.push(location);
        self.location_again()
    }

    fn location_again(&mut self) -> Read<()> {
        let last = self.body.instructions.last_mut().ok_or(Reason::Structure)?;
        last.location = self.location;
        self.body.located = true;
        Ok(())
    }

    /// Keeps a debug record, which is attached to the instruction before.
    fn debug_record(&mut self, kind: u32, fields: &mut Fields<'_>) -> Read<()> {
        let last = self.body.instructions.len().checked_sub(1).ok_or(Reason::Structure)?;
        let mut record = DebugRecord {
            kind: kind as u8,
            before: crate::Inst(last as u32),
            location: fields.number()?,
            variable: fields.number()?,
            expression: 0,
            value: Value::NONE,
        };
        if kind != 65 {
            record.expression = fields.number()?;
            record.value = if kind == 64 { self.pair(fields)?.0 } else { metadata(fields.number()?)? };
        }
        self.body.debug_records.push(record);
        Ok(())
    }

    // Operands.

    // Checks at the end.
}
