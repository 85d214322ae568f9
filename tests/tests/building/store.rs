//! What can go wrong with stores, containers and the engine: a clear message that names the function or the file and the
//! reason, exit status 127 before the program began and SIGABRT afterwards, never a crash or a wrong result.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use autojit_tests::compile::{How, Link, lazy_object, object, plugin};
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{Outcome, attempt, command, lazy_command, run};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

const MAIN: &str = "#include <stdio.h>\nint helper(int);\n\
    int main(void) { puts(\"begun\"); fflush(stdout); printf(\"%d\\n\", helper(41)); return 0; }\n";
const HELPER: &str = "int helper(int x) { return x + 1; }\n";
const OUTPUT: &str = "begun\n42\n";

/// How containers of the program's two files are kept, or that a file is not lazy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Embedded,
    Directory,
    Plain,
}

/// A program of main.c and helper.c.
struct Program {
    scratch: Scratch,
    executable: PathBuf,
    store: PathBuf,
}

impl Program {
    #[track_caller]
    fn build(name: &str, main: Kept, helper: Kept) -> Self {
        let scratch = Scratch::new(name);
        let store = scratch.directory("store");
        let objects = [("main.c", MAIN, main), ("helper.c", HELPER, helper)].map(|(file, text, kept)| {
            let source = scratch.file(file, text);
            let output = scratch.path().join(file).with_extension("o");
            match kept {
                Kept::Plain => return object(How::Plain, &source, &[], scratch.path()),
                Kept::Embedded => lazy_object(&source, &[], &output, &[]),
                Kept::Directory => {
                    lazy_object(&source, &[], &output, &[("AUTOJIT_STORE", store.as_os_str())])
                }
            }
            output
        });
        let executable = scratch.path().join("program");
        Link { linker: "bfd", cxx: false, flags: &[] }.run(&objects, &executable);
        Self { scratch, executable, store }
    }

    fn run_with(&self, environment: &[(&str, &OsStr)]) -> Outcome {
        // What an earlier run kept must not hide the damage.
        let _ = fs::remove_dir_all(self.scratch.path().join("cache"));
        let mut command = lazy_command(&self.executable, self.scratch.path());
        run(command.envs(environment.iter().copied()), self.scratch.path(), b"")
    }

    fn run(&self) -> Outcome {
        self.run_with(&[])
    }

    /// The container files, in the order of their names.
    fn containers(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(&self.store)
            .expect("it was made")
            .map(|entry| entry.expect("it is readable").path())
            .collect();
        files.sort();
        files
    }

    /// The only container file.
    #[track_caller]
    fn container(&self) -> PathBuf {
        let containers = self.containers();
        assert_eq!(containers.len(), 1, "{containers:?}");
        containers[0].clone()
    }
}

/// Checks that the program ended before it began, with a message that has all of `words` in it.
#[track_caller]
fn assert_refused(outcome: &Outcome, words: &[&str]) {
    let errors = outcome.assert_code(127).errors();
    assert!(errors.starts_with("autojit: "), "{outcome}");
    for word in words {
        assert!(errors.contains(word), "no '{word}': {outcome}");
    }
}

#[track_caller]
fn assert_works(outcome: &Outcome) {
    assert_eq!(outcome.assert_code(0).text(), OUTPUT, "{outcome}");
    assert!(outcome.stderr.is_empty(), "{outcome}");
}

#[test]
fn containers_in_a_directory_work() {
    let program = Program::build("store-directory", Kept::Directory, Kept::Directory);
    let containers = program.containers();
    assert_eq!(containers.len(), 2, "one file for each module, and nothing else: {containers:?}");
    for container in &containers {
        let stem = container.file_stem().expect("it has a name").to_string_lossy();
        assert!(stem.len() == 64 && stem.chars().all(|c| c.is_ascii_hexdigit()), "{stem} is no key");
        assert_eq!(container.extension(), Some(OsStr::new("ajc")));
    }
    assert_works(&program.run());
    let stats = Stats::read(&program.scratch.path().join("stats"));
    stats.assert_lazy();
    assert_eq!(stats.number("modules"), 2.0);
}

