//! The trampoline where it belongs: in a library that is preloaded, built to abort on panics.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{assemble, clang, run, scratch, source, stub, unit};

mod support;

/// Builds this crate and the tiny runtime. rustc itself, because cargo's test profile unwinds.
fn tiny_runtime(dir: &Path, optimise: &str) -> PathBuf {
    let rustc = || {
        let mut command = Command::new("rustc");
        command.args(["--edition=2024", "-Cpanic=abort", optimise]);
        command
    };
    let (crate_file, output) = (dir.join("libautojit_trampoline.rlib"), dir.join("tiny_runtime.so"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    run(rustc()
        .args(["--crate-type=rlib", "--crate-name=autojit_trampoline"])
        .arg(root)
        .arg("-o")
        .arg(&crate_file));
    run(rustc()
        .arg("--crate-type=cdylib")
        .arg(format!("--extern=autojit_trampoline={}", crate_file.display()))
        .arg(source("tiny_runtime.rs"))
        .arg("-o")
        .arg(&output));
    output
}

fn program(dir: &Path) -> PathBuf {
    let (lazy, output) = (assemble(dir, "lazy", &unit(1, &[stub("lazy_target", 0)])), dir.join("leave"));
    run(clang()
        .args(["-O1", "-g", "-rdynamic", "-fno-pie", "-no-pie"])
        .arg(source("leave.cpp"))
        .arg(lazy)
        .args(["-lstdc++", "-o"])
        .arg(&output));
    output
}

fn execute(program: &Path, runtime: &Path, in_resolver: Option<&str>) -> Output {
    let mut command = Command::new(program);
    command.env("LD_PRELOAD", runtime).env_remove("TINY_RUNTIME");
    if let Some(function) = in_resolver {
        command.env("TINY_RUNTIME", function);
    }
    command.output().unwrap()
}

#[test]
fn nothing_unwinds_out_of_the_resolver() {
    let dir = scratch("leave");
    let (runtime, program) = (tiny_runtime(&dir, "-Copt-level=1"), program(&dir));
    let output = execute(&program, &runtime, None);
    assert!(output.status.success() && output.stdout == b"42\n", "{output:?}");
    for function in ["throws", "exits_thread"] {
        let output = execute(&program, &runtime, Some(function));
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{function}: {output:?}");
        assert_eq!(output.stdout, b"", "{function}");
        let message = "autojit: an exception or a thread cancellation tried to leave the runtime\n";
        assert!(String::from_utf8_lossy(&output.stderr).ends_with(message), "{function}: {output:?}");
    }
}

#[test]
fn a_library_keeps_its_memory_functions_to_itself() {
    let dir = scratch("hidden");
    for optimise in ["-Copt-level=0", "-Copt-level=3"] {
        let runtime = tiny_runtime(&dir, optimise);
        let output = execute(&program(&dir), &runtime, None);
        assert!(output.status.success() && output.stdout == b"42\n", "{output:?}");
        // Defined and needed symbols of the dynamic table: the names must be in neither.
        let symbols = String::from_utf8(run(Command::new("nm").arg("-D").arg(&runtime)).stdout).unwrap();
        let name = |line: &str| line.split(' ').next_back().unwrap().split('@').next().unwrap().to_owned();
        let names: Vec<String> = symbols.lines().map(name).collect();
        assert!(names.iter().any(|name| name == "__autojit_register"), "{names:?}");
        for hidden in ["memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen"] {
            assert!(!names.iter().any(|name| name == hidden), "{hidden} with {optimise}");
        }
    }
}

#[test]
fn gdb_finds_the_way_from_the_resolver_to_a_stack_at_a_lower_address() {
    if Command::new("gdb").arg("--version").output().is_err() {
        eprintln!("NOT TESTED: there is no gdb here");
        return;
    }
    let dir = scratch("gdb");
    let (runtime, program) = (tiny_runtime(&dir, "-Copt-level=1"), program(&dir));
    let output = run(Command::new("gdb")
        .args(["-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex", "set startup-with-shell off"])
        .args(["-ex", "handle SIGUSR1 nostop noprint", "-ex", "set env TINY_RUNTIME=stops_here"])
        .args(["-ex", &format!("set env LD_PRELOAD={}", runtime.display())])
        .args([
            "-ex",
            "set breakpoint pending on",
            "-ex",
            "break stops_here",
            "-ex",
            "run",
            "-ex",
            "backtrace",
        ])
        .arg("--args")
        .arg(program)
        .arg("on-low-stack"));
    let backtrace = String::from_utf8_lossy(&output.stdout);
    let mut rest = &*backtrace;
    // The switch of stacks shows as a signal handler, because that is what gdb lets lead to another stack.
    for frame in
        ["stops_here", "resolve", "<signal handler called>", "enter", "lazy_target", "handler (", "main ("]
    {
        let at = rest.find(frame);
        assert!(
            at.is_some(),
            "no {frame} in its place:\n{backtrace}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        rest = &rest[at.unwrap()..];
    }
}
