//! autojit-run: options, exit statuses, the environment it passes on.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use autojit_tests::cache::files;
use autojit_tests::compile::{How, Link, object};
use autojit_tests::run::{Outcome, attempt, by_llvm, command, run, tool};
use autojit_tests::scratch::{Scratch, dist, repository};
use autojit_tests::stats::Stats;

fn launcher() -> Command {
    command(dist("bin/autojit-run"))
}

/// A lazy program that exits with its number of arguments, or kills itself with the signal in the first one.
fn program(scratch: &Scratch) -> PathBuf {
    let source = scratch.file(
        "main.c",
        "#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\nstatic int chosen(int n) { return n; }\n\
         int main(int argc, char **argv) { if (argc > 1) raise(atoi(argv[1])); printf(\"ran\\n\"); return chosen(argc + 2); }\n",
    );
    let output = scratch.path().join("program");
    let object = object(How::Lazy, &source, &[], scratch.path());
    Link { linker: "bfd", cxx: false, flags: &[] }.run(&[object], &output);
    output
}

#[test]
fn help_lists_options_and_environment() {
    let scratch = Scratch::new("launcher-help");
    let outcome = run(launcher().arg("--help"), scratch.path(), b"");
    let text = outcome.assert_code(0).text();
    for word in [
        "Usage: autojit-run",
        "--stats[=FILE]",
        "AUTOJIT_STATS",
        "AUTOJIT_STORE",
        "AUTOJIT_LOG",
        "AUTOJIT_OPT",
    ] {
        assert!(text.contains(word), "no {word}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    assert!(outcome.stderr.is_empty(), "{outcome}");
}

#[test]
fn version_is_the_packages() {
    let scratch = Scratch::new("launcher-version");
    let outcome = run(launcher().arg("--version"), scratch.path(), b"");
    assert_eq!(outcome.assert_code(0).text(), format!("autojit-run {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_options_are_errors() {
    let scratch = Scratch::new("launcher-options");
    for arguments in [&["--unknown", "true"][..], &["-x"], &["--stats="], &[]] {
        let outcome = run(launcher().args(arguments), scratch.path(), b"");
        outcome.assert_code(2);
        assert!(outcome.errors().starts_with("autojit-run: "), "{outcome}");
        assert!(arguments.first().is_none_or(|option| outcome.errors().contains(option)), "{outcome}");
        assert!(outcome.stdout.is_empty(), "{outcome}");
    }
}

#[test]
fn exit_statuses_and_signals_pass_through() {
    let scratch = Scratch::new("launcher-status");
    let program = program(&scratch);
    let outcome = run(launcher().arg(&program), scratch.path(), b"");
    assert_eq!(outcome.assert_code(3).text(), "ran\n");
    assert!(outcome.stderr.is_empty(), "{outcome}");
    run(launcher().arg("--").arg(&program), scratch.path(), b"").assert_code(3);
    run(launcher().arg(&program).arg("15"), scratch.path(), b"").assert_signal(15);
    run(launcher().arg(&program).arg("9"), scratch.path(), b"").assert_signal(9);
    run(launcher().arg("/bin/true"), scratch.path(), b"").assert_code(0);
    run(launcher().args(["sh", "-c", "exit 42"]), scratch.path(), b"").assert_code(42);
}

#[test]
fn the_process_becomes_the_program() {
    let scratch = Scratch::new("launcher-exec");
    let outcome = run(launcher().args(["sh", "-c", "echo $$"]), scratch.path(), b"");
    assert_eq!(outcome.text().trim(), outcome.pid.to_string());
}

#[test]
fn programs_that_cannot_run_have_the_shells_statuses() {
    let scratch = Scratch::new("launcher-missing");
    let text = scratch.file("text", "not a program\n");
    for (program, code) in [
        ("no-such-program", 127),
        ("./no-such-program", 127),
        (text.to_str().expect("our paths are text"), 126),
        ("/", 126),
    ] {
        let outcome = run(launcher().arg(program), scratch.path(), b"");
        outcome.assert_code(code);
        assert!(
            outcome.errors().starts_with("autojit-run: ") && outcome.errors().contains(program),
            "{outcome}"
        );
    }
}

#[test]
fn arguments_are_the_programs_own() {
    let scratch = Scratch::new("launcher-arguments");
    let mut launcher = launcher();
    launcher.args(["printf", "[%s]", "--help", "a b", "", "*", "$HOME", "--"]);
    assert_eq!(
        run(&mut launcher, scratch.path(), b"").assert_code(0).text(),
        "[--help][a b][][*][$HOME][--]"
    );
}

#[test]
fn other_preloaded_libraries_stay() {
    let scratch = Scratch::new("launcher-preload");
    let ours = dist("lib/libautojit.so").canonicalize().expect("it exists").display().to_string();
    let outcome = run(launcher().args(["sh", "-c", "echo $LD_PRELOAD"]), scratch.path(), b"");
    assert_eq!(outcome.text().trim(), ours);
    let other = "/lib/x86_64-linux-gnu/libm.so.6";
    let outcome =
        run(launcher().args(["sh", "-c", "echo $LD_PRELOAD"]).env("LD_PRELOAD", other), scratch.path(), b"");
    assert_eq!(outcome.text().trim(), format!("{ours}:{other}"));
}

#[test]
fn stats_go_where_they_are_wanted() {
    let scratch = Scratch::new("launcher-stats");
    let program = program(&scratch);
    let outcome = run(launcher().arg(&program).env("AUTOJIT_STATS", "1"), scratch.path(), b"");
    assert_eq!(outcome.assert_code(3).text(), "ran\n");
    Stats::parse(outcome.errors().trim()).assert_lazy();
    let outcome = run(launcher().arg("--stats=numbers.%p").arg(&program), scratch.path(), b"");
    assert!(outcome.assert_code(3).stderr.is_empty(), "{outcome}");
    let stats = Stats::read(&scratch.path().join(format!("numbers.{}", outcome.pid)));
    stats.assert_lazy();
    assert_eq!(stats.string("program"), program.display().to_string());
}

#[test]
fn the_cache_is_counted_and_cleared() {
    let scratch = Scratch::new("launcher-cache");
    let program = program(&scratch);
    let cache = scratch.path().join("cache");
    let text = |option: &str| {
        let outcome = run(launcher().arg(option).env("AUTOJIT_CACHE_DIR", "cache"), scratch.path(), b"");
        assert!(outcome.assert_code(0).stderr.is_empty(), "{outcome}");
        outcome.text()
    };
    let counted = |files: u32, bytes: u64| {
        format!("directory  {}\nfiles      {files}\nbytes      {bytes}\nlimit      2G\n", cache.display())
    };
    assert_eq!(text("--cache-stats"), counted(0, 0));
    assert_eq!(text("--cache-clear"), "");
    assert!(!cache.exists());
    let mut keeping = launcher();
    keeping.arg(&program).env("AUTOJIT_CACHE_DIR", &cache).env_remove("AUTOJIT_DISABLE_OBJECT_CACHE");
    run(&mut keeping, scratch.path(), b"").assert_code(3);
    let [(file, size)] = &files(&scratch, ".ajo")[..] else { panic!("one file was expected") };
    assert!(text("--cache-stats").starts_with(&counted(1, *size)));
    // What is not the cache's stays, and is not counted.
    let shard = file.parent().expect("it has one");
    let foreign = [shard.join("notes"), cache.join("code/src/main.ajo"), cache.join("README")];
    for path in &foreign {
        fs::create_dir_all(path.parent().expect("it has one")).expect("the directory is ours");
        fs::write(path, "text").expect("the directory is ours");
    }
    fs::write(shard.join(".new.1.2.3"), "left").expect("the directory is ours");
    // Files of the other kinds.
    let others = ["ajl", "ajr"].map(|kind| file.with_extension(kind));
    others.iter().for_each(|path| fs::write(path, "kind").expect("the directory is ours"));
    let all = text("--cache-stats");
    let kinds: Vec<_> = all.strip_prefix(&*counted(4, size + 12)).expect("it is counted").lines().collect();
    for (kind, line) in ["code of modules", "lines", "names of what ran", "being written"].iter().zip(&kinds)
    {
        assert!(line.contains(kind) && line.contains(" 1 files "), "{all}");
    }
    assert_eq!(kinds.len(), 4, "{all}");
    assert_eq!(text("--cache-clear"), "");
    assert_eq!(text("--cache-stats"), counted(0, 0));
    assert!(foreign.iter().all(|path| path.exists()) && !shard.join(".new.1.2.3").exists());
    assert!(!others.iter().any(|path| path.exists()));
    foreign.iter().for_each(|path| fs::remove_file(path).expect("it is there"));
    fs::remove_dir(cache.join("code/src")).expect("it is empty");
    text("--cache-clear");
    assert!(!cache.join("code").exists());

    let nowhere = [("AUTOJIT_CACHE_DIR", ""), ("XDG_CACHE_HOME", ""), ("HOME", "")];
    let outcome = run(launcher().arg("--cache-stats").envs(nowhere), scratch.path(), b"");
    assert!(outcome.assert_code(2).errors().contains("no cache"), "{outcome}");
    let home = [("AUTOJIT_CACHE_DIR", ""), ("XDG_CACHE_HOME", ""), ("HOME", "/home/of")];
    let outcome = run(launcher().arg("--cache-stats").envs(home), scratch.path(), b"");
    assert!(outcome.assert_code(0).text().contains("directory  /home/of/.cache/autojit\n"), "{outcome}");
}

/// The daemon of a test, which is to end with it.
struct Daemon<'a>(&'a Scratch);

impl Daemon<'_> {
    fn ask(&self, question: &str) -> Outcome {
        let mut daemon = command(dist("bin/autojitd"));
        attempt(daemon.arg(question).env("AUTOJIT_SOCKET_PATH", "run/socket").current_dir(self.0.path()))
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        self.ask("--stop");
    }
}

#[test]
fn a_daemon_is_started_once_and_used() {
    let scratch = Scratch::new("launcher-daemon");
    let program = program(&scratch);
    let daemon = Daemon(&scratch);
    daemon.ask("--status").assert_code(1);
    let start = |option: &str| {
        let mut launcher = launcher();
        launcher.args([option, "--stats=stats"]).arg(&program).current_dir(scratch.path());
        // A relative path is one in the directory where the program is started.
        launcher.env("AUTOJIT_SOCKET_PATH", "run/socket").env("AUTOJIT_DAEMON_PATH", dist("bin/autojitd"));
        let mut launcher = by_llvm(launcher);
        // Its output is read to its end, to which a daemon must not hold on.
        let outcome = attempt(&mut launcher);
        assert_eq!((outcome.text(), outcome.errors()), ("ran\n".to_owned(), String::new()));
        outcome.assert_code(3);
        Stats::read(&scratch.path().join("stats"))
    };
    start("--daemon").assert_from_daemon();
    let process = |status: &Outcome| {
        let status: serde_json::Value = serde_json::from_str(&status.assert_code(0).text()).expect("JSON");
        status["pid"].as_u64().expect("its process id")
    };
    let first = process(&daemon.ask("--status"));
    start("--daemon").assert_from_daemon();
    assert_eq!(process(&daemon.ask("--status")), first);
    let directory = fs::read_link(format!("/proc/{first}/cwd")).expect("it runs");
    assert_eq!(directory, PathBuf::from("/"));
    start("--inprocess").assert_lazy();
}

#[test]
fn the_library_is_found_through_links() {
    let scratch = Scratch::new("launcher-library");
    let program = program(&scratch);
    let link = scratch.directory("bin").join("run-it");
    symlink(dist("bin/autojit-run"), &link).expect("the directory is ours");
    run(command(&link).arg(&program), scratch.path(), b"").assert_code(3);
    // Found in PATH, and through more than one link.
    symlink("run-it", scratch.path().join("bin/again")).expect("the directory is ours");
    let mut shell = command("sh");
    shell.args(["-c", "PATH=$PWD/bin:$PATH; again \"$0\""]).arg(&program);
    run(&mut shell, scratch.path(), b"").assert_code(3);
}

#[test]
fn other_names_are_an_error() {
    let scratch = Scratch::new("launcher-name");
    let copy = scratch.file("another", fs::read(dist("bin/autojit-run")).expect("it exists"));
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let outcome = run(&mut command(&copy), scratch.path(), b"");
    let errors = outcome.assert_code(2).errors();
    assert!(errors.contains("autojit-run") && errors.contains("autojit-rustc"), "{outcome}");
}

#[test]
fn signals_stay_ignored_and_blocked() {
    let scratch = Scratch::new("launcher-signals");
    let signals = |launcher: &[&std::ffi::OsStr]| {
        // SIGPIPE is one that Rust's own start-up code changes.
        let mut shell = command("sh");
        shell.args(["-c", "trap '' PIPE USR1; exec \"$@\"", "sh"]).args(launcher);
        shell.args(["grep", "Sig[BI]", "/proc/self/status"]);
        // SAFETY: the signal calls that it makes may be made between fork and exec.
        unsafe {
            shell.pre_exec(|| {
                let mut set = std::mem::zeroed();
                libc::sigemptyset(&raw mut set);
                libc::sigaddset(&raw mut set, libc::SIGUSR2);
                libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
                Ok(())
            });
        }
        run(&mut shell, scratch.path(), b"").assert_code(0).text()
    };
    let plain = signals(&[]);
    assert!(plain.contains("0800\n") && plain.contains("1200\n"), "{plain}");
    assert_eq!(signals(&[dist("bin/autojit-run").as_os_str()]), plain);
}

#[test]
fn scripts_without_an_interpreter_line_run() {
    let scratch = Scratch::new("launcher-script");
    let script = scratch.file("script", "echo \"$0 $1\"; exit 5\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let outcome = run(launcher().args(["./script", "a b"]), scratch.path(), b"");
    assert_eq!(outcome.assert_code(5).text(), "./script a b\n");
    let lost = scratch.file("lost", "#!/no/such/interpreter\n");
    fs::set_permissions(&lost, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let outcome = run(launcher().arg("./lost"), scratch.path(), b"");
    assert!(outcome.assert_code(126).errors().contains("interpreter"), "{outcome}");
}

#[test]
fn a_missing_library_is_a_clear_error() {
    let scratch = Scratch::new("launcher-no-library");
    if ["/usr/local/lib/autojit", "/usr/local/lib", "/usr/lib"]
        .iter()
        .any(|path| fs::exists(format!("{path}/libautojit.so")).unwrap_or(true))
    {
        panic!("autojit is installed on this machine, so that the launcher would find it");
    }
    let copy = scratch.file("bin/autojit-run", fs::read(dist("bin/autojit-run")).expect("it exists"));
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let outcome = run(command(&copy).arg("/bin/true"), scratch.path(), b"");
    let errors = outcome.assert_code(127).errors();
    assert!(errors.contains("libautojit.so not found") && errors.contains("/bin/../lib"), "{outcome}");
}

#[test]
fn a_library_that_cannot_be_preloaded_is_a_clear_error() {
    let scratch = Scratch::new("launcher-space");
    let copy =
        scratch.file("with space/bin/autojit-run", fs::read(dist("bin/autojit-run")).expect("it exists"));
    scratch.file("with space/lib/libautojit.so", "");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let outcome = run(command(&copy).arg("/bin/true"), scratch.path(), b"");
    assert!(outcome.assert_code(127).errors().contains("space"), "{outcome}");
}

#[test]
fn address_sanitizer_comes_first() {
    let scratch = Scratch::new("launcher-asan");
    let sources = repository().join("tests/programs/asan");
    let helper = object(How::Lazy, &sources.join("helper.c"), &[], scratch.path());
    let program = scratch.path().join("program");
    let mut gcc = command("gcc");
    gcc.args(["-g", "-fsanitize=address"]).arg(sources.join("main.c")).arg(helper).arg("-o").arg(&program);
    tool(&mut gcc);
    let start = |argument: Option<&str>| {
        let stats = scratch.path().join("stats");
        let mut launcher = launcher();
        launcher.arg("--stats=stats").arg(&program).args(argument);
        (run(&mut launcher, scratch.path(), b""), Stats::read(&stats))
    };
    let (outcome, stats) = start(None);
    assert_eq!((outcome.assert_code(0).text(), outcome.errors()), ("42\n".into(), String::new()));
    stats.assert_lazy();
    let (outcome, _) = start(Some("behind"));
    outcome.assert_code(1);
    assert!(outcome.errors().contains("heap-buffer-overflow"), "{outcome}");
}
