//! What all benchmarks build on: where things lie, the programs, and their builds.
//!
//! Receives the run's options; hands on compile commands, objects, programs, and commands that run them. An object or
//! program is built once in a run, however many benchmarks use it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use autojit_tests::packages::package;
use autojit_tests::run::command;
use autojit_tests::scratch;

use crate::arguments::Run;
use crate::series::Pair;
use crate::{child, memory};

/// How a program is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As ever.
    Plain,
    /// With the plugin.
    Lazy,
}

impl How {
    /// Both ways.
    pub const BOTH: Pair<Self> = Pair { plain: Self::Plain, lazy: Self::Lazy };

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Lazy => "lazy",
        }
    }
}

/// A program in C or C++.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Its source files. The first is the one whose compilation is measured.
    pub sources: Vec<PathBuf>,
    /// Compiler flags beside the level.
    pub flags: Vec<String>,
    /// Flags for linking.
    pub link: Vec<&'static str>,
}

/// Where things lie, and how often to measure.
#[derive(Debug)]
pub struct Setup {
    dist: PathBuf,
    work: PathBuf,
    quick: bool,
}

impl Setup {
    /// Clears the directory in which the run writes.
    ///
    /// # Errors
    /// autojit is not built, or the directory is not writable.
    pub fn new(options: &Run) -> Result<Self> {
        let dist = options.dist.clone().unwrap_or_else(|| scratch::repository().join("dist"));
        let dist =
            dist.canonicalize().with_context(|| format!("{} is missing: scripts/build", dist.display()))?;
        for file in ["autojit.so", "libautojit.so", "libautojit-engine.so"] {
            let path = dist.join("lib").join(file);
            ensure!(path.is_file(), "{} is missing: scripts/build", path.display());
        }
        // The executable lies in <target>/<profile>. Runs at the same time must not meet.
        let executable = std::env::current_exe()?;
        let target = executable.ancestors().nth(2).context("the executable lies in no target directory")?;
        let work = target.join("autojit-benchmark").join(std::process::id().to_string());
        create_empty(&work)?;
        Ok(Self { dist, work, quick: options.quick })
    }

    /// `usual` times, or `quick` times in a quick run.
    pub fn runs(&self, usual: usize, quick: usize) -> usize {
        if self.quick { quick } else { usual }
    }

    /// A directory of the run, created.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.work.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// It fails.
    pub fn run(&self, command: &mut Command) -> Result<child::Usage> {
        child::run(command, &self.work)
    }

    /// The command that compiles `source` of `program` at `level`.
    pub fn compiler(
        &self,
        program: &Program,
        source: &Path,
        level: &[&str],
        how: How,
        output: &Path,
    ) -> Command {
        let mut command = clang(is_cxx(source));
        if how == How::Lazy {
            command.arg(format!("-fpass-plugin={}", self.dist.join("lib/autojit.so").display()));
        }
        command.args(level).args(&program.flags).arg("-c").arg(source).arg("-o").arg(output);
        command
    }

    /// The linked program.
    ///
    /// # Errors
    /// It does not compile or link.
    pub fn program(&self, program: &Program, level: &[&str], how: How) -> Result<PathBuf> {
        let level_name = level.concat();
        let directory = self.directory(&format!("programs/{level_name}-{}", how.name()))?;
        let output = directory.join(program.name);
        if output.exists() {
            return Ok(output);
        }
        let mut objects = Vec::new();
        for source in &program.sources {
            let object =
                directory.join(source.file_name().context("a source file has a name")?).with_extension("o");
            if !object.exists() {
                self.run(&mut self.compiler(program, source, level, how, &object))?;
            }
            objects.push(object);
        }
        let cxx = program.sources.iter().any(|source| is_cxx(source));
        self.run(clang(cxx).args(objects).args(&program.link).arg("-o").arg(&output))?;
        Ok(output)
    }

    /// A program as a command; a lazy one with the runtime, and with nothing cached from earlier runs.
    ///
    /// # Errors
    /// The cache's directory cannot be cleared.
    pub fn start(&self, program: &Path, how: How) -> Result<Command> {
        if how == How::Lazy {
            create_empty(&self.cache())?;
        }
        Ok(self.start_again(program, how))
    }

    /// A program as a command; a lazy one with the runtime, and with what earlier runs have left in the cache.
    pub fn start_again(&self, program: &Path, how: How) -> Command {
        let mut command = command(program);
        command.current_dir(&self.work);
        if how == How::Lazy {
            command.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE").env("AUTOJIT_CACHE_DIR", self.cache());
            command.env("LD_PRELOAD", self.dist.join("lib/libautojit.so"));
        }
        command
    }

