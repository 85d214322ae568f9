//! Results as text: the table that a run prints, and the Markdown of `report`.

use std::fmt::Write;

use crate::results::{Comparison, Measurement, Results, Unit};
use crate::series::Summary;

/// What stands above the columns of both forms.
const COLUMNS: [&str; 7] = ["benchmark", "what", "plain", "lazy", "compared", "target", "met"];

/// How the figures came about, for readers who did not run it.
const METHOD: &str = "\
Both builds were measured by turns in one run; each figure is the median, with the least and the greatest in
parentheses. Compile times are processor time (user and system) of the compiler; `first run` is the time by the clock
from starting the process to its end with nothing of autojit's cached (the files themselves are in the page cache),
`later run` the same with its code in autojit's cache; memory is what the kernel accounts to the process when it ends.
A second pass is the same work once more in one process: it calls nothing for the first time, and is judged by its
processor time.
";

/// Results as a table for a terminal.
pub fn table(results: &Results) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(results.measurements.iter().map(cells));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let line: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += line.join("  ").trim_end();
        text += "\n";
    }
    for failure in &results.failures {
        text += &format!("{} failed: {}\n", failure.name, failure.message);
    }
    text
}

/// Results as a Markdown page.
pub fn markdown(results: &Results) -> String {
    let machine = &results.machine;
    let mut text = format!("# Benchmarks of autojit {}, {}\n\n{METHOD}\n", results.version, results.date);
    if results.quick {
        text += "This was a quick run, with fewer measurements than usual.\n\n";
    }
    let machine_rows = [
        ("processor", format!("{}, {} cores", machine.cpu, machine.cores)),
        ("memory", format!("{} MiB", machine.memory_mib)),
        ("kernel", machine.kernel.clone()),
        ("load at the start", machine.load.to_string()),
        ("clang", machine.clang.clone()),
        ("rustc", machine.rustc.clone()),
        ("LLVM in the engine", machine.llvm.clone()),
    ];
    row(&mut text, ["machine", ""]);
    row(&mut text, ["---"; 2]);
    for (name, value) in machine_rows {
        row(&mut text, [name, &value]);
    }
    text += "\n";
    row(&mut text, COLUMNS);
    row(&mut text, ["---"; COLUMNS.len()]);
    for measurement in &results.measurements {
        row(&mut text, cells(measurement).each_ref().map(String::as_str));
    }
    statistics(&mut text, results);
    if !results.failures.is_empty() {
        text += "\nThese did not come to an end:\n\n";
        for failure in &results.failures {
            let _ = writeln!(text, "- {}: {}", failure.name, failure.message.replace('\n', " "));
        }
    }
    text
}

/// The runtime's statistics that tell where the time of a first run goes, by key and heading.
const STATISTICS: [(&str, &str); 6] = [
    ("functions", "lazy functions"),
    ("compiled", "compiled"),
    ("batches", "batches"),
    ("engine_load_ms", "loading the engine (ms)"),
    ("compile_ms", "compiling (ms)"),
    ("link_ms", "linking (ms)"),
];

fn statistics(text: &mut String, results: &Results) {
    let told = || results.measurements.iter().filter_map(|m| Some((m, m.statistics.as_ref()?)));
    if told().next().is_none() {
        return;
    }
    *text += "\nWhat the runtime told of one run each:\n\n";
    let headings = STATISTICS.map(|(_, heading)| heading);
    row(text, ["benchmark"].into_iter().chain(headings));
    row(text, ["---"; STATISTICS.len() + 1]);
    for (measurement, statistics) in told() {
        let values = STATISTICS.map(|(key, _)| statistics[key].to_string());
        row(text, [measurement.name.as_str()].into_iter().chain(values.iter().map(String::as_str)));
    }
}

/// Appends a row of a Markdown table.
fn row<'a>(text: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for cell in cells {
        let _ = write!(text, "| {} ", cell.replace('|', "\\|"));
    }
    *text += "|\n";
}

/// A measurement under [`COLUMNS`].
fn cells(measurement: &Measurement) -> [String; COLUMNS.len()] {
    let unit = measurement.unit;
    let compared = |value: f64| match measurement.comparison {
        Comparison::Ratio => format!("{value:.3} x"),
        Comparison::Extra if value < 0.0 => figure(value, unit),
        Comparison::Extra => format!("+{}", figure(value, unit)),
    };
    [
        measurement.name.clone(),
        measurement.title.clone(),
        summary(&measurement.plain, unit),
        summary(&measurement.lazy, unit),
        compared(measurement.value),
        measurement.target.map_or(String::new(), compared),
        measurement.met().map_or("", |met| if met { "yes" } else { "NO" }).to_owned(),
    ]
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
    fn the_table_has_a_line_for_each_measurement_and_failure() {
        let text = table(&example());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "benchmark  what        plain                  lazy                      compared   target     met",
                "compile    compile it  2.00 s (1.75 - 2.25)   1.50 s (1.25 - 1.75)      0.750 x    0.800 x    yes",
                "start      start it    1.00 ms (0.50 - 1.50)  14.00 ms (13.50 - 14.50)  +13.00 ms  +12.00 ms  NO",
                "size       store it    2000000 bytes          1000 bytes                0.001 x",
                "steady failed: it crashed",
            ]
        );
    }

    #[test]
    fn the_report_names_machine_tools_and_misses() {
        let text = markdown(&example());
        for part in [
            "# Benchmarks of autojit 0.1.0, 2026-01-02\n",
            "quick run",
            "| processor | A processor, 2 cores |\n",
            "| load at the start | 0.25 |\n",
            "| clang | clang 22.1.8 |\n",
            "| start | start it | 1.00 ms (0.50 - 1.50) | 14.00 ms (13.50 - 14.50) | +13.00 ms | +12.00 ms | NO |\n",
            "| start | 9 | 3 | 2 | 5.0 | 4.5 | 0.25 |\n",
            "- steady: it crashed\n",
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
        for part in ["quick", "did not come", "runtime told"] {
            assert!(!text.contains(part), "'{part}' in:\n{text}");
        }
    }
}
