//! A thousand lazy shared libraries in a process, each with code within reach of it: linked and opened, with random
//! addresses and without, and when the program has taken gigabytes around them.

use std::fs;
use std::path::{Path, PathBuf};

use autojit_tests::compile::{How, Link};
use autojit_tests::parts::{compile, link};
use autojit_tests::run::{Outcome, lazy_command, run, warm_command};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;

const LIBRARIES: usize = 1000;

/// The library under as many names, and the program of this source.
fn build(scratch: &Scratch, main: &str) -> (Vec<PathBuf>, PathBuf) {
    let library = include_str!("many_libraries/library.c");
    let object = compile(scratch, How::Lazy, "library.c", library, &["-fPIC", "-O1"]);
    // Without a name of its own, which all copies would have.
    let library = scratch.path().join("library.so");
    Link { linker: "lld", cxx: false, flags: &["-shared".to_owned()] }.run(&[object], &library);
    let copy = |number: usize| {
        let path = scratch.path().join(format!("{number}.so"));
        fs::copy(&library, &path).expect("there is space for copies");
        path
    };
    let copies = (0..LIBRARIES).map(copy).collect();
    (copies, compile(scratch, How::Lazy, "main.c", main, &["-O1"]))
}

/// Runs a program with code from the cache only, at random addresses or not.
fn warm(scratch: &Scratch, random: bool, program: &Path, arguments: &[&str]) -> (Outcome, Stats) {
    let mut command = match random {
        true => warm_command(program, scratch.path()),
        false => {
            let mut command = warm_command("setarch", scratch.path());
            command.arg("-R").arg(program);
            command
        }
    };
    let outcome = run(command.args(arguments), scratch.path(), b"");
    outcome.assert_code(0);
    let stats = Stats::read(&scratch.path().join("stats"));
    stats.assert_warm();
    (outcome, stats)
}

#[test]
fn a_thousand_are_opened() {
    let scratch = Scratch::new("many-opened");
    let (_, main) = build(&scratch, include_str!("many_libraries/opens.c"));
    let program = link(&scratch, "lld", &[main], &["-rdynamic"]);
    let cold = run(lazy_command(&program, scratch.path()).args(["1", "0", "1"]), scratch.path(), b"");
    assert_eq!(cold.assert_code(0).text(), "4\n");

    let sum = |count: i64| (0..count).map(|i| 3 + 2 * (3 * i + 1) - 1).sum::<i64>();
    let all = format!("{}\n", sum(LIBRARIES as i64));
    for random in [true, false] {
        let (outcome, stats) = warm(&scratch, random, &program, &["1000", "8", "1"]);
        assert_eq!(outcome.text(), all);
        assert!(stats.number("bound") >= 3.0 * LIBRARIES as f64, "{stats:?}");
    }
    // Closed and opened again, they do not use up what there is.
    let (outcome, stats) = warm(&scratch, false, &program, &["100", "8", "20"]);
    assert_eq!(outcome.text(), format!("{}\n", 20 * sum(100)));
    assert!(stats.number("from_cache") >= 20.0 * 300.0, "{stats:?}");
}

#[test]
fn a_thousand_are_linked() {
    let scratch = Scratch::new("many-linked");
    let (mut objects, main) = build(&scratch, include_str!("many_libraries/linked.c"));
    objects.insert(0, main);
    let flags = ["-rdynamic", "-Wl,--no-as-needed,-rpath,$ORIGIN"];
    // One of them first: it leaves code for the rest.
    let program = link(&scratch, "lld", &objects[..2], &flags);
    let cold = run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"");
    assert_eq!(cold.assert_code(0).text(), "3 7\n");
    let program = link(&scratch, "lld", &objects, &flags);
    for random in [true, false] {
        let (outcome, stats) = warm(&scratch, random, &program, &[]);
        assert_eq!(outcome.text(), format!("{} 7\n", 3 * LIBRARIES));
        assert!(stats.number("bound") >= 2.0 * LIBRARIES as f64, "{stats:?}");
    }
}
