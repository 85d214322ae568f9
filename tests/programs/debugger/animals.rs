//! What gdb shows of this is compared between a plain and a lazy build.
use std::hint::black_box;
static mut VISITS: u32 = 5;
#[derive(Debug)]
enum Animal {
    Cat { lives: u8 },
    Dog(String),
}
fn weigh(animal: &Animal, factor: u32) -> u32 {
    let base = match animal {
        Animal::Cat { lives } => u32::from(*lives),
        Animal::Dog(name) => name.len() as u32,
    };
    base * factor
}
fn main() {
    let animals = vec![Animal::Cat { lives: 9 }, Animal::Dog("rex".into())];
    let mut total = 0;
    for animal in &animals {
        total += weigh(black_box(animal), 2);
    }
    unsafe { VISITS += 1 };
    println!("{total} {:?}", animals[0]);
}
