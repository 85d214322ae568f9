//! Edits with kept preambles: the compile of a source that is edited again and again beside the plain one; that behind an edited
//! header, and a clean build, beside those without preambles.
//!
//! The programs of benchmark/programs are always there; sources of others are measured if `scripts/projects --fetch` has them.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use autojit_tests::kept;
use autojit_tests::run::command;
use autojit_tests::scratch::repository;

use crate::arguments::{Edits, Run};
use crate::child::Usage;
use crate::machine::{Machine, today};
use crate::programs::Level;
use crate::series::{Pair, by_turns};
use crate::setup::Setup;

/// So long a preamble may be in the making, at the lowest priority.
const MAKING: Duration = Duration::from_secs(300);
/// Targets: a compile behind an edited header, and a clean build, as multiples of those without preambles.
const HEADER: f64 = 1.03;
const CLEAN: f64 = 1.02;

/// A source that is edited.
struct Edited {
    name: &'static str,
    /// The project that it is of; ours if there is none.
    project: Option<&'static str>,
    file: &'static str,
    flags: &'static [&'static str],
    /// The greatest good ratios at each level.
    targets: [f64; 2],
    /// Which sources of its directory make a clean build, as an extended regular expression of those that do not.
    all_but: Option<&'static str>,
}

const GTEST: [&str; 2] =
    ["-isystem../googletest/googletest/include", "-isystem../googletest/googlemock/include"];

const EDITED: &[Edited] = &[
    Edited {
        name: "hello-c++",
        project: None,
        file: "hello.cpp",
        flags: &[],
        targets: [0.30, 0.45],
        all_but: None,
    },
    Edited {
        name: "json",
        project: None,
        file: "json.cpp",
        flags: &[],
        targets: [0.60, 0.45],
        all_but: None,
    },
    Edited {
        name: "leveldb",
        project: Some("leveldb"),
        file: "table/filter_block_test.cc",
        flags: &["-std=c++14", "-DLEVELDB_PLATFORM_POSIX=1", "-I.", "-Iinclude", GTEST[0], GTEST[1]],
        targets: [0.50, 0.45],
        all_but: None,
    },
    Edited {
        name: "ninja",
        project: Some("ninja"),
        file: "src/graph.cc",
        flags: &["-std=gnu++11", "-Wno-deprecated", "-fno-rtti", "-fno-exceptions"],
        targets: [0.50, 0.45],
        all_but: Some("win32|test|browse|bench"),
    },
    Edited {
        name: "fmt",
        project: Some("fmt"),
        file: "test/args-test.cc",
        flags: &["-Iinclude", "-Itest", GTEST[0], GTEST[1]],
        targets: [0.50, 0.45],
        all_but: None,
    },
];

/// Which compiler, and with which preambles.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Plain,
    /// AUTOJIT_PREAMBLE=off
    Off,
    /// AUTOJIT_PREAMBLE=on
    On,
}

/// A line of the table.
struct Line {
    cells: Vec<String>,
    missed: bool,
}

/// Measures what the options name, and prints the page; whether a target is missed.
///
/// # Errors
/// Something does not compile, or no preamble is used where one should be.
pub fn run(options: &Edits) -> Result<bool> {
    let wanted: Vec<_> = EDITED.iter().filter(|edited| options.wants(edited.name)).collect();
    ensure!(!wanted.is_empty(), "no source has such a name; they are {}", names());
    let setup = Setup::new(&Run { quick: options.quick, dist: options.dist.clone(), ..Run::default() })?;
    let (mut page, mut missed) = (head()?, false);
    let sources = options.sources.clone().unwrap_or_else(|| repository().join("target/projects/sources"));
    for edited in wanted {
        for level in Level::ALL {
            eprintln!("{}-{} ...", edited.name, level.name());
            let lines = match Work::new(&setup, edited, level, &sources) {
                Ok(work) => work.measure().with_context(|| format!("{}-{}", edited.name, level.name()))?,
                Err(missing) => vec![Line {
                    cells: vec![edited.name.into(), level.name().into(), format!("not measured: {missing}")],
                    missed: false,
                }],
            };
            for line in lines {
                missed |= line.missed;
                writeln!(page, "| {} |", line.cells.join(" | "))?;
            }
        }
    }
    print!("{page}");
    if let Some(out) = &options.out {
        fs::write(out, &page).with_context(|| format!("cannot write {}", out.display()))?;
    }
    Ok(missed)
}

