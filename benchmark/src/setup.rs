//! What all measurements build on: where things lie, how often they are done, and commands that run programs.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use autojit_tests::run::command;
use autojit_tests::scratch;
use serde_json::Value;

use crate::arguments::Run;
use crate::series::{Pair, Turns};
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

    /// As in names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Lazy => "lazy",
        }
    }
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

    /// How often a thing is measured that may take milliseconds only.
    pub fn turns(&self) -> Turns {
        let (most, time) = if self.quick { (3, 100) } else { (101, 1000) };
        Turns { most, time: Duration::from_millis(time), ..self.least_turns() }
    }

    /// How often a thing is measured that takes long, or the same each time.
    pub fn least_turns(&self) -> Turns {
        let least = if self.quick { 1 } else { 7 };
        Turns { least, most: least, time: Duration::ZERO }
    }

    /// How often a thing is measured that takes very long and is the same each time.
    pub fn few_turns(&self) -> Turns {
        let least = if self.quick { 1 } else { 3 };
        Turns { least, most: least, time: Duration::ZERO }
    }

    /// For passes of long work in one process: on a busy machine the times of single ones differ by a factor of two.
    pub fn passes(&self) -> Turns {
        let least = if self.quick { 1 } else { 7 };
        Turns { least, most: least, time: Duration::ZERO }
    }

    /// The compiler plugin.
    pub fn plugin(&self) -> PathBuf {
        self.dist.join("lib/autojit.so")
    }

    /// A program of autojit's.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dist.join("bin").join(name)
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

    /// Runs a command to its end, and to that of all that it leaves behind.
    ///
    /// # Errors
    /// It fails.
    pub fn run_with_orphans(&self, command: &mut Command) -> Result<child::Usage> {
        child::run_with_orphans(command, &self.work)
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
            // As programs run by default; no daemon listens.
            command.env("AUTOJIT_MODE", "auto");
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

    /// Runs a lazy program once, and returns what it took, and its statistics without what is of this machine alone.
    ///
    /// # Errors
    /// It fails, or tells nothing.
    pub fn statistics(&self, lazy: &mut Command) -> Result<(child::Usage, Value)> {
        self.statistics_of(lazy, |lazy| self.run(lazy))
    }

    /// The same of a lazy program that `run` starts once and brings to its end: they are written then.
    ///
    /// # Errors
    /// `run` fails, or the program tells nothing.
    pub fn statistics_of<T>(
        &self,
        lazy: &mut Command,
        run: impl FnOnce(&mut Command) -> Result<T>,
    ) -> Result<(T, Value)> {
        let file = self.work.join("statistics");
        // Those of another program, above all of one that failed, must not pass for this one's.
        if file.exists() {
            fs::remove_file(&file).context("the statistics of another run")?;
        }
        let taken = run(lazy.env("AUTOJIT_STATS", &file))?;
        lazy.env_remove("AUTOJIT_STATS");
        let json = fs::read(&file).with_context(|| {
            format!("lazy programs write statistics at their end, none came from {lazy:?}")
        })?;
        let mut statistics: Value = serde_json::from_slice(&json).context("the statistics are no JSON")?;
        if let Some(fields) = statistics.as_object_mut() {
            fields.remove("program");
            fields.remove("pid");
        }
        Ok((taken, statistics))
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        // What is left over does no harm.
        let _ = fs::remove_dir_all(&self.work);
    }
}

/// How long a daemon may write after its program has ended.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// Creates a directory, or removes what is in it.
///
/// # Errors
/// It is not ours to write.
pub fn create_empty(path: &Path) -> Result<()> {
    // The daemon of a program that has ended may still be writing.
    let start = Instant::now();
    while let Err(error) = fs::remove_dir_all(path) {
        match error.kind() {
            ErrorKind::NotFound => break,
            ErrorKind::DirectoryNotEmpty if start.elapsed() < LAST_WRITES => {}
            _ => return Err(error).with_context(|| format!("cannot clear {}", path.display())),
        }
    }
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}
