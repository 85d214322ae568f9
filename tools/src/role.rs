//! Which of its programs the executable is: the first known name among the path that was executed and the symbolic links
//! behind it, so that links of any name work (`cc` of Debian's alternatives, for instance).

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A compiler that is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// clang.
    C,
    /// clang++.
    Cxx,
}

/// One of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Makes what a command compiles lazy.
    Launch,
    /// The same of cargo, as its subcommand.
    Cargo,
    /// Runs a lazy program.
    Run,
    /// Compiles C or C++.
    Compiler(Language),
    /// Compiles Rust.
    Rust,
    /// A tool of the compiler's toolchain, under these names, of which the first that is installed is meant.
    Tool(&'static [&'static str]),
}

/// The programs by name.
///
/// ccache knows a compiler's options by its name, looking through symbolic links: autojit-cc and autojit-c++ are links to
/// a name that has "clang" in it. CMake takes what is in front of "cc" for the prefix of the toolchain and looks for no
/// other names than these tools have here.
const ROLES: &[(&str, Role)] = &[
    ("autojit", Role::Launch),
    ("cargo-autojit", Role::Cargo),
    ("autojit-run", Role::Run),
    ("autojit-clang", Role::Compiler(Language::C)),
    ("autojit-cc", Role::Compiler(Language::C)),
    ("autojit-c++", Role::Compiler(Language::Cxx)),
    ("autojit-rustc", Role::Rust),
    ("autojit-llvm-ar", Role::Tool(&[concat!("llvm-ar-", env!("LLVM_RELEASE")), "llvm-ar", "ar"])),
    (
        "autojit-llvm-ranlib",
        Role::Tool(&[concat!("llvm-ranlib-", env!("LLVM_RELEASE")), "llvm-ranlib", "ranlib"]),
    ),
    (
        "autojit-clang-scan-deps",
        Role::Tool(&[concat!("clang-scan-deps-", env!("LLVM_RELEASE")), "clang-scan-deps"]),
    ),
];

/// The name and the role of this process.
pub fn of_process() -> Option<(&'static str, Role)> {
    let executed = executed_path();
    through_links(&executed).or_else(|| through_links(&std::env::current_exe().ok()?))
}

/// All names, for messages.
pub fn names() -> String {
    ROLES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Whether a command leads to one of the compiler wrappers.
pub fn is_wrapper(command: &OsStr) -> bool {
    let name = Path::new(command).file_name();
    ROLES
        .iter()
        .any(|(known, role)| matches!(role, Role::Compiler(_)) && name.is_some_and(|name| name == *known))
}

/// The path that the kernel was given to execute.
fn executed_path() -> PathBuf {
    // SAFETY: reads the process's auxiliary vector.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const std::ffi::c_char;
    if path.is_null() {
        return PathBuf::new();
    }
    // SAFETY: the kernel puts a C string there, which stays as long as the process.
    let path = unsafe { CStr::from_ptr(path) };
    PathBuf::from(OsStr::from_bytes(path.to_bytes()))
}

fn through_links(path: &Path) -> Option<(&'static str, Role)> {
    let mut path = path.to_owned();
    // As many links as the kernel follows.
    for _ in 0..40 {
        let name = path.file_name()?;
        if let Some(found) = ROLES.iter().find(|(known, _)| name == *known) {
            return Some(*found);
        }
        let target = std::fs::read_link(&path).ok()?;
        path = path.parent()?.join(target);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_have_the_names_that_cmake_derives() {
        for (name, role) in ROLES {
            if let Role::Tool(candidates) = role {
                let plain = name.strip_prefix("autojit-").expect("the prefix of autojit-cc");
                assert_eq!(candidates[1], plain);
                assert_eq!(candidates[0], format!("{plain}-22"));
            }
        }
    }
}
