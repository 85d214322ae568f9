//! Which folder's crates may use which: what several programs share lies in shared/, and knows none of them.

use super::{files, none};

/// Folders, and those that their crates may depend on besides shared/ and their own. Tests may use anything.
const USES: [(&str, &[&str]); 7] = [
    ("shared", &["trampoline"]),
    ("trampoline", &[]),
    ("preload", &["trampoline"]),
    ("engine", &[]),
    ("daemon", &[]),
    ("tools", &["trampoline"]),
    ("plugin", &["trampoline"]),
];

/// The folder of each crate, as the workspace names it.
fn folders(workspace: &str) -> Vec<(String, String)> {
    let paths = workspace.lines().filter_map(|line| line.split_once(" = { path = \""));
    paths
        .filter_map(|(name, path)| {
            let folder = path.split(['/', '"']).next()?;
            Some((name.to_owned(), folder.to_owned()))
        })
        .collect()
}

/// The first dependency that a crate in `folder` may not have.
fn forbidden<'a>(folder: &str, manifest: &'a str, folders: &[(String, String)]) -> Option<&'a str> {
    let &(_, uses) = USES.iter().find(|(name, _)| *name == folder)?;
    let tables = manifest.split("\n[").filter(|table| !table.starts_with("dev-dependencies]"));
    let names = tables.flat_map(str::lines).filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| name.starts_with("autojit-")).find(|name| {
        let theirs = folders.iter().find(|(known, _)| known == name);
        !theirs.is_some_and(|(_, theirs)| {
            theirs == folder
                || theirs == "shared" && folder != "trampoline"
                || uses.contains(&theirs.as_str())
        })
    })
}

#[test]
fn folders_use_what_they_may() {
    let manifests = files("Cargo.toml");
    let (_, workspace) = manifests.iter().find(|(name, _)| name == "Cargo.toml").expect("it is there");
    let folders = folders(workspace);
    none(&manifests, |name, text| {
        let folder = name.split('/').next()?;
        forbidden(folder, text, &folders).map(|other| format!("depends on {other}"))
    });
    for (folder, manifest) in [
        ("shared", "[dependencies]\nautojit-baseline.workspace = true\n"),
        ("shared", "[dependencies]\nautojit-unknown = { path = \"x\" }\n"),
        ("daemon", "[package]\n[dependencies]\nautojit-trampoline.workspace = true\n"),
        ("trampoline", "[build-dependencies]\nautojit-sys = { workspace = true }\n"),
    ] {
        assert!(forbidden(folder, manifest, &folders).is_some(), "{folder}: {manifest}");
    }
    let tests_only = "[dependencies]\nautojit-sys.workspace = true\n\n[dev-dependencies]\nautojit-engine.workspace = true\n";
    assert_eq!(forbidden("daemon", tests_only, &folders), None);
}
