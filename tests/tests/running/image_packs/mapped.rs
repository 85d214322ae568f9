//! Code that runs in pages of the image pack: where they can be mapped, what makes them be linked anew, and what keeps other
//! content from being run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use autojit_code::image_pack;
use autojit_tests::cache::{assert_cold, assert_warm, only, warm};
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{attempt, command, tool, warm_command};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

use super::{assert_ran, compile_some, link};

/// What the program prints behind where its code is.
const REST: &str = "46 3 2\n47\nleft 4\n";

fn names() -> Vec<String> {
    (0..10).map(|number| format!("m{number}")).chain(["main".to_owned()]).collect()
}

/// Compiles eleven modules.
fn compile(scratch: &Scratch, flags: &[&str]) {
    scratch.file("main.c", include_str!("mapped.c"));
    for number in 1..10 {
        scratch.file(&format!("m{number}.c"), format!("int m{number}(int n) {{ return n + {number}; }}\n"));
    }
    scratch.file(
        "m0.c",
        "static int ascending(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }\n\
         int (*later(void))(const void *, const void *) { return ascending; }\nint m0(int n) { return n; }\n",
    );
    compile_some(scratch, flags, &names());
}

/// A program of eleven modules.
fn build(scratch: &Scratch, flags: &[&str]) -> PathBuf {
    compile(scratch, flags);
    link(scratch, &names(), &[], "program")
}

/// Runs the program; its code is where it says.
#[track_caller]
fn runs(scratch: &Scratch, program: &Path, place: &str, what: &str) -> Stats {
    let (outcome, stats) = warm(scratch, program, |command| command);
    assert_ran(&outcome, &format!("{place}\n{REST}"), what);
    stats
}

#[track_caller]
fn is_mapped(scratch: &Scratch, program: &Path, what: &str) {
    let stats = runs(scratch, program, "the pack", what);
    assert_warm(&stats, what);
    assert_eq!(stats.number("cache_files"), 1.0, "{what}: {stats:?}");
    assert_eq!(stats.number("resolver_calls"), 0.0, "{what}: {stats:?}");
}

#[test]
fn code_runs_in_pages_of_the_pack() {
    for flags in [&["-O0", "-g", "-fexceptions"], &["-O2", "-fPIC", "-fexceptions"]] {
        let scratch = Scratch::new(&format!("image-pack-mapped{}", flags[0]));
        let program = build(&scratch, flags);
        assert_cold(&runs(&scratch, &program, "memory", "first"), "first");
        is_mapped(&scratch, &program, "second");
        is_mapped(&scratch, &program, "third");
        // perf knows names of code in anonymous memory only.
        let (outcome, stats) = warm(&scratch, &program, |command| command.env("AUTOJIT_PERF_MAP", "on"));
        assert_ran(&outcome, &format!("memory\n{REST}"), "for perf");
        assert_warm(&stats, "for perf");
        // A function that no earlier run has needed.
        let more = |what: &str| {
            let (outcome, stats) = warm(&scratch, &program, |command| command.arg("more"));
            assert_ran(&outcome, &format!("the pack\n{REST}6\n"), what);
            stats
        };
        assert!(more("more").number("bound") > 14.0);
        assert_warm(&more("more, again"), "more, again");
    }
}

/// Where something else has the addresses that the pages were linked for, groups are linked for others.
#[test]
fn other_distances_are_linked_for() {
    let scratch = Scratch::new("image-pack-distance");
    let program = build(&scratch, &["-O0", "-fexceptions"]);
    runs(&scratch, &program, "memory", "first");
    is_mapped(&scratch, &program, "second");
    scratch.file("taken.c", include_str!("taken.c"));
    tool(command(CLANG).args(["-shared", "-fPIC", "-o", "taken.so", "taken.c"]).current_dir(scratch.path()));
    let preload =
        format!("{} {}", scratch.path().join("taken.so").display(), dist("lib/libautojit.so").display());
    let (outcome, stats) = warm(&scratch, &program, |command| command.env("LD_PRELOAD", &preload));
    assert_ran(&outcome, &format!("memory\n{REST}"), "elsewhere");
    assert_warm(&stats, "elsewhere");
    assert_eq!(stats.number("cache_files"), 1.0, "{stats:?}");
    // One such process is no reason to link for its addresses.
    is_mapped(&scratch, &program, "later");
}

