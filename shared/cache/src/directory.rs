//! The cache's directory: one file for each key, under its hexadecimal digits.
//!
//! ```text
//! DIR/code/3f/9a0c…77.ajo       a pack (autojit_code::pack)
//! DIR/code/3f/9a0c…77.ajl       its lines
//! DIR/code/3f/9a0c…77.aji       an image pack (autojit_code::image_pack)
//! DIR/code/3f/9a0c…77.ajf       code by the content of functions (crate::by_content)
//! DIR/code/3f/9a0c…77.ajr       functions that have run (crate::profile)
//! DIR/code/3f/9a0c…77.ajd       the object of a whole module, for debuggers
//! DIR/code/3f/.new.1234.5.6     one in the making: it gets its name when it is whole
//! DIR/live/1234-56789-0         code of a running program (crate::live)
//! ```
//!
//! Nothing else is touched, whatever lies beside. Directories and files belong to the user, and no other user can write them; what is otherwise is not used. Nothing is
//! locked: files appear whole, by rename, and what loses a race loses what it added, not more. Failures are nothing's
//! concern but the debug log's.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use autojit_code::pack::Key;

use autojit_sys::{self as sys, Changeable, Content, Errno, File};

/// What is not used for so long (in seconds) is noted as used when it is: each day, not each time.
const DAY: i64 = 24 * 60 * 60;
/// A file in the making this old (in seconds) has been left behind.
const STALE: i64 = 60 * 60;
/// Directories that files are spread over.
const SHARDS: u64 = 256;

/// What a file of a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Code.
    Code,
    /// What describes its lines.
    Lines,
    /// Code by the content of functions.
    Same,
    /// Which functions have run (profile).
    Ran,
    /// Code and lines of many modules of an image.
    Image,
    /// The object of a whole module, which describes everything.
    Described,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Code, Self::Lines, Self::Same, Self::Ran, Self::Image, Self::Described];

    /// What the names of such files end with.
    pub(crate) fn suffix(self) -> &'static [u8] {
        match self {
            Self::Code => b".ajo",
            Self::Lines => b".ajl",
            Self::Same => b".ajf",
            Self::Ran => b".ajr",
            Self::Image => b".aji",
            Self::Described => b".ajd",
        }
    }
}

/// The directory, which need not exist.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Absolute, with `/code`.
    path: Vec<u8>,
    /// So much of the path is not ours to make: a home that is not there.
    given: usize,
    /// What all files together may have, in bytes.
    limit: u64,
    /// Whose it is: the effective user of the process.
    user: u32,
}

/// A file that is not for use.
pub(crate) const FOREIGN: Errno = Errno(libc::EPERM);

pub(crate) fn c_path(parts: &[&[u8]]) -> CString {
    // Paths come from the environment and from readdir, where no NUL can be.
    CString::new(parts.concat()).unwrap_or_default()
}

impl Directory {
    /// The cache in `path`, an absolute path, whose first `given` bytes are a directory that is never made.
    pub fn new(path: &[u8], given: usize, limit: u64) -> Self {
        Self { path: [path, b"/code"].concat(), given, limit, user: sys::first_user() }
    }

    /// The cache of the user, with room for `limit` bytes: in `given`, or where the environment (`variable`) says:
    /// $XDG_CACHE_HOME/autojit, else $HOME/.cache/autojit. None if it says nothing. Nothing is opened yet.
    pub fn locate(
        given: Option<&[u8]>,
        variable: impl Fn(&[u8]) -> Option<Vec<u8>>,
        limit: u64,
    ) -> Option<Self> {
        let (root, kept) = sys::cache_root(given, variable)?;
        Some(Self::new(&root, kept, limit))
    }

    /// The directory that the user knows, in which the cache has its own.
    pub fn root(&self) -> &[u8] {
        self.path.strip_suffix(b"/code").unwrap_or(&self.path)
    }

    /// Its path.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Whose it is.
    pub(crate) fn user(&self) -> u32 {
        self.user
    }

    fn shard(&self, key: &Key) -> Vec<u8> {
        [&self.path, &b"/"[..], &hex(&key[..1])].concat()
    }

    fn file(&self, key: &Key, kind: Kind) -> CString {
        c_path(&[&self.shard(key), b"/", &hex(&key[1..]), kind.suffix()])
    }

