//! Which compiles can have a preamble: an allow-list of flags. Every other command line is compiled the plain way.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::role::Language;

/// A compile of one source file to one object.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compile {
    /// The source file, as it was given.
    pub source: PathBuf,
    /// The arguments that decide what the preamble means: all but the source, outputs and make rules.
    pub flags: Vec<OsString>,
    /// The file of make dependencies (-MD, -MMD), if one is written.
    pub rules: Option<Rules>,
}

/// What -MD and its kin ask for.
#[derive(Debug, PartialEq, Eq)]
pub struct Rules {
    /// -MD or -MMD.
    pub option: &'static str,
    /// Where the compiler writes them.
    pub file: PathBuf,
    /// -MP: a rule without dependencies for each header.
    pub phony: bool,
}

/// Flags that mean the same with a preamble.
const EXACT: &[&str] = &[
    "-O",
    "-O0",
    "-O1",
    "-O2",
    "-O3",
    "-Os",
    "-Oz",
    "-Og",
    "-g",
    "-g0",
    "-g1",
    "-g2",
    "-ggdb",
    "-ggdb0",
    "-ggdb1",
    "-ggdb2",
    "-glldb",
    "-gline-tables-only",
    "-gdwarf-4",
    "-gdwarf-5",
    "-gdwarf",
    "-gcolumn-info",
    "-gno-column-info",
    "-fPIC",
    "-fpic",
    "-fPIE",
    "-fpie",
    "-fno-PIC",
    "-fno-pic",
    "-fno-PIE",
    "-fno-pie",
    "-fvisibility-inlines-hidden",
    "-fexceptions",
    "-fno-exceptions",
    "-frtti",
    "-fno-rtti",
    "-fstrict-aliasing",
    "-fno-strict-aliasing",
    "-fomit-frame-pointer",
    "-fno-omit-frame-pointer",
    "-ffunction-sections",
    "-fno-function-sections",
    "-fdata-sections",
    "-fno-data-sections",
    "-fstack-protector",
    "-fstack-protector-strong",
    "-fstack-protector-all",
    "-fno-stack-protector",
    "-fstack-clash-protection",
    "-fcf-protection",
    "-fplt",
    "-fno-plt",
    "-pthread",
    "-m64",
    "-fsigned-char",
    "-funsigned-char",
    "-fwrapv",
    "-fno-wrapv",
    "-fcommon",
    "-fno-common",
    "-fsemantic-interposition",
    "-fno-semantic-interposition",
    "-fmath-errno",
    "-fno-math-errno",
    "-ftrapping-math",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-ffast-math",
    "-fno-fast-math",
    "-fasynchronous-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-funwind-tables",
    "-fno-unwind-tables",
    "-fthreadsafe-statics",
    "-fno-threadsafe-statics",
    "-fcolor-diagnostics",
    "-fno-color-diagnostics",
    "-fshort-enums",
    "-fno-short-enums",
    "-finline-functions",
    "-fno-inline",
    "-fno-inline-functions",
    "-fbuiltin",
    "-fno-builtin",
    "-ffreestanding",
    "-fdelete-null-pointer-checks",
    "-fno-delete-null-pointer-checks",
    "-funroll-loops",
    "-fno-unroll-loops",
    "-fno-vectorize",
    "-fno-slp-vectorize",
    "-fuse-cxa-atexit",
    "-fno-use-cxa-atexit",
    "-fsized-deallocation",
    "-fno-sized-deallocation",
    "-faligned-new",
    "-fno-ident",
    "-fstrict-overflow",
    "-fno-strict-overflow",
    "-fno-operator-names",
    "-fchar8_t",
    "-fno-char8_t",
    "-ansi",
    "-pedantic",
    "-pedantic-errors",
    "-w",
    "-pipe",
    "-msse",
    "-msse2",
    "-msse3",
    "-mssse3",
    "-msse4.1",
    "-msse4.2",
    "-msse4",
    "-mavx",
    "-mavx2",
    "-mfma",
    "-mbmi",
    "-mbmi2",
    "-mpopcnt",
    "-mlzcnt",
    "-mno-red-zone",
];

/// Flags whose value is part of the word.
const JOINED: &[&str] = &[
    "-std=",
    "-stdlib=",
    "-fvisibility=",
    "-fdiagnostics-color",
    "-ferror-limit=",
    "-ftemplate-depth=",
    "-march=",
    "-mtune=",
    "-ftls-model=",
    "-fmessage-length=",
    "-D",
    "-U",
    "-I",
    "-isystem",
    "-iquote",
    "-idirafter",
];

/// Flags whose value may be the next word.
const SEPARATE: &[&str] = &["-D", "-U", "-I", "-isystem", "-iquote", "-idirafter"];

/// Warnings that a preamble would change: they are about directives, or about the whole file.
const OTHER_WARNINGS: &[&str] = &["-Weverything", "-Wunused-macros", "-Wdate-time", "-Wa,", "-Wl,", "-Wp,"];

/// Whether a flag is known to do nothing but change how sources are compiled.
pub fn is_known(text: &str) -> bool {
    let joined = JOINED.iter().any(|known| text.starts_with(known)) && !SEPARATE.contains(&text);
    (EXACT.contains(&text) || joined || is_harmless_warning(text)) && !text.ends_with("=native")
}

