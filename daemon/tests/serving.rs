//! What programs get from a daemon, and what it keeps.

mod common;

use std::process::Stdio;
use std::time::{Duration, Instant};

use autojit_protocol::message::MOST_REQUESTS;
use autojit_protocol::{Message, Scope};
use common::{Answer, Daemon, PATIENCE, Scratch, command, defines, many, module, question};

#[test]
fn a_function_and_what_it_calls() {
    let daemon = Daemon::start(&[]);
    let module = module(
        "a.c",
        "int g(int a) { return a; } int f(int a) { return g(a); } int h(void) { return 1; }",
        &["f", "g", "h"],
    );
    let mut program = daemon.program("/bin/a");
    assert!(matches!(program.ask(&module, Scope::Function(0), false), Answer::Unknown));
    let code = program.compile(&module, 0);
    assert!(defines(&code, "f") && defines(&code, "g") && !defines(&code, "h"));
    // What came along is not compiled again for any client.
    assert_eq!(program.compile(&module, 1), code);
    assert_eq!(daemon.program("/bin/b").compile(&module, 0), code);
    assert!(defines(&program.compile(&module, 2), "h"));
    let status = daemon.status();
    for (name, expected) in
        [("compiled", 3), ("cache_hits", 2), ("failed", 0), ("modules", 1), ("objects", 2)]
    {
        assert_eq!(common::number(&status, name), expected, "{name} in {status}");
    }
}

#[test]
fn requests_of_one_client_do_not_wait_for_each_other() {
    let daemon = Daemon::start(&["--jobs=1"]);
    let module = many("several.c", 3 * MOST_REQUESTS);
    let mut program = daemon.program("/bin/a");
    program.send(&module, false);
    let ask = |program: &mut common::Program, number: u32, index| {
        let mut message = question(module.key, Scope::Often(index), false);
        if let Message::Compile { number: own, .. } = &mut message {
            *own = number;
        }
        program.connection.send(&message, None).expect("the daemon takes it");
    };
    ask(&mut program, 100, 1);
    assert!(matches!(program.answer(), (100, Answer::Code { .. })));
    // What is there already comes before what has yet to be compiled, though it was asked for later.
    ask(&mut program, 101, 2);
    ask(&mut program, 102, 1);
    let numbers = [program.answer(), program.answer()].map(|(number, _)| number);
    assert_eq!(numbers, [102, 101]);
    // More than may wait at the same time.
    let asked: Vec<u32> = (2..3 * MOST_REQUESTS as u32).collect();
    asked.iter().for_each(|index| ask(&mut program, 200 + index, *index));
    let mut answered: Vec<u32> = asked
        .iter()
        .map(|_| match program.answer() {
            (number, Answer::Code { code, .. }) => {
                assert!(defines(&code, &format!("f{}", number - 200)), "{number}");
                number - 200
            }
            (number, other) => panic!("{number}: {other:?}"),
        })
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, asked);
}

#[test]
fn bytes_for_those_who_have_no_descriptors_left() {
    let daemon = Daemon::start(&[]);
    let module = many("inline.c", 1);
    let mut program = daemon.program("/bin/a");
    program.send(&module, false);
    let Answer::Code { code, kept: true, .. } = program.ask(&module, Scope::Function(0), true) else {
        panic!()
    };
    assert_eq!(program.compile(&module, 0), code);
}

#[test]
fn everything_at_once() {
    let daemon = Daemon::start(&[]);
    let module = many("everything.c", 40);
    let mut program = daemon.program("/bin/a");
    program.compile(&module, 3);
    let Answer::Code { code, kept: false, .. } = program.ask(&module, Scope::Everything, false) else {
        panic!()
    };
    assert!(defines(&code, "f3") && defines(&code, "f39"));
}

#[test]
fn what_cannot_be_compiled_is_told() {
    let daemon = Daemon::start(&[]);
    let source = "int f(int a) { asm(\"no such instruction\"); return a; } int g(void) { return 1; }";
    let module = module("wrong.c", source, &["f", "g"]);
    let mut program = daemon.program("/bin/a");
    program.send(&module, false);
    let Answer::Failed(reason) = program.ask(&module, Scope::Function(0), false) else { panic!() };
    assert!(reason.contains("f of wrong.c"), "{reason}");
    // The others are not concerned.
    assert!(defines(&program.compile(&module, 1), "g"));
    let Answer::Failed(reason) = program.ask(&module, Scope::Function(7), false) else { panic!() };
    assert!(reason.contains("no lazy function 7"), "{reason}");
}

