//! Builds that ask for link-time optimisation: with the wrappers they go without, and programs and libraries are lazy; where something
//! needs it, or `AUTOJIT_LTO=keep` is set, it is done.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::links::Linked;
use autojit_tests::llvm::{CLANG, CLANGXX};
use autojit_tests::parts::{HELPER, LINKERS, MAIN};
use autojit_tests::preambles::Project;
use autojit_tests::run::{Outcome, attempt, bare_command, command, run, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

use super::cargo::section;
use super::source;

/// Runs what the wrappers have linked, with nothing preloaded.
fn run_bare(program: &Path, arguments: &[&str], scratch: &Scratch) -> Outcome {
    run(bare_command(program, scratch.path()).args(arguments), scratch.path(), b"")
}

/// The statistics of that run.
fn stats(scratch: &Scratch) -> Stats {
    Stats::read(&scratch.path().join("stats"))
}

fn is_lazy(program: &Path) -> bool {
    section(program, "autojit_slots").is_some()
}

/// A release build by cargo in `package`; AUTOJIT_LTO is `lto`. Without, rustc is called as usual.
fn cargo(scratch: &Scratch, subcommand: &str, lto: Option<&str>, out: &str) -> Command {
    let mut cargo = command("cargo");
    cargo.args(["+stable", subcommand, "--quiet", "--release", "--offline", "--target-dir", out]);
    cargo.current_dir(scratch.path()).env_remove("CARGO_CRATE_NAME").env_remove("CI");
    if let Some(lto) = lto {
        cargo.env("RUSTC_WRAPPER", dist("bin/autojit-rustc")).env("AUTOJIT_LTO", lto);
    }
    cargo
}

/// A program and a library of which it is made, with `profile` for its releases.
fn package(scratch: &Scratch, profile: &str) {
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n{rest}")
    };
    let uses = format!(
        "[dependencies]\nlibrary = {{ path = \"library\" }}\n[workspace]\n[profile.release]\n{profile}\n"
    );
    scratch.file("Cargo.toml", package("app", &uses));
    scratch.file("library/Cargo.toml", package("library", ""));
    scratch.file(
        "library/src/lib.rs",
        "/// ```\n/// assert!(cfg!(documented));\n/// assert_eq!(library::shout(\"a\"), \"A!\");\n/// ```\n#[inline(never)]\n\
         pub fn shout(text: &str) -> String {\n    assert!(!text.is_empty(), \"nothing to shout\");\n    \
         format!(\"{}!\", text.to_uppercase())\n}\n\
         pub trait Shape { fn area(&self) -> f64; }\npub struct Square(pub f64);\n\
         impl Shape for Square { fn area(&self) -> f64 { self.0 * self.0 } }\n",
    );
    scratch.file(
        "src/main.rs",
        "use library::{Shape, Square, shout};\nstruct Noisy;\nimpl Drop for Noisy { fn drop(&mut self) { println!(\"dropped\"); } }\n\
         fn main() {\n    std::panic::set_hook(Box::new(|info| println!(\"{info}\")));\n    \
         let shapes: Vec<Box<dyn Shape>> = vec![Box::new(Square(2.0)), Box::new(Square(3.0))];\n    \
         println!(\"{} {}\", shout(\"release\"), shapes.iter().map(|shape| shape.area()).sum::<f64>());\n    \
         let text = std::env::args().nth(1).unwrap_or_default();\n    \
         let caught = std::panic::catch_unwind(|| { let _noisy = Noisy; shout(&text).len() });\n    println!(\"{caught:?}\");\n}\n\
         #[test]\nfn shouts() { assert_eq!(shout(\"b\"), \"B!\"); }\n",
    );
}

