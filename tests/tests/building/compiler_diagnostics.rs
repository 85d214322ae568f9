//! What compilers say, and the answers that configure scripts get from them: a lazy compile says the same as a plain one,
//! on the same lines, and fails where that fails.
//!
//! Each file of `diagnostics/` is compiled plainly and lazily, once for each of its lines `//# try: FLAG…`. What a plain
//! compile says has each text of a line `//# says: TEXT`, or is nothing if there is no such line. `//# link` makes programs
//! of them, `//# writes: ENDING` names a further file to compare, `//# answers: no` a plain compile that fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::compile::plugin;
use autojit_tests::llvm::{CLANG, CLANGXX};
use autojit_tests::run::{Outcome, command, run};
use autojit_tests::scratch::{self, Scratch};

/// A compiler that is a plain or a lazy one.
fn compiler(source: &Path, lazy: bool) -> Command {
    let extension = source.extension().and_then(|extension| extension.to_str()).expect("a source file");
    if extension == "rs" {
        let mut rustc = command("rustc");
        rustc.env("RUSTC_BOOTSTRAP", "1").args(["--edition=2024", "--crate-type=lib", "--emit=obj"]);
        if lazy {
            rustc.arg(format!("-Zllvm-plugins={}", plugin().display()));
        }
        return rustc;
    }
    let (plain, wrapper) = if extension == "cpp" { (CLANGXX, "autojit-c++") } else { (CLANG, "autojit-cc") };
    if lazy { command(scratch::dist(&format!("bin/{wrapper}"))) } else { command(plain) }
}

/// The values of the directives `key` of a file.
fn directives<'a>(text: &'a str, key: &'a str) -> Vec<&'a str> {
    let prefix = format!("//# {key}");
    let lines = text.lines().filter_map(|line| line.strip_prefix(prefix.as_str()));
    lines.map(|rest| rest.trim_start_matches(':').trim()).collect()
}

/// Compiles a file with one line of flags, both ways, and compares; says what differs.
fn check(scratch: &Scratch, source: &Path, text: &str, flags: &str) -> Option<String> {
    let linked = !directives(text, "link").is_empty();
    let build = |lazy: bool| -> (Outcome, Option<String>) {
        let directory = scratch.directory(if lazy { "lazy" } else { "plain" });
        let output = directory.join("out.o");
        let mut compiler = compiler(source, lazy);
        if !linked && source.extension().is_some_and(|extension| extension != "rs") {
            compiler.arg("-c");
        }
        compiler.args(flags.split_whitespace()).arg(source).arg("-o").arg(&output);
        let outcome = run(&mut compiler, &directory, b"");
        let further = directives(text, "writes");
        let further = further.first().map(|ending| {
            let file = output.with_extension(ending);
            fs::read_to_string(&file).unwrap_or_else(|error| format!("{}: {error}", file.display()))
        });
        (outcome, further)
    };
    let ((plain, wanted), (lazy, found)) = (build(false), build(true));
    let says = directives(text, "says");
    let answers = directives(text, "answers") != ["no"];
    if plain.status.success() != answers || says.is_empty() && !plain.errors().is_empty() {
        return Some(format!("the plain compile does something else: {plain}"));
    }
    if let Some(missing) = says.iter().find(|text| !plain.errors().contains(**text)) {
        return Some(format!("the plain compile does not say '{missing}': {plain}"));
    }
    // Linkers name places in the object.
    let same = plain.errors() == lazy.errors() || linked && !says.is_empty();
    if plain.status != lazy.status || !same {
        return Some(format!("--- plain: {plain}\n--- lazy: {lazy}"));
    }
    (wanted != found).then(|| format!("--- plain wrote: {wanted:?}\n--- lazy: {found:?}"))
}

/// Checks all files whose names begin so.
fn check_all(prefix: &str) {
    let scratch = Scratch::new(&format!("diagnostics-{prefix}"));
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("diagnostics");
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).expect("the files").map(|file| file.expect("an entry").path()).collect();
    files.retain(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    files.sort();
    assert!(!files.is_empty(), "no file begins with {prefix}");
    let mut failures = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("it is readable");
        let rows = directives(&text, "try");
        assert!(!rows.is_empty(), "{} has no '//# try:'", file.display());
        let differs = |flags: &&str| {
            check(&scratch, &file, &text, flags)
                .map(|failure| format!("{} with {flags}: {failure}", file.display()))
        };
        failures.extend(rows.iter().filter_map(differs));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn inline_assembly() {
    check_all("assembly_");
}

#[test]
fn code_generation() {
    check_all("code_");
}

#[test]
fn configure_checks() {
    check_all("configure_");
}
