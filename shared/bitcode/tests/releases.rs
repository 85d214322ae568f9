//! Bitcode that older releases of clang have written: `releases/older.c`, by
//! `clang-N -O1 -g -Xclang -disable-llvm-passes -emit-llvm -c older.c -o llvm-N.bc`.

use autojit_bitcode::{AttributeKind, BitcodeModule, FunctionBody, Opcode};

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
