//! gdb and valgrind on lazy programs: what gdb says of a plain and of a lazy build must be the same, but for addresses
//! and for the frames in front of `main` (gdb ends a plain backtrace there).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use autojit_tests::compile::{How, Link, Toolchain, object, rust_program};
use autojit_tests::run::{attempt, by_llvm, command, lazy_command, warm_command};
use autojit_tests::scratch::{Scratch, dist, repository};
use autojit_tests::stats::Stats;

use crate::static_library::archive;

pub fn source(name: &str) -> PathBuf {
    repository().join("tests/programs/debugger").join(name)
}

/// A program of C or C++ files, of which `plain` are never lazy.
pub fn program(scratch: &Scratch, how: How, sources: &[&str], plain: &[&str]) -> PathBuf {
    let directory = scratch.directory(if how == How::Lazy { "lazy" } else { "plain" });
    let flags = ["-O0", "-g"].map(str::to_owned);
    let cxx = sources.iter().any(|name| name.ends_with(".cpp"));
    let objects = sources.iter().map(|name| object(how, &source(name), &flags, &directory));
    let objects: Vec<_> = objects
        .chain(plain.iter().map(|name| object(How::Plain, &source(name), &flags, &directory)))
        .collect();
    let output = directory.join("program");
    Link { linker: "lld", cxx, flags: &[] }.run(&objects, &output);
    output
}

/// How programs are linked that have the runtime inside: the linker, the kind, whether symbols are taken away.
pub const WITH_RUNTIME_INSIDE: [(&str, &str, bool); 7] = [
    ("lld", "-static", false),
    ("lld", "-static", true),
    ("lld", "-pie", false),
    ("bfd", "-static-pie", true),
    ("bfd", "-no-pie", true),
    ("mold", "-static-pie", false),
    ("gold", "-static", true),
];

/// Links one of these of one source.
pub fn with_runtime_inside(
    scratch: &Scratch,
    name: &str,
    (linker, kind, is_stripped): (&str, &str, bool),
) -> PathBuf {
    let object = object(How::Lazy, &source(name), &["-O0", "-g", "-fPIC"].map(str::to_owned), scratch.path());
    let output = scratch.path().join("inside");
    let mut flags = vec![kind.to_owned(), "-pthread".to_owned(), "-Wl,--gc-sections".to_owned()];
    flags.extend(is_stripped.then(|| "-s".to_owned()));
    flags.extend(archive());
    Link { linker, cxx: false, flags: &flags }.run(&[object], &output);
    output
}

/// What gdb says to `script`, where breakpoints are set in front of a line "run", after that line.
fn session(program: &Path, how: How, script: &str) -> String {
    let mut gdb = command("gdb");
    gdb.args(["-q", "-nx", "-batch", "-ex", "set width 0", "-ex", "set breakpoint pending on"]);
    if how == How::Lazy {
        gdb.arg("-ex").arg(format!("set environment LD_PRELOAD {}", dist("lib/libautojit.so").display()));
    }
    let (before, after) = script.split_once("run\n").expect("the script runs the program");
    for line in before.lines().chain(["echo MARK\\n", "run"]).chain(after.lines()) {
        gdb.arg("-ex").arg(line);
    }
    let outcome = attempt(gdb.arg(program));
    let text = outcome.text();
    let (_, text) = text.split_once("MARK\n").unwrap_or_else(|| panic!("gdb has not begun: {outcome}"));
    format!("{}--- stderr\n{}", normal(text), normal(&outcome.errors()))
}

/// In lines that differ between any two runs, in frames in front of `main`, and in what is said of breakpoints that are
/// pending, of a long start and of Rust's scripts for gdb.
const DIFFERENT: [&str; 10] = [
    "autojit: preparing",
    "__libc_start",
    "_start ()",
    "libthread_db",
    "[Inferior",
    "No symbol table is loaded",
    "No source file named",
    "\" not defined.",
    "auto-load",
    "of file /",
];

/// Without such lines, and without the digits of addresses.
fn normal(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if line.trim().is_empty() || DIFFERENT.iter().any(|part| line.contains(part)) {
            continue;
        }
        push_line(&mut out, line);
    }
    out
}

/// Appends a line without the digits of its addresses, which become 0x.
pub fn push_line(out: &mut String, line: &str) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("0x") {
        out.push_str(before);
        out.push_str("0x");
        rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    out.push_str(rest);
    out.push('\n');
}

