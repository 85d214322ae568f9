//! Programs that the compiler wrappers link find the runtime by themselves: a build can run what it has built, and nothing
//! needs to be in the environment. What has no place for a runtime is linked as ever.

use std::path::{Path, PathBuf};

use autojit_tests::llvm::CLANG;
use autojit_tests::parts::{HELPER, LINKERS, MAIN};
use autojit_tests::run::{attempt, bare_command, command, run, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

/// Compiles and links with a wrapper in the scratch directory.
#[track_caller]
fn build(scratch: &Scratch, wrapper: &str, arguments: &[&str]) {
    tool(command(dist(wrapper)).args(arguments).current_dir(scratch.path()));
}

/// Copies files of the program `generator` there.
fn take(scratch: &Scratch, files: &[&str]) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/generator");
    for file in files {
        scratch.file(file, std::fs::read(sources.join(file)).expect("it is there"));
    }
}

/// Runs `program` of the scratch directory without an environment; it must be lazy, and print `line`.
#[track_caller]
fn assert_prints(scratch: &Scratch, program: &str, line: &str, what: &str) {
    let mut command = bare_command(scratch.path().join(program), scratch.path());
    let outcome = run(&mut command, scratch.path(), b"");
    assert_eq!((outcome.assert_code(0).text().trim_end(), outcome.errors().as_str()), (line, ""), "{what}");
    Stats::read(&scratch.path().join("stats")).assert_lazy();
}

/// The libraries that a file needs, and where it has them looked for.
fn dynamic(scratch: &Scratch, file: &str) -> String {
    tool(command("readelf").args(["-d", file]).current_dir(scratch.path())).text()
}

fn parts(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    scratch.file("main.c", MAIN);
    scratch.file("helper.c", HELPER);
    scratch
}

#[test]
fn programs_find_the_runtime() {
    let scratch = parts("wrapped-links");
    for linker in LINKERS {
        let linker = format!("-fuse-ld={linker}");
        for flags in [&[][..], &["-no-pie", "-s"], &["-Wl,--as-needed", "-Wl,--gc-sections"]] {
            let arguments = [&["main.c", "helper.c", "-o", "program", &linker], flags].concat();
            build(&scratch, "bin/autojit-cc", &arguments);
            assert_prints(&scratch, "program", "42", &format!("{linker} {flags:?}"));
        }
    }
    // The loader gets a path, and looks for the project's own libraries where it is told to, no longer.
    build(&scratch, "bin/autojit-cc", &["main.c", "helper.c", "-o", "program", "-Wl,-rpath,/first"]);
    let entries = dynamic(&scratch, "program");
    let runtime = dist("lib/libautojit.so").canonicalize().expect("it is built");
    for part in [format!("[{}]", runtime.display()), "[/first]".to_owned()] {
        assert!(entries.contains(&part), "{entries}");
    }
    // The command line is in a file.
    scratch.file("arguments", "main.c 'helper.c'\n-o \"program\"");
    build(&scratch, "bin/autojit-cc", &["@arguments"]);
    assert_prints(&scratch, "program", "42", "a response file");
}

#[test]
fn exceptions_are_caught_in_lazy_libraries_of_plain_programs() {
    let scratch = Scratch::new("wrapped-library");
    take(&scratch, &["library.cpp", "opener.c"]);
    build(&scratch, "bin/autojit-c++", &["-shared", "-fPIC", "library.cpp", "-o", "library.so"]);
    tool(command(CLANG).args(["opener.c", "-o", "opener"]).current_dir(scratch.path()));
    assert_prints(&scratch, "opener", "o", "a plain program opens it");
}

/// Exceptions through lazy and static frames, and a walk to the end of the stack.
const THROWS: &str = include_str!("linking/throws.cpp");

