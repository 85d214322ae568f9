//! Addresses of labels (`blockaddress`): whether a function keeps any.
//!
//! Code that is to be replaced has its labels in its own text, and other code of the same function has others. That is
//! unnoticed as long as an address that `indirectbr` takes was read in the same call, from a table that comes along with the
//! code, or is written in the code. What is stored, passed, returned, or computed with may outlive the call.

use autojit_bitcode::{
    BitcodeModule, Block, Constant, Flags, FunctionBody, GlobalKind, Instruction, Opcode, Value,
};

use super::Locals;

/// What a value has to do with labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Origin {
    /// Nothing.
    #[default]
    Other,
    /// It points into a variable that has addresses of labels.
    Table,
    /// It is the address of a label.
    Label,
}

/// How often the instructions are looked at, at most: phis may take what is defined behind them.
const ROUNDS: usize = 8;
/// How deep constants are nested that are looked into.
const DEEPEST: u32 = 8;

/// The labels of a function that keeps none of them.
#[derive(Debug)]
pub(crate) struct Labels {
    /// By local number.
    origins: Vec<Origin>,
    /// Whether `indirectbr` leads there, by block.
    targets: Vec<bool>,
}

impl Labels {
    /// Whether a function has an `indirectbr`.
    pub(crate) fn are_used(body: &FunctionBody) -> bool {
        body.instructions.iter().any(|it| it.opcode == Opcode::IndirectBr)
    }

    /// The labels of a function. None if it keeps one, or takes one from elsewhere.
    pub(crate) fn of(module: &BitcodeModule<'_>, body: &FunctionBody, locals: &Locals) -> Option<Self> {
        let mut reader = Reader { module, body, locals, origins: vec![Origin::Other; locals.len()] };
        let mut rounds = 0..ROUNDS;
        while reader.round()? {
            rounds.next()?;
        }
        let mut targets = vec![false; body.blocks.len()];
        for (index, block) in body.blocks.iter().enumerate() {
            let last = body.instructions.get(block.end.checked_sub(1)? as usize);
            if last.is_none_or(|last| last.opcode != Opcode::IndirectBr) {
                continue;
            }
            let &[address] = body.operands(last?) else { return None };
            if reader.origin(address)? != Origin::Label {
                return None;
            }
            for target in body.successors(Block(index as u32)) {
                *targets.get_mut(target.0 as usize)? = true;
            }
        }
        Some(Self { origins: reader.origins, targets })
    }

    /// Whether a value is the address of a label, or points to one.
    pub(crate) fn has(&self, local: usize) -> bool {
        self.origins.get(local).is_some_and(|origin| *origin != Origin::Other)
    }

    /// Whether `indirectbr` leads to a block.
    pub(crate) fn lead_to(&self, block: u32) -> bool {
        self.targets.get(block as usize).copied().unwrap_or(false)
    }
}

struct Reader<'a> {
    module: &'a BitcodeModule<'a>,
    body: &'a FunctionBody,
    locals: &'a Locals,
    origins: Vec<Origin>,
}

impl Reader<'_> {
    /// Looks at each instruction once. Whether anything became known; None if a label is kept.
    fn round(&mut self) -> Option<bool> {
        let body = self.body;
        let mut any = false;
        for instruction in &body.instructions {
            let origin = self.result(instruction)?;
            if let Some(local) = self.locals.local(instruction.result)
                && origin != self.origins[local]
            {
                self.origins[local] = self.join(self.origins[local], origin)?;
                any = true;
            }
        }
        Some(any)
    }

    /// What an instruction makes of its operands.
    fn result(&self, instruction: &Instruction) -> Option<Origin> {
        let body = self.body;
        if instruction.opcode == Opcode::Phi {
            return body
                .phi(instruction)
                .try_fold(Origin::Other, |all, (value, _)| self.join(all, self.origin(value)?));
        }
        let operands = body.operands(instruction);
        let mut rest = operands;
        let origin = match (instruction.opcode, operands) {
            (Opcode::Select, [condition, left, right]) => {
                rest = std::slice::from_ref(condition);
                self.join(self.origin(*left)?, self.origin(*right)?)?
            }
            (Opcode::Freeze | Opcode::BitCast, [value]) => {
                rest = &[];
                self.origin(*value)?
            }
            (Opcode::GetElementPtr, [base, indices @ ..]) => {
                rest = indices;
                self.origin(*base).filter(|origin| *origin != Origin::Label)?
            }
            (Opcode::Load, [address]) => {
                rest = &[];
                match self.origin(*address)? {
                    Origin::Other => Origin::Other,
                    Origin::Table if !instruction.flags.has(Flags::VOLATILE) => Origin::Label,
                    _ => return None,
                }
            }
            (Opcode::IndirectBr, _) => {
                rest = &[];
                Origin::Other
            }
            _ => Origin::Other,
        };
        let is_free = |value: &Value| self.origin(*value) == Some(Origin::Other);
        rest.iter().all(is_free).then_some(origin)
    }

    fn join(&self, one: Origin, other: Origin) -> Option<Origin> {
        match (one, other) {
            (Origin::Other, origin) | (origin, Origin::Other) => Some(origin),
            (one, other) => (one == other).then_some(one),
        }
    }

    /// What is known of a value so far.
    fn origin(&self, value: Value) -> Option<Origin> {
        match self.locals.local(value) {
            Some(local) => Some(self.origins[local]),
            None => self.constant(value, DEEPEST),
        }
    }

    fn constant(&self, value: Value, deep: u32) -> Option<Origin> {
        let deep = deep.checked_sub(1)?;
        if let Some(global) = self.module.globals().get(value.0 as usize) {
            let initializer = global.initializer().filter(|_| global.kind == GlobalKind::Variable);
            return initializer.map_or(Some(Origin::Other), |value| self.table(value, deep));
        }
        let Some(constant) = self.body.constant(self.module, value) else { return Some(Origin::Other) };
        let free = |value: Value| self.constant(value, deep).filter(|origin| *origin == Origin::Other);
        match constant {
            Constant::BlockAddress { .. } => Some(Origin::Label),
            Constant::Cast { op: Opcode::BitCast, value, .. } => self.constant(value, deep),
            Constant::GetElementPtr { operands, .. } => {
                let base = self.constant(*operands.first()?, deep)?;
                (base != Origin::Label).then_some(base)
            }
            Constant::Cast { value, .. } => free(value),
            Constant::Binary { left, right, .. } => free(left).and_then(|_| free(right)),
            Constant::Aggregate(elements) => {
                elements.iter().try_fold(Origin::Other, |_, element| free(*element))
            }
            _ => Some(Origin::Other),
        }
    }

    /// What a pointer to a variable with this value is.
    fn table(&self, initializer: Value, deep: u32) -> Option<Origin> {
        let deep = deep.checked_sub(1)?;
        match self.module.constant(initializer) {
            Some(Constant::Aggregate(elements)) => elements
                .iter()
                .try_fold(Origin::Other, |all, element| self.join(all, self.table(*element, deep)?)),
            Some(Constant::BlockAddress { .. }) => Some(Origin::Table),
            // A pointer to something else, of which nothing is read here.
            _ => Some(Origin::Other),
        }
    }
}
