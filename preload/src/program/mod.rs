//! What has registered: images, their modules, functions and their states, and what names stand for.

pub mod attachment;
pub mod fork;
pub mod function;
pub mod image;
pub mod missing;
pub mod module;
pub mod process;
pub mod symbols;
pub mod unwind_table;
pub mod version;
