//! What something kept was made from: the record that is checked before each use.
//!
//! A manifest lists every path that the compiler looked at while it was made, and what was there: files by identity
//! (inode, size, times), directories, and names at which there was nothing. It holds if all is as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity([u64; 8]);

impl Identity {
    /// The identity of what `metadata` describes.
    pub fn of(metadata: &Metadata) -> Self {
        Self([
            metadata.dev(),
            metadata.ino(),
            metadata.mode().into(),
            metadata.size(),
            metadata.mtime() as u64,
            metadata.mtime_nsec() as u64,
            metadata.ctime() as u64,
            metadata.ctime_nsec() as u64,
        ])
    }

    /// When it changed last, in nanoseconds since 1970. Programs cannot set this time.
    pub fn changed(&self) -> i128 {
        i128::from(self.0[6] as i64) * 1_000_000_000 + i128::from(self.0[7])
    }

    /// As bytes, for keys and files.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// What was at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A directory, of which only that it is there matters.
    Directory,
    /// A file, of which only that matters.
    File,
    /// A file, or a directory whose names were read.
    Exactly(Identity),
}

impl Found {
    /// What is at `path` now; None if that cannot be told, or is no file or directory.
    pub fn at(path: &Path, listed: bool) -> Option<Self> {
        match path.metadata() {
            Ok(found) if found.is_file() || found.is_dir() && listed => {
                Some(Self::Exactly(Identity::of(&found)))
            }
            Ok(found) if found.is_dir() => Some(Self::Directory),
            Ok(_) => None,
            Err(error) if is_missing(&error) => Some(Self::Nothing),
            Err(_) => None,
        }
    }

    /// As much of what is there as `other` knows of it.
    pub fn as_known(self, other: Self) -> Self {
        if other == Self::File && matches!(self, Self::Exactly(_)) { Self::File } else { self }
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// A directory in which nothing has these names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Without {
    directory: PathBuf,
    /// While the directory itself is as it was, no name needs to be looked up.
    identity: Identity,
    names: Vec<OsString>,
}

/// The record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The whole key.
    pub key: Vec<u8>,
    /// What the names of its files have in front of their suffix; empty if nothing is kept, for `reason`.
    pub stem: String,
    /// Why commands with this key are plain.
    pub reason: String,
    /// Of a preamble, its headers in the order of make rules, as they are written there; of a link, the linker's command line.
    pub list: Vec<Vec<u8>>,
    present: Vec<(PathBuf, Found)>,
    without: Vec<Without>,
}

impl Manifest {
    /// One that lists nothing yet.
    pub fn new(key: &[u8], stem: &str) -> Self {
        Self { key: key.to_vec(), stem: stem.to_owned(), ..Self::default() }
    }

    /// Takes in what was at paths. None if a directory without a name changes meanwhile.
    pub fn take(&mut self, seen: &BTreeMap<PathBuf, Found>) -> Option<()> {
        let mut missing: BTreeMap<PathBuf, BTreeSet<OsString>> = BTreeMap::new();
        for (path, found) in seen {
            if *found != Found::Nothing {
                self.present.push((path.clone(), *found));
                continue;
            }
            // Below a directory that is not there, its own name is enough.
            let mut path: &Path = path;
            loop {
                let parent = parent(path);
                match parent.metadata() {
                    Ok(_) => {
                        missing.entry(parent.into()).or_default().insert(path.file_name()?.into());
                        break;
                    }
                    Err(error) if is_missing(&error) && parent != path => path = parent,
                    Err(_) => return None,
                }
            }
        }
        for (directory, names) in missing {
            let identity = Identity::of(&directory.metadata().ok()?);
            // Looked up behind the identity: what was added before is found, what is added later changes it.
            if names.iter().any(|name| Found::at(&directory.join(name), false) != Some(Found::Nothing)) {
                return None;
            }
            self.without.push(Without { directory, identity, names: names.into_iter().collect() });
        }
        Some(())
    }

    /// Adds a file to what must stay as it is.
    pub fn add_file(&mut self, path: &Path) -> Option<()> {
        self.present
            .push((path.into(), Found::at(path, false).filter(|found| matches!(found, Found::Exactly(_)))?));
        Some(())
    }

