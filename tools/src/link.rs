//! What the compiler wrappers add when the compiler links: the runtime, so that programs find it without preload or
//! environment, wherever they are started from.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use autojit_options::target::is_lazy;
use autojit_options::{Options, Reader};

use crate::{Failure, installation};

/// Options of clang's driver whose value is the next argument. Such a value is no input.
pub const SEPARATE: &[&str] = &[
    "-o",
    "-I",
    "-D",
    "-U",
    "-L",
    "-B",
    "-F",
    "-T",
    "-u",
    "-z",
    "-e",
    "-x",
    "-G",
    "-h",
    "-arch",
    "-target",
    "-mllvm",
    "-include",
    "-include-pch",
    "-imacros",
    "-isystem",
    "-iquote",
    "-idirafter",
    "-iprefix",
    "-iwithprefix",
    "-iwithprefixbefore",
    "-isysroot",
    "-iframework",
    "-framework",
    "-ivfsoverlay",
    "-MF",
    "-MT",
    "-MQ",
    "-MJ",
    "-Xclang",
    "-Xlinker",
    "-Xassembler",
    "-Xpreprocessor",
    "-Xanalyzer",
    "-rpath",
    "-dumpdir",
    "-resource-dir",
    "-working-directory",
    "-aux-info",
    "-serialize-diagnostics",
    "--serialize-diagnostics",
    "--sysroot",
    "--param",
    "--config",
    "--output",
    "--language",
    "--include-directory",
    "--define-macro",
    "--undefine-macro",
    "--library-directory",
    "--prefix",
    "--for-linker",
];

/// Options with which the compiler stops before it links, or only answers.
pub const NO_LINK: &[&str] = &[
    "-c",
    "-S",
    "-E",
    "-M",
    "-MM",
    "-fsyntax-only",
    "-emit-ast",
    "-emit-llvm",
    "-emit-interface-stubs",
    "-verify-pch",
    "-fdriver-only",
    "-dumpversion",
    "-dumpmachine",
    "--analyze",
    "--precompile",
    "--compile",
    "--assemble",
    "--preprocess",
    "--dependencies",
    "--user-dependencies",
    "--help",
    "--help-hidden",
    "--version",
    "-help",
];

/// Options of links that have no place for a shared runtime.
const NOT_DYNAMIC: &[&str] = &[
    "-static",
    "--static",
    "-static-pie",
    "-r",
    "-nostdlib",
    "--no-standard-libraries",
    "-nolibc",
    "-m16",
    "-m32",
    "-mx32",
];

/// The same among those for the linker.
const NOT_DYNAMIC_FOR_LINKER: &[&str] = &["-r", "-i", "-static", "--static", "--relocatable", "-Ur"];

/// How the output of a command of the compiler's driver comes to a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing is linked, or what is linked has no place for it.
    No,
    /// It can have libautojit.so.
    Dynamic,
    /// It is linked with `-static` or `-static-pie`.
    Static,
}

impl Link {
    /// What a command line of clang's driver asks for. Response files are looked into.
    pub fn of(arguments: &[OsString]) -> Self {
        Self::of_files(arguments, |file| Path::new(file).exists())
    }

    /// The same. Without a file that exists the driver has nothing to link, and says so unless we give it something.
    fn of_files(arguments: &[OsString], exists: impl Fn(&OsStr) -> bool) -> Self {
        let expanded = expanded(arguments);
        let directory = expanded.iter().rposition(|word| word.as_bytes().starts_with(b"-working-directory"));
        let directory =
            directory.and_then(|at| match expanded[at].as_bytes().strip_prefix(b"-working-directory=") {
                Some(joined) => Some(OsStr::from_bytes(joined)),
                None => expanded.get(at + 1).map(OsString::as_os_str),
            });
        let directory = Path::new(directory.unwrap_or_default());
        let exists = |file: &[u8]| exists(directory.join(OsStr::from_bytes(file)).as_os_str());
        let mut result = Self::Dynamic;
        let (mut inputs, mut header) = (false, false);
        let mut arguments = expanded.iter().map(|argument| argument.as_bytes());
        while let Some(argument) = arguments.next() {
            let text = std::str::from_utf8(argument).unwrap_or_default();
            if NO_LINK.contains(&text) || text.starts_with("-print-") || text.starts_with("--print-") {
                return Self::No;
            }
            if NOT_DYNAMIC.contains(&text) || is_foreign(text) {
                result = if text.contains("-static") { Self::Static } else { return Self::No };
            }
            if let Some(options) = text.strip_prefix("-Wl,")
                && options.split(',').any(|option| NOT_DYNAMIC_FOR_LINKER.contains(&option))
            {
                return Self::No;
            }
            if SEPARATE.contains(&text) {
                // What would come behind would be taken for it.
                let Some(value) = arguments.next() else { return Self::No };
                let value = std::str::from_utf8(value).unwrap_or_default();
                match text {
                    "-Xlinker" | "--for-linker" if NOT_DYNAMIC_FOR_LINKER.contains(&value) => {
                        return Self::No;
                    }
                    "-target" | "-arch" if !is_native(value) => return Self::No,
                    "-x" | "--language" if value.ends_with("-header") => return Self::No,
                    _ => {}
                }
            } else if argument == b"-" || !argument.starts_with(b"-") {
                inputs = inputs || argument == b"-" || exists(argument);
                header |= is_header(argument);
            } else if argument.starts_with(b"-x") && argument.ends_with(b"-header") {
                return Self::No;
            } else {
                inputs |= argument.starts_with(b"-l");
            }
        }
        if inputs && !header { result } else { Self::No }
    }
}

