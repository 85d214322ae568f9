//! What lazy programs are started in: environments, limits, address space layouts, tracers, roots without files, and
//! beside other programs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::compile::{How, Link, object};
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{Outcome, attempt, by_llvm, command, lazy_command, run, tool, warm_command};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

/// A program with calls, callbacks, library functions and a thread; it says nothing of where it runs.
const MAIN: &str = include_str!("surroundings/main.c");
const OUTPUT: &str = "1 18 11 2.5\n";

/// Builds `text` as `<scratch>/<name>`.
fn build(scratch: &Scratch, how: How, name: &str, text: &str, flags: &[&str]) -> PathBuf {
    let flags = flags.iter().chain(&["-pthread"]).map(|flag| (*flag).to_owned());
    let (link, compile): (Vec<_>, Vec<_>) =
        flags.partition(|flag| ["-no-pie", "-pthread"].contains(&&**flag));
    let source = scratch.file(&format!("{name}.c"), text);
    let object = object(how, &source, &compile, scratch.path());
    let output = scratch.path().join(name);
    Link { linker: "lld", cxx: false, flags: &link }.run(&[object], &output);
    output
}

#[track_caller]
fn assert_ran(outcome: &Outcome, what: &str) {
    assert_eq!(outcome.status.code(), Some(4), "{what}: {outcome}");
    assert_eq!((outcome.text(), outcome.errors()), (OUTPUT.to_owned(), String::new()), "{what}");
}

/// Whether this is root. Tests that need to be say so and do nothing else.
fn is_root(test: &str) -> bool {
    // SAFETY: a plain system call.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("{test}: only root can do that; nothing was tested");
    }
    root
}

#[test]
fn layouts_and_limits() {
    let scratch = Scratch::new("layouts");
    let pie = build(&scratch, How::Lazy, "pie", MAIN, &["-g"]);
    let fixed = build(&scratch, How::Lazy, "fixed", MAIN, &["-O2", "-fno-pie", "-no-pie"]);
    for program in [&pie, &fixed] {
        for preparation in [
            "",
            // The layout of old: mappings grow upwards, from a third of the address space.
            "ulimit -s unlimited; exec",
            "ulimit -s 200; exec",
            "ulimit -v 200000; exec",
            "ulimit -v 2000000; exec",
            "ulimit -d 200000; exec",
            "ulimit -n 8; exec",
            "ulimit -c 0; ulimit -t 20; ulimit -l 0; exec",
            "exec setarch -R",
            "exec setarch -R -L",
            "exec nice -n 19",
            "cd /; exec",
            "exec 9>&1; exec",
        ] {
            let mut shell = lazy_command("/bin/sh", scratch.path());
            shell.args(["-c", &format!("{preparation} \"$0\"")]).arg(program);
            assert_ran(&run(&mut shell, scratch.path(), b""), &format!("{program:?} {preparation}"));
        }
        // Output goes to a pipe, and there are no statistics: a file would be over the limit.
        let mut shell = lazy_command("/bin/sh", scratch.path());
        shell.args(["-c", "ulimit -f 0; umask 777; exec \"$0\""]).arg(program).env_remove("AUTOJIT_STATS");
        assert_ran(&attempt(&mut shell), "no files");
    }
}

/// What the child runs was never compiled; behind its filter there is no memory for it but what was there before.
#[test]
fn children_confine_themselves_before_they_run() {
    let scratch = Scratch::new("confined-child");
    for level in ["-O0", "-O2"] {
        let text = include_str!("surroundings/confined_child.c");
        let plain = build(&scratch, How::Plain, "plain", text, &[level]);
        // Through pipes: files are over the child's limit.
        let expected = attempt(&mut command(plain)).assert_code(0).text();
        assert!(expected.ends_with("\n700\n"), "{expected}");
        let lazy = build(&scratch, How::Lazy, "lazy", text, &[level]);
        for _ in 0..2 {
            let outcome = attempt(&mut warm_command(&lazy, scratch.path()));
            assert_eq!((outcome.assert_code(0).text(), outcome.errors()), (expected.clone(), String::new()));
            // The child writes none.
            let stats = Stats::read(&scratch.path().join("stats"));
            assert!(stats.number("functions") > 800.0, "{stats:?}");
        }
        fs::remove_dir_all(scratch.path().join("cache")).expect("the parent has written to it");
    }
}

