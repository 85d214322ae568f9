//! Programs and a real autojitd: many at once, one that is killed again and again, builds that it works ahead of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use autojit_tests::compile::plugin;
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{by_llvm, command, lazy_command, run, tool, warm_command};
use autojit_tests::scratch::{self, Scratch};
use autojit_tests::stats::Stats;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon with a socket and a cache in a directory, killed on drop.
struct Daemon {
    child: Child,
    directory: PathBuf,
}

impl Daemon {
    fn start(directory: &Path) -> Self {
        Self::start_as(Self::command(directory), directory)
    }

    /// One that compiles nothing but what a client asks for.
    fn start_without_prefetch(directory: &Path) -> Self {
        let mut daemon = Self::command(directory);
        daemon.env("AUTOJIT_PREFETCH", "Off");
        Self::start_as(daemon, directory)
    }

    fn start_as(mut daemon: Command, directory: &Path) -> Self {
        let child = daemon.stdin(Stdio::null()).spawn().expect("autojitd is in dist");
        let daemon = Self { child, directory: directory.to_owned() };
        let start = Instant::now();
        while !daemon.answers() {
            assert!(start.elapsed() < PATIENCE, "autojitd does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        daemon
    }

    fn command(directory: &Path) -> Command {
        let mut daemon = command(scratch::dist("bin/autojitd"));
        daemon
            .env_remove("AUTOJIT_DISABLE_OBJECT_CACHE")
            .env("AUTOJIT_SOCKET_PATH", directory.join("socket"))
            .env("AUTOJIT_CACHE_DIR", directory.join("cache"));
        daemon
    }

    fn answers(&self) -> bool {
        let status = Self::command(&self.directory).arg("--status").stderr(Stdio::null()).output();
        status.is_ok_and(|output| output.status.success())
    }

    /// A number of its status.
    fn number(&self, name: &str) -> u64 {
        let outcome = tool(Self::command(&self.directory).arg("--status"));
        let text = outcome.text();
        let rest = text.split(&format!("\"{name}\": ")).nth(1).unwrap_or_else(|| panic!("{name} in {text}"));
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
    }

    fn until(&self, name: &str, wanted: impl Fn(u64) -> bool) {
        let start = Instant::now();
        while !wanted(self.number(name)) {
            assert!(start.elapsed() < PATIENCE, "{name} is {}", self.number(name));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn kill(&mut self) {
        self.child.kill().expect("it is a child");
        self.child.wait().expect("it is a child");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program that calls `count` functions, one after the other; none calls another.
fn many(scratch: &Scratch, count: usize) -> PathBuf {
    let mut text = String::from("#include <stdio.h>\n");
    for number in 0..count {
        text += &format!("int f{number}(int a) {{ return a * {number} + 1; }}\n");
    }
    text += "static int (*volatile all[])(int) = {\n";
    (0..count).for_each(|number| text += &format!("f{number}, "));
    text += "};\nint main(void) {\n  unsigned sum = 0;\n";
    text += &format!("  for (int i = 0; i < {count}; i++) sum = sum * 31 + all[i](i);\n");
    text += "  printf(\"%u\\n\", sum);\n  return 0;\n}\n";
    let source = scratch.file("many.c", &text);
    compiled(&source, &scratch.path().join("many"), Path::new("/nowhere"))
}

/// What `many` prints.
fn expected(count: u32) -> String {
    let sum =
        (0..count).fold(0_u32, |sum, i| sum.wrapping_mul(31).wrapping_add(i.wrapping_mul(i).wrapping_add(1)));
    format!("{sum}\n")
}

/// A source file built lazily, while a daemon listens at `socket` perhaps.
fn compiled(source: &Path, program: &Path, socket: &Path) -> PathBuf {
    compiled_at("-O0", source, program, socket)
}

fn compiled_at(level: &str, source: &Path, program: &Path, socket: &Path) -> PathBuf {
    let mut clang = command(CLANG);
    clang.arg(format!("-fpass-plugin={}", plugin().display())).args([level, "-g"]);
    tool(clang.arg(source).arg("-o").arg(program).env("AUTOJIT_SOCKET_PATH", socket));
    program.to_owned()
}

/// `program` as a client of `daemon`, in a directory of its own.
fn client(program: &Path, directory: &Path, socket: &Path, mode: &str) -> Command {
    fs::create_dir_all(directory).expect("the directory is writable");
    let mut client = by_llvm(lazy_command(program, directory));
    client
        .env("AUTOJIT_DISABLE_OBJECT_CACHE", "1")
        .env("AUTOJIT_MODE", mode)
        .env("AUTOJIT_SOCKET_PATH", socket);
    client
}

#[test]
fn the_status_is_json_whatever_the_socket_is_called() {
    let scratch = Scratch::new("daemon-status");
    let directory = scratch.directory("quo\"te\\\n\u{e9}");
    let daemon = Daemon::start(&directory);
    let status = tool(Daemon::command(&daemon.directory).arg("--status")).text();
    let status: serde_json::Value =
        serde_json::from_str(&status).unwrap_or_else(|error| panic!("{error}: {status}"));
    assert_eq!(status["socket"].as_str(), directory.join("socket").to_str());
}

#[test]
fn fifty_programs_at_once_have_each_function_compiled_once() {
    const FUNCTIONS: usize = 60;
    let scratch = Scratch::new("daemon-fifty");
    let program = many(&scratch, FUNCTIONS);
    // It would begin with main, which the first program may ask for at the same time.
    let daemon = Daemon::start_without_prefetch(scratch.path());
    std::thread::scope(|scope| {
        for number in 0..50 {
            let directory = scratch.path().join(format!("client-{number}"));
            let (program, socket) = (&program, scratch.path().join("socket"));
            scope.spawn(move || {
                let mut client = client(program, &directory, &socket, "daemon");
                let outcome = run(client.env("AUTOJIT_DAEMON_PATH", "/nowhere/autojitd"), &directory, b"");
                assert_eq!((outcome.text(), outcome.errors()), (expected(60), String::new()));
                Stats::read(&directory.join("stats")).assert_from_daemon();
            });
        }
    });
    assert_eq!(daemon.number("compiled"), FUNCTIONS as u64 + 1);
    daemon.until("clients", |clients| clients == 0);
}

#[test]
fn a_daemon_is_killed_a_hundred_times() {
    const FUNCTIONS: u32 = 400;
    let scratch = Scratch::new("daemon-killed");
    let program = many(&scratch, FUNCTIONS as usize);
    let socket = scratch.path().join("socket");
    let over = std::sync::atomic::AtomicBool::new(false);
    let runs = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for (number, mode) in ["auto", "daemon", "auto", "daemon"].into_iter().enumerate() {
            let directory = scratch.path().join(format!("client-{number}"));
            let (program, socket, over, runs) = (&program, &socket, &over, &runs);
            scope.spawn(move || {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let mut client = client(program, &directory, socket, mode);
                    let outcome = run(&mut client, &directory, b"");
                    assert_eq!(
                        (outcome.text(), outcome.errors()),
                        (expected(FUNCTIONS), String::new()),
                        "{mode}"
                    );
                    runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
        let mut seed = 12345_u64;
        let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..100 {
                let mut daemon = Daemon::start(scratch.path());
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                std::thread::sleep(Duration::from_micros((seed >> 33) % 40_000));
                daemon.kill();
            }
        }));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Err(panic) = killed {
            std::panic::resume_unwind(panic);
        }
    });
    assert!(runs.into_inner() >= 4);
}

#[test]
fn a_program_that_is_stopped_delays_no_other() {
    const FUNCTIONS: u32 = 300;
    let scratch = Scratch::new("daemon-stopped");
    let program = many(&scratch, FUNCTIONS as usize);
    let daemon = Daemon::start(scratch.path());
    let socket = scratch.path().join("socket");
    let directory = scratch.path().join("stopped");
    let output = fs::File::create(scratch.path().join("output")).expect("the directory is writable");
    let mut stopped =
        client(&program, &directory, &socket, "daemon").stdout(output).spawn().expect("it was built");
    daemon.until("requests", |requests| requests > 20);
    // SAFETY: takes no pointers; the process is a child.
    unsafe { libc::kill(stopped.id() as i32, libc::SIGSTOP) };
    let directory = scratch.path().join("other");
    let outcome = run(&mut client(&program, &directory, &socket, "daemon"), &directory, b"");
    assert_eq!(outcome.text(), expected(FUNCTIONS));
    // Longer than a daemon may be silent: it was not the daemon that was.
    std::thread::sleep(Duration::from_secs(4));
    // SAFETY: as above.
    unsafe { libc::kill(stopped.id() as i32, libc::SIGCONT) };
    assert!(stopped.wait().expect("it is a child").success());
    assert_eq!(fs::read_to_string(scratch.path().join("output")).unwrap(), expected(FUNCTIONS));
}

#[test]
fn a_build_followed_by_a_run_finds_its_code() {
    let scratch = Scratch::new("daemon-ahead");
    let daemon = Daemon::start(scratch.path());
    let socket = scratch.path().join("socket");
    let text = |number: u32| {
        format!(
            "#include <stdio.h>\n\
             int used(int a) {{ return a + {number}; }}\n\
             int unused(int a) {{ return a; }}\n\
             int main(int argc, char **argv) {{\n\
             int (*volatile function)(int) = argc > 1 ? unused : used;\n\
             printf(\"%d\\n\", function(argc));\n\
             return 0;\n}}\n"
        )
    };
    let program = scratch.path().join("program");
    let build = |number| compiled_at("-O1", &scratch.file("program.c", text(number)), &program, &socket);
    let run = |wanted: &str| {
        let mut client = by_llvm(warm_command(&program, scratch.path()));
        client.env("AUTOJIT_MODE", "daemon").env("AUTOJIT_SOCKET_PATH", &socket);
        assert_eq!(run(&mut client, scratch.path(), b"").text(), wanted);
        Stats::read(&scratch.path().join("stats"))
    };
    // What no program has run yet: only where programs begin.
    build(5);
    daemon.until("compiled_ahead", |count| count == 1);
    let first = run("6\n");
    assert!(first.number("from_daemon") >= 1.0);
    // After an edit: what ran before.
    let recorded = Instant::now();
    while !recorded_functions(scratch.path()).contains(" used\n") {
        assert!(recorded.elapsed() < PATIENCE, "what has run was not noted");
        std::thread::sleep(Duration::from_millis(10));
    }
    build(7);
    daemon.until("compiled_ahead", |count| count == 3);
    // It has been written once nothing is left to do.
    daemon.until("busy", |busy| busy == 0);
    daemon.until("unwritten", |unwritten| unwritten == 0);
    let second = run("8\n");
    let numbers = ["from_cache", "from_daemon", "compiled"].map(|name| second.number(name));
    assert_eq!(numbers, [2.0, 0.0, 0.0]);
    // Programs compile themselves what is not to be optimised: of these two, only the second begins in the cache.
    for (level, name) in [("-O0", "plain.c"), ("-O1", "optimised.c")] {
        compiled_at(level, &scratch.file(name, text(9)), &scratch.path().join(level), &socket);
    }
    daemon.until("compiled_ahead", |count| count >= 4);
    daemon.until("waiting_ahead", |waiting| waiting == 0);
    daemon.until("busy", |busy| busy == 0);
    daemon.until("compiled_ahead", |count| count == 4);
}

/// All that `.ajr` files in the cache say.
fn recorded_functions(directory: &Path) -> String {
    let mut text = String::new();
    let shards = fs::read_dir(directory.join("cache/code")).into_iter().flatten().flatten();
    for file in shards.flat_map(|shard| fs::read_dir(shard.path()).into_iter().flatten().flatten()) {
        if file.path().extension().is_some_and(|extension| extension == "ajr") {
            text += &fs::read_to_string(file.path()).unwrap_or_default();
        }
    }
    text
}
