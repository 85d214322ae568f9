//! Inline functions that several files hold: one copy of each serves the program, and which file's that is depends on
//! the order of first calls. What a run has compiled serves the next ones, whatever their order.

use std::fs;

use autojit_tests::compile::{How, Link, object};
use autojit_tests::run::{command, lazy_command, run, warm_command};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;

const PARTS: usize = 6;

/// Orders of the program's functions: two of each part, one behind the other.
const ORDERS: [&str; 4] = ["abcdefghijkl", "lkjihgfedcba", "acegikbdfhjl", "bjdhflacgeki"];

#[test]
fn a_second_run_compiles_nothing() {
    let scratch = Scratch::new("inline-copies");
    scratch.file("shared.h", include_str!("inline_copies/shared.h"));
    for level in ["-O0", "-O1"] {
        let build = |how: How| {
            let compile = |name: String, text: &str, part: String| {
                let flags = [level, "-g", "-std=c++17", &part].map(str::to_owned);
                object(how, &scratch.file(&name, text), &flags, scratch.path())
            };
            let mut objects: Vec<_> = (0..PARTS)
                .map(|part| {
                    let name = format!("part{part}.cpp");
                    compile(name, include_str!("inline_copies/part.cpp"), format!("-DPART={part}"))
                })
                .collect();
            objects.push(compile("main.cpp".into(), include_str!("inline_copies/main.cpp"), "-DMAIN".into()));
            let program = scratch.path().join(format!("{how:?}"));
            Link { linker: "lld", cxx: true, flags: &["-pthread".to_owned()] }.run(&objects, &program);
            program
        };
        let [plain, lazy] = [How::Plain, How::Lazy].map(build);
        let expected = run(command(plain).arg(ORDERS[0]), scratch.path(), b"").assert_code(0).text();
        let first_order = |order: &str| {
            let cold = run(lazy_command(&lazy, scratch.path()).arg(order), scratch.path(), b"");
            assert_eq!(cold.assert_code(0).text(), expected);
            Stats::read(&scratch.path().join("stats")).compiled()
        };
        for order in ORDERS {
            assert!(first_order(order) > 50.0);
            for next in [order].iter().chain(&ORDERS) {
                for threads in [&[][..], &["threads"]] {
                    drop(fs::remove_file(scratch.path().join("stats")));
                    let mut warm = warm_command(&lazy, scratch.path());
                    let outcome = run(warm.arg(next).args(threads), scratch.path(), b"");
                    assert_eq!(outcome.assert_code(0).text(), expected);
                    let stats = Stats::read(&scratch.path().join("stats"));
                    stats.assert_warm();
                    assert_eq!(stats.compiled(), 0.0, "{level} {order} {next} {threads:?}: {stats:?}");
                }
            }
        }
    }
}
