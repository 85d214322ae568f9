//! What is done to objects and programs between compiling and running: `strip`, `objcopy`, debug information in other
//! files, and the other forms of a compiler's output.

use std::fs;
use std::path::{Path, PathBuf};

use autojit_tests::compile::{How, plugin};
use autojit_tests::llvm::CLANG;
use autojit_tests::parts::{HELPER, LINKERS, MAIN, assert_42, compile, link, try_to_link};
use autojit_tests::run::{attempt, command, tool};
use autojit_tests::scratch::Scratch;

#[test]
fn stripped_objects_link() {
    let scratch = Scratch::new("stripped-objects");
    let strippers: [&[&str]; 7] = [
        &["strip", "-g"],
        &["strip", "--strip-unneeded"],
        &[concat!("llvm-strip-", env!("LLVM_RELEASE")), "-g"],
        &[concat!("llvm-strip-", env!("LLVM_RELEASE")), "--strip-unneeded"],
        &["objcopy", "--compress-debug-sections"],
        &[concat!("llvm-objcopy-", env!("LLVM_RELEASE")), "--compress-debug-sections=zstd"],
        &["objcopy", "--remove-section=.comment"],
    ];
    for (number, stripper) in strippers.iter().enumerate() {
        let objects = [
            compile(&scratch, How::Lazy, "main.c", MAIN, &["-g"]),
            compile(&scratch, How::Lazy, "helper.c", HELPER, &["-g"]),
        ];
        for object in &objects {
            tool(command(stripper[0]).args(&stripper[1..]).arg(object));
        }
        // Each linker sees some.
        for linker in [LINKERS[number % 4], LINKERS[(number + 1) % 4]] {
            assert_42(&scratch, &link(&scratch, linker, &objects, &[]), &format!("{linker} {stripper:?}"));
        }
    }
}

#[test]
fn renamed_symbols_are_followed() {
    let scratch = Scratch::new("renamed-symbols");
    let main = compile(&scratch, How::Lazy, "main.c", MAIN, &[]);
    let helper = compile(&scratch, How::Lazy, "helper.c", &HELPER.replace("helper", "other"), &[]);
    for linker in LINKERS {
        let renamed = scratch.path().join("renamed.o");
        tool(command("objcopy").args(["--redefine-sym", "other=helper"]).arg(&helper).arg(&renamed));
        assert_42(&scratch, &link(&scratch, linker, &[main.clone(), renamed], &[]), linker);
        let renamed = scratch.path().join("renamed-main.o");
        tool(command("objcopy").args(["--redefine-sym", "helper=other"]).arg(&main).arg(&renamed));
        assert_42(&scratch, &link(&scratch, linker, &[renamed, helper.clone()], &[]), linker);
    }
}

/// Images have one copy of some symbols, whose names all objects agree in, and linkers define others. Without them a link
/// fails: nothing is lost silently.
#[test]
fn objects_without_the_names_of_the_tables_do_not_link() {
    let scratch = Scratch::new("lost-names");
    let refuse = |objects: &[PathBuf], linker: &str, lost: &str| {
        let refused = try_to_link(&scratch, linker, objects, &[]);
        assert!(!refused.status.success() && refused.errors().contains(lost), "{linker}: {refused}");
    };
    let change = |flag: &str, object: &Path| {
        let changed = object.with_extension("changed.o");
        tool(command("objcopy").arg(flag).arg(object).arg(&changed));
        changed
    };
    let main = compile(&scratch, How::Lazy, "main.c", MAIN, &[]);
    let helper = compile(&scratch, How::Lazy, "helper.c", HELPER, &[]);
    let calls = MAIN.replace("helper", "p_helper");
    let calls = compile(&scratch, How::Plain, "calls.c", &calls, &[]);
    let prefixed = [calls, change("--prefix-symbols=p_", &helper)];
    for linker in LINKERS {
        refuse(&prefixed, linker, "p___start_autojit_slots");
    }
    // One such object has all that it needs. mold says nothing of the second one.
    let hidden = [change("--localize-hidden", &main), change("--localize-hidden", &helper)];
    for linker in ["bfd", "gold", "lld"] {
        refuse(&hidden, linker, "__autojit_entry");
    }
}

