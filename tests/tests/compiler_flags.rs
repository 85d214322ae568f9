//! Flags of the compiler: each leaves the program lazy, or is one that the plugin leaves the module alone for, and says
//! so. Either way the program does what the plain one does.

use std::fs;
use std::path::Path;

use autojit_tests::compile::plugin;
use autojit_tests::run::{command, lazy_command, run, tool};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;
use autojit_tests::stubs::{Function, function};

/// What becomes of the program.
enum Expected {
    /// Its functions are compiled when they are called.
    Lazy,
    /// Nothing is lazy, and the plugin tells this reason.
    Static(&'static str),
}
use Expected::{Lazy, Static};

/// Checks rows of a source file in `flags/`, flags and what is expected.
fn check(name: &str, source: &str, rows: &[(&str, Expected)]) {
    let scratch = Scratch::new(&format!("compiler-flags-{name}"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("flags").join(source);
    for (flags, expected) in rows {
        let build = |lazy: bool| {
            let output = scratch.path().join(if lazy { "lazy" } else { "plain" });
            let cxx = source.extension().is_some_and(|extension| extension == "cpp");
            let mut clang = command(if cxx { "clang++-22" } else { "clang-22" });
            if lazy {
                clang.arg(format!("-fpass-plugin={}", plugin().display())).env("AUTOJIT_LOG", "info");
            }
            // LLVM's linker, because some flags are for link-time optimisation.
            clang.args(["-g", "-O1", "-fuse-ld=lld"]).args(flags.split(' ')).arg(&source).arg("-lm");
            let messages = tool(clang.arg("-o").arg(&output).current_dir(scratch.path())).errors();
            (output, messages)
        };
        let ((plain, _), (lazy, messages)) = (build(false), build(true));
        let run = |command: &mut std::process::Command| {
            // Sanitizers want to be the first library, and are not with anything preloaded.
            run(command.env("ASAN_OPTIONS", "verify_asan_link_order=0"), scratch.path(), b"")
        };
        let wanted = run(&mut command(&plain));
        wanted.assert_code(0);
        let outcome = run(&mut lazy_command(&lazy, scratch.path()));
        wanted.assert_same(&outcome, &format!("plain and lazy program with {flags}"));
        let stats = scratch.path().join("stats");
        match expected {
            Lazy => {
                assert_eq!(messages, "", "with {flags}");
                assert_eq!(function(&lazy, "main"), Function::Stub, "with {flags}");
                Stats::read(&stats).assert_lazy();
                fs::remove_file(&stats).expect("it was just read");
            }
            Static(reason) => {
                assert!(messages.contains(reason), "with {flags}: not '{reason}' but '{messages}'");
                assert_eq!(function(&lazy, "main"), Function::Ordinary, "with {flags}");
            }
        }
    }
}

#[test]
fn sanitizers() {
    let rows = [
        ("-fsanitize=address", Static("AddressSanitizer needs its bodies")),
        ("-fsanitize=thread", Static("ThreadSanitizer needs its bodies")),
        ("-fsanitize=memory", Static("MemorySanitizer needs its bodies")),
        ("-fsanitize=type", Static("TypeSanitizer needs its bodies")),
        ("-fsanitize=realtime", Static("RealtimeSanitizer needs its bodies")),
        ("-fsanitize=numerical", Static("NumericalStabilitySanitizer needs its bodies")),
        ("-fsanitize=safe-stack", Static("a sanitizer needs its bodies")),
        ("-fsanitize=kcfi", Static("control-flow integrity needs its bodies")),
        ("-fsanitize=cfi -flto -fvisibility=hidden", Static("link-time optimisation needs its bodies")),
        ("-fsanitize-coverage=trace-pc-guard", Static("SanitizerCoverage needs its bodies")),
        ("-fsanitize=fuzzer-no-link", Static("SanitizerCoverage needs its bodies")),
        // Its checks look at what lies before a function's code.
        ("-fsanitize=undefined", Static("no function can be compiled later")),
        ("-fsanitize=undefined -fno-sanitize=function", Lazy),
        ("-fsanitize=bounds,signed-integer-overflow -fsanitize-trap=all", Lazy),
        ("-fsanitize=integer -fsanitize-minimal-runtime", Lazy),
        ("-fsanitize=leak", Lazy),
    ];
    check("sanitizers", "program.c", &rows);
}

#[test]
fn profiles() {
    let rows = [
        ("-fprofile-instr-generate", Static("profile instrumentation needs its bodies")),
        ("-fprofile-instr-generate -fcoverage-mapping", Static("profile instrumentation needs its bodies")),
        ("-fprofile-generate", Static("PGOInstrumentationGen needs its bodies")),
        ("-fprofile-generate -O0", Static("PGOInstrumentationGen needs its bodies")),
        ("-fcs-profile-generate", Static("PGOInstrumentationGen needs its bodies")),
        ("-fmemory-profile", Static("MemProfiler needs its bodies")),
        ("--coverage", Static("GCOVProfiler needs its bodies")),
        ("-pg", Static("no function can be compiled later")),
        ("-pg -mfentry", Static("no function can be compiled later")),
        ("-finstrument-functions", Static("no function can be compiled later")),
        ("-finstrument-functions-after-inlining", Static("no function can be compiled later")),
        ("-fxray-instrument", Static("no function can be compiled later")),
        ("-fpatchable-function-entry=4,2", Static("no function can be compiled later")),
        ("-flto", Static("link-time optimisation needs its bodies")),
        ("-flto=thin", Static("link-time optimisation needs its bodies")),
        ("-ffat-lto-objects -flto", Static("link-time optimisation needs its bodies")),
        ("-mcmodel=medium", Static("its code model is not the small one")),
        ("-mcmodel=large", Static("its code model is not the small one")),
        ("-fpseudo-probe-for-profiling", Lazy),
    ];
    check("profiles", "program.c", &rows);
}

/// Checks flags that leave a program lazy.
fn check_lazy(name: &str, source: &str, flags: &[&'static str]) {
    let rows: Vec<_> = flags.iter().map(|flags| (*flags, Lazy)).collect();
    check(name, source, &rows);
}

#[test]
fn hardening() {
    let flags = [
        "-fstack-protector-strong",
        "-fstack-protector-all",
        "-fstack-clash-protection",
        "-fcf-protection=full",
        "-fcf-protection=branch",
        "-mretpoline",
        "-mspeculative-load-hardening",
        "-mlvi-hardening",
        "-mharden-sls=all",
        "-ftrivial-auto-var-init=pattern",
        "-ftrivial-auto-var-init=zero",
        "-O2 -D_FORTIFY_SOURCE=3",
        "-fzero-call-used-regs=all",
        "-fno-delete-null-pointer-checks",
        "-ftrapv",
        "-fwrapv",
    ];
    check_lazy("hardening", "program.c", &flags);
}

#[test]
fn code_generation() {
    let flags = [
        "-Oz",
        "-Og",
        "-O3",
        "-march=x86-64-v2",
        "-march=native",
        "-O2 -march=x86-64-v3 -mno-avx2",
        "-ffast-math",
        "-ffp-model=strict",
        "-fno-math-errno",
        "-frounding-math",
        "-mno-red-zone",
        "-mstackrealign",
        "-fno-omit-frame-pointer",
        "-fno-plt",
        "-fno-jump-tables",
        "-fno-builtin",
        "-ffreestanding",
        "-mrelax-all",
        "-fno-integrated-as",
        "-masm=intel",
        "-fbasic-block-sections=all",
        "-fsplit-machine-functions -O2",
        "-fstack-size-section",
    ];
    check_lazy("code-generation", "program.c", &flags);
}

#[test]
fn symbols_and_sections() {
    let flags = [
        "-fpic",
        "-fPIC",
        "-fpie",
        "-fno-pie -no-pie",
        "-fno-pie -no-pie -fno-direct-access-external-data",
        "-fvisibility=hidden",
        "-fvisibility=protected",
        "-fno-semantic-interposition",
        "-fsemantic-interposition",
        "-fcommon",
        "-ffunction-sections -fdata-sections -Wl,--gc-sections",
        "-funique-internal-linkage-names",
        "-fno-discard-value-names",
        "-fmerge-all-constants",
        "-femulated-tls",
        "-ftls-model=initial-exec",
        "-mtls-dialect=gnu2",
    ];
    check_lazy("symbols", "program.c", &flags);
}

#[test]
fn language_and_debug_information() {
    let flags = [
        "-fms-extensions",
        "-fshort-enums -fpack-struct",
        "-std=c23",
        "-g1",
        "-g3",
        "-gdwarf-4",
        "-gdwarf-5 -fdebug-types-section",
        "-gline-tables-only",
        "-gsplit-dwarf",
        "-gz",
        "-fdebug-prefix-map=/=/elsewhere/",
        "-funwind-tables -fno-asynchronous-unwind-tables",
        "-fno-unwind-tables -fno-asynchronous-unwind-tables",
        "-fexceptions",
        "-fembed-bitcode=all",
        "-fsave-optimization-record",
        "-save-temps",
    ];
    check_lazy("language", "program.c", &flags);
}

#[test]
fn cxx() {
    let rows = [
        ("-O0", Lazy),
        ("-static-libgcc", Lazy),
        ("-static-libstdc++", Lazy),
        ("-static-libgcc -static-libstdc++", Lazy),
        ("-fno-pie -no-pie -static-libgcc -static-libstdc++", Lazy),
        ("-fno-asynchronous-unwind-tables", Lazy),
        ("-fmodules -fcxx-modules -std=c++20", Lazy),
        ("-fvisibility-inlines-hidden", Lazy),
        ("-fno-threadsafe-statics", Lazy),
        ("-fstrict-vtable-pointers -O2", Lazy),
        ("-fsanitize=undefined -fno-sanitize=function", Lazy),
        ("-fsanitize=address", Static("AddressSanitizer needs its bodies")),
        ("-fsanitize=cfi -flto=thin -fvisibility=hidden", Static("link-time optimisation needs its bodies")),
    ];
    check("cxx", "program.cpp", &rows);
}

#[test]
fn extensions() {
    check_lazy("openmp", "openmp.c", &["-fopenmp", "-fopenmp -O0", "-fopenmp -O2 -fno-pie -no-pie"]);
    check_lazy("blocks", "blocks.c", &["-fblocks -lBlocksRuntime"]);
    check_lazy("dispatch", "dispatch.cpp", &["-O0", "-O2", "-O1 -fPIC"]);
    check("split-stack", "dispatch.cpp", &[("-fsplit-stack", Static("no function can be compiled later"))]);
    check("vectorcall", "vectorcall.c", &[("-O1", Static("vectorcall"))]);
}
