//! ccache in front of the wrappers, behind them, and in front of clang with the plugin's flags: an object comes from the cache
//! only if the same plugin would make it again, and runs whatever became of its build (docs/ccache.md).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use autojit_tests::installation::Installation;
use autojit_tests::llvm::CLANG;
use autojit_tests::run::{command, lazy_command, run, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

/// A source file, a ccache directory, and what compiles.
struct Build {
    scratch: Scratch,
    /// Variables for the compiler and for ccache.
    environment: Vec<(&'static str, String)>,
}

impl Build {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        scratch.file("main.c", include_str!("../../sources/hello/hello.c"));
        Self { scratch, environment: Vec::new() }
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = command(program);
        command.current_dir(self.scratch.path()).env("CCACHE_DIR", self.scratch.path().join("ccache"));
        command.env("CCACHE_NOHASHDIR", "1").env_remove("AUTOJIT_STORE");
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command
    }

    /// Compiles, and returns the number of results that ccache had: 0 or 1.
    #[track_caller]
    fn hits(&self, line: &[&str]) -> u32 {
        let _ = fs::remove_file(self.scratch.path().join("main.o"));
        tool(self.command("ccache").arg("--zero-stats"));
        let (program, arguments) = line.split_first().expect("a compiler");
        let mut compiler = self.command(program);
        tool(compiler.args(arguments).args(["-O1", "-g", "-c", "main.c", "-o", "main.o"]));
        let numbers = tool(self.command("ccache").arg("--print-stats")).text();
        let number = |name: &str| -> u32 {
            let line = numbers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
            line.unwrap_or_else(|| panic!("no {name}: {numbers}")).parse().expect("a number")
        };
        let hits = number("direct_cache_hit") + number("preprocessed_cache_hit");
        assert_eq!(hits + number("cache_miss"), 1, "ccache did not look: {numbers}");
        hits
    }

    /// Links and runs what was compiled last.
    #[track_caller]
    fn assert_runs(&self) {
        let program = self.scratch.path().join("program");
        tool(self.command(CLANG).args(["main.o", "-o"]).arg(&program));
        let outcome = run(&mut lazy_command(&program, self.scratch.path()), self.scratch.path(), b"");
        assert_eq!(outcome.assert_code(0).text(), "hello, world 42\n", "{outcome}");
        Stats::read(&self.scratch.path().join("stats")).assert_lazy();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("our paths are text")
}

/// Gives a file another time.
fn touch(path: &Path) {
    let later = SystemTime::now() + Duration::from_secs(60);
    fs::File::open(path).and_then(|file| file.set_modified(later)).expect("it is ours");
}

/// Compiles with a wrapper, with a copy of it, and with one of another plugin; `check` is how ccache tells compilers apart.
fn updated(name: &str, check: &str) {
    let build = Build::new(name).set("CCACHE_COMPILERCHECK", check);
    let wrapper = |name: &str, digest| {
        let installation = Installation::new(&build.scratch, name, digest);
        // Only what the check is about may tell them apart.
        let later = u64::from(check == "mtime" && digest.is_some());
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + later);
        let file = fs::File::open(installation.wrapper("autojit-clang")).expect("it is ours");
        file.set_modified(time).expect("it is ours");
        installation.wrapper("autojit-cc")
    };
    assert_eq!(build.hits(&["ccache", text(&wrapper("first", None))]), 0);
    assert_eq!(build.hits(&["ccache", text(&wrapper("copy", None))]), 1);
    build.assert_runs();
    let other = wrapper("updated", Some("0123456789abcdef"));
    assert_eq!(build.hits(&["ccache", text(&other)]), 0);
    assert_eq!(build.hits(&["ccache", text(&other)]), 1);
}

#[test]
fn an_updated_wrapper_misses_by_its_time() {
    updated("ccache-mtime", "mtime");
}

#[test]
fn an_updated_wrapper_misses_by_its_bytes() {
    updated("ccache-content", "content");
}

#[test]
fn an_updated_wrapper_misses_by_its_version() {
    updated("ccache-version", "%compiler% --version");
}

#[test]
fn ccache_behind_the_wrapper_looks_at_the_plugin_and_at_clang() {
    let build = Build::new("ccache-behind").set("AUTOJIT_CC", "ccache ./clang");
    let clang = build.scratch.file("clang", format!("#!/bin/sh\nexec {CLANG} \"$@\"\n"));
    fs::set_permissions(&clang, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let installation = Installation::new(&build.scratch, "prefix", None);
    let wrapper = installation.wrapper("autojit-cc");
    assert_eq!(build.hits(&[text(&wrapper)]), 0);
    assert_eq!(build.hits(&[text(&wrapper)]), 1);
    build.assert_runs();
    touch(&installation.plugin());
    assert_eq!(build.hits(&[text(&wrapper)]), 0, "the plugin has changed");
    build.assert_runs();
    touch(&clang);
    assert_eq!(build.hits(&[text(&wrapper)]), 0, "the compiler has changed");
}

#[test]
fn ccache_looks_at_the_plugin_that_clang_is_given_twice() {
    let build = Build::new("ccache-flags");
    let plugin = Installation::new(&build.scratch, "prefix", None).plugin();
    let flags = [format!("-fplugin={}", text(&plugin)), format!("-fpass-plugin={}", text(&plugin))];
    let line = ["ccache", CLANG, &flags[0], &flags[1]];
    assert_eq!(build.hits(&line), 0);
    assert_eq!(build.hits(&line), 1);
    build.assert_runs();
    touch(&plugin);
    assert_eq!(build.hits(&line), 0);

    // With the pass plugin's flag alone it has to be told.
    let build = build.set("CCACHE_EXTRAFILES", text(&plugin));
    let line = ["ccache", CLANG, &flags[1]];
    assert_eq!(build.hits(&line), 0);
    assert_eq!(build.hits(&line), 1);
    build.assert_runs();
    let mut bytes = fs::read(&plugin).expect("it is there");
    bytes.push(0);
    fs::write(&plugin, bytes).expect("it is ours");
    assert_eq!(build.hits(&line), 0);
}

#[test]
fn cached_objects_need_no_store() {
    let store = "store";
    let wrapper = dist("bin/autojit-cc");
    let plugin: PathBuf = dist("lib/autojit.so");
    let flags = [format!("-fplugin={}", text(&plugin)), format!("-fpass-plugin={}", text(&plugin))];
    for (name, line) in
        [("wrapper", vec!["ccache", text(&wrapper)]), ("flags", vec!["ccache", CLANG, &flags[0], &flags[1]])]
    {
        let build = Build::new(&format!("ccache-store-{name}")).set("AUTOJIT_STORE", store);
        assert_eq!(build.hits(&line), 0);
        assert!(!build.scratch.path().join(store).exists(), "the object must have its bodies");
        build.assert_runs();
        assert_eq!(build.hits(&line), 1);
        build.assert_runs();
        // What ccache does not keep may be in the store.
        let mut compiler = build.command(line[0]);
        tool(compiler.args(&line[1..]).args(["-c", "main.c", "-o", "main.o"]).env("CCACHE_DISABLE", "1"));
        assert_eq!(fs::read_dir(build.scratch.path().join(store)).expect("it was made").count(), 1);
    }
}

#[test]
fn ccache_takes_the_wrapper_for_clang() {
    let build = Build::new("ccache-type").set("CCACHE_LOGFILE", "log");
    let wrapper = dist("bin/autojit-cc");
    build.hits(&["ccache", text(&wrapper)]);
    let log = fs::read_to_string(build.scratch.path().join("log")).expect("ccache wrote it");
    assert!(log.contains("Compiler type: clang"), "{log}");
}
