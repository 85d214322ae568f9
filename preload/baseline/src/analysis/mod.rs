//! The analysis pass: what the emission pass must know before it meets a block.
//!
//! Receives a body, hands on the order of its blocks ([`order`]) and, for each value of the function, how often it is
//! used and over which range of positions it must be kept. No sets of live values are computed: a value is live from
//! its definition to its last use, and if that is in a loop that the definition is not in, to the end of the outermost
//! such loop. Linear in instructions, and in the nesting of loops for uses within them.

mod labels;
pub(crate) mod order;

use autojit_bitcode::{Block, FunctionBody, Opcode, Value};

use crate::refused::{Reason, Refused};
pub(crate) use labels::Labels;
pub(crate) use order::{NONE, Order};

/// Facts about a value that the function defines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Info {
    /// Operands that it is.
    pub uses: u32,
    /// The position of the block that defines it.
    pub first: u32,
    /// The last position at whose end it must still be there, or in whose block it is used last.
    pub last: u32,
    /// It must be kept to the end of `last`, however few uses remain.
    pub looped: bool,
    /// An instruction that uses it: the only one if there is one use.
    pub user: u32,
}

impl Info {
    /// Whether it is used in other blocks than the one that defines it.
    pub(crate) fn crosses_blocks(&self) -> bool {
        self.last > self.first || self.looped
    }
}

/// Which numbers of values belong to a function: arguments, then constants, then results.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Locals {
    first: u32,
    arguments: u32,
    first_result: u32,
    results: u32,
}

impl Locals {
    fn of(body: &FunctionBody) -> Self {
        let first = body.argument(0).0;
        let count = body.values().saturating_sub(first);
        let results = body.instructions.iter().find(|it| !it.result.is_none());
        let first_result = results.map_or(count, |it| it.result.0.saturating_sub(first));
        Self { first, arguments: body.arguments(), first_result, results: count.saturating_sub(first_result) }
    }

    /// The number of an argument or result among the function's values; None for all else.
    #[inline(always)]
    pub(crate) fn local(&self, value: Value) -> Option<usize> {
        // Below the first, the difference is beyond all others.
        let local = value.0.wrapping_sub(self.first);
        let defined = local.wrapping_sub(self.first_result) < self.results || local < self.arguments;
        defined.then_some(local as usize)
    }

    /// How many there are, constants among them.
    pub(crate) fn len(&self) -> usize {
        (self.first_result + self.results) as usize
    }

    /// The number of an argument or result without the constants between them.
    pub(crate) fn number(&self, local: usize) -> Option<u32> {
        let local = local as u32;
        match local.checked_sub(self.first_result) {
            Some(result) => (result < self.results).then(|| self.arguments + result),
            None => (local < self.arguments).then_some(local),
        }
    }

    /// The value with this number among the function's.
    pub(crate) fn value(&self, local: usize) -> Value {
        Value(self.first + local as u32)
    }
}

/// What a phi takes when control comes along an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// The position that the edge leads to.
    pub target: u32,
    /// The phi, by local number.
    pub phi: u32,
    /// What it takes.
    pub value: Value,
}

/// See the module's comment.
#[derive(Debug, Default)]
pub(crate) struct Analysis {
    /// The order of the blocks.
    pub order: Order,
    /// Which values are the function's.
    pub locals: Locals,
    /// By local number.
    pub values: Vec<Info>,
    /// Values that must be kept to the end of a position, by position: `ends[starts[p]..starts[p + 1]]`.
    end_starts: Vec<u32>,
    ends: Vec<u32>,
    /// What phis take, by the position of the edge's source, then by target: `inputs[starts[p]..starts[p + 1]]`.
    input_starts: Vec<u32>,
    inputs: Vec<Input>,
}

impl Analysis {
    /// Analyses a body, in the memory of an analysis that is over.
    pub(crate) fn of(body: &FunctionBody, mut analysis: Self) -> Result<Self, Refused> {
        let count = body.blocks.len();
        let targets = |block: u32| body.successors(Block(block)).iter().map(|target| target.0);
        analysis.order = Order::of(count, targets);
        let locals = Locals::of(body);
        analysis.locals = locals;
        analysis.values.clear();
        analysis.values.resize(locals.len(), Info { first: NONE, user: NONE, ..Info::default() });
        for argument in 0..locals.arguments as usize {
            analysis.define(argument, 0)?;
        }
        let blocks = std::mem::take(&mut analysis.order.blocks);
        let mut phis = Vec::new();
        for (position, &block) in blocks.iter().enumerate() {
            let position = position as u32;
            for (inst, instruction) in body.block(Block(block)) {
                if let Some(local) = analysis.locals.local(instruction.result) {
                    analysis.define(local, position)?;
                }
                if instruction.opcode == Opcode::Phi {
                    phis.push((position, inst));
                    continue;
                }
                for &operand in body.operands(instruction) {
                    analysis.use_value(operand, position, inst.0)?;
                }
            }
        }
        // Last, as they may use what is defined behind them.
        let mut inputs = Vec::new();
        for (position, inst) in phis {
            let Some(instruction) = body.instruction(inst) else { continue };
            for (value, source) in body.phi(instruction) {
                let source = analysis.order.positions.get(source.0 as usize).copied();
                let Some(source) = source.filter(|source| *source != NONE) else { continue };
                analysis.use_value(value, source, inst.0)?;
                analysis.keep_phi(instruction.result, position, source);
                let phi = analysis.locals.local(instruction.result);
                let phi = phi.ok_or(Reason::Internal("a phi without a result"))? as u32;
                inputs.push((source, Input { target: position, phi, value }));
            }
        }
        analysis.order.blocks = blocks;
        analysis.list_ends();
        analysis.list_inputs(&inputs);
        Ok(analysis)
    }

