//! Damaged bitcode is an error with a reason, or is read as what it says; never a panic, and never slow.

mod drive;

use std::path::Path;
use std::process::Command;

use autojit_bitcode::{BitcodeModule, Parts, Reason, cut, join, split};
use drive::{apart, drive, in_parts, kept};

/// Bitcode of IR text.
fn assemble(name: &str, text: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = directory.join(format!("damage-{name}.ll"));
    std::fs::write(&source, text).expect("the directory can be written to");
    let out = source.with_extension("bc");
    let mut command = Command::new(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/llvm-as"));
    let output =
        command.arg("-disable-verify").arg(&source).arg("-o").arg(&out).output().expect("the assembler runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(out).expect("it was written")
}

fn kinds() -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ir/kinds.ll");
    assemble("kinds", &std::fs::read_to_string(file).expect("it is there"))
}

#[test]
fn truncated_modules_are_errors() {
    let bytes = kinds();
    assert!(drive(&bytes).expect("it is whole") >= 11);
    for length in 0..bytes.len() {
        assert!(drive(&bytes[..length]).is_err(), "cut off at {length}");
    }
}

/// The parts of a module say what the whole says (drive compares), and whole parts are whole.
#[test]
fn parts_are_read_as_the_whole() {
    let text = "define void @f() !dbg !3 { ret void, !dbg !5 }\n!llvm.dbg.cu = !{!0}\n!llvm.module.flags = !{!2}
        !0 = distinct !DICompileUnit(language: DW_LANG_C, file: !1, emissionKind: FullDebug)
        !1 = !DIFile(filename: \"a\", directory: \"b\")\n!2 = !{i32 2, !\"Debug Info Version\", i32 3}
        !3 = distinct !DISubprogram(name: \"f\", file: !1, line: 1, type: !4, unit: !0, spFlags: DISPFlagDefinition)
        !4 = !DISubroutineType(types: !{})\n!5 = !DILocation(line: 7, scope: !3)";
    let described = assemble("described", text);
    assert!(in_parts(&described, &BitcodeModule::parse(&described).expect("it is whole")));
    assert!(!cut(&described).expect("it has all parts").metadata.is_empty());
    for bytes in [&described, &kinds()] {
        assert_eq!(apart(bytes), kept(bytes));
    }
    let bytes = kinds();
    assert!(in_parts(&bytes, &BitcodeModule::parse(&bytes).expect("it is whole")));
    let cut = cut(&bytes).expect("it has all parts");
    assert_eq!(cut.metadata.start, cut.head.end);
    assert!(cut.bodies.len() >= 11 && cut.bodies.is_sorted() && cut.bodies[0] == cut.middle.end);
    let kept = kept(&bytes).expect("it has all parts");
    assert!(drive(&kept).is_ok() && kept.len() <= bytes.len());
    let parts = [cut.head, cut.middle, cut.strings].map(|part| &bytes[part]);
    let open =
        |[head, middle, strings]: [&[u8]; 3]| BitcodeModule::open(Parts { head, middle, strings }).map(drop);
    assert!(open(parts).is_ok());
    for part in 0..3 {
        for length in (0..parts[part].len()).step_by(4) {
            let mut damaged = parts;
            damaged[part] = &parts[part][..length];
            // Without its last blocks, a part may be one of another module.
            assert!(open(damaged).is_err() || part < 2, "part {part} cut off at {length}");
        }
        for position in 0..parts[part].len() {
            let mut bytes = parts[part].to_vec();
            bytes[position] ^= 1 << (position % 8);
            let mut damaged = parts;
            damaged[part] = &bytes;
            let _ = open(damaged);
        }
    }
}

/// Notes that are damaged, or another module's, are an error, or are put in.
#[test]
fn damaged_notes_are_errors() {
    let mut text = String::from("define i32 @f(i32 %a) !dbg !3 {\n");
    for line in 0..300 {
        text += &format!("  %v{line} = add i32 %a, {line}, !dbg !{}\n", 10 + line / 2);
    }
    text += "  ret i32 %v7\n}\n!llvm.dbg.cu = !{!0}\n!llvm.module.flags = !{!2}
        !0 = distinct !DICompileUnit(language: DW_LANG_C, file: !1, emissionKind: FullDebug)
        !1 = !DIFile(filename: \"a\", directory: \"b\")\n!2 = !{i32 2, !\"Debug Info Version\", i32 3}
        !3 = distinct !DISubprogram(name: \"f\", file: !1, line: 1, type: !4, unit: !0, spFlags: DISPFlagDefinition)
        !4 = !DISubroutineType(types: !{})\n";
    for line in 0..150 {
        text += &format!(
            "!{} = !DILocation(line: {}, column: {}, scope: !3)\n",
            10 + line,
            line * 7 % 100,
            line % 9
        );
    }
    let bytes = assemble("noted", &text);
    assert_eq!(apart(&bytes), kept(&bytes));
    let cut = cut(&bytes).expect("it has all parts");
    let split = split(&bytes, &cut).expect("it has locations");
    assert!(split.bodies.len() < cut.tail.start - cut.bodies[0] && split.notes.len() > 600);
    let front = [cut.head, cut.metadata, cut.middle].map(|part| &bytes[part]);
    let back = [cut.tail, cut.strings].map(|part| &bytes[part]);
    let join = |notes: &[u8]| join(front, &[&split.bodies], notes, back);
    let whole = join(&split.notes).expect("they are whole");
    for at in 0..split.notes.len() {
        // Where a note ends, they are those of a shorter body.
        assert!(join(&split.notes[..at]).is_ok_and(|other| other != whole) || at > 0);
        let mut notes = split.notes.clone();
        notes[at] ^= 1 << (at % 8);
        if let Ok(other) = join(&notes) {
            assert!(other.len() < 100 * bytes.len());
            let _ = drive(&other);
        }
    }
    let more = [&split.notes[..], &split.notes[13..]].concat();
    assert!(join(&more).is_err(), "more notes than instructions");
}

/// A group of bodies that is damaged has no starts; a body that is another one's, or none, is an error or is read.
#[test]
fn damaged_groups_are_errors() {
    let bytes = kinds();
    let cut = cut(&bytes).expect("it has all parts");
    let module = BitcodeModule::open(Parts {
        head: &bytes[cut.head],
        middle: &bytes[cut.middle],
        strings: &bytes[cut.strings],
    });
    let module = module.expect("it is whole");
    let group = &bytes[cut.bodies[0]..cut.tail.start];
    let starts = module.blocks(group).expect("it is whole");
    let mut body = autojit_bitcode::FunctionBody::default();
    for length in 0..group.len() {
        let whole = starts.contains(&(length as u32));
        assert_eq!(module.blocks(&group[..length]).is_ok(), whole, "cut off at {length}");
    }
    let functions: Vec<_> =
        (0..module.globals().len() as u32).filter(|&global| module.has_body(global)).collect();
    for &function in &functions {
        for start in (0..group.len()).step_by(4) {
            let _ = module.read_block(function, &group[start..], &mut body);
        }
    }
    for position in 0..group.len() {
        let mut damaged = group.to_vec();
        damaged[position] ^= 1 << (position % 8);
        let _ = module.blocks(&damaged);
        let last = starts.partition_point(|&start| start as usize <= position) - 1;
        let _ = module.read_block(functions[last], &damaged[starts[last] as usize..], &mut body);
    }
    assert!(module.read_block(functions[0], &[], &mut body).is_err());
}

#[test]
fn each_byte_can_be_changed() {
    let bytes = kinds();
    let mut errors = 0;
    for position in 0..bytes.len() {
        for flip in [1 << (position % 8), 0xff] {
            let mut damaged = bytes.clone();
            damaged[position] ^= flip;
            errors += usize::from(drive(&damaged).is_err());
        }
    }
    // Most of the module is names, metadata and bodies, whose damage is not the module's.
    assert!(errors > bytes.len() / 8, "{errors} errors");
}

#[test]
fn foreign_bytes_have_their_reasons() {
    let reason = |bytes: &[u8]| BitcodeModule::parse(bytes).map(|_| ()).expect_err("it is no module").reason;
    assert_eq!(reason(b""), Reason::NotBitcode);
    assert_eq!(reason(b"\x7fELF\x02\x01\x01\0"), Reason::NotBitcode);
    assert_eq!(reason(b"BC\xc0\xde"), Reason::Structure);
    let mut two = kinds();
    two.extend_from_slice(&kinds());
    assert_ne!(reason(&two), Reason::NotBitcode);
}

/// A few bits of input do not become a megabyte each.
#[test]
fn constants_of_great_width_are_refused() {
    for value in ["0", "-1"] {
        let bytes = assemble("wide", &format!("@a = global i8388608 {value}\n@b = global i4096 {value}"));
        assert_eq!(drive(&bytes).map_err(|error| error.reason), Err(Reason::Unsupported));
    }
    assert_eq!(drive(&assemble("narrow", "@a = global i4096 0")), Ok(0));
}

/// The processor time of this thread so far: other tests run beside this one.
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts it");
    text.split_whitespace().next().and_then(|first| first.parse().ok()).expect("nanoseconds")
}

/// A function with its switch and constants that is twenty times as large takes no longer than twenty small ones.
#[test]
fn time_is_linear() {
    const SMALL: usize = 5_000;
    const TIMES: usize = 20;
    let make = |size: usize| {
        let mut text = String::from("define i64 @f(i64 %0) {\n switch i64 %0, label %d [\n");
        (0..size).for_each(|case| text += &format!("i64 {case}, label %d\n"));
        text += "]\nd:\n";
        (1..size).for_each(|value| text += &format!("%v{value} = add i64 %0, {}\n", value * 7));
        text += "ret i64 %0\n}\n@t = global [2 x i64] zeroinitializer\n";
        assemble(&format!("linear-{size}"), &text)
    };
    let time = |bytes: &[u8], times: usize| {
        let once = || {
            let start = processor_time();
            (0..times).for_each(|_| assert_eq!(drive(bytes), Ok(1)));
            processor_time() - start
        };
        (0..4).map(|_| once()).min().expect("four times") as f64
    };
    let (small, large) = (time(&make(SMALL), TIMES), time(&make(SMALL * TIMES), 1));
    // Quadratic time would be twenty times as long.
    assert!(large < small * 6.0, "{small} ns and {large} ns");
}
