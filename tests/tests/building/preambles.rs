//! Kept preambles: a compile with one makes what a plain compile makes, and never from what is out of date.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use autojit_tests::kept::files;
use autojit_tests::llvm::CLANGXX;
use autojit_tests::preambles::Project;
use autojit_tests::run::{attempt, command, lazy_command, run, tool};
use autojit_tests::scratch::dist;
use autojit_tests::stats::Stats;

const FLAGS: &str = "-O0 -I first -I second -MD -MP -Wall";

/// The usual way: the third compile of a source that is edited uses what was made behind the second.
#[test]
fn an_edited_source_has_its_preamble_kept() {
    for (source, level) in
        [("main.cpp", "-O0"), ("main.cpp", "-O2 -g0"), ("main.c", "-O0"), ("main.c", "-O2")]
    {
        let project = Project::new(&format!("edited-{source}{level}"), source, &format!("{FLAGS} {level}"));
        let what = format!("{source} {level}");
        assert!(!project.compare("on", &what).0);
        assert!(!project.compare("on", &what).0);
        assert_eq!(project.count('a'), 0, "{what}: a source that was not edited needs no preamble");
        project.append(&project.source, "int more(int value) { return body(value); }\n");
        assert!(!project.compare("on", &what).0);
        project.wait_for_preambles();
        for edit in ["int most;\n", "#include \"near/near.h\"\nint near_again = NEAR;\n"] {
            project.append(&project.source, edit);
            assert!(project.compare("on", &what).0, "{what}: {}", project.reasons());
        }
        assert_eq!(project.count('m'), 1, "{what}");
    }
}

#[test]
fn a_program_with_a_preamble_is_lazy() {
    let project = Project::new("lazy", "main.cpp", FLAGS);
    project.append("main.cpp", "int main() { return body(2); }\n");
    project.warm("lazy");
    let program = project.path().join("program");
    tool(command(CLANGXX).arg("out.o").arg("-o").arg(&program).current_dir(project.path()));
    run(&mut lazy_command(&program, &project.path()), &project.path(), b"").assert_code(17);
    Stats::read(&project.path().join("stats")).assert_lazy();
}

