//! Backtraces of the standard library: names and lines of lazy functions, also of those that were first called after
//! the standard library had read what there was.
//# env: RUST_BACKTRACE=1
//# prints: hook: first
//# prints: has names: true
//# prints: has lines: true
//# prints: no name is missing: true
//# prints: deep
use std::backtrace::Backtrace;
use std::panic;

#[inline(never)]
fn deep(n: u32) -> u32 {
    // Not a loop for optimisers: the baseline compiler makes none of it.
    if n == 0 { panic!("first") } else { std::hint::black_box(deep(n - 1)) + 1 }
}

#[inline(never)]
fn checked(numbers: &[u32], index: usize) -> u32 {
    numbers[index]
}

struct Wrapper<T>(T);
impl<T: std::fmt::Debug> Wrapper<T> {
    #[inline(never)]
    fn fails(&self) -> String {
        let text = format!("{:?}", self.0);
        assert!(text.is_empty(), "third {text}");
        text
    }
}

/// The frames of the functions above, without numbers. Which others there are depends on what was inlined.
fn ours(text: &str) -> String {
    let mut lines = String::new();
    let mut inside = false;
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with("at ") {
            if inside {
                lines += &format!("  {line}\n");
            }
            continue;
        }
        inside = false;
        for name in ["deep", "checked", "fails"] {
            if line.ends_with(&format!("::{name}")) {
                // The mangling decides how much of the path is shown.
                lines += &format!("{name}\n");
                inside = true;
            }
        }
    }
    lines
}

fn main() {
    panic::set_hook(Box::new(|info| {
        println!("hook: {}", info.payload_as_str().unwrap_or("?"));
        print!("{}", ours(&Backtrace::force_capture().to_string()));
    }));
    // Each function is compiled after the backtrace before it.
    let _ = panic::catch_unwind(|| deep(2));
    let _ = panic::catch_unwind(|| checked(&[1, 2], std::hint::black_box(7)));
    let _ = panic::catch_unwind(|| Wrapper(1).fails());
    let thread = std::thread::Builder::new().name("worker".to_owned());
    let thread = thread.spawn(|| Wrapper("text").fails()).unwrap();
    let _ = thread.join();
    let text = Backtrace::force_capture().to_string();
    println!("has names: {}", text.contains("rust_backtraces::main"));
    println!("has lines: {}", text.contains("rust_backtraces.rs:") == cfg!(debug_assertions));
    println!("no name is missing: {}", !text.contains("<unknown>"));
}
