//! Flags of linkers: with each of them, on each linker, a lazy program links and runs as the plain one does; and what
//! cannot be linked plainly cannot be linked lazily.

use std::path::PathBuf;

use autojit_tests::compile::{How, Link};
use autojit_tests::llvm::CLANG;
use autojit_tests::parts::{HELPER, LINKERS, MAIN, assert_42, compile, link, run_lazy, try_to_link};
use autojit_tests::run::{command, lazy_command, run, tool};
use autojit_tests::scratch::Scratch;
use autojit_tests::stubs::{Function, function};

/// The flags, and the linkers that know them if not all do.
const FLAGS: [(&str, &[&str]); 33] = [
    ("-Wl,--gc-sections", &[]),
    ("-Wl,-z,now", &[]),
    ("-Wl,-z,lazy", &[]),
    ("-Wl,-z,relro", &[]),
    ("-Wl,-z,norelro", &[]),
    ("-Wl,-z,separate-code", &["bfd", "lld", "mold"]),
    ("-Wl,-z,noseparate-code", &["bfd", "lld", "mold"]),
    ("-Wl,-z,nodelete", &[]),
    ("-Wl,-z,defs", &[]),
    ("-Wl,-z,pack-relative-relocs", &["bfd", "lld"]),
    ("-Wl,-z,nostart-stop-gc,--gc-sections", &["bfd", "lld"]),
    ("-Wl,-z,start-stop-gc,--gc-sections", &["bfd", "lld"]),
    ("-Wl,-z,keep-text-section-prefix", &["lld"]),
    ("-Wl,-z,max-page-size=0x200000", &[]),
    ("-Wl,--icf=all", &["gold", "lld", "mold"]),
    ("-Wl,--icf=safe", &["gold", "lld", "mold"]),
    ("-Wl,--emit-relocs", &[]),
    ("-Wl,--build-id=sha1", &[]),
    ("-Wl,--export-dynamic", &[]),
    ("-rdynamic", &[]),
    ("-Wl,-Map=/dev/null", &[]),
    ("-Wl,--defsym=another_name=helper", &[]),
    ("-Wl,--hash-style=sysv", &[]),
    ("-Wl,--compress-debug-sections=zlib", &[]),
    ("-Wl,-O2", &[]),
    ("-Wl,-s", &[]),
    ("-Wl,-S", &[]),
    ("-Wl,-Bsymbolic", &[]),
    ("-Wl,--no-eh-frame-hdr", &["bfd", "gold", "lld"]),
    ("-Wl,--no-rosegment", &["gold", "lld"]),
    ("-Wl,--sort-section=alignment", &["bfd", "lld"]),
    ("-Wl,--no-relax", &["bfd", "gold", "lld", "mold"]),
    ("-Wl,--discard-all", &[]),
];

fn objects(scratch: &Scratch, how: How, flags: &[&str]) -> [PathBuf; 2] {
    [compile(scratch, how, "main.c", MAIN, flags), compile(scratch, how, "helper.c", HELPER, flags)]
}

/// Links with each flag that `linker` knows, and runs: position-independent programs and others in turn.
fn every_flag(linker: &str) {
    let scratch = Scratch::new(&format!("flags-{linker}"));
    let kinds = [("pie", "-fPIE", "-pie"), ("no-pie", "-fno-pie", "-no-pie")].map(|(name, code, kind)| {
        let flags = [code, "-g", "-ffunction-sections", "-fdata-sections"];
        let part = |part: &str, text| compile(&scratch, How::Lazy, &format!("{part}-{name}.c"), text, &flags);
        ([part("main", MAIN), part("helper", HELPER)], kind)
    });
    let known = FLAGS.iter().filter(|(_, linkers)| linkers.is_empty() || linkers.contains(&linker));
    for ((flag, _), (objects, kind)) in known.zip(kinds.iter().cycle()) {
        let program = link(&scratch, linker, objects, &[kind, flag]);
        assert_42(&scratch, &program, &format!("{linker} {kind} {flag}"));
    }
}

#[test]
fn bfd_flags() {
    every_flag("bfd");
}

#[test]
fn gold_flags() {
    every_flag("gold");
}

#[test]
fn lld_flags() {
    every_flag("lld");
}

#[test]
fn mold_flags() {
    every_flag("mold");
}

