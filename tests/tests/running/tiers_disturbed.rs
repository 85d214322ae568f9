//! Tiers where much else happens: many threads, processes that fork, and daemons that die or do not answer.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use autojit_tests::compile::How;
use autojit_tests::daemon;
use autojit_tests::fake::Fake;
use autojit_tests::run::{Outcome, command, run};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;
use autojit_tests::tiered::{NOWHERE, build_program, tiered};

/// How long anything may take that must happen.
const LIMIT: Duration = Duration::from_secs(60);

fn stats(scratch: &Scratch, outcome: &Outcome) -> Stats {
    Stats::read(&scratch.path().join(format!("stats.{}", outcome.pid)))
}

/// A short path: a socket's may have 107 bytes.
fn socket(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("autojit-tiers-{name}-{}", std::process::id()))
}

#[test]
fn threads_run_what_changes_its_tier() {
    let scratch = Scratch::new("tiers-storm");
    let flags = ["-O2", "-pthread"];
    let plain = build_program(&scratch, How::Plain, "storm.cpp", &flags);
    let plain = run(&mut command(plain), scratch.path(), b"");
    let program = build_program(&scratch, How::Lazy, "storm.cpp", &flags);
    // Their entries alone must not replace the function whose loop all of them are in.
    let (calls, rounds) = ("100", "100");
    for (mode, socket) in [("inprocess", Path::new(NOWHERE)), ("daemon", daemon::shared())] {
        let mut command = tiered(&program, &scratch, mode, socket);
        command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1");
        command.env("AUTOJIT_TIER_CALLS", calls).env("AUTOJIT_TIER_LOOPS", rounds).arg("continued");
        let outcome = run(&mut command, scratch.path(), b"");
        plain.assert_same(&outcome, &format!("plain program and one with tiers, {mode}"));
        let found = stats(&scratch, &outcome);
        assert!(found.number("optimized") > 0.0, "{mode}: {found}");
        assert!(found.number("replaced_on_stack") >= 32.0, "{mode}: {found}");
    }
}

/// A daemon dies with an open request, each time that one comes: what is left is compiled in the process.
#[test]
fn daemons_die_with_open_requests() {
    let scratch = Scratch::new("tiers-dying");
    let plain = build_program(&scratch, How::Plain, "rounds.c", &["-O2"]);
    scratch.file("stop", "");
    let plain = run(&mut command(plain), scratch.path(), b"");
    let program = build_program(&scratch, How::Lazy, "rounds.c", &["-O2"]);
    let fake = Fake::start(&socket("dying"), |_, mut client| {
        if client.greet()
            && let Some(request) = client.request()
        {
            client.answer(&request);
            client.request();
        }
    });
    let mut command = tiered(&program, &scratch, "auto", fake.path());
    // Functions alone are asked for: whether the rest of `main` comes before the second of them is chance.
    command.env("AUTOJIT_TIER_LOOPS", "1000000000");
    let outcome = run(&mut command, scratch.path(), b"");
    plain.assert_same(&outcome, "plain program and one whose daemons die");
    let found = stats(&scratch, &outcome);
    assert_eq!((fake.clients(), found.number("from_daemon")), (2, 2.0), "{found}");
    assert!(found.number("optimized") >= 29.0 && found.number("engine_load_ms") > 0.0, "{found}");
}

/// A program that goes round until there is a file.
struct Rounds {
    /// What it does when it is built plainly.
    plain: Outcome,
    /// The lazy program.
    program: PathBuf,
    /// The file.
    stop: PathBuf,
}

impl Rounds {
    fn build(scratch: &Scratch) -> Self {
        let plain = build_program(scratch, How::Plain, "rounds.c", &["-O2"]);
        let stop = scratch.file("stop", "");
        let plain = run(&mut command(plain), scratch.path(), b"");
        fs::remove_file(&stop).expect("it was just written");
        Self { plain, program: build_program(scratch, How::Lazy, "rounds.c", &["-O2"]), stop }
    }
}

