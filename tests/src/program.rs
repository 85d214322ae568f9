//! Builds a program of `sources/` plainly and lazily, runs both, and compares.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::{How, Link, Toolchain, archive, object, rust_program};
use crate::directives::{self, Addressing, Exit, Level, Program, Refusals};
use crate::run::{
    Outcome, by_baseline, by_llvm, by_tiers, command, daemon_command, lazy_command, run, static_command,
    warm_command,
};
use crate::scratch::{Scratch, dist};
use crate::stats::Stats;
use crate::stubs::{Function, function};

/// What a lazy program finds when it runs. Each program is run in every mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is compiled yet, and the process compiles with LLVM.
    Cold,
    /// An earlier run has left its code in the object cache.
    Warm,
    /// Nothing is compiled yet, and autojitd compiles for the process.
    Daemon,
    /// Nothing is compiled yet, and the process compiles without LLVM what it can.
    Baseline,
    /// An earlier run has left what it has compiled so.
    WarmBaseline,
    /// Nothing is compiled yet; each function, of those that the baseline compiler knows, is replaced at its first call
    /// (AUTOJIT_TIER). For optimised programs.
    Tiers,
    /// Earlier runs have left what has replaced them.
    WarmTiers,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Cold,
        Self::Warm,
        Self::Daemon,
        Self::Baseline,
        Self::WarmBaseline,
        Self::Tiers,
        Self::WarmTiers,
    ];

    /// The command that runs a lazy executable in this mode, with cache and statistics in `directory`.
    pub fn command(self, executable: &Path, directory: &Path) -> Command {
        match self {
            Self::Cold => by_llvm(lazy_command(executable, directory)),
            Self::Warm => by_llvm(warm_command(executable, directory)),
            Self::Daemon => daemon_command(executable, directory),
            Self::Baseline | Self::WarmBaseline => {
                // autojitd may still be writing to the other modes' cache.
                let cache = directory.join("baseline-cache");
                if self == Self::Baseline {
                    drop(fs::remove_dir_all(&cache));
                }
                let mut command = by_baseline(warm_command(executable, directory));
                command.env("AUTOJIT_CACHE_DIR", cache);
                command
            }
            Self::Tiers | Self::WarmTiers => {
                let cache = directory.join("tier-cache");
                if self == Self::Tiers {
                    drop(fs::remove_dir_all(&cache));
                }
                let mut command = warm_command(executable, directory);
                command.env("AUTOJIT_CACHE_DIR", cache);
                by_tiers(command)
            }
        }
    }

    /// The same for a program built at `level`, of which the baseline compiler refuses what `refusals` says: without
    /// options where the default is the mode's way at this level, so that it is the default that runs.
    fn command_at(self, level: Level, refusals: Refusals, executable: &Path, directory: &Path) -> Command {
        let mut command = self.command(executable, directory);
        if self.is_baseline() && level.is_unoptimised() {
            command.env_remove("AUTOJIT_BASELINE").env_remove("AUTOJIT_TIER");
        } else if self == Self::Baseline && refusals == Refusals::None {
            command.env("AUTOJIT_BASELINE", "only");
        }
        command
    }

    fn is_baseline(self) -> bool {
        matches!(self, Self::Baseline | Self::WarmBaseline)
    }

    fn is_tiered(self) -> bool {
        matches!(self, Self::Tiers | Self::WarmTiers)
    }
}

/// Checks the program in `directory` at one level: with each linker or compiler, in each mode.
pub fn check(directory: &str, level: &str) {
    let program = directives::read(Path::new(directory)).unwrap_or_else(|error| panic!("{error}"));
    let level =
        program.levels.iter().copied().find(|one| one.name() == level).expect("the program has the level");
    let scratch = Scratch::new(&format!("{}-{}", program.name, level.name()));
    if program.is_rust() {
        for toolchain in [Toolchain::Stable, Toolchain::Nightly] {
            check_rust(&program, level, toolchain, &scratch);
        }
    } else {
        let builder = Builder::new(&program, level, &scratch, true);
        for linker in &program.linkers {
            builder.check(linker);
        }
        if program.can_be_static() {
            builder.check_static();
        }
    }
}

