//! Optimised code outlives an edit: what was not touched is found by its content, what depends on the edit is made anew.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use autojit_tests::cache::files;
use autojit_tests::compile::{How, Link, Toolchain, object, rust_program};
use autojit_tests::run::{Outcome, command, run};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;
use autojit_tests::tiered::{NOWHERE, tiered};

const HEADER: &str = include_str!("edited/edited.h");
const SOURCE: &str = include_str!("edited/edited.c");

const SYMBOLIZER: &str = concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/llvm-symbolizer");

/// The functions that run often.
const HOT: usize = 10;

/// A program whose source is edited between its runs, which all have one cache.
struct Program {
    scratch: Scratch,
    source: PathBuf,
}

impl Program {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let source = scratch.file("edited.c", SOURCE);
        Self { scratch, source }
    }

    fn build(&self, how: How, header: &str, source: &str, flags: &[&str]) -> PathBuf {
        self.scratch.file("edited.h", header);
        self.scratch.file("edited.c", source);
        let flags: Vec<_> = ["-O2", "-g"].iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
        let directory = self.scratch.directory(&format!("{how:?}"));
        let object = object(how, &self.source, &flags, &directory);
        let output = directory.join("program");
        Link { linker: "lld", cxx: false, flags: &[] }.run(&[object], &output);
        output
    }

    /// Builds and runs it, plainly too.
    fn run(&self, header: &str, source: &str, flags: &[&str]) -> Stats {
        let [plain, lazy] = [How::Plain, How::Lazy].map(|how| self.build(how, header, source, flags));
        let plain = run(&mut command(&plain), self.scratch.path(), b"");
        let outcome =
            run(&mut tiered(&lazy, &self.scratch, "inprocess", Path::new(NOWHERE)), self.scratch.path(), b"");
        plain.assert_same(&outcome, "plain program and an edited one");
        Stats::read(&self.scratch.path().join(format!("stats.{}", outcome.pid)))
    }
}

/// So many functions were optimised in a run, and so many found by content.
fn counts(stats: &Stats) -> (usize, usize) {
    let number = |key| stats.number(key) as usize;
    (number("optimized"), number("same_content"))
}

#[test]
fn what_was_not_edited_begins_with_optimised_code() {
    let program = Program::new("edited");
    let first = program.run(HEADER, SOURCE, &[]);
    assert_eq!(counts(&first), (HOT, 0), "{first}");
    assert_eq!(first.number("wanted_again"), 0.0, "{first}");
    assert_eq!(files(&program.scratch, ".ajf").len(), 1);
    // What is edited, and how many of the functions that run often it is seen by.
    let edits: [(&str, &str, &str, usize); 9] = [
        ("a function", "x * 5 + 1", "x * 7 + 1", 1),
        ("a function with more lines, in front of all", "int zero;", "int zero;\n\n\nint one;\n", 0),
        (
            "a new function and a string in front of all",
            "int zero;",
            "const char *other(void) { return \"other\"; }\nint zero;",
            0,
        ),
        ("a callee that is inlined", "x ^ x >> 7", "x ^ x >> 9", 2),
        ("a constant that is folded in", "table[4] = { 3,", "table[4] = { 5,", 1),
        ("a string that is folded in", "\"length\"", "\"lengthy\"", 1),
        ("what is known of a callee", "__attribute__((const)) unsigned known", "unsigned known", 2),
        ("a structure", "int key;", "long key;", 1),
        ("a body that is not looked into", "x + 1000", "x + 1001", 1),
    ];
    for (what, from, to, seen) in edits {
        assert!(SOURCE.contains(from), "{what}");
        let edited = program.run(HEADER, &SOURCE.replacen(from, to, 1), &[]);
        assert_eq!(counts(&edited), (seen, HOT - seen), "{what}: {edited}");
        // That they run often is known from the first run.
        assert_eq!(edited.number("wanted_again") as usize, seen, "{what}: {edited}");
        // From then on it has a file of its own.
        let again = program.run(HEADER, &SOURCE.replacen(from, to, 1), &[]);
        assert_eq!(counts(&again), (0, 0), "{what}: {again}");
        assert_eq!(again.number("wanted_again"), 0.0, "{what}: {again}");
        assert!(again.number("from_cache") >= HOT as f64, "{what}: {again}");
    }
    // An inline function of a header; a flag.
    let header = program.run(&HEADER.replacen("x * 3", "x * 9", 1), SOURCE, &[]);
    assert_eq!(counts(&header), (1, HOT - 1), "{header}");
    let (optimised, found) = counts(&program.run(HEADER, SOURCE, &["-fwrapv"]));
    assert!(optimised > 0 && optimised + found == HOT, "{optimised} {found}");
    let (optimised, found) = counts(&program.run(HEADER, SOURCE, &["-mavx2"]));
    assert_eq!((optimised, found), (HOT, 0), "other attributes of all functions");
}