    /// The newest change of anything that must stay as it is.
    pub fn newest(&self) -> i128 {
        let times = self.present.iter().filter_map(|(_, found)| match found {
            Found::Exactly(identity) => Some(identity.changed()),
            _ => None,
        });
        times.max().unwrap_or(0)
    }

    /// Forgets shortcuts through directories that changed after `time`: their times may not tell of the next change.
    pub fn distrust_after(&mut self, time: i128) {
        for without in self.without.iter_mut().filter(|without| without.identity.changed() > time) {
            without.identity = Identity([0; 8]);
        }
    }

    /// The first path at which something else is than was.
    pub fn difference(&self) -> Option<PathBuf> {
        let other = self.present.iter().find(|(path, found)| match (found, path.metadata()) {
            (Found::Directory, Ok(now)) => !now.is_dir(),
            (Found::File, Ok(now)) => !now.is_file(),
            (Found::Exactly(identity), Ok(now)) => Identity::of(&now) != *identity,
            _ => true,
        });
        if let Some((path, _)) = other {
            return Some(path.clone());
        }
        self.without.iter().find_map(|without| {
            let metadata = match without.directory.metadata() {
                Ok(metadata) => metadata,
                // Nothing is in a directory that is gone.
                Err(error) if is_missing(&error) => return None,
                Err(_) => return Some(without.directory.clone()),
            };
            if Identity::of(&metadata) == without.identity {
                return None;
            }
            let mut paths = without.names.iter().map(|name| without.directory.join(name));
            paths.find(|path| Found::at(path, false) != Some(Found::Nothing))
        })
    }

    /// Whether it lists this file, in whatever state.
    pub fn lists(&self, file: &Identity) -> bool {
        let exact = self.present.iter().filter_map(|(_, found)| match found {
            Found::Exactly(identity) => Some(identity),
            _ => None,
        });
        exact.into_iter().any(|identity| identity.0[..2] == file.0[..2])
    }

    /// Regular files that it lists.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let exact = self.present.iter().filter(|(_, found)| matches!(found, Found::Exactly(_)));
        exact.map(|(path, _)| path.as_path())
    }

    /// As a file: fields with their lengths, and a checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Writer(Vec::new());
        bytes.field(&self.key);
        bytes.field(self.stem.as_bytes());
        bytes.field(self.reason.as_bytes());
        bytes.number(self.list.len());
        self.list.iter().for_each(|item| bytes.field(item));
        bytes.number(self.present.len());
        for (path, found) in &self.present {
            bytes.field(path.as_os_str().as_bytes());
            match found {
                Found::Exactly(identity) => bytes.field(&identity.bytes()),
                Found::File => bytes.field(FILE),
                _ => bytes.field(b""),
            }
        }
        bytes.number(self.without.len());
        for without in &self.without {
            bytes.field(without.directory.as_os_str().as_bytes());
            bytes.field(&without.identity.bytes());
            bytes.number(without.names.len());
            without.names.iter().for_each(|name| bytes.field(name.as_bytes()));
        }
        let sum = xxh3_64(&bytes.0);
        bytes.0.extend_from_slice(&sum.to_le_bytes());
        bytes.0
    }

    /// What [`Self::to_bytes`] has made; None if it is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (bytes, sum) = bytes.split_last_chunk::<8>()?;
        if xxh3_64(bytes) != u64::from_le_bytes(*sum) {
            return None;
        }
        let mut reader = Reader(bytes);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let mut manifest = Self {
            key: reader.field()?.to_vec(),
            stem: text(reader.field()?)?,
            reason: text(reader.field()?)?,
            ..Self::default()
        };
        for _ in 0..reader.number()? {
            manifest.list.push(reader.field()?.to_vec());
        }
        for _ in 0..reader.number()? {
            let path = reader.path()?;
            let found = match reader.field()? {
                [] => Found::Directory,
                FILE => Found::File,
                identity => Found::Exactly(to_identity(identity)?),
            };
            manifest.present.push((path, found));
        }
        for _ in 0..reader.number()? {
            let (directory, identity) = (reader.path()?, to_identity(reader.field()?)?);
            let mut names = Vec::new();
            for _ in 0..reader.number()? {
                names.push(OsString::from_vec(reader.field()?.to_vec()));
            }
            manifest.without.push(Without { directory, identity, names });
        }
        reader.0.is_empty().then_some(manifest)
    }
}