#[test]
fn a_crash_of_the_compiler_costs_one_request() {
    let daemon = Daemon::start(&["--jobs=1"]);
    // What LLVM cannot select ends its process: an instruction of a processor that the function is not for.
    let ir = "target triple = \"x86_64-unknown-linux-gnu\"\n\
              define <2 x i64> @h(<2 x i64> %a) {\n\
              %v = call <2 x i64> @llvm.x86.aesni.aesenc(<2 x i64> %a, <2 x i64> %a) ret <2 x i64> %v }\n\
              define i32 @g() { ret i32 1 }\n\
              declare <2 x i64> @llvm.x86.aesni.aesenc(<2 x i64>, <2 x i64>)\n";
    let bitcode = common::run(
        std::process::Command::new(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/llvm-as"))
            .args(["-o", "-", "-"]),
        ir.as_bytes(),
    );
    let module = common::module_of_bitcode("crash.c", &bitcode, &["h", "g"]);
    let mut program = daemon.program("/bin/a");
    program.send(&module, false);
    let Answer::Failed(reason) = program.ask(&module, Scope::Function(0), false) else { panic!() };
    assert!(reason.contains("h of crash.c") && reason.contains("the compiler has ended"), "{reason}");
    assert!(defines(&program.compile(&module, 1), "g"));
    // Once with its batch, once alone.
    assert_eq!(daemon.number("crashed"), 2);
}

#[test]
fn what_is_compiled_goes_to_the_cache() {
    let daemon = Daemon::start(&[]);
    let module = many("cached.c", 3);
    let mut program = daemon.program("/bin/a");
    assert_eq!(program.cache, daemon.scratch.0.join("cache").to_str().unwrap());
    program.compile(&module, 1);
    let key = autojit_cache::key_of(&autojit_abi::GENERATOR, &module.key, -1);
    let root = daemon.scratch.0.join("cache");
    let directory = autojit_cache::Directory::new(root.as_os_str().as_encoded_bytes(), 0, 1 << 30);
    let start = Instant::now();
    let bytes = loop {
        match directory.read(&key, autojit_cache::Kind::Code) {
            Ok(bytes) => break bytes,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    let unit = autojit_code::pack::decode(&bytes, &key).unwrap();
    assert_eq!(unit.functions.iter().filter(|function| function.global).count(), 1);
    while autojit_cache::profile::ran(&directory, "cached.c").is_empty() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(autojit_cache::profile::ran(&directory, "cached.c"), ["f1"]);
}

#[test]
fn what_is_asked_to_be_saved_is_in_the_cache() {
    let daemon = Daemon::start(&[]);
    let module = many("saved.c", 3);
    let mut program = daemon.program("/bin/a");
    program.compile(&module, 1);
    let save = |program: &mut common::Program| {
        program.connection.send(&Message::Save, None).unwrap();
        loop {
            let packet = program.connection.receive(PATIENCE).unwrap();
            match packet.message().unwrap() {
                Message::Working => {}
                answer => break assert_eq!(answer, Message::Saved),
            }
        }
    };
    save(&mut program);
    let key = autojit_cache::key_of(&autojit_abi::GENERATOR, &module.key, -1);
    let directory = autojit_cache::Directory::new(program.cache.as_bytes(), 0, 1 << 30);
    let bytes = directory.read(&key, autojit_cache::Kind::Code).expect("it is there at once");
    assert!(autojit_code::pack::decode(&bytes, &key).is_ok());
    // With nothing to write there is nothing to wait for, and the connection serves on.
    save(&mut program);
    program.compile(&module, 2);
}

#[test]
fn functions_that_ran_last_time_are_compiled_ahead() {
    let daemon = Daemon::start(&[]);
    let names = ["f", "g", "main"];
    let before = module(
        "edited.c",
        "int f(int a) { return a; } int g(void) { return 1; } int main(void) { return 0; }",
        &names,
    );
    let mut program = daemon.program("/bin/a");
    program.compile(&before, 0);
    let root = daemon.scratch.0.join("cache");
    let directory = autojit_cache::Directory::new(root.as_os_str().as_encoded_bytes(), 0, 1 << 30);
    let start = Instant::now();
    while autojit_cache::profile::ran(&directory, "edited.c").is_empty() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let after = module(
        "edited.c",
        "int f(int a) { return a + 1; } int g(void) { return 1; } int main(void) { return 0; }",
        &names,
    );
    program.send(&after, true);
    // f; not g, which never ran, nor where a program begins that compiles that itself, as nothing is optimised.
    daemon.until("compiled_ahead", |count| count == 1);
    let (hits, compiled) = (daemon.number("cache_hits"), daemon.number("compiled"));
    assert!(defines(&program.compile(&after, 0), "f"));
    assert_eq!((daemon.number("cache_hits"), daemon.number("compiled")), (hits + 1, compiled));
    // It is in the cache as well, where the program looks first.
    let key = autojit_cache::key_of(&autojit_abi::GENERATOR, &after.key, -1);
    while directory.read(&key, autojit_cache::Kind::Code).is_err() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn nothing_is_compiled_ahead_if_it_is_switched_off() {
    let scratch = Scratch::new();
    let child = command(&scratch.0, &[]).env("AUTOJIT_PREFETCH", "off").spawn().unwrap();
    let daemon = Daemon::wait(child, scratch);
    let mut program = daemon.program("/bin/a");
    program.send(&module("main.c", "int main(void) { return 0; }", &["main"]), true);
    // Served behind it.
    program.compile(&many("other.c", 1), 0);
    assert_eq!((daemon.number("waiting_ahead"), daemon.number("compiled_ahead")), (0, 0));
}

/// A daemon for the one client at the other end of a socket pair.
fn stdio(scratch: &Scratch) -> (std::process::Child, common::Program) {
    let (here, there) = autojit_sys::File::socket_pair().unwrap();
    let end = |file: &autojit_sys::File| -> Stdio {
        use std::os::fd::{FromRawFd, OwnedFd};
        let copy = file.duplicate_above(3).unwrap();
        // SAFETY: the descriptor is open, and its owner is forgotten.
        let owned = unsafe { OwnedFd::from_raw_fd(copy.descriptor()) };
        std::mem::forget(copy);
        owned.into()
    };
    let child = command(&scratch.0, &["--stdio"]).stdin(end(&there)).stdout(end(&there)).spawn().unwrap();
    drop(there);
    (child, common::Program::over(autojit_protocol::Connection::new(here), "/bin/a"))
}

#[test]
fn it_ends_with_a_client_that_waits_for_no_answer() {
    let scratch = Scratch::new();
    for _ in 0..5 {
        let (mut child, mut program) = stdio(&scratch);
        let (key, what) = ([7; 32], Scope::Function(0));
        // It has not read the question when no client is there any more to be answered.
        // SAFETY: the child is this process's.
        unsafe { libc::kill(child.id() as i32, libc::SIGSTOP) };
        let question = question(key, what, false);
        program.connection.send(&question, None).unwrap();
        drop(program);
        // SAFETY: as above.
        unsafe { libc::kill(child.id() as i32, libc::SIGCONT) };
        let start = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(60), "it is still there");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn one_client_on_standard_input_and_output() {
    let scratch = Scratch::new();
    let (mut child, mut program) = stdio(&scratch);
    let module = many("stdio.c", 1);
    assert!(defines(&program.compile(&module, 0), "f0"));
    assert!(!scratch.0.join("socket").exists());
    drop(program);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_client_on_pipes_gets_bytes() {
    use std::io::{Read, Write};
    let scratch = Scratch::new();
    let mut child =
        command(&scratch.0, &["--stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let module = many("pipes.c", 1);
    let mut outgoing = autojit_protocol::Outgoing::default();
    let hello = autojit_protocol::Message::Hello {
        version: autojit_protocol::message::VERSION,
        generator: autojit_abi::GENERATOR,
        program: "/bin/a".into(),
    };
    outgoing.push(&hello, None);
    let sent = autojit_protocol::Message::Module { key: module.key, level: -1, made: false };
    outgoing.push(&sent, Some(autojit_protocol::Blob::Inline(module.bytes.clone())));
    let (key, what) = (module.key, Scope::Function(0));
    outgoing.push(&question(key, what, false), None);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&outgoing.bytes()).unwrap();
    let mut incoming = autojit_protocol::Incoming::default();
    let mut code = None;
    let mut stdout = child.stdout.take().unwrap();
    while code.is_none() {
        let mut buffer = [0; 4096];
        let count = stdout.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the daemon has ended");
        incoming.push(&buffer[..count]);
        while let Some(packet) = incoming.take().unwrap() {
            code = packet.blob.or(code);
        }
    }
    assert!(defines(&code.unwrap().open().unwrap(), "f0"));
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