/// Compares the two builds' sessions; `tells` must be in both.
#[track_caller]
fn compare(plain: &Path, lazy: &Path, script: &str, tells: &[&str]) {
    assert_same(session(plain, How::Plain, script), session(lazy, How::Lazy, script), tells);
}

/// What debuggers said of the two builds must be the same, and have what `tells` says.
#[track_caller]
pub fn assert_same(plain: String, lazy: String, tells: &[&str]) {
    assert_eq!(plain, lazy, "--- plain\n{plain}\n--- lazy\n{lazy}");
    for text in tells {
        assert!(lazy.contains(text), "no '{text}' in\n{lazy}");
    }
}

#[test]
fn gdb_knows_c_before_it_runs() {
    let scratch = Scratch::new("gdb_c");
    let [plain, lazy] =
        [How::Plain, How::Lazy].map(|how| program(&scratch, how, &["main.c", "other.c"], &[]));
    compare(
        &plain,
        &lazy,
        "break add\nbreak main.c:20\nrun\nbt\ninfo args\nup\ninfo locals\ndown\nprint origin\nprint counter\n\
         print colour\nprint squares\nptype origin\nptype union box\nprint latest\nwhatis other_total\nfinish\n\
         continue\nprint result\nprint add(20, 3)\nreturn 5\nnext\nnext\nwatch counter\ncontinue\nbt\ncontinue\n\
         step\ninfo breakpoints\nkill\n",
        &["Breakpoint 1, add (a=3, b=3) at", "origin.first = n", "whole = 7", "Old value", "int first;"],
    );
}

#[test]
fn gdb_steps_between_lazy_functions() {
    let scratch = Scratch::new("gdb_steps");
    let [plain, lazy] =
        [How::Plain, How::Lazy].map(|how| program(&scratch, how, &["main.c", "other.c"], &[]));
    let script = "break main\nrun\nstep\nstep\nstep\nup\nfinish\nnext\nstep\nkill\n";
    compare(&plain, &lazy, script, &["twice (v=3) at", "add (a=3, b=3) at", "Value returned is"]);
}

#[test]
fn gdb_steps_between_parts_of_a_module() {
    let scratch = Scratch::new("gdb_parts");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| program(&scratch, how, &["many.c"], &[]));
    compare(
        &plain,
        &lazy,
        "break first\nbreak many.c:28\nrun\nprint counter\nnext\nstep\nbt\ninfo args\nprint counter\nup\n\
         info args\nprint counter\ncontinue\nprint result\nfinish\nfinish\nbreak f139\nbreak f10\ncontinue\nbt\n\
         continue\nbt\ninfo breakpoints\nkill\n",
        &["last (n=2) at", "#1  0x in first (n=1) at", "$3 = 6\n", "$4 = 12\n", "f139 (n=12) at"],
    );
}

#[test]
fn gdb_steps_from_plain_code_by_way_of_the_first_line() {
    let scratch = Scratch::new("gdb_plain_steps");
    let lazy = program(&scratch, How::Lazy, &["callee.c"], &["caller.c"]);
    let text = session(&lazy, How::Lazy, "break main\nrun\nstep\nstep\ninfo args\nfinish\n");
    // Arguments are not in their places at the first stop: the stub's.
    for told in ["callee.c:2", "\n3\t  int sum = a + b;\na = 3\nb = 4\n", "Value returned is $1 = 7"] {
        assert!(text.contains(told), "no '{told}' in\n{text}");
    }
}

#[test]
fn gdb_knows_cxx_before_it_runs() {
    let scratch = Scratch::new("gdb_cxx");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| program(&scratch, how, &["shapes.cpp"], &[]));
    compare(
        &plain,
        &lazy,
        "break sell\nbreak Square::area\nbreak shapes.cpp:28\ncatch throw\nrun\nbt\ninfo args\nprint *this\n\
         ptype this\nup\nprint apple\nprint numbers\nptype shop::Item\nprint shop::sold\n\
         print (int)shop::Kind::Tool\ndown\nfinish\ncontinue\nprint values\nprint best\nbt\ndelete 3\ncontinue\n\
         print item.name\nfinish\ncontinue\nprint count\ncontinue\nbt\nup\ninfo args\nkill\n",
        &["Square::area (this=0x, scale=2)", "Catchpoint 4 (exception thrown)", "length 3", "price = 3"],
    );
}

