//! Options mean the same to the plugin and to the runtime, and paths in them are what they say, wherever the program goes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use autojit_tests::compile::{How, Link, lazy_object, object, plugin};
use autojit_tests::llvm::CLANG;
use autojit_tests::parts::{HELPER, MAIN, compile, link};
use autojit_tests::run::{Outcome, command, lazy_command, run, tool};
use autojit_tests::scratch::{Scratch, repository};
use autojit_tests::stats::Stats;

fn source(name: &str) -> PathBuf {
    repository().join("tests/programs/options").join(name)
}

/// Compiles a lazy file with a variable set. Says what the compiler did.
fn compile_with(scratch: &Scratch, name: &str, value: &str) -> Outcome {
    let mut clang = command(CLANG);
    clang.arg(format!("-fpass-plugin={}", plugin().display())).env(name, value);
    tool(clang.arg("-c").arg(source("moves.c")).arg("-o").arg(scratch.path().join("moves.o")))
}

/// A lazy program.
fn build(scratch: &Scratch, name: &str) -> PathBuf {
    let object = object(How::Lazy, &source(name), &["-O1".to_owned()], scratch.path());
    let program = scratch.path().join("program");
    Link { linker: "lld", cxx: false, flags: &[] }.run(&[object], &program);
    program
}

#[test]
fn switches_mean_the_same_to_plugin_and_runtime() {
    let scratch = Scratch::new("options-switches");
    scratch.directory("elsewhere");
    let program = build(&scratch, "moves.c");
    for (value, on) in
        [("yes", true), ("TRUE", true), ("on", true), ("1", true), ("no", false), ("off", false)]
    {
        let compiled = compile_with(&scratch, "AUTOJIT_DEBUG", value);
        let ran =
            run(lazy_command(&program, scratch.path()).env("AUTOJIT_DEBUG", value), scratch.path(), b"");
        assert_eq!(ran.assert_code(0).errors().contains("debug:"), on, "the runtime, {value}: {ran}");
        assert_eq!(!compiled.errors().is_empty(), on, "the plugin, {value}: {compiled}");
    }
}

#[test]
fn bad_values_are_warned_about_when_compiling_and_when_running() {
    let scratch = Scratch::new("options-bad");
    scratch.directory("elsewhere");
    let program = build(&scratch, "moves.c");
    let warning = "autojit: warning: AUTOJIT_LOG is \"nonsense\", which is not off|error|warn|info|debug; it counts as warn\n";
    assert_eq!(compile_with(&scratch, "AUTOJIT_LOG", "nonsense").errors(), warning);
    let ran = run(lazy_command(&program, scratch.path()).env("AUTOJIT_LOG", "nonsense"), scratch.path(), b"");
    assert_eq!(ran.assert_code(0).errors(), warning);
}

#[test]
fn unoptimised_modules_need_no_engine() {
    let scratch = Scratch::new("options-baseline");
    let part = |name: &str, text: &str, level: &str| {
        compile(&scratch, How::Lazy, name, text, &[level, "-fno-inline"])
    };
    let objects = [part("main.c", MAIN, "-O0"), part("helper.c", HELPER, "-O2")];
    let program = link(&scratch, "lld", &objects, &[]);
    let optimised = [part("main2.c", MAIN, "-O2"), part("helper2.c", HELPER, "-Os")];
    // Functions by the baseline compiler and by the engine.
    for (objects, value, tier, level, expected) in [
        (&objects, "auto", "off", "", [2.0, 1.0]),
        (&objects, "auto", "off", "0", [3.0, 0.0]),
        (&objects, "auto", "off", "2", [0.0, 3.0]),
        (&objects, "", "off", "", [2.0, 1.0]),
        (&objects, "on", "off", "", [3.0, 0.0]),
        (&objects, "off", "", "", [0.0, 3.0]),
        (&optimised, "auto", "off", "", [0.0, 3.0]),
        // With tiers, which are the default, first calls need none anywhere.
        (&objects, "", "", "", [3.0, 0.0]),
        (&objects, "auto", "on", "2", [3.0, 0.0]),
        (&optimised, "", "", "", [3.0, 0.0]),
    ] {
        let program = if std::ptr::eq(objects, &optimised) {
            link(&scratch, "lld", objects, &[])
        } else {
            program.clone()
        };
        let mut lazy = lazy_command(&program, scratch.path());
        lazy.env("AUTOJIT_BASELINE", value).env("AUTOJIT_TIER", tier).env("AUTOJIT_OPT", level);
        let outcome = run(&mut lazy, scratch.path(), b"");
        assert_eq!(outcome.assert_code(0).text(), "42\n");
        let stats = Stats::read(&scratch.path().join("stats"));
        let what = format!("{value}, {level}: {stats:?}");
        assert_eq!(["baseline", "compiled"].map(|key| stats.number(key)), expected, "{what}");
        assert_eq!(stats.number("engine_load_ms") > 0.0, expected[1] > 0.0, "{what}");
    }
}

