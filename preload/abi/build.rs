//! Gives [`ENGINE_BUILD`](src/lib.rs): what identifies the engine's code generation, so that code from another build is
//! neither taken from a cache nor asked of a foreign engine.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

fn main() {
    let root = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let mut files = vec![root.join("Cargo.lock"), root.join("preload/abi/src/lib.rs")];
    for directory in ["preload/engine", "preload/engine/src", "preload/engine/shim", "plugin/store/src"] {
        println!("cargo:rerun-if-changed={}", root.join(directory).display());
        let entries = std::fs::read_dir(root.join(directory)).expect("the engine's sources are there");
        let entries = entries.map(|entry| entry.expect("a directory can be read").path());
        files.extend(entries.filter(|path: &PathBuf| path.is_file()));
    }
    files.sort();
    println!("cargo:rerun-if-env-changed=LLVM_SYS_221_PREFIX");
    let prefix = std::env::var("LLVM_SYS_221_PREFIX").unwrap_or_else(|_| "/usr/lib/llvm-22".into());
    let version = Command::new(format!("{prefix}/bin/llvm-config")).arg("--version").output();
    let version =
        version.unwrap_or_else(|e| panic!("cannot run llvm-config ({e}); scripts/setup installs it"));
    let mut hash = Sha256::new().chain_update(&version.stdout);
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
        let content = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        hash = hash.chain_update(content.len().to_le_bytes()).chain_update(content);
    }
    let bytes: [u8; 32] = hash.finalize().into();
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("build.rs");
    std::fs::write(out, format!("{bytes:?}")).expect("cargo's directory can be written");
}
