//! How the program enters the runtime: exported symbols, images that register, first calls, forks.

#[cfg(not(feature = "static"))]
mod confine;
#[cfg_attr(feature = "static", path = "exports_static.rs")]
pub mod exports;
mod forks;
pub mod lifecycle;
mod listeners;
#[cfg(not(feature = "static"))]
mod locked;
mod report;
mod resolver;
mod summary;
mod timeline;
