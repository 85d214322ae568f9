//! The object cache's directory: processes that write at once or are killed, eviction, and places where nothing can be
//! kept, in which programs run as they do elsewhere.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use autojit_tests::cache::{assert_cold, assert_warm, build, directory, files, only, warm};
use autojit_tests::run::{Outcome, attempt, command, run, tool, warm_command};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

/// Says nothing, so that all that it writes is the runtime's.
const SILENT: &str = "static int twice(int n) { return 2 * n; }\nint main(int argc, char **argv) { (void)argv; \
                      return twice(argc + 1); }\n";
/// The same, with a function that runs often: at its end the program counts for how long that was not optimised.
const SILENT_AND_BUSY: &str = "__attribute__((noinline)) static int next(volatile int *n) { return *n += 1; }
int main(void) { volatile int n = 0; while (next(&n) < 5000) {} return n / 1250; }
";

#[track_caller]
fn assert_ran(outcome: &Outcome, what: &str) {
    assert_eq!(outcome.status.code(), Some(4), "{what}: {outcome}");
    assert!(outcome.stdout.is_empty() && outcome.stderr.is_empty(), "{what}: {outcome}");
}

/// Makes a file last modified so long ago.
fn age(path: &Path, age: Duration) {
    let times = FileTimes::new().set_modified(SystemTime::now() - age);
    File::open(path).and_then(|file| file.set_times(times)).expect("the file is ours");
}

fn is_recent(path: &Path) -> bool {
    let modified = path.metadata().expect("it is there").modified().expect("files have times");
    modified.elapsed().is_ok_and(|age| age < Duration::from_secs(600))
}

const HOUR: Duration = Duration::from_secs(60 * 60);

#[test]
fn sixteen_writers() {
    let scratch = Scratch::new("cache-sixteen");
    let program = build(&scratch, "program", SILENT, &["-O1"]);
    for round in ["empty", "filled"] {
        std::thread::scope(|scope| {
            for number in 0..16 {
                let (scratch, program) = (&scratch, &program);
                scope.spawn(move || {
                    let place = scratch.directory(&number.to_string());
                    let mut lazy = warm_command(program, &place);
                    lazy.env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"));
                    assert_ran(&run(&mut lazy, &place, b""), "one of sixteen");
                    if round == "filled" {
                        assert_warm(&Stats::read(&place.join("stats")), "one of sixteen");
                    }
                });
            }
        });
        assert_eq!(files(&scratch, "").len(), 1, "{round}");
    }
}

/// Runs a program under strace, which makes its system calls fail or end it: `-e` of `inject`.
fn injected(scratch: &Scratch, program: &Path, inject: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut strace = command("strace");
    strace.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE");
    strace.args(["-f", "-o", "/dev/null"]);
    strace.args(inject.iter().map(|inject| format!("-einject={inject}")));
    let cache = scratch.path().join("cache").display().to_string();
    let preload = dist("lib/libautojit.so").display().to_string();
    // For the program, not for strace.
    for (name, value) in [("LD_PRELOAD", &*preload), ("AUTOJIT_CACHE_DIR", &cache)].iter().chain(environment)
    {
        strace.arg("-E").arg(format!("{name}={value}"));
    }
    run(strace.arg(program), scratch.path(), b"")
}

