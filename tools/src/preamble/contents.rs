//! What preambles are made from, and what must not be in their headers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The file that a preamble of `source` is made from: the directives, with the name of the source.
pub fn directives(source: &Path, preamble: &[u8]) -> Vec<u8> {
    // Names with characters that would need quotes have no preamble.
    [b"#line 1 \"", source.as_os_str().as_encoded_bytes(), b"\"\n", preamble].concat()
}

/// Pragmas that leave nothing behind that a precompiled header lacks. All others are refused, but for those that the
/// preprocessor has for itself: [`objectionable`] knows the ones that matter.
const PRAGMAS: &[&str] = &[
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

/// The files of a preamble.
pub struct Files<'a> {
    /// The source that it was made for.
    pub source: &'a Path,
    /// The directory that the directives begin with, if they depend on it.
    pub folder: Option<&'a Path>,
    /// The headers, as make rules have them.
    pub headers: &'a [Vec<u8>],
}

/// Why a preamble with these files would not be the same as its text.
pub fn objection<'a>(files: impl Iterator<Item = &'a Path>, of: &Files) -> Option<String> {
    let source = of.source;
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
            && let Some(word) = objectionable(&text).or_else(|| of.looked_for(file, &text))
        {
            return Some(format!("{name} has {word}"));
        }
    }
    None
}

impl Files<'_> {
    /// A `__has_include` of a header in another directory for a file in the directory of the source: made from elsewhere, with
    /// that directory in the search path, the preamble answers it in another way.
    fn looked_for(&self, header: &Path, text: &[u8]) -> Option<String> {
        const WORD: &[u8] = b"__has_include";
        let folder = self.folder?;
        let mut rest = text;
        while let Some(at) = rest.windows(WORD.len()).position(|window| window == WORD) {
            rest = &rest[at + WORD.len()..];
            let operand = rest.trim_ascii_start().strip_prefix(b"(").unwrap_or_default().trim_ascii_start();
            let Some(name) =
                operand.strip_prefix(b"\"").and_then(|name| name.split(|byte| *byte == b'"').next())
            else {
                continue;
            };
            let name = Path::new(OsStr::from_bytes(name));
            let own = folder.join(name);
            let listed = self.headers.iter().any(|header| Path::new(OsStr::from_bytes(header)) == own);
            let beside = header.parent().is_some_and(|parent| parent.join(name).exists());
            if own.exists() && !beside && !listed {
                return Some(format!("a look for {}", own.display()));
            }
        }
        None
    }
}

/// What a header must not have: the preprocessor acts upon it, and writes nothing of it.
fn objectionable(text: &[u8]) -> Option<String> {
    let has = |word: &[u8]| text.windows(word.len()).any(|window| window == word);
    for word in ["__BASE_FILE__", "push_macro", "pop_macro", "restrict_expansion", "hdrstop"] {
        if has(word.as_bytes()) {
            return Some(word.to_owned());
        }
    }
    let mut rest = text;
    while let Some(at) = rest.windows(5).position(|window| window == b"clang") {
        rest = &rest[at + 5..];
        for word in ["final", "deprecated"] {
            let behind = rest.trim_ascii_start().strip_prefix(word.as_bytes());
            if behind.is_some_and(|behind| behind.trim_ascii_start().starts_with(b"(")) {
                return Some(format!("#pragma clang {word}"));
            }
        }
    }
    None
}

/// The pragma in the preprocessed directives that a precompiled header would lose: macros are expanded there, and comments are
/// gone.
pub fn lost_pragma(preprocessed: &[u8]) -> Option<String> {
    let mut open = 0i32;
    for line in preprocessed.split(|byte| *byte == b'\n') {
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
            "#pragma GCC diagnostic push\n",
            "#pragma pack(push, 1)\n",
            "int x;\n",
            "#pragma GCC visibility push(default)\n#pragma GCC visibility pop\n",
        ] {
            assert_eq!(lost_pragma(harmless.as_bytes()), None, "{harmless}");
        }
        for refused in [
            "#pragma clang attribute push\n",
            "int x;\n#pragma weak x\n",
            "#pragma oncely\n",
            "#pragma packed\n",
            "#pragma GCC visibility push(hidden)\n",
            "#pragma clang optimize off\n",
            "#pragma STDC FENV_ACCESS ON\n",
        ] {
            assert!(lost_pragma(refused.as_bytes()).is_some(), "{refused}");
        }
    }

    #[test]
    fn headers_that_change_macros_are_refused() {
        for harmless in
            ["#pragma once\n", "#pragma GCC poison x\n", "// clang deprecated this\n", "/* #pragma weak x */"]
        {
            assert_eq!(objectionable(harmless.as_bytes()), None, "{harmless}");
        }
        for refused in [
            "#pragma push_macro(\"X\")\n",
            "#define P _Pragma(\"pop_macro(\\\"X\\\")\")",
            "const char *f = __BASE_FILE__;",
            "#pragma clang  final(X)\n",
            "_Pragma(\"clang deprecated(X)\")\n",
            "#pragma clang restrict_expansion(X)\n",
        ] {
            assert!(objectionable(refused.as_bytes()).is_some(), "{refused}");
        }
    }

    #[test]
    fn looks_into_the_directory_of_the_source_are_refused() {
        let folder = std::env::temp_dir().join(format!("autojit-looks-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("sub")).expect("the directory is writable");
        std::fs::write(folder.join("own.h"), "").expect("it is ours");
        std::fs::write(folder.join("sub/beside.h"), "").expect("it is ours");
        let headers = [];
        let of = Files { source: &folder.join("a.cpp"), folder: Some(&folder), headers: &headers };
        let looked = |text: &str| of.looked_for(&folder.join("sub/a.h"), text.as_bytes()).is_some();
        let found = [
            looked("#if __has_include( \"own.h\" )\n"),
            looked(
                "#if __has_include(\"beside.h\") || __has_include(<own.h>) || __has_include(\"none.h\")\n",
            ),
            of.looked_for(&folder.join("a.h"), b"__has_include(\"own.h\")").is_some(),
        ];
        std::fs::remove_dir_all(&folder).expect("it is ours");
        assert_eq!(found, [true, false, false]);
    }

    #[test]
    fn directives_have_the_name_of_the_source() {
        assert_eq!(
            directives(Path::new("a/b.cpp"), b"#include <c>\n"),
            b"#line 1 \"a/b.cpp\"\n#include <c>\n"
        );
    }
}
