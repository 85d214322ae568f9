//! Builds the test programs, plainly and lazily, with clang and rustc.
//!
//! Plain objects are kept between runs under a key of their content, since they depend on nothing of ours. Lazy ones
//! are always made anew.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::directives::{Addressing, Level};
use crate::llvm::{self, CLANG, CLANGXX};
use crate::run::{command, tool};
use crate::scratch;

/// Whether function bodies stay in the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The ordinary build.
    Plain,
    /// With the plugin.
    Lazy,
}

/// The Rust compilers that the plugin must load in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// The default compiler, with RUSTC_BOOTSTRAP=1 for the plugin's flag.
    Stable,
    /// The nightly compiler.
    Nightly,
}

impl Level {
    /// The flags for clang.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = vec![format!("-O{}", self.optimisation)];
        if self.debug {
            flags.push("-g".to_owned());
        }
        match self.addressing {
            Addressing::Pie => {}
            Addressing::Pic => flags.push("-fPIC".to_owned()),
            Addressing::NoPie => flags.push("-fno-pie".to_owned()),
        }
        flags
    }

    /// The flags for linking with clang.
    pub fn link_flags(&self) -> Vec<String> {
        match self.addressing {
            Addressing::Pie | Addressing::Pic => vec!["-pie".to_owned()],
            Addressing::NoPie => vec!["-no-pie".to_owned()],
        }
    }

    /// The same for a part of a shared library.
    pub fn for_library(mut self) -> Self {
        self.addressing = Addressing::Pic;
        self
    }

    /// The flags for rustc.
    pub fn rust_flags(&self) -> Vec<String> {
        let mut flags = vec![format!("-Copt-level={}", self.optimisation)];
        if self.debug {
            flags.push("-g".to_owned());
        }
        flags
    }
}

/// The release of clang that programs are compiled with: AUTOJIT_TESTS_CLANG, else the usual one.
pub fn release() -> &'static str {
    static RELEASE: LazyLock<String> =
        LazyLock::new(|| std::env::var("AUTOJIT_TESTS_CLANG").unwrap_or_else(|_| llvm::RELEASE.into()));
    &RELEASE
}

/// The plugin for that release.
pub fn plugin() -> PathBuf {
    match release() {
        llvm::RELEASE => scratch::dist("lib/autojit.so"),
        other => scratch::dist(&format!("lib/autojit-{other}.so")),
    }
}

/// The version of clang, for the keys of plain objects.
static VERSION: LazyLock<String> = LazyLock::new(|| tool(clang(false).arg("--version")).text());

/// The clang driver for a source file, or for linking C++.
pub fn clang(cxx: bool) -> Command {
    command(format!("{}-{}", if cxx { "clang++" } else { "clang" }, release()))
}

fn is_cxx(source: &Path) -> bool {
    matches!(source.extension().and_then(OsStr::to_str), Some("cpp" | "cc" | "cxx"))
}

/// Compiles a C or C++ file with `flags` into an object. A lazy one is written into `directory`.
#[track_caller]
pub fn object(how: How, source: &Path, flags: &[String], directory: &Path) -> PathBuf {
    match how {
        How::Plain => plain_object(source, flags),
        How::Lazy => {
            let output = directory.join(source.file_name().expect("a file")).with_extension("o");
            lazy_object(source, flags, &output, &[]);
            output
        }
    }
}

/// Compiles a C or C++ file lazily, with `environment` for the plugin. The plugin must be silent.
#[track_caller]
pub fn lazy_object(source: &Path, flags: &[String], output: &Path, environment: &[(&str, &OsStr)]) {
    let mut command = clang(is_cxx(source));
    command.arg(format!("-fpass-plugin={}", plugin().display())).args(flags);
    command.envs(environment.iter().copied()).arg("-c").arg(source).arg("-o").arg(output);
    let outcome = tool(&mut command);
    assert!(outcome.stderr.is_empty(), "{command:?} was not silent: {outcome}");
}