#[test]
fn killed_writers_leave_nothing_bad() {
    let scratch = Scratch::new("cache-killed");
    let program = build(&scratch, "program", SILENT, &["-O1"]);
    let cache = scratch.path().join("cache");
    // While it makes directories, before it has written anything, and before the file has its name.
    for (inject, left) in
        [("mkdirat:signal=KILL:when=2", 0), ("write:signal=KILL", 1), ("renameat:signal=KILL", 1)]
    {
        drop(fs::remove_dir_all(&cache));
        injected(&scratch, &program, &[inject], &[]).assert_signal(libc::SIGKILL);
        let leftovers = files(&scratch, "");
        assert_eq!(leftovers.len(), left, "{inject}: {leftovers:?}");
        assert!(
            leftovers.iter().all(|(path, _)| path.display().to_string().contains("/.new.")),
            "{leftovers:?}"
        );
        let (outcome, stats) = warm(&scratch, &program, |command| command);
        assert_ran(&outcome, inject);
        assert_cold(&stats, inject);
        assert_warm(&warm(&scratch, &program, |command| command).1, inject);
        // A process may still be writing what is new; what is old goes with the next write.
        let code = only(&scratch, ".ajo");
        assert_eq!(files(&scratch, "").len(), left + 1, "{inject}");
        leftovers.iter().for_each(|(path, _)| age(path, 2 * HOUR));
        fs::remove_file(&code).expect("it is ours");
        warm(&scratch, &program, |command| command);
        assert_eq!(only(&scratch, ""), code, "{inject}");
    }
    // At any moment.
    for delay in 0..30 {
        drop(fs::remove_dir_all(&cache));
        let mut child = warm_command(&program, scratch.path()).spawn().expect("it was just built");
        std::thread::sleep(Duration::from_millis(delay * 2));
        child.kill().and_then(|()| child.wait()).expect("it is ours");
        assert_ran(&warm(&scratch, &program, |command| command).0, "after a kill");
        assert_warm(&warm(&scratch, &program, |command| command).1, "after a kill");
    }
}

/// A program with some kilobytes of code of its own.
fn large(number: usize) -> String {
    let line =
        |n| format!("    if (n == {n}) total += puts(\"line {n} of {number}\") * {n} + n / ({n} + total);\n");
    let lines: String = (3..35).map(line).collect();
    format!(
        "int puts(const char *);\nint main(int n, char **v) {{ int total = 0;\n{lines} (void)v; return 4; }}\n"
    )
}

#[test]
fn what_was_not_used_for_longest_is_evicted() {
    let scratch = Scratch::new("cache-eviction");
    let run = |program: &PathBuf| {
        let (outcome, stats) = warm(&scratch, program, |command| {
            // LLVM's code has files of lines.
            command.env("AUTOJIT_CACHE_SIZE", "64K").env("AUTOJIT_BASELINE", "off")
        });
        assert_ran(&outcome, "limited");
        stats
    };
    let total = || files(&scratch, "").iter().map(|(_, size)| size).sum::<u64>();
    // With -g each has lines, which live and die with their code.
    let programs: Vec<_> = (0..6)
        .map(|number| build(&scratch, &format!("program{number}"), &large(number), &["-O1", "-g"]))
        .collect();
    let mut mine = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        let before = files(&scratch, "");
        assert_cold(&run(program), "first");
        let new: Vec<_> = files(&scratch, "").into_iter().filter(|file| !before.contains(file)).collect();
        assert_eq!(new.len(), 2, "{new:?}");
        let size: u64 = new.iter().map(|(_, size)| size).sum();
        assert!((8 << 10..32 << 10).contains(&size), "{new:?}");
        // The first ones are oldest: days, as what was used today is not touched again.
        new.iter().for_each(|(path, _)| age(path, 24 * HOUR * (20 - number as u32)));
        mine.push(new);
        assert!(total() <= 64 << 10, "{}", total());
        if number == 1 {
            // Being used makes the first one young.
            assert_warm(&run(&programs[0]), "used");
            assert!(mine[0].iter().any(|(path, _)| is_recent(path)), "{mine:?}");
        }
    }
    let there: Vec<_> =
        mine.iter().map(|files| files.iter().filter(|(path, _)| path.exists()).count()).collect();
    assert!(there.iter().all(|count| [0, 2].contains(count)), "halves were evicted: {there:?}");
    assert_eq!((there[0], there[1], there[5]), (2, 0, 2), "{there:?}");
    assert_warm(&run(&programs[0]), "the first one");
    assert_cold(&run(&programs[1]), "the second one");
    assert!(total() <= 64 << 10, "{}", total());
}

