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
    /// The last position at which it is live: `last`, but that a phi is not kept for what edges write.
    pub until: u32,
    /// It is live to the end of `until`, however few uses remain.
    pub again: bool,
    /// What defines it.
    pub form: Form,
    /// How often memory is read and written for it if that is where it is kept between blocks, loops counted.
    pub weight: u32,
    /// The part of a block, as calls divide it, up to which that is known.
    part: u32,
    /// The last other block that was noted to use it, by position.
    crossed: u32,
}

/// What defines a value, as far as that matters for where it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// Any instruction, or the caller.
    #[default]
    Other,
    /// The edges to its block.
    Phi,
    /// An alloca.
    Alloca,
}

impl Info {
    /// Whether it is used in other blocks than the one that defines it.
    pub(crate) fn crosses_blocks(&self) -> bool {
        self.last > self.first || self.looped
    }

    /// Whether it comes from another block, or is used in another one.
    pub(crate) fn passes_edges(&self) -> bool {
        self.form == Form::Phi || self.crosses_blocks()
    }
}

/// How much more a use counts in a loop, as a power of two, and how many loops count.
const LOOP: u32 = 3;
const DEEPEST: u32 = 6;

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

/// Where a value is defined or used.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: u32,
    /// Which part of all blocks: calls divide them.
    part: u32,
    weight: u32,
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
    /// How much a use counts, by position.
    pub weights: Vec<u32>,
    /// Where values are used in other blocks than their own.
    crossings: Vec<(u32, u32)>,
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
        analysis
            .values
            .resize(locals.len(), Info { first: NONE, user: NONE, crossed: NONE, ..Info::default() });
        analysis.crossings.clear();
        analysis.weigh_positions();
        let mut at = Place { position: 0, part: 1, weight: 1 };
        for argument in 0..locals.arguments as usize {
            analysis.define(argument, at, Form::Other)?;
        }
        let blocks = std::mem::take(&mut analysis.order.blocks);
        let mut phis = Vec::new();
        for (position, &block) in blocks.iter().enumerate() {
            let position = position as u32;
            at = Place {
                position,
                part: at.part + u32::from(position > 0),
                weight: analysis.weights[position as usize],
            };
            for (inst, instruction) in body.block(Block(block)) {
                if instruction.opcode == Opcode::Phi {
                    if let Some(local) = analysis.locals.local(instruction.result) {
                        analysis.define(local, at, Form::Phi)?;
                    }
                    phis.push((position, inst));
                    continue;
                }
                for &operand in body.operands(instruction) {
                    analysis.use_value(operand, at, inst.0)?;
                }
                if matches!(instruction.opcode, Opcode::Call | Opcode::Invoke) {
                    at.part += 1;
                }
                if let Some(local) = analysis.locals.local(instruction.result) {
                    let is_alloca = instruction.opcode == Opcode::Alloca;
                    analysis.define(local, at, if is_alloca { Form::Alloca } else { Form::Other })?;
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
                let at = Place { position: source, part: NONE, weight: 0 };
                analysis.use_value(value, at, inst.0)?;
                analysis.keep_phi(instruction.result, position, source);
                let phi = analysis.locals.local(instruction.result);
                let phi = phi.ok_or(Reason::Internal("a phi without a result"))? as u32;
                inputs.push((source, Input { target: position, phi, value }));
            }
        }
        for (source, input) in &inputs {
            analysis.weigh_input(*source, *input);
        }
        analysis.order.blocks = blocks;
        analysis.list_ends();
        analysis.list_inputs(&inputs);
        Ok(analysis)
    }

    /// Finds how much uses count.
    fn weigh_positions(&mut self) {
        let order = &self.order;
        let mut depths: Vec<u32> = Vec::with_capacity(order.loops.len());
        for around in &order.loops {
            let outer = depths.get(around.parent as usize).copied().unwrap_or(0);
            depths.push((outer + 1).min(DEEPEST));
        }
        let depth = |inner: &u32| depths.get(*inner as usize).copied().unwrap_or(0);
        self.weights.clear();
        self.weights.extend(order.innermost.iter().map(|inner| 1 << (LOOP * depth(inner))));
    }

    fn define(&mut self, local: usize, at: Place, form: Form) -> Result<(), Refused> {
        let info = self.values.get_mut(local).ok_or(Reason::Internal("a value out of range"))?;
        if info.first != NONE {
            return Err(Reason::Internal("a value with two definitions").into());
        }
        (info.first, info.last, info.until) = (at.position, at.position, at.position);
        (info.form, info.weight) = (form, if form == Form::Phi { 0 } else { at.weight });
        Ok(())
    }

    #[inline(always)]
    fn use_value(&mut self, value: Value, at: Place, user: u32) -> Result<(), Refused> {
        let Some(local) = self.locals.local(value) else { return Ok(()) };
        let info = &mut self.values[local];
        info.uses += 1;
        info.user = user;
        // Most: where it is defined, it is there.
        if info.first == at.position && info.form != Form::Phi {
            return Ok(());
        }
        self.use_elsewhere(local, at)
    }

    /// What else there is to a use in another block than the value's own, or of a phi.
    fn use_elsewhere(&mut self, local: usize, at: Place) -> Result<(), Refused> {
        let info = &mut self.values[local];
        let position = at.position;
        // Not dominated by its definition: code that cannot be reached, or a graph that the order does not suit.
        if info.first == NONE || info.first > position {
            return Err(Reason::Internal("a use before the definition").into());
        }
        info.last = info.last.max(position);
        info.until = info.until.max(position);
        if position != info.first && position != info.crossed {
            info.crossed = position;
            self.crossings.push((local as u32, position));
        }
        if info.part != at.part {
            info.part = at.part;
            info.weight = info.weight.saturating_add(at.weight);
        }
        let mut inner = self.order.innermost.get(position as usize).copied().unwrap_or(NONE);
        while let Some(range) = self.order.loops.get(inner as usize) {
            if range.first <= info.first {
                break;
            }
            info.last = info.last.max(range.last);
            info.until = info.until.max(range.last);
            (info.looped, info.again) = (true, true);
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

    /// An edge writes a phi, but if that takes what may well be in the same place.
    fn weigh_input(&mut self, source: u32, Input { phi, value, target }: Input) {
        let is_there = |taken: usize| {
            let taken_info = &self.values[taken];
            taken_info.passes_edges() && (taken_info.first != target || taken == phi as usize)
        };
        if !self.locals.local(value).is_some_and(is_there) {
            let info = &mut self.values[phi as usize];
            info.weight = info.weight.saturating_add(self.weights[source as usize]);
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

    /// Where values are used in other blocks than their own: by local number, lists of positions one after the other, and where
    /// each begins.
    pub(crate) fn crossings(&self) -> (Vec<u32>, Vec<u32>) {
        let mut begin = Vec::new();
        starts(&mut begin, self.values.len(), self.crossings.iter().map(|(local, _)| *local));
        let mut next = begin.clone();
        let mut positions = vec![0; self.crossings.len()];
        for (local, position) in &self.crossings {
            positions[next[*local as usize] as usize] = *position;
            next[*local as usize] += 1;
        }
        (begin, positions)
    }

    /// What phis take on all edges.
    pub(crate) fn all_inputs(&self) -> &[Input] {
        &self.inputs
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