/// Runs the program in `directory` once in a mode, built lazily at any level. None if it leaves no statistics.
pub fn statistics(directory: &Path, level: Level, mode: Mode) -> Option<Stats> {
    let program = directives::read(directory).unwrap_or_else(|error| panic!("{error}"));
    let scratch = Scratch::new(&format!("statistics-{}-{}", program.name, level.name()));
    let executable = if program.is_rust() {
        let path = |file: &String| program.directory.join(file);
        let flags = [level.rust_flags(), program.flags.clone()].concat();
        let lazy = program.sources[1..].iter().map(|file| (How::Lazy, path(file)));
        let libraries: Vec<_> =
            lazy.chain(program.plain.iter().map(|file| (How::Plain, path(file)))).collect();
        let main = path(&program.sources[0]);
        rust_program(How::Lazy, Toolchain::Stable, &main, &libraries, &flags, &scratch.directory("rust"))
    } else {
        let builder = Builder::new(&program, level, &scratch, false);
        builder.link("lld", (1 << program.sources.len()) - 1, How::Lazy)
    };
    let directory = executable.parent().expect("a file has a directory");
    let mut command = mode.command(&executable, directory);
    command.env("AUTOJIT_STATS", directory.join("stats.%p"));
    let outcome = run_program(&program, command, &executable);
    let stats = directory.join(format!("stats.{}", outcome.pid));
    stats.is_file().then(|| Stats::read(&stats))
}

fn check_rust(program: &Program, level: Level, toolchain: Toolchain, scratch: &Scratch) {
    let path = |file: &String| program.directory.join(file);
    let flags = [level.rust_flags(), program.flags.clone()].concat();
    let build = |how: How| {
        let directory = scratch.directory(&format!("{how:?}-{toolchain:?}"));
        let lazy = program.sources[1..].iter().map(|file| (how, path(file)));
        let libraries: Vec<_> =
            lazy.chain(program.plain.iter().map(|file| (How::Plain, path(file)))).collect();
        rust_program(how, toolchain, &path(&program.sources[0]), &libraries, &flags, &directory)
    };
    let expected = run_plain(program, &build(How::Plain));
    let lazy = Lazy {
        program,
        level,
        executable: &build(How::Lazy),
        whole: true,
        refusals: match toolchain {
            Toolchain::Stable => program.refusals(level),
            // Its library changes from day to day.
            Toolchain::Nightly => Refusals::Unknown,
        },
        tiers: toolchain == Toolchain::Stable,
    };
    lazy.check(&expected, &format!("plain and lazy program of the {toolchain:?} compiler"));
}

/// A C or C++ program whose objects are made, to be linked in several ways.
struct Builder<'a> {
    program: &'a Program,
    level: Level,
    scratch: &'a Scratch,
    sources: Vec<Pair>,
    plain: Vec<PathBuf>,
    archive: Vec<Pair>,
    libraries: Vec<(String, Pair)>,
    plugins: Vec<(String, Pair)>,
}

/// An object, built both ways.
struct Pair {
    plain: PathBuf,
    lazy: PathBuf,
}

impl Pair {
    fn get(&self, how: How) -> PathBuf {
        match how {
            How::Plain => self.plain.clone(),
            How::Lazy => self.lazy.clone(),
        }
    }
}

impl<'a> Builder<'a> {
    /// Makes the objects: both ways, or lazily only.
    fn new(program: &'a Program, level: Level, scratch: &'a Scratch, plainly: bool) -> Self {
        let compile = |how: How, file: &String, level: Level| {
            let flags = [level.flags(), program.flags.clone()].concat();
            // Files of the same name may lie in different directories.
            let directory = scratch.directory(&format!("objects/{}", file.replace('/', "-")));
            object(how, &program.directory.join(file), &flags, &directory)
        };
        let pair = |file: &String, level: Level| {
            let lazy = compile(How::Lazy, file, level);
            let plain = if plainly { compile(How::Plain, file, level) } else { lazy.clone() };
            Pair { plain, lazy }
        };
        let shared = |file: &String| {
            let stem = Path::new(file).file_stem().expect("a file").to_string_lossy();
            (format!("lib{stem}.so"), pair(file, level.for_library()))
        };
        let plain_plugins = program.plain_plugins.iter().map(|file| {
            let (name, Pair { plain, .. }) = shared(file);
            (name, Pair { lazy: plain.clone(), plain })
        });
        Self {
            program,
            level,
            scratch,
            sources: program.sources.iter().map(|file| pair(file, level)).collect(),
            plain: program.plain.iter().map(|file| compile(How::Plain, file, level)).collect(),
            archive: program.archive.iter().map(|file| pair(file, level)).collect(),
            libraries: program.libraries.iter().map(shared).collect(),
            plugins: program.plugins.iter().map(shared).chain(plain_plugins).collect(),
        }
    }

