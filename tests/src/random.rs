//! Random programs: each is built plainly and lazily from the same flags, run, and compared.
//!
//! A seed makes a [`Case`]: csmith's programs ([`csmith`]) vary what happens within functions, our own ([`calls`])
//! what happens between them, across files and a shared library, and [`loops`] what loops there can be. [`check`] tells
//! whether both builds do the same. The test suite runs a few seeds; `scripts/random` runs as many as asked for, by way
//! of [`hunt`].

pub mod calls;
mod choice;
pub mod csmith;
pub mod hunt;
pub mod loops;
mod tiers;
mod values;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::compile::{clang, plugin};
use crate::llvm::OPT;
use crate::program::Mode;
use crate::run::{self, Outcome, attempt, command, run_within};
use crate::stats::Stats;
use choice::Choice;

/// How long a plain program may run before it is left out: csmith's programs need not end.
const PLAIN_LIMIT: Duration = Duration::from_secs(2);
/// How long the lazy one may run then.
const LAZY_LIMIT: Duration = Duration::from_secs(90);

/// The generator of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generator {
    /// csmith.
    Csmith,
    /// csmith, for programs whose code is replaced while it runs.
    CsmithTiers,
    /// Our own, of calls.
    Calls,
    /// Our own, of loops, which are continued in other code.
    Loops,
}

impl Generator {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Csmith, Self::CsmithTiers, Self::Calls, Self::Loops];

    /// The program of a seed, or why there is none. `directory` is for the generator's own files.
    pub fn generate(self, seed: u64, directory: &Path) -> Result<Case, String> {
        match self {
            Self::Csmith | Self::CsmithTiers => csmith::generate(seed, directory),
            Self::Calls => Ok(calls::generate(seed)),
            Self::Loops => Ok(loops::generate(seed)),
        }
    }

    /// The builds of a seed's program.
    fn builds(self, case: &Case, seed: u64) -> Vec<Case> {
        match self {
            Self::Csmith | Self::Calls => builds(case, seed),
            Self::CsmithTiers => tiers::builds(case, seed, 1),
            Self::Loops => tiers::builds(case, seed, 1),
        }
    }

    /// Its name in reports and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csmith => "csmith",
            Self::CsmithTiers => "csmith-tiers",
            Self::Calls => "calls",
            Self::Loops => "loops",
        }
    }
}

/// What a source file becomes part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A header, which others include.
    Header,
    /// The program.
    Program,
    /// The shared library that the program is linked with.
    Library,
}

/// A source file.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its name.
    pub file: String,
    /// Its content.
    pub text: String,
    /// What it becomes part of.
    pub part: Part,
}

/// A program, and how it is built and run.
#[derive(Debug, Clone)]
pub struct Case {
    /// Generator and seed.
    pub name: String,
    /// Its files.
    pub units: Vec<Unit>,
    /// Compiler flags.
    pub flags: Vec<String>,
    /// Flags for linking.
    pub link: Vec<String>,
    /// Which of its files are lazy in the lazy build.
    pub lazy: Vec<bool>,
    /// What `opt` does with each module in front of either build, if anything.
    pub passes: Option<&'static str>,
    /// How the lazy program is run.
    pub runs: Vec<Run>,
}

/// One run of a lazy program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it finds.
    pub mode: Mode,
    /// What else is in its environment.
    pub env: Vec<(&'static str, String)>,
}

impl Run {
    /// One in each mode.
    pub fn in_all_modes() -> Vec<Self> {
        Mode::ALL.map(|mode| Self { mode, env: Vec::new() }).to_vec()
    }
}

/// What the runs of the lazy programs of a case have told.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Functions that were compiled when they were called.
    pub compiled: f64,
    /// Loops that were continued in other code, as often as that was.
    pub replaced: f64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.compiled += other.compiled;
        self.replaced += other.replaced;
    }
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Both builds do the same.
    Same(Counts),
    /// It cannot be compared: no plain program, or one that does not end.
    Skipped(String),
    /// The lazy build fails, or does something else.
    Different(String),
}

