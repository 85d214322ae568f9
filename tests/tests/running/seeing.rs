//! What tools show of lazy programs: autojit-run --stats, --trace, --list, --doctor, --cache-stats.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::installation::Installation;
use autojit_tests::llvm::{CLANG, CLANGXX};
use autojit_tests::run::{Outcome, attempt, command, tool};
use autojit_tests::scratch::{Scratch, dist};
use serde_json::Value;

const MAIN: &str = include_str!("seeing/main.c");
/// Inline assembly is what the baseline compiler leaves to LLVM.
const HELPER: &str = "static int wait_a_little(int x) { __asm__ volatile(\"cld\"); return x; }\n\
    int helper(int x) { return wait_a_little(x) + 1; }\n";

/// A lazy program of two files.
fn program(scratch: &Scratch, flags: &[&str]) -> PathBuf {
    scratch.file("main.c", MAIN);
    scratch.file("helper.c", HELPER);
    let mut wrapper = command(dist("bin/autojit-cc"));
    wrapper.args(["main.c", "helper.c", "-o", "program"]).args(flags);
    tool(wrapper.current_dir(scratch.path()));
    scratch.path().join("program")
}

/// autojit-run, with a cache in the scratch directory.
fn launcher(scratch: &Scratch) -> Command {
    let mut launcher = command(dist("bin/autojit-run"));
    launcher.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE").current_dir(scratch.path());
    launcher.env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"));
    launcher
}

/// The line of a summary behind its title.
#[track_caller]
fn line<'a>(text: &'a str, title: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.trim_start().strip_prefix(title));
    found.unwrap_or_else(|| panic!("no {title} in {text}")).trim_start()
}

#[test]
fn statistics_are_for_people() {
    let scratch = Scratch::new("seeing-stats");
    let program = program(&scratch, &["-O0"]);
    let run = || {
        let outcome = tool(launcher(&scratch).arg("--stats").arg(&program));
        assert_eq!(outcome.text(), "42\n");
        outcome.errors()
    };
    let first = run();
    let head = first.lines().next().expect("there is text");
    assert!(head.starts_with("autojit: statistics of ") && head.contains("program (process "), "{first}");
    assert!(line(&first, "functions").starts_with("6 in 2 modules: 4 with code, 2 not"), "{first}");
    assert_eq!(line(&first, "cache"), "none", "{first}");
    assert!(line(&first, "baseline").starts_with("3 without LLVM, in "), "{first}");
    assert!(line(&first, "LLVM").starts_with("1 in the process, in 1 batch, "), "{first}");
    assert_eq!(line(&first, "autojitd"), "none", "{first}");
    let refused = line(&first, "refused");
    assert!(refused.starts_with("1 left to LLVM") && refused.contains("assembly"), "{first}");
    assert!(line(&first, "kept").starts_with("4 functions"), "{first}");
    let later = run();
    assert!(line(&later, "cache").starts_with("4 from earlier runs, in "), "{later}");
    assert_eq!((line(&later, "baseline"), line(&later, "LLVM")), ("none", "none"), "{later}");
    assert!(!later.contains("refused"), "{later}");
}

/// The events of a timeline: what, and of which name.
#[track_caller]
fn events(file: &Path) -> Vec<(String, String, f64, f64)> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    let all = value["traceEvents"].as_array().expect("the events");
    assert_eq!(all[0]["ph"], "M");
    let number =
        |event: &Value, key: &str| event[key].as_f64().unwrap_or_else(|| panic!("no {key}: {event}"));
    let spans = all[1..].iter().map(|event| {
        assert_eq!(event["ph"], "X");
        assert!(number(event, "tid") > 0.0 && number(event, "pid") > 0.0, "{event}");
        let text = |key: &str| event[key].as_str().unwrap_or_else(|| panic!("no {key}: {event}")).to_owned();
        (text("cat"), text("name"), number(event, "ts"), number(event, "dur"))
    });
    spans.collect()
}

