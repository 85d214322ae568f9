//! Lazy builds by cargo: with flags and with the wrapper, procedural macros and build scripts, incremental builds, and
//! tests that cargo runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::compile::{How, Toolchain, plugin, rustc};
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{Outcome, attempt, command, lazy_command, run, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;
use autojit_tests::stubs::{Function, function};

/// How cargo is told to build lazily.
#[derive(Clone, Copy, Debug)]
enum Means {
    Flags,
    Wrapper,
}

/// `cargo` in a project, offline, with its output in `out`.
fn cargo(project: &Path, means: Means, toolchain: &str, arguments: &[&str]) -> Command {
    let mut cargo = command("cargo");
    cargo.arg(format!("+{toolchain}")).args(arguments).args(["--offline", "--target-dir", "out"]);
    cargo.current_dir(project).env_remove("CARGO_CRATE_NAME");
    match means {
        Means::Flags => {
            cargo.env("RUSTFLAGS", format!("-Zllvm-plugins={}", plugin().display()));
            cargo.env("RUSTC_BOOTSTRAP", "1");
        }
        Means::Wrapper => drop(cargo.env("RUSTC_WRAPPER", dist("bin/autojit-rustc"))),
    }
    cargo
}

/// An optimised crate is one module, if nothing asks for units of it.
#[test]
fn optimised_crates_are_one_module() {
    for (number, (profile, arguments, one)) in [
        ("[profile.release]\ncodegen-units = 16\n", &["--release"][..], false),
        ("[profile.release]\nincremental = true\n", &["--release"], false),
        ("[profile.dev]\nincremental = false\n", &[], false),
        ("[profile.dev]\nopt-level = 1\nincremental = false\n", &[], true),
        ("", &["--release"], true),
    ]
    .iter()
    .enumerate()
    {
        let scratch = Scratch::new(&format!("cargo-units-{number}"));
        scratch.file(
            "Cargo.toml",
            format!(
                "[package]\nname = \"app\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[workspace]\n{profile}"
            ),
        );
        // rustc puts small units together.
        let steps = "    x = x.wrapping_mul(3) ^ (x >> 7);\n".repeat(1000);
        for name in ["one", "two"] {
            let text = format!("#[inline(never)]\npub fn {name}(mut x: u64) -> u64 {{\n{steps}    x\n}}\n");
            scratch.file(&format!("src/{name}.rs"), text);
        }
        scratch.file(
            "src/main.rs",
            "mod one;\nmod two;\nfn main() {\n    println!(\"{}\", one::one(two::two(std::env::args().count() as u64 - 1)));\n}\n",
        );
        let arguments = [&["build", "--quiet"][..], arguments].concat();
        tool(&mut cargo(scratch.path(), Means::Wrapper, "stable", &arguments));
        let directory = if arguments.contains(&"--release") { "release" } else { "debug" };
        let (outcome, stats) = run_lazily(&scratch.path().join("out").join(directory).join("app"), &scratch);
        assert_eq!(outcome.assert_code(0).text(), "0\n");
        assert_eq!(stats.number("modules") == 1.0, *one, "{profile}: {stats}");
    }
}

/// Runs a program lazily; it must be lazy.
fn run_lazily(program: &Path, scratch: &Scratch) -> (Outcome, Stats) {
    let outcome = run(&mut lazy_command(program, scratch.path()), scratch.path(), b"");
    let stats = Stats::read(&scratch.path().join("stats"));
    stats.assert_lazy();
    (outcome, stats)
}

/// A workspace: a program with a build script, a procedural macro, and a library of which both are made.
fn workspace(scratch: &Scratch, macro_uses_library: bool) {
    let uses = if macro_uses_library { "library = { path = \"../library\" }\n" } else { "" };
    scratch
        .file("Cargo.toml", "[workspace]\nmembers = [\"app\", \"derive\", \"library\"]\nresolver = \"3\"\n");
    let package = |name: &str, rest: &str| {
        let text = format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n{rest}");
        scratch.file(&format!("{name}/Cargo.toml"), &text);
    };
    package("library", "");
    package("derive", &format!("[lib]\nproc-macro = true\n[dependencies]\n{uses}"));
    package(
        "app",
        "[dependencies]\nderive = { path = \"../derive\" }\nlibrary = { path = \"../library\" }\n",
    );
    scratch.file(
        "library/src/lib.rs",
        "#[inline(never)]\npub fn shout(text: &str) -> String {\n    assert!(!text.contains(\"bad\"), \"a bad word\");\n    \
         text.to_uppercase()\n}\n",
    );
    let shout = if macro_uses_library { "library::shout(&name)" } else { "name.to_uppercase()" };
    scratch.file(
        "derive/src/lib.rs",
        format!(
            "use proc_macro::TokenStream;\n#[proc_macro]\npub fn shouted(input: TokenStream) -> TokenStream {{\n    \
             let name = input.to_string();\n    format!(\"{{:?}}\", {shout}).parse().unwrap()\n}}\n"
        ),
    );
    scratch.file(
        "app/build.rs",
        "fn main() { println!(\"cargo::rustc-env=BUILT={}\", (1..4).map(|x| x * x).sum::<u32>()); }\n",
    );
    scratch.file(
        "app/src/main.rs",
        "fn main() {\n    println!(\"{} {} {}\", derive::shouted!(macro_text), library::shout(\"library\"), \
         env!(\"BUILT\"));\n}\n",
    );
}

#[test]
fn macros_and_build_scripts_stay_plain_with_flags() {
    for toolchain in ["stable", "nightly"] {
        let scratch = Scratch::new(&format!("cargo-flags-{toolchain}"));
        workspace(&scratch, false);
        tool(cargo(scratch.path(), Means::Flags, toolchain, &["build", "--quiet"]).env("AUTOJIT_LOG", "off"));
        let program = scratch.path().join("out/debug/app");
        let (outcome, stats) = run_lazily(&program, &scratch);
        assert_eq!(outcome.assert_code(0).text(), "MACRO_TEXT LIBRARY 14\n");
        assert!(stats.number("modules") >= 2.0, "program and library of the workspace are lazy");
        assert_eq!(plain_files(&scratch.path().join("out/debug")), ["build-script-build", "libderive"]);
    }
}

/// What the build has run itself, if nothing in it is lazy.
fn plain_files(directory: &Path) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("cargo made it") {
            let path = entry.expect("it is readable").path();
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            if path.is_dir() {
                directories.push(path);
            } else if name == "build-script-build" || (name.starts_with("libderive") && name.ends_with(".so"))
            {
                assert_eq!(section(&path, "autojit_slots"), None, "{} is lazy", path.display());
                found.push(if name.starts_with("lib") { "libderive" } else { "build-script-build" });
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The line of readelf for a section.
pub fn section(file: &Path, name: &str) -> Option<String> {
    let sections = tool(command("readelf").args(["--sections", "--wide"]).arg(file)).text();
    sections.lines().find(|line| line.contains(name)).map(str::to_owned)
}

#[test]
fn macros_made_of_lazy_crates_work_in_the_compiler() {
    let scratch = Scratch::new("cargo-macros");
    workspace(&scratch, true);
    tool(&mut cargo(scratch.path(), Means::Wrapper, "stable", &["build", "--quiet"]));
    let program = scratch.path().join("out/debug/app");
    let (outcome, _) = run_lazily(&program, &scratch);
    assert_eq!(outcome.assert_code(0).text(), "MACRO_TEXT LIBRARY 14\n");
    let built = fs::read_dir(scratch.path().join("out/debug/deps")).expect("cargo made it");
    let mut macros = built.map(|entry| entry.expect("it is readable").path()).filter(|path| {
        let name = path.file_name().expect("it has a name").to_string_lossy();
        name.starts_with("libderive") && name.ends_with(".so")
    });
    let derive = macros.next().expect("cargo built the macro");
    assert!(section(&derive, "autojit_slots").is_some(), "its library is lazy");

    // What is only checked uses the macros, too.
    tool(&mut cargo(scratch.path(), Means::Wrapper, "stable", &["check", "--quiet"]));

    // A macro that panics in a lazy frame is an error of the program that uses it.
    let main = fs::read_to_string(scratch.path().join("app/src/main.rs")).expect("it was written");
    scratch.file("app/src/main.rs", main.replace("macro_text", "bad_text"));
    let outcome = attempt(&mut cargo(scratch.path(), Means::Wrapper, "stable", &["build", "--quiet"]));
    assert!(outcome.errors().contains("proc macro panicked"), "{outcome}");
    assert!(outcome.errors().contains("a bad word"), "{outcome}");
}

#[test]
fn dependencies_are_lazy_without_a_target() {
    let scratch = Scratch::new("cargo-dependencies");
    workspace(&scratch, true);
    // The other members are nothing but dependencies then.
    let build = ["build", "--quiet", "--package", "app"];
    tool(&mut cargo(scratch.path(), Means::Wrapper, "stable", &build));
    let mut lazy = Vec::new();
    for entry in fs::read_dir(scratch.path().join("out/debug/deps")).expect("cargo made it") {
        let path = entry.expect("it is readable").path();
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        if name.ends_with(".rlib") || name.ends_with(".so") {
            lazy.extend(section(&path, "autojit_slots").and(name.split('-').next().map(str::to_owned)));
        }
    }
    lazy.sort();
    // The macro is made of the library; the build script is made of nothing.
    assert_eq!(lazy, ["libderive", "liblibrary"]);
    // Without a preload: cargo runs it, and it finds the runtime by itself.
    let mut run = cargo(scratch.path(), Means::Wrapper, "stable", &["run", "--quiet", "--package", "app"]);
    let outcome = tool(run.env("AUTOJIT_STATS", scratch.path().join("stats")));
    assert_eq!(outcome.text(), "MACRO_TEXT LIBRARY 14\n");
    let stats = Stats::read(&scratch.path().join("stats"));
    assert!(stats.number("modules") >= 2.0 && stats.compiled() > 0.0, "{stats}");
}

#[test]
fn what_the_build_runs_may_be_made_of_lazy_crates() {
    // Nothing preloads the runtime into compiler and build scripts: they open it.
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    for (means, target) in [(Means::Flags, None), (Means::Flags, Some(TARGET)), (Means::Wrapper, None)] {
        let scratch = Scratch::new(&format!("cargo-build-{means:?}-{}", target.is_some()));
        workspace(&scratch, true);
        let manifest = fs::read_to_string(scratch.path().join("app/Cargo.toml")).expect("it was written");
        let uses = "[build-dependencies]\nlibrary = { path = \"../library\" }\n";
        scratch.file("app/Cargo.toml", manifest + uses);
        let script = "fn main() { println!(\"cargo::rustc-env=BUILT={}\", library::shout(\"built\")); }\n";
        scratch.file("app/build.rs", script);
        let mut cargo = cargo(scratch.path(), means, "stable", &["build", "--quiet"]);
        tool(cargo.args(target.map(|target| format!("--target={target}"))));
        let program = scratch.path().join("out").join(target.unwrap_or("")).join("debug/app");
        let outcome = run_lazily(&program, &scratch).0;
        assert_eq!(outcome.assert_code(0).text(), "MACRO_TEXT LIBRARY BUILT\n", "{means:?} {target:?}");
    }
}

#[test]
fn an_edited_program_runs_the_new_code() {
    for means in [Means::Flags, Means::Wrapper] {
        let scratch = Scratch::new(&format!("cargo-incremental-{means:?}"));
        scratch.file(
            "Cargo.toml",
            "[package]\nname = \"edited\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[profile.dev]\nincremental = true\n\
             [workspace]\n",
        );
        scratch.file(
            "src/main.rs",
            "mod part;\nmod other;\nfn main() { println!(\"{} {}\", part::text(3), other::text()); }\n",
        );
        scratch.file("src/other.rs", "pub fn text() -> &'static str { \"other\" }\n");
        for (number, body) in ["x + 1", "x * 100", "x + 1"].iter().enumerate() {
            let text = format!(
                "#[inline(never)]\npub fn text(x: u32) -> String {{ format!(\"part {{}}\", {body}) }}\n"
            );
            scratch.file("src/part.rs", &text);
            // Cargo compares times, not content.
            tool(
                command("touch")
                    .arg("-d")
                    .arg(format!("+{number} seconds"))
                    .arg(scratch.path().join("src/part.rs")),
            );
            tool(&mut cargo(scratch.path(), means, "stable", &["build", "--quiet"]));
            let (outcome, _) = run_lazily(&scratch.path().join("out/debug/edited"), &scratch);
            let expected = ["part 4 other\n", "part 300 other\n", "part 4 other\n"][number];
            assert_eq!(outcome.assert_code(0).text(), expected);
        }
    }
}

#[test]
fn cargo_runs_lazy_tests() {
    let scratch = Scratch::new("cargo-test");
    scratch.file(
        "Cargo.toml",
        "[package]\nname = \"tested\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[workspace]\n",
    );
    scratch.file(
        "src/lib.rs",
        "pub fn half(x: u32) -> Option<u32> { x.is_multiple_of(2).then_some(x / 2) }\n\
         #[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    fn halves() { assert_eq!(half(4), Some(2)); }\n    \
         #[test]\n    #[should_panic(expected = \"odd\")]\n    fn panics() { half(3).expect(\"odd\"); }\n    \
         #[test]\n    fn fails() { assert_eq!(half(6), Some(4)); }\n}\n",
    );
    scratch.file("tests/outside.rs", "#[test]\nfn outside() { assert_eq!(tested::half(10), Some(5)); }\n");
    let test = |filter: &[&str]| {
        let arguments = [&["test", "--tests", "--no-fail-fast"], filter].concat();
        let mut cargo = cargo(scratch.path(), Means::Wrapper, "stable", &arguments[..3]);
        cargo.arg("--").args(filter);
        cargo.env("AUTOJIT_STATS", scratch.path().join("stats.%p"));
        attempt(&mut cargo)
    };
    let outcome = test(&[]);
    let text = outcome.text();
    for line in [
        "test tests::halves ... ok",
        "test tests::panics - should panic ... ok",
        "test tests::fails ... FAILED",
    ] {
        assert!(text.lines().any(|printed| printed == line), "no '{line}': {outcome}");
    }
    assert!(text.contains("test outside ... ok"), "{outcome}");
    outcome.assert_code(101);
    test(&["--skip", "fails"]).assert_code(0);
    let stats =
        fs::read_dir(scratch.path()).expect("it is readable").map(|entry| entry.expect("likewise").path());
    let stats: Vec<PathBuf> = stats.filter(|path| path.to_string_lossy().contains("stats.")).collect();
    assert_eq!(stats.len(), 4, "two test programs ran lazily, twice");
    stats.iter().for_each(|path| Stats::read(path).assert_lazy());
}

/// A program of C with a shared and with a static library of Rust.
#[test]
fn libraries_for_c() {
    const RUST: &str = r#"
use std::cell::Cell;
struct Noisy(Cell<u32>);
impl Drop for Noisy {
    fn drop(&mut self) { println!("thread saw {}", self.0.get()); }
}
thread_local! { static COUNT: Noisy = Noisy(Cell::new(0)); }
#[unsafe(no_mangle)]
pub extern "C" fn rust_next() -> u32 {
    COUNT.with(|count| { count.0.set(count.0.get() + 1); count.0.get() })
}
#[unsafe(no_mangle)]
pub extern "C" fn rust_apply(call: extern "C" fn(u32) -> u32, x: u32) -> i32 {
    let result = std::panic::catch_unwind(|| {
        let y = call(x);
        assert!(y < 10, "too large: {y}");
        y as i32
    });
    result.unwrap_or(-1)
}
#[unsafe(no_mangle)]
pub extern "C" fn rust_quiet() { std::panic::set_hook(Box::new(|_| {})); }
#[unsafe(no_mangle)]
pub extern "C" fn rust_flush() { use std::io::Write; std::io::stdout().flush().unwrap(); }
"#;
    const C: &str = include_str!("cargo/program.c");
    let scratch = Scratch::new("rust-for-c");
    let (rust, c) = (scratch.file("part.rs", RUST), scratch.file("main.c", C));
    for toolchain in [Toolchain::Stable, Toolchain::Nightly] {
        for (kind, name) in [("cdylib", "libpart.so"), ("staticlib", "libpart.a")] {
            let build = |how: How| {
                let directory = scratch.directory(&format!("{toolchain:?}-{kind}-{how:?}"));
                let (library, program) = (directory.join(name), directory.join("program"));
                let mut rustc = rustc(how, toolchain);
                rustc.args(["--edition=2024", "-g", "--crate-type", kind]).arg(&rust).arg("-o").arg(&library);
                tool(&mut rustc);
                let mut clang = command(CLANG);
                clang
                    .arg(&c)
                    .arg(&library)
                    .args(["-Wl,-rpath,$ORIGIN", "-lm", "-lgcc_s", "-o"])
                    .arg(&program);
                tool(&mut clang);
                (if kind == "cdylib" { library } else { program.clone() }, program)
            };
            let plain = run(&mut command(build(How::Plain).1), scratch.path(), b"");
            let (code, program) = build(How::Lazy);
            assert_ne!(function(&code, "rust_apply"), Function::Ordinary);
            let (outcome, stats) = run_lazily(&program, &scratch);
            plain.assert_same(&outcome, &format!("C programs with a {kind} of the {toolchain:?} compiler"));
            assert!(outcome.text().contains("next 2 in thread 2\napplied 6 -1\n"), "{outcome}");
            assert!(stats.compiled() >= 4.0);
        }
    }
}