/// Programs of Rust do what the plain ones do, and all of them is lazy.
#[test]
fn rust_programs_are_lazy() {
    for (number, profile) in [
        "lto = true",
        "lto = \"fat\"\ncodegen-units = 1\nstrip = true",
        "lto = \"thin\"",
        "lto = \"thin\"\ncodegen-units = 1\npanic = \"abort\"",
        "lto = \"off\"",
    ]
    .iter()
    .enumerate()
    {
        let scratch = Scratch::new(&format!("lto-rust-{number}"));
        package(&scratch, profile);
        tool(&mut cargo(&scratch, "build", None, "plain"));
        tool(&mut cargo(&scratch, "build", Some("off"), "lazy"));
        let [plain, lazy] = ["plain", "lazy"].map(|out| scratch.path().join(out).join("release/app"));
        for arguments in [&["text"][..], &[]] {
            let wanted = run_bare(&plain, arguments, &scratch);
            let outcome = run_bare(&lazy, arguments, &scratch);
            // Messages of an abort name the process.
            assert_eq!(outcome.status, wanted.status, "{profile}: {outcome}");
            assert_eq!(outcome.text(), wanted.text(), "{profile}: {outcome}");
        }
        run_bare(&lazy, &["text"], &scratch).assert_code(0);
        let stats = stats(&scratch);
        stats.assert_lazy();
        assert!(stats.number("modules") >= 2.0, "program and library, with {profile}: {stats}");
    }
}

/// It is done if somebody says so.
#[test]
fn rust_programs_keep_it() {
    for (lto, lazy) in [("fat", false), ("thin", true)] {
        let scratch = Scratch::new(&format!("lto-rust-keep-{lto}"));
        package(&scratch, &format!("lto = \"{lto}\""));
        tool(&mut cargo(&scratch, "build", Some("keep"), "out"));
        let program = scratch.path().join("out/release/app");
        // Modules of the program stay apart in the thin kind. Those of the library are bitcode.
        assert_eq!(is_lazy(&program), lazy, "lto = {lto}");
        let outcome = run_bare(&program, &["text"], &scratch);
        assert!(outcome.assert_code(0).text().ends_with("Ok(5)\n"), "{outcome}");
        if lazy {
            assert_eq!(stats(&scratch).number("modules"), 1.0, "lto = {lto}");
        }
    }
}

/// Unit tests and tests in documentation are linked with the same libraries.
#[test]
fn cargo_tests_lazily() {
    let scratch = Scratch::new("lto-cargo-test");
    package(&scratch, "lto = true\ncodegen-units = 1");
    let mut test = command(dist("bin/autojit"));
    test.args(["cargo", "test", "--release", "--offline", "--workspace", "--target-dir", "out"]);
    test.env("RUSTUP_TOOLCHAIN", "stable").current_dir(scratch.path());
    // Nothing of the cargo that runs this test.
    for name in ["CARGO", "CARGO_CRATE_NAME", "CC", "CXX"] {
        test.env_remove(name);
    }
    // What the project has set stays.
    scratch.file(".cargo/config.toml", "[build]\nrustdocflags = [\"--cfg\", \"documented\"]\n");
    let text = tool(test.env("AUTOJIT_STATS", scratch.path().join("stats.%p"))).text();
    assert_eq!(text.matches("test result: ok. 1 passed").count(), 2, "{text}");
    let files =
        fs::read_dir(scratch.path()).expect("it is readable").map(|entry| entry.expect("likewise").path());
    let files = files.filter(|path| path.to_string_lossy().contains("stats."));
    let compiled = files.filter(|path| Stats::read(path).compiled() > 0.0).count();
    assert!(compiled >= 2, "tests of the program and in documentation have run lazily: {compiled}");
}

