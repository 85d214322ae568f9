//! The directives of a test program, which say how it is built and run. Also used by the build script.
//!
//! A program is a directory `sources/<behaviour>/` with `<behaviour>.c`, `.cpp` or `.rs`; lines of that file that begin
//! with `//#` are directives. By default it is built from that file, for `-O0 -g` and `-O2`, linked with each linker,
//! run without arguments and input, and must exit with 0.
//!
//! | directive | meaning |
//! | --- | --- |
//! | `sources: FILE…` | further source files; C and C++ can be mixed |
//! | `plain: FILE…` | further source files that stay plain in the lazy program |
//! | `archive: FILE…` | further source files, linked from an archive |
//! | `library: FILE…` | further source files, each made a shared library `lib<stem>.so` that the program is linked with |
//! | `plugin: FILE…` | further source files, each made a shared library that the program opens itself |
//! | `plain-plugin: FILE…` | the same, but plain in the lazy program too |
//! | `mix` | build every combination of plain and lazy objects |
//! | `flags: FLAG…` | compiler flags, clang's or rustc's |
//! | `link: FLAG…` | flags for linking |
//! | `linkers: NAME…` | of bfd, gold, lld and mold, instead of all but gold |
//! | `levels: standard\|every\|nopie\|LEVEL…` | `every`: -O0, -O1, -O2, -O3, -Os, with and without -g, as PIC, PIE and no-PIE; `nopie`: the standard ones at a fixed address; or one by its name, as `o0_g`; several can be named |
//! | `args: ARG…` | the program's arguments |
//! | `stdin: TEXT` | its standard input, one line |
//! | `env: NAME=VALUE…` | its environment, beside what the tests themselves run with |
//! | `prints: TEXT` | a line that must be in the plain program's output; at least one is needed |
//! | `exit: STATUS` | its exit status, or `signal N` |
//! | `lazy: FUNCTION…` | symbols that must be stubs in the lazy program, or not be in it at all |
//! | `static: FUNCTION…` | symbols that must be ordinary functions in the lazy program |
//! | `stats: KEY OP NUMBER` | what AUTOJIT_STATS must tell; OP is one of `==`, `>=`, `<=`, and KEY may be a sum, as `a+b` |
//! | `repeat: N` | run the lazy program N times |
//! | `baseline: REASON` | why it is not run by the baseline compiler: a gap |
//! | `refuses: REASON`, `refuses: LEVEL: REASON` | what the baseline compiler leaves to the engine in it at the standard levels, or at one of them; at these, it refuses something in no other program |
//! | `refuses: with FEATURE: REASON` | the same where the processor has it (as in /proc/cpuinfo): what runs elsewhere has nothing to refuse |
//! | `refuses: clang N: REASON`, `refuses: clang N: LEVEL: REASON` | the same where clang N or an older release compiles it. With another release than the usual one, less may be refused than the other lines say |
//! | `tiers: REASON` | why what it prints may differ when code is replaced while it runs |
//! | `dynamic: REASON` | why it is not run in static mode as well: linked statically, with the runtime inside and autojitd as its compiler. Programs with libraries, plugins or `-rdynamic` never are, nor those in Rust |

use std::path::{Path, PathBuf};

/// A program, from its directives.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// The behaviour it tests: the name of its directory.
    pub name: String,
    /// Where it lies.
    pub directory: PathBuf,
    /// The main source file and `sources`, relative to `directory`.
    pub sources: Vec<String>,
    /// `plain`
    pub plain: Vec<String>,
    /// `archive`
    pub archive: Vec<String>,
    /// `library`
    pub libraries: Vec<String>,
    /// `plugin`
    pub plugins: Vec<String>,
    /// `plain-plugin`
    pub plain_plugins: Vec<String>,
    /// `mix`
    pub mix: bool,
    /// `flags`
    pub flags: Vec<String>,
    /// `link`
    pub link: Vec<String>,
    /// `linkers`
    pub linkers: Vec<String>,
    /// `levels`
    pub levels: Vec<Level>,
    /// `args`
    pub args: Vec<String>,
    /// `stdin`
    pub stdin: String,
    /// `env`
    pub env: Vec<(String, String)>,
    /// `prints`
    pub prints: Vec<String>,
    /// `exit`
    pub exit: Exit,
    /// `lazy`
    pub lazy: Vec<String>,
    /// `static`
    pub ordinary: Vec<String>,
    /// `stats`
    pub stats: Vec<Condition>,
    /// `repeat`
    pub repeat: u32,
    /// `baseline`
    pub baseline: Option<String>,
    /// `refuses`
    pub refuses: Vec<Refusal>,
    /// `tiers`
    pub tiers: Option<String>,
    /// `dynamic`
    pub dynamic: Option<String>,
}

