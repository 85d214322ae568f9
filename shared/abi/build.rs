//! Gives the version of LLVM, a part of [`GENERATOR`](src/lib.rs).

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LLVM_SYS_221_PREFIX");
    let prefix = std::env::var("LLVM_SYS_221_PREFIX").expect("it is set in .cargo/config.toml");
    let config = format!("{prefix}/bin/llvm-config");
    println!("cargo:rerun-if-changed={config}");
    let version = Command::new(&config).arg("--version").output();
    let version = version.unwrap_or_else(|e| panic!("cannot run {config} ({e}); scripts/setup installs it"));
    let version = String::from_utf8(version.stdout).expect("a version is ASCII");
    println!("cargo:rustc-env=AUTOJIT_LLVM_VERSION={}", version.trim());
}
