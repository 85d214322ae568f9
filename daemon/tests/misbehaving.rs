//! Clients that misbehave, and daemons that are not wanted, or not wanted any more.

mod common;

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use autojit_protocol::message::VERSION;
use autojit_protocol::{Blob, Connection, ConnectionError, Message, Scope};
use common::{Answer, Daemon, PATIENCE, Scratch, command, defines, many, question};

/// How the daemon refuses a client that says `bytes` to it.
fn refusal(connection: &mut Connection) -> String {
    loop {
        match connection.receive(PATIENCE) {
            Ok(packet) => match packet.message() {
                Ok(Message::Refused { reason }) => return reason.into_owned(),
                Ok(Message::Welcome { .. } | Message::Working) => {}
                other => panic!("{other:?}"),
            },
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn other_versions_and_builds_are_told_so() {
    let daemon = Daemon::start(&[]);
    let mut connection = daemon.connect().unwrap();
    let hello = |version, generator| Message::Hello { version, generator, program: "/bin/a".into() };
    connection.send(&hello(VERSION + 1, [0; 32]), None).unwrap();
    let reason = refusal(&mut connection);
    assert!(
        reason.contains(&format!("version {VERSION}")) && reason.contains(&format!("not {}", VERSION + 1)),
        "{reason}"
    );
    assert_eq!(connection.receive(PATIENCE).unwrap_err(), ConnectionError::Closed);
    let mut connection = daemon.connect().unwrap();
    connection.send(&hello(VERSION, [9; 32]), None).unwrap();
    assert!(refusal(&mut connection).contains("different versions"));
    // A tool gets no code.
    let mut connection = daemon.connect().unwrap();
    connection.send(&hello(VERSION, [0; 32]), None).unwrap();
    let what = Scope::Function(0);
    connection.send(&question([1; 32], what, false), None).unwrap();
    assert!(refusal(&mut connection).contains("a tool has asked"));
}

#[test]
fn nonsense_costs_its_sender_the_connection_alone() {
    let daemon = Daemon::start(&["--jobs=1"]);
    let module = many("good.c", 2);
    let mut good = daemon.program("/bin/good");
    good.compile(&module, 0);
    let mut seed = 7_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as u8
    };
    for round in 0..200 {
        let connection = daemon.connect().unwrap();
        let mut bytes: Vec<u8> = (0..1 + round % 64).map(|_| random()).collect();
        if round % 3 == 0 {
            // A good header before it.
            let mut outgoing = autojit_protocol::Outgoing::default();
            outgoing.push(&Message::Status, None);
            bytes = [outgoing.bytes(), bytes].concat();
        }
        // It may have been sent away by the first bytes.
        let _ = connection.socket().send(&bytes, None);
    }
    // Messages in the wrong order, or of the daemon's; containers that are none.
    for message in [Message::Status, Message::Working, Message::Code { number: 0, kept: true }] {
        let mut connection = daemon.connect().unwrap();
        connection.send(&message, None).unwrap();
        refusal(&mut connection);
    }
    for blob in [Blob::new(b"AJC"), Blob::Inline(vec![0; 100]), Blob::new(&many("other.c", 1).bytes)] {
        let mut bad = daemon.program("/bin/bad");
        bad.connection.send(&Message::Module { key: module.key, level: -1, made: true }, Some(blob)).unwrap();
        // The right container is there already, and stays.
        assert!(matches!(bad.ask(&module, Scope::Function(0), false), Answer::Code { .. }));
    }
    let mut bad = daemon.program("/bin/bad");
    let message = Message::Module { key: [5; 32], level: -1, made: true };
    bad.connection.send(&message, Some(Blob::new(&module.bytes))).unwrap();
    assert!(refusal(&mut bad.connection).contains("another one"));
    assert!(defines(&good.compile(&module, 1), "f1"));
    assert_eq!(daemon.number("crashed"), 0);
}

/// Why the daemon does not compile. `at`: the byte that is damaged.
fn reason_of_failure(connection: &mut Connection, at: usize) -> String {
    loop {
        let packet = connection.receive(PATIENCE).unwrap();
        match packet.message().unwrap() {
            Message::Refused { reason } | Message::Failed { reason, .. } => return reason.into_owned(),
            Message::Working => {}
            message => panic!("byte {at}: {message:?}"),
        }
    }
}

#[test]
fn damaged_containers_are_refused() {
    let daemon = Daemon::start(&[]);
    let module = many("damaged.c", 4);
    for at in (0..module.bytes.len()).step_by(module.bytes.len() / 40) {
        let mut bytes = module.bytes.clone();
        bytes[at] ^= 1;
        let mut program = daemon.program("/bin/a");
        let message = Message::Module { key: module.key, level: -1, made: false };
        program.connection.send(&message, Some(Blob::new(&bytes))).unwrap();
        let mut connection = program.connection;
        let what = Scope::Function(3);
        let asked = connection.send(&question(module.key, what, true), None);
        // Found out by the daemon, before or after the question, or by the compiler; what is left of one that is whole may
        // be known already.
        let reason = match asked {
            Err(ConnectionError::Refused(reason)) => reason,
            _ => reason_of_failure(&mut connection, at),
        };
        assert!(reason.contains("container") || reason.contains("bitcode"), "byte {at}: {reason}");
    }
    assert!(defines(&daemon.program("/bin/a").compile(&module, 0), "f0"));
}

#[test]
fn a_client_that_does_not_listen_delays_no_other() {
    let daemon = Daemon::start(&[]);
    let module = many("stopped.c", 300);
    let mut stopped = daemon.program("/bin/stopped");
    stopped.send(&module, false);
    // It asks and asks, by itself and inline, and takes nothing.
    for function in 0..300 {
        let what = Scope::Function(function);
        let message = question(module.key, what, true);
        if stopped.connection.send(&message, None).is_err() {
            break;
        }
    }
    let mut program = daemon.program("/bin/a");
    for function in 0..300 {
        program.compile(&module, function);
    }
}

#[test]
fn a_client_that_leaves_takes_its_requests_along() {
    let daemon = Daemon::start(&["--jobs=1"]);
    let module = many("leaving.c", 200);
    for function in 0..200 {
        let mut program = daemon.program("/bin/hasty");
        program.send(&module, false);
        let what = Scope::Function(function);
        let message = question(module.key, what, false);
        program.connection.send(&message, None).unwrap();
    }
    assert!(defines(&daemon.program("/bin/a").compile(&module, 199), "f199"));
    daemon.until("queue", |queue| queue == 0);
    daemon.until("clients", |clients| clients == 0);
}

#[test]
fn without_descriptors_the_daemon_goes_on() {
    let scratch = Scratch::new();
    let mut daemon = command(&scratch.0, &["--jobs=1"]);
    // SAFETY: setrlimit is safe between fork and exec.
    unsafe {
        daemon.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: 24, rlim_max: 24 };
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
            Ok(())
        });
    }
    let daemon = Daemon::wait(daemon.spawn().unwrap(), scratch);
    let module = many("few.c", 60);
    let mut program = daemon.program("/bin/a");
    for function in 0..60 {
        program.compile(&module, function);
    }
    // More than there is room for wait until a client leaves.
    let waiting: Vec<Connection> = (0..40).filter_map(|_| daemon.connect().ok()).collect();
    program.compile(&module, 7);
    drop(waiting);
    assert!(daemon.number("compiled") >= 60);
}

