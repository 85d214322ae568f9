//! Traits, generics, closures, collections, formatting, iterators, drop order.
//# prints: shapes 12.57 6.00
//# prints: words {"a": 2, "b": 1}
//# prints: closure 15
//# prints: dropped two
//# prints: parsed Ok(7) Err(ParseIntError { kind: InvalidDigit })
//# prints: sorted ["fig", "apple", "banana"]
use std::collections::BTreeMap;
use std::fmt::Debug;

trait Shape {
    fn area(&self) -> f64;
}
struct Circle(f64);
struct Rectangle(f64, f64);
impl Shape for Circle {
    fn area(&self) -> f64 {
        self.0 * self.0 * 3.14159
    }
}
impl Shape for Rectangle {
    fn area(&self) -> f64 {
        self.0 * self.1
    }
}

struct Noisy(&'static str);
impl Drop for Noisy {
    fn drop(&mut self) {
        println!("dropped {}", self.0);
    }
}

fn show<T: Debug>(name: &str, value: T) {
    println!("{name} {value:?}");
}

fn main() {
    let shapes: Vec<Box<dyn Shape>> = vec![Box::new(Circle(2.0)), Box::new(Rectangle(2.0, 3.0))];
    println!("shapes {:.2} {:.2}", shapes[0].area(), shapes[1].area());
    let mut words = BTreeMap::new();
    for word in "a b a".split(' ') {
        *words.entry(word).or_insert(0) += 1;
    }
    show("words", &words);
    let base = 5;
    let closure = |x: i32| x + base;
    println!("closure {}", (0..10).filter(|x| x % 2 == 0).map(closure).max().unwrap_or(0) + 2);
    let one = Noisy("one");
    {
        let _two = Noisy("two");
    }
    drop(one);
    println!("parsed {:?} {:?}", "7".parse::<u8>(), "x".parse::<u8>());
    let mut fruit = vec!["banana", "apple", "fig"];
    fruit.sort_by_key(|name| name.len());
    show("sorted", fruit);
}
