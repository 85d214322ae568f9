//! The bytes themselves: each is part of a valid instruction, and time grows with the size of the function only.

mod support;

use std::fmt::Write;
use std::time::Duration;

use autojit_baseline::{Baseline, RelocationKind};
use autojit_bitcode::{BitcodeModule, FunctionBody};
use support::generate::Generator;
use support::{Scratch, bitcode_of, compile, exported, ir, source};

fn check(ir: &str) {
    let bytes = bitcode_of(ir, &Scratch::new());
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let (codes, _) = compile(&module);
    assert!(!codes.is_empty());
    for (index, code) in codes {
        let name = String::from_utf8_lossy(module.name(&module.globals()[index as usize])).into_owned();
        let mut decoder = iced_x86::Decoder::new(64, &code.text, iced_x86::DecoderOptions::NONE);
        let mut starts = Vec::new();
        let mut targets = Vec::new();
        while decoder.can_decode() {
            let instruction = decoder.decode();
            assert!(!instruction.is_invalid(), "{name}: {:#x}", instruction.ip());
            starts.push(instruction.ip());
            let relocated = code
                .text_relocations
                .iter()
                .any(|it| (instruction.ip()..instruction.next_ip()).contains(&u64::from(it.offset)));
            if instruction.near_branch_target() != 0 && !relocated {
                targets.push(instruction.near_branch_target());
            }
        }
        for target in targets {
            assert!(
                starts.binary_search(&target).is_ok(),
                "{name}: a branch into an instruction: {target:#x}"
            );
        }
    }
}

#[test]
fn code_is_instructions_and_nothing_else() {
    for name in ["integers.c", "control_flow.c", "memory.c", "calls.c", "floats.c"] {
        let scratch = Scratch::new();
        check(&exported(&ir(&source(name), &["-O1"], &scratch)));
    }
    check(&Generator::module(99, 30));
}

/// The same code for the same bitcode, every time.
#[test]
fn code_is_deterministic() {
    let bytes = bitcode_of(&Generator::module(7, 20), &Scratch::new());
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let text = || compile(&module).0.into_iter().map(|(_, code)| code.text).collect::<Vec<_>>();
    assert_eq!(text(), text());
}

/// Calls are laid out so that their operands lie within one aligned word, and can be rewritten at once.
#[test]
fn calls_can_be_rewritten() {
    let bytes = bitcode_of(&Generator::module(3, 20), &Scratch::new());
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let mut calls = 0;
    for (_, code) in compile(&module).0 {
        for relocation in code.text_relocations.iter().filter(|it| it.kind == RelocationKind::Call) {
            assert!(relocation.offset % 8 <= 4, "{relocation:?}");
            calls += 1;
        }
    }
    assert!(calls > 20, "{calls} calls");
}

/// Functions of `size` units of a kind, of which `unit` writes one.
fn function(size: usize, unit: impl Fn(&mut String, usize), end: &str) -> String {
    let mut out = String::from("define i64 @f(i64 %a, ptr %p) {\nentry:\n  br label %b0\n");
    for index in 0..size {
        unit(&mut out, index);
    }
    out + end + "\n}\n"
}

/// What this thread has had of a processor: other processes do not count.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours to be written.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn time(ir: &str) -> Duration {
    let bytes = bitcode_of(ir, &Scratch::new());
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let mut body = FunctionBody::default();
    module.read_function(0, &mut body).unwrap_or_else(|error| panic!("{error:?}"));
    let once = || {
        let start = processor_time();
        Baseline::new(&module).compile(&body, false).expect("it is compiled");
        processor_time() - start
    };
    (0..3).map(|_| once()).min().expect("it ran")
}

fn is_linear(name: &str, make: impl Fn(usize) -> String) {
    const SMALL: usize = 400;
    const FACTOR: u32 = 8;
    let (small, large) = (time(&make(SMALL)), time(&make(SMALL * FACTOR as usize)));
    eprintln!("{name}: {small:?} and {large:?}");
    // A quadratic step would take 8 times as long again.
    assert!(large < small * FACTOR * 4 + Duration::from_millis(5), "{name}: {small:?} and {large:?}");
}

#[test]
fn time_is_linear() {
    is_linear("straight code", |size| {
        let mut out = String::from("define i64 @f(i64 %a, ptr %p) {\nb:\n");
        for index in 0..size {
            let before = if index == 0 { "%a".to_owned() } else { format!("%v{}", index - 1) };
            let _ =
                writeln!(out, "  %v{index} = mul i64 {before}, {}\n  store i64 %v{index}, ptr %p", index + 3);
        }
        out + "  ret i64 %a\n}\n"
    });
    is_linear("blocks", |size| {
        let unit = |out: &mut String, index: usize| {
            let _ = writeln!(
                out,
                "b{index}:\n  %c{index} = icmp eq i64 %a, {index}\n  br i1 %c{index}, label %end, label %b{}",
                index + 1
            );
        };
        function(size, unit, &format!("b{size}:\n  br label %end\nend:\n  ret i64 %a"))
    });
    is_linear("phis of many edges", |size| {
        let mut inputs = String::new();
        let unit = |out: &mut String, index: usize| {
            let _ = writeln!(
                out,
                "b{index}:\n  %c{index} = icmp eq i64 %a, {index}\n  br i1 %c{index}, label %end, label %b{}",
                index + 1
            );
        };
        for index in 0..size {
            let _ = write!(inputs, "[ {index}, %b{index} ], ");
        }
        let end =
            format!("b{size}:\n  br label %end\nend:\n  %r = phi i64 {inputs}[ %a, %b{size} ]\n  ret i64 %r");
        function(size, unit, &end)
    });
    is_linear("a switch", |size| {
        let mut out = String::from("define i64 @f(i64 %a, ptr %p) {\nb:\n  switch i64 %a, label %end [\n");
        for index in 0..size {
            let _ = writeln!(out, "    i64 {}, label %c{index}", index * 37);
        }
        out += "  ]\n";
        for index in 0..size {
            let _ = writeln!(out, "c{index}:\n  br label %end");
        }
        let inputs: Vec<String> = (0..size).map(|index| format!("[ {index}, %c{index} ]")).collect();
        out + &format!("end:\n  %r = phi i64 [ 0, %b ], {}\n  ret i64 %r\n}}\n", inputs.join(", "))
    });
    is_linear("values that live on", |size| {
        let unit = |out: &mut String, index: usize| {
            let _ = writeln!(
                out,
                "b{index}:\n  %v{index} = load volatile i64, ptr %p\n  br label %b{}",
                index + 1
            );
        };
        let mut end = format!("b{size}:\n  %s0 = add i64 %v0, 1\n");
        for index in 1..size {
            let _ = writeln!(end, "  %s{index} = add i64 %s{}, %v{index}", index - 1);
        }
        function(size, unit, &format!("{end}  ret i64 %s{}", size - 1))
    });
}
