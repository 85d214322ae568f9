//! Ways of linking: what linkers find missing or drop, `ld -r`, libraries, and what is left after `strip`.

use std::fs;
use std::path::{Path, PathBuf};

use autojit_tests::compile::{How, Link, archive, lazy_object, object, plugin};
use autojit_tests::llvm::CLANG;
use autojit_tests::parts::{HELPER, MAIN, compile, link, run_lazy};
use autojit_tests::run::{attempt, command, lazy_command, run, tool};
use autojit_tests::scratch::Scratch;

const LINKERS: [&str; 3] = ["bfd", "lld", "mold"];

#[test]
fn stripped_programs_run() {
    let scratch = Scratch::new("stripped");
    let objects = [
        compile(&scratch, How::Lazy, "main.c", MAIN, &["-g"]),
        compile(&scratch, How::Lazy, "helper.c", HELPER, &["-g"]),
    ];
    for linker in LINKERS {
        for flags in [&["-pie"][..], &["-no-pie"]] {
            for strip in [&[][..], &["--strip-all"], &["--strip-unneeded"], &["--strip-debug"]] {
                let program = link(&scratch, linker, &objects, flags);
                tool(command("strip").args(strip).arg(&program));
                assert_eq!(
                    run_lazy(&scratch, &program).assert_code(0).text(),
                    "42\n",
                    "{linker} {flags:?} {strip:?}"
                );
            }
        }
        let program = link(&scratch, linker, &objects, &["-s"]);
        assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "42\n", "{linker} -s");
    }
}

#[test]
fn other_strippers_keep_the_program() {
    let scratch = Scratch::new("llvm-strip");
    let objects = [
        compile(&scratch, How::Lazy, "main.c", MAIN, &[]),
        compile(&scratch, How::Lazy, "helper.c", HELPER, &[]),
    ];
    let program = link(&scratch, "lld", &objects, &[]);
    tool(
        command(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/llvm-strip"))
            .arg("--strip-debug")
            .arg(&program),
    );
    assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "42\n");
    tool(command("objcopy").arg("--only-keep-debug").arg(&program).arg(scratch.path().join("debug")));
    tool(command("objcopy").arg("--strip-unneeded").arg(&program));
    assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "42\n");
}

#[test]
fn what_only_a_body_uses_must_be_defined() {
    let scratch = Scratch::new("undefined");
    let function = compile(
        &scratch,
        How::Lazy,
        "function.c",
        "int nowhere_function(int);\nstatic int body(int x) { return nowhere_function(x); }\n\
         int main(int argc, char **argv) { (void)argv; return argc > 1 ? body(argc) : 0; }\n",
        &[],
    );
    let variable = compile(
        &scratch,
        How::Lazy,
        "variable.c",
        "extern int nowhere_variable;\nint main(int argc, char **argv) { (void)argv; return argc > 1 ? nowhere_variable : 0; }\n",
        &[],
    );
    for linker in LINKERS {
        for (object, name) in [(&function, "nowhere_function"), (&variable, "nowhere_variable")] {
            let link = Link { linker, cxx: false, flags: &[] };
            let outcome =
                attempt(&mut link.command(std::slice::from_ref(object), &scratch.path().join("program")));
            assert!(!outcome.status.success(), "{linker} linked a program without {name}");
            let errors = outcome.errors();
            assert!(
                errors.contains("undefined") && errors.contains(name),
                "{linker} does not name {name}: {errors}"
            );
        }
    }
}

#[test]
fn files_of_the_same_relative_name_stay_apart() {
    let scratch = Scratch::new("same-name");
    let flag = format!("-fpass-plugin={}", plugin().display());
    let mut objects = vec![compile(
        &scratch,
        How::Lazy,
        "main.c",
        "#include <stdio.h>\nint one(int), two(int);\n\
         int main(void) { printf(\"%d %d %d\\n\", one(1), two(1), one(2)); return 0; }\n",
        &[],
    )];
    for (directory, text) in [
        ("one", "static int step(int x) { return x + 1; }\nint one(int x) { return step(x); }\n"),
        ("two", "static int step(int x) { return x + 2; }\nint two(int x) { return step(x); }\n"),
    ] {
        scratch.file(&format!("{directory}/part.c"), text);
        let mut clang = command(CLANG);
        tool(clang.args([&flag, "-g", "-c", "part.c"]).current_dir(scratch.path().join(directory)));
        objects.push(scratch.path().join(directory).join("part.o"));
    }
    for linker in LINKERS {
        let program = link(&scratch, linker, &objects, &[]);
        assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "2 3 3\n", "{linker}");
    }
}