/// Pages are linked for one image: with another one in its place they are linked anew, once.
#[test]
fn other_images_are_linked_for_once() {
    let scratch = Scratch::new("image-pack-relinked");
    let program = build(&scratch, &["-O0", "-fexceptions"]);
    runs(&scratch, &program, "memory", "first");
    is_mapped(&scratch, &program, "second");
    // Other static code in front: all modules are as they were, and elsewhere.
    scratch.file("plain.c", "int plain(int n) { return n * 7; }\nint filled[3000] = {1};\n");
    tool(command(CLANG).args(["-c", "plain.c"]).current_dir(scratch.path()));
    link(&scratch, &[vec!["plain".to_owned()], names()].concat(), &[], "program");
    let stats = runs(&scratch, &program, "memory", "linked with more");
    assert_warm(&stats, "linked with more");
    is_mapped(&scratch, &program, "linked with more, later");
    // One module is edited; the functions of the others have their code.
    scratch.file("m9.c", "int m9(int n) { return 9 + n; }\n");
    compile_some(&scratch, &["-O0", "-fexceptions"], &["m9".to_owned()]);
    link(&scratch, &names(), &[], "program");
    assert_eq!(runs(&scratch, &program, "memory", "edited").compiled(), 1.0);
    is_mapped(&scratch, &program, "edited, later");
}

/// A checksum of pages that are mapped would read them all, so it is computed once in a while: at least when the system has
/// ended since, which is when files of the cache lose content.
#[test]
fn pages_are_checked_once_in_a_while() {
    let scratch = Scratch::new("image-pack-checked");
    let program = build(&scratch, &["-O0", "-fexceptions"]);
    runs(&scratch, &program, "memory", "first");
    is_mapped(&scratch, &program, "second");
    let file = only(&scratch, ".aji");
    let whole = fs::read(&file).expect("it is there");
    let age = |by: Duration| {
        let file = File::options().write(true).open(&file).expect("the file is ours");
        file.set_modified(SystemTime::now() - by).expect("the file is ours");
    };
    let days = Duration::from_secs(3 * 24 * 60 * 60);
    age(days);
    is_mapped(&scratch, &program, "old");
    let modified = fs::metadata(&file).and_then(|file| file.modified()).expect("it is there");
    assert!(modified.elapsed().expect("it is past") < days / 2, "it is touched when it was checked");
    // As a file system leaves a file of which it has lost the end. The pages of the text come first.
    assert!(image_pack::pages_are_good(&whole));
    let mut damaged = whole.clone();
    let lost = whole.len() - 3 * 4096;
    damaged[lost..].fill(0);
    assert!(!image_pack::pages_are_good(&damaged));
    fs::write(&file, &damaged).expect("the file is ours");
    age(days);
    // It was the only file with the code.
    let stats = runs(&scratch, &program, "memory", "damaged");
    assert_cold(&stats, "damaged");
    assert_eq!(stats.number("cache_files"), 0.0, "{stats:?}");
    is_mapped(&scratch, &program, "damaged, later");
}

