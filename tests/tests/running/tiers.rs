//! Tiers: optimised programs begin with code of the baseline compiler, and what runs often is replaced: by autojitd
//! meanwhile, or in the process where none can be had. (Every program of `sources/` runs so as well, with each function
//! replaced at its first call.)

use std::fs;
use std::path::{Path, PathBuf};

use autojit_tests::compile::{How, Link, object};
use autojit_tests::daemon;
use autojit_tests::directives::Level;
use autojit_tests::program::{self, Mode};
use autojit_tests::run::{command, run};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;
use autojit_tests::tiered::{NOWHERE, tiered};

/// Functions that are called often, one whose loop goes round often, and one that is called once. `argv[1]`: a child goes on
/// with them.
const HOT: &str = include_str!("tiers/hot.c");

fn build(scratch: &Scratch, how: How, text: &str, flags: &[&str]) -> PathBuf {
    let source = scratch.file("program.c", text);
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let object = object(how, &source, &flags, &scratch.directory(&format!("{how:?}")));
    // Plain objects lie where those of all tests are.
    let output = scratch.directory(&format!("{how:?}")).join("program");
    Link { linker: "lld", cxx: false, flags: &["-ldl".to_owned()] }.run(&[object], &output);
    output
}

fn stats(scratch: &Scratch, process: u32) -> Stats {
    Stats::read(&scratch.path().join(format!("stats.{process}")))
}

#[test]
fn what_runs_often_is_optimised_by_a_daemon() {
    let scratch = Scratch::new("tiers-daemon");
    let plain = run(&mut command(build(&scratch, How::Plain, HOT, &["-O2"])), scratch.path(), b"");
    let program = build(&scratch, How::Lazy, HOT, &["-O2"]);
    let outcome = run(&mut tiered(&program, &scratch, "daemon", daemon::shared()), scratch.path(), b"");
    plain.assert_same(&outcome, "plain program and one with tiers");
    let found = stats(&scratch, outcome.pid);
    let [baseline, optimized, received] =
        ["baseline", "optimized", "from_daemon"].map(|key| found.number(key));
    // All but main and once; work is called twice only.
    assert!(baseline >= 6.0 && optimized >= 5.0 && received == optimized, "{found}");
    assert!(optimized < baseline, "what is called once is not worth it: {found}");
    assert_eq!(found.number("engine_load_ms"), 0.0, "{found}");

    // Later runs begin with it.
    let outcome = run(&mut tiered(&program, &scratch, "daemon", daemon::shared()), scratch.path(), b"");
    plain.assert_same(&outcome, "plain program and later run with tiers");
    let later = stats(&scratch, outcome.pid);
    assert!(later.number("from_cache") >= optimized, "{later}");
    assert_eq!((later.number("optimized"), later.number("from_daemon")), (0.0, 0.0), "{later}");
}

