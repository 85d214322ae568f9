//! Locks of the runtime and forks: a lock that another thread holds while the program forks would stay held in the child.
//! All that are not only taken within a fork guard are in one list (preload/src/startup/forks.rs).

use super::{RUNTIME, code, files};

/// The list.
const LIST: &str = "preload/src/startup/forks.rs";

/// Has a lock of its own, by which it waits for the threads that hold the others.
const OWN: (&str, &str) = ("preload/src/program/fork.rs", "IN_RUNTIME");

/// Structures that have a lock: their files and names.
fn locked_types(files: &[(String, String)]) -> Vec<(&str, &str)> {
    let mut types = vec![("", "Lock")];
    for (file, text) in files {
        for item in code(text).split("struct ").skip(1) {
            let Some((head, rest)) = item.split_once('{') else { continue };
            let body = rest.split("\n}").next().unwrap_or_default();
            if !head.contains(';') && body.contains(": Lock<") {
                types.push((file, head.trim().split('<').next().unwrap_or_default()));
            }
        }
    }
    types
}

/// The statics of these types, with where they are listed: as part of [`LIST`], or by a `ForkLock` of their module.
fn unlisted(files: &[(String, String)]) -> Vec<String> {
    let list = files.iter().find(|(name, _)| name == LIST).map_or("", |(_, text)| text);
    let types = locked_types(files);
    let mut found = Vec::new();
    for (file, text) in files {
        let text = code(text);
        let has_lock = |file: &str, kind: &str| {
            // Another file's structure of the same name is another one.
            let own = text.contains(&format!("struct {kind} {{"));
            types.iter().any(|(place, locked)| *locked == kind && (!own || *place == file))
        };
        for item in text.split("static ").skip(1) {
            let Some((name, rest)) = item.split_once(": ") else { continue };
            let kind = rest.split(['=', '<', ';']).next().unwrap_or_default().trim();
            let kind = kind.rsplit("::").next().unwrap_or_default();
            if !name.chars().all(|next| next.is_ascii_uppercase() || next == '_')
                || !has_lock(file, kind)
                || (file.as_str(), name) == OWN
            {
                continue;
            }
            let module = file.trim_end_matches("/mod.rs").trim_end_matches(".rs").rsplit('/').next();
            let module = module.unwrap_or_default();
            let parent = file.rsplit('/').nth(1).unwrap_or_default();
            let offered = text.split("static FORK_LOCK: &dyn ForkLock = &").nth(1).unwrap_or_default();
            let is_offered =
                offered.starts_with(&format!("{name};")) || offered.starts_with(&format!("{name}."));
            let listed = [module, parent].iter().any(|module| {
                is_offered && list.contains(&format!(" {module}::FORK_LOCK,"))
                    || list.contains(&format!("&{module}::{name},"))
            });
            if !listed && !list.contains(&format!(" &{name},")) {
                found.push(format!("{file}: {name}"));
            }
        }
    }
    found
}

fn runtime() -> Vec<(String, String)> {
    let mut files = files(".rs");
    files.retain(|(name, _)| {
        RUNTIME.iter().any(|part| name.starts_with(part))
            && !name.contains("/tests/")
            && !name.contains("/examples/")
    });
    files
}

#[test]
fn every_lock_takes_part_in_forks() {
    let found = unlisted(&runtime());
    assert!(found.is_empty(), "not in {LIST}:\n{}", found.join("\n"));
}

#[test]
fn forgotten_locks_are_found() {
    let mut files = runtime();
    let list = files.iter().position(|(name, _)| name == LIST).expect("the list is there");
    let listed = files[list].1.matches("FORK_LOCK,").count();
    assert!(listed > 8, "{listed}");
    for forgotten in ["names::FORK_LOCK,", "daemon::FORK_LOCK,", "reservation::FORK_LOCK,", "&ALLOCATOR,"] {
        let whole = files[list].1.clone();
        files[list].1 = whole.replacen(forgotten, "", 1);
        assert_ne!(files[list].1, whole);
        assert_eq!(unlisted(&files).len(), 1, "{forgotten}");
        files[list].1 = whole;
    }
    let new = ("preload/src/link/new.rs".to_owned(), "static NEW: Lock<u8> = Lock::new(0);".to_owned());
    files.push(new);
    assert_eq!(unlisted(&files), ["preload/src/link/new.rs: NEW"]);
}