/// What the baseline compiler refuses of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The level; none for both standard ones.
    pub level: Option<Level>,
    /// It is told for the release of clang that compiles the program.
    pub of_release: bool,
    /// Why.
    pub reason: String,
}

/// How a program must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With an exit status.
    Status(i32),
    /// By a signal.
    Signal(i32),
}

impl Default for Exit {
    fn default() -> Self {
        Self::Status(0)
    }
}

/// What a number of the statistics must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The key in the statistics, or several with `+` between them.
    pub key: String,
    /// `==`, `>=` or `<=`.
    pub operator: String,
    /// The right side.
    pub number: f64,
}

impl Condition {
    /// Whether it holds for `value`.
    pub fn holds(&self, value: f64) -> bool {
        match self.operator.as_str() {
            "==" => value == self.number,
            ">=" => value >= self.number,
            "<=" => value <= self.number,
            _ => unreachable!("the parser lets no other operator through"),
        }
    }
}

/// Reads the program in `directory`. The error says what is wrong and where.
pub fn read(directory: &Path) -> Result<Program, String> {
    let name = directory.file_name().and_then(|name| name.to_str()).ok_or("a program needs a name")?;
    let main = ["c", "cpp", "rs"]
        .map(|extension| format!("{name}.{extension}"))
        .into_iter()
        .find(|file| directory.join(file).is_file())
        .ok_or_else(|| format!("{}: no {name}.c, .cpp or .rs", directory.display()))?;
    let text = std::fs::read_to_string(directory.join(&main)).map_err(|error| format!("{main}: {error}"))?;
    let mut program = parse(&text).map_err(|error| format!("{}/{main}: {error}", directory.display()))?;
    program.name = name.to_owned();
    program.directory = directory.to_owned();
    program.sources.insert(0, main);
    Ok(program)
}

/// Parses the directives in the text of a source file.
pub fn parse(text: &str) -> Result<Program, String> {
    let mut program = Program {
        linkers: ["bfd", "lld", "mold"].map(str::to_owned).to_vec(),
        repeat: 1,
        ..Program::default()
    };
    for directive in text.lines().filter_map(|line| line.strip_prefix("//#")) {
        let (key, value) = directive.split_once(':').unwrap_or((directive, ""));
        let value = value.trim();
        let words = || value.split_whitespace().map(str::to_owned);
        let bad = || format!("bad directive '//#{directive}'");
        match key.trim() {
            "sources" => program.sources.extend(words()),
            "plain" => program.plain.extend(words()),
            "archive" => program.archive.extend(words()),
            "library" => program.libraries.extend(words()),
            "plugin" => program.plugins.extend(words()),
            "plain-plugin" => program.plain_plugins.extend(words()),
            "mix" => program.mix = true,
            "flags" => program.flags.extend(words()),
            "link" => program.link.extend(words()),
            "linkers" => program.linkers = words().collect(),
            "levels" => {
                for word in words() {
                    program.levels.extend(match word.as_str() {
                        "standard" => Level::STANDARD.to_vec(),
                        "every" => Level::every(),
                        "nopie" => {
                            Level::STANDARD.map(|l| Level { addressing: Addressing::NoPie, ..l }).to_vec()
                        }
                        name => {
                            let mut all = Level::every().into_iter();
                            vec![all.find(|level| level.name() == name).ok_or_else(bad)?]
                        }
                    });
                }
            }
            "args" => program.args.extend(words()),
            "stdin" => program.stdin = format!("{value}\n"),
            "env" => {
                for word in words() {
                    let (name, value) = word.split_once('=').ok_or_else(bad)?;
                    program.env.push((name.to_owned(), value.to_owned()));
                }
            }
            "prints" => program.prints.push(value.to_owned()),
            "exit" => program.exit = parse_exit(value).ok_or_else(bad)?,
            "lazy" => program.lazy.extend(words()),
            "static" => program.ordinary.extend(words()),
            "stats" => program.stats.push(parse_condition(value).ok_or_else(bad)?),
            "baseline" if !value.is_empty() => program.baseline = Some(value.to_owned()),
            "tiers" if !value.is_empty() => program.tiers = Some(value.to_owned()),
            "refuses" if !value.is_empty() => {
                program.refuses.extend(parse_refusal(value, other_clang()).ok_or_else(bad)?);
            }
            "dynamic" if !value.is_empty() => program.dynamic = Some(value.to_owned()),
            "repeat" => program.repeat = value.parse().map_err(|_| bad())?,
            _ => return Err(bad()),
        }
    }
    if program.levels.is_empty() {
        program.levels = Level::STANDARD.to_vec();
    }
    if program.prints.is_empty() {
        return Err("no '//# prints:': a program that prints nothing proves nothing".to_owned());
    }
    Ok(program)
}

