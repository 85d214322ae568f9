//! Which plugin a compiler can load: one of the same LLVM release. Loaded into another one, it would end the compilation
//! with a linker's message about symbols.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::role::{self, Language};
use crate::{Failure, installation, process};

/// The LLVM release that autojit.so is for.
const RELEASE: u32 = match u32::from_str_radix(env!("LLVM_RELEASE"), 10) {
    Ok(release) => release,
    Err(_) => panic!("LLVM_RELEASE is no number"),
};

/// The oldest release that the plugin can be built for.
const OLDEST: u32 = 16;

/// Programs that keep what compilers made, or compile elsewhere: the compiler is the next word.
const CACHES: [&str; 6] = ["ccache", "sccache", "distcc", "icecc", "buildcache", "gomacc"];

/// What a command word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// One of autojit's compiler wrappers.
    Wrapper,
    /// clang or clang++, of the release that the name ends with.
    Clang(Language, Option<u32>),
    /// cc or c++.
    Standard(Language),
    /// A compiler of GCC.
    Gcc,
    /// rustc.
    Rustc,
    /// A compiler cache.
    Cache,
    /// Something else.
    Other,
}

impl Word {
    /// What a word is by its file name: a prefix names the target, a number behind it the release.
    pub fn of(word: &OsStr) -> Self {
        if role::is_wrapper(word) {
            return Self::Wrapper;
        }
        let name = Path::new(word).file_name().unwrap_or_default().to_string_lossy();
        let is_release = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let (stem, release) = match name.rsplit_once('-') {
            Some((stem, release)) if is_release(release) => {
                (stem, release.split('.').next().and_then(|major| major.parse().ok()))
            }
            _ => (&*name, None),
        };
        let is = |compiler: &str| {
            stem.strip_suffix(compiler).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('-'))
        };
        match stem {
            "cc" => Self::Standard(Language::C),
            "c++" => Self::Standard(Language::Cxx),
            "rustc" => Self::Rustc,
            _ if is("clang") => Self::Clang(Language::C, release),
            _ if is("clang++") => Self::Clang(Language::Cxx, release),
            _ if is("gcc") || is("g++") => Self::Gcc,
            _ if CACHES.contains(&stem) => Self::Cache,
            _ => Self::Other,
        }
    }
}

/// The plugin for the compiler that a command calls, behind a compiler cache or not.
///
/// # Errors
/// It is a compiler that none of the installed plugins is for.
pub fn plugin(command: &[OsString]) -> Result<PathBuf, Failure> {
    for word in command {
        match Word::of(word) {
            Word::Cache => {}
            Word::Clang(_, None) => return of_release(word, installed_release(word)),
            Word::Clang(_, release) => return of_release(word, release),
            Word::Standard(_) => match target(word).map(|file| (Word::of(file.as_os_str()), file)) {
                Some((Word::Gcc, _)) => return Err(foreign(word)),
                Some((Word::Clang(..), file)) => {
                    return of_release(word, installed_release(file.as_os_str()));
                }
                _ => break,
            },
            Word::Gcc => return Err(foreign(word)),
            _ => break,
        }
    }
    installation::library("autojit.so", 1)
}

fn of_release(word: &OsStr, release: Option<u32>) -> Result<PathBuf, Failure> {
    let Some(release) = release.filter(|release| *release != RELEASE) else {
        return installation::library("autojit.so", 1);
    };
    of_other(release).map_err(|_| {
        let others: Vec<_> = others().map(|(release, _)| release).collect();
        Failure::new(1, unsuitable(&word.to_string_lossy(), release, &others))
    })
}

fn of_other(release: u32) -> Result<PathBuf, Failure> {
    installation::library(&format!("autojit-{release}.so"), 1)
}

/// The plugins for other releases that are installed.
pub fn others() -> impl Iterator<Item = (u32, PathBuf)> {
    (OLDEST..RELEASE).rev().filter_map(|release| Some((release, of_other(release).ok()?)))
}

fn unsuitable(word: &str, release: u32, others: &[u32]) -> String {
    let compilers: Vec<_> = [&[RELEASE], others].concat().iter().map(|it| format!("clang-{it}")).collect();
    let compilers = compilers.join(" or ");
    let install = match release {
        OLDEST.. => format!(", or install lib/autojit-{release}.so"),
        _ => String::new(),
    };
    format!("'{word}' is of LLVM {release}, and autojit.so is for LLVM {RELEASE}: use {compilers}{install}")
}

fn foreign(word: &OsStr) -> Failure {
    let message = format!(
        "'{}' is a compiler of GCC, which cannot load the plugin: use clang-{RELEASE} (autojit-cc, autojit-c++)",
        word.display()
    );
    Failure::new(1, message)
}

/// The file that a command stands for, without symbolic links.
fn target(word: &OsStr) -> Option<PathBuf> {
    process::find_other(word).ok()?.canonicalize().ok()
}

/// The release of a compiler whose name does not tell: where it is installed often does. None if not: the compiler itself
/// will say what is wrong.
fn installed_release(word: &OsStr) -> Option<u32> {
    let file = target(word)?;
    if let Word::Clang(_, Some(release)) = Word::of(file.as_os_str()) {
        return Some(release);
    }
    let directories = file.components().map(|part| part.as_os_str().as_bytes());
    let mut releases =
        directories.filter_map(|part| std::str::from_utf8(part.strip_prefix(b"llvm-")?).ok()?.parse().ok());
    releases.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_brings_another_release_is_told_what_fits() {
        let fits = format!("and autojit.so is for LLVM {RELEASE}: use clang-{RELEASE}");
        assert_eq!(unsuitable("clang-14", 14, &[]), format!("'clang-14' is of LLVM 14, {fits}"));
        assert_eq!(
            unsuitable("clang-14", 14, &[19, 16]),
            format!("'clang-14' is of LLVM 14, {fits} or clang-19 or clang-16")
        );
        assert_eq!(
            unsuitable("clang-16", 16, &[19]),
            format!("'clang-16' is of LLVM 16, {fits} or clang-19, or install lib/autojit-16.so")
        );
    }

    #[test]
    fn words_are_known_by_their_names() {
        for (word, expected) in [
            ("clang", Word::Clang(Language::C, None)),
            ("/usr/bin/clang++-19", Word::Clang(Language::Cxx, Some(19))),
            ("x86_64-linux-gnu-clang-19.1", Word::Clang(Language::C, Some(19))),
            ("gcc", Word::Gcc),
            ("x86_64-linux-gnu-g++-12", Word::Gcc),
            ("/usr/bin/cc", Word::Standard(Language::C)),
            ("c++", Word::Standard(Language::Cxx)),
            ("a/autojit-cc", Word::Wrapper),
            ("rustc", Word::Rustc),
            ("sccache", Word::Cache),
            ("clangd", Word::Other),
            ("clang-format-22", Word::Other),
            ("clang-tidy", Word::Other),
            ("make", Word::Other),
            ("", Word::Other),
        ] {
            assert_eq!(Word::of(OsStr::new(word)), expected, "{word}");
        }
    }
}
