//! A link that failed, done again for what can be read from it: which symbols are missing, and which files were linked. Nobody sees
//! what this linker prints, and it writes nothing that stays: only options that are known are handed on to it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Options without a value, or with one that is joined by `=`; one or two hyphens in front.
const KNOWN: &[&str] = &[
    "(",
    ")",
    "Bdynamic",
    "Bshareable",
    "Bstatic",
    "Bsymbolic",
    "Bsymbolic-functions",
    "Bsymbolic-non-weak",
    "Bsymbolic-non-weak-functions",
    "E",
    "EL",
    "M",
    "S",
    "X",
    "allow-multiple-definition",
    "allow-shlib-undefined",
    "as-needed",
    "auxiliary",
    "build-id",
    "call_shared",
    "color-diagnostics",
    "compress-debug-sections",
    "copy-dt-needed-entries",
    "cref",
    "defsym",
    "demangle",
    "disable-new-dtags",
    "discard-all",
    "discard-locals",
    "dn",
    "dy",
    "dynamic-linker",
    "dynamic-list",
    "dynamic-list-cpp-new",
    "dynamic-list-cpp-typeinfo",
    "dynamic-list-data",
    "eh-frame-hdr",
    "emit-relocs",
    "enable-new-dtags",
    "end-group",
    "end-lib",
    "entry",
    "error-limit",
    "exclude-libs",
    "export-dynamic",
    "export-dynamic-symbol",
    "export-dynamic-symbol-list",
    "fatal-warnings",
    "filter",
    "fini",
    "fix-cortex-a53-843419",
    "gc-sections",
    "gdb-index",
    "hash-style",
    "icf",
    "image-base",
    "init",
    "keep-unique",
    "library",
    "library-path",
    "no-add-needed",
    "no-allow-shlib-undefined",
    "no-as-needed",
    "no-color-diagnostics",
    "no-copy-dt-needed-entries",
    "no-demangle",
    "no-dynamic-linker",
    "no-eh-frame-hdr",
    "no-export-dynamic",
    "no-fatal-warnings",
    "no-gc-sections",
    "no-gnu-unique",
    "no-keep-memory",
    "no-pie",
    "no-relax",
    "no-rosegment",
    "no-threads",
    "no-undefined",
    "no-undefined-version",
    "no-warn-mismatch",
    "no-warnings",
    "no-whole-archive",
    "noinhibit-exec",
    "non_shared",
    "orphan-handling",
    "pack-dyn-relocs",
    "pie",
    "pop-state",
    "print-gc-sections",
    "print-icf-sections",
    "print-map",
    "print-memory-usage",
    "push-state",
    "q",
    "reduce-memory-overheads",
    "relax",
    "require-defined",
    "retain-symbols-file",
    "rosegment",
    "rpath",
    "rpath-link",
    "s",
    "script",
    "section-start",
    "shared",
    "soname",
    "sort-common",
    "sort-section",
    "start-group",
    "start-lib",
    "stats",
    "static",
    "strip-all",
    "strip-debug",
    "symbol-ordering-file",
    "sysroot",
    "t",
    "thread-count",
    "threads",
    "trace",
    "trace-symbol",
    "undefined",
    "undefined-version",
    "unresolved-symbols",
    "v",
    "verbose",
    "version-script",
    "warn-common",
    "warn-once",
    "warn-shared-textrel",
    "warn-unresolved-symbols",
    "whole-archive",
    "wrap",
    "x",
    "znow",
];

/// Those of them whose value is the next word unless it is joined.
const SEPARATE: &[&str] = &[
    "I",
    "L",
    "T",
    "auxiliary",
    "defsym",
    "dynamic-linker",
    "dynamic-list",
    "e",
    "entry",
    "exclude-libs",
    "export-dynamic-symbol",
    "export-dynamic-symbol-list",
    "filter",
    "fini",
    "h",
    "image-base",
    "init",
    "l",
    "library",
    "library-path",
    "m",
    "plugin",
    "require-defined",
    "retain-symbols-file",
    "rpath",
    "rpath-link",
    "script",
    "section-start",
    "soname",
    "symbol-ordering-file",
    "trace-symbol",
    "u",
    "undefined",
    "version-script",
    "wrap",
    "y",
    "z",
];

/// Options whose value is part of the word.
const JOINED: &[&str] = &[
    "-L",
    "-l",
    "-melf_",
    "-z",
    "-O",
    "-plugin-opt=O",
    "-plugin-opt=mcpu=",
    "-plugin-opt=thinlto",
    "-plugin-opt=jobs=",
];

/// Options that have other files written; with their values they are left out.
const WRITING: &[&str] =
    &["Map", "dependency-file", "out-implib", "o", "output", "print-archive-stats", "why-extract"];

/// What is asked of the linker in addition: symbols as objects have them, and the files; members of archives if it is asked twice.
const ASKED: [&str; 3] = ["--no-demangle", "--trace", "--trace"];

