//! Links that fail by the wrappers: linkers cannot tell which lazy function refers to an undefined symbol, or where one that has several
//! definitions is defined, so the wrappers tell it behind them. Everything else is as the linker and the driver leave it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use autojit_tests::llvm::CLANG;
use autojit_tests::parts::LINKERS;
use autojit_tests::run::{Outcome, attempt, command, tool};
use autojit_tests::scratch::{Scratch, dist};

const MAIN: &str = "int missing(int);
extern int data[];
int helper(int);
__attribute__((noinline)) static int inner(int x)
{
    return missing(x) + data[3];
}
int main(int count, char **words)
{
    int (*pointer)(int) = missing; return inner(count) + pointer(2) + helper(3);
}
";
const HELPER: &str = "int other(int);\nint helper(int x) { return other(x); }\n";
/// Of an archive, which nothing needs.
const UNUSED: &str = "int missing(int);\nint unused(int x) { return missing(x); }\n";

const NOTES: [&str; 4] = [
    "'data' is referred to by inner (main.c:6)",
    "'missing' is referred to by inner (main.c:6)",
    "'missing' is referred to by main (main.c:10)",
    "'other' is referred to by helper (helper.c:2)",
];

/// A directory with sources and their lazy objects.
fn project(name: &str, flags: &str, sources: &[(&str, &str)]) -> Scratch {
    let scratch = Scratch::new(&format!("link-errors-{name}"));
    for (file, text) in sources {
        scratch.file(file, text);
        let wrapper = if file.ends_with(".cpp") { "autojit-c++" } else { "autojit-cc" };
        tool(wrapped(&scratch, wrapper, &format!("{flags} -c {file}")).env_remove("AUTOJIT_STORE"));
    }
    scratch
}

fn c_project(name: &str) -> Scratch {
    project(name, "-O0 -g -fPIC", &[("main.c", MAIN), ("helper.c", HELPER), ("unused.c", UNUSED)])
}

fn wrapped(scratch: &Scratch, wrapper: &str, words: &str) -> std::process::Command {
    let mut wrapper = command(dist(&format!("bin/{wrapper}")));
    wrapper.args(words.split_whitespace()).current_dir(scratch.path()).env("LC_ALL", "C");
    wrapper
}

/// The notes behind a link, without what is in front of each, and all else that was printed.
fn notes(outcome: &Outcome, prefix: &str) -> (BTreeSet<String>, String) {
    let errors = outcome.errors();
    let note =
        |line: &&str| line.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(": note: ")).is_some();
    let first = errors.lines().position(|line| note(&line)).unwrap_or(errors.lines().count());
    assert!(errors.lines().skip(first).all(|line| note(&line)), "something is behind the notes: {errors}");
    let told =
        errors.lines().skip(first).map(|line| line[prefix.len() + ": note: ".len()..].to_owned()).collect();
    (told, errors.lines().take(first).map(|line| format!("{line}\n")).collect())
}

#[track_caller]
fn assert_notes(outcome: &Outcome, expected: &[&str], what: &str) {
    let (told, _) = notes(outcome, "autojit-cc");
    let expected: BTreeSet<String> = expected.iter().map(|note| (*note).to_owned()).collect();
    assert_eq!(told, expected, "{what}: {outcome}");
}

/// What clang says of the same link.
fn plain(scratch: &Scratch, words: &str) -> Outcome {
    attempt(command(CLANG).args(words.split_whitespace()).current_dir(scratch.path()).env("LC_ALL", "C"))
}

