//! A project whose sources are compiled by the wrappers, with kept preambles and without, and compared.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::release;
use crate::kept;
use crate::llvm;
use crate::run::{Outcome, attempt, command};
use crate::scratch::{Scratch, dist, repository};

/// A copy of `tests/preambles`, with a cache of its own.
#[derive(Debug)]
pub struct Project {
    scratch: Scratch,
    /// Variables for every compile.
    pub environment: Vec<(String, String)>,
    /// Flags for every compile.
    pub flags: Vec<String>,
    /// The source that is compiled.
    pub source: String,
    /// The release of clang that compiles it: [`release`], if a test does not choose.
    pub release: String,
}

/// What a compile made.
#[derive(Debug, PartialEq, Eq)]
pub struct Result {
    status: Option<i32>,
    messages: String,
    object: Option<Vec<u8>>,
    rules: Option<String>,
}

impl Result {
    /// Whether there is an object.
    pub fn compiled(&self) -> bool {
        self.object.is_some()
    }

    /// The object.
    pub fn object(&self) -> Option<&[u8]> {
        self.object.as_deref()
    }

    /// The make rules, where they were asked for.
    pub fn rules(&self) -> Option<&str> {
        self.rules.as_deref()
    }

    /// What the compiler said.
    pub fn messages(&self) -> &str {
        &self.messages
    }
}

impl Project {
    /// The project of a test, whose `source` is compiled with `flags`.
    pub fn new(name: &str, source: &str, flags: &str) -> Self {
        let scratch = Scratch::new(&format!("preambles-{name}"));
        copy(&repository().join("tests/preambles"), &scratch.directory("project"));
        let flags = flags.split_whitespace().map(String::from).collect();
        let (source, release) = (source.to_owned(), release().to_owned());
        Self { scratch, environment: Vec::new(), flags, source, release }
    }

    fn cxx(&self) -> bool {
        !self.source.ends_with(".c")
    }

    /// The compiler behind the wrapper.
    pub fn compiler(&self) -> String {
        format!("{}-{}", if self.cxx() { "clang++" } else { "clang" }, self.release)
    }

    /// Its directory.
    pub fn path(&self) -> PathBuf {
        self.scratch.path().join("project")
    }

    /// The directory of the cache.
    pub fn cache(&self) -> PathBuf {
        self.scratch.path().join("cache")
    }

    /// The directory of the preambles.
    pub fn kept(&self) -> PathBuf {
        self.cache().join("preamble")
    }

    /// Writes a file of the project.
    pub fn write(&self, file: &str, text: &str) {
        self.scratch.file(&format!("project/{file}"), text);
    }

    /// Writes a file of the project that can be run.
    pub fn script(&self, file: &str, text: &str) -> PathBuf {
        self.write(file, text);
        let path = self.path().join(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        path
    }

    /// Adds to the end of a file of the project.
    pub fn append(&self, file: &str, text: &str) {
        let old = fs::read_to_string(self.path().join(file)).expect("it is in the project");
        self.write(file, &(old + text));
    }

    /// A compile with AUTOJIT_PREAMBLE set to `preamble`.
    pub fn command(&self, preamble: &str) -> Command {
        let mut compiler = command(dist(if self.cxx() { "bin/autojit-c++" } else { "bin/autojit-cc" }));
        if self.release != llvm::RELEASE {
            compiler.env(if self.cxx() { "AUTOJIT_CXX" } else { "AUTOJIT_CC" }, self.compiler());
        }
        compiler.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE").env("AUTOJIT_CACHE_DIR", self.cache());
        compiler.env("AUTOJIT_PREAMBLE", preamble).current_dir(self.path());
        compiler.envs(self.environment.iter().map(|(name, value)| (name, value)));
        compiler.args(&self.flags).args(["-c", &self.source, "-o", "out.o"]);
        compiler
    }

    /// Compiles.
    pub fn compile(&self, preamble: &str) -> Result {
        for output in ["out.o", "out.d"] {
            let _ = fs::remove_file(self.path().join(output));
        }
        self.result(&attempt(&mut self.command(preamble)))
    }

    /// The result of a compile that has ended.
    pub fn result(&self, outcome: &Outcome) -> Result {
        let read = |file: &str| fs::read(self.path().join(file)).ok();
        Result {
            status: outcome.status.code(),
            messages: messages(outcome),
            object: read("out.o"),
            rules: read("out.d").map(|rules| String::from_utf8_lossy(&rules).into_owned()),
        }
    }

    /// Compiles with kept preambles (`preamble`) and without; both must be the same. Returns whether one was used, and what
    /// was made.
    #[track_caller]
    pub fn compare(&self, preamble: &str, what: &str) -> (bool, Result) {
        let before = self.count('u');
        let kept = self.compile(preamble);
        let used = self.count('u') > before;
        let plain = self.compile("off");
        if kept != plain {
            let same = kept.object == plain.object;
            panic!(
                "{what}: another result than without a preamble (used: {used}; objects are the same: {same}):\n{:?}\n{:?}\n{:?}\n{:?}",
                kept.messages, plain.messages, kept.rules, plain.rules
            );
        }
        (used, kept)
    }

    /// How many events of a kind there were (tools/src/kept/storage.rs has their letters).
    pub fn count(&self, event: char) -> usize {
        kept::count(&self.kept(), event)
    }

    /// Waits until every preamble that was asked for is made, or is not going to be.
    #[track_caller]
    pub fn wait_for_preambles(&self) {
        kept::wait(&self.kept());
    }

    /// Has a preamble made and used.
    #[track_caller]
    pub fn warm(&self, what: &str) {
        self.compare("always", what);
        self.wait_for_preambles();
        let (used, _) = self.compare("always", what);
        assert!(used, "{what}: no preamble is used: {}", self.reasons());
    }

    /// Why preambles were not made, as far as manifests tell.
    pub fn reasons(&self) -> String {
        kept::reasons(&self.kept())
    }

    /// Kills the processes that make preambles, and forgets what was counted: no end of theirs will be.
    pub fn kill_makers(&self) {
        for maker in self.makers() {
            // SAFETY: a plain system call; the process was found by the directory of this test.
            unsafe { libc::kill(maker, libc::SIGKILL) };
        }
        let _ = fs::remove_file(self.kept().join("events"));
    }

    /// The processes that make preambles for this project, by what their environment says.
    pub fn makers(&self) -> Vec<i32> {
        let wanted = format!("AUTOJIT_CACHE_DIR={}", self.cache().display());
        let mut found = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
                found.insert(id, ());
            }
        }
        found.into_keys().collect()
    }
}

/// What the compiler said. Where it crashed, addresses follow, which differ from run to run.
fn messages(outcome: &Outcome) -> String {
    let said = outcome.errors();
    said.split("PLEASE submit a bug report").next().unwrap_or_default().to_owned()
}

/// Copies a directory.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory is ours");
    for entry in fs::read_dir(from).expect("it is in the repository").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("the directory is ours");
        }
    }
}