#[test]
fn the_process_optimises_where_no_daemon_can_be_had() {
    let scratch = Scratch::new("tiers-alone");
    let plain = run(&mut command(build(&scratch, How::Plain, HOT, &["-O2"])), scratch.path(), b"");
    let program = build(&scratch, How::Lazy, HOT, &["-O2"]);
    for mode in ["inprocess", "auto"] {
        let mut command = tiered(&program, &scratch, mode, Path::new(NOWHERE));
        let outcome = run(command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1"), scratch.path(), b"");
        plain.assert_same(&outcome, "plain program and one with tiers");
        let found = stats(&scratch, outcome.pid);
        assert!(found.number("optimized") >= 5.0 && found.number("engine_load_ms") > 0.0, "{mode}: {found}");
        assert_eq!(found.number("from_daemon"), 0.0, "{mode}: {found}");
    }
}

#[test]
fn a_daemon_of_the_programs_own_is_started() {
    let scratch = Scratch::new("tiers-own");
    let plain = run(&mut command(build(&scratch, How::Plain, HOT, &["-O2"])), scratch.path(), b"");
    let program = build(&scratch, How::Lazy, HOT, &["-O2"]);
    let mut command = tiered(&program, &scratch, "auto", Path::new(NOWHERE));
    let outcome = run(command.env("AUTOJIT_DAEMON_PATH", dist("bin/autojitd")), scratch.path(), b"");
    plain.assert_same(&outcome, "plain program and one with tiers");
    let found = stats(&scratch, outcome.pid);
    assert!(found.number("optimized") >= 5.0 && found.number("from_daemon") >= 5.0, "{found}");
    assert_eq!(found.number("engine_load_ms"), 0.0, "{found}");
}

#[test]
fn an_unoptimised_build_can_be_optimised() {
    let scratch = Scratch::new("tiers-unoptimised");
    let plain = run(&mut command(build(&scratch, How::Plain, HOT, &["-O0", "-g"])), scratch.path(), b"");
    let program = build(&scratch, How::Lazy, HOT, &["-O0", "-g"]);
    let level = |level: &str| {
        let mut command = tiered(&program, &scratch, "daemon", daemon::shared());
        command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1").env("AUTOJIT_OPT", level);
        let outcome = run(&mut command, scratch.path(), b"");
        plain.assert_same(&outcome, "plain program and one with tiers");
        stats(&scratch, outcome.pid)
    };
    let optimised = level("2");
    assert!(optimised.number("optimized") >= 5.0, "{optimised}");
    // Without that, its code is what was asked for.
    let unoptimised = level("");
    assert_eq!(unoptimised.number("tier_requests"), 0.0, "{unoptimised}");
    assert!(unoptimised.number("baseline") > 0.0, "{unoptimised}");
}

/// How often each of the functions of inlined.c was compiled or bound in a run, by the names that perf would see.
fn times_there(names: &str) -> [usize; 3] {
    let count = |name: &&str| names.lines().filter(|line| line.ends_with(&format!(" {name}"))).count();
    [&"each", &"rounds", &"step"].map(count)
}

#[test]
fn what_is_inlined_everywhere_is_optimised_where_it_is_called() {
    let scratch = Scratch::new("tiers-inlined");
    let text = include_str!("tiers/inlined.c");
    let plain = run(&mut command(build(&scratch, How::Plain, text, &["-O2"])), scratch.path(), b"");
    let program = build(&scratch, How::Lazy, text, &["-O2"]);
    let run_with = |[calls, rounds]: [&str; 2], cached: bool| {
        let mut command = tiered(&program, &scratch, "inprocess", Path::new(NOWHERE));
        command.env("AUTOJIT_TIER_CALLS", calls).env("AUTOJIT_TIER_LOOPS", rounds);
        if !cached {
            command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1");
        }
        let outcome = run(command.env("AUTOJIT_PERF_MAP", "1"), scratch.path(), b"");
        plain.assert_same(&outcome, "plain program and one with tiers");
        let map = format!("/tmp/perf-{}.map", outcome.pid);
        let names = fs::read_to_string(&map).expect("perf was asked for");
        fs::remove_file(&map).expect("it is ours");
        (times_there(&names), stats(&scratch, outcome.pid))
    };
    let (times, found) = run_with(["30", "20000"], false);
    assert_eq!((times, found.number("optimized")), ([2, 1, 1], 1.0), "{found}");
    // Code that was kept before it was optimised knows the same.
    let (times, found) = run_with(["1000000"; 2], true);
    assert_eq!((times, found.number("optimized")), ([1, 1, 1], 0.0), "{found}");
    let (times, found) = run_with(["30", "20000"], true);
    assert_eq!((times, found.number("optimized")), ([2, 1, 1], 1.0), "{found}");
    assert_eq!(found.number("baseline"), 0.0, "{found}");
}

#[test]
fn children_go_on_with_what_their_parents_have() {
    let scratch = Scratch::new("tiers-fork");
    let plain = run(command(build(&scratch, How::Plain, HOT, &["-O2"])).arg("fork"), scratch.path(), b"");
    let program = build(&scratch, How::Lazy, HOT, &["-O2"]);
    for (mode, socket) in [("daemon", daemon::shared()), ("inprocess", Path::new(NOWHERE))] {
        let mut command = tiered(&program, &scratch, mode, socket);
        // So that nothing has come when it forks.
        command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1").env("AUTOJIT_TIER_CALLS", "3000").arg("fork");
        let outcome = run(&mut command, scratch.path(), b"");
        plain.assert_same(&outcome, "plain program and one with tiers");
        let found = stats(&scratch, outcome.pid);
        assert!(found.number("optimized") > 0.0, "{mode}: {found}");
    }
}

#[test]
fn calls_lead_to_code_that_may_be_replaced() {
    let scratch = Scratch::new("tiers-calls");
    let plain = run(&mut command(build(&scratch, How::Plain, HOT, &["-O2"])), scratch.path(), b"");
    let program = build(&scratch, How::Lazy, HOT, &["-O2"]);
    let mut command = tiered(&program, &scratch, "inprocess", Path::new(NOWHERE));
    command.env("AUTOJIT_TIER_CALLS", "1000000000").env("AUTOJIT_TIER_LOOPS", "1000000000");
    let outcome = run(&mut command, scratch.path(), b"");
    plain.assert_same(&outcome, "plain program and one that is never optimised");
    let found = stats(&scratch, outcome.pid);
    assert_eq!((found.number("optimized"), found.number("compiled")), (0.0, 0.0), "{found}");
    // main's two calls and the six in `work`; two lead to one function, and a function to itself.
    assert!(found.number("callsites_rewritten") >= 6.0, "{found}");
}

/// Code of the parent's, which is not written any more after a fork, calls a function until that has other code.
const CALLING: &str = include_str!("tiers/calling.c");

#[test]
fn calls_in_old_code_lead_to_new_code() {
    let scratch = Scratch::new("tiers-calling");
    let program = build(&scratch, How::Lazy, CALLING, &["-O2"]);
    for (mode, socket) in [("daemon", daemon::shared()), ("inprocess", Path::new(NOWHERE))] {
        for fork in [false, true] {
            let mut command = tiered(&program, &scratch, mode, socket);
            // The loop stays where it is.
            command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1").env("AUTOJIT_TIER_LOOPS", "1000000000");
            command.args(fork.then_some("fork"));
            let outcome = run(&mut command, scratch.path(), b"");
            assert_eq!(outcome.text(), "1\n", "{mode} {fork}");
        }
    }
}

/// Its loop ends when what it calls is called from elsewhere: when other code has continued it.
const RUNNING: &str = include_str!("tiers/running.c");

#[test]
fn a_loop_that_is_running_is_continued() {
    continues("tiers-running", RUNNING);
}

/// Labels are those of the code that has continued it.
#[test]
fn an_interpreter_that_is_running_is_continued() {
    continues("tiers-interpreting", include_str!("tiers/interpreting.c"));
}

fn continues(name: &str, text: &str) {
    let scratch = Scratch::new(name);
    for flags in [["-O1", "-g0"], ["-O2", "-g"]] {
        let program = build(&scratch, How::Lazy, text, &flags);
        for (mode, socket) in [("daemon", daemon::shared()), ("inprocess", Path::new(NOWHERE))] {
            let mut command = tiered(&program, &scratch, mode, socket);
            command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1");
            let outcome = run(&mut command, scratch.path(), b"");
            let found = stats(&scratch, outcome.pid);
            assert_eq!(outcome.text(), "continued\n", "{mode}: {found}");
            assert_eq!(found.number("replaced_on_stack"), 1.0, "{mode}: {found}");
            assert_eq!(found.number("baseline"), found.number("bound"), "{mode}: {found}");
        }
    }
}

/// (What it prints is compared in its own test.)
#[test]
fn loops_of_all_kinds_are_continued() {
    for (name, least) in [("running_loops", 25.0), ("running_interpreters", 4.0)] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sources").join(name);
        let found =
            program::statistics(&directory, Level::STANDARD[1], Mode::Tiers).expect("it leaves statistics");
        assert!(found.number("replaced_on_stack") >= least, "{name}: {found}");
    }
}