/// Lines, whose order linkers with threads may change.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn function_and_line_are_told() {
    let scratch = c_project("told");
    for words in ["rcs lib.a helper.o unused.o", "rcsT thin.a helper.o unused.o"] {
        tool(command("ar").args(words.split(' ')).current_dir(scratch.path()));
    }
    scratch.file("words", "main.o helper.o");
    for linker in LINKERS {
        for inputs in ["main.o helper.o", "main.o lib.a", "main.o thin.a", "main.o -L. -l:lib.a", "@words"] {
            let words = format!("-fuse-ld={linker} {inputs} -o program");
            let outcome = attempt(&mut wrapped(&scratch, "autojit-cc", &words));
            assert_eq!(outcome.status.code(), Some(1), "{words}: {outcome}");
            assert_notes(&outcome, &NOTES, &words);
            let (_, rest) = notes(&outcome, "autojit-cc");
            assert_eq!(sorted(&rest), sorted(&plain(&scratch, &words).errors()), "{words}");
        }
        let words = format!("-fuse-ld={linker} -shared main.o helper.o -Wl,-z,defs -o part.so");
        assert_notes(&attempt(&mut wrapped(&scratch, "autojit-cc", &words)), &NOTES, &words);
    }
}

#[test]
fn what_links_has_no_notes() {
    let scratch = c_project("links");
    for words in [
        "main.o helper.o -o program -fuse-ld=bfd -Wl,--warn-unresolved-symbols",
        "main.o helper.o -o program -fuse-ld=lld -Wl,--warn-unresolved-symbols",
        "main.o helper.o -shared -o part.so",
    ] {
        let outcome = attempt(&mut wrapped(&scratch, "autojit-cc", words));
        assert!(outcome.status.success(), "{outcome}");
        assert_notes(&outcome, &[], words);
    }
    // It fails for other reasons.
    for words in
        ["main.o none.o -o program", "main.o -lnone -o program", "main.o helper.o -o no/such/program"]
    {
        assert!(!notes(&attempt(&mut wrapped(&scratch, "autojit-cc", words)), "autojit-cc").1.is_empty());
    }
}

const CLASSES: &str = "struct Base { virtual ~Base(); virtual void call(); };
struct Part : Base { Part(); void call() override; int value; };
extern thread_local int each;
template <class T> T get(T);
Part::Part() : value(1) {}
int use() { return get<long>(3) + each; }
int main() { Part part; return use(); }
";

#[test]
fn names_of_the_source_are_told() {
    let scratch = project("names", "-O2 -g", &[("classes.cpp", CLASSES)]);
    for linker in LINKERS {
        let words = format!("-fuse-ld={linker} classes.o -o program");
        let outcome = attempt(&mut wrapped(&scratch, "autojit-c++", &words));
        let expected = [
            "'vtable for Part' is referred to by Part::Part() (classes.cpp:5)",
            "'Base::~Base()' is referred to by main (classes.cpp:7)",
            "'long get<long>(long)' is referred to by use() (classes.cpp:6)",
            "'each' is referred to by use() (classes.cpp:6)",
        ];
        let (told, _) = notes(&outcome, "autojit-c++");
        for note in expected {
            assert!(told.contains(note), "{linker} has no {note}: {outcome}");
        }
        let outcome = attempt(&mut wrapped(&scratch, "autojit-c++", &format!("{words} -Wl,--no-demangle")));
        let (told, _) = notes(&outcome, "autojit-c++");
        assert!(told.contains("'_Z3getIlET_S0_' is referred to by _Z3usev (classes.cpp:6)"), "{outcome}");
    }
    // The library of C++ is missing.
    let outcome = attempt(&mut wrapped(&scratch, "autojit-cc", "classes.o -o program"));
    let (told, _) = notes(&outcome, "autojit-cc");
    assert!(told.contains("'__gxx_personality_v0' is referred to by main (classes.cpp:7)"), "{outcome}");
}

#[test]
fn without_lines_the_source_is_told() {
    let scratch = project("no-lines", "-O2", &[("main.c", MAIN)]);
    let outcome = attempt(&mut wrapped(&scratch, "autojit-cc", "main.o -o program"));
    let expected = [
        "'data' is referred to by inner (main.c)",
        "'missing' is referred to by inner (main.c)",
        "'missing' is referred to by main (main.c)",
        "'helper' is referred to by main (main.c)",
    ];
    assert_notes(&outcome, &expected, "no lines");
}

#[test]
fn definitions_are_told() {
    let scratch =
        project("definitions", "-g", &[("one.c", HELPER), ("two.c", "\nint helper(int x)\n{ return x; }\n")]);
    for linker in LINKERS {
        let words = format!("-fuse-ld={linker} -shared one.o two.o -o part.so");
        let outcome = attempt(&mut wrapped(&scratch, "autojit-cc", &words));
        assert_notes(&outcome, &["'helper' is defined in one.c:2", "'helper' is defined in two.c:2"], &words);
    }
}

