//! Which functions ran: what is compiled ahead of the first call when their module has been built anew.
//!
//! One file for each source file's name, `.ajr`, with a line "program function" for each function that a program has
//! had compiled, the latest first. Names outlive an edit, which keys of code do not. It is a hint: without one, or with a
//! wrong one, loses time only. Text, so that people can read it:
//!
//! ```text
//! autojit ran 1
//! 5e8844f9a51fa4c2 sqlite3_libversion
//! ```

use std::collections::BTreeSet;

use autojit_code::pack::Key;
use autojit_sys::Errno;

use crate::directory::{Directory, Kind};

const HEADER: &str = "autojit ran 1";
/// Functions that one file names.
const FUNCTIONS: usize = 8192;
/// Bytes that are read of a file.
const BYTES: usize = 4 << 20;

/// The file's key. Two source files of the same name share one: it names functions of both.
fn key_of(source: &str) -> Key {
    autojit_store::digest(&[b"autojit ran", source.as_bytes()])
}

/// How a program is told from others.
fn program_of(program: &str) -> String {
    let digest = autojit_store::digest(&[b"autojit program", program.as_bytes()]);
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The entries of a file: program and function.
pub fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut lines = text.lines();
    let known = lines.next() == Some(HEADER);
    lines.take(FUNCTIONS).filter(move |_| known).filter_map(|line| line.split_once(' '))
}

fn content(directory: &Directory, key: &Key) -> String {
    let Ok(bytes) = directory.read(key, Kind::Ran) else { return String::new() };
    String::from_utf8_lossy(&bytes[..bytes.len().min(BYTES)]).into_owned()
}

/// The functions of the module with this source file that have run, the latest first, each once.
pub fn ran(directory: &Directory, source: &str) -> Vec<String> {
    let text = content(directory, &key_of(source));
    let mut seen = BTreeSet::new();
    entries(&text).filter(|(_, name)| seen.insert(*name)).map(|(_, name)| name.to_owned()).collect()
}

/// Notes that `program` has had functions compiled of the module with this source file.
///
/// # Errors
/// The file cannot be written.
pub fn record<'a>(
    directory: &Directory,
    source: &str,
    program: &str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), Errno> {
    let (key, program) = (key_of(source), program_of(program));
    let old = content(directory, &key);
    let text = merged(&old, &program, names);
    if text == old { Ok(()) } else { directory.write(&key, &[(Kind::Ran, text.as_bytes())]) }
}

/// The file `old` with functions that `program` has run.
pub fn merged<'a>(old: &str, program: &str, names: impl Iterator<Item = &'a str>) -> String {
    let known: BTreeSet<_> = entries(old).collect();
    let new = names.map(|name| (program, name)).filter(|entry| !known.contains(entry));
    // A name with a line break in it would be two.
    let new = new.filter(|(_, name)| !name.contains('\n'));
    let mut text = HEADER.to_owned() + "\n";
    for (program, name) in new.chain(entries(old)).take(FUNCTIONS) {
        text.extend([program, " ", name, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_come_first_and_each_once() {
        let first = merged("", "p", ["a", "b"].into_iter());
        assert_eq!(first, "autojit ran 1\np a\np b\n");
        let second = merged(&first, "p", ["b", "c", "two\nlines"].into_iter());
        assert_eq!(second, "autojit ran 1\np c\np a\np b\n");
        assert_eq!(merged(&second, "p", ["a"].into_iter()), second);
        let other = merged(&second, "q", ["a"].into_iter());
        assert_eq!(entries(&other).collect::<Vec<_>>(), [("q", "a"), ("p", "c"), ("p", "a"), ("p", "b")]);
    }

    #[test]
    fn other_files_say_nothing() {
        assert_eq!(entries("").count(), 0);
        assert_eq!(entries("autojit ran 2\np a\n").count(), 0);
        assert_eq!(entries("autojit ran 1\nnonsense\n\n").count(), 0);
        assert_eq!(merged("ELF", "p", ["a"].into_iter()), "autojit ran 1\np a\n");
    }

    #[test]
    fn files_are_bounded() {
        let names: Vec<String> = (0..FUNCTIONS + 10).map(|number| format!("f{number}")).collect();
        let text = merged("", "p", names.iter().map(String::as_str));
        assert_eq!(entries(&text).count(), FUNCTIONS);
        assert_eq!(entries(&merged(&text, "p", ["g"].into_iter())).next(), Some(("p", "g")));
    }

    #[test]
    fn what_was_recorded_is_read() {
        let base = std::env::temp_dir().join(format!("autojit-profile-{}", std::process::id()));
        let directory = Directory::new(base.as_os_str().as_encoded_bytes(), 0, 1 << 20);
        assert!(ran(&directory, "a.c").is_empty());
        record(&directory, "a.c", "/bin/p", ["f", "g"].into_iter()).unwrap();
        record(&directory, "a.c", "/bin/q", ["g"].into_iter()).unwrap();
        assert_eq!(ran(&directory, "a.c"), ["g", "f"]);
        assert!(ran(&directory, "b.c").is_empty());
        std::fs::remove_dir_all(base).unwrap();
    }
}