#[test]
fn unwinders_from_archives_know_what_is_loaded() {
    // The linker takes the runtime's definition of a function of libgcc's for the archive's.
    let scratch = Scratch::new("wrapped-static-unwinder");
    scratch.file("throws.cpp", THROWS);
    take(&scratch, &["library.cpp", "opener.c"]);
    tool(command(CLANG).args(["opener.c", "-o", "opener"]).current_dir(scratch.path()));
    for linker in LINKERS {
        let linker = format!("-fuse-ld={linker}");
        let flags = [&linker, "-static-libgcc", "-static-libstdc++"];
        for level in ["-O0", "-O2"] {
            build(
                &scratch,
                "bin/autojit-c++",
                &[&[level, "throws.cpp", "-o", "program"], &flags[..]].concat(),
            );
            assert!(!dynamic(&scratch, "program").contains("libgcc_s"), "{linker}");
            assert_prints(&scratch, "program", "3 out_of_range, 1 to the end", &format!("{linker} {level}"));
        }
        let library = ["-shared", "-fPIC", "library.cpp", "-o", "library.so"];
        build(&scratch, "bin/autojit-c++", &[&library, &flags[..]].concat());
        assert_prints(&scratch, "opener", "o", &linker);
    }
}

#[test]
fn static_programs_get_the_static_runtime() {
    let scratch = parts("wrapped-static");
    for (portable, flag) in [("", "-static"), ("", "-static-pie"), ("1", "-O0")] {
        let mut wrapper = command(dist("bin/autojit-cc"));
        wrapper.args(["main.c", "helper.c", "-o", "program", flag]).current_dir(scratch.path());
        tool(wrapper.env("AUTOJIT_PORTABLE", portable));
        let entries = dynamic(&scratch, "program");
        assert!(!entries.contains("libautojit"), "{flag}: {entries}");
        let mut program = bare_command(scratch.path().join("program"), scratch.path());
        let outcome = run(program.env("AUTOJIT_BASELINE", "only"), scratch.path(), b"");
        let printed = (outcome.assert_code(0).text(), outcome.errors());
        assert_eq!((printed.0.as_str(), printed.1.as_str()), ("42\n", ""), "{flag}");
        let stats = Stats::read(&scratch.path().join("stats"));
        assert!(stats.number("baseline") > 0.0, "{flag}: {stats:?}");
    }
}

#[test]
fn what_has_no_place_for_a_runtime_stays_as_it_is() {
    let scratch = parts("wrapped-without");
    for arguments in [
        &["-shared", "-nostdlib", "-fPIC", "helper.c", "-o", "out"][..],
        &["-r", "helper.c", "-o", "out"],
        &["-c", "helper.c", "-o", "out"],
        &["-Wl,-r", "-no-pie", "-nostartfiles", "-nodefaultlibs", "helper.c", "-o", "out"],
    ] {
        build(&scratch, "bin/autojit-cc", arguments);
        let entries = dynamic(&scratch, "out");
        assert!(!entries.contains("libautojit"), "{arguments:?}: {entries}");
    }
    // Where nothing is linked, the compiler answers as ever.
    for arguments in [
        &["-v"][..],
        &["-v", "-include", "helper.c"],
        &["-print-file-name=libc.so"],
        &["-dumpmachine"],
        &["-Werror", "-fsyntax-only", "helper.c"],
        &["-Werror", "-x", "c-header", "helper.c", "-o", "helper.pch"],
        &["-E", "-P", "helper.c"],
        &[],
        // Noticed by the compiler only: no warning of options that are not used.
        &[
            "-Werror",
            "--no-such-answer=1",
            "-Wno-unknown-argument",
            "-emit-interface-stubs",
            "-c",
            "helper.c",
        ],
    ] {
        let answer = |compiler: PathBuf| {
            let outcome = attempt(command(compiler).args(arguments).current_dir(scratch.path()));
            (outcome.status.code(), outcome.text())
        };
        assert_eq!(answer(dist("bin/autojit-cc")), answer(CLANG.into()), "{arguments:?}");
    }
}