fn parse_exit(value: &str) -> Option<Exit> {
    match value.strip_prefix("signal ") {
        Some(signal) => signal.trim().parse().ok().map(Exit::Signal),
        None => value.parse().ok().map(Exit::Status),
    }
}

/// What a line says if `other` is the release of clang, where that is not the usual one: nothing, perhaps.
fn parse_refusal(value: &str, other: Option<u32>) -> Option<Option<Refusal>> {
    let (condition, rest) = match value.split_once(": ") {
        Some((condition, rest)) => (Some(condition), rest),
        None => (None, value),
    };
    let refusal = |level| Refusal { level, of_release: false, reason: rest.to_owned() };
    let Some(condition) = condition else { return Some(Some(refusal(None))) };
    if let Some(feature) = condition.strip_prefix("with ") {
        return Some(processor_has(feature).then(|| refusal(None)));
    }
    if let Some(release) = condition.strip_prefix("clang ") {
        let release: u32 = release.parse().ok()?;
        let told = parse_refusal(rest, other)?.filter(|_| other.is_some_and(|other| other <= release));
        return Some(told.map(|told| Refusal { of_release: true, ..told }));
    }
    Level::standard(condition).map(|level| Some(refusal(Some(level))))
}

/// The release of clang that compiles the programs, if it is not the usual one.
fn other_clang() -> Option<u32> {
    let release = std::env::var("AUTOJIT_TESTS_CLANG").ok()?;
    (release != env!("LLVM_RELEASE")).then(|| release.parse().ok())?
}

fn parse_condition(value: &str) -> Option<Condition> {
    let mut words = value.split_whitespace();
    let condition = Condition {
        key: words.next()?.to_owned(),
        operator: words.next().filter(|word| ["==", ">=", "<="].contains(word))?.to_owned(),
        number: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(condition)
}

/// How a compiler is told to optimise and to address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// '0', '1', '2', '3' or 's'.
    pub optimisation: char,
    /// With debug information.
    pub debug: bool,
    /// How code refers to its data.
    pub addressing: Addressing,
}

/// How code refers to its data, and what it is linked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// Code of a position-independent executable: what Debian's compilers do by themselves.
    Pie,
    /// Code of a shared library, here linked into a position-independent executable.
    Pic,
    /// Code that is linked at a fixed address.
    NoPie,
}

impl Level {
    /// Debug and optimised build as most people have them.
    pub const STANDARD: [Self; 2] = [
        Self { optimisation: '0', debug: true, addressing: Addressing::Pie },
        Self { optimisation: '2', debug: false, addressing: Addressing::Pie },
    ];

    /// One of these, by its name.
    fn standard(name: &str) -> Option<Self> {
        Self::STANDARD.into_iter().find(|level| level.name() == name)
    }

    /// Whether no optimisation is asked for.
    pub fn is_unoptimised(&self) -> bool {
        self.optimisation == '0'
    }

    /// All combinations.
    pub fn every() -> Vec<Self> {
        let mut levels = Vec::new();
        for optimisation in ['0', '1', '2', '3', 's'] {
            for debug in [false, true] {
                for addressing in [Addressing::Pie, Addressing::Pic, Addressing::NoPie] {
                    levels.push(Self { optimisation, debug, addressing });
                }
            }
        }
        levels
    }

    /// A name that can be an identifier: `o0_g`, `os_nopie`.
    pub fn name(&self) -> String {
        let debug = if self.debug { "_g" } else { "" };
        let addressing = match self.addressing {
            Addressing::Pie => "",
            Addressing::Pic => "_pic",
            Addressing::NoPie => "_nopie",
        };
        format!("o{}{debug}{addressing}", self.optimisation)
    }
}