fn plain_object(source: &Path, flags: &[String]) -> PathBuf {
    let mut key = Sha256::new();
    key.update(VERSION.as_bytes());
    for part in flags {
        key.update(part.as_bytes());
        key.update([0]);
    }
    key.update(source.as_os_str().as_encoded_bytes());
    key.update(fs::read(source).unwrap_or_else(|error| panic!("{}: {error}", source.display())));
    // Whatever it includes from beside it.
    let beside = fs::read_dir(source.parent().expect("a file has a directory")).expect("it is readable");
    let mut headers: Vec<_> = beside.map(|entry| entry.expect("it is readable").path()).collect();
    headers.retain(|path| matches!(path.extension().and_then(OsStr::to_str), Some("h" | "hpp")));
    headers.sort();
    for header in headers {
        key.update(fs::read(header).expect("it is readable"));
    }
    scratch::kept(key, "o", |output| {
        tool(clang(is_cxx(source)).args(flags).arg("-c").arg(source).arg("-o").arg(output));
    })
}

/// How a program or shared library is linked.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// bfd, lld or mold.
    pub linker: &'a str,
    /// With the C++ library.
    pub cxx: bool,
    /// Further flags: libraries, `-shared`.
    pub flags: &'a [String],
}

impl Link<'_> {
    /// The command that links `objects`, for tests that expect it to fail.
    pub fn command(&self, objects: &[PathBuf], output: &Path) -> Command {
        // Other releases may have no lld of theirs.
        let mut command = command(if self.cxx { CLANGXX } else { CLANG });
        command.arg(format!("-fuse-ld={}", self.linker)).args(objects).args(self.flags).arg("-o").arg(output);
        command
    }

    /// Links `objects`.
    #[track_caller]
    pub fn run(&self, objects: &[PathBuf], output: &Path) {
        tool(&mut self.command(objects, output));
    }
}

/// Packs objects into an archive, replacing an old one.
#[track_caller]
pub fn archive(objects: &[PathBuf], output: &Path) {
    let _ = fs::remove_file(output);
    tool(command("ar").arg("rcs").arg(output).args(objects));
}

/// `rustc` of a toolchain, as a command with the flags that make it compile plainly or lazily.
pub fn rustc(how: How, toolchain: Toolchain) -> Command {
    let mut command = command("rustc");
    match toolchain {
        Toolchain::Stable => {}
        Toolchain::Nightly => {
            command.arg("+nightly");
        }
    }
    if how == How::Lazy {
        command.arg(format!("-Zllvm-plugins={}", plugin().display()));
        if toolchain == Toolchain::Stable {
            command.env("RUSTC_BOOTSTRAP", "1");
            // As autojit-rustc: the variable alone would change how symbols are mangled.
            command.args(["-Zunstable-options", "-Csymbol-mangling-version=legacy"]);
        }
    }
    command
}

/// Compiles a Rust program with `flags`, after the libraries it uses, each with its own choice of plain or lazy.
#[track_caller]
pub fn rust_program(
    how: How,
    toolchain: Toolchain,
    source: &Path,
    libraries: &[(How, PathBuf)],
    flags: &[String],
    directory: &Path,
) -> PathBuf {
    let output = directory.join("program");
    let common = |how| {
        let mut command = rustc(how, toolchain);
        command.args(["--edition", "2024"]).args(flags).arg("-L").arg(directory);
        command
    };
    for (how, library) in libraries {
        tool(common(*how).args(["--crate-type", "rlib", "--out-dir"]).arg(directory).arg(library));
    }
    let mut program = common(how);
    for (_, library) in libraries {
        program.arg("--extern").arg(library.file_stem().expect("a file"));
    }
    let outcome = tool(program.arg(source).arg("-o").arg(&output));
    assert!(outcome.stderr.is_empty(), "{program:?} was not silent: {outcome}");
    output
}
