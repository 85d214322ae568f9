//! Kept preambles beside other sources, which share them, and beside other tools: no compile is another one than without.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use autojit_tests::kept::files;
use autojit_tests::llvm::CLANGXX;
use autojit_tests::preambles::Project;
use autojit_tests::run::{attempt, command, tool};
use autojit_tests::scratch::dist;

const FLAGS: &str = "-O0 -I first -I second -Wall";

/// Writes a source of the project, and has it compiled from now on.
fn other(project: &mut Project, source: &str, text: &str) {
    project.source = source.to_owned();
    project.write(source, text);
}

#[test]
fn sources_that_begin_the_same_share_a_preamble() {
    let mut project = Project::new("shared", "main.cpp", &format!("{FLAGS} -g -MD"));
    let source = fs::read_to_string(project.path().join("main.cpp")).expect("it is in the project");
    project.flags.push("-g0".to_owned());
    project.warm("the first source");
    for (name, used) in [("other.cpp", true), ("third.cc", true), ("near/other.cpp", false)] {
        other(&mut project, name, &format!("{source}int of_{}() {{ return NEAR; }}\n", name.len()));
        let found = project.compare("on", name);
        assert_eq!(found.0, used && found.1.compiled(), "{name}: {}", project.reasons());
    }
    // A clean build of them has nothing made: none was edited.
    assert_eq!((project.count('m'), project.count('a')), (1, 1));
    // With names in angles the directory does not matter.
    let angled = "#include <second.h>\n#include <stddef.h>\n";
    for (name, used) in [("angled.cpp", false), ("near/angled.cpp", true)] {
        other(&mut project, name, &format!("{angled}size_t size = SECOND;\n"));
        if used {
            assert!(project.compare("on", name).0, "{name}: {}", project.reasons());
        } else {
            project.warm(name);
        }
    }
}

#[test]
fn shared_preambles_do_not_name_another_source() {
    let mut project = Project::new("names-of-sources", "unmistakable.cpp", "-O0 -g -I second");
    let text = "#define WHERE __FILE__\n#include \"shape.h\"\nconst char *where = WHERE;\nint area(int a) { return shape_area(a, 2); }\n";
    project.write("unmistakable.cpp", text);
    project.compile("always");
    project.wait_for_preambles();
    other(&mut project, "other.cpp", text);
    let before = project.count('u');
    assert!(project.compile("on").compiled() && project.count('u') == before + 1, "{}", project.reasons());
    let object = fs::read(project.path().join("out.o")).expect("it was compiled");
    let has = |name: &str| object.windows(name.len()).any(|window| window == name.as_bytes());
    assert!(has("other.cpp") && !has("unmistakable"));
}

/// A source that another one's header includes is no file to have that preamble.
#[test]
fn a_source_in_a_preamble_is_compiled_plainly() {
    let mut project = Project::new("included-source", "main.cpp", "-O0");
    let directives = "#define GUARD\n#include \"all.h\"\n";
    project.write("all.h", "#ifndef ALL\n#define ALL\n#include \"other.cpp\"\n#endif\n");
    project.write("other.cpp", &format!("{directives}static int other() {{ return __INCLUDE_LEVEL__; }}\n"));
    project.write("main.cpp", &format!("{directives}int body() {{ return other(); }}\n"));
    project.warm("the source that includes it");
    project.source = "other.cpp".to_owned();
    let refused = project.count('r');
    assert!(!project.compare("on", "the source that is included").0);
    assert_eq!(project.count('r'), refused + 1);
}

/// While a preamble is made, the directory of its source is in the search path also for headers elsewhere.
#[test]
fn headers_are_looked_for_where_a_plain_compile_looks() {
    for (what, near) in [
        ("an include", "#include \"own.h\"\n"),
        ("a question", "#if __has_include(\"own.h\")\n#define OWN 1\n#else\n#define OWN 2\n#endif\n"),
    ] {
        let project = Project::new("looked-for", "main.cpp", "-O0 -I first");
        let source = "#include \"near/near.h\"\n#ifndef OWN\n#error none\n#endif\n";
        project.write("near/near.h", near);
        project.write("own.h", "#define OWN 3\n");
        if what == "an include" {
            project.write("first/own.h", "#define OWN 4\n");
        }
        project.write("main.cpp", source);
        assert!(project.compare("always", what).1.compiled(), "{what}");
        project.wait_for_preambles();
        // Only now it tells one from the other.
        project.append("main.cpp", "int own = OWN;\n");
        assert!(!project.compare("on", what).0, "{what}");
        assert_eq!((project.count('m'), project.count('f')), (0, 1), "{what}: {}", project.reasons());
    }
}

