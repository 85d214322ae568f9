//! Homes: registers that values have for themselves from their definition to their last use.
//!
//! What crosses blocks would otherwise lie in memory there, and so would phis. Variables ([`variables`](super::variables)) and
//! such values take turns, those that are used most first, loops counted; several may have one register if the blocks in
//! which they are live are others. An edge writes a phi behind all that its source does, so a phi is live from its block on, to its last
//! use, although edges from behind write it again. Phis and what they take get the same register where they can, or the same
//! slot: then the edge has nothing to move.
//!
//! General-purpose registers are those that calls keep. Vector registers are given out where nothing is called; what calls
//! a library's function after all stores and loads them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use autojit_bitcode::{AttributeKind, Block, FunctionBody, Opcode, Value};

use super::Compiler;
use super::asm::{Gp, Mem, gp};
use super::registers::Reg;
use super::values::ValueState;
use crate::analysis::{Analysis, Form, Info};
use crate::parts::Bank;
use crate::refused::Refused;

/// The general-purpose registers, in the order in which they are given out.
const REGISTERS: [Gp; 5] = [gp::RBX, gp::R12, gp::R13, gp::R14, gp::R15];
/// The vector registers: half of them.
const VECTORS: [Reg; 7] = [Reg(24), Reg(25), Reg(26), Reg(27), Reg(28), Reg(29), Reg(30)];
/// Uses that pay for saving and restoring the register.
const WORTH: u64 = 4;

/// How many blocks are looked at to find where values are live, for each block and instruction.
const LOOKED_AT: usize = 8;
/// How many slots the values of one web share.
const SLOTS: usize = 4;

/// What is to have a register.
#[derive(Clone, Copy, Debug)]
struct Wish {
    uses: u64,
    local: usize,
    /// A variable: it is there in the whole function.
    variable: bool,
}

/// The values that have one place: by the first position of each run of blocks in which one is live, the last one.
#[derive(Debug)]
struct Ranges<T> {
    place: T,
    by_first: BTreeMap<u32, (u32, u32)>,
}

impl<T> Ranges<T> {
    fn new(place: T) -> Self {
        Self { place, by_first: BTreeMap::new() }
    }

    fn at(&self, position: u32) -> Option<u32> {
        let (_, &(last, local)) = self.by_first.range(..=position).next_back()?;
        (last >= position).then_some(local)
    }

    fn are_apart_from(&self, runs: &[Run]) -> bool {
        let is_free = |run: &Run| {
            self.by_first.range(..=run.1).next_back().is_none_or(|(_, (before, _))| *before < run.0)
        };
        self.by_first.is_empty() || runs.iter().all(is_free)
    }

    fn insert(&mut self, runs: &[Run], local: usize) {
        for run in runs {
            self.by_first.insert(run.0, (run.1, local as u32));
        }
    }
}

/// Positions, from the first to the last.
type Run = (u32, u32);

/// Which values have which registers, and where.
#[derive(Debug, Default)]
pub(crate) struct Homes {
    registers: Vec<Ranges<Reg>>,
}

impl Homes {
    /// The values that have registers at a position.
    pub(crate) fn at(&self, position: u32) -> impl Iterator<Item = (Reg, usize)> + '_ {
        self.registers.iter().filter_map(move |it| Some((it.place, it.at(position)? as usize)))
    }

    /// Gives a value one of these registers, which is free from a position to another one: the preferred one before all, then
    /// one that is in use already; others only if that is worth while.
    fn give(
        &mut self,
        local: usize,
        runs: &[Run],
        among: &[Reg],
        preferred: Option<Reg>,
        is_worth: bool,
    ) -> Option<Reg> {
        let free = |it: &Ranges<Reg>| among.contains(&it.place) && it.are_apart_from(runs);
        let known =
            preferred.and_then(|reg| self.registers.iter().position(|it| it.place == reg && free(it)));
        let known = known.or_else(|| self.registers.iter().position(free));
        let index = known.or_else(|| {
            let new = among.iter().find(|reg| self.registers.iter().all(|it| it.place != **reg))?;
            is_worth.then(|| self.registers.push(Ranges::new(*new)))?;
            Some(self.registers.len() - 1)
        })?;
        let ranges = &mut self.registers[index];
        ranges.insert(runs, local);
        Some(ranges.place)
    }
}

/// Finds where values are live.
struct Lives {
    /// By position, where control may come from: `predecessors[starts[p]..starts[p + 1]]`.
    starts: Vec<u32>,
    predecessors: Vec<u32>,
    /// By local number, where it is used in other blocks than its own.
    begin: Vec<u32>,
    uses: Vec<u32>,
    /// By position, the value that was last found to be live there, and one.
    seen: Vec<u32>,
    found: Vec<u32>,
    runs: Vec<Run>,
    /// How many more blocks may be looked at.
    left: usize,
}

