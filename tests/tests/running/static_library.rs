//! libautojit_static-x86_64.a: the runtime inside the program, with every linker and kind of link.
//!
//! Code comes from the object cache in most of them: the same objects were linked dynamically and run with the preloaded
//! runtime before, which needs no daemon. The programs of `sources/` run statically with one (src/program.rs).

use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::compile::{How, Link, Toolchain, rust_program};
use autojit_tests::parts::{LINKERS, compile};
use autojit_tests::run::{Outcome, by_llvm, command, lazy_command, run, static_command, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

/// What a program is linked with.
pub fn archive() -> [String; 2] {
    let path = dist("lib/libautojit_static-x86_64.a");
    let directory = path.parent().expect("a file has a directory").display().to_string();
    [format!("-L{directory}"), "-lautojit_static-x86_64".to_owned()]
}

/// Links `objects` with the static runtime, last.
#[track_caller]
fn link(scratch: &Scratch, linker: &str, cxx: bool, objects: &[PathBuf], flags: &[&str]) -> PathBuf {
    let output = scratch.path().join("program");
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).chain(archive()).collect();
    Link { linker, cxx, flags: &flags }.run(objects, &output);
    output
}

/// Links `objects` without the runtime, and runs them with the preloaded one, which leaves their code in the cache.
#[track_caller]
fn fill_cache(scratch: &Scratch, cxx: bool, objects: &[PathBuf]) -> Outcome {
    let program = scratch.path().join("dynamic");
    Link { linker: "lld", cxx, flags: &[] }.run(objects, &program);
    let outcome = run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"");
    outcome.assert_code(0);
    outcome
}

/// The command that runs a program with what is in the cache, and no runtime but its own.
fn own_command(scratch: &Scratch, program: &Path) -> Command {
    let mut command = command(program);
    command
        .env_remove("AUTOJIT_DISABLE_OBJECT_CACHE")
        .env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"))
        .env("AUTOJIT_STATS", scratch.path().join("stats.%p"));
    command
}

/// Runs it so, and checks that it does what `expected` did, with code from the cache.
#[track_caller]
fn assert_runs(scratch: &Scratch, program: &Path, expected: &Outcome, what: &str) {
    let outcome = run(&mut own_command(scratch, program), scratch.path(), b"");
    expected.assert_same(&outcome, what);
    let stats = Stats::read(&scratch.path().join(format!("stats.{}", outcome.pid)));
    assert!(stats.number("from_cache") > 0.0, "{what}: {stats:?}");
    assert_eq!((stats.compiled(), stats.number("from_daemon")), (0.0, 0.0), "{what}: {stats:?}");
    assert_eq!(stats.string("mode"), "daemon");
}

/// Which kinds of program a linker makes; clang cannot have gold link static PIEs.
fn kinds(linker: &str) -> Vec<&'static str> {
    let all = ["-static", "-static-pie", "-pie", "-no-pie"];
    all.into_iter().filter(|kind| linker != "gold" || *kind != "-static-pie").collect()
}

/// Constructors, callbacks, an exit handler, library calls that only the code generator makes.
const C: &str = include_str!("static_library/program.c");

#[test]
fn the_baseline_compiler_needs_no_daemon() {
    let scratch = Scratch::new("static-baseline");
    let text = "int puts(const char *);\nint twice(int n) { return 2 * n; }\n\
        int main(void) { return puts(\"called\") < 0 || twice(4) != 8; }\n";
    let object = compile(&scratch, How::Lazy, "program.c", text, &["-O0", "-g"]);
    let program = link(&scratch, "lld", false, &[object], &["-static"]);
    let mut command = static_command(&program, scratch.path());
    command.env("AUTOJIT_SOCKET_PATH", "/nowhere/autojitd.sock");
    let outcome = run(&mut command, scratch.path(), b"");
    assert_eq!(outcome.assert_code(0).text(), "called\n");
    let stats = Stats::read(&scratch.path().join(format!("stats.{}", outcome.pid)));
    assert_eq!(
        ["baseline", "bound", "from_daemon"].map(|key| stats.number(key)),
        [2.0, 2.0, 0.0],
        "{stats:?}"
    );
}

