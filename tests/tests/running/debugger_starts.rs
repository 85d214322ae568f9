//! What starts under gdb cost: the first one compiles all modules, says so if it takes long, and leaves what it has made
//! to the next.

use std::fs;
use std::path::{Path, PathBuf};

use autojit_tests::cache::files;
use autojit_tests::compile::{How, Link, object};
use autojit_tests::run::{Outcome, attempt, command};
use autojit_tests::scratch::{Scratch, dist, repository};
use autojit_tests::stats::Stats;

fn program(scratch: &Scratch, sources: &[&str], level: &str) -> PathBuf {
    let flags = [level, "-g"].map(str::to_owned);
    let directory = repository().join("tests/programs/debugger");
    let objects = sources.iter().map(|name| object(How::Lazy, &directory.join(name), &flags, scratch.path()));
    let objects: Vec<_> = objects.collect();
    let output = scratch.path().join("program");
    Link { linker: "lld", cxx: false, flags: &[] }.run(&objects, &output);
    output
}

/// A session with the cache of `scratch`, and the statistics of the program.
fn start(scratch: &Scratch, program: &Path, commands: &[&str]) -> (Outcome, Stats) {
    let mut gdb = command("gdb");
    gdb.args(["-q", "-nx", "-batch"]).env_remove("AUTOJIT_DISABLE_OBJECT_CACHE");
    gdb.env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"));
    gdb.env("AUTOJIT_STATS", scratch.path().join("stats"));
    gdb.arg("-ex").arg(format!("set environment LD_PRELOAD {}", dist("lib/libautojit.so").display()));
    commands.iter().for_each(|line| {
        gdb.args(["-ex", line]);
    });
    let outcome = attempt(gdb.arg(program));
    (outcome, Stats::read(&scratch.path().join("stats")))
}

