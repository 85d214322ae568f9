//! Calls of functions that nothing defines, which the build's optimiser removes: where code is compiled without it, such a
//! call says what is missing, and where.

use std::path::PathBuf;
use std::process::Command;

use autojit_tests::compile::{How, Link, object};
use autojit_tests::run::{
    by_baseline, by_llvm, daemon_command, lazy_command, run, static_command, warm_command,
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

#[test]
fn calls_of_undefined_functions_say_so_in_static_programs() {
    let scratch = Scratch::new("undefined-static");
    let archive = dist("lib/libautojit_static-x86_64.a").display().to_string();
    let program = build(&scratch, &["-O2"], &["-static", &archive]);
    check(&scratch, || static_command(&program, scratch.path()));
}
