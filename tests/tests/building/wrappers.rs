//! The compiler wrappers: what they add, the compiler that they call, what build systems take them for.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use autojit_tests::compile::plugin;
use autojit_tests::installation::Installation;
use autojit_tests::llvm::{CLANG, CLANGXX, RELEASE};
use autojit_tests::run::{attempt, command, lazy_command, run, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;
use sha2::{Digest, Sha256};

use super::{assert_runs, source};

#[test]
fn wrappers_compile_lazily() {
    let scratch = Scratch::new("wrappers");
    let program = scratch.path().join("program");
    tool(
        command(dist("bin/autojit-cc"))
            .args(["-O1", "-g"])
            .arg(source("hello/hello.c"))
            .arg("-o")
            .arg(&program),
    );
    assert_runs(&program, &scratch, "hello, world 42");
    tool(command(dist("bin/autojit-c++")).arg(source("lambdas/lambdas.cpp")).arg("-o").arg(&program));
    assert_runs(&program, &scratch, "captured 15");
    let mut rust = command(dist("bin/autojit-rustc"));
    rust.args(["rustc", "--edition", "2024"]).arg(source("rust_basics/rust_basics.rs"));
    tool(rust.arg("-o").arg(&program));
    assert_runs(&program, &scratch, "dropped two");
}

#[test]
fn compiler_wrappers_take_another_compiler() {
    let plugin = plugin();
    let plugin = plugin.display();
    for (wrapper, variable) in [("bin/autojit-cc", "AUTOJIT_CC"), ("bin/autojit-c++", "AUTOJIT_CXX")] {
        let printed = |command: &str| {
            tool(self::command(dist(wrapper)).env(variable, command).args(["a b", "-c"])).text()
        };
        assert_eq!(printed("/bin/echo"), format!("-fplugin={plugin} -fpass-plugin={plugin} a b -c\n"));
        // Words, as in CC.
        assert_eq!(
            printed("echo launched compiler"),
            format!("launched compiler -fplugin={plugin} -fpass-plugin={plugin} a b -c\n")
        );
        let refused = |command: &str| attempt(self::command(dist(wrapper)).env(variable, command).arg("-c"));
        assert!(
            refused(dist(wrapper).to_str().expect("our paths are text"))
                .assert_code(2)
                .errors()
                .contains(variable)
        );
        assert!(refused("no-such-compiler").assert_code(127).errors().contains(variable));
        assert!(refused("ccache autojit-cc").assert_code(2).errors().contains(variable));
    }
}

/// Compilers get large pages from the C library, unless the user says otherwise; what links, or is no compiler of ours, does not.
#[test]
fn compilers_ask_for_large_pages() {
    let scratch = Scratch::new("wrapper-pages");
    let text = "#!/bin/sh\necho \"<$GLIBC_TUNABLES>\"\n";
    scratch.file("a.c", "");
    let [clang, other] = [CLANG, "launched-compiler"].map(|name| {
        let script = scratch.file(&format!("bin/{name}"), text);
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        script
    });
    for (compiler, given, line, expected) in [
        (&clang, None, "-c a.c", "glibc.malloc.hugetlb=1"),
        (&clang, Some("glibc.malloc.check=1"), "-c a.c", "glibc.malloc.check=1"),
        (&clang, None, "a.c", ""),
        (&other, None, "-c a.c", ""),
    ] {
        let mut wrapper = command(dist("bin/autojit-cc"));
        wrapper.env("AUTOJIT_CC", compiler).env_remove("GLIBC_TUNABLES").args(line.split(' '));
        wrapper.current_dir(scratch.path());
        wrapper.envs(given.map(|value| ("GLIBC_TUNABLES", value)));
        assert_eq!(tool(&mut wrapper).text(), format!("<{expected}>\n"), "{compiler:?} {line}");
    }
}

#[test]
fn a_wrapper_may_have_the_compilers_name() {
    let scratch = Scratch::new("wrapper-masquerade");
    let source = source("hello/hello.c");
    let bin = scratch.directory("bin");
    symlink(dist("bin/autojit-cc"), bin.join("cc")).expect("the directory is ours");
    // A file of the compiler's name that is the wrapper: found first in PATH, and passed over.
    symlink(dist("bin/autojit-cc"), bin.join(CLANG)).expect("the directory is ours");
    let mut shell = command("sh");
    shell.args(["-c", "PATH=$PWD/bin:$PATH; cc \"$0\" -o program"]).arg(&source);
    tool(shell.current_dir(scratch.path()));
    assert_runs(&scratch.path().join("program"), &scratch, "hello, world 42");
}

#[test]
fn stages_of_the_compiler_can_be_called() {
    let scratch = Scratch::new("wrapper-stages");
    let printed = |arguments: &[&str]| {
        let mut wrapper = command(dist("bin/autojit-cc"));
        tool(wrapper.env("AUTOJIT_CC", "/bin/echo").args(arguments)).text()
    };
    let plugin = plugin();
    let plugin = plugin.display();
    assert_eq!(printed(&["-cc1", "-E"]), format!("-cc1 -fpass-plugin={plugin} -E\n"));
    assert_eq!(printed(&["-cc1as", "a.s"]), "-cc1as a.s\n");
    // Commands as `-###` prints them.
    let source = scratch.file("main.c", "int main(void) { return 7; }\n");
    let mut wrapper = command(dist("bin/autojit-cc"));
    wrapper.args(["-cc1", "-emit-obj", "-mrelocation-model", "pic", "-o", "main.o"]).arg(source);
    tool(wrapper.current_dir(scratch.path()));
    tool(command(CLANG).args(["main.o", "-o", "program"]).current_dir(scratch.path()));
    let program = scratch.path().join("program");
    run(&mut lazy_command(&program, scratch.path()), scratch.path(), b"").assert_code(7);
    Stats::read(&scratch.path().join("stats")).assert_lazy();
}

#[test]
fn a_wrapper_without_its_plugin_says_so() {
    let scratch = Scratch::new("wrapper-alone");
    for name in ["autojit-cc", "autojit-rustc"] {
        let copy = scratch.file(name, fs::read(dist("bin/autojit-cc")).expect("it exists"));
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let outcome = attempt(command(&copy).args(["rustc", "main.rs"]).env_remove("CARGO_CRATE_NAME"));
        let errors = outcome.assert_code(1).errors();
        assert!(
            errors.starts_with(&format!("{name}: ")) && errors.contains("autojit.so not found"),
            "{outcome}"
        );
    }
}

/// The first 16 digits of the plugin's SHA-256.
fn digest_of_the_plugin() -> String {
    let digest = Sha256::digest(fs::read(plugin()).expect("it exists"));
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn versions_name_the_plugin_behind_the_compilers_own() {
    let digest = digest_of_the_plugin();
    let line = format!("autojit: {}, plugin {digest}\n", env!("CARGO_PKG_VERSION"));
    for (wrapper, compiler) in [("bin/autojit-cc", CLANG), ("bin/autojit-c++", CLANGXX)] {
        let plain = tool(command(compiler).arg("--version"));
        let wrapped = tool(command(dist(wrapper)).arg("--version"));
        assert_eq!(wrapped.text(), plain.text() + &line);
        assert_eq!(wrapped.stderr, plain.stderr);
        // What programs read is the compiler's answer alone.
        for question in ["-dumpversion", "-dumpmachine", "-print-prog-name=ld", "-print-search-dirs"] {
            let plain = tool(command(compiler).arg(question));
            plain.assert_same(&tool(command(dist(wrapper)).arg(question)), question);
        }
    }
    let plain = tool(command("rustc").arg("-vV"));
    let wrapped = tool(command(dist("bin/autojit-rustc")).args(["rustc", "-vV"]));
    assert_eq!(wrapped.text(), plain.text() + &line);
    let plain = tool(command("rustc").arg("-V"));
    plain.assert_same(&tool(command(dist("bin/autojit-rustc")).args(["rustc", "-V"])), "-V");
    // A compiler that fails is not followed by a version.
    let outcome = attempt(command(dist("bin/autojit-cc")).env("AUTOJIT_CC", "false").arg("--version"));
    assert!(outcome.assert_code(1).stdout.is_empty(), "{outcome}");
}

#[test]
fn cmake_finds_the_same_tools() {
    let scratch = Scratch::new("wrapper-cmake");
    scratch.file("CMakeLists.txt", include_str!("../../programs/cmake/CMakeLists.txt"));
    let answers = |directory: &str, c: &Path, cxx: &Path| {
        let mut cmake = command("cmake");
        cmake.args(["-S", ".", "-B", directory]).current_dir(scratch.path());
        cmake.arg(format!("-DCMAKE_C_COMPILER={}", c.display()));
        tool(cmake.arg(format!("-DCMAKE_CXX_COMPILER={}", cxx.display())));
        fs::read_to_string(scratch.path().join(directory).join("answers")).expect("it was written")
    };
    let plain = answers("plain", Path::new(CLANG), Path::new(CLANGXX));
    assert!(plain.contains(&format!("Clang {RELEASE}")) && plain.contains("interprocedural YES"), "{plain}");
    assert!(plain.contains("LLVM version 22"), "{plain}");
    assert_eq!(answers("lazy", &dist("bin/autojit-cc"), &dist("bin/autojit-c++")), plain);
}

#[test]
fn tools_fall_back_to_those_that_are_installed() {
    let scratch = Scratch::new("wrapper-tools");
    let tool_at = |name: &str, text: &str| {
        let path = scratch.file(name, format!("#!/bin/sh\necho {text} \"$@\"\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    };
    let archiver = || {
        let mut archiver = command(dist("bin/autojit-llvm-ar"));
        attempt(archiver.env("PATH", scratch.path()).args(["rc", "lib.a"]))
    };
    let missing = archiver();
    assert!(
        missing.assert_code(127).errors().contains(concat!("llvm-ar-", env!("LLVM_RELEASE"))),
        "{missing}"
    );
    tool_at("ar", "ar");
    assert_eq!(archiver().assert_code(0).text(), "ar rc lib.a\n");
    tool_at(concat!("llvm-ar-", env!("LLVM_RELEASE")), "llvm");
    assert_eq!(archiver().assert_code(0).text(), "llvm rc lib.a\n");
}

#[test]
fn meson_takes_the_wrappers_for_clang() {
    let scratch = Scratch::new("wrapper-meson");
    scratch.file("meson.build", "project('wrapped', 'c', 'cpp')\n");
    // Meson runs what the compilers have made.
    let mut meson = command("meson");
    meson.args(["setup", "out"]).current_dir(scratch.path());
    meson.env("CC", dist("bin/autojit-cc"));
    meson.env("CXX", dist("bin/autojit-c++"));
    let text = tool(&mut meson).text();
    assert_eq!(text.matches(&format!("(clang {RELEASE}.")).count(), 2, "{text}");
}

/// What the Rust wrapper calls for the given arguments and environment.
fn rust_wrapper(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut wrapper = command(dist("bin/autojit-rustc"));
    wrapper
        .arg("/bin/echo")
        .args(arguments)
        .env_remove("CARGO_CRATE_NAME")
        .env_remove("CARGO_PRIMARY_PACKAGE");
    tool(wrapper.envs(environment.iter().copied())).text()
}

#[test]
fn the_rust_wrapper_leaves_host_programs_and_questions_plain() {
    let lazy = format!("-Zllvm-plugins={}", plugin().display());
    let package = [("CARGO_CRATE_NAME", "x")];
    let primary = [("CARGO_CRATE_NAME", "x"), ("CARGO_PRIMARY_PACKAGE", "1")];
    let target = "x86_64-unknown-linux-gnu";
    for (arguments, environment, expected) in [
        (&["main.rs"][..], &[][..], true),
        (&["-vV"], &[], false),
        (&["-", "--crate-name", "___", "--print=file-names"], &[], false),
        (&["--crate-name", "build_script_build", "--crate-type", "bin", "build.rs"], &primary, false),
        (&["--crate-name", "derive", "--crate-type", "proc-macro", "lib.rs"], &primary, false),
        (
            &["--crate-name", "derive", "--crate-type=proc-macro", "lib.rs", "--target", target],
            &primary,
            false,
        ),
        (&["--crate-name", "x", "--emit=dep-info,metadata", "lib.rs"], &primary, false),
        (&["--crate-name", "x", "--emit=dep-info,metadata,link", "lib.rs"], &primary, true),
        (&["--crate-name", "x", "--emit", "obj", "lib.rs"], &primary, true),
        (&["--crate-name", "x", "lib.rs"], &package, true),
        (&["--crate-name", "x", "lib.rs", "--target", target], &package, true),
        // The runtime is for the GNU C library.
        (&["--crate-name", "x", "lib.rs", "--target", "x86_64-unknown-linux-musl"], &package, false),
    ] {
        let printed = rust_wrapper(arguments, environment);
        assert_eq!(printed.contains(&lazy), expected, "{arguments:?} with {environment:?}: {printed}");
        assert!(printed.starts_with(&arguments.join(" ")), "{printed}");
    }
}

#[test]
fn the_rust_wrapper_works_for_cargo() {
    let scratch = Scratch::new("cargo-wrapper");
    scratch.file(
        "Cargo.toml",
        "[package]\nname = \"wrapped\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[workspace]\n",
    );
    scratch.file(
        "build.rs",
        "fn main() { println!(\"cargo::rustc-env=BUILT={}\", (1..4).map(|x| x * x).sum::<u32>()); }\n",
    );
    scratch.file("src/main.rs", "fn main() { println!(\"built {}\", env!(\"BUILT\")); }\n");
    let mut cargo = command("cargo");
    cargo.args(["build", "--quiet", "--offline", "--target-dir", "out"]).current_dir(scratch.path());
    tool(cargo.env("RUSTC_WRAPPER", dist("bin/autojit-rustc")));
    assert_runs(&scratch.path().join("out/debug/wrapped"), &scratch, "built 14");
}

#[test]
fn cargo_builds_again_when_the_plugin_changes() {
    for toolchain in ["stable", "nightly"] {
        let scratch = Scratch::new(&format!("cargo-update-{toolchain}"));
        let package = "[package]\nname = \"updated\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[workspace]\n";
        scratch.file("Cargo.toml", package);
        scratch.file("src/main.rs", "fn main() { println!(\"built\"); }\n");
        let build = |installation: &Installation| {
            let mut cargo = command("cargo");
            cargo.arg(format!("+{toolchain}")).args(["build", "--offline", "--target-dir", "out"]);
            cargo.current_dir(scratch.path()).env_remove("CARGO_CRATE_NAME").env("CARGO_INCREMENTAL", "1");
            tool(cargo.env("RUSTC_WRAPPER", installation.wrapper("autojit-rustc"))).errors()
        };
        let is_lazy = || {
            let program = scratch.path().join("out/debug/updated");
            let sections = tool(command("readelf").args(["--sections", "--wide"]).arg(program)).text();
            sections.contains("autojit_slots")
        };
        let installation = Installation::new(&scratch, "prefix", None);
        assert!(build(&installation).contains("Compiling") && is_lazy());
        assert!(!build(&installation).contains("Compiling"), "{toolchain}: nothing has changed");
        // In the same place: the compiler's own files of incremental builds are not to be used either.
        let installation = Installation::new(&scratch, "prefix", Some("0123456789abcdef"));
        let mut clang = command(CLANG);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/plugins/nothing.c");
        tool(clang.args(["-shared", "-fPIC"]).arg(source).arg("-o").arg(installation.plugin()));
        assert!(build(&installation).contains("Compiling"), "{toolchain}: the plugin has changed");
        assert!(!is_lazy(), "{toolchain}: code of the plugin that was there before");
    }
}
