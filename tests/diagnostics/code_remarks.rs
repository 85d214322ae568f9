//! Remarks of the compiler.
//# try: -Copt-level=2 -g -Cremark=all
//# says: size-info (analysis)
#[inline]
fn add(a: u32, b: u32) -> u32 { a.wrapping_add(b) }
#[unsafe(no_mangle)]
pub fn twice(x: u32) -> u32 { add(x, x) }