#[test]
fn a_compiler_that_is_killed_is_replaced() {
    let daemon = Daemon::start(&["--jobs=1"]);
    let module = many("killed.c", 20);
    let mut program = daemon.program("/bin/a");
    for function in 0..20 {
        program.compile(&module, function);
        let children = format!("/proc/{0}/task/{0}/children", daemon.child.id());
        for child in std::fs::read_to_string(children).unwrap().split_whitespace() {
            // SAFETY: takes no pointers; the process is the daemon's child.
            unsafe { libc::kill(child.parse().unwrap(), libc::SIGKILL) };
        }
    }
    assert!(daemon.number("crashed") >= 1);
}

#[test]
fn one_daemon_serves_a_socket() {
    let daemon = Daemon::start(&[]);
    let second = command(&daemon.scratch.0, &[]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(message.contains("another autojitd serves") && message.contains("/socket"), "{message}");
    // To start one that runs already is no error, and changes nothing.
    let detached = command(&daemon.scratch.0, &["--detach"]).output().unwrap();
    assert!(detached.status.success() && detached.stderr.is_empty(), "{detached:?}");
    assert_eq!(daemon.number("pid"), u64::from(daemon.child.id()));
}

#[test]
fn a_socket_that_was_left_behind_is_replaced() {
    let mut daemon = Daemon::start(&[]);
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    assert!(std::fs::metadata(daemon.socket()).unwrap().file_type().is_socket());
    // A compiler that was about to be executed has it until then.
    let start = Instant::now();
    while daemon.connect().is_ok() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    daemon.child = command(&daemon.scratch.0, &[]).spawn().unwrap();
    let start = Instant::now();
    while daemon.connect().is_err() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    let mode = std::fs::metadata(daemon.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn other_files_are_not_replaced() {
    let scratch = Scratch::new();
    std::fs::write(scratch.0.join("socket"), "precious").unwrap();
    let output = command(&scratch.0, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read(scratch.0.join("socket")).unwrap(), b"precious");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("/socket") && message.contains("AUTOJIT_SOCKET_PATH"), "{message}");
}

#[test]
fn many_that_start_at_once_are_one() {
    let scratch = Scratch::new();
    let starting: Vec<_> =
        (0..8).map(|_| command(&scratch.0, &["--detach", "--idle-exit=60"]).spawn().unwrap()).collect();
    for mut child in starting {
        assert!(child.wait().unwrap().success());
    }
    let status = command(&scratch.0, &["--status"]).output().unwrap();
    let process = common::number(&String::from_utf8(status.stdout).unwrap(), "pid");
    assert!(command(&scratch.0, &["--stop"]).status().unwrap().success());
    // It has ended when --stop returns, and its socket with it.
    assert!(!scratch.0.join("socket").exists());
    let start = Instant::now();
    while std::fs::metadata(format!("/proc/{process}/exe")).is_ok() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(command(&scratch.0, &["--stop"]).status().unwrap().code(), Some(1));
}

#[test]
fn signals_end_it_and_nothing_is_left() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut daemon = Daemon::start(&[]);
        let module = many("ended.c", 2);
        daemon.program("/bin/a").compile(&module, 0);
        // SAFETY: takes no pointers; the process is a child.
        unsafe { libc::kill(daemon.child.id() as i32, signal) };
        assert!(daemon.child.wait().unwrap().success());
        assert!(!daemon.socket().exists());
        // What it had compiled is in the cache.
        let key = autojit_cache::key_of(&autojit_abi::GENERATOR, &module.key, -1);
        let root = daemon.scratch.0.join("cache");
        let directory = autojit_cache::Directory::new(root.as_os_str().as_encoded_bytes(), 0, 1 << 30);
        assert!(directory.read(&key, autojit_cache::Kind::Code).is_ok());
    }
}