#[test]
fn directory_and_embedded_containers_mix() {
    for (name, main, helper) in [
        ("store-mixed", Kept::Directory, Kept::Embedded),
        ("store-mixed-other", Kept::Embedded, Kept::Directory),
        ("store-mixed-plain", Kept::Plain, Kept::Directory),
    ] {
        let program = Program::build(name, main, helper);
        assert_works(&program.run());
        Stats::read(&program.scratch.path().join("stats")).assert_lazy();
    }
}

#[test]
fn a_relative_directory_is_found_from_anywhere() {
    let scratch = Scratch::new("store-relative");
    let source = scratch.file("main.c", "int main(void) { return 7; }\n");
    let object = scratch.path().join("main.o");
    let mut clang = command(CLANG);
    clang.arg(format!("-fpass-plugin={}", plugin().display())).arg("-c").arg(&source).arg("-o").arg(&object);
    let outcome = attempt(clang.env("AUTOJIT_STORE", "kept/here").current_dir(scratch.path()));
    outcome.assert_code(0);
    assert_eq!(fs::read_dir(scratch.path().join("kept/here")).expect("it was made").count(), 1);
    let program = scratch.path().join("program");
    Link { linker: "bfd", cxx: false, flags: &[] }.run(&[object], &program);
    let elsewhere = scratch.directory("elsewhere");
    run(&mut lazy_command(&program, &elsewhere), &elsewhere, b"").assert_code(7);
}

#[test]
fn building_again_writes_the_same_container() {
    let program = Program::build("store-again", Kept::Directory, Kept::Plain);
    let before = (program.container(), fs::read(program.container()).expect("it is ours"));
    let output = program.scratch.path().join("again.o");
    let environment = [("AUTOJIT_STORE", program.store.as_os_str())];
    lazy_object(&program.scratch.path().join("main.c"), &[], &output, &environment);
    assert_eq!((program.container(), fs::read(program.container()).expect("it is ours")), before);
    // And mends one that was damaged.
    fs::write(&before.0, "damaged").expect("it is ours");
    lazy_object(&program.scratch.path().join("main.c"), &[], &output, &environment);
    assert_eq!(fs::read(&before.0).expect("it is ours"), before.1);
    assert_works(&program.run());
}

#[test]
fn a_deleted_container_is_named() {
    let program = Program::build("store-deleted", Kept::Directory, Kept::Plain);
    let container = program.container();
    fs::remove_file(&container).expect("it is ours");
    let outcome = program.run();
    assert_refused(&outcome, &["main.c", &container.display().to_string(), "no such file"]);
    assert!(outcome.stdout.is_empty(), "{outcome}");
}

#[test]
fn a_deleted_directory_is_named() {
    let program = Program::build("store-gone", Kept::Embedded, Kept::Directory);
    fs::remove_dir_all(&program.store).expect("it is ours");
    assert_refused(&program.run(), &["helper.c", &program.store.display().to_string(), "no such file"]);
}

#[test]
fn a_directory_in_place_of_a_container_is_named() {
    let program = Program::build("store-not-a-file", Kept::Directory, Kept::Plain);
    let container = program.container();
    fs::remove_file(&container).expect("it is ours");
    fs::create_dir(&container).expect("it is ours");
    assert_refused(&program.run(), &["main.c", &container.display().to_string()]);
}

#[test]
fn a_truncated_container_is_named_whatever_its_length() {
    let program = Program::build("store-truncated", Kept::Directory, Kept::Plain);
    let container = program.container();
    let whole = fs::read(&container).expect("it is ours");
    let step = whole.len() / 20;
    let lengths = [0, 1, 7, 8, 12, 24, 56, 64, 103, 104].into_iter().chain((1..20).map(|i| i * step));
    for length in lengths.chain([whole.len() - 9, whole.len() - 8, whole.len() - 1]) {
        fs::write(&container, &whole[..length]).expect("it is ours");
        let outcome = program.run();
        assert_refused(&outcome, &["main", "main.c", &container.display().to_string()]);
        assert!(outcome.errors().contains("truncated") || length < 24, "{length} bytes: {outcome}");
    }
    fs::write(&container, &whole).expect("it is ours");
    assert_works(&program.run());
}