#[test]
fn timelines_have_each_first_call_and_its_steps() {
    let scratch = Scratch::new("seeing-trace");
    let program = program(&scratch, &["-O0"]);
    let file = scratch.path().join("trace.json");
    let outcome = tool(launcher(&scratch).arg("--trace").arg("trace.json").arg(&program).arg("fork"));
    assert_eq!((outcome.text().as_str(), outcome.errors().as_str()), ("42\n", ""));
    let spans = events(&file);
    let find = |what: &str, name: &str| {
        let mut found = spans.iter().filter(|span| span.0 == what && span.1.ends_with(name));
        let span = found.next().unwrap_or_else(|| panic!("no {what} of {name}: {spans:?}"));
        assert!(found.next().is_none(), "{what} of {name} twice: {spans:?}");
        span
    };
    for name in ["main", "twice", "helper"] {
        let (call, step) = (find("first call", name), find("baseline compiler", name));
        assert!(call.2 <= step.2 && step.2 + step.3 <= call.2 + call.3, "{call:?} {step:?}");
    }
    for (what, name) in [("load LLVM", "load LLVM"), ("LLVM", "helper.c"), ("link and publish", "helper.c")] {
        let (call, step) = (find("first call", "wait_a_little"), find(what, name));
        assert!(call.2 <= step.2 && step.2 + step.3 <= call.2 + call.3, "{call:?} {step:?}");
    }
    find("write to the cache", "write to the cache");
    // The child has a timeline of its own, without what was there before it.
    let children = fs::read_dir(scratch.path()).expect("it is ours").filter_map(|entry| {
        let path = entry.expect("it is readable").path();
        path.file_name()?.to_str()?.starts_with("trace.json.").then_some(path)
    });
    let children: Vec<_> = children.collect();
    let [child] = &children[..] else { panic!("one child: {children:?}") };
    let child = events(child);
    assert!(
        child.iter().any(|span| span.1 == "in_child") && child.iter().all(|span| span.1 != "main"),
        "{child:?}"
    );
    // A later run binds.
    tool(launcher(&scratch).arg("--trace=trace.json").arg(&program));
    let later = events(&file);
    assert!(later.iter().all(|span| span.0 != "baseline compiler" && span.0 != "LLVM"), "{later:?}");
}

fn list(scratch: &Scratch, file: &str) -> Outcome {
    attempt(launcher(scratch).args(["--list", file]))
}

/// Without optimisation nothing would replace code that calls them.
#[test]
fn functions_of_vectors_are_inlined_as_by_clang() {
    let scratch = Scratch::new("seeing-vectors");
    let text = "#include <immintrin.h>\n#include <stdio.h>\n\
        static __m128i add(__m128i a, int b) { return _mm_add_epi32(a, _mm_set1_epi32(b)); }\n\
        static inline __attribute__((always_inline)) int half(int a) { return a / 2; }\n\
        int main(void) { printf(\"%d\\n\", half(_mm_cvtsi128_si32(add(_mm_set_epi32(1, 2, 3, 4), 36)))); }\n";
    scratch.file("vectors.c", text);
    for (level, functions) in [("-O0", "3 lazy functions, "), ("-O2", "1 lazy function, ")] {
        let arguments = [level, "-g", "vectors.c", "-o", "vectors"];
        tool(command(dist("bin/autojit-cc")).args(arguments).current_dir(scratch.path()));
        let outcome = list(&scratch, "vectors");
        let text = outcome.assert_code(0).text();
        assert!(text.contains(&format!("1 module, {functions}")), "{level}: {text}");
        assert_eq!(tool(launcher(&scratch).arg("./vectors")).text(), "20\n", "{level}");
    }
}

