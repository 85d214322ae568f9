//! Whatever a build asks the wrappers, they answer as clang does: to the letter where nothing is compiled, and with the same
//! messages and exit status where something is.

use std::path::Path;
use std::process::Stdio;

use autojit_tests::compile::plugin;
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{Outcome, command, run, tool};
use autojit_tests::scratch::{Scratch, dist};

/// One command line for the C compiler, and what is in its standard input.
#[track_caller]
fn answer(compiler: &Path, scratch: &Scratch, arguments: &[&str], stdin: &str) -> Outcome {
    let mut compiler = command(compiler);
    compiler.args(arguments).stdout(Stdio::piped()).env_remove("AUTOJIT_STORE");
    run(&mut compiler, scratch.path(), stdin.as_bytes())
}

fn project(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    scratch.file(
        "main.c",
        "#include \"part.h\"\n#include <stdio.h>\nint main(void) { puts(TEXT); return VALUE; }\n",
    );
    scratch.file("part.h", "#define TEXT \"text\"\n#ifndef VALUE\n#define VALUE 3\n#endif\n");
    scratch.file("wrong.c", "int main(void) { return missing; }\n");
    scratch.file("options", "-E -P \"main.c\"\n-DVALUE='(1 +\t1)'\n");
    scratch.file("asked.s", ".globl asked\nasked: ret\n");
    scratch
}

const SOURCE: &str = "int main(void) { return VALUE; }\n";

/// Command lines whose output is text.
const ASKED: &[&str] = &[
    "-dumpversion",
    "-dumpmachine",
    "-print-search-dirs",
    "-print-file-name=libc.so",
    "-print-file-name=include",
    "-print-prog-name=ld",
    "-print-libgcc-file-name",
    "-print-resource-dir",
    "-print-target-triple",
    "--print-supported-cpus",
    "--help",
    "-E main.c",
    "-E -dM main.c",
    "-E -v -P main.c",
    "-E - -DVALUE=1",
    "-x c -E -",
    "-xc -fsyntax-only - -DVALUE=7",
    "-fsyntax-only main.c",
    "-M main.c",
    "-MM main.c",
    "-MM -MT target -MP main.c",
    "-E -MD -MF /dev/stdout main.c",
    "-c wrong.c",
    "-S -o - asked.s",
    "@options",
    "-c main.c -Wnothing-of-that-name",
    "--no-such-option main.c",
    "-c -Wmaybe-uninitialized main.c -o main.o",
    "-c -fno-tree-vectorize -fgcse main.c -o main.o",
    "-c -Werror -fno-fat-lto-objects -Wno-psabi main.c -o main.o",
    "-c -Werror -frecord-gcc-switches main.c -o main.o",
    "-c -O2 -Werror=unused-command-line-argument -Lnowhere main.c -o main.o",
    "-c -std=c89 -pedantic-errors -xc - -DVALUE=2 -o main.o",
    "-",
    "",
    "-v",
    "-c main.c -o no/such/directory/main.o",
    "main.o -o program -lno_such_library",
    "missing.c",
    "missing.o -o program",
    "-static missing.c -Wl,-s",
    "missing.c -lm",
    "main.c missing.c -o program",
    "@missing",
    "main.c -o",
    "-static main.c -o",
    "-working-directory no-directory main.c",
];

#[test]
fn questions_are_answered_as_by_clang() {
    let scratch = project("answers");
    let wrapper = dist("bin/autojit-cc");
    for line in ASKED {
        let arguments: Vec<_> = line.split_whitespace().collect();
        let plain = answer(Path::new(CLANG), &scratch, &arguments, SOURCE);
        let mut wrapped = answer(&wrapper, &scratch, &arguments, SOURCE);
        // The linker and crashing compilers are told in full with -v; nothing else of the plugin is to be seen.
        wrapped.stderr = without_plugin(&wrapped.errors()).into_bytes();
        plain.assert_same(&wrapped, line);
    }
}

/// What clang prints without the plugin's option.
fn without_plugin(text: &str) -> String {
    let plugin = plugin();
    let plugin = plugin.display();
    let words = [format!(" \"-fpass-plugin={plugin}\""), format!(" -fpass-plugin={plugin}")];
    words.iter().fold(text.to_owned(), |text, word| text.replace(word, ""))
}

#[test]
fn commands_are_shown_as_by_clang() {
    let scratch = project("answers-commands");
    let wrapper = dist("bin/autojit-cc");
    let runtime = dist("lib/libautojit.so").canonicalize().expect("it is built");
    for line in [
        "-### -c main.c",
        "-### -S main.c -O2 -g",
        "-### -E main.c",
        "-### main.c -o program",
        "-### -static main.c",
    ] {
        let arguments: Vec<_> = line.split_whitespace().collect();
        let plain = answer(Path::new(CLANG), &scratch, &arguments, "").errors();
        let shown = answer(&wrapper, &scratch, &arguments, "").errors();
        // Objects between compiler and linker have names made up for each call.
        let count = |text: &str| (text.lines().count(), text.matches(" \"-cc1\"").count());
        assert_eq!(count(&shown), count(&plain), "{line}: {shown}");
        let links = line.contains("-o program");
        assert_eq!(shown.contains(&*runtime.to_string_lossy()), links, "{line}: {shown}");
        if line.contains("-c") || line.contains("-S") {
            assert_eq!(without_plugin(&shown), plain, "{line}");
            assert_ne!(shown, plain, "{line}");
        }
    }
}

#[test]
fn whatever_names_the_input_is_compiled_lazily() {
    let scratch = project("answers-inputs");
    scratch.file("compile", "-c main.c -o 'main.o'");
    scratch.file("main.text", "int main(void) { return 3; }\n");
    for (line, stdin) in [
        ("-c main.c -o main.o", ""),
        ("@compile", ""),
        ("-x c -c - -DVALUE=3 -o main.o", SOURCE),
        ("-xc -c main.text -o main.o", ""),
        ("-c -x c main.text -x none -o main.o", ""),
        ("-MD -MF main.d -c main.c -o main.o", ""),
        ("-save-temps=obj -c main.c -o main.o", ""),
        ("-c -pipe -fno-tree-vectorize main.c -o main.o", ""),
        ("-Xclang -disable-O0-optnone -c main.c -o main.o", ""),
    ] {
        drop(std::fs::remove_file(scratch.path().join("main.o")));
        let arguments: Vec<_> = line.split_whitespace().collect();
        answer(&dist("bin/autojit-cc"), &scratch, &arguments, stdin).assert_code(0);
        let sections = tool(command("readelf").args(["-SW", "main.o"]).current_dir(scratch.path())).text();
        assert!(sections.contains("autojit_slots"), "{line}: {sections}");
    }
    // Assembler text and bitcode are stubs and containers, too.
    answer(&dist("bin/autojit-cc"), &scratch, &["-S", "main.c", "-o", "main.s"], "").assert_code(0);
    let text = std::fs::read_to_string(scratch.path().join("main.s")).expect("it was written");
    assert!(text.contains("autojit_slots"), "{text}");
    answer(&dist("bin/autojit-cc"), &scratch, &["main.s", "-o", "program"], "").assert_code(0);
    run(&mut command(scratch.path().join("program")), scratch.path(), b"").assert_code(3);
}