#[test]
fn gdb_knows_rust_before_it_runs() {
    let scratch = Scratch::new("gdb_rust");
    let flags = ["-Copt-level=0", "-g"].map(str::to_owned);
    let [plain, lazy] = [(How::Plain, "plain"), (How::Lazy, "lazy")].map(|(how, name)| {
        let directory = scratch.directory(name);
        rust_program(how, Toolchain::Stable, &source("animals.rs"), &[], &flags, &directory)
    });
    compare(
        &plain,
        &lazy,
        "break animals::weigh\nbreak animals.rs:22\nrun\nbt 2\ninfo args\nprint *animal\nnext\nnext\n\
         print base\nup\nprint total\ndelete 1\ncontinue\nprint animals::VISITS\nprint total\nptype animals::Animal\nkill\n",
        &["animals::weigh (animal=0x, factor=2)", "VISITS"],
    );
}

#[test]
fn gdb_follows_libraries_that_come_and_go() {
    let scratch = Scratch::new("gdb_libraries");
    let directory = scratch.directory("lazy");
    let link = |name: &str, flags: &[String], output: &str| {
        let object = object(How::Lazy, &source(name), &["-O0", "-g", "-fPIC"].map(str::to_owned), &directory);
        let output = directory.join(output);
        Link { linker: "lld", cxx: false, flags }.run(&[object], &output);
        output
    };
    link("opened.c", &["-shared".to_owned()], "opened.so");
    let program = link("opens.c", &[], "program");
    // The second time it may stop in the stub first: there is no room above the library then.
    let script = "break opened_function\nrun\nbt\nprint opened_value\nfinish\ncontinue\ncontinue\n";
    let text = session(&program, How::Lazy, script);
    for told in ["opened_function (n=0) at", "$1 = 3", "Value returned is $2 = 3", "opened_function (n=1) at"]
    {
        assert!(text.contains(told), "no '{told}' in\n{text}");
    }
}

/// A lazy program that waits in `inner`.
pub struct Waiting(Child);

