//! What the plugin leaves of a module and what it puts into the container, as text.
//!
//! Each `modules/NAME.ll` goes through `opt-22 -passes=autojit`; residue and container are compared with
//! `snapshots/NAME.txt`. `BLESS=1` writes the snapshots anew. The plugin is the one in `dist/`, which `scripts/build`
//! puts there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the plugin lies in the workspace").to_owned()
}

/// Modules whose text begins so are those of an optimised build.
const OPTIMISED: &str = "; At -O2";

fn opt(module: &Path, store: &Path) -> Output {
    run_opt(Command::new(concat!("opt-", env!("LLVM_RELEASE"))), module, store)
}

/// Runs opt, or what has opt as its last argument.
fn run_opt(mut command: Command, module: &Path, store: &Path) -> Output {
    let plugin = root().join("dist/lib/autojit.so");
    let text = std::fs::read_to_string(module).expect("a module");
    assert!(plugin.exists(), "{} is missing: run scripts/build", plugin.display());
    command
        .arg(format!("--load-pass-plugin={}", plugin.display()))
        .arg(if text.starts_with(OPTIMISED) { "-passes=autojit<O2>" } else { "-passes=autojit" })
        .args(["-S", "-o", "-"])
        .arg(module)
        .env("AUTOJIT_STORE", store)
        .env("AUTOJIT_LOG", "debug")
        .env("AUTOJIT_SOCKET_PATH", "/nowhere/autojitd.sock")
        .output()
        .expect("opt runs; scripts/setup installs it")
}

/// Snapshots must not depend on where the project lies or on the container's exact bytes.
fn stable(text: &str, store: &Path) -> String {
    let (mut out, mut staying) = (String::new(), false);
    for line in text.lines().filter(|line| !line.starts_with("; ModuleID")) {
        // The key: 32 bytes in one directive.
        let key = line.starts_with("module asm \".byte 0x") && line.matches("0x").count() == 32;
        // The beginning of it, in the section of what stays.
        let begin = staying && line != "module asm \".asciz \\22\\22\"";
        out.push_str(match (key, begin) {
            (true, _) => "module asm \".byte KEY\"",
            (_, true) => "module asm \".asciz \\22KEY\\22\"",
            _ => line,
        });
        out.push('\n');
        staying = line.contains("\".section .autojit.static,");
    }
    // The image's boot code is the trampoline crate's affair, which has its own snapshot.
    let boot = out.find("module asm \".pushsection");
    if let Some((start, end)) = boot.zip(out.rfind("module asm \".popsection\"\n")) {
        out.replace_range(start..end + "module asm \".popsection\"\n".len(), "(boot code)\n");
    }
    out.replace(store.to_str().expect("UTF-8"), "STORE")
}

fn describe(container: &[u8], name: &str) -> String {
    let container = autojit_store::Container::parse(container).expect("what the plugin wrote");
    assert!(container.verify());
    let mut out = format!("source {}\n", container.source());
    for (index, function) in container.functions().enumerate() {
        let import = function.import.map(|import| format!(", import {import}")).unwrap_or_default();
        let interposable = if function.interposable { ", interposable" } else { "" };
        out += &format!("function {index}: {} {:?}{import}{interposable}\n", function.name, function.kind);
    }
    for index in 0..container.import_count() {
        out += &format!("import {index}: {}\n", container.import_name(index).expect("in range"));
    }
    let bitcode = std::env::temp_dir().join(format!("autojit-snapshot-{}-{name}.bc", std::process::id()));
    std::fs::write(&bitcode, container.bitcode().expect("it unpacks"))
        .expect("a writable temporary directory");
    let text = Command::new(concat!("llvm-dis-", env!("LLVM_RELEASE")))
        .arg("-o")
        .arg("-")
        .arg(&bitcode)
        .output()
        .expect("llvm-dis-22 runs");
    std::fs::remove_file(&bitcode).expect("it is there");
    out + &String::from_utf8(text.stdout).expect("IR is UTF-8")
}