#[test]
fn an_altered_byte_is_noticed_wherever_it_is() {
    let program = Program::build("store-altered", Kept::Directory, Kept::Plain);
    let container = program.container();
    let whole = fs::read(&container).expect("it is ours");
    let mut unnoticed = Vec::new();
    for at in (0..112).chain((112..whole.len() - 8).step_by(whole.len() / 60)) {
        let mut altered = whole.clone();
        altered[at] ^= 0x21;
        fs::write(&container, &altered).expect("it is ours");
        let outcome = program.run();
        if outcome.status.code() == Some(0) {
            assert_works(&outcome);
            unnoticed.push(at);
        } else {
            assert_refused(&outcome, &["main", "main.c", &container.display().to_string()]);
        }
    }
    // Two bytes of the header mean nothing.
    unnoticed.retain(|at| !(14..16).contains(at));
    assert!(unnoticed.is_empty(), "altered bytes that were not noticed: {unnoticed:?} of {}", whole.len());
}

#[test]
fn a_container_of_another_version_says_so() {
    let program = Program::build("store-version", Kept::Directory, Kept::Plain);
    let container = program.container();
    let mut altered = fs::read(&container).expect("it is ours");
    altered[8..12].copy_from_slice(&77_u32.to_le_bytes());
    fs::write(&container, &altered).expect("it is ours");
    assert_refused(&program.run(), &["main", "main.c", &container.display().to_string(), "version 77"]);
}

#[test]
fn another_modules_container_is_not_taken() {
    let program = Program::build("store-exchanged", Kept::Directory, Kept::Directory);
    let containers = program.containers();
    let [first, second] = [0, 1].map(|i| fs::read(&containers[i]).expect("it is ours"));
    fs::write(&containers[0], second).expect("it is ours");
    fs::write(&containers[1], first).expect("it is ours");
    assert_refused(&program.run(), &["main", "another"]);
}

#[test]
fn what_fails_after_the_beginning_aborts() {
    let program = Program::build("store-late", Kept::Embedded, Kept::Directory);
    let container = program.container();
    let whole = fs::read(&container).expect("it is ours");
    fs::write(&container, &whole[..whole.len() / 2]).expect("it is ours");
    let outcome = program.run();
    outcome.assert_signal(libc::SIGABRT);
    assert_eq!(outcome.text(), "begun\n");
    for word in ["autojit: ", "'helper'", "helper.c", &container.display().to_string(), "truncated"] {
        assert!(outcome.errors().contains(word), "no '{word}': {outcome}");
    }
}

#[test]
fn an_unreadable_container_is_named() {
    // Root reads everything; a loop of links is unreadable for every user.
    let program = Program::build("store-unreadable", Kept::Directory, Kept::Plain);
    let container = program.container();
    fs::remove_file(&container).expect("it is ours");
    std::os::unix::fs::symlink(&container, &container).expect("the directory is ours");
    assert_refused(&program.run(), &["main.c", &container.display().to_string()]);
}

/// The places of `needle` in `bytes`.
fn find(bytes: &[u8], needle: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|&at| bytes[at..].starts_with(needle)).collect()
}

#[test]
fn an_altered_embedded_container_is_noticed() {
    let program = Program::build("embedded-altered", Kept::Embedded, Kept::Plain);
    let whole = fs::read(&program.executable).expect("it is ours");
    let places = find(&whole, b"AJSTORE\0");
    assert_eq!(places.len(), 1, "one container for one lazy module");
    let length =
        u64::from_le_bytes(whole[places[0] + 16..places[0] + 24].try_into().expect("8 bytes")) as usize;
    for at in [0, 8, 12, 20, 30, 60, 66, 80, 110].into_iter().chain((128..length - 8).step_by(length / 20)) {
        let mut altered = whole.clone();
        altered[places[0] + at] ^= 0x21;
        fs::write(&program.executable, &altered).expect("it is ours");
        assert_refused(&program.run(), &["main", "main.c", "program"]);
    }
}

