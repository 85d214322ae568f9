//! What is in a batch's object: definitions, references and their kinds, code at each optimisation level, debug
//! information.

mod common;

use autojit_abi::OpenOptions;
use autojit_store::{FunctionKind, StoredFunction};
use common::{AS_BUILT, Module, Parsed, container_of_c, level};
use goblin::elf::reloc::{
    R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_PC32, R_X86_64_PLT32, R_X86_64_REX_GOTPCRELX,
};

const GOT: [u32; 3] = [R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_REX_GOTPCRELX];

/// `a` calls `b` and `d`, `b` calls `c`.
const CHAIN: &str = "
    target triple = \"x86_64-pc-linux-gnu\"
    define i32 @a(i32 %x) { %1 = call i32 @b(i32 %x)  %2 = call i32 @d(i32 %1)  ret i32 %2 }
    define i32 @b(i32 %x) { %1 = call i32 @c(i32 %x)  ret i32 %1 }
    define i32 @c(i32 %x) { %1 = add i32 %x, 1  ret i32 %1 }
    define i32 @d(i32 %x) { %1 = mul i32 %x, 3  ret i32 %1 }";
const CHAIN_NAMES: [&str; 4] = ["a", "b", "c", "d"];

#[test]
fn defines_what_was_claimed() {
    let container = common::container_of(CHAIN, &CHAIN_NAMES, level(0));
    let mut module = Module::open(&container, AS_BUILT).unwrap();
    let mut asked = Vec::new();
    let object = module.compile(0, |index| {
        asked.push(index);
        index == 1
    });
    let object = object.unwrap();
    let parsed = Parsed::new(&object);
    assert_eq!(parsed.defined(), ["a", "b"]);
    assert_eq!(parsed.undefined(), ["c", "d"]);
    assert_eq!(asked, [1, 3, 2], "breadth first, each once");

    let rest = module.compile(2, |_| true).unwrap();
    assert_eq!(Parsed::new(&rest).defined(), ["c"]);
}

#[test]
fn takes_callees_up_to_the_limit() {
    let container = common::container_of(CHAIN, &CHAIN_NAMES, level(0));
    for (batch_limit, expected) in
        [(1, &["a"][..]), (2, &["a", "b"]), (3, &["a", "b", "d"]), (0, &CHAIN_NAMES)]
    {
        let mut module = Module::open(&container, OpenOptions { batch_limit, ..AS_BUILT }).unwrap();
        let object = module.compile(0, |_| true).unwrap();
        assert_eq!(Parsed::new(&object).defined(), expected);
    }
}

#[test]
fn refers_by_relocation_to_everything_outside_and_to_functions_inside() {
    let ir = "
        target triple = \"x86_64-pc-linux-gnu\"
        @near = external dso_local global i32
        @far = external global i32
        @text = private unnamed_addr constant [3 x i8] c\"hi\\00\"
        @unused = private unnamed_addr constant [7 x i8] c\"unused\\00\"
        declare i32 @puts(ptr)
        declare void @take(ptr)
        define i32 @a() noinline {
          %1 = load i32, ptr @near  %2 = load i32, ptr @far  %3 = add i32 %1, %2
          %4 = call i32 @puts(ptr @text)  call void @take(ptr @b)  call void @take(ptr @a)  %5 = call i32 @b()
          %6 = add i32 %3, %5  ret i32 %6
        }
        define i32 @b() noinline {
          %1 = call i32 @puts(ptr @text)  %2 = icmp eq i32 %1, 0  br i1 %2, label %again, label %end
        again:
          %3 = call i32 @a()  ret i32 %3
        end:
          ret i32 0
        }";
    for speed in [0, 2] {
        let container = common::container_of(ir, &["a", "b"], level(speed));
        let mut module = Module::open(&container, AS_BUILT).unwrap();
        let object = module.compile(0, |_| true).unwrap();
        let parsed = Parsed::new(&object);
        assert_eq!(parsed.defined(), ["a", "b"]);
        assert_eq!(parsed.undefined(), ["far", "near", "puts", "take"]);
        assert_eq!(parsed.relocations("near"), [R_X86_64_PC32]);
        assert_eq!(parsed.relocations("puts"), [R_X86_64_PLT32]);
        let far = parsed.relocations("far");
        assert!(far.len() == 1 && GOT.contains(&far[0]), "{far:?}");
        for function in ["a", "b"] {
            // Called and its address taken, within its own batch.
            let kinds = parsed.relocations(function);
            assert_eq!(kinds.len(), 2, "{function} at -O{speed}: {kinds:?}");
            assert!(kinds.contains(&R_X86_64_PLT32) && kinds.iter().any(|kind| GOT.contains(kind)));
        }
        assert!(
            !object.windows(6).any(|bytes| bytes == b"unused"),
            "a constant that nothing uses is in the object"
        );
    }
}

