//! Programs that see other files than at their start: another root, a working directory without a usable path.

use std::path::PathBuf;
use std::process::Command;

use autojit_tests::compile::{How, Link, object};
use autojit_tests::run::{command, lazy_command, run};
use autojit_tests::scratch::{Scratch, dist, repository};
use autojit_tests::stats::Stats;

fn build(scratch: &Scratch, how: How, name: &str) -> PathBuf {
    let directory = scratch.directory(&format!("{how:?}"));
    let source = repository().join("tests/programs/roots").join(name);
    let object = object(how, &source, &["-O1".to_owned(), "-g".to_owned()], &directory);
    let program = directory.join(name).with_extension("");
    Link { linker: "lld", cxx: false, flags: &[] }.run(&[object], &program);
    program
}

/// The daemon was started, or connected with, in the old root: it serves a client in the new one.
#[test]
fn a_new_root_between_first_calls() {
    // SAFETY: takes no pointers.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("a_new_root_between_first_calls: only root can do that; nothing was tested");
        return;
    }
    let scratch = Scratch::new("roots");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| build(&scratch, how, "roots.c"));
    let root = scratch.directory("empty");
    for how in ["chroot", "pivot", "call"] {
        let expected = run(command(&plain).arg(how).arg(&root), scratch.path(), b"");
        assert_eq!(expected.assert_code(0).text(), "2 16 -1\n", "{how}: {expected}");
        for mode in ["inprocess", "daemon"] {
            let mut command = lazy_command(&lazy, scratch.path());
            command.env("AUTOJIT_MODE", mode).env("AUTOJIT_DAEMON_PATH", dist("bin/autojitd"));
            // There is no place for a file, and on standard error they would be a difference.
            command.env_remove("AUTOJIT_STATS").arg(how).arg(&root);
            let outcome = run(&mut command, scratch.path(), b"");
            outcome.assert_same(&expected, &format!("{how}, {mode}: plain program and lazy one"));
            let told = run(command.env("AUTOJIT_STATS", "1"), scratch.path(), b"");
            let stats = Stats::parse(told.errors().trim());
            assert!(stats.number("bound") >= 4.0, "{how}, {mode}: {told}");
        }
    }
    assert_eq!(std::fs::read_dir(&root).expect("it is ours").count(), 0);
}

/// Neither a directory that was removed nor one with a path that no system call takes keeps anything from running.
#[test]
fn strange_working_directories() {
    let scratch = Scratch::new("roots-directories");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| build(&scratch, how, "directories.c"));
    for how in ["deleted", "long"] {
        let start = |program: &PathBuf, launcher: Option<&PathBuf>| {
            let mut command: Command = lazy_command(&plain, scratch.path());
            command.env_remove("LD_PRELOAD").env_remove("AUTOJIT_STATS").args(["enter", how]);
            command.args(launcher).arg(program).arg("here");
            run(&mut command, scratch.path(), b"")
        };
        let expected = start(&plain, None);
        assert_eq!(expected.assert_code(0).text(), "1 15\n", "{how}: {expected}");
        let launcher = dist("bin/autojit-run");
        start(&lazy, Some(&launcher)).assert_same(&expected, &format!("{how}: plain program and lazy one"));
        let told = {
            let mut command = command(&plain);
            command.env("AUTOJIT_STATS", "1").args(["enter", how]).arg(&launcher).arg(&lazy).arg("here");
            run(&mut command, scratch.path(), b"")
        };
        assert!(Stats::parse(told.errors().trim()).number("bound") >= 2.0, "{how}: {told}");
    }
}