#[test]
fn what_is_not_the_caches_is_left_alone() {
    let scratch = Scratch::new("cache-foreign");
    let program = build(&scratch, "program", SILENT, &["-O1"]);
    warm(&scratch, &program, |command| command);
    let code = only(&scratch, ".ajo");
    let shard = code.parent().expect("it has one").to_owned();
    let beside = directory(scratch.path());
    let foreign = ["src/main.c", "ab/notes.txt", "ab/x.ajo", "README", "00/.hidden"].map(|name| {
        let path = beside.join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("the directory is ours");
        fs::write(&path, vec![b'x'; 9000]).expect("the directory is ours");
        age(&path, 9000 * HOUR);
        path
    });
    fs::write(shard.join("mine.txt"), "x").expect("the directory is ours");
    fs::remove_file(&code).expect("it is ours");
    // Room for nothing.
    let (outcome, _) = warm(&scratch, &program, |command| command.env("AUTOJIT_CACHE_SIZE", "1"));
    assert_ran(&outcome, "no room");
    assert!(!code.exists() && shard.join("mine.txt").exists());
    assert!(foreign.iter().all(|path| path.exists()), "{foreign:?}");
}

/// Runs the program with a cache that is of no use: it does as always, silently; why is said at debug level.
#[track_caller]
fn assert_useless(scratch: &Scratch, program: &Path, environment: &[(&str, &str)], reason: &str) {
    let (outcome, stats) = warm(scratch, program, |command| command.envs(environment.iter().copied()));
    assert_ran(&outcome, reason);
    assert_cold(&stats, reason);
    assert_eq!(stats.number("cached"), 0.0, "{reason}: {stats:?}");
    let (outcome, _) = warm(scratch, program, |command| {
        command.envs(environment.iter().copied()).env("AUTOJIT_LOG", "debug")
    });
    assert!(outcome.assert_code(4).errors().contains(reason), "no '{reason}': {outcome}");
}

#[test]
fn places_where_nothing_can_be_kept() {
    let scratch = Scratch::new("cache-places");
    let program = build(&scratch, "program", SILENT, &["-O1"]);
    let file = scratch.file("file", "x").display().to_string();
    assert_useless(&scratch, &program, &[("AUTOJIT_CACHE_DIR", &file)], "not a directory");
    assert_useless(
        &scratch,
        &program,
        &[("AUTOJIT_CACHE_DIR", "/proc/autojit")],
        "no such file or directory",
    );
    let nowhere = [("AUTOJIT_CACHE_DIR", ""), ("XDG_CACHE_HOME", ""), ("HOME", "")];
    assert_useless(&scratch, &program, &nowhere, "no object cache");
    let relative = [("AUTOJIT_CACHE_DIR", ""), ("XDG_CACHE_HOME", "relative"), ("HOME", "relative")];
    assert_useless(&scratch, &program, &relative, "no object cache");
    assert!(!scratch.path().join("relative").exists());
    let missing = scratch.path().join("missing").display().to_string();
    let homeless = [("AUTOJIT_CACHE_DIR", ""), ("XDG_CACHE_HOME", ""), ("HOME", &*missing)];
    assert_useless(&scratch, &program, &homeless, "no such file or directory");
    assert!(!scratch.path().join("missing").exists());
    // Any user could put something there.
    let code = directory(scratch.path());
    fs::create_dir_all(&code).expect("the directory is ours");
    fs::set_permissions(&code, Permissions::from_mode(0o777)).expect("it is ours");
    assert_useless(&scratch, &program, &[], "operation not permitted");
    fs::set_permissions(&code, Permissions::from_mode(0o700)).expect("it is ours");
    // SAFETY: no arguments, cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        chown(&code, Some(65534), None).expect("root can");
        assert_useless(&scratch, &program, &[], "operation not permitted");
        chown(&code, Some(0), None).expect("root can");
    }
    assert_eq!(files(&scratch, ""), []);
    // XDG_CACHE_HOME and HOME are used if they are there.
    let home = scratch.path().display().to_string();
    for (variable, place) in [("XDG_CACHE_HOME", "autojit/code"), ("HOME", ".cache/autojit/code")] {
        let others = [("AUTOJIT_CACHE_DIR", ""), ("XDG_CACHE_HOME", ""), (variable, &home)];
        assert_cold(&warm(&scratch, &program, |command| command.envs(others)).1, variable);
        assert_warm(&warm(&scratch, &program, |command| command.envs(others)).1, variable);
        assert!(scratch.path().join(place).is_dir());
    }
}