#[test]
fn limits_that_are_too_low_are_told() {
    let scratch = Scratch::new("low-limits");
    let program = build(&scratch, How::Lazy, "program", MAIN, &["-g"]);
    for (limit, ends) in [("-v 40000", vec![127]), ("-v 70000", vec![127, 134]), ("-d 20000", vec![127, 134])]
    {
        let limited = |mut lazy: Command| {
            lazy.args(["-c", &format!("ulimit {limit}; \"$0\"; exit $?")]).arg(&program);
            run(&mut lazy, scratch.path(), b"")
        };
        // The limits are LLVM's.
        assert_ran(&limited(lazy_command("/bin/sh", scratch.path())), limit);
        let outcome = limited(by_llvm(lazy_command("/bin/sh", scratch.path())));
        assert!(outcome.status.code().is_some_and(|code| ends.contains(&code)), "{limit}: {outcome}");
        let errors = outcome.errors();
        assert!(
            errors.contains("autojit: ") && errors.contains("out of memory"),
            "{limit} without a reason: {outcome}"
        );
        assert!(outcome.stdout.is_empty(), "{outcome}");
    }
}

/// No program can have the runtime panic, nor its memory end at a place of the test's choice: so its handler is called.
#[test]
fn memory_that_the_runtime_lacks_is_told() {
    let scratch = Scratch::new("no-memory");
    let program = build(&scratch, How::Plain, "program", include_str!("surroundings/no_memory.c"), &["-O0"]);
    let runtime = dist("lib/libautojit.so");
    let outcome = run(Command::new(&program).env("LD_PRELOAD", &runtime), scratch.path(), b"");
    assert_eq!(outcome.status.signal(), Some(libc::SIGABRT), "{outcome}");
    assert_eq!(outcome.errors(), "autojit: out of memory: the runtime wants 4711 bytes\n", "{outcome}");
}

#[test]
fn environments() {
    let scratch = Scratch::new("environments");
    let program = build(&scratch, How::Lazy, "program", MAIN, &["-g"]);
    let runtime = dist("lib/libautojit.so");
    // Nothing but the runtime: no PATH, no HOME, no option.
    let outcome = run(Command::new(&program).env_clear().env("LD_PRELOAD", &runtime), scratch.path(), b"");
    assert_ran(&outcome, "an empty environment");
    let mut huge = lazy_command(&program, scratch.path());
    for number in 0..1500 {
        huge.env(format!("VARIABLE_{number}"), "x".repeat(1000));
    }
    assert_ran(&run(&mut huge, scratch.path(), b""), "a huge environment");
    let mut strange = lazy_command(&program, scratch.path());
    strange.env("", "no name").env("A\u{e9}", "\u{ff}").env("LANG", "xx_YY").env("TMPDIR", "/nowhere");
    let home = scratch.path().join("home");
    strange.env("HOME", &home).env_remove("AUTOJIT_CACHE_DIR").env_remove("XDG_CACHE_HOME");
    assert_ran(&run(&mut strange, scratch.path(), b""), "a strange environment");
    assert!(!home.exists(), "a home directory that is not there was made");
    // Without arguments, not even a name.
    let mut shell = lazy_command("/bin/sh", scratch.path());
    shell.arg("-c").arg("exec \"$0\" <&- 2>&-").arg(&program);
    assert_ran(&run(&mut shell, scratch.path(), b""), "closed input and error");
    let mut shell = lazy_command("/bin/sh", scratch.path());
    let outcome = run(shell.arg("-c").arg("exec \"$0\" >&- <&- 2>&-").arg(&program), scratch.path(), b"");
    assert_eq!((outcome.status.code(), outcome.text()), (Some(4), String::new()), "all closed: {outcome}");
}