/// A header is compiled into a precompiled one.
fn is_header(file: &[u8]) -> bool {
    let extension = Path::new(OsStr::from_bytes(file)).extension().map(OsStr::as_bytes);
    extension.is_some_and(|it| [&b"h"[..], b"hh", b"hpp", b"hxx", b"H", b"h++", b"hp", b"tcc"].contains(&it))
}

/// Whether a target's programs can have the runtime.
pub fn is_native(target: &str) -> bool {
    // As -arch has it.
    target == "x86_64" || is_lazy(target)
}

/// Whether an option names a target whose programs cannot have the runtime.
pub fn is_foreign(option: &str) -> bool {
    option.strip_prefix("--target=").is_some_and(|target| !is_native(target))
}

/// Arguments, and in the place of response files what these hold.
pub fn expanded(arguments: &[OsString]) -> Vec<OsString> {
    let mut expanded = Vec::new();
    expand(arguments, &mut expanded, 0);
    expanded
}

/// Arguments with those that response files (`@FILE`) hold, as deep as they may name each other.
fn expand(arguments: &[OsString], into: &mut Vec<OsString>, depth: usize) {
    for argument in arguments {
        let file = argument.as_bytes().strip_prefix(b"@").map(OsStr::from_bytes);
        match file.filter(|_| depth < 10).and_then(|file| std::fs::read(file).ok()) {
            Some(text) => expand(&response(&text), into, depth + 1),
            None => into.push(argument.clone()),
        }
    }
}

/// The arguments in a response file: blanks separate them; quotes of both kinds and backslashes keep what they are for.
fn response(text: &[u8]) -> Vec<OsString> {
    let (mut arguments, mut current, mut quote) = (Vec::new(), None::<Vec<u8>>, None);
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', _) if quote != Some(b'\'') => current.get_or_insert_default().extend(bytes.next()),
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                current.get_or_insert_default();
            }
            (_, Some(open)) if byte == open => quote = None,
            (_, None) if byte.is_ascii_whitespace() => {
                arguments.extend(current.take().map(OsString::from_vec))
            }
            _ => current.get_or_insert_default().push(byte),
        }
    }
    arguments.extend(current.map(OsString::from_vec));
    arguments
}

/// A runtime to link.
pub struct Runtime {
    /// What is put in front of all inputs: calls that the runtime interposes are to find it in front of the C library.
    pub first: Vec<OsString>,
    /// What is put behind them.
    pub last: Vec<OsString>,
}

/// The runtime for a link, as words for the linker: the static one for static programs and where AUTOJIT_PORTABLE asks for
/// it (linkers take it only into what has lazy code), the shared one for others.
///
/// # Errors
/// It is not installed.
pub fn runtime(link: Link) -> Result<Option<Runtime>, Failure> {
    let (options, bad) = Options::from_environment(Reader::Wrappers);
    for value in bad {
        eprintln!("autojit: {value}");
    }
    match link {
        Link::No => Ok(None),
        Link::Dynamic if !options.portable => {
            let library = installation::library("libautojit.so", 1)?;
            // By its path, the loader opens it at once. With an rpath it would look for each library of the program in that
            // directory, and in ten others that are not there. Where it looks by itself, a name is enough.
            let searched = library.parent().is_some_and(installation::is_searched);
            let library = if searched { "-l:libautojit.so".into() } else { library.into() };
            // Whatever --as-needed is in force: nothing refers to it by a symbol that has to be there.
            let first = ["--push-state".into(), "--no-as-needed".into(), library, "--pop-state".into()];
            Ok(Some(Runtime { first: first.into(), last: Vec::new() }))
        }
        Link::Dynamic | Link::Static => {
            let library = installation::library("libautojit_static-x86_64.a", 1)?;
            // Behind the objects: linkers that go by the order take it for what they know to be missing.
            Ok(Some(Runtime { first: Vec::new(), last: vec![library.into()] }))
        }
    }
}

