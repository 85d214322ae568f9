//! Generic and inline functions of another lazy crate, statics shared between crates, dynamic dispatch across them.
//# sources: rust_library.rs
//# prints: generic 3 2.5
//# prints: counter 1 2 3
//# prints: dynamic library main
//# prints: same function true
use rust_library::{Named, add, counter, name_of};

struct Here;
impl Named for Here {
    fn name(&self) -> String {
        "main".to_owned()
    }
}

fn main() {
    println!("generic {} {}", add(1, 2), add(1.0, 1.5));
    println!("counter {} {} {}", counter(), rust_library::counter_through_library(), counter());
    println!("dynamic {} {}", name_of(&rust_library::There), name_of(&Here));
    let function: fn() -> u32 = counter;
    println!("same function {}", std::hint::black_box(function) as usize == rust_library::counter_address());
    std::process::exit(0);
}
