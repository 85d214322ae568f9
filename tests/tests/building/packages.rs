//! Programs of other people, built plainly and lazily, do the same: bzip2, Lua, SQLite, nlohmann-json, the C++ library,
//! and a Rust program with all its dependencies.

use autojit_tests::directives::Level;
use autojit_tests::packages::{Sources, ours, package};

/// A test for each level of a program.
macro_rules! at_both_levels {
    ($name:ident) => {
        mod $name {
            use autojit_tests::directives::Level;

            #[test]
            fn o0_g() {
                super::$name(Level::STANDARD[0]);
            }

            #[test]
            fn o2() {
                super::$name(Level::STANDARD[1]);
            }
        }
    };
}

at_both_levels!(bzip2);
at_both_levels!(lua);
at_both_levels!(sqlite);
at_both_levels!(json);
at_both_levels!(mimalloc);
at_both_levels!(standard_library);

/// A text that compresses well but not trivially, the same in every run.
fn text(bytes: usize) -> Vec<u8> {
    let mut state = 88172645463325252_u64;
    let mut text = Vec::with_capacity(bytes + 16);
    while text.len() < bytes {
        // xorshift64 (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word =
            ["lazy", "function", "stub", "slot", "trampoline", "first", "call", "\n"][state as usize % 8];
        text.extend_from_slice(word.as_bytes());
        text.extend_from_slice(format!("{} ", state % 1000).as_bytes());
    }
    text.truncate(bytes);
    text
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn bzip2(level: Level) {
    let directory = package("bzip2-sys").join("bzip2-1.0.8");
    let files = ["bzip2", "blocksort", "bzlib", "compress", "crctable", "decompress", "huffman", "randtable"];
    let both = Sources {
        name: "bzip2",
        files: files.iter().map(|file| directory.join(file).with_extension("c")).collect(),
        flags: strings(&["-D_FILE_OFFSET_BITS=64"]),
        ..Sources::default()
    }
    .build(level);
    let original = text(2 << 20);
    let (compressed, stats) = both.compare(&["-9", "-c"], &original);
    compressed.assert_code(0);
    assert!(compressed.stdout.len() < original.len() / 2, "it compresses");
    assert!(stats.compiled() < stats.number("functions"), "compression does not call all functions");
    let (restored, _) = both.compare(&["-d", "-c"], &compressed.stdout);
    assert!(restored.assert_code(0).stdout == original, "what was compressed comes back");
    let mut damaged = compressed.stdout;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x10;
    let (failed, _) = both.compare(&["-d", "-c"], &damaged);
    assert!(failed.assert_code(2).errors().contains("Data integrity error when decompressing"), "{failed}");
}

fn lua(level: Level) {
    let directory = package("lua-src").join("lua-5.4.7");
    let mut files = vec![ours("lua/main.c")];
    for entry in std::fs::read_dir(&directory).expect("the package has Lua 5.4") {
        let path = entry.expect("it is readable").path();
        if path.extension().is_some_and(|extension| extension == "c") {
            files.push(path);
        }
    }
    files.sort();
    let include = format!("-I{}", directory.display());
    let both = Sources {
        name: "lua",
        files,
        flags: strings(&[&include, "-DLUA_USE_POSIX", "-DLUA_COMPAT_5_3"]),
        link: strings(&["-lm"]),
    }
    .build(level);
    let script = ours("lua/script.lua");
    let (outcome, _) = both.compare(&[script.to_str().expect("our paths are text")], b"");
    let printed = outcome.assert_code(0).text();
    for line in ["primes 46 last 199 sum 4227", "closed second first", "collected true", "overflow false"] {
        assert!(printed.lines().any(|one| one.starts_with(line)), "no '{line}': {printed}");
    }
    let bad = both.scratch().file("bad.lua", "local x = = 1");
    let (failed, _) = both.compare(&[bad.to_str().expect("our paths are text")], b"");
    assert!(failed.assert_code(1).errors().contains("unexpected symbol near '='"), "{failed}");
}

fn sqlite(level: Level) {
    let directory = package("libsqlite3-sys").join("sqlite3");
    let both = Sources {
        name: "sqlite",
        files: vec![directory.join("sqlite3.c"), ours("sqlite/driver.c")],
        flags: vec![format!("-I{}", directory.display())],
        link: strings(&["-pthread", "-lm", "-ldl"]),
    }
    .build(level);
    let (outcome, stats) = both.compare(&[], b"");
    let printed = outcome.assert_code(0).text();
    for line in
        ["  integrity_check=ok", "  squares=1,4,9,16,25,36,49,64,81,100", "  error: no such table: missing"]
    {
        assert_eq!(
            printed.lines().filter(|one| *one == line).count(),
            2,
            "'{line}' in memory and in a file: {printed}"
        );
    }
    assert!(stats.number("functions") > 1000.0, "nearly all functions of SQLite are lazy");
    assert!(stats.compiled() < stats.number("functions"), "and not all of them are called");
}

fn mimalloc(level: Level) {
    let directory = package("libmimalloc-sys").join("c_src/mimalloc/v2");
    let both = Sources {
        name: "mimalloc",
        files: vec![ours("cpp/allocate.cpp"), directory.join("src/static.c")],
        flags: vec!["-DMI_MALLOC_OVERRIDE".into(), "-w".into(), format!("-I{}/include", directory.display())],
        link: strings(&["-pthread"]),
    }
    .build(level);
    let (outcome, stats) = both.compare(&[], b"");
    assert_eq!(outcome.assert_code(0).text(), "97 keys, 6 threads, 8388608 bytes, caught all\n");
    assert!(stats.number("functions") > 500.0, "malloc itself is lazy");
}

fn json(level: Level) {
    let both = Sources {
        name: "json",
        files: vec![ours("cpp/json.cpp")],
        flags: strings(&["-std=c++17"]),
        ..Sources::default()
    }
    .build(level);
    let (outcome, _) = both.compare(&[], b"");
    let printed = outcome.assert_code(0).text();
    for part in
        ["pi is a number", "parse error 101: [json.exception.parse_error.101]", "1 1\n", "type_error.302"]
    {
        assert!(printed.contains(part), "no '{part}': {printed}");
    }
}

fn standard_library(level: Level) {
    let both = Sources {
        name: "standard",
        files: vec![ours("cpp/standard.cpp")],
        flags: strings(&["-std=c++17"]),
        link: strings(&["-pthread"]),
    }
    .build(level);
    let (outcome, _) = both.compare(&[], b"not a number");
    let printed = outcome.assert_code(0).text();
    for part in ["(1, 2) (3, 4) 0xff ****3.14 true", "ann at example bob at test", "abcd from a future"] {
        assert!(printed.contains(part), "no '{part}': {printed}");
    }
}

mod rust {
    use std::path::PathBuf;

    use autojit_tests::compile::{How, plugin};
    use autojit_tests::packages::{Both, manifest};
    use autojit_tests::run::{command, tool};
    use autojit_tests::scratch::{Scratch, keeping};

    const TARGET: &str = "x86_64-unknown-linux-gnu";

    /// Builds the program with all it depends on. Build scripts and procedural macros stay plain, since they are not
    /// built for a named target.
    fn build(how: How, release: bool, scratch: &Scratch) -> PathBuf {
        let directory = match how {
            How::Plain => keeping("cargo-plain"),
            // Cargo does not know when the plugin changes.
            How::Lazy => scratch.directory("cargo-lazy"),
        };
        let mut cargo = command("cargo");
        cargo.args(["build", "--quiet", "--locked", "--target", TARGET, "--target-dir"]).arg(&directory);
        cargo.arg("--manifest-path").arg(manifest());
        if release {
            cargo.arg("--release");
        }
        if how == How::Lazy {
            cargo
                .env("RUSTFLAGS", format!("-Zllvm-plugins={}", plugin().display()))
                .env("RUSTC_BOOTSTRAP", "1");
        }
        tool(&mut cargo);
        let built =
            directory.join(TARGET).join(if release { "release" } else { "debug" }).join("lazy-program");
        let program = scratch.directory(&format!("{how:?}")).join("program");
        std::fs::copy(&built, &program).expect("cargo built it");
        program
    }

    fn check(name: &str, release: bool) {
        let scratch = Scratch::new(&format!("package-rust-{name}"));
        let (plain, lazy) = (build(How::Plain, release, &scratch), build(How::Lazy, release, &scratch));
        let both = Both::new(scratch, plain, lazy);
        let text = "The quick brown fox and the lazy dog and the stub";
        let (outcome, _) = both.compare(&[text, "--order", "count", "-l", "3"], b"");
        let printed = outcome.assert_code(0).text();
        for part in ["\"the\": 3", "hook: never a pattern", "caught never a pattern", "[11, 21, 31, 41]"] {
            assert!(printed.contains(part), "no '{part}': {printed}");
        }
        let (failed, _) = both.compare(&[text, "--word", "("], b"");
        assert!(failed.assert_code(3).errors().contains("unclosed group"), "{failed}");
        let (wrong, _) = both.compare(&["--order", "size"], b"");
        assert!(wrong.assert_code(2).errors().contains("possible values: name, count"), "{wrong}");
        both.compare(&["--help"], b"").0.assert_code(0);
    }

    #[test]
    fn debug() {
        check("debug", false);
    }

    #[test]
    fn release() {
        check("release", true);
    }
}
