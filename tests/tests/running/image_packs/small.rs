//! Packs of images of few modules: they are worth while for much code, come to have what other runs need, and are then left alone.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use autojit_tests::cache::{assert_cold, assert_warm, build, files, only, warm};
use autojit_tests::compile::{How, Link, object};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;

use super::assert_ran;

/// Functions of each half of the program.
const HALF: usize = 100;

/// A program of one module with so many functions in two halves, of which a run with an argument calls the second one, and with two
/// of them a further function.
fn program(scratch: &Scratch, half: usize, flags: &[&str]) -> PathBuf {
    let mut text = String::from("#include <stdio.h>\n");
    for number in 0..2 * half {
        // Some hundred bytes.
        let steps = (0..8).map(|step| format!("n = n * {} + (n >> 3) % 7;\n", number + step + 3));
        let steps: String = steps.collect();
        writeln!(text, "__attribute__((noinline)) unsigned f{number}(unsigned n) {{ {steps} return n; }}")
            .expect("a string");
    }
    let calls = |range: std::ops::Range<usize>| {
        range.map(|number| format!("sum += f{number}(sum);\n")).collect::<String>()
    };
    let (first, second) = (calls(0..half), calls(half..2 * half));
    write!(
        text,
        "__attribute__((noinline)) unsigned more(unsigned n) {{ return n + 1; }}\n\
         int main(int argc, char **argv) {{ (void)argv; unsigned sum = 1;\n\
         if (argc == 1) {{ {first} }} else {{ {second} }}\n if (argc > 2) sum = more(sum);\n\
         printf(\"%d\\n\", sum != 0); return 3; }}\n"
    )
    .expect("a string");
    build(scratch, "program", &text, flags)
}

fn ran(scratch: &Scratch, program: &Path, arguments: &[&str], what: &str) -> Stats {
    let (outcome, stats) = warm(scratch, program, |command| command.args(arguments));
    assert_ran(&outcome, "1\n", what);
    stats
}

/// Checks that a run had everything from the pack, and left it as it was.
#[track_caller]
fn assert_one_file_stays(scratch: &Scratch, program: &Path, arguments: &[&str], what: &str) {
    let pack = only(scratch, ".aji");
    let before = fs::metadata(&pack).and_then(|it| it.modified()).expect("it is there");
    let stats = ran(scratch, program, arguments, what);
    assert_warm(&stats, what);
    let numbers = ["cache_files", "resolver_calls"].map(|key| stats.number(key));
    assert_eq!(numbers, [1.0, 0.0], "{what}: {stats:?}");
    let after = fs::metadata(only(scratch, ".aji")).and_then(|it| it.modified()).expect("it is there");
    assert_eq!(before, after, "{what}: nothing is written");
}

/// Runs the program for the first time, and again, so that it has a pack.
#[track_caller]
fn ran_twice(scratch: &Scratch, program: &Path) {
    assert_cold(&ran(scratch, program, &[], "first"), "first");
    assert!(files(scratch, ".aji").is_empty(), "a run that compiles does not pay for later ones");
    assert_warm(&ran(scratch, program, &[], "second"), "second");
}

#[test]
fn one_module_with_much_code_has_a_pack_from_its_second_run_on() {
    let scratch = Scratch::new("image-pack-one-module");
    let program = program(&scratch, HALF, &["-O0"]);
    ran_twice(&scratch, &program);
    assert_one_file_stays(&scratch, &program, &[], "third");
}

/// Its own file takes less room, and is copied as quickly as pages are mapped.
#[test]
fn one_module_with_little_code_has_none() {
    let scratch = Scratch::new("image-pack-little");
    let program = program(&scratch, 2, &["-O0"]);
    assert_cold(&ran(&scratch, &program, &[], "first"), "first");
    assert_warm(&ran(&scratch, &program, &[], "second"), "second");
    assert!(files(&scratch, ".aji").is_empty());
    only(&scratch, ".ajo");
}

