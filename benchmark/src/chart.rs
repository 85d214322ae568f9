//! Results as a bar chart: for each program and level how many times the plain build's figure the lazy build's is, a
//! panel for each of the chief columns.
//!
//! Receives results; hands on SVG. Bars begin at 1, where both are alike: to the left the lazy build takes less. The
//! scale is logarithmic, so that half and double are bars of the same length.

use std::fmt::Write;

use crate::render::{CHIEF, ratio};
use crate::results::Results;

/// Sizes in pixels.
const ROW: f64 = 18.0;
const LABELS: f64 = 130.0;
const PANEL: f64 = 126.0;
const GAP: f64 = 10.0;
const TOP: f64 = 62.0;

/// From a hundredth to a hundredfold; bars for more end at the edge.
const DECADES: f64 = 2.0;

/// Where a ratio lies in a panel.
fn place(ratio: f64) -> f64 {
    PANEL / 2.0 * (1.0 + (ratio.log10() / DECADES).clamp(-1.0, 1.0))
}

/// The chart.
pub fn svg(results: &Results) -> String {
    let rows: Vec<_> = results.rows().collect();
    let width = LABELS + (PANEL + GAP) * CHIEF.len() as f64;
    let height = TOP + ROW * rows.len() as f64 + 8.0;
    let mut text = String::new();
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        // A String takes everything.
        let _ = writeln!(text, "{arguments}");
    };
    line(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"11\">"
    ));
    line(format_args!("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"));
    line(format_args!(
        "<text x=\"8\" y=\"18\" font-size=\"13\">autojit {}, {}: lazy build / plain build</text>",
        escaped(&results.version),
        escaped(&results.date)
    ));
    for (index, row) in rows.iter().enumerate() {
        let label = format!("{} -{}", row[0].program, row[0].level.name());
        let baseline = TOP + ROW * index as f64 + 13.0;
        line(format_args!(
            "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\">{}</text>",
            LABELS - 8.0,
            escaped(&label)
        ));
    }
    for (index, column) in CHIEF.iter().enumerate() {
        let left = LABELS + (PANEL + GAP) * index as f64;
        let middle = left + PANEL / 2.0;
        line(format_args!(
            "<text x=\"{middle}\" y=\"38\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>",
            column.heading()
        ));
        for mark in [0.01, 0.1, 1.0, 10.0, 100.0] {
            let (at, colour) = (left + place(mark), if mark == 1.0 { "#444" } else { "#ddd" });
            line(format_args!(
                "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{height}\" stroke=\"{colour}\"/>"
            ));
            line(format_args!(
                "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\" font-size=\"8\">{mark}</text>",
                TOP - 6.0
            ));
        }
        for (index, row) in rows.iter().enumerate() {
            let Some(measurement) = row.iter().find(|measurement| measurement.column == *column) else {
                continue;
            };
            let (value, top) = (measurement.ratio(), TOP + ROW * index as f64);
            let [from, to] = [value.min(1.0), value.max(1.0)].map(|end| left + place(end));
            // The figure stands on the other side of the middle.
            let (colour, at, anchor) = if value <= 1.0 {
                ("#3a7d44", middle + 4.0, "start")
            } else {
                ("#c2703d", middle - 4.0, "end")
            };
            line(format_args!(
                "<rect x=\"{from:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>",
                top + 3.0,
                (to - from).max(1.0),
                ROW - 6.0
            ));
            line(format_args!(
                "<text x=\"{at}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                top + 13.0,
                ratio(value)
            ));
        }
    }
    line(format_args!("</svg>"));
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn bars_lie_on_their_side_of_one() {
        let text = svg(&example());
        let bars: Vec<_> = text.lines().filter(|line| line.starts_with("<rect x=")).collect();
        assert_eq!(bars.len(), 3);
        let number = |bar: &str, name: &str| {
            let (_, rest) = bar.split_once(&format!(" {name}=\"")).unwrap();
            rest.split('"').next().unwrap().parse::<f64>().unwrap()
        };
        let middle = |panel: f64| LABELS + (PANEL + GAP) * panel + PANEL / 2.0;
        // 0.75 of plain, 0.0005 of plain, 14 times plain, each in its panel.
        let [compile, program, first] = bars.try_into().unwrap();
        let end = |bar: &str| number(bar, "x") + number(bar, "width");
        assert!((end(compile) - middle(0.0)).abs() < 0.2 && compile.contains("#3a7d44"), "{compile}");
        assert!((end(program) - middle(2.0)).abs() < 0.2, "{program}");
        assert!((number(program, "width") - PANEL / 2.0).abs() < 0.2, "no longer than the panel: {program}");
        assert!((number(first, "x") - middle(3.0)).abs() < 0.2 && first.contains("#c2703d"), "{first}");
        for part in ["14</text>", "tool -O0</text>", "compile</text>", "</svg>"] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
    }

    #[test]
    fn names_cannot_break_the_markup() {
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
    }
}
