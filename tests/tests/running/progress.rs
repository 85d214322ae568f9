//! autojit-run --progress: the line that a terminal shows while a program warms up.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use autojit_tests::run::{attempt, command, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::terminal::{self, Session};

/// First calls that the program makes.
const CALLS: usize = 700;

/// A program that writes `before`, makes [`CALLS`] first calls, and one more in a process of its own, `pause` microseconds
/// from each other, and writes `after`.
fn program(scratch: &Scratch, name: &str, before: &str, pause: u32, after: &str) {
    let mut text = String::from("#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n");
    for number in 0..CALLS {
        writeln!(text, "int f{number}(int x) {{ return x + {number}; }}").expect("a String takes all");
    }
    text += "int (*const all[])(int) = {";
    (0..CALLS).for_each(|number| write!(text, "f{number}, ").expect("a String takes all"));
    write!(
        text,
        "}};\nint main(int argc, char **argv) {{\n  if (getenv(\"AUTOJIT_PROGRESS\") && argc > 1) return 9;\n\
         \n  fputs(\"{before}\", stdout);\n  fflush(stdout);\n  int sum = 0;\n\
         \n  for (int i = 0; i < {CALLS}; i++) {{ usleep({pause}); sum += all[i](i); }}\n\
         \n  fputs(\"{after}\", stdout);\n  return sum == {} ? 3 : 4;\n}}\n",
        CALLS * (CALLS - 1)
    )
    .expect("a String takes all");
    scratch.file(&format!("{name}.c"), &text);
    let mut wrapper = command(dist("bin/autojit-cc"));
    tool(wrapper.args(["-O0", &format!("{name}.c"), "-o", name]).current_dir(scratch.path()));
}

/// autojit-run --progress, with nothing cached.
fn launcher(directory: &Path) -> Command {
    let mut launcher = command(dist("bin/autojit-run"));
    launcher.arg("--progress").current_dir(directory);
    launcher
}

/// The numbers that lines have shown, in the row below `above`.
fn shown(session: &Session, above: &str) -> Vec<usize> {
    let lines = session.screens.iter().filter_map(|screen| {
        let line = screen.strip_prefix(above)?.strip_prefix("\nautojit: ")?;
        line.strip_suffix(" functions compiled")?.parse().ok()
    });
    let mut numbers: Vec<usize> = lines.collect();
    numbers.dedup();
    numbers
}

#[test]
fn a_line_comes_and_goes_in_the_last_row() {
    let scratch = Scratch::new("progress-line");
    // What is written first puts the cursor into the middle of the last row.
    program(&scratch, "slow", "1\\n2\\n3\\n4\\n5\\n6\\n7\\nReading: ", 4000, "done\\n8\\n");
    let mut launcher = launcher(scratch.path());
    launcher.arg("./slow");
    let session = terminal::run(&launcher);
    assert_eq!(session.status.code(), Some(3));
    let numbers = shown(&session, "4\n5\n6\n7\nReading:");
    assert!(numbers.len() >= 3 && numbers.is_sorted(), "{numbers:?} {:?}", session.screens);
    assert!(numbers.iter().all(|number| (1..=CALLS + 1).contains(number)), "{numbers:?}");
    assert_eq!(session.screens.last().expect("something was written"), "6\n7\nReading: done\n8");
}

#[test]
fn processes_of_a_run_add_to_one_number() {
    let scratch = Scratch::new("progress-processes");
    program(&scratch, "part", "", 4000, "");
    let mut launcher = launcher(scratch.path());
    launcher.args(["sh", "-c", "./part & ./part & ./part; wait; echo all"]);
    let session = terminal::run(&launcher);
    assert_eq!(session.status.code(), Some(0));
    let numbers = shown(&session, "\n\n\n\n");
    let most = numbers.iter().max().copied().unwrap_or_default();
    assert!(most > CALLS + 1 && numbers.is_sorted(), "{numbers:?} {:?}", session.screens);
    assert_eq!(session.screens.last().expect("something was written"), "all");
}

#[test]
fn nothing_comes_of_programs_that_are_quick_or_write_or_have_no_terminal() {
    let scratch = Scratch::new("progress-nothing");
    program(&scratch, "quick", "begin\\n", 0, "end\\n");
    let run = |line: &[&str], kind: &str| {
        let mut launcher = launcher(scratch.path());
        launcher.args(line);
        if kind.is_empty() {
            return terminal::run(&launcher);
        }
        let mut set = command("env");
        set.arg(format!("TERM={kind}")).arg(dist("bin/autojit-run")).arg("--progress").args(line);
        set.current_dir(scratch.path());
        terminal::run(&set)
    };
    let quick = run(&["./quick"], "");
    assert_eq!((quick.status.code(), &quick.bytes[..]), (Some(3), &b"begin\r\nend\r\n"[..]));
    // The program ends with 9 if it is asked to count, and has an argument.
    assert_eq!(run(&["./quick", "x"], "").status.code(), Some(9));
    assert_eq!(run(&["./quick", "x"], "dumb").status.code(), Some(3));
    let piped = attempt(launcher(scratch.path()).args(["./quick", "x"]).env("TERM", "xterm"));
    assert_eq!((piped.text().as_str(), piped.errors().as_str()), ("begin\nend\n", ""));
    piped.assert_code(3);
}

#[test]
fn programs_have_no_other_children_and_descriptors() {
    let scratch = Scratch::new("progress-unseen");
    scratch.file(
        "unseen.c",
        "#include <errno.h>\n#include <fcntl.h>\n#include <sys/wait.h>\n\
         int main(void) {\n  if (waitpid(-1, 0, __WALL) != -1 || errno != ECHILD) return 1;\n\
           int open = 2;\n  for (int i = 3; i < 100; i++) open += fcntl(i, F_GETFD) != -1;\n  return open;\n}\n",
    );
    let mut wrapper = command(dist("bin/autojit-cc"));
    tool(wrapper.args(["unseen.c", "-o", "unseen"]).current_dir(scratch.path()));
    let run = |options: &[&str]| {
        let mut launcher = command(dist("bin/autojit-run"));
        launcher.args(options).arg("./unseen").current_dir(scratch.path());
        terminal::run(&launcher).status.code()
    };
    let usual = run(&[]);
    // As many descriptors as the tests' own parent has left open.
    assert!(usual >= Some(2), "{usual:?}");
    assert_eq!(run(&["--progress"]), usual);
}
