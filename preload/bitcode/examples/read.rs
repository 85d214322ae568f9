//! How long it takes to read bitcode: opens each file named, reads all of its functions, and prints medians.

use std::hint::black_box;
use std::time::Instant;

use autojit_bitcode::{FunctionBody, Module};

fn rounds() -> usize {
    std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(31)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let module = Module::parse(&bytes).unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let mut body = FunctionBody::default();
        let (mut functions, mut instructions) = (0, 0);
        let bodies: Vec<u32> =
            (0..module.globals().len() as u32).filter(|&index| module.has_body(index)).collect();
        for &function in &bodies {
            if let Err(error) = module.read_function(function, &mut body) {
                let name =
                    String::from_utf8_lossy(module.name(&module.globals()[function as usize])).into_owned();
                println!("{path}: {name}: {error:?}");
            }
            functions += 1;
            instructions += body.instructions.len();
        }
        let (mut opening, mut reading) = (Vec::new(), Vec::new());
        for _ in 0..rounds() {
            let start = Instant::now();
            let module = black_box(Module::parse(black_box(&bytes)));
            opening.push(start.elapsed().as_secs_f64());
            let Ok(module) = module else { continue };
            let start = Instant::now();
            for &function in &bodies {
                let _ = black_box(module.read_function(function, &mut body));
            }
            reading.push(start.elapsed().as_secs_f64());
        }
        println!(
            "{path}: {} bytes, module {:.1} µs; {functions} functions, {instructions} instructions, {:.2} µs a function",
            bytes.len(),
            median(opening) * 1e6,
            median(reading) * 1e6 / f64::from(functions.max(1)),
        );
    }
}