impl Lives {
    fn new(body: &FunctionBody, analysis: &Analysis) -> Self {
        let order = &analysis.order;
        let count = order.blocks.len();
        let mut starts = vec![0_u32; count + 1];
        for (position, many) in order.predecessors.iter().enumerate() {
            starts[position + 1] = starts[position] + many;
        }
        let mut next = starts.clone();
        let mut predecessors = vec![0; starts.last().copied().unwrap_or(0) as usize];
        for (source, block) in (0..).zip(&order.blocks) {
            for target in body.successors(Block(*block)) {
                let next = &mut next[order.positions[target.0 as usize] as usize];
                predecessors[*next as usize] = source;
                *next += 1;
            }
        }
        let (begin, uses) = analysis.crossings();
        let (seen, left) = (vec![0; count], LOOKED_AT * (count + body.instructions.len()));
        Self { starts, predecessors, begin, uses, seen, found: Vec::new(), runs: Vec::new(), left }
    }

    /// The blocks in which a value is live that a block defines; None if that takes too long.
    fn of(&mut self, local: usize, defined: u32) -> Option<&[Run]> {
        if self.left == 0 {
            return None;
        }
        let mark = local as u32 + 1;
        self.found.clear();
        self.found.push(defined);
        self.seen[defined as usize] = mark;
        for index in self.begin[local]..self.begin[local + 1] {
            let position = self.uses[index as usize];
            if self.seen[position as usize] != mark {
                self.seen[position as usize] = mark;
                self.found.push(position);
            }
        }
        let mut next = 1;
        while let Some(&position) = self.found.get(next) {
            next += 1;
            let (from, to) = (self.starts[position as usize], self.starts[position as usize + 1]);
            for index in from..to {
                let before = self.predecessors[index as usize];
                if self.seen[before as usize] != mark {
                    self.seen[before as usize] = mark;
                    self.found.push(before);
                }
            }
        }
        self.left = self.left.saturating_sub(next);
        self.found.sort_unstable();
        self.runs.clear();
        for &position in &self.found {
            match self.runs.last_mut() {
                Some((_, last)) if *last + 1 == position => *last = position,
                _ => self.runs.push((position, position)),
            }
        }
        Some(&self.runs)
    }
}

/// Values that phis take from each other: as sets, each with the register that one of it has.
#[derive(Debug, Default)]
struct Webs {
    parents: Vec<u32>,
    joined: Vec<bool>,
    registers: Vec<Option<Reg>>,
    slots: BTreeMap<u32, Vec<Ranges<i32>>>,
}

impl Webs {
    fn of(analysis: &Analysis) -> Self {
        let values = analysis.values.len();
        let mut webs = Self {
            parents: (0..values as u32).collect(),
            joined: vec![false; values],
            registers: vec![None; values],
            slots: BTreeMap::new(),
        };
        for input in analysis.all_inputs() {
            if let Some(taken) = analysis.locals.local(input.value) {
                webs.join(input.phi, taken as u32);
            }
        }
        webs
    }

    fn root(&mut self, mut value: u32) -> usize {
        while self.parents[value as usize] != value {
            let above = self.parents[self.parents[value as usize] as usize];
            self.parents[value as usize] = above;
            value = above;
        }
        value as usize
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b) as u32;
        self.joined[a.min(b)] |= a != b;
    }

    /// Whether nothing was joined to a root.
    fn is_one(&self, root: usize) -> bool {
        !self.joined[root]
    }
}

