//! Image packs: later runs of a program of many modules open one file of the cache, whatever was edited, linked in another
//! order, damaged or written at once.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_code::image_pack::{self, Index, NONE, ReferenceKind};
use autojit_tests::cache::{assert_cold, assert_warm, files, only, warm};
use autojit_tests::compile::{Link, plugin};
use autojit_tests::daemon;
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{Outcome, by_llvm, command, run, tool, warm_command};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

mod large;
mod mapped;
mod small;

/// Modules beside `main`.
const MODULES: usize = 12;
/// Functions of each that others call: together more than one group has.
const FUNCTIONS: usize = 21;

/// A module: its functions call those of the next, by name and by address, and a static one.
fn module(number: usize, add: usize) -> String {
    let next = number + 1;
    let mut text = String::from("#include <string.h>\nstatic int twice(int n) { return n * 2; }\n");
    for function in 0..FUNCTIONS {
        writeln!(
            text,
            "int f{next}_{function}(int);\nint f{number}_{function}(int n) {{\n\
             int (*far)(int) = f{next}_{function};\nif (n & 1) return f{next}_{function}(n + 1) + {add};\n\
             return far(n / 2 * 2 + 1) + twice(n) - 2 * n + (int)strlen(\"{number}\") - {};\n}}",
            if number < 10 { 1 } else { 2 }
        )
        .expect("a string");
    }
    text
}

/// What the program prints if each module adds one, and `edited` modules two.
fn expected(edited: usize) -> String {
    // Every other module is called with an odd number.
    format!("{}\n", FUNCTIONS * (MODULES / 2 + edited))
}

/// Writes the sources of the program and compiles them.
fn compile(scratch: &Scratch, flags: &[&str]) {
    for number in 0..MODULES {
        scratch.file(&format!("f{number}.c"), module(number, 1));
    }
    let (mut main, mut last) = (String::from("#include <stdio.h>\n"), String::new());
    for function in 0..FUNCTIONS {
        writeln!(main, "int f0_{function}(int);").expect("a string");
        writeln!(last, "int f{MODULES}_{function}(int n) {{ (void)n; return 0; }}").expect("a string");
    }
    main += "int main(void) { int sum = 0;\n";
    (0..FUNCTIONS).for_each(|function| writeln!(main, "sum += f0_{function}(1);").expect("a string"));
    main += "printf(\"%d\\n\", sum); return 3; }\n";
    scratch.file("main.c", main);
    scratch.file(&format!("f{MODULES}.c"), last);
    compile_some(scratch, flags, &names());
}

fn names() -> Vec<String> {
    (0..=MODULES).map(|number| format!("f{number}")).chain(["main".to_owned()]).collect()
}

fn compile_some(scratch: &Scratch, flags: &[&str], names: &[String]) {
    let mut clang = command(CLANG);
    clang.arg(format!("-fpass-plugin={}", plugin().display())).args(flags).arg("-c");
    tool(clang.args(names.iter().map(|name| format!("{name}.c"))).current_dir(scratch.path()));
}

fn link(scratch: &Scratch, names: &[String], flags: &[&str], output: &str) -> PathBuf {
    let objects: Vec<_> = names.iter().map(|name| scratch.path().join(format!("{name}.o"))).collect();
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let output = scratch.path().join(output);
    Link { linker: "lld", cxx: false, flags: &flags }.run(&objects, &output);
    output
}

#[track_caller]
fn assert_ran(outcome: &Outcome, text: &str, what: &str) {
    assert_eq!(outcome.status.code(), Some(3), "{what}: {outcome}");
    assert_eq!((outcome.text(), outcome.errors()), (text.to_owned(), String::new()), "{what}");
}

/// Runs the program with LLVM compiling all of it; it prints `text`.
#[track_caller]
fn ran_by_llvm(scratch: &Scratch, program: &Path, text: &str, what: &str) -> Stats {
    let (outcome, stats) = warm(scratch, program, |command| command.env("AUTOJIT_BASELINE", "off"));
    assert_ran(&outcome, text, what);
    stats
}

/// Runs the program, which prints `text`.
#[track_caller]
fn ran(scratch: &Scratch, program: &Path, text: &str, what: &str) -> Stats {
    let (outcome, stats) = warm(scratch, program, |command| command);
    assert_ran(&outcome, text, what);
    stats
}

/// Checks that a run bound everything from the image pack.
#[track_caller]
fn assert_one_file(stats: &Stats, what: &str) {
    assert_warm(stats, what);
    assert_eq!(stats.number("cache_files"), 1.0, "{what}: {stats:?}");
}

