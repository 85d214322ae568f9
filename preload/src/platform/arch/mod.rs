//! What depends on the processor. Another one is another folder with the same functions.

mod x86_64;

pub use x86_64::prefetch;
