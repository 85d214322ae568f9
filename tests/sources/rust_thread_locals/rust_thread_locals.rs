//! thread_local! in the program and in a library crate: lazy and const values, destructors, access during them.
//# sources: rust_counters.rs
//# prints: main 1 2 library 10 11
//# prints: thread 1 1 library 10 10
//# prints: destructors first second
//# prints: gone false
//# prints: const 5 6
//# prints: main again 3 library 12
use std::cell::{Cell, RefCell};
use std::sync::Mutex;
use std::thread;

static LOG: Mutex<Vec<&str>> = Mutex::new(Vec::new());

struct Logged(&'static str);
impl Drop for Logged {
    fn drop(&mut self) {
        LOG.lock().unwrap().push(self.0);
        if COUNT.try_with(|count| count.get()).is_err() {
            LOG.lock().unwrap().push("gone");
        }
    }
}

/// Has a destructor, so that it can be gone.
struct Count(Cell<u32>);
impl Count {
    fn get(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}
impl Drop for Count {
    fn drop(&mut self) {
        std::hint::black_box(&self.0);
    }
}

thread_local! {
    static COUNT: Count = Count(Cell::new(0));
    static FIRST: RefCell<Option<Logged>> = const { RefCell::new(None) };
    static SECOND: Logged = Logged("second");
    static CONST: Cell<u32> = const { Cell::new(5) };
}

#[inline(never)]
fn next() -> u32 {
    COUNT.with(Count::get)
}

fn main() {
    println!("main {} {} library {} {}", next(), next(), rust_counters::next(), rust_counters::next());
    let line = thread::spawn(|| {
        let line = format!("thread {} {} library {} {}", next(), 1, rust_counters::next(), 10);
        SECOND.with(|_| ());
        FIRST.with(|first| *first.borrow_mut() = Some(Logged("first")));
        line
    });
    println!("{}", line.join().unwrap());
    let log: Vec<_> = std::mem::take(&mut *LOG.lock().unwrap());
    let order: Vec<_> = log.iter().copied().filter(|entry| *entry != "gone").collect();
    println!("destructors {}", order.join(" "));
    println!("gone {}", log.contains(&"gone"));
    let before = CONST.replace(6);
    println!("const {before} {}", CONST.get());
    println!("main again {} library {}", next(), rust_counters::next());
}