#[test]
fn a_daemon_is_started_sooner_for_what_ran_often_before_an_edit() {
    const SPINS: &str = include_str!("edited/spins.c");
    let program = Program::new("edited-sooner");
    let lazy = program.build(How::Lazy, HEADER, SPINS, &[]);
    let first = run(
        &mut tiered(&lazy, &program.scratch, "inprocess", Path::new(NOWHERE)),
        program.scratch.path(),
        b"",
    );
    let stats = Stats::read(&program.scratch.path().join(format!("stats.{}", first.pid)));
    assert!(stats.number("optimized") >= 1.0, "{stats}");
    // Other programs have a daemon of their own after twice the time that this one runs. On a busy machine it may run too
    // seldom to look: it is enough that it does so once.
    let is_started = |edit: usize| {
        // What an earlier one leaves behind may start its own.
        let started = program.scratch.path().join(format!("started-{edit}"));
        let script = format!("#!/bin/sh\ntouch '{}'\n", started.display());
        let daemon = program.scratch.file(&format!("daemon-{edit}"), script);
        std::fs::set_permissions(&daemon, Permissions::from_mode(0o755)).expect("it is ours");
        let lazy = program.build(How::Lazy, HEADER, &SPINS.replacen("+ 1", &format!("+ {edit}"), 1), &[]);
        let mut command = tiered(&lazy, &program.scratch, "auto", Path::new(NOWHERE));
        command.env("AUTOJIT_TIER", "on").env("AUTOJIT_DAEMON_PATH", &daemon).arg(&started);
        run(&mut command, program.scratch.path(), b"").text().trim() == "there"
    };
    assert!((2..12).any(is_started), "no daemon was started");
}

/// Where a printed stack of the program has `traced`: nothing if it has the name alone. The whole program prints the same
/// as the plain one but for that.
fn line(scratch: &Scratch, source: &str) -> (Option<usize>, Stats) {
    let file = scratch.file("traced.rs", source);
    let flags = ["-Copt-level=2", "-g", "-Ccodegen-units=1"].map(str::to_owned);
    let lazy = rust_program(How::Lazy, Toolchain::Stable, &file, &[], &flags, scratch.path());
    let outcome = run(&mut tiered(&lazy, scratch, "inprocess", Path::new(NOWHERE)), scratch.path(), b"");
    let text = outcome.text();
    let mut lines = text.lines().skip_while(|line| !line.trim_end().ends_with("traced::traced"));
    assert!(lines.next().is_some(), "its name is missing: {text}");
    let at = lines.next().and_then(|line| line.trim_start().strip_prefix("at "));
    let line = at.map(|at| {
        let parts: Vec<_> = at.rsplit(':').collect();
        assert!(parts.len() == 3 && parts[2].ends_with("traced.rs"), "{text}");
        parts[1].parse().expect("a line")
    });
    (line, Stats::read(&scratch.path().join(format!("stats.{}", outcome.pid))))
}

/// What stacks that a program prints have of the functions with `traced.h`: function, and file and line if they are known.
fn frames(outcome: &Outcome) -> Vec<(String, Option<String>)> {
    let frame = |line: &str| {
        let (_, rest) = line.trim_start().strip_prefix('#')?.split_once(" in ")?;
        let (function, place) = rest.split_once(" /").or_else(|| rest.split_once(" ("))?;
        if !["inner", "traced", "in_header"].iter().any(|name| function.contains(name)) {
            return None;
        }
        let place = place.rsplit('/').next().filter(|place| place.starts_with("traced."));
        Some((function.to_owned(), place.map(str::to_owned)))
    };
    outcome.errors().lines().filter_map(frame).collect()
}

/// Builds and runs a program of `traced.h`, plainly and lazily: what is in its stacks. All that it runs often is found by
/// content unless it is the `first`.
fn stacks(
    scratch: &Scratch,
    file: &str,
    (header, source): (&str, &str),
    first: bool,
) -> [Vec<(String, Option<String>)>; 2] {
    scratch.file("traced.h", header);
    let source = scratch.file(file, source);
    let cxx = file.ends_with(".cpp");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| {
        let directory = scratch.directory(&format!("{how:?}"));
        let object = object(how, &source, &["-O2", "-g"].map(str::to_owned), &directory);
        let output = directory.join("program");
        Link { linker: "lld", cxx, flags: &["-fsanitize=undefined".to_owned()] }.run(&[object], &output);
        output
    });
    let mut commands = [command(plain), tiered(&lazy, scratch, "inprocess", Path::new(NOWHERE))];
    let outcomes = commands.each_mut().map(|command| {
        command.env("UBSAN_OPTIONS", format!("external_symbolizer_path={SYMBOLIZER}"));
        run(command, scratch.path(), b"")
    });
    let stats = Stats::read(&scratch.path().join(format!("stats.{}", outcomes[1].pid)));
    let (optimised, found) = counts(&stats);
    assert!(
        if first { (optimised >= 2, found) == (true, 0) } else { (optimised, found >= 2) == (0, true) },
        "{stats}"
    );
    outcomes.each_ref().map(frames)
}