/// A library whose tests in documentation need much of the standard library, and of another lazy library.
const DOCUMENTED: &str = "use std::cell::Cell;
use std::collections::HashMap;
thread_local! { static CALLS: Cell<usize> = const { Cell::new(0) }; }
/// ```
/// let counts = documented::counts(\"a b a\");
/// assert_eq!((counts[\"A!\"], counts.len(), documented::calls()), (2, 2, 1));
/// assert!(std::panic::catch_unwind(|| documented::counts(\"  \")).is_err());
/// ```
pub fn counts(text: &str) -> HashMap<String, usize> {
    CALLS.set(CALLS.get() + 1);
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let shouted = std::thread::spawn(move || words.iter().map(|word| library::shout(word)).collect::<Vec<_>>());
    let mut counts = HashMap::new();
    shouted.join().expect(\"every word can be shouted\").into_iter().for_each(|word| *counts.entry(word).or_insert(0) += 1);
    counts
}
/// How often it was called.
pub fn calls() -> usize {
    CALLS.get() + bare::none()
}
";

/// With `RUSTC_WRAPPER` alone, rustdoc optimises what it links, as the profile says: all but lazy libraries.
#[test]
fn tests_in_documentation_need_no_option() {
    for (number, profile) in
        ["lto = true", "lto = \"thin\"", "lto = \"fat\"\ncodegen-units = 1\npanic = \"abort\"", "lto = false"]
            .iter()
            .enumerate()
    {
        let scratch = Scratch::new(&format!("lto-documentation-{number}"));
        package(&scratch, profile);
        let manifest = fs::read_to_string(scratch.path().join("Cargo.toml")).expect("it was written");
        let with_bare = "[dependencies]\nbare = { path = \"bare\" }\n";
        let manifest = manifest.replace("[dependencies]\n", with_bare) + "[lib]\nname = \"documented\"\n";
        scratch.file("Cargo.toml", manifest);
        scratch.file("src/lib.rs", DOCUMENTED);
        // One that needs nothing of others.
        scratch
            .file("bare/Cargo.toml", "[package]\nname = \"bare\"\nversion = \"1.0.0\"\nedition = \"2024\"\n");
        scratch.file("bare/src/lib.rs", "#[inline(never)]\npub fn none() -> usize {\n    0\n}\n");
        let mut test = cargo(&scratch, "test", Some("off"), "out");
        let text = tool(test.env("AUTOJIT_STATS", scratch.path().join("stats.%p")).arg("--doc")).text();
        assert!(text.contains("test result: ok. 1 passed"), "{profile}: {text}");
        let entries = fs::read_dir(scratch.path()).expect("it is readable");
        let files = entries.map(|entry| entry.expect("likewise").path());
        let stats =
            files.filter(|path| path.to_string_lossy().contains("stats.")).map(|path| Stats::read(&path));
        assert!(
            stats.filter(|stats| stats.number("modules") >= 2.0).count() >= 1,
            "{profile}: nothing is lazy"
        );
        // The libraries are those of other programs, too.
        tool(&mut cargo(&scratch, "build", Some("off"), "out"));
        let outcome = run_bare(&scratch.path().join("out/release/app"), &["text"], &scratch);
        assert!(outcome.assert_code(0).text().ends_with("Ok(5)\n"), "{profile}: {outcome}");
    }
}

/// Cargo takes the wrapper's rustc for another compiler, so libraries of plain builds, which are bitcode alone, are not linked.
#[test]
fn plain_and_lazy_builds_share_a_directory() {
    let scratch = Scratch::new("lto-shared");
    package(&scratch, "lto = true");
    let program = scratch.path().join("out/release/app");
    for (lto, lazy) in [(None, false), (Some("off"), true), (None, false)] {
        tool(&mut cargo(&scratch, "build", lto, "out"));
        let outcome = run_bare(&program, &["text"], &scratch);
        assert!(outcome.assert_code(0).text().ends_with("Ok(5)\n"), "{outcome}");
        assert_eq!(is_lazy(&program), lazy);
    }
}

/// Shared and static libraries for C, of two crates.
#[test]
fn rust_libraries_for_c_are_lazy() {
    let scratch = Scratch::new("lto-rust-libraries");
    package(&scratch, "lto = true\ncodegen-units = 1");
    let manifest = fs::read_to_string(scratch.path().join("Cargo.toml")).expect("it was written");
    scratch
        .file("Cargo.toml", manifest + "[lib]\nname = \"part\"\ncrate-type = [\"cdylib\", \"staticlib\"]\n");
    scratch.file(
        "src/lib.rs",
        "#[unsafe(no_mangle)]\npub extern \"C\" fn shouted(n: u32) -> i32 {\n    \
         let text = \"a\".repeat(n as usize);\n    \
         std::panic::catch_unwind(|| library::shout(&text).len() as i32).unwrap_or(-1)\n}\n",
    );
    fs::remove_file(scratch.path().join("src/main.rs")).expect("it was written");
    tool(&mut cargo(&scratch, "build", Some("off"), "out"));
    scratch.file(
        "main.c",
        "#include <stdio.h>\nint shouted(unsigned);\nint main(void) { printf(\"%d %d\\n\", shouted(2), shouted(0)); }\n",
    );
    for library in ["libpart.so", "libpart.a"] {
        let program = scratch.path().join("program");
        let mut clang = command(CLANG);
        clang.arg("main.c").arg(format!("out/release/{library}")).arg("-Wl,-rpath,$ORIGIN/out/release");
        tool(clang.args(["-lm", "-lgcc_s", "-o", "program"]).current_dir(scratch.path()));
        let outcome = run_bare(&program, &[], &scratch);
        assert_eq!(outcome.assert_code(0).text(), "3 -1\n", "{library}");
        let stats = stats(&scratch);
        stats.assert_lazy();
        assert!(stats.number("modules") >= 2.0, "{library}: {stats}");
    }
}

/// Sources that are compiled, packed and linked with the same flags, as makefiles do.
fn make(scratch: &Scratch, lto: &str, flags: &str, cxx: bool) -> PathBuf {
    let (wrapper, ending) = if cxx { ("bin/autojit-c++", "cpp") } else { ("bin/autojit-cc", "c") };
    let wrapped = |line: &str| {
        let mut wrapper = command(dist(wrapper));
        wrapper.args(flags.split(' ')).args(line.split(' ')).env("AUTOJIT_LTO", lto);
        let outcome = tool(wrapper.current_dir(scratch.path()));
        assert_eq!(outcome.errors(), "", "{flags} {line}");
    };
    for name in ["main", "helper"] {
        wrapped(&format!("-c {name}.{ending} -o {name}.o"));
    }
    let mut archive = command(concat!("llvm-ar-", env!("LLVM_RELEASE")));
    tool(archive.args(["rcs", "libhelper.a", "helper.o"]).current_dir(scratch.path()));
    wrapped("-fuse-ld=lld main.o -L. -lhelper -o program");
    scratch.path().join("program")
}

#[test]
fn programs_of_c_are_lazy() {
    for (number, flags) in [
        "-O2 -flto",
        "-O2 -g -flto=thin",
        "-O1 -flto=auto -ffat-lto-objects",
        "-Os -flto=thin -fsplit-lto-unit -fvisibility=hidden",
        "-O0 -flto=full -funified-lto",
    ]
    .iter()
    .enumerate()
    {
        let scratch = Scratch::new(&format!("lto-c-{number}"));
        scratch.file("main.c", MAIN);
        scratch.file("helper.c", HELPER);
        let flags = &format!("-Wall {flags}");
        let program = make(&scratch, "off", flags, false);
        assert_eq!(run_bare(&program, &[], &scratch).assert_code(0).text(), "42\n", "{flags}");
        let stats = stats(&scratch);
        stats.assert_lazy();
        assert_eq!(stats.number("modules"), 2.0, "{flags}");
        let kept = make(&scratch, "keep", flags, false);
        assert!(!is_lazy(&kept), "{flags}");
        assert_eq!(run_bare(&kept, &[], &scratch).assert_code(0).text(), "42\n", "{flags}");
    }
}

#[test]
fn programs_of_cxx_are_lazy() {
    for (number, flags) in ["-O2 -flto=thin", "-O2 -g -flto -fvisibility=hidden"].iter().enumerate() {
        let scratch = Scratch::new(&format!("lto-cxx-{number}"));
        scratch.file(
            "helper.cpp",
            "#include <stdexcept>\nstruct Shape { virtual ~Shape() = default; virtual int area() const = 0; };\n\
             struct Square : Shape { int side; Square(int s) : side(s) {} int area() const override { return side * side; } };\n\
             Shape *shape(int side) { if (side < 0) throw std::runtime_error(\"negative\"); return new Square(side); }\n",
        );
        scratch.file(
            "main.cpp",
            "#include <iostream>\n#include <memory>\n#include <stdexcept>\n\
             struct Shape { virtual ~Shape() = default; virtual int area() const = 0; };\nShape *shape(int side);\n\
             int main() {\n    std::cout << std::unique_ptr<Shape>(shape(3))->area() << '\\n';\n    \
             try { shape(-1); } catch (const std::runtime_error &error) { std::cout << error.what() << '\\n'; }\n}\n",
        );
        let program = make(&scratch, "off", flags, true);
        assert_eq!(run_bare(&program, &[], &scratch).assert_code(0).text(), "9\nnegative\n", "{flags}");
        let stats = stats(&scratch);
        stats.assert_lazy();
        assert_eq!(stats.number("modules"), 2.0, "{flags}");
    }
}

/// One command that compiles and links, response files, and the launcher.
#[test]
fn other_command_lines_are_lazy() {
    let scratch = Scratch::new("lto-lines");
    scratch.file("main.c", MAIN);
    scratch.file("helper.c", HELPER);
    scratch.file("flags", "-O2 -flto=thin\n");
    scratch.file("Makefile", "CFLAGS = -O2 -flto\nLDFLAGS = -flto -fuse-ld=lld\nprogram: main.o helper.o\n\t$(CC) $(LDFLAGS) $^ -o $@\n");
    for line in [
        "autojit-cc -O2 -flto -fuse-ld=lld main.c helper.c -o program",
        "autojit-cc @flags -fuse-ld=lld main.c helper.c -o program",
        "autojit clang -O1 -flto=thin -flto-jobs=2 -Werror main.c helper.c -o program",
        "autojit make -s program",
    ] {
        let mut words = line.split(' ');
        let mut wrapper = command(dist(&format!("bin/{}", words.next().expect("a program"))));
        wrapper.args(words).env_remove("CC").env_remove("CFLAGS").env_remove("MAKEFLAGS");
        assert_eq!(tool(wrapper.current_dir(scratch.path())).errors(), "", "{line}");
        let program = scratch.path().join("program");
        assert_eq!(run_bare(&program, &[], &scratch).assert_code(0).text(), "42\n", "{line}");
        let stats = stats(&scratch);
        stats.assert_lazy();
        assert_eq!(stats.number("modules"), 2.0, "{line}");
        fs::remove_file(program).expect("it was linked");
    }
}

/// Bitcode that others have compiled is linked with lazy objects, by itself and in archives.
#[test]
fn bitcode_of_others_is_linked() {
    let scratch = Scratch::new("lto-mixed");
    scratch.file("main.c", MAIN);
    scratch.file("helper.c", "int more(int);\nint helper(int x) { return more(x) + 1; }\n");
    scratch.file("more.c", "int twice(int x) { return x + x; }\nint more(int x) { return twice(x) / 2; }\n");
    for kind in ["-flto", "-flto=thin"] {
        for name in ["helper", "more"] {
            tool(command(CLANG).args(["-O2", kind, "-c", &format!("{name}.c")]).current_dir(scratch.path()));
        }
        let bitcode = fs::read(scratch.path().join("more.o")).expect("clang made it");
        assert!(bitcode.starts_with(b"BC"), "{kind}");
        let mut archive = command(concat!("llvm-ar-", env!("LLVM_RELEASE")));
        tool(archive.args(["rcs", "libmore.a", "more.o"]).current_dir(scratch.path()));
        let wrapped = |line: &str| {
            let mut wrapper = command(dist("bin/autojit-cc"));
            tool(wrapper.args(["-O2", kind]).args(line.split(' ')).current_dir(scratch.path()));
        };
        wrapped("-c main.c");
        for linker in LINKERS {
            wrapped(&format!("-fuse-ld={linker} main.o helper.o -L. -lmore -o program"));
            let program = scratch.path().join("program");
            let outcome = run_bare(&program, &[], &scratch);
            assert_eq!(outcome.assert_code(0).text(), "42\n", "{kind} {linker}");
            let stats = stats(&scratch);
            stats.assert_lazy();
            assert_eq!(stats.number("modules"), 1.0, "{kind} {linker}");
        }
        // LLVM's linker needs no option for it.
        wrapped("-fuse-ld=lld main.c helper.o -L. -lmore -o program");
        assert_eq!(run_bare(&scratch.path().join("program"), &[], &scratch).text(), "42\n", "{kind}");
        assert!(is_lazy(&scratch.path().join("program")));
    }
}

/// What is checked or known at link time only stays as it is.
#[test]
fn what_needs_it_has_it() {
    let scratch = Scratch::new("lto-needed");
    for (compiler, plain, file, flags) in [
        ("bin/autojit-cc", CLANG, "program.c", "-flto -fsanitize=cfi -fvisibility=hidden"),
        ("bin/autojit-c++", CLANGXX, "program.cpp", "-flto=thin -fwhole-program-vtables -fvisibility=hidden"),
        (
            "bin/autojit-c++",
            CLANGXX,
            "program.cpp",
            "-flto -fwhole-program-vtables -fvirtual-function-elimination -fvisibility=hidden",
        ),
    ] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("flags").join(file);
        let program = |name: &str| scratch.path().join(name);
        for (compiler, output) in [(dist(compiler), "lazy"), (PathBuf::from(plain), "plain")] {
            let mut compiler = command(compiler);
            compiler.args(["-O2", "-fuse-ld=lld"]).args(flags.split(' ')).arg(&source);
            tool(compiler.args(["-lm", "-o"]).arg(program(output)));
        }
        let wanted = run_bare(&program("plain"), &[], &scratch);
        wanted.assert_code(0);
        wanted.assert_same(&run_bare(&program("lazy"), &[], &scratch), flags);
        assert!(!is_lazy(&program("lazy")), "{flags}");
    }
}