impl Compiler<'_> {
    /// Chooses what has registers for itself: variables have them from here on, values from their definitions.
    pub(crate) fn choose_homes(&mut self) -> Result<(), Refused> {
        let analysis = self.analysis;
        let wanted = |(local, it): (usize, &Info)| {
            let suits = it.uses > 0 && it.passes_edges() && it.form != Form::Alloca;
            suits.then_some(Wish { uses: it.weight.into(), local, variable: false })
        };
        let mut wishes: Vec<Wish> = analysis.values.iter().enumerate().filter_map(wanted).collect();
        if !wishes.iter().any(|it| it.uses >= WORTH) {
            wishes.clear();
        }
        let mut variables = self.possible_variables()?;
        if wishes.is_empty() && variables.is_none() {
            return Ok(());
        }
        // How often something is called in front of the end of a position.
        let mut calls = Vec::with_capacity(analysis.order.blocks.len());
        let mut called = 0_u32;
        for (&block, &weight) in analysis.order.blocks.iter().zip(&analysis.weights) {
            for (_, instruction) in self.body.block(Block(block)) {
                if matches!(instruction.opcode, Opcode::Call | Opcode::Invoke | Opcode::CallBr) {
                    if self.returns_twice(instruction) {
                        return Ok(());
                    }
                    called += u32::from(!self.is_intrinsic(instruction));
                }
                if let Some(variables) = &mut variables {
                    self.count_uses(variables, instruction, weight.into());
                }
            }
            calls.push(called);
        }
        for (local, it) in variables.iter().flatten().enumerate() {
            if it.is_variable(analysis.values[local].uses) {
                wishes.push(Wish { uses: it.uses, local, variable: true });
            }
        }
        // The same for the same bitcode: by uses, then by number.
        wishes.sort_unstable_by_key(|it| (Reverse(it.uses), it.local));
        let mut known = None;
        for wish in wishes {
            self.give_home(wish, &calls, &mut known)?;
        }
        Ok(())
    }

    fn give_home(
        &mut self,
        wish: Wish,
        calls: &[u32],
        known: &mut Option<(Webs, Lives)>,
    ) -> Result<(), Refused> {
        let Wish { uses, local, variable } = wish;
        let general = REGISTERS.map(Reg::from);
        if variable {
            let all = [(0, u32::MAX)];
            if let Some(reg) = self.homes.give(local, &all, &general, None, uses >= WORTH) {
                self.assignments[local].state = ValueState::Variable(reg);
                self.regs.reserve(reg);
            }
            return Ok(());
        }
        let analysis = self.analysis;
        let value = analysis.locals.value(local);
        let ty = self.type_of(value)?;
        let single = self.part_table.single(self.types, ty)?;
        if self.is_in_frame(local) {
            return Ok(());
        }
        let (webs, lives) =
            known.get_or_insert_with(|| (Webs::of(analysis), Lives::new(self.body, analysis)));
        let Some(runs) = lives.of(local, analysis.values[local].first) else { return Ok(()) };
        let before = |first: u32| first.checked_sub(1).and_then(|it| calls.get(it as usize)).unwrap_or(&0);
        let calls = |run: &Run| calls.get(run.1 as usize) != Some(before(run.0));
        let among: &[Reg] = match single.map(|it| it.bank) {
            Some(Bank::Gp) => &general,
            Some(Bank::Xmm) if !runs.iter().any(calls) => &VECTORS,
            _ => &[],
        };
        let web = webs.root(local as u32);
        let is_worth = uses >= WORTH || among != general;
        let reg = self.homes.give(local, runs, among, webs.registers[web], is_worth);
        if let Some(reg) = reg {
            webs.registers[web].get_or_insert(reg);
            self.assignments[local].home = Some(reg);
            self.regs.reserve(reg);
            return Ok(());
        }
        if webs.is_one(web) {
            return Ok(());
        }
        let slots = webs.slots.entry(web as u32).or_default();
        let known = slots.iter().position(|it| it.are_apart_from(runs));
        let index = match known {
            Some(index) => index,
            None if slots.len() < SLOTS => {
                let types = self.part_table.of(self.types, ty)?;
                let bytes = types
                    .iter()
                    .fold(0, |end: u32, ty| end.next_multiple_of(ty.slot_bytes()) + ty.slot_bytes());
                slots.push(Ranges::new(self.frame.allocate_slot(bytes)?));
                slots.len() - 1
            }
            None => return Ok(()),
        };
        let slot = &mut slots[index];
        slot.insert(runs, local);
        let assignment = &mut self.assignments[local];
        (assignment.slot, assignment.is_shared) = (slot.place, true);
        Ok(())
    }

    /// Whether a value is the address of an argument that lies in the caller's frame.
    fn is_in_frame(&self, local: usize) -> bool {
        let value = self.analysis.locals.value(local);
        let argument = value.0.wrapping_sub(self.body.argument(0).0);
        let global = self.module.globals().get(self.body.function as usize);
        argument < self.body.arguments()
            && global.is_some_and(|global| {
                let set = self.module.attributes(global.attributes).parameter(argument);
                set.ty(AttributeKind::ByVal).is_some()
            })
    }

    /// Stores the vector registers of values, which calls change: it is a function of a library that does what an instruction
    /// should. Returns what is to be loaded again.
    pub(crate) fn store_vectors(&mut self) -> Result<Vec<(Reg, u16, Mem)>, Refused> {
        let here: Vec<_> = self.homes.at(self.position).filter(|(reg, _)| reg.is_vector()).collect();
        let mut stored = Vec::new();
        for (reg, local) in here {
            // Not what the block is still to define, or does not need any more.
            if self.assignments[local].state == ValueState::Live && self.part(local, 0).reg == Some(reg) {
                let (memory, ty) = (self.slot(local, 0)?, self.part(local, 0).ty);
                self.asm.store_x(if ty.bits <= 32 { 4 } else { ty.slot_bytes() }, memory, reg.xmm());
                stored.push((reg, ty.bits, memory));
            }
        }
        Ok(stored)
    }

    /// The register that a value has for itself.
    pub(crate) fn home_of(&self, value: Value) -> Option<Reg> {
        self.analysis.locals.local(value).and_then(|local| self.assignments[local].home)
    }
}
