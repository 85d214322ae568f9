//! Compiles the shim and links LLVM, the C++ runtime and the unwinder into the library, so that it needs nothing but
//! libc and shows nothing but its one entry point.

use std::path::Path;
use std::process::Command;

/// What the engine calls itself; llvm-config adds what these need.
const COMPONENTS: [&str; 5] = ["x86codegen", "x86asmparser", "orcjit", "passes", "bitreader"];

fn output(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(out.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// The directory with a static library of gcc's.
fn gcc_dir(name: &str) -> String {
    let file = output(Command::new("gcc").arg(format!("-print-file-name=lib{name}.a")));
    let dir = Path::new(file.trim()).parent().filter(|dir| dir.is_absolute());
    dir.unwrap_or_else(|| panic!("gcc has no static lib{name}")).display().to_string()
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=shim");
    println!("cargo:rerun-if-env-changed=LLVM_SYS_221_PREFIX");
    println!("cargo:rerun-if-env-changed=LLVM_RELEASE");
    let prefix = std::env::var("LLVM_SYS_221_PREFIX").expect("it is set in .cargo/config.toml");
    let bin = Path::new(&prefix).join("bin");
    let config = |args: &[&str]| output(Command::new(bin.join("llvm-config")).args(args));
    let version = config(&["--version"]);
    let release = std::env::var("LLVM_RELEASE").expect("it is set in .cargo/config.toml");
    let expected = version.split('.').next() == Some(&release);
    assert!(expected, "the engine is written for LLVM {release}, and {prefix} has {version}");

    shim(&bin, config(&["--includedir"]).trim());

    println!("cargo:rustc-link-search=native={}", config(&["--libdir"]).trim());
    let mut libs = vec!["--link-static", "--libs"];
    libs.extend(COMPONENTS);
    for lib in config(&libs).split_whitespace() {
        let name = lib.strip_prefix("-l").unwrap_or_else(|| panic!("llvm-config says {lib}"));
        println!("cargo:rustc-link-lib=static:-bundle={name}");
    }
    // The program may bring its own libstdc++ and libgcc_s, of other versions: ours are inside. Order matters: gcc_eh
    // before the libgcc_s that std asks for, which --as-needed then leaves out; libstdc++ at the very end, behind
    // mimalloc, or its operator new would be taken.
    println!("cargo:rustc-link-search=native={}", gcc_dir("gcc_eh"));
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");

    let mut args = vec![
        // lld reports undefined symbols of what --gc-sections keeps only: LLVM's uses of libxml2 and z3 are dropped,
        // so neither is linked. Those of zlib (compressed debug sections) stay.
        "-fuse-ld=lld".into(),
        format!("-B{}", bin.display()),
        "-Wl,--gc-sections".into(),
        "-Wl,--as-needed".into(),
        "-Wl,-soname,libautojit-engine.so".into(),
        "-Wl,-Bsymbolic".into(),
        "-Wl,--exclude-libs,ALL".into(),
        "-Wl,-z,now".into(),
        // Its threads' state and the code it compiled live on: it cannot be unloaded.
        "-Wl,-z,nodelete".into(),
        "-Wl,-z,pack-relative-relocs".into(),
        format!("-L{}", gcc_dir("stdc++")),
        "-Wl,-Bstatic,-lstdc++,-lz,-Bdynamic,-lm".into(),
        "-Wl,-z,defs".into(),
    ];
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        args.push("-Wl,--strip-debug".into());
    }
    for arg in args {
        println!("cargo:rustc-cdylib-link-arg={arg}");
    }
}

/// The C++ side.
fn shim(bin: &Path, include: &str) {
    cc::Build::new()
        .cpp(true)
        .cpp_link_stdlib(None)
        .compiler(bin.join("clang++"))
        .std("c++17")
        .flags([
            "-fno-exceptions",
            "-fno-rtti",
            "-fvisibility=hidden",
            "-ffunction-sections",
            "-fdata-sections",
        ])
        .flag("-Wno-unused-parameter")
        .flag(format!("-isystem{include}"))
        .files([
            "shim/open.cpp",
            "shim/aliases.cpp",
            "shim/build.cpp",
            "shim/calls.cpp",
            "shim/compile.cpp",
            "shim/continuation.cpp",
            "shim/describe.cpp",
            "shim/nest.cpp",
        ])
        .compile("autojit_shim");
}
