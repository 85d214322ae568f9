//! Lines in core files: `autojit-run --core-lines` asks the runtime in a core file's memory, and scripts/gdb/autojit.py asks it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::compile::{How, Link, object};
use autojit_tests::run::{
    Outcome, attempt, by_llvm, command, lazy_command, run, static_command, warm_command,
};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;
use goblin::elf::Elf;
use goblin::elf::program_header::{PF_W, PT_LOAD};

use crate::debugger::{WITH_RUNTIME_INSIDE, Waiting, program, source, with_runtime_inside};

/// The frames of the thread that aborts.
const FRAMES: [&str; 4] = ["in inner () at ", "in middle () at ", "in outer () at ", "in main () at "];
const LINES: [&str; 4] = ["aborts.c:9", "aborts.c:13", "aborts.c:17", "aborts.c:35"];

/// The program that aborts, built with `flags`.
fn aborting(scratch: &Scratch, how: How, flags: &[&str]) -> PathBuf {
    built(scratch, how, "aborts.c", flags)
}

fn built(scratch: &Scratch, how: How, name: &str, flags: &[&str]) -> PathBuf {
    let directory = scratch.directory("build");
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let object = object(how, &source(name), &flags, &directory);
    let output = directory.join("program");
    let addressing = if flags.iter().any(|flag| flag == "-fno-pie") { "-no-pie" } else { "-pie" };
    let flags = ["-pthread", addressing].map(str::to_owned);
    Link { linker: "lld", cxx: false, flags: &flags }.run(&[object], &output);
    output
}

/// The core file that `command` leaves, which aborts. None where the kernel puts them elsewhere.
fn dumped(scratch: &Scratch, mut command: Command) -> Option<PathBuf> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").ok()?;
    if pattern.starts_with('|') || pattern.contains('/') {
        eprintln!("not tested: core files go elsewhere");
        return None;
    }
    let directory = scratch.directory("dumped");
    // SAFETY: one system call with a structure of its own.
    unsafe {
        command.pre_exec(|| {
            let all = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
            match libc::setrlimit(libc::RLIMIT_CORE, &raw const all) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    run(command.arg("fatal"), &directory, b"").assert_signal(libc::SIGABRT);
    let found = fs::read_dir(&directory).expect("it is there").flatten().map(|entry| entry.path());
    let is_core = |path: &PathBuf| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
    let core = found.into_iter().find(is_core).expect("the kernel has written a core file");
    let kept = scratch.path().join("core");
    fs::rename(core, &kept).expect("the directory is writable");
    Some(kept)
}

/// The core file that gdb writes of a program that waits.
fn written(scratch: &Scratch, waiting: &Waiting) -> PathBuf {
    let core = scratch.path().join("core");
    let mut gdb = command("gdb");
    gdb.args(["-q", "-nx", "-batch", "-p"]).arg(waiting.id());
    let outcome = attempt(gdb.arg("-ex").arg(format!("generate-core-file {}", core.display())));
    assert!(core.is_file(), "{outcome}");
    core
}

/// gdb as `autojit-run` starts it, with a core file.
fn gdb(program: &Path, core: &Path) -> Command {
    let mut gdb = command(dist("bin/autojit-run"));
    gdb.args(["gdb", "-q", "-nx", "-ex", "set width 0"]).arg(program).arg(core);
    gdb
}

/// What it says to `commands`.
fn says(program: &Path, core: &Path, commands: &[&str]) -> String {
    let mut gdb = gdb(program, core);
    gdb.arg("-batch");
    commands.iter().for_each(|line| {
        gdb.args(["-ex", line]);
    });
    let outcome = attempt(&mut gdb);
    format!("{}{}", outcome.text(), outcome.errors())
}

/// `autojit-run --core-lines`.
fn lines_of(core: &Path) -> Outcome {
    let output = core.with_extension("lines");
    attempt(command(dist("bin/autojit-run")).arg("--core-lines").arg(core).arg(output))
}

#[track_caller]
fn assert_tells(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "no '{wanted}' in\n{text}");
    }
}