/// What the baseline compiler may refuse of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusals {
    /// Nothing.
    None,
    /// Something, surely.
    Some,
    /// That is not known.
    Unknown,
}

/// Whether the processor has a feature, by its name in /proc/cpuinfo.
fn processor_has(feature: &str) -> bool {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    flags.split_whitespace().any(|flag| flag == feature)
}

impl Program {
    /// What the baseline compiler refuses of it, built at `level`.
    pub fn refusals(&self, level: Level) -> Refusals {
        if !Level::STANDARD.contains(&level) {
            return Refusals::Unknown;
        }
        let here = || self.refuses.iter().filter(|it| it.level.is_none_or(|one| one == level));
        match here().next() {
            None => Refusals::None,
            Some(_) if other_clang().is_some() && !here().any(|it| it.of_release) => Refusals::Unknown,
            Some(_) => Refusals::Some,
        }
    }

    /// Whether it can be linked statically, and do the same then.
    pub fn can_be_static(&self) -> bool {
        let shared =
            [&self.libraries, &self.plugins, &self.plain_plugins].iter().any(|files| !files.is_empty());
        !self.is_rust()
            && !shared
            && self.dynamic.is_none()
            && !self.link.iter().any(|flag| flag == "-rdynamic")
    }

    /// Whether it is a Rust program.
    pub fn is_rust(&self) -> bool {
        self.sources[0].ends_with(".rs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read() {
        let text = "//# flags: -a -b\n//# exit: signal 6\n//# stats: compiled >= 3\n//# prints: x y\n//# mix\n//# levels: o0_g o2_nopie\n";
        let program = parse(text).expect("all directives are good");
        assert_eq!(program.flags, ["-a", "-b"]);
        assert_eq!(program.exit, Exit::Signal(6));
        assert!(program.stats[0].holds(3.0) && !program.stats[0].holds(2.0));
        assert_eq!(program.prints, ["x y"]);
        assert!(program.mix);
        assert_eq!(program.levels.iter().map(Level::name).collect::<Vec<_>>(), ["o0_g", "o2_nopie"]);
    }

    #[test]
    fn bad_directives_are_errors() {
        for bad in [
            "//# flag: -a",
            "//# exit: never",
            "//# stats: compiled > 3",
            "//# levels: some",
            "//# env: X",
            "//# refuses: o1: all",
            "//# refuses: clang: all",
            "//# refuses: clang 16: o1: all",
        ] {
            let error = parse(&format!("//# prints: x\n{bad}\n")).expect_err(bad);
            assert!(error.contains(bad), "{error}");
        }
        assert!(parse("int main;").expect_err("nothing printed").contains("prints"));
    }

    #[test]
    fn refusals_are_for_standard_levels() {
        let refusals = |text: &str| {
            let program = parse(&format!("//# prints: x\n{text}\n")).expect("all directives are good");
            [Level::STANDARD[0], Level::STANDARD[1], Level { debug: false, ..Level::STANDARD[0] }]
                .map(|level| program.refusals(level))
        };
        use Refusals::{None, Some, Unknown};
        assert_eq!(refusals(""), [None, None, Unknown]);
        assert_eq!(refusals("//# refuses: assembly"), [Some, Some, Unknown]);
        assert_eq!(refusals("//# refuses: o2: assembly"), [None, Some, Unknown]);
        assert_eq!(refusals("//# refuses: with sse2: assembly"), [Some, Some, Unknown]);
        assert_eq!(refusals("//# refuses: with sse1024: assembly"), [None, None, Unknown]);
        assert_eq!(refusals("//# refuses: o2: assembly\n//# refuses: o0_g: half"), [Some, Some, Unknown]);
        assert_eq!(refusals("//# refuses: clang 16: comparisons"), [None, None, Unknown]);
    }

    #[test]
    fn refusals_of_a_release_are_those_of_older_ones_too() {
        let level = |value: &str, other| parse_refusal(value, other).expect(value).map(|told| told.level);
        let o2 = Level::standard("o2");
        for (other, told) in [(None, false), (Some(19), false), (Some(16), true), (Some(15), true)] {
            assert_eq!(level("clang 16: all", other).is_some(), told, "{other:?}");
            assert_eq!(level("clang 16: o2: all", other), told.then_some(o2), "{other:?}");
            assert_eq!(level("o2: all", other), Some(o2), "{other:?}");
        }
    }

    #[test]
    fn level_names_differ() {
        let mut names: Vec<_> = Level::every().iter().map(Level::name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 30);
    }
}