/// A command line of clang's driver, which links `runtime` as well. clang says nothing if it does not link after all.
pub fn add(runtime: Runtime, arguments: &[OsString]) -> Vec<OsString> {
    let words = |words: Vec<OsString>| {
        let quiet = |word: &str| OsString::from(word);
        let words = words.into_iter().flat_map(move |word| [quiet("-Xlinker"), word]);
        let mut words: Vec<_> = words.collect();
        if !words.is_empty() {
            words.insert(0, quiet("--start-no-unused-arguments"));
            words.push(quiet("--end-no-unused-arguments"));
        }
        words
    };
    let mut line = words(runtime.first);
    line.extend(arguments.iter().cloned());
    // What stands behind "--" are files.
    let end = line.iter().position(|argument| argument == "--").unwrap_or(line.len());
    line.splice(end..end, words(runtime.last));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(line: &str) -> Link {
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        Link::of_files(&words, |file| !file.as_bytes().starts_with(b"missing"))
    }

    #[test]
    fn links_are_recognised() {
        for line in [
            "main.c",
            "-o x main.o -lm",
            "-x c -",
            "-shared -fPIC a.o -o liba.so",
            "-nodefaultlibs a.o -lc",
            "-P a.c",
            "-v a.o",
            "--target=x86_64-pc-linux-gnu a.o",
            "-target x86_64-linux-gnu a.o",
            "-MD -MF a.d a.c",
            "-Wl,-Bstatic,-lz,-Bdynamic a.o",
            "missing.c -lm",
            "missing.c a.o",
            "-working-directory elsewhere missing.c",
            "missing.c -working-directory=elsewhere",
        ] {
            assert_eq!(link(line), Link::Dynamic, "{line}");
        }
        for line in [
            "",
            "-v",
            "-c main.c",
            "main.c -S",
            "-E -",
            "-M a.c",
            "-print-file-name=libc.so",
            "-r a.o -o b.o",
            "-Wl,-r a.o",
            "-Xlinker --relocatable a.o",
            "-nostdlib start.o",
            "-m32 a.c",
            "--target=aarch64-linux-gnu a.c",
            "-target wasm32 a.c",
            "--target=x86_64-linux-musl a.c",
            "stdafx.h",
            "-x c++-header stdafx",
            "-xc-header stdafx",
            "-fsyntax-only a.c",
            "-v -include a.h -o x",
            "missing.c -Wl,-s",
            "-static a.o -o",
        ] {
            assert_eq!(link(line), Link::No, "{line}");
        }
        assert_eq!(link("-static a.o"), Link::Static);
        assert_eq!(link("a.o -static-pie"), Link::Static);
        assert_eq!(link("-static -c a.c"), Link::No);
    }

    #[test]
    fn response_files_are_read() {
        let words = response(b"-c 'a b.c' \"say \\\"x\\\"\"\n\t-D\\ x ''");
        assert_eq!(words, ["-c", "a b.c", "say \"x\"", "-D x", ""]);
        let file = std::env::temp_dir().join(format!("autojit response {}", std::process::id()));
        std::fs::write(&file, "a.c -c").expect("the directory is writable");
        let argument = OsString::from(format!("@{}", file.display()));
        let found = Link::of(std::slice::from_ref(&argument));
        // One that names itself ends.
        std::fs::write(&file, format!("'{}'", argument.display())).expect("the directory is writable");
        let endless = Link::of_files(&[argument, "a.c".into()], |_| true);
        std::fs::remove_file(&file).expect("it is ours");
        assert_eq!((found, endless), (Link::No, Link::Dynamic));
    }

    #[test]
    fn the_runtime_is_around_the_inputs() {
        let runtime = Runtime { first: vec!["--push-state".into(), "L".into()], last: vec!["M".into()] };
        let line = add(runtime, &["a.o".into(), "--".into(), "b".into()]);
        let line = line.join(OsStr::new(" "));
        assert_eq!(
            line,
            "--start-no-unused-arguments -Xlinker --push-state -Xlinker L --end-no-unused-arguments a.o \
             --start-no-unused-arguments -Xlinker M --end-no-unused-arguments -- b"
        );
    }
}
