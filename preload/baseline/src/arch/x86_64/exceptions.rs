//! Exceptions: `invoke`, landing pads, and the table that the personality routine reads (Itanium C++ ABI, "LSDA").
//!
//! ```text
//! ff           landing pads are relative to the function's first byte
//! 00 / ff      type table: absolute addresses / none
//! uleb128      distance to the end of the type table
//! 03 uleb128   call sites: 32-bit fields; bytes
//!   start, length, landing pad (0: none), action + 1 (0: cleanup)
//! actions      sleb128 type (0: cleanup, negative: filter), sleb128 distance to the next or 0
//! types        the last first
//! filters      lists of types, each ends with 0
//! ```

use std::collections::BTreeMap;

use autojit_bitcode::{Block, Constant, Opcode, Value};

use super::Compiler;
use super::asm::{Label, gp};
use super::constants::Source;
use super::lower::Plan;
use crate::code::{Lsda, Relocation, RelocationKind, RelocationTarget};
use crate::refused::{Reason, Refused};

/// A type that a clause catches: a global and what is added; None for anything.
type TypeInfo = Option<(u32, i64)>;

/// What has been seen of exceptions.
#[derive(Debug, Default)]
pub(crate) struct Handlers {
    sites: Vec<Site>,
    /// By block of a landing pad: one more than the offset of its first action, 0 for a cleanup.
    pads: BTreeMap<u32, u32>,
    actions: Vec<u8>,
    types: Vec<TypeInfo>,
    filters: Vec<u8>,
}

/// A call that leads to a landing pad when it throws.
#[derive(Clone, Copy, Debug)]
struct Site {
    start: u32,
    end: u32,
    pad: Label,
    block: u32,
}

impl Compiler<'_> {
    /// Whether a block is entered by the unwinder.
    pub(crate) fn is_landing_pad(&self, block: u32) -> bool {
        let first = self.body.block(Block(block)).find(|(_, it)| it.opcode != Opcode::Phi);
        first.is_some_and(|(_, it)| it.opcode == Opcode::LandingPad)
    }

    /// Lowers `invoke`.
    pub(crate) fn lower_invoke(&mut self, inst: u32) -> Result<(), Refused> {
        let instruction = *self.instruction(inst)?;
        let body = self.body;
        let &[normal, unwind] = self.successors() else {
            return Err(Reason::Internal("an invoke without targets").into());
        };
        let (normal, unwind) = (normal.0, unwind.0);
        let call = body.call(&instruction).ok_or(Reason::Internal("an invoke of nothing"))?;
        let intrinsic = self.module.globals().get(call.callee.0 as usize);
        if intrinsic.is_some_and(|global| self.module.name(global).starts_with(b"llvm.")) {
            return Err(Reason::Form("invoke of an intrinsic").into());
        }
        self.store_live()?;
        self.make_call(&instruction, Some(unwind))?;
        // The result, if it is used beyond the block.
        self.store_live()?;
        if !self.may_have_moves(unwind) {
            return self.go_to(normal);
        }
        self.edge_moves(normal)?;
        self.asm.jmp(self.labels[normal as usize]);
        if let Some(site) = self.handlers.sites.last() {
            self.asm.bind(site.pad);
        }
        // Values are where they were before the call: those in registers are in ones that calls keep. rax and rdx are
        // the unwinder's.
        self.edge_moves(unwind)?;
        self.asm.jmp(self.labels[unwind as usize]);
        Ok(())
    }

    /// Notes that the call from `start` to here leads to a landing pad.
    pub(crate) fn note_call_site(&mut self, start: u32, block: u32) -> Result<(), Refused> {
        let pad = if self.may_have_moves(block) { self.asm.label() } else { self.labels[block as usize] };
        self.handlers.sites.push(Site { start, end: self.asm.offset(), pad, block });
        Ok(())
    }

    /// Lowers `landingpad`: the exception is in rax, what it was selected for in rdx.
    pub(crate) fn lower_landing_pad(
        &mut self,
        inst: u32,
        result: Value,
        clauses: &[Value],
    ) -> Result<(), Refused> {
        let body = self.body;
        let instruction = body.instructions.get(inst as usize).ok_or(Reason::Internal("an instruction"))?;
        let cleanup = instruction.flags.has(autojit_bitcode::Flags::CLEANUP);
        let mut types = Vec::new();
        for (index, &clause) in clauses.iter().enumerate() {
            types.push(if body.clause_is_filter(instruction, index as u32) {
                self.filter(clause)?
            } else {
                let info = self.type_info(clause)?;
                self.type_number(info)
            });
        }
        if cleanup && !types.is_empty() {
            types.push(0);
        }
        let first = if types.is_empty() { 0 } else { self.handlers.actions.len() as u32 + 1 };
        let count = types.len();
        for (index, number) in types.into_iter().enumerate() {
            sleb128(&mut self.handlers.actions, number);
            // The next record begins behind this byte.
            self.handlers.actions.push(u8::from(index + 1 < count));
        }
        let block = self.analysis.order.blocks[self.position as usize];
        self.handlers.pads.insert(block, first);
        self.reset_stack();
        self.take(gp::RAX)?;
        self.take(gp::RDX)?;
        if self.is_used(result) {
            self.define(result, 0, gp::RAX)?;
            self.define(result, 1, gp::RDX)?;
        }
        Ok(())
    }

    fn type_info(&mut self, value: Value) -> Result<TypeInfo, Refused> {
        match self.source(value, 0)? {
            Source::Bits(0) => Ok(None),
            Source::Symbol(global, addend) => Ok(Some((global, addend))),
            _ => Err(Reason::Form("a clause that is no type").into()),
        }
    }

    /// The number of a type, from 1.
    fn type_number(&mut self, info: TypeInfo) -> i64 {
        let types = &mut self.handlers.types;
        let index = types.iter().position(|known| *known == info).unwrap_or_else(|| {
            types.push(info);
            types.len() - 1
        });
        index as i64 + 1
    }

    /// The number of a list of types, below 0.
    fn filter(&mut self, clause: Value) -> Result<i64, Refused> {
        let elements = match self.body.constant(self.module, clause) {
            Some(Constant::Aggregate(elements)) => elements.to_vec(),
            Some(Constant::Null | Constant::Undef) => Vec::new(),
            _ => return Err(Reason::Form("a filter that is no list").into()),
        };
        let mut list = Vec::new();
        for element in elements {
            let info = self.type_info(element)?;
            uleb128(&mut list, self.type_number(info) as u64);
        }
        list.push(0);
        let number = -1 - self.handlers.filters.len() as i64;
        self.handlers.filters.extend(list);
        Ok(number)
    }

    /// Lowers `llvm.eh.typeid.for`.
    pub(crate) fn lower_type_id(&mut self, result: Value, info: Value) -> Result<(), Refused> {
        let info = self.type_info(info)?;
        let number = self.type_number(info);
        let reg = self.temporary_gp()?;
        self.asm.mov_i(reg, number as u64);
        self.define(result, 0, reg)
    }

    /// Lowers `resume`.
    pub(crate) fn lower_resume(&mut self, value: Value) -> Result<(), Refused> {
        let mut plan = Plan::default();
        plan.part(value, 0, self.part_type(value, 0)?);
        self.call_runtime("_Unwind_Resume", &plan)?;
        self.asm.ud2();
        Ok(())
    }

    /// The table, and the routine that reads it. The function begins at `start`.
    pub(crate) fn finish_exceptions(&mut self, start: u32) -> Result<(Option<Lsda>, Option<u32>), Refused> {
        let handlers = std::mem::take(&mut self.handlers);
        if handlers.sites.is_empty() {
            return Ok((None, None));
        }
        let global = self.module.globals().get(self.body.function as usize);
        let personality = global.and_then(|global| global.personality());
        let personality = match personality.map(|value| self.source(value, 0)).transpose()? {
            Some(Source::Symbol(global, 0)) => global,
            _ => return Err(Reason::Form("a personality that is no function").into()),
        };
        let mut sites = Vec::new();
        let mut covered = start;
        let mut add = |from: u32, to: u32, pad: u32, action: u32| {
            for field in [from - start, to - from, pad] {
                sites.extend_from_slice(&field.to_le_bytes());
            }
            uleb128(&mut sites, action.into());
        };
        for site in &handlers.sites {
            // Calls between are passed through: without an entry they would end the program.
            if covered < site.start {
                add(covered, site.start, 0, 0);
            }
            let pad = self.asm.offset_of(site.pad).ok_or(Reason::Internal("a landing pad is nowhere"))?;
            let action = handlers
                .pads
                .get(&site.block)
                .ok_or(Reason::Internal("a landing pad without a landingpad"))?;
            add(site.start, site.end, pad - start, *action);
            covered = site.end;
        }
        if covered < self.asm.offset() {
            add(covered, self.asm.offset(), 0, 0);
        }
        Ok((Some(assemble(&handlers, &sites)), Some(personality)))
    }
}

