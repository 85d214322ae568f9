//! AUTOJIT_NAMES: code lies in ELF files, in which tools that look code up in /proc/PID/maps find names and unwind tables.

use std::fs::{self, FileTimes};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use autojit_tests::compile::{How, Link, object};
use autojit_tests::llvm::CLANGXX;
use autojit_tests::run::{
    Outcome, attempt, by_baseline, by_llvm, by_tiers, command, daemon_command, lazy_command, run,
    static_command, tool, warm_command,
};
use autojit_tests::scratch::{Scratch, dist, repository};
use autojit_tests::stats::Stats;

const STACK: &str = "deep middle main\n";
const NO_NAMES: &str = "? ? ?\n";

fn source(name: &str) -> PathBuf {
    repository().join("tests/tests/running/live_files").join(name)
}

/// The program, with `reader` linked as usual.
fn build(scratch: &Scratch, reader: &Path, flags: &[&str]) -> PathBuf {
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let lazy = object(
        How::Lazy,
        &source("program.c"),
        &["-O1", "-g", "-fno-optimize-sibling-calls"].map(String::from),
        scratch.path(),
    );
    let program = scratch.path().join("program");
    Link { linker: "lld", cxx: false, flags: &flags }.run(&[lazy, reader.to_owned()], &program);
    program
}

/// The program with its own reader.
fn program(scratch: &Scratch) -> PathBuf {
    let reader = object(How::Plain, &source("reader.c"), &["-O1".into()], scratch.path());
    build(scratch, &reader, &[])
}

fn live(scratch: &Scratch) -> PathBuf {
    scratch.path().join("cache/live")
}

/// The live files.
fn files(scratch: &Scratch) -> Vec<PathBuf> {
    let entries = fs::read_dir(live(scratch)).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it is readable").path()).collect();
    files.sort();
    files
}

/// Runs the program with its code in files, and this argument.
fn run_with(scratch: &Scratch, program: &Path, argument: &str) -> Outcome {
    let mut command = warm_command(program, scratch.path());
    run(command.arg(argument).env("AUTOJIT_NAMES", "files"), scratch.path(), b"")
}

/// Text without the space in front of each name.
fn stacks(outcome: &Outcome) -> String {
    outcome.text().lines().map(|line| format!("{}\n", line.trim_start())).collect()
}

#[test]
fn readers_of_maps_find_names_and_frames() {
    let scratch = Scratch::new("live-readers");
    let program = program(&scratch);
    let without = run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"");
    assert_eq!(stacks(without.assert_code(0)), NO_NAMES, "without the option nothing changes: {without}");
    assert!(!live(&scratch).exists());
    type Make = fn(PathBuf, &Path) -> Command;
    let modes: [(&str, &str, Make); 7] = [
        ("cold", "compiled", |program, directory| by_llvm(lazy_command(program, directory))),
        ("warm", "from_cache", |program, directory| by_llvm(warm_command(program, directory))),
        ("daemon", "from_daemon", daemon_command),
        ("baseline", "baseline", |program, directory| by_baseline(lazy_command(program, directory))),
        ("kept baseline", "from_cache", |program, directory| by_baseline(warm_command(program, directory))),
        ("tiers", "baseline", |program, directory| by_tiers(lazy_command(program, directory))),
        ("kept tiers", "from_cache", |program, directory| by_tiers(warm_command(program, directory))),
    ];
    for (mode, key, make) in modes {
        let mut command = make(program.clone(), scratch.path());
        command.env("AUTOJIT_NAMES", "files");
        let outcome = run(&mut command, scratch.path(), b"");
        assert_eq!(stacks(outcome.assert_code(0)), STACK, "{mode}: {outcome}");
        assert_eq!(outcome.errors(), "", "{mode}");
        assert!(Stats::read(&scratch.path().join("stats")).number(key) >= 2.0, "{mode}");
        assert_eq!(files(&scratch), [] as [PathBuf; 0], "{mode}: nothing is left");
    }
}

#[test]
fn addresses_of_functions_without_stubs_have_names() {
    let scratch = Scratch::new("live-addresses");
    let program = program(&scratch);
    for run in ["cold", "warm"] {
        let outcome = run_with(&scratch, &program, "address");
        let text = stacks(outcome.assert_code(0));
        assert!(text.strip_prefix(STACK).is_some_and(|name| name.starts_with("own")), "{run}: {outcome}");
    }
}

