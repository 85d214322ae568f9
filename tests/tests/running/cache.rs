//! The object cache: what damaged files do, keys, shared code, reading.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use autojit_code::pack;
use autojit_tests::cache::{assert_cold, assert_warm, build, directory, files, only, warm};
use autojit_tests::compile::{How, Link, Toolchain, object, plugin, rustc};
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{Outcome, command, run, tool, warm_command};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;
use xxhash_rust::xxh3::xxh3_64;

/// A small program that prints its number.
fn small(number: u32) -> String {
    format!(
        "#include <stdio.h>\nstatic int twice(int n) {{ return 2 * n; }}\n\
         int main(void) {{ printf(\"%d\\n\", twice({number})); return 3; }}\n"
    )
}

#[track_caller]
fn assert_ran(outcome: &Outcome, text: &str, what: &str) {
    assert_eq!(outcome.status.code(), Some(3), "{what}: {outcome}");
    assert_eq!((outcome.text(), outcome.errors()), (text.to_owned(), String::new()), "{what}");
}

/// Runs `program` with `damaged` in place of the file, which is `whole` otherwise: nothing of it may be bound, and the
/// file must be whole again afterwards.
#[track_caller]
fn assert_refused(scratch: &Scratch, program: &Path, file: &Path, whole: &[u8], damaged: &[u8], what: &str) {
    fs::write(file, damaged).expect("the file is ours");
    let (outcome, stats) = warm(scratch, program, |command| command);
    assert_ran(&outcome, "42\n", what);
    assert_cold(&stats, what);
    assert!(fs::read(file).is_ok_and(|now| now == whole), "{what}: the file is not whole again");
}

#[test]
fn damaged_code_is_compiled_again() {
    let scratch = Scratch::new("cache-damage");
    let program = build(&scratch, "program", &small(21), &["-O1"]);
    warm(&scratch, &program, |command| command);
    let file = only(&scratch, ".ajo");
    let whole = fs::read(&file).expect("it is there");
    // Every byte of the magic, the version, the checksum; then some: shared/code tests all of them without processes.
    let description = whole.windows(4).position(|bytes| bytes == b"\x7fELF").expect("it has one");
    let code = whole[..description].iter().rposition(|byte| *byte != 0).expect("it has code");
    for at in (0..32).chain((32..code).step_by(7)) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        assert_refused(&scratch, &program, &file, &whole, &damaged, &format!("byte {at}"));
    }
    for len in [0, 1, 8, 23, 24, 56, 111, 112, whole.len() / 2, whole.len() - 1] {
        assert_refused(&scratch, &program, &file, &whole, &whole[..len], &format!("the first {len} bytes"));
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert_refused(&scratch, &program, &file, &whole, &longer, "a byte more");
    assert_refused(&scratch, &program, &file, &whole, &[b'x'; 5000], "something else");
    // Why is said at debug level, and only there.
    let other = build(&scratch, "other", &small(4), &["-O1"]);
    warm(&scratch, &other, |command| command);
    let others = files(&scratch, ".ajo").into_iter().find(|(path, _)| *path != file).expect("there are two");
    let others = fs::read(others.0).expect("it is there");
    let mut older = whole.clone();
    older[8] -= 1;
    let mut altered = whole.clone();
    altered[code] ^= 1;
    for (damaged, reason) in [
        (&whole[..100], "it ends within its header"),
        (&whole[..130], "it ends before its code does"),
        (&whole[..whole.len() - 1], "it ends before its names do"),
        (&altered, "its checksum is another"),
        (&[7; 300], "it is no cache file of autojit"),
        (&older, "it has version"),
        (&misplace_fixups(&whole), "fixups that lead out of the unit"),
        (&others, "it holds other code than its name says"),
    ] {
        fs::write(&file, damaged).expect("the file is ours");
        let (outcome, stats) = warm(&scratch, &program, |command| command.env("AUTOJIT_LOG", "debug"));
        assert_eq!((outcome.assert_code(3).text(), stats.number("from_cache")), ("42\n".to_owned(), 0.0));
        assert!(outcome.errors().contains(reason), "no '{reason}': {outcome}");
        assert_warm(&warm(&scratch, &program, |command| command).1, reason);
    }
    // Nothing relies on the names.
    for at in (description..whole.len()).step_by(97) {
        let mut damaged = whole.clone();
        damaged[at] = 0xff;
        fs::write(&file, damaged).expect("the file is ours");
        let (outcome, stats) = warm(&scratch, &program, |command| command);
        assert_ran(&outcome, "42\n", &format!("byte {at}"));
        assert_warm(&stats, &format!("byte {at}"));
    }
}