    /// Links with one linker, runs and compares. Each combination is a set of lazy sources, as bits.
    fn check(&self, linker: &str) {
        let expected = run_plain(self.program, &self.link(linker, 0, How::Plain));
        let all = (1_u32 << self.sources.len()) - 1;
        let combinations = if self.program.mix { 1..=all } else { all..=all };
        // With one linker, which depends on the program.
        let linkers = &self.program.linkers;
        let tiers = linkers[self.program.name.len() % linkers.len()] == linker;
        for lazy in combinations {
            let whole = lazy == all;
            let refusals = if whole { self.program.refusals(self.level) } else { Refusals::Unknown };
            let executable = &self.link(linker, lazy, How::Lazy);
            let what = format!("plain program and lazy one (linker {linker}, lazy sources {lazy:#b})");
            let lazy = Lazy { program: self.program, level: self.level, executable, whole, refusals, tiers };
            lazy.check(&expected, &what);
        }
    }

    /// Links everything statically, with a linker that depends on the program; the lazy program has the runtime inside.
    fn check_static(&self) {
        let linker = ["bfd", "lld", "mold"][self.program.name.len() % 3];
        let kind = match self.level.addressing {
            Addressing::NoPie => "-static",
            Addressing::Pie | Addressing::Pic => "-static-pie",
        };
        let link = |lazy, how, flags: &[&str]| {
            let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
            self.link_with(linker, lazy, how, "static-", &flags)
        };
        let expected = run_plain(self.program, &link(0, How::Plain, &[kind]));
        let library = dist("lib/libautojit_static-x86_64.a");
        let library = library.to_str().expect("its path is UTF-8");
        let lazy = link((1 << self.sources.len()) - 1, How::Lazy, &[kind, library]);
        let directory = lazy.parent().expect("a file has a directory");
        // As in [`Mode::command_at`].
        let by_daemon = by_llvm(static_command(&lazy, directory));
        let mut baseline = by_baseline(static_command(&lazy, directory));
        if self.level.is_unoptimised() {
            baseline.env_remove("AUTOJIT_BASELINE").env_remove("AUTOJIT_TIER");
        }
        let check = |command, how: &str, assert: fn(&Stats)| {
            let outcome = run_program(self.program, command, &lazy);
            expected
                .assert_same(&outcome, &format!("plain and static lazy program, {how} (linker {linker})"));
            if matches!(self.program.exit, Exit::Status(_)) {
                assert(&Stats::read(&directory.join(format!("stats.{}", outcome.pid))));
            }
        };
        check(by_daemon, "by autojitd", Stats::assert_from_daemon);
        check(baseline, "by the baseline compiler", Stats::assert_static_baseline);
        if !self.level.is_unoptimised() && self.program.tiers.is_none() {
            check(static_command(&lazy, directory), "with tiers", Stats::assert_static_baseline);
        }
    }

    /// Links the program, with the sources in the set `lazy` lazy, and everything else as `how` says.
    fn link(&self, linker: &str, lazy: u32, how: How) -> PathBuf {
        let flags = [self.level.link_flags(), vec!["-Wl,-rpath,$ORIGIN".to_owned()]].concat();
        self.link_with(linker, lazy, how, "", &flags)
    }

    /// The same, in a directory with a prefix, with flags that say what becomes of it.
    fn link_with(&self, linker: &str, lazy: u32, how: How, prefix: &str, kind: &[String]) -> PathBuf {
        let directory = self.scratch.directory(&format!("{prefix}{how:?}-{linker}-{lazy:b}"));
        let cxx = self.program.sources.iter().any(|file| file.ends_with(".cpp"));
        let link = |objects: &[PathBuf], flags: &[String], output: &Path| {
            // What is a file rather than a flag comes last.
            let flags = [&self.program.link, flags].concat();
            Link { linker, cxx, flags: &flags }.run(objects, output);
        };
        let mut objects: Vec<_> = self.plain.clone();
        for (index, source) in self.sources.iter().enumerate() {
            objects.push(source.get(if lazy & (1 << index) == 0 { How::Plain } else { How::Lazy }));
        }
        if !self.archive.is_empty() {
            let members: Vec<_> = self.archive.iter().map(|pair| pair.get(how)).collect();
            objects.push(directory.join("libmembers.a"));
            archive(&members, objects.last().expect("it was just pushed"));
        }
        for (name, library) in self.plugins.iter().chain(&self.libraries) {
            let soname = format!("-Wl,-soname,{name}");
            link(&[library.get(how)], &["-shared".to_owned(), soname], &directory.join(name));
        }
        objects.extend(self.libraries.iter().map(|(name, _)| directory.join(name)));
        let output = directory.join("program");
        link(&objects, kind, &output);
        output
    }
}

