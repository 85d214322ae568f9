//! Lazy programs without the runtime, and the runtime in programs that are not lazy.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::compile::{How, Link, Toolchain, object, rust_program};
use autojit_tests::directives::Level;
use autojit_tests::installation::Installation;
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{Outcome, bare_command, command, lazy_command, run, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

const C: &str = "#include <stdio.h>\nint main(void) { puts(\"ran\"); return 0; }\n";

#[track_caller]
fn build(scratch: &Scratch, how: How, name: &str, text: &str, linker: &str, flags: &[&str]) -> PathBuf {
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let compile: Vec<_> =
        flags.iter().filter(|flag| flag.starts_with("-f") || flag.starts_with("-O")).cloned().collect();
    let object = object(how, &scratch.file(name, text), &compile, scratch.path());
    let output = scratch.path().join("program");
    Link { linker, cxx: name.ends_with(".cpp"), flags: &flags }.run(&[object], &output);
    output
}

/// A command that finds no runtime, where programs know that of the build.
fn without(program: impl AsRef<OsStr>) -> Command {
    let mut command = command(program);
    command.env("AUTOJIT_RUNTIME", "/nowhere/libautojit.so");
    command
}

/// Checks that a program says in one line how to run it, and exits with 127.
#[track_caller]
fn assert_explains(outcome: &Outcome) {
    let errors = outcome.assert_code(127).errors();
    assert_eq!(errors.lines().count(), 1, "one line, not more and not less: {outcome}");
    assert!(
        errors.ends_with('\n') && errors.contains("autojit-run") && errors.contains("libautojit.so"),
        "{outcome}"
    );
    assert!(outcome.stdout.is_empty(), "{outcome}");
}

#[test]
fn a_c_program_explains_itself() {
    let scratch = Scratch::new("bare-c");
    for linker in ["bfd", "lld", "mold"] {
        for flags in [&["-O0"][..], &["-O2"], &["-fno-pie", "-no-pie"], &["-s"], &["-Wl,--gc-sections"]] {
            let program = build(&scratch, How::Lazy, "main.c", C, linker, flags);
            assert_explains(&run(&mut without(&program), scratch.path(), b""));
        }
    }
}

#[test]
fn the_runtime_is_looked_for_in_order() {
    let scratch = Scratch::new("bare-search");
    let installation = Installation::new(&scratch, "prefix", None);
    let program = scratch.path().join("program");
    let mut clang = command(CLANG);
    clang.arg(format!("-fpass-plugin={}", installation.plugin().display()));
    tool(clang.arg(scratch.file("main.c", C)).arg("-o").arg(&program));
    let assert_runs = |environment: Option<(&str, PathBuf)>| {
        let mut command = bare_command(&program, scratch.path());
        command.envs(environment);
        let outcome = run(&mut command, scratch.path(), b"");
        assert_eq!((outcome.assert_code(0).text(), outcome.errors()), ("ran\n".to_owned(), String::new()));
        Stats::read(&scratch.path().join("stats")).assert_lazy();
    };
    // The one beside the plugin, but for what the environment names.
    assert_runs(None);
    assert_explains(&run(&mut without(&program), scratch.path(), b""));
    fs::remove_file(installation.plugin().with_file_name("libautojit.so")).expect("it is ours");
    assert_explains(&run(&mut bare_command(&program, scratch.path()), scratch.path(), b""));
    let runtime = dist("lib/libautojit.so");
    let directory = runtime.parent().expect("a file has a directory").to_owned();
    assert_runs(Some(("AUTOJIT_RUNTIME", runtime)));
    assert_runs(Some(("LD_LIBRARY_PATH", directory)));
}

#[test]
fn a_cxx_program_explains_itself() {
    let scratch = Scratch::new("bare-cpp");
    // The initialiser runs before main, and calls a lazy function.
    let text = "#include <iostream>\nstatic int early() { return std::cout.good(); }\nint value = early();\n\
        int main() { std::cout << value << std::endl; }\n";
    let program = build(&scratch, How::Lazy, "main.cpp", text, "bfd", &["-O0"]);
    assert_explains(&run(&mut without(&program), scratch.path(), b""));
}

#[test]
fn a_program_whose_allocator_is_lazy_explains_itself() {
    // What looks for the runtime allocates when it does not find it.
    let scratch = Scratch::new("bare-malloc");
    let text = include_str!("without_runtime/allocator.c");
    for linker in ["bfd", "lld", "mold"] {
        let program = build(&scratch, How::Lazy, "main.c", text, linker, &["-O0"]);
        assert_explains(&run(&mut without(&program), scratch.path(), b""));
    }
}

#[test]
fn an_early_constructor_explains_itself() {
    let scratch = Scratch::new("bare-early");
    let text = "#include <stdio.h>\nint helper(void) { return puts(\"ran\"); }\n\
        static void early(void) { helper(); }\n\
        __attribute__((section(\".preinit_array\"), used)) static void (*const entry)(void) = early;\n\
        int main(void) { return helper(); }\n";
    let program = build(&scratch, How::Lazy, "main.c", text, "bfd", &["-O0"]);
    assert_explains(&run(&mut without(&program), scratch.path(), b""));
}

#[test]
fn a_rust_program_explains_itself() {
    let scratch = Scratch::new("bare-rust");
    let source = scratch.file("main.rs", "fn main() { println!(\"ran\"); }\n");
    let program = rust_program(
        How::Lazy,
        Toolchain::Stable,
        &source,
        &[],
        &Level::STANDARD[0].rust_flags(),
        scratch.path(),
    );
    assert_explains(&run(&mut without(&program), scratch.path(), b""));
}

#[test]
fn a_lazy_library_explains_itself() {
    let scratch = Scratch::new("bare-library");
    let helper = object(
        How::Lazy,
        &scratch.file("helper.c", "int helper(void) { return 0; }\n"),
        &["-fPIC".to_owned()],
        scratch.path(),
    );
    let library = scratch.path().join("libhelper.so");
    Link { linker: "bfd", cxx: false, flags: &["-shared".to_owned()] }.run(&[helper], &library);
    let main = object(
        How::Plain,
        &scratch.file("main.c", "int helper(void);\nint main(void) { return helper(); }\n"),
        &[],
        scratch.path(),
    );
    let program = scratch.path().join("program");
    Link { linker: "bfd", cxx: false, flags: &["-Wl,-rpath,$ORIGIN".to_owned()] }
        .run(&[main, library], &program);
    assert_explains(&run(&mut without(&program), scratch.path(), b""));
}

#[test]
fn closed_standard_error_is_no_crash() {
    let scratch = Scratch::new("bare-closed");
    let program = build(&scratch, How::Lazy, "main.c", C, "bfd", &[]);
    let mut shell = without("/bin/sh");
    let outcome = run(shell.args(["-c", "exec \"$0\" 2>&-"]).arg(&program), scratch.path(), b"");
    outcome.assert_code(127);
}

/// Runs a command with the runtime preloaded and statistics wanted, and without; it must do the same, and there must be
/// no statistics, since nothing in it is lazy.
#[track_caller]
fn assert_unaffected(scratch: &Scratch, program: &Path, arguments: &[&str]) {
    let plain = run(command(program).args(arguments), scratch.path(), b"input\n");
    let preloaded = run(lazy_command(program, scratch.path()).args(arguments), scratch.path(), b"input\n");
    plain.assert_same(&preloaded, &format!("{program:?} {arguments:?} without and with the runtime"));
    let left: Vec<_> = fs::read_dir(scratch.path())
        .expect("it is ours")
        .map(|entry| entry.expect("it is readable").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("stats") || name == "cache")
        .collect();
    assert!(left.is_empty(), "a program that is not lazy left {left:?}");
}

#[test]
fn programs_that_are_not_lazy_are_unaffected() {
    let scratch = Scratch::new("not-lazy");
    let script = "read x; echo \"got $x\"; (exit 4); echo $?; cat /proc/self/comm | tr a-z A-Z; exit 5";
    assert_unaffected(&scratch, Path::new("/bin/sh"), &["-c", script]);
    assert_unaffected(&scratch, Path::new("/bin/true"), &[]);
    assert_unaffected(&scratch, Path::new("/bin/false"), &[]);
    assert_unaffected(&scratch, Path::new("/bin/ls"), &["/"]);
    let program = build(&scratch, How::Plain, "plain.c", C, "bfd", &[]);
    assert_unaffected(&scratch, &program, &[]);
    let thrower =
        "#include <cstdio>\nint main() { try { throw 1; } catch (int) { std::puts(\"caught\"); } }\n";
    let program = build(&scratch, How::Plain, "plain.cpp", thrower, "bfd", &[]);
    assert_unaffected(&scratch, &program, &[]);
}

#[test]
fn a_static_program_is_unaffected() {
    let scratch = Scratch::new("not-lazy-static");
    let program = build(&scratch, How::Plain, "plain.c", C, "bfd", &["-static"]);
    assert_unaffected(&scratch, &program, &[]);
}

#[test]
fn the_runtime_starts_no_thread_and_opens_no_file_where_nothing_is_lazy() {
    let scratch = Scratch::new("not-lazy-quiet");
    let text = "#include <dirent.h>\n#include <stdio.h>\nstatic int count(const char *path) {\n\
        int n = 0; DIR *d = opendir(path); while (readdir(d)) n++; closedir(d); return n; }\n\
        int main(void) { printf(\"%d %d\\n\", count(\"/proc/self/fd\"), count(\"/proc/self/task\")); return 0; }\n";
    let program = build(&scratch, How::Plain, "plain.c", text, "bfd", &[]);
    assert_unaffected(&scratch, &program, &[]);
}
