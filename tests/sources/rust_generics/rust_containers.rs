//! The library of rust_generics.rs.
#![crate_type = "rlib"]

pub trait Shape {
    fn area(&self) -> u32;
    fn name(&self) -> &'static str {
        "circle"
    }
}

#[inline(never)]
pub fn name_of(shape: &dyn Shape) -> &'static str {
    shape.name()
}

pub fn address() -> usize {
    name_of as fn(&dyn Shape) -> &'static str as usize
}

pub fn fold<T: Copy, A>(values: &[T], start: A, function: impl Fn(A, T) -> A) -> A {
    values.iter().fold(start, |sum, value| function(sum, *value))
}

pub struct Stack<T>(Vec<T>);

impl<T> Default for Stack<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Stack<T> {
    pub fn push(&mut self, value: T) {
        self.0.push(value);
    }

    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }
}