#[test]
fn static_programs_have_live_files() {
    let scratch = Scratch::new("live-static");
    let reader = object(How::Plain, &source("reader.c"), &["-O1".into()], scratch.path());
    let library = dist("lib/libautojit_static-x86_64.a").display().to_string();
    let program = build(&scratch, &reader, &["-static", "-Wl,--export-dynamic", &library]);
    let mut command = static_command(&program, scratch.path());
    command.env("AUTOJIT_CACHE_DIR", scratch.path().join("cache")).env("AUTOJIT_NAMES", "files");
    let outcome = run(&mut command, scratch.path(), b"");
    assert_eq!(stacks(outcome.assert_code(0)), STACK, "{outcome}");
    assert_eq!(files(&scratch), [] as [PathBuf; 0]);
}

/// A child has pages of its parent's file, and a file of its own for what it compiles.
#[test]
fn children_have_files_of_their_own() {
    let scratch = Scratch::new("live-fork");
    let program = program(&scratch);
    let outcome = run_with(&scratch, &program, "fork");
    let expected = format!("{STACK}later child_of main\n{STACK_IN_CHILD}child 6\nlater child_of main\n");
    assert_eq!(stacks(outcome.assert_code(0)), expected, "{outcome}");
    // The parent cannot know how long its children need its file; the child has ended by _exit.
    let left = files(&scratch);
    assert_eq!(left.len(), 2, "{left:?}");
    // In a copy of the process that no handler has heard of, code is copied: what it compiles itself has names.
    let outcome = run_with(&scratch, &program, "clone");
    let text = stacks(outcome.assert_code(0));
    assert!(
        text.starts_with(&format!("{STACK}later ")) && text.ends_with("\nlater child_of main\n"),
        "{text}"
    );
}

#[test]
fn children_that_share_the_memory_share_the_file() {
    let scratch = Scratch::new("live-vfork");
    let outcome = run_with(&scratch, &program(&scratch), "vfork");
    let expected = format!("{STACK}later of_vfork main\nlater of_vfork main\n");
    assert_eq!(stacks(outcome.assert_code(0)), expected, "{outcome}");
    assert_eq!(files(&scratch), [] as [PathBuf; 0]);
}

const STACK_IN_CHILD: &str = "deep middle child_of\n";

/// Makes a file last modified so long ago.
fn age(path: &Path, age: Duration) {
    let times = FileTimes::new().set_modified(SystemTime::now() - age);
    fs::File::open(path).and_then(|file| file.set_times(times)).expect("the file is ours");
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn files_of_killed_processes_stay_for_a_day() {
    let scratch = Scratch::new("live-killed");
    let program = program(&scratch);
    run_with(&scratch, &program, "abort").assert_signal(libc::SIGABRT);
    let killed = files(&scratch);
    assert_eq!(killed.len(), 1, "{killed:?}");
    run_with(&scratch, &program, "").assert_code(0);
    assert_eq!(files(&scratch), killed, "readers of core files want it");
    // Of a process that runs: this one's name is that of the file, whatever its age.
    let begin = fs::read_to_string("/proc/self/stat").expect("it is readable");
    let begin =
        begin[begin.rfind(')').expect("it is there")..].split(' ').nth(20).expect("it is there").to_owned();
    let ours = live(&scratch).join(format!("{}-{begin}-0", std::process::id()));
    // Of a process that had the same number.
    let before = live(&scratch).join(format!("{}-1-0", std::process::id()));
    let foreign = live(&scratch).join("notes");
    for path in [&ours, &before, &foreign] {
        fs::write(path, "").expect("the directory is ours");
        age(path, 2 * DAY);
    }
    age(&killed[0], 2 * DAY);
    run_with(&scratch, &program, "").assert_code(0);
    let mut left = vec![ours.clone(), foreign];
    left.sort();
    assert_eq!(files(&scratch), left);
    // Many are too many, however new.
    for number in 0..70 {
        fs::write(live(&scratch).join(format!("0-1-{number}")), "").expect("the directory is ours");
    }
    run_with(&scratch, &program, "").assert_code(0);
    assert_eq!(files(&scratch).len(), 64 + 2);
    // Tools know the kind: what runs keeps its files.
    let autojit = |option: &str| {
        let mut launcher = command(dist("bin/autojit-run"));
        tool(launcher.arg(option).env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"))).text()
    };
    let text = autojit("--cache-stats");
    assert!(text.contains("live files 65, 1 of running programs\nlive bytes 0\n"), "{text}");
    autojit("--cache-clear");
    assert_eq!(files(&scratch), left);
}

#[test]
fn files_are_kept_if_that_is_asked_for() {
    let scratch = Scratch::new("live-kept");
    let program = program(&scratch);
    let mut command = lazy_command(&program, scratch.path());
    run(command.env("AUTOJIT_NAMES", "keep"), scratch.path(), b"").assert_code(0);
    assert_eq!(files(&scratch).len(), 1);
}

/// A process that is stopped once it has said its number.
struct Paused(Child);

impl Paused {
    fn new(scratch: &Scratch, program: &Path, argument: &str) -> Self {
        let mut command = warm_command(program, scratch.path());
        command.arg(argument).env("AUTOJIT_NAMES", "files").stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("it was built");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let pid = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("pid ")));
        assert!(pid.is_some(), "it said nothing");
        Self(child)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        self.0.kill().expect("the child is ours");
        self.0.wait().expect("likewise");
    }
}