/// What takes the daemon long holds up nothing: more is asked for meanwhile, and answers come in any order.
#[test]
fn answers_come_in_any_order() {
    let scratch = Scratch::new("tiers-order");
    let Rounds { plain, program, stop } = Rounds::build(&scratch);
    let fake = Fake::start(&socket("order"), move |_, mut client| {
        if client.greet()
            && let (Some(first), Some(second)) = (client.request(), client.request())
        {
            assert!(first.number != second.number && first.what != second.what, "{first:?} {second:?}");
            client.answer(&second);
            client.answer(&first);
            fs::write(&stop, "").expect("the directory is writable");
            while let Some(request) = client.request() {
                client.answer(&request);
            }
        }
    });
    let mut command = tiered(&program, &scratch, "auto", fake.path());
    command.env("AUTOJIT_TIER_LOOPS", "1000000000").env("AUTOJIT_TIER_REQUESTS", "2");
    let outcome = run(&mut command, scratch.path(), b"");
    plain.assert_same(&outcome, "plain program and one whose answers come in another order");
    let found = stats(&scratch, &outcome);
    assert!(fake.clients() == 1 && found.number("from_daemon") >= 2.0, "{found}");
}

/// The children of a process.
fn children(process: u32) -> HashSet<u32> {
    let entries = fs::read_dir("/proc").expect("it is mounted").flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |one: &u32| {
        let stat = fs::read_to_string(format!("/proc/{one}/stat")).unwrap_or_default();
        // Behind the name: state and parent.
        stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)?.parse().ok()) == Some(process)
    };
    processes.filter(is_child).collect()
}

fn kill(process: u32) {
    let process = i32::try_from(process).expect("process ids are small");
    // SAFETY: plain system call; the process is a daemon of this test, or a compiler of one.
    unsafe { libc::kill(process, libc::SIGKILL) };
}

#[test]
fn daemons_and_compilers_are_killed() {
    let scratch = Scratch::new("tiers-killed");
    let Rounds { plain, program, stop } = Rounds::build(&scratch);
    let socket = socket("killed");
    let ended = Arc::new(AtomicBool::new(false));
    let killer = {
        let (socket, ended) = (socket.clone(), Arc::clone(&ended));
        thread::spawn(move || {
            for round in 0..3 {
                let mut daemon = Command::new(dist("bin/autojitd"));
                daemon.env("AUTOJIT_SOCKET_PATH", &socket).env("AUTOJIT_PREFETCH", "off");
                let mut daemon = daemon.spawn().expect("it starts");
                let start = Instant::now();
                let mut compilers = HashSet::new();
                while compilers.is_empty() && start.elapsed() < LIMIT {
                    thread::sleep(Duration::from_millis(5));
                    compilers = children(daemon.id());
                }
                for _ in 0..2 {
                    thread::sleep(Duration::from_millis(30));
                    children(daemon.id()).into_iter().for_each(kill);
                }
                thread::sleep(Duration::from_millis(10 + 20 * round));
                daemon.kill().expect("it is there");
                daemon.wait().expect("it is ours");
                if ended.load(SeqCst) {
                    return false;
                }
            }
            fs::write(stop, "").expect("the directory is writable");
            true
        })
    };
    let outcome = run(&mut tiered(&program, &scratch, "auto", &socket), scratch.path(), b"");
    ended.store(true, SeqCst);
    let killed = killer.join().expect("it has done its work");
    plain.assert_same(&outcome, "plain program and one whose daemons are killed");
    let found = stats(&scratch, &outcome);
    assert!(killed && found.number("optimized") >= 20.0, "{found}");
}

/// The kernel ends a process at a system call that it has given up. Counters run out nevertheless, and by themselves.
#[test]
fn a_process_may_give_up_system_calls() {
    let scratch = Scratch::new("tiers-strict");
    let plain = build_program(&scratch, How::Plain, "strict.c", &["-O2"]);
    let plain = run(&mut command(plain), scratch.path(), b"");
    plain.assert_code(0);
    let program = build_program(&scratch, How::Lazy, "strict.c", &["-O2"]);
    // Code that was just made, and kept code.
    for run_of in ["first", "second"] {
        for (mode, socket) in [("inprocess", Path::new(NOWHERE)), ("auto", daemon::shared())] {
            let strict = |mut command: Command| {
                command.env("AUTOJIT_CACHE_DIR", scratch.path().join(format!("cache-{mode}")));
                run(&mut command, scratch.path(), b"")
            };
            let outcome = strict(tiered(&program, &scratch, mode, socket));
            plain.assert_same(&outcome, &format!("plain program and {run_of} run of the lazy one, {mode}"));
        }
    }
    let outcome =
        run(tiered(&program, &scratch, "inprocess", Path::new(NOWHERE)).arg("free"), scratch.path(), b"");
    assert_eq!(outcome.text(), plain.text());
    let found = stats(&scratch, &outcome);
    assert!(found.number("optimized") > 0.0, "{found}");
}

