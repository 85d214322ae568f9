//! Documents name files and functions: those exist.

use super::{files, none, root};

/// Endings of files that documents name.
const ENDINGS: [&str; 7] = [".rs", ".cpp", ".h", ".c", ".ll", ".md", ".txt"];

/// Examples in documents for users, and patterns.
const EXAMPLES: [&str; 2] = ["./shape.h", "docs/decisions/NNNN-title.md"];

/// The words between backticks, without those of blocks of code.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2)).filter(|word| !word.contains('\n'))
}

/// A file with the names behind it: `file.rs:function, Type::function`.
fn path_and_names(word: &str) -> (&str, Vec<&str>) {
    match word.split_once(':') {
        Some((path, names)) if names.starts_with(|next: char| next.is_alphabetic() || next == '_') => {
            (path, names.split(", ").collect())
        }
        _ => (word, Vec::new()),
    }
}

/// Whether `text` defines the last part of a name.
fn defines(text: &str, name: &str) -> bool {
    let name = name.rsplit("::").next().unwrap_or(name);
    ["fn", "struct", "enum", "trait"].into_iter().any(|kind| {
        text.match_indices(&format!("{kind} {name}")).any(|(at, found)| {
            !text[at + found.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
        })
    })
}

/// The first file or function in a document that is not there.
fn missing(document: &str, sources: &[(String, String)], all: &[String]) -> Option<String> {
    for word in quoted(document) {
        let (path, names) = path_and_names(word);
        let is_file = ENDINGS.iter().any(|ending| path.ends_with(ending)) && path.contains('/');
        if (!is_file && names.is_empty())
            || EXAMPLES.contains(&path)
            || path.contains(['*', ' ', '<', '$', '{'])
        {
            continue;
        }
        let behind = format!("/{path}");
        let is_it = |name: &str| name == path || name.ends_with(&behind);
        if is_file && !all.iter().any(|name| is_it(name)) {
            return Some(format!("names {path}, which is not there"));
        }
        // A name behind a file, or behind a folder of a crate.
        let inside = format!("{behind}/");
        let found: Vec<_> =
            sources.iter().filter(|(name, _)| is_it(name) || format!("/{name}").contains(&inside)).collect();
        for name in names.iter().filter(|_| !found.is_empty()) {
            if !found.iter().any(|(_, text)| defines(text, name)) {
                return Some(format!("names {name} in {path}, where it is not"));
            }
        }
    }
    None
}

/// The first path of a Rust item in a document, also in its blocks of code, that leads nowhere: `autojit_code::link::link`.
fn lost_item<'d>(document: &'d str, sources: &[(String, String)]) -> Option<&'d str> {
    let words = document.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.starts_with("autojit_")).find(|word| {
        let parts: Vec<_> = word.split("::").collect();
        // Items of a crate's root may be defined anywhere in it.
        let [_, modules @ .., item] = &parts[..] else { return false };
        let path = modules.join("/");
        let is_it = |name: &str| {
            name.ends_with(&format!("/src/{path}.rs")) || name.ends_with(&format!("/src/{path}/mod.rs"))
        };
        !modules.is_empty() && !sources.iter().any(|(name, text)| is_it(name) && defines(text, item))
    })
}

#[test]
fn documents_name_what_is_there() {
    let sources = files(".rs");
    let mut all: Vec<_> = ENDINGS.iter().flat_map(|ending| files(ending)).map(|(name, _)| name).collect();
    all.sort();
    let documents: Vec<_> = files(".md")
        .into_iter()
        .filter(|(name, _)| name != "CHANGELOG.md" && !name.starts_with("benchmark/results/"))
        .collect();
    none(&documents, |_, text| missing(text, &sources, &all));
    none(&documents, |_, text| {
        lost_item(text, &sources).map(|item| format!("names {item}, which is not there"))
    });
    for (item, lost) in
        [("startup::resolver::resolve", false), ("resolver::resolve", true), ("startup::resolver::no", true)]
    {
        assert_eq!(
            lost_item(&format!("```\nbreak autojit_preload::{item}\n```"), &sources).is_some(),
            lost,
            "{item}"
        );
    }
    let design = std::fs::read_to_string(root().join("DESIGN.md")).expect("it is there");
    assert!(
        quoted(&design).filter(|word| !path_and_names(word).1.is_empty()).count() > 20,
        "the walks are read"
    );
    for wrong in [
        "`preload/src/nowhere.rs`",
        "`startup/resolver.rs:nothing`",
        "`startup/resolver.rs:resolve, resol`",
        "`compile/daemon:Nothing`",
    ] {
        assert!(missing(wrong, &sources, &all).is_some(), "{wrong}");
    }
    for right in ["`startup/resolver.rs:resolve`", "`compile/daemon:Client`", "`a:b`", "```\n`x/y.rs`\n```"] {
        assert_eq!(missing(right, &sources, &all), None, "{right}");
    }
}
