//! The runtime by itself: hand-made programs, and an engine without LLVM. What the plugin and the real engine do with
//! whole languages is tested in the crate autojit-tests.

mod fixture;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use autojit_store::FunctionKind::{Inline, Local, Stub};
use fixture::{Scratch, Unit, count, runtime, text};

/// `main` calls a function with a stub, which calls one without.
fn small() -> Unit {
    Unit {
        source: "small.c",
        functions: &[
            (
                "main",
                Stub,
                "int printf(const char *, ...); int middle(int);
                 int main(void) { for (int i = 0; i < 3; i++) printf(\"%d\\n\", middle(i)); return 0; }",
            ),
            ("middle", Stub, "int inner(int); int middle(int i) { return inner(i) + inner(i + 1); }"),
            ("inner", Local, "int inner(int i) { return i * 10; }"),
        ],
        imports: &["printf"],
        ..Unit::default()
    }
}

#[test]
fn functions_are_compiled_when_they_are_called() {
    let scratch = Scratch::new("small");
    let program = scratch.program(&[small()], &[]);
    let stats = scratch.expect(&program, "10\n30\n50\n");
    assert_eq!(count(&stats, "functions"), 3);
    assert_eq!(count(&stats, "compiled"), 3);
    assert_eq!(count(&stats, "bound"), 3);
    assert_eq!(count(&stats, "batches"), 3);
    assert_eq!(count(&stats, "resolver_calls"), 3);
    // The call of middle in main, and the two of inner in middle; not those that cross an 8-byte boundary.
    assert!((1..=3).contains(&count(&stats, "callsites_rewritten")), "{stats}");
    assert!(stats.contains("\"mode\": \"inprocess\"") && stats.contains("program\""), "{stats}");
}

#[test]
fn every_kind_of_link_works() {
    for flags in [&["-no-pie"][..], &["-fuse-ld=lld", "-Wl,--gc-sections"], &["-s"], &["-Wl,-z,now"]] {
        let scratch = Scratch::new("links");
        let program = scratch.program(&[small()], flags);
        scratch.expect(&program, "10\n30\n50\n");
    }
}

#[test]
fn a_batch_is_published_together() {
    let scratch = Scratch::new("batch");
    let unit = Unit { batches: &[(0, "12")], ..small() };
    let program = scratch.program(&[unit], &[]);
    let stats = scratch.expect(&program, "10\n30\n50\n");
    assert_eq!((count(&stats, "compiled"), count(&stats, "batches")), (3, 1));
    assert_eq!(count(&stats, "resolver_calls"), 1);
}

/// Two units with the same inline function: one copy, one address. `pick` is local to each of them.
fn sharing() -> [Unit; 2] {
    const INLINE: &str = "static int calls; int common(void) { return ++calls; }";
    [
        Unit {
            source: "first.c",
            functions: &[
                (
                    "main",
                    Stub,
                    "int printf(const char *, ...); int common(void); int pick(void); int other(void);
                     typedef int function(void); function *address(void); function *volatile mine = common;
                     int main(void) {
                         printf(\"%d %d %d\\n\", common(), other(), common());
                         printf(\"%d %d\\n\", pick(), mine == address());
                         printf(\"%d\\n\", mine());
                         return 0;
                     }",
                ),
                ("common", Inline, INLINE),
                ("pick", Local, "int pick(void) { return 1; }"),
            ],
            imports: &["printf", "other", "address"],
            ..Unit::default()
        },
        Unit {
            source: "second.c",
            functions: &[
                (
                    "other",
                    Stub,
                    "int common(void), pick(void); int other(void) { return common() * pick(); }",
                ),
                ("address", Stub, "int common(void); int (*address(void))(void) { return common; }"),
                ("common", Inline, INLINE),
                ("pick", Local, "int pick(void) { return 100; }"),
            ],
            // If the engine takes `common` along, it must not get it.
            batches: &[(0, "2")],
            ..Unit::default()
        },
    ]
}

#[test]
fn an_inline_function_is_one_per_image_and_a_local_one_is_not() {
    let scratch = Scratch::new("sharing");
    let program = scratch.program(&sharing(), &[]);
    // Evaluated in this order: common() = 1, other() = 2 * 100, common() = 3.
    let stats = scratch.expect(&program, "1 200 3\n1 1\n4\n");
    assert_eq!(count(&stats, "compiled"), 6, "{stats}");
}

#[test]
fn a_static_copy_of_an_inline_function_gives_the_address() {
    for flags in [&[][..], &["-rdynamic"], &["-rdynamic", "-s"]] {
        let scratch = Scratch::new("static-inline");
        let unit = Unit {
            source: "main.c",
            functions: &[
                (
                    "main",
                    Stub,
                    "int printf(const char *, ...); int common(void); extern int (*table[])(void);
                     int main(void) { printf(\"%d\\n\", table[0] == common); return 0; }",
                ),
                ("common", Inline, "int common(void) { return 1; }"),
            ],
            imports: &["printf", "table"],
            plain: "__attribute__((weak)) int common(void) { return 1; } int (*table[])(void) = { common };",
            ..Unit::default()
        };
        let program = scratch.program(&[unit], flags);
        scratch.expect(&program, "1\n");
    }
}

#[test]
fn threads_that_call_the_same_function_first_compile_it_once() {
    let scratch = Scratch::new("threads");
    let unit = Unit {
        source: "threads.c",
        functions: &[("work", Stub, "long work(long i) { return i * 2; }")],
        plain: include_str!("runtime/threads.c"),
        ..Unit::default()
    };
    let program = scratch.program(&[unit], &["-pthread"]);
    let output =
        scratch.command(&program).env("AUTOJIT_STATS", "s").env("FAKE_ENGINE_FAULT", "slow").output();
    assert_eq!(text(&output.unwrap()), ("240\n".into(), String::new()));
    let stats = fs::read_to_string(scratch.file("s")).unwrap();
    assert_eq!((count(&stats, "compiled"), count(&stats, "batches")), (1, 1));
    assert!(count(&stats, "resolver_calls") > 1);
}

/// Children of every kind call functions for the first time; so does the parent afterwards.
fn forking() -> Unit {
    Unit {
        source: "forking.c",
        functions: &[
            ("one", Stub, "int one(void) { return 1; }"),
            ("two", Stub, "int one(void); int two(void) { return one() + 1; }"),
            ("three", Stub, "int two(void); int three(void) { return two() + 1; }"),
            ("four", Stub, "int three(void); int four(void) { return three() + 1; }"),
            ("five", Stub, "int four(void); int five(void) { return four() + 1; }"),
        ],
        plain: include_str!("runtime/signals.c"),
        imports: &[],
        ..Unit::default()
    }
}

#[test]
fn children_of_every_kind_work() {
    let scratch = Scratch::new("forking");
    let program = scratch.program(&[forking()], &[]);
    let stats = scratch.expect(&program, "fork 3\nclone 13\nvfork 22\nforks 35\nparent 5\n");
    // This process's: one; two in the vfork child, which shares the memory; the others.
    assert_eq!(count(&stats, "compiled"), 5);
    // The child that left through exit() wrote a file of its own.
    let children = fs::read_dir(&scratch.path).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.starts_with("stats.json.").then(|| fs::read_to_string(scratch.file(&name)).unwrap())
    });
    let children: Vec<_> = children.collect();
    assert_eq!(children.len(), 1);
    assert_eq!(count(&children[0], "compiled"), 3);
}

#[test]
fn a_fork_waits_for_a_thread_that_compiles() {
    let scratch = Scratch::new("fork-waits");
    let unit = Unit {
        source: "waits.c",
        functions: &[
            ("slow", Stub, "int slow(void) { return 1; }"),
            ("child", Stub, "int slow(void); int child(void) { return slow() + 6; }"),
        ],
        plain: include_str!("runtime/waits.c"),
        ..Unit::default()
    };
    let program = scratch.program(&[unit], &["-pthread"]);
    let output = scratch.command(&program).env("FAKE_ENGINE_FAULT", "slow").output().unwrap();
    assert_eq!(text(&output), ("7\n".into(), String::new()));
}

#[test]
fn what_cannot_be_compiled_ends_the_program_before_main_with_127() {
    let scratch = Scratch::new("faults");
    let program = scratch.program(&[small()], &[]);
    for (fault, cause) in [
        (
            "abi",
            &*format!("its interface has version 99, this runtime uses version {}", autojit_abi::ENGINE_ABI),
        ),
        ("open", "/program: fault in open"),
        ("compile", "generating code: fault in compile"),
        ("garbage", "linking its code: "),
    ] {
        let output = scratch.command(&program).env("FAKE_ENGINE_FAULT", fault).output().unwrap();
        let (stdout, stderr) = text(&output);
        assert_eq!((stdout.as_str(), output.status.code()), ("", Some(127)), "{stderr}");
        let start = "autojit: cannot compile function 'main' of small.c: ";
        assert!(stderr.starts_with(start) && stderr.contains(cause), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let output = scratch.command(&program).env("AUTOJIT_ENGINE_PATH", "nowhere.so").output().unwrap();
    let stderr = text(&output).1;
    assert_eq!(output.status.code(), Some(127));
    assert!(stderr.contains("nowhere.so: no such file or directory"), "{stderr}");
    // Silence leaves the exit code.
    let output = scratch
        .command(&program)
        .env("AUTOJIT_ENGINE_PATH", "nowhere.so")
        .env("AUTOJIT_LOG", "off")
        .output()
        .unwrap();
    assert_eq!((text(&output).1, output.status.code()), (String::new(), Some(127)));
}

#[test]
fn what_cannot_be_compiled_later_aborts() {
    let scratch = Scratch::new("late");
    let program = scratch.program(&[small()], &[]);
    let output = scratch.command(&program).env("FAKE_ENGINE_FAULT", "second").output().unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    let expected = "autojit: cannot compile function 'middle' of small.c: generating code: fault in compile; build \
                    its file without autojit\n";
    assert_eq!(text(&output).1, expected);
}

#[test]
fn an_undefined_symbol_is_named() {
    let scratch = Scratch::new("undefined");
    let unit = Unit {
        source: "undefined.c",
        functions: &[("main", Stub, "int nowhere(void); int main(void) { return nowhere(); }")],
        ..Unit::default()
    };
    let program = scratch.program(&[unit], &[]);
    let output = scratch.command(&program).output().unwrap();
    let stderr = text(&output).1;
    assert_eq!(output.status.code(), Some(127));
    assert!(stderr.contains("nowhere") && stderr.contains("no loaded library defines it"), "{stderr}");
}

#[test]
fn calls_that_code_generators_make_up_are_found() {
    let scratch = Scratch::new("made-up");
    let unit = Unit {
        source: "made_up.c",
        functions: &[(
            "main",
            Stub,
            "int printf(const char *, ...); typedef unsigned __int128 wide; struct big { char bytes[4000]; };
             extern wide a; extern struct big from, to;
             int main(void) { to = from; printf(\"%d %d\\n\", (int)(a / 7 % 1000), to.bytes[3999]); return 0; }",
        )],
        imports: &["printf", "a", "from", "to"],
        plain: "struct big { char bytes[4000]; } from = { { [3999] = 42 } }, to;
                unsigned __int128 a = (unsigned __int128)12345678 << 70;",
        ..Unit::default()
    };
    // Without libgcc_s, __udivti3 and __umodti3 come from the runtime.
    let program = scratch.program(&[unit], &[]);
    let wide = 12_345_678_u128 << 70;
    scratch.expect(&program, &format!("{} 42\n", wide / 7 % 1000));
}

#[test]
fn unwinders_pass_through_compiled_code() {
    // An unwinder of the program's own does not ask for `_Unwind_Find_FDE`, which the runtime interposes.
    for flags in [&["-lgcc_s"][..], &["-static-libgcc", "-lgcc_eh"]] {
        let scratch = Scratch::new("unwind");
        let unit = Unit {
            source: "unwind.c",
            functions: &[
                ("through", Stub, "int further(void); int through(void) { return further() + 10; }"),
                ("further", Local, "int depth(void); int further(void) { return depth() + 10; }"),
            ],
            imports: &["depth"],
            plain: include_str!("runtime/unwind.c"),
            ..Unit::default()
        };
        let program = scratch.program(&[unit], flags);
        // depth, further, through, main.
        scratch.expect(&program, "21 4\n");
    }
}

#[test]
fn containers_in_a_directory_are_checked() {
    let scratch = Scratch::new("directory");
    let program = scratch.program(&[Unit { directory: true, ..small() }], &[]);
    scratch.expect(&program, "10\n30\n50\n");
    let container = fs::read_dir(scratch.file("store")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&container).unwrap();
    let name = container.file_name().unwrap().to_str().unwrap().to_owned();
    let fails = |cause: &str| {
        let output = scratch.command(&program).output().unwrap();
        let stderr = text(&output).1;
        assert_eq!(output.status.code(), Some(127), "{stderr}");
        assert!(stderr.contains("small.c") && stderr.contains(&name) && stderr.contains(cause), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    };
    fs::write(&container, &whole[..whole.len() - 8]).unwrap();
    fails("the container is truncated");
    let mut altered = whole.clone();
    altered[110] ^= 1;
    fs::write(&container, altered).unwrap();
    fails("the container is damaged");
    let mut newer = whole.clone();
    newer[8] += 1;
    fs::write(&container, newer).unwrap();
    fails("version");
    fs::write(&container, "something else altogether").unwrap();
    fails("no container");
    fs::remove_file(&container).unwrap();
    fails("no such file or directory");
}

#[test]
fn a_stripped_program_still_names_its_file() {
    let scratch = Scratch::new("stripped");
    let program = scratch.program(&[Unit { directory: true, ..small() }], &["-s"]);
    let container = fs::read_dir(scratch.file("store")).unwrap().next().unwrap().unwrap().path();
    fs::write(container, "short").unwrap();
    let output = scratch.command(&program).output().unwrap();
    let stderr = text(&output).1;
    assert!(stderr.starts_with("autojit: cannot compile function 0 of small.c: "), "{stderr}");
}

#[test]
fn an_object_of_another_contract_is_refused() {
    let scratch = Scratch::new("contract");
    let program = scratch.program(&[small()], &[]);
    let mut bytes = fs::read(&program).unwrap();
    let version = autojit_trampoline::contract::CONTRACT_VERSION as u8;
    let wanted = [b"AJM1".as_slice(), &[version, 0]].concat();
    let record = bytes.windows(6).position(|six| six == wanted).expect("a module record");
    bytes[record + 4] = 9;
    fs::write(scratch.file("altered"), bytes).unwrap();
    // By another process: a file that this one has open for writing while another test forks cannot be executed.
    let copied = Command::new("cp").arg(scratch.file("altered")).arg(&program).status().unwrap();
    assert!(copied.success());
    let output = scratch.command(&program).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    let stderr = text(&output).1;
    assert!(stderr.contains("small.c was compiled by an autojit with contract version 9"), "{stderr}");
}

#[test]
fn bad_options_are_warned_about() {
    let scratch = Scratch::new("options");
    let program = scratch.program(&[small()], &[]);
    let output = scratch.command(&program).env("AUTOJIT_LOG", "loud").output().unwrap();
    let warning = "autojit: warning: AUTOJIT_LOG is \"loud\", which is not off|error|warn|info|debug; it counts as warn\n";
    assert_eq!(text(&output), ("10\n30\n50\n".into(), warning.into()));
}

#[test]
fn a_handler_for_sigabrt_runs_and_may_fail_again() {
    let scratch = Scratch::new("sigabrt");
    let unit = Unit {
        source: "handler.c",
        functions: &[("start", Stub, "void start(void) {}"), ("fails", Stub, "void fails(void) {}")],
        plain: "#include <signal.h>
                #include <unistd.h>
                void start(void), fails(void);
                static void handler(int signal) { write(1, \"handler\\n\", 8); fails(); }
                int main(void) { signal(SIGABRT, handler); start(); fails(); return 0; }",
        ..Unit::default()
    };
    let program = scratch.program(&[unit], &[]);
    let output = scratch.command(&program).env("FAKE_ENGINE_FAULT", "second").output().unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    let (stdout, stderr) = text(&output);
    assert_eq!((stdout.as_str(), stderr.lines().count()), ("handler\n", 1), "{stderr}");
}

#[test]
fn programs_without_lazy_code_notice_nothing() {
    let scratch = Scratch::new("plain");
    let output = Command::new("/bin/sh")
        .args(["-c", "echo hello; exit 3"])
        .env("LD_PRELOAD", runtime())
        .env("AUTOJIT_STATS", scratch.file("stats"))
        .env("AUTOJIT_LOG", "debug")
        .output()
        .unwrap();
    assert_eq!(text(&output), ("hello\n".into(), String::new()));
    assert_eq!(output.status.code(), Some(3));
    assert!(!scratch.file("stats").exists());
}

#[test]
fn the_library_shows_few_symbols_and_needs_the_c_library_only() {
    let tool = |arguments: &[&str]| {
        let output = Command::new("readelf").args(arguments).arg(runtime()).output().unwrap();
        assert!(output.status.success());
        text(&output).0
    };
    let symbols = tool(&["--dyn-syms", "--wide"]);
    let mut shown: Vec<_> = symbols
        .lines()
        .filter(|line| !line.contains(" UND ") && (line.contains(" GLOBAL ") || line.contains(" WEAK ")))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    shown.sort_unstable();
    let names = ["backtrace_symbols", "backtrace_symbols_fd", "dl_iterate_phdr", "dladdr", "dladdr1"];
    // What a program may not do before the engine is loaded (src/confine.rs).
    let users = ["setegid", "seteuid", "setgid", "setregid", "setresgid", "setresuid", "setreuid", "setuid"];
    let others = [
        "chroot",
        "mlockall",
        "pivot_root",
        "prctl",
        "prlimit",
        "prlimit64",
        "setns",
        "setrlimit",
        "setrlimit64",
        "unshare",
    ];
    // The last two are handlers of the standard library (build.rs).
    let own = [
        "_Unwind_Find_FDE",
        "__autojit_describe",
        "__autojit_register",
        "_dl_find_object",
        "__autojit_out_of_memory",
        "__autojit_panicked",
    ];
    let mut expected = [&own[..], &names, &users, &others].concat();
    expected.sort_unstable();
    assert_eq!(shown, expected);
    let dynamic = tool(&["--dynamic", "--wide"]);
    for line in dynamic.lines().filter(|line| line.contains("(NEEDED)")) {
        assert!(line.contains("[libc.so.6]") || line.contains("[ld-linux-x86-64.so.2]"), "{line}");
    }
    // So that linkers record the path by which they were given it.
    assert!(!dynamic.contains("soname"), "{dynamic}");
    assert!(!symbols.contains(" memcpy"), "memory functions are to be the library's own");
}