fn names() -> String {
    EDITED.iter().map(|edited| edited.name).collect::<Vec<_>>().join(", ")
}

fn head() -> Result<String> {
    let machine = Machine::this()?;
    Ok(format!(
        "# Compiles of edited sources

How many times the figure of another compile it takes, as processor time (wall clock in parentheses), in the middle of several by
turns: `body`, a source of which something behind its directives was edited and which has a kept preamble, beside clang alone;
`header`, one of which a header was edited, and `clean`, a build from nothing by two jobs, beside AUTOJIT_PREAMBLE=off. All with
-g. Targets are in brackets; {HEADER} for `header` and {CLEAN} for `clean`. `scripts/bench edits` makes this page; `scripts/projects
--fetch leveldb googletest ninja fmt` fetches the sources of others (Debian 12's).

{}, {}, {} cores, load {} at the start, {}

| source | level | what | other (s) | ratio |
| --- | --- | --- | --- | --- |
",
        today()?,
        machine.cpu,
        machine.cores,
        machine.load,
        machine.clang
    ))
}

/// A copy of a source and its directory, with a cache of its own.
struct Work<'a> {
    setup: &'a Setup,
    edited: &'a Edited,
    level: Level,
    directory: PathBuf,
    source: PathBuf,
    edits: Cell<usize>,
}

impl<'a> Work<'a> {
    fn new(setup: &'a Setup, edited: &'a Edited, level: Level, sources: &Path) -> Result<Self> {
        let from = match edited.project {
            Some(project) => sources.join(project),
            None => repository().join("benchmark/programs"),
        };
        ensure!(from.join(edited.file).is_file(), "{} is missing", from.join(edited.file).display());
        let at = setup.directory(&format!("edits-{}-{}", edited.name, level.name()))?;
        let directory = at.join("source");
        copy(&from, &directory)?;
        let googletest = sources.join("googletest");
        if edited.flags.contains(&GTEST[0]) {
            ensure!(googletest.is_dir(), "{} is missing", googletest.display());
            std::os::unix::fs::symlink(googletest.canonicalize()?, at.join("googletest"))?;
        }
        let source = directory.join(edited.file);
        let text = fs::read_to_string(&source)?;
        fs::write(source.with_file_name("autojit_edited.h"), "")?;
        fs::write(&source, format!("#include \"autojit_edited.h\"\n{text}"))?;
        Ok(Self { setup, edited, level, directory, source, edits: Cell::new(0) })
    }

