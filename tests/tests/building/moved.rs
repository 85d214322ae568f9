//! Programs in other places than where they were built: installed elsewhere, in a container of copied files, with the runtimes
//! of two installations in one process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::installation::Installation;
use autojit_tests::parts::{HELPER, MAIN};
use autojit_tests::run::{bare_command, command, run, tool};
use autojit_tests::scratch::{Scratch, dist, repository};
use autojit_tests::stats::Stats;

/// Compiles and links in the scratch directory.
fn build(scratch: &Scratch, wrapper: &Path, arguments: &[&str]) {
    tool(command(wrapper).args(arguments).current_dir(scratch.path()));
}

/// Runs a program that must print `text`; all of what is lazy in it is one runtime's.
#[track_caller]
fn assert_prints(scratch: &Scratch, mut command: Command, text: &str, modules: f64, what: &str) {
    let outcome = run(&mut command, scratch.path(), b"");
    let said = (outcome.assert_code(0).text(), outcome.errors());
    assert_eq!(said, (text.to_owned(), String::new()), "{what}");
    let stats = Stats::read(&scratch.path().join("stats"));
    stats.assert_lazy();
    assert_eq!(stats.number("modules"), modules, "{what}: {stats}");
}

/// An installation of its own with a runtime of its own, which is no link to the one in dist/.
fn installation(scratch: &Scratch) -> (Installation, PathBuf) {
    let installation = Installation::new(scratch, "prefix", None);
    let runtime = scratch.path().join("prefix/lib/libautojit.so");
    fs::remove_file(&runtime).expect("it is ours");
    fs::copy(dist("lib/libautojit.so"), &runtime).expect("the directory is ours");
    (installation, runtime)
}

#[test]
fn two_runtimes_in_one_process_leave_the_work_to_one() {
    let scratch = Scratch::new("moved-two");
    let (other, runtime) = installation(&scratch);
    let here = dist("bin/autojit-cc");
    scratch.file("main.c", MAIN);
    scratch.file("helper.c", HELPER);
    for (library, program) in [(&here, &other.wrapper("autojit-cc")), (&other.wrapper("autojit-cc"), &here)] {
        build(&scratch, library, &["-shared", "-fPIC", "helper.c", "-o", "libhelper.so"]);
        build(&scratch, program, &["main.c", "-o", "program", "./libhelper.so"]);
        let program = scratch.path().join("program");
        let (ours, theirs) = (dist("lib/libautojit.so"), runtime.clone());
        let both = |first: &Path, second: &Path| format!("{}:{}", first.display(), second.display());
        for preload in [
            String::new(),
            ours.display().to_string(),
            theirs.display().to_string(),
            both(&ours, &theirs),
            both(&theirs, &ours),
        ] {
            let mut command = bare_command(&program, scratch.path());
            command.env("LD_PRELOAD", &preload);
            assert_prints(&scratch, command, "42\n", 2.0, &format!("LD_PRELOAD={preload}"));
        }
    }
}

#[test]
fn a_library_of_another_installation_is_opened_later() {
    let scratch = Scratch::new("moved-opened");
    let (other, _) = installation(&scratch);
    let sources = repository().join("tests/programs/generator");
    for file in ["library.cpp", "opener.c"] {
        scratch.file(file, fs::read(sources.join(file)).expect("it is there"));
    }
    build(&scratch, &other.wrapper("autojit-c++"), &["-shared", "-fPIC", "library.cpp", "-o", "library.so"]);
    build(&scratch, &dist("bin/autojit-cc"), &["opener.c", "-o", "opener"]);
    // An exception is thrown and caught in the library. The program has nothing lazy: it calls dlopen.
    let command = bare_command(scratch.path().join("opener"), scratch.path());
    assert_prints(&scratch, command, "o\n", 1.0, "a library of another installation");
}

/// The files that the dynamic loader takes for a program.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let text = tool(command("ldd").arg(program)).text();
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    paths.map(PathBuf::from).collect()
}

#[test]
fn a_container_of_copied_files_runs_it() {
    // SAFETY: takes no pointers.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("a_container_of_copied_files_runs_it: only root can do that; nothing was tested");
        return;
    }
    let scratch = Scratch::new("moved-container");
    scratch.file("main.c", MAIN);
    scratch.file("helper.c", HELPER);
    let root = scratch.directory("root");
    let copy = |from: &Path| {
        let to = root.join(from.strip_prefix("/").expect("it is absolute"));
        fs::create_dir_all(to.parent().expect("it has one")).expect("the directory is ours");
        fs::copy(from, to).expect("the directory is ours");
    };
    let start = |what: &str| {
        fs::copy(scratch.path().join("program"), root.join("program")).expect("the directory is ours");
        let mut command = bare_command("chroot", scratch.path());
        command
            .arg(&root)
            .arg("/program")
            .env("AUTOJIT_STATS", "/stats")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let outcome = run(&mut command, scratch.path(), b"");
        let said = (outcome.assert_code(0).text(), outcome.errors());
        assert_eq!(said, ("42\n".to_owned(), String::new()), "{what}");
        Stats::read(&root.join("stats")).assert_baseline(autojit_tests::directives::Refusals::None);
    };
    build(&scratch, &dist("bin/autojit-cc"), &["-O0", "main.c", "helper.c", "-o", "program"]);
    libraries(&scratch.path().join("program")).iter().for_each(|path| copy(path));
    start("with the runtime that it was linked with");
    // With the runtime inside, the C library is enough.
    let mut portable = command(dist("bin/autojit-cc"));
    portable.args(["-O0", "main.c", "helper.c", "-o", "program"]).env("AUTOJIT_PORTABLE", "1");
    tool(portable.current_dir(scratch.path()));
    let runtime = dist("lib/libautojit.so").canonicalize().expect("it is there");
    fs::remove_file(root.join(runtime.strip_prefix("/").expect("it is absolute"))).expect("it was copied");
    fs::remove_file(root.join("stats")).expect("it was written");
    start("with the runtime inside");
}
