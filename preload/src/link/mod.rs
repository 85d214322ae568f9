//! Code becomes that of its functions, and everything that asks about code in a process hears of it.

#[cfg(not(feature = "static"))]
pub mod addresses;
pub mod attached;
pub mod debugger;
pub mod kept_lines;
pub mod lines;
pub mod listeners;
pub mod live;
pub mod names;
#[cfg(not(feature = "static"))]
pub mod objects;
pub mod perf;
pub mod publish;
#[cfg_attr(feature = "static", path = "unwind_static.rs")]
pub mod unwind;
pub mod unwinders;
