//! Calls of functions that nothing defines, which the build's optimiser removes: where code is compiled without it, such a
//! call says what is missing, and where.

use std::path::PathBuf;
use std::process::Command;

use autojit_tests::compile::{How, Link, object};
use autojit_tests::run::{
    by_baseline, by_llvm, command, daemon_command, lazy_command, run, static_command, tool, warm_command,
};
use autojit_tests::scratch::{Scratch, dist, repository};

fn build(scratch: &Scratch, own: &[&str], linked: &[&str]) -> PathBuf {
    let owned = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>();
    let source = repository().join("tests/programs/undefined/undefined.c");
    let program = scratch.path().join("program");
    let object = object(How::Lazy, &source, &owned(own), scratch.path());
    Link { linker: "lld", cxx: false, flags: &owned(linked) }.run(&[object], &program);
    program
}

/// Runs the program as the optimised one that it is; without optimisation, when it does not reach the call; and when it
/// does.
#[track_caller]
fn check(scratch: &Scratch, command: impl Fn() -> Command) {
    let run = |command: &mut Command| run(command, scratch.path(), b"");
    assert_eq!(run(command().arg("reached")).assert_code(0).text(), "5\n");
    assert_eq!(run(command().env("AUTOJIT_OPT", "0")).assert_code(0).text(), "1\n");
    let outcome = run(command().env("AUTOJIT_OPT", "0").arg("reached"));
    outcome.assert_signal(libc::SIGABRT);
    let said = outcome.errors();
    for part in ["undefined.c", "'not_a_constant'", "nothing defines", "AUTOJIT_OPT"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
}

#[test]
fn calls_of_undefined_functions_say_so() {
    for flags in [&["-O2"][..], &["-O1", "-fno-plt"], &["-O2", "-fno-pie"]] {
        let scratch = Scratch::new(&format!("undefined{}", flags.concat()));
        let linked: &[&str] = if flags.contains(&"-fno-pie") { &["-no-pie"] } else { &[] };
        let program = build(&scratch, flags, linked);
        check(&scratch, || lazy_command(&program, scratch.path()));
        check(&scratch, || daemon_command(&program, scratch.path()));
        check(&scratch, || by_baseline(lazy_command(&program, scratch.path())));
        check(&scratch, || by_llvm(lazy_command(&program, scratch.path())));
        // With code from the cache, which is bound in other ways.
        check(&scratch, || warm_command(&program, scratch.path()));
        check(&scratch, || warm_command(&program, scratch.path()));
    }
}

/// The optimiser tells that the first call is not reached if it is asked twice, and a plain build asks it once: the symbol is needed, and an
/// archive has it. At -O3 it is weak still (docs/compatibility.md).
const HEAP: &str = "
void failed(int);
void make(int *lengths, int n, int most) {
    int heap[260], parent[516], nodes, in_heap, i, j, k, again;
    do {
        nodes = n;
        in_heap = 0;
        for (i = 1; i <= n; i++) {
            parent[i] = -1;
            in_heap++;
            heap[in_heap] = i;
        }
        if (!(in_heap < 260)) failed(1);
        while (in_heap > 1) {
            int one = heap[1];
            heap[1] = heap[in_heap--];
            parent[one] = ++nodes;
            parent[nodes] = -1;
            heap[in_heap] = nodes;
        }
        again = 0;
        for (i = 1; i <= n; i++) {
            for (j = 0, k = i; parent[k] >= 0; j++) k = parent[k];
            lengths[i - 1] = j;
            if (j > most) again = 1;
        }
    } while (again);
}
";

#[test]
fn what_a_plain_build_needs_is_needed() {
    for level in ["-O1", "-O2", "-Os"] {
        let scratch = Scratch::new(&format!("undefined-heap{level}"));
        let source = scratch.path().join("heap.c");
        std::fs::write(&source, HEAP).unwrap();
        for how in [How::Plain, How::Lazy] {
            let directory = scratch.directory(if how == How::Plain { "plain" } else { "lazy" });
            let object = object(how, &source, &[level.to_owned()], &directory);
            let symbols = tool(command("nm").arg(&object)).text();
            assert!(symbols.contains(" U failed\n"), "{level}, {how:?}: {symbols}");
        }
    }
}

#[test]
fn calls_of_undefined_functions_say_so_in_static_programs() {
    let scratch = Scratch::new("undefined-static");
    let archive = dist("lib/libautojit_static-x86_64.a").display().to_string();
    let program = build(&scratch, &["-O2"], &["-static", &archive]);
    check(&scratch, || static_command(&program, scratch.path()));
}
