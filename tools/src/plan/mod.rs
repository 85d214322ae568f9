//! Plans of links: how clang's driver calls the linker, kept for a link that is done again and again, which then starts the linker
//! itself. Starting the driver takes longer than many a link.
//!
//! A link comes through [`link`]: [`flags`] knows the command lines that can have a plan, the key has all of the line, and
//! [`crate::kept`] has the plan and tells if it still holds: the driver would find what it found, and call the linker as it did.
//! What the linker finds (libraries, scripts) it looks up itself each time. A link that is done a second time has its plan made in
//! the background ([`make`]). If the linker fails or says anything, the link is done again by the driver.

mod flags;
mod make;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::{Duration, Instant};

use autojit_options::{Options, Reader};

use crate::kept::making::{self, Place};
use crate::kept::{self, Answer, Event, Key, Kind, Seen, Storage};
use crate::process;

pub use flags::compiles_and_links;
pub use make::words;

/// The form of keys, manifests and what belongs to them.
const VERSION: &str = "autojit link 1";
/// What plans may take of the cache's limit.
const SHARE: u64 = 64;
/// A link that takes longer gains nothing to speak of, and would lose as much again if the next one fails.
const LONG: Duration = Duration::from_secs(2);

/// Links by a kept plan, if there is one that holds: the exit status. `line` is the whole command line, of which `arguments` were
/// given to the wrapper. None if the link is to be done the plain way.
pub fn link(program: &Path, line: &[OsString], arguments: &[OsString]) -> Option<u8> {
    if !flags::fit(arguments) {
        return None;
    }
    let (options, _) = Options::from_environment(Reader::Wrappers);
    if !options.link_plan || options.disable_object_cache {
        return None;
    }
    let mut key = Key::new(VERSION, program, &line[0])?;
    line[1..].iter().for_each(|word| key.add(word.as_bytes()));
    key.add_environment()?;
    let storage = Storage::make(&kept::root(&options)?, Kind::Links)?;
    // All that distinguishes links is in the key.
    let (source, text) = (Path::new(""), b"");
    let event = match Answer::of(&storage, &key, source, |_| true) {
        Answer::Plain => return None,
        Answer::Lacks(event) => event,
        Answer::Use(manifest, file) => {
            let (event, remember) = run(&manifest.list);
            storage.count(event);
            if remember {
                storage.note_messages(&key, source);
            }
            storage.touch(&file);
            return (event == Event::Used).then_some(0);
        }
    };
    let again = matches!(storage.see(&key, source, text), Some(Seen::Same | Seen::Another));
    storage.count(event);
    if again {
        let place = Place { key: &key, storage: &storage, limit: options.cache_size.0 / SHARE };
        making::start(&place, &make::Order { program, line, storage: &storage });
    }
    None
}

/// Runs a linker; what became of it, and whether the next links are better done by the driver. It is [`Event::Used`] if all is done.
fn run(plan: &[Vec<u8>]) -> (Event, bool) {
    let line: Vec<_> = plan.iter().map(|word| OsString::from_vec(word.clone())).collect();
    let Some(messages) = kept::memory() else { return (Event::Again, false) };
    let start = Instant::now();
    let outputs = [libc::STDOUT_FILENO, libc::STDERR_FILENO];
    let status = process::run_as_child(Path::new(OsStr::from_bytes(&plan[0])), &line, &messages, &outputs);
    let silent = messages.metadata().is_ok_and(|found| found.len() == 0);
    match status {
        Some(0) if silent => (Event::Used, start.elapsed() > LONG),
        Some(status) => (Event::Told, status == 0),
        None => (Event::Again, false),
    }
}