/// gdb alone has names of compiled functions, with the script it has lines as well.
#[track_caller]
fn assert_brings(program: &Path, core: &Path) {
    let alone =
        attempt(command("gdb").args(["-q", "-nx", "-batch", "-ex", "bt"]).args([program, core])).text();
    assert_tells(&alone, &["in inner ()", "in middle ()", "in outer ()", "in main ()"]);
    assert!(!alone.contains("aborts.c"), "{alone}");
    let commands = ["thread apply all bt", "frame function outer", "list", "info line middle"];
    let text = says(program, core, &commands);
    for (frame, line) in FRAMES.iter().zip(LINES) {
        let is_it = |found: &&str| found.contains(frame) && found.ends_with(line);
        assert!(text.lines().any(|found| is_it(&found)), "no '{frame}…{line}' in\n{text}");
    }
    // The other thread's, of the sources, and where a function begins.
    assert_tells(&text, &["in waits () at ", "aborts.c:23", "18\t  return r + 2;", "Line 12 of "]);
}

#[test]
fn unoptimised_programs_have_lines_at_first_and_later() {
    let scratch = Scratch::new("core_lines");
    let lazy = aborting(&scratch, How::Lazy, &["-O0", "-g"]);
    let Some(core) = dumped(&scratch, lazy_command(&lazy, scratch.path())) else { return };
    assert_brings(&lazy, &core);
    // One that ends well fills the cache.
    run(&mut warm_command(&lazy, scratch.path()), scratch.path(), b"").assert_code(0);
    run(&mut warm_command(&lazy, scratch.path()), scratch.path(), b"").assert_code(0);
    let stats = Stats::read(&scratch.path().join("stats"));
    assert_eq!(stats.number("compiled"), 0.0, "{stats:?}");
    let Some(core) = dumped(&scratch, warm_command(&lazy, scratch.path())) else { return };
    assert_brings(&lazy, &core);
}

#[test]
fn optimised_programs_have_lines() {
    let scratch = Scratch::new("core_lines_optimised");
    let lazy = aborting(&scratch, How::Lazy, &["-O2", "-g", "-fno-pie", "-fno-optimize-sibling-calls"]);
    let Some(core) = dumped(&scratch, lazy_command(&lazy, scratch.path())) else { return };
    assert_brings(&lazy, &core);
}

/// The runtime is a part of the program, which may be stripped: it is found by its note.
#[test]
fn programs_with_the_runtime_inside_have_lines() {
    for how in WITH_RUNTIME_INSIDE {
        let scratch = Scratch::new("core_lines_inside");
        let lazy = with_runtime_inside(&scratch, "aborts.c", how);
        let Some(core) = dumped(&scratch, static_command(&lazy, scratch.path())) else { return };
        assert_eq!(lines_of(&core).assert_code(0).errors(), "", "{how:?}");
        let text = says(&lazy, &core, &["thread apply all bt"]);
        for (frame, line) in FRAMES.iter().zip(LINES) {
            let is_it = |found: &&str| found.contains(frame) && found.ends_with(line);
            assert!(text.lines().any(|found| is_it(&found)), "{how:?}: no '{frame}…{line}' in\n{text}");
        }
        assert_tells(&text, &["in waits () at ", "aborts.c:23"]);
        // Another program in its place.
        fs::copy("/bin/true", &lazy).expect("the directory is writable");
        assert_tells(&lines_of(&core).assert_code(3).errors(), &["inside'", "is not the file any more"]);
    }
}

#[test]
fn programs_with_the_runtime_inside_have_lines_in_what_gdb_writes() {
    let scratch = Scratch::new("core_lines_inside_gdb");
    let lazy = with_runtime_inside(&scratch, "waits.c", ("lld", "-static", true));
    let core = written(&scratch, &Waiting::start(static_command(&lazy, scratch.path())));
    let wanted = ["in inner () at ", "waits.c:8", "in outer () at ", "waits.c:16", "in main () at "];
    assert_tells(&says(&lazy, &core, &["bt"]), &wanted);
}

