//! AUTOJIT_PERF_MAP: perf finds the names of compiled functions, in the process and in its forked children.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::compile::{Link, lazy_object};
use autojit_tests::run::{by_baseline, by_llvm, command, lazy_command, run, tool};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;

const PROGRAM: &str = include_str!("perf/program.c");

/// The lines of a map: names and sizes. Removes it.
fn map(pid: u32) -> HashMap<String, u64> {
    let path = PathBuf::from(format!("/tmp/perf-{pid}.map"));
    let text = fs::read_to_string(&path).expect("the map was written");
    fs::remove_file(&path).expect("it is ours");
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut number = || u64::from_str_radix(words.next()?, 16).ok();
        let (start, size) = (number().expect("an address"), number().expect("a size"));
        assert!(start != 0 && size != 0, "{line}");
        (words.next().expect("a name").to_owned(), size)
    };
    text.lines().map(line).collect()
}

fn program(scratch: &Scratch) -> PathBuf {
    let source = scratch.file("program.c", PROGRAM);
    let (object, program) = (source.with_extension("o"), scratch.path().join("program"));
    lazy_object(&source, &["-O1".to_owned()], &object, &[]);
    Link { linker: "lld", cxx: false, flags: &[] }.run(&[object], &program);
    program
}

#[test]
fn maps_name_what_was_compiled() {
    let scratch = Scratch::new("perf-map");
    let program = program(&scratch);
    assert_map(by_llvm(lazy_command(&program, scratch.path())), &scratch, "compiled");
    assert_map(by_baseline(lazy_command(&program, scratch.path())), &scratch, "baseline");
}

/// Its map names all functions, whose number is that of `key` in the statistics.
fn assert_map(mut lazy: Command, scratch: &Scratch, key: &str) {
    lazy.env("AUTOJIT_PERF_MAP", "1").env("AUTOJIT_STATS", scratch.path().join("stats.%p"));
    let outcome = run(&mut lazy, scratch.path(), b"");
    let text = outcome.assert_code(0).text();
    let child = text.lines().find_map(|line| line.strip_prefix("child ")?.split(' ').next()?.parse().ok());
    let (parent, child) = (map(outcome.pid), map(child.expect("the child prints its id")));
    assert!(parent.contains_key("main") && parent.contains_key("in_parent"), "{parent:?}");
    assert!(["main", "in_parent", "in_child"].iter().all(|name| child.contains_key(*name)), "{child:?}");
    let stats = Stats::read(&scratch.path().join(format!("stats.{}", outcome.pid)));
    assert_eq!(parent.len() as f64, stats.number(key));
}

#[test]
fn there_is_no_map_unless_it_is_asked_for() {
    let scratch = Scratch::new("perf-none");
    let outcome = run(&mut lazy_command(program(&scratch), scratch.path()), scratch.path(), b"");
    outcome.assert_code(0);
    assert!(!PathBuf::from(format!("/tmp/perf-{}.map", outcome.pid)).exists());
}

/// Whether perf can record here. Where performance counters are forbidden there is nothing to see.
pub fn records(data: &Path) -> bool {
    let mut probe = command("perf");
    probe.args(["record", "--quiet", "--no-buildid-cache", "-o"]).arg(data).arg("true");
    let recorded = probe.output().is_ok_and(|output| output.status.success());
    let forbidden =
        || fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").is_ok_and(|text| text.trim() != "-1");
    assert!(recorded || forbidden(), "perf records nothing, although it may");
    recorded
}

#[test]
fn perf_report_shows_the_names() {
    let scratch = Scratch::new("perf-report");
    let (program, data) = (program(&scratch), scratch.path().join("perf.data"));
    if !records(&data) {
        return;
    }
    let mut record = lazy_command("perf", scratch.path());
    record
        .args(["record", "--quiet", "--no-buildid-cache", "-e", "cpu-clock", "-o"])
        .arg(&data)
        .arg(&program);
    record.env("AUTOJIT_PERF_MAP", "1").env("AUTOJIT_STATS", scratch.path().join("stats.%p"));
    let outcome = tool(&mut record);
    let report = tool(command("perf").args(["report", "--stdio", "-i"]).arg(&data)).text();
    assert!(report.contains("in_parent"), "{report}");
    let child =
        outcome.text().lines().find_map(|line| line.strip_prefix("child ")?.split(' ').next()?.parse().ok());
    map(child.expect("the child prints its id"));
    let stats = fs::read_dir(scratch.path()).expect("it is readable");
    let names = stats.map(|entry| entry.expect("likewise").file_name().to_string_lossy().into_owned());
    let pids: Vec<u32> = names.filter_map(|name| name.strip_prefix("stats.")?.parse().ok()).collect();
    for pid in pids {
        let _ = fs::remove_file(format!("/tmp/perf-{pid}.map"));
    }
}
