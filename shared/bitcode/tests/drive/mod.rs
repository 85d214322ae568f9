//! Asks for everything that the reader has to say of some bytes, and checks what it promises of each body.

use autojit_bitcode::{
    Attribute, AttributeList, BitcodeModule, Block, Constant, DebugLocation, Definition, FunctionBody, Inst,
    Instruction, Metadata, Parts, Predecessors, Result, TypeId, Value, cut, join, split,
};

/// Reads the module and all of its functions. An error of the module is given; functions may be in error alone.
pub fn drive(bytes: &[u8]) -> Result<usize> {
    let module = BitcodeModule::parse(bytes)?;
    let types = module.types();
    for id in 0..types.len() as u32 + 1 {
        let id = TypeId(id);
        let layout = types.layout(id);
        assert!(
            layout.is_none_or(|layout| layout.store_size() <= layout.size && layout.align.is_power_of_two())
        );
        let _ = (types.get(id), types.name(id), types.field_offset(id, 0), types.field_offset(id, u32::MAX));
    }
    let mut elements = Vec::new();
    let mut body = FunctionBody::default();
    for value in 0..module.values() + 1 {
        constant(&module, module.constant(Value(value)), &mut elements);
    }
    let mut read = 0;
    let mut metadata = Metadata::new(&module).ok();
    for (index, global) in module.globals().iter().enumerate() {
        let index = index as u32;
        let _ = (
            module.name(global),
            module.section(module.seldom(global).section),
            module.comdat(global.comdat),
        );
        attributes(module.attributes(global.attributes));
        let initializer = global.initializer().map(|value| module.type_of(value).is_some());
        assert_ne!(initializer, Some(false));
        let with_records = module.read_function_with_debug_records(index, &mut body);
        let result = module.read_function(index, &mut body);
        assert!(result.is_ok() || with_records.is_err(), "{result:?}");
        if result.is_ok() {
            check(&module, &body);
            if let Some(metadata) = &mut metadata {
                names(metadata, &body);
            }
            read += 1;
        }
    }
    in_parts(bytes, &module);
    apart(bytes);
    Ok(read)
}

/// Reads the parts of a module, which say the same as the whole. Whether they could be read.
pub fn in_parts(bytes: &[u8], whole: &BitcodeModule<'_>) -> bool {
    let Some(cut) = cut(bytes) else { return false };
    let (head, middle, strings) = (&bytes[cut.head], &bytes[cut.middle], &bytes[cut.strings]);
    let Ok(module) = BitcodeModule::open(Parts { head, middle, strings }) else { return false };
    assert_eq!(module.globals(), whole.globals());
    assert_eq!(module.values(), whole.values());
    let bodies = &bytes[cut.bodies[0]..cut.tail.start];
    let starts = module.blocks(bodies).expect("it was cut into them");
    assert_eq!(starts.len(), cut.bodies.len());
    let mut metadata = Metadata::of(&module, &bytes[cut.metadata]).ok();
    let (mut ours, mut theirs, mut code) =
        (FunctionBody::default(), FunctionBody::default(), FunctionBody::default());
    for global in 0..module.globals().len() as u32 {
        assert_eq!(module.body(global), whole.body(global));
        assert!(module.read_function(global, &mut ours).is_err(), "it has no bodies of its own");
        let Some(&start) = module.body(global).and_then(|number| starts.get(number as usize)) else {
            continue;
        };
        let block = &bodies[start as usize..];
        let result = module.read_block(global, block, &mut ours);
        assert_eq!(result.is_ok(), whole.read_function(global, &mut theirs).is_ok(), "{result:?}");
        if result.is_err() {
            continue;
        }
        assert_eq!((&ours.instructions, &ours.blocks), (&theirs.instructions, &theirs.blocks));
        module.read_code(global, block, &mut code).expect("it is a part of what was read");
        let located = same_code(&code, &ours);
        assert_eq!(code.has_locations(), ours.has_locations());
        assert!(!located || code.has_locations());
        for instruction in &ours.instructions {
            assert_eq!(ours.operands(instruction), theirs.operands(instruction));
        }
        for value in (0..ours.values()).map(Value) {
            match (ours.constant(&module, value), theirs.constant(whole, value)) {
                (Some(Constant::Data(ours)), Some(Constant::Data(theirs))) => {
                    let (mut left, mut right) = (Vec::new(), Vec::new());
                    let read = (module.data(&ours, &mut left), whole.data(&theirs, &mut right));
                    assert_eq!((read.0.is_ok(), left), (read.1.is_ok(), right));
                }
                // As text, in which a number that is none is itself.
                (ours, theirs) => assert_eq!(format!("{ours:?}"), format!("{theirs:?}")),
            }
        }
        if let Some(metadata) = &mut metadata
            && metadata.enter_block(&ours, block).is_ok()
        {
            for inst in 0..ours.instructions.len() as u32 {
                let scope = ours.location(Inst(inst)).map_or(0, |location| location.scope);
                let _ = metadata.subprogram(scope).and_then(|scope| metadata.file(scope.file));
            }
        }
    }
    true
}

