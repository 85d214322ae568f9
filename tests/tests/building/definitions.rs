//! Programs that define functions of the C library, lazily: the runtime and the boot code in images must not call them,
//! or a first call would need itself.
//!
//! The names are all that either ever referred to, and what the built files refer to now: a new dependency is tested
//! without being listed here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use autojit_tests::compile::{How, Link, object};
use autojit_tests::parts::{LINKERS, compile};
use autojit_tests::run::warm_command;
use autojit_tests::run::{
    Outcome, attempt, command, daemon_command, lazy_command, run, static_command, tool,
};
use autojit_tests::scratch::{Scratch, dist, repository};
use autojit_tests::stats::Stats;

/// What the runtime needs of the C library, or of its own in the place of it, and once referred to by name.
const NAMES: &[&str] = &[
    "__cxa_finalize",
    "__cxa_thread_atexit_impl",
    "__errno_location",
    "__gmon_start__",
    "__register_atfork",
    "__tls_get_addr",
    "__x86_get_cpuid_feature_leaf",
    "_ITM_deregisterTMCloneTable",
    "_ITM_registerTMCloneTable",
    "_r_debug",
    "abort",
    "close",
    "dl_iterate_phdr",
    "dlsym",
    "environ",
    "fstat64",
    "getauxval",
    "getcwd",
    "getenv",
    "gettid",
    "lseek64",
    "mmap64",
    "munmap",
    "open64",
    "pthread_atfork",
    "pthread_getspecific",
    "pthread_key_create",
    "pthread_key_delete",
    "pthread_setcancelstate",
    "pthread_setcanceltype",
    "pthread_setspecific",
    "read",
    "readlink",
    "realpath",
    "stat64",
    "statx",
    "syscall",
    "write",
    "writev",
];

/// Names that no program of these defines, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("malloc", "compiled as usual where a program defines it: own_allocator"),
    ("calloc", "likewise"),
    ("realloc", "likewise"),
    ("free", "likewise"),
    ("__autojit_image", "the boot code's own"),
    ("__autojit_register", "the runtime's own"),
    ("_DYNAMIC", "the linker's"),
    (
        "__environ",
        "a variable that the C library itself writes: no plain program with such a function starts",
    ),
    ("__dso_handle", "the compiler's start files define it"),
    (
        "__unw_add_dynamic_eh_frame_section",
        "registers unwind tables: a program that defines it is an unwinder",
    ),
    ("__register_frame_info", "likewise"),
];

/// The undefined symbols of a file.
fn undefined(file: &Path, dynamic: bool) -> BTreeSet<String> {
    let mut nm = command("nm");
    nm.arg("--undefined-only").args(dynamic.then_some("-D")).arg(file);
    let text = tool(&mut nm).text();
    let names =
        text.lines().filter_map(|line| line.split_whitespace().nth(1).filter(|_| line.starts_with(' ')));
    names.map(|name| name.split('@').next().expect("split yields a first part").to_owned()).collect()
}

fn archive() -> PathBuf {
    dist("lib/libautojit_static-x86_64.a")
}

/// What the static library refers to for compiled code's sake, and does not call: see there.
fn held() -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository().join("preload/src/platform/loaded/next_static.rs"))
        .expect("it is there");
    let (_, list) = text.split_once("\nheld! {").expect("the list is there");
    let (list, _) = list.split_once('}').expect("the list ends");
    list.split_whitespace().map(str::to_owned).collect()
}

/// All names to define.
fn names() -> Vec<String> {
    let mut names: BTreeSet<_> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    names.extend(undefined(&dist("lib/libautojit.so"), true));
    names.extend(undefined(&archive(), false));
    let held = held();
    names.retain(|name| !held.contains(name) && !LEFT_OUT.iter().any(|(left_out, _)| left_out == name));
    names.into_iter().collect()
}

#[test]
fn the_runtime_refers_to_no_symbol() {
    assert_eq!(undefined(&dist("lib/libautojit.so"), true), BTreeSet::new());
}

#[test]
fn boot_code_refers_to_runtime_and_loader_only() {
    let scratch = Scratch::new("definitions-boot-code");
    let main = compile(&scratch, How::Lazy, "main.c", "int main(void) { return 0; }\n", &["-O0"]);
    let own = ["_DYNAMIC", "__autojit_register", "_r_debug"].map(str::to_owned).into();
    let bounds = |name: &String| name.starts_with("__start_autojit_") || name.starts_with("__stop_autojit_");
    let mut found = undefined(&main, false);
    found.retain(|name| !bounds(name));
    assert_eq!(found, own);
}

/// A program that defines `names`, in itself or in a library.
struct Program<'a> {
    scratch: &'a Scratch,
    names: &'a [String],
    forward: bool,
    in_library: bool,
}

