//! Many programs at a time and after one another: what they share must not mix them up, and nothing of them stays.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use autojit_tests::compile::{How, Link, lazy_object, object, plugin};
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{command, lazy_command, run, tool};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;

/// Links with lld.
#[track_caller]
fn link(objects: &[PathBuf], flags: &[&str], output: &Path) {
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    Link { linker: "lld", cxx: false, flags: &flags }.run(objects, output);
}

/// Compiles `main.c` in `directory`, under that name, so that nothing but its content tells it from others.
#[track_caller]
fn build_in(directory: &Path, text: &str, environment: &[(&str, &OsStr)]) -> PathBuf {
    fs::create_dir_all(directory).expect("it is ours");
    fs::write(directory.join("main.c"), text).expect("it is ours");
    let mut clang = command(CLANG);
    clang.arg(format!("-fpass-plugin={}", plugin().display())).args(["-g", "main.c", "-o", "program"]);
    let outcome = tool(clang.envs(environment.iter().copied()).current_dir(directory));
    assert!(outcome.stderr.is_empty(), "{outcome}");
    directory.join("program")
}

/// Runs a lazy program with the cache of `scratch`, checks that it was lazy, and returns what it printed.
#[track_caller]
fn output(scratch: &Scratch, program: &Path) -> String {
    let outcome = run(&mut lazy_command(program, scratch.path()), scratch.path(), b"");
    assert!(outcome.assert_code(0).stderr.is_empty(), "{outcome}");
    let stats = scratch.path().join("stats");
    assert!(Stats::read(&stats).number("bound") > 0.0, "{outcome}");
    fs::remove_file(stats).expect("it was just read");
    outcome.text()
}

/// A program that says `word`; of the same length for words of one length.
fn saying(word: &str) -> String {
    format!(
        "#include <stdio.h>\nstatic const char *word(void) {{ return \"{word}\"; }}\n\
         int main(void) {{ puts(word()); return 0; }}\n"
    )
}

#[test]
fn programs_of_the_same_relative_source_name_stay_apart() {
    let scratch = Scratch::new("same-source-name");
    let store = scratch.path().join("store");
    for environment in [&[][..], &[("AUTOJIT_STORE", store.as_os_str())]] {
        let programs = ["first", "other"]
            .map(|word| (word, build_in(&scratch.path().join(word), &saying(word), environment)));
        for _ in 0..2 {
            for (word, program) in &programs {
                assert_eq!(output(&scratch, program), format!("{word}\n"));
            }
        }
    }
}

#[test]
fn code_is_as_new_as_the_last_edit() {
    let scratch = Scratch::new("last-edit");
    let store = scratch.path().join("store");
    for environment in [&[][..], &[("AUTOJIT_STORE", store.as_os_str())]] {
        // The same file, of the same size and, as far as clocks tell, age; back to an earlier content in the end.
        for word in ["first", "again", "third", "first", "other"] {
            let program = build_in(&scratch.path().join("edited"), &saying(word), environment);
            let epoch = std::time::SystemTime::UNIX_EPOCH;
            for file in [&program, &program.with_file_name("main.c")] {
                let file = fs::File::options().write(true).open(file).expect("it is ours");
                file.set_modified(epoch).expect("it is ours");
            }
            assert_eq!(output(&scratch, &program), format!("{word}\n"));
        }
    }
}

#[test]
fn a_library_is_as_new_as_its_last_edit() {
    let scratch = Scratch::new("library-edit");
    let flags = ["-fPIC".to_owned()];
    let build = |word: &str| {
        let text = format!(
            "static const char *word(void) {{ return \"{word}\"; }}\nconst char *of_library(void) {{ return word(); }}\n"
        );
        let library = object(How::Lazy, &scratch.file("library.c", text), &flags, scratch.path());
        link(&[library], &["-shared", "-Wl,-soname,liblibrary.so"], &scratch.path().join("liblibrary.so"));
    };
    build("first");
    let main = "#include <stdio.h>\nconst char *of_library(void);\nint main(void) { puts(of_library()); return 0; }\n";
    let main = object(How::Lazy, &scratch.file("main.c", main), &[], scratch.path());
    let program = scratch.path().join("program");
    link(&[main, scratch.path().join("liblibrary.so")], &["-Wl,-rpath,$ORIGIN"], &program);
    assert_eq!(output(&scratch, &program), "first\n");
    build("again");
    assert_eq!(output(&scratch, &program), "again\n");
}