#[test]
fn loaders_in_other_moods() {
    let scratch = Scratch::new("loaders");
    let program = build(&scratch, How::Lazy, "program", MAIN, &["-g"]);
    for (name, value) in
        [("LD_BIND_NOW", "1"), ("LD_DYNAMIC_WEAK", "1"), ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0")]
    {
        let mut lazy = lazy_command(&program, scratch.path());
        assert_ran(&run(lazy.env(name, value), scratch.path(), b""), name);
    }
    // The loader is the program, and the program is its argument: /proc/self/exe is not the image.
    let mut loader = lazy_command("/lib64/ld-linux-x86-64.so.2", scratch.path());
    let outcome = run(loader.arg(&program), scratch.path(), b"");
    assert_ran(&outcome, "the loader as a program");
    Stats::read(&scratch.path().join("stats")).assert_lazy();
}

#[test]
fn sixteen_at_once() {
    let scratch = Scratch::new("sixteen");
    let program = build(&scratch, How::Lazy, "program", MAIN, &["-g"]);
    std::thread::scope(|scope| {
        for number in 0..16 {
            let (scratch, program) = (&scratch, &program);
            scope.spawn(move || {
                let directory = scratch.directory(&number.to_string());
                let mut lazy = lazy_command(program, &directory);
                assert_ran(&run(&mut lazy, &directory, b""), "one of sixteen");
                Stats::read(&directory.join("stats")).assert_lazy();
            });
        }
    });
}

#[test]
fn under_strace() {
    let scratch = Scratch::new("strace");
    let program = build(&scratch, How::Lazy, "program", MAIN, &["-g"]);
    let mut strace = lazy_command("strace", scratch.path());
    strace.args(["-f", "-o", "trace", "-e", "trace=clone3,clone,futex,exit_group,openat"]).arg(&program);
    assert_ran(&run(&mut strace, scratch.path(), b""), "under strace");
    Stats::read(&scratch.path().join("stats")).assert_lazy();
    let trace = fs::read_to_string(scratch.path().join("trace")).expect("strace writes it");
    assert!(trace.contains("exit_group(4)"), "{trace}");
}

#[test]
fn under_gdb() {
    let scratch = Scratch::new("gdb");
    let program = build(&scratch, How::Lazy, "program", MAIN, &["-g"]);
    let preload = format!("set environment LD_PRELOAD {}", dist("lib/libautojit.so").display());
    let mut gdb = command("gdb");
    gdb.args(["-nx", "-batch", "-ex", "set startup-with-shell off", "-ex", &preload, "-ex", "run"])
        .arg(&program);
    let outcome = run(&mut gdb, scratch.path(), b"");
    assert!(outcome.text().contains(OUTPUT) && outcome.text().contains("exited with code 04"), "{outcome}");

    // Attached to a process in the middle of its first calls, again and again; then left alone.
    let endless = include_str!("surroundings/endless.c");
    let program = build(&scratch, How::Lazy, "endless", endless, &["-g"]);
    let directory = scratch.directory("attached");
    let target = std::thread::spawn(move || run(&mut lazy_command(&program, &directory), &directory, b""));
    let executable = scratch.path().join("endless");
    let mut attached = 0;
    while !target.is_finished() && attached < 4 {
        if let Some(process) = process_of(&executable) {
            let mut gdb = command("gdb");
            gdb.args(["-nx", "-batch", "-ex", "bt", "-p", &process.to_string()]);
            attached += u32::from(attempt(&mut gdb).text().contains("#0"));
        } else {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    let outcome = target.join().expect("it runs");
    assert_eq!(outcome.assert_code(0).text(), "right 500\n");
    assert!(attached > 0, "gdb never came in time");
}

/// The process that runs a file.
fn process_of(executable: &Path) -> Option<u32> {
    fs::read_dir("/proc").expect("it is mounted").find_map(|entry| {
        let entry = entry.ok()?;
        let process = entry.file_name().to_str()?.parse().ok()?;
        (fs::read_link(entry.path().join("exe")).ok()? == executable).then_some(process)
    })
}

#[test]
fn a_root_with_nothing_in_it() {
    if !is_root("a_root_with_nothing_in_it") {
        return;
    }
    // No /proc, no /dev, no shell: the program and its libraries.
    let scratch = Scratch::new("root");
    let program = build(&scratch, How::Lazy, "program", MAIN, &["-g"]);
    let root = scratch.directory("root");
    let copy = |from: &Path, to: &str| {
        let to = root.join(to);
        fs::create_dir_all(to.parent().expect("it has one")).expect("it is ours");
        fs::copy(from, to).expect("it exists");
    };
    copy(&program, "program");
    for library in ["libautojit.so", "libautojit-engine.so"] {
        copy(&dist(&format!("lib/{library}")), &format!("lib/{library}"));
    }
    for library in
        ["lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libm.so.6"]
    {
        copy(&Path::new("/").join(library), library);
    }
    let mut chroot = command("chroot");
    chroot.arg(&root).arg("/program").env("LD_PRELOAD", "/lib/libautojit.so");
    // chroot itself is no lazy program, and finds no such library: a warning of the loader's.
    chroot.env("AUTOJIT_STATS", "/stats");
    let outcome = run(&mut chroot, scratch.path(), b"");
    assert_eq!((outcome.status.code(), outcome.text()), (Some(4), OUTPUT.to_owned()), "{outcome}");
    assert!(!outcome.errors().contains("autojit: "), "{outcome}");
    Stats::read(&root.join("stats")).assert_lazy();
}

#[test]
fn an_engine_that_only_root_may_read() {
    if !is_root("an_engine_that_only_root_may_read") {
        return;
    }
    let scratch = Scratch::new("private-engine");
    let lazy = scratch.file("lazy.c", "int lazy(int x) { return x + 40; }\n");
    let main = scratch.file(
        "main.c",
        "#include <stdio.h>\n#include <unistd.h>\nint lazy(int);\n\
         int main(void) { if (setgid(65534) || setuid(65534)) return 1; printf(\"%d\\n\", lazy(2)); return 0; }\n",
    );
    let objects =
        [object(How::Lazy, &lazy, &[], scratch.path()), object(How::Plain, &main, &[], scratch.path())];
    let program = scratch.path().join("program");
    Link { linker: "bfd", cxx: false, flags: &[] }.run(&objects, &program);
    let private = scratch.directory("private");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let engine = private.join("engine.so");
    fs::copy(dist("lib/libautojit-engine.so"), &engine).expect("it exists");
    let mut lazy = lazy_command(&program, scratch.path());
    lazy.env("AUTOJIT_ENGINE_PATH", &engine).env_remove("AUTOJIT_STATS");
    let outcome = run(&mut lazy, scratch.path(), b"");
    assert_eq!(outcome.assert_code(0).text(), "42\n", "{outcome}");
}

#[test]
fn a_new_root_stays_as_it_is() {
    if !is_root("a_new_root_stays_as_it_is") {
        return;
    }
    let scratch = Scratch::new("new-root");
    let lazy =
        scratch.file("lazy.c", "int before(int x) { return x + 1; }\nint after(int x) { return x + 40; }\n");
    let main = scratch.file(
        "main.c",
        "#include <stdio.h>\n#include <unistd.h>\nint before(int), after(int);\n\
         int main(void) { int x = before(0); if (chroot(\"jail\")) return 1;\n\
         printf(\"%d\\n\", x + after(1)); return 0; }\n",
    );
    let objects =
        [object(How::Lazy, &lazy, &[], scratch.path()), object(How::Plain, &main, &[], scratch.path())];
    let program = scratch.path().join("program");
    Link { linker: "bfd", cxx: false, flags: &[] }.run(&objects, &program);
    let jail = scratch.directory("jail");
    let mut lazy = lazy_command(&program, scratch.path());
    let outcome = run(lazy.env_remove("AUTOJIT_STATS"), scratch.path(), b"");
    assert_eq!((outcome.assert_code(0).text(), outcome.errors()), ("42\n".to_owned(), String::new()));
    // What was compiled in there is not kept in there; what was compiled before is kept outside.
    assert_eq!(fs::read_dir(&jail).expect("it is ours").count(), 0);
    assert!(scratch.path().join("cache/code").is_dir());
}

#[test]
fn setuid_programs_explain_themselves() {
    if !is_root("setuid_programs_explain_themselves") {
        return;
    }
    let scratch = Scratch::reachable("setuid");
    let program = build(&scratch, How::Lazy, "program", MAIN, &["-g"]);
    chown(&program, Some(65533), None).expect("root may");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("root may");
    let mut lazy = lazy_command(&program, scratch.path());
    let outcome = run(lazy.uid(65534).gid(65534), scratch.path(), b"");
    let errors = outcome.assert_code(127).errors();
    // Its boot code looks for no runtime: that of the build would say something else.
    assert!(errors.lines().last().is_some_and(|line| line.contains("needs libautojit.so")), "{outcome}");
    assert!(outcome.stdout.is_empty(), "{outcome}");
}

#[test]
fn children_for_another_architecture() {
    let scratch = Scratch::new("children-32");
    // A static program for i386 that exits with 7.
    let child = scratch.file("child.s", ".globl _start\n_start:\nmovl $1, %eax\nmovl $7, %ebx\nint $0x80\n");
    let output = scratch.path().join("child");
    let mut clang = command(CLANG);
    tool(clang.args(["-m32", "-nostdlib", "-static", "-fuse-ld=lld", "-o"]).arg(&output).arg(&child));
    let text = "#include <stdio.h>\n#include <sys/wait.h>\n#include <unistd.h>\n\
        static int status_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }\n\
        int main(void) { int status; if (fork() == 0) { execl(\"./child\", \"child\", (char *)0); _exit(99); }\n\
        wait(&status); printf(\"child %d\\n\", status_of(status)); return 0; }\n";
    let expected = run(&mut command(build(&scratch, How::Plain, "plain", text, &[])), scratch.path(), b"");
    let program = build(&scratch, How::Lazy, "lazy", text, &[]);
    let outcome = run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"");
    expected.assert_same(&outcome, "plain and lazy parent");
    assert_eq!(outcome.assert_code(0).text(), "child 7\n");
    Stats::read(&scratch.path().join("stats")).assert_lazy();
}

#[test]
fn a_program_that_starts_itself_without_the_runtime() {
    let scratch = Scratch::new("restart");
    let text = include_str!("surroundings/restarts.c");
    let program = build(&scratch, How::Lazy, "program", text, &[]);
    let outcome = run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"");
    assert_eq!(outcome.assert_code(5).text(), "started again\n");
    // It finds the runtime that was beside the plugin.
    let outcome = run(lazy_command(&program, scratch.path()).arg("bare"), scratch.path(), b"");
    assert_eq!(outcome.assert_code(5).text(), "started again\n");
    let mut lost = lazy_command(&program, scratch.path());
    let outcome = run(lost.arg("bare").env("AUTOJIT_RUNTIME", "/nowhere"), scratch.path(), b"");
    assert!(outcome.assert_code(127).errors().contains("autojit-run"), "{outcome}");
}