/// All functions: with a static one in each module, and `main`.
const ALL: usize = MODULES * (FUNCTIONS + 1) + FUNCTIONS + 1;
/// Those that are called: modules that are entered with odd numbers do not call their static function.
const CALLED: usize = ALL - MODULES / 2;

#[test]
fn later_runs_open_one_file() {
    let scratch = Scratch::new("image-pack-one-file");
    compile(&scratch, &["-O0", "-g"]);
    let program = link(&scratch, &names(), &[], "program");
    let stats = ran(&scratch, &program, &expected(0), "first");
    assert_cold(&stats, "first");
    only(&scratch, ".aji");
    let stats = ran(&scratch, &program, &expected(0), "second");
    assert_one_file(&stats, "second");
    assert_eq!(stats.number("bound"), CALLED as f64, "{stats:?}");
    // A call for each group behind the first, not for each module.
    assert!(stats.number("resolver_calls") <= 3.0, "{stats:?}");
    let trace = trace(&scratch, warm_command("strace", scratch.path()), &program, &expected(0));
    let opened: Vec<_> = trace.lines().filter(|line| line.contains("/cache/code")).collect();
    assert_eq!(opened.len(), 1, "{opened:?}");
    // Of the loader, the program and the runtime together; a file for each module would add eight times as many.
    assert!(trace.lines().count() < 130, "{trace}");
}

/// What `strace`, one of [`command`]'s or [`warm_command`]'s, says of a run of `program`: a line for each system call, mostly.
fn trace(scratch: &Scratch, mut strace: Command, program: &Path, text: &str) -> String {
    strace.args(["-f", "-o", "trace"]).arg(program).env_remove("AUTOJIT_STATS").current_dir(scratch.path());
    assert_ran(&run(&mut strace, scratch.path(), b""), text, "traced");
    fs::read_to_string(scratch.path().join("trace")).expect("strace writes it")
}

/// The cost for programs that build systems start by the thousand: everything that they need is bound when the
/// executable registers, so that no first call comes to the resolver, and at the end nothing is looked at.
#[test]
fn later_runs_of_small_programs_make_few_system_calls() {
    /// Opening and reading the name of the tracer.
    const TRACER: usize = 3;
    /// Those of a run without one.
    const MOST: usize = 39;
    let scratch = Scratch::new("image-pack-system-calls");
    let mut main = String::from("#include <stdio.h>\n");
    (0..MODULES).for_each(|number| writeln!(main, "int f{number}(int);").expect("a string"));
    main += "int main(void) { int sum = 0;\n";
    (0..MODULES).for_each(|number| writeln!(main, "sum += f{number}(sum);").expect("a string"));
    main += "printf(\"%d\\n\", sum); return 3; }\n";
    scratch.file("main.c", main);
    let mut names = vec!["main".to_owned()];
    for number in 0..MODULES {
        scratch.file(&format!("f{number}.c"), format!("int f{number}(int n) {{ return {number} - n; }}\n"));
        names.push(format!("f{number}"));
    }
    compile_some(&scratch, &["-O0"], &names);
    let program = link(&scratch, &names, &[], "program");
    tool(
        command(CLANG)
            .args(names.iter().map(|name| format!("{name}.c")))
            .args(["-o", "plain"])
            .current_dir(scratch.path()),
    );
    assert_cold(&ran(&scratch, &program, "11\n", "first"), "first");
    let stats = ran(&scratch, &program, "11\n", "second");
    assert_one_file(&stats, "second");
    assert_eq!(stats.number("bound"), (MODULES + 1) as f64, "{stats:?}");
    assert_eq!(stats.number("resolver_calls"), 0.0, "{stats:?}");
    // Where addresses below the program are taken, which is by chance, the runtime looks for others.
    let lazy = (0..3).map(|_| trace(&scratch, warm_command("strace", scratch.path()), &program, "11\n"));
    let lazy = lazy.min_by_key(|trace| trace.lines().count()).expect("there are three");
    let plain = trace(&scratch, command("strace"), &scratch.path().join("plain"), "11\n");
    assert!(lazy.lines().count() <= plain.lines().count() + TRACER + MOST, "{plain}\n{lazy}");

    // The same if a wrapper has linked the runtime: the loader opens it without a search.
    let sources = names.iter().map(|name| format!("{name}.c"));
    let mut wrapper = command(dist("bin/autojit-cc"));
    tool(wrapper.args(sources).args(["-O0", "-o", "linked"]).current_dir(scratch.path()));
    let linked = scratch.path().join("linked");
    let mut traces = (0..4).map(|_| {
        let mut strace = warm_command("strace", scratch.path());
        strace.env_remove("LD_PRELOAD");
        trace(&scratch, strace, &linked, "11\n")
    });
    let cold = traces.next().expect("there are four");
    let lazy = traces.min_by_key(|trace| trace.lines().count()).expect("there are three");
    assert!(lazy.lines().count() < cold.lines().count(), "{cold}\n{lazy}");
    assert!(lazy.lines().count() <= plain.lines().count() + TRACER + MOST, "{plain}\n{lazy}");
}