/// Has every site of a fixup in a cache file lie outside its code, under a checksum that is right
/// (docs/cache-format.md).
fn misplace_fixups(file: &[u8]) -> Vec<u8> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("4 bytes")) as usize;
    let (externals, got, groups, sites) = (word(88), word(92), word(96), word(100));
    let first = 124 + externals * 16 + got * 8 + groups * 12;
    assert!(sites > 0, "it calls printf");
    let mut bytes = file.to_vec();
    bytes[first..first + sites * 4].fill(0xff);
    let code = pack::code_len(&bytes).expect("it is whole");
    let checksum = xxh3_64(&bytes[24..code]);
    bytes[16..24].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Prints the names and, with -g, the lines of its stack on standard error.
const STACK: &str = r#"
fn main() {
    inner(std::env::args().count());
}
#[inline(never)]
fn inner(count: usize) {
    println!("{}", std::backtrace::Backtrace::force_capture());
    std::process::exit(2 + count as i32);
}
"#;

/// How often the source of STACK is in the output.
fn lines(outcome: &Outcome) -> usize {
    assert_eq!(outcome.status.code(), Some(3), "{outcome}");
    outcome.text().matches("stack.rs:").count()
}

#[test]
fn lines_are_kept_with_their_code() {
    let scratch = Scratch::new("cache-lines");
    let source = scratch.file("stack.rs", STACK);
    let program = scratch.path().join("stack");
    let mut compiler = rustc(How::Lazy, Toolchain::Stable);
    tool(
        compiler.args(["--edition", "2024", "-g", "-Ccodegen-units=1"]).arg(&source).arg("-o").arg(&program),
    );
    // Those of the baseline compiler's code are made again instead.
    let warm = || warm(&scratch, &program, |command| command.env("AUTOJIT_BASELINE", "off"));
    let (cold, _) = warm();
    assert!(lines(&cold) >= 2, "{cold}");
    let (again, stats) = warm();
    assert_warm(&stats, "lines");
    again.assert_same(&cold, "cold and warm stacks");
    let (code, lines_file) = (only(&scratch, ".ajo"), only(&scratch, ".ajl"));
    let whole = fs::read(&lines_file).expect("it is there");
    let mut other_code = whole.clone();
    other_code[56] ^= 1;
    // What the header shows: the code is not used without its lines.
    for (damaged, what) in
        [(Some(&whole[..40]), "cut"), (None, "none"), (Some(&other_code[..]), "of other code")]
    {
        match damaged {
            Some(bytes) => fs::write(&lines_file, bytes).expect("the file is ours"),
            None => fs::remove_file(&lines_file).expect("the file is ours"),
        }
        let (outcome, stats) = warm();
        outcome.assert_same(&cold, what);
        assert_cold(&stats, what);
        let (outcome, stats) = warm();
        outcome.assert_same(&cold, what);
        assert_warm(&stats, what);
    }
    // What only reading them shows, when they are wanted: this stack has none, the next one has.
    let mut damaged = whole.clone();
    *damaged.last_mut().expect("it is long") ^= 1;
    fs::write(&lines_file, damaged).expect("the file is ours");
    let (outcome, _) = warm();
    assert_eq!(lines(&outcome), 0, "{outcome}");
    assert!(outcome.stderr.is_empty() && !code.exists() && !lines_file.exists(), "{outcome}");
    warm().0.assert_same(&cold, "after damage");
    let (outcome, stats) = warm();
    outcome.assert_same(&cold, "healed");
    assert_warm(&stats, "healed");
}