/// What a run had to compile, as nothing had needed it before, is in the file of its module; a run that finds all of that in
/// files adds it to the pack. A suite of tests is such runs.
#[test]
fn what_later_runs_find_in_files_comes_into_the_pack_once() {
    for flags in [&["-O0"][..], &["-O2", "-fno-inline"]] {
        let scratch = Scratch::new(&format!("image-pack-settled{}", flags[0]));
        let program = program(&scratch, HALF, flags);
        ran_twice(&scratch, &program);
        for arguments in [&["second"][..], &["second", "more"]] {
            let pack = fs::read(only(&scratch, ".aji")).expect("it is there");
            let stats = ran(&scratch, &program, arguments, "other functions");
            assert!(stats.compiled() > 0.0 && stats.number("bound") > 0.0, "{stats:?}");
            assert!(fs::read(only(&scratch, ".aji")).expect("it is there") == pack, "it compiles: {stats:?}");
            let stats = ran(&scratch, &program, arguments, "again");
            assert_warm(&stats, "again");
            assert!(stats.number("cache_files") > 1.0, "{stats:?}");
            assert_one_file_stays(&scratch, &program, arguments, "later");
            assert_one_file_stays(&scratch, &program, &[], "the first ones");
        }
    }
}

/// A program in C++: a module with much code, and one with a function that is always called and calls the inline function `all`. With an
/// argument the first module calls it, too, or rather its own copy. Has run without one, twice.
fn with_copies(scratch: &Scratch) -> PathBuf {
    let all = "inline unsigned all(unsigned n) { return n * 3 + 1; }\n";
    let mut text = format!("extern \"C\" int printf(const char *, ...);\n{all}unsigned more(unsigned);\n");
    for number in 0..HALF {
        let steps: String =
            (0..8).map(|step| format!("n = n * {} + (n >> 3) % 7;\n", number + step + 3)).collect();
        writeln!(text, "static unsigned f{number}(unsigned n) {{ {steps} return n; }}").expect("a string");
    }
    let calls: String = (0..HALF).map(|number| format!("sum += f{number}(sum);\n")).collect();
    write!(
        text,
        "static unsigned late(unsigned n) {{ return all(n) + 2; }}\n\
         int main(int argc, char **) {{ unsigned sum = argc; {calls} if (argc > 1) sum = late(sum);\n\
         sum = more(sum); printf(\"%d\\n\", sum != 0); return 3; }}\n"
    )
    .expect("a string");
    let more = format!("{all}unsigned more(unsigned n) {{ return all(n) + 1; }}\n");
    let compile = |(name, text): (&str, String)| {
        object(How::Lazy, &scratch.file(name, text), &["-O0".to_owned()], scratch.path())
    };
    let program = scratch.path().join("copies");
    let objects = [("main.cpp", text), ("more.cpp", more)].map(compile);
    Link { linker: "lld", cxx: false, flags: &[] }.run(&objects, &program);
    ran_twice(scratch, &program);
    program
}

/// Code of the pack calls inline functions directly; what names one later, such as code that the pack lacks, gets its code there,
/// whichever module it is of. So does code that comes into the pack afterwards.
#[test]
fn copies_of_inline_functions_are_found_in_the_pack() {
    let scratch = Scratch::new("image-pack-inline-copies");
    let program = with_copies(&scratch);
    assert_one_file_stays(&scratch, &program, &[], "third");
    let stats = ran(&scratch, &program, &["late"], "late");
    // The file of its own module, as the pack lacks the function, and not that of the other one.
    assert_eq!(["baseline", "cache_files"].map(|key| stats.number(key)), [1.0, 2.0], "{stats:?}");
    // All of the first module's file becomes a group, and the one before is of less use then. What that had of the second module comes
    // back by the same way.
    for what in ["late, again", "for the third time"] {
        assert_warm(&ran(&scratch, &program, &["late"], what), what);
    }
    assert_one_file_stays(&scratch, &program, &["late"], "later");
}