#[test]
fn builds_run_what_they_have_built() {
    let scratch = Scratch::new("wrapped-make");
    take(&scratch, &["Makefile", "generator.c", "table.c", "numbers.c", "program.c"]);
    for (compiler, is_lazy) in [(dist("bin/autojit-cc"), true), (CLANG.into(), false)] {
        let mut make = command("make");
        make.args(["--silent", "--always-make"]).arg(format!("CC={}", compiler.display()));
        let text = tool(make.current_dir(scratch.path())).text();
        assert_eq!(text.lines().collect::<Vec<_>>(), ["squares 30"; 2], "{}", compiler.display());
        assert_eq!(dynamic(&scratch, "program").contains("libautojit.so"), is_lazy);
        if is_lazy {
            assert_prints(&scratch, "elsewhere/program", "squares 30", "the program of the build");
        }
    }
}

#[test]
fn cargo_runs_and_tests_without_a_runner() {
    let scratch = Scratch::new("wrapped-cargo");
    scratch.file(
        "Cargo.toml",
        "[package]\nname = \"wrapped\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\
         [lib]\ncrate-type = [\"rlib\", \"cdylib\"]\n\
         [[bench]]\nname = \"measured\"\nharness = false\n[workspace]\n",
    );
    scratch.file(
        "src/lib.rs",
        "/// ```\n/// assert_eq!(wrapped::half(84), 42);\n/// ```\npub fn half(x: u32) -> u32 { x / 2 }\n\n\
         #[unsafe(no_mangle)]\npub extern \"C\" fn half_of(x: u32) -> u32 { half(x) }\n\n\
         #[test]\nfn halves() { assert_eq!(half(4), 2); }\n",
    );
    scratch.file("src/main.rs", "fn main() { println!(\"{}\", wrapped::half(84)); }\n");
    scratch.file("tests/it.rs", "#[test]\nfn it() { assert_eq!(wrapped::half(6), 3); }\n");
    scratch.file("examples/shown.rs", "fn main() { println!(\"{}\", wrapped::half(8)); }\n");
    scratch.file(
        "benches/measured.rs",
        "fn main() { println!(\"{} {}\", wrapped::half(20), std::env::args().any(|a| a == \"--bench\")); }\n",
    );
    let start = |arguments: &[&str]| {
        let mut cargo = command("cargo");
        cargo.args(arguments).args(["--offline", "--target-dir", "out"]).current_dir(scratch.path());
        cargo
            .env("RUSTC_WRAPPER", dist("bin/autojit-rustc"))
            .env("AUTOJIT_STATS", scratch.path().join("stats"));
        tool(&mut cargo)
    };
    let cargo = |arguments: &[&str]| start(&[arguments, &["--quiet"]].concat()).text();
    assert_eq!(cargo(&["run"]), "42\n");
    assert_eq!(cargo(&["run", "--example", "shown"]), "4\n");
    // Documentation's tests, which no wrapper links, find the runtime that was there when the library was compiled.
    let tests = cargo(&["test"]);
    assert_eq!(tests.matches("test result: ok. 1 passed").count(), 3, "{tests}");
    // An optimised program, which cargo tells to measure.
    assert_eq!(cargo(&["bench", "--bench", "measured"]), "10 true\n");
    Stats::read(&scratch.path().join("stats")).assert_lazy();
    // Each test in a process of its own, and all listed before.
    let said = start(&["nextest", "run"]).errors();
    assert!(said.contains("2 tests run: 2 passed"), "{said}");
    Stats::read(&scratch.path().join("stats")).assert_lazy();
    assert_prints(&scratch, "out/debug/wrapped", "42", "the program");
    // Its library in a plain program.
    let plain = scratch.file(
        "plain.c",
        "#include <stdio.h>\nunsigned half_of(unsigned);\nint main(void) { printf(\"%u\\n\", half_of(84)); }\n",
    );
    let library = scratch.path().join("out/debug/libwrapped.so");
    let found = format!("-Wl,-rpath,{}", scratch.path().join("out/debug").display());
    tool(command(CLANG).arg(plain).arg(library).arg(found).arg("-o").arg(scratch.path().join("plain")));
    assert_prints(&scratch, "plain", "42", "a plain program with the library");
}