impl Compile {
    /// What a command line of the wrapper compiles, if all of it is on the list.
    pub fn of(language: Language, arguments: &[OsString]) -> Option<Self> {
        let mut compile = Self::default();
        let mut sources = Vec::new();
        let (mut to_object, mut object, mut option, mut rules, mut phony) = (false, None, None, None, false);
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let bytes = argument.as_bytes();
            // The value of an option: the rest of its word, else the next word.
            let mut value = |name: &str| -> Option<OsString> {
                match &bytes[name.len()..] {
                    [] => arguments.next().cloned(),
                    joined => Some(OsString::from_vec(joined.to_vec())),
                }
            };
            match bytes {
                b"-c" => {
                    to_object = true;
                    compile.flags.push(argument.clone());
                }
                b"-MD" => option = Some("-MD"),
                b"-MMD" => option = Some("-MMD"),
                b"-MP" => phony = true,
                [b'-', b'M', b'F', ..] => rules = Some(value("-MF")?),
                [b'-', b'M', b'T' | b'Q', ..] => drop(value("-MT")?),
                [b'-', b'o', ..] => object = Some(value("-o")?),
                [b'-', ..] => {
                    let text = argument.to_str()?;
                    let separate = SEPARATE.contains(&text);
                    if !(separate || is_known(text)) {
                        return None;
                    }
                    compile.flags.push(argument.clone());
                    if separate {
                        compile.flags.push(arguments.next()?.clone());
                    }
                }
                // A file of arguments.
                [b'@', ..] => return None,
                _ => sources.push(argument),
            }
        }
        let [source] = sources[..] else { return None };
        compile.source = PathBuf::from(source);
        let fits = match compile.source.extension()?.as_bytes() {
            b"cpp" | b"cc" | b"cxx" | b"C" | b"c++" => true,
            // clang++ takes C for C++, and says so.
            b"c" => language == Language::C,
            _ => false,
        };
        // The name goes into a #line directive and into make rules, where other characters would need quotes.
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./+-@%,=~".contains(byte);
        if !to_object || !fits || !source.as_bytes().iter().all(plain) {
            return None;
        }
        compile.rules = match option {
            Some(option) => {
                Some(Rules { option, file: rules_file(rules, object.as_deref(), &compile.source)?, phony })
            }
            None if rules.is_some() || phony => return None,
            None => None,
        };
        Some(compile)
    }

    /// The extension of a file of directives in the language of the source.
    pub fn extension(&self) -> &'static str {
        if self.source.extension().is_some_and(|extension| extension == "c") { "c" } else { "cpp" }
    }

    /// The directory that the source's own `#include "…"` begins with.
    pub fn folder(&self) -> &Path {
        match self.source.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

fn is_harmless_warning(text: &str) -> bool {
    text.starts_with("-W") && !OTHER_WARNINGS.iter().any(|other| text.starts_with(other))
}

/// Where clang writes make rules: what -MF says, else beside the object.
fn rules_file(given: Option<OsString>, object: Option<&OsStr>, source: &Path) -> Option<PathBuf> {
    match (given, object) {
        (Some(file), _) if file == "-" => None,
        (Some(file), _) => Some(file.into()),
        (None, Some(object)) if object == "-" => None,
        (None, Some(object)) => Some(Path::new(object).with_extension("d")),
        (None, None) => Some(PathBuf::from(source.file_name()?).with_extension("d")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(language: Language, line: &str) -> Option<Compile> {
        Compile::of(language, &line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn outputs_are_no_flags() {
        let compile =
            of(Language::Cxx, "-O2 -g -I x -DA=1 -MD -MT t -MF d -c a/b.cpp -o b.o").expect("all is known");
        assert_eq!(compile.flags, ["-O2", "-g", "-I", "x", "-DA=1", "-c"]);
        assert_eq!(compile.source, Path::new("a/b.cpp"));
        assert_eq!(compile.folder(), Path::new("a"));
        assert_eq!(compile.rules, Some(Rules { option: "-MD", file: "d".into(), phony: false }));
    }

    #[test]
    fn rules_are_beside_the_object() {
        let file = |line| of(Language::C, line).and_then(|compile| compile.rules).map(|rules| rules.file);
        assert_eq!(file("-MMD -MP -c a/b.c -o o/b.o"), Some("o/b.d".into()));
        assert_eq!(file("-MD -c a/b.c"), Some("b.d".into()));
    }

    #[test]
    fn whatever_is_unknown_is_compiled_plainly() {
        for line in [
            "a.cpp -o a",
            "-c a.cpp b.cpp",
            "-c a.s",
            "-c a.i",
            "-c",
            "-E a.cpp",
            "-S a.cpp",
            "-M a.cpp",
            "-c -MD -MF - a.cpp",
            "-c -include b.h a.cpp",
            "-c -imacros b.h a.cpp",
            "-c -x c++ a.cpp",
            "-c -H a.cpp",
            "-c -save-temps a.cpp",
            "-c --coverage a.cpp",
            "-c -fprofile-instr-generate a.cpp",
            "-c --serialize-diagnostics d a.cpp",
            "-c -fmodules a.cpp",
            "-c -fmodule-file=a a.cpp",
            "-c @args a.cpp",
            "-c -Xclang -include-pch -Xclang p a.cpp",
            "-c -march=native a.cpp",
            "-c -Wp,-MD,d a.cpp",
            "-c -Weverything a.cpp",
            "-c -Wunused-macros a.cpp",
            "-c -g3 a.cpp",
            "-c -fdebug-macro a.cpp",
            "-c -gsplit-dwarf a.cpp",
            "-c -fsanitize=address a.cpp",
            "-c -flto a.cpp",
            "-c -MF d a.cpp",
            "-c -ftime-trace a.cpp",
            "-c -v a.cpp",
            "-### -c a.cpp",
            "-c -- a.cpp",
            "-c -MG -MD a.cpp",
            "-c a\"b.cpp",
            "-c -fplugin=x a.cpp",
            "-c -I",
            "-c a.c",
            "-c -",
            "-c a.mm",
        ] {
            assert_eq!(of(Language::Cxx, line), None, "{line}");
        }
    }
}
