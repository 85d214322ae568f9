//! lldb on lazy programs: what it says of a plain and of a lazy build must be the same where breakpoints are set by file and
//! line; those by name stop at a function's stub, too, if it is entered there.

use std::path::Path;

use autojit_tests::compile::{How, Toolchain, rust_program};
use autojit_tests::llvm::LLDB;
use autojit_tests::run::{attempt, command, lazy_command};
use autojit_tests::scratch::{Scratch, dist};

use crate::debugger::{Waiting, assert_same, program, push_line, source};

/// What lldb says to commands.
fn session(program: &Path, how: How, commands: &[&str]) -> String {
    let mut lldb = command(LLDB);
    lldb.args(["--no-lldbinit", "--batch", "--no-use-colors"]);
    if how == How::Lazy {
        let variable =
            format!("settings set target.env-vars LD_PRELOAD={}", dist("lib/libautojit.so").display());
        lldb.args(["-o", &variable]);
    }
    commands.iter().for_each(|line| {
        lldb.args(["-o", line]);
    });
    let outcome = attempt(lldb.arg(program));
    format!("{}{}", outcome.text(), outcome.errors())
}

/// In lines that differ between any two runs, in what is said of breakpoints before the program runs, of the image that a
/// function is in, and in frames in front of `main`.
const DIFFERENT: [&str; 9] = [
    "target create",
    "settings set",
    "Current executable",
    "Breakpoint ",
    "location added to breakpoint",
    "locations added to breakpoint",
    "Process ",
    "__libc_start",
    "_start + ",
];

/// Without such lines, addresses and images, and with the number of a breakpoint instead of its location's.
fn normal(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if line.trim().is_empty() || DIFFERENT.iter().any(|part| line.contains(part)) {
            continue;
        }
        let line = match line.split_once("stop reason = breakpoint ") {
            Some((before, number)) => {
                format!("{before}breakpoint {}", number.split('.').next().unwrap_or_default())
            }
            None => line.to_owned(),
        };
        // Images are in front of a backquote.
        let words = line.split(' ').map(|word| word.rsplit_once('`').map_or(word, |(_, name)| name));
        push_line(&mut out, &words.collect::<Vec<_>>().join(" "));
    }
    out
}

/// Compares the two builds' sessions; `tells` must be in both.
#[track_caller]
fn compare(plain: &Path, lazy: &Path, commands: &[&str], tells: &[&str]) {
    let said = |path, how| normal(&session(path, how, commands));
    assert_same(said(plain, How::Plain), said(lazy, How::Lazy), tells);
}

#[test]
fn lldb_knows_cxx_before_it_runs() {
    let scratch = Scratch::new("lldb_cxx");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| program(&scratch, how, &["shapes.cpp"], &[]));
    compare(
        &plain,
        &lazy,
        &[
            "breakpoint set -f shapes.cpp -l 22",
            "breakpoint set -f shapes.cpp -l 34",
            "run",
            "bt",
            "frame variable",
            "p *this",
            "up",
            // Those that hold something yet.
            "frame variable apple numbers square shape",
            "p numbers[1]",
            "p apple.price + shop::sold",
            "type lookup shop::Item",
            "continue",
            "bt",
            "frame variable",
            "p shop::sold",
            "up",
            "frame variable paid",
            "kill",
        ],
        &["Square::area(this=0x, scale=2)", "sell(item=0x, count=20) at", "price = 3", "(int) 3"],
    );
}

#[test]
fn lldb_steps_in_c() {
    let scratch = Scratch::new("lldb_c");
    let [plain, lazy] =
        [How::Plain, How::Lazy].map(|how| program(&scratch, how, &["main.c", "other.c"], &[]));
    compare(
        &plain,
        &lazy,
        &[
            "breakpoint set -f main.c -l 18",
            "run",
            "bt",
            "step",
            "frame variable a b",
            "finish",
            "next",
            "p result",
            "p add(20, 3)",
            "p origin",
            "watchpoint set expression -- &counter",
            "continue",
            "continue",
            "bt",
            "watchpoint delete -f",
            "continue",
        ],
        &[
            "add(a=3, b=3) at",
            "Return value: (int) $0 = 6",
            "(lldb) p add(20, 3)\n(int) 23",
            "stop reason = watchpoint 1",
        ],
    );
}

#[test]
fn lldb_knows_rust_before_it_runs() {
    let scratch = Scratch::new("lldb_rust");
    let flags = ["-Copt-level=0", "-g"].map(str::to_owned);
    let [plain, lazy] = [(How::Plain, "plain"), (How::Lazy, "lazy")].map(|(how, name)| {
        let directory = scratch.directory(name);
        rust_program(how, Toolchain::Stable, &source("animals.rs"), &[], &flags, &directory)
    });
    compare(
        &plain,
        &lazy,
        &["breakpoint set -f animals.rs -l 14", "run", "frame variable base factor", "up", "p total", "kill"],
        &["animals::weigh", "(unsigned int) base = 9"],
    );
}

/// A breakpoint by name has the stub as a location, too, through which vtables and the C library come.
#[test]
fn lldb_unwinds_from_stubs() {
    let scratch = Scratch::new("lldb_stubs");
    let lazy = program(&scratch, How::Lazy, &["shapes.cpp"], &[]);
    let commands = ["breakpoint set -n Square::area", "run", "bt", "continue", "bt", "kill"];
    let text = normal(&session(&lazy, How::Lazy, &commands));
    let stacks: Vec<_> = text.split("(lldb) bt").skip(1).collect();
    assert_eq!(stacks.len(), 2, "{text}");
    for stack in stacks {
        assert!(
            stack.contains("frame #0: 0x Square::area") && stack.contains("frame #1: 0x main at"),
            "{text}"
        );
    }
}

#[test]
fn lldb_that_comes_later_knows_names() {
    let scratch = Scratch::new("lldb_attach");
    let lazy = program(&scratch, How::Lazy, &["waits.c"], &[]);
    let waiting = Waiting::start(lazy_command(&lazy, scratch.path()));
    let mut lldb = command(LLDB);
    lldb.args(["--no-lldbinit", "--batch", "--no-use-colors", "-p", &waiting.id(), "-o", "bt"]);
    let outcome = attempt(lldb.args(["-o", "detach"]));
    let text = normal(&outcome.text());
    for frame in ["0x inner", "0x outer", "0x main"] {
        assert!(text.contains(frame), "no '{frame}': {outcome}");
    }
}