    /// The lines of the table.
    fn measure(&self) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        if let Some(all_but) = self.edited.all_but {
            let clean = |how| move || self.clean(how, all_but);
            let pair = by_turns(self.setup.few_turns(), clean(How::Off), clean(How::On))?;
            lines.push(self.line("clean", &pair, CLEAN));
        }
        for _ in 0..2 {
            self.edit(&self.source)?;
            self.compile(How::On)?;
        }
        self.await_preamble()?;
        let turns = self.setup.least_turns();
        let used = self.events('u');
        let after = |file: &Path, how| {
            let file = file.to_owned();
            move || {
                self.edit(&file)?;
                self.compile(how)
            }
        };
        let pair = by_turns(turns, after(&self.source, How::Plain), after(&self.source, How::On))?;
        ensure!(self.events('u') == used + pair.lazy.len(), "not every compile used the preamble");
        let target = self.edited.targets[usize::from(self.level == Level::O2)];
        lines.push(self.line("body", &pair, target));
        let header = self.source.with_file_name("autojit_edited.h");
        let pair = by_turns(turns, after(&header, How::Off), after(&header, How::On))?;
        lines.push(self.line("header", &pair, HEADER));
        Ok(lines)
    }

    fn line(&self, what: &str, pair: &Pair<Vec<Usage>>, target: f64) -> Line {
        let cpu = pair.summaries(|usage| usage.cpu.as_secs_f64());
        let wall = pair.summaries(|usage| usage.wall.as_secs_f64());
        let (ratio, walls) = (cpu.lazy.median / cpu.plain.median, wall.lazy.median / wall.plain.median);
        let missed = ratio > target;
        let mark = if missed { "missed" } else { "met" };
        let other = format!("{:.3} ({:.3})", cpu.plain.median, wall.plain.median);
        let ratio = format!("{ratio:.3} ({walls:.3}) [{target:.2}, {mark}]");
        let cells = [self.edited.name, self.level.name(), what].map(str::to_owned).into_iter();
        Line { cells: cells.chain([other, ratio]).collect(), missed }
    }

    /// Adds something to a file that no compile had before.
    fn edit(&self, file: &Path) -> Result<()> {
        let number = self.edits.get();
        self.edits.set(number + 1);
        let text = fs::read_to_string(file)?;
        fs::write(
            file,
            format!("{text}inline int autojit_edited_{number}(int n) {{ return n + {number}; }}\n"),
        )?;
        Ok(())
    }

    fn command(&self, program: &str, how: How) -> Command {
        let mut command = command(program);
        command.current_dir(&self.directory).env_remove("AUTOJIT_DISABLE_OBJECT_CACHE");
        command.env("AUTOJIT_CACHE_DIR", self.cache());
        command.env("AUTOJIT_PREAMBLE", if how == How::Off { "off" } else { "on" });
        command
    }

    fn compiler(&self, how: How) -> String {
        let wrapper = self.setup.program("autojit-c++");
        if how == How::Plain {
            concat!("clang++-", env!("LLVM_RELEASE")).to_owned()
        } else {
            wrapper.display().to_string()
        }
    }

    fn flags(&self) -> Vec<String> {
        let flags = [format!("-{}", self.level.name()), "-g".to_owned()].into_iter();
        flags.chain(self.edited.flags.iter().map(|flag| (*flag).to_owned())).collect()
    }

    fn compile(&self, how: How) -> Result<Usage> {
        let mut command = self.command(&self.compiler(how), how);
        self.setup.run(command.args(self.flags()).args(["-c", self.edited.file, "-o", "../edited.o"]))
    }

    /// A build from nothing, with an empty cache.
    fn clean(&self, how: How, all_but: &str) -> Result<Usage> {
        let _ = fs::remove_dir_all(self.cache());
        let folder = Path::new(self.edited.file).parent().unwrap_or(Path::new("."));
        let script = format!(
            "ls {}/*.cc | grep -vE '{all_but}' | xargs -P 2 -I FILE \"$@\" -c FILE -o /dev/null",
            folder.display()
        );
        let mut command = self.command("sh", how);
        command.args(["-c", &script, "sh"]).arg(self.compiler(how)).args(self.flags());
        self.setup.run(&mut command)
    }

    fn cache(&self) -> PathBuf {
        self.directory.with_file_name("cache")
    }

    /// How many events of a kind there were (tools/src/kept/storage.rs has their letters).
    fn events(&self, event: char) -> usize {
        kept::count(&self.cache().join("preamble"), event)
    }

    fn await_preamble(&self) -> Result<()> {
        let start = Instant::now();
        while self.events('m') == 0 {
            if self.events('f') + self.events('l') > 0 || start.elapsed() > MAKING {
                bail!("no preamble was made of {}", self.edited.file);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