/// In the test of `running_loops` itself each loop is continued from its second round on.
#[test]
fn loops_are_continued_in_later_rounds() {
    let scratch = Scratch::new("tiers-rounds");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sources/running_loops");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| {
        let output = scratch.directory(&format!("{how:?}"));
        let objects = ["running_loops.c", "thrown.cpp"]
            .map(|file| object(how, &directory.join(file), &["-O2", "-g"].map(str::to_owned), &output));
        let program = output.join("program");
        Link { linker: "lld", cxx: true, flags: &["-lm".to_owned()] }.run(&objects, &program);
        program
    });
    let plain = run(&mut command(plain), scratch.path(), b"");
    for rounds in ["2", "3", "4", "7", "18"] {
        let mut command = tiered(&lazy, &scratch, "inprocess", Path::new(NOWHERE));
        command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1");
        let outcome = run(
            command.env("AUTOJIT_TIER_CALLS", "1").env("AUTOJIT_TIER_LOOPS", rounds),
            scratch.path(),
            b"",
        );
        plain.assert_same(&outcome, &format!("plain program and one with loops left after {rounds} rounds"));
        let found = stats(&scratch, outcome.pid);
        assert!(found.number("replaced_on_stack") >= 10.0, "{rounds}: {found}");
    }
}

/// Opens a library, calls a function of it often, and closes it, again and again: answers come when it is gone.
const OPENING: &str = include_str!("tiers/opening.c");

#[test]
fn libraries_that_are_closed_are_forgotten() {
    let scratch = Scratch::new("tiers-closed");
    let source = scratch.file(
        "library.c",
        "int next(int x) { int sum = 0; for (int i = 0; i < x; i++) sum ^= i * x; return sum; }\n",
    );
    let library = |how: How| {
        let object = object(
            how,
            &source,
            &["-O2".to_owned(), "-fPIC".to_owned()],
            &scratch.directory(&format!("{how:?}")),
        );
        let output = scratch.directory(&format!("{how:?}")).join("library.so");
        Link { linker: "lld", cxx: false, flags: &["-shared".to_owned()] }.run(&[object], &output);
        output
    };
    let plain = run(
        command(build(&scratch, How::Plain, OPENING, &["-O2"])).arg(library(How::Plain)),
        scratch.path(),
        b"",
    );
    let program = build(&scratch, How::Lazy, OPENING, &["-O2"]);
    for (mode, socket) in [("daemon", daemon::shared()), ("inprocess", Path::new(NOWHERE))] {
        let mut command = tiered(&program, &scratch, mode, socket);
        command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1").arg(library(How::Lazy));
        let outcome = run(&mut command, scratch.path(), b"");
        plain.assert_same(&outcome, "plain program and one with tiers");
        let found = stats(&scratch, outcome.pid);
        assert!(found.number("tier_requests") > 0.0, "{mode}: {found}");
    }
}