/// What forks while the daemon works for it: its child begins anew, and the answer comes to the parent.
#[test]
fn processes_fork_with_open_requests() {
    let scratch = Scratch::new("tiers-forks");
    let plain = build_program(&scratch, How::Plain, "forks.c", &["-O2"]);
    let asked = scratch.file("asked", "");
    let plain = run(&mut command(plain), scratch.path(), b"");
    fs::remove_file(&asked).expect("it was just written");
    let program = build_program(&scratch, How::Lazy, "forks.c", &["-O2"]);
    let second = Arc::new(AtomicBool::new(false));
    let fake = Fake::start(&socket("forks"), move |number, mut client| {
        if number > 0 {
            second.store(true, SeqCst);
            return client.serve();
        }
        if !client.greet() {
            return;
        }
        let Some(request) = client.request() else { return };
        fs::write(&asked, "").expect("the directory is writable");
        let start = Instant::now();
        while !second.load(SeqCst) && start.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(1));
        }
        client.answer(&request);
        while let Some(request) = client.request() {
            client.answer(&request);
        }
    });
    let outcome = run(&mut tiered(&program, &scratch, "auto", fake.path()), scratch.path(), b"");
    plain.assert_same(&outcome, "plain program and one that forks");
    let found = stats(&scratch, &outcome);
    assert!(found.number("from_daemon") >= 2.0 && found.number("engine_load_ms") == 0.0, "{found}");
    assert_eq!(fake.clients(), 2, "{found}");
}

/// While its first request waits, one function is called often, and the loop of another one goes round more often.
/// Children that share the memory have descriptors of their own: what they close is not lost.
#[test]
fn children_of_vfork_leave_requests_to_their_parent() {
    let scratch = Scratch::new("tiers-vforks");
    let plain =
        run(&mut command(build_program(&scratch, How::Plain, "vforks.c", &["-O2"])), scratch.path(), b"");
    let program = build_program(&scratch, How::Lazy, "vforks.c", &["-O2"]);
    let mut command = tiered(&program, &scratch, "auto", daemon::shared());
    command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1");
    let outcome = run(&mut command, scratch.path(), b"");
    plain.assert_same(&outcome, "plain program and one with tiers");
    let found = stats(&scratch, &outcome);
    assert!(found.number("optimized") >= 2.0 && found.number("from_daemon") >= 2.0, "{found}");
    assert_eq!(found.number("engine_load_ms"), 0.0, "autojitd was given up: {found}");
}

#[test]
fn what_is_most_rewarding_is_asked_for_first() {
    let scratch = Scratch::new("tiers-order");
    let program = build_program(&scratch, How::Lazy, "order.c", &["-O2"]);
    let (asked, counted) = (scratch.path().join("asked"), scratch.path().join("counted"));
    let order = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&order);
    let fake = Fake::start(&socket("order"), move |_, mut client| {
        if !client.greet() {
            return;
        }
        let mut requests = 0;
        while let Some(request) = client.request() {
            heard.lock().expect("nothing panics").push(client.function(&request));
            requests += 1;
            fs::write(asked.with_extension(requests.to_string()), "").expect("the directory is writable");
            let start = Instant::now();
            while !counted.exists() && start.elapsed() < LIMIT {
                thread::sleep(Duration::from_millis(1));
            }
            client.answer(&request);
        }
    });
    let mut command = tiered(&program, &scratch, "daemon", fake.path());
    let outcome = run(command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1"), scratch.path(), b"");
    assert_eq!(outcome.text(), "counted\n");
    let order = order.lock().expect("nothing panics");
    assert_eq!(order[..2], ["first", "looping"], "{order:?}");
}
