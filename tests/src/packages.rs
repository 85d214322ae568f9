//! Programs of other people: where their sources are, and the comparison of their plain and lazy builds.
//!
//! Sources come out of packages that `packages/Cargo.toml` names and cargo fetches once.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::compile::{How, Link, object};
use crate::directives::Level;
use crate::run::{Outcome, attempt, command, lazy_command, run, tool};
use crate::scratch::Scratch;
use crate::stats::Stats;

/// The manifest of the packages.
pub fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packages/Cargo.toml")
}

/// A file of ours beside the manifest.
pub fn ours(file: &str) -> PathBuf {
    manifest().with_file_name(file)
}

/// What cargo knows of the packages. Fetches them the first time; needs no network afterwards.
static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let cargo = || {
        let mut cargo = command("cargo");
        cargo.args(["metadata", "--format-version", "1", "--all-features", "--locked", "--manifest-path"]);
        cargo.arg(manifest());
        cargo
    };
    let offline = attempt(cargo().arg("--offline"));
    let outcome = if offline.status.success() { offline } else { tool(&mut cargo()) };
    serde_json::from_slice(&outcome.stdout).expect("cargo writes JSON")
});

/// The directory of a package's sources.
pub fn package(name: &str) -> PathBuf {
    let packages = METADATA["packages"].as_array().expect("cargo lists packages");
    let found = packages.iter().find(|package| package["name"] == name);
    let manifest = found.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.unwrap_or_else(|| panic!("no package '{name}' among those fetched"));
    Path::new(manifest).parent().expect("a manifest lies in its package").to_owned()
}

/// A C or C++ program made of many files.
#[derive(Debug, Default)]
pub struct Sources {
    /// Its name.
    pub name: &'static str,
    /// Its source files.
    pub files: Vec<PathBuf>,
    /// Compiler flags.
    pub flags: Vec<String>,
    /// Flags for linking.
    pub link: Vec<String>,
}

/// The two builds of a program, to be run alike.
#[derive(Debug)]
pub struct Both {
    scratch: Scratch,
    plain: PathBuf,
    lazy: PathBuf,
}

impl Sources {
    /// Builds it plainly and lazily.
    pub fn build(&self, level: Level) -> Both {
        let scratch = Scratch::new(&format!("package-{}-{}", self.name, level.name()));
        let flags = [level.flags(), self.flags.clone()].concat();
        let cxx = self.files.iter().any(|file| file.extension().is_some_and(|extension| extension == "cpp"));
        let build = |how: How| {
            let objects = scratch.directory(&format!("{how:?}-objects"));
            let objects: Vec<_> = self.files.iter().map(|file| object(how, file, &flags, &objects)).collect();
            let output = scratch.directory(&format!("{how:?}")).join("program");
            Link { linker: "lld", cxx, flags: &[level.link_flags(), self.link.clone()].concat() }
                .run(&objects, &output);
            output
        };
        let (plain, lazy) = (build(How::Plain), build(How::Lazy));
        Both { scratch, plain, lazy }
    }
}

impl Both {
    /// Two builds made elsewhere.
    pub fn new(scratch: Scratch, plain: PathBuf, lazy: PathBuf) -> Self {
        Self { scratch, plain, lazy }
    }

    /// The directory they lie in.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Runs both with the same arguments and input, checks that they do the same and that the lazy one was lazy, and
    /// returns what the plain one did and the statistics of the other.
    #[track_caller]
    pub fn compare(&self, arguments: &[&str], stdin: &[u8]) -> (Outcome, Stats) {
        let start = |mut command: Command, executable: &Path| {
            command.arg0("./program").args(arguments);
            run(&mut command, executable.parent().expect("a file has a directory"), stdin)
        };
        let plain = start(command(&self.plain), &self.plain);
        let directory = self.lazy.parent().expect("a file has a directory");
        let lazy = start(lazy_command(&self.lazy, directory), &self.lazy);
        plain.assert_same(&lazy, &format!("plain and lazy program {arguments:?}"));
        let stats = Stats::read(&directory.join("stats"));
        stats.assert_lazy();
        (plain, stats)
    }
}