#[test]
fn c_programs_of_every_kind() {
    for level in ["-O0", "-O2"] {
        let scratch = Scratch::new(&format!("static-library-c{level}"));
        let objects = [compile(&scratch, How::Lazy, "main.c", C, &[level, "-fPIC"])];
        let expected = fill_cache(&scratch, false, &objects);
        assert_eq!(expected.text(), "11 1 9 1\n4 four\nno error\nbye\n");
        for linker in LINKERS {
            for kind in kinds(linker) {
                let program = link(&scratch, linker, false, &objects, &[kind, "-Wl,--gc-sections"]);
                assert_runs(&scratch, &program, &expected, &format!("{linker} {kind}"));
                tool(command("strip").arg("-s").arg(&program));
                assert_runs(&scratch, &program, &expected, &format!("{linker} {kind}, stripped"));
            }
        }
    }
}

/// Exceptions through lazy and static frames, in threads and children; objects that are destroyed at exit.
const CXX: &str = include_str!("static_library/program.cpp");

#[test]
fn cxx_programs_of_every_kind() {
    for level in ["-O0", "-O2"] {
        let scratch = Scratch::new(&format!("static-library-cpp{level}"));
        let objects = [compile(&scratch, How::Lazy, "main.cpp", CXX, &[level, "-fPIC"])];
        let expected = fill_cache(&scratch, true, &objects);
        assert!(expected.text().ends_with("\n5\n~last\n"), "{expected}");
        for linker in LINKERS {
            for kind in kinds(linker) {
                let program = link(&scratch, linker, true, &objects, &[kind]);
                assert_runs(&scratch, &program, &expected, &format!("{linker} {kind}"));
            }
            let program = link(&scratch, linker, true, &objects, &["-static", "-s"]);
            assert_runs(&scratch, &program, &expected, &format!("{linker} -static -s"));
            // Two unwinders: the program's own, and that of a library.
            let program = link(&scratch, linker, true, &objects, &["-static-libgcc", "-static-libstdc++"]);
            assert_runs(&scratch, &program, &expected, &format!("{linker} -static-libgcc"));
        }
    }
}

#[test]
fn where_the_library_stands_does_not_matter() {
    let scratch = Scratch::new("static-library-order");
    let main = compile(&scratch, How::Lazy, "main.c", C, &["-O0", "-fPIC"]);
    let expected = fill_cache(&scratch, false, std::slice::from_ref(&main));
    for linker in LINKERS {
        // Behind the C library, and twice.
        for before in [&["-lc"][..], &["-lautojit_static-x86_64"]] {
            let directory = archive()[0].clone();
            let flags: Vec<_> = [&[directory.as_str()], before].concat();
            let program = link(&scratch, linker, false, std::slice::from_ref(&main), &flags);
            assert_runs(&scratch, &program, &expected, &format!("{linker} {before:?}"));
        }
        // All of a partial link.
        let whole = scratch.path().join("whole.o");
        tool(command("ld.bfd").arg("-r").arg(&main).arg("-o").arg(&whole));
        let program = link(&scratch, linker, false, &[whole], &["-static"]);
        assert_runs(&scratch, &program, &expected, &format!("{linker} ld -r"));
    }
}

