//! Undefined symbols, and those with several definitions: linkers tell function and line of what refers to or defines them, from code
//! that lazy objects do not have. They name the table of what a file needs instead, or a section of stubs.
//!
//! A link goes through [`link`], which stays behind the compiler's driver. If that fails, the linker is run once more ([`again`]), out of
//! sight, and the containers of what it linked are searched for these symbols ([`references`]). All is behind a
//! failure: a link that succeeds takes a process more. What the driver and the linker print, and the exit status, are theirs.

mod again;
mod references;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::elf::{self, is_archive, is_elf};
use crate::{Failure, plan, process, role};
use again::Input;
use references::{Place, What};

/// Symbols that are told of, as many as lld names.
const SYMBOLS: usize = 20;
/// Places of a symbol that are told of, as many as lld names.
const PLACES: usize = 3;

/// Links as `line` says, of which `arguments` were given to this wrapper, and tells more of symbols if that fails.
///
/// # Errors
/// The link cannot be started.
pub fn link(program: &Path, line: &[OsString], arguments: &[OsString]) -> Result<u8, Failure> {
    let status = process::run_in_place(program, line)?;
    if status != 0 && !is_trial(arguments) {
        let name = role::of_process().map_or("autojit", |(name, _)| name);
        for note in notes(program, line, arguments).unwrap_or_default() {
            eprintln!("{name}: note: {note}");
        }
    }
    Ok(status)
}

/// Prints the places of a symbol, the first of `words`, in object files and archives, for links by others.
///
/// # Errors
/// There is none, or a file cannot be read.
pub fn print(words: &[OsString]) -> Result<(), Failure> {
    let (symbol, files) = words.split_first().ok_or_else(|| Failure::new(2, "no symbol"))?;
    let symbols = [symbol.to_string_lossy().into_owned()];
    let mut lines = Vec::new();
    for file in files {
        let failed = |why: String| Failure::new(1, format!("{}: {why}", Path::new(file).display()));
        let bytes = fs::read(file).map_err(|error| failed(format!("cannot be read: {error}")))?;
        let objects = if is_archive(&bytes) {
            elf::members(&bytes).map_err(failed)?.into_iter().map(|(_, object)| object).collect()
        } else {
            vec![&bytes[..]]
        };
        for what in [What::Definitions, What::References] {
            let places = objects.iter().flat_map(|object| references::of(object, &symbols, what).remove(0));
            lines.extend(places.map(|place| place.told(&demangled(&symbols[0]), what, demangled)));
        }
    }
    if lines.is_empty() {
        let why = format!("no lazy function of these files refers to '{}' or defines it", symbols[0]);
        return Err(Failure::new(1, why));
    }
    lines.dedup();
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// Whether a configure script tries something (of autoconf, CMake, Meson): it only looks at the exit status.
fn is_trial(arguments: &[OsString]) -> bool {
    let of_script = |argument: &OsString| {
        let name = Path::new(argument).file_name().unwrap_or_default().as_bytes();
        let text = argument.to_string_lossy();
        name.starts_with(b"conftest")
            || ["cmTC_", "CMakeScratch", "meson-private"].iter().any(|part| text.contains(part))
    };
    arguments.iter().any(of_script)
}

/// A directory that goes with what is in it.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Option<Self> {
        let mut template = std::env::temp_dir().join("autojit-link-XXXXXX").into_os_string().into_vec();
        template.push(0);
        // SAFETY: a C string of this function's own, in which the call replaces the last six characters.
        let made = unsafe { libc::mkdtemp(template.as_mut_ptr().cast()) };
        template.pop();
        (!made.is_null()).then(|| Self(OsString::from_vec(template).into()))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is to be said of a link that failed.
fn notes(program: &Path, line: &[OsString], arguments: &[OsString]) -> Option<Vec<String>> {
    let mut jobs = jobs(program, line)?;
    let linker = jobs.pop()?;
    let directory = Temporary::new()?;
    let linker = match &jobs[..] {
        [] => linker,
        // What these write has to be known.
        compilers if plan::compiles_and_links(arguments) => compile(compilers, linker, &directory.0)?,
        _ => return None,
    };
    let said = again::link(&linker, &directory.0.join("output"))?;
    let demangle = does_demangle(&linker);
    let name = |symbol: &str| if demangle { demangled(symbol) } else { symbol.to_owned() };
    let mut notes = Vec::new();
    for (symbols, what) in [(&said.duplicate, What::Definitions), (&said.undefined, What::References)] {
        if !symbols.is_empty() {
            notes.extend(told(symbols, &search(&said.inputs, symbols, what), what, &name));
        }
    }
    Some(notes)
}

/// The commands that the driver would run, the linker last.
fn jobs(program: &Path, line: &[OsString]) -> Option<Vec<Vec<OsString>>> {
    let mut line = line.to_vec();
    // Behind "--" are files, and in front there may be a compiler cache and its compiler.
    let end = line.iter().position(|argument| argument == "--").unwrap_or(line.len());
    line.insert(end, "-###".into());
    let mut driver = Command::new(program);
    driver.arg0(&line[0]).args(&line[1..]).stdin(Stdio::null());
    let printed = driver.output().ok()?;
    let lines = printed.stderr.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b" \""));
    lines.map(|line| Some(plan::words(line)?.into_iter().map(OsString::from_vec).collect())).collect()
}

