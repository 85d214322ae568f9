//! Programs whose code comes from a daemon: they are as without one, whatever the daemon does and whatever they do with
//! their descriptors, children and limits.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use autojit_protocol::{Blob, Message, Scope};
use autojit_tests::compile::{How, Link, object};
use autojit_tests::fake::{Client, Fake, Request};
use autojit_tests::run::{Outcome, by_llvm, command, lazy_command, run};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

/// Calls one function after another, and looks at what it can see of the process.
const MAIN: &str = include_str!("daemon_client/main.c");
const OUTPUT: &str = "2 45\n3 4 -1 1 0\n";

fn build(scratch: &Scratch, how: How, text: &str) -> PathBuf {
    let source = scratch.file("program.c", text);
    let flags = ["-pthread".to_owned()];
    let object = object(how, &source, &["-O1".to_owned(), "-g".to_owned()], scratch.path());
    let output = scratch.path().join("program");
    Link { linker: "lld", cxx: false, flags: &flags }.run(&[object], &output);
    output
}

/// A short path: a socket's may have 107 bytes here.
fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("autojit-{name}-{}", std::process::id()))
}

/// `program` as a client of the daemon at `socket`, without one of its own, for all of its code.
fn client(program: &Path, scratch: &Scratch, mode: &str, socket: &Path) -> Command {
    let mut command = by_llvm(lazy_command(program, scratch.path()));
    command
        .env("AUTOJIT_MODE", mode)
        .env("AUTOJIT_SOCKET_PATH", socket)
        .env("AUTOJIT_DAEMON_PATH", "/nowhere/autojitd");
    command
}

fn stats(scratch: &Scratch) -> Stats {
    Stats::read(&scratch.path().join("stats"))
}

#[track_caller]
fn assert_output(outcome: &Outcome, text: &str) {
    assert_eq!((outcome.text(), outcome.errors()), (text.to_owned(), String::new()), "{outcome}");
    outcome.assert_code(0);
}

#[test]
fn code_comes_from_a_daemon() {
    let scratch = Scratch::new("client-code");
    let plain = run(&mut command(build(&scratch, How::Plain, MAIN)), scratch.path(), b"");
    assert_output(&plain, OUTPUT);
    let program = build(&scratch, How::Lazy, MAIN);
    let fake = Fake::start(&socket("code"), |_, client| client.serve());
    for mode in ["auto", "daemon"] {
        let outcome = run(&mut client(&program, &scratch, mode, fake.path()), scratch.path(), b"");
        outcome.assert_same(&plain, "plain program and client");
        stats(&scratch).assert_from_daemon();
        let outcome = run(client(&program, &scratch, mode, fake.path()).arg("1"), scratch.path(), b"");
        assert!(outcome.text().ends_with("\nhas no compiler\n"), "{outcome}");
    }
    assert_eq!(fake.clients(), 4);
    let mut alone = client(&program, &scratch, "inprocess", fake.path());
    let outcome = run(alone.arg("1"), scratch.path(), b"");
    assert!(outcome.text().ends_with("\ncompiles\n"), "{outcome}");
    stats(&scratch).assert_lazy();
    assert_eq!(fake.clients(), 4);
}

/// Runs MAIN as a client of a fake with which nothing comes of it, for the reason `reason`: it compiles for itself, or,
/// where it must not, ends with a message.
#[track_caller]
fn useless(name: &str, reason: &str, script: impl Fn(usize, Client) + Send + Sync + 'static) {
    let scratch = Scratch::new(&format!("client-{name}"));
    let program = build(&scratch, How::Lazy, MAIN);
    let fake = Fake::start(&socket(name), script);
    let mut auto = client(&program, &scratch, "auto", fake.path());
    assert_output(&run(&mut auto, scratch.path(), b""), OUTPUT);
    stats(&scratch).assert_lazy();
    let mut daemon = client(&program, &scratch, "daemon", fake.path());
    let outcome = run(daemon.env("AUTOJIT_LOG", "debug"), scratch.path(), b"");
    let errors = outcome.assert_code(127).errors();
    assert!(errors.contains(reason), "no '{reason}': {errors}");
    let last = errors.lines().last().expect("it says why it ends");
    assert!(last.contains("cannot compile function 'main'") && last.contains("asking autojitd: "), "{last}");
    assert!(last.contains("starting /nowhere/autojitd: no such file"), "{last}");
    assert!(fake.clients() >= 2, "both have tried");
}