/// A linker's command line that writes `output` and nothing else. None if it has an option that is not known.
fn harmless(words: &[OsString], output: &Path) -> Option<Vec<OsString>> {
    let mut line = vec![words.first()?.clone()];
    let mut rest = words[1..].iter();
    while let Some(word) = rest.next() {
        let text = word.to_str()?;
        let Some(option) = text.strip_prefix('-').filter(|_| text.len() > 1) else {
            // A response file may hold anything, and standard input is gone.
            if text.starts_with('@') || text == "-" {
                return None;
            }
            line.push(word.clone());
            continue;
        };
        let name = option.strip_prefix('-').unwrap_or(option);
        let (name, joined) = match name.split_once('=') {
            Some((name, _)) => (name, true),
            None => (name, false),
        };
        if WRITING.contains(&name) {
            if !joined {
                rest.next()?;
            }
        } else if SEPARATE.contains(&name) && !joined {
            let value = rest.next()?;
            // clang's own. Others may do what they like.
            if name == "plugin" && !value.as_bytes().ends_with(b"/LLVMgold.so") {
                return None;
            }
            line.extend([word.clone(), value.clone()]);
        } else if name == "plugin" || text.starts_with("-lto-") {
            return None;
        } else if SEPARATE.contains(&name)
            || KNOWN.contains(&name)
            || JOINED.iter().any(|known| text.starts_with(known) && text.len() > known.len())
        {
            line.push(word.clone());
        } else {
            return None;
        }
    }
    line.extend(["-o".into(), output.into()]);
    line.extend(ASKED.map(OsString::from));
    Some(line)
}

/// A file that was linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// An object or an archive.
    pub path: PathBuf,
    /// The archive's member.
    pub member: Option<String>,
}

/// What a linker says of a link that fails.
#[derive(Debug, Default)]
pub struct Said {
    /// Undefined symbols, each once.
    pub undefined: Vec<String>,
    /// Symbols that have several definitions, each once.
    pub duplicate: Vec<String>,
    /// What was linked, in this order.
    pub inputs: Vec<Input>,
}

/// Runs a linker, which writes to `output` if it writes. None if its command line has something that is not known.
pub fn link(words: &[OsString], output: &Path) -> Option<Said> {
    let line = harmless(words, output)?;
    let mut linker = Command::new(&line[0]);
    linker.args(&line[1..]).stdin(Stdio::null());
    // Messages in English.
    linker.env("LC_ALL", "C").env_remove("LANGUAGE");
    let printed = linker.output().ok().filter(|printed| !printed.status.success())?;
    let messages = String::from_utf8_lossy(&printed.stderr);
    let mut said = Said::default();
    for line in messages.lines() {
        for (symbols, symbol) in
            [(&mut said.undefined, undefined(line)), (&mut said.duplicate, duplicate(line))]
        {
            if let Some(symbol) = symbol.filter(|symbol| !symbols.iter().any(|known| known == symbol)) {
                symbols.push(symbol.to_owned());
            }
        }
    }
    let files = printed.stdout.split(|byte| *byte == b'\n').filter_map(|line| input(line, &messages));
    said.inputs = files.collect();
    Some(said)
}

/// The symbol that a line of a linker says is missing.
fn undefined(line: &str) -> Option<&str> {
    // LLVM's and mold.
    let (_, rest) = line.split_once("undefined ")?;
    for kind in ["", "hidden ", "protected ", "internal "] {
        if let Some(symbol) = rest.strip_prefix(kind).and_then(|rest| rest.strip_prefix("symbol: ")) {
            return Some(symbol);
        }
    }
    // GNU's.
    let quoted = rest.strip_prefix("references to ").or_else(|| rest.strip_prefix("reference to "))?;
    quoted.strip_prefix(['`', '\''])?.split('\'').next()
}

/// The symbol that a line of a linker says has several definitions.
fn duplicate(line: &str) -> Option<&str> {
    if let Some((_, rest)) = line.split_once("multiple definition of ") {
        return rest.strip_prefix(['`', '\''])?.split('\'').next();
    }
    // mold names the objects in front of it.
    line.split_once("duplicate symbol: ")?.1.split(' ').next_back()
}

/// The file that a line of `--trace` names: `FILE`, `ARCHIVE(MEMBER)`, or `(ARCHIVE)MEMBER` (bfd).
fn input(line: &[u8], messages: &str) -> Option<Input> {
    let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
    // mold names all members of archives, used or not.
    let line = match line.strip_prefix(b"trace: ") {
        Some(line) if !is_named(&String::from_utf8_lossy(line), messages) => return None,
        Some(line) => line,
        None => line,
    };
    if path(line).is_file() {
        return Some(Input { path: path(line), member: None });
    }
    let at = |wanted: u8| line.iter().rposition(|byte| *byte == wanted);
    let (archive, member) = match line {
        [b'(', ..] => (&line[1..at(b')')?], &line[at(b')')? + 1..]),
        [.., b')'] => (&line[..at(b'(')?], &line[at(b'(')? + 1..line.len() - 1]),
        _ => return None,
    };
    Some(Input { path: path(archive), member: Some(String::from_utf8_lossy(member).into_owned()) })
}

