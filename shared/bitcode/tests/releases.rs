//! Bitcode that older releases of clang have written: `releases/older.c`, by
//! `clang-N -O1 -g -Xclang -disable-llvm-passes -emit-llvm -c older.c -o llvm-N.bc`, and the other files there.

use autojit_bitcode::{AttributeKind, BitcodeModule, Constant, FunctionBody, Opcode, Reason, Type, TypeId};

fn functions<'m>(module: &'m BitcodeModule<'_>) -> impl Iterator<Item = (u32, String)> + 'm {
    let globals = module.globals().iter().enumerate();
    globals.map(|(index, global)| (index as u32, String::from_utf8_lossy(module.name(global)).into_owned()))
}

#[test]
fn what_older_releases_have_written_is_read() {
    for (release, bytes) in
        [(16, &include_bytes!("releases/llvm-16.bc")[..]), (19, include_bytes!("releases/llvm-19.bc"))]
    {
        let module = BitcodeModule::parse(bytes).unwrap_or_else(|error| panic!("LLVM {release}: {error:?}"));
        let mut body = FunctionBody::default();
        let mut read = Vec::new();
        for (index, name) in functions(&module).filter(|(index, _)| module.has_body(*index)) {
            module
                .read_function(index, &mut body)
                .unwrap_or_else(|error| panic!("LLVM {release}, {name}: {error:?}"));
            let switches = body.instructions.iter().filter(|it| it.opcode == Opcode::Switch).count();
            read.push((name, switches));
        }
        let expected = [("main", 1), ("swap", 0), ("wide", 0)].map(|(name, count)| (name.to_owned(), count));
        assert_eq!(read, expected, "LLVM {release}");
        // As LLVM 22 reads it: arguments, inaccessible memory, errno and all else, two bits each.
        let (look, _) = functions(&module).find(|(_, name)| name == "look").expect("it is declared");
        let memory = module.attributes(module.globals()[look as usize].attributes).function();
        assert_eq!(memory.int(AttributeKind::Memory), Some(0b0101_0101), "LLVM {release}");
    }
}

#[test]
fn expressions_that_are_instructions_now_are_told_apart() {
    let module = BitcodeModule::parse(include_bytes!("releases/llvm-16-former.bc")).expect("it is whole");
    let mut body = FunctionBody::default();
    let mut operands = |wanted: &str| {
        let (index, _) = functions(&module).find(|(_, name)| name == wanted).expect("it is there");
        module.read_function(index, &mut body).unwrap_or_else(|error| panic!("{wanted}: {error:?}"));
        let end = body.instructions.last().expect("it has a return");
        let returned = body.operands(end)[0];
        match body.constant(&module, returned) {
            Some(Constant::Former(parts)) => {
                let first = body.constant(&module, parts[0]);
                Some((parts.len(), matches!(first, Some(Constant::Former(compared)) if compared.len() == 2)))
            }
            _ => None,
        }
    };
    // A choice by a comparison.
    assert_eq!(operands("choose"), Some((3, true)));
    assert_eq!(operands("plain"), None);
}

#[test]
fn places_that_depend_on_the_release_are_not_taken_for_those_of_today() {
    let older = BitcodeModule::parse(include_bytes!("releases/llvm-16-wide.bc"));
    assert_eq!(older.map(drop).map_err(|error| error.reason), Err(Reason::Unsupported));
    let newer = BitcodeModule::parse(include_bytes!("releases/llvm-19-wide.bc"))
        .expect("its places are those of today");
    let types = newer.types();
    let all = (0..types.len() as u32).map(TypeId);
    let structures: Vec<_> = all.filter(|id| matches!(types.get(*id), Type::Struct { .. })).collect();
    let offsets: Vec<_> = structures.iter().map(|id| types.field_offset(*id, 2)).collect();
    assert_eq!(offsets, [Some(24)]);
}