#[test]
fn it_shows_and_wants_little() {
    let symbols = tool(command("nm").arg(dist("lib/libautojit_static-x86_64.a"))).text();
    let (mut defined, mut undefined) = (Vec::new(), Vec::new());
    for line in symbols.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [_, kind, name] if kind.chars().all(char::is_uppercase) => defined.push(name),
            ["U" | "w" | "v", name] => undefined.push(name),
            _ => {}
        }
    }
    defined.sort_unstable();
    assert_eq!(defined, ["__autojit_attach", "__autojit_register", "__start_autojit_image"]);
    assert!(undefined.contains(&"dl_iterate_phdr"), "{symbols}");
    // What every C library has, or may lack.
    const KNOWN: &str = "__autojit_image __environ __tls_get_addr dl_iterate_phdr free malloc pthread_atfork realloc \
        __dso_handle __register_atfork __register_frame_info __unw_add_dynamic_eh_frame_section \
        posix_memalign calloc memchr memrchr memccpy mempcpy wcslen strnlen strchr strrchr strcmp strncmp strcpy stpcpy \
        strncpy stpncpy strcat strncat strdup strndup strstr puts putchar fputc fputs fwrite sprintf snprintf vsprintf \
        vsnprintf vprintf vfprintf putc getc fgetc getchar __ctype_tolower_loc __ctype_toupper_loc strtol strtoul strtoll \
        strtoull strtod";
    let strange: Vec<_> =
        undefined.iter().filter(|name| !KNOWN.split_whitespace().any(|known| known == **name)).collect();
    assert!(strange.is_empty(), "it refers to {strange:?}");
}

#[test]
fn plain_programs_do_not_take_it() {
    let scratch = Scratch::new("static-library-plain");
    let object = compile(&scratch, How::Plain, "main.c", C, &["-O0", "-fPIC"]);
    for linker in LINKERS {
        let program = link(&scratch, linker, false, std::slice::from_ref(&object), &["-static"]);
        let symbols = tool(command("nm").arg(&program)).text();
        assert!(!symbols.contains("autojit"), "{linker}: {symbols}");
    }
}

#[test]
fn without_it_static_programs_say_what_to_do() {
    let scratch = Scratch::new("static-library-missing");
    let object = compile(&scratch, How::Lazy, "main.c", C, &["-O0", "-fPIC"]);
    for linker in LINKERS {
        for kind in kinds(linker).into_iter().filter(|kind| kind.starts_with("-static")) {
            let program = scratch.path().join("program");
            Link { linker, cxx: false, flags: &[kind.to_owned()] }
                .run(std::slice::from_ref(&object), &program);
            let outcome = run(&mut command(&program), scratch.path(), b"");
            let errors = outcome.assert_code(127).errors();
            assert!(
                errors.contains("-lautojit_static-x86_64") && errors.lines().count() == 1,
                "{linker} {kind}: {outcome}"
            );
        }
    }
}

#[test]
fn a_preloaded_runtime_is_preferred() {
    let scratch = Scratch::new("static-library-preloaded");
    let object = compile(&scratch, How::Lazy, "main.c", C, &["-O0", "-fPIC"]);
    for linker in LINKERS {
        for flags in [&["-pie"][..], &["-no-pie"], &["-rdynamic"]] {
            let program = link(&scratch, linker, false, std::slice::from_ref(&object), flags);
            let mut command = by_llvm(lazy_command(&program, scratch.path()));
            let outcome = run(&mut command, scratch.path(), b"");
            outcome.assert_code(0);
            let stats = Stats::read(&scratch.path().join("stats"));
            // Its own would not have the engine in the process.
            assert!(stats.number("engine_load_ms") > 0.0, "{linker} {flags:?}: {stats:?}");
            stats.assert_lazy();
        }
    }
}

#[test]
fn libraries_find_the_runtime_of_a_program_that_exports_it() {
    let scratch = Scratch::new("static-library-plugin");
    let library = compile(
        &scratch,
        How::Lazy,
        "library.cpp",
        "static int check(int x) { if (x > 2) throw x; return x + 1; }\n\
         extern \"C\" int work(int x) { try { return check(x); } catch (int y) { return -y; } }\n",
        &["-O0", "-fPIC"],
    );
    let main =
        compile(&scratch, How::Lazy, "main.c", include_str!("static_library/opens.c"), &["-O0", "-fPIC"]);
    for linker in LINKERS {
        let flags = ["-shared".to_owned()];
        Link { linker, cxx: true, flags: &flags }
            .run(std::slice::from_ref(&library), &scratch.path().join("libwork.so"));
        let program = link(&scratch, linker, false, std::slice::from_ref(&main), &["-rdynamic"]);
        // The preloaded runtime fills the cache.
        let expected = run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"");
        assert_eq!(expected.assert_code(0).text(), "2 -3 6\n", "{linker}");
        assert_runs(&scratch, &program, &expected, linker);
    }
}