    /// A file of a key, all of which is wanted.
    pub fn read(&self, key: &Key, kind: Kind) -> Result<Content, Errno> {
        self.content(key, kind, true)
    }

    /// A file of a key, of which little is wanted now.
    pub fn map(&self, key: &Key, kind: Kind) -> Result<Content, Errno> {
        self.content(key, kind, false)
    }

    /// A file of a key, which the caller is going to change for itself.
    pub fn map_changeable(&self, key: &Key, kind: Kind) -> Result<Changeable, Errno> {
        let (file, size, _) = self.open(key, kind)?;
        file.changeable(size)
    }

    /// The same. If the file was not touched since the system has started, or for a day, `check` sees it first, which is too
    /// much for each use: a system that ends abruptly may leave files with other content than what was written. It is
    /// touched if it is good.
    pub fn map_checked(
        &self,
        key: &Key,
        kind: Kind,
        check: impl FnOnce(&[u8]) -> bool,
    ) -> Result<Option<Changeable>, Errno> {
        let (file, size, modified) = self.open(key, kind)?;
        let content = file.changeable(size)?;
        // Times of files are those of the last tick.
        let now = sys::now();
        if modified <= now - sys::time_since_start() + 1 || modified < now - DAY {
            if !check(&content) {
                return Ok(None);
            }
            // On a read-only file system it stays as it is.
            let _ = file.touch();
        }
        Ok(Some(content))
    }

    fn content(&self, key: &Key, kind: Kind, soon: bool) -> Result<Content, Errno> {
        let (file, size, _) = self.open(key, kind)?;
        file.content(size, soon)
    }

    /// A file of a key, if it may be used, its size, and when it was touched, in seconds.
    fn open(&self, key: &Key, kind: Kind) -> Result<(File, usize, i64), Errno> {
        let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = File::open(&self.file(key, kind), flags, 0)?;
        let status = file.status()?;
        if !status.is_a(libc::S_IFREG) || status.owner != self.user || !status.is_private() {
            return Err(FOREIGN);
        }
        // Image packs are touched when they were checked.
        if kind != Kind::Image && status.modified < sys::now() - DAY {
            // On a read-only file system it stays as it is.
            let _ = file.touch();
        }
        Ok((file, usize::try_from(status.size).map_err(|_| FOREIGN)?, status.modified))
    }

    /// Removes a file of a key, which is damaged.
    pub fn remove(&self, key: &Key, kind: Kind) {
        let path = self.file(key, kind);
        if let Err(error) = sys::remove(&path) {
            log::debug!("removing {}: {error}", path.to_string_lossy());
        }
    }

    /// How many bytes a file may have that is made of others.
    pub fn part_limit(&self) -> u64 {
        self.limit / 8
    }

    /// Writes a file that is made of others, if it takes no more than an eighth of what there is for all.
    pub fn write_part(&self, key: &Key, kind: Kind, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.len() as u64 > self.part_limit() {
            return Err(Errno(libc::EFBIG));
        }
        self.write(key, &[(kind, bytes)])
    }

    /// Writes files of a key, in this order, in place of those that are there.
    pub fn write(&self, key: &Key, files: &[(Kind, &[u8])]) -> Result<(), Errno> {
        let shard = self.shard(key);
        let is_new = self.make(&shard)?;
        files.iter().try_for_each(|(kind, bytes)| self.write_file(key, *kind, bytes))?;
        // Nothing else is in a new one.
        let size: u64 = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        if !is_new || size > self.limit / SHARDS {
            self.evict(&shard);
        }
        Ok(())
    }