/// Compiles again what the driver compiled and removed, into `directory`; the linker's command line with these objects.
fn compile(
    compilers: &[Vec<OsString>],
    mut linker: Vec<OsString>,
    directory: &Path,
) -> Option<Vec<OsString>> {
    for (number, compiler) in compilers.iter().enumerate() {
        let output = compiler.iter().position(|word| word == "-o")? + 1;
        let object = directory.join(format!("{number}.o")).into_os_string();
        let old = compiler.get(output)?;
        linker.iter_mut().filter(|word| *word == old).for_each(|word| word.clone_from(&object));
        let mut compiler = compiler.clone();
        compiler[output] = object;
        // One stage of the compiler, not whatever else a driver may call.
        if !compiler.get(1)?.as_bytes().starts_with(b"-cc1") {
            return None;
        }
        let mut command = Command::new(&compiler[0]);
        command.args(&compiler[1..]).stdin(Stdio::null());
        if !command.output().ok()?.status.success() {
            return None;
        }
    }
    Some(linker)
}

/// The places in lazy functions of the files that were linked, for each symbol.
fn search(inputs: &[Input], symbols: &[String], what: What) -> Vec<Vec<Place>> {
    let mut found = vec![Vec::new(); symbols.len()];
    let mut add = |object: &[u8]| {
        for (found, new) in found.iter_mut().zip(references::of(object, symbols, what)) {
            new.into_iter().for_each(|new| {
                // Files have copies of inline functions.
                if !found.contains(&new) {
                    found.push(new);
                }
            });
        }
    };
    let mut seen = BTreeSet::new();
    for Input { path, member } in inputs {
        let Some(member) = member else {
            if seen.insert((path.clone(), None))
                && let Ok(bytes) = fs::read(path)
                && is_elf(&bytes)
            {
                add(&bytes);
            }
            continue;
        };
        if !seen.insert((path.clone(), Some(member.clone()))) {
            continue;
        }
        let Ok(archive) = fs::read(path) else { continue };
        if is_archive(&archive) {
            let members = elf::members(&archive).unwrap_or_default();
            members.iter().filter(|(name, _)| name == member).for_each(|(_, object)| add(object));
        } else if let Ok(object) = fs::read(path.parent().unwrap_or(Path::new("")).join(member)) {
            // A thin archive: names of files beside it.
            add(&object);
        }
    }
    found
}

/// Whether a linker's messages have the names of the source.
fn does_demangle(linker: &[OsString]) -> bool {
    let asks = |word: &&OsString| {
        let word = word.as_bytes();
        [&b"--demangle"[..], b"--no-demangle", b"-demangle", b"-no-demangle"].contains(&word)
            || word.starts_with(b"--demangle=")
    };
    linker.iter().rfind(asks).is_none_or(|word| !word.as_bytes().ends_with(b"no-demangle"))
}

