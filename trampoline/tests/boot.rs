//! Images with emitted text find the runtime: every linker, every kind of image, first calls before constructors, and
//! no runtime at all.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use autojit_trampoline::boot::{NO_RUNTIME_MESSAGE, REFUSED_MESSAGE};
use autojit_trampoline::contract::ModuleRecord;
use autojit_trampoline::emit::{Binding, Stub};
use support::{assemble, clang, run, scratch, source, stub, unit, vector_flag};

mod support;

const LINKERS: [&str; 4] = ["bfd", "gold", "lld", "mold"];

fn in_group(symbol: &str, index: u32) -> Stub<'_> {
    Stub { binding: Binding::Weak, group: Some(symbol.into()), ..stub(symbol, index) }
}

/// Two lazy units which both have the inline function `shared`.
fn units(dir: &Path) -> [PathBuf; 2] {
    let first = [
        Stub { endbr64: true, ..stub("first", 0) },
        in_group("shared", 1),
        // Nothing calls it; its slot is retained all the same, with --gc-sections too.
        stub("dead", 2),
    ];
    let second = [stub("second", 0), in_group("shared", 1)];
    [assemble(dir, "unit1", &unit(1, &first)), assemble(dir, "unit2", &unit(2, &second))]
}

fn compile(dir: &Path, name: &str, flags: &[&str]) -> PathBuf {
    support::compile(dir, name, &[&["-O1"], flags].concat())
}

fn link(linker: &str, output: &Path, inputs: &[PathBuf], flags: &[&str]) {
    run(clang().arg(format!("-fuse-ld={linker}")).args(flags).args(inputs).arg("-o").arg(output));
}

fn fake_runtime(dir: &Path, flags: &[&str]) -> PathBuf {
    let output = dir.join("fake_runtime.so");
    let module_size = format!("-DMODULE_SIZE={}", size_of::<ModuleRecord>());
    run(clang()
        .args(["-O1", "-fPIC", "-shared", &module_size])
        .args(flags)
        .arg(source("fake_runtime.c"))
        .arg(compile(dir, "fake_wide.c", &["-fPIC", vector_flag()]))
        .arg("-o")
        .arg(&output));
    output
}

fn execute(program: &Path, runtime: Option<&Path>) -> Output {
    let mut command = Command::new(program);
    if let Some(runtime) = runtime {
        command.env("LD_PRELOAD", runtime);
    }
    command.output().unwrap()
}

fn assert_output(output: &Output, code: i32, stdout: &str, stderr: &str, what: &str) {
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout, "{what}: {output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr, "{what}");
    assert_eq!(output.status.code(), Some(code), "{what}");
}

const RESULTS: &str = "42 1001 1\n12 1002 1\n";

#[test]
fn every_linker_keeps_one_copy_and_all_slots() {
    let dir = scratch("linkers");
    let runtime = fake_runtime(&dir, &[]);
    let units = units(&dir);
    for linker in LINKERS {
        for (mode, compile_flags, link_flags) in [
            ("pie", &["-fPIE"][..], &["-pie"][..]),
            ("no-pie", &["-fno-pie"], &["-no-pie"]),
            ("gc-sections", &["-fPIE", "-ffunction-sections"], &["-pie", "-Wl,--gc-sections"]),
            ("stripped", &["-fPIE"], &["-pie", "-Wl,-s"]),
            ("relro", &["-fPIE"], &["-pie", "-Wl,-z,relro,-z,now"]),
        ] {
            let what = format!("{linker} {mode}");
            let main = compile(&dir, "boot_main.c", compile_flags);
            let program = dir.join(format!("{linker}-{mode}"));
            let [first, second] = units.clone();
            link(linker, &program, &[main, first, second], link_flags);
            let expected = format!("image: 4 slots, 2 modules\n{RESULTS}");
            assert_output(&execute(&program, Some(&runtime)), 3, &expected, "", &what);
            assert_output(&execute(&program, None), 127, "", &format!("{NO_RUNTIME_MESSAGE}\n"), &what);
        }
    }
}

#[test]
fn units_can_be_linked_into_one_object_first() {
    let dir = scratch("relocatable");
    let runtime = fake_runtime(&dir, &[]);
    let [first, second] = units(&dir);
    let main = compile(&dir, "boot_main.c", &["-fPIE"]);
    // Not gold: its -r keeps the retain flag of grouped sections only, from which two output sections come to be, and
    // it does not read what mold -r writes.
    let linkers = ["bfd", "lld", "mold"];
    for linker in linkers {
        let combined = dir.join(format!("{linker}.o"));
        link(linker, &combined, &[first.clone(), second.clone()], &["-r"]);
        for final_linker in linkers {
            let what = format!("{linker} -r, then {final_linker}");
            let program = dir.join(format!("{linker}-{final_linker}"));
            link(final_linker, &program, &[main.clone(), combined.clone()], &["-pie"]);
            let expected = format!("image: 4 slots, 2 modules\n{RESULTS}");
            assert_output(&execute(&program, Some(&runtime)), 3, &expected, "", &what);
        }
    }
}