#[test]
fn what_a_process_was_before_execve_is_removed() {
    let scratch = Scratch::new("live-exec");
    let paused = Paused::new(&scratch, &program(&scratch), "exec");
    let left = files(&scratch);
    assert_eq!(left.len(), 1, "{left:?}");
    let name = left[0].file_name().expect("a file").to_string_lossy().into_owned();
    assert!(name.starts_with(&format!("{}-", paused.0.id())), "{name}");
    let maps = fs::read_to_string(format!("/proc/{}/maps", paused.0.id())).expect("it runs");
    let text = |line: &str| line.contains(" r-xp ") && line.ends_with(&name);
    assert!(maps.lines().any(text) && !maps.contains("memfd:autojit"), "{maps}");
}

/// Runs the program with its cache on a file system of its own, mounted with these options. None where that cannot be.
fn on_a_mount(scratch: &Scratch, program: &Path, options: &str) -> Option<Outcome> {
    let mut unshare = command("unshare");
    unshare.arg("--mount");
    // SAFETY: a plain system call.
    if unsafe { libc::geteuid() } != 0 {
        unshare.arg("--map-root-user");
        if !attempt(command("unshare").args(["--mount", "--map-root-user", "true"])).status.success() {
            eprintln!("not tested: only root can mount a file system here");
            return None;
        }
    }
    let cache = scratch.directory("cache");
    let script =
        format!("mount -t tmpfs -o {options} tmpfs \"$0\" && export LD_PRELOAD=\"$1\" && exec \"$2\"");
    unshare.args(["sh", "-c", &script]).arg(&cache).arg(dist("lib/libautojit.so")).arg(program);
    unshare.env("AUTOJIT_CACHE_DIR", &cache).env("AUTOJIT_NAMES", "files");
    unshare.env("AUTOJIT_STATS", scratch.path().join("stats"));
    Some(run(&mut unshare, scratch.path(), b""))
}