/// `outer` returns `inner() + 1`, and `inner` 41, in the bytes of `outer` if that was concluded.
fn outer_knows_inner(kind: FunctionKind, interposable: bool, attributes: &str, speed: u8) -> (bool, bool) {
    let ir = format!(
        "target triple = \"x86_64-pc-linux-gnu\"
         define i32 @outer() {{ %1 = call i32 @inner()  %2 = add i32 %1, 1  ret i32 %2 }}
         define i32 @inner() {attributes} {{ ret i32 41 }}"
    );
    let functions =
        [common::function("outer"), StoredFunction { kind, interposable, ..common::function("inner") }];
    let container = common::container(&common::assemble(&ir), &functions, level(speed));
    let mut module = Module::open(&container, AS_BUILT).unwrap();
    let mut claimed = false;
    let object = module.compile(0, |_| {
        claimed = true;
        true
    });
    let object = object.unwrap();
    let known = Parsed::new(&object).code("outer").windows(4).any(|bytes| bytes == 42_u32.to_le_bytes());
    (known, claimed)
}

#[test]
fn concludes_from_a_body_only_what_a_plain_build_may() {
    use FunctionKind::{Inline, Local, Stub};
    assert_eq!(outer_knows_inner(Local, false, "", 2), (true, true));
    assert_eq!(outer_knows_inner(Stub, false, "noinline", 2), (true, true), "the only definition");
    assert_eq!(
        outer_knows_inner(Inline, false, "", 2),
        (true, true),
        "equivalent definitions may be inlined"
    );
    assert_eq!(
        outer_knows_inner(Inline, false, "noinline", 2),
        (false, true),
        "and may differ in what they show"
    );
    assert_eq!(outer_knows_inner(Stub, true, "", 2), (false, false), "another definition may win");
    assert_eq!(outer_knows_inner(Local, false, "", 0), (false, true));
    assert!(!outer_knows_inner(Local, false, "alwaysinline", 0).1, "it has no caller");
}

#[test]
fn inlines_bodies_of_functions_that_are_compiled_elsewhere() {
    let ir = "
        target triple = \"x86_64-pc-linux-gnu\"
        define i32 @a(i32 %x) { %1 = call i32 @small(i32 %x)  %2 = call i32 @kept(i32 %1)  %3 = call i32 @forced(i32 %2)
                                ret i32 %3 }
        define i32 @small(i32 %x) { %1 = add i32 %x, 1  ret i32 %1 }
        define i32 @kept(i32 %x) noinline { %1 = add i32 %x, 1  ret i32 %1 }
        define available_externally i32 @forced(i32 %x) alwaysinline { %1 = call i32 @deep(i32 %x)  ret i32 %1 }
        define available_externally i32 @deep(i32 %x) alwaysinline { %1 = add i32 %x, 1  ret i32 %1 }";
    for (speed, undefined) in [(0, &["kept", "small"][..]), (1, &["kept"]), (2, &["kept"])] {
        let container = common::container_of(ir, &["a", "small", "kept"], level(speed));
        let mut module = Module::open(&container, AS_BUILT).unwrap();
        // Twice: the bodies are still there for the next batch.
        for _ in 0..2 {
            let object = module.compile(0, |_| false).unwrap();
            let parsed = Parsed::new(&object);
            assert_eq!(parsed.defined(), ["a"]);
            assert_eq!(parsed.undefined(), undefined, "at -O{speed}");
        }
    }
}

#[test]
fn optimises_more_when_the_user_asks() {
    let source = "int f(int n) { int sum = 0; for (int i = 0; i < 100; i++) sum += n; return sum; }";
    let container = common::container_of_c(source, &["-O0"], &["f"], level(0));
    let size = |opt_override| {
        let mut module = Module::open(&container, OpenOptions { opt_override, ..AS_BUILT }).unwrap();
        let object = module.compile(0, |_| true).unwrap();
        Parsed::new(&object).code("f").len()
    };
    assert_eq!(size(-1), size(0));
    assert!(size(2) * 3 < size(0), "{} bytes at -O2, {} at -O0", size(2), size(0));
}