fn assemble(handlers: &Handlers, sites: &[u8]) -> Lsda {
    let mut lsda = Lsda::default();
    let bytes = &mut lsda.bytes;
    let has_types = !handlers.types.is_empty() || !handlers.filters.is_empty();
    bytes.push(0xff);
    let mut base = None;
    if has_types {
        bytes.push(0);
        // Five bytes, filled in when the distance is known.
        base = Some(bytes.len());
        bytes.extend_from_slice(&[0; 5]);
    } else {
        bytes.push(0xff);
    }
    bytes.push(0x03);
    uleb128(bytes, sites.len() as u64);
    bytes.extend_from_slice(sites);
    bytes.extend_from_slice(&handlers.actions);
    if let Some(field) = base {
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        for info in handlers.types.iter().rev() {
            if let Some((global, addend)) = *info {
                let (offset, target) = (bytes.len() as u32, RelocationTarget::Global(global));
                lsda.relocations.push(Relocation { offset, kind: RelocationKind::Abs64, target, addend });
            }
            bytes.extend_from_slice(&[0; 8]);
        }
        let mut distance = (bytes.len() - field - 5) as u32;
        for (index, byte) in bytes.iter_mut().skip(field).take(5).enumerate() {
            *byte = (distance & 0x7f) as u8 | if index < 4 { 0x80 } else { 0 };
            distance >>= 7;
        }
        bytes.extend_from_slice(&handlers.filters);
    }
    lsda
}

fn uleb128(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(byte | if value != 0 { 0x80 } else { 0 });
        if value == 0 {
            return;
        }
    }
}

fn sleb128(bytes: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        let last = (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0);
        bytes.push(byte | if last { 0 } else { 0x80 });
        if last {
            return;
        }
    }
}
