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
    let run = benchmark(&["run", "--quick", "--only", "start-hello", "--date", "2026-01-02", "--out", file]);
    let table = text(&run.stdout);
    assert!(run.status.success(), "{}\n{table}{}", run.status, text(&run.stderr));
    assert_eq!(table.lines().count(), 3, "a heading and two measurements: {table}");

    let report = benchmark(&["report", file]);
    let markdown = text(&report.stdout);
    assert!(report.status.success(), "{}\n{}", report.status, text(&report.stderr));
    for part in
        [", 2026-01-02\n", "quick run", "| start-hello | first run of hello | ", "| start-hello-cpu | "]
    {
        assert!(markdown.contains(part), "no '{part}' in:\n{markdown}");
    }
    // What the lazy program's runtime told: one lazy function, compiled.
    assert!(markdown.contains("| start-hello | 1 | 1 | 1 | "), "{markdown}");
}

#[test]
fn what_cannot_be_done_is_said() {
    for (arguments, part) in [
        (&["--only", "nothing"][..], "no benchmark is named 'nothing'"),
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
