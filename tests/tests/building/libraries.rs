//! Shared libraries with lazy code: interposition, preloading, visibility, namespaces.

use autojit_tests::compile::How;
use autojit_tests::parts::{HELPER, LINKERS, MAIN, assert_42, compile, link, link_library};
use autojit_tests::run::{command, lazy_command, run};
use autojit_tests::scratch::{Scratch, dist};

const ORIGIN: &str = "-Wl,-rpath,$ORIGIN";

#[test]
fn preloaded_libraries_interpose_lazily() {
    let scratch = Scratch::new("preload-interposes");
    // The program's own library says 0; the one in front of it asks for that and corrects it.
    let behind =
        compile(&scratch, How::Lazy, "behind.c", "int helper(int x) { return x - 20; }\n", &["-fPIC"]);
    let corrector = "#define _GNU_SOURCE\n#include <dlfcn.h>\n\
        static int correct(int x) { return x + 21; }\n\
        int helper(int x) { int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, \"helper\");\n\
        return next ? correct(next(x)) : -1; }\n";
    let runtime = dist("lib/libautojit.so");
    for how in [How::Lazy, How::Plain] {
        let main = compile(&scratch, how, "main.c", MAIN, &[]);
        for (linker, interposer) in [("bfd", How::Lazy), ("lld", How::Lazy), ("mold", How::Plain)] {
            let behind = link_library(&scratch, linker, "libbehind.so", std::slice::from_ref(&behind), &[]);
            let front = compile(&scratch, interposer, "front.c", corrector, &["-fPIC"]);
            let front = link_library(&scratch, linker, "libfront.so", &[front], &[]);
            let program = link(&scratch, linker, &[main.clone(), behind], &[ORIGIN]);
            for order in [[&runtime, &front], [&front, &runtime]] {
                let preload = order.map(|path| path.display().to_string()).join(":");
                let mut command = lazy_command(&program, scratch.path());
                let outcome = run(command.env("LD_PRELOAD", &preload), scratch.path(), b"");
                assert_eq!(outcome.assert_code(0).text(), "42\n", "{how:?} {linker} {preload}: {outcome}");
            }
        }
    }
}

#[test]
fn bound_at_link_time_or_not_as_the_flags_say() {
    let scratch = Scratch::new("symbolic");
    let text = "#include <stdio.h>\nint number(void) { return 1; }\nint ask(void) { return number(); }\n";
    let main = "#include <stdio.h>\nint ask(void);\nint number(void) { return 2; }\n\
        int main(void) { printf(\"%d\\n\", ask()); return 0; }\n";
    // Compiler flag, linker flag, what the library sees.
    let cases: [(&str, &str, &str); 6] = [
        ("-fsemantic-interposition", "-Wl,--as-needed", "2\n"),
        ("-fsemantic-interposition", "-Wl,-Bsymbolic", "1\n"),
        ("-fsemantic-interposition", "-Wl,-Bsymbolic-functions", "1\n"),
        ("-fvisibility=protected", "-Wl,--as-needed", "1\n"),
        ("-fno-semantic-interposition", "-Wl,-Bsymbolic", "1\n"),
        ("-fno-plt", "-Wl,-Bsymbolic", "1\n"),
    ];
    for (number, (compiler, linker_flag, expected)) in cases.iter().enumerate() {
        for linker in [LINKERS[number % 4], LINKERS[(number + 2) % 4]] {
            let mut outputs = Vec::new();
            for how in [How::Plain, How::Lazy] {
                let object = compile(&scratch, how, "library.c", text, &["-fPIC", compiler]);
                let library = link_library(&scratch, linker, "liblibrary.so", &[object], &[linker_flag]);
                let main = compile(&scratch, how, "main.c", main, &[]);
                let program = link(&scratch, linker, &[main, library], &[ORIGIN, "-rdynamic"]);
                let mut command = match how {
                    How::Plain => command(&program),
                    How::Lazy => lazy_command(&program, scratch.path()),
                };
                outputs.push(run(&mut command, scratch.path(), b"").assert_code(0).text());
            }
            assert_eq!(outputs, [*expected; 2], "{compiler} {linker_flag} {linker}");
        }
    }
}

#[test]
fn namespaces_of_their_own_have_no_runtime() {
    let scratch = Scratch::new("dlmopen");
    let helper = compile(&scratch, How::Lazy, "helper.c", HELPER, &["-fPIC"]);
    link_library(&scratch, "bfd", "libhelper.so", &[helper], &[]);
    let text = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n\
        int main(void) { puts(\"begun\"); fflush(stdout);\n\
        void *library = dlmopen(LM_ID_NEWLM, \"./libhelper.so\", RTLD_NOW);\n\
        return library ? ((int (*)(int))dlsym(library, \"helper\"))(1) : 77; }\n";
    let main = compile(&scratch, How::Plain, "main.c", text, &[]);
    let program = link(&scratch, "bfd", &[main], &[]);
    let outcome = run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"");
    assert_eq!(outcome.assert_code(127).text(), "begun\n");
    assert!(outcome.errors().contains("dlmopen") && outcome.errors().lines().count() == 1, "{outcome}");
}

#[test]
fn hidden_and_stripped_libraries_work() {
    let scratch = Scratch::new("stripped-library");
    let helper = compile(
        &scratch,
        How::Lazy,
        "helper.c",
        "__attribute__((visibility(\"hidden\"))) int inside(int x) { return x + 1; }\n\
         int helper(int x) { return inside(x); }\n",
        &["-fPIC", "-g", "-ffunction-sections"],
    );
    let main = compile(&scratch, How::Lazy, "main.c", MAIN, &[]);
    for linker in LINKERS {
        for strip in ["--strip-all", "--strip-unneeded", "-g"] {
            let flags = ["-Wl,--gc-sections", "-Wl,-z,nodelete"];
            let library =
                link_library(&scratch, linker, "libhelper.so", std::slice::from_ref(&helper), &flags);
            autojit_tests::run::tool(command("strip").arg(strip).arg(&library));
            let program = link(&scratch, linker, &[main.clone(), library], &[ORIGIN]);
            assert_42(&scratch, &program, &format!("{linker} {strip}"));
        }
    }
}