#[test]
fn an_edited_function_is_not_mistaken_for_the_old_one() {
    let scratch = Scratch::new("edited");
    let helper = compile(&scratch, How::Lazy, "helper.c", HELPER, &[]);
    let main = compile(&scratch, How::Lazy, "main.c", MAIN, &[]);
    let program = link(&scratch, "bfd", &[main.clone(), helper], &[]);
    assert_eq!(run_lazy(&scratch, &program).text(), "42\n");
    // The same file name, size and function; the object cache of the first run is still there.
    let helper = compile(&scratch, How::Lazy, "helper.c", &HELPER.replace("+ 1", "+ 3"), &[]);
    let program = link(&scratch, "bfd", &[main, helper], &[]);
    let outcome = run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"");
    assert_eq!(outcome.text(), "46\n", "{outcome}");
}

#[test]
fn partial_links_keep_everything() {
    let scratch = Scratch::new("partial");
    for (first, second) in [(How::Lazy, How::Lazy), (How::Lazy, How::Plain), (How::Plain, How::Lazy)] {
        let objects = [
            compile(&scratch, first, "main.c", MAIN, &[]),
            compile(&scratch, second, "helper.c", HELPER, &[]),
        ];
        // ld.bfd does not read what this mold makes, gold not its groups.
        for (linker, name) in [
            ("ld.bfd", "bfd"),
            (concat!("ld.lld-", env!("LLVM_RELEASE")), "lld"),
            ("ld.gold", "gold"),
            ("mold", "lld"),
        ] {
            let whole = scratch.path().join("whole.o");
            tool(command(linker).arg("-r").args(&objects).arg("-o").arg(&whole));
            let program = link(&scratch, name, &[whole], &[]);
            assert_eq!(
                run_lazy(&scratch, &program).assert_code(0).text(),
                "42\n",
                "{linker} {first:?} {second:?}"
            );
        }
    }
}

#[test]
fn archives_mix_with_objects() {
    let scratch = Scratch::new("archives");
    for how in [How::Lazy, How::Plain] {
        let main = compile(&scratch, How::Lazy, "main.c", MAIN, &[]);
        let helper = compile(&scratch, how, "helper.c", HELPER, &[]);
        let unused = compile(
            &scratch,
            How::Lazy,
            "unused.c",
            "int nowhere(void);\nint unused(void) { return nowhere(); }\n",
            &[],
        );
        let library = scratch.path().join("libhelper.a");
        archive(&[unused, helper], &library);
        for linker in LINKERS {
            // The unused member would be an error: it refers to what nothing defines.
            let program = link(&scratch, linker, &[main.clone(), library.clone()], &[]);
            assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "42\n", "{linker} {how:?}");
        }
    }
}

#[test]
fn a_library_that_only_bodies_use_is_kept_as_needed() {
    let scratch = Scratch::new("as-needed");
    let helper = compile(&scratch, How::Lazy, "helper.c", HELPER, &["-fPIC"]);
    for linker in LINKERS {
        let flags = ["-shared".to_owned(), "-Wl,-soname,libhelper.so".to_owned()];
        Link { linker, cxx: false, flags: &flags }
            .run(std::slice::from_ref(&helper), &scratch.path().join("libhelper.so"));
        let main = compile(&scratch, How::Lazy, "main.c", MAIN, &[]);
        let library = scratch.path().join("libhelper.so");
        let program = link(
            &scratch,
            linker,
            &[main, PathBuf::from("-Wl,--as-needed"), library],
            &["-Wl,-rpath,$ORIGIN"],
        );
        assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "42\n", "{linker}");
    }
}

#[test]
fn a_lazy_library_serves_a_plain_program() {
    let scratch = Scratch::new("lazy-library");
    let main = compile(&scratch, How::Plain, "main.c", MAIN, &[]);
    let helper = compile(&scratch, How::Lazy, "helper.c", HELPER, &["-fPIC"]);
    for linker in LINKERS {
        for flags in [&["-Wl,-z,now"][..], &["-Wl,-z,lazy"], &["-Wl,-Bsymbolic"]] {
            let flags: Vec<_> = flags
                .iter()
                .chain(&["-shared", "-Wl,-soname,libhelper.so"])
                .map(ToString::to_string)
                .collect();
            let library = scratch.path().join("libhelper.so");
            Link { linker, cxx: false, flags: &flags }.run(std::slice::from_ref(&helper), &library);
            let program = link(&scratch, linker, &[main.clone(), library], &["-Wl,-rpath,$ORIGIN"]);
            assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "42\n", "{linker} {flags:?}");
        }
    }
}