#[test]
fn new_code_never_meets_old() {
    let scratch = Scratch::new("cache-edit");
    for number in [1, 2, 3] {
        let program = build(&scratch, "program", &small(number), &["-O1"]);
        let (outcome, stats) = warm(&scratch, &program, |command| command);
        assert_ran(&outcome, &format!("{}\n", 2 * number), "edited");
        assert_cold(&stats, "edited");
    }
    // The same relative path in two directories.
    let compile = |place: &str, number| {
        let directory = scratch.directory(place);
        fs::write(directory.join("main.c"), small(number)).expect("the directory is ours");
        let flag = format!("-fpass-plugin={}", plugin().display());
        tool(command(CLANG).args([&flag, "-O1", "main.c", "-o", "main"]).current_dir(&directory));
        directory.join("main")
    };
    for (place, number) in [("one", 10), ("two", 20)] {
        let program = compile(place, number);
        let (outcome, stats) = warm(&scratch, &program, |command| command);
        assert_ran(&outcome, &format!("{}\n", 2 * number), place);
        assert_cold(&stats, place);
        assert_warm(&warm(&scratch, &program, |command| command).1, place);
    }
    assert_eq!(files(&scratch, "").len(), 5);
}

#[test]
fn levels_have_their_own_code() {
    let scratch = Scratch::new("cache-levels");
    let program = build(&scratch, "program", &small(21), &["-O1"]);
    for count in [1, 2, 3] {
        // An empty value is as good as none.
        let level = ["", "0", "2"][count - 1];
        let run = || warm(&scratch, &program, |command| command.env("AUTOJIT_OPT", level)).1;
        assert_cold(&run(), "first");
        assert_warm(&run(), "second");
        assert_eq!(files(&scratch, "").len(), count);
    }
}