#[test]
fn a_program_without_its_containers_says_so() {
    let program = Program::build("embedded-removed", Kept::Embedded, Kept::Embedded);
    let sections =
        attempt(command("objcopy").args(["--remove-section", ".autojit.store"]).arg(&program.executable));
    sections.assert_code(0);
    assert_refused(&program.run(), &["main", "main.c", "program"]);
}

#[test]
fn tables_of_another_version_are_refused() {
    for (name, magic, width) in [("contract-module", b"AJM1", 2), ("contract-image", b"AJI1", 4)] {
        let program = Program::build(name, Kept::Embedded, Kept::Plain);
        let mut bytes = fs::read(&program.executable).expect("it is ours");
        let places = find(&bytes, magic);
        assert!(!places.is_empty(), "a lazy program has a record");
        for place in places {
            bytes[place + 4..place + 4 + width].copy_from_slice(&0x7777_u32.to_le_bytes()[..width]);
        }
        fs::write(&program.executable, &bytes).expect("it is ours");
        assert_refused(&program.run(), &["program", "version 30583"]);
    }
}

/// Compiles main.c with a store that cannot be used. Says what the compiler did.
fn compile_into(scratch: &Scratch, store: &Path) -> Outcome {
    let source = scratch.file("main.c", MAIN);
    let object = scratch.path().join("main.o");
    let mut clang = command(CLANG);
    clang.arg(format!("-fpass-plugin={}", plugin().display())).env("AUTOJIT_STORE", store);
    let outcome = attempt(clang.arg("-c").arg(&source).arg("-o").arg(&object));
    assert!(!object.exists(), "an object whose functions are lost: {outcome}");
    outcome
}

#[test]
fn a_store_that_cannot_be_written_fails_the_build() {
    let scratch = Scratch::new("store-unwritable");
    // For root nothing is write-protected; a file is no directory for any user.
    let file = scratch.file("file", "");
    for store in [file.clone(), file.join("below"), PathBuf::from("/proc/self/nowhere")] {
        let outcome = compile_into(&scratch, &store);
        outcome.assert_code(1);
        let errors = outcome.errors();
        assert!(errors.contains("autojit: ") && errors.contains("main.c"), "{outcome}");
        assert!(errors.contains(store.to_str().expect("our paths are text")), "{outcome}");
    }
}

#[test]
fn a_full_disk_fails_the_build() {
    let scratch = Scratch::new("store-full");
    // Enough different functions that their container does not fit.
    let functions: String = (0..2000)
        .map(|i| format!("int function_{i}(int x) {{ return x * {} + {i}; }}\n", i * 7919 % 10007))
        .collect();
    let source = scratch.file("many.c", functions);
    let store = scratch.directory("full");
    let object = scratch.path().join("many.o");
    // A small file system that only this command sees, and that is gone with it.
    let mut unshare = command("unshare");
    unshare.arg("--mount");
    // SAFETY: a plain system call.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        unshare.arg("--map-root-user");
        if !attempt(command("unshare").args(["--mount", "--map-root-user", "true"])).status.success() {
            eprintln!("not tested: only root can mount a file system here");
            return;
        }
    }
    unshare.args([
        "sh",
        "-c",
        "mount -t tmpfs -o size=16k tmpfs \"$AUTOJIT_STORE\" && exec \"$@\"",
        "sh",
        CLANG,
    ]);
    unshare.arg(format!("-fpass-plugin={}", plugin().display())).env("AUTOJIT_STORE", &store);
    let outcome = attempt(unshare.arg("-c").arg(&source).arg("-o").arg(&object));
    outcome.assert_code(1);
    let errors = outcome.errors();
    for word in
        ["autojit: ", "many.c", "No space left on device", store.to_str().expect("our paths are text")]
    {
        assert!(errors.contains(word), "no '{word}': {outcome}");
    }
    assert!(!object.exists(), "an object whose functions are lost");
}

