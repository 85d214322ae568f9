//! autojit: in front of a command, makes what it compiles lazy. A compiler gets the plugin; any other command gets the
//! variables that build systems look at, so that the compilers which it calls are the wrappers.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::role::{self, Language};
use crate::suit::Word;
use crate::{Failure, compiler, identity, installation, lto, process, rust};

const USAGE: &str = concat!(
    "\
Usage: autojit command [argument...]

Runs a command so that what it compiles is compiled lazily: each function when it is first called.

  autojit clang -O2 -c file.c    a compiler: clang with the plugin, and with the runtime where it links
  autojit make -j2               anything else: CC, CXX, RUSTC_WRAPPER and CMake's launchers are set for it
  autojit cmake -B out           (make gets CC and CXX as arguments: makefiles set them, too)
  autojit cargo test
  cmake -DCMAKE_C_COMPILER=clang-",
    env!("LLVM_RELEASE"),
    " -DCMAKE_C_COMPILER_LAUNCHER=autojit -DCMAKE_C_LINKER_LAUNCHER=autojit

clang, clang++, cc and c++ without a directory stand for the compilers behind autojit-cc and autojit-c++; with a
directory or a release (clang-",
    env!("LLVM_RELEASE"),
    "), for themselves. ccache or sccache in front of a compiler stays in front of it.
"
);

/// Options, and what they do.
const OPTIONS: [(&str, &str); 2] =
    [("--version", "print the version and the plugin's digest"), ("--help", "print this help")];

fn help() -> String {
    let options: String = OPTIONS.iter().map(|(name, doc)| format!("  {name:<15} {doc}\n")).collect();
    let more = "autojit-run --help tells how programs are run, and lists the environment variables.";
    format!("{USAGE}\nOptions:\n{options}\n{more}\n")
}

/// Becomes the command.
pub fn run(arguments: &[OsString]) -> Result<u8, Failure> {
    let Some((first, rest)) = arguments.split_first() else {
        return Err(Failure::new(2, "no command given; autojit --help tells more"));
    };
    match first.as_bytes() {
        b"--help" => {
            print!("{}", help());
            return Ok(0);
        }
        b"--version" => {
            println!("autojit {}\n{}", env!("CARGO_PKG_VERSION"), identity::line());
            return Ok(0);
        }
        [b'-', ..] => {
            let message = format!("unknown option '{}'; autojit --help lists them", first.display());
            return Err(Failure::new(2, message));
        }
        _ => {}
    }
    let has_directory = first.as_bytes().contains(&b'/');
    match Word::of(first) {
        Word::Clang(language, None) | Word::Standard(language) if !has_directory => {
            compiler::run(language, rest)
        }
        Word::Clang(..) | Word::Standard(_) | Word::Gcc => {
            let program = process::find_other(first)?;
            compiler::call(&program, vec![first.clone()], false, rest)
        }
        Word::Cache if rest.first().is_some_and(|next| is_compiler(Word::of(next))) => {
            let program = process::find_other(first)?;
            compiler::call(&program, vec![first.clone(), behind_cache(&rest[0])], true, &rest[1..])
        }
        Word::Rustc => rust::run(arguments),
        Word::Wrapper => Err(process::become_program(&process::find(first)?, arguments)),
        Word::Cache | Word::Other => Err(become_builder(first, rest)?),
    }
}

/// `cargo autojit build`: cargo, called with the rest. It says by a variable which cargo called.
pub fn cargo(arguments: &[OsString]) -> Result<u8, Failure> {
    // Cargo names the subcommand first.
    let rest = match arguments {
        [first, rest @ ..] if first == "autojit" => rest,
        all => all,
    };
    if rest.is_empty() {
        return Err(Failure::new(2, "usage: cargo autojit build|run|test|bench... [argument...]"));
    }
    let cargo = process::variable("CARGO").unwrap_or_else(|| "cargo".into());
    Err(become_builder(&cargo, rest)?)
}

fn is_compiler(word: Word) -> bool {
    matches!(word, Word::Clang(..) | Word::Standard(_) | Word::Gcc)
}

/// A compiler as caches are to call it.
fn behind_cache(compiler: &OsStr) -> OsString {
    match Word::of(compiler) {
        Word::Clang(language, None) | Word::Standard(language) if !compiler.as_bytes().contains(&b'/') => {
            compiler::usual(language).1.into()
        }
        _ => compiler.to_owned(),
    }
}

/// Becomes a command that calls compilers, or other programs that do.
fn become_builder(command: &OsStr, arguments: &[OsString]) -> Result<Failure, Failure> {
    let program = process::find(command)?;
    let wrappers = [Language::C, Language::Cxx].map(|language| (language, beside(wrapper(language))));
    for (language, wrapper) in wrappers {
        set_compiler(language, &wrapper?)?;
    }
    process::set_variable("RUSTC_WRAPPER", beside("autojit-rustc")?);
    if lto::is_off() {
        leave_lto_out_of_tests();
    }
    // For compilers that a project names itself. What is set already, a compiler cache perhaps, stays.
    let own = beside("autojit")?;
    for language in ["C", "CXX"] {
        for tool in ["COMPILER", "LINKER"] {
            let name = format!("CMAKE_{language}_{tool}_LAUNCHER");
            if process::variable(&name).is_none() {
                process::set_variable(&name, &own);
            }
        }
    }
    let mut line = vec![command.to_owned()];
    if is_make(command) {
        line.extend(make_variables(arguments));
    }
    line.extend(arguments.iter().cloned());
    Ok(process::become_program(&program, &line))
}

/// Tests in documentation are linked by rustdoc, which calls rustc by itself, with what the profile says.
fn leave_lto_out_of_tests() {
    // If the former is set, cargo goes by it alone; it joins the latter with what its files say.
    let [alone, joined] = ["RUSTDOCFLAGS", "CARGO_BUILD_RUSTDOCFLAGS"];
    let name = if process::variable(alone).is_some() { alone } else { joined };
    let mut flags = process::words(&process::variable(name).unwrap_or_default());
    flags.extend(lto::OFF_FOR_RUSTC.map(OsString::from));
    process::set_variable(name, flags.join(OsStr::new(" ")));
}

fn wrapper(language: Language) -> &'static str {
    match language {
        Language::C => "autojit-cc",
        Language::Cxx => "autojit-c++",
    }
}

