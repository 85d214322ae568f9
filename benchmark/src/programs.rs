//! The programs: one description each, of what is built, how it is run, and what is good enough.

use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use autojit_tests::packages::{manifest, ours as shared, package};
use autojit_tests::scratch;
use serde::{Deserialize, Serialize};

use crate::columns::Column;

/// The optimisation that a build asks for; always with debug information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// For debugging.
    O0,
    /// For use.
    O2,
}

impl Level {
    /// Both.
    pub const ALL: [Self; 2] = [Self::O0, Self::O2];

    /// As in names.
    pub fn name(self) -> &'static str {
        match self {
            Self::O0 => "O0",
            Self::O2 => "O2",
        }
    }
}

/// Where a program comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Files for clang.
    Clang(Files),
    /// A file for rustc.
    Rustc(PathBuf),
    /// A package for cargo.
    Cargo(Package),
}

/// A package for cargo.
#[derive(Debug, Clone)]
pub struct Package {
    /// The directory of its manifest.
    pub directory: PathBuf,
    /// The name of its executable.
    pub program: &'static str,
    /// The source file of that.
    pub main: PathBuf,
}

/// Source files in C or C++.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The files. The first is the one that is edited.
    pub sources: Vec<PathBuf>,
    /// Compiler flags beside the level.
    pub flags: Vec<String>,
    /// Flags for linking.
    pub link: Vec<&'static str>,
}

/// The greatest value of a column at a level that is good enough.
pub type Goal = (Level, Column, f64);

/// A row of the table, or one for each level.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// What it is and does when it is run, for readers.
    pub title: &'static str,
    /// What it is made of.
    pub source: Source,
    /// What it is run with.
    pub arguments: Vec<String>,
    /// The program that does longer work again and again in a process, and times each pass (passes.h).
    pub steady: Option<(&'static str, Source)>,
    /// How often that does its work in about five seconds, optimised.
    pub passes: u32,
    /// The levels that it is built at.
    pub levels: &'static [Level],
    /// The columns that it has beside those that every program has, or all it has if `only`: those of tiers at -O2, all
    /// others at -O0.
    pub columns: &'static [Column],
    /// Whether other columns are left out.
    pub only: bool,
    /// Its targets.
    pub targets: &'static [Goal],
}

impl Program {
    fn new(name: &'static str, title: &'static str, source: Source) -> Self {
        let (levels, columns) = (&Level::ALL, &[]);
        Self {
            name,
            title,
            source,
            arguments: Vec::new(),
            steady: None,
            passes: 1,
            levels,
            columns,
            only: false,
            targets: &[],
        }
    }

    /// Whether it has a column at a level.
    pub fn has(&self, level: Level, column: Column) -> bool {
        let usual = match column {
            Column::Daemon | Column::DaemonRss | Column::Ahead | Column::Jobs => false,
            Column::Idle | Column::Keep | Column::OptLater => false,
            Column::TiersFirst | Column::TiersTotal | Column::TiersLater => false,
            Column::TiersEdited | Column::TiersCounting => false,
            // First runs of optimised programs take long, and no more memory. LLVM compiles them anyway.
            Column::FirstRss | Column::FirstLlvm => !self.only && level == Level::O0,
            Column::Steady => self.steady.is_some(),
            // At -O0 it is the steady column.
            Column::SteadyBaseline => self.steady.is_some() && level == Level::O2,
            _ => !self.only,
        };
        let other = if column.is_tiered() { Level::O2 } else { Level::O0 };
        usual || (level == other && self.columns.contains(&column))
    }

    /// The target of a column, if there is one.
    pub fn target(&self, level: Level, column: Column) -> Option<f64> {
        let found = self.targets.iter().find(|target| (target.0, target.1) == (level, column));
        found.map(|target| target.2)
    }
}