/// How a manifest's file has [`Found::File`]; identities are longer.
const FILE: &[u8] = b"file";

/// The directory that a name is looked up in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

fn to_identity(bytes: &[u8]) -> Option<Identity> {
    let (words, []) = bytes.as_chunks::<8>() else { return None };
    let words: [[u8; 8]; 8] = words.try_into().ok()?;
    Some(Identity(words.map(u64::from_le_bytes)))
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: usize) {
        self.0.extend_from_slice(&(number as u32).to_le_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<usize> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number) as usize)
    }

    fn field(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    fn path(&mut self) -> Option<PathBuf> {
        Some(PathBuf::from(OsStr::from_bytes(self.field()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A directory of its own for a test.
    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("autojit preamble {name} {}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("one")).expect("the directory is writable");
        fs::write(path.join("one/a.h"), "1").expect("the directory is writable");
        path
    }

    fn manifest(root: &Path) -> Manifest {
        let paths = ["one/a.h", "one", "one/b.h", "two/a.h", "two/deep/a.h"];
        let seen = paths.map(|path| (root.join(path), Found::at(&root.join(path), false).expect("readable")));
        let mut manifest =
            Manifest { key: b"key".to_vec(), list: vec![b"h".to_vec()], ..Manifest::default() };
        manifest.take(&BTreeMap::from(seen)).expect("nothing changes");
        manifest
    }

    #[test]
    fn a_change_is_noticed() {
        let root = scratch("changes");
        type Change = (&'static str, fn(&Path));
        let change: [Change; 6] = [
            ("content", |root| fs::write(root.join("one/a.h"), "2").expect("writable")),
            ("in front", |root| fs::write(root.join("one/b.h"), "2").expect("writable")),
            ("directory in front", |root| fs::create_dir(root.join("two")).expect("writable")),
            ("another file", |root| {
                fs::copy(root.join("one/a.h"), root.join("new")).expect("writable");
                fs::rename(root.join("new"), root.join("one/a.h")).expect("writable");
            }),
            ("removed", |root| fs::remove_file(root.join("one/a.h")).expect("writable")),
            ("unreadable as it was", |root| {
                fs::remove_dir_all(root.join("one")).expect("writable");
                fs::write(root.join("one"), "").expect("writable");
            }),
        ];
        for (name, change) in change {
            let root = scratch("changes");
            let manifest = manifest(&root);
            assert_eq!(manifest.difference(), None, "{name}");
            change(&root);
            assert!(manifest.difference().is_some(), "{name}");
        }
        fs::remove_dir_all(root).expect("it is ours");
    }

    #[test]
    fn other_names_do_not_matter() {
        let root = scratch("others");
        let mut manifest = manifest(&root);
        fs::write(root.join("one/c.h"), "").expect("writable");
        fs::write(root.join("three"), "").expect("writable");
        assert_eq!(manifest.difference(), None);
        manifest.distrust_after(0);
        assert_eq!(manifest.difference(), None);
        fs::write(root.join("one/b.h"), "").expect("writable");
        assert_eq!(manifest.difference(), Some(root.join("one/b.h")));
        fs::remove_dir_all(root).expect("it is ours");
    }

    #[test]
    fn damage_is_noticed() {
        let root = scratch("damage");
        let manifest = manifest(&root);
        let bytes = manifest.to_bytes();
        assert_eq!(Manifest::from_bytes(&bytes), Some(manifest));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Manifest::from_bytes(&damaged), None, "byte {at}");
            assert_eq!(Manifest::from_bytes(&bytes[..at]), None, "{at} bytes");
        }
        fs::remove_dir_all(root).expect("it is ours");
    }
}
