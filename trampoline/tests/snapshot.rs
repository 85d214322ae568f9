//! The emitted text, as it is. After a change that is meant: BLESS=1 cargo test --test snapshot, and read the diff.

use std::path::Path;

use autojit_trampoline::emit::{Binding, Import, Stub, StubModule, Text, Visibility};
use autojit_trampoline::lines::{File, Unit};

fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (is, was)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(is, was, "{}:{}: see tests/snapshot.rs", path.display(), number + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "{}", path.display());
}

#[test]
fn stubs() {
    let plain = Stub {
        symbol: "plain".into(),
        binding: Binding::Global,
        visibility: Visibility::Default,
        group: None,
        index: 0,
        endbr64: false,
        align: 0,
    };
    let mut text = Text::default();
    let grouped = Stub {
        symbol: "_ZN1SC2Ev".into(),
        binding: Binding::Weak,
        visibility: Visibility::Hidden,
        group: Some("_ZN1SC5Ev".into()),
        index: 7,
        endbr64: true,
        align: 64,
    };
    let odd = Stub { symbol: "odd name".into(), binding: Binding::Local, index: 8, ..plain.clone() };
    text.stubs(&[plain, grouped, odd]);
    text.alias("other name", Binding::Global, Visibility::Protected, "plain");
    check("stubs.s", &text.0);
}

#[test]
fn modules() {
    let import = |symbol: &'static str, weak, hidden, callee| Import {
        symbol: symbol.into(),
        stub: None,
        replaceable: false,
        weak,
        hidden,
        callee,
    };
    let got = [import("stdout", false, false, false), import("maybe", true, false, false)];
    let direct = [
        import("mine", false, true, false),
        Import { stub: Some(3), ..import("own", false, false, false) },
        Import { replaceable: true, ..import("another", false, false, false) },
        import("puts", false, false, true),
    ];
    let mut text = Text::default();
    text.module(&StubModule {
        key: std::array::from_fn(|index| index as u8),
        functions: 9,
        source: "dir/unit \"1\".c",
        store_dir: Some(b"/var/store\xff\""),
        runtime: b"",
        got: &got,
        direct: &direct,
    });
    // The boot code has a snapshot of its own.
    let boot = autojit_trampoline::boot::text(b"");
    check("module-directory.s", text.0.strip_suffix(&boot).unwrap());

    let mut text = Text::default();
    text.module(&StubModule {
        key: [0; 32],
        functions: 1,
        source: "a.c",
        store_dir: None,
        runtime: b"",
        got: &[],
        direct: &[],
    });
    check("module-embedded.s", text.0.strip_suffix(&boot).unwrap());
}

#[test]
fn lines() {
    let file = |directory: &str, name: &str| File { directory: directory.into(), name: name.into() };
    let unit = file("/src", "unit.c");
    let files = [unit.clone(), file("/src", "/usr/include/inline.h"), file("/src/part", "odd \"name\".h")];
    let mut text = Text::default();
    let key = std::array::from_fn(|index| index as u8);
    text.lines(&Unit { file: &unit, language: 0x1d, files: &files, main: Some(3), key });
    text.lines(&Unit { file: &unit, language: 0x1d, files: &files[..1], main: None, key });
    check("lines.s", &text.0);
}

#[test]
fn boot() {
    check("boot.s", &autojit_trampoline::boot::text(b""));
}
