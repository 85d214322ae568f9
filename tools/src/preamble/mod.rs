//! Kept preambles: the `#include` directives that a source begins with, compiled once (a precompiled header), for a source that is
//! edited and compiled again and again with the same flags.
//!
//! A compile comes through [`compile`]: [`flags`] knows the command lines that can have a preamble, [`scan`] finds it, [`key`] says
//! what it is of, [`crate::kept`] has it and tells if it still holds. Then the compiler runs with it, and what was looked at
//! is checked once more behind it. A source that was compiled before with the same key and another text has its preamble made in the
//! background ([`make`], [`contents`], [`declarations`], [`rules`]). Everything else is compiled the plain way.

mod contents;
mod declarations;
pub mod flags;
mod key;
mod make;
mod rules;
mod scan;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use autojit_options::{Options, Preamble, Reader};

use crate::kept::making::{self, Place};
use crate::kept::{self, Answer, Event, Identity, Key, Kind, Manifest, Seen, Storage};
use crate::process;
use crate::role::Language;
use flags::Compile;

/// What preambles may take of the cache's limit.
const SHARE: u64 = 4;

/// Compiles with a kept preamble, if there is one that holds: the exit status. `line` is the whole command line, of which
/// `arguments` were given to the wrapper. None if the compile is to be done the plain way.
pub fn compile(program: &Path, line: &[OsString], arguments: &[OsString], language: Language) -> Option<u8> {
    // Most calls of the wrapper that are no compiles end here, before anything is looked at.
    if !arguments.iter().any(|argument| argument == "-c") {
        return None;
    }
    let (options, _) = Options::from_environment(Reader::Wrappers);
    if options.preamble == Preamble::Off || options.disable_object_cache {
        return None;
    }
    let compile = Compile::of(language, arguments)?;
    let (source, identity) = read(&compile.source)?;
    let end = scan::preamble(&source)?;
    let key = key::of(program, &line[0], &compile, &source[..end])?;
    let storage = Storage::make(&kept::root(&options)?, Kind::Preambles)?;
    // The preamble of another source may include this one.
    let event = match Answer::of(&storage, &key, &compile.source, |manifest| !manifest.lists(&identity)) {
        Answer::Plain => return None,
        Answer::Lacks(event) => event,
        Answer::Use(manifest, file) => {
            let (storage, manifest, file, compile) = (&storage, &manifest, &file, &compile);
            return Use { storage, key: &key, manifest, file, compile, identity, end }.run(program, line);
        }
    };
    let edited = storage.see(&key, &compile.source, &source[end..]) == Some(Seen::Another);
    let wanted = edited || options.preamble == Preamble::Always;
    storage.count(event);
    if wanted {
        let command = &line[..line.len() - arguments.len()];
        let place = Place { key: &key, storage: &storage, limit: options.cache_size.0 / SHARE };
        let order = make::Order { program, command, compile: &compile, preamble: &source[..end], place };
        making::start(&order.place, &order);
    }
    None
}

/// A file, and what tells if it has changed since.
fn read(path: &Path) -> Option<(Vec<u8>, Identity)> {
    let mut file = File::open(path).ok()?;
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    let mut text = Vec::with_capacity(metadata.len() as usize + 1);
    file.read_to_end(&mut text).ok()?;
    Some((text, Identity::of(&metadata)))
}

/// The compiler's arguments for a preamble of `end` bytes.
fn arguments(file: &Path, end: usize) -> Vec<OsString> {
    // The byte behind the preamble begins a line.
    let bytes = format!("-preamble-bytes={end},1");
    let words = [OsStr::new("-include-pch"), file.as_os_str(), OsStr::new(&bytes)];
    words.into_iter().flat_map(|word| [OsString::from("-Xclang"), word.to_owned()]).collect()
}

/// A compile with a preamble.
struct Use<'a> {
    storage: &'a Storage,
    key: &'a Key,
    manifest: &'a Manifest,
    /// The manifest's, locked.
    file: &'a File,
    compile: &'a Compile,
    /// The source's, as it was read.
    identity: Identity,
    /// The length of the preamble in it.
    end: usize,
}

impl Use<'_> {
    /// The exit status; None if the compile is to be done again, the plain way.
    fn run(&self, program: &Path, line: &[OsString]) -> Option<u8> {
        let file = |suffix: &str| self.storage.file(&format!("{}.{suffix}", self.manifest.stem));
        let line = [line, &arguments(&file("pch"), self.end)].concat();
        let messages = kept::memory()?;
        let status = process::run_as_child(program, &line, &messages, &[libc::STDERR_FILENO])?;
        // What changed meanwhile the compiler may have read half, or passed over as if it were the preamble: then its object is
        // not to be trusted, nor its errors. Nor is a crash.
        let source = fs::metadata(&self.compile.source).map(|found| Identity::of(&found));
        let changed = !source.is_ok_and(|now| now == self.identity) || self.manifest.difference().is_some();
        if changed || status > 1 {
            self.storage.count(Event::Again);
            return None;
        }
        // Messages show how headers were included, and name them; a precompiled header knows it in another way.
        if status != 0 || messages.metadata().map_or(true, |found| found.len() > 0) {
            self.storage.count(Event::Told);
            if status == 0 {
                self.storage.note_messages(self.key, &self.compile.source);
            }
            return None;
        }
        if let Some(rules) = &self.compile.rules {
            let text = fs::read(&rules.file).unwrap_or_default();
            let headers = &self.manifest.list;
            let plain = rules::plain(
                &text,
                &self.compile.source,
                headers,
                &file(self.compile.extension()),
                rules.phony,
            )?;
            fs::write(&rules.file, plain).ok()?;
        }
        self.storage.count(Event::Used);
        self.storage.touch(self.file);
        Some(status)
    }
}
