//! The staged runtime was compiled with the profile that lies beside its sources, linked in the order that does, and without what
//! prints backtraces.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Command;

use autojit_tests::fresh;
use autojit_tests::run::tool;
use autojit_tests::scratch::dist;

use super::root;

/// Whether the name of a function in a profile, or of a symbol, is one of the runtime's own crates.
fn own(name: &&str) -> bool {
    name.contains("autojit")
}

/// Whether functions of the staged runtime have the names that scripts/profile has seen; says so if not.
fn has_names_of_the_profile(runtime: &Path) -> bool {
    let settings = fresh::profile(runtime.ancestors().nth(2).expect("it lies two directories down"));
    if !settings.is_empty() {
        eprintln!("symbols have other names in a build with {settings}");
        return false;
    }
    let release = tool(Command::new("rustc").arg("--version").current_dir(root())).text();
    let profiled = std::fs::read_to_string(root().join("preload/libautojit.profdata.rustc"));
    let is_known = profiled.expect("scripts/profile writes it") == release;
    if !is_known {
        eprintln!("the profile is of another release of rustc than {release}, so it is not used");
    }
    is_known
}

/// A profile is found by the names of symbols, which change with the features of crates and with rustc; nothing says so
/// when it is not found.
#[test]
fn the_runtime_knows_its_profile() {
    let runtime = dist("lib/libautojit.so");
    if !has_names_of_the_profile(&runtime) {
        return;
    }
    let profile = root().join("preload/libautojit.profdata");
    let shown = tool(
        Command::new(concat!("llvm-profdata-", env!("LLVM_RELEASE")))
            .args(["show", "--all-functions"])
            .arg(profile),
    )
    .text();
    // Those of internal linkage have the file's name before theirs.
    let names = shown.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    let known: HashSet<&str> = names.filter_map(|name| name.rsplit([';', ':']).next()).filter(own).collect();
    let symbols = tool(Command::new("nm").arg("--defined-only").arg(runtime)).text();
    let code = symbols.lines().filter_map(|line| line.split_once(" t ").or(line.split_once(" T ")));
    let code: HashSet<&str> = code.filter_map(|(_, name)| name.split(".llvm.").next()).filter(own).collect();
    let found = code.intersection(&known).count();
    assert!(
        found > code.len() / 2 && found > 200,
        "of {} functions of the runtime, the profile has {found}: if many are new, renew it (scripts/profile); else \
         look for what changed the names of symbols",
        code.len()
    );
}

/// Functions that small programs run lie together, and those that only larger ones run behind them: each page that is touched
/// brings its neighbours along, which count as memory of the program's.
#[test]
fn functions_that_run_lie_together() {
    let runtime = dist("lib/libautojit.so");
    if !has_names_of_the_profile(&runtime) {
        return;
    }
    let order = std::fs::read_to_string(root().join("preload/libautojit.order")).expect("it is there");
    let symbols = tool(Command::new("nm").args(["--defined-only", "--print-size"]).arg(runtime)).text();
    let places: HashMap<&str, (u64, u64)> = symbols
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let mut number = || u64::from_str_radix(words.next()?, 16).ok();
            let (start, len) = (number()?, number()?);
            Some((words.nth(1)?, (start, start + len)))
        })
        .collect();
    let found: Vec<(u64, u64)> = order.lines().filter_map(|name| places.get(name)).copied().collect();
    assert!(found.len() > 200, "the runtime has {} of these functions: scripts/profile --order", found.len());
    let bytes: u64 = found.iter().map(|(start, end)| end - start).sum();
    let start = found.iter().map(|(start, _)| *start).min().unwrap_or(0);
    let end = found.iter().map(|(_, end)| *end).max().unwrap_or(0);
    // What is aligned leaves gaps.
    assert!(end - start < bytes + bytes / 10, "{bytes} bytes of code take {}", end - start);
}

/// With the profile of another day, what resizes blocks was inlined, and what was written behind the old end left out.
#[test]
fn what_frees_and_resizes_is_not_inlined() {
    let symbols = tool(Command::new("nm").arg("--defined-only").arg(dist("lib/libautojit.so"))).text();
    for name in ["7dealloc", "7realloc"] {
        let is_it = |line: &str| line.contains("platform..alloc..Allocator") && line.contains(name);
        assert!(symbols.lines().any(is_it), "no function of its own for {name}");
    }
}

/// preload/build.rs finds the standard library's handlers by their names, which are rustc's own affair.
#[test]
fn the_runtime_ends_panics_itself() {
    let symbols = tool(Command::new("nm").arg("--defined-only").arg(dist("lib/libautojit.so"))).text();
    let address = |end: &str| {
        let line = symbols.lines().find(|line| line.ends_with(end));
        line.and_then(|line| line.split(' ').next()).unwrap_or_else(|| panic!("{end} is not there"))
    };
    for (standard, own) in [
        ("_7___rustc17rust_begin_unwind", " __autojit_panicked"),
        ("_7___rustc26___rust_alloc_error_handler", " __autojit_out_of_memory"),
    ] {
        assert_eq!(address(standard), address(own), "{standard}");
    }
    let readers: Vec<_> = symbols.lines().filter(|line| line.contains("backtrace_rs")).collect();
    assert!(readers.is_empty(), "what reads debug information is in the runtime: {readers:#?}");
}
