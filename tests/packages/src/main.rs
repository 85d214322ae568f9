//! A program with the dependencies of many: argument parsing, regular expressions, JSON, threads, a caught panic.

use std::collections::BTreeMap;
use std::thread;

use clap::{Parser, ValueEnum};
use regex::Regex;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Name,
    Count,
}

/// Counts the words of a text.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The text.
    text: String,
    /// What a word is.
    #[arg(long, default_value = r"\w+")]
    word: String,
    /// How to sort.
    #[arg(long, value_enum, default_value = "name")]
    order: Order,
    /// Words with so many letters at least.
    #[arg(short, long, default_value_t = 1)]
    letters: usize,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    words: BTreeMap<String, u32>,
    longest: Option<String>,
    share: f64,
}

fn report(arguments: &Arguments, pattern: &Regex) -> Report {
    let mut words = BTreeMap::new();
    let found = pattern.find_iter(&arguments.text).map(|word| word.as_str().to_lowercase());
    for word in found.filter(|word| word.chars().count() >= arguments.letters) {
        *words.entry(word).or_insert(0) += 1;
    }
    let longest = words.keys().max_by_key(|word| word.len()).cloned();
    let letters: usize = words.keys().map(String::len).sum();
    Report { words, longest, share: letters as f64 / arguments.text.len() as f64 }
}

fn first_line(text: Option<&str>) -> &str {
    text.and_then(|text| text.lines().next()).unwrap_or("?")
}

fn main() {
    std::panic::set_hook(Box::new(|info| println!("hook: {}", first_line(info.payload_as_str()))));
    let arguments = Arguments::parse();
    let pattern = Regex::new(&arguments.word).unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(3)
    });
    let report = report(&arguments, &pattern);
    let mut sorted: Vec<_> = report.words.iter().collect();
    if let Order::Count = arguments.order {
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    }
    println!("{:?} {sorted:?}", arguments.order);
    let text = serde_json::to_string_pretty(&report).expect("it has string keys");
    println!("{text}");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("it is ours"), report);
    println!("{}", serde_json::from_str::<Report>("{\"words\": [1, 2]}").expect_err("a list is no map"));
    let failed = std::panic::catch_unwind(|| Regex::new("(").expect("never a pattern")).expect_err("it panics");
    println!("caught {}", first_line(failed.downcast_ref::<String>().map(String::as_str)));
    let threads: Vec<_> = (0..4)
        .map(|i| {
            let (pattern, text) = (pattern.clone(), arguments.text.repeat(i + 1));
            thread::spawn(move || pattern.find_iter(&text).count())
        })
        .collect();
    let counts: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("counting does not fail")).collect();
    println!("{counts:?}");
}