/// gdb demangles names in units of C++ only.
#[test]
fn names_of_cxx_are_demangled() {
    let scratch = Scratch::new("core_lines_cxx");
    let file = scratch.path().join("shape.cpp");
    let text = "#include <cstdlib>\n\
                template <class T> struct Shape {\n  T area(T side) { abort(); }\n};\n\
                int main() { return Shape<int>().area(3); }\n";
    fs::write(&file, text).expect("the directory is writable");
    let object = object(How::Lazy, &file, &["-O0", "-g"].map(str::to_owned), scratch.path());
    let lazy = scratch.path().join("program");
    Link { linker: "lld", cxx: true, flags: &[] }.run(&[object], &lazy);
    let Some(core) = dumped(&scratch, lazy_command(&lazy, scratch.path())) else { return };
    assert_tells(&says(&lazy, &core, &["bt"]), &["in Shape<int>::area () at ", "shape.cpp:3"]);
}

/// What LLVM has compiled: gdb's list has it in the first run, and the cache later.
#[test]
fn kept_optimised_code_has_lines() {
    let scratch = Scratch::new("core_lines_kept");
    let lazy = program(&scratch, How::Lazy, &["waits.c"], &[]);
    for is_warm in [false, true] {
        let at = scratch.path();
        let start = if is_warm { warm_command(&lazy, at) } else { lazy_command(&lazy, at) };
        let mut waiting = Waiting::start(by_llvm(start));
        let core = written(&scratch, &waiting);
        let text = says(&lazy, &core, &["bt"]);
        assert_tells(
            &text,
            &["in inner () at ", "waits.c:8", "in outer () at ", "waits.c:16", "in main () at "],
        );
        let commands = ["-q", "-nx", "-batch", "-ex", "set var *(int *)&go = 1", "-p"];
        attempt(command("gdb").args(commands).arg(waiting.id()));
        assert!(waiting.ends());
    }
    let stats = Stats::read(&scratch.path().join("stats"));
    assert_eq!(stats.number("compiled"), 0.0, "{stats:?}");
}

