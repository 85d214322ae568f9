//! Memory of a first run: what compilers have of a module is not much; what LLVM has goes when other modules are worked on.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use autojit_tests::compile::{How, Toolchain, rustc};
use autojit_tests::run::{by_llvm, command, lazy_command, run, tool};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;

/// Modules of the program.
const MODULES: usize = 250;
/// Times that each is entered.
const ROUNDS: usize = 3;

/// A program of many modules, that calls a function of each, then another of each, and so on; of as many modules as its
/// argument says. On standard error it tells its peak memory in KB.
fn source() -> String {
    let mut text = String::new();
    for module in 0..MODULES {
        writeln!(text, "mod m{module} {{").expect("a String takes everything");
        for round in 0..ROUNDS {
            write!(
                text,
                "#[inline(never)] pub fn f{round}(x: u64) -> u64 {{\n\
                 let text = format!(\"{module} {{}} {round}\", x % 1000);\n\
                 text.bytes().fold(x, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte) ^ {}))\n}}\n",
                module * ROUNDS + round
            )
            .expect("a String takes everything");
        }
        text.push_str("}\n");
    }
    writeln!(text, "static TABLE: [[fn(u64) -> u64; {MODULES}]; {ROUNDS}] = [").expect("as above");
    for round in 0..ROUNDS {
        let row: Vec<_> = (0..MODULES).map(|module| format!("m{module}::f{round}")).collect();
        writeln!(text, "[{}],", row.join(",")).expect("as above");
    }
    text + "];
fn main() {
    let count: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut sum = 1;
    for round in &TABLE {
        for function in &round[..count] {
            sum = function(sum);
        }
    }
    println!(\"{sum}\");
    let status = std::fs::read_to_string(\"/proc/self/status\").unwrap();
    let peak = status.lines().find(|line| line.starts_with(\"VmHWM:\")).unwrap();
    eprintln!(\"{}\", peak.split_whitespace().nth(1).unwrap());
}
"
}

fn build(how: How, scratch: &Scratch) -> PathBuf {
    let source = scratch.file("modules.rs", source());
    let program = scratch.path().join(format!("{how:?}"));
    let mut rustc = rustc(how, Toolchain::Stable);
    rustc.args(["-g", "-Copt-level=0", "-Ccodegen-units=256", "--edition=2024"]);
    tool(rustc.arg(source).arg("-o").arg(&program));
    program
}

/// What a lazy program prints about `modules` modules, its statistics, and its peak memory in KB.
fn run_lazily(mut lazy: Command, scratch: &Scratch, modules: usize) -> (String, Stats, i64) {
    let outcome = run(lazy.arg(modules.to_string()), scratch.path(), b"");
    outcome.assert_code(0);
    let peak = outcome.errors().trim().parse().expect("kilobytes");
    let stats = Stats::read(&scratch.path().join("stats"));
    stats.assert_lazy();
    (outcome.text(), stats, peak)
}

/// A compiler for each module would take more than a megabyte each. Dropping modules and reading them again, in three
/// rounds, changes nothing but the memory.
#[test]
fn open_modules_take_little_and_are_dropped() {
    let scratch = Scratch::new("memory-modules");
    let plain = build(How::Plain, &scratch);
    let expected = run(command(plain).arg(MODULES.to_string()), scratch.path(), b"");
    expected.assert_code(0);
    let lazy = build(How::Lazy, &scratch);

    let by_llvm = || by_llvm(lazy_command(&lazy, scratch.path()));
    let open = |bytes: &str| {
        let mut command = by_llvm();
        command.env("AUTOJIT_ENGINE_OPEN", bytes);
        command
    };

    let (_, _, few) = run_lazily(by_llvm(), &scratch, 4);
    let (text, stats, all) = run_lazily(open("1000000000"), &scratch, MODULES);
    assert_eq!(text, expected.text());
    assert!(stats.number("modules") > 200.0, "rustc has put modules together");
    assert!(stats.number("compiled") >= (MODULES * ROUNDS) as f64, "not all was compiled");
    let (text, stats, dropped) = run_lazily(open("0"), &scratch, MODULES);
    assert_eq!(text, expected.text());
    assert!(stats.number("compiled") >= (MODULES * ROUNDS) as f64, "not all was compiled");

    println!("peak: {few} KB with few modules, {all} KB with all open, {dropped} KB with four of them open");
    assert!(all - few < 500 * MODULES as i64, "an open module takes {} KB", (all - few) / MODULES as i64);
    assert!((dropped - few) * 3 < (all - few) * 2, "modules stay open: {few} KB, {dropped} KB, {all} KB");

    // Without LLVM, which is what this build has by default, all of them open take less than it does with four.
    let (text, stats, baseline) = run_lazily(lazy_command(&lazy, scratch.path()), &scratch, MODULES);
    assert_eq!(text, expected.text());
    assert_eq!(stats.number("compiled"), 0.0, "{stats:?}");
    println!("{baseline} KB without LLVM");
    assert!(baseline < few, "modules take more than LLVM does: {baseline} KB, {few} KB");
}
