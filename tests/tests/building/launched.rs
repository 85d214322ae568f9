//! `autojit CMD`: compilers get the plugin, other commands an environment in which what they build is lazy. Nothing preloads
//! the runtime here: builds run what they have made.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use autojit_tests::llvm::{CLANG, CLANGXX};
use autojit_tests::parts::{HELPER, MAIN};
use autojit_tests::run::{attempt, bare_command, command, run, tool};
use autojit_tests::scratch::{Scratch, dist, repository};
use autojit_tests::stats::Stats;

/// The parts of a program, and build files for it.
fn project(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    scratch.file("main.c", MAIN);
    scratch.file("helper.c", HELPER);
    for file in ["Makefile", "CMakeLists.txt", "meson.build"] {
        let path = repository().join("tests/programs/launched").join(file);
        scratch.file(file, std::fs::read(path).expect("it is there"));
    }
    scratch
}

/// `autojit` with a command, in the project.
fn launch(scratch: &Scratch, line: &[&str]) -> Command {
    let mut launcher = command(dist("bin/autojit"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CMAKE_") {
            launcher.env_remove(name);
        }
    }
    launcher.args(line).current_dir(scratch.path()).env_remove("CC").env_remove("CXX");
    launcher.env("CCACHE_DIR", scratch.path().join("ccache")).env_remove("MAKEFLAGS");
    launcher
}

#[track_caller]
fn assert_42(scratch: &Scratch, program: &Path, what: &str) {
    let outcome = run(&mut bare_command(program, scratch.path()), scratch.path(), b"");
    let said = (outcome.assert_code(0).text(), outcome.errors());
    assert_eq!(said, ("42\n".to_owned(), String::new()), "{what}");
    let stats = Stats::read(&scratch.path().join("stats"));
    stats.assert_lazy();
    assert_eq!(stats.number("modules"), 2.0, "{what}: {stats}");
}

#[test]
fn compilers_are_known_by_their_names() {
    let scratch = project("launched-compilers");
    let usual = tool(command("sh").args(["-c", &format!("command -v {CLANG}")])).text();
    let wrapper = dist("bin/autojit-cc");
    let wrapper = wrapper.to_str().expect("our paths are text");
    // A name that does not tell the release; where the file lies does.
    symlink(usual.trim(), scratch.path().join("clang")).expect("the directory is ours");
    for line in [
        &["clang"][..],
        &["cc"],
        &[CLANG],
        &[usual.trim()],
        &["./clang"],
        &["ccache", "clang"],
        &["ccache", usual.trim()],
        &[wrapper],
    ] {
        let line = [line, &["main.c", "helper.c", "-o", "program"]].concat();
        tool(&mut launch(&scratch, &line));
        assert_42(&scratch, &scratch.path().join("program"), &line.join(" "));
    }
    for compiler in ["clang++", "c++", CLANGXX] {
        let line = [compiler, "-xc++", "main.c", "helper.c", "-o", "program"];
        tool(&mut launch(&scratch, &line));
        assert_42(&scratch, &scratch.path().join("program"), compiler);
    }
    let mut rustc = launch(&scratch, &["rustc", "--edition", "2024", "-o", "program"]);
    tool(rustc.arg(repository().join("tests/sources/rust_basics/rust_basics.rs")));
    let outcome = run(&mut bare_command(scratch.path().join("program"), scratch.path()), scratch.path(), b"");
    assert!(outcome.assert_code(0).text().contains("dropped two"), "{outcome}");
    Stats::read(&scratch.path().join("stats")).assert_lazy();
}

#[test]
fn caches_keep_what_launched_compilers_make() {
    let scratch = project("launched-ccache");
    let compile = || {
        tool(launch(&scratch, &["ccache", CLANG, "-c", "main.c"]).env("CCACHE_NOHASHDIR", "1"));
        let mut ccache = command("ccache");
        let stats = tool(ccache.arg("--print-stats").env("CCACHE_DIR", scratch.path().join("ccache"))).text();
        stats.contains("direct_cache_hit\t1")
    };
    assert!(!compile() && compile());
    // Not a compilation.
    assert!(tool(&mut launch(&scratch, &["ccache", "--version"])).text().starts_with("ccache"));
}

