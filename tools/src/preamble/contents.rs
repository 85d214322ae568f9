//! What preambles are made from, and what must not be in their headers.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The file that a preamble of `source` is made from: the directives, with the name of the source.
pub fn directives(source: &Path, preamble: &[u8]) -> Vec<u8> {
    // Names with characters that would need quotes have no preamble.
    [b"#line 1 \"", source.as_os_str().as_encoded_bytes(), b"\"\n", preamble].concat()
}

/// Pragmas that leave nothing behind that a precompiled header lacks. All others are refused.
const PRAGMAS: &[&str] = &[
    "once",
    "pack",
    "omp",
    "warning",
    "region",
    "endregion",
    "mark",
    "simd",
    "intel",
    "unroll",
    "nounroll",
    "GCC system_header",
    "GCC diagnostic",
    "GCC visibility",
    "GCC poison",
    "GCC ivdep",
    "GCC unroll",
    "GCC push_options",
    "GCC pop_options",
    "GCC optimize",
    "GCC target",
    "clang system_header",
    "clang diagnostic",
    "clang loop",
    "clang unroll",
];

/// Why a preamble with these files (`source` is its own) would not be the same as its text.
pub fn objection<'a>(files: impl Iterator<Item = &'a Path>, source: &Path) -> Option<String> {
    let own = source.metadata().ok().map(|found| (found.dev(), found.ino()));
    for file in files {
        let name = file.display();
        let Ok(metadata) = file.metadata() else { return Some(format!("{name} is gone")) };
        if !metadata.is_file() {
            continue;
        }
        if Some((metadata.dev(), metadata.ino())) == own {
            return Some("the source includes itself".to_owned());
        }
        let Ok(text) = std::fs::read(file) else { return Some(format!("{name} cannot be read")) };
        // The compiler itself, and its libraries.
        if !text.starts_with(b"\x7fELF")
            && let Some(word) = objectionable(&text)
        {
            return Some(format!("{name} has {word}"));
        }
    }
    None
}

/// What a header must not have.
fn objectionable(text: &[u8]) -> Option<String> {
    let has = |word: &[u8]| text.windows(word.len()).any(|window| window == word);
    for word in ["__BASE_FILE__", "push_macro", "pop_macro"] {
        if has(word.as_bytes()) {
            return Some(word.to_owned());
        }
    }
    let mut open = 0i32;
    for line in text.split(|byte| *byte == b'\n') {
        let Some(pragma) = pragma(line) else { continue };
        let starts = |known: &&str| {
            pragma
                .strip_prefix(*known)
                .is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
        };
        if !PRAGMAS.iter().any(starts) {
            return Some(format!("#pragma {pragma}"));
        }
        if let Some(visibility) = pragma.strip_prefix("GCC visibility") {
            open += if visibility.trim_start().starts_with("push") { 1 } else { -1 };
        }
    }
    (open != 0).then(|| "#pragma GCC visibility left open".to_owned())
}

/// The words of a #pragma line, with one blank between them.
fn pragma(line: &[u8]) -> Option<String> {
    let rest = line.trim_ascii_start().strip_prefix(b"#")?.trim_ascii_start().strip_prefix(b"pragma")?;
    let words = String::from_utf8_lossy(rest);
    Some(words.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pragmas_that_are_lost_are_refused() {
        for harmless in [
            "#pragma once\n",
            "  # pragma GCC  diagnostic push\n",
            "#pragma pack(push, 1)\n",
            "int x;\n",
            "#pragma GCC visibility push(default)\n#pragma GCC visibility pop\n",
            "#define P _Pragma(\"once\")\n",
        ] {
            assert_eq!(objectionable(harmless.as_bytes()), None, "{harmless}");
        }
        for refused in [
            "#pragma clang attribute push\n",
            "#pragma weak x\n",
            "#pragma push_macro(\"X\")\n",
            "#pragma oncely\n",
            "#pragma GCC visibility push(hidden)\n",
            "const char *f = __BASE_FILE__;",
            "#pragma clang optimize off\n",
            "#pragma STDC FENV_ACCESS ON\n",
        ] {
            assert!(objectionable(refused.as_bytes()).is_some(), "{refused}");
        }
    }

    #[test]
    fn directives_have_the_name_of_the_source() {
        assert_eq!(
            directives(Path::new("a/b.cpp"), b"#include <c>\n"),
            b"#line 1 \"a/b.cpp\"\n#include <c>\n"
        );
    }
}
