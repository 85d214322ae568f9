//! What a table of options looks like in documents: man pages, shell completions, pages with a marked part.
//!
//! The tests beside each table compare it with the documents, which lie in the repository, and write them when BLESS=1 is set.
//! No program uses this crate.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// An option, or an environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// As the help has it: name and value, as in `--jobs N`, `--stats[=FILE]`, `AUTOJIT_OPT=0|1|2|3`.
    pub form: &'a str,
    /// What it does.
    pub doc: &'a str,
}

/// The value of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    None,
    /// Behind "=", or none.
    Optional(&'a str),
    /// Behind "=", or the next argument.
    Required(&'a str),
    /// All arguments that follow.
    Rest(&'a str),
}

impl<'a> Entry<'a> {
    fn parts(&self) -> (&'a str, Value<'a>) {
        let name = self.form.split(['[', ' ', '=']).next().unwrap_or_default();
        let rest = &self.form[name.len()..];
        let value = match (rest.strip_prefix("[="), rest.strip_prefix([' ', '='])) {
            (Some(optional), _) => Value::Optional(optional.trim_end_matches(']')),
            (_, Some(value)) => match value.strip_suffix("...") {
                Some(value) => Value::Rest(value),
                // Several arguments.
                None if value.contains(' ') => Value::Rest(value),
                None => Value::Required(value),
            },
            _ => Value::None,
        };
        (name, value)
    }
}

/// Text as troff reads it: hyphens that stay what they are, no escapes, no requests.
fn troff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// The entries as a list of a man page: names in bold, placeholders in italics.
pub fn man(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let (name, _) = entry.parts();
        text += &format!(".TP\n\\fB{}\\fR", troff(name));
        let mut rest = &entry.form[name.len()..];
        while !rest.is_empty() {
            let letters = rest.starts_with(|c: char| c.is_alphabetic());
            let length = rest.find(|c: char| c.is_alphabetic() != letters).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(length);
            if word.bytes().all(|byte| byte.is_ascii_uppercase()) {
                let _ = write!(text, "\\fI{word}\\fR");
            } else {
                text += &troff(word);
            }
            rest = behind;
        }
        let _ = write!(text, "\n{}\n", troff(entry.doc));
    }
    text
}

/// Two arrays for bash: the options of `command`, and those of them that take the next argument.
pub fn bash(command: &str, entries: &[Entry]) -> String {
    let names = |wanted: &dyn Fn(Value) -> bool| {
        let found = entries.iter().map(Entry::parts).filter(|(_, value)| wanted(*value));
        found.map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    };
    let prefix = format!("_{}", command.replace('-', "_"));
    let all = names(&|_| true);
    let valued = names(&|value| matches!(value, Value::Required(_)));
    format!("{prefix}_options=({all})\n{prefix}_valued=({valued})\n")
}

/// Arguments for zsh's `_arguments`.
pub fn zsh(entries: &[Entry]) -> String {
    let mut text = String::new();
    // "--" by itself is _arguments' own.
    for (entry, (name, value)) in
        entries.iter().map(|entry| (entry, entry.parts())).filter(|(_, (name, _))| *name != "--")
    {
        let mut doc = entry.doc.replace('\'', "'\\''");
        for special in ["[", "]", ":"] {
            doc = doc.replace(special, &format!("\\{special}"));
        }
        let files = |what: &str| if what == "FILE" { "_files" } else { " " };
        let _ = match value {
            Value::None => writeln!(text, "'{name}[{doc}]'"),
            Value::Optional(what) => writeln!(text, "'{name}=-[{doc}]::{what}:{}'", files(what)),
            Value::Required(what) => writeln!(text, "'{name}=[{doc}]:{what}:{}'", files(what)),
            Value::Rest(what) => writeln!(text, "'{name}[{doc}]:*:{what}:{}'", files(what)),
        };
    }
    text
}

/// Commands for fish.
pub fn fish(command: &str, entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let (name, value) = entry.parts();
        let Some(long) = name.strip_prefix("--").filter(|long| !long.is_empty()) else { continue };
        let takes = match value {
            Value::Required("FILE") | Value::Rest("FILE") => " -r -F",
            Value::Required(_) | Value::Rest(_) => " -x",
            Value::None | Value::Optional(_) => "",
        };
        let doc = entry.doc.replace('\\', "\\\\").replace('\'', "\\'");
        let _ = writeln!(text, "complete -c {command} -l {long}{takes} -d '{doc}'");
    }
    text
}