/// Preambles and plans are kept of builds that ask for it.
#[test]
fn preambles_and_plans_are_kept() {
    let project = Project::new("lto", "main.cpp", "-O1 -flto=thin -I first -I second");
    project.warm("a compile");
    let linked = Linked::new("lto", "-O2 -flto=thin -fuse-ld=lld");
    assert_eq!(linked.warm("thin").status, Some(0));
}

/// A compiler cache behind the wrapper sees another compile than with `AUTOJIT_LTO=keep`.
#[test]
fn caches_know_both() {
    let scratch = Scratch::new("lto-ccache");
    let file = source("hello/hello.c");
    let compile = |lto: &str| {
        let mut wrapper = command(dist("bin/autojit-cc"));
        wrapper.env("AUTOJIT_CC", format!("ccache {CLANG}")).env("AUTOJIT_LTO", lto);
        wrapper.env("CCACHE_DIR", scratch.path().join("ccache")).current_dir(scratch.path());
        tool(wrapper.args(["-O2", "-flto", "-c"]).arg(&file).args(["-o", "hello.o"]));
        fs::read(scratch.path().join("hello.o")).expect("clang made it")
    };
    let [lazy, kept, again] = ["off", "keep", "off"].map(compile);
    assert!(kept.starts_with(b"BC") && lazy == again && lazy.starts_with(b"\x7fELF"));
}

/// A value that is no choice is told of once, and is none.
#[test]
fn other_values_are_refused() {
    let scratch = Scratch::new("lto-values");
    scratch.file("helper.c", HELPER);
    let mut wrapper = command(dist("bin/autojit-cc"));
    wrapper.args(["-flto", "-c", "helper.c"]).env("AUTOJIT_LTO", "maybe").current_dir(scratch.path());
    let outcome = attempt(&mut wrapper);
    let message = "autojit: AUTOJIT_LTO is \"maybe\", which is not off|keep; it counts as off\n";
    assert_eq!(outcome.assert_code(0).errors(), message);
    assert!(fs::read(scratch.path().join("helper.o")).expect("clang made it").starts_with(b"\x7fELF"));
}
