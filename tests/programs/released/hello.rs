//! A program that is compiled lazily: tests/tests/release.rs.

fn twice(n: i32) -> i32 {
    2 * n
}

fn main() {
    println!("{}", twice(21));
}