/// A path in the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Compares a file of the repository with what it should be, or writes it if BLESS=1.
///
/// # Panics
/// They differ.
#[track_caller]
pub fn compare(path: &str, wanted: &str) {
    let found = std::fs::read_to_string(file(path)).unwrap_or_default();
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(file(path), wanted).unwrap_or_else(|error| panic!("writing {path}: {error}"));
    } else {
        assert!(
            found == wanted,
            "{path} differs from the table; BLESS=1 rewrites it. It should be:\n{wanted}"
        );
    }
}

/// Compares a part of a file: what is between the lines that end with "begin NAME" and "end NAME".
///
/// # Panics
/// They differ, or there are no such lines.
#[track_caller]
pub fn compare_part(path: &str, name: &str, wanted: &str) {
    let found = std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("reading {path}: {error}"));
    compare(path, &with_part(&found, name, wanted).unwrap_or_else(|| panic!("{path} has no part {name}")));
}

/// The text with another part.
fn with_part(text: &str, name: &str, part: &str) -> Option<String> {
    let begin = text.find(&format!(" begin {name}\n"))?;
    let start = begin + text[begin..].find('\n')? + 1;
    let end = start + text[start..].find(&format!(" end {name}\n"))?;
    let stop = text[..end].rfind('\n')? + 1;
    Some([&text[..start], part, &text[stop..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: [Entry<'static>; 6] = [
        Entry { form: "--stats[=FILE]", doc: "it's [so]" },
        Entry { form: "--trace FILE", doc: "a-b\\c" },
        Entry { form: "--jobs N", doc: ".x: y" },
        Entry { form: "--list FILE...", doc: "l" },
        Entry { form: "--copy FROM TO", doc: "c" },
        Entry { form: "--", doc: "d" },
    ];

    #[test]
    fn man_pages_have_no_requests_of_the_text() {
        let text = man(&ENTRIES);
        assert!(text.starts_with(".TP\n\\fB\\-\\-stats\\fR[=\\fIFILE\\fR]\nit's [so]\n"), "{text}");
        assert!(text.contains("\n\\fB\\-\\-trace\\fR \\fIFILE\\fR\na\\-b\\ec\n"), "{text}");
        assert!(text.contains("\n\\&.x: y\n"), "{text}");
        let variable = man(&[Entry { form: "AUTOJIT_STORE=embed|On|DIR", doc: "o" }]);
        assert_eq!(variable, ".TP\n\\fBAUTOJIT_STORE\\fR=embed|On|\\fIDIR\\fR\no\n");
    }

    #[test]
    fn shells_know_which_options_have_values() {
        assert_eq!(
            bash("autojit-run", &ENTRIES),
            "_autojit_run_options=(--stats --trace --jobs --list --copy --)\n_autojit_run_valued=(--trace --jobs)\n"
        );
        assert_eq!(
            zsh(&ENTRIES),
            "'--stats=-[it'\\''s \\[so\\]]::FILE:_files'\n'--trace=[a-b\\c]:FILE:_files'\n'--jobs=[.x\\: y]:N: '\n\
             '--list[l]:*:FILE:_files'\n'--copy[c]:*:FROM TO: '\n"
        );
        assert_eq!(
            fish("x", &ENTRIES),
            "complete -c x -l stats -d 'it\\'s [so]'\ncomplete -c x -l trace -r -F -d 'a-b\\\\c'\n\
             complete -c x -l jobs -x -d '.x: y'\ncomplete -c x -l list -r -F -d 'l'\n\
             complete -c x -l copy -x -d 'c'\n"
        );
    }

    #[test]
    fn parts_are_replaced() {
        let text = "a\n# begin one\nold\n# end one\n# begin two\n# end two\n";
        assert_eq!(
            with_part(text, "one", "new\n").as_deref(),
            Some("a\n# begin one\nnew\n# end one\n# begin two\n# end two\n")
        );
        assert_eq!(
            with_part(text, "two", "x\n").map(|text| text.ends_with("two\nx\n# end two\n")),
            Some(true)
        );
        assert_eq!(with_part(text, "three", ""), None);
    }

    #[test]
    fn man_pages_are_of_this_version() {
        let version = concat!("\"autojit ", env!("CARGO_PKG_VERSION"), "\"");
        let pages = std::fs::read_dir(file("docs/man")).expect("it is there");
        let paths: Vec<_> = pages.map(|entry| entry.expect("it is readable").path()).collect();
        assert!(paths.len() > 4, "{paths:?}");
        for path in paths {
            let text = std::fs::read_to_string(&path).expect("it is readable");
            let head = text.lines().next().expect("it has lines");
            assert!(head.contains(version), "{}: {head}", path.display());
        }
    }
}
