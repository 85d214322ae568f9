//! The object cache: where compiled code is kept for later runs, and what enters its keys. docs/cache-format.md
//! describes the files.
//!
//! Receives units of code, from the runtime that has compiled them or from autojitd ([`Writer`]); hands on the
//! bytes of files ([`Directory`]), which the runtime binds.
//!
//! This crate lives inside other people's processes: it makes raw system calls only.

mod contents;
mod directory;
pub mod profile;
mod writer;

use std::collections::BTreeSet;

use autojit_abi::{BASELINE, GENERATOR};
use autojit_code::pack::{self, Key};
use autojit_code::{Symbol, Unit};
use autojit_generator::Id;
use autojit_store::{Container, FunctionKind};

pub use contents::CachedFile;
pub use directory::{Directory, Kind};
pub use writer::{Pending, Writer};

/// The key of the code that a generator makes of a module: everything that determines it. `module` is the key of its
/// container, `level` the optimisation level that replaces the build's, -1 for none.
pub fn key_of(generator: &Id, module: &autojit_store::Key, level: i32) -> Key {
    let version = pack::VERSION.to_le_bytes();
    let (level, parts) = (level.to_le_bytes(), [b"autojit code", &version[..], generator, module]);
    match *generator {
        // It knows no levels.
        BASELINE => autojit_store::digest(&parts),
        _ => autojit_store::digest(&[parts[0], parts[1], parts[2], parts[3], &level]),
    }
}

/// Of which modules an image pack may have the baseline compiler's code. The rest is the engine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaselineCode {
    /// Of none.
    None,
    /// Of those that are not to be optimised.
    Unoptimised,
    /// Of all.
    All,
}

/// The key of the pack of the image with this path. What is in it is known by the keys of its modules.
pub fn key_of_image(path: &str, level: i32, baseline: BaselineCode) -> Key {
    let version = pack::VERSION.to_le_bytes();
    let path = path.as_bytes();
    let generator = match baseline {
        BaselineCode::None => GENERATOR,
        BaselineCode::Unoptimised => autojit_store::digest(&[&GENERATOR, &BASELINE, b"unoptimised"]),
        BaselineCode::All => autojit_store::digest(&[&GENERATOR, &BASELINE]),
    };
    autojit_store::digest(&[b"autojit image", &version, &generator, &level.to_le_bytes(), path])
}

/// Those functions in `unit` that only their own module can name.
pub fn local_functions(container: &Container<'_>, unit: &Unit<'_>) -> BTreeSet<u32> {
    let indices = unit.functions.iter().filter_map(|function| match function.symbol {
        Symbol::Function(index) => Some(index),
        _ => None,
    });
    let is_local =
        |index: &u32| container.function(*index).is_some_and(|info| info.kind == FunctionKind::Local);
    indices.filter(is_local).collect()
}