#[test]
fn a_version_script_may_hide_what_it_likes() {
    let scratch = Scratch::new("version-script");
    let main = compile(&scratch, How::Plain, "main.c", MAIN, &[]);
    let helper = compile(
        &scratch,
        How::Lazy,
        "helper.c",
        "int hidden_by_script(int x) { return x + 1; }\nint helper(int x) { return hidden_by_script(x); }\n",
        &["-fPIC"],
    );
    let script = scratch.file("helper.map", "{ global: helper; local: *; };\n");
    for linker in LINKERS {
        let flags = ["-shared".to_owned(), format!("-Wl,--version-script={}", script.display())];
        let library = scratch.path().join("libhelper.so");
        Link { linker, cxx: false, flags: &flags }.run(std::slice::from_ref(&helper), &library);
        let program = link(&scratch, linker, &[main.clone(), library], &["-Wl,-rpath,$ORIGIN"]);
        assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "42\n", "{linker}");
    }
}

#[test]
fn folding_identical_code_does_not_mix_functions_up() {
    let scratch = Scratch::new("folding");
    let text = "#include <stdio.h>\nint a(int x) { return x + 1; }\nint b(int x) { return x + 2; }\n\
        int same_as_a(int x) { return x + 1; }\n\
        int main(void) { printf(\"%d %d %d %d\\n\", a(1), b(1), same_as_a(1), a != same_as_a); return 0; }\n";
    let object = compile(&scratch, How::Lazy, "main.c", text, &["-ffunction-sections"]);
    for linker in ["lld", "mold"] {
        let program = link(&scratch, linker, std::slice::from_ref(&object), &["-Wl,--icf=safe"]);
        assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "2 3 2 1\n", "{linker}");
    }
}

#[test]
fn moved_programs_and_sources_run() {
    let scratch = Scratch::new("moved");
    let main = scratch.file("sources/main.c", MAIN);
    let helper = scratch.file("sources/helper.c", HELPER);
    let objects = [scratch.path().join("main.o"), scratch.path().join("helper.o")];
    lazy_object(&main, &["-g".to_owned()], &objects[0], &[]);
    lazy_object(&helper, &["-g".to_owned()], &objects[1], &[]);
    let program = link(&scratch, "bfd", &objects, &[]);
    // With the container in the program, nothing else is needed to run it.
    fs::remove_dir_all(scratch.path().join("sources")).expect("it is ours");
    objects.iter().for_each(|object| fs::remove_file(object).expect("it is ours"));
    let moved = scratch.directory("elsewhere").join("renamed");
    fs::rename(program, &moved).expect("it is ours");
    assert_eq!(run_lazy(&scratch, &moved).assert_code(0).text(), "42\n");
    let through_link = scratch.path().join("link");
    std::os::unix::fs::symlink(&moved, &through_link).expect("the directory is ours");
    assert_eq!(run_lazy(&scratch, &through_link).assert_code(0).text(), "42\n");
}

#[test]
fn a_program_with_its_own_unwinder_catches_exceptions() {
    let scratch = Scratch::new("static-unwinder");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("sources/exceptions");
    for level in ["-O0", "-O2"] {
        let flags = [level.to_owned(), "-g".to_owned()];
        let relay = object(How::Plain, &sources.join("relay.cpp"), &flags, scratch.path());
        let main = object(How::Lazy, &sources.join("exceptions.cpp"), &flags, scratch.path());
        for linker in LINKERS {
            for further in ["-g", "-static-libstdc++", "-s"] {
                let flags = ["-static-libgcc".to_owned(), further.to_owned()];
                let program = scratch.path().join("program");
                Link { linker, cxx: true, flags: &flags }.run(&[main.clone(), relay.clone()], &program);
                let outcome = run_lazy(&scratch, &program);
                assert!(
                    outcome.assert_code(0).text().ends_with("destructors 4\n"),
                    "{linker} {further}: {outcome}"
                );
            }
        }
    }
}

#[test]
fn symbol_versions_lead_to_lazy_functions() {
    let scratch = Scratch::new("symbol-versions");
    let library = compile(
        &scratch,
        How::Lazy,
        "versions.c",
        "__asm__(\".symver first,versioned@ONE\\n.symver second,versioned@@TWO\");\n\
         int first(void) { return 1; }\nint second(void) { return 2; }\n",
        &["-fPIC"],
    );
    let main = compile(&scratch, How::Lazy, "main.c", include_str!("linking/versioned.c"), &[]);
    let script = scratch
        .file("versions.map", "ONE { global: versioned; local: *; };\nTWO { global: versioned; } ONE;\n");
    for linker in LINKERS {
        let flags = ["-shared".to_owned(), format!("-Wl,--version-script={}", script.display())];
        let path = scratch.path().join("libversions.so");
        Link { linker, cxx: false, flags: &flags }.run(std::slice::from_ref(&library), &path);
        let program = link(&scratch, linker, &[main.clone(), path], &["-Wl,-rpath,$ORIGIN", "-ldl"]);
        assert_eq!(run_lazy(&scratch, &program).assert_code(0).text(), "2 1 1 1\n", "{linker}");
    }
}
