//! Compiles all functions of bitcode files and reports how many were refused, why, and what each took.
//!
//! `cargo run --release -p autojit-baseline --example coverage -- [--together] FILE.bc…`: with `--together`, one table of
//! all files.

use std::collections::BTreeMap;
use std::time::Duration;

use autojit_baseline::Baseline;
use autojit_bitcode::{BitcodeModule, FunctionBody};

/// Examples of each reason that are printed.
const EXAMPLES: usize = 3;

#[derive(Default)]
struct Totals {
    compiled: usize,
    instructions: usize,
    text: usize,
    read: Duration,
    compile: Duration,
    refused: BTreeMap<String, Vec<String>>,
}

fn main() {
    let mut paths: Vec<String> = std::env::args().skip(1).collect();
    let together = paths.first().is_some_and(|first| first == "--together");
    if together {
        paths.remove(0);
    }
    let mut all = Totals::default();
    for path in &paths {
        match measure(path) {
            Ok(totals) if together => all.add(totals),
            Ok(totals) => report(path, &totals),
            Err(error) => println!("{path}: {error}"),
        }
    }
    if together {
        report(&format!("{} files", paths.len()), &all);
    }
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.compiled += other.compiled;
        self.instructions += other.instructions;
        self.text += other.text;
        self.read += other.read;
        self.compile += other.compile;
        for (reason, names) in other.refused {
            self.refused.entry(reason).or_default().extend(names);
        }
    }
}

/// What this thread has had of a processor: other processes do not count.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is ours to be written.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn measure(path: &str) -> Result<Totals, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(path)?;
    let module = BitcodeModule::parse(&bytes).map_err(|error| format!("{error:?}"))?;
    let mut baseline = Baseline::new(&module);
    let mut body = FunctionBody::default();
    let mut totals = Totals::default();
    for (index, global) in module.globals().iter().enumerate() {
        let index = index as u32;
        if !module.has_body(index) {
            continue;
        }
        let start = processor_time();
        module.read_function(index, &mut body).map_err(|error| format!("{error:?}"))?;
        let read = processor_time();
        let result = baseline.compile(&body, false);
        let compiled = processor_time() - read;
        totals.read += read - start;
        match result {
            Ok(code) => {
                totals.compile += compiled;
                totals.compiled += 1;
                totals.instructions += body.instructions.len();
                totals.text += code.text.len();
            }
            Err(refused) => {
                let name = String::from_utf8_lossy(module.name(global)).into_owned();
                totals.refused.entry(refused.to_string()).or_default().push(name);
            }
        }
    }
    Ok(totals)
}

fn report(path: &str, totals: &Totals) {
    let refused: usize = totals.refused.values().map(Vec::len).sum();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / totals.compiled.max(1) as f64;
    println!(
        "{path}: {} compiled, {refused} refused; {:.1} us a function to read, {:.1} us to compile; \
         {} instructions, {} bytes of code",
        totals.compiled,
        each(totals.read),
        each(totals.compile),
        totals.instructions,
        totals.text,
    );
    let mut reasons: Vec<_> = totals.refused.iter().collect();
    reasons.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    for (reason, names) in reasons {
        let examples: Vec<_> = names.iter().take(EXAMPLES).map(String::as_str).collect();
        println!("  {:6}  {reason}: {}", names.len(), examples.join(", "));
    }
}