#[test]
fn pragmas_count_where_the_compiler_sees_them() {
    for (kept, what, header) in [
        (true, "in a comment", "/* one may write\n#pragma weak name\n*/\n// #pragma weak name\n"),
        (true, "in what is left out", "#if 0\n#pragma weak name\n#endif\n"),
        (false, "by a macro", "#define DO(x) _Pragma(#x)\nextern \"C\" int name();\nDO(weak name)\n"),
        (false, "as a digraph", "extern \"C\" int name();\n%: pragma weak name\n"),
        (false, "over two lines", "extern \"C\" int name();\n#\\\npragma weak name\n"),
    ] {
        let project = Project::new("pragmas", "main.c", "-O0");
        project.write("shape.h", &header.replace("extern \"C\" ", ""));
        project.write("main.c", "#include \"shape.h\"\nint body(void) { return 1; }\n");
        project.compile("always");
        project.wait_for_preambles();
        let counts = (usize::from(kept), usize::from(!kept));
        assert_eq!((project.count('m'), project.count('f')), counts, "{what}: {}", project.reasons());
        project.append("main.c", "int name(void);\nint more(void) { return name(); }\n");
        assert_eq!(project.compare("on", what).0, kept, "{what}");
    }
}

/// Each output is that of a compile without preambles, and none is made.
#[test]
fn other_outputs_are_those_of_plain_compiles() {
    let mut project = Project::new("outputs", "main.c", "");
    for (flags, output) in [
        ("-H", ""),
        ("--serialize-diagnostics out.dia", "out.dia"),
        ("-save-temps", "main.i"),
        ("--coverage", "out.gcno"),
        ("-imacros near/near.h", ""),
        ("-include near/near.h", ""),
        ("-x c", ""),
        ("-E", ""),
        ("-MM", ""),
    ] {
        project.flags =
            format!("-O0 -Wall -I first -I second {flags}").split(' ').map(String::from).collect();
        let read = |project: &Project| fs::read(project.path().join(output)).ok();
        let mut made = Vec::new();
        for preamble in ["always", "off"] {
            let result = project.compile(preamble);
            made.push((result, read(&project)));
        }
        assert!(made[0] == made[1] && made[0].0.compiled(), "{flags}");
        assert!(output.is_empty() || made[0].1.is_some(), "{flags} writes {output}");
    }
    project.flags = vec!["-Wall".to_owned()];
    for (source, text) in [
        ("main.m", "#import \"near/near.h\"\nint body(void) { return NEAR; }\n"),
        ("main.mm", "#include \"near/near.h\"\nint body() { return NEAR; }\n"),
    ] {
        other(&mut project, source, text);
        assert!(project.compare("always", source).1.compiled(), "{source}");
    }
    assert_eq!(project.count('a'), 0);
}