    fn define(&mut self, local: usize, position: u32) -> Result<(), Refused> {
        let info = self.values.get_mut(local).ok_or(Reason::Internal("a value out of range"))?;
        if info.first != NONE {
            return Err(Reason::Internal("a value with two definitions").into());
        }
        (info.first, info.last) = (position, position);
        Ok(())
    }

    #[inline]
    fn use_value(&mut self, value: Value, position: u32, user: u32) -> Result<(), Refused> {
        let Some(local) = self.locals.local(value) else { return Ok(()) };
        let info = &mut self.values[local];
        // Not dominated by its definition: code that cannot be reached, or a graph that the order does not suit.
        if info.first == NONE || info.first > position {
            return Err(Reason::Internal("a use before the definition").into());
        }
        info.uses += 1;
        info.user = user;
        info.last = info.last.max(position);
        if self.order.loops.is_empty() {
            return Ok(());
        }
        let mut inner = self.order.innermost[position as usize];
        while let Some(range) = self.order.loops.get(inner as usize) {
            if range.first <= info.first {
                break;
            }
            info.last = info.last.max(range.last);
            info.looped = true;
            inner = range.parent;
        }
        Ok(())
    }

    /// A phi whose block is entered again from behind keeps its place until then.
    fn keep_phi(&mut self, phi: Value, position: u32, source: u32) {
        if source >= position
            && let Some(local) = self.locals.local(phi)
        {
            let info = &mut self.values[local];
            info.last = info.last.max(source);
            info.looped = true;
        }
    }

    fn list_ends(&mut self) {
        let positions = self.order.blocks.len();
        let looped = |(local, info): (usize, &Info)| info.looped.then_some((local as u32, info.last));
        starts(
            &mut self.end_starts,
            positions,
            self.values.iter().enumerate().filter_map(looped).map(|it| it.1),
        );
        self.ends.clear();
        self.ends.resize(self.end_starts.last().copied().unwrap_or(0) as usize, 0);
        if self.ends.is_empty() {
            return;
        }
        let mut next = self.end_starts.clone();
        for (local, last) in self.values.iter().enumerate().filter_map(looped) {
            self.ends[next[last as usize] as usize] = local;
            next[last as usize] += 1;
        }
    }

    fn list_inputs(&mut self, inputs: &[(u32, Input)]) {
        starts(&mut self.input_starts, self.order.blocks.len(), inputs.iter().map(|(source, _)| *source));
        self.inputs.clear();
        self.inputs.resize(inputs.len(), Input { target: 0, phi: 0, value: Value::NONE });
        if inputs.is_empty() {
            return;
        }
        let mut next = self.input_starts.clone();
        for (source, input) in inputs {
            self.inputs[next[*source as usize] as usize] = *input;
            next[*source as usize] += 1;
        }
    }

    /// What phis take on the edges from a position, by target; an edge that exists several times is there several times.
    pub(crate) fn inputs_from(&self, source: u32) -> &[Input] {
        let (start, end) = (self.input_starts[source as usize], self.input_starts[source as usize + 1]);
        &self.inputs[start as usize..end as usize]
    }

    /// What phis take on the edges from one position to another.
    pub(crate) fn inputs(&self, source: u32, target: u32) -> &[Input] {
        let all = self.inputs_from(source);
        let start = all.partition_point(|input| input.target < target);
        let end = all.partition_point(|input| input.target <= target);
        &all[start..end]
    }

    /// The values that need not be kept any longer when the block at a position has ended.
    pub(crate) fn ends_at(&self, position: u32) -> &[u32] {
        let (start, end) = (self.end_starts[position as usize], self.end_starts[position as usize + 1]);
        &self.ends[start as usize..end as usize]
    }
}

/// Makes a list of where things begin that are sorted by position, from their positions.
fn starts(list: &mut Vec<u32>, positions: usize, things: impl Iterator<Item = u32>) {
    list.clear();
    list.resize(positions + 1, 0);
    for position in things {
        list[position as usize + 1] += 1;
    }
    for index in 1..list.len() {
        list[index] += list[index - 1];
    }
}
