//! Program tests: each program is built plainly and lazily, run both ways, and compared.
//!
//! `sources/<behaviour>/` holds one program each, with `//#` directives ([`directives`] is their manual). The build
//! script makes a `#[test]` of each program and optimisation level, named `<behaviour>::<level>`; the test calls
//! [`program::check`], which repeats it with each linker and each [`program::Mode`]. What does not fit that form
//! (linking, stripping, the launcher, damaged stores, whole packages) has a test file of its own in `tests/` and
//! uses the same parts: [`compile`] builds, [`run`] runs, [`stats`] and [`stubs`] tell whether a program was lazy.
//!
//! The tests use what `scripts/build` staged into `dist/`, and fail where it is missing. Everything they write goes
//! under the target directory; what a failed test wrote stays there.

pub mod cache;
pub mod compile;
pub mod daemon;
pub mod directives;
pub mod fake;
pub mod fresh;
pub mod installation;
pub mod kept;
pub mod links;
pub mod llvm;
pub mod packages;
pub mod parts;
pub mod preambles;
pub mod program;
pub mod random;
pub mod run;
pub mod scratch;
pub mod stats;
pub mod stubs;
pub mod terminal;
pub mod tiered;
