//! Which command lines can have a plan: links of objects and libraries, with options that make the driver do nothing but call the
//! linker once. An option that is not known here has none, and is linked the plain way.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::lto;
use crate::preamble::flags::is_known;

/// Options of links.
const EXACT: &[&str] = &[
    "-shared",
    "-rdynamic",
    "-s",
    "-pie",
    "-no-pie",
    "-nopie",
    "-static",
    "-static-pie",
    "-static-libgcc",
    "-static-libstdc++",
    "-Qunused-arguments",
];

/// Options whose value is the next word.
const SEPARATE: &[&str] = &["-o", "-L", "-l", "-Xlinker"];

/// Options whose value is part of the word. What the linker is told is its own affair.
const JOINED: &[&str] = &["-L", "-l", "-Wl,", "-fuse-ld="];

/// Whether all of a command line of the wrapper is on the list.
pub fn fit(arguments: &[OsString]) -> bool {
    // Without a name for the output it is a trial of somebody at a terminal, or of a configure script.
    is_known_link(arguments, is_input) && arguments.iter().any(|word| word == "-o")
}

/// Whether all that a command line does is to compile files, as the same list has it, and to link.
pub fn compiles_and_links(arguments: &[OsString]) -> bool {
    is_known_link(arguments, |file| is_input(file) || lto::is_compiled(file))
}

fn is_known_link(arguments: &[OsString], is_input: impl Fn(&str) -> bool) -> bool {
    let mut inputs = 0;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else { return false };
        if SEPARATE.contains(&text) {
            if words.next().is_none() {
                return false;
            }
        } else if text.starts_with('-') {
            let joined = JOINED.iter().any(|known| text.starts_with(known) && text.len() > known.len());
            // Options for compilers, as CFLAGS has them. What they make of the linker's command line, the plan has.
            let of_compiler = is_known(text) || lto::is_flag(text);
            if !(EXACT.contains(&text) || joined || of_compiler) {
                return false;
            }
        } else if is_input(text) {
            inputs += 1;
        } else {
            return false;
        }
    }
    inputs > 0
}

/// Whether the driver hands a file on to the linker as it is.
fn is_input(file: &str) -> bool {
    let name = Path::new(file).file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    let name = std::str::from_utf8(name).unwrap_or_default();
    // A response file is read by the driver.
    !file.starts_with('@')
        && ([".o", ".a", ".so"].iter().any(|ending| name.len() > ending.len() && name.ends_with(ending))
            || name.contains(".so.") && name.ends_with(|last: char| last.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> bool {
        fit(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn links_of_objects_have_plans() {
        for line in [
            "a.o -o a",
            "-O2 -g -Wall -std=c11 -DA=1 -Iinclude -pthread a.o b/c.o d.a -o a -lm -L lib -l z",
            "-shared -fPIC -Wl,-soname,liba.so.1 -Wl,--as-needed a.o ./libb.so.1 -o liba.so.1",
            "-fuse-ld=mold -rdynamic -Xlinker --gc-sections a.o -o a",
            "-fuse-ld=lld -flto=thin -O2 -flto-jobs=2 a.o -o a",
        ] {
            assert!(of(line), "{line}");
        }
    }

    #[test]
    fn whatever_is_unknown_is_linked_plainly() {
        for line in [
            "a.o",
            "-o a",
            "-lm -o a",
            "a.c -o a",
            "a.o b.cpp -o a",
            "a.o b.ll -o a",
            "a.o b.s -o a",
            "a.o - -o a",
            "-x c a.o -o a",
            "-c a.o -o a",
            "@words -o a",
            "@a.o -o a",
            "a.o -o",
            "-flto -fsanitize=cfi a.o -o a",
            "-flto -fwhole-program-vtables a.o -o a",
            "-flto=thin -fthinlto-distributor=d a.o -o a",
            "-save-temps a.o -o a",
            "-### a.o -o a",
            "-v a.o -o a",
            "-MD a.o -o a",
            "-time a.o -o a",
            "-fsanitize=address a.o -o a",
            "--coverage a.o -o a",
            "-fprofile-instr-generate a.o -o a",
            "-B tools a.o -o a",
            "--ld-path=ld a.o -o a",
            "--config=c a.o -o a",
            "-T script a.o -o a",
            "-gsplit-dwarf a.o -o a",
            "-oa a.o",
            "-- a.o -o a",
            "a.so.txt -o a",
            ".o -o a",
            "-L",
            "-I include a.o -o a",
        ] {
            assert!(!of(line), "{line}");
        }
    }
}
