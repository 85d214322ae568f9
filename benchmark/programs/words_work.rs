//! Counts words of a text that is made up, by length and in JSON. Does so again and again, in the manner of passes.h.

use std::collections::BTreeMap;
use std::io::Read;

use regex::Regex;
use serde::{Deserialize, Serialize};

#[derive(PartialEq, Serialize, Deserialize)]
struct Report {
    words: BTreeMap<String, u32>,
    letters: Vec<u64>,
}

fn text(mut seed: u32) -> String {
    let mut text = String::new();
    for _ in 0..400_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let word = seed >> 8;
        text.push_str(["ab", "longer", "é", "Words"][(word % 4) as usize]);
        text.push_str(&(word / 4 % 300).to_string());
        text.push_str(["-", " ", ",\n", "' "][(word / 1200 % 4) as usize]);
    }
    text
}

fn work() -> usize {
    let pattern = Regex::new(r"(?i)[[:alpha:]]+(\d+)'?").expect("a pattern");
    let mut sum = 0;
    for round in 0..12 {
        let text = text(round);
        let mut report = Report { words: BTreeMap::new(), letters: vec![0; 16] };
        for word in pattern.captures_iter(&text) {
            *report.words.entry(word[0].to_lowercase()).or_default() += word[1].len() as u32;
            report.letters[word[0].chars().filter(|letter| letter.is_alphabetic()).count() % 16] += 1;
        }
        let json = serde_json::to_string_pretty(&report).expect("it has string keys");
        assert!(serde_json::from_str::<Report>(&json).expect("it is ours") == report);
        sum = (sum * 31 + json.bytes().map(usize::from).sum::<usize>()) % 1_000_003;
    }
    sum
}

/// Milliseconds of processor time of the main thread.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts it");
    text.split(' ').next().and_then(|time| time.parse().ok()).map_or(0.0, |time: f64| time / 1e6)
}

fn main() {
    let mut more: usize = std::env::var("PASSES").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    loop {
        let start = processor_time();
        let result = work();
        println!("{:.3} {result}", processor_time() - start);
        more = more.saturating_sub(1);
        if more == 0 && std::io::stdin().read(&mut [0]).unwrap_or(0) == 0 {
            break;
        }
    }
}