    fn write_file(&self, key: &Key, kind: Kind, bytes: &[u8]) -> Result<(), Errno> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Processes of several containers can share a directory, with the same id.
        let time = sys::monotonic_time().as_nanos();
        let number = format!("{}.{}.{time}", sys::process_id(), NUMBER.fetch_add(1, Relaxed));
        let new = c_path(&[&self.shard(key), b"/.new.", number.as_bytes()]);
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
        let written = File::open(&new, flags, 0o600)
            .and_then(|file| sys::write(file.descriptor(), bytes))
            .and_then(|()| sys::rename(&new, &self.file(key, kind)));
        written.inspect_err(|_| {
            let _ = sys::remove(&new);
        })
    }

    /// Makes the directories down to `shard`, and checks that those are ours that were there. Whether `shard` is new.
    fn make(&self, shard: &[u8]) -> Result<bool, Errno> {
        self.make_in(&self.path, shard)
    }

    /// The same of `directory`, which lies in `parent`, or is it.
    pub(crate) fn make_in(&self, parent: &[u8], directory: &[u8]) -> Result<bool, Errno> {
        let mut made = sys::make_directory(&c_path(&[directory]), 0o700);
        if made == Err(Errno(libc::ENOENT)) {
            let slashes = directory.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            for (end, _) in slashes.filter(|(end, _)| *end > self.given) {
                // What is there already, or cannot be made, shows below.
                let _ = sys::make_directory(&c_path(&[&directory[..end]]), 0o700);
            }
            made = sys::make_directory(&c_path(&[directory]), 0o700);
        }
        let there = if made.is_ok() { &[parent][..] } else { &[parent, directory] };
        for directory in there {
            let status = sys::status(&c_path(&[directory]))?;
            if !status.is_a(libc::S_IFDIR) || status.owner != sys::user() || !status.is_private() {
                return Err(FOREIGN);
            }
        }
        Ok(made.is_ok())
    }

    /// Removes what was not used for longest, if the files of `shard` have more than their share of the limit: keys are
    /// hashes, so the others have about as much.
    fn evict(&self, shard: &[u8]) {
        if self.files(shard).iter().map(|file| file.size).sum::<u64>() <= self.limit / SHARDS {
            return;
        }
        let shards = sys::list(&c_path(&[&self.path])).unwrap_or_default();
        let shards = shards.iter().filter(|name| is_hex(name, 1));
        let paths = shards.map(|name| [&self.path, &b"/"[..], name].concat());
        let mut files: Vec<Entry> = paths.flat_map(|path| self.files(&path)).collect();
        let mut total: u64 = files.iter().map(|file| file.size).sum();
        if total <= self.limit {
            return;
        }
        // Some room, or the next one would have to do the same.
        let goal = self.limit - self.limit / 8;
        files.sort_by_key(|file| file.used);
        for file in files {
            if total <= goal {
                break;
            }
            total -= file.size;
            for path in file.paths {
                match sys::remove(&path) {
                    Ok(()) => log::debug!("evicted {}", path.to_string_lossy()),
                    Err(error) => log::debug!("evicting {}: {error}", path.to_string_lossy()),
                }
            }
        }
    }

    /// What a shard has, by key. Removes what was left behind in the making.
    fn files(&self, shard: &[u8]) -> Vec<Entry> {
        let mut files: BTreeMap<Vec<u8>, Entry> = BTreeMap::new();
        for name in sys::list(&c_path(&[shard])).unwrap_or_default() {
            let path = c_path(&[shard, b"/", &name]);
            let Ok(status) = sys::status(&path) else { continue };
            if name.starts_with(b".new.") {
                if status.modified < sys::now() - STALE {
                    let _ = sys::remove(&path);
                }
                continue;
            }
            let Some(stem) = stem(&name) else { continue };
            if status.is_a(libc::S_IFREG) {
                let entry = files.entry(stem.to_vec()).or_default();
                entry.paths.push(path);
                entry.size += status.size;
                entry.used = entry.used.max(status.modified);
            }
        }
        files.into_values().collect()
    }
}

/// The files of a key: code without its lines is of no use.
#[derive(Default)]
struct Entry {
    paths: Vec<CString>,
    size: u64,
    used: i64,
}

/// The part in front of the suffix, if a file of the cache can have this name.
pub(crate) fn stem(name: &[u8]) -> Option<&[u8]> {
    let stem = Kind::ALL.iter().find_map(|kind| name.strip_suffix(kind.suffix()))?;
    is_hex(stem, size_of::<Key>() - 1).then_some(stem)
}

/// Whether `name` is what [`hex`] makes of so many bytes.
pub(crate) fn is_hex(name: &[u8], bytes: usize) -> bool {
    name.len() == 2 * bytes && name.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let digit = |value: u8| b"0123456789abcdef"[value as usize];
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