/// Each edit comes to a program that was run before, whose code is found by content.
fn lines_move(file: &str, source: &str) {
    const HEADER: &str = include_str!("edited/traced.h");
    let scratch = Scratch::new(&format!("edited-{}", file.replace('.', "-")));
    let [plain, lazy] = stacks(&scratch, file, (HEADER, source), true);
    assert!(plain.len() >= 4 && plain.iter().all(|(_, place)| place.is_some()), "{plain:?}");
    assert_eq!(lazy, plain);
    let lines = |count: usize, text: &str, from: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, &format!("{}{from}", "\n".repeat(count)), 1)
    };
    let at =
        source.find("return sum").and_then(|at| source[..at].rfind('\n')).expect("a line is in front of it");
    let within = format!("{}\n\n{}", &source[..at], &source[at..]);
    let all = lines(2, source, "// Lines are");
    let caller = lines(3, source, "// And of");
    let both = lines(300, &caller, "// Lines are");
    let header = lines(1, HEADER, "// Lines are");
    for (what, header, source) in [
        ("all functions of the file", HEADER, &all),
        ("the caller", HEADER, &caller),
        ("a function of a header", &header, &source.to_owned()),
        ("each differently", &header, &both),
        ("lines of a function", HEADER, &within),
        ("lines of a function of a header", &lines(1, HEADER, "  if (show)"), &source.to_owned()),
        ("a declaration in front of all", HEADER, &lines(0, &format!("int more;\n{source}"), "// Lines")),
    ] {
        let [plain, lazy] = stacks(&scratch, file, (header, source), false);
        assert_eq!(lazy, plain, "{what}");
    }
    // One line has become two: there are names, but no lines.
    let (broken, header) = (lines(1, source, " + "), lines(1, HEADER, " * 7"));
    for (header, source) in [(HEADER, &broken[..]), (&header, source)] {
        let [plain, lazy] = stacks(&scratch, file, (header, source), false);
        assert!(!lazy.is_empty() && lazy.iter().all(|(_, place)| place.is_none()), "{lazy:?} {plain:?}");
        assert!(lazy.iter().all(|(function, _)| function.contains("traced")), "{lazy:?}");
    }
}

#[test]
fn lines_that_have_moved_are_shown_in_c() {
    lines_move("traced.c", include_str!("edited/traced.c"));
}

#[test]
fn lines_that_have_moved_are_shown_in_cxx() {
    lines_move("traced.cpp", include_str!("edited/traced.cpp"));
}

#[test]
fn lines_that_have_moved_are_shown_in_rust() {
    const TRACED: &str = include_str!("edited/traced.rs");
    let scratch = Scratch::new("edited-lines");
    let expected = |source: &str| {
        1 + source.lines().position(|line| line.contains("force_capture")).expect("it is there")
    };
    let (shown, first) = line(&scratch, TRACED);
    assert_eq!((shown, first.number("same_content")), (Some(expected(TRACED)), 0.0), "{first}");
    // Behind it: found with its lines.
    let behind = TRACED.replacen("x * 5", "x * 7", 1);
    let (shown, found) = line(&scratch, &behind);
    assert_eq!(shown, Some(expected(&behind)), "{found}");
    assert!(found.number("same_content") >= 1.0, "{found}");
    // In front of it: found, with lines as they are now.
    let before = TRACED.replacen("// Lines", "\n\n// Lines", 1);
    let (shown, found) = line(&scratch, &before);
    assert_eq!(shown, Some(expected(&before)), "{found}");
    assert!(found.number("same_content") >= 1.0, "{found}");
    // So they are in a file of the module's own.
    let (shown, again) = line(&scratch, &before);
    assert_eq!((shown, again.number("same_content")), (Some(expected(&before)), 0.0), "{again}");
    // Within it.
    let within = TRACED.replacen("    if show", "\n    if show", 1);
    let (shown, found) = line(&scratch, &within);
    assert_eq!(shown, Some(expected(&within)), "{found}");
    assert!(found.number("same_content") >= 1.0, "{found}");
    // One has become two: found without.
    let within = TRACED.replacen(" ^ black_box", "\n ^ black_box", 1);
    let (shown, found) = line(&scratch, &within);
    assert_eq!(shown, None, "{found}");
    assert!(found.number("same_content") >= 1.0, "{found}");
}