#[test]
fn every_level_computes_the_same() {
    let source = include_str!("objects/everything.c");
    let names = ["helper", "choose", "jump", "run"];
    let mut results: Vec<Vec<i32>> = Vec::new();
    for (speed, size) in [(0, 0), (1, 0), (2, 0), (3, 0), (2, 1), (2, 2)] {
        for batch_limit in [0, 1] {
            let flag = ["-O0", "-O1", "-O2", "-O3"][usize::from(speed)];
            let container = common::container_of_c(
                source,
                &[flag, "-g"],
                &names,
                autojit_store::OptLevel { speed, size },
            );
            let mut module = Module::open(&container, OpenOptions { batch_limit, ..AS_BUILT }).unwrap();
            // All functions, in one or more objects: the linker joins them.
            let mut done = [false; 4];
            let mut objects = Vec::new();
            for index in [3, 0, 1, 2] {
                if !std::mem::replace(&mut done[index as usize], true) {
                    let claim = |index: u32| !std::mem::replace(&mut done[index as usize], true);
                    objects.push(module.compile(index, claim).unwrap().to_vec());
                }
            }
            assert!(done.iter().all(|done| *done));
            let loaded = common::Loaded::new(&format!("same-{speed}-{size}-{batch_limit}"), &objects);
            results.push((-3..80).map(|x| loaded.call(c"run", x)).collect());
        }
    }
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
    // x = 4: helper 2.0*3+2.25 = 8, +4; choose 4 (default), jump 2; "4-text-2.00" is 11 long; '4' is 52.
    assert_eq!(results[0][7], 12 + 400 + 2 + 11 + 52);
}

const DEBUGGED: &str = "
    struct node { struct node *next; struct other { long a, b, c; char name[16]; } *other; int value; };
    int f(struct node *list) {
        int sum = 0;
        for (struct node *n = list; n; n = n->next) sum += n->value;
        return sum;
    }";

#[test]
fn describes_lines_only() {
    for flags in [["-O0", "-g"], ["-O2", "-g"]] {
        let speed = if flags[0] == "-O2" { 2 } else { 0 };
        let container = common::container_of_c(DEBUGGED, &flags, &["f"], level(speed));
        let mut module = Module::open(&container, AS_BUILT).unwrap();
        let object = module.compile(0, |_| true).unwrap();
        let parsed = Parsed::new(&object);
        assert!(!parsed.section(".debug_line").is_empty(), "no lines with {flags:?}");
        assert!(!object.windows(5).any(|bytes| bytes == b"other"), "types with {flags:?}");
        assert!(object.len() < 3000, "{} bytes with {flags:?}", object.len());
    }
}

#[test]
fn describes_types_when_asked() {
    // The engine reads its environment, so this runs in a process of its own.
    const CHILD: &str = "AUTOJIT_TEST_FULL_DEBUG_CHILD";
    if std::env::var_os(CHILD).is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "describes_types_when_asked", "--nocapture"]);
        assert!(child.env(CHILD, "1").env("AUTOJIT_ENGINE_FULL_DEBUG", "1").status().unwrap().success());
        return;
    }
    for (flag, speed) in [("-O0", 0), ("-O2", 2)] {
        let container = common::container_of_c(DEBUGGED, &[flag, "-g"], &["f"], level(speed));
        let mut module = Module::open(&container, AS_BUILT).unwrap();
        let object = module.compile(0, |_| true).unwrap();
        assert!(Parsed::new(&object).section(".debug_str").windows(5).any(|bytes| bytes == b"other"));
    }
}

#[test]
fn a_large_function_comes_alone() {
    let of = |lines: usize| {
        let body = "a = a * 3 + 1;".repeat(lines);
        let source = format!("int g(int a) {{ return a; }} int f(int a) {{ {body} return g(a); }}");
        let container = container_of_c(&source, &["-O0"], &["f", "g"], level(0));
        let mut module = Module::open(&container, AS_BUILT).unwrap();
        let object = module.compile(0, |_| true).unwrap();
        Parsed::new(&object).defined().join(" ")
    };
    assert_eq!(of(2), "f g");
    assert_eq!(of(80), "f");
}

#[test]
fn calls_that_leave_the_batch_lie_within_words() {
    // Instructions of all lengths lie between the calls, and one is a tail call where there is optimisation.
    let source = "
        long g(long, const char *); void h(void);
        long f(long a, volatile char *b) {
            h(); a += g(a, \"\"); h(); *b = 1; h(); b[200] = 2; h(); a ^= g(a & 0x123456789a, 0); h(); h();
            return g(a, \"x\");
        }";
    for (flag, speed, size) in [("-O0", 0, 0), ("-O2", 2, 0), ("-Os", 2, 1), ("-Oz", 2, 2)] {
        let level = autojit_store::OptLevel { speed, size };
        let container = container_of_c(source, &[flag, "-g"], &["f"], level);
        let object = Module::open(&container, AS_BUILT).unwrap().compile(0, |_| true).unwrap();
        let mut branches = Vec::new();
        for (site, align, opcode) in Parsed::new(&object).branches() {
            assert!(align >= 8 && (site + 1) % 8 <= 4, "{flag}: a displacement at {:#x}", site + 1);
            branches.push(opcode);
        }
        let tail = if speed == 0 { 0xe8 } else { 0xe9 };
        assert_eq!(branches, [[0xe8; 8].as_slice(), &[tail]].concat(), "{flag}");
    }
}