#[test]
fn static_programs_link_and_say_what_they_are() {
    let scratch = Scratch::new("static");
    for (kind, linkers) in [("-static", &LINKERS[..]), ("-static-pie", &["bfd", "lld", "mold"])] {
        for linker in linkers {
            let program = link(&scratch, linker, &objects(&scratch, How::Lazy, &["-fPIE"]), &[kind]);
            for mut program in [command(&program), lazy_command(&program, scratch.path())] {
                let outcome = run(&mut program, scratch.path(), b"");
                let errors = outcome.assert_code(127).errors();
                assert!(errors.contains("linked statically"), "{linker} {kind}: {outcome}");
                assert_eq!(errors.lines().count(), 1, "{outcome}");
                assert!(outcome.stdout.is_empty(), "{outcome}");
            }
        }
    }
}

#[test]
fn programs_without_libraries_say_what_they_are() {
    let scratch = Scratch::new("nostdlib");
    let source = "int one(void) { return 1; }\nvoid _start(void) { one(); for (;;); }\n";
    let objects = [compile(&scratch, How::Lazy, "start.c", source, &["-fPIE"])];
    for linker in LINKERS {
        let program = link(&scratch, linker, &objects, &["-pie", "-nostdlib"]);
        let outcome = run(&mut command(&program), scratch.path(), b"");
        let errors = outcome.assert_code(127).errors();
        assert!(errors.contains("-nostdlib") && errors.lines().count() == 1, "{linker}: {outcome}");
    }
}

#[test]
fn what_is_defined_twice_is_an_error() {
    let scratch = Scratch::new("duplicates");
    for (first, second) in [(How::Lazy, How::Lazy), (How::Lazy, How::Plain), (How::Plain, How::Lazy)] {
        let parts = [
            compile(&scratch, How::Lazy, "main.c", MAIN, &[]),
            compile(&scratch, first, "helper.c", HELPER, &[]),
            compile(&scratch, second, "again.c", &HELPER.replace("+ 1", "+ 2"), &[]),
        ];
        for linker in LINKERS {
            let outcome = try_to_link(&scratch, linker, &parts, &[]);
            let errors = outcome.errors();
            assert!(!outcome.status.success(), "{linker} linked two functions of one name");
            assert!(errors.contains("helper"), "{linker} does not name it: {errors}");
        }
    }
}

#[test]
fn code_for_fixed_addresses_runs_wherever_it_links() {
    let scratch = Scratch::new("no-pic-in-pie");
    // No data that stays: nothing that a linker could complain of.
    let objects = objects(&scratch, How::Lazy, &["-fno-pie"]);
    for linker in LINKERS {
        let program = link(&scratch, linker, &objects, &["-pie"]);
        assert_42(&scratch, &program, linker);
    }
    let table = "int helper(int);\nint (*const table[])(int) = {helper};\n\
        int helper(int x) { return table[0] == helper ? x + 1 : 0; }\n";
    let plain = compile(&scratch, How::Plain, "table.c", table, &["-fno-pie"]);
    let lazy = compile(&scratch, How::Lazy, "table.c", table, &["-fno-pie"]);
    for objects in [[objects[0].clone(), plain], [objects[0].clone(), lazy]] {
        let outcome = try_to_link(&scratch, "lld", &objects, &["-pie"]);
        assert!(!outcome.status.success() && outcome.errors().contains("recompile with -fPIC"), "{outcome}");
    }
}

#[test]
fn other_code_models_stay_plain_and_say_so() {
    let scratch = Scratch::new("code-models");
    let helper = scratch.file("helper.c", HELPER);
    let main = compile(&scratch, How::Lazy, "main.c", MAIN, &[]);
    for model in ["medium", "large"] {
        let object = scratch.path().join("helper.o");
        let mut clang = command(CLANG);
        clang.arg(format!("-fpass-plugin={}", autojit_tests::compile::plugin().display()));
        clang.arg(format!("-mcmodel={model}")).arg("-c").arg(&helper).arg("-o").arg(&object);
        let outcome = tool(clang.env("AUTOJIT_LOG", "info"));
        assert!(outcome.errors().contains("code model"), "{outcome}");
        let program = link(&scratch, "bfd", &[main.clone(), object], &["-no-pie"]);
        assert_42(&scratch, &program, model);
        assert_eq!(function(&program, "helper"), Function::Ordinary);
    }
}