/// Flags of which some seeds get some, beside what the generator asks for.
const FLAGS: [&str; 17] = [
    "-g",
    "-fno-strict-aliasing",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-plt",
    "-fno-semantic-interposition",
    "-fsemantic-interposition",
    "-fcf-protection=full",
    "-fstack-protector-all",
    "-fstack-clash-protection",
    "-fno-omit-frame-pointer",
    "-fno-asynchronous-unwind-tables",
    "-ftrivial-auto-var-init=pattern",
    "-fwrapv",
    "-mno-red-zone",
    "-fno-builtin",
    "-march=native",
];

/// The builds of a case: at -O0, at -O2, and at one more level with flags of the seed's choice.
pub fn builds(case: &Case, seed: u64) -> Vec<Case> {
    let mut choice = Choice::new(!seed);
    let linkers = ["lld", "bfd", "mold"];
    let mut build = |level: &str, all: &[&str]| {
        let mut build = case.clone();
        build.flags.push(level.to_owned());
        build.flags.extend(all.iter().map(|flag| (*flag).to_owned()));
        build.link.push(format!("-fuse-ld={}", choice.of(&linkers)));
        let addressing = choice.below(4);
        match addressing {
            0 => build.flags.push("-fPIC".to_owned()),
            // The library of the program must stay position-independent.
            1 if !case.units.iter().any(|unit| unit.part == Part::Library) => {
                build.flags.push("-fno-pie".to_owned());
                build.link.push("-no-pie".to_owned());
            }
            _ => {}
        }
        build
    };
    let mut builds = vec![build("-O0", &[]), build("-O2", &[])];
    let mut choice = Choice::new(seed.rotate_left(32));
    let flags: Vec<&str> = choice.some(&FLAGS, 20).into_iter().copied().collect();
    let level = *choice.of(&["-O0", "-O1", "-O3", "-Os", "-Oz"]);
    builds.push(build(level, &flags));
    builds
}

/// Checks every build of a seed's program below `directory`. Returns the builds that differ with how.
pub fn check_seed(generator: Generator, seed: u64, directory: &Path) -> (Verdict, Option<Case>) {
    let case = match generator.generate(seed, directory) {
        Ok(case) => case,
        Err(why) => return (Verdict::Skipped(why), None),
    };
    let mut counts = Counts::default();
    for (number, build) in generator.builds(&case, seed).into_iter().enumerate() {
        let directory = directory.join(number.to_string());
        match check(&build, &directory) {
            Verdict::Same(more) => counts += more,
            other => return (other, Some(build)),
        }
    }
    (Verdict::Same(counts), Some(case))
}

/// Builds and runs a case both ways in `directory`, which is made anew.
pub fn check(case: &Case, directory: &Path) -> Verdict {
    match compare(case, directory) {
        Ok(counts) => Verdict::Same(counts),
        Err(verdict) => verdict,
    }
}

