//! Installations of their own for tests that change one: the wrappers, the plugin and the runtime.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use crate::run::{command, tool};
use crate::scratch::{Scratch, dist};

/// A prefix with bin/ and lib/.
#[derive(Debug)]
pub struct Installation(PathBuf);

impl Installation {
    /// A copy in the subdirectory `name`, in place of what is there; with a `digest`, as if it were built with the plugin that has it.
    pub fn new(scratch: &Scratch, name: &str, digest: Option<&str>) -> Self {
        let mut program = fs::read(dist("bin/autojit-run")).expect("it exists");
        if let Some(digest) = digest {
            let current = current_digest();
            assert_eq!(current.len(), digest.len());
            let places: Vec<_> =
                (0..program.len()).filter(|&at| program[at..].starts_with(&current)).collect();
            assert!(!places.is_empty(), "the program knows its plugin");
            for at in places {
                program[at..at + digest.len()].copy_from_slice(digest.as_bytes());
            }
        }
        let _ = fs::remove_dir_all(scratch.path().join(name));
        let clang = scratch.file(&format!("{name}/bin/autojit-clang"), &program);
        let prefix = scratch.path().join(name);
        fs::set_permissions(&clang, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::hard_link(&clang, prefix.join("bin/autojit-rustc")).expect("the directory is ours");
        for link in ["autojit-cc", "autojit-c++"] {
            symlink("autojit-clang", prefix.join("bin").join(link)).expect("the directory is ours");
        }
        scratch.file(&format!("{name}/lib/autojit.so"), fs::read(dist("lib/autojit.so")).expect("it exists"));
        // What is linked finds its engine in it as well.
        for library in ["libautojit.so", "libautojit-engine.so"] {
            symlink(dist(&format!("lib/{library}")), prefix.join("lib").join(library))
                .expect("the directory is ours");
        }
        Self(prefix)
    }

    /// A program of bin/.
    pub fn wrapper(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// The plugin.
    pub fn plugin(&self) -> PathBuf {
        self.0.join("lib/autojit.so")
    }
}

/// The digest that the program answers a question for its version with.
fn current_digest() -> Vec<u8> {
    let version = tool(command(dist("bin/autojit-cc")).arg("--version")).text();
    let digest = version.trim_end().rsplit(' ').next().expect("the last word");
    assert!(digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{version}");
    digest.as_bytes().to_vec()
}
