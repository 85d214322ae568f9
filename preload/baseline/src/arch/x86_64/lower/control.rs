//! Branches.

use autojit_bitcode::{Opcode, Value};

use super::super::Compiler;
use super::super::asm::{Alu, Base, Cond, Gp, Label, Mem, Rm, Width};
use super::super::constants::sign_extend;
use super::super::edges::{Condition, JumpTable};
use super::super::registers::SCRATCH;
use crate::code::{RelocationKind, RelocationTarget};
use crate::refused::{Reason, Refused};

/// Cases that make a jump table worth while, and how many entries it may have for each.
const TABLE_FROM: usize = 4;
const ENTRIES_PER_CASE: u64 = 8;

impl Compiler<'_> {
    fn target(&self, index: usize) -> Result<u32, Refused> {
        let target = self.successors().get(index).map(|block| block.0);
        Ok(target.ok_or(Reason::Internal("a branch without a target"))?)
    }

    /// Lowers the unconditional `br`.
    pub(crate) fn lower_jump(&mut self) -> Result<(), Refused> {
        let target = self.target(0)?;
        self.store_live()?;
        self.edge_moves(target)?;
        self.jump_and_count(target);
        Ok(())
    }

    /// Lowers the conditional `br`.
    pub(crate) fn lower_branch(&mut self, condition: Value) -> Result<(), Refused> {
        let (yes, no) = (self.target(0)?, self.target(1)?);
        self.prepare_inputs()?;
        self.store_live()?;
        let condition = self.condition(condition)?;
        // Operands of the comparison may have been loaded, and may have had to make room.
        self.branch(condition, yes, no)
    }

    /// Phis read their values behind the branch, where nothing may be computed any more.
    pub(crate) fn prepare_inputs(&mut self) -> Result<(), Refused> {
        debug_assert!(
            self.analysis.inputs_from(self.position).iter().all(|input| self.deferred(input.value).is_none())
        );
        Ok(())
    }

    /// The flags for a value of one bit, and which of them tell that it is set.
    pub(crate) fn condition(&mut self, value: Value) -> Result<Condition, Refused> {
        if let Some(known) = self.constant_bits(value)? {
            return Ok(Condition::Known(known & 1 != 0));
        }
        if let Some(inst) = self.deferred(value)
            && let Some(instruction) = self.body.instructions.get(inst as usize)
            && matches!(instruction.opcode, Opcode::ICmp | Opcode::FCmp)
        {
            return self.compare(inst);
        }
        match self.operand(value, 0, 1)? {
            Rm::Reg(reg) => self.asm.test_i(Width::B1, Gp(reg), 1),
            mem => self.asm.test_i(Width::B1, mem, 1),
        }
        Ok(Condition::One(Cond::Ne))
    }

    /// Lowers `switch`.
    pub(crate) fn lower_switch(&mut self, value: Value, cases: &[Value]) -> Result<(), Refused> {
        let bits = u32::from(self.single(value).map_err(|_| Reason::WideInteger)?.bits);
        let default = self.target(0)?;
        self.store_live()?;
        let mut labels = EdgeLabels::default();
        let mut all = Vec::with_capacity(cases.len());
        for (index, &case) in cases.iter().enumerate() {
            let case = self.constant_bits(case)?.ok_or(Reason::Internal("a case that is no number"))?;
            let target = self.target(index + 1)?;
            let label = labels.of(self, target);
            all.push((sign_extend(case, bits), label));
        }
        all.sort_unstable_by_key(|(case, _)| *case);
        let default = labels.of(self, default);
        let reg = self.own_gp(value, 0)?;
        let width = Width::of_bits(bits).at_least_32();
        if bits < 64 && bits != 32 {
            self.extend(reg, bits, true);
        }
        match (all.first(), all.last()) {
            (Some(&(first, _)), Some(&(last, _))) if is_dense(first, last, all.len()) => {
                self.jump_by_table(reg, width, first, last, &all, default)?;
            }
            _ => {
                let spare = self.temporary_gp()?;
                self.search(reg, spare, width, &all, default);
            }
        }
        for (target, (label, moves)) in labels.known {
            if moves {
                self.asm.bind(label);
                self.edge_moves(target)?;
                self.asm.jmp(self.labels[target as usize]);
            }
        }
        Ok(())
    }

    fn jump_by_table(
        &mut self,
        reg: Gp,
        width: Width,
        first: i64,
        last: i64,
        cases: &[(i64, Label)],
        default: Label,
    ) -> Result<(), Refused> {
        let entries = (last - first) as u32 + 1;
        match i32::try_from(first) {
            Ok(0) => {}
            Ok(first) => self.asm.alu_i(Alu::Sub, width, reg, first),
            Err(_) => {
                self.asm.mov_i(SCRATCH, first as u64);
                self.asm.alu(Alu::Sub, width, reg, SCRATCH);
            }
        }
        self.asm.alu_i(Alu::Cmp, width, reg, entries as i32 - 1);
        self.asm.jcc(Cond::A, default);
        if width == Width::B4 {
            // The sign of a case may be in the upper half.
            self.asm.mov(Width::B4, reg, reg);
        }
        let offset = self.rodata.table(entries);
        let mut targets = vec![default; entries as usize];
        for (case, label) in cases {
            if let Some(target) = targets.get_mut((case - first) as usize) {
                *target = *label;
            }
        }
        self.tables.push(JumpTable { offset, targets });
        self.asm.lea(SCRATCH, Mem::symbol(RelocationKind::Pc32, RelocationTarget::Rodata, offset as i32));
        let entry = Mem { base: Base::Reg(SCRATCH), index: Some((reg, 2)), disp: 0 };
        self.asm.movsx(Width::B8, Width::B4, reg, entry);
        self.asm.alu(Alu::Add, Width::B8, reg, SCRATCH);
        self.asm.jmp_rm(reg);
        Ok(())
    }

    /// Compares by halving; the depth is the logarithm of the number of cases.
    fn search(&mut self, reg: Gp, spare: Gp, width: Width, cases: &[(i64, Label)], default: Label) {
        if cases.len() <= 3 {
            for (case, label) in cases {
                self.compare_case(reg, spare, width, *case);
                self.asm.jcc(Cond::E, *label);
            }
            self.asm.jmp(default);
            return;
        }
        let (low, high) = cases.split_at(cases.len() / 2);
        let above = self.asm.label();
        if let Some((case, _)) = high.first() {
            self.compare_case(reg, spare, width, *case);
        }
        self.asm.jcc(Cond::Ge, above);
        self.search(reg, spare, width, low, default);
        self.asm.bind(above);
        self.search(reg, spare, width, high, default);
    }

    fn compare_case(&mut self, reg: Gp, spare: Gp, width: Width, case: i64) {
        match i32::try_from(case) {
            Ok(0) => self.asm.test(width, reg, reg),
            Ok(case) => self.asm.alu_i(Alu::Cmp, width, reg, case),
            Err(_) => {
                self.asm.mov_i(spare, case as u64);
                self.asm.alu(Alu::Cmp, width, reg, spare);
            }
        }
    }

    /// Lowers `indirectbr`.
    pub(crate) fn lower_indirect_branch(&mut self, address: Value) -> Result<(), Refused> {
        self.store_live()?;
        let targets: Vec<u32> = self.successors().iter().map(|block| block.0).collect();
        if targets.iter().any(|target| self.may_have_moves(*target)) {
            return Err(Reason::Form("indirectbr to phis").into());
        }
        let reg = self.gp(address, 0)?;
        self.asm.jmp_rm(reg);
        Ok(())
    }
}

fn is_dense(first: i64, last: i64, cases: usize) -> bool {
    let range = last.wrapping_sub(first) as u64;
    cases >= TABLE_FROM && range < (cases as u64).saturating_mul(ENTRIES_PER_CASE) && range < 1 << 24
}

/// One label for each target: the block's own, or one of moves that are still to be emitted.
#[derive(Default)]
struct EdgeLabels {
    known: std::collections::BTreeMap<u32, (Label, bool)>,
}

impl EdgeLabels {
    fn of(&mut self, compiler: &mut Compiler<'_>, target: u32) -> Label {
        let label = |compiler: &mut Compiler<'_>| {
            // What the edge moves may still be moved itself.
            let moves = compiler.may_have_moves(target);
            (if moves { compiler.asm.label() } else { compiler.labels[target as usize] }, moves)
        };
        self.known.entry(target).or_insert_with(|| label(compiler)).0
    }
}