/// Runs the plain program, and checks that it does what its directives say.
fn run_plain(program: &Program, executable: &Path) -> Outcome {
    let outcome = run_program(program, command(executable), executable);
    let end = match outcome.status.code() {
        Some(code) => Exit::Status(code),
        None => Exit::Signal(outcome.status.signal().expect("it ended one way or the other")),
    };
    assert_eq!(end, program.exit, "the plain program of {}: {outcome}", program.name);
    let text = outcome.text();
    for line in &program.prints {
        assert!(
            text.lines().any(|printed| printed == line),
            "the plain program prints no '{line}': {outcome}"
        );
    }
    outcome
}

/// A lazy program that is to be run in each mode.
struct Lazy<'a> {
    program: &'a Program,
    level: Level,
    executable: &'a Path,
    /// All of its sources are lazy.
    whole: bool,
    refusals: Refusals,
    /// It runs with tiers, too.
    tiers: bool,
}

impl Lazy<'_> {
    /// Checks what is lazy in it, runs it and compares.
    fn check(&self, expected: &Outcome, what: &str) {
        let Self { program, executable, .. } = *self;
        if self.whole {
            for name in &program.lazy {
                let kind = function(executable, name);
                assert_ne!(kind, Function::Ordinary, "'{name}' is not lazy in {}", program.name);
            }
            for name in &program.ordinary {
                let kind = function(executable, name);
                assert_eq!(kind, Function::Ordinary, "'{name}' must stay static in {}", program.name);
            }
        }
        for mode in Mode::ALL {
            if (mode.is_baseline() || mode.is_tiered()) && program.baseline.is_some() {
                continue;
            }
            let tiers = self.tiers && !self.level.is_unoptimised() && program.tiers.is_none();
            if mode.is_tiered() && !tiers {
                continue;
            }
            // With thresholds of 1, LLVM compiles each function and loop by itself: that takes long.
            let times = if mode.is_tiered() { program.repeat.min(2) } else { program.repeat };
            for _ in 0..times {
                self.run(mode, expected, &format!("{what}, {mode:?}"));
            }
        }
    }

    fn run(&self, mode: Mode, expected: &Outcome, what: &str) {
        let Self { program, executable, .. } = *self;
        let directory = executable.parent().expect("a file has a directory");
        let mut command = mode.command_at(self.level, self.refusals, executable, directory);
        // Programs may fork, and each process writes statistics.
        command.env("AUTOJIT_STATS", directory.join("stats.%p"));
        let outcome = run_program(program, command, executable);
        expected.assert_same(&outcome, what);
        if !matches!(program.exit, Exit::Status(_)) {
            return;
        }
        let stats = Stats::read(&directory.join(format!("stats.{}", outcome.pid)));
        match mode {
            Mode::Cold => stats.assert_by_llvm(),
            Mode::Warm | Mode::WarmBaseline => stats.assert_warm(),
            Mode::Daemon => stats.assert_from_daemon(),
            Mode::Baseline => stats.assert_baseline(self.refusals),
            Mode::Tiers => stats.assert_tiers(),
            Mode::WarmTiers => stats.assert_warm_tiers(),
        }
        assert_eq!(stats.number("pid"), f64::from(outcome.pid));
        if self.whole && mode == Mode::Cold {
            stats.assert_conditions(&program.stats);
        }
    }
}

fn run_program(program: &Program, mut command: Command, executable: &Path) -> Outcome {
    let directory = executable.parent().expect("a file has a directory");
    // Plain and lazy program must see the same name.
    command.arg0("./program").args(&program.args).envs(program.env.iter().cloned());
    run(&mut command, directory, program.stdin.as_bytes())
}
