//! Results as text: the tables that a run prints, the Markdown of `report`, and the table in a README.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::columns::{Column, Comparison, Unit};
use crate::results::{Measurement, Results};
use crate::series::Summary;

/// The columns of the chart and of the README's table.
pub const CHIEF: [Column; 7] = [
    Column::Compile,
    Column::LinkLld,
    Column::Program,
    Column::First,
    Column::Later,
    Column::Steady,
    Column::Edit,
];

/// What stands above the figures of single measurements.
const DETAILS: [&str; 7] = ["measurement", "what", "plain", "lazy", "compared", "target", "met"];

/// Around the table in a README.
const MARKS: [&str; 2] = ["<!-- benchmark -->\n", "<!-- /benchmark -->\n"];

/// How the figures came about, for readers that did not run it.
const METHOD: &str = "\
Both builds were measured by turns; each figure is the median of at least seven, with the least and the greatest in
parentheses. Levels are -O0 -g and -O2 -g. Compile times are processor time
(user and system) of the compiler for all of the program; cargo's is that of a build from scratch, with build scripts
and procedural macros there. `link` is by the clock, of what the compiler runs to link. A `first run` is the time by the
clock from starting the process to its end with nothing of autojit's cached (the files themselves are in the page
cache), a `later run` the same with its code in autojit's cache. `edit to run` is what a programmer waits for, by the
clock: one file is edited, compiled, the program linked with ld.lld (rustc's default), or with mold, and run, with what earlier edits and
the run before have left in the cache; in C and C++ the lazy program is compiled and linked by autojit-cc and autojit-c++, and
finds the runtime itself. Memory is what the kernel accounts to the process when it ends, the least of
several runs: Linux 6.18 accounts whole large pages of a file that was just written where addresses happen to fit, in some runs a
megabyte of the program. `steady` is the same work
again in one process: it calls nothing for the first time, and is judged by its processor time.
`keeping` compares two first runs of the lazy program, without and with the object cache, by their processor time.
";

/// The same of the table of tiers.
const TIERS: &str = "\
Processor time of optimised programs that begin with baseline code, with autojitd started by the program
(`AUTOJIT_TIER=on`), divided by the plain build's: all of a run of long work, a first one with nothing cached, a later
one, or the first one after a function was added to the first file. What the daemon takes is in `first run with autojitd`
only, until it has ended: it is compared with a first run in which LLVM compiles each function at its first call, that is with the
plain run and code generation of what ran. `counting` compares further passes in baseline code that counts with the same in baseline code that does not.
";

/// The columns of the table of ratios.
fn chief_columns() -> impl Iterator<Item = Column> {
    Column::all().filter(|column| !column.is_tiered())
}

/// Those of the table of tiers.
fn tiered_columns() -> impl Iterator<Item = Column> {
    Column::all().filter(|column| column.is_tiered())
}

/// A table: headings, and rows that have as many cells.
type Table = Vec<Vec<String>>;

/// Results as tables for a terminal.
pub fn table(results: &Results) -> String {
    let mut text = String::new();
    for ratios in [ratios(results, chief_columns()), ratios(results, tiered_columns())] {
        if ratios.len() > 1 {
            text += &(aligned(&ratios) + "\n");
        }
    }
    text += &aligned(&details(results));
    for failure in &results.failures {
        text += &format!("{} failed: {}\n", failure.name, failure.message);
    }
    text
}

/// The later runs of optimised programs taken together, if there are several.
fn later_runs(results: &Results) -> String {
    let later = |measurement: &&Measurement| measurement.column == Column::TiersLater;
    let ratios: Vec<_> = results.measurements.iter().filter(later).map(Measurement::ratio).collect();
    if ratios.len() < 2 {
        return String::new();
    }
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let worst = ratios.iter().copied().fold(0.0, f64::max);
    format!(
        "\nLater runs of these {} programs: {mean:.3} in the geometric mean (target {LATER_MEAN}), {worst:.3} at worst.\n",
        ratios.len()
    )
}

/// The greatest geometric mean of later runs that is good enough.
const LATER_MEAN: f64 = 0.97;

/// Results as a Markdown page.
pub fn markdown(results: &Results) -> String {
    let machine = &results.machine;
    let mut text = format!("# Benchmarks of autojit {}, {}\n\n{METHOD}\n", results.version, results.date);
    if results.quick {
        text += "This was a quick run, with fewer measurements than usual.\n\n";
    }
    if results.runs > 1 {
        text += &format!(
            "These are the figures of {} runs. Of what was measured in several, the last counts.\n\n",
            results.runs
        );
    }
    let rows = [
        ("machine", String::new()),
        ("processor", format!("{}, {} cores", machine.cpu, machine.cores)),
        ("memory", format!("{} MiB", machine.memory_mib)),
        ("kernel", machine.kernel.clone()),
        ("load at the start", machine.load.to_string()),
        ("clang", machine.clang.clone()),
        ("rustc", machine.rustc.clone()),
        ("LLVM in the engine", machine.llvm.clone()),
    ];
    text += &piped(&rows.map(|(name, value)| vec![name.to_owned(), value]));
    text += "\n## Programs\n\n";
    let programs = results.titles.iter().map(|(name, title)| vec![name.clone(), title.clone()]);
    let headings = ["program", "what it is and does"].map(str::to_owned).to_vec();
    text += &piped(&[headings].into_iter().chain(programs).collect::<Vec<_>>());
    text += "\n## Ratios\n\nHow many times the plain build's figure the lazy build's is.\n\n";
    text += &piped(&ratios(results, chief_columns()));
    let tiers = ratios(results, tiered_columns());
    if tiers.len() > 1 {
        text += &format!("\n## Tiers\n\n{TIERS}\n");
        text += &piped(&tiers);
        text += &later_runs(results);
    }
    text += "\n## Figures\n\n";
    text += &piped(&details(results));
    let told = statistics(results);
    if told.len() > 1 {
        text += "\nWhat the runtime told of one first run each:\n\n";
        text += &piped(&told);
    }
    let refused = crate::refused::table(results);
    if refused.len() > 1 {
        text += "\nWhat the baseline compiler did in these runs, and left to the engine:\n\n";
        text += &piped(&refused);
    }
    if !results.failures.is_empty() {
        text += "\nThese did not come to an end:\n\n";
        for failure in &results.failures {
            let _ = writeln!(text, "- {}: {}", failure.name, failure.message.replace('\n', " "));
        }
    }
    text
}

/// `text`, a README, with the table of these results between its marks.
///
/// # Errors
/// There are no such marks.
pub fn readme(text: &str, results: &Results) -> Result<String> {
    let [begin, end] = MARKS;
    let (before, rest) = text.split_once(begin).with_context(|| format!("no line {begin}"))?;
    let (_, after) = rest.split_once(end).with_context(|| format!("no line {end}"))?;
    let machine = &results.machine;
    let table = piped(&ratios(results, CHIEF.into_iter()));
    Ok(format!(
        "{before}{begin}{table}\n\
         Lazy build / plain build, autojit {}, {}, {}, {} cores, LLVM {}. [All figures, and how they came \
         about](benchmark/results/latest.md)\n\n\
         ![The same as bars](benchmark/results/latest.svg)\n{end}{after}",
        results.version, results.date, machine.cpu, machine.cores, machine.llvm
    ))
}

/// A row for each program and level: ratios, and how many functions were compiled. Columns that no program has are left
/// out.
fn ratios(results: &Results, columns: impl Iterator<Item = Column>) -> Table {
    let columns: Vec<_> = columns.filter(|c| results.measurements.iter().any(|m| m.column == *c)).collect();
    let mut headings = vec!["program".to_owned()];
    headings.extend(columns.iter().map(|column| column.heading().to_owned()));
    headings.push("functions compiled".into());
    let mut table = vec![headings];
    for row in results.rows() {
        if !row.iter().any(|measurement| columns.contains(&measurement.column)) {
            continue;
        }
        let mut cells = vec![format!("{} -{}", row[0].program, row[0].level.name())];
        for column in &columns {
            let found = row.iter().find(|measurement| measurement.column == *column);
            cells.push(found.map_or(String::new(), |measurement| ratio(measurement.ratio())));
        }
        let told = row.iter().find_map(|measurement| measurement.statistics.as_ref());
        let compiled = |told: &serde_json::Value| {
            // Results of former versions have no baseline compiler.
            let count = |key: &str| told[key].as_u64().unwrap_or(0);
            format!("{} of {}", count("compiled") + count("baseline"), told["functions"])
        };
        cells.push(told.map_or(String::new(), compiled));
        table.push(cells);
    }
    table
}

/// A ratio with as many digits as matter.
pub fn ratio(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// A row for each measurement.
fn details(results: &Results) -> Table {
    let mut table = vec![DETAILS.map(str::to_owned).to_vec()];
    for measurement in &results.measurements {
        let (column, unit) = (measurement.column, measurement.column.unit());
        let compared = |value: f64| match column.comparison() {
            Comparison::Ratio => format!("{value:.3} x"),
            Comparison::Extra if value < 0.0 => figure(value, unit),
            Comparison::Extra => format!("+{}", figure(value, unit)),
        };
        table.push(vec![
            measurement.name(),
            column.title().to_owned(),
            summary(&measurement.plain, unit),
            summary(&measurement.lazy, unit),
            compared(measurement.value()),
            measurement.target.map_or(String::new(), compared),
            measurement.met().map_or("", |met| if met { "yes" } else { "NO" }).to_owned(),
        ]);
    }
    table
}

/// The runtime's statistics that tell where the time of a first run goes, by key and heading.
const STATISTICS: [(&str, &str); 7] = [
    ("functions", "lazy functions"),
    ("baseline", "by the baseline compiler"),
    ("compiled", "by LLVM"),
    ("batches", "batches"),
    ("engine_load_ms", "loading the engine (ms)"),
    ("compile_ms", "compiling (ms)"),
    ("link_ms", "linking (ms)"),
];

fn statistics(results: &Results) -> Table {
    let headings = STATISTICS.map(|(_, heading)| heading.to_owned());
    let mut table = vec![[&["measurement".to_owned()], &headings[..]].concat()];
    for measurement in &results.measurements {
        if let Some(told) = &measurement.statistics {
            let values = STATISTICS.map(|(key, _)| told[key].to_string());
            table.push([&[measurement.name()], &values[..]].concat());
        }
    }
    table
}

/// A table for a terminal.
fn aligned(table: &Table) -> String {
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..table[0].len()).map(width).collect();
    let mut text = String::new();
    for row in table {
        let line: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += line.join("  ").trim_end();
        text += "\n";
    }
    text
}

/// A table in Markdown.
fn piped(table: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (index, row) in table.iter().enumerate() {
        for cell in row {
            let _ = write!(text, "| {} ", cell.replace('|', "\\|"));
        }
        text += "|\n";
        if index == 0 {
            text += &"| --- ".repeat(row.len());
            text += "|\n";
        }
    }
    text
}

/// The median, with the extremes if there are any.
fn summary(summary: &Summary, unit: Unit) -> String {
    let median = figure(summary.median, unit);
    if summary.runs == 1 {
        return median;
    }
    format!("{median} ({} - {})", digits(summary.min, unit), digits(summary.max, unit))
}

fn figure(value: f64, unit: Unit) -> String {
    let name = match unit {
        Unit::CpuSeconds => "s",
        Unit::CpuMilliseconds | Unit::WallMilliseconds => "ms",
        Unit::Bytes => "bytes",
        Unit::Kibibytes => "KiB",
    };
    format!("{} {name}", digits(value, unit))
}

fn digits(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes | Unit::Kibibytes => format!("{value:.0}"),
        Unit::CpuSeconds | Unit::CpuMilliseconds | Unit::WallMilliseconds => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn tables_have_a_line_for_each_row_measurement_and_failure() {
        let text = table(&example());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "program   compile  program  first run  functions compiled",
                "tool -O0  0.75     0.00     14         3 of 9",
                "",
                "measurement      what                          plain                  lazy                      \
                 compared   target     met",
                "tool-O0-compile  compiling all of it           2.00 s (1.75 - 2.25)   1.50 s (1.25 - 1.75)      \
                 0.750 x    0.800 x    yes",
                "tool-O0-program  the program, bodies embedded  2000000 bytes          1000 bytes                \
                 0.001 x",
                "tool-O0-first    the first run                 1.00 ms (0.50 - 1.50)  14.00 ms (13.50 - 14.50)  \
                 +13.00 ms  +12.00 ms  NO",
                "tool-O2 failed: it crashed",
            ]
        );
    }

    #[test]
    fn the_report_tells_that_runs_were_put_together() {
        let mut results = example();
        assert!(!markdown(&results).contains("figures of"));
        results.runs = 3;
        assert!(markdown(&results).contains("figures of 3 runs"));
    }

    #[test]
    fn the_report_names_machine_tools_and_misses() {
        let text = markdown(&example());
        for part in [
            "# Benchmarks of autojit 0.1.0, 2026-01-02\n",
            "quick run",
            "| machine |  |\n| --- | --- |\n| processor | A processor, 2 cores |\n",
            "| load at the start | 0.25 |\n",
            "| tool | a tool |\n",
            "| clang | clang 22.1.8 |\n",
            "| tool -O0 | 0.75 | 0.00 | 14 | 3 of 9 |\n",
            "| tool-O0-first | the first run | 1.00 ms (0.50 - 1.50) | 14.00 ms (13.50 - 14.50) | +13.00 ms | +12.00 ms | NO |\n",
            "| tool-O0-first | 9 | null | 3 | 2 | 5.0 | 4.5 | 0.25 |\n",
            "- tool-O2: it crashed\n",
        ] {
            assert!(text.contains(part), "no '{part}' in:\n{text}");
        }
    }

    #[test]
    fn what_there_is_not_is_not_mentioned() {
        let mut results = example();
        results.quick = false;
        results.failures.clear();
        results.measurements.retain(|measurement| measurement.statistics.is_none());
        let text = markdown(&results);
        for part in ["quick", "did not come", "runtime told", "first run |"] {
            assert!(!text.contains(part), "'{part}' in:\n{text}");
        }
    }

    #[test]
    fn a_readme_gets_its_table_between_the_marks() {
        let old = "# It\n<!-- benchmark -->\nold\n<!-- /benchmark -->\nmore\n";
        let new = readme(old, &example()).unwrap();
        assert!(new.starts_with("# It\n<!-- benchmark -->\n| program | compile |"), "{new}");
        assert!(new.ends_with("latest.svg)\n<!-- /benchmark -->\nmore\n") && !new.contains("old"), "{new}");
        assert_eq!(readme(&new, &example()).unwrap(), new);
        assert!(readme("# It\n", &example()).unwrap_err().to_string().contains("<!-- benchmark -->"));
    }

    #[test]
    fn later_runs_are_taken_together() {
        let mut results = example();
        assert_eq!(later_runs(&results), "");
        results.measurements.truncate(2);
        for (measurement, lazy) in results.measurements.iter_mut().zip([1.6, 0.9]) {
            measurement.column = Column::TiersLater;
            (measurement.plain.median, measurement.lazy.median) = (2.0, lazy);
        }
        let text =
            "\nLater runs of these 2 programs: 0.600 in the geometric mean (target 0.97), 0.800 at worst.\n";
        assert_eq!(later_runs(&results), text);
    }

    #[test]
    fn small_ratios_have_more_digits() {
        assert_eq!([0.0816, 1.0, 9.99, 31.4].map(ratio), ["0.08", "1.00", "9.99", "31"]);
    }
}
