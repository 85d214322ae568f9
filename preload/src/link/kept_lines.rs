//! Lines of code that came from the object cache.

use autojit_cache::Kind;
use autojit_code::pack::{self, Key};
use autojit_code::unit::Lines;

/// The lines of code that was bound. They are mapped with it, so that they are there when they are asked for, whatever has
/// become of the file; they are not read before. Files of names are made of them, so their bytes stay for ever.
#[derive(Clone, Copy, Debug)]
pub struct KeptLines {
    /// The bytes.
    pub content: &'static [u8],
    /// The key of the file that they belong to.
    pub key: Key,
    /// The generation of the code.
    pub generation: u64,
    /// What kind of file the code is in.
    pub with: Kind,
    /// What is to be done if they are damaged.
    pub damaged: fn(&Self),
}

impl KeptLines {
    /// What they are. None if they are damaged.
    pub fn read(&self) -> Vec<Lines<'static>> {
        pack::decode_lines(self.content, &self.key, self.generation).unwrap_or_else(|| {
            (self.damaged)(self);
            Vec::new()
        })
    }
}
