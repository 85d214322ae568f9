//! Methods of floating-point numbers become intrinsics, and only generated code calls the mathematics library, which
//! rustc has the linker keep only if somebody asks for it.
//# prints: double 0.997495 1.175892 5 1.1
//# prints: float 0.841471 2.718282 8
//# prints: rounded 2 3 2 -0.5

#[inline(never)]
fn doubles(n: f64) {
    println!("double {:.6} {:.6} {} {:.1}", (n + 0.5).sin(), (n + 0.1).powf(1.7), n.mul_add(2.0, 3.0), (n * 3.7) % 1.3);
}

#[inline(never)]
fn floats(n: f32) {
    println!("float {:.6} {:.6} {}", n.sin(), n.exp(), (n + 1.0).powi(3));
}

fn main() {
    let n = std::env::args().count() as f64;
    doubles(n);
    floats(n as f32);
    println!("rounded {} {} {} {}", (n + 1.4).round(), (n + 1.2).ceil(), (n + 1.8).floor(), (n - 2.5).fract());
}