/// What is kept of a module: what is left out lies between the blocks of the outermost level.
pub fn kept(bytes: &[u8]) -> Option<Vec<u8>> {
    let cut = cut(bytes)?;
    Some([&bytes[..cut.tail.end], &bytes[cut.strings]].concat())
}

/// Takes what is said for debuggers out of the bodies, whose code stays as it was, and puts it back. What there is again; none if
/// nothing could be taken out.
pub fn apart(bytes: &[u8]) -> Option<Vec<u8>> {
    let cut = cut(bytes)?;
    let split = split(bytes, &cut)?;
    let [head, metadata, middle, tail, strings] =
        [cut.head, cut.metadata, cut.middle, cut.tail, cut.strings].map(|part| &bytes[part]);
    let module = BitcodeModule::open(Parts { head, middle, strings }).ok()?;
    let starts = module.blocks(&split.bodies).expect("it was split into them");
    assert!(starts.iter().map(|&start| start as usize).eq(split.starts.iter().copied()));
    let (mut all, mut code) = (FunctionBody::default(), FunctionBody::default());
    for global in 0..module.globals().len() as u32 {
        let Some(number) = module.body(global).map(|number| number as usize) else { continue };
        let (Some(&whole), Some(&bare)) = (cut.bodies.get(number), split.starts.get(number)) else {
            continue;
        };
        if module.read_block(global, &bytes[whole..], &mut all).is_err() {
            continue;
        }
        module.read_code(global, &split.bodies[bare..], &mut code).expect("its code is the same");
        same_code(&code, &all);
        assert!(split.notes.is_empty() || !code.has_locations());
    }
    let joined = join([head, metadata, middle], &[&split.bodies], &split.notes, [tail, strings]);
    Some(joined.expect("it was split"))
}

/// What was read without locations is all but these. Whether there are any.
fn same_code(code: &FunctionBody, all: &FunctionBody) -> bool {
    assert_eq!((&code.blocks, code.values()), (&all.blocks, all.values()));
    assert_eq!(code.instructions.len(), all.instructions.len());
    let mut located = false;
    for (inst, (code_of, all_of)) in code.instructions.iter().zip(&all.instructions).enumerate() {
        let inst = Inst(inst as u32);
        assert_eq!(code.location(inst), None);
        located |= all.location(inst).is_some();
        let known = |it: &Instruction| (it.opcode, it.ty, it.result, it.flags, it.align, it.ordering);
        assert_eq!(known(code_of), known(all_of));
        assert_eq!(code.operands(code_of), all.operands(all_of));
        assert!(code.phi(code_of).eq(all.phi(all_of)));
    }
    for block in (0..code.blocks.len() as u32).map(Block) {
        assert_eq!(code.successors(block), all.successors(block));
    }
    located
}

