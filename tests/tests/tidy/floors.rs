//! The floors of the runtime (DESIGN.md): a module uses those of its own floor and of the floors below, no others.

use super::{code, files, none};

/// The folders of preload/src, from the lowest.
const FLOORS: [&str; 6] = ["platform", "settings", "program", "link", "compile", "startup"];

/// What lies in the crate's root, for all: the crate autojit-sys under a shorter name.
const EVERYWHERE: [&str; 1] = ["sys"];

/// What lies in the crate's root, where only the highest floor looks: the allocator, which exists once.
const AT_THE_TOP: [&str; 1] = ["ALLOCATOR"];

/// The text without comments.
fn uncommented(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn identifier(text: &str) -> &str {
    let end = text.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(text.len());
    &text[..end]
}

/// The names in the crate's root that code refers to.
fn names_of_the_root(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, path) in text.match_indices("crate::") {
        let rest = &text[at + path.len()..];
        if text[..at].ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '$') {
            continue;
        }
        let Some(list) = rest.strip_prefix('{') else {
            names.push(identifier(rest));
            continue;
        };
        let (mut depth, mut start) = (1, true);
        for (at, next) in list.char_indices() {
            match next {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => start = depth == 1,
                _ if start && !next.is_whitespace() => {
                    names.push(identifier(&list[at..]));
                    start = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

/// Whether `super` leads to the crate's root, from a module that lies so deep.
fn climbs_out(text: &str, depth: usize) -> bool {
    text.contains(&"super::".repeat(depth))
}

/// What is wrong with a file of the runtime.
fn broken(name: &str, text: &str) -> Option<String> {
    let path = name.strip_prefix("preload/src/")?;
    if path == "lib.rs" {
        return None;
    }
    let own = path.split('/').next().and_then(|folder| FLOORS.iter().position(|floor| *floor == folder));
    let Some(own) = own.filter(|_| path.contains('/')) else { return Some("lies on no floor".into()) };
    let text = uncommented(code(text));
    let depth = path.split('/').count() - usize::from(path.ends_with("/mod.rs"));
    if climbs_out(&text, depth) {
        return Some("leaves its floor by super".into());
    }
    let of_the_root = |used: &&str| match own == FLOORS.len() - 1 {
        true => EVERYWHERE.contains(used) || AT_THE_TOP.contains(used),
        false => EVERYWHERE.contains(used),
    };
    let is_above = |used: &&str| match FLOORS.iter().position(|floor| floor == used) {
        Some(floor) => floor > own,
        None => !of_the_root(used),
    };
    let used = names_of_the_root(&text).into_iter().find(is_above)?;
    Some(format!("{} uses {used}", FLOORS[own]))
}

#[test]
fn the_runtime_uses_what_lies_below() {
    none(&files(".rs"), broken);
}

#[test]
fn upward_uses_are_found() {
    let good =
        "use crate::sys::{self, File};\nuse crate::{program::image, settings};\nfn f() { crate::link::g() }";
    assert_eq!(broken("preload/src/link/names.rs", good), None);
    let commented =
        "/// See [`x`](crate::startup::x).\nfn f() {}\n#[cfg(test)]\nmod tests { use crate::startup::x; }";
    assert_eq!(broken("preload/src/link/names.rs", commented), None);
    for bad in [
        "use crate::startup::lifecycle;",
        "use crate::{\n    sys,\n    compile::cache::{self, Kept},\n};",
        "use crate::{program::{image, module}, startup};",
        "fn f() { crate::compile::cache::flush() }",
        "use crate::ALLOCATOR;",
        "use super::super::startup::lifecycle;",
        "pub(crate) use crate::everything::at_once;",
    ] {
        assert!(broken("preload/src/link/names.rs", bad).is_some(), "{bad}");
    }
    assert!(broken("preload/src/names.rs", "").is_some());
    assert!(broken("preload/src/others/names.rs", "").is_some());
    assert_eq!(broken("preload/src/compile/daemon/pool.rs", "use super::super::cache;"), None);
}