#[test]
fn compilers_that_cannot_load_the_plugin_are_errors() {
    let scratch = project("launched-others");
    symlink("/bin/true", scratch.path().join("clang++-18")).expect("the directory is ours");
    // By the directory that it lies in.
    let by_place = scratch.directory("llvm-17/bin").join("clang++");
    std::fs::copy("/bin/true", &by_place).expect("the directory is ours");
    let by_place = by_place.to_str().expect("our paths are text");
    for (compiler, parts) in [
        ("gcc", &["'gcc'", "GCC", CLANG][..]),
        ("./clang++-18", &["LLVM 18", CLANG, "lib/autojit-18.so"]),
        (by_place, &["LLVM 17", CLANG, "lib/autojit-17.so"]),
    ] {
        let outcome = attempt(&mut launch(&scratch, &[compiler, "-c", "main.c"]));
        let said = outcome.assert_code(1).errors();
        assert!(said.starts_with("autojit: ") && said.lines().count() == 1, "{compiler}: {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{compiler}: {said}");
        // The wrappers say the same of a compiler that is behind them.
        let mut wrapper = command(dist("bin/autojit-cc"));
        let outcome =
            attempt(wrapper.args(["-c", "main.c"]).env("AUTOJIT_CC", compiler).current_dir(scratch.path()));
        let said = outcome.assert_code(1).errors();
        assert!(parts.iter().all(|part| said.contains(part)), "{compiler}: {said}");
    }
    for value in ["gcc", "ccache gcc -O2", "tcc", "/usr/bin/gcc"] {
        let outcome = attempt(launch(&scratch, &["make"]).env("CC", value));
        let said = outcome.assert_code(2).errors();
        assert!(said.contains(&format!("CC is '{value}'")) && said.contains(CLANG), "{said}");
    }
    assert!(!scratch.path().join("program").exists());
}

#[test]
fn make_builds_lazily_whatever_its_file_says() {
    let scratch = project("launched-make");
    let outcome = tool(&mut launch(&scratch, &["make", "check"]));
    assert!(outcome.text().ends_with("42\n"), "{outcome}");
    assert_42(&scratch, &scratch.path().join("program"), "make");
    // Commands that call make get there by the environment; arguments of the user's stay.
    scratch.file("Makefile", "program: main.o helper.o\n\t$(CC) $^ -o $@\n");
    for line in [&["sh", "-c", "make -B"][..], &["make", "-B", &format!("CC={CLANG}")]] {
        tool(&mut launch(&scratch, line));
        let sections = tool(command("readelf").args(["-SW", "program"]).current_dir(scratch.path())).text();
        assert_eq!(sections.contains("autojit_slots"), line[0] == "sh", "{line:?}");
    }
    // A compiler that CC names is the one behind the wrapper.
    tool(launch(&scratch, &["make", "-B"]).env("CC", format!("ccache {CLANG}")).env("CCACHE_LOGFILE", "log"));
    assert_42(&scratch, &scratch.path().join("program"), "ccache");
    let log = std::fs::read_to_string(scratch.path().join("log")).expect("ccache was called");
    assert!(log.contains("-fpass-plugin="), "{log}");
}

#[test]
fn cmake_builds_lazily() {
    let scratch = project("launched-cmake");
    let launcher = dist("bin/autojit");
    let launcher = launcher.display();
    let flags = |cache: &str| {
        [
            format!("-DCMAKE_C_COMPILER_LAUNCHER={launcher}{cache}"),
            format!("-DCMAKE_C_LINKER_LAUNCHER={launcher}"),
            format!("-DCMAKE_C_COMPILER={CLANG}"),
        ]
    };
    let mut by_environment = launch(&scratch, &["cmake", "-B", "environment"]);
    let mut by_name = launch(&scratch, &["cmake", "-B", "name", &format!("-DCMAKE_C_COMPILER={CLANG}")]);
    let plain = |directory: &str, flags: &[String]| {
        let mut cmake = command("cmake");
        cmake.args(["-B", directory]).args(flags).current_dir(scratch.path());
        cmake.env("CCACHE_DIR", scratch.path().join("ccache"));
        cmake
    };
    let mut launchers = plain("launchers", &flags(""));
    let mut cached = plain("cached", &flags(";ccache"));
    for (configure, directory) in [
        (&mut by_environment, "environment"),
        (&mut by_name, "name"),
        (&mut launchers, "launchers"),
        (&mut cached, "cached"),
    ] {
        tool(configure);
        let mut build = command("cmake");
        build.args(["--build", directory]).current_dir(scratch.path());
        tool(build.env("CCACHE_DIR", scratch.path().join("ccache")));
        assert_42(&scratch, &scratch.path().join(directory).join("program"), directory);
        let mut test = command("ctest");
        tool(test.args(["--test-dir", directory]).current_dir(scratch.path()));
    }
}

