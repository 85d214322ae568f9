//! autojit-cc and autojit-c++: clang with the plugin, and with the runtime where it links.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::link::{self, Link};
use crate::role::{self, Language};
use crate::{Failure, identity, lto, plan, preamble, process, suit, undefined};

/// The variable that names the compiler behind a wrapper, and the compiler if it is not set.
pub fn usual(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::C => ("AUTOJIT_CC", concat!("clang-", env!("LLVM_RELEASE"))),
        Language::Cxx => ("AUTOJIT_CXX", concat!("clang++-", env!("LLVM_RELEASE"))),
    }
}

/// How the C library is told to ask for large pages (glibc 2.35 and later): a compiler takes memory by tens of megabytes, and
/// thousands of page faults are some percent of its time.
const TUNABLES: &str = "GLIBC_TUNABLES";
const LARGE_PAGES: &str = "glibc.malloc.hugetlb=1";

/// Becomes the compiler, or answers a question for its version.
pub fn run(language: Language, arguments: &[OsString]) -> Result<u8, Failure> {
    let (name, own) = usual(language);
    let given = process::variable(name).map(|command| process::words(&command)).unwrap_or_default();
    if given.iter().any(|word| role::is_wrapper(word)) {
        return Err(Failure::new(2, format!("{name} names this wrapper, not the compiler behind it")));
    }
    let line = if given.is_empty() { vec![OsString::from(own)] } else { given };
    let program = process::find_other(&line[0]).map_err(|failure| Failure {
        message: format!("{}; {name} names another compiler", failure.message),
        ..failure
    })?;
    call(&program, line, process::variable(name).is_some(), arguments)
}

/// Becomes `program`, called as `line`, with the plugin and `arguments`. It is perhaps `cached`: a compiler cache, alone or
/// in front of the compiler.
pub fn call(
    program: &Path,
    mut line: Vec<OsString>,
    cached: bool,
    arguments: &[OsString],
) -> Result<u8, Failure> {
    let plugin = suit::plugin(&line)?;
    let flag = |option: &str| {
        let mut flag = OsString::from(option);
        flag.push(&plugin);
        flag
    };
    // The compiler's own passes are called by an option that has to be the first; only this one generates code from a source.
    let (first, rest) = arguments.split_at(usize::from(is_stage(arguments)));
    let rest = match first {
        [] => &*lto::leave_out(&mut line, rest),
        _ => rest,
    };
    // Options in CC or the like count as well.
    let options = line.iter().skip(1).filter(|word| word.as_bytes().starts_with(b"-"));
    let asked: Vec<_> = options.chain(rest).cloned().collect();
    let link = if first.is_empty() { Link::of(&asked) } else { Link::No };
    line.extend(first.iter().cloned());
    if first.is_empty() && cached {
        // Caches look into the file that this option names, and into no pass plugin's. For the compiler it changes nothing.
        line.push(flag("-fplugin="));
    }
    if first.is_empty() || first[0] == "-cc1" {
        line.push(flag("-fpass-plugin="));
    }
    let clang = alone(&line).filter(|_| first.is_empty());
    match link::runtime(link)? {
        Some(runtime) => line.extend(link::add(runtime, rest)),
        None => line.extend(rest.iter().cloned()),
    }
    if arguments.iter().any(|argument| argument == "--version") {
        let status = process::run(program, &line)?;
        if status == 0 {
            println!("{}", identity::line());
        }
        return Ok(status);
    }
    let done = match clang {
        Some(language) if link == Link::No => {
            if process::variable(TUNABLES).is_none() {
                process::set_variable(TUNABLES, LARGE_PAGES);
            }
            preamble::compile(program, &line, rest, language)
        }
        Some(_) => plan::link(program, &line, rest),
        None => None,
    };
    if let Some(status) = done {
        return Ok(status);
    }
    if link != Link::No {
        return undefined::link(program, &line, rest);
    }
    Err(process::become_program(program, &line))
}

/// What clang a command is, if it is clang itself with our flags, and no compiler cache is in front of it.
fn alone(command: &[OsString]) -> Option<Language> {
    let name = Path::new(&command[0]).file_name()?.as_bytes();
    let flags = command[1..].iter().all(|flag| flag.as_bytes().starts_with(b"-fp"));
    let language = if name.starts_with(b"clang++") { Language::Cxx } else { Language::C };
    (flags && name.starts_with(b"clang")).then_some(language)
}

/// Whether one stage of the compiler is called, not its driver.
fn is_stage(arguments: &[OsString]) -> bool {
    arguments.first().is_some_and(|first| first.as_bytes().starts_with(b"-cc1"))
}

/// Becomes the first of `candidates` that PATH finds.
pub fn tool(candidates: &[&str], arguments: &[OsString]) -> Result<u8, Failure> {
    let mut missing = None;
    for candidate in candidates {
        match process::find_other(candidate.as_ref()) {
            Ok(program) => {
                let mut line = vec![OsString::from(candidate)];
                line.extend(arguments.iter().cloned());
                return Err(process::become_program(&program, &line));
            }
            Err(failure) => missing = missing.or(Some(failure)),
        }
    }
    Err(missing.unwrap_or_else(|| Failure::new(127, "no program to run")))
}
