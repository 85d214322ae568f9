//! The command line: receives the arguments, hands on an [`Action`].

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

/// What --help prints.
pub const HELP: &str = "\
Usage: autojit-benchmark [run] [options]
       autojit-benchmark edits [options]
       autojit-benchmark report FILE... [--json FILE] [--out FILE] [--chart FILE] [--readme FILE]

run measures the plain build beside the lazy one and prints tables; report renders Markdown and a bar
chart (SVG) from the JSON of a run, and puts the table of ratios between the marks of a README. Of
several files, those of parts that were measured on one machine, the later ones count; --json writes
what that makes.

edits measures compiles of sources that are edited again and again, with kept preambles, and prints a
table of its own.

Options of run:
  --only WORDS  only the measurements that have these words in their name, which is PROGRAM-LEVEL-COLUMN,
                as in sqlite-O0-compile: sqlite, O2, sqlite-O0, compile, ...; may be repeated
  --quick       fewer runs of each
  --check       exit with status 1 when a target is missed
  --publish     write the results of a run of everything to benchmark/results/latest.{json,md,svg}, and
                the table of ratios to README.md
  --out FILE    write the results as JSON there, after each program; otherwise to
                autojit-benchmark.json beside the executable, in target/release
  --date DATE   the date to note in the results, instead of today's
  --dist DIR    the built autojit, instead of dist/ of the source tree

Options of edits:
  --only NAME   only this source; may be repeated
  --quick, --check, --dist DIR
                as above
  --sources DIR the sources of others, instead of target/projects/sources: scripts/projects --fetch
  --out FILE    write the table there as well
";

/// What the program is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Print [`HELP`].
    Help,
    /// Measure.
    Run(Run),
    /// Measure compiles of edited sources.
    Edits(Edits),
    /// Render the results of an earlier run.
    Report(Report),
}

/// Options of `run`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Words of the names of the wanted measurements; all if empty.
    pub only: Vec<String>,
    /// Whether to measure fewer times.
    pub quick: bool,
    /// Whether a missed target is a failure.
    pub check: bool,
    /// Whether the results are to be the published ones.
    pub publish: bool,
    /// Where the JSON goes.
    pub out: Option<PathBuf>,
    /// The date to note.
    pub date: Option<String>,
    /// The directory of the built autojit.
    pub dist: Option<PathBuf>,
}

/// Options of `edits`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// The names of the wanted sources; all if empty.
    pub only: Vec<String>,
    /// Whether to measure fewer times.
    pub quick: bool,
    /// Whether a missed target is a failure.
    pub check: bool,
    /// Where the sources of others are.
    pub sources: Option<PathBuf>,
    /// Where the table goes as well.
    pub out: Option<PathBuf>,
    /// The directory of the built autojit.
    pub dist: Option<PathBuf>,
}

impl Edits {
    /// Whether the source `name` is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// Options of `report`.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// The JSON of a run; of parts of one, the later ones count.
    pub results: Vec<PathBuf>,
    /// Where the JSON of all of it goes, if it is wanted.
    pub json: Option<PathBuf>,
    /// Where the Markdown goes; standard output if there is none.
    pub out: Option<PathBuf>,
    /// Where the chart goes, if it is wanted.
    pub chart: Option<PathBuf>,
    /// The file whose table is to be replaced, if there is one.
    pub readme: Option<PathBuf>,
}

impl Run {
    /// Whether the measurement `name` is wanted.
    pub fn wants(&self, name: &str) -> bool {
        let has = |words: &String| format!("-{name}-").contains(&format!("-{words}-"));
        self.only.is_empty() || self.only.iter().any(has)
    }
}

/// Parses the arguments behind the program's name.
///
/// # Errors
/// An unknown command or option, or one without its value.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Action> {
    let mut arguments = arguments.into_iter().peekable();
    match arguments.next_if(|first| !first.starts_with('-')).as_deref() {
        None | Some("run") => parse_run(arguments),
        Some("edits") => parse_edits(arguments),
        Some("report") => parse_report(arguments),
        Some(command) => bail!("unknown command '{command}'; --help lists what there is"),
    }
}

fn parse_run(mut arguments: impl Iterator<Item = String>) -> Result<Action> {
    let mut run = Run::default();
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{option} needs a value"));
        match option.as_str() {
            "--only" => run.only.push(value()?),
            "--quick" => run.quick = true,
            "--check" => run.check = true,
            "--publish" => run.publish = true,
            "--out" => run.out = Some(value()?.into()),
            "--date" => run.date = Some(value()?),
            "--dist" => run.dist = Some(value()?.into()),
            "--help" => return Ok(Action::Help),
            _ => bail!("unknown option '{option}' of run; --help lists them"),
        }
    }
    if run.publish && (run.quick || !run.only.is_empty()) {
        bail!("--publish is for runs of everything: without --quick and --only");
    }
    Ok(Action::Run(run))
}

