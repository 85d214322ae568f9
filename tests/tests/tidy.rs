//! The borders inside the project, and the habits that a reader relies on: checked on the source text.

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/folders.rs"]
mod folders;
#[path = "tidy/fork_locks.rs"]
mod fork_locks;
#[path = "tidy/profile.rs"]
mod profile;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the workspace").to_owned()
}

/// The files under version control whose names end so, with their text.
fn files(ending: &str) -> Vec<(String, String)> {
    let list = Command::new("git").arg("-C").arg(root()).args(["ls-files", "-z"]).output().expect("git runs");
    assert!(list.status.success(), "the tests run in a checkout");
    let list = String::from_utf8(list.stdout).expect("paths are UTF-8");
    let names: Vec<_> = list.split('\0').filter(|name| name.ends_with(ending)).map(str::to_owned).collect();
    assert!(!names.is_empty(), "no file ends with {ending}");
    let read = |name: String| std::fs::read_to_string(root().join(&name)).ok().map(|text| (name, text));
    names.into_iter().filter_map(read).collect()
}

/// Fails with the files for which `broken` gives a reason.
fn none(files: &[(String, String)], broken: impl Fn(&str, &str) -> Option<String>) {
    let found: Vec<_> =
        files.iter().filter_map(|(name, text)| Some(format!("{name}: {}", broken(name, text)?))).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The part of a file in front of its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().expect("split yields a first part")
}

#[test]
fn every_rust_file_says_what_it_is() {
    none(&files(".rs"), |name, text| {
        let program = name.starts_with("tests/sources/") || name.starts_with("tests/packages/");
        (!program && !text.starts_with("//!")).then(|| "does not open with //!".into())
    });
}

#[test]
fn no_rust_file_is_too_long() {
    none(&files(".rs"), |_, text| {
        let lines = text.lines().count();
        (lines > 620).then(|| format!("{lines} lines"))
    });
}

#[test]
fn only_plugin_and_engine_know_llvm() {
    // The bitcode reader is compared with LLVM in its tests.
    none(&files(".rs"), |name, text| {
        let theirs = ["plugin/", "engine/", "shared/bitcode/tests/"].iter().any(|dir| name.starts_with(dir));
        (!theirs && text.contains(concat!("llvm_", "sys"))).then(|| "names its bindings".into())
    });
    none(&files("Cargo.toml"), |name, text| {
        let theirs = ["Cargo.toml", "plugin/Cargo.toml", "engine/Cargo.toml"].contains(&name);
        let text = if name == "shared/bitcode/Cargo.toml" {
            text.split("[dev-dependencies]").next()
        } else {
            Some(text)
        };
        (!theirs && text.is_some_and(|text| text.contains("llvm-sys"))).then(|| "depends on llvm-sys".into())
    });
}

#[test]
fn assembly_has_its_places() {
    // Besides the trampoline's: raw system calls, a process on a stack of its own, and the unwinder symbols that the runtime
    // does without.
    const ROOMS: [&str; 3] =
        ["trampoline/src/arch/x86_64/", "shared/sys/src/arch/x86_64/", "preload/src/platform/arch/x86_64/"];
    none(&files(".rs"), |name, text| {
        let inside = ROOMS.iter().any(|room| name.starts_with(room)) || name.contains("tests/");
        let assembly = code(text).contains("asm!(");
        (!inside && assembly).then(|| "has assembly".into())
    });
}

/// Names that only code for one processor has.
const OF_A_PROCESSOR: [&str; 5] =
    ["R_X86_64_", "SHT_X86_64", "EM_X86_64", "std::arch::x86_64", "target_arch"];

#[test]
fn code_for_a_processor_has_its_rooms() {
    none(&files(".rs"), |name, text| {
        let inside = name.contains("/arch/x86_64/") || name.contains("tests/") || name.contains("/tests.rs");
        let found = OF_A_PROCESSOR.iter().find(|known| code(text).contains(*known));
        found.filter(|_| !inside).map(|known| format!("names {known}"))
    });
}

