//! What cannot be compiled: messages that name function, file and reason, and nothing on stderr.

mod common;

use common::{AS_BUILT, Module, Parsed, level};

const TRIPLE: &str = "target triple = \"x86_64-pc-linux-gnu\"\n";

#[test]
fn refuses_what_is_no_container() {
    let error = Module::open(
        b"no container at all, just some text of sufficient length to hold a header, ......... \
                               and some more.",
        AS_BUILT,
    )
    .err()
    .expect("an error");
    assert!(error.contains("no container"), "{error}");

    let container =
        common::container_of(&format!("{TRIPLE}define void @f() {{ ret void }}"), &["f"], level(0));
    for end in [0, 7, 50, container.len() / 2, container.len() - 8] {
        assert!(Module::open(&container[..end], AS_BUILT).is_err(), "{end} bytes are enough?");
    }
    let mut altered = container.clone();
    let last = altered.len() - 20;
    altered[last] ^= 1;
    let error = Module::open(&altered, AS_BUILT).err().expect("an error");
    assert!(error.contains("damaged"), "{error}");
}

#[test]
fn refuses_what_is_no_bitcode() {
    let error =
        Module::open(&common::container(b"not bitcode!", &[], level(0)), AS_BUILT).err().expect("an error");
    assert!(error.contains("test.c"), "{error}");

    // A foreign machine's: the engine has no code generator for it.
    let foreign = common::assemble("target triple = \"aarch64-linux-gnu\"\ndefine void @f() { ret void }");
    let container = common::container(&foreign, &[common::function("f")], level(0));
    let error = Module::open(&container, AS_BUILT).err().expect("an error");
    assert!(error.contains("aarch64") && error.contains("test.c"), "{error}");
}

#[test]
fn refuses_unknown_options() {
    let bitcode = common::assemble(&format!("{TRIPLE}define void @f() {{ ret void }}"));
    let open = |options| {
        let container = common::container_with(options, &bitcode, &[common::function("f")], level(2));
        Module::open(&container, AS_BUILT).err()
    };
    for known in ["", "unroll=0 slp=1 contract=2", "bounds-checking<trap>", "align-loops=32"] {
        assert_eq!(open(known), None, "{known}");
    }
    for unknown in ["no-such-option=1", "unroll", "unroll=x", "bounds-checking<sideways>", "slp=0 other"] {
        let error = open(unknown).expect("an error");
        assert!(error.contains("an option that this engine does not know"), "{unknown}: {error}");
    }
}