fn compare(case: &Case, directory: &Path) -> Result<Counts, Verdict> {
    let _ = fs::remove_dir_all(directory);
    for subdirectory in ["plain", "lazy"] {
        fs::create_dir_all(directory.join(subdirectory)).expect("the directory is writable");
    }
    for unit in &case.units {
        fs::write(directory.join(&unit.file), &unit.text).expect("the directory is writable");
    }
    let plain = build(case, directory, "plain").map_err(Verdict::Skipped)?;
    let run_plain = || run_within(&mut command(&plain), &directory.join("plain"), b"", PLAIN_LIMIT);
    let expected =
        run_plain().ok_or_else(|| Verdict::Skipped("the plain program does not end".to_owned()))?;
    if run_plain().is_none_or(|again| !same(&expected, &again)) {
        return Err(Verdict::Skipped("the plain program does not do the same each time".to_owned()));
    }
    if expected.status.code().is_none() || !expected.stderr.is_empty() {
        return Err(Verdict::Skipped(format!(
            "error: the plain program does not work: {}",
            expected.errors()
        )));
    }
    let lazy = build(case, directory, "lazy").map_err(Verdict::Different)?;
    let mut counts = Counts::default();
    for run in &case.runs {
        let mut command = run.mode.command(&lazy, &directory.join("lazy"));
        command.envs(run.env.iter().map(|(name, value)| (name, value)));
        let stats = directory.join("lazy/stats");
        let _ = fs::remove_file(&stats);
        let outcome = run_within(&mut command, &directory.join("lazy"), b"", LAZY_LIMIT)
            .ok_or_else(|| Verdict::Different(format!("the lazy program does not end ({run:?})")))?;
        if !same(&expected, &outcome) {
            let text = format!("they differ ({run:?}):\n--- plain: {expected}\n--- lazy: {outcome}");
            return Err(Verdict::Different(text));
        }
        if !stats.exists() {
            return Err(Verdict::Different("the lazy program is not lazy".to_owned()));
        }
        let stats = Stats::read(&stats);
        counts += Counts { compiled: stats.compiled(), replaced: stats.number("replaced_on_stack") };
    }
    Ok(counts)
}

fn same(one: &Outcome, other: &Outcome) -> bool {
    one.status == other.status && one.stdout == other.stdout && one.stderr == other.stderr
}

/// Builds one of the two programs into its subdirectory. The error is a failed command with its messages.
fn build(case: &Case, directory: &Path, how: &str) -> Result<PathBuf, String> {
    let output = directory.join(how);
    for mut command in commands(case, how) {
        let outcome = attempt(command.current_dir(directory));
        if !outcome.status.success() {
            return Err(format!("{command:?} failed: {outcome}"));
        }
    }
    Ok(output.join("program"))
}

/// The commands that build one of the two programs, `plain` or `lazy`, to be run beside the sources.
pub fn commands(case: &Case, how: &str) -> Vec<Command> {
    let cxx = case.units.iter().any(|unit| unit.file.ends_with(".cpp"));
    let mut commands = Vec::new();
    let (mut program, mut library) = (Vec::new(), Vec::new());
    for (unit, lazy) in case.units.iter().zip(&case.lazy) {
        if unit.part == Part::Header {
            continue;
        }
        let object = format!("{how}/{}.o", unit.file);
        let mut flags = case.flags.clone();
        if unit.part == Part::Library {
            flags.push("-fPIC".to_owned());
        }
        let mut source = unit.file.clone();
        if let Some(passes) = case.passes {
            let [module, prepared] = ["bc", "prepared.bc"].map(|end| format!("{how}/{}.{end}", unit.file));
            let mut emit = clang(cxx);
            emit.args(&flags).args(["-Xclang", "-disable-llvm-passes", "-emit-llvm"]);
            emit.args(["-c", &source, "-o", &module]);
            let mut opt = run::command(OPT);
            opt.args([&format!("-passes={passes}"), &module, "-o", &prepared]);
            commands.extend([emit, opt]);
            source = prepared;
        }
        let mut command = clang(cxx);
        if how == "lazy" && *lazy {
            command.arg(format!("-fpass-plugin={}", plugin().display()));
        }
        command.args(&flags).args(["-c", &source, "-o", &object]);
        commands.push(command);
        if unit.part == Part::Library { library.push(object) } else { program.push(object) }
    }
    if !library.is_empty() {
        let mut command = clang(cxx);
        let linker = case.link.iter().filter(|flag| flag.starts_with("-fuse-ld="));
        command
            .args(["-shared", "-Wl,-soname,librandom.so", "-o", &format!("{how}/librandom.so")])
            .args(library)
            .args(linker);
        commands.push(command);
        program.push(format!("{how}/librandom.so"));
    }
    let mut command = clang(cxx);
    command.args(program).args(&case.link).args(["-Wl,-rpath,$ORIGIN", "-o", &format!("{how}/program")]);
    commands.push(command);
    commands
}
