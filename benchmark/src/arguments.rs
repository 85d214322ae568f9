//! The command line: receives the arguments, hands on an [`Action`].

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What --help prints.
pub const HELP: &str = "\
Usage: autojit-benchmark [run] [options]
       autojit-benchmark report FILE [--out FILE] [--chart FILE]

run measures the plain build beside the lazy one and prints a table; report renders Markdown and a bar
chart (SVG) from the JSON of a run.

Options of run:
  --only NAME   only the benchmarks whose name is NAME or begins with it; may be repeated
  --quick       fewer runs of each
  --check       exit with status 1 when a target is missed
  --out FILE    write the results as JSON there; otherwise a run of everything, not --quick, writes them to
                benchmark/results/<date>.json, and other runs to no file
  --date DATE   the date to note in the results, instead of today's
  --dist DIR    the built autojit, instead of dist/ of the source tree
";

/// What the program is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Print [`HELP`].
    Help,
    /// Measure.
    Run(Run),
    /// Render the results of an earlier run.
    Report(Report),
}

/// Options of `run`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Beginnings of the names of the wanted benchmarks; all if empty.
    pub only: Vec<String>,
    /// Whether to measure fewer times.
    pub quick: bool,
    /// Whether a missed target is a failure.
    pub check: bool,
    /// Where the JSON goes.
    pub out: Option<PathBuf>,
    /// The date to note.
    pub date: Option<String>,
    /// The directory of the built autojit.
    pub dist: Option<PathBuf>,
}

/// Options of `report`.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// The JSON of a run.
    pub results: PathBuf,
    /// Where the Markdown goes; standard output if there is none.
    pub out: Option<PathBuf>,
    /// Where the chart goes, if it is wanted.
    pub chart: Option<PathBuf>,
}

impl Run {
    /// Whether the benchmark `name` is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only.as_str()))
    }

    /// The file for the results of a run on the day `date`. What is not comparable with other results (a part, or
    /// with few runs) goes to a file only when asked for.
    pub fn results_file(&self, date: &str) -> Option<PathBuf> {
        let kept = || Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(format!("{date}.json"));
        self.out.clone().or_else(|| (self.only.is_empty() && !self.quick).then(kept))
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
            "--out" => run.out = Some(value()?.into()),
            "--date" => run.date = Some(value()?),
            "--dist" => run.dist = Some(value()?.into()),
            "--help" => return Ok(Action::Help),
            _ => bail!("unknown option '{option}' of run; --help lists them"),
        }
    }
    Ok(Action::Run(run))
}

fn parse_report(mut arguments: impl Iterator<Item = String>) -> Result<Action> {
    let (mut results, mut out, mut chart) = (None, None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--out" => out = Some(arguments.next().context("--out needs a value")?.into()),
            "--chart" => chart = Some(arguments.next().context("--chart needs a value")?.into()),
            "--help" => return Ok(Action::Help),
            file if !file.starts_with('-') && results.is_none() => results = Some(file.into()),
            _ => bail!("unknown argument '{argument}' of report; --help lists them"),
        }
    }
    let results = results.context("report needs the file of a run's results")?;
    Ok(Action::Report(Report { results, out, chart }))
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
                out: Some("o".into()),
                date: Some("2026-01-02".into()),
                dist: Some("d".into()),
            }
        );
        assert_eq!(run("--quick"), Run { quick: true, ..Run::default() });
    }

    #[test]
    fn only_selects_by_the_beginning_of_names() {
        let some = run("--only start --only idle");
        assert!(some.wants("start-hello") && some.wants("idle") && !some.wants("steady-bzip2"));
        assert!(run("").wants("steady-bzip2"));
    }

    #[test]
    fn only_a_full_run_is_kept_unasked() {
        let kept = run("").results_file("2026-01-02").expect("a full run is kept");
        assert!(kept.ends_with("benchmark/results/2026-01-02.json"), "{}", kept.display());
        assert_eq!(run("--quick").results_file("2026-01-02"), None);
        assert_eq!(run("--only idle").results_file("2026-01-02"), None);
        assert_eq!(run("--quick --out o").results_file("2026-01-02"), Some("o".into()));
    }

    #[test]
    fn report_takes_a_file() {
        let [out, chart] = ["r.md", "r.svg"].map(|file| Some(file.into()));
        let expected = Report { results: "r.json".into(), out, chart };
        assert_eq!(parsed("report r.json --out r.md --chart r.svg").unwrap(), Action::Report(expected));
        assert!(parsed("report").unwrap_err().to_string().contains("needs the file"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, part) in [
            ("--fast", "'--fast'"),
            ("run extra", "'extra'"),
            ("measure", "'measure'"),
            ("--only", "--only needs a value"),
            ("report a b", "'b'"),
        ] {
            let message = parsed(line).unwrap_err().to_string();
            assert!(message.contains(part), "{line}: {message}");
        }
        assert_eq!(parsed("--quick --help").unwrap(), Action::Help);
    }
}
