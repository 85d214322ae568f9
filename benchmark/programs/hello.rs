//! The smallest program in Rust that does what most do: a string, a container, formatted output.

fn main() {
    let mut words = vec!["world".to_owned(), "hello".to_owned()];
    words.sort();
    println!("{}", words.join(", "));
}
