//! A panic that nobody catches: exit status 101.
//# prints: before
//# prints: hook: the end
//# exit: 101
fn deeper(depth: u32) -> u32 {
    if depth == 0 { panic!("the end") } else { deeper(depth - 1) + 1 }
}

fn main() {
    std::panic::set_hook(Box::new(|info| println!("hook: {}", info.payload_as_str().unwrap_or("?"))));
    println!("before");
    println!("never printed {}", deeper(std::hint::black_box(5)));
}
