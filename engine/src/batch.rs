//! Which functions are compiled together: the one that is called, and the ones that it will call next. Receives the
//! root (or several); hands on the list of the batch, bodies read, in the order in which they were found.
//!
//! A batch has a fixed cost, so a few functions at once are compiled for little more than one; but what is compiled
//! and never called is lost. So the walk goes along direct calls, breadth first, and not far. With optimisation, and
//! for functions that are always inlined, bodies of callees come along for the inliner.

use std::collections::{HashSet, VecDeque};

use autojit_abi::{inlined, inlined_often};

use crate::module::OpenModule;
use crate::shim::{Call, IrFunction, Member, Options, Role};

/// How far a batch goes. The figures were measured: docs/decisions has them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Functions in the object.
    pub functions: usize,
    /// Instructions in the object from which on no function comes along.
    pub instructions: usize,
    /// Calls between the root and the last of them.
    pub depth: u32,
    /// Instructions that a body may have to come along for inlining, if the root calls it; each further call lets in
    /// seven tenths of that.
    pub inline: u32,
    /// Bodies that come along.
    pub inlined: usize,
}

impl Limits {
    /// Those for a level of optimisation; `functions` instead of the default, unless 0.
    pub fn new(options: Options, functions: u32) -> Self {
        let unoptimised = options.speed == 0;
        let default = if unoptimised { 16 } else { 4 };
        let functions = if functions == 0 { default } else { functions as usize };
        Self { functions, instructions: 200, depth: 2, inline: if unoptimised { 0 } else { 30 }, inlined: 64 }
    }

    /// Those for a function that runs often, which is compiled alone: what the inliner may want of a body is seen before its
    /// loads and stores of variables are gone, which are most of it.
    pub fn often(self) -> Self {
        let inline = if self.inline == 0 { 0 } else { inlined_often(1) };
        Self { functions: 1, inline, inlined: 256, ..self }
    }
}

/// A body whose calls are to be followed.
struct Visit {
    function: IrFunction,
    /// Calls from the root.
    depth: u32,
    /// Whether it is in the object, not only for the inliner.
    compiled: bool,
}

/// Chooses the batch of `roots`, its first members.
///
/// # Errors
/// LLVM's message, if a body cannot be read.
pub fn choose(
    module: &mut OpenModule,
    roots: Vec<Member>,
    limits: &Limits,
    claim: &mut dyn FnMut(u32) -> bool,
) -> Result<Vec<Member>, String> {
    let (mut compiled, mut inlined, mut instructions) = (roots.len(), 0, 0);
    let mut members = roots;
    let mut settled: HashSet<_> = members.iter().map(|root| root.function).collect();
    let mut refused = HashSet::new();
    let mut queue = VecDeque::new();
    for root in &members {
        module.kept.materialize(root.function)?;
        instructions += size(module, root.function);
        queue.push_back(Visit { function: root.function, depth: 0, compiled: true });
    }
    while let Some(visit) = queue.pop_front() {
        let depth = visit.depth + 1;
        for call in calls(module, visit.function) {
            if settled.contains(&call.callee) || !call.callee.is_defined() {
                continue;
            }
            let lazy = module.lazy(call.callee).map(|index| (index, module.member(call.callee, index)));
            if lazy.is_none() && !call.callee.is_defined_elsewhere() {
                // Its code stays in the image, and so does what only that refers to.
                continue;
            }
            if lazy.is_some_and(|(_, member)| member.role == Role::Interposable) {
                // Which definition won is the runtime's to know, when it is called.
                continue;
            }
            let always = call.always_inline || module.attributes.always_inline(call.callee);
            let room = visit.compiled
                && depth <= limits.depth
                && compiled < limits.functions
                && instructions < limits.instructions;
            if let Some((index, member)) = lazy.filter(|_| room && !always && !refused.contains(&call.callee))
            {
                if claim(index) {
                    compiled += 1;
                    settled.insert(call.callee);
                    module.kept.materialize(call.callee)?;
                    instructions += size(module, call.callee);
                    members.push(member);
                    queue.push_back(Visit { function: call.callee, depth, compiled: true });
                    continue;
                }
                refused.insert(call.callee);
            }
            if always || (inlined < limits.inlined && worth_inlining(module, call.callee, depth, limits)?) {
                inlined += 1;
                settled.insert(call.callee);
                module.kept.materialize(call.callee)?;
                members.push(Member { function: call.callee, role: Role::InlineOnly, stubbed: false });
                queue.push_back(Visit { function: call.callee, depth, compiled: false });
            }
        }
    }
    Ok(members)
}

/// The direct calls of a body, in order.
fn calls(module: &OpenModule, function: IrFunction) -> Vec<Call> {
    let mut calls = Vec::new();
    function.visit(&module.attributes, |call| calls.extend(call));
    calls
}

/// The number of instructions of a body.
fn size(module: &OpenModule, function: IrFunction) -> usize {
    let mut instructions = 0;
    function.visit(&module.attributes, |_| instructions += 1);
    instructions
}

/// Whether a body comes along for the inliner, which decides with its own measures whether to use it.
fn worth_inlining(
    module: &OpenModule,
    function: IrFunction,
    depth: u32,
    limits: &Limits,
) -> Result<bool, String> {
    if limits.inline == 0 || module.attributes.never_inline(function, module.options.drop_optnone) {
        return Ok(false);
    }
    let limit = inlined(limits.inline, depth);
    module.kept.materialize(function)?;
    Ok(size(module, function) <= limit as usize)
}