/// The name that a symbol has in the source.
fn demangled(symbol: &str) -> String {
    if symbol.starts_with("_R") {
        // Without the hashes of crates, as linkers write it.
        return format!("{:#}", rustc_demangle::demangle(symbol));
    }
    let parsed =
        symbol.starts_with("_Z").then(|| cpp_demangle::Symbol::new(symbol.as_bytes()).ok()).flatten();
    let Some(name) = parsed.and_then(|parsed| parsed.demangle().ok()) else { return symbol.to_owned() };
    // Linkers have other words for these.
    for (kind, words) in [("{vtable(", "vtable for"), ("{vtt(", "VTT for")] {
        if let Some(class) = name.strip_prefix(kind).and_then(|rest| rest.strip_suffix(")}")) {
            return format!("{words} {class}");
        }
    }
    name
}

/// Lines about symbols, for each of which places were found.
fn told(symbols: &[String], found: &[Vec<Place>], what: What, name: &impl Fn(&str) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    let lazy = || symbols.iter().zip(found).filter(|(_, places)| !places.is_empty());
    for (symbol, places) in lazy().take(SYMBOLS) {
        let symbol = name(symbol);
        lines.extend(places.iter().take(PLACES).map(|place| place.told(&symbol, what, name)));
        if let Some(more @ 1..) = places.len().checked_sub(PLACES) {
            let verb = if what == What::References { "referred to" } else { "defined" };
            lines.push(format!("'{symbol}' is {verb} {more} more time{}", if more == 1 { "" } else { "s" }));
        }
    }
    if let Some(more @ 1..) = lazy().count().checked_sub(SYMBOLS) {
        lines.push(format!("lazy functions have {more} more of such symbols"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_told_as_lld_tells() {
        let place = |line| Place { function: "_Z3foov".into(), file: "a.cpp".into(), line };
        let symbols = ["_Z3bari".to_owned(), "none".to_owned(), "baz".to_owned()];
        let found = [(1..6).map(place).collect(), Vec::new(), vec![place(0)]];
        let expected = [
            "'bar(int)' is referred to by foo() (a.cpp:1)",
            "'bar(int)' is referred to by foo() (a.cpp:2)",
            "'bar(int)' is referred to by foo() (a.cpp:3)",
            "'bar(int)' is referred to 2 more times",
            "'baz' is referred to by foo() (a.cpp)",
        ];
        assert_eq!(told(&symbols, &found, What::References, &|symbol| demangled(symbol)), expected);
        let lines = told(&symbols[..1], &found[..1], What::Definitions, &|symbol| demangled(symbol));
        assert_eq!(lines[0], "'bar(int)' is defined in a.cpp:1");
        assert_eq!(lines[3], "'bar(int)' is defined 2 more times");
        let many: Vec<_> = (0..SYMBOLS + 2).map(|number| format!("symbol{number}")).collect();
        let lines =
            told(&many, &vec![vec![place(1)]; many.len()], What::References, &|symbol| symbol.to_owned());
        assert_eq!(lines.len(), SYMBOLS + 1);
        assert_eq!(lines[SYMBOLS], "lazy functions have 2 more of such symbols");
    }

    #[test]
    fn names_are_those_of_the_messages() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (line, expected) in [
            ("ld a.o", true),
            ("ld --no-demangle a.o", false),
            ("ld -no-demangle a.o --demangle", true),
            ("ld --demangle=gnu --no-demangle", false),
        ] {
            assert_eq!(does_demangle(&words(line)), expected, "{line}");
        }
        assert_eq!(demangled("_ZTV3Foo"), "vtable for Foo");
        assert_eq!(demangled("_Zwhatever"), "_Zwhatever");
        assert_eq!(demangled("_RNvNtCs1234_7mycrate3foo3bar"), "mycrate::foo::bar");
        assert_eq!(demangled("_Rwhatever"), "_Rwhatever");
        assert_eq!(demangled("main"), "main");
    }

    #[test]
    fn trials_are_known() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for line in
            ["conftest.c -o conftest", "CMakeFiles/cmTC_1a.dir/x.o -o cmTC_1a", "/b/meson-private/tmp/t.c"]
        {
            assert!(is_trial(&words(line)), "{line}");
        }
        assert!(!is_trial(&words("main.o -o main")));
    }
}