#[test]
fn baseline_code_has_packs_of_its_own() {
    let scratch = Scratch::new("image-pack-baseline");
    compile(&scratch, &["-O0"]);
    let program = link(&scratch, &names(), &[], "program");
    let with = |value: &str, what: &str| {
        let (outcome, stats) = warm(&scratch, &program, |command| command.env("AUTOJIT_BASELINE", value));
        assert_ran(&outcome, &expected(0), what);
        stats
    };
    let stats = with("on", "first");
    let called = CALLED as f64;
    assert_eq!(["baseline", "cached", "compiled"].map(|key| stats.number(key)), [called, called, 0.0]);
    only(&scratch, ".aji");
    let stats = with("on", "second");
    assert_one_file(&stats, "second");
    assert_eq!(["baseline", "bound"].map(|key| stats.number(key)), [0.0, called], "{stats:?}");
    // Nor does the engine's code meet it.
    assert_cold(&with("off", "without"), "without");
    assert_warm(&with("off", "without, again"), "without, again");
    assert_eq!(files(&scratch, ".aji").len(), 2);
    assert_one_file(&with("on", "last"), "last");
}

/// Once all modules were to be compiled by the baseline compiler, then only those that are not to be optimised.
#[test]
fn optimised_builds_do_not_meet_baseline_code() {
    let scratch = Scratch::new("image-pack-auto");
    compile(&scratch, &["-O1", "-fno-inline"]);
    let program = link(&scratch, &names(), &[], "program");
    let with = |value: &str, what: &str| {
        let (outcome, stats) = warm(&scratch, &program, |command| {
            command.env("AUTOJIT_BASELINE", value).env("AUTOJIT_TIER", "off")
        });
        assert_ran(&outcome, &expected(0), what);
        stats
    };
    assert!(with("on", "first").number("baseline") > 0.0);
    assert_one_file(&with("on", "second"), "second");
    let stats = with("auto", "third");
    assert_cold(&stats, "third");
    assert_eq!(stats.number("baseline"), 0.0, "{stats:?}");
}

#[test]
fn few_modules_of_many_are_in_one_file() {
    let scratch = Scratch::new("image-pack-few");
    let mut names = vec!["main".to_owned()];
    for number in 0..MODULES {
        scratch.file(&format!("f{number}.c"), format!("int f{number}(int n) {{ return {number} - n; }}\n"));
        names.push(format!("f{number}"));
    }
    scratch.file(
        "main.c",
        "#include <stdio.h>\nint f1(int), f9(int);\nint main(void) { printf(\"%d\\n\", f9(f1(2))); return 3; }\n",
    );
    compile_some(&scratch, &["-O0"], &names);
    let program = link(&scratch, &names, &[], "program");
    assert_cold(&ran(&scratch, &program, "10\n", "first"), "first");
    let stats = ran(&scratch, &program, "10\n", "second");
    assert_one_file(&stats, "second");
    assert_eq!(stats.number("bound"), 3.0, "{stats:?}");
    assert_eq!(stats.number("resolver_calls"), 0.0, "{stats:?}");
    // Of three modules two are edited.
    scratch.file("f1.c", "int f1(int n) { return 2 - n; }\n");
    scratch.file("f9.c", "int f9(int n) { return 7 - n; }\n");
    compile_some(&scratch, &["-O0"], &["f1".to_owned(), "f9".to_owned()]);
    link(&scratch, &names, &[], "program");
    assert_eq!(ran(&scratch, &program, "7\n", "edited").compiled(), 2.0);
    // The pack is linked for the image as it is now, so that they come into it; the code of `main` was among much that is gone,
    // and nowhere else.
    assert_eq!(ran(&scratch, &program, "7\n", "edited, again").compiled(), 1.0);
    assert_eq!(files(&scratch, ".ajo").len(), 3, "of what had to be compiled again");
    let stats = ran(&scratch, &program, "7\n", "edited, later");
    assert_warm(&stats, "edited, later");
    assert_eq!(stats.number("cache_files"), 2.0, "the pack, and the file of one module: {stats:?}");
    assert_one_file(&ran(&scratch, &program, "7\n", "edited, settled"), "edited, settled");
    only(&scratch, ".aji");
}

