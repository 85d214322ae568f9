//! Other pass plugins beside ours: each sees the bodies, whatever the order on the command line.

use std::path::{Path, PathBuf};

use autojit_tests::compile::{How, object, plugin};
use autojit_tests::llvm::{CLANG, CLANGXX};
use autojit_tests::run::{command, lazy_command, run, tool};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;
use autojit_tests::stubs::{Function, function};

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("passes").join(name)
}

/// A plugin that has each function call `counted`.
fn count_calls(scratch: &Scratch) -> PathBuf {
    let includes = tool(command(concat!("llvm-config-", env!("LLVM_RELEASE"))).arg("--includedir")).text();
    let flags = ["-O1", "-fPIC", "-fno-rtti", "-std=c++17", "-isystem", includes.trim()].map(str::to_owned);
    let object = object(How::Plain, &source("count_calls.cpp"), &flags, scratch.path());
    let output = scratch.path().join("count_calls.so");
    tool(command(CLANGXX).arg("-shared").arg(object).arg("-o").arg(&output));
    output
}

#[test]
fn see_the_bodies_wherever_they_run() {
    let scratch = Scratch::new("other-plugins");
    let [ours, theirs] =
        [plugin(), count_calls(&scratch)].map(|plugin| format!("-fpass-plugin={}", plugin.display()));
    for level in ["-O0", "-O2"] {
        // Behind ours nothing may leave; in front of it, what leaves has what they did.
        let rows = [
            ("end", [&ours, &theirs], false),
            ("end", [&theirs, &ours], false),
            ("start", [&ours, &theirs], false),
            ("start", [&theirs, &ours], true),
        ];
        for (place, plugins, lazy) in rows {
            let program = scratch.path().join("program");
            let mut clang = command(CLANG);
            clang.env("COUNT_AT", place).env("AUTOJIT_LOG", "info").args(plugins).arg(level);
            let messages = tool(clang.arg(source("counted.c")).arg("-o").arg(&program)).errors();
            let outcome = run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"");
            let what = format!("at the {place} with {plugins:?} {level}");
            outcome.assert_code(0);
            assert_eq!(outcome.text(), "4 4\n", "{what}");
            let stub = function(&program, "four_times");
            if lazy {
                assert_eq!((stub, messages.as_str()), (Function::Stub, ""), "{what}");
                Stats::read(&scratch.path().join("stats")).assert_lazy();
            } else {
                assert_eq!(stub, Function::Ordinary, "{what}");
                assert!(
                    messages.contains("compiled as usual: CountCalls needs its bodies"),
                    "{what}: {messages}"
                );
            }
        }
    }
}
