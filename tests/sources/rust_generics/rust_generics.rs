//! Generic functions, trait objects and closures in many codegen units and two crates.
//# sources: rust_containers.rs
//# flags: -Ccodegen-units=16
//# prints: sums 6 6.5 abc
//# prints: shapes square 4 circle 3 boxed square 9
//# prints: any 5 text none
//# prints: closures 11 22 33 captured 3
//# prints: stack 3 2 1
//# prints: sorted [("a", 1), ("b", 2), ("c", 3)]
//# prints: same function true
//# prints: drops 4
//# stats: modules >= 4
use rust_containers::{Shape, Stack, fold, name_of};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

mod shapes {
    use rust_containers::Shape;

    pub struct Square(pub u32);
    impl Shape for Square {
        fn area(&self) -> u32 {
            self.0 * self.0
        }
        fn name(&self) -> &'static str {
            "square"
        }
    }

    pub struct Circle;
    impl Shape for Circle {
        fn area(&self) -> u32 {
            3
        }
    }
}

mod values {
    pub fn describe(value: &dyn std::any::Any) -> String {
        if let Some(number) = value.downcast_ref::<u32>() {
            number.to_string()
        } else if let Some(text) = value.downcast_ref::<&str>() {
            (*text).to_owned()
        } else {
            "none".to_owned()
        }
    }
}

mod closures {
    pub fn make(by: u32) -> Vec<Box<dyn Fn(u32) -> u32>> {
        (1..4).map(|n| Box::new(move |x| x * n + by * n) as Box<dyn Fn(u32) -> u32>).collect()
    }

    pub fn call_mut(mut function: impl FnMut()) {
        (0..3).for_each(|_| function());
    }
}

static DROPS: AtomicU32 = AtomicU32::new(0);
#[derive(Clone)]
struct Counted;
impl Drop for Counted {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() {
    println!(
        "sums {} {} {}",
        fold(&[1, 2, 3], 0, |a, b| a + b),
        fold(&[1.5, 5.0], 0.0, |a, b| a + b),
        fold(&["a", "b", "c"], String::new(), |a, b| a + b)
    );
    let shapes: [&dyn Shape; 2] = [&shapes::Square(2), &shapes::Circle];
    let text: Vec<_> = shapes.iter().map(|shape| format!("{} {}", name_of(*shape), shape.area())).collect();
    let boxed: Box<dyn Shape> = Box::new(shapes::Square(3));
    println!("shapes {} boxed {} {}", text.join(" "), boxed.name(), boxed.area());
    let any: [&dyn Any; 3] = [&5_u32, &"text", &1.0];
    println!("any {}", any.map(values::describe).join(" "));
    let mut captured = 0;
    closures::call_mut(|| captured += 1);
    let results: Vec<_> = closures::make(10).iter().map(|function| function(1).to_string()).collect();
    println!("closures {} captured {captured}", results.join(" "));
    let mut stack = Stack::default();
    (1..4).for_each(|n| stack.push(n));
    let popped: Vec<_> = std::iter::from_fn(|| stack.pop()).map(|n: i64| n.to_string()).collect();
    println!("stack {}", popped.join(" "));
    let map: BTreeMap<_, _> = [("c", 3), ("a", 1), ("b", 2)].into();
    println!("sorted {:?}", map.into_iter().collect::<Vec<_>>());
    let function: fn(&dyn Shape) -> &'static str = name_of;
    println!("same function {}", std::hint::black_box(function) as usize == rust_containers::address());
    drop(vec![Counted; 3]);
    println!("drops {}", DROPS.load(Ordering::Relaxed) + u32::from(std::mem::needs_drop::<Counted>()));
}