/// Where each instruction is, through all that was inlined.
fn names(metadata: &mut Metadata<'_>, body: &FunctionBody) {
    if metadata.enter(body).is_err() {
        return;
    }
    for inst in 0..body.instructions.len() as u32 {
        let mut location = body.location(Inst(inst)).copied();
        // Damaged locations may be inlined into one another.
        for _ in 0..8 {
            let Some(DebugLocation { scope, inlined_at, .. }) = location else { break };
            if let Ok(scope) = metadata.subprogram(scope) {
                let _ = metadata.file(scope.file);
            }
            location = metadata.location(inlined_at).ok();
        }
    }
}

fn attributes(list: AttributeList<'_>) {
    for set in [list.function(), list.result(), list.parameter(0), list.parameter(7)] {
        for attribute in set.iter() {
            match attribute {
                Attribute::Enum(kind) | Attribute::Range(kind, _) => {
                    assert!(set.has(kind) && !kind.text().is_empty())
                }
                Attribute::Int(kind, _) => assert!(set.int(kind).is_some()),
                Attribute::Type(kind, _) => assert!(set.ty(kind).is_some()),
                Attribute::String(key, _) => assert!(set.string(key).is_some()),
            }
        }
    }
}

fn constant(module: &BitcodeModule<'_>, constant: Option<Constant<'_>>, elements: &mut Vec<u64>) {
    if let Some(Constant::Data(data)) = constant {
        assert!(module.data(&data, elements).is_err() || elements.len() == data.len());
    }
}

/// What a consumer need not check itself.
fn check(module: &BitcodeModule<'_>, body: &FunctionBody) {
    let exists = |value: Value| match body.definition(module, value) {
        Some(Definition::Constant) => body.constant(module, value).is_some(),
        Some(Definition::Instruction(inst)) => {
            body.instruction(inst).is_some_and(|instruction| instruction.result == value)
        }
        Some(Definition::Argument(index)) => index < body.arguments() && body.argument(index) == value,
        Some(Definition::Global(index)) => (index as usize) < module.globals().len(),
        Some(Definition::Metadata(_)) => true,
        None => false,
    };
    let good =
        |value: Value| exists(value) && (value.metadata().is_some() || body.type_of(module, value).is_some());
    let mut elements = Vec::new();
    for value in 0..body.values() + 1 {
        constant(module, body.constant(module, Value(value)), &mut elements);
    }
    let mut next = 0;
    for block in 0..body.blocks.len() as u32 {
        let mut terminated = false;
        for (Inst(inst), instruction) in body.block(Block(block)) {
            assert!(!terminated && inst == next);
            next += 1;
            terminated = instruction.opcode.is_terminator();
            assert!(body.operands(instruction).iter().all(|&value| good(value)), "{instruction:?}");
            assert!(body.phi(instruction).all(|(_, block)| (block.0 as usize) < body.blocks.len()));
            let _ = (body.indices(instruction), body.location(Inst(inst)), instruction.source_type());
            let _ = (instruction.predicate(), instruction.rmw(), instruction.failure_ordering());
            if let Some(call) = body.call(instruction) {
                attributes(module.attributes(call.attributes));
                for bundle in call.bundles {
                    assert!(body.bundle(bundle).iter().all(|&value| good(value)));
                    let _ = module.bundle_tag(bundle.tag);
                }
            }
        }
        assert!(terminated);
        assert!(body.successors(Block(block)).iter().all(|target| (target.0 as usize) < body.blocks.len()));
    }
    assert_eq!(next as usize, body.instructions.len());
    let mut predecessors = Predecessors::default();
    predecessors.compute(body);
    let edges: usize = (0..body.blocks.len() as u32).map(|block| predecessors.of(Block(block)).len()).sum();
    let targets: usize = (0..body.blocks.len() as u32).map(|block| body.successors(Block(block)).len()).sum();
    assert_eq!(edges, targets);
}
