//! What the tests of this crate share: a scratch directory, the tools (clang-22, cc, the linkers), and lazy units,
//! that is, the text that the plugin would emit for a list of functions, whose bodies the test provides as plain code.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use autojit_trampoline::contract::{CONTAINER_SYMBOL, STORE_SECTION};
use autojit_trampoline::emit::{Binding, Import, Stub, StubModule, Text, Visibility};

pub mod lazy;

/// Where the test programs' sources are.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

/// An empty directory for one test, whose name no other test of the file has. It stays until the next run.
pub fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", env!("CARGO_CRATE_NAME")));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// Runs `command`, which must succeed, and returns its output.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// The compiler whose integrated assembler reads the emitted text in practice.
pub fn clang() -> Command {
    Command::new(concat!("clang-", env!("LLVM_RELEASE")))
}

/// A module with a container of its own, identified by one byte.
pub fn module<'a>(tag: u8, functions: u32, got: &'a [Import<'a>]) -> StubModule<'a> {
    StubModule {
        key: [tag; 32],
        functions,
        source: "unit.c",
        store_dir: None,
        runtime: b"",
        got,
        direct: &[],
    }
}

/// A global function outside any comdat group.
pub fn stub(symbol: &str, index: u32) -> Stub<'_> {
    Stub {
        symbol: symbol.into(),
        binding: Binding::Global,
        visibility: Visibility::Default,
        group: None,
        index,
        endbr64: false,
        align: 0,
    }
}

/// The text of a unit with `stubs`. Its container is the one byte `tag`, in the place of the plugin's private global.
pub fn unit(tag: u8, stubs: &[Stub<'_>]) -> String {
    let mut text = Text::default();
    text.stubs(stubs);
    text.module(&module(tag, stubs.len() as u32, &[]));
    text.line(format_args!(".section {STORE_SECTION},\"a\",@progbits"));
    text.line(format_args!(".L{CONTAINER_SYMBOL}:"));
    text.line(format_args!(".byte {tag}"));
    text.line(format_args!(".section .note.GNU-stack,\"\",@progbits"));
    text.0
}

/// Assembles `text` to `dir/name.o`.
pub fn assemble(dir: &Path, name: &str, text: &str) -> PathBuf {
    let (input, output) = (dir.join(format!("{name}.s")), dir.join(format!("{name}.o")));
    std::fs::write(&input, text).unwrap();
    run(clang().arg("-c").arg(&input).arg("-o").arg(&output));
    output
}

/// Compiles a test program's source to `dir/name.o`.
pub fn compile(dir: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let output = dir.join(format!("{name}.o"));
    run(clang().args(flags).arg("-c").arg(source(name)).arg("-o").arg(&output));
    output
}

/// The flag for the widest vectors that this processor has: clang passes narrower ones in registers too then.
pub fn vector_flag() -> &'static str {
    if std::arch::is_x86_feature_detected!("avx512f") {
        "-mavx512f"
    } else if std::arch::is_x86_feature_detected!("avx") {
        "-mavx"
    } else {
        "-msse2"
    }
}
