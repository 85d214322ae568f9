//! Results as a bar chart: for each measurement how many times the plain build's figure the lazy build's is.
//!
//! Receives results; hands on SVG. Bars begin at 1, where both are alike: to the left the lazy build takes less. The
//! scale is logarithmic, so that half and double are bars of the same length.

use std::fmt::Write;

use crate::results::{Measurement, Results};

/// Sizes in pixels.
const ROW: f64 = 18.0;
const LABELS: f64 = 330.0;
const BARS: f64 = 420.0;
const VALUES: f64 = 70.0;
const TOP: f64 = 46.0;

/// The chart.
pub fn svg(results: &Results) -> String {
    let ratios: Vec<(&Measurement, f64)> = results.measurements.iter().map(|m| (m, ratio(m))).collect();
    let reach = |ratio: &f64| ratio.log10().abs();
    // Up to a whole power of ten, at least one.
    let decades = ratios.iter().map(|(_, ratio)| reach(ratio)).fold(1.0, f64::max).ceil();
    let x = |ratio: f64| LABELS + BARS / 2.0 * (1.0 + ratio.log10() / decades);
    let (width, height) = (LABELS + BARS + VALUES, TOP + ROW * ratios.len() as f64 + 10.0);
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
    for power in -(decades as i32)..=decades as i32 {
        let (at, label) = (x(10_f64.powi(power)), 10_f64.powi(power));
        line(format_args!(
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{height}\" stroke=\"{}\"/>",
            if power == 0 { "#444" } else { "#ddd" }
        ));
        line(format_args!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", TOP - 6.0));
    }
    for (row, (measurement, ratio)) in ratios.iter().enumerate() {
        let top = TOP + ROW * row as f64;
        let (left, right) = (x(ratio.min(1.0)), x(ratio.max(1.0)));
        let colour = if *ratio <= 1.0 { "#3a7d44" } else { "#c2703d" };
        line(format_args!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LABELS - 8.0,
            top + 13.0,
            escaped(&measurement.title)
        ));
        line(format_args!(
            "<rect x=\"{left:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>",
            top + 3.0,
            (right - left).max(1.0),
            ROW - 6.0
        ));
        line(format_args!("<text x=\"{}\" y=\"{}\">{ratio:.2}</text>", LABELS + BARS + 8.0, top + 13.0));
    }
    line(format_args!("</svg>"));
    text
}

fn ratio(measurement: &Measurement) -> f64 {
    // Neither is ever 0: times and sizes of something that ran.
    (measurement.lazy.median / measurement.plain.median).clamp(1e-6, 1e6)
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
        let middle = LABELS + BARS / 2.0;
        let bars: Vec<_> = text.lines().filter(|line| line.starts_with("<rect x=")).collect();
        assert_eq!(bars.len(), 3);
        let start = |bar: &str| bar[9..].split('"').next().unwrap().parse::<f64>().unwrap();
        // 0.75 of plain, 14 times plain, 0.0005 of plain.
        assert!(start(bars[0]) < middle && bars[0].contains("#3a7d44"), "{}", bars[0]);
        assert!((start(bars[1]) - middle).abs() < 0.1 && bars[1].contains("#c2703d"), "{}", bars[1]);
        assert!(start(bars[2]) < start(bars[0]), "{}", bars[2]);
        for part in ["14.00</text>", "compile it</text>", "</svg>"] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
    }

    #[test]
    fn names_cannot_break_the_markup() {
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
    }
}
