//! Where code comes from: the engine, autojitd, the baseline compiler, the cache.

pub mod baseline;
pub mod batch;
pub mod cache;
pub mod compiler;
pub mod counted;
pub mod daemon;
pub mod engine;
mod failures;
pub mod image_cache;
#[cfg_attr(feature = "static", path = "library_static.rs")]
pub mod library;
pub mod modules;
pub mod prepare;
mod ranked;
pub mod rest;
pub mod tier;
pub mod whole;