fn parse_edits(mut arguments: impl Iterator<Item = String>) -> Result<Action> {
    let mut edits = Edits::default();
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{option} needs a value"));
        match option.as_str() {
            "--only" => edits.only.push(value()?),
            "--quick" => edits.quick = true,
            "--check" => edits.check = true,
            "--sources" => edits.sources = Some(value()?.into()),
            "--out" => edits.out = Some(value()?.into()),
            "--dist" => edits.dist = Some(value()?.into()),
            "--help" => return Ok(Action::Help),
            _ => bail!("unknown option '{option}' of edits; --help lists them"),
        }
    }
    Ok(Action::Edits(edits))
}

fn parse_report(mut arguments: impl Iterator<Item = String>) -> Result<Action> {
    let (mut results, mut json, mut out, mut chart, mut readme) = (Vec::new(), None, None, None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = Some(arguments.next().context("--json needs a value")?.into()),
            "--out" => out = Some(arguments.next().context("--out needs a value")?.into()),
            "--chart" => chart = Some(arguments.next().context("--chart needs a value")?.into()),
            "--readme" => readme = Some(arguments.next().context("--readme needs a value")?.into()),
            "--help" => return Ok(Action::Help),
            file if !file.starts_with('-') => results.push(file.into()),
            _ => bail!("unknown argument '{argument}' of report; --help lists them"),
        }
    }
    ensure!(!results.is_empty(), "report needs the file of a run's results");
    Ok(Action::Report(Report { results, json, out, chart, readme }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Action> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    fn run(line: &str) -> Run {
        match parsed(line) {
            Ok(Action::Run(run)) => run,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn run_is_the_default_and_takes_its_options() {
        assert_eq!(run(""), Run::default());
        let all = run("run --only a --only b --quick --check --out o --date 2026-01-02 --dist d");
        assert_eq!(
            all,
            Run {
                only: vec!["a".into(), "b".into()],
                quick: true,
                check: true,
                publish: false,
                out: Some("o".into()),
                date: Some("2026-01-02".into()),
                dist: Some("d".into()),
            }
        );
        assert_eq!(run("--quick"), Run { quick: true, ..Run::default() });
    }

    #[test]
    fn only_selects_by_whole_words() {
        let some = run("--only hello-c --only first --only sqlite-O2");
        for name in ["hello-c-O0-compile", "json-O2-first", "json-O2-first-rss", "sqlite-O2-edit"] {
            assert!(some.wants(name), "{name}");
        }
        for name in ["hello-c++-O0-compile", "sqlite-O0-edit", "sqlite-version-O2-edit"] {
            assert!(!some.wants(name) && run("").wants(name), "{name}");
        }
    }

    #[test]
    fn only_everything_is_published() {
        assert!(run("--publish").publish);
        for line in ["--publish --quick", "--only hello-c --publish"] {
            let message = parsed(line).unwrap_err().to_string();
            assert!(message.contains("runs of everything"), "{line}: {message}");
        }
    }

    #[test]
    fn edits_take_their_options() {
        let expected = Edits {
            only: vec!["json".into()],
            quick: true,
            check: true,
            sources: Some("s".into()),
            out: Some("o".into()),
            dist: Some("d".into()),
        };
        let line = "edits --only json --quick --check --sources s --out o --dist d";
        assert_eq!(parsed(line).unwrap(), Action::Edits(expected));
        assert!(parsed("edits --publish").unwrap_err().to_string().contains("'--publish' of edits"));
    }

    #[test]
    fn report_takes_a_file() {
        let [out, chart, readme] = ["r.md", "r.svg", "R.md"].map(|file| Some(file.into()));
        let results = vec!["r.json".into(), "s.json".into()];
        let expected = Report { results, json: Some("t.json".into()), out, chart, readme };
        let line = "report r.json s.json --json t.json --out r.md --chart r.svg --readme R.md";
        assert_eq!(parsed(line).unwrap(), Action::Report(expected));
        assert!(parsed("report").unwrap_err().to_string().contains("needs the file"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, part) in [
            ("--fast", "'--fast'"),
            ("run extra", "'extra'"),
            ("measure", "'measure'"),
            ("--only", "--only needs a value"),
            ("report a --b", "'--b'"),
        ] {
            let message = parsed(line).unwrap_err().to_string();
            assert!(message.contains(part), "{line}: {message}");
        }
        assert_eq!(parsed("--quick --help").unwrap(), Action::Help);
    }
}