/// The variable that names a language's compiler for build systems.
fn variable(language: Language) -> &'static str {
    match language {
        Language::C => "CC",
        Language::Cxx => "CXX",
    }
}

/// Another name of this executable.
fn beside(name: &str) -> Result<PathBuf, Failure> {
    let path = installation::own_directory().join(name);
    if path.exists() {
        return Ok(path);
    }
    Err(Failure::new(
        1,
        format!("'{}' is missing: the names of this executable belong together", path.display()),
    ))
}

/// Sets CC or CXX. A compiler that it names becomes the one behind the wrapper.
fn set_compiler(language: Language, wrapper: &Path) -> Result<(), Failure> {
    let name = variable(language);
    if let Some(value) = process::variable(name) {
        let words = process::words(&value);
        if words.iter().any(|word| role::is_wrapper(word)) {
            return Ok(());
        }
        let compiler = words.iter().map(|word| Word::of(word)).find(|word| *word != Word::Cache);
        match compiler {
            Some(Word::Clang(..)) => process::set_variable(compiler::usual(language).0, value),
            Some(Word::Standard(_)) if words.len() == 1 => {}
            _ => {
                let message = format!(
                    "{name} is '{}', which is not clang and cannot load the plugin; unset it, or set it to {}",
                    value.display(),
                    compiler::usual(language).1
                );
                return Err(Failure::new(2, message));
            }
        }
    }
    process::set_variable(name, wrapper);
    Ok(())
}

fn is_make(command: &OsStr) -> bool {
    Path::new(command).file_name().is_some_and(|name| name == "make" || name == "gmake")
}

/// CC and CXX as arguments of make: makefiles that set them go before the environment. What is given already stays.
fn make_variables(arguments: &[OsString]) -> Vec<OsString> {
    let variables = [Language::C, Language::Cxx].map(variable).into_iter();
    let missing = variables.filter(|name| {
        let given = |argument: &OsString| {
            let rest = argument.as_bytes().strip_prefix(name.as_bytes());
            rest.is_some_and(|rest| {
                let rest = rest.trim_ascii_start();
                [&b"="[..], b":=", b"::=", b"?=", b"+="].iter().any(|sign| rest.starts_with(sign))
            })
        };
        !arguments.iter().any(given)
    });
    let assignment = |name: &str| {
        let mut assignment = OsString::from(format!("{name}="));
        assignment.push(process::variable(name).unwrap_or_default());
        assignment
    };
    missing.map(assignment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use autojit_manual::{Entry, compare_part};

    #[test]
    fn man_page_and_shells_have_the_table() {
        let entries = OPTIONS.map(|(form, doc)| Entry { form, doc });
        compare_part("docs/man/autojit.1", "options", &autojit_manual::man(&entries));
        for (shell, wanted) in [
            ("bash", autojit_manual::bash("autojit", &entries)),
            ("zsh", autojit_manual::zsh(&entries)),
            ("fish", autojit_manual::fish("autojit", &entries)),
        ] {
            compare_part(&format!("scripts/completions/autojit.{shell}"), "autojit", &wanted);
        }
    }
}