    /// The cache that programs share.
    pub fn cache(&self) -> PathBuf {
        self.work.join("cache")
    }

    /// What a program has of memory when it ends.
    ///
    /// # Errors
    /// It fails.
    pub fn memory(&self, command: &mut Command) -> Result<memory::Memory> {
        memory::measure(command, &self.work)
    }

    /// The command that links the objects of `program`, which [`Setup::program`] has compiled, with a linker.
    ///
    /// # Errors
    /// It does not compile.
    pub fn linker(&self, program: &Program, level: &[&str], how: How, linker: &str) -> Result<Command> {
        let output = self.program(program, level, how)?;
        let directory = output.parent().context("a file has a directory")?;
        let mut command = clang(program.sources.iter().any(|source| is_cxx(source)));
        command.arg(format!("-fuse-ld={linker}"));
        for source in &program.sources {
            let name = source.file_name().context("a source file has a name")?;
            command.arg(directory.join(name).with_extension("o"));
        }
        command.args(&program.link).arg("-o").arg(directory.join(format!("{}-{linker}", program.name)));
        Ok(command)
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        // What is left over does no harm.
        let _ = fs::remove_dir_all(&self.work);
    }
}

/// Creates a directory, or removes what is in it.
///
/// # Errors
/// It is not ours to write.
pub fn create_empty(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot clear {}", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

fn clang(cxx: bool) -> Command {
    command(if cxx { "clang++-22" } else { "clang-22" })
}

fn is_cxx(source: &Path) -> bool {
    source.extension() == Some(OsStr::new("cpp"))
}

/// A source file of ours.
fn ours(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(file)
}

/// Hello world in C.
pub fn hello() -> Program {
    Program { name: "hello", sources: vec![ours("hello.c")], flags: Vec::new(), link: Vec::new() }
}

/// A user of nlohmann-json in C++.
pub fn json() -> Program {
    Program {
        name: "json",
        sources: vec![ours("json.cpp")],
        flags: vec!["-std=c++17".into()],
        link: Vec::new(),
    }
}

/// SQLite with one of our drivers.
pub fn sqlite(name: &'static str, driver: &str) -> Program {
    let directory = package("libsqlite3-sys").join("sqlite3");
    Program {
        name,
        sources: vec![directory.join("sqlite3.c"), ours(driver)],
        flags: vec![format!("-I{}", directory.display())],
        link: vec!["-pthread", "-lm", "-ldl"],
    }
}

/// Our program that runs a script twice with Lua's library.
///
/// # Errors
/// Lua's sources cannot be listed.
pub fn lua_twice() -> Result<Program> {
    let directory = package("lua-src").join("lua-5.4.7");
    let mut sources = vec![ours("lua_twice.c")];
    for entry in fs::read_dir(&directory).context("Lua's sources")? {
        let path = entry?.path();
        if is_library_source(&path) {
            sources.push(path);
        }
    }
    sources[1..].sort();
    let flags = vec![format!("-I{}", directory.display()), "-DLUA_USE_POSIX".into()];
    Ok(Program { name: "lua_twice", sources, flags, link: vec!["-lm"] })
}

/// Whether a file of Lua's belongs to the library: not one of those with a `main` of their own.
fn is_library_source(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default();
    path.extension() == Some(OsStr::new("c"))
        && !["lua", "luac", "onelua", "ltests"].iter().any(|main| stem == *main)
}

/// bzip2's library with `main`, a file of bzip2's or one of ours.
fn with_libbz2(name: &'static str, main: impl FnOnce(&Path) -> PathBuf) -> Program {
    let directory = package("bzip2-sys").join("bzip2-1.0.8");
    let library = ["blocksort", "bzlib", "compress", "crctable", "decompress", "huffman", "randtable"];
    let mut sources = vec![main(&directory)];
    sources.extend(library.map(|file| directory.join(file).with_extension("c")));
    let flags = vec![format!("-I{}", directory.display()), "-D_FILE_OFFSET_BITS=64".into()];
    Program { name, sources, flags, link: Vec::new() }
}

/// bzip2.
pub fn bzip2() -> Program {
    with_libbz2("bzip2", |directory| directory.join("bzip2.c"))
}

/// Our program that compresses twice with bzip2's library.
pub fn compress_twice() -> Program {
    with_libbz2("compress_twice", |_| ours("compress_twice.c"))
}
