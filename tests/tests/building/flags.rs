//! Ways of calling the compilers: the same input gives the same object, `opt` runs the pass, the wrapper scripts add
//! the plugin, and what generates no code is left alone. `compiler_flags` has the flags of the compiler.

use std::fs;

use autojit_tests::compile::{How, Toolchain, lazy_object, plugin, rustc};
use autojit_tests::directives::Level;
use autojit_tests::llvm::{CLANG, OPT};
use autojit_tests::run::{attempt, command, lazy_command, run, tool};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;
use autojit_tests::stubs::{Function, function};

use super::{assert_runs, source};

#[test]
fn objects_are_deterministic() {
    let scratch = Scratch::new("deterministic");
    // The small one at every level: most of the time goes into reading headers.
    let standard = Level::STANDARD.to_vec();
    for (file, levels) in [
        ("calculator/calculator.c", Level::every()),
        ("inventory/inventory.cpp", standard.clone()),
        ("inline_functions/inline_functions.cpp", standard),
    ] {
        for level in levels {
            let [first, second] = ["first.o", "second.o"].map(|name| {
                let output = scratch.path().join(name);
                lazy_object(&source(file), &level.flags(), &output, &[]);
                fs::read(output).expect("the compiler wrote it")
            });
            assert!(first == second, "two objects of {file} differ at {}", level.name());
        }
    }
}

#[test]
fn rust_objects_are_deterministic() {
    let scratch = Scratch::new("deterministic-rust");
    for toolchain in [Toolchain::Stable, Toolchain::Nightly] {
        let [first, second] = ["first", "second"].map(|name| {
            let output = scratch.path().join(name);
            let mut command = rustc(How::Lazy, toolchain);
            command.args(["--edition", "2024", "-g", "--emit", "obj", "-Ccodegen-units=1"]);
            tool(command.arg(source("rust_basics/rust_basics.rs")).arg("-o").arg(&output));
            fs::read(output).expect("the compiler wrote it")
        });
        assert!(first == second, "two objects of the {toolchain:?} compiler differ");
    }
}

#[test]
fn opt_runs_the_pass() {
    let scratch = Scratch::new("opt");
    let [bitcode, lazy, object, program] =
        ["plain.bc", "lazy.bc", "lazy.o", "program"].map(|name| scratch.path().join(name));
    tool(
        command(CLANG)
            .args(["-O0", "-Xclang", "-disable-O0-optnone", "-fPIE", "-emit-llvm", "-c"])
            .arg(source("hello/hello.c"))
            .arg("-o")
            .arg(&bitcode),
    );
    let mut opt = command(OPT);
    opt.arg(format!("--load-pass-plugin={}", plugin().display())).arg("-passes=autojit");
    let outcome = tool(opt.arg(&bitcode).arg("-o").arg(&lazy));
    assert!(outcome.stderr.is_empty(), "{outcome}");
    tool(command(CLANG).args(["-fPIE", "-c"]).arg(&lazy).arg("-o").arg(&object));
    tool(command(CLANG).arg(&object).arg("-o").arg(&program));
    assert_eq!(function(&program, "answer"), Function::Stub);
    assert_runs(&program, &scratch, "hello, world 42");
}

#[test]
fn assembly_output_is_lazy_too() {
    let scratch = Scratch::new("assembly-output");
    let [assembly, program] = ["hello.s", "program"].map(|name| scratch.path().join(name));
    let flag = format!("-fpass-plugin={}", plugin().display());
    tool(command(CLANG).args([&flag, "-O2", "-S"]).arg(source("hello/hello.c")).arg("-o").arg(&assembly));
    tool(command(CLANG).arg(&assembly).arg("-o").arg(&program));
    assert_runs(&program, &scratch, "hello, world 42");
}

#[test]
fn checking_and_preprocessing_are_left_alone() {
    let scratch = Scratch::new("no-code");
    let flag = format!("-fpass-plugin={}", plugin().display());
    for mode in ["-fsyntax-only", "-E"] {
        let mut with = command(CLANG);
        let with =
            tool(with.args([flag.as_str(), mode]).arg(source("hello/hello.c")).current_dir(scratch.path()));
        let mut without = command(CLANG);
        let without = tool(without.arg(mode).arg(source("hello/hello.c")).current_dir(scratch.path()));
        without.assert_same(&with, mode);
    }
    assert_eq!(fs::read_dir(scratch.path()).expect("it is ours").count(), 0, "no file is left behind");
}

#[test]
fn an_empty_unit_is_an_ordinary_object() {
    let scratch = Scratch::new("empty-unit");
    let empty = scratch.file("empty.c", "typedef int nothing;\n");
    let main = scratch.file("main.c", "int main(void) { return 7; }\n");
    let objects = [scratch.path().join("empty.o"), scratch.path().join("main.o")];
    lazy_object(&empty, &[], &objects[0], &[]);
    lazy_object(&main, &[], &objects[1], &[]);
    let program = scratch.path().join("program");
    tool(command(CLANG).args(&objects).arg("-o").arg(&program));
    run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"").assert_code(7);
    assert_eq!(Stats::read(&scratch.path().join("stats")).number("functions"), 1.0);
}

#[test]
fn compile_errors_are_the_compilers_own() {
    let scratch = Scratch::new("compile-errors");
    let bad = scratch.file("bad.c", "int main(void) { return undeclared; }\n");
    let flag = format!("-fpass-plugin={}", plugin().display());
    let with = attempt(command(CLANG).args([flag.as_str(), "-c", "-o", "/dev/null"]).arg(&bad));
    let without = attempt(command(CLANG).args(["-c", "-o", "/dev/null"]).arg(&bad));
    without.assert_code(1).assert_same(&with, "the messages for a wrong program");
}