#[test]
fn a_compiler_cache_in_front_gets_what_a_plain_compile_makes() {
    let project = Project::new("ccache", "main.cpp", FLAGS);
    let compile = |preamble: &str| {
        let wrapper = project.command(preamble);
        let mut ccache = command("ccache");
        ccache.arg(wrapper.get_program()).args(wrapper.get_args()).current_dir(project.path());
        ccache.envs(wrapper.get_envs().filter_map(|(name, value)| Some((name, value?))));
        ccache.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE").env("CCACHE_DIR", project.path().join("ccache"));
        let outcome = attempt(&mut ccache);
        assert!(outcome.status.success(), "{outcome}");
        project.result(&outcome)
    };
    compile("on");
    for round in 0..3 {
        project.append("main.cpp", &format!("int more_{round}(int n) {{ return body(n); }}\n"));
        let cached = compile("on");
        assert!(cached == project.compile("off"), "round {round}");
        project.wait_for_preambles();
        // Taken from the cache.
        assert!(cached == compile("on"), "round {round}, again");
    }
    assert_eq!((project.count('m'), project.count('u')), (1, 2), "{}", project.reasons());
    let behind = Project::new("ccache-behind", "main.cpp", FLAGS);
    for round in 0..2 {
        let mut compiler = behind.command("always");
        compiler
            .env("AUTOJIT_CXX", format!("ccache {}", behind.compiler()))
            .env("CCACHE_DIR", behind.path().join("ccache"));
        let cached = behind.result(&attempt(&mut compiler));
        assert!(cached.compiled() && cached == behind.compile("off"), "round {round}");
    }
    assert_eq!(behind.count('a'), 0, "a cache behind the wrapper sees plain flags");
    let mut prefixed = behind.command("always");
    let line: Vec<_> = prefixed.get_args().map(ToOwned::to_owned).collect();
    let wrapper = prefixed.get_program().to_owned();
    prefixed = command("ccache");
    prefixed.arg(behind.compiler()).args(line).current_dir(behind.path()).env("CCACHE_PREFIX", "autojit");
    let mut path = Path::new(&wrapper).parent().expect("it is in bin").as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    prefixed.env("PATH", path).env("CCACHE_DIR", behind.path().join("ccache-prefix"));
    prefixed.env("AUTOJIT_CACHE_DIR", behind.cache()).env_remove("AUTOJIT_DISABLE_OBJECT_CACHE");
    prefixed.env("AUTOJIT_PREAMBLE", "always");
    let prefixed = behind.result(&attempt(&mut prefixed));
    assert!(prefixed.compiled() && prefixed == behind.compile("off"), "a launcher that the cache calls");
}

