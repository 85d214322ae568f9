//! Large packs: writing one takes longer than what a run does for want of a module in it, so that is counted.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use autojit_tests::cache::{assert_cold, only};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;

use super::{assert_ran, compile_some, link};

/// Modules of much code, which all runs call.
const MODULES: usize = 10;
/// Functions of each, of some kilobytes.
const FUNCTIONS: usize = 28;
const STEPS: usize = 250;
/// Modules that a run enters which has their number as its argument.
const LATE: usize = 12;

fn program(scratch: &Scratch) -> PathBuf {
    let mut main = String::from("#include <stdio.h>\n#include <stdlib.h>\n");
    let mut names = vec!["main".to_owned()];
    for module in 0..MODULES {
        let mut text = String::new();
        for function in 0..FUNCTIONS {
            let name = format!("f{module}_{function}");
            let steps = (0..STEPS).map(|step| format!("n = n * {} + (n >> 3) % 7;\n", step + 3));
            writeln!(text, "unsigned {name}(unsigned n) {{ {} return n; }}", steps.collect::<String>())
                .expect("a string");
            writeln!(main, "unsigned {name}(unsigned);").expect("a string");
        }
        scratch.file(&format!("f{module}.c"), text);
        names.push(format!("f{module}"));
    }
    for late in 0..LATE {
        scratch.file(
            &format!("late{late}.c"),
            format!("unsigned late{late}(unsigned n) {{ return n + {late}; }}\n"),
        );
        writeln!(main, "unsigned late{late}(unsigned);").expect("a string");
        names.push(format!("late{late}"));
    }
    main += "int main(int argc, char **argv) { unsigned sum = 1;\n";
    for module in 0..MODULES {
        (0..FUNCTIONS)
            .for_each(|function| writeln!(main, "sum += f{module}_{function}(sum);").expect("a string"));
    }
    main += "switch (argc > 1 ? atoi(argv[1]) : -1) {\n";
    (0..LATE)
        .for_each(|late| writeln!(main, "case {late}: sum += late{late}(sum); break;").expect("a string"));
    main += "} printf(\"%d\\n\", sum != 0); return 3; }\n";
    scratch.file("main.c", main);
    compile_some(scratch, &["-O0"], &names);
    link(scratch, &names, &[], "program")
}

fn ran(scratch: &Scratch, program: &Path, late: Option<usize>, what: &str) -> Stats {
    let argument = late.map(|late| late.to_string());
    let (outcome, stats) = autojit_tests::cache::warm(scratch, program, |command| command.args(argument));
    assert_ran(&outcome, "1\n", what);
    stats
}

#[test]
fn what_large_packs_lack_is_added_at_once() {
    let scratch = Scratch::new("image-pack-large");
    let program = program(&scratch);
    assert_cold(&ran(&scratch, &program, None, "first"), "first");
    let pack = || fs::read(only(&scratch, ".aji")).expect("it is there");
    let before = pack();
    let opened = |late: usize, what: &str| {
        let stats = ran(&scratch, &program, Some(late), what);
        assert_eq!(stats.number("baseline"), 0.0, "{what}: {stats:?}");
        stats.number("cache_files")
    };
    // Their modules get files of their own.
    for late in 0..LATE {
        let stats = ran(&scratch, &program, Some(late), "compiles");
        assert_eq!(stats.number("baseline"), 1.0, "{late}: {stats:?}");
    }
    assert!(before == pack(), "one module is not worth it");
    // The pack and the file of a module, and those of all when it is written.
    let mut added = 0;
    loop {
        let files = opened(added, "reads");
        added += 1;
        if before != pack() {
            assert_eq!(files, 1.0 + added as f64);
            break;
        }
        assert_eq!(files, 2.0);
        assert!(added < LATE - 1, "nothing is written");
    }
    assert!(added > 1, "one module is not worth it");
    for late in 0..added {
        assert_eq!(opened(late, "was added"), 1.0, "{late} of {added}");
    }
    assert_eq!(opened(added, "was not lacked"), 2.0);
}
