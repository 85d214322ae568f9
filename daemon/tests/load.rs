//! A daemon under load.

mod common;

use std::process::Command;

use autojit_protocol::Scope;
use common::{Answer, Daemon, defines, groups, many};

#[test]
fn fifty_programs_want_the_same() {
    let daemon = Daemon::start(&["--jobs=2"]);
    let module = many("same.c", 40);
    std::thread::scope(|scope| {
        for number in 0..50 {
            let (daemon, module) = (&daemon, &module);
            scope.spawn(move || {
                let mut program = daemon.program(&format!("/bin/p{number}"));
                for function in 0..40 {
                    assert!(defines(&program.compile(module, function), &format!("f{function}")));
                }
            });
        }
    });
    // Each function once.
    let status = daemon.status();
    assert_eq!(common::number(&status, "compiled"), 40, "{status}");
    assert!(common::number(&status, "requests") >= 2000, "{status}");
    daemon.until("clients", |clients| clients == 0);
}

#[test]
fn memory_is_bounded() {
    let daemon = Daemon::start(&["--jobs=1", "--memory=128"]);
    let mut program = daemon.program("/bin/a");
    let mut most = 0;
    // 20,000 functions in 20 modules.
    for number in 0..20 {
        let module = groups(&format!("m{number}.c"), 63);
        for group in 0..63 {
            program.compile(&module, group * 16);
        }
        most = most.max(daemon.number("memory_kb"));
    }
    let status = daemon.status();
    assert_eq!(common::number(&status, "compiled"), 20 * 63 * 16, "{status}");
    assert!(most < 400 << 10, "{most} KB, {status}");
    let own = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
    let resident = own.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 100 << 10, "{own}");
}

#[test]
fn a_cache_without_room_costs_nothing_but_itself() {
    // SAFETY: takes no pointers.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    let daemon = Daemon::start(&[]);
    let cache = daemon.scratch.0.join("cache");
    std::fs::create_dir(&cache).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs"])
        .arg(&cache)
        .status()
        .unwrap();
    if !mounted.success() {
        // Not in this sandbox.
        return;
    }
    let module = many("full.c", 50);
    let mut program = daemon.program("/bin/a");
    for function in 0..50 {
        let code = program.compile(&module, function);
        assert!(defines(&code, &format!("f{function}")));
    }
    assert!(matches!(program.ask(&module, Scope::Function(3), false), Answer::Code { .. }));
    drop(daemon);
    assert!(Command::new("umount").arg("-l").arg(cache).status().unwrap().success());
}