#[test]
fn devices_that_take_nothing() {
    let scratch = Scratch::new("cache-devices");
    let program = build(&scratch, "program", SILENT, &["-O1"]);
    for (inject, reason) in [
        ("mkdirat:error=EROFS", Some("no such file or directory")),
        ("renameat:error=ENOSPC", Some("no space left on device")),
        ("renameat:error=EIO", Some("input/output error")),
        // Messages are written, too.
        ("write:error=ENOSPC", None),
    ] {
        assert_ran(&injected(&scratch, &program, &[inject], &[]), inject);
        if let Some(reason) = reason {
            let outcome = injected(&scratch, &program, &[inject], &[("AUTOJIT_LOG", "debug")]);
            assert!(outcome.assert_code(4).errors().contains(reason), "no '{reason}': {outcome}");
        }
        assert_eq!(files(&scratch, ""), [], "{inject}");
    }
    // The limit for the size of files: to write more is a signal.
    let busy = build(&scratch, "busy", SILENT_AND_BUSY, &["-O1"]);
    for (program, trap) in [(&program, ""), (&program, "trap '' XFSZ;"), (&busy, "")] {
        for (log, reason) in [("warn", ""), ("debug", "file too large")] {
            let script = format!("{trap} ulimit -f 0; exec \"$0\" 2>&1 | cat; exit ${{PIPESTATUS[0]}}");
            let mut shell = command("bash");
            shell.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE");
            shell
                .args(["-c", &format!("export LD_PRELOAD=$PRELOAD; {script}")])
                .arg(program)
                .env("AUTOJIT_TIER", "on")
                .env("AUTOJIT_MODE", "auto");
            shell.env("PRELOAD", dist("lib/libautojit.so")).env("AUTOJIT_LOG", log);
            shell.env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"));
            // Through pipes: for files there is the limit.
            let outcome = attempt(&mut shell);
            assert_eq!(outcome.status.code(), Some(4), "{outcome}");
            assert!(
                outcome.text().contains(reason) && outcome.text().is_empty() == reason.is_empty(),
                "{outcome}"
            );
        }
    }
}

#[test]
fn files_that_are_none() {
    let scratch = Scratch::new("cache-files");
    let program = build(&scratch, "program", SILENT, &["-O1"]);
    warm(&scratch, &program, |command| command);
    let file = only(&scratch, ".ajo");
    let whole = fs::read(&file).expect("it is there");
    let elsewhere = scratch.file("elsewhere", &whole);
    let replace = |how: &dyn Fn()| {
        drop(fs::remove_file(&file));
        how();
    };
    let cases: [(&str, &dyn Fn(), &str); 4] = [
        (
            "a link",
            &|| symlink(&elsewhere, &file).expect("the directory is ours"),
            "too many levels of symbolic links",
        ),
        ("a fifo", &|| drop(tool(command("mkfifo").arg(&file))), "operation not permitted"),
        (
            "a file that all may write",
            &|| {
                fs::write(&file, &whole).expect("the directory is ours");
                fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("it is ours");
            },
            "operation not permitted",
        ),
        ("a directory", &|| fs::create_dir(&file).expect("the directory is ours"), "is a directory"),
    ];
    for (what, how, reason) in cases {
        replace(how);
        let (outcome, stats) = warm(&scratch, &program, |command| command);
        assert_ran(&outcome, what);
        assert_cold(&stats, what);
        if what != "a directory" {
            assert!(
                file.symlink_metadata()
                    .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o77 == 0)
            );
            assert_warm(&warm(&scratch, &program, |command| command).1, what);
            replace(how);
        }
        let (outcome, _) = warm(&scratch, &program, |command| command.env("AUTOJIT_LOG", "debug"));
        assert!(outcome.assert_code(4).errors().contains(reason), "{what}: no '{reason}': {outcome}");
    }
    assert!(fs::read(&elsewhere).is_ok_and(|now| now == whole), "what the link leads to");
    assert_eq!(files(&scratch, ".new").len(), 0);
}
