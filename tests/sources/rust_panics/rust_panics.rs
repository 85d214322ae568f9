//! Panics across lazy and plain frames (the standard library's): caught, resumed, in threads, with payloads.
//# plain: rust_relay.rs
//# prints: hook: first
//# prints: caught first
//# prints: caught number 7
//# prints: through plain: from below
//# prints: plain caught: true
//# prints: thread panicked: in thread
//# prints: guards 3
//# prints: index: true
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

static GUARDS: AtomicU32 = AtomicU32::new(0);
struct Guard;
impl Drop for Guard {
    fn drop(&mut self) {
        GUARDS.fetch_add(1, Ordering::Relaxed);
    }
}

fn fails(message: &'static str) {
    let _guard = Guard;
    panic!("{}", message);
}

fn main() {
    // The standard hook prints the thread's number, which is different in each run.
    panic::set_hook(Box::new(|info| println!("hook: {}", info.payload_as_str().unwrap_or("?"))));
    let caught = panic::catch_unwind(|| fails("first")).unwrap_err();
    println!("caught {}", caught.downcast_ref::<String>().unwrap());
    let caught = panic::catch_unwind(|| panic::resume_unwind(Box::new(7_i32))).unwrap_err();
    println!("caught number {}", caught.downcast_ref::<i32>().unwrap());
    let caught = panic::catch_unwind(|| rust_relay::relay(&mut || fails("from below"))).unwrap_err();
    println!("through plain: {}", caught.downcast_ref::<String>().unwrap());
    println!("plain caught: {}", rust_relay::catches(AssertUnwindSafe(|| fails("from above"))));
    let caught = thread::spawn(|| panic!("in thread")).join().unwrap_err();
    println!("thread panicked: {}", caught.downcast_ref::<&str>().unwrap());
    println!("guards {}", GUARDS.load(Ordering::Relaxed));
    let numbers = vec![1, 2, 3];
    println!("index: {}", panic::catch_unwind(|| numbers[std::hint::black_box(3)]).is_err());
}