/// The release of LLVM is written in `.cargo/config.toml`; crates read it with `env!`, scripts from there.
#[test]
fn the_release_of_llvm_is_written_once() {
    // The library that the tests of the bitcode reader link: the attribute wants a literal.
    const ALLOWED: [&str; 1] = ["shared/bitcode/tests/llvm/compare.rs"];
    const RELEASE: &str = env!("LLVM_RELEASE");
    let names =
        ["clang-", "clang++-", "llvm-", "lld-", "opt-", "LLVM-", "LLVM ", "clang ", "Clang ", "autojit-"]
            .map(|name| format!("{name}{RELEASE}"));
    let mut all = files(".rs");
    all.extend(files("").into_iter().filter(|(name, _)| name.starts_with("scripts/")));
    let written = |text: &str| {
        let lines = code(text).lines().filter(|line| !line.trim_start().starts_with("//"));
        lines
            .filter(|line| !line.trim_start().starts_with("# "))
            .find(|line| names.iter().any(|name| line.contains(name.as_str())))
            .map(|line| format!("names the release: {}", line.trim()))
    };
    none(&all, |name, text| written(text).filter(|_| !ALLOWED.contains(&name)));
    assert!(written(&format!("    Command::new(\"clang-{RELEASE}\")")).is_some());
}

#[test]
fn store_and_abi_need_no_unsafe_code() {
    let store = std::fs::read_to_string(root().join("shared/store/src/lib.rs")).expect("it is there");
    assert!(store.contains("#![forbid(unsafe_code)]"));
    none(&files(".rs"), |name, text| {
        let safe = name.starts_with("shared/abi/");
        (safe && code(text).contains("unsafe {")).then(|| "has an unsafe block".into())
    });
}

/// The names of functions in `text` that come from the crate libc: called, or taken the address of.
fn functions_of_libc(text: &str) -> impl Iterator<Item = &str> {
    text.split("libc::").skip(1).filter_map(|rest| {
        let end = rest.find(|next: char| !next.is_alphanumeric() && next != '_')?;
        let (name, behind) = rest.split_at(end);
        // Types are in lower case as well; constants and macros are not.
        let function = name.trim_start_matches('_').starts_with(char::is_lowercase)
            && (behind.starts_with('(') || behind.starts_with(" as "));
        function.then_some(name)
    })
}

/// Where the code lies that runs in the program.
const RUNTIME: [&str; 11] = [
    "preload/src/",
    "shared/sys/src/",
    "shared/code/src/",
    "shared/cache/src/",
    "shared/options/src/",
    "preload/baseline/src/",
    "shared/bitcode/src/",
    "shared/abi/src/",
    "shared/protocol/src/",
    "shared/store/src/",
    "trampoline/src/",
];

/// In the program's process, `libc::malloc` would be the runtime's own, and all others would bind to what the program may
/// have replaced: the runtime makes system calls, and looks up what only the C library can do.
#[test]
fn the_runtime_calls_no_function_of_the_c_library() {
    const ALLOWED: [(&str, &str); 0] = [];
    none(&files(".rs"), |name, text| {
        if !RUNTIME.iter().any(|folder| name.starts_with(folder)) {
            return None;
        }
        let broken = functions_of_libc(code(text)).find(|function| !ALLOWED.contains(&(name, *function)));
        broken.map(|function| format!("calls the C library's {function}"))
    });
}

#[test]
fn functions_of_libc_are_recognised() {
    let text = "libc::stat, libc::free(block), libc::PROT_READ | libc::malloc as usize, libc::WEXITSTATUS(0)";
    assert_eq!(functions_of_libc(text).collect::<Vec<_>>(), ["free", "malloc"]);
}

#[test]
fn nothing_is_left_for_later() {
    const MARKS: [&str; 3] = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[ign", "ore")];
    none(&files(".rs"), |_, text| MARKS.iter().find(|mark| text.contains(*mark)).map(|mark| (*mark).into()));
}

#[test]
fn decisions_are_numbered_and_short() {
    let decisions: Vec<_> =
        files(".md").into_iter().filter(|(name, _)| name.starts_with("docs/decisions/")).collect();
    for (number, (name, text)) in decisions.iter().enumerate() {
        assert!(name.contains(&format!("/{:04}-", number + 1)), "{name} is not number {}", number + 1);
        assert!(text.contains("**Rejected"), "{name} does not say what was rejected");
        assert!(text.lines().count() < 60, "{name} is over a page");
    }
}

#[test]
fn design_stays_short() {
    let design = std::fs::read_to_string(root().join("DESIGN.md")).expect("it is there");
    assert!(design.lines().count() < 80);
}
