//! Programs under limits: of locked memory, of address space, of mappings, of file sizes. What works plainly works
//! lazily, or the program says what it lacks.

use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::compile::{How, Link, object};
use autojit_tests::run::{attempt, command, daemon_command, lazy_command, run, warm_command};
use autojit_tests::scratch::{Scratch, dist, repository};
use autojit_tests::stats::Stats;

fn build(scratch: &Scratch, how: How, sources: &[PathBuf]) -> PathBuf {
    let directory = scratch.directory(&format!("{how:?}"));
    let flags = ["-O1".to_owned()];
    let objects: Vec<_> = sources.iter().map(|source| object(how, source, &flags, &directory)).collect();
    let program = directory.join("program");
    Link { linker: "lld", cxx: false, flags: &[] }.run(&objects, &program);
    program
}

fn source(name: &str) -> PathBuf {
    repository().join("tests/programs/limits").join(name)
}

/// `command` after `limits` of a shell's ulimit, without the privilege to exceed or raise them.
fn limited(command: &Command, limits: &str) -> Command {
    let mut line = Vec::new();
    // SAFETY: takes no pointers.
    if unsafe { libc::geteuid() } == 0 {
        let setpriv = ["setpriv", "--bounding-set", "-ipc_lock,-sys_resource", "--"];
        line.extend(setpriv.map(std::ffi::OsString::from));
    }
    let script = format!("ulimit {limits} && exec \"$0\" \"$@\"");
    line.extend(["sh", "-c", &script].map(std::ffi::OsString::from));
    line.push(command.get_program().to_owned());
    line.extend(command.get_args().map(ToOwned::to_owned));
    let mut limited = Command::new(&line[0]);
    limited.args(&line[1..]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

fn stats(scratch: &Scratch) -> Stats {
    Stats::read(&scratch.path().join("stats"))
}

type Make = fn(PathBuf, &Path) -> Command;
const MODES: [(&str, Make); 3] = [("cold", lazy_command), ("warm", warm_command), ("daemon", daemon_command)];

/// 8 MB is what systems allow. The compiler alone is larger, and not the program's to lock.
#[test]
fn memory_is_locked_within_the_limit() {
    let scratch = Scratch::new("limits-lock");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| build(&scratch, how, &[source("lock.c")]));
    for flags in [&["current"][..], &["future"], &["current", "future"], &["current", "future", "onfault"]] {
        let expected = run(&mut limited(command(&plain).args(flags), "-l 8192"), scratch.path(), b"");
        assert!(
            expected.assert_code(0).text().starts_with(&format!("{} 0: ", flags.len() + 2)),
            "{expected}"
        );
        for (mode, make) in MODES {
            let outcome = run(
                &mut limited(make(lazy.clone(), scratch.path()).args(flags), "-l 8192"),
                scratch.path(),
                b"",
            );
            outcome.assert_same(&expected, &format!("{flags:?}, {mode}: plain program and lazy one"));
            assert!(stats(&scratch).number("bound") >= 4.0, "{flags:?}, {mode}");
        }
    }
}

/// A program that is too large itself is refused as without the runtime.
#[test]
fn a_limit_of_locked_memory_holds() {
    let scratch = Scratch::new("limits-lock-too-low");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| build(&scratch, how, &[source("lock.c")]));
    let expected = run(&mut limited(command(&plain).arg("current"), "-l 1000"), scratch.path(), b"");
    assert!(expected.assert_code(0).text().starts_with("3 -1: Cannot allocate memory"), "{expected}");
    for (mode, make) in MODES {
        let outcome = run(
            &mut limited(make(lazy.clone(), scratch.path()).arg("current"), "-l 1000"),
            scratch.path(),
            b"",
        );
        outcome.assert_same(&expected, &format!("{mode}: plain program and lazy one"));
        stats(&scratch).number("bound");
    }
}