fn snapshot(name: &str) {
    let tests = root().join("plugin/tests");
    let store = std::env::temp_dir().join(format!("autojit-store-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&store).expect("a writable temporary directory");
    let output = opt(&tests.join(format!("modules/{name}.ll")), &store);
    let log = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{log}");
    let module = String::from_utf8(output.stdout).expect("UTF-8");
    let mut found = format!(
        "; log\n{}; residue\n{}",
        stable(&log.replace(root().to_str().unwrap(), ""), &store),
        stable(&module, &store)
    );
    for file in std::fs::read_dir(&store).expect("it was made above") {
        let bytes = std::fs::read(file.expect("an entry").path()).expect("readable");
        found += &format!("; container\n{}", stable(&describe(&bytes, name), &store));
    }
    std::fs::remove_dir_all(&store).expect("it was made above");

    let path = tests.join(format!("snapshots/{name}.txt"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &found).expect("writable");
    }
    let wanted = std::fs::read_to_string(&path).expect("a snapshot; BLESS=1 writes it");
    assert!(found == wanted, "{name} differs from its snapshot (BLESS=1 accepts it):\n{found}");
}

macro_rules! snapshots {
    ($($name:ident)*) => { $(#[test] fn $name() { snapshot(stringify!($name)); })* };
}

snapshots! { linkages constants values kinds stays aliases thread_local labels inlined sanitized names assembly indirect small }

#[test]
fn every_module_has_a_test() {
    let here = std::fs::read_dir(root().join("plugin/tests/modules")).expect("the modules").count();
    let source = std::fs::read_to_string(root().join("plugin/tests/snapshots.rs")).expect("this file");
    let list = source.split("snapshots! {").nth(1).and_then(|rest| rest.split('}').next()).expect("the list");
    assert_eq!(list.split_whitespace().count(), here);
}

/// What a constant of each of LLVM's kinds looks like in `kinds.ll`.
const KINDS: [(&str, &str); 22] = [
    ("UndefValue", "i32 undef"),
    ("PoisonValue", "i32 poison"),
    ("ConstantAggregateZero", "[2 x i16] zeroinitializer"),
    ("ConstantDataArray", "[2 x i16] [i16 1"),
    ("ConstantDataVector", "<2 x i16> <i16 1"),
    ("ConstantInt", "i32 1"),
    ("ConstantFP", "float 1.0"),
    ("ConstantTargetNone", "target(\"spirv.Event\") zeroinitializer"),
    ("ConstantPointerNull", "ptr null"),
    ("ConstantTokenNone", "token none"),
    ("ConstantArray", "[2 x ptr] [ptr @"),
    ("ConstantStruct", "{ i32 1, ptr @"),
    ("ConstantVector", "<2 x ptr> <ptr @"),
    ("Function", "[2 x ptr] [ptr @variable, ptr @first]"),
    ("GlobalAlias", "(ptr @alias)"),
    ("GlobalIFunc", "(ptr @resolved)"),
    ("GlobalVariable", "(ptr @table)"),
    ("BlockAddress", "blockaddress(@body"),
    ("ConstantExpr", "ptr getelementptr ("),
    ("DSOLocalEquivalent", "dso_local_equivalent @"),
    ("NoCFIValue", "no_cfi @"),
    ("ConstantPtrAuth", "ptrauth ("),
];

/// A kind that a new LLVM brings must be tried before the plugin meets it.
#[test]
fn every_kind_of_constant_is_tried() {
    let config = Command::new(concat!("llvm-config-", env!("LLVM_RELEASE")))
        .arg("--includedir")
        .output()
        .expect("llvm-config-22 runs");
    let headers = String::from_utf8(config.stdout).expect("a path");
    let path = Path::new(headers.trim()).join("llvm/IR/Value.def");
    let list = std::fs::read_to_string(&path).expect("LLVM's list of values");
    let module = std::fs::read_to_string(root().join("plugin/tests/modules/kinds.ll")).expect("the module");
    let mut kinds: Vec<&str> = list
        .lines()
        .filter_map(|line| {
            let (what, rest) = line.trim().strip_prefix("HANDLE_")?.split_once('(')?;
            let named = ["CONSTANT", "CONSTANT_EXCLUDE_LLVM_C_API", "GLOBAL_VALUE"].contains(&what);
            named.then(|| rest.trim_end_matches(')'))
        })
        .collect();
    kinds.sort_unstable();
    let mut tried = KINDS.map(|(kind, _)| kind);
    tried.sort_unstable();
    assert_eq!(kinds, tried);
    let missing: Vec<_> = KINDS.iter().filter(|(_, text)| !module.contains(text)).collect();
    assert!(missing.is_empty(), "kinds.ll has no {missing:?}");
}

/// The stub module is written after globals were erased. Reading one of them often goes unnoticed, or crashes rustc.
#[test]
fn erased_globals_are_not_read() {
    let store = std::env::temp_dir().join(format!("autojit-snapshots-{}-erased", std::process::id()));
    let mut valgrind = Command::new("valgrind");
    // The plugin has a C++ runtime of its own, which allocates what the host's frees.
    valgrind.args([
        "--quiet",
        "--error-exitcode=9",
        "--show-mismatched-frees=no",
        concat!("opt-", env!("LLVM_RELEASE")),
    ]);
    let output = run_opt(valgrind, &root().join("plugin/tests/modules/linkages.ll"), &store);
    let _ = std::fs::remove_dir_all(&store);
    let text = String::from_utf8_lossy(&output.stderr);
    let memory: Vec<&str> = text.lines().filter(|line| line.starts_with("==")).collect();
    assert!(output.status.success() && memory.is_empty(), "{}:\n{}", output.status, memory.join("\n"));
}