/// What distcc does: the wrapper preprocesses, and another machine compiles the result in a directory of its own.
#[test]
fn compiles_on_other_machines_are_plain() {
    let project = Project::new("elsewhere", "main.cpp", "-O0");
    let script = "set -e
compiler=$1; shift
$compiler -O0 -I first -I second -E main.cpp -o elsewhere/main.ii
(cd elsewhere && $compiler -O0 -c main.ii -o out.o)
mv elsewhere/out.o out.o
";
    fs::create_dir(project.path().join("elsewhere")).expect("the directory is ours");
    let compile = |preamble: &str| {
        let wrapper = project.command(preamble);
        let mut shell = command("sh");
        shell.args(["-c", script, "sh"]).arg(wrapper.get_program()).current_dir(project.path());
        shell.envs(wrapper.get_envs().filter_map(|(name, value)| Some((name, value?))));
        project.result(&attempt(shell.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE")))
    };
    for round in 0..2 {
        let made = compile("always");
        assert!(made.compiled() && made == compile("off"), "round {round}");
        project.append("main.cpp", "// edited\n");
    }
    assert_eq!(project.count('a'), 0);
}

/// CMake's target_precompile_headers gives these flags, its modules those.
#[test]
fn headers_and_modules_that_the_build_compiles_are_left_to_it() {
    let mut project = Project::new("build-compiles", "main.cpp", "-O0");
    let clang = |line: &str| {
        tool(command(project.compiler()).args(line.split(' ')).current_dir(project.path()));
    };
    project.write("pch.hxx", "#pragma GCC system_header\n#include \"shape.h\"\n");
    clang(
        "-O0 -x c++-header -Winvalid-pch -Xclang -emit-pch -fpch-instantiate-templates -o pch.hxx.pch -c pch.hxx",
    );
    project.write("part.cppm", "export module part;\nexport inline int part(int n) { return n + 1; }\n");
    clang("-O0 -std=c++20 --precompile part.cppm -o part.pcm");
    for (source, flags, text) in [
        (
            "precompiled.cpp",
            "-Winvalid-pch -Xclang -include-pch -Xclang pch.hxx.pch -Xclang -include -Xclang pch.hxx",
            "#include \"near/near.h\"\nint body() { return shape_area(1, NEAR); }\n",
        ),
        (
            "import.cpp",
            "-std=c++20 -fmodule-file=part=part.pcm",
            "#include \"near/near.h\"\nimport part;\nint body() { return part(NEAR); }\n",
        ),
    ] {
        project.flags = format!("-O0 {flags}").split(' ').map(String::from).collect();
        other(&mut project, source, text);
        for _ in 0..2 {
            assert!(project.compare("always", source).1.compiled(), "{source}");
            project.append(
                source,
                "int more;\n"
                    .replace(
                        "more",
                        &format!(
                            "more{}",
                            fs::metadata(project.path().join(source)).map_or(0, |found| found.len())
                        ),
                    )
                    .as_str(),
            );
        }
    }
    assert_eq!(project.count('a'), 0);
    // A module that a preamble's text does not name is none of its business.
    project.flags = vec!["-O0".to_owned(), "-std=c++20".to_owned()];
    other(&mut project, "export.cpp", "#include \"near/near.h\"\nint body() { return NEAR; }\n");
    project.warm("C++20 without modules");
}

/// The objects are right, and the cache is as it was.
#[test]
fn a_cache_that_can_only_be_read_is_read() {
    let project = Project::new("read-only", "main.cpp", FLAGS);
    project.warm("at first");
    project.append("main.cpp", "int more;\n");
    let names = |what: &str| {
        let mut names = files(&project.kept(), what);
        names.sort();
        (names, fs::metadata(project.kept().join("events")).map_or(0, |found| found.len()))
    };
    let before = names("pch");
    // SAFETY: no arguments.
    let root = unsafe { libc::geteuid() } == 0;
    let wrapper = project.command("always");
    let mut compiler = if root {
        // Modes do not keep root from writing.
        let mut unshare = command("unshare");
        unshare.args([
            "--mount",
            "sh",
            "-c",
            "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"",
        ]);
        unshare.arg(project.cache()).arg(wrapper.get_program()).args(wrapper.get_args());
        unshare.current_dir(project.path()).env_remove("AUTOJIT_DISABLE_OBJECT_CACHE");
        unshare.envs(wrapper.get_envs().filter_map(|(name, value)| Some((name, value?))));
        unshare
    } else {
        fs::set_permissions(project.kept(), fs::Permissions::from_mode(0o500)).expect("it is ours");
        wrapper
    };
    let made = project.result(&attempt(&mut compiler));
    if !root {
        fs::set_permissions(project.kept(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    }
    if root && !made.compiled() && made.messages().contains("unshare") {
        println!("not tried: no file system can be mounted here: {}", made.messages());
        return;
    }
    assert!(made.compiled(), "{}", made.messages());
    if root {
        assert_eq!(names("pch"), before);
    }
    assert!(made == project.compile("off"));
}

/// What CMake asks for the dependencies of sources with modules: it looks at the sources, whatever is kept.
#[test]
fn dependencies_are_scanned_in_the_sources() {
    let project = Project::new("scanned", "main.cpp", FLAGS);
    let scan = |scanner: &Path, compiler: &Path| {
        let mut scan = command(scanner);
        scan.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE").env("AUTOJIT_CACHE_DIR", project.cache());
        scan.env("AUTOJIT_PREAMBLE", "always").current_dir(project.path());
        scan.args(["-format=make", "--"]).arg(compiler).args(FLAGS.split(' '));
        let rules = tool(scan.args(["-c", "main.cpp", "-o", "out.o"])).text();
        // The compiler's own headers are found by several paths.
        let files = rules.split_whitespace().filter(|word| *word != "\\").skip(1).map(|file| {
            fs::canonicalize(project.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
        });
        files.collect::<Vec<_>>()
    };
    let both = || {
        let [ours, plain] = [
            (&*dist("bin/autojit-clang-scan-deps"), &*dist("bin/autojit-c++")),
            (Path::new(concat!("clang-scan-deps-", env!("LLVM_RELEASE"))), Path::new(CLANGXX)),
        ]
        .map(|(scanner, compiler)| scan(scanner, compiler));
        assert_eq!(ours, plain);
        ours
    };
    let before = both();
    project.warm("behind the scan");
    assert_eq!(both(), before);
    // A header that the preamble has includes another one now.
    project.write("second/added.h", "#define ADDED 1\n");
    project.append("second/second.h", "#include \"added.h\"\n");
    let after = both();
    let added = project.path().join("second/added.h").canonicalize().expect("it was written");
    assert!(after.contains(&added) && !before.contains(&added), "{after:?}");
    project.compare("always", "behind the second scan");
}