#[test]
fn sources_are_compiled_once_more() {
    let scratch = c_project("sources");
    let temporary = scratch.directory("temporary");
    for words in ["-g main.c helper.c -o program", "-g -O2 -DX=1 main.c helper.o"] {
        let mut link = wrapped(&scratch, "autojit-cc", words);
        assert_notes(&attempt(link.env("TMPDIR", &temporary)), &NOTES, words);
        assert_eq!(fs::read_dir(&temporary).expect("it is ours").count(), 0, "something is left");
    }
    // What such an option writes is not written again.
    let words = "-g -save-temps main.c helper.o -o program";
    assert_notes(&attempt(&mut wrapped(&scratch, "autojit-cc", words)), &[], words);
}

/// A linker that notes how it is called, in front of the other.
fn logging(scratch: &Scratch) {
    let tools = scratch.directory("tools");
    let linker = tool(command(CLANG).arg("-print-prog-name=ld.lld")).text();
    let terminal = "if test -t 2; then echo terminal; fi >>log";
    let script = format!("#!/bin/sh\necho \"$@\" >>log\n{terminal}\nexec {} \"$@\"\n", linker.trim());
    fs::write(tools.join("ld.lld"), script).expect("the directory is ours");
    fs::set_permissions(tools.join("ld.lld"), fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// What the linker was called with.
fn calls(scratch: &Scratch) -> Vec<String> {
    let log = scratch.path().join("log");
    let text = fs::read_to_string(&log).unwrap_or_default();
    let _ = fs::remove_file(log);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn nothing_is_written_twice() {
    let scratch = c_project("written");
    logging(&scratch);
    let link = |words: &str| {
        let mut link =
            wrapped(&scratch, "autojit-cc", &format!("-fuse-ld=lld main.o helper.o -o program {words}"));
        attempt(link.env("COMPILER_PATH", scratch.path().join("tools")))
    };
    assert_notes(&link("-Wl,-Map=map,--dependency-file,rules"), &NOTES, "a map");
    let called = calls(&scratch);
    assert_eq!(called.len(), 2, "{called:?}");
    for word in ["-o program", "-Map", "rules"] {
        assert!(called[0].contains(word) && !called[1].contains(word), "{word}: {called:?}");
    }
    // It might.
    for words in ["-Wl,--reproduce=all.tar", "-Wl,--time-trace", "-Wl,-mllvm,-stats"] {
        assert_notes(&link(words), &[], words);
        assert_eq!(calls(&scratch).len(), 1, "{words}");
    }
    // Nobody reads what such a link says.
    fs::rename(scratch.path().join("main.o"), scratch.path().join("conftest.o")).expect("it is ours");
    let mut trial = wrapped(&scratch, "autojit-cc", "-fuse-ld=lld conftest.o -o conftest");
    assert_notes(&attempt(trial.env("COMPILER_PATH", scratch.path().join("tools"))), &[], "a trial");
    assert_eq!(calls(&scratch).len(), 1);
}

#[test]
fn terminals_stay_terminals() {
    let scratch = c_project("terminal");
    logging(&scratch);
    let wrapper = dist("bin/autojit-cc");
    let line = format!("{} -fuse-ld=lld main.o helper.o -o program", wrapper.display());
    let mut script = command("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(scratch.path());
    let outcome = attempt(script.env("COMPILER_PATH", scratch.path().join("tools")).env("TERM", "xterm"));
    assert_eq!(outcome.status.code(), Some(1), "{outcome}");
    let called = calls(&scratch);
    assert_eq!(called.iter().filter(|line| *line == "terminal").count(), 1, "{called:?}");
    assert_eq!(called[1], "terminal", "the first one");
    let shown = outcome.text();
    assert!(shown.contains("autojit-cc: note: 'other' is referred to by helper (helper.c:2)\r\n"), "{shown}");
}

/// For links that are not the wrappers'.
#[test]
fn places_can_be_asked_for() {
    let scratch = c_project("asked");
    tool(command("ar").args(["rcs", "lib.a", "helper.o", "unused.o"]).current_dir(scratch.path()));
    let ask = |words: &str| attempt(&mut wrapped(&scratch, "autojit-run", &format!("--where {words}")));
    let expected = "'missing' is referred to by main (main.c:10)\n'missing' is referred to by inner (main.c:6)\n\
        'missing' is referred to by unused (unused.c:2)\n";
    assert_eq!(ask("missing main.o lib.a").assert_code(0).text(), expected);
    let expected = "'helper' is referred to by main (main.c:10)\n'helper' is defined in helper.c:2\n";
    assert_eq!(ask("helper main.o helper.o").assert_code(0).text(), expected);
    let nothing = ask("nothing main.o");
    assert!(nothing.assert_code(1).errors().contains("no lazy function"), "{nothing}");
    assert!(ask("missing none.o").assert_code(1).errors().contains("none.o: cannot be read"));
}

/// How a compiler ends is how the wrapper ends.
#[test]
fn ends_are_handed_on() {
    let scratch = c_project("ends");
    let compiler = scratch.path().join(CLANG);
    for (script, code, signal) in
        [("exit 7", Some(7), None), ("kill -9 $$", None, Some(9)), ("kill $$", None, Some(15))]
    {
        let _ = fs::remove_file(&compiler);
        fs::write(&compiler, format!("#!/bin/sh\n{script}\n")).expect("the directory is ours");
        fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let outcome =
            attempt(wrapped(&scratch, "autojit-cc", "main.o -o program").env("AUTOJIT_CC", &compiler));
        assert_eq!((outcome.status.code(), outcome.status.signal()), (code, signal), "{script}: {outcome}");
    }
    // Whoever starts the wrapper may not want to hear of children.
    let wrapper = dist("bin/autojit-cc");
    let mut shell = command("sh");
    shell.args(["-c", &format!("trap '' CHLD; {} main.o helper.o -o program", wrapper.display())]);
    let outcome = attempt(shell.current_dir(scratch.path()));
    assert_eq!(outcome.status.code(), Some(1), "{outcome}");
    assert_notes(&outcome, &NOTES, "SIGCHLD is ignored");
}

#[test]
fn builds_hand_them_on() {
    let scratch = c_project("builds");
    scratch.file("Makefile", "CFLAGS = -g\nprogram: main.o helper.o\n\t$(CC) main.o helper.o -o program\n");
    let expected = "note: 'other' is referred to by helper (helper.c:2)";
    let mut make = command("make");
    make.arg(format!("CC={}", dist("bin/autojit-cc").display())).current_dir(scratch.path());
    let said = attempt(&mut make).errors();
    assert!(said.contains(&format!("autojit-cc: {expected}\n")), "{said}");
    let said = attempt(&mut wrapped(&scratch, "autojit", "make")).errors();
    assert!(said.contains(&format!("autojit-cc: {expected}\n")), "{said}");
    let words = format!("{CLANG} main.o helper.o -o program");
    let said = attempt(&mut wrapped(&scratch, "autojit", &words)).errors();
    assert!(said.contains(&format!("autojit: {expected}\n")), "{said}");
    scratch.file(
        "CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.20)\nproject(program C)\nadd_executable(program main.c helper.c)\n",
    );
    let autojit = dist("bin/autojit").display().to_string();
    let mut cmake = command("cmake");
    cmake.args(["-B", "out", "-DCMAKE_BUILD_TYPE=Debug", &format!("-DCMAKE_C_COMPILER={CLANG}")]);
    cmake.args(["COMPILER", "LINKER"].map(|tool| format!("-DCMAKE_C_{tool}_LAUNCHER={autojit}")));
    tool(cmake.current_dir(scratch.path()));
    let outcome = attempt(command("cmake").args(["--build", "out"]).current_dir(scratch.path()));
    let said = outcome.text() + &outcome.errors();
    assert!(said.contains("autojit: note: 'other' is referred to by helper ("), "{said}");
}
