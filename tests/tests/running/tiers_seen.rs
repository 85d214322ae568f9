//! What unwinders and debuggers see of functions whose loops were continued: the continuation, named `FUNCTION.osr`, above
//! the frame that it goes on for, which has the function's own name.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use autojit_tests::compile::How;
use autojit_tests::run::{attempt, command, run};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;
use autojit_tests::tiered::{NOWHERE, build_program, tiered};

/// `traces.c`, whose loops are left in their fourth round.
fn traces(scratch: &Scratch, flags: &[&str]) -> std::process::Command {
    let program = build_program(scratch, How::Lazy, "traces.c", flags);
    let mut command = tiered(&program, scratch, "inprocess", Path::new(NOWHERE));
    command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1");
    command.env("AUTOJIT_TIER_CALLS", "1").env("AUTOJIT_TIER_LOOPS", "4");
    command
}

/// Both unwinders of the C library and of the compiler: one frame more for each loop that was continued, and from `main` on
/// the same.
#[test]
fn unwinders_pass_through_frames_that_were_left() {
    let scratch = Scratch::new("tiers-traces");
    for flags in [["-O1", "-g0"], ["-O2", "-g"]] {
        let outcome = run(traces(&scratch, &flags).env("AUTOJIT_PERF_MAP", "1"), scratch.path(), b"");
        let map = format!("/tmp/perf-{}.map", outcome.pid);
        let names = fs::read_to_string(&map).expect("perf was asked for");
        fs::remove_file(&map).expect("it is ours");
        let found = Stats::read(&scratch.path().join(format!("stats.{}", outcome.pid)));
        let same = "the same from main on: yes";
        assert_eq!(outcome.text(), format!("1\n{same}\n1 more\n{same}\n2 more\n"), "{outcome} {found}");
        assert!(found.number("replaced_on_stack") >= 2.0, "{found}");
        for name in ["outer", "outer.osr", "inner", "inner.osr"] {
            assert!(names.lines().any(|line| line.ends_with(&format!(" {name}"))), "{name}: {names}");
        }
    }
}

/// The frames that gdb shows of a program that waits in a continuation, when it is attached.
fn frames(scratch: &Scratch, flags: &[&str]) -> Vec<String> {
    let file = scratch.path().join("waits");
    let mut child = traces(scratch, flags);
    let mut child = child.arg(&file).stdout(Stdio::null()).spawn().expect("it starts");
    let start = Instant::now();
    while !file.exists() && start.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(5));
    }
    let mut gdb = command("gdb");
    gdb.args(["-q", "-nx", "-batch", "-ex", "set width 0", "-p", &child.id().to_string(), "-ex", "bt"]);
    let told = attempt(&mut gdb).text();
    fs::remove_file(&file).expect("the program waits at it");
    assert!(child.wait().expect("it is ours").success(), "{told}");
    let frames = told.lines().filter(|line| line.starts_with('#'));
    frames.map(str::to_owned).collect()
}

/// Checks names of functions, from the innermost on, each in front of its arguments.
fn assert_names(frames: &[String], names: &[&str]) {
    let wanted = names.iter().map(|name| format!(" in {name} ("));
    // gdb 13 takes what is behind the dot for an overloaded name.
    let frames: Vec<_> = frames.iter().map(|frame| frame.replace("[osr]", ".osr")).collect();
    let begin = frames.iter().position(|frame| frame.contains(" in wait_for_others")).expect("it is in it");
    for (frame, name) in frames[begin..].iter().zip(wanted) {
        assert!(frame.contains(&name), "no '{name}' in {frames:#?}");
    }
}

#[test]
fn gdb_shows_both_frames() {
    let scratch = Scratch::new("tiers-gdb");
    let whole = frames(&scratch, &["-O2", "-g0"]);
    let names =
        ["wait_for_others.osr", "wait_for_others", "inner.osr", "inner", "outer.osr", "outer", "main"];
    assert_names(&whole, &names);
    // With lines, the continuation has the name that the source has.
    let whole = frames(&scratch, &["-O2", "-g"]);
    let names = ["wait_for_others", "wait_for_others", "inner", "inner", "outer", "outer", "main"];
    assert_names(&whole, &names);
    assert!(whole.iter().any(|frame| frame.contains("inner () at ")), "{whole:#?}");
}
