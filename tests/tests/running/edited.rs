//! Optimised code outlives an edit: what was not touched is found by its content, what depends on the edit is made anew.

use std::path::{Path, PathBuf};

use autojit_tests::cache::files;
use autojit_tests::compile::{How, Link, Toolchain, object, rust_program};
use autojit_tests::run::{command, run};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;
use autojit_tests::tiered::{NOWHERE, tiered};

const HEADER: &str = include_str!("edited/edited.h");
const SOURCE: &str = include_str!("edited/edited.c");

/// The functions that run often.
const HOT: usize = 12;

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
        ("a callee that is inlined", "x ^ x >> 7", "x ^ x >> 9", 3),
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
        // From then on it has a file of its own.
        let again = program.run(HEADER, &SOURCE.replacen(from, to, 1), &[]);
        assert_eq!(counts(&again), (0, 0), "{what}: {again}");
        assert!(again.number("from_cache") >= HOT as f64, "{what}: {again}");
    }
    // An inline function of a header; a flag.
    let header = program.run(&HEADER.replacen("x * 3", "x * 9", 1), SOURCE, &[]);
    assert_eq!(counts(&header), (2, HOT - 2), "{header}");
    let (optimised, found) = counts(&program.run(HEADER, SOURCE, &["-fwrapv"]));
    assert!(optimised > 0 && optimised + found == HOT, "{optimised} {found}");
    let (optimised, found) = counts(&program.run(HEADER, SOURCE, &["-mavx2"]));
    assert_eq!((optimised, found), (HOT, 0), "other attributes of all functions");
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

#[test]
fn lines_that_have_moved_are_not_shown_wrong() {
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
    // In front of it: found without.
    let before = TRACED.replacen("// Lines", "\n\n// Lines", 1);
    let (shown, found) = line(&scratch, &before);
    assert!(shown.is_none_or(|line| line == expected(&before)), "{shown:?} {found}");
    assert!(found.number("same_content") >= 1.0, "{found}");
}
