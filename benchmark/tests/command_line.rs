//! The program as a whole: a run that is as short as can be, and the report of its results. Times are not judged.

use std::path::Path;
use std::process::{Command, Output};

fn benchmark(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autojit-benchmark"));
    command.args(arguments).output().expect("the program was built with its tests")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program prints text")
}

#[test]
fn a_run_is_reported() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("results/hello.json");
    let file = file.to_str().expect("our paths are text");
    let run =
        benchmark(&["run", "--quick", "--only", "hello-c-O0-first", "--date", "2026-01-02", "--out", file]);
    let table = text(&run.stdout);
    assert!(run.status.success(), "{}\n{table}{}", run.status, text(&run.stderr));
    // The ratios; time, that of LLVM alone, and memory.
    assert_eq!(table.lines().count(), 7, "two tables with headings: {table}");

    let readme = file.replace("hello.json", "README.md");
    std::fs::write(&readme, "<!-- benchmark -->\n<!-- /benchmark -->\n").expect("the directory is there");
    let report = benchmark(&["report", file, "--readme", &readme]);
    let markdown = text(&report.stdout);
    assert!(report.status.success(), "{}\n{}", report.status, text(&report.stderr));
    for part in [", 2026-01-02\n", "quick run", "| hello-c-O0-first | the first run | ", "-first-rss | "] {
        assert!(markdown.contains(part), "no '{part}' in:\n{markdown}");
    }
    // What the lazy program's runtime told: one lazy function, compiled without LLVM.
    assert!(markdown.contains("| hello-c-O0-first | 1 | 1 | 0 | 0 | "), "{markdown}");
    let readme = std::fs::read_to_string(readme).expect("it was there");
    assert!(readme.contains("| hello-c -O0 | ") && readme.contains(" | 1 of 1 |\n"), "{readme}");
}

/// Cargo's builds take too long for this.
#[test]
fn every_column_can_be_measured() {
    for (row, missing) in [("hello-c-O0", &["steady"][..]), ("hello-rust-O2", &["steady", "idle"])] {
        let run = benchmark(&["run", "--quick", "--only", row]);
        let table = text(&run.stdout);
        assert!(run.status.success(), "{}\n{table}{}", run.status, text(&run.stderr));
        for column in ["compile", "link-bfd", "link-lld", "objects-store", "program", "later-own", "edit"] {
            assert!(table.contains(&format!("{row}-{column} ")), "no {column}: {table}");
        }
        for column in missing {
            assert!(!table.contains(&format!("{row}-{column} ")), "{column}: {table}");
        }
    }
}

#[test]
fn what_fails_does_not_lose_the_rest() {
    // Everything but the daemon.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-daemon");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("the directory is ours");
    let built =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/lib").canonicalize().expect("it is built");
    std::os::unix::fs::symlink(built, directory.join("lib")).expect("the directory is ours");
    let (dist, file) = (directory.to_str().expect("text"), directory.join("results.json"));
    let only = ["--only", "hello-c-O0-daemon", "--only", "hello-c-O0-idle"];
    let mut arguments = vec!["--quick", "--dist", dist, "--out", file.to_str().expect("text")];
    arguments.extend(only);
    let run = benchmark(&arguments);
    assert_eq!(run.status.code(), Some(2), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("autojit-benchmark: hello-c-O0-daemon: "), "{}", text(&run.stderr));
    let json = std::fs::read_to_string(file).expect("it was written");
    assert!(
        json.contains("\"column\": \"idle\"") && json.contains("\"name\": \"hello-c-O0-daemon\""),
        "{json}"
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    for (arguments, part) in [
        (&["--only", "nothing"][..], "no measurement has 'nothing' in its name"),
        (&["--only", "idle", "--dist", "/nowhere"], "/nowhere is missing"),
        (&["report", "/nowhere.json"], "cannot read /nowhere.json"),
        (&["report", env!("CARGO_MANIFEST_PATH")], "has no results"),
    ] {
        let output = benchmark(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let message = text(&output.stderr);
        assert!(
            message.starts_with("autojit-benchmark: ") && message.contains(part),
            "{arguments:?}: {message}"
        );
    }
}

/// Of sources of others it is said that they are missing.
#[test]
fn edits_have_a_table() {
    let line = ["edits", "--quick", "--only", "hello-c++", "--only", "ninja", "--sources", "/nothing"];
    let edits = benchmark(&line);
    let table = text(&edits.stdout);
    assert!(edits.status.success(), "{}\n{table}{}", edits.status, text(&edits.stderr));
    for level in ["O0", "O2"] {
        for part in ["body | ", "header | "] {
            assert!(table.contains(&format!("| hello-c++ | {level} | {part}")), "no {part}: {table}");
        }
        assert!(table.contains(&format!("| ninja | {level} | not measured: /nothing/ninja")), "{table}");
    }
}
