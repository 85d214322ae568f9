//! Compiles the C++ shim against LLVM 22's headers. Nothing of LLVM is linked: the host brings it.

use std::process::Command;

const FILES: [&str; 4] = ["src/shim.cpp", "src/host.cpp", "src/assembles.cpp", "src/dead_references.cpp"];

fn main() {
    for file in FILES.into_iter().chain(["src/host.h"]) {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rerun-if-env-changed=LLVM_SYS_221_PREFIX");
    let prefix = std::env::var("LLVM_SYS_221_PREFIX").unwrap_or_else(|_| "/usr/lib/llvm-22".into());
    let config = format!("{prefix}/bin/llvm-config");
    let includes = Command::new(&config)
        .arg("--includedir")
        .output()
        .unwrap_or_else(|e| panic!("cannot run {config} ({e}); scripts/setup installs llvm-22-dev"));
    let includes = String::from_utf8(includes.stdout).expect("a path");

    cc::Build::new()
        .cpp(true)
        .compiler(format!("{prefix}/bin/clang++"))
        .cpp_link_stdlib(None) // linked statically, below
        .files(FILES)
        .flag("-isystem")
        .flag(includes.trim())
        .std("c++17")
        .flag("-fno-exceptions")
        .flag("-fno-rtti")
        .flag("-fvisibility=hidden")
        .flag("-fvisibility-inlines-hidden")
        .opt_level(2)
        .debug(false)
        .compile("autojit_shim");

    // rustc's LLVM has its libstdc++ inside and shows none of it, so ours comes along, hidden.
    for arg in [
        "-Wl,-Bstatic,-lstdc++,-Bdynamic",
        "-Wl,-Bsymbolic",
        "-Wl,--gc-sections",
        // What stays undefined is the host's: clang, opt and rustc all have LLVM in the process.
        "-Wl,--unresolved-symbols=ignore-all",
    ] {
        println!("cargo:rustc-cdylib-link-arg={arg}");
    }
}