/// What the baseline compiler makes is in the first pack alone: files of modules take longer to write than it took to make.
#[test]
fn first_runs_write_one_file() {
    let scratch = Scratch::new("image-pack-alone");
    compile(&scratch, &["-O0"]);
    let program = link(&scratch, &names(), &[], "program");
    let stats = ran(&scratch, &program, &expected(0), "first");
    assert_cold(&stats, "first");
    assert_eq!(stats.number("cached"), CALLED as f64, "{stats:?}");
    only(&scratch, ".aji");
    assert!(files(&scratch, ".ajo").is_empty());
    assert_one_file(&ran(&scratch, &program, &expected(0), "second"), "second");
    // Code that takes LLVM milliseconds is for other programs as well.
    ran_by_llvm(&scratch, &program, &expected(0), "LLVM's");
    assert_eq!(files(&scratch, ".ajo").len(), MODULES + 2);
}

#[test]
fn an_edit_leaves_the_rest() {
    let scratch = Scratch::new("image-pack-edit");
    compile(&scratch, &["-O0"]);
    let program = link(&scratch, &names(), &[], "program");
    ran(&scratch, &program, &expected(0), "first");
    // The numbers of its functions change, too.
    scratch.file("f6.c", format!("int before(void) {{ return 7; }}\n{}", module(6, 2)));
    compile_some(&scratch, &["-O0"], &["f6".to_owned()]);
    link(&scratch, &names(), &[], "program");
    let stats = ran(&scratch, &program, &expected(1), "edited");
    // It is called with odd numbers only, and does not call its static function.
    assert_eq!(stats.compiled(), FUNCTIONS as f64, "{stats:?}");
    assert_eq!(stats.number("cache_files"), 1.0, "{stats:?}");
    // The pack is linked for the image as it is now, with what the module has instead.
    assert_one_file(&ran(&scratch, &program, &expected(1), "edited, again"), "edited, again");
    // All of them but the last one and `main`.
    for number in 0..MODULES {
        scratch.file(&format!("f{number}.c"), module(number, 2));
    }
    compile_some(&scratch, &["-O0"], &names());
    link(&scratch, &names(), &[], "program");
    let stats = ran(&scratch, &program, &expected(MODULES / 2), "many edits");
    assert_eq!(stats.compiled(), (CALLED - FUNCTIONS - 1) as f64, "{stats:?}");
    // It takes a run or two until what is of use is together again.
    ran(&scratch, &program, &expected(MODULES / 2), "many edits, again");
    let stats = ran(&scratch, &program, &expected(MODULES / 2), "many edits, later");
    assert_warm(&stats, "later");
    // The two that were not edited had their code among much that is gone.
    assert!(stats.number("cache_files") <= 3.0, "{stats:?}");
    assert_eq!(files(&scratch, ".aji").len(), 1);
}

