//! Flags of the compiler: each leaves the program lazy, or is one that the plugin leaves the module alone for, and says
//! so. Either way the program does what the plain one does.

use std::fs;
use std::path::Path;

use autojit_tests::compile::plugin;
use autojit_tests::llvm::{CLANG, CLANGXX};
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
            let mut clang = command(if cxx { CLANGXX } else { CLANG });
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
        ("-fprofile-instr-generate", Static("InstrProfilingLowering needs its bodies")),
        ("-fprofile-instr-generate -fcoverage-mapping", Static("InstrProfilingLowering needs its bodies")),
        ("-fprofile-generate", Static("PGOInstrumentationGen needs its bodies")),
        ("-fprofile-generate -O0", Static("profile instrumentation needs its bodies")),
        ("-fcs-profile-generate", Static("PGOInstrumentationGenCreateVar needs its bodies")),
        ("-fdebug-info-for-profiling", Lazy),
        ("-fdebug-info-for-profiling -O0", Static("AddDiscriminators needs its bodies")),
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
        ("-fpseudo-probe-for-profiling", Static("SampleProfileProbe needs its bodies")),
        ("-fstack-size-section", Static("a section of the object describes the code")),
        ("-fbasic-block-address-map", Static("a section of the object describes the code")),
        ("-fstack-usage", Static("-fstack-usage tells the stack of each function")),
        ("-Wframe-larger-than=5000", Static("no function can be compiled later")),
        ("-fsave-optimization-record", Static("a file of remarks tells of its bodies")),
        ("-Rpass=nothing", Static("remarks tell of its bodies")),
        ("-Wmisexpect", Static("-Wmisexpect compares a profile with its bodies")),
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
        "-mstack-alignment=64",
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
    ];
    check_lazy("code-generation", "program.c", &flags);
}

#[test]
fn tuning() {
    let flags = [
        "-O2 -fno-vectorize -fno-slp-vectorize",
        "-O2 -fno-unroll-loops",
        "-O1 -funroll-loops",
        "-O2 -ffp-contract=fast -march=native",
        "-O2 -ffp-contract=off -march=native",
        "-O2 -falign-loops=32",
        "-falign-functions=64",
        "-fno-trapping-math",
        "-ffinite-math-only",
        "-fdenormal-fp-math=preserve-sign",
        "-mrecip=all -ffast-math",
        "-mtune=znver4",
        "-O2 -fno-builtin-strcpy",
        "-fno-unique-section-names",
        "-fno-integrated-as -O2",
        "-fno-inline",
        "-finline-hint-functions",
        "-fno-optimize-sibling-calls",
        "-fstrict-aliasing -fno-strict-overflow",
        "-fexperimental-library -O2",
        "-Xclang -fexperimental-assignment-tracking=forced -O2",
        "-Xclang -fmerge-functions -O2",
    ];
    check_lazy("tuning", "program.c", &flags);
    // Such options are for all modules that LLVM compiles in a process.
    let rows = [
        ("-mllvm -inline-threshold=1", Static("the option -inline-threshold is for LLVM")),
        ("-fglobal-isel", Static("the option -global-isel is for LLVM")),
        ("-mbranches-within-32B-boundaries", Static("the option -x86-branches-within-32B-boundaries")),
    ];
    check("llvm-options", "program.c", &rows);
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
    check(
        "split-stack",
        "split_stack.c",
        &[("-fsplit-stack", Static("linkers change the code of split stacks"))],
    );
    check("vectorcall", "vectorcall.c", &[("-O1", Static("vectorcall"))]);
    check_lazy(
        "bounds",
        "bounds.c",
        &["-O0", "-fsanitize=local-bounds", "-O2 -fsanitize=bounds -fsanitize-trap=all"],
    );
    check_lazy(
        "bounds-of-variables",
        "bounds_of_variables.c",
        &["-O1 -fsanitize=local-bounds", "-O2 -fsanitize=local-bounds"],
    );
    // Without optimisation clang runs the pass in a place of its own.
    let unoptimised = Static("its passes are not those of its level");
    check("bounds-unoptimised", "bounds_of_variables.c", &[("-O0 -fsanitize=local-bounds", unoptimised)]);
    check_lazy(
        "vector-library",
        "vector_library.c",
        &["-O2 -ffast-math -fveclib=libmvec -lmvec", "-O0 -fveclib=libmvec"],
    );
    let matrices = |level| (level, Static("no function can be compiled later"));
    check("matrix", "matrix.c", &["-fenable-matrix -O1", "-fenable-matrix -O0"].map(matrices));
}

/// Builds with profiles of an earlier run: counts that the front end attaches go along with the bodies, those of LLVM's own
/// passes do not.
#[test]
fn profiles_in_use() {
    let scratch = Scratch::new("profiles-for-compiler-flags");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("flags/program.c");
    let profile = |flag: &str| {
        let program = scratch.path().join("instrumented");
        tool(command(CLANG).args(["-O1", flag, "-lm", "-o"]).arg(&program).arg(&source));
        let raw = scratch.path().join("profile.profraw");
        run(command(&program).env("LLVM_PROFILE_FILE", &raw), scratch.path(), b"").assert_code(0);
        let merged = scratch.path().join(format!("{}.profdata", &flag[2..]));
        tool(
            command(concat!("llvm-profdata-", env!("LLVM_RELEASE")))
                .arg("merge")
                .arg(&raw)
                .arg("-o")
                .arg(&merged),
        );
        merged.display().to_string()
    };
    let counts = profile("-fprofile-instr-generate");
    let of_passes = profile("-fprofile-generate");
    let samples = scratch.file("samples", "main:100:1\n 1: 100\n").display().to_string();
    let rows: Vec<(&'static str, Expected)> = [
        (format!("-fprofile-instr-use={counts}"), Lazy),
        (format!("-O2 -fprofile-instr-use={counts}"), Lazy),
        (format!("-O2 -fprofile-use={of_passes}"), Static("PGOInstrumentationUse needs its bodies")),
        (format!("-O2 -g -fprofile-sample-use={samples}"), Static("SampleProfileLoader needs its bodies")),
    ]
    .map(|(flags, expected)| (&*flags.leak(), expected))
    .into();
    check("profiles-in-use", "program.c", &rows);
}