/// A library's pages are mapped with its first call, whether the program was linked with it or opens it; also when it is opened
/// once more.
#[test]
fn code_of_libraries_runs_in_pages_of_theirs() {
    let scratch = Scratch::new("image-pack-mapped-library");
    compile(&scratch, &["-O0", "-fPIC", "-fexceptions", "-Dmain=in_library"]);
    link(&scratch, &names(), &["-shared"], "liball.so");
    let directory = scratch.path().display().to_string();
    scratch.file(
        "linked.c",
        "int in_library(int, char **);\nint main(int n, char **v) { return in_library(n, v); }\n",
    );
    let opens = format!(
        "#include <dlfcn.h>\n#include <stdio.h>\nint main(int n, char **v) {{ int sum = 0;\n\
         for (int round = 0; round < 2; round++) {{ void *library = dlopen(\"{directory}/liball.so\", RTLD_NOW);\n\
         int (*call)(int, char **) = (int (*)(int, char **))dlsym(library, \"in_library\");\n\
         sum += call(n, v); fflush(stdout); dlclose(library); }}\nreturn sum == 6 ? 3 : 4; }}\n"
    );
    scratch.file("opens.c", opens);
    for (name, flags, times) in [
        ("linked", vec![format!("-L{directory}"), "-lall".into(), format!("-Wl,-rpath,{directory}")], 1),
        ("opens", vec![], 2),
    ] {
        let mut clang = command(CLANG);
        let program = scratch.path().join(name);
        tool(clang.arg(format!("{name}.c")).args(flags).arg("-o").arg(&program).current_dir(scratch.path()));
        // The first program leaves a pack to the second.
        if name == "linked" {
            assert_cold(&runs(&scratch, &program, "memory", "first"), "first");
        }
        for what in ["second", "third"] {
            let (outcome, stats) = warm(&scratch, &program, |command| command);
            assert_ran(&outcome, &format!("the pack\n{REST}").repeat(times), &format!("{name}, {what}"));
            assert_warm(&stats, what);
            assert_eq!(stats.number("cache_files"), times as f64, "{name}, {what}: {stats:?}");
        }
    }
}

/// The frames that gdb shows, the function's name and what follows, and the instructions behind the call in `main`.
fn frames(gdb: &mut Command) -> String {
    gdb.args(["-ex", "bt", "-ex", "frame function main", "-ex", "x/2i $pc"]);
    let outcome = attempt(gdb);
    let text = outcome.text();
    for frame in [" in wait_for_others (", " in main ("] {
        assert!(text.contains(frame), "no '{frame}': {outcome}");
    }
    let instructions: Vec<_> = text.lines().filter(|line| line.contains("<main+")).collect();
    assert!(instructions.len() >= 2 && !outcome.errors().contains("Cannot access"), "{outcome}");
    instructions.join("\n")
}

/// A debugger that attaches to a process whose code is in pages of a file, or reads its core file, finds names and code.
#[test]
fn core_files_have_the_pages() {
    let scratch = Scratch::new("image-pack-mapped-core");
    let program = build(&scratch, &["-O0", "-g", "-fexceptions"]);
    let (outcome, stats) = warm(&scratch, &program, |command| command.args(["more", "/no/such/file"]));
    assert_ran(&outcome, &format!("memory\n{REST}9\n"), "first");
    assert_cold(&stats, "first");
    let waits = scratch.path().join("waits");
    let mut child = warm_command(&program, scratch.path());
    let child = child.arg("more").arg(&waits).current_dir(scratch.path()).stdout(Stdio::null()).spawn();
    let mut child = child.expect("it starts");
    let start = Instant::now();
    while !waits.exists() && start.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(5));
    }
    let maps = fs::read_to_string(format!("/proc/{}/maps", child.id())).expect("it waits");
    let is_text = |line: &&str| {
        line.contains(".aji") && line.split_whitespace().nth(1).is_some_and(|it| it.contains('x'))
    };
    assert_eq!(maps.lines().filter(is_text).count(), 1, "{maps}");
    let gdb = || {
        let mut gdb = command("gdb");
        gdb.args(["-q", "-nx", "-batch", "-ex", "set width 0"]).current_dir(scratch.path());
        gdb
    };
    let mut attached = gdb();
    let live = frames(attached.args(["-p", &child.id().to_string(), "-ex", "generate-core-file core"]));
    fs::remove_file(&waits).expect("the program waits at it");
    assert_eq!(child.wait().expect("it is ours").code(), Some(3));
    // What is in the core file has to do: the pack may be another one by then.
    fs::remove_file(only(&scratch, ".aji")).expect("it is ours");
    assert_eq!(frames(gdb().arg(&program).arg("core")), live);
}
