//! Makes the container of src/warm.c.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use autojit_store::{Contents, FunctionKind, OptLevel, StoredFunction};

const FUNCTIONS: [&str; 5] = ["sum", "swap", "hash", "find", "average"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/warm.c");
    let source = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("src/warm.c");
    let clang = Command::new(concat!("clang-", env!("LLVM_RELEASE")))
        .args(["-O0", "-g", "-fPIC", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c", "-o", "-"])
        .arg(source)
        .output()
        .expect("running the compiler that the plugin is for");
    assert!(clang.status.success(), "{}", String::from_utf8_lossy(&clang.stderr));
    let functions = FUNCTIONS.map(|name| StoredFunction {
        name: name.into(),
        kind: FunctionKind::Local,
        import: None,
        interposable: false,
    });
    let contents = Contents {
        source: "warm.c",
        opt: OptLevel { speed: 0, size: 0 },
        options: "",
        functions: &functions,
        imports: &[],
        bitcode: &autojit_store::whole(&clang.stdout),
    };
    let (container, _) = autojit_store::encode(&contents).expect("zstd has memory");
    let path = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo")).join("warm.ajc");
    fs::write(path, container).expect("cargo's directory is writable");
}