#[test]
fn debug_information_may_lie_in_other_files() {
    let scratch = Scratch::new("debug-files");
    // -gsplit-dwarf names its file after the object.
    for (name, text) in [("main", MAIN), ("helper", HELPER)] {
        let source = scratch.file(&format!("{name}.c"), text);
        let mut clang = command(CLANG);
        clang.arg(format!("-fpass-plugin={}", plugin().display())).args(["-g", "-gsplit-dwarf", "-c"]);
        tool(clang.arg(source).current_dir(scratch.path()));
        assert!(scratch.path().join(format!("{name}.dwo")).is_file());
    }
    let objects = ["main.o", "helper.o"].map(|name| scratch.path().join(name));
    let program = link(&scratch, "lld", &objects, &[]);
    assert_42(&scratch, &program, "-gsplit-dwarf");

    let objects = [
        compile(&scratch, How::Lazy, "main.c", MAIN, &["-g"]),
        compile(&scratch, How::Lazy, "helper.c", HELPER, &["-g"]),
    ];
    let program = link(&scratch, "bfd", &objects, &["-Wl,--build-id"]);
    let debug = scratch.path().join("program.debug");
    tool(command("objcopy").arg("--only-keep-debug").arg(&program).arg(&debug));
    tool(command("strip").arg("--strip-all").arg(&program));
    tool(command("objcopy").arg(format!("--add-gnu-debuglink={}", debug.display())).arg(&program));
    assert_42(&scratch, &program, "--add-gnu-debuglink");
}

#[test]
fn bitcode_and_assembler_text_become_lazy_objects() {
    let scratch = Scratch::new("other-output");
    let flag = format!("-fpass-plugin={}", plugin().display());
    let helper = compile(&scratch, How::Lazy, "helper.c", HELPER, &[]);
    let source = scratch.file("main.c", MAIN);
    let forms: [(&[&str], &str); 3] =
        [(&["-emit-llvm", "-c"], "bc"), (&["-emit-llvm", "-S"], "ll"), (&["-S"], "s")];
    for (form, extension) in forms {
        let output = scratch.path().join(format!("main.{extension}"));
        tool(command(CLANG).arg(&flag).args(form).arg(&source).arg("-o").arg(&output));
        // The plugin may be asked for again: there is nothing left to do.
        for again in [None, Some(&flag)] {
            let object = scratch.path().join("main.o");
            tool(command(CLANG).args(again).arg("-c").arg(&output).arg("-o").arg(&object));
            let program = link(&scratch, "lld", &[object, helper.clone()], &[]);
            assert_42(&scratch, &program, extension);
        }
    }
    // Assembler text of others, with the flag that it has no use for.
    let text = scratch
        .file("asm.s", ".globl helper\nhelper: leal 1(%rdi),%eax\nret\n.section .note.GNU-stack,\"\"\n");
    let object = scratch.path().join("asm.o");
    tool(command(CLANG).arg(&flag).args(["-x", "assembler", "-c"]).arg(text).arg("-o").arg(&object));
    let main = compile(&scratch, How::Lazy, "main.c", MAIN, &[]);
    assert_42(&scratch, &link(&scratch, "lld", &[main, object], &[]), "assembler");
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let scratch = Scratch::new("same-bytes");
    let flag = format!("-fpass-plugin={}", plugin().display());
    let source = scratch.file("main.c", MAIN);
    let forms: [&[&str]; 4] = [&["-c"], &["-S"], &["-c", "-emit-llvm"], &["-c", "-O2", "-g"]];
    for form in forms {
        let [first, second] = ["first", "second"].map(|directory| {
            let directory = scratch.directory(directory);
            let output: PathBuf = directory.join("output");
            let mut clang = command(CLANG);
            tool(clang.arg(&flag).args(form).arg(&source).arg("-o").arg(&output).current_dir(scratch.path()));
            fs::read(output).expect("the compiler wrote it")
        });
        assert!(first == second, "two outputs differ for {form:?}");
    }
}

#[test]
fn modules_that_were_linked_as_bitcode_are_refused() {
    let scratch = Scratch::new("linked-bitcode");
    let mut modules = Vec::new();
    for (name, text) in [("main", MAIN), ("helper", HELPER)] {
        let source = scratch.file(&format!("{name}.c"), text);
        let module = scratch.path().join(format!("{name}.bc"));
        let plugin = format!("-fpass-plugin={}", plugin().display());
        tool(command(CLANG).args(["-emit-llvm", "-c", &plugin]).arg(source).arg("-o").arg(&module));
        modules.push(module);
    }
    let together = scratch.path().join("together.bc");
    tool(command(concat!("llvm-link-", env!("LLVM_RELEASE"))).args(&modules).arg("-o").arg(&together));
    let object = scratch.path().join("together.o");
    let refused = attempt(command(CLANG).arg("-c").arg(&together).arg("-o").arg(&object));
    assert!(!refused.status.success(), "{refused}");
    assert!(refused.errors().contains("cannot be linked as bitcode"), "{refused}");
    // One module alone is as good as its object.
    for module in &modules {
        tool(command(CLANG).arg("-c").arg(module).arg("-o").arg(&object));
    }
}
