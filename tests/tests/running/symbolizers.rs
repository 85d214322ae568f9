//! Symbolizers that ask another process get the names and lines of the plain build.

use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::compile::{How, Link, object};
use autojit_tests::run::{
    Outcome, by_baseline, by_llvm, command, daemon_command, lazy_command, run, warm_command,
};
use autojit_tests::scratch::{Scratch, repository};
use autojit_tests::stats::Stats;

const SYMBOLIZER: &str = concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/llvm-symbolizer");

fn build(scratch: &Scratch, how: How, name: &str, flags: &[&str]) -> PathBuf {
    let source = repository().join("tests/programs/symbolizers").join(name);
    let flags: Vec<_> = ["-g", "-O1"].iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
    let directory = scratch.directory(&format!("{how:?}"));
    let object = object(how, &source, &flags, &directory);
    let program = directory.join("program");
    Link { linker: "lld", cxx: false, flags: &flags }.run(&[object], &program);
    program
}

/// What the program does plainly, and what it does lazily in each mode.
fn outcomes(
    scratch: &Scratch,
    name: &str,
    flags: &[&str],
    change: impl Fn(&mut Command),
) -> (Outcome, Vec<(&'static str, Outcome)>) {
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| build(scratch, how, name, flags));
    let mut command = command(plain);
    change(&mut command);
    let plain = run(&mut command, scratch.path(), b"");
    let mut lazily = Vec::new();
    type Make = fn(PathBuf, &Path) -> Command;
    let modes: [(&str, Make); 5] = [
        ("cold", |program, directory| by_llvm(lazy_command(program, directory))),
        ("warm", |program, directory| by_llvm(warm_command(program, directory))),
        ("daemon", daemon_command),
        ("baseline", |program, directory| by_baseline(lazy_command(program, directory))),
        ("kept baseline", |program, directory| by_baseline(warm_command(program, directory))),
    ];
    for (mode, make) in modes {
        let mut command = make(lazy.clone(), scratch.path());
        change(&mut command);
        let outcome = run(&mut command, scratch.path(), b"");
        let is_whole = outcome.status.success();
        lazily.push((mode, outcome));
        // LeakSanitizer ends a program that leaks before it has written statistics.
        if !is_whole {
            continue;
        }
        let stats = Stats::read(&scratch.path().join("stats"));
        assert!(stats.number("bound") >= 2.0, "{mode}: {stats:?}");
        let [baseline, kept] = ["baseline", "from_cache"].map(|key| stats.number(key));
        assert!(mode != "baseline" || baseline >= 2.0, "{stats:?}");
        assert!(mode != "kept baseline" || kept >= 2.0, "{stats:?}");
    }
    (plain, lazily)
}

/// The frames of a sanitizer's report that are in the program's source: function, line and column.
fn frames(outcome: &Outcome, file: &str) -> Vec<String> {
    let text = outcome.errors();
    let frame = |line: &str| {
        let (_, rest) = line.trim_start().strip_prefix('#')?.split_once(" in ")?;
        let (function, place) = rest.split_once(' ')?;
        Some(format!("{function} {}", &place[place.find(file)?..]))
    };
    text.lines().filter_map(frame).collect()
}

#[test]
fn undefined_behaviour_is_reported_with_names_and_lines() {
    let scratch = Scratch::new("symbolizers-undefined");
    let flags = ["-fsanitize=signed-integer-overflow"];
    let (plain, lazily) = outcomes(&scratch, "overflow.c", &flags, |command| {
        command.env("UBSAN_OPTIONS", format!("print_stacktrace=1:external_symbolizer_path={SYMBOLIZER}"));
    });
    let expected = frames(&plain, "overflow.c");
    assert_eq!(expected.len(), 3, "{plain}");
    assert!(expected[0].starts_with("overflow_here overflow.c:6"), "{expected:?}");
    for (mode, lazy) in lazily {
        assert_eq!(
            (frames(&lazy, "overflow.c"), lazy.text()),
            (expected.clone(), plain.text()),
            "{mode}: {lazy}"
        );
    }
}

/// The bodies of a large module are packed without their locations.
#[test]
fn large_modules_have_lines() {
    let scratch = Scratch::new("symbolizers-large");
    let filler = repository().join("tests/programs/symbolizers/filler.h");
    let flags = ["-O0", "-fsanitize=signed-integer-overflow", "-include", filler.to_str().expect("UTF-8")];
    let (plain, lazily) = outcomes(&scratch, "overflow.c", &flags, |command| {
        command.env("UBSAN_OPTIONS", format!("print_stacktrace=1:external_symbolizer_path={SYMBOLIZER}"));
    });
    let expected = frames(&plain, "overflow.c");
    assert_eq!(expected.len(), 3, "{plain}");
    for (mode, lazy) in lazily {
        assert_eq!(frames(&lazy, "overflow.c"), expected, "{mode}: {lazy}");
    }
    // The layout is that of shared/store/src/lib.rs.
    let object = std::fs::read(scratch.path().join("Lazy/overflow.o")).expect("it was built");
    let containers = object.windows(8).position(|magic| magic == b"AJSTORE\0").expect("it is lazy");
    let count = |at: usize| u32::from_le_bytes(object[containers + at..][..4].try_into().expect("4 bytes"));
    let pieces = 120 + count(64) * 16 + count(68) * 8 + count(100) * 8;
    let notes = count((pieces + (count(112) - 3) * 12) as usize);
    assert!(count(112) > 6 && notes > 1000, "{} pieces, {notes} bytes of notes", count(112));
}

#[test]
fn leaks_are_suppressed_by_function() {
    let scratch = Scratch::new("symbolizers-leaks");
    for (suppressed, code) in [("leak_here", 0), ("another", 23)] {
        let file = scratch.file("suppressions", format!("leak:{suppressed}\n"));
        let (plain, lazily) = outcomes(&scratch, "leak.c", &["-fsanitize=leak"], |command| {
            let options = format!(
                "print_suppressions=0:suppressions={}:external_symbolizer_path={SYMBOLIZER}",
                file.display()
            );
            command.env("LSAN_OPTIONS", options);
        });
        plain.assert_code(code);
        for (mode, lazy) in lazily {
            assert_eq!(lazy.status.code(), Some(code), "{mode}, {suppressed}: {lazy}");
            let (mut found, expected) = (frames(&lazy, "leak.c"), frames(&plain, "leak.c"));
            // Its calls are none that return to their caller's caller.
            if mode.ends_with("baseline") {
                found.truncate(expected.len());
            }
            assert_eq!((found, lazy.text()), (expected, plain.text()), "{mode}: {lazy}");
        }
    }
}

#[test]
fn another_process_can_open_the_files_that_describe_code() {
    let scratch = Scratch::new("symbolizers-names");
    let (plain, lazily) = outcomes(&scratch, "names.c", &[], |_| {});
    assert_eq!(plain.text(), "0 0\n", "{plain}");
    for (mode, lazy) in lazily {
        plain.assert_same(&lazy, mode);
    }
}
