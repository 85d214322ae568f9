//! Whether `dist/` was built from the sources that are there: tests of an older build would say nothing about them.
//!
//! scripts/build leaves a stamp: the digest of the sources (scripts/sources), the tree that they were in, and what the
//! environment said of cargo's release profile. The digest is calculated anew only if a source is younger than the stamp or
//! the stamp is of another tree.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

/// As in scripts/sources.
const SOURCES: [&str; 14] = [
    "Cargo.toml",
    "Cargo.lock",
    "daemon",
    "engine",
    "plugin",
    "preload",
    "shared",
    "tools",
    "trampoline",
    "scripts/build",
    "scripts/autojit.cfg",
    "scripts/completions",
    "scripts/systemd",
    "docs/man",
];
const NOT_BUILT: [&str; 3] = ["tests", "examples", "target"];

/// Whether `dist` is built from the sources in `root`.
///
/// # Errors
/// It is not: what to do about it.
pub fn check(root: &Path, dist: &Path) -> Result<(), String> {
    let stale = |why: &str| Err(format!("{} {why}: run scripts/build", dist.display()));
    let stamp = dist.join(".sources");
    let Ok(text) = fs::read_to_string(&stamp) else {
        return stale("is of no finished build");
    };
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default();
    let (digest, tree) = (line(), line());
    let built = fs::metadata(&stamp).and_then(|stamp| stamp.modified()).expect("it was just read");
    if Path::new(tree) == root && SOURCES.iter().all(|source| is_older(&root.join(source), built)) {
        return Ok(());
    }
    let now = Command::new(root.join("scripts/sources")).output().expect("the script is there");
    if String::from_utf8_lossy(&now.stdout).trim_end() == digest {
        return Ok(());
    }
    stale("was built from other sources than those that are there now")
}

/// What the environment said of cargo's release profile when `dist` was built, as for quick builds without link-time
/// optimisation; empty for a build as it is released.
pub fn profile(dist: &Path) -> String {
    let stamp = fs::read_to_string(dist.join(".sources")).unwrap_or_default();
    stamp.lines().nth(2).unwrap_or_default().to_owned()
}

/// Whether a file, or all files in a directory, and the directory itself, were last changed before `time`.
fn is_older(path: &Path, time: SystemTime) -> bool {
    let Ok(found) = fs::metadata(path) else { return false };
    let older = found.modified().is_ok_and(|modified| modified < time);
    if !older || !found.is_dir() {
        return older;
    }
    let Ok(entries) = fs::read_dir(path) else { return false };
    entries
        .flatten()
        .filter(|entry| !NOT_BUILT.iter().any(|name| entry.file_name() == *name))
        .all(|entry| is_older(&entry.path(), time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::{Scratch, repository};

    #[test]
    fn other_sources_are_noticed() {
        let scratch = Scratch::new("fresh");
        let (root, dist) = (scratch.path(), scratch.directory("dist"));
        for source in ["Cargo.toml", "Cargo.lock", "plugin/a.rs", "preload/a.rs", "trampoline/tests/a.rs"] {
            scratch.file(source, "1");
        }
        for source in ["scripts/build", "scripts/systemd/unit"] {
            scratch.file(source, "1");
        }
        fs::copy(repository().join("scripts/sources"), root.join("scripts/sources")).unwrap();
        let stale = |what: &str| {
            let error = check(root, &dist).expect_err(what);
            assert!(error.ends_with("run scripts/build"), "{what}: {error}");
        };
        stale("no stamp");
        let digest = Command::new(root.join("scripts/sources")).output().unwrap().stdout;
        let stamp = |tree: &Path| {
            let text = format!("{}{}\n", String::from_utf8_lossy(&digest), tree.display());
            fs::write(dist.join(".sources"), text).unwrap();
        };
        stamp(root);
        assert_eq!(check(root, &dist), Ok(()));
        scratch.file("plugin/a.rs", "1");
        assert_eq!(check(root, &dist), Ok(()), "written again with the same content");
        scratch.file("trampoline/tests/a.rs", "2");
        assert_eq!(check(root, &dist), Ok(()), "a test is not built into it");
        scratch.file("plugin/a.rs", "2");
        stale("a changed file");
        scratch.file("plugin/a.rs", "1");
        scratch.file("preload/b.rs", "1");
        stale("a new file");
        fs::remove_file(root.join("preload/b.rs")).unwrap();
        assert_eq!(check(root, &dist), Ok(()));
        stamp(Path::new("/another/tree"));
        assert_eq!(check(root, &dist), Ok(()), "the same sources elsewhere");
        scratch.file("plugin/a.rs", "3");
        stamp(Path::new("/another/tree"));
        stale("other sources elsewhere");
    }
}