#[test]
fn meson_builds_lazily() {
    let scratch = project("launched-meson");
    tool(&mut launch(&scratch, &["meson", "setup", "out"]));
    tool(command("meson").args(["test", "-C", "out"]).current_dir(scratch.path()));
    assert_42(&scratch, &scratch.path().join("out/program"), "meson");
}

#[test]
fn cargo_builds_lazily() {
    let scratch = Scratch::new("launched-cargo");
    let package = "[package]\nname = \"launched\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[workspace]\n";
    scratch.file("Cargo.toml", package);
    scratch.file(
        "src/main.rs",
        "fn main() { println!(\"ran\"); }\n#[test]\nfn works() { assert_eq!(1 + 1, 2); }\n",
    );
    let cargo = |what: &str| {
        let mut cargo = launch(&scratch, &["cargo", what, "--offline", "--target-dir", "out"]);
        tool(cargo.env_remove("CARGO_CRATE_NAME").env("AUTOJIT_STATS", scratch.path().join("stats")))
    };
    assert!(cargo("run").text().ends_with("ran\n"));
    Stats::read(&scratch.path().join("stats")).assert_lazy();
    drop(std::fs::remove_file(scratch.path().join("stats")));
    assert!(cargo("test").text().contains("1 passed"));
    Stats::read(&scratch.path().join("stats")).assert_lazy();
    // As a subcommand, which cargo finds in PATH.
    let bin = dist("bin/cargo-autojit").parent().expect("a file has a directory").display().to_string();
    let subcommand = |arguments: &[&str]| {
        let mut cargo = command("cargo");
        cargo.arg("autojit").args(arguments).current_dir(scratch.path()).env_remove("CARGO_CRATE_NAME");
        let path = std::env::var("PATH").expect("it is set");
        attempt(cargo.env("PATH", format!("{bin}:{path}")).env_remove("CC").env_remove("CXX"))
    };
    let outcome = subcommand(&["build", "--offline", "--target-dir", "sub"]);
    assert!(outcome.assert_code(0).errors().contains("Compiling launched"), "{outcome}");
    let program = scratch.path().join("sub/debug/launched");
    let outcome = run(&mut bare_command(program, scratch.path()), scratch.path(), b"");
    assert_eq!(outcome.assert_code(0).text(), "ran\n");
    Stats::read(&scratch.path().join("stats")).assert_lazy();
    assert!(subcommand(&[]).assert_code(2).errors().contains("usage: cargo autojit"));
}

#[test]
fn clang_takes_a_configuration_file() {
    let scratch = project("launched-configuration");
    let mut clang = command(CLANG);
    clang.arg(format!("--config={}", dist("lib/autojit.cfg").display()));
    tool(clang.args(["main.c", "helper.c", "-o", "program"]).current_dir(scratch.path()));
    assert_42(&scratch, &scratch.path().join("program"), "--config");
}

#[test]
fn questions_are_answered() {
    let scratch = Scratch::new("launched-questions");
    let help = tool(&mut launch(&scratch, &["--help"])).text();
    assert!(help.starts_with("Usage: autojit command") && help.contains("cargo test"), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    let version = tool(&mut launch(&scratch, &["--version"])).text();
    assert!(version.starts_with("autojit 0.") && version.contains("plugin "), "{version}");
    for (line, code) in [(&[][..], 2), (&["--unknown"], 2), (&["no-such-command"], 127), (&["./none"], 127)] {
        let outcome = attempt(&mut launch(&scratch, line));
        assert!(outcome.assert_code(code).errors().starts_with("autojit: "), "{line:?}: {outcome}");
    }
    // The command's own exit status, and variables that are set already.
    attempt(&mut launch(&scratch, &["sh", "-c", "exit 7"])).assert_code(7);
    let mut shell = launch(&scratch, &["sh", "-c", "echo $CMAKE_C_COMPILER_LAUNCHER $CC"]);
    let said = tool(shell.env("CMAKE_C_COMPILER_LAUNCHER", "ccache").env("CC", "autojit-cc")).text();
    assert_eq!(said, "ccache autojit-cc\n");
}