#[test]
fn applies_options() {
    // A sum that is vectorised and unrolled, an access that can be checked, and an end that nothing reaches.
    let source =
        "int sum(const int *x, int n) { int s = 0; for (int i = 0; i < n; i++) s += x[i]; return s; }
                  int read(int i) { int a[2] = {1, 2}, *p = a; return p[i]; }
                  void stop(void); void stops(void) { stop(); __builtin_unreachable(); }";
    let mut clang = std::process::Command::new(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/clang"));
    clang.args([
        "-x",
        "c",
        "-O2",
        "-fPIC",
        "-Xclang",
        "-disable-llvm-passes",
        "-emit-llvm",
        "-c",
        "-o",
        "-",
        "-",
    ]);
    let bitcode = common::run(&mut clang, source.as_bytes());
    const NAMES: [&str; 3] = ["sum", "read", "stops"];
    let size = |function: usize, options| {
        let functions = NAMES.map(common::function);
        let container = common::container_with(options, &bitcode, &functions, level(2));
        let object = Module::open(&container, AS_BUILT).unwrap().compile(function as u32, |_| false).unwrap();
        Parsed::new(&object).code(NAMES[function]).len()
    };
    assert!(size(0, "vectorize=0 unroll=0 interleave=0") * 2 < size(0, ""));
    assert!(size(1, "bounds-checking<trap>") > size(1, ""));
    assert!(size(2, "trap-unreachable=1") > size(2, ""));
}

#[test]
fn refuses_an_unknown_function() {
    let ir = format!("{TRIPLE}define void @f() {{ ret void }}");
    let container = common::container_of(&ir, &["f", "ghost"], level(0));
    let mut module = Module::open(&container, AS_BUILT).unwrap();
    let error = module.compile(7, |_| true).err().expect("an error");
    assert!(error.contains('7') && error.contains("test.c"), "{error}");
    let error = module.compile(1, |_| true).err().expect("an error");
    assert!(error.contains("ghost") && error.contains("test.c"), "{error}");
    assert_eq!(Parsed::new(&module.compile(0, |_| true).unwrap()).defined(), ["f"]);
}

#[test]
fn names_function_file_and_reason_of_bad_assembly() {
    let ir =
        format!("{TRIPLE}define void @f() {{ call void asm sideeffect \"frobnicate\", \"\"()  ret void }}");
    for speed in [0, 2] {
        let container = common::container_of(&ir, &["f"], level(speed));
        let mut module = Module::open(&container, AS_BUILT).unwrap();
        for _ in 0..2 {
            let error = module.compile(0, |_| true).err().expect("an error");
            for part in ["f of test.c", "frobnicate"] {
                assert!(error.contains(part), "{part} is not in: {error}");
            }
        }
    }
}

#[test]
fn a_bad_callee_does_not_spoil_its_caller() {
    let ir = format!(
        "{TRIPLE}define i32 @good(i32 %x) {{ call void @bad()  %1 = add i32 %x, 1  ret i32 %1 }}
         define void @bad() noinline {{ call void asm sideeffect \"frobnicate\", \"\"()  ret void }}"
    );
    for speed in [0, 2] {
        let container = common::container_of(&ir, &["good", "bad"], level(speed));
        let mut module = Module::open(&container, AS_BUILT).unwrap();
        let mut claimed = Vec::new();
        let object = module.compile(0, |index| {
            claimed.push(index);
            true
        });
        let object = object.unwrap();
        assert_eq!(claimed, [1]);
        assert_eq!(Parsed::new(&object).defined(), ["good"]);
        assert_eq!(Parsed::new(&object).undefined(), ["bad"]);
        assert!(module.compile(1, |_| true).is_err());
    }
}

#[test]
fn refuses_to_copy_variables() {
    let ir = format!("{TRIPLE}@v = global i32 5\ndefine ptr @f() {{ ret ptr @v }}");
    let container = common::container_of(&ir, &["f"], level(0));
    let error = Module::open(&container, AS_BUILT).unwrap().compile(0, |_| true).err().expect("an error");
    assert!(error.contains("variable v") && error.contains("f of test.c"), "{error}");
}

#[test]
fn llvm_gives_up_with_a_message_and_sigabrt() {
    const CHILD: &str = "AUTOJIT_TEST_FATAL_CHILD";
    if std::env::var_os(CHILD).is_some() {
        // An instruction of another machine: the selector has nothing for it, and no way back.
        let ir = format!(
            "{TRIPLE}declare i32 @llvm.aarch64.crc32b(i32, i32)
             define i32 @f(i32 %x) {{ %1 = call i32 @llvm.aarch64.crc32b(i32 %x, i32 %x)  ret i32 %1 }}"
        );
        let container = common::container_of(&ir, &["f"], level(0));
        let _ = Module::open(&container, AS_BUILT).unwrap().compile(0, |_| true);
        unreachable!("LLVM cannot compile this");
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "llvm_gives_up_with_a_message_and_sigabrt", "--nocapture"]).env(CHILD, "1");
    let out = child.output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&out.status), Some(libc::SIGABRT), "{stderr}");
    assert!(
        stderr.contains("autojit: LLVM cannot compile f of test.c") && stderr.contains("crc32b"),
        "{stderr}"
    );
    assert_eq!(stderr.matches("autojit:").count(), 1, "{stderr}");
}
