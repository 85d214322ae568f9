//! `-lautojit-runtime`: the shared runtime, linked instead of preloaded, for programs that run without any environment; and
//! programs of set-user-ID, which neither kind of linked runtime serves.

use std::fs;
use std::path::{Path, PathBuf};

use autojit_tests::compile::{How, Link, Toolchain, rust_program};
use autojit_tests::parts::{HELPER, LINKERS, MAIN, compile, link_library};
use autojit_tests::run::{bare_command, by_llvm, command, lazy_command, run, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

/// Where the runtime is.
fn directory() -> String {
    let path = dist("lib/libautojit-runtime.so");
    path.parent().expect("a file has a directory").display().to_string()
}

/// Links `objects` with the runtime, found again where it is now.
#[track_caller]
fn link(scratch: &Scratch, linker: &str, objects: &[PathBuf], flags: &[&str]) -> PathBuf {
    let output = scratch.path().join("program");
    let (search, found) = (format!("-L{}", directory()), format!("-Wl,-rpath,{}", directory()));
    let flags: Vec<_> =
        [search.as_str(), &found].iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
    Link { linker, cxx: false, flags: &flags }.run(objects, &output);
    output
}

/// Whatever `--as-needed` is at that place.
const NEEDED: &str = "-Wl,--push-state,--no-as-needed,-lautojit-runtime,--pop-state";

/// Runs a program without a preload; it must print 42, and have been compiled in the process.
#[track_caller]
fn assert_42(scratch: &Scratch, program: &Path, what: &str) {
    let outcome = run(&mut bare_command(program, scratch.path()), scratch.path(), b"");
    assert_eq!(
        (outcome.assert_code(0).text(), outcome.errors()),
        ("42\n".to_owned(), String::new()),
        "{what}"
    );
    Stats::read(&scratch.path().join("stats")).assert_lazy();
}

#[test]
fn programs_run_without_an_environment() {
    let scratch = Scratch::new("linked-runtime");
    let objects = [
        compile(&scratch, How::Lazy, "main.c", MAIN, &["-O0", "-fPIC"]),
        compile(&scratch, How::Lazy, "helper.c", HELPER, &["-O2", "-fPIC"]),
    ];
    for linker in LINKERS {
        for flags in [
            &["-lautojit-runtime"][..],
            &["-no-pie", "-lautojit-runtime"],
            &["-Wl,--gc-sections", "-Wl,-z,now", "-s", "-lautojit-runtime"],
            &["-Wl,--as-needed", NEEDED],
        ] {
            let program = link(&scratch, linker, &objects, flags);
            assert_42(&scratch, &program, &format!("{linker} {flags:?}"));
        }
    }
}

#[test]
fn as_needed_alone_drops_it() {
    // Nothing refers to it. The program says what is missing; docs/compatibility.md has the flags that keep it.
    let scratch = Scratch::new("linked-runtime-as-needed");
    let objects = [
        compile(&scratch, How::Lazy, "main.c", MAIN, &["-O0"]),
        compile(&scratch, How::Lazy, "helper.c", HELPER, &["-O0"]),
    ];
    let program = link(&scratch, "bfd", &objects, &["-Wl,--as-needed", "-lautojit-runtime"]);
    let mut command = bare_command(&program, scratch.path());
    command.env("AUTOJIT_RUNTIME", "/nowhere/libautojit.so");
    let outcome = run(&mut command, scratch.path(), b"");
    assert!(outcome.assert_code(127).errors().contains("needs libautojit.so"), "{outcome}");
}

#[test]
fn lazy_libraries_that_are_initialised_before_it_run() {
    let scratch = Scratch::new("linked-runtime-early");
    let early = "static int ready;\nstatic int start(int x) { return x + 1; }\n\
        __attribute__((constructor(101))) static void first(void) { ready = start(0); }\n\
        int helper(int x) { return x + ready; }\n";
    let helper = compile(&scratch, How::Lazy, "helper.c", early, &["-O0", "-fPIC"]);
    let main = compile(&scratch, How::Lazy, "main.c", MAIN, &["-O0", "-fPIC"]);
    for linker in LINKERS {
        let library = link_library(&scratch, linker, "libhelper.so", std::slice::from_ref(&helper), &[]);
        // The loader initialises what nothing needs in the reverse order of loading.
        for order in [["-lautojit-runtime", "./libhelper.so"], ["./libhelper.so", "-lautojit-runtime"]] {
            let library = library.to_str().expect("its name is ours");
            let order = order.map(|flag| if flag.starts_with('.') { library } else { flag });
            let objects = std::slice::from_ref(&main);
            let program = link(&scratch, linker, objects, &[&order[..], &["-Wl,-rpath,$ORIGIN"]].concat());
            assert_42(&scratch, &program, &format!("{linker} {order:?}"));
        }
    }
}

#[test]
fn linked_and_preloaded_it_is_one() {
    let scratch = Scratch::new("linked-runtime-preloaded");
    let objects = [
        compile(&scratch, How::Lazy, "main.c", MAIN, &["-O0"]),
        compile(&scratch, How::Lazy, "helper.c", HELPER, &["-O0"]),
    ];
    let program = link(&scratch, "lld", &objects, &["-lautojit-runtime"]);
    for preload in ["lib/libautojit.so", "lib/libautojit-runtime.so"] {
        let mut command = by_llvm(lazy_command(&program, scratch.path()));
        command.env("LD_PRELOAD", dist(preload)).env("AUTOJIT_LOG", "info");
        let outcome = run(&mut command, scratch.path(), b"");
        assert_eq!(outcome.assert_code(0).text(), "42\n", "{outcome}");
        assert_eq!(outcome.errors().matches("loaded ").count(), 1, "one engine in {outcome}");
        let stats = Stats::read(&scratch.path().join("stats"));
        assert_eq!(stats.number("modules"), 2.0, "{stats:?}");
    }
    // A third: inside the program.
    let both = ["-lautojit-runtime", "-lautojit_static-x86_64"];
    let program = link(&scratch, "lld", &objects, &both);
    assert_42(&scratch, &program, "with the static library as well");
}

#[test]
fn rust_programs_run_with_it() {
    let scratch = Scratch::new("linked-runtime-rust");
    let source = scratch.file(
        "main.rs",
        "fn half(x: u32) -> u32 { assert!(x % 2 == 0, \"odd\"); x / 2 }\n\
         fn main() {\n    let odd = std::panic::catch_unwind(|| half(3)).is_err();\n\
         println!(\"{}\", if odd { half(84) } else { 0 });\n}\n",
    );
    let flags = ["-L".to_owned(), directory()].into_iter();
    let flags: Vec<_> = flags
        .chain([format!("-Clink-arg=-Wl,-rpath,{}", directory()), format!("-Clink-arg={NEEDED}")])
        .collect();
    let program = rust_program(How::Lazy, Toolchain::Stable, &source, &[], &flags, scratch.path());
    let outcome = run(&mut bare_command(&program, scratch.path()), scratch.path(), b"");
    assert_eq!(outcome.assert_code(0).text(), "42\n", "{outcome}");
    Stats::read(&scratch.path().join("stats")).assert_lazy();
}

#[test]
fn programs_of_set_user_id_take_no_orders_from_the_environment() {
    // SAFETY: no arguments, cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("only root can make programs of another user's");
        return;
    }
    let scratch = Scratch::reachable("linked-runtime-setuid");
    let runtime = scratch.directory("lib").join("libautojit-runtime.so");
    fs::copy(dist("lib/libautojit.so"), &runtime).expect("the directory is ours");
    let found = format!("-Wl,-rpath,{}", scratch.path().join("lib").display());
    let objects = [
        compile(&scratch, How::Lazy, "main.c", MAIN, &["-O0", "-fPIC"]),
        compile(&scratch, How::Lazy, "helper.c", HELPER, &["-O0", "-fPIC"]),
    ];
    for flags in [&["-lautojit-runtime", &found][..], &["-static", "-lautojit_static-x86_64"]] {
        let program = link(&scratch, "bfd", &objects, flags);
        std::os::unix::fs::chown(&program, Some(65534), None).expect("root may");
        tool(command("chmod").arg("4755").arg(&program));
        let mut command = by_llvm(bare_command(&program, scratch.path()));
        // What it would start, as the other user.
        let marker = scratch.path().join("started");
        let script = format!("#!/bin/sh\ntouch {}\n", marker.display());
        let daemon = scratch.file("daemon", script);
        tool(autojit_tests::run::command("chmod").arg("755").arg(&daemon));
        command.env("AUTOJIT_DAEMON_PATH", &daemon).env("AUTOJIT_MODE", "daemon");
        let outcome = run(&mut command, scratch.path(), b"");
        let errors = outcome.assert_code(127).errors();
        assert!(errors.contains("set-user-ID") && errors.contains("without autojit"), "{flags:?}: {outcome}");
        assert!(!marker.exists() && !scratch.path().join("stats").exists(), "{flags:?} did as it was told");
    }
}