#[test]
fn a_missing_engine_is_named() {
    let program = Program::build("engine-missing", Kept::Embedded, Kept::Plain);
    let off = ("AUTOJIT_BASELINE", OsStr::new("off"));
    let outcome = program.run_with(&[off, ("AUTOJIT_ENGINE_PATH", OsStr::new("/nowhere/engine.so"))]);
    assert_refused(&outcome, &["main", "main.c", "/nowhere/engine.so", "no such file"]);
    let alone =
        program.scratch.file("alone/libautojit.so", fs::read(dist("lib/libautojit.so")).expect("it exists"));
    let alone = ("LD_PRELOAD", alone.as_os_str());
    let outcome = program.run_with(&[off, alone]);
    assert_refused(&outcome, &["main", "main.c", "/alone/libautojit-engine.so", "no such file"]);
    // This build does not need it.
    assert_eq!(program.run_with(&[alone]).assert_code(0).text(), OUTPUT);
}

#[test]
fn something_else_is_no_engine() {
    let program = Program::build("engine-other", Kept::Embedded, Kept::Plain);
    let text = program.scratch.file("engine.so", "no library\n");
    for engine in [text.as_path(), Path::new("/lib/x86_64-linux-gnu/libm.so.6"), Path::new("/")] {
        let off = ("AUTOJIT_BASELINE", OsStr::new("off"));
        let outcome = program.run_with(&[off, ("AUTOJIT_ENGINE_PATH", engine.as_os_str())]);
        assert_refused(&outcome, &["main", "main.c", engine.to_str().expect("our paths are text")]);
    }
}

#[test]
fn statistics_that_cannot_be_written_are_only_a_warning() {
    let program = Program::build("stats-unwritable", Kept::Embedded, Kept::Embedded);
    let outcome = program.run_with(&[("AUTOJIT_STATS", OsStr::new("/nowhere/stats"))]);
    assert_eq!(outcome.assert_code(0).text(), OUTPUT);
    let errors = outcome.errors();
    assert!(errors.starts_with("autojit: ") && errors.contains("/nowhere/stats"), "{outcome}");
    assert_eq!(errors.lines().count(), 1, "{outcome}");
}

#[test]
fn bad_values_of_options_are_only_warnings() {
    let program = Program::build("options-bad", Kept::Embedded, Kept::Embedded);
    for (name, value) in [("AUTOJIT_LOG", "loud"), ("AUTOJIT_OPT", "nine"), ("AUTOJIT_DEBUG", "perhaps")] {
        let outcome = program.run_with(&[(name, OsStr::new(value))]);
        assert_eq!(outcome.assert_code(0).text(), OUTPUT);
        let errors = outcome.errors();
        assert!(
            errors.starts_with("autojit: ") && errors.contains(&format!("{name} is \"{value}\"")),
            "{outcome}"
        );
        assert_eq!(errors.lines().count(), 1, "{outcome}");
    }
}

#[test]
fn another_optimisation_level_gives_the_same_result() {
    let program = Program::build("options-opt", Kept::Embedded, Kept::Directory);
    for level in ["0", "1", "2", "3"] {
        assert_works(&program.run_with(&[("AUTOJIT_OPT", OsStr::new(level))]));
    }
}

#[test]
fn messages_are_as_many_as_wanted() {
    let program = Program::build("options-log", Kept::Embedded, Kept::Embedded);
    for (name, value) in [("AUTOJIT_LOG", "debug"), ("AUTOJIT_DEBUG", "On")] {
        let outcome = program.run_with(&[(name, OsStr::new(value))]);
        assert_eq!(outcome.assert_code(0).text(), OUTPUT);
        assert!(outcome.errors().lines().all(|line| line.starts_with("autojit: ")), "{outcome}");
        assert!(outcome.errors().contains("helper"), "{outcome}");
    }
    assert_works(&program.run_with(&[("AUTOJIT_LOG", OsStr::new("off"))]));
}

#[test]
fn small_modules_have_small_containers() {
    let program = Program::build("store-small", Kept::Directory, Kept::Directory);
    let lens: Vec<_> =
        program.containers().iter().map(|file| fs::metadata(file).expect("it is there").len()).collect();
    assert_eq!(lens.len(), 2);
    // Without what all modules have in common; with it, each has more than 2,200.
    assert!(lens.iter().any(|len| *len < 700) && lens.iter().all(|len| *len < 1400), "{lens:?}");
    assert_eq!(program.run().text(), OUTPUT);
}
