//! Compiles the C++ shim against LLVM's headers, those of the release that AUTOJIT_PLUGIN_LLVM names, else LLVM_RELEASE. Nothing of LLVM is
//! linked: the host brings it.

use std::process::Command;

/// What llvm-config answers.
fn output(config: &str, question: &str) -> String {
    let answer = Command::new(config).arg(question).output().unwrap_or_else(|e| {
        panic!("cannot run {config} ({e}); scripts/setup installs llvm-N-dev of the usual release")
    });
    String::from_utf8(answer.stdout).expect("text").trim().to_owned()
}

const FILES: [&str; 8] = [
    "shim/shim.cpp",
    "shim/host.cpp",
    "shim/assembles.cpp",
    "shim/dead_references.cpp",
    "shim/layout.cpp",
    "shim/object_sizes.cpp",
    "shim/small_functions.cpp",
    "shim/vector_functions.cpp",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=shim");
    println!("cargo:rerun-if-env-changed=LLVM_SYS_221_PREFIX");
    println!("cargo:rerun-if-env-changed=AUTOJIT_PLUGIN_LLVM");
    let prefix = match std::env::var("AUTOJIT_PLUGIN_LLVM") {
        Ok(release) => format!("/usr/lib/llvm-{release}"),
        Err(_) => std::env::var("LLVM_SYS_221_PREFIX").expect("it is set in .cargo/config.toml"),
    };
    let config = format!("{prefix}/bin/llvm-config");
    let includes = output(&config, "--includedir");

    // See PassPluginLibraryInfo in src/lib.rs.
    println!("cargo:rustc-check-cfg=cfg(plugin_api_1)");
    let version = output(&config, "--version");
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).expect("a version");
    if major < 22 {
        println!("cargo:rustc-cfg=plugin_api_1");
    }

    cc::Build::new()
        .cpp(true)
        .compiler(format!("{prefix}/bin/clang++"))
        .cpp_link_stdlib(None) // linked statically, below
        .files(FILES)
        .flag("-isystem")
        .flag(&includes)
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