#[test]
fn sixteen_copies_start_at_once() {
    let scratch = Scratch::new("sixteen-copies");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("sources");
    let object = object(How::Lazy, &sources.join("many_functions/many_functions.c"), &[], scratch.path());
    let program = scratch.path().join("program");
    link(&[object], &[], &program);
    let children: Vec<_> = (0..16)
        .map(|_| {
            // All of them find the same cache, empty at first.
            let mut command = lazy_command(&program, scratch.path());
            command.env("AUTOJIT_STATS", scratch.path().join("stats.%p"));
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("it is a program")
        })
        .collect();
    for child in children {
        let pid = child.id();
        let output = child.wait_with_output().expect("the child is ours");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text == "sum 249500\n" && errors.is_empty(), "{text}{errors}");
        let stats = Stats::read(&scratch.path().join(format!("stats.{pid}")));
        assert!(stats.number("bound") >= 500.0, "{stats:?}");
    }
}

#[test]
fn a_planted_link_is_not_followed() {
    let scratch = Scratch::new("planted-link");
    let text = saying("whole");
    let source = scratch.file("main.c", &text);
    let build = |store: &Path| {
        let object = scratch.path().join("main.o");
        lazy_object(&source, &[], &object, &[("AUTOJIT_STORE", store.as_os_str())]);
        object
    };
    // Which name the container will have, can be found out from the source.
    let private = scratch.directory("private");
    build(&private);
    let name = fs::read_dir(&private).expect("it is ours").next().expect("a container").expect("readable");
    let shared = scratch.directory("shared");
    let victim = scratch.file("victim", "precious");
    symlink(&victim, shared.join(name.file_name())).expect("the directory is ours");
    let dangling = scratch.path().join("made-by-link");
    let object = build(&shared);
    assert_eq!(fs::read(&victim).expect("it is ours"), b"precious", "the link was followed");
    assert!(!fs::symlink_metadata(shared.join(name.file_name())).expect("it is there").is_symlink());
    let program = scratch.path().join("program");
    link(&[object], &[], &program);
    assert_eq!(output(&scratch, &program), "whole\n");

    // The same for names that do not exist yet, and for whatever the compiler calls its temporary file.
    fs::remove_dir_all(&shared).expect("it is ours");
    fs::create_dir(&shared).expect("it is ours");
    symlink(&dangling, shared.join(name.file_name())).expect("the directory is ours");
    build(&shared);
    assert!(!dangling.exists(), "a file was made at the end of a link");
    assert_eq!(fs::read_dir(&shared).expect("it is ours").count(), 1, "a temporary file is left");
}

/// The processes whose environment has `mark`.
fn marked(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("there is a /proc").filter_map(Result::ok) {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.windows(mark.len()).any(|part| part == mark.as_bytes()) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// Crashes in the way that its argument says, while threads of it make first calls.
const CRASHING: &str = include_str!("processes/crashing.c");

/// Waits until nothing with `mark` runs any more; what only takes a moment to end is no left-over.
#[track_caller]
fn assert_nothing_runs(mark: &str, what: &str) {
    let start = Instant::now();
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "processes {left:?} are left behind after {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nothing_is_left_behind_after_a_crash() {
    let scratch = Scratch::new("left-behind");
    let source = scratch.file("main.c", CRASHING);
    let object = object(How::Lazy, &source, &["-O1".to_owned()], scratch.path());
    let program = scratch.path().join("program");
    link(&[object], &["-pthread"], &program);
    let temporary = scratch.directory("temporary");
    let mark = format!("AUTOJIT_TEST_MARK=left-behind-{}", std::process::id());
    let (name, value) = mark.split_once('=').expect("it has one");
    let lazy = |how: &str| -> Command {
        let mut command = lazy_command(&program, scratch.path());
        command.env(name, value).env("TMPDIR", &temporary).env_remove("AUTOJIT_STATS").arg(how);
        command
    };
    for (how, signal) in
        [("0", Some(libc::SIGSEGV)), ("1", Some(libc::SIGABRT)), ("2", Some(libc::SIGILL)), ("3", None)]
    {
        let outcome = run(&mut lazy(how), scratch.path(), b"");
        assert_eq!(outcome.status.signal(), signal, "{outcome}");
        assert!(outcome.stderr.is_empty(), "{outcome}");
        assert_nothing_runs(&mark, &format!("the end {how}"));
    }
    // Killed, with no chance to clean up, at different moments of its work.
    for delay in [0, 2, 5, 20, 100] {
        let mut command = lazy("4");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("it is a program");
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().expect("the child is ours");
        let status = child.wait().expect("the child is ours");
        assert_eq!(status.signal(), Some(libc::SIGKILL));
        assert_nothing_runs(&mark, &format!("{delay} ms"));
    }
    assert_eq!(fs::read_dir(&temporary).expect("it is ours").count(), 0, "temporary files are left behind");
    // What the crashes left in the cache does no harm.
    assert_eq!(output_of(&scratch, lazy("3")), "");
}

/// Runs a command that must succeed silently, and returns what it printed.
#[track_caller]
fn output_of(scratch: &Scratch, mut command: Command) -> String {
    let outcome = run(&mut command, scratch.path(), b"");
    assert!(outcome.assert_code(0).stderr.is_empty(), "{outcome}");
    outcome.text()
}