#[test]
fn files_tell_what_is_lazy_in_them() {
    let scratch = Scratch::new("seeing-list");
    program(&scratch, &["-Os", "-s", "-ffunction-sections", "-Wl,--gc-sections"]);
    let cc = |arguments: &[&str]| {
        tool(command(dist("bin/autojit-cc")).args(arguments).current_dir(scratch.path()));
    };
    cc(&["-O2", "-c", "main.c", "-o", "main.o"]);
    cc(&["-O2", "-c", "helper.c", "-o", "helper.o"]);
    tool(command("ar").args(["rcs", "both.a", "main.o", "helper.o"]).current_dir(scratch.path()));
    cc(&["-O2", "-shared", "-fPIC", "main.c", "helper.c", "-o", "both.so"]);
    for (file, level) in [("program", "-Os"), ("both.a", "-O2"), ("both.so", "-O2")] {
        let outcome = list(&scratch, file);
        let text = outcome.assert_code(0).text();
        let head = text.lines().next().expect("there is text");
        assert!(head.starts_with(&format!("{file}: 2 modules, 6 lazy functions, ")), "{file}: {text}");
        for part in [&format!("main.c: {level}, 4 functions, "), "helper.c: "] {
            assert!(text.contains(part), "no '{part}' in {file}: {text}");
        }
        // Kind, bytes of bitcode, name.
        let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        for (kind, name) in [("local", "twice"), ("stub", "main")] {
            let line = words.iter().find(|words| words.first() == Some(&kind) && words.last() == Some(&name));
            let line = line.unwrap_or_else(|| panic!("no {kind} {name} in {file}: {text}"));
            let size: usize = line[1].parse().expect("a number");
            assert!((20..2000).contains(&size), "{text}");
        }
    }
    let text = list(&scratch, "main.o").assert_code(0).text();
    assert!(text.starts_with("main.o: 1 module, 4 lazy functions, 3 with a stub, "), "{text}");
    // Of inline functions that two files have, one copy is left.
    scratch.file(
        "one.cpp",
        "inline int both() { return 1; }\nint (*one)() = both;\nint main() { return one(); }\n",
    );
    scratch.file("two.cpp", "inline int both() { return 1; }\nint (*two)() = both;\n");
    let mut wrapper = command(dist("bin/autojit-c++"));
    tool(wrapper.args(["one.cpp", "two.cpp", "-o", "inlines"]).current_dir(scratch.path()));
    let text = list(&scratch, "inlines").assert_code(0).text();
    assert_eq!(text.matches(" _Z4bothv\n").count(), 2, "{text}");
    assert_eq!((text.matches("dropped").count(), text.matches("  stub").count()), (1, 2), "{text}");
    // Containers in a directory.
    let mut wrapper = command(dist("bin/autojit-cc"));
    wrapper.args(["main.c", "helper.c", "-o", "stored"]).env("AUTOJIT_STORE", scratch.path().join("store"));
    tool(wrapper.current_dir(scratch.path()));
    let text = list(&scratch, "stored").assert_code(0).text();
    assert!(text.contains("6 lazy functions") && text.contains(", in /"), "{text}");
    fs::remove_dir_all(scratch.path().join("store")).expect("it is ours");
    let text = list(&scratch, "stored").assert_code(0).text();
    assert!(text.contains("main.c: /") && text.contains("No such file"), "{text}");
}

#[test]
fn files_tell_why_functions_are_static() {
    let scratch = Scratch::new("seeing-static");
    // Two sources of one name, as directories of a build have them.
    for (directory, placed) in [("a", "in_a"), ("b", "in_b")] {
        scratch.file(
            &format!("{directory}/part.c"),
            format!(
                "__attribute__((section(\"own\"))) int {placed}(void) {{ return 1; }}\n\
                 __attribute__((constructor)) static void start_{placed}(void) {{}}\nint lazy_{placed}(void) {{ return 2; }}\n"
            ),
        );
    }
    scratch.file("counted.c", "int counted(void) { return 3; }\nint main(void) { return counted(); }\n");
    let cc = |directory: &str, arguments: &[&str]| {
        let mut wrapper = command(dist("bin/autojit-cc"));
        tool(wrapper.args(arguments).current_dir(scratch.path().join(directory)));
    };
    cc("a", &["-c", "part.c"]);
    cc("b", &["-c", "part.c"]);
    cc(".", &["-fprofile-instr-generate", "-c", "counted.c"]);
    cc(".", &["-fprofile-instr-generate", "a/part.o", "b/part.o", "counted.o", "-s", "-o", "program"]);
    tool(command("ar").args(["qcs", "both.a", "a/part.o", "b/part.o"]).current_dir(scratch.path()));
    for (file, lazy) in [("program", 2), ("both.a", 2), ("a/part.o", 1)] {
        let text = list(&scratch, file).assert_code(0).text();
        assert!(text.contains(&format!("{lazy} lazy function")), "{text}");
        // Behind the lazy function of the same module.
        for name in ["in_a", "in_b"].iter().take(lazy) {
            let (_, module) =
                text.split_once(&format!(" lazy_{name}\n")).unwrap_or_else(|| panic!("{name}: {text}"));
            let lines: Vec<&str> = module.lines().take(2).map(str::trim_start).collect();
            let reasons = ["it has a section of its own", "it is a constructor or destructor"];
            let names = [(*name).to_owned(), format!("start_{name}")];
            for (reason, function) in reasons.iter().zip(names) {
                let wanted = format!("{function}: {reason}");
                let found = lines
                    .iter()
                    .any(|line| line.strip_prefix("static").is_some_and(|rest| rest.trim_start() == wanted));
                assert!(found, "no '{wanted}' in {text}");
            }
        }
        assert_eq!(text.contains("counted.c: static: "), file == "program", "{text}");
    }
    let outcome = list(&scratch, "counted.o");
    let said = outcome.assert_code(1).errors();
    assert!(said.contains("nothing in it is lazy:\ncounted.c: static: "), "{said}");
}