#[test]
fn linker_scripts_may_place_everything() {
    let scratch = Scratch::new("scripts");
    let objects = objects(&scratch, How::Lazy, &["-fno-pie"]);
    // GNU ld's own script, in which nothing speaks of our sections, with its text elsewhere.
    let script = tool(command("ld.bfd").arg("--verbose").arg("-no-pie")).text();
    let script =
        script.split("==================================================").nth(1).expect("the script");
    let script = scratch.file("program.ld", script.replace("0x400000", "0x10000000"));
    let program = link(&scratch, "bfd", &objects, &["-no-pie", &format!("-Wl,-T,{}", script.display())]);
    assert_42(&scratch, &program, "a whole script");
    // An input that is a script.
    let inputs = format!("INPUT({})\n", objects[1].display());
    let group = scratch.file("group.ld", inputs);
    for linker in LINKERS {
        let program = link(&scratch, linker, &[objects[0].clone(), group.clone()], &["-no-pie"]);
        assert_42(&scratch, &program, linker);
    }
}

#[test]
fn archives_may_be_thin_or_depend_on_each_other() {
    let scratch = Scratch::new("thin-archives");
    let main = compile(&scratch, How::Lazy, "main.c", MAIN, &[]);
    let first = compile(
        &scratch,
        How::Lazy,
        "first.c",
        "int second(int);\nint last(int x) { return x; }\nint helper(int x) { return second(x); }\n",
        &[],
    );
    // Only bodies need the other archive's members.
    let second = compile(
        &scratch,
        How::Lazy,
        "second.c",
        "int last(int);\nstatic int more(int x) { return last(x) + 1; }\nint second(int x) { return more(x); }\n",
        &[],
    );
    let archives = ["libfirst.a", "libsecond.a"].map(|name| scratch.path().join(name));
    for kind in ["rcs", "rcsT"] {
        for (archive, object) in archives.iter().zip([&first, &second]) {
            let _ = std::fs::remove_file(archive);
            tool(command("ar").arg(kind).arg(archive).arg(object));
        }
        for linker in LINKERS {
            let group = ["-Wl,--start-group", "-Wl,--end-group"].map(PathBuf::from);
            let [start, end] = group;
            let inputs = [main.clone(), start, archives[1].clone(), archives[0].clone(), end];
            let program = link(&scratch, linker, &inputs, &[]);
            assert_42(&scratch, &program, &format!("{linker} {kind}"));
        }
    }
}

#[test]
fn folding_all_identical_code_keeps_lazy_functions_apart() {
    let scratch = Scratch::new("folding-all");
    let text = "#include <stdio.h>\nint a(int x) { return x + 1; }\nint b(int x) { return x + 2; }\n\
        int same_as_a(int x) { return x + 1; }\nint (*volatile first)(int) = a, (*volatile second)(int) = same_as_a;\n\
        int main(void) { printf(\"%d %d %d %d\\n\", a(1), b(1), same_as_a(1), first != second); return 0; }\n";
    let object = compile(&scratch, How::Lazy, "main.c", text, &["-ffunction-sections"]);
    for linker in ["gold", "lld", "mold"] {
        let program = link(&scratch, linker, std::slice::from_ref(&object), &["-Wl,--icf=all"]);
        assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "2 3 2 1\n", "{linker}");
    }
}

#[test]
fn languages_link_together() {
    let scratch = Scratch::new("languages");
    let rust = scratch.file("rust_part.rs", "#[unsafe(no_mangle)]\npub extern \"C\" fn rust_part(x: i32) -> i32 { x.checked_mul(2).map_or(0, |y| y + cxx(x)) }\nunsafe extern \"C\" { safe fn cxx(x: i32) -> i32; }\n");
    let library = scratch.path().join("librust_part.a");
    let mut rustc = autojit_tests::compile::rustc(How::Lazy, autojit_tests::compile::Toolchain::Stable);
    rustc.args(["--edition", "2024", "--crate-type", "staticlib", "-Cpanic=abort"]).arg(rust);
    tool(rustc.arg("-o").arg(&library));
    let cxx = "#include <vector>\nextern \"C\" int cxx(int x) { std::vector<int> v(x, 1); int s = 0; for (int i : v) s += i; return s; }\n";
    let parts = [
        compile(&scratch, How::Lazy, "main.c", &MAIN.replace("twice(helper(20))", "helper(14)"), &[]),
        compile(
            &scratch,
            How::Lazy,
            "helper.c",
            "int rust_part(int);\nint helper(int x) { return rust_part(x); }\n",
            &[],
        ),
        compile(&scratch, How::Lazy, "part.cpp", cxx, &[]),
        library,
    ];
    for linker in LINKERS {
        let program = scratch.path().join("program");
        let flags = ["-lpthread", "-ldl", "-lm"].map(str::to_owned);
        Link { linker, cxx: true, flags: &flags }.run(&parts, &program);
        assert_42(&scratch, &program, linker);
    }
}