#[test]
fn groups_that_are_written_again_keep_their_slots() {
    const HALF: usize = 10;
    let scratch = Scratch::new("image-pack-slots");
    let mut main = String::from("#include <stdio.h>\n");
    for number in 0..2 * HALF {
        scratch.file(&format!("m{number}.c"), format!("int m{number}(int n) {{ return n + {number}; }}\n"));
        writeln!(main, "int m{number}(int);").expect("a string");
    }
    let calls = |range: std::ops::Range<usize>| {
        range.map(|number| format!("sum = m{number}(sum);\n")).collect::<String>()
    };
    let (always, rarely) = (calls(0..HALF), calls(HALF..2 * HALF));
    write!(main, "int main(int argc, char **argv) {{ (void)argv; int sum = 0;\n{always}").expect("a string");
    writeln!(main, "if (argc > 1) {{ {rarely} }}\nprintf(\"%d\\n\", sum); return 3; }}").expect("a string");
    scratch.file("main.c", main);
    let names: Vec<_> = (0..2 * HALF).map(|number| format!("m{number}")).chain(["main".to_owned()]).collect();
    compile_some(&scratch, &["-O0"], &names);
    let program = link(&scratch, &names, &[], "program");
    ran(&scratch, &program, "45\n", "first");
    let (outcome, stats) = warm(&scratch, &program, |command| command.arg("more"));
    assert_ran(&outcome, "190\n", "more");
    assert_eq!(stats.compiled(), HALF as f64, "{stats:?}");

    let bytes = fs::read(only(&scratch, ".aji")).expect("it is there");
    let head = &bytes[..image_pack::packs_at(&bytes).expect("it is whole")];
    let key = bytes[24..].first_chunk().expect("it is longer");
    let index = Index::open(head, bytes.len(), key).expect("it is whole");
    assert_eq!(index.groups.len(), 2);
    for (group, functions) in [HALF + 1, HALF].into_iter().enumerate() {
        let references = index.references(group).expect("they are whole");
        let stubs = references.iter().flatten().filter(|it| it.kind == ReferenceKind::Stub);
        let known = stubs.filter(|it| it.slot != NONE).count();
        // The first group names what others of its functions call.
        assert!(known >= functions, "group {group}: {known} of {functions}");
    }
    assert_one_file(&ran(&scratch, &program, "45\n", "later"), "later");
}

#[test]
fn modules_are_found_wherever_they_are() {
    let scratch = Scratch::new("image-pack-order");
    compile(&scratch, &["-O1"]);
    let program = link(&scratch, &names(), &[], "program");
    ran(&scratch, &program, &expected(0), "first");
    let reversed: Vec<_> = names().into_iter().rev().collect();
    link(&scratch, &reversed, &[], "program");
    assert_one_file(&ran(&scratch, &program, &expected(0), "in another order"), "in another order");
    // Other modules in front of all, of which a static constructor runs first.
    scratch.file("new.c", "int value;\n__attribute__((constructor)) static void set(void) { value = 1; }\nint get(void) { return value; }\n");
    compile_some(&scratch, &["-O1"], &["new".to_owned()]);
    link(&scratch, &[vec!["new".to_owned()], reversed].concat(), &[], "program");
    assert_one_file(&ran(&scratch, &program, &expected(0), "with another module"), "with another module");
    // A copy has a pack of its own, made of the files of the modules.
    let copy = scratch.path().join("copy");
    fs::copy(&program, &copy).expect("the directory is ours");
    let stats = ran(&scratch, &copy, &expected(0), "copy");
    assert_warm(&stats, "copy");
    assert!(stats.number("cache_files") > MODULES as f64, "{stats:?}");
    assert_one_file(&ran(&scratch, &copy, &expected(0), "copy, again"), "copy, again");
    assert_eq!(files(&scratch, ".aji").len(), 2);
}

#[test]
fn damage_costs_files_and_nothing_else() {
    let scratch = Scratch::new("image-pack-damage");
    // LLVM's code has lines in the pack.
    compile(&scratch, &["-O0", "-g"]);
    let program = link(&scratch, &names(), &[], "program");
    ran_by_llvm(&scratch, &program, &expected(0), "first");
    let file = only(&scratch, ".aji");
    let whole = fs::read(&file).expect("it is there");
    let packs = whole.windows(8).position(|bytes| bytes == b"AJCODE\0\0").expect("it has code");
    let lines = whole.windows(8).position(|bytes| bytes == b"AJLINES\0").expect("it has lines");
    let check = |damaged: &[u8], used: bool, what: &str| {
        fs::write(&file, damaged).expect("the file is ours");
        let stats = ran_by_llvm(&scratch, &program, &expected(0), what);
        assert_warm(&stats, what);
        assert_eq!(stats.number("cache_files") == 1.0, used, "{what}: {stats:?}");
    };
    let flipped = |at: usize| {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        damaged
    };
    for at in [0, 8, 12, 16, 24, 56, 60, 64, 72, 80, 113, 119, 500, 2000] {
        check(&flipped(at), false, &format!("byte {at}"));
    }
    for len in [0, 7, 79, 80, 300, packs, packs + 100, lines, whole.len() - 1] {
        check(&whole[..len], false, &format!("the first {len} bytes"));
    }
    let head = &whole[..image_pack::packs_at(&whole).expect("it is whole")];
    let index = Index::open(head, whole.len(), whole[24..].first_chunk().expect("it is longer"));
    let index = index.expect("it is whole");
    // Without tables of what was linked ahead, groups are bound one by one.
    let ahead = index.ahead.expect("it was linked ahead");
    for at in [ahead.tables, ahead.tables + ahead.tables_len - 1] {
        check(&flipped(at), true, "a table");
    }
    // Only then their packs are read.
    for at in [packs - 4096, packs + 1, packs + 200, lines] {
        let mut damaged = flipped(at);
        check(&damaged, true, &format!("byte {at}, mapped"));
        damaged[ahead.tables] ^= 1;
        check(&damaged, false, &format!("byte {at}"));
    }
    // Nothing asks for lines in this run.
    let end = index.groups.last().expect("there are some").lines.end;
    let mut damaged = flipped(end - 1);
    damaged[ahead.tables] ^= 1;
    check(&damaged, true, "the end of the lines");
    check(&whole, true, "whole");
    // Another user's, or one that others can write.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("the file is ours");
    let stats = ran_by_llvm(&scratch, &program, &expected(0), "not private");
    assert!(stats.number("cache_files") > 1.0, "{stats:?}");
}