/// All of them.
///
/// # Errors
/// Sources of a package cannot be listed.
pub fn all() -> Result<Vec<Program>> {
    use Column as C;
    use Level::{O0, O2};
    let clang = |files: &[&str], flags: &[&str]| {
        let sources = files.iter().map(|file| ours(file)).collect();
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Source::Clang(Files { sources, flags, link: Vec::new() })
    };
    let kernel = |name, title, kind: &str, size: &str| Program {
        arguments: [kind, size].map(str::to_owned).to_vec(),
        levels: &[O2],
        columns: &[C::TiersFirst, C::TiersTotal, C::TiersLater],
        only: true,
        targets: &[(O2, C::TiersFirst, 1.25), (O2, C::TiersTotal, 2.0), (O2, C::TiersLater, 1.03)],
        ..Program::new(name, title, clang(&["kernels.c"], &[]))
    };
    Ok(vec![
        Program {
            columns: &[C::Idle, C::Keep, C::Daemon, C::DaemonRss],
            targets: &[
                (O0, C::First, 0.9),
                (O0, C::FirstRss, 1536.0),
                (O0, C::Later, 0.7),
                (O0, C::LaterRss, 1536.0),
                (O0, C::Idle, 0.3),
                (O0, C::Daemon, 3.0),
                (O0, C::DaemonRss, 1536.0),
                (O0, C::Keep, 1.05),
            ],
            ..Program::new("hello-c", "one printf", clang(&["hello.c"], &[]))
        },
        Program::new("hello-c++", "a stream and a sorted vector of strings", clang(&["hello.cpp"], &[])),
        Program::new("hello-rust", "the same in Rust", Source::Rustc(ours("hello.rs"))),
        Program {
            arguments: vec!["--help".into()],
            steady: Some(("compress_work", libbz2(|_| ours("compress_work.c")))),
            passes: 3,
            columns: &[
                C::Keep,
                C::Daemon,
                C::DaemonRss,
                C::OptLater,
                C::TiersFirst,
                C::TiersTotal,
                C::TiersLater,
                C::TiersEdited,
                C::TiersCounting,
            ],
            targets: &[
                (O0, C::Edit, 1.0),
                (O2, C::Edit, 0.20),
                (O0, C::OptLater, 0.5),
                (O2, C::TiersFirst, 1.25),
                (O2, C::TiersTotal, 2.0),
                (O2, C::TiersLater, 1.03),
                (O2, C::TiersEdited, 1.05),
                (O2, C::TiersCounting, 1.03),
                (O0, C::Daemon, 10.0),
                (O0, C::First, 1.5),
                (O0, C::Later, 1.0),
                (O0, C::Steady, 1.0),
                (O2, C::SteadyBaseline, 1.0),
                (O0, C::Keep, 1.05),
            ],
            ..Program::new("bzip2", "bzip2 --help; steady: 20 MB compressed", libbz2(|d| d.join("bzip2.c")))
        },
        Program {
            arguments: vec![shared("lua/script.lua").display().to_string()],
            steady: Some(("lua_work", lua(ours("lua_work.c"))?)),
            passes: 4,
            columns: &[C::TiersFirst, C::TiersTotal, C::TiersLater, C::TiersEdited, C::TiersCounting],
            targets: &[
                (O0, C::Edit, 0.95),
                (O2, C::Edit, 0.35),
                (O0, C::Steady, 1.0),
                (O2, C::SteadyBaseline, 1.0),
                (O2, C::TiersFirst, 1.25),
                (O2, C::TiersTotal, 2.0),
                (O2, C::TiersLater, 1.03),
                (O2, C::TiersEdited, 1.05),
                (O2, C::TiersCounting, 1.03),
            ],
            ..Program::new(
                "lua",
                "a script; steady: another one, two seconds and more",
                lua(shared("lua/main.c"))?,
            )
        },
        Program {
            steady: Some(("sqlite_work", sqlite("sqlite_work.c"))),
            passes: 2,
            targets: &[
                (O0, C::Compile, 0.80),
                (O2, C::Compile, 0.15),
                (O0, C::ObjectsStore, 0.08),
                (O0, C::Program, 1.6),
                (O0, C::Ahead, 3.0),
                // Two do at least 1.7 times as much as one.
                (O0, C::Jobs, 0.588),
                (O0, C::Edit, 0.80),
                (O2, C::Edit, 0.10),
                (O2, C::TiersFirst, 1.25),
                (O2, C::TiersTotal, 2.0),
                (O2, C::TiersLater, 1.03),
                (O2, C::TiersEdited, 1.05),
                (O2, C::TiersCounting, 1.03),
                (O0, C::First, 40.0),
                (O0, C::Steady, 1.0),
                (O2, C::SteadyBaseline, 1.0),
                (O0, C::Keep, 1.05),
            ],
            columns: &[
                C::Keep,
                C::Daemon,
                C::Ahead,
                C::Jobs,
                C::TiersFirst,
                C::TiersTotal,
                C::TiersLater,
                C::TiersEdited,
                C::TiersCounting,
            ],
            ..Program::new(
                "sqlite",
                "a table and a query; steady: 200,000 rows, three times",
                sqlite("sqlite_query.c"),
            )
        },
        Program {
            levels: &[O0],
            columns: &[
                C::First,
                C::FirstLlvm,
                C::FirstRss,
                C::Later,
                C::LaterRss,
                C::LaterOwn,
                C::LaterShared,
                C::Edit,
            ],
            only: true,
            targets: &[
                (O0, C::First, 4.0),
                (O0, C::FirstRss, 3072.0),
                (O0, C::Later, 1.5),
                (O0, C::LaterRss, 3072.0),
            ],
            ..Program::new("sqlite-version", "SQLite's version", sqlite("sqlite_version.c"))
        },
        Program {
            levels: &[O0],
            columns: &[C::Later],
            only: true,
            targets: &[(O0, C::Later, 1.5)],
            ..Program::new("modules-3", "3 modules of 1,011 are entered", modules()?)
        },
        Program {
            arguments: vec!["all".into()],
            levels: &[O0],
            columns: &[C::Later],
            only: true,
            ..Program::new("modules-all", "the same program, and all are entered", modules()?)
        },
        Program {
            arguments: ["some", "of them"].map(str::to_owned).to_vec(),
            levels: &[O0],
            columns: &[C::Later, C::LaterRss],
            only: true,
            targets: &[(O0, C::Later, 0.8)],
            ..Program::new("modules-66", "the same program, and 66 are entered, as by git config", modules()?)
        },
        Program {
            targets: &[
                (O0, C::Compile, 0.90),
                (O0, C::ObjectsStore, 0.05),
                (O0, C::Program, 1.0),
                (O0, C::First, 60.0),
                (O0, C::Later, 1.5),
                (O0, C::Keep, 1.05),
                (O0, C::Edit, 0.93),
                (O2, C::Edit, 0.55),
                (O0, C::Steady, 1.0),
                (O2, C::SteadyBaseline, 1.0),
                (O2, C::TiersFirst, 1.25),
                (O2, C::TiersTotal, 2.0),
                (O2, C::TiersLater, 1.03),
            ],
            steady: Some(("json_work", clang(&["json_work.cpp"], &["-std=c++17"]))),
            passes: 3,
            columns: &[C::Keep, C::TiersFirst, C::TiersTotal, C::TiersLater],
            ..Program::new(
                "json",
                "a user of nlohmann-json; steady: large documents written and read",
                clang(&["json.cpp"], &["-std=c++17"]),
            )
        },
        Program {
            arguments: ["the quick brown fox and the lazy dog", "--order", "count"]
                .map(str::to_owned)
                .to_vec(),
            steady: Some(("words_work", packages(Some(ours("words_work.rs"))))),
            passes: 3,
            columns: &[C::TiersFirst, C::TiersTotal, C::TiersLater],
            targets: &[
                (O0, C::First, 250.0),
                (O0, C::Steady, 1.0),
                (O2, C::SteadyBaseline, 1.0),
                (O2, C::Edit, 0.60),
                (O2, C::TiersFirst, 1.25),
                (O2, C::TiersTotal, 2.0),
                (O2, C::TiersLater, 1.03),
            ],
            ..Program::new(
                "words",
                "a command line in Rust: clap, regex, serde_json; steady: words of a long text",
                packages(None),
            )
        },
        kernel("kernel-sums", "one hot loop in main: sums of quotients", "0", "3300000"),
        kernel("kernel-mandelbrot", "the same: Mandelbrot's set", "1", "8200"),
        kernel("kernel-sieve", "the same: a sieve, ten times", "2", "35000000"),
        kernel("kernel-matrices", "the same: a product of matrices", "3", "1800"),
        kernel("kernel-collatz", "the same: Collatz's sequences", "4", "30000000"),
    ])
}