#[test]
fn a_disabled_cache_is_neither_read_nor_written() {
    let scratch = Scratch::new("cache-disabled");
    let program = build(&scratch, "program", &small(21), &["-O1"]);
    for warm_first in [false, true] {
        if warm_first {
            warm(&scratch, &program, |command| command);
        }
        let before = files(&scratch, "");
        let (outcome, stats) =
            warm(&scratch, &program, |command| command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1"));
        assert_ran(&outcome, "42\n", "disabled");
        assert_cold(&stats, "disabled");
        assert_eq!((stats.number("cached"), files(&scratch, "")), (0.0, before));
        assert_eq!(directory(scratch.path()).exists(), warm_first);
    }
}

#[test]
fn programs_share_modules_and_later_runs_add() {
    let scratch = Scratch::new("cache-shared");
    let compile = |name: &str, text: &str| {
        let source = scratch.file(&format!("{name}.c"), text);
        object(How::Lazy, &source, &["-O1".to_owned()], scratch.path())
    };
    let part = compile("part", "int one(int n) { return n + 1; }\nint two(int n) { return n * 2; }\n");
    let link = |name: &str| {
        let main = compile(
            name,
            &format!(
                "#include <stdio.h>\nint one(int), two(int);\nint main(int argc, char **argv) {{ (void)argv;\n\
                 printf(\"{name} %d\\n\", argc > 1 ? two(argc) : one(argc)); return 3; }}\n"
            ),
        );
        let output = scratch.path().join(format!("{name}.program"));
        Link { linker: "lld", cxx: false, flags: &[] }.run(&[main, part.clone()], &output);
        output
    };
    let (first, second) = (link("first"), link("second"));
    assert_cold(&warm(&scratch, &first, |command| command).1, "first");
    let (outcome, stats) = warm(&scratch, &second, |command| command);
    assert_ran(&outcome, "second 2\n", "second");
    assert!(stats.number("from_cache") > 0.0 && stats.compiled() > 0.0, "{stats:?}");
    // What the first program calls only with an argument, the second one then has.
    let (outcome, stats) = warm(&scratch, &first, |command| command.arg("more"));
    assert_ran(&outcome, "first 4\n", "more");
    assert!(stats.number("from_cache") > 0.0 && stats.number("resolver_calls") <= 3.0, "{stats:?}");
    for program in [&first, &second] {
        for argument in [None, Some("more")] {
            let (outcome, stats) = warm(&scratch, program, |command| command.args(argument));
            assert_eq!(outcome.status.code(), Some(3), "{outcome}");
            assert_warm(&stats, "all of it");
            assert!(stats.number("resolver_calls") <= 2.0, "{stats:?}");
        }
    }
    assert_eq!(files(&scratch, ".ajo").len(), 3);
}

/// Code of LLVM's is in files of modules in any case.
fn with_llvm(command: &mut Command) -> &mut Command {
    command.env("AUTOJIT_BASELINE", "off")
}

/// Modules of the program below: as many as the test's time allows.
const MODULES: usize = 78;

#[test]
fn files_of_modules_are_not_opened_one_by_one() {
    let scratch = Scratch::new("cache-many");
    let mut main = String::from("#include <stdio.h>\n#include <stdlib.h>\n");
    for number in 0..MODULES {
        scratch.file(&format!("f{number}.c"), format!("int f{number}(int n) {{ return n + {number}; }}\n"));
        writeln!(main, "int f{number}(int);").expect("a string");
    }
    main += "int main(int argc, char **argv) { int all = 0; if (argc > 1) {\n";
    (0..MODULES).for_each(|number| writeln!(main, "all += f{number}(argc);").expect("a string"));
    main += "} else all = f3(1) + f14(1) + f77(1);\nprintf(\"%d\\n\", all); (void)argv; return 3; }\n";
    scratch.file("main.c", main);
    let mut clang = command(CLANG);
    clang.arg(format!("-fpass-plugin={}", plugin().display())).args(["-O0", "-c", "main.c"]);
    tool(clang.args((0..MODULES).map(|number| format!("f{number}.c"))).current_dir(scratch.path()));
    let program = scratch.path().join("program");
    let objects: Vec<_> = (0..MODULES).map(|number| scratch.path().join(format!("f{number}.o"))).collect();
    let objects = [objects, vec![scratch.path().join("main.o")]].concat();
    Link { linker: "lld", cxx: false, flags: &[] }.run(&objects, &program);

    let (outcome, stats) = warm(&scratch, &program, |command| with_llvm(command).arg("all"));
    assert_ran(&outcome, &format!("{}\n", MODULES * (MODULES - 1) / 2 + 2 * MODULES), "all");
    assert_cold(&stats, "all");
    assert_eq!(files(&scratch, ".ajo").len(), MODULES + 1);
    // Without the image pack: only modules that are entered are read.
    fs::remove_file(only(&scratch, ".aji")).expect("it is ours");
    let mut strace = warm_command("strace", scratch.path());
    with_llvm(&mut strace).args(["-f", "-o", "trace", "-e", "trace=openat"]).arg(&program);
    assert_ran(&run(&mut strace, scratch.path(), b""), "97\n", "three");
    let stats = Stats::read(&scratch.path().join("stats"));
    assert_warm(&stats, "three");
    assert_eq!((stats.number("bound"), stats.number("resolver_calls")), (4.0, 4.0), "{stats:?}");
    let trace = fs::read_to_string(scratch.path().join("trace")).expect("strace writes it");
    // The image pack is looked for, and made in the end.
    let found = |line: &&str| line.contains(".ajo") && !line.contains("ENOENT");
    let found: Vec<_> = trace.lines().filter(found).collect();
    assert_eq!(found.len(), 4, "{found:?}");
    // It has what any run has needed, and one file is opened.
    assert_warm(&warm(&scratch, &program, |command| with_llvm(command).arg("all")).1, "all");
    let (outcome, stats) = warm(&scratch, &program, with_llvm);
    assert_ran(&outcome, "97\n", "three");
    assert_eq!(stats.number("cache_files"), 1.0, "{stats:?}");
}
