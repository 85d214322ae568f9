//! Damaged bitcode is an error with a reason, or is read as what it says; never a panic, and never slow.

mod drive;

use std::path::Path;
use std::process::Command;

use autojit_bitcode::{Module, Reason};
use drive::drive;

/// Bitcode of IR text.
fn assemble(name: &str, text: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = directory.join(format!("damage-{name}.ll"));
    std::fs::write(&source, text).expect("the directory can be written to");
    let out = source.with_extension("bc");
    let mut command = Command::new("/usr/lib/llvm-22/bin/llvm-as");
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
    let reason = |bytes: &[u8]| Module::parse(bytes).map(|_| ()).expect_err("it is no module").reason;
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