#[test]
fn a_second_start_compiles_nothing() {
    let scratch = Scratch::new("gdb_second_start");
    let program = program(&scratch, &["main.c", "other.c"], "-O0");
    let commands = ["break add", "run", "bt", "info args", "print origin", "ptype union box", "continue 9"];
    let (first, cold) = start(&scratch, &program, &commands);
    let (second, warm) = start(&scratch, &program, &commands);
    assert!(first.text().contains("#1") && first.text().contains("a = 3"), "{first}");
    let told = |outcome: &Outcome| {
        let text = outcome.text();
        let lines = text.lines().filter(|line| !line.contains("0x") && !line.contains("[Inferior"));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(told(&first), told(&second));
    // The two modules come from the process and its helper, in whichever order, or both from the helper on a busy machine.
    assert_eq!(cold.number("compiled") + cold.number("from_cache"), cold.number("bound"), "{cold:?}");
    assert!(cold.number("engine_load_ms") > 0.0, "{cold:?}");
    assert_eq!(files(&scratch, ".ajd").len(), 2);
    assert_eq!((warm.number("compiled"), warm.number("engine_load_ms")), (0.0, 0.0), "{warm:?}");
    assert_eq!(warm.number("from_cache"), cold.number("bound"), "{warm:?}");

    // What is damaged is made again; ordinary runs do not care.
    for (path, _) in files(&scratch, ".ajd") {
        let mut bytes = fs::read(&path).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("it is ours");
    }
    let (third, again) = start(&scratch, &program, &commands);
    assert_eq!(told(&first), told(&third));
    // By the process, or its helper, as above.
    assert!(again.number("engine_load_ms") > 0.0, "{again:?}");
    let (fourth, warm) = start(&scratch, &program, &commands);
    assert_eq!(told(&first), told(&fourth));
    assert_eq!(warm.number("compiled"), 0.0, "{warm:?}");
}

#[test]
fn modules_share_one_file() {
    let scratch = Scratch::new("gdb_one_file");
    let program = program(&scratch, &["main.c", "other.c"], "-O0");
    let commands = ["break add", "run", "maint info jit", "bt", "info line other.c:5", "continue 9"];
    let (outcome, stats) = start(&scratch, &program, &commands);
    assert!(stats.number("bound") >= 4.0, "{stats:?}");
    // A row of the list is three addresses.
    let text = outcome.text();
    let is_row = |line: &&str| line.split_whitespace().filter(|word| word.starts_with("0x")).count() >= 2;
    let table = text.lines().skip_while(|line| !line.starts_with("jit_code_entry"));
    let rows = table.take_while(|line| line.starts_with("jit_code_entry") || is_row(line)).count();
    assert_eq!(rows, 2, "its head, and one file: {outcome}");
    assert!(text.contains("#1") && text.contains("other.c"), "{outcome}");
}

#[test]
fn a_long_start_says_what_it_does() {
    let scratch = Scratch::new("gdb_long_start");
    let program = program(&scratch, &["heavy.c", "opened.c"], "-O2");
    let (first, cold) = start(&scratch, &program, &["break main", "run", "continue"]);
    let message = "autojit: preparing 192 functions for gdb\n";
    assert_eq!(first.errors().matches(message).count(), 1, "{first}");
    assert!(first.text().contains("Breakpoint 1, main ()"), "{first}");
    // The helper has compiled the second module meanwhile, and perhaps a part of the first.
    assert_eq!(cold.number("compiled") + cold.number("from_cache"), 192.0, "{cold:?}");
    assert!(cold.number("from_cache") >= 1.0 && cold.number("compiled") >= 95.0, "{cold:?}");
    assert_eq!(files(&scratch, ".ajd").len(), 3);
    let (second, warm) = start(&scratch, &program, &["break main", "run", "continue"]);
    assert!(!second.errors().contains("preparing"), "{second}");
    assert!(second.text().contains("Breakpoint 1, main ()"), "{second}");
    assert_eq!((warm.number("compiled"), warm.number("from_cache")), (0.0, 192.0));
}

#[test]
fn a_large_module_is_compiled_in_parts() {
    let scratch = Scratch::new("gdb_parts_start");
    let program = program(&scratch, &["many.c"], "-O0");
    let commands =
        ["break first", "break many.c:28", "run", "bt", "print counter", "continue", "bt", "continue"];
    let (first, cold) = start(&scratch, &program, &commands);
    let functions = cold.number("bound");
    for told in ["Breakpoint 1, first (n=1)", "$1 = 5", "Breakpoint 2, "] {
        assert!(first.text().contains(told), "no '{told}': {first}");
    }
    assert_eq!(cold.number("compiled") + cold.number("from_cache"), functions, "{cold:?}");
    let parts = files(&scratch, ".ajd");
    assert_eq!(parts.len(), 2);
    let (_, warm) = start(&scratch, &program, &commands);
    assert_eq!((warm.number("compiled"), warm.number("from_cache")), (0.0, functions), "{warm:?}");

    // What is gone is compiled again, and nothing else is.
    fs::remove_file(&parts[0].0).expect("it is there");
    let (third, half) = start(&scratch, &program, &commands);
    assert_eq!(half.number("compiled") + half.number("from_cache"), functions, "{half:?}");
    assert!((60.0..80.0).contains(&half.number("compiled")), "{half:?}");
    assert!(third.text().contains("Breakpoint 2, "), "{third}");
}

/// What gdb says to commands about a program of main.c and other.c that plain gdb starts, with flags for the linker.
fn plain_gdb(linker: &str, flags: &[&str], commands: &[&str]) -> String {
    let scratch = Scratch::new(&format!("gdb_files_{linker}_{}", flags.len()));
    let directory = repository().join("tests/programs/debugger");
    let compile = |name: &str| {
        let flags = ["-O0", "-g", "-ffunction-sections"].map(str::to_owned);
        object(How::Lazy, &directory.join(name), &flags, scratch.path())
    };
    let objects = ["main.c", "other.c"].map(compile);
    let output = scratch.path().join("program");
    let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    Link { linker, cxx: false, flags: &flags }.run(&objects, &output);
    let (outcome, stats) = start(&scratch, &output, commands);
    assert!(stats.number("compiled") + stats.number("from_cache") >= 4.0, "{stats:?}");
    format!("{}{}", outcome.text(), outcome.errors())
}

#[test]
fn plain_gdb_knows_files_before_run() {
    let commands =
        ["break main.c:20", "break 24", "tbreak main", "run", "info breakpoints", "continue", "continue"];
    for (linker, flags) in [
        ("lld", &["-Wl,--gc-sections", "-Wl,--icf=all"][..]),
        ("bfd", &["-Wl,--gc-sections", "-no-pie"]),
        ("gold", &["-Wl,--icf=all"]),
        ("mold", &[]),
    ] {
        let text = plain_gdb(linker, flags, &commands);
        assert!(!text.contains("pending"), "{linker}: {text}");
        // The second is in the file of `main`; each has one location once the program runs.
        for told in
            ["in twice at ", "main.c:20\n", "2       breakpoint     keep y", "Breakpoint 1, twice (v=3) at"]
        {
            assert!(text.contains(told), "{linker}: no '{told}': {text}");
        }
        assert!(!text.contains("MULTIPLE"), "{linker}: {text}");
    }
}

#[test]
fn breakpoints_move_to_their_lines() {
    let commands = ["break other.c:5", "break main", "run", "info breakpoints", "continue"];
    let text = plain_gdb("lld", &[], &commands);
    assert!(text.contains("other.c, line 1000000.") && text.contains("in other_total at"), "{text}");
}

#[test]
fn breakpoints_in_files_can_be_set_before_run() {
    let scratch = Scratch::new("gdb_by_launcher");
    let program = program(&scratch, &["main.c", "other.c"], "-O0");
    let mut gdb = command(dist("bin/autojit-run"));
    gdb.args(["gdb", "-q", "-nx", "-batch", "-ex", "break main.c:20", "-ex", "break twice", "-ex", "run"]);
    gdb.args(["-ex", "bt 1", "-ex", "continue", "-ex", "bt 1"]).arg(&program);
    gdb.env("AUTOJIT_STATS", scratch.path().join("stats.%p"));
    let outcome = attempt(&mut gdb);
    for told in ["Breakpoint 2, twice (v=3) at", "Breakpoint 1, twice (v=3) at", "main.c:20"] {
        assert!(outcome.text().contains(told), "no '{told}': {outcome}");
    }
}