/// A package whose executable depends on others; with its own source file, or one of ours.
fn packages(main: Option<PathBuf>) -> Source {
    // Has cargo fetch what the program depends on.
    package("clap");
    let directory = manifest().parent().unwrap_or(Path::new("")).to_owned();
    let main = main.unwrap_or_else(|| directory.join("src/main.rs"));
    Source::Cargo(Package { directory, program: "lazy-program", main })
}

/// A source file of ours.
fn ours(file: &str) -> PathBuf {
    scratch::repository().join("benchmark/programs").join(file)
}

/// A program of 1,011 modules. It enters three of them; all if it has an argument, through ten that call a hundred each, so
/// that what it does not do is not in what it enters; 66 if it has two. Its sources are written beside the executable.
fn modules() -> Result<Source> {
    let executable = std::env::current_exe()?;
    let directory = executable.with_file_name("autojit-benchmark-modules");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let declare = |name: &str, range: Range<u32>| -> String {
        range.map(|number| format!("int {name}{number}(int);\n")).collect()
    };
    let sum = |name: &str, range: Range<u32>| -> String {
        range.map(|number| format!(" + {name}{number}(n)")).collect()
    };
    let mut texts = vec![(
        "modules.c".to_owned(),
        format!(
            "#include <stdio.h>\nint f1(int), f999(int);\n{}{}int main(int n, char **arguments) {{\n\
             (void)arguments;\nint sum = n > 2 ? 0{} : n > 1 ? 0{} : f1(n) + f999(n);\n\
             printf(\"%d\\n\", sum);\nreturn 0;\n}}\n",
            declare("group", 0..10),
            declare("f", 400..465),
            sum("f", 400..465),
            sum("group", 0..10)
        ),
    )];
    for group in 0..10 {
        let members = group * 100..group * 100 + 100;
        let calls = sum("f", members.clone());
        let text = format!("{}int group{group}(int n) {{ return 0{calls}; }}\n", declare("f", members));
        texts.push((format!("group{group}.c"), text));
    }
    for number in 0..1000 {
        let text = format!("int f{number}(int n) {{ return n + {number}; }}\n");
        texts.push((format!("module{number}.c"), text));
    }
    let mut sources = Vec::new();
    for (name, text) in texts {
        let path = directory.join(name);
        // Two processes may do this at once: the second finds the same text.
        if !fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        sources.push(path);
    }
    Ok(Source::Clang(Files { sources, ..Files::default() }))
}

