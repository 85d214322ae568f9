//! A gdb that attaches to a process asks the runtime for the lines that were not described when code was published (scripts/gdb/autojit.py).

use std::path::Path;
use std::process::Command;

use autojit_tests::compile::How;
use autojit_tests::run::{attempt, by_llvm, command, lazy_command, run, static_command, warm_command};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

use crate::debugger::{WITH_RUNTIME_INSIDE, Waiting, program, with_runtime_inside};

/// gdb as `autojit-run` starts it, attached to a process.
fn gdb(waiting: &Waiting) -> Command {
    let mut gdb = command(dist("bin/autojit-run"));
    gdb.args(["gdb", "-q", "-nx", "-ex", "set width 0", "-p"]).arg(waiting.id());
    gdb
}

/// What it says to `commands`.
fn says(waiting: &Waiting, commands: &[&str]) -> String {
    let mut gdb = gdb(waiting);
    gdb.arg("-batch");
    commands.iter().for_each(|line| {
        gdb.args(["-ex", line]);
    });
    let outcome = attempt(&mut gdb);
    format!("{}{}", outcome.text(), outcome.errors())
}

/// A program that waits, and how it is started.
fn start(scratch: &Scratch, make: impl Fn(&Path, &Path) -> Command) -> Waiting {
    Waiting::start(make(&program(scratch, How::Lazy, &["waits.c"], &[]), scratch.path()))
}

fn assert_tells(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "no '{wanted}' in\n{text}");
    }
}

#[test]
fn lines_of_unoptimised_builds_are_brought() {
    let scratch = Scratch::new("gdb_lines");
    for is_warm in [false, true] {
        let mut waiting =
            start(&scratch, |lazy, at| if is_warm { warm_command(lazy, at) } else { lazy_command(lazy, at) });
        let commands = [
            "bt",
            "autojit-lines",
            "bt",
            "break waits.c:17",
            "set var *(int *)&go = 1",
            "continue",
            "next",
            // What has come since is known when it is asked for.
            "autojit-lines",
            "info line late",
            "continue",
        ];
        let text = says(&waiting, &commands);
        let (before, after) = text.split_once("waits.c:").unwrap_or_else(|| panic!("no lines in\n{text}"));
        assert_tells(before, &["in inner ()", "in outer ()", "in main ()"]);
        let wanted = ["in inner () at ", "waits.c:8", "in outer () at ", "waits.c:16", "in main () at "];
        assert_tells(&format!("{} waits.c:{after}", before.lines().last().unwrap_or("")), &wanted);
        assert_tells(after, &["Breakpoint 1, outer () at ", "18\t  return r;", "Line 11 of "]);
        assert!(waiting.ends(), "{text}");
        let stats = Stats::read(&scratch.path().join("stats"));
        assert_eq!(stats.number("compiled"), 0.0, "{stats:?}");
    }
}

#[test]
fn lines_of_kept_optimised_code_are_brought() {
    let scratch = Scratch::new("gdb_lines_kept");
    let end = |mut waiting: Waiting| {
        says(&waiting, &["set var *(int *)&go = 1"]);
        assert!(waiting.ends());
    };
    end(start(&scratch, |lazy, at| by_llvm(lazy_command(lazy, at))));
    let warm = start(&scratch, |lazy, at| by_llvm(warm_command(lazy, at)));
    let text = says(&warm, &["bt", "autojit-lines", "bt"]);
    let (before, after) = text.split_once("in inner () at ").unwrap_or_else(|| panic!("no lines in\n{text}"));
    assert_tells(before, &["in inner ()", "in outer ()", "in main ()"]);
    assert_tells(after, &["waits.c:8", "in outer () at ", "in main () at "]);
    end(warm);
}

#[test]
fn lines_of_programs_with_the_runtime_inside_are_brought() {
    for how in WITH_RUNTIME_INSIDE {
        let scratch = Scratch::new("gdb_lines_inside");
        let program = with_runtime_inside(&scratch, "waits.c", how);
        let mut waiting = Waiting::start(static_command(program, scratch.path()));
        let (_, _, is_stripped) = how;
        let commands =
            ["bt", "autojit-lines", "bt", "break waits.c:17", "set var *(int *)&go = 1", "continue"];
        let text = says(&waiting, if is_stripped { &commands[..3] } else { &commands });
        let (before, after) = text.split_once("waits.c:").unwrap_or_else(|| panic!("{how:?}: {text}"));
        assert!(is_stripped || before.contains("in inner ()"), "{how:?}: {text}");
        let first = before.lines().last().unwrap_or_default();
        let wanted = ["in inner () at ", "waits.c:8", "in outer () at ", "waits.c:16", "in main () at "];
        assert_tells(&format!("{first}waits.c:{after}"), &wanted);
        if !is_stripped {
            assert_tells(after, &["Breakpoint 1, outer () at "]);
            assert!(waiting.ends(), "{how:?}: {text}");
        }
    }
}

/// What gdb calls must not wait for a lock of the runtime, whose code is the program's.
#[test]
fn nothing_is_asked_while_a_thread_is_in_the_runtime_inside() {
    let scratch = Scratch::new("gdb_lines_inside_locked");
    for how in [("lld", "-static", true), ("lld", "-pie", false)] {
        let program = with_runtime_inside(&scratch, "waits.c", how);
        let waiting = Waiting::start(static_command(program, scratch.path()));
        let commands = [
            // The script's own function.
            "python found = runtime(gdb.selected_inferior())",
            "python gdb.execute('break *%d' % found[0])",
            "python gdb.execute('call ((long (*)(long))%d)(0)' % found[0])",
            "autojit-lines",
            "bt",
        ];
        let text = says(&waiting, &commands);
        assert_tells(&text, &["a thread is in autojit's runtime or in the loader"]);
        assert!(!text.contains("waits.c:8"), "{how:?}: {text}");
    }
}

#[test]
fn lines_are_there_at_each_prompt() {
    let scratch = Scratch::new("gdb_lines_prompt");
    let waiting = start(&scratch, |lazy, at| lazy_command(lazy, at));
    let outcome = run(gdb(&waiting).env("TMPDIR", scratch.path()), scratch.path(), b"bt\nkill\nquit\n");
    assert_tells(&outcome.text(), &["in inner () at ", "waits.c:8", "in main () at "]);
    let left = std::fs::read_dir(scratch.path()).expect("it is there").flatten();
    let left: Vec<_> =
        left.filter(|entry| entry.file_name().to_string_lossy().starts_with("autojit-lines")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The runtime's locks may be held then.
#[test]
fn nothing_is_asked_while_a_thread_is_in_the_runtime() {
    let scratch = Scratch::new("gdb_lines_locked");
    let waiting = start(&scratch, |lazy, at| lazy_command(lazy, at));
    let commands =
        ["break __autojit_describe", "call ((long (*)(long))&__autojit_describe)(0)", "autojit-lines", "bt"];
    let text = says(&waiting, &commands);
    assert_tells(&text, &["a thread is in autojit's runtime or in the loader", "in inner ()"]);
    assert!(!text.contains("waits.c:8"), "{text}");
}

#[test]
fn a_process_without_the_runtime_has_nothing_to_tell() {
    let scratch = Scratch::new("gdb_lines_plain");
    let waiting = Waiting::start(command(program(&scratch, How::Plain, &["waits.c"], &[])));
    let text = says(&waiting, &["autojit-lines", "bt"]);
    assert_tells(&text, &["no process that runs with autojit's runtime is attached", "waits.c:8"]);
}