#[test]
fn files_without_lazy_code_are_told_apart_from_damaged_ones() {
    let scratch = Scratch::new("seeing-list-errors");
    let program = program(&scratch, &["-O0"]);
    scratch.file("text", "no program\n");
    for (file, part) in
        [("/bin/true", "nothing in it is lazy"), ("text", "neither an ELF file"), ("none", "cannot be read")]
    {
        let outcome = list(&scratch, file);
        let said = outcome.assert_code(1).errors();
        assert!(said.starts_with(&format!("autojit-run: {file}: ")) && said.contains(part), "{outcome}");
    }
    let bytes = fs::read(program).expect("it is there");
    let damaged = |bytes: &[u8]| {
        scratch.file("damaged", bytes);
        let outcome = list(&scratch, "damaged");
        let code = outcome.status.code();
        assert!(code == Some(0) || code == Some(1) && outcome.errors().contains("damaged"), "{outcome}");
    };
    for length in (4..bytes.len()).step_by(bytes.len() / 40) {
        damaged(&bytes[..length]);
    }
    for at in (16..bytes.len()).step_by(bytes.len() / 40).chain(16..64) {
        let mut changed = bytes.clone();
        changed[at] = !changed[at];
        damaged(&changed);
    }
    // One good file among several is shown.
    let outcome = attempt(launcher(&scratch).args(["--list", "text", "program"]));
    assert!(outcome.assert_code(1).text().contains("6 lazy functions"), "{outcome}");
}

/// --doctor of an installation, with nothing set.
fn doctor(scratch: &Scratch) -> Command {
    let mut doctor = launcher(scratch);
    doctor.arg("--doctor").env_remove("AUTOJIT_MODE").env_remove("AUTOJIT_SOCKET_PATH");
    doctor
}

#[test]
fn the_doctor_finds_nothing_wrong_here() {
    let scratch = Scratch::new("seeing-doctor");
    let outcome = attempt(&mut doctor(&scratch));
    let text = outcome.assert_code(0).text();
    for part in [
        "ok     plugin: /",
        "ok     engine: /",
        &format!("ok     {CLANG}: "),
        "ok     cache: ",
        "compiled without LLVM",
        "compiled by LLVM",
        "nothing is wrong",
    ] {
        assert!(text.contains(part), "no '{part}': {outcome}");
    }
    assert!(!scratch.path().join("cache").exists(), "looking makes no cache");
}

#[test]
fn the_doctor_says_what_is_wrong() {
    let scratch = Scratch::new("seeing-doctor-wrong");
    let open = scratch.directory("open");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("it is ours");
    let file = scratch.file("file", "");
    let path = |path: &Path| path.to_str().expect("our paths are text").to_owned();
    for (name, value, parts) in [
        (
            "AUTOJIT_CC",
            "gcc".to_owned(),
            &[&*format!("{CLANG}: 'gcc' is a compiler of GCC"), "set AUTOJIT_CC"][..],
        ),
        (
            "AUTOJIT_CXX",
            "no-such-compiler".to_owned(),
            &[&format!("{CLANGXX}: program 'no-such-compiler' not found")],
        ),
        ("AUTOJIT_LOGS", "debug".to_owned(), &["environment: AUTOJIT_LOGS is no option"]),
        ("AUTOJIT_LOG", "loud".to_owned(), &["environment: AUTOJIT_LOG is \"loud\""]),
        ("AUTOJIT_CACHE_DIR", path(&open), &["can be written by other users", "chmod 700"]),
        ("AUTOJIT_CACHE_DIR", path(&file), &["is not a directory of this user"]),
        ("AUTOJIT_DAEMON_PATH", "/no/autojitd".to_owned(), &["autojitd: cannot execute '/no/autojitd'"]),
    ] {
        let outcome = attempt(doctor(&scratch).env(name, value));
        let text = outcome.assert_code(1).text();
        let wrong: Vec<_> = text.lines().filter(|line| line.starts_with("WRONG  ")).collect();
        assert_eq!(wrong.len(), 1, "{name}: {outcome}");
        assert!(parts.iter().all(|part| text.contains(part)), "{name}: {outcome}");
        assert!(text.ends_with("one thing is wrong\n"), "{name}: {outcome}");
    }
    let mut shell = doctor(&scratch);
    let program = shell.get_program().to_owned();
    shell = {
        let mut limited = command("sh");
        limited.args(["-c", "ulimit -n 20; exec \"$0\" --doctor"]).arg(program);
        limited.env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"));
        limited
    };
    let outcome = attempt(&mut shell);
    assert!(outcome.assert_code(1).text().contains("limits: open files: 20"), "{outcome}");
}