#[test]
fn it_ends_when_it_is_not_needed() {
    let mut daemon = Daemon::start(&["--idle-exit=1"]);
    let program = daemon.program("/bin/a");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(daemon.child.try_wait().unwrap().is_none(), "it has a client");
    drop(program);
    assert!(daemon.child.wait().unwrap().success());
}

#[test]
fn a_long_path_will_do() {
    let scratch = Scratch::new();
    let long = Scratch(scratch.0.join("x".repeat(200)));
    std::fs::create_dir_all(&long.0).unwrap();
    let child = command(&long.0, &[]).spawn().unwrap();
    let daemon = Daemon::wait(child, long);
    assert!(defines(&daemon.program("/bin/a").compile(&many("long.c", 1), 0), "f0"));
}

#[test]
fn a_place_that_others_can_write_is_refused() {
    let scratch = Scratch::new();
    std::fs::set_permissions(&scratch.0, std::fs::Permissions::from_mode(0o777)).unwrap();
    let output = command(&scratch.0, &[])
        .env_remove("AUTOJIT_SOCKET_PATH")
        .env("XDG_RUNTIME_DIR", &scratch.0)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("others can write its directory"), "{message}");
}

#[test]
fn other_users_are_refused() {
    // SAFETY: takes no pointers.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    const NOBODY: u32 = 65534;
    let daemon = Daemon::start(&[]);
    for path in [daemon.scratch.0.clone(), daemon.socket()] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    // Another user's tool does not talk to a daemon that is not theirs.
    let tool = daemon.scratch.0.join("autojitd");
    std::fs::copy(env!("CARGO_BIN_EXE_autojitd"), &tool).unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(&tool)
        .arg("--status")
        .env("AUTOJIT_SOCKET_PATH", daemon.socket())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("user 0 listens there"), "{message}");
    // And the daemon does not talk to one that tries all the same.
    let script = "import socket, sys\n\
                  s = socket.socket(socket.AF_UNIX)\n\
                  s.connect(sys.argv[1])\n\
                  print(s.recv(4096))\n";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(daemon.socket())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let heard = String::from_utf8_lossy(&output.stdout);
    assert!(heard.contains("serves another user"), "{heard} {output:?}");
}

#[test]
fn a_socket_of_the_service_manager_is_used() {
    use std::os::fd::AsRawFd;
    let scratch = Scratch::new();
    let listener = std::os::unix::net::UnixListener::bind(scratch.0.join("socket")).unwrap();
    let descriptor = listener.as_raw_fd();
    let mut daemon = command(&scratch.0, &["--idle-exit=3"]);
    // LISTEN_PID is the process's own id (sd_listen_fds(3)): the shell's, which becomes the daemon.
    let program = daemon.get_program().to_owned();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" --idle-exit=3"])
        .arg(program)
        .env_clear();
    for (name, value) in daemon.env("PATH", "/bin:/usr/bin").get_envs() {
        shell.env(name, value.unwrap());
    }
    // SAFETY: dup2 and fcntl are safe between fork and exec.
    unsafe {
        shell.pre_exec(move || {
            // It may have that number already.
            if libc::dup2(descriptor, 3) < 0 || libc::fcntl(3, libc::F_SETFD, 0) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let mut daemon = Daemon::wait(shell.spawn().unwrap(), scratch);
    assert!(daemon.status().contains("(systemd)"));
    assert!(defines(&daemon.program("/bin/a").compile(&many("activated.c", 1), 0), "f0"));
    assert!(daemon.child.wait().unwrap().success());
    // It is not the daemon's to remove.
    assert!(daemon.socket().exists());
}

#[test]
fn a_missing_engine_is_named() {
    let scratch = Scratch::new();
    for arguments in [&[][..], &["--detach"]] {
        let output =
            command(&scratch.0, arguments).env("AUTOJIT_ENGINE_PATH", "/nowhere/e.so").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("/nowhere/e.so") && message.contains("AUTOJIT_ENGINE_PATH"), "{message}");
    }
}