impl Waiting {
    pub fn start(mut command: Command) -> Self {
        let child = command.stdout(Stdio::null()).spawn().expect("it starts");
        // Asleep in `inner` by then, or gdb would be too early.
        let state = format!("/proc/{}/wchan", child.id());
        for _ in 0..2000 {
            let asleep = std::fs::read_to_string(&state).is_ok_and(|name| name.contains("nanosleep"));
            if asleep {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Self(child)
    }

    /// The number of its process.
    pub fn id(&self) -> String {
        self.0.id().to_string()
    }

    /// Whether it ends well, once it was let go.
    pub fn ends(&mut self) -> bool {
        self.0.wait().expect("it is ours").success()
    }

    /// What gdb says when it is attached.
    fn gdb(&self, directory: &Path, commands: &[&str]) -> String {
        let mut gdb = command("gdb");
        gdb.current_dir(directory).args(["-q", "-nx", "-batch", "-ex", "set width 0", "-p"]);
        gdb.arg(self.id());
        commands.iter().for_each(|line| {
            gdb.args(["-ex", line]);
        });
        let outcome = attempt(&mut gdb);
        format!("{}{}", normal(&outcome.text()), normal(&outcome.errors()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // It may have ended with gdb.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn gdb_that_comes_later_knows_names_and_lines() {
    let scratch = Scratch::new("gdb_attach");
    let lazy = program(&scratch, How::Lazy, &["waits.c"], &[]);
    let mut waiting = Waiting::start(by_llvm(lazy_command(&lazy, scratch.path())));
    let commands = ["bt", "info line late", "generate-core-file core", "set var *(int *)&go = 1"];
    let text = waiting.gdb(scratch.path(), &commands);
    for frame in ["in inner () at ", "waits.c:8", "in outer () at ", "waits.c:16", "in main () at "] {
        assert!(text.contains(frame), "no '{frame}' in\n{text}");
    }
    // A core file has the same.
    let mut gdb = command("gdb");
    gdb.args(["-q", "-nx", "-batch", "-ex", "bt"]).arg(&lazy).arg(scratch.path().join("core"));
    let core = normal(&attempt(&mut gdb).text());
    for frame in ["in inner () at ", "in outer () at ", "in main () at "] {
        assert!(core.contains(frame), "no '{frame}' in the core's\n{core}");
    }
    // Code that the first run has left in the cache has names, and can be unwound.
    assert!(waiting.ends());
    let warm = Waiting::start(by_llvm(warm_command(&lazy, scratch.path())));
    let text = warm.gdb(scratch.path(), &["bt", "generate-core-file warm"]);
    let mut gdb = command("gdb");
    gdb.args(["-q", "-nx", "-batch", "-ex", "bt"]).arg(&lazy).arg(scratch.path().join("warm"));
    for text in [text, normal(&attempt(&mut gdb).text())] {
        for frame in ["in inner ()", "in outer ()", "in main ()"] {
            assert!(text.contains(frame), "no '{frame}' in the warm run's\n{text}");
        }
        assert!(!text.contains("waits.c:8"), "not from the cache:\n{text}");
    }
}

/// Code of the baseline compiler has names there, and can be unwound; not lines.
#[test]
fn gdb_that_comes_later_knows_names_of_unoptimised_builds() {
    let scratch = Scratch::new("gdb_attach_baseline");
    let lazy = program(&scratch, How::Lazy, &["waits.c"], &[]);
    for make in [lazy_command, warm_command] {
        let mut waiting = Waiting::start(make(&lazy, scratch.path()));
        let text = waiting.gdb(scratch.path(), &["bt", "generate-core-file core", "set var *(int *)&go = 1"]);
        let mut gdb = command("gdb");
        gdb.args(["-q", "-nx", "-batch", "-ex", "bt"]).arg(&lazy).arg(scratch.path().join("core"));
        for text in [text, normal(&attempt(&mut gdb).text())] {
            for frame in ["in inner ()", "in outer ()", "in main ()"] {
                assert!(text.contains(frame), "no '{frame}' in\n{text}");
            }
        }
        assert!(waiting.ends());
        let stats = Stats::read(&scratch.path().join("stats"));
        assert_eq!(stats.number("compiled"), 0.0, "{stats:?}");
    }
}

/// gdb needs a time for each file that grows with their number.
#[test]
fn gdb_that_comes_later_reads_few_files() {
    let scratch = Scratch::new("gdb_attach_crowd");
    let lazy = program(&scratch, How::Lazy, &["crowd.c"], &[]);
    let mut waiting = Waiting::start(lazy_command(&lazy, scratch.path()));
    let commands = ["bt", "info symbol f150", "maint info jit", "set var *(int *)&go = 1"];
    let text = waiting.gdb(scratch.path(), &commands);
    for told in ["in inner ()", "in outer ()", "in main ()", "f150 in section .text"] {
        assert!(text.contains(told), "no '{told}' in\n{text}");
    }
    let table = text.lines().skip_while(|line| !line.starts_with("jit_code_entry")).skip(1);
    let files = table.take_while(|line| line.split_whitespace().count() == 3).count();
    // Two with 128 functions each, and the rest.
    assert!((3..128).contains(&files), "{files} in\n{text}");
    assert!(waiting.ends());
    let stats = Stats::read(&scratch.path().join("stats"));
    assert_eq!((stats.number("compiled"), stats.number("baseline")), (0.0, 303.0), "{stats:?}");
}

#[test]
fn gdb_that_was_announced_may_come_later() {
    let scratch = Scratch::new("gdb_announced");
    let lazy = program(&scratch, How::Lazy, &["waits.c"], &[]);
    let mut command = lazy_command(&lazy, scratch.path());
    command.env("AUTOJIT_DEBUGGER", "on");
    let waiting = Waiting::start(command);
    let commands = ["break late", "set var go = 1", "continue", "next", "info locals", "bt", "continue"];
    let text = waiting.gdb(scratch.path(), &commands);
    for told in ["Breakpoint 1, late (n=9) at", "result = 27", "in outer (n=4) at"] {
        assert!(text.contains(told), "no '{told}' in\n{text}");
    }
}

#[test]
fn gdb_that_comes_later_sets_breakpoints() {
    let scratch = Scratch::new("gdb_attach_breakpoints");
    let lazy = program(&scratch, How::Lazy, &["waits.c"], &[]);
    // `late` is compiled along with its caller.
    for make in [lazy_command, warm_command] {
        let mut start = by_llvm(make(&lazy, scratch.path()));
        start.env("AUTOJIT_STATS", scratch.path().join("stats"));
        let mut waiting = Waiting::start(start);
        let commands = ["break late", "set var *(int *)&go = 1", "continue", "bt", "continue"];
        let text = waiting.gdb(scratch.path(), &commands);
        for told in ["Breakpoint 1, ", "late ()", "in outer ()"] {
            assert!(text.contains(told), "no '{told}' in\n{text}");
        }
        assert_eq!(text.matches("Breakpoint 1, ").count(), 1, "{text}");
        assert!(waiting.ends());
    }
    assert!(Stats::read(&scratch.path().join("stats")).number("from_cache") >= 3.0);
}

#[test]
fn code_arrives_beside_breakpoints() {
    let scratch = Scratch::new("gdb_attach_goes_on");
    let lazy = program(&scratch, How::Lazy, &["goes_on.c"], &[]);
    for (mut start, number) in [
        (lazy_command(&lazy, scratch.path()), "baseline"),
        (by_llvm(lazy_command(&lazy, scratch.path())), "batches"),
    ] {
        start.env("AUTOJIT_STATS", scratch.path().join("stats"));
        let mut waiting = Waiting::start(start);
        // Functions are compiled while the page of `known` has a breakpoint.
        let commands = ["break known", "set var *(int *)&go = 1", "continue", "bt 2", "continue", "continue"];
        let text = waiting.gdb(scratch.path(), &commands);
        // Its stub is a location as well, which direct calls do not pass. Lines of code by LLVM are known.
        let stop = if number == "batches" { "Breakpoint 1.1, known" } else { "Breakpoint 1.1, 0x in known" };
        assert_eq!(text.matches(stop).count(), 2, "{text}");
        assert!(waiting.ends());
        // The last ones are not in the batches of the first.
        assert!(Stats::read(&scratch.path().join("stats")).number(number) >= 5.0);
    }
}

#[test]
fn ltrace_follows_returns_to_compiled_code() {
    let scratch = Scratch::new("ltrace");
    let [plain, lazy] = [How::Plain, How::Lazy].map(|how| {
        let program = program(&scratch, how, &["calls_the_library.c"], &[]);
        let mut ltrace = command("ltrace");
        if how == How::Lazy {
            ltrace.env("LD_PRELOAD", dist("lib/libautojit.so"));
            ltrace.env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"));
            ltrace.env("AUTOJIT_STATS", scratch.path().join("stats"));
        }
        let outcome = attempt(ltrace.args(["-e", "strlen+puts+getenv"]).arg(&program));
        outcome.assert_code(0);
        normal(&outcome.errors()).replace(|c: char| c.is_ascii_digit(), "")
    });
    assert_eq!(plain, lazy);
    assert!(
        lazy.contains("strlen(\"traced\")")
            && lazy.contains("<no return ...>") == plain.contains("<no return ...>"),
        "{lazy}"
    );
    assert!(Stats::read(&scratch.path().join("stats")).compiled() >= 2.0);
}

#[test]
fn gdb_is_told_nothing_if_that_is_not_wanted() {
    let scratch = Scratch::new("gdb_off");
    let lazy = program(&scratch, How::Lazy, &["waits.c"], &[]);
    let mut command = lazy_command(&lazy, scratch.path());
    command.env("AUTOJIT_DEBUGGER", "off");
    let waiting = Waiting::start(command);
    let text = waiting.gdb(scratch.path(), &["print __jit_debug_register_code", "bt"]);
    assert!(text.contains("<__jit_debug_register_code>") && !text.contains("in inner ()"), "{text}");
}

#[test]
fn memcheck_sees_the_programs_mistake_only() {
    let scratch = Scratch::new("memcheck");
    let lazy = program(&scratch, How::Lazy, &["faulty.cpp"], &[]);
    let mut valgrind = command("valgrind");
    valgrind.args(["--error-exitcode=99"]).arg(&lazy).env("LD_PRELOAD", dist("lib/libautojit.so"));
    let outcome = attempt(&mut valgrind);
    outcome.assert_code(99);
    assert!(outcome.text().starts_with("large\n"), "{outcome}");
    for told in ["Invalid read of size 4", "ERROR SUMMARY: 1 errors from 1 contexts"] {
        assert!(outcome.errors().contains(told), "no '{told}': {outcome}");
    }
}
