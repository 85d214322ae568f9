//! Gives `pack::BUILD`: what identifies the linker, so that units that another one made are not taken from a cache.

use std::path::PathBuf;

use xxhash_rust::xxh3::Xxh3;

fn main() {
    println!("cargo:rerun-if-changed=src");
    let entries = std::fs::read_dir("src").expect("the sources are there");
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a directory can be read").path()).collect();
    files.sort();
    let mut hash = Xxh3::new();
    for file in files {
        let text = std::fs::read(&file).expect("a source can be read");
        hash.update(&text.len().to_le_bytes());
        hash.update(&text);
    }
    println!("cargo:rustc-env=AUTOJIT_CODE_BUILD={:032x}", hash.digest128());
}
