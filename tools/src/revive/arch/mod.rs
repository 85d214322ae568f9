//! What depends on the processor. Another one is another file with the same names.

mod x86_64;

pub use x86_64::*;
