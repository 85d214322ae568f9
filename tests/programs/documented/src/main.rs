//! A program for the commands of the documentation.

fn answer() -> u32 {
    42
}

fn main() {
    println!("{}", answer());
}

#[test]
fn answers() {
    assert_eq!(answer(), 42);
}
