//! What the wrappers keep of compiles and links (tools/src/kept): its directories, as tests look at them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So long the making may take, at the lowest priority on a busy machine.
const LIMIT: Duration = Duration::from_secs(100);

/// How many events of a kind there were (tools/src/kept/storage.rs has their letters).
pub fn count(directory: &Path, event: char) -> usize {
    let events = fs::read_to_string(directory.join("events")).unwrap_or_default();
    events.chars().filter(|letter| *letter == event).count()
}

/// Waits until all that was asked for is made, or is not going to be.
#[track_caller]
pub fn wait(directory: &Path) {
    let start = Instant::now();
    while count(directory, 'a') > ['m', 'f', 'l'].map(|end| count(directory, end)).iter().sum() {
        assert!(start.elapsed() < LIMIT, "something is still in the making after {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Why nothing was made, as far as manifests tell.
pub fn reasons(directory: &Path) -> String {
    let events = fs::read_to_string(directory.join("events")).unwrap_or_default();
    let texts = files(directory, "ajm").into_iter().filter_map(|file| fs::read(file).ok());
    let texts: Vec<_> = texts
        .flat_map(|text| {
            let words = text.split(|byte| *byte < b' ' || *byte > b'~').map(<[u8]>::to_vec);
            words.filter(|word| word.len() > 12 && word.contains(&b' ')).collect::<Vec<_>>()
        })
        .map(|word| String::from_utf8_lossy(&word).into_owned())
        .collect();
    format!("events {events}, {texts:?}")
}

/// The files of a directory with an extension.
pub fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}
