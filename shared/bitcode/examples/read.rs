//! How long it takes to read bitcode: opens each file named and reads all of its functions; prints processor times.

use std::hint::black_box;

use autojit_bitcode::{BitcodeModule, FunctionBody};

fn rounds() -> usize {
    std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(31)
}

/// The processor time of this thread so far, in microseconds: on a machine that does other things too, the clock lies.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: u64 = text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0);
    nanoseconds as f64 / 1e3
}

fn main() {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{path}: {error:?}"));
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
        let start = processor_time();
        for _ in 0..rounds() * 10 {
            let _ = black_box(BitcodeModule::parse(black_box(&bytes)));
        }
        let opening = (processor_time() - start) / (rounds() * 10) as f64;
        let start = processor_time();
        for _ in 0..rounds() {
            for &function in &bodies {
                let _ = black_box(module.read_function(function, &mut body));
            }
        }
        let reading = (processor_time() - start) / rounds() as f64;
        println!(
            "{path}: {} bytes, module {opening:.1} µs; {functions} functions, {instructions} instructions, {:.2} µs a function",
            bytes.len(),
            reading / f64::from(functions.max(1)),
        );
    }
}
