//! The files of what is kept, in the cache's directory: a directory for each [`Kind`].
//!
//! ```text
//! DIR/preamble/KEY.ajm               a manifest (super::manifest); what it describes is beside it, if that is files:
//! DIR/preamble/KEY.STAMP.pch         the preamble, as the compiler keeps it
//! DIR/preamble/KEY.STAMP.cpp         the directives that it was made from (or .c)
//! DIR/preamble/seen                  with which key which source was compiled last, and when one had messages: a table of fixed size
//! DIR/preamble/events                what happened, a letter for each compile ([`Event`])
//! DIR/preamble/making, waiting.N     locks of the processes that make preambles
//! DIR/link/                          the same of plans of links, which are in their manifests
//! ```
//!
//! A compile that uses a preamble has its manifest locked (shared) to the end; what is removed is locked (exclusively)
//! before. Directories and files belong to the user and only the user can write them; others are not used.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use xxhash_rust::xxh3::xxh3_64;

use super::key::Key;
use super::manifest::Manifest;

/// The outcome of a command for which something could be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// What is kept was used.
    Used = b'u',
    /// Nothing is: the source was not compiled so before, or not edited since; nothing was linked so before.
    None = b'n',
    /// Something that it was made from has changed.
    Changed = b'c',
    /// Commands with this key are plain, for a reason in the manifest.
    Refused = b'r',
    /// The manifest or a file that it names is damaged or foreign.
    Damaged = b'd',
    /// Files changed meanwhile, or the program crashed; it was done again.
    Again = b'x',
    /// It had messages, or failed; it was done again, the plain way.
    Told = b't',
    /// Such a command had messages a short while ago, or took long, so this one was done the plain way at once.
    Spoke = b's',
    /// A process was started to make one.
    Asked = b'a',
    /// It was made.
    Made = b'm',
    /// It was found that none can be.
    Unfit = b'f',
    /// It was not made: files changed meanwhile, another process had made it, or too many wait.
    Left = b'l',
}

impl Event {
    /// All, with the words of `--cache-stats`.
    const ALL: [(Self, &str); 12] = [
        (Self::Used, "used"),
        (Self::None, "none yet"),
        (Self::Changed, "a file or a lookup changed"),
        (Self::Refused, "cannot be kept"),
        (Self::Damaged, "damaged or foreign"),
        (Self::Again, "changed meanwhile"),
        (Self::Told, "done again for its messages"),
        (Self::Spoke, "had messages lately"),
        (Self::Asked, "asked for"),
        (Self::Made, "made"),
        (Self::Unfit, "found unfit"),
        (Self::Left, "not made after all"),
    ];
}

/// After a compile with messages that did not fail, the next ones are plain for so long: a source that warns does it again.
const SPOKE: Duration = Duration::from_secs(10 * 60);
/// Room for so many sources is in `seen`.
const SEEN: u64 = 1 << 15;
/// So large `events` may get.
const EVENTS: u64 = 1 << 20;
/// So many processes wait to make something; more than these are not worth the wait.
const WAITING: u32 = 4;
/// A used manifest is touched if it was not for so long.
const TOUCH: Duration = Duration::from_secs(60 * 60);
/// Files that no manifest names and that are this old were left behind.
const STALE: Duration = Duration::from_secs(60 * 60);

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Compiled directives ([`crate::preamble`]).
    Preambles,
    /// The linker's command lines ([`crate::plan`]).
    Links,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 2] = [Self::Preambles, Self::Links];

    /// The name of its directory, and what one of them is called.
    fn name(self) -> &'static str {
        match self {
            Self::Preambles => "preamble",
            Self::Links => "link",
        }
    }
}

/// What was known of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Never,
    /// It was done before with the same text.
    Same,
    /// It was done before with another one.
    Another,
}

/// The directory of a kind.
#[derive(Debug)]
pub struct Storage {
    path: PathBuf,
    kind: Kind,
}

/// A manifest that was found.
pub enum Lookup {
    /// None.
    Missing,
    /// One that cannot be used.
    Damaged,
    /// One, locked while the file is open.
    Found(Manifest, File),
}

/// Where `seen` has the text of a source with this key, and, inverted, when it had messages. Sources that share a preamble have
/// places of their own.
fn tag(key: &Key, source: &Path) -> u64 {
    let mut text = key.0.clone();
    text.extend_from_slice(source.as_os_str().as_encoded_bytes());
    xxh3_64(&text)
}

