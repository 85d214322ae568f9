//! The programs of `sources/`, one test for each optimisation level; the build script lists them.

include!(concat!(env!("OUT_DIR"), "/programs.rs"));
