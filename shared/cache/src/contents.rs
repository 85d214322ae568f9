//! All that a cache has, for tools: counted, and removed. What else lies in its directory is left alone.

use std::ffi::CString;

use autojit_sys::{self as sys, Errno};

use crate::directory::{Directory, Kind, c_path, is_hex, stem};

/// A file of the cache.
#[derive(Debug)]
pub struct CachedFile {
    /// Where it is.
    pub path: CString,
    /// How large it is, in bytes.
    pub size: u64,
    /// What it holds; none if it is in the making.
    pub kind: Option<Kind>,
}

impl Directory {
    /// The files of the cache, those in the making too.
    pub fn contents(&self) -> Vec<CachedFile> {
        self.shards().iter().flat_map(|shard| files(shard)).collect()
    }

    /// Removes the files of the cache, and its directories unless something else is in them. Programs that run keep what
    /// they have mapped. Returns the files that could not be removed.
    pub fn clear(&self) -> Vec<(CString, Errno)> {
        let mut left = Vec::new();
        for shard in self.shards() {
            for file in files(&shard) {
                if let Err(error) = sys::remove(&file.path) {
                    left.push((file.path, error));
                }
            }
            // It may not be empty.
            let _ = sys::remove_directory(&c_path(&[&shard]));
        }
        for figures in [self.waited_path(), self.lacking_path()] {
            let _ = sys::remove(&figures);
        }
        let _ = sys::remove_directory(&c_path(&[self.path()]));
        left
    }

    fn shards(&self) -> Vec<Vec<u8>> {
        let names = sys::list(&c_path(&[self.path()])).unwrap_or_default();
        let shards = names.iter().filter(|name| is_hex(name, 1));
        shards.map(|name| [self.path(), b"/", name].concat()).collect()
    }
}

fn files(shard: &[u8]) -> Vec<CachedFile> {
    let names = sys::list(&c_path(&[shard])).unwrap_or_default();
    let ours = names.iter().filter(|name| stem(name).is_some() || in_the_making(name));
    let found = ours.filter_map(|name| {
        let path = c_path(&[shard, b"/", name]);
        let status = sys::status(&path).ok()?;
        let kind = Kind::ALL.into_iter().find(|kind| name.ends_with(kind.suffix()));
        status.is_a(libc::S_IFREG).then_some(CachedFile { path, size: status.size, kind })
    });
    found.collect()
}

fn in_the_making(name: &[u8]) -> bool {
    let number = name.strip_prefix(b".new.");
    number.is_some_and(|number| number.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.')))
}