#[test]
fn lines_are_there_at_the_first_prompt() {
    let scratch = Scratch::new("core_lines_prompt");
    let lazy = program(&scratch, How::Lazy, &["waits.c"], &[]);
    let waiting = Waiting::start(lazy_command(&lazy, scratch.path()));
    let core = written(&scratch, &waiting);
    // They go with the core file, and come again by the command.
    let commands = format!(
        "bt\necho MARK\\n\ncore-file\ninfo line waits.c:12\necho MARK\\n\ncore-file {}\nautojit-lines\nbt\nquit\n",
        core.display()
    );
    let mut gdb = gdb(&lazy, &core);
    let outcome = run(gdb.env("TMPDIR", scratch.path()), scratch.path(), commands.as_bytes());
    let text = outcome.text();
    let parts: Vec<_> = text.split("MARK\n").collect();
    let [first, without, again] = parts[..] else { panic!("no marks in\n{text}") };
    for with in [first, again] {
        assert_tells(with, &["in inner () at ", "waits.c:8", "in main () at "]);
    }
    assert!(!without.contains("starts at address"), "{without}");
    let left = fs::read_dir(scratch.path()).expect("it is there").flatten();
    let left: Vec<_> =
        left.filter(|entry| entry.file_name().to_string_lossy().starts_with("autojit-lines")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_program_that_was_replaced_is_named() {
    let scratch = Scratch::new("core_lines_replaced");
    // The kernel writes the first page of the program: bitcode is not to be there.
    let padding = scratch.path().join("padding.c");
    fs::write(&padding, "const char padding[8192] = {1};\n").expect("the directory is writable");
    let flags = ["-O0", "-g"].map(str::to_owned);
    let objects = [(How::Plain, padding), (How::Lazy, source("aborts.c"))]
        .map(|(how, source)| object(how, &source, &flags, scratch.path()));
    let lazy = scratch.path().join("program");
    Link { linker: "lld", cxx: false, flags: &["-pthread".to_owned()] }.run(&objects, &lazy);
    let Some(core) = dumped(&scratch, lazy_command(&lazy, scratch.path())) else { return };
    let other = program(&scratch, How::Lazy, &["waits.c"], &[]);
    let old = scratch.path().join("old");
    fs::copy(&lazy, &old).expect("the directory is writable");
    for (file, said) in [(Some(&other), "is not the file any more"), (None, "is not there any more")] {
        fs::remove_file(&lazy).expect("it is ours");
        if let Some(file) = file {
            fs::copy(file, &lazy).expect("the directory is writable");
        }
        let outcome = lines_of(&core);
        assert_tells(outcome.assert_code(0).errors().as_str(), &[&lazy.display().to_string(), said]);
        // gdb tells the same, and goes on with names.
        let text = says(&old, &core, &["autojit-lines", "bt"]);
        assert_tells(&text, &[said, "its functions have no lines"]);
        let text = run(&mut gdb(&old, &core), scratch.path(), b"bt\n");
        assert_tells(&text.errors(), &[said]);
        assert_tells(&text.text(), &["in inner ()", "in outer ()", "in main ()"]);
        assert!(!text.text().contains("aborts.c:"), "{text}");
    }
    fs::copy(&old, &lazy).expect("the directory is writable");
    assert_eq!(lines_of(&core).assert_code(0).errors(), "");
}

#[test]
fn what_is_no_whole_core_file_is_refused() {
    let scratch = Scratch::new("core_lines_foreign");
    let lazy = program(&scratch, How::Lazy, &["waits.c"], &[]);
    let core = written(&scratch, &Waiting::start(lazy_command(&lazy, scratch.path())));
    let bytes = fs::read(&core).expect("gdb has written it");
    let odd = scratch.path().join("odd");
    let refused = |bytes: &[u8], why: &str| {
        fs::write(&odd, bytes).expect("the directory is writable");
        let outcome = lines_of(&odd);
        assert_tells(&outcome.assert_code(3).errors(), &["odd'", why]);
        assert_eq!(outcome.text(), "");
    };
    refused(&bytes[..bytes.len() / 2], "it is truncated");
    refused(&bytes[..30], "it is no core file");
    refused(b"text", "it is no core file");
    refused(&fs::read(&lazy).expect("it is there"), "it is no core file");
    let mut other = bytes.clone();
    // e_machine.
    other[18] = 40;
    refused(&other, "it is of another kind of machine");
    // Memory that makes no sense to the runtime: it crashes, and nothing else does.
    let mut damaged = bytes.clone();
    let headers = Elf::parse(&bytes).expect("it is an ELF file").program_headers;
    for header in headers.iter().filter(|header| header.p_type == PT_LOAD && header.p_flags & PF_W != 0) {
        damaged[header.file_range()].fill(0xa5);
    }
    refused(&damaged, "the runtime in it cannot be asked");
    let missing = lines_of(&scratch.path().join("nothing"));
    assert_tells(&missing.assert_code(3).errors(), &["cannot be opened"]);
    let text = says(&lazy, &odd, &["autojit-lines", "echo GOES ON\\n"]);
    assert_tells(&text, &["the runtime in it cannot be asked", "GOES ON"]);
}

/// The executable stays loaded: it is looked up without the loader's lock.
#[test]
fn the_loaders_lock_may_be_held() {
    let scratch = Scratch::new("core_lines_locked");
    let lazy = built(&scratch, How::Lazy, "aborts_locked.c", &["-O0", "-g"]);
    let Some(core) = dumped(&scratch, lazy_command(&lazy, scratch.path())) else { return };
    assert_eq!(lines_of(&core).assert_code(0).errors(), "");
    assert_tells(&says(&lazy, &core, &["bt"]), &["in main () at ", "aborts_locked.c:23"]);
}

#[test]
fn plain_programs_have_nothing_to_tell() {
    let scratch = Scratch::new("core_lines_plain");
    let plain = program(&scratch, How::Plain, &["waits.c"], &[]);
    let core = written(&scratch, &Waiting::start(command(&plain)));
    let why = "no process that ran with autojit's runtime";
    assert_tells(&lines_of(&core).assert_code(1).errors(), &[why]);
    let outcome = run(&mut gdb(&plain, &core), scratch.path(), b"bt\n");
    assert_tells(&outcome.text(), &["waits.c:8"]);
    assert!(!outcome.errors().contains("autojit"), "{outcome}");
}