/// The kilobytes of address space that a lazy program which compiles nothing may need beyond a plain one; libautojit.so takes
/// 2.1 MB of it.
const ADDRESS_SPACE: u64 = 5120;

#[test]
fn little_address_space_is_enough_for_code_that_is_there() {
    let scratch = Scratch::new("limits-address-space");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| build(&scratch, how, &[source("lock.c")]));
    let expected = run(&mut command(&plain), scratch.path(), b"");
    run(&mut lazy_command(&lazy, scratch.path()), scratch.path(), b"").assert_same(&expected, "unlimited");
    // The least that the plain program runs with, in steps of 128 KB.
    let runs = |kilobytes: u64| {
        let outcome = run(&mut limited(&command(&plain), &format!("-v {kilobytes}")), scratch.path(), b"");
        outcome.status.success() && outcome.text() == expected.text()
    };
    let least =
        (8..).map(|step| step * 128).find(|kilobytes| runs(*kilobytes)).expect("some limit is enough");
    let limit = format!("-v {}", least + ADDRESS_SPACE);
    let outcome = run(&mut limited(&warm_command(&lazy, scratch.path()), &limit), scratch.path(), b"");
    outcome.assert_same(&expected, &format!("{limit}, where plain takes {least}"));
    stats(&scratch).assert_warm();
}

/// A compiler that is there compiles on. One that is not cannot be mapped any more, which a message says.
#[test]
fn few_mappings_are_left() {
    let scratch = Scratch::new("limits-mappings");
    let sources =
        [source("many_mappings.c"), scratch.file("late.c", "int called_late(int x) { return x + 2; }\n")];
    let plain = run(&mut command(build(&scratch, How::Plain, &sources)), scratch.path(), b"");
    assert_eq!(plain.assert_code(0).text(), "1\n3\n");
    let lazy = build(&scratch, How::Lazy, &sources);
    for (mode, make) in [MODES[2], MODES[0]] {
        let outcome = run(&mut make(lazy.clone(), scratch.path()), scratch.path(), b"");
        outcome.assert_same(&plain, &format!("{mode}: plain program and lazy one"));
        assert!(stats(&scratch).number("bound") >= 2.0, "{mode}");
    }
    // What was compiled last may not have been kept: that takes mappings, too.
    let outcome = run(&mut warm_command(&lazy, scratch.path()), scratch.path(), b"");
    if outcome.status.success() {
        outcome.assert_same(&plain, "plain program and cached code");
        return;
    }
    assert_eq!(outcome.assert_signal(libc::SIGABRT).text(), "1\n");
    let errors = outcome.errors();
    for part in ["autojit: ", "called_late", "out of memory"] {
        assert!(errors.contains(part), "no {part}: {outcome}");
    }
}

/// Files in memory count against the limit of file sizes. A daemon that the program starts cannot raise it without
/// privileges; the program can compile for itself.
#[test]
fn a_hard_limit_of_file_sizes() {
    let scratch = Scratch::new("limits-files");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| build(&scratch, how, &[source("lock.c")]));
    let expected = run(&mut command(&plain), scratch.path(), b"");
    let with = |mode: &str| {
        let mut lazy = lazy_command(&lazy, scratch.path());
        // Statistics would be a file, and the output is one.
        lazy.env("AUTOJIT_MODE", mode).env("AUTOJIT_DAEMON_PATH", dist("bin/autojitd"));
        lazy.env_remove("AUTOJIT_STATS");
        attempt(limited(&lazy, "-f 1").current_dir(scratch.path()))
    };
    let outcome = with("auto");
    assert_eq!(outcome.assert_code(0).text(), expected.text());
    let outcome = with("daemon");
    if outcome.status.success() {
        assert_eq!(outcome.text(), expected.text());
        return;
    }
    outcome.assert_code(127);
    let errors = outcome.errors();
    assert!(errors.contains("autojit: ") && errors.contains("file too large"), "{outcome}");
}
