//! Code and its generator's name belong together: what users have in their caches is taken for as long as the name is the
//! same, so the name changes with the code. And lines of compiled code are found by compiling it again.

mod support;

use std::process::Command;

use autojit_abi::BASELINE;
use autojit_baseline::Baseline;
use autojit_bitcode::{BitcodeModule, FunctionBody};
use support::{Scratch, run, source};

const SOURCES: [&str; 4] = ["revision.ll", "constants.ll", "large_frames.ll", "vectors.ll"];

/// What the functions of the sources are compiled to, with all that is kept of them. None may be refused: one that is
/// compiled later would be no change of code.
fn code() -> Vec<String> {
    let mut all = Vec::new();
    for name in SOURCES {
        let scratch = Scratch::new();
        let bitcode = scratch.0.join("source.bc");
        let mut clang = Command::new(concat!("clang-", env!("LLVM_RELEASE")));
        run(clang.args(["-x", "ir", "-c", "-emit-llvm", "-w", "-o"]).arg(&bitcode).arg(source(name)));
        let bytes = std::fs::read(bitcode).expect("clang has written it");
        let module = BitcodeModule::parse(&bytes).expect("it is bitcode");
        let mut compiler = Baseline::new(&module);
        let mut body = FunctionBody::default();
        for index in (0..module.globals().len() as u32).filter(|index| module.has_body(*index)) {
            module.read_function(index, &mut body).expect("it is readable");
            for counting in [false, true] {
                let code = compiler.compile(&body, counting);
                let code = code.unwrap_or_else(|refused| panic!("{name}: {refused}"));
                all.push(format!("{name}, {index}, {counting}: {code:?}"));
            }
        }
    }
    all
}

/// The file has a line for each revision: the name, then the digest.
#[test]
fn the_same_name_stands_for_the_same_code() {
    let name = std::str::from_utf8(&BASELINE).expect("ASCII").trim_end_matches('\0');
    let code = code();
    assert!(code.len() >= 16, "{} pieces of code", code.len());
    let parts: Vec<&[u8]> = code.iter().map(String::as_bytes).collect();
    let found = autojit_store::digest(&parts).map(|byte| format!("{byte:02x}")).concat();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/revisions.txt");
    let known = std::fs::read_to_string(path).unwrap_or_default();
    let Some(recorded) = known.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")) else {
        assert!(std::env::var_os("BLESS").is_some(), "no code of {name:?} is recorded: BLESS=1 does");
        std::fs::write(path, format!("{known}{name}: {found}\n")).expect("the record can be written");
        return;
    };
    assert_eq!(
        found, recorded,
        "{name:?} stands for other code than before: raise its revision (autojit_abi), then run with BLESS=1"
    );
}

#[test]
fn the_same_bitcode_gives_the_same_code() {
    assert_eq!(code(), code());
}