#[test]
fn what_cannot_be_compiled_is_told() {
    let scratch = Scratch::new("static-library-cold");
    let object = compile(&scratch, How::Lazy, "main.c", C, &["-O0", "-fPIC"]);
    for kind in ["-static", "-pie"] {
        let program = link(&scratch, "bfd", false, std::slice::from_ref(&object), &[kind]);
        let mut without = by_llvm(command(&program));
        // The socket would be that of a daemon of the user's.
        without.env("AUTOJIT_SOCKET_PATH", "/nowhere/socket").env("AUTOJIT_DAEMON_PATH", "/nowhere/autojitd");
        let outcome = run(&mut without, scratch.path(), b"");
        let errors = outcome.assert_code(127).errors();
        assert!(errors.contains("/nowhere/autojitd") && errors.lines().count() == 1, "{outcome}");
        assert!(errors.contains("set AUTOJIT_DAEMON_PATH") && !errors.contains("inprocess"), "{outcome}");
        // The first function that runs is called by a constructor.
        assert!(errors.contains("early_value") && errors.contains("main.c"), "{outcome}");
        assert!(outcome.stdout.is_empty(), "{outcome}");
    }
}

#[test]
fn rust_programs_with_their_c_library_inside() {
    let scratch = Scratch::new("static-library-rust");
    let source = scratch.file(
        "main.rs",
        "fn half(x: u32) -> u32 { assert!(x % 2 == 0, \"odd\"); x / 2 }\n\
         fn main() {\n    let odd = std::panic::catch_unwind(|| half(3)).is_err();\n\
         let thread = std::thread::spawn(move || if odd { half(80) } else { 0 });\n\
         println!(\"{}\", thread.join().unwrap() + u32::from(odd) + 1);\n}\n",
    );
    for linker in ["bfd", "lld", "mold"] {
        for inside in ["+", "-"] {
            let own = [
                format!("-Ctarget-feature={inside}crt-static"),
                format!("-Clink-arg=-fuse-ld={linker}"),
                "-lautojit_static-x86_64".to_owned(),
                archive()[0].clone(),
            ];
            let program = rust_program(How::Lazy, Toolchain::Stable, &source, &[], &own, scratch.path());
            let check = |mut command: Command, assert: fn(&Stats)| {
                let outcome = run(&mut command, scratch.path(), b"");
                assert_eq!(outcome.assert_code(0).text(), "42\n", "{linker} {inside}: {outcome}");
                assert(&Stats::read(&scratch.path().join(format!("stats.{}", outcome.pid))));
            };
            check(static_command(&program, scratch.path()), Stats::assert_static_baseline);
            check(by_llvm(static_command(&program, scratch.path())), Stats::assert_from_daemon);
        }
    }
}

#[test]
fn what_optimisers_call_instead_is_there() {
    let scratch = Scratch::new("static-library-instead");
    // puts, putchar and fwrite for printf and fprintf, exp2 for pow, stpcpy or memcpy for strcpy.
    let text = include_str!("static_library/instead.c");
    for errno in ["-fmath-errno", "-fno-math-errno"] {
        let object = compile(&scratch, How::Lazy, "main.c", text, &["-O2", errno]);
        for linker in LINKERS {
            let objects = std::slice::from_ref(&object);
            let program = link(&scratch, linker, false, objects, &["-static", "-s", "-lm"]);
            let outcome = run(&mut static_command(&program, scratch.path()), scratch.path(), b"");
            assert_eq!(outcome.assert_code(0).text(), "line\n1word program\n", "{linker} {errno}: {outcome}");
        }
    }
}