#[test]
fn the_doctor_knows_installations_that_are_not_whole() {
    let scratch = Scratch::new("seeing-doctor-parts");
    let installation = Installation::new(&scratch, "prefix", Some("0123456789abcdef"));
    let run = installation.wrapper("autojit-run");
    fs::hard_link(installation.wrapper("autojit-clang"), &run).expect("the directory is ours");
    fs::remove_file(scratch.path().join("prefix/lib/libautojit-engine.so")).expect("it is ours");
    let outcome =
        attempt(command(&run).arg("--doctor").env("AUTOJIT_CACHE_DIR", scratch.path().join("cache")));
    let text = outcome.assert_code(1).text();
    for part in [
        "WRONG  plugin: ",
        "is not the one",
        "WRONG  engine: libautojit-engine.so not found",
        "WRONG  programs: ",
    ] {
        assert!(text.contains(part), "no '{part}': {outcome}");
    }
    assert!(text.contains("no program is built"), "{outcome}");
}

#[test]
fn the_doctor_has_plugins_of_other_releases_loaded() {
    let scratch = Scratch::new("seeing-doctor-others");
    let installation = Installation::new(&scratch, "prefix", None);
    let run = installation.wrapper("autojit-run");
    fs::hard_link(installation.wrapper("autojit-clang"), &run).expect("the directory is ours");
    let plugin = scratch.file("prefix/lib/autojit-19.so", "one of another release");
    let compilers = scratch.directory("compilers");
    let ask = || {
        let mut doctor = command(&run);
        let outcome = attempt(doctor.arg("--doctor").env("PATH", &compilers).env("HOME", scratch.path()));
        let text = outcome.text();
        let found = text.lines().find(|line| line.contains("plugin 19: ")).map(str::to_owned);
        found.unwrap_or_else(|| panic!("nothing is said of it: {outcome}"))
    };
    let path = plugin.display();
    assert_eq!(ask(), format!("note   plugin 19: {path}; clang-19 is not installed"));
    for (answer, said) in [
        (0, format!("ok     plugin 19: {path}, which clang-19 can load")),
        (1, format!("WRONG  plugin 19: clang-19 cannot load '{path}'")),
    ] {
        let script = format!("#!/bin/sh\ntest \"$1\" = -fpass-plugin={path} || exit 2\nexit {answer}\n");
        let clang = scratch.file("compilers/clang-19", script);
        fs::set_permissions(&clang, fs::Permissions::from_mode(0o755)).expect("it is ours");
        assert_eq!(ask(), said);
    }
}

#[test]
fn the_cache_is_shown_by_kinds_of_files() {
    let scratch = Scratch::new("seeing-cache");
    let program = program(&scratch, &["-O0", "-g"]);
    let mut launch = launcher(&scratch);
    tool(launch.arg(&program).env("AUTOJIT_DEBUGGER", "on"));
    tool(launcher(&scratch).arg(&program));
    let text = tool(launcher(&scratch).arg("--cache-stats")).text();
    for title in ["directory", "limit", "code of modules", "for debuggers"] {
        line(&text, title);
    }
    let number = |title: &str| -> u64 {
        line(&text, title).split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
    };
    let kinds = ["code of modules", "code of programs", "lines", "names of what ran", "for debuggers"];
    let sum: u64 = kinds.iter().filter(|kind| text.contains(*kind)).map(|kind| number(kind)).sum();
    assert_eq!(number("files"), sum, "{text}");
    tool(launcher(&scratch).arg("--cache-clear"));
    assert_eq!(line(&tool(launcher(&scratch).arg("--cache-stats")).text(), "files"), "0");
}
