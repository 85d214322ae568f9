//! The object cache: where compiled code is kept for later runs, and what enters its keys. docs/cache-format.md
//! describes the files.
//!
//! Receives units of code, from the runtime that has compiled them or from autojitd ([`Writer`]); hands on the
//! bytes of files ([`Directory`]), which the runtime binds.
//!
//! This crate lives inside other people's processes: it makes raw system calls only.

pub mod by_content;
mod contents;
mod directory;
mod lacking;
mod live;
pub mod profile;
mod waited;
mod writer;

use std::collections::BTreeSet;

use autojit_abi::{BASELINE, GENERATOR};
use autojit_code::pack::{self, Key};
use autojit_code::{Symbol, Unit};
use autojit_generator::Id;
use autojit_store::{Container, FunctionKind};

pub use contents::CachedFile;
pub use directory::{Directory, Kind};
pub use live::LiveFile;
pub use waited::Waited;
pub use writer::{Pending, Writer};

/// The key of the code that a generator makes of a module: everything that determines it. `module` is the key of its
/// container, `level` the optimisation level that replaces the build's, -1 for none.
pub fn key_of(generator: &Id, module: &autojit_store::Key, level: i32) -> Key {
    // It knows no levels.
    let level = if *generator == BASELINE { -1 } else { level };
    let mut text = [0; 4 + size_of::<Id>() + 4];
    text[..4].copy_from_slice(&pack::VERSION.to_le_bytes());
    text[4..4 + size_of::<Id>()].copy_from_slice(generator);
    text[4 + size_of::<Id>()..].copy_from_slice(&level.to_le_bytes());
    // The key of the container is a SHA-256, and stays as strong as one when a constant of few is added.
    let mask = pack::hash(&text);
    std::array::from_fn(|at| module[at] ^ mask[at])
}

/// The key of code of the baseline compiler that counts until code with the key `optimised` replaces it: each name of the
/// compiler has keys of its own, of which no digest need be made.
pub fn counted_key_of(optimised: &Key) -> Key {
    std::array::from_fn(|at| optimised[at] ^ BASELINE[at])
}

/// Of which modules an image pack may have the baseline compiler's code. The rest is the engine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaselineCode {
    /// Of none.
    None,
    /// Of those that are not to be optimised.
    Unoptimised,
    /// Of all: what is to be optimised counts.
    Counted,
    /// Of all.
    All,
}

/// The key of the pack of the image with this path. What is in it is known by the keys of its modules.
pub fn key_of_image(path: &str, level: i32, baseline: BaselineCode) -> Key {
    let (code, baseline): (&[u8], &[u8]) = match baseline {
        BaselineCode::None => (b"engine", &[]),
        BaselineCode::Unoptimised => (b"unoptimised", &BASELINE),
        BaselineCode::All => (b"all", &BASELINE),
        BaselineCode::Counted => (b"counts", &BASELINE),
    };
    let mut text = Vec::with_capacity(128 + path.len());
    for part in [&pack::VERSION.to_le_bytes(), &GENERATOR[..], code, baseline, &level.to_le_bytes()] {
        text.extend_from_slice(part);
    }
    text.extend_from_slice(path.as_bytes());
    // Each later run of a program begins with it, or with that of a module. SHA-256 would ask the processor what it can do,
    // which takes a virtual machine tens of microseconds.
    pack::hash(&text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_have_files_for_each_generator_and_level() {
        let mut keys = BTreeSet::new();
        for module in [[0; 32], [1; 32], std::array::from_fn(|at| at as u8)] {
            for level in [-1, 0, 1, 2, 3] {
                keys.insert(key_of(&GENERATOR, &module, level));
                keys.insert(counted_key_of(&key_of(&GENERATOR, &module, level)));
                // One for all levels.
                keys.insert(key_of(&BASELINE, &module, level));
            }
        }
        assert_eq!(keys.len(), 3 * (5 + 5 + 1));
    }

    #[test]
    fn images_have_packs_of_their_own() {
        let mut keys = BTreeSet::new();
        for path in ["/bin/a", "/bin/b", ""] {
            for level in [-1, 0, 2] {
                for baseline in [BaselineCode::None, BaselineCode::Unoptimised, BaselineCode::All] {
                    keys.insert(key_of_image(path, level, baseline));
                }
            }
        }
        assert_eq!(keys.len(), 27);
        assert_eq!(
            key_of_image("/bin/a", 2, BaselineCode::All),
            key_of_image("/bin/a", 2, BaselineCode::All)
        );
        let key = key_of_image("/bin/a", 2, BaselineCode::All);
        let words: BTreeSet<_> = key.chunks(8).collect();
        assert_eq!(words.len(), 4);
    }
}