/// A change of the files that the preamble was made from.
type Change = (&'static str, fn(&Project));

/// Each change makes the preamble unusable; the compile behind it is a plain one, the one behind that has a new preamble.
fn assert_noticed(name: &str, source: &str, changes: &[Change]) {
    let project = Project::new(name, source, FLAGS);
    project.warm("at first");
    for (what, change) in changes {
        change(&project);
        let (used, _) = project.compare("always", what);
        assert!(!used, "{what}: the preamble is out of date");
        project.wait_for_preambles();
        let (used, _) = project.compare("always", what);
        assert!(used, "{what}: {}", project.reasons());
    }
}

#[test]
fn changes_of_headers_are_noticed() {
    let changes: [Change; 4] = [
        ("a header edited", |project| project.write("near/near.h", "#define NEAR 4\n")),
        ("a header of the same size and time", |project| {
            let header = project.path().join("near/near.h");
            let time = header.metadata().and_then(|found| found.modified()).expect("it is there");
            project.write("near/near.h", "#define NEAR 5\n");
            fs::File::options()
                .write(true)
                .open(header)
                .and_then(|file| file.set_modified(time))
                .expect("it is ours");
        }),
        ("a header replaced", |project| {
            project.write("other.h", "#define SECOND 8\n");
            fs::rename(project.path().join("other.h"), project.path().join("second/second.h"))
                .expect("it is ours");
        }),
        ("a header that is a link to another now", |project| {
            project.write("other.h", "#define SECOND 9\n");
            fs::remove_file(project.path().join("second/second.h")).expect("it is ours");
            symlink("../other.h", project.path().join("second/second.h")).expect("it is ours");
        }),
    ];
    assert_noticed("headers", "main.cpp", &changes);
}

#[test]
fn what_was_not_there_is_noticed() {
    let changes: [Change; 3] = [
        ("a header in a directory that was not there", |project| {
            project.write("first/second.h", "#define SECOND 11\n")
        }),
        ("a header beside the source", |project| project.write("second.h", "#define SECOND 12\n")),
        ("a header of __has_include", |project| {
            project.write("first/optional.h", "#undef NEAR\n#define NEAR 13\n")
        }),
    ];
    assert_noticed("lookups", "main.cpp", &changes);
}

#[test]
fn other_flags_have_other_preambles() {
    let mut project = Project::new("flags", "main.cpp", FLAGS);
    project.warm("at first");
    let unused = |project: &Project, what: &str| {
        assert!(!project.compare("on", what).0, "{what}");
    };
    project.flags.push("-DNEAR_H".to_owned());
    project.flags.push("-DNEAR=20".to_owned());
    unused(&project, "a macro");
    project.flags.truncate(project.flags.len() - 2);
    assert!(project.compare("on", "as at first").0);
    for (name, value) in [("CPATH", "first"), ("CPLUS_INCLUDE_PATH", "second"), ("SOURCE_DATE_EPOCH", "1")] {
        project.environment = vec![(name.to_owned(), value.to_owned())];
        unused(&project, name);
    }
    // clang knows no locales.
    project.environment =
        vec![("LC_ALL".to_owned(), "C".to_owned()), ("LANG".to_owned(), "de_DE".to_owned())];
    assert!(project.compare("on", "another locale").0, "{}", project.reasons());
    project.environment.clear();
    project.write(
        "main.cpp",
        "#include \"shape.h\"\n#include \"near/near.h\"\nint body() { return shape_area(1, NEAR); }\n",
    );
    unused(&project, "other directives");
}

/// What the preprocessor, pragmas and templates hold at the end of a preamble is there behind it.
#[test]
fn a_preamble_leaves_everything_as_the_directives_do() {
    let header = include_str!("preambles/header.h");
    let body = include_str!("preambles/body.cpp");
    let project = Project::new("state", "state.cpp", "-O1 -Wall -Wextra -MMD");
    project.write("state.h", header);
    let source = |body: &str| {
        format!(
            "#define EARLY 1\n#if defined(EARLY) && !defined(LATE)\n#  include \"state.h\"\n#else\n#  define ELSE\n#endif\n{body}"
        )
    };
    project.write("state.cpp", &source(body));
    project.warm("state");
    for (more, what) in [
        ("#include \"state.h\"\nint again;\n", "included again"),
        ("PRAGMA\nint warned() { int nothing; return 0; }\n", "a warning"),
        ("int poisoned;\n", "a poisoned name"),
        ("int bad() { return late(Local()); }\n", "an error in a header"),
        ("int bad( { return }\n", "an error in the source"),
        ("#define VALUE 3\nint redefined = VALUE;\n", "a macro defined again"),
        ("struct Base {};\n", "a type defined again"),
        ("#undef VALUE\nint VALUE = EARLY;\n", "a macro undefined"),
        ("#include \"missing.h\"\n", "a header that is missing"),
        ("#pragma once\n", "a pragma for headers"),
        ("#line 200 \"other.cpp\"\nint nothing( ;\n", "a line directive"),
    ] {
        project.write("state.cpp", &source(&format!("{body}{more}")));
        let (used, result) = project.compare("on", what);
        assert_eq!(used, result.messages().is_empty(), "{what}");
        // What warned would be compiled the plain way for some minutes.
        drop(fs::remove_file(project.kept().join("seen")));
    }
}

/// Compiling twice pays only if most compiles say nothing.
#[test]
fn a_source_that_warns_is_compiled_once() {
    let project = Project::new("warns", "main.cpp", "-O0 -I first -I ./second -Wall -MD");
    project.warm("at first");
    let (told, spoke) = (project.count('t'), project.count('s'));
    for (edit, counts) in [
        ("int unused() { int nothing; return 1; }\n", (1, 0)),
        ("int more;\n", (1, 1)),
        ("int most;\n", (1, 2)),
    ] {
        project.append("main.cpp", edit);
        let (used, result) = project.compare("on", edit);
        assert!(!used && result.compiled() && !result.messages().is_empty(), "{edit}");
        assert_eq!((project.count('t') - told, project.count('s') - spoke), counts, "{edit}");
    }
}

/// A precompiled header knows the names of headers, and how they were included, in another way.
#[test]
fn messages_come_from_a_plain_compile() {
    let project = Project::new("names", "main.cpp", "-O0 -I first -I ./second -Wall -MD");
    project.warm("at first");
    let told = project.count('t');
    project.append("main.cpp", "struct None {};\nNone none = Twice<None>::of(None());\n");
    let (used, result) = project.compare("on", "an error in a header");
    assert!(!used && !result.compiled());
    assert!(result.messages().contains("\n./shape.h:"), "{}", result.messages());
    assert_eq!(project.count('t'), told + 1);
    project.write(
        "main.cpp",
        &fs::read_to_string(project.path().join("main.cpp")).expect("it is ours").replace("None none", "//"),
    );
    assert!(project.compare("on", "no error any more").0);
}

#[test]
fn what_a_preamble_would_change_is_compiled_plainly() {
    for (what, header) in [
        ("a time", "static const char *const time = __TIME__;\n"),
        ("a warning", "#warning look here\n"),
        ("a weak name", "extern \"C\" int name();\n#pragma weak name\n"),
        ("a saved macro", "#define X 1\n#pragma push_macro(\"X\")\n#undef X\n#define X 2\n"),
        ("visibility left open", "#pragma GCC visibility push(hidden)\nint f();\n"),
        ("the name of the source", "static const char *const base = __BASE_FILE__;\n"),
        ("the source itself", "#ifndef SELF\n#define SELF\n#include \"main.cpp\"\n#endif\n"),
    ] {
        let project = Project::new("plain", "main.cpp", "-O0 -I second -Wall -MD");
        project.write("shape.h", &format!("{header}\ntemplate <class T> struct Twice {{ static T of(T a) {{ return a; }} }};\n#define shape_area(a, b) 1\n"));
        if what == "the source itself" {
            project.write("main.cpp", "#include \"shape.h\"\n#ifdef SELF\nint x;\n#undef SELF\n#endif\n");
        }
        // A time differs by nature.
        let timed = header.contains("__TIME__");
        project.compile("always");
        project.wait_for_preambles();
        assert_eq!((project.count('m'), project.count('f')), (0, 1), "{what}: {}", project.reasons());
        if !timed {
            assert!(!project.compare("always", what).0, "{what}");
            assert_eq!(project.count('r'), 1, "{what} is known to be unfit");
        }
    }
}

#[test]
fn damaged_and_foreign_files_are_not_used() {
    let project = Project::new("damaged", "main.cpp", FLAGS);
    project.warm("at first");
    let only = |extension: &str| -> std::path::PathBuf {
        let [file] = &files(&project.kept(), extension)[..] else { panic!("one {extension} file") };
        file.clone()
    };
    let changes: [(&str, &dyn Fn()); 3] = [
        ("a damaged preamble", &|| {
            let mut bytes = fs::read(only("pch")).expect("it is ours");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
            fs::write(only("pch"), bytes).expect("it is ours");
        }),
        ("a preamble that is cut off", &|| fs::write(only("pch"), "CPCH").expect("it is ours")),
        ("a manifest that others can write", &|| {
            fs::set_permissions(only("ajm"), fs::Permissions::from_mode(0o666)).expect("it is ours");
        }),
    ];
    for (what, change) in changes {
        change();
        assert!(!project.compare("always", what).0, "{what}");
        project.wait_for_preambles();
        assert!(project.compare("always", what).0, "{what}: {}", project.reasons());
    }
    fs::set_permissions(project.kept(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    assert!(!project.compare("always", "a directory that others can write").0);
    fs::set_permissions(project.kept(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    assert!(project.compare("always", "as before").0);
}

#[test]
fn a_cache_that_cannot_be_written_does_no_harm() {
    let project = Project::new("unwritable", "main.cpp", FLAGS);
    // A file where the directory has to be: also root cannot write there.
    fs::write(project.cache(), "").expect("the directory is ours");
    for _ in 0..2 {
        assert!(!project.compare("always", "no cache").0);
    }
    fs::remove_file(project.cache()).expect("it is ours");
    project.warm("a cache again");
    let stats = |option: &str| {
        tool(command(dist("bin/autojit-run")).env("AUTOJIT_CACHE_DIR", project.cache()).arg(option)).text()
    };
    let text = stats("--cache-stats");
    for line in ["preambles  1", "preamble events  1 used", "preamble events  1 made"] {
        assert!(text.lines().any(|found| found == line), "no '{line}' in:\n{text}");
    }
    stats("--cache-clear");
    assert!(stats("--cache-stats").contains("preambles  0\npreamble bytes  0\n"));
    assert!(!project.compare("always", "cleared").0);
    project.wait_for_preambles();
    assert!(project.compare("always", "made again").0, "{}", project.reasons());
}

#[test]
fn the_cache_keeps_to_its_limit() {
    let mut project = Project::new("limit", "main.c", FLAGS);
    project.environment.push(("AUTOJIT_CACHE_SIZE".to_owned(), "3M".to_owned()));
    let mut sizes = Vec::new();
    for number in 0..5 {
        project.flags.push(format!("-DNUMBER{number}"));
        project.compile("always");
        project.wait_for_preambles();
        sizes.extend(
            files(&project.kept(), "pch").iter().map(|file| file.metadata().map_or(0, |found| found.len())),
        );
    }
    // A quarter of it has no room for all of them.
    let left: u64 =
        files(&project.kept(), "pch").iter().map(|file| file.metadata().map_or(0, |found| found.len())).sum();
    assert!(project.count('m') == 5 && left <= 768 << 10 && left > 0, "{left} bytes of {sizes:?}");
}

#[test]
fn a_maker_that_is_killed_leaves_nothing_that_counts() {
    let project = Project::new("killed", "main.cpp", FLAGS);
    for delay in [0, 20, 60, 100, 150, 200, 300] {
        assert!(!project.compare("always", "in the making").0 || project.count('m') > 0);
        std::thread::sleep(Duration::from_millis(delay));
        for maker in project.makers() {
            // SAFETY: a plain system call; the process was found by the directory of this test.
            unsafe { libc::kill(maker, libc::SIGKILL) };
        }
        project.compare("on", "killed");
    }
    let asked = project.count('a');
    project.append("near/near.h", "\n");
    project.compile("always");
    assert_eq!(project.count('a'), asked + 1);
    let start = std::time::Instant::now();
    while project.count('m') == 0 || !project.compare("on", "made at last").0 {
        assert!(start.elapsed() < Duration::from_secs(100), "{}", project.reasons());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn builds_at_once_do_not_disturb_each_other() {
    let project = Project::new("at-once", "main.cpp", "-O0 -I second");
    let wanted = project.compile("off");
    let build = |round: usize, builder: usize| {
        let directory = project.path();
        let object = directory.join(format!("out.{builder}.o"));
        let mut compiler = project.command(if round == 0 { "on" } else { "always" });
        compiler.arg("-o").arg(&object);
        let outcome = attempt(&mut compiler);
        assert!(outcome.status.success() && outcome.stderr.is_empty(), "{outcome}");
        fs::read(object).expect("it was compiled")
    };
    let plain = fs::read(project.path().join("out.o")).expect("it was compiled");
    std::thread::scope(|scope| {
        for builder in 0..3 {
            let (build, plain) = (&build, &plain);
            scope.spawn(move || {
                for round in 0..8 {
                    assert!(build(round, builder) == *plain, "round {round}");
                }
            });
        }
    });
    project.wait_for_preambles();
    assert!(wanted.compiled() && project.compare("on", "behind them").0, "{}", project.reasons());
}

/// What is saved between the look at the files and the compiler's own is compiled as it is then.
#[test]
fn files_saved_during_a_compile_are_compiled_as_they_are() {
    let mut project = Project::new("races", "main.cpp", FLAGS);
    // A compiler that does what is in `race` before it begins. That is beside the preambles, where makers do not look.
    let race = project.kept().join("race");
    let text = format!(
        "#!/bin/sh\nif [ -e '{0}' ]; then . '{0}'; rm '{0}'; fi\nexec {1} \"$@\"\n",
        race.display(),
        project.compiler()
    );
    let compiler = project.script(&format!("late/{}", project.compiler()), &text);
    project.environment.push(("AUTOJIT_CXX".to_owned(), compiler.display().to_string()));
    for (what, change) in [
        ("a header", "echo '#define NEAR 40' > near/near.h"),
        ("the directives", "echo '#define NEAR 50\nint body() { return NEAR; }' > main.cpp"),
    ] {
        project.warm(what);
        let again = project.count('x');
        fs::write(&race, change).expect("it is ours");
        assert!(!project.compare("on", what).0, "{what}");
        assert!(!race.exists() && project.count('x') == again + 1, "{what}: {}", project.reasons());
    }
}

/// A process that makes a preamble has nothing of the build's open.
#[test]
fn builds_do_not_wait_for_makers() {
    let project = Project::new("detached", "main.cpp", FLAGS);
    let turn = |name: &str| {
        fs::create_dir_all(project.kept()).expect("the directory is ours");
        fs::set_permissions(project.kept(), fs::Permissions::from_mode(0o700)).expect("it is ours");
        let file = fs::File::create(project.kept().join(name)).expect("it is ours");
        file.lock().expect("nothing else has it");
        file
    };
    let held = turn("making");
    // Returns when standard output and error are closed: the maker, which waits for its turn, must not have them.
    project.compile("always");
    let start = std::time::Instant::now();
    let makers = loop {
        let makers = project.makers();
        if !makers.is_empty() || start.elapsed() > Duration::from_secs(60) {
            break makers;
        }
    };
    assert_eq!(makers.len(), 1, "one process waits for its turn");
    let idle = |maker: i32| {
        // SAFETY: plain system calls on a process of this test.
        unsafe { libc::sched_getscheduler(maker) == libc::SCHED_IDLE && libc::getsid(maker) == maker }
    };
    while !idle(makers[0]) && start.elapsed() < Duration::from_secs(60) {}
    assert!(idle(makers[0]), "it has the lowest priority and a session of its own");
    drop(held);
    project.wait_for_preambles();
    assert!(project.compare("on", "made").0, "{}", project.reasons());
}

/// With -g the code and its lines are the same. What is missing is listed in docs/compatibility.md.
#[test]
fn debug_information_of_code_is_the_same() {
    let mut project = Project::new("debug", "main.cpp", "-O1 -g");
    // With absolute names; else `./shape.h` is described as `shape.h`.
    project.source = project.path().join("main.cpp").display().to_string();
    project.flags.push(format!("-I{}", project.path().join("second").display()));
    project.append(
        "second/second.h",
        "namespace outer { inline int in(int a) { return a; } }\nusing outer::in;\n",
    );
    project.append("main.cpp", "int more(int many) { int local = body(many); return in(local); }\n");
    project.compile("always");
    project.wait_for_preambles();
    let object = |preamble: &str| {
        let result = project.compile(preamble);
        assert!(result.compiled());
        let copy = project.path().join(format!("{preamble}.o"));
        fs::rename(project.path().join("out.o"), &copy).expect("it is ours");
        copy
    };
    let used = project.count('u');
    let (kept, plain) = (object("on"), object("off"));
    assert_eq!(project.count('u'), used + 1, "{}", project.reasons());
    let dump = |object: &Path, option: &str| {
        let text =
            tool(command(concat!("llvm-dwarfdump-", env!("LLVM_RELEASE"))).arg(option).arg(object)).text();
        text.lines()
            .skip(1)
            .filter(|line| !line.contains("total_length"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    assert_eq!(dump(&kept, "--debug-line"), dump(&plain, "--debug-line"));
    // Which names there are, of what.
    let names = |object: &Path| {
        let text = dump(object, "--debug-info");
        let mut names: Vec<String> = text
            .split("\n\n")
            .filter_map(|entry| {
                let tag = entry.split_whitespace().find(|word| word.starts_with("DW_TAG_"))?;
                let name = entry.lines().find(|line| line.contains("DW_AT_name")).unwrap_or("").trim();
                (tag != "DW_TAG_imported_declaration").then(|| format!("{tag} {name}"))
            })
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&kept), names(&plain));
}