#[test]
fn libraries_have_packs_of_their_own() {
    let scratch = Scratch::new("image-pack-library");
    compile(&scratch, &["-O0", "-fPIC"]);
    link(&scratch, &names()[..=MODULES], &["-shared"], "libmany.so");
    let directory = scratch.path().display().to_string();
    let program = scratch.path().join("linked");
    let flags = [format!("-L{directory}"), "-lmany".into(), format!("-Wl,-rpath,{directory}")];
    let object = scratch.path().join("main.o");
    Link { linker: "lld", cxx: false, flags: &flags }.run(&[object], &program);
    ran(&scratch, &program, &expected(0), "first");
    only(&scratch, ".aji");
    let stats = ran(&scratch, &program, &expected(0), "second");
    assert_warm(&stats, "second");
    // That of the library, and the code of `main`.
    assert_eq!(stats.number("cache_files"), 2.0, "{stats:?}");
    // The same library for another program, which opens it and closes it, twice.
    let text = format!(
        "#include <dlfcn.h>\n#include <stdio.h>\nint main(void) {{ int sum = 0;\n\
         for (int round = 0; round < 2; round++) {{ void *library = dlopen(\"{directory}/libmany.so\", RTLD_NOW);\n\
         int (*f)(int) = (int (*)(int))dlsym(library, \"f0_3\");\nsum += f(1); dlclose(library); }}\n\
         printf(\"%d\\n\", sum); return 3; }}\n"
    );
    let opener = autojit_tests::cache::build(&scratch, "opener", &text, &["-O0"]);
    let twice = format!("{MODULES}\n");
    ran(&scratch, &opener, &twice, "opener");
    let stats = ran(&scratch, &opener, &twice, "opener, again");
    assert_warm(&stats, "opener, again");
    assert_eq!(stats.number("cache_files"), 2.0, "the library's, twice: {stats:?}");
}

#[test]
fn packs_come_about_with_a_daemon() {
    let scratch = Scratch::new("image-pack-daemon");
    compile(&scratch, &["-O0"]);
    let program = link(&scratch, &names(), &[], "program");
    let run = |what: &str| {
        let mut command = by_llvm(warm_command(&program, scratch.path()));
        command.env("AUTOJIT_MODE", "daemon").env("AUTOJIT_SOCKET_PATH", daemon::shared());
        assert_ran(&run(&mut command, scratch.path(), b""), &expected(0), what);
        Stats::read(&scratch.path().join("stats"))
    };
    let stats = run("first");
    assert!(stats.number("from_daemon") > 0.0, "{stats:?}");
    let stats = run("second");
    assert_eq!((stats.number("from_daemon"), stats.number("cache_files")), (0.0, 1.0), "{stats:?}");
    assert_eq!(stats.number("bound"), ALL as f64, "{stats:?}");
}

#[test]
fn writers_at_once_and_children() {
    let scratch = Scratch::new("image-pack-writers");
    compile(&scratch, &["-O0"]);
    let program = link(&scratch, &names(), &[], "program");
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (scratch, program) = (&scratch, &program);
            scope.spawn(move || {
                let place = scratch.directory(&number.to_string());
                let mut lazy = warm_command(program, &place);
                lazy.env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"));
                assert_ran(&run(&mut lazy, &place, b""), &expected(0), "one of six");
            });
        }
    });
    assert_one_file(&ran(&scratch, &program, &expected(0), "later"), "later");
    assert_eq!(files(&scratch, ".aji").len(), 1);
}