#[test]
fn a_library_is_an_image_of_its_own() {
    let dir = scratch("library");
    let runtime = fake_runtime(&dir, &[]);
    let [first, second] = units(&dir);
    let main = compile(&dir, "boot_main.c", &["-fPIE"]);
    for linker in LINKERS {
        let library = dir.join(format!("lib{linker}.so"));
        link(linker, &library, std::slice::from_ref(&second), &["-shared"]);
        // Lazy program and lazy library: two copies of the boot code, each with its own slots.
        let program = dir.join(linker);
        link(linker, &program, &[main.clone(), first.clone(), library.clone()], &["-pie"]);
        let expected = format!("image: 2 slots, 1 modules\nimage: 3 slots, 1 modules\n{RESULTS}");
        assert_output(&execute(&program, Some(&runtime)), 3, &expected, "", linker);
        assert_output(&execute(&program, None), 127, "", &format!("{NO_RUNTIME_MESSAGE}\n"), linker);
    }
}

#[test]
fn an_image_may_have_modules_without_slots() {
    let dir = scratch("no-slots");
    let runtime = fake_runtime(&dir, &[]);
    let main = dir.join("main.c");
    std::fs::write(&main, "int main(void) { return 5; }\n").unwrap();
    let empty = assemble(&dir, "unit", &unit(1, &[]));
    for linker in LINKERS {
        for mode in ["-pie", "-no-pie", "-Wl,--gc-sections"] {
            let program = dir.join(linker);
            link(linker, &program, &[main.clone(), empty.clone()], &[mode]);
            let output = execute(&program, Some(&runtime));
            assert_output(&output, 5, "image: 0 slots, 1 modules\n", "", &format!("{linker} {mode}"));
        }
    }
}

#[test]
fn first_calls_before_the_constructor_keep_their_registers() {
    let dir = scratch("early");
    let runtime = fake_runtime(&dir, &["-DFILL_X87"]);
    let stubs: Vec<_> = ["mix", "sum256", "sum512", "nothing"].into_iter().zip(0..).collect();
    let stubs: Vec<_> = stubs.iter().map(|&(symbol, index)| stub(symbol, index)).collect();
    let unit = assemble(&dir, "unit", &unit(3, &stubs));
    let (avx, avx512) =
        (std::arch::is_x86_feature_detected!("avx"), std::arch::is_x86_feature_detected!("avx512f"));
    if !avx || !avx512 {
        eprintln!("NOT TESTED: ymm or zmm arguments: AVX {avx}, AVX-512 {avx512} on this processor");
    }
    for (first, results) in [
        ("0", "506 0 0 0.000000000000000 0"),
        ("256", if avx { "506 204 0 0.000000000000000 0" } else { "506 0 0 0.000000000000000 0" }),
        ("512", if avx512 { "506 0 204 0.000000000000000 0" } else { "506 0 0 0.000000000000000 0" }),
        // The inexact flag is mix()'s business; the rounding mode is what was set.
        ("87", "506 0 0 3.141592653589793 5f80"),
    ] {
        for (place, flag) in [("preinit", "-DPREINIT"), ("init", "-DINIT")] {
            let main =
                compile(&dir, "boot_early.c", &["-fPIE", &format!("-DFIRST={first}"), flag, vector_flag()]);
            let program = dir.join(format!("{place}-{first}"));
            link("bfd", &program, &[main, unit.clone()], &["-pie", "-Wl,-z,now"]);
            let expected = format!("image: 4 slots, 1 modules\n{results}\n");
            assert_output(&execute(&program, Some(&runtime)), 0, &expected, "", &format!("{place} {first}"));
            assert_output(&execute(&program, None), 127, "", &format!("{NO_RUNTIME_MESSAGE}\n"), place);
        }
    }
}

#[test]
fn a_runtime_that_refuses_ends_the_program_at_its_first_call() {
    let dir = scratch("refused");
    let runtime = fake_runtime(&dir, &[]);
    let [first, second] = units(&dir);
    let main = compile(&dir, "boot_main.c", &["-fPIE"]);
    let program = dir.join("program");
    link("bfd", &program, &[main, first, second], &["-pie"]);
    let output = Command::new(&program).env("LD_PRELOAD", &runtime).env("FAKE_REFUSE", "1").output().unwrap();
    let message = format!("{REFUSED_MESSAGE}\n");
    assert_output(&output, 127, "image: 4 slots, 2 modules\n", &message, "refused");
}