/// SQLite with one of our drivers.
fn sqlite(driver: &str) -> Source {
    let directory = package("libsqlite3-sys").join("sqlite3");
    Source::Clang(Files {
        sources: vec![directory.join("sqlite3.c"), ours(driver)],
        flags: vec![format!("-I{}", directory.display())],
        link: vec!["-pthread", "-lm", "-ldl"],
    })
}

/// Lua's library with a program of ours.
fn lua(main: PathBuf) -> Result<Source> {
    let directory = package("lua-src").join("lua-5.4.7");
    // The interpreter's loop is what its programmers edit.
    let first = directory.join("lvm.c");
    let mut others = vec![main];
    for entry in fs::read_dir(&directory).context("Lua's sources")? {
        let path = entry?.path();
        if path != first && is_library_source(&path) {
            others.push(path);
        }
    }
    others.sort();
    let flags =
        vec![format!("-I{}", directory.display()), "-DLUA_USE_POSIX".into(), "-DLUA_COMPAT_5_3".into()];
    Ok(Source::Clang(Files { sources: [vec![first], others].concat(), flags, link: vec!["-lm"] }))
}

/// Whether a file of Lua's belongs to the library: not one of those with a `main` of their own.
fn is_library_source(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default();
    path.extension() == Some(OsStr::new("c"))
        && !["lua", "luac", "onelua", "ltests"].iter().any(|main| stem == *main)
}

/// bzip2's library with `main`, a file of bzip2's or one of ours.
fn libbz2(main: impl FnOnce(&Path) -> PathBuf) -> Source {
    let directory = package("bzip2-sys").join("bzip2-1.0.8");
    let library = ["blocksort", "bzlib", "compress", "crctable", "decompress", "huffman", "randtable"];
    let mut sources = vec![main(&directory)];
    sources.extend(library.map(|file| directory.join(file).with_extension("c")));
    let flags = vec![format!("-I{}", directory.display()), "-D_FILE_OFFSET_BITS=64".into()];
    Source::Clang(Files { sources, flags, link: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_for_columns_and_levels_that_programs_have() {
        for program in all().unwrap() {
            for (level, column, _) in program.targets {
                let name = (program.name, level.name(), column.name());
                assert!(program.levels.contains(level) && program.has(*level, *column), "{name:?}");
                assert!(program.target(*level, *column).is_some(), "{name:?}");
            }
        }
    }

    #[test]
    fn names_are_unique_and_sources_are_there() {
        let programs = all().unwrap();
        let mut names: Vec<_> = programs.iter().map(|program| program.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
        let steady = programs.iter().filter_map(|program| Some(&program.steady.as_ref()?.1));
        for source in programs.iter().map(|program| &program.source).chain(steady) {
            let files = match source {
                Source::Clang(files) => files.sources.clone(),
                Source::Rustc(file) => vec![file.clone()],
                Source::Cargo(package) => vec![package.directory.join("Cargo.lock"), package.main.clone()],
            };
            for file in files {
                assert!(file.is_file(), "{}", file.display());
            }
        }
    }
}
