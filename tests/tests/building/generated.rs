//! Programs that are too large to be kept as files: generated, built plainly and lazily, and compared.

use std::fmt::Write;
use std::fs;

use autojit_tests::compile::{How, Link, object};
use autojit_tests::run::{command, lazy_command, run};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;

/// Builds `text` plainly and lazily at `level`, and compares what both print. Returns the lazy one's statistics. The
/// plain one is not optimised: that takes longest, and what a program of ours prints does not depend on it.
#[track_caller]
fn compare(scratch: &Scratch, text: &str, level: &str) -> Stats {
    let source = scratch.file("generated.c", text);
    let [plain, lazy] = [(How::Plain, "-O0"), (How::Lazy, level)].map(|(how, level)| {
        let object = object(how, &source, &[level.to_owned()], scratch.path());
        let program = scratch.path().join(format!("{how:?}"));
        Link { linker: "lld", cxx: false, flags: &[] }.run(&[object], &program);
        program
    });
    let expected = run(&mut command(plain), scratch.path(), b"");
    assert!(!expected.assert_code(0).stdout.is_empty(), "{expected}");
    let outcome = run(&mut lazy_command(lazy, scratch.path()), scratch.path(), b"");
    expected.assert_same(&outcome, &format!("plain and lazy program at {level}"));
    let stats = Stats::read(&scratch.path().join("stats"));
    stats.assert_lazy();
    fs::remove_file(scratch.path().join("stats")).expect("it was just read");
    stats
}

/// One function of 10,000 lines: loops, conditions, a large switch, calls, many variables.
fn huge_function() -> String {
    let mut text = String::from(
        "#include <stdio.h>\n\
         static unsigned step(unsigned x, unsigned y) { return x * 31 + y; }\n\
         unsigned huge(const unsigned *in, int n) {\n\
         unsigned a = 1, b = 2, c = 3, d = 4, out[16] = {0};\n\
         for (int i = 0; i < n; i++) {\n\
         switch (in[i] % 1000) {\n",
    );
    for case in 0..1000 {
        write!(
            text,
            "case {case}:\n\
             a += in[(i + {case}) % n] ^ {};\n\
             if (a & {}) b = step(b, a);\n\
             else c -= b >> {};\n\
             d = d * 5 + {}u;\n\
             out[{case} % 16] ^= a + b;\n\
             d += c;\n\
             c = (c << 3) | (c >> 29);\n\
             b ^= d;\n\
             break;\n",
            case * 7919,
            1 << (case % 31),
            case % 17,
            case * 4_000_000_u64 + 5,
        )
        .expect("a String takes everything");
    }
    text.push_str(
        "}\n}\n\
         for (int i = 0; i < 16; i++) a = step(a, out[i]);\n\
         return a ^ b ^ c ^ d;\n}\n\
         int main(void) {\n\
         unsigned in[5000], x = 12345;\n\
         for (int i = 0; i < 5000; i++) in[i] = x = x * 1664525u + 1013904223u;\n\
         for (int i = 0; i < 3; i++) printf(\"%u\\n\", huge(in + i, 5000 - i));\n\
         return 0;\n}\n",
    );
    text
}

#[test]
fn a_function_of_ten_thousand_lines() {
    let text = huge_function();
    assert!(text.lines().count() > 10_000);
    // At -O2 such a function takes LLVM three times as long, to no other end.
    for level in ["-O0", "-O1"] {
        let scratch = Scratch::new(&format!("huge-function{level}"));
        let stats = compare(&scratch, &text, level);
        assert!(stats.number("code_bytes") > 50_000.0, "{stats:?}");
    }
}

/// A unit of 20,000 functions, of which every `stride`th is called, and each calls its neighbour.
fn many_functions(stride: u32) -> String {
    let mut text = String::from("#include <stdio.h>\n");
    for index in 0..20_000 {
        let neighbour = if index % stride == 0 || index == 0 {
            format!("{index}u")
        } else {
            format!("f{}(x >> 1)", index - 1)
        };
        let linkage = if index % 3 == 0 { "static " } else { "" };
        writeln!(
            text,
            "__attribute__((noinline)) {linkage}unsigned f{index}(unsigned x) {{ return x * {} + {neighbour}; }}",
            index * 2 + 1
        )
        .expect("a String takes everything");
    }
    text.push_str("static unsigned (*const all[])(unsigned) = {");
    for index in 0..20_000 {
        write!(text, "f{index},").expect("a String takes everything");
    }
    write!(
        text,
        "}};\nint main(void) {{\n unsigned sum = 0;\n for (int i = 1; i < 20000; i += {stride}) sum = sum * 3 + all[i](sum + 7);\n \
         printf(\"%u\\n\", sum);\n return 0;\n}}\n"
    )
    .expect("a String takes everything");
    text
}

#[test]
fn twenty_thousand_functions_in_one_file() {
    for (level, stride) in [("-O0", 20), ("-O2", 200)] {
        let scratch = Scratch::new(&format!("twenty-thousand{level}"));
        let stats = compare(&scratch, &many_functions(stride), level);
        assert!(stats.number("functions") >= 20_000.0, "{stats:?}");
        let called = 20_000.0 / f64::from(stride) * 2.0;
        let compiled = stats.compiled();
        assert!(compiled >= called && compiled < 20_000.0, "{compiled} compiled for {called} called");
    }
}