/// Whether messages of mold name a file: of a symbol that is missing behind arrows, where its section may follow, of others anywhere.
fn is_named(file: &str, messages: &str) -> bool {
    let of_line = |line: &str| match line.strip_prefix(">>> ") {
        Some(place) => {
            place.trim_start().strip_prefix(file).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        }
        None => line.contains(&format!(" {file}: ")),
    };
    messages.lines().any(of_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(line: &str) -> Option<String> {
        let words: Vec<_> = format!("ld {line}").split_whitespace().map(OsString::from).collect();
        let line = harmless(&words, Path::new("/t/o"))?.join(OsStr::new(" ")).into_string().ok()?;
        Some(line.strip_prefix("ld ")?.strip_suffix(" -o /t/o --no-demangle --trace --trace")?.to_owned())
    }

    #[test]
    fn what_clang_and_builds_ask_for_is_known() {
        for line in [
            "--hash-style=gnu --build-id --eh-frame-hdr -m elf_x86_64 -pie -dynamic-linker /lib64/l Scrt1.o -L/usr/lib",
            "-shared -soname x.so --as-needed -lgcc_s --no-as-needed -z now -znow -rpath lib -rpath=lib --push-state",
            "--gc-sections --version-script=v --version-script v -T script --whole-archive a.a --defsym x=1 -O2 -export-dynamic",
            "-plugin /lib/LLVMgold.so -plugin-opt=mcpu=x86-64 -plugin-opt=O2 --start-group a.a b.a --end-group -l m",
        ] {
            assert_eq!(left(line).as_deref(), Some(line));
        }
    }

    #[test]
    fn nothing_else_is_written() {
        assert_eq!(
            left("-o x a.o -Map x.map --Map=y.map b.o --dependency-file=d -lc").unwrap(),
            "a.o b.o -lc"
        );
        for line in [
            "@words",
            "-",
            "--reproduce=x.tar a.o",
            "--unheard-of a.o",
            "a.o --time-trace",
            "a.o -o",
            "-plugin my.so",
            "-mllvm -x",
            "-lto-obj-path=x",
        ] {
            assert_eq!(left(line), None, "{line}");
        }
    }

    #[test]
    fn symbols_are_read() {
        for (line, symbol) in [
            ("ld.lld: error: undefined symbol: _Z3foov", Some("_Z3foov")),
            ("ld.lld: error: undefined hidden symbol: foo", Some("foo")),
            ("mold: error: undefined symbol: foo", Some("foo")),
            ("/usr/bin/ld: a.o:(.rodata.autojit+0x1): undefined reference to `foo'", Some("foo")),
            ("/usr/bin/ld: a.c:5: more undefined references to `foo' follow", Some("foo")),
            ("a.o(.rodata.autojit+0x1): error: undefined reference to 'foo'", Some("foo")),
            (">>> referenced by a.c", None),
            ("mold: error: duplicate symbol: a.o: b.o: foo", None),
        ] {
            assert_eq!(undefined(line), symbol, "{line}");
        }
        for (line, symbol) in [
            ("ld.lld: error: duplicate symbol: foo", Some("foo")),
            ("mold: error: duplicate symbol: a.o: b.o: foo", Some("foo")),
            (
                "a.c:(.text.autojit+0x0): multiple definition of `foo'; b.o:b.c:(.text+0x0): first defined here",
                Some("foo"),
            ),
            ("ld.gold: error: a.o: multiple definition of 'foo'", Some("foo")),
            ("ld.lld: error: undefined symbol: foo", None),
        ] {
            assert_eq!(duplicate(line), symbol, "{line}");
        }
    }

    #[test]
    fn files_are_read() {
        let messages = ">>> referenced by a.c\n>>>               x.a(a.o):(.rodata.autojit)\n>>>               x.a(c.o)\n\
            mold: error: duplicate symbol: d.o: x.a(e.o): foo\n";
        let member =
            |path: &str, member: &str| Some(Input { path: path.into(), member: Some(member.into()) });
        assert_eq!(input(b"x.a(a.o)", ""), member("x.a", "a.o"));
        assert_eq!(input(b"(x.a)a.o", ""), member("x.a", "a.o"));
        assert_eq!(input(b"trace: x.a(a.o)", messages), member("x.a", "a.o"));
        assert_eq!(input(b"trace: x.a(b.o)", messages), None);
        assert_eq!(input(b"trace: x.a(c.o)", messages), member("x.a", "c.o"));
        assert_eq!(input(b"trace: x.a(e.o)", messages), member("x.a", "e.o"));
        assert_eq!(input(b"no file", ""), None);
        let own = input(b"/proc/self/exe", "").expect("it is a file");
        assert_eq!((own.path.as_path(), own.member), (Path::new("/proc/self/exe"), None));
    }
}
