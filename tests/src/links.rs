//! Links by the wrappers, with a kept plan and without, and compared.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::kept;
use crate::parts::{HELPER, MAIN};
use crate::run::{Outcome, attempt, command, tool};
use crate::scratch::{Scratch, dist};

/// A program of two objects in a directory, with a cache of its own.
#[derive(Debug)]
pub struct Linked {
    /// Where it is linked.
    pub scratch: Scratch,
    /// Variables for every link.
    pub environment: Vec<(String, String)>,
    /// The arguments of the link.
    pub arguments: Vec<String>,
}

/// What a link made.
#[derive(Debug, PartialEq, Eq)]
pub struct Result {
    /// The exit status.
    pub status: Option<i32>,
    /// Both outputs.
    pub said: String,
    /// The file.
    pub output: Option<Vec<u8>>,
}

impl Linked {
    /// The program of a test, which is linked with `flags`.
    pub fn new(name: &str, flags: &str) -> Self {
        let scratch = Scratch::new(&format!("links-{name}"));
        let words = format!("main.o helper.o -o program {flags}");
        let arguments = words.split_whitespace().map(String::from).collect();
        let linked = Self { scratch, environment: Vec::new(), arguments };
        linked.compile("main", MAIN);
        linked.compile("helper", HELPER);
        linked
    }

    /// Makes an object of a text in C.
    pub fn compile(&self, name: &str, text: &str) {
        self.scratch.file(&format!("{name}.c"), text);
        let mut wrapper = command(dist("bin/autojit-cc"));
        wrapper.args(["-O0", "-fPIC", "-c", &format!("{name}.c"), "-o", &format!("{name}.o")]);
        tool(wrapper.current_dir(self.scratch.path()));
    }

    /// A link with AUTOJIT_LINK_PLAN set to `plan`.
    pub fn command(&self, plan: &str) -> Command {
        let mut wrapper = command(dist("bin/autojit-cc"));
        wrapper.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE").env("AUTOJIT_CACHE_DIR", self.cache());
        wrapper.env("AUTOJIT_LINK_PLAN", plan).current_dir(self.scratch.path());
        wrapper.envs(self.environment.iter().map(|(name, value)| (name, value)));
        wrapper.args(&self.arguments);
        wrapper
    }

    /// Links.
    pub fn link(&self, plan: &str) -> Result {
        let output = self.scratch.path().join(self.output());
        let _ = fs::remove_file(&output);
        let Outcome { status, stdout, stderr, .. } = attempt(&mut self.command(plan));
        let said = [stdout, stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Result { status: status.code(), said, output: fs::read(output).ok() }
    }

    fn output(&self) -> &str {
        let option = self.arguments.iter().position(|word| word == "-o").expect("every link has an output");
        &self.arguments[option + 1]
    }

    /// Links with plans and without; both must be the same. Returns whether one was used, and what was made.
    #[track_caller]
    pub fn compare(&self, what: &str) -> (bool, Result) {
        let before = self.count('u');
        let kept = self.link("on");
        let used = self.count('u') > before;
        let plain = self.link("off");
        assert!(
            kept == plain,
            "{what}: another result than without a plan (used: {used}; files are the same: {}):\n{:?} {}\n{:?} {}",
            kept.output == plain.output,
            kept.status,
            kept.said,
            plain.status,
            plain.said
        );
        (used, kept)
    }

    /// Has a plan made and used.
    #[track_caller]
    pub fn warm(&self, what: &str) -> Result {
        for _ in 0..2 {
            assert!(!self.compare(what).0, "{what}: a plan is used that was not made");
        }
        self.wait();
        let (used, result) = self.compare(what);
        assert!(used, "{what}: no plan is used: {}", self.reasons());
        result
    }

    /// How many events of a kind there were (tools/src/kept/storage.rs has their letters).
    pub fn count(&self, event: char) -> usize {
        kept::count(&self.kept(), event)
    }

    /// Waits until every plan that was asked for is made, or is not going to be.
    #[track_caller]
    pub fn wait(&self) {
        kept::wait(&self.kept());
    }

    /// Why plans were not made, as far as manifests tell.
    pub fn reasons(&self) -> String {
        kept::reasons(&self.kept())
    }

    /// The directory of the cache.
    pub fn cache(&self) -> PathBuf {
        self.scratch.path().join("cache")
    }

    /// The directory of the plans.
    pub fn kept(&self) -> PathBuf {
        self.cache().join("link")
    }
}
