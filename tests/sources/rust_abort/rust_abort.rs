//! With panic=abort a panic runs the hook and ends the process; destructors do not run.
//# flags: -Cpanic=abort
//# prints: before
//# prints: hook: number 4 in worker
//# exit: signal 6
use std::panic;

struct Guard;
impl Drop for Guard {
    fn drop(&mut self) {
        println!("dropped");
    }
}

#[inline(never)]
fn fails(number: u32) -> u32 {
    let _guard = Guard;
    if number > 3 { panic!("number {number}") } else { number }
}

fn main() {
    panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        println!("hook: {} in {}", info.payload_as_str().unwrap_or("?"), thread.name().unwrap_or("?"));
    }));
    println!("before {}", fails(3));
    println!("before");
    let worker = std::thread::Builder::new().name("worker".to_owned()).spawn(|| fails(4)).unwrap();
    println!("joined {}", worker.join().is_err());
}