impl Program<'_> {
    /// Compiles and links it; None if it cannot be linked.
    #[track_caller]
    fn build(&self, how: How, name: &str, linker: &str, flags: &[String]) -> Option<PathBuf> {
        let directory = self.scratch.directory(name);
        let list = self.names.iter().map(|name| format!(" DEFINE({name})")).collect::<String>();
        std::fs::write(directory.join("names.h"), format!("#define NAMES(DEFINE){list}\n")).unwrap();
        let own: Vec<_> = ["-O0", "-fPIC", "-fno-builtin", "-w"]
            .into_iter()
            .chain(self.forward.then_some("-DFORWARD"))
            .map(str::to_owned)
            .chain([format!("-I{}", directory.display())])
            .collect();
        let mut objects = Vec::new();
        for file in ["main.c", "next.c", "definitions.c"] {
            // Copied, as the header's text is no part of the key under which plain objects are kept.
            let text = std::fs::read(repository().join("tests/programs/definitions").join(file)).unwrap();
            let source = directory.join(file);
            std::fs::write(&source, text).unwrap();
            objects.push(object(how, &source, &own, &directory));
        }
        if self.in_library {
            let library = directory.join("libdefinitions.so");
            let flags = ["-shared", "-Wl,-soname,libdefinitions.so"].map(str::to_owned);
            Link { linker, cxx: false, flags: &flags }.run(&objects.split_off(1), &library);
            objects.push(library);
        }
        let output = directory.join("program");
        let flags: Vec<_> =
            flags.iter().cloned().chain([format!("-Wl,-rpath,{}", directory.display())]).collect();
        let link = Link { linker, cxx: false, flags: &flags };
        attempt(&mut link.command(&objects, &output)).status.success().then_some(output)
    }

    /// Whether a run was lazy and did what the plain program did.
    #[track_caller]
    fn compare(&self, plain: &Outcome, lazy: &Outcome, stats: &Path, what: &str) {
        plain.assert_same(lazy, what);
        let functions = Stats::read(stats).number("functions");
        // Functions whose addresses nothing takes count too: all of the file's.
        assert!(functions >= self.names.len() as f64, "{what}: {functions} lazy functions");
    }
}

/// Builds and runs such a program in all modes.
#[track_caller]
fn check(test: &str, forward: bool, in_library: bool, linkers: &[&str]) {
    let scratch = Scratch::new(test);
    let names = names();
    let program = Program { scratch: &scratch, names: &names, forward, in_library };
    let plain = program.build(How::Plain, "plain", "bfd", &[]).expect("it can be linked");
    let plain = run(&mut command(plain), scratch.path(), b"");
    assert_eq!(plain.assert_code(3).text(), "42 42 1 7\n");
    let stats = scratch.path().join("stats");
    for (number, linker) in linkers.iter().enumerate() {
        for kind in ["-pie", "-no-pie"] {
            let what = format!("{linker} {kind}");
            let lazy =
                program.build(How::Lazy, "lazy", linker, &[kind.to_owned()]).expect("it can be linked");
            let cold = run(&mut lazy_command(&lazy, scratch.path()), scratch.path(), b"");
            program.compare(&plain, &cold, &stats, &format!("{what}, cold"));
            // Linkers differ in how boot code finds the runtime, not in what follows.
            if number > 0 {
                continue;
            }
            let warm = run(&mut warm_command(&lazy, scratch.path()), scratch.path(), b"");
            program.compare(&plain, &warm, &stats, &format!("{what}, warm"));
            let daemon = run(&mut daemon_command(&lazy, scratch.path()), scratch.path(), b"");
            program.compare(&plain, &daemon, &stats, &format!("{what}, daemon"));
        }
    }
}

#[test]
fn that_do_something_else() {
    check("definitions-else", false, false, &LINKERS);
}

#[test]
fn that_forward() {
    check("definitions-forward", true, false, &["lld"]);
}

#[test]
fn in_a_library_that_do_something_else() {
    check("definitions-library-else", false, true, &["bfd"]);
}

#[test]
fn in_a_library_that_forward() {
    check("definitions-library-forward", true, true, &["mold"]);
}

/// What of this the static library calls, or once called, and a static program can define.
const STATIC: &[&str] =
    &["__errno_location", "dl_iterate_phdr", "getauxval", "pthread_atfork", "pthread_setcancelstate"];

#[test]
fn in_static_programs() {
    let scratch = Scratch::new("definitions-static");
    let runtime = archive();
    let mut names: BTreeSet<_> = STATIC.iter().map(|name| (*name).to_owned()).collect();
    names.extend(undefined(&runtime, false));
    let defined = self::names();
    names.retain(|name| defined.contains(name));
    let mut tried = Vec::new();
    for name in names {
        let only = [name.clone()];
        let program = Program { scratch: &scratch, names: &only, forward: false, in_library: false };
        // Some cannot be defined at all, or break the C library's own functions.
        let plain = program.build(How::Plain, "plain", "lld", &["-static".to_owned()]);
        let plain = plain.map(|plain| run(&mut command(plain), scratch.path(), b""));
        let Some(plain) = plain.filter(|plain| plain.status.code() == Some(3)) else { continue };
        let flags = ["-static".to_owned(), runtime.display().to_string()];
        let lazy =
            program.build(How::Lazy, "lazy", "lld", &flags).unwrap_or_else(|| panic!("{name}: linking"));
        let outcome = run(&mut static_command(&lazy, scratch.path()), scratch.path(), b"");
        let stats = scratch.path().join(format!("stats.{}", outcome.pid));
        program.compare(&plain, &outcome, &stats, &name);
        tried.push(name);
    }
    for name in STATIC {
        assert!(tried.iter().any(|tried| tried == name), "{name} was not tried: {tried:?}");
    }
}