#[test]
fn refusals_can_be_errors() {
    let scratch = Scratch::new("options-only");
    let text = "#include <stdio.h>\n\
        int wait_a_little(int n) { __asm__ volatile(\"cld\"); return n; }\n\
        int main(void) { puts(\"begun\"); fflush(stdout); return wait_a_little(7); }\n";
    let objects = [compile(&scratch, How::Lazy, "program.c", text, &["-O0"])];
    let program = link(&scratch, "lld", &objects, &[]);
    let with = |value: &str| {
        let mut lazy = lazy_command(&program, scratch.path());
        run(lazy.env("AUTOJIT_BASELINE", value), scratch.path(), b"")
    };
    let outcome = with("only");
    assert_eq!(outcome.assert_signal(libc::SIGABRT).text(), "begun\n");
    let said = outcome.errors();
    assert_eq!(said.lines().count(), 1, "{said}");
    for part in ["autojit: ", "wait_a_little", "program.c", "inline assembly", "AUTOJIT_BASELINE=on"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    // What else is done about it.
    assert_eq!(with("auto").assert_code(7).text(), "begun\n");
    let stats = Stats::read(&scratch.path().join("stats"));
    let refused: f64 = stats.refused().iter().map(|(_, count)| count).sum();
    assert_eq!([stats.number("baseline"), stats.number("compiled"), refused], [1.0, 1.0, 1.0], "{stats:?}");
}

#[test]
fn a_relative_file_for_statistics_is_where_the_program_started() {
    let scratch = Scratch::new("options-relative");
    let elsewhere = scratch.directory("elsewhere");
    let program = build(&scratch, "moves.c");
    let ran =
        run(lazy_command(&program, scratch.path()).env("AUTOJIT_STATS", "own-stats"), scratch.path(), b"");
    assert_eq!(ran.assert_code(0).text(), "42\n");
    Stats::read(&scratch.path().join("own-stats")).assert_lazy();
    assert!(!elsewhere.join("own-stats").exists());
}

#[test]
fn paths_need_not_be_utf_8() {
    let scratch = Scratch::new("options-bytes");
    scratch.directory("elsewhere");
    let store = scratch.path().join(OsStr::from_bytes(b"st\xff\"re"));
    let object = scratch.path().join("moves.o");
    lazy_object(&source("moves.c"), &[], &object, &[("AUTOJIT_STORE", store.as_os_str())]);
    assert_eq!(fs::read_dir(&store).expect("the plugin made it").count(), 1, "one container");
    let program = scratch.path().join(OsStr::from_bytes(b"pro\xffgr\"am"));
    Link { linker: "lld", cxx: false, flags: &[] }.run(&[object], &program);
    let ran = run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"");
    assert_eq!(ran.assert_code(0).text(), "42\n");
    let stats = Stats::read(&scratch.path().join("stats"));
    stats.assert_lazy();
    assert_eq!(stats.string("program"), program.to_string_lossy());
}

#[test]
fn children_of_raw_forks_have_a_map_for_perf() {
    let scratch = Scratch::new("options-perf-map");
    let program = build(&scratch, "clones.c");
    let mut lazy = lazy_command(&program, scratch.path());
    lazy.env("AUTOJIT_PERF_MAP", "1");
    let outcome = run(&mut lazy, scratch.path(), b"");
    let text = outcome.assert_code(0).text();
    let (child, status) = text
        .lines()
        .find_map(|line| line.strip_prefix("child ")?.split_once(' '))
        .expect("it prints its child");
    assert_eq!(status, "7");
    let map = |pid: &str| {
        let path = format!("/tmp/perf-{pid}.map");
        let text = fs::read_to_string(Path::new(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        fs::remove_file(path).expect("it is ours");
        text
    };
    let (parent, child) = (map(&outcome.pid.to_string()), map(child));
    assert!(parent.contains(" in_parent\n"), "{parent}");
    // What it has inherited, and what it has compiled itself; each once.
    for name in [" main\n", " in_parent\n", " in_child\n"] {
        assert_eq!(child.matches(name).count(), 1, "{child}");
    }
}
