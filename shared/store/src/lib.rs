//! The container of a lazy module: its bitcode, with the names and kinds of its functions and imports.
//!
//! The plugin writes one per module ([`encode`]); the runtime reads its index and the engine its bitcode
//! ([`Container`]). It lies in the image's file ([`containers`] walks that section) or in a file of its own
//! ([`file_name`]). Bytes that come from a file are not trusted: every offset is checked, and checksums tell an
//! altered container before anything of it is used.
//!
//! All numbers are little endian. Layout:
//!
//! ```text
//!   0  magic "AJSTORE\0"            64  functions: u32             functions × 16: name, name length, import, kind,
//!   8  version: u32                 68  imports: u32                               flags
//!  12  opt speed: u8, size: u8, 0   72  strings: u32 (bytes)       imports × 8: name, name length
//!  16  total length: u64            76  source: u32, length: u32   symbols × 8: name hash (sorted), value
//!  24  key: SHA-256 of [56..total]  84  bitcode: u64 (unpacked)    pieces × 12: unpacked, packed, bodies
//!  56  index check: 8 bytes         92  packed: u64                strings
//!      XXH3 of [8..24] and          100 symbols: u32               packed pieces (zstd with checksum each)
//!      [64..packed data]            104 options: u32, length: u32  zeros to a multiple of 8
//!                                   112 pieces: u32, 0: u32
//! ```
//!
//! The bitcode is one piece, or cut: so that a function can be compiled without unpacking the bodies of all others, or what
//! describes them to debuggers. Then the pieces are the module's head, its metadata, what is between that and the bodies,
//! groups of bodies ([`Piece::bodies`] tells how many of them), notes of what was taken out of the bodies, what is behind them,
//! and the string table ([`Container::groups`]). If there are no notes, all behind one another are the bitcode; else they are
//! put back into the bodies before (`autojit_bitcode::join`).
//!
//! The string table is packed with the strings of the index as dictionary, which have most of it. All other pieces are packed
//! with a dictionary of this crate: what all modules begin and end with (the names of metadata kinds, attributes of
//! functions, data layout) would be most of a small module. It is part of the format.

#![forbid(unsafe_code)]

mod read;
mod write;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

pub use read::{Container, FunctionInfo, Unpacker, containers};
pub use write::{Contents, StoredFunction, encode, whole};

/// The container format's version. A reader takes its own version only.
pub const VERSION: u32 = 6;

/// A container's SHA-256.
pub type Key = [u8; 32];

const MAGIC: [u8; 8] = *b"AJSTORE\0";
/// Small modules as they are kept, the most frequent kind last: of Rust and C++ with debug information, of C with and
/// without it.
const DICTIONARY: &[u8] = include_bytes!("dictionary.bin");
const HEADER: usize = 120;
const START: std::ops::Range<usize> = 8..24;
const KEYED: usize = 56;
const INDEXED: usize = 64;
const FUNCTION: usize = 16;
const IMPORT: usize = 8;
const SYMBOL: usize = 8;
const PIECE: usize = 12;
/// The pieces of bitcode that was cut in front of the groups, and all that are no groups.
const FRONT: usize = 3;
const FIXED: usize = 6;
/// Containers follow one another at multiples of this.
const ALIGN: usize = 8;
/// In a symbol's value: the rest is the index of a function, not of an import.
const IS_FUNCTION: u32 = 1 << 31;
/// In a function's import field: none.
const NO_IMPORT: u32 = u32::MAX;
/// In a function's flags: [`FunctionInfo::interposable`].
const INTERPOSABLE: u8 = 1;

/// What can name a lazy function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FunctionKind {
    /// Only bodies of its own module.
    Local = 0,
    /// Bodies of any module that holds the same inline function: one copy serves an image. It has no stub.
    Inline = 1,
    /// Anything: it has a stub and a slot in the object, and an entry in the import table if bodies refer to it.
    Stub = 2,
}

/// The optimisation that the build asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptLevel {
    /// 0 to 3, as in -O0 to -O3.
    pub speed: u8,
    /// 0, 1 for -Os, 2 for -Oz.
    pub size: u8,
}

/// A piece of a module's bitcode: what is unpacked at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<T> {
    /// Its bytes, or how many they are.
    pub bytes: T,
    /// How many bodies of functions it is made of; 0 if it is no group.
    pub bodies: u32,
}

/// What a name means to a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// The function of this index.
    Function(u32),
    /// The import of this index, which is no function of the module.
    Import(u32),
}

/// Why bytes are not a usable container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// They end before the container does.
    Truncated {
        /// Bytes that should be there.
        wanted: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// They are something else.
    Magic,
    /// They are a container of another version.
    Version {
        /// That version.
        found: u32,
    },
    /// They were altered: this part does not match its checksum or contradicts itself.
    Damaged(&'static str),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated { wanted, found } => {
                write!(f, "the container is truncated: {found} of {wanted} bytes")
            }
            Self::Magic => write!(f, "this is no container of autojit"),
            Self::Version { found } => {
                write!(f, "the container has version {found}, this autojit reads version {VERSION}")
            }
            Self::Damaged(part) => write!(f, "the container is damaged: its {part} is not what was written"),
        }
    }
}

impl std::error::Error for Error {}

/// SHA-256 of `parts`, one behind the other.
pub fn digest(parts: &[&[u8]]) -> Key {
    use sha2::Digest;
    parts.iter().fold(sha2::Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
}

/// The name of the file that holds the container `key` in a store directory.
pub fn file_name(key: &Key) -> String {
    let mut name = String::with_capacity(key.len() * 2 + 4);
    for byte in key {
        for digit in [byte >> 4, byte & 15] {
            name.push(char::from_digit(digit.into(), 16).expect("a hexadecimal digit"));
        }
    }
    name + ".ajc"
}

/// The hash by which names are found: 8 bytes at a time, multiply and rotate. Names come from the container itself,
/// so nothing is gained by making them collide; readers compare the name anyway.
fn hash_name(name: &str) -> u32 {
    (hash(name.as_bytes()) >> 32) as u32
}

/// The same of bytes.
pub fn hash(name: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(FACTOR).rotate_left(29);
    let mut words = name.chunks_exact(8);
    let mut hash = name.len() as u64;
    for word in &mut words {
        hash = mix(hash, u64::from_le_bytes(word.try_into().expect("8 bytes")));
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    mix(mix(hash, u64::from_le_bytes(last)), 0)
}

/// Whether the piece of a number is the string table, the last of bitcode that was cut.
const fn is_strings(number: usize, pieces: usize) -> bool {
    pieces > 1 && number + 1 == pieces
}

/// The index check of a container: XXH3 of all that is neither key nor packed bitcode, with that of the start as seed. It is
/// against accidents; the key is of all bytes.
fn index_check(start: &[u8], index: &[u8]) -> [u8; 8] {
    xxh3_64_with_seed(index, xxh3_64(start)).to_le_bytes()
}

#[cfg(test)]
mod tests;