/// Since 1970.
fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Storage {
    /// The directory in the cache's `root`, if it is there and the user's own.
    pub fn open(root: &Path, kind: Kind) -> Option<Self> {
        let path = root.join(kind.name());
        is_own(&path.symlink_metadata().ok()?, true).then_some(Self { path, kind })
    }

    /// The same, made if it is not there.
    pub fn make(root: &Path, kind: Kind) -> Option<Self> {
        Self::open(root, kind).or_else(|| {
            fs::DirBuilder::new().mode(0o700).recursive(true).create(root.join(kind.name())).ok()?;
            Self::open(root, kind)
        })
    }

    /// A file of the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether `path` is within it.
    pub fn has(&self, path: &Path) -> bool {
        path.starts_with(&self.path)
    }

    fn manifest(&self, digits: &str) -> PathBuf {
        self.file(&format!("{digits}.ajm"))
    }

    /// The manifest of a key.
    pub fn find(&self, key: &Key) -> Lookup {
        let path = self.manifest(&key.digits());
        let Ok(mut file) =
            OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
        else {
            return Lookup::Missing;
        };
        // It is being removed, or was.
        if file.try_lock_shared().is_err() {
            return Lookup::Missing;
        }
        let Ok(metadata) = file.metadata() else { return Lookup::Damaged };
        if metadata.nlink() == 0 {
            return Lookup::Missing;
        }
        let mut bytes = Vec::with_capacity(metadata.size() as usize);
        if !is_own(&metadata, false) || file.read_to_end(&mut bytes).is_err() {
            return Lookup::Damaged;
        }
        match Manifest::from_bytes(&bytes) {
            Some(manifest) if manifest.key == key.0 => Lookup::Found(manifest, file),
            // Another key with the same digits, or damage.
            _ => Lookup::Damaged,
        }
    }

    /// Puts a manifest in place of the one that is there, whose files go. Fails if that one is still in use.
    pub fn keep(&self, key: &Key, manifest: &Manifest) -> std::io::Result<()> {
        let (path, digits) = (self.manifest(&key.digits()), key.digits());
        if !self.discard(&digits, &manifest.stem) {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        let new = self.file(&format!("{digits}.{}.new", std::process::id()));
        create(&new)?.write_all(&manifest.to_bytes())?;
        fs::rename(new, path)
    }

    /// Removes what is kept for a key, unless it is in use: its manifest at first, then its files, but for those that
    /// begin with `except`, if that is not empty.
    fn discard(&self, digits: &str, except: &str) -> bool {
        let path = self.manifest(digits);
        // Locked until the files are gone.
        let _lock = match File::open(&path) {
            Ok(file) if file.try_lock().is_err() || fs::remove_file(&path).is_err() => return false,
            Ok(file) => Some(file),
            Err(_) => None,
        };
        for name in self.names() {
            let kept = !except.is_empty() && name.starts_with(&format!("{except}."));
            if name.starts_with(&format!("{digits}.")) && !kept {
                let _ = fs::remove_file(self.file(&name));
            }
        }
        true
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// Notes that a source with this text behind its preamble was compiled; what was before. Links have neither source nor text.
    pub fn see(&self, key: &Key, source: &Path, body: &[u8]) -> Option<Seen> {
        let (tag, body) = (tag(key, source), xxh3_64(body));
        let known = self.recall(tag);
        if known != Some(body) {
            self.note(tag, body)?;
        }
        Some(match known {
            None => Seen::Never,
            Some(known) if known == body => Seen::Same,
            Some(_) => Seen::Another,
        })
    }

    /// Notes that a compile of a source with this key had messages, and did not fail.
    pub fn note_messages(&self, key: &Key, source: &Path) {
        // Without it the next compile is done twice, too.
        let _ = self.note(!tag(key, source), seconds());
    }

    /// Whether that was a short while ago.
    pub fn spoke(&self, key: &Key, source: &Path) -> bool {
        let then = self.recall(!tag(key, source));
        then.is_some_and(|then| seconds().abs_diff(then) < SPOKE.as_secs())
    }

    /// What `seen` has for a tag.
    fn recall(&self, tag: u64) -> Option<u64> {
        let mut entry = [0; 16];
        self.seen()?.read_exact_at(&mut entry, (tag % SEEN) * 16).ok()?;
        let [known, value] =
            [0, 8].map(|at| u64::from_le_bytes(entry[at..at + 8].try_into().expect("8 bytes")));
        (known == tag).then_some(value)
    }

    /// Notes a value for a tag there.
    fn note(&self, tag: u64, value: u64) -> Option<()> {
        let entry = [tag.to_le_bytes(), value.to_le_bytes()].concat();
        self.seen()?.write_all_at(&entry, (tag % SEEN) * 16).ok()
    }

    fn seen(&self) -> Option<File> {
        self.open_shared("seen")
    }

    /// Opens a file that several processes write to, or makes it.
    fn open_shared(&self, name: &str) -> Option<File> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW);
        options.open(self.file(name)).ok()
    }

    /// Counts an event.
    pub fn count(&self, event: Event) {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(self.file("events"));
        if let Ok(mut file) = file {
            // Statistics are not worth a message.
            let _ = file.write_all(&[event as u8]);
        }
    }

    /// Notes that something is in use, for [`Self::evict`].
    pub fn touch(&self, manifest: &File) {
        let now = SystemTime::now();
        let old = manifest.metadata().and_then(|metadata| metadata.modified());
        if old.is_ok_and(|old| now.duration_since(old).is_ok_and(|age| age > TOUCH)) {
            let _ = manifest.set_modified(now);
        }
    }

    /// A lock among those that wait to make something, until drop.
    pub fn waiting_lock(&self) -> Option<File> {
        (0..WAITING).find_map(|number| self.lock(&format!("waiting.{number}"), |file| file.try_lock().ok()))
    }

    /// The right to make something, until drop.
    pub fn turn(&self) -> Option<File> {
        self.lock("making", |file| file.lock().ok())
    }

    fn lock(&self, name: &str, lock: impl Fn(&File) -> Option<()>) -> Option<File> {
        let file = self.open_shared(name)?;
        lock(&file)?;
        Some(file)
    }

    /// Removes what was not used for longest until the rest has at most `limit` bytes, and what was left behind.
    pub fn evict(&self, limit: u64) {
        if fs::metadata(self.file("events")).is_ok_and(|events| events.len() > EVENTS) {
            let _ = fs::remove_file(self.file("events"));
        }
        let mut kept = Vec::new();
        let names = self.names();
        let mut total = 0;
        for name in &names {
            let Some((digits, rest)) = name.split_once('.').filter(|(digits, _)| digits.len() == 32) else {
                continue;
            };
            let Ok(metadata) = self.file(name).symlink_metadata() else { continue };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if rest == "ajm" {
                let files = names.iter().filter(|name| name.starts_with(digits));
                let size: u64 =
                    files.filter_map(|name| Some(fs::metadata(self.file(name)).ok()?.len())).sum();
                total += size;
                kept.push((used, digits, size));
            } else if used.elapsed().is_ok_and(|age| age > STALE) && !names.contains(&format!("{digits}.ajm"))
            {
                let _ = fs::remove_file(self.file(name));
            }
        }
        kept.sort();
        for (_, digits, size) in kept {
            if total <= limit {
                break;
            }
            if self.discard(digits, "") {
                total -= size;
            }
        }
    }

    /// Removes everything that is not in use; what could not be removed.
    pub fn clear(&self) -> Vec<PathBuf> {
        let names = self.names();
        let manifests = names.iter().filter_map(|name| name.strip_suffix(".ajm"));
        let mut left: Vec<PathBuf> = manifests
            .filter(|digits| !self.discard(digits, ""))
            .map(|digits| self.manifest(digits))
            .collect();
        // Locks stay: a process may hold one. What is in the making loses its manifest's place only.
        for name in ["seen", "events"] {
            match fs::remove_file(self.file(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => left.push(self.file(name)),
                _ => {}
            }
        }
        left
    }

    /// The lines of `--cache-stats`.
    pub fn describe(&self) -> String {
        let (names, name) = (self.names(), self.kind.name());
        let ending = if self.kind == Kind::Preambles { ".pch" } else { ".ajm" };
        let count = names.iter().filter(|name| name.ends_with(ending)).count();
        let bytes: u64 =
            names.iter().filter_map(|name| Some(fs::metadata(self.file(name)).ok()?.blocks() * 512)).sum();
        let events = fs::read(self.file("events")).unwrap_or_default();
        let mut text = format!("{name}s  {count}\n{name} bytes  {bytes}\n");
        for (event, words) in Event::ALL {
            let number = events.iter().filter(|letter| **letter == event as u8).count();
            if number > 0 {
                text += &format!("{name} events  {number} {words}\n");
            }
        }
        text
    }
}

/// A new file of the directory.
pub fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Whether a file or directory belongs to the user, and only the user can write it.
fn is_own(metadata: &fs::Metadata, directory: bool) -> bool {
    let kind = if directory { metadata.is_dir() } else { metadata.is_file() };
    kind && metadata.uid() == autojit_sys::user() && metadata.mode() & (libc::S_IWGRP | libc::S_IWOTH) == 0
}