#[test]
fn it_closes_the_connection() {
    useless("closes", "it has closed the connection", |_, mut client| {
        client.hear();
    });
    useless("ends", "it has closed the connection", |_, mut client| {
        client.greet();
        client.request();
    });
}

#[test]
fn it_belongs_to_another_build() {
    useless("refuses", "another build", |_, mut client| {
        client.hear();
        client.say(&Message::Refused { reason: "it belongs to another build".into() }, None);
    });
}

#[test]
fn it_is_something_else() {
    useless("web", "it has sent a message that is too long", |_, mut client| {
        client.hear();
        client.say_bytes(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    useless("silly", "it has sent what answers something else", |_, mut client| {
        client.greet();
        client.request();
        client.say(&Message::Stopping, None);
        client.hear();
    });
}

#[test]
fn its_code_is_none() {
    useless("garbage", "it has sent unusable code", |_, mut client| {
        client.greet();
        while let Some(Request { number, .. }) = client.request() {
            client.say(&Message::Code { number, kept: false }, Some(Blob::new(b"garbage")));
        }
    });
    useless("empty", "it has sent unusable code", |_, mut client| {
        client.greet();
        while let Some(Request { number, .. }) = client.request() {
            client.say(&Message::Code { number, kept: true }, None);
        }
    });
    useless("other", "it has sent code without the function", |_, mut client| {
        client.greet();
        while let Some(mut request) = client.request() {
            // The first function of the file, which calls nothing.
            request.what = Scope::Function(0);
            client.answer(&request);
        }
    });
    useless("missing", "it has sent descriptors that belong to no message", |_, mut client| {
        client.greet();
        client.request();
        // A code message whose blob is said to come as a descriptor.
        client.say_bytes(&[5, 0, 0, 0, 68, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        client.hear();
    });
    useless("confused", "it has sent an answer without a question", |_, mut client| {
        client.greet();
        while let Some(mut request) = client.request() {
            request.number += 1;
            client.answer(&request);
        }
    });
    useless("forgetful", "it has sent what answers something else", |_, mut client| {
        client.greet();
        while let Some(Request { number, .. }) = client.request() {
            client.say(&Message::Unknown { number }, None);
        }
    });
}

#[test]
fn it_belongs_to_another_user() {
    // SAFETY: a plain system call.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("only root can become another user; nothing was tested");
        return;
    }
    let scratch = Scratch::new("client-user");
    let program = build(&scratch, How::Lazy, MAIN);
    let path = socket("user");
    let listener = std::thread::scope(|scope| {
        let bind = || {
            // SAFETY: past the C library, this is for the calling thread only, which ends here.
            unsafe { libc::syscall(libc::SYS_setresuid, 0, 4321, 0) };
            Fake::start(&path, |_, client| client.serve())
        };
        scope.spawn(bind).join().expect("every user may listen in a directory for all")
    });
    let mut auto = client(&program, &scratch, "auto", listener.path());
    let outcome = run(auto.env("AUTOJIT_LOG", "debug"), scratch.path(), b"");
    assert!(outcome.errors().contains("user 4321 listens there"), "{outcome}");
    assert_eq!(outcome.assert_code(0).text(), OUTPUT);
    stats(&scratch).assert_lazy();
}

#[test]
fn it_hangs() {
    let scratch = Scratch::new("client-hangs");
    let program = build(&scratch, How::Lazy, MAIN);
    let fake = Fake::start(&socket("hangs"), |_, _client| {
        std::thread::sleep(Duration::from_secs(60));
    });
    let mut auto = client(&program, &scratch, "auto", fake.path());
    assert_output(&run(&mut auto, scratch.path(), b""), OUTPUT);
    stats(&scratch).assert_lazy();
    assert_eq!(fake.clients(), 1);
}

/// Runs MAIN as a client of a fake that gets along after all.
#[track_caller]
fn useful(name: &str, clients: usize, script: impl Fn(usize, Client) + Send + Sync + 'static) {
    let scratch = Scratch::new(&format!("client-{name}"));
    let program = build(&scratch, How::Lazy, MAIN);
    let fake = Fake::start(&socket(name), script);
    let mut daemon = client(&program, &scratch, "daemon", fake.path());
    assert_output(&run(&mut daemon, scratch.path(), b""), OUTPUT);
    stats(&scratch).assert_from_daemon();
    assert_eq!(fake.clients(), clients);
}

#[test]
fn it_is_started_again() {
    useful("restarts", 2, |number, mut client| {
        if number == 0 {
            client.greet();
            client.request();
        } else {
            client.serve();
        }
    });
}

#[test]
fn it_stops_answering() {
    useful("stops", 2, |number, mut client| {
        if number == 0 {
            client.greet();
            client.request();
            std::thread::sleep(Duration::from_secs(60));
        } else {
            client.serve();
        }
    });
}

#[test]
fn it_takes_its_time() {
    useful("slow", 1, |_, mut client| {
        client.greet();
        let mut patience = 10;
        while let Some(request) = client.request() {
            // Longer than it may be silent.
            for _ in 0..std::mem::take(&mut patience) {
                client.say(&Message::Working, None);
                std::thread::sleep(Duration::from_millis(400));
            }
            client.answer(&request);
        }
    });
}

#[test]
fn it_cannot_compile_a_function() {
    let scratch = Scratch::new("client-fails");
    let program = build(&scratch, How::Lazy, MAIN);
    let fake = Fake::start(&socket("fails"), |_, mut client| {
        client.greet();
        while let Some(Request { number, .. }) = client.request() {
            client.say(&Message::Failed { number, reason: "the compiler has crashed".into() }, None);
        }
    });
    for mode in ["auto", "daemon"] {
        let outcome = run(&mut client(&program, &scratch, mode, fake.path()), scratch.path(), b"");
        let errors = outcome.assert_code(127).errors();
        assert!(errors.contains("cannot compile function 'main'"), "{errors}");
        assert!(errors.ends_with("the compiler has crashed; build its file without autojit\n"), "{errors}");
    }
}

#[test]
fn it_is_started_by_the_program() {
    let scratch = Scratch::new("client-spawns");
    let program =
        build(&scratch, How::Lazy, &MAIN.replace("return 0;", "fflush(stdout); getchar(); return 0;"));
    let own = |mode: &str| {
        let mut command = client(&program, &scratch, mode, Path::new("/nowhere/autojitd.sock"));
        // A daemon may still write to the cache when the next program comes.
        command.env("AUTOJIT_DAEMON_PATH", dist("bin/autojitd")).env("AUTOJIT_DISABLE_OBJECT_CACHE", "1");
        command
    };
    assert_output(&run(&mut own("daemon"), scratch.path(), b""), OUTPUT);
    stats(&scratch).assert_from_daemon();
    // Beside the runtime; in PATH.
    let copy = scratch.path().join("libautojit.so");
    fs::copy(dist("lib/libautojit.so"), &copy).expect("the directory is ours");
    let path = dist("bin/autojitd").parent().expect("a file has a directory").to_owned();
    for (runtime, path) in [(dist("lib/libautojit.so"), "/nowhere".into()), (copy, path)] {
        let mut command = own("daemon");
        command.env_remove("AUTOJIT_DAEMON_PATH").env("LD_PRELOAD", &runtime).env("PATH", path);
        assert_output(&run(&mut command, scratch.path(), b""), OUTPUT);
        stats(&scratch).assert_from_daemon();
    }
    // Mode auto without an engine comes to that, too; its daemon has none either.
    let mut auto = own("auto");
    let outcome = run(auto.env("AUTOJIT_ENGINE_PATH", "/nowhere/engine.so"), scratch.path(), b"");
    assert!(outcome.assert_code(127).errors().contains("/nowhere/engine.so"), "{outcome}");
}

/// The fields of /proc/PID/stat behind the name: state, parent, group, session, terminal. None if it has ended.
fn facts(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let facts: Vec<_> = text.rsplit(')').next()?.split_whitespace().map(str::to_owned).collect();
    (facts[0] != "Z").then_some(facts)
}

#[test]
fn it_ends_with_the_program_that_started_it() {
    let scratch = Scratch::new("client-life");
    let program =
        build(&scratch, How::Lazy, &MAIN.replace("return 0;", "fflush(stdout); getchar(); return 0;"));
    let log = scratch.path().join("log");
    let mut child = client(&program, &scratch, "daemon", Path::new("/nowhere/autojitd.sock"))
        .env("AUTOJIT_DAEMON_PATH", dist("bin/autojitd"))
        .env("AUTOJIT_LOG", "info")
        .env("AUTOJIT_DISABLE_OBJECT_CACHE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).expect("the directory is ours"))
        .spawn()
        .expect("it was just built");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("the program writes");
    let log = fs::read_to_string(&log).expect("it is there");
    let (_, rest) = log.split_once("autojitd, process ").unwrap_or_else(|| panic!("{log}"));
    let daemon: u32 = rest.split(',').next().and_then(|number| number.parse().ok()).expect("a number");
    let facts_of = facts(daemon).expect("it runs");
    assert_ne!(facts_of[1], child.id().to_string(), "it is no child of the program's");
    assert_eq!(facts_of[3..5], [daemon.to_string(), "0".to_owned()], "a session of its own, no terminal");
    for descriptor in fs::read_dir(format!("/proc/{daemon}/fd")).expect("it runs") {
        let target = fs::read_link(descriptor.expect("an entry").path()).unwrap_or_default();
        let target = target.to_string_lossy().into_owned();
        assert!(!target.starts_with("pipe:") && !target.contains("client-life"), "it keeps {target}");
    }
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    let start = Instant::now();
    while facts(daemon).is_some() {
        assert!(start.elapsed() < Duration::from_secs(60), "the daemon outlives its program");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Actions of programs that a connection may not survive, each named by an argument, before they call another function.
const DEEDS: &str = include_str!("daemon_client/deeds.c");

#[test]
fn programs_may_do_anything() {
    let scratch = Scratch::new("client-deeds");
    let plain = build(&scratch, How::Plain, DEEDS);
    let plain = {
        let copy = scratch.path().join("plain");
        fs::rename(plain, &copy).expect("it was just built");
        copy
    };
    let program = build(&scratch, How::Lazy, DEEDS);
    let fake = Fake::start(&socket("deeds"), |_, client| client.serve());
    // SAFETY: a plain system call.
    let root = unsafe { libc::geteuid() } == 0;
    let deeds = ["close", "replace", "full", "limit", "directory", "environment", "fork", "clone", "exec"];
    for deed in deeds.into_iter().chain(["root", "user"].into_iter().filter(|_| root)) {
        let expected = run(command(&plain).arg(deed), scratch.path(), b"");
        assert!(expected.errors().is_empty(), "{deed}: {expected}");
        for mode in ["daemon", "auto"] {
            let mut command = client(&program, &scratch, mode, fake.path());
            if ["root", "user"].contains(&deed) {
                // There is no place for them.
                command.env_remove("AUTOJIT_STATS");
            }
            let outcome = run(command.arg(deed), scratch.path(), b"");
            outcome.assert_same(&expected, &format!("mode {mode}, {deed}: plain program and client"));
            if mode == "daemon" && !["root", "user"].contains(&deed) {
                stats(&scratch).assert_from_daemon();
            }
        }
    }
}

#[test]
fn threads_share_connections() {
    const FILE: &str = r#"
#define F(n) __attribute__((noinline)) int NAME(n)(int x) { return x + n; }
#define JOIN(a, b, c) a##b##_##c
#define JOINED(a, b, c) JOIN(a, b, c)
#define NAME(n) JOINED(f, N, n)
F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7)
int (*JOINED(all, N, s)[])(int) = {NAME(0), NAME(1), NAME(2), NAME(3), NAME(4), NAME(5), NAME(6), NAME(7)};
"#;
    const THREADS: &str = include_str!("daemon_client/threads.c");
    let scratch = Scratch::new("client-threads");
    let source = scratch.file("file.c", FILE);
    let mut objects: Vec<_> = (0..4)
        .map(|number| {
            let directory = scratch.directory(&number.to_string());
            object(How::Lazy, &source, &["-O1".to_owned(), format!("-DN={number}")], &directory)
        })
        .collect();
    objects.push(object(How::Lazy, &scratch.file("main.c", THREADS), &["-O1".to_owned()], scratch.path()));
    let program = scratch.path().join("program");
    Link { linker: "lld", cxx: false, flags: &["-pthread".to_owned()] }.run(&objects, &program);
    let fake = Fake::start(&socket("threads"), |_, client| client.serve());
    let mut before = 0;
    for _ in 0..5 {
        let outcome = run(&mut client(&program, &scratch, "daemon", fake.path()), scratch.path(), b"");
        // Each thread adds 0 to 31, and what each of 32 functions adds.
        assert_output(&outcome, &format!("{}\n", 16 * (31 * 16 + 4 * 28)));
        let stats = stats(&scratch);
        stats.assert_from_daemon();
        assert_eq!(stats.number("from_daemon"), 34.0);
        let clients = fake.clients() - std::mem::replace(&mut before, fake.clients());
        assert!((1..=8).contains(&clients), "{clients}");
    }
    assert!(before > 5, "no two threads have compiled at once");
}
