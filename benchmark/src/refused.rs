//! The table of functions that the baseline compiler left to the engine. It is meant to shrink.

use serde_json::Value;

use crate::results::Results;

/// A row for each first run in which the baseline compiler took part: how many functions it compiled and refused, how long
/// each took until it was published, and why those were refused.
pub fn table(results: &Results) -> Vec<Vec<String>> {
    let mut table = vec![
        ["measurement", "compiled by it", "µs each", "refused", "share", "reasons"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for measurement in &results.measurements {
        let Some(told) = &measurement.statistics else { continue };
        let compiled = told["baseline"].as_u64().unwrap_or(0);
        let mut reasons: Vec<(&str, u64)> = told["refused"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(reason, count)| (reason.as_str(), Value::as_u64(count).unwrap_or(0)))
            .collect();
        reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
        let refused: u64 = reasons.iter().map(|(_, count)| count).sum();
        if compiled + refused == 0 {
            continue;
        }
        let share = 100.0 * refused as f64 / (compiled + refused) as f64;
        let each = told["baseline_ms"].as_f64().unwrap_or(0.0) * 1e3 / (compiled + refused) as f64;
        let reasons: Vec<_> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        table.push(vec![
            measurement.name(),
            compiled.to_string(),
            format!("{each:.1}"),
            refused.to_string(),
            format!("{share:.1} %"),
            reasons.join(", "),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::results::tests::example;

    #[test]
    fn refusals_are_listed_with_the_most_frequent_first() {
        let mut results = example();
        assert_eq!(table(&results).len(), 1, "nothing was refused, and nothing compiled by it");
        let told =
            json!({"baseline": 97, "baseline_ms": 3.456, "refused": {"type half": 1, "inline assembly": 2}});
        let measurement = results.measurements.iter_mut().find(|it| it.statistics.is_some());
        measurement.expect("the example has one").statistics = Some(told);
        let table = table(&results);
        assert_eq!(
            table[1..],
            [["tool-O0-first", "97", "34.6", "3", "3.0 %", "2 inline assembly, 1 type half"]
                .map(str::to_owned)
                .to_vec()]
        );
    }
}