#[test]
fn programs_run_without_files_where_none_can_be_had() {
    let scratch = Scratch::new("live-none");
    let program = program(&scratch);
    for (options, cause) in [("size=100k,mode=700", "no space"), ("noexec,mode=700", "not permitted")] {
        let Some(outcome) = on_a_mount(&scratch, &program, options) else { return };
        assert_eq!(stacks(outcome.assert_code(0)), NO_NAMES, "{options}: {outcome}");
        let errors = outcome.errors();
        assert_eq!(errors.lines().count(), 1, "{options}: {outcome}");
        for part in ["AUTOJIT_NAMES", "/cache/live/", cause, "AUTOJIT_CACHE_DIR"] {
            assert!(errors.contains(part), "no '{part}': {outcome}");
        }
    }
    // A file that the program may not have so large, a directory that others can write.
    let mut limited = command("sh");
    limited
        .args(["-c", "ulimit -f 100 && LD_PRELOAD=\"$0\" exec \"$1\""])
        .arg(dist("lib/libautojit.so"))
        .arg(&program);
    limited.env("AUTOJIT_NAMES", "files").env("AUTOJIT_CACHE_DIR", scratch.directory("cache"));
    let outcome = run(&mut limited, scratch.path(), b"");
    assert_eq!(stacks(outcome.assert_code(0)), NO_NAMES, "{outcome}");
    assert!(outcome.errors().contains("as large as its code"), "{outcome}");
    let open = scratch.directory("cache/live");
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("it is ours");
    let outcome = run_with(&scratch, &program, "");
    assert_eq!(stacks(outcome.assert_code(0)), NO_NAMES, "{outcome}");
    assert!(outcome.errors().contains("AUTOJIT_NAMES: making a file in"), "{outcome}");
}

#[test]
fn elfutils_walks_the_stack_of_processes_and_core_files() {
    let scratch = Scratch::new("live-elfutils");
    let program = program(&scratch);
    let paused = Paused::new(&scratch, &program, "pause");
    let text = tool(command("eu-stack").arg("-p").arg(paused.0.id().to_string())).text();
    assert!(text.contains(" main\n") && text.contains(" _start\n"), "{text}");
    drop(paused);
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.trim() != "core" {
        eprintln!("not tested: core files go elsewhere");
        return;
    }
    let mut dumping = command("sh");
    dumping.args(["-c", "ulimit -c unlimited && LD_PRELOAD=\"$0\" exec \"$1\" abort"]);
    dumping.arg(dist("lib/libautojit.so")).arg(&program);
    dumping.env("AUTOJIT_NAMES", "files").env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"));
    run(&mut dumping, scratch.path(), b"").assert_signal(libc::SIGABRT);
    let entries =
        fs::read_dir(scratch.path()).expect("it is readable").map(|entry| entry.expect("likewise").path());
    let core = entries
        .into_iter()
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("core")));
    let mut stack = command("eu-stack");
    let text = tool(stack.arg("--core").arg(core.expect("it was dumped")).arg("-e").arg(&program)).text();
    assert!(text.contains(" main\n") && text.contains(" _start\n"), "{text}");
}

#[test]
fn libraries_that_read_maps_find_names() {
    let scratch = Scratch::new("live-libraries");
    let library = scratch.path().join("libreader.so");
    let mut compile = command(CLANGXX);
    compile.args(["-O1", "-fPIC", "-shared", "-o"]).arg(&library).arg(source("libraries.cc"));
    compile.args(["-l:libunwind.so.8", "-labsl_symbolize", "-ldw", "-l:libglog.so.1"]);
    run(&mut compile, scratch.path(), b"").assert_code(0);
    let program = build(&scratch, &library, &[&format!("-Wl,-rpath,{}", scratch.path().display())]);
    let readers = ["libunwind", "Abseil", "glog", "libdw"];
    let expected: String = readers
        .iter()
        .flat_map(|reader| ["deep", "middle", "main"].map(|name| format!("{reader} {name}\n")))
        .collect();
    for run in ["first", "later"] {
        let outcome = run_with(&scratch, &program, "");
        assert_eq!(outcome.assert_code(0).text(), expected, "{run}: {outcome}");
    }
}

#[test]
fn perf_finds_names_in_kept_files() {
    let scratch = Scratch::new("live-perf");
    let (program, data) = (program(&scratch), scratch.path().join("perf.data"));
    if !crate::perf::records(&data) {
        return;
    }
    for mut record in [lazy_command("perf", scratch.path()), warm_command("perf", scratch.path())] {
        record
            .args(["record", "--quiet", "--no-buildid-cache", "-e", "cpu-clock", "-o"])
            .arg(&data)
            .arg(&program)
            .arg("spin");
        tool(record.env("AUTOJIT_NAMES", "keep"));
        let report = tool(command("perf").args(["report", "--stdio", "-i"]).arg(&data)).text();
        assert!(report.lines().any(|line| line.contains("[.] main")), "{report}");
    }
}
