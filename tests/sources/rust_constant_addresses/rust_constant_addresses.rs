//! Promoted constants, string literals and vtables of a codegen unit have one address, as `ptr::eq` sees it.
//# flags: -Ccodegen-units=1
//# prints: text true true
//# prints: promoted true true
//# prints: array true
//# prints: vtable true true false
//# prints: list 10
//# stats: compiled >= 8
use std::fmt::Display;
use std::hint::black_box;
use std::rc::Rc;

const TEXT: &str = "a text that is compared";
static TEXTS: [&str; 2] = ["in data", "and more"];

#[inline(never)]
fn text() -> &'static str {
    TEXT
}
#[inline(never)]
fn promoted() -> &'static Option<u64> {
    &Some(41)
}
#[inline(never)]
fn array(at: usize) -> &'static [u16] {
    const ALL: &[u16] = &[1, 2, 3, 4, 5, 6, 7, 8, 9];
    &ALL[at..]
}
#[inline(never)]
fn displayed(value: &u32) -> &dyn Display {
    value
}
#[inline(never)]
fn shared(value: Rc<u32>) -> Rc<dyn Display> {
    value
}
#[inline(never)]
fn in_data(at: usize) -> &'static str {
    TEXTS[at]
}

fn main() {
    let texts: [fn() -> &'static str; 2] = black_box([text, text]);
    let data: fn(usize) -> &'static str = black_box(in_data);
    println!("text {} {}", std::ptr::eq(texts[0](), TEXT), std::ptr::eq(data(0), TEXTS[0]));
    let get: fn() -> &'static Option<u64> = black_box(promoted);
    println!("promoted {} {}", std::ptr::eq(get(), get()), get().is_some());
    let part: fn(usize) -> &'static [u16] = black_box(array);
    println!("array {}", std::ptr::eq(&part(0)[3], &part(3)[0]));
    let value = 5u32;
    let make: fn(&u32) -> &dyn Display = black_box(displayed);
    let share: fn(Rc<u32>) -> Rc<dyn Display> = black_box(shared);
    let other: Rc<dyn Display> = share(Rc::new(5));
    let here: &dyn Display = &value;
    #[allow(ambiguous_wide_pointer_comparisons)]
    let same = std::ptr::eq(make(&value), here);
    #[allow(ambiguous_wide_pointer_comparisons)]
    let shared = Rc::ptr_eq(&other, &(other.clone() as Rc<dyn Display>));
    println!("vtable {same} {shared} {}", std::ptr::addr_eq(make(&value), make(&6)));
    println!("list {}", part(0)[..4].iter().sum::<u16>());
}
