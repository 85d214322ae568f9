//! What autojitd does not keep of the process that has started it: limits, priority, processors, signals, mask of files,
//! preloaded libraries.

use std::fs;
use std::path::Path;
use std::process::Command;

use autojit_tests::compile::How;
use autojit_tests::parts::{HELPER, MAIN, compile, link};
use autojit_tests::run::{by_llvm, command, lazy_command, run, tool};
use autojit_tests::scratch::{self, Scratch};
use autojit_tests::stats::Stats;

/// A shell with little of everything that runs `script`.
fn limited(mut command: Command, script: &str) -> Command {
    let text = format!(
        "ulimit -S -f 1; ulimit -S -t 1000; ulimit -S -s 1024; ulimit -S -d 4000000; ulimit -S -v 16000000; umask 0;\
         trap '' CHLD QUIT; {script}"
    );
    command.args(["-c", &text]);
    command
}

fn daemon(program: &str, directory: &Path) -> Command {
    let mut command = command(program);
    command
        .env_remove("AUTOJIT_DISABLE_OBJECT_CACHE")
        .env("AUTOJIT_SOCKET_PATH", directory.join("socket"))
        .env("AUTOJIT_CACHE_DIR", directory.join("cache"));
    command
}

#[test]
fn a_detached_daemon_leaves_what_it_inherits() {
    let scratch = Scratch::new("daemon-inherits");
    let autojitd = scratch::dist("bin/autojitd");
    let start = format!(
        "LD_PRELOAD={} nice -n 7 taskset 1 {} --detach",
        scratch::dist("lib/libautojit.so").display(),
        autojitd.display()
    );
    tool(&mut limited(daemon("bash", scratch.path()), &start));
    let status =
        tool(daemon(autojitd.to_str().expect("a path of ours"), scratch.path()).arg("--status")).text();
    let pid = status.split("\"pid\": ").nth(1).expect("the status tells it");
    let pid: String = pid.chars().take_while(char::is_ascii_digit).collect();
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).expect("it runs");
    let own = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).expect("it runs");
    let preloaded = [read("maps"), read("environ")].concat().contains("libautojit.so");
    let (limits, status, stat) = (read("limits"), read("status"), read("stat"));
    let own_status = own("status");
    tool(daemon(autojitd.to_str().expect("a path of ours"), scratch.path()).arg("--stop"));

    assert!(!preloaded, "it was started with LD_PRELOAD");
    // Root may raise hard limits, others only the soft ones: to the hard ones.
    for name in ["Max file size", "Max cpu time", "Max stack size", "Max data size", "Max address space"] {
        let line = limits.lines().find(|line| line.starts_with(name)).expect("it is there");
        let [soft, hard] = [line[26..46].trim(), line[47..67].trim()];
        assert_eq!(soft, hard, "{line}");
    }
    let line = |text: &str, name: &str| {
        text.lines().find(|line| line.starts_with(name)).expect("it is there").to_owned()
    };
    assert!(line(&status, "Umask:").ends_with("0077"));
    assert_eq!(line(&status, "Cpus_allowed:"), line(&own_status, "Cpus_allowed:"));
    let ignored = line(&status, "SigIgn:");
    let ignored = u64::from_str_radix(ignored[7..].trim(), 16).expect("a mask");
    assert_eq!(ignored & (1 << (libc::SIGCHLD - 1) | 1 << (libc::SIGQUIT - 1)), 0, "{ignored:x}");
    // SAFETY: takes no pointers.
    if unsafe { libc::geteuid() } == 0 {
        let fields: Vec<_> = stat.rsplit(") ").next().expect("behind the name").split(' ').collect();
        assert_eq!(fields[16], "0", "its nice value");
    }
}

/// Files may not grow beyond a kilobyte in the program; the daemon that it starts for itself raises its own limit.
#[test]
fn a_program_that_may_write_no_files_has_a_daemon() {
    let scratch = Scratch::new("daemon-no-files");
    let objects = [("main.c", MAIN), ("helper.c", HELPER)]
        .map(|(name, text)| compile(&scratch, How::Lazy, name, text, &["-g"]));
    let program = link(&scratch, "bfd", &objects, &[]);
    let mut shell = by_llvm(lazy_command("bash", scratch.path()));
    shell.env("AUTOJIT_MODE", "daemon").env("AUTOJIT_DAEMON_PATH", scratch::dist("bin/autojitd"));
    let run = run(&mut limited(shell, &format!("exec {}", program.display())), scratch.path(), b"");
    assert_eq!(run.assert_code(0).text(), "42\n");
    Stats::read(&scratch.path().join("stats")).assert_from_daemon();
}
