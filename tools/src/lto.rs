//! Link-time optimisation: code is made for all of a program when it is linked, so nothing can be left for first calls. Command lines
//! of what compiles lazily lose it (`AUTOJIT_LTO`), unless something else needs it.
//!
//! clang's links of objects keep it: with linkers other than LLVM's, bitcode of other builds can only be linked
//! then, and for machine code it does nothing.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use autojit_options::{Lto, Options, Reader};

use crate::link;

/// What asks clang for it, and what is of no use without it.
const FLAGS: &[&str] = &[
    "-flto",
    "-flto=full",
    "-flto=thin",
    "-flto=auto",
    "-flto=jobserver",
    "-fno-lto",
    "-ffat-lto-objects",
    "-fno-fat-lto-objects",
    "-fsplit-lto-unit",
    "-fno-split-lto-unit",
    "-funified-lto",
    "-fno-unified-lto",
];

/// The same with a value.
const FLAGS_WITH_VALUE: &[&str] = &["-flto-jobs=", "-flto-partitions="];

/// What clang does at link time only, or with bitcode.
const NEEDED_BY: &[&str] = &[
    "-fsanitize=cfi",
    "-fwhole-program-vtables",
    "-fvirtual-function-elimination",
    "-fthin-link-bitcode=",
    "-fthinlto-index=",
    "-fthinlto-distributor=",
    "-emit-llvm",
];

/// Endings of files that clang compiles.
const COMPILED: &[&str] = &[
    "c", "i", "cc", "cp", "cxx", "cpp", "CPP", "c++", "C", "CC", "ii", "m", "mi", "mm", "M", "mii", "cppm",
    "ixx", "cu", "ll", "bc",
];

/// Whether an option of clang is about nothing else.
pub fn is_flag(option: &str) -> bool {
    FLAGS.contains(&option) || FLAGS_WITH_VALUE.iter().any(|flag| option.starts_with(flag))
}

/// What makes rustc do without, behind what asks for it: the last of options that contradict each other counts.
pub const OFF_FOR_RUSTC: [&str; 2] = ["-Clto=off", "-Clinker-plugin-lto=no"];

/// Whether the environment wants it left out.
pub fn is_off() -> bool {
    Options::from_environment(Reader::Wrappers).0.lto == Lto::Off
}

/// The arguments `rest` of a command of clang's driver that begins with `line`, without link-time optimisation, if they ask for
/// that and nothing needs it. `line` loses it as well.
pub fn leave_out<'a>(line: &mut Vec<OsString>, rest: &'a [OsString]) -> Cow<'a, [OsString]> {
    let count =
        |words: &[OsString]| words.iter().filter(|word| word.as_bytes().starts_with(b"-flto")).count();
    // Nearly all calls of the wrapper end here.
    if count(line) + count(rest) == 0 && !rest.iter().any(|word| word.as_bytes().starts_with(b"@")) {
        return rest.into();
    }
    let expanded = link::expanded(rest);
    if !Asked::of(&[&line[1..], &expanded].concat()).can_be_left_out() || !is_off() {
        return rest.into();
    }
    *line = without(line);
    // Response files stay if they have nothing to do with it.
    let is_in_file = count(&expanded) > count(rest);
    without(if is_in_file { &expanded } else { rest }).into()
}

/// Words of a command without those that are about link-time optimisation.
fn without(words: &[OsString]) -> Vec<OsString> {
    let mut is_value = false;
    let stays = |word: &&OsString| {
        let text = word.to_str().unwrap_or_default();
        let stays = is_value || !is_flag(text);
        is_value = !is_value && link::SEPARATE.contains(&text);
        stays
    };
    words.iter().filter(stays).cloned().collect()
}

/// What a command line of clang's driver says of it.
#[derive(Debug, Default)]
struct Asked {
    /// It is wanted.
    wanted: bool,
    /// Something needs it, or the code is not for this machine.
    needed: bool,
    /// Something is compiled.
    compiles: bool,
}

impl Asked {
    fn of(arguments: &[OsString]) -> Self {
        let mut asked = Self::default();
        let mut words = arguments.iter().map(|word| word.to_str().unwrap_or_default());
        while let Some(word) = words.next() {
            let value = if link::SEPARATE.contains(&word) { words.next().unwrap_or_default() } else { "" };
            match word {
                "-fno-lto" => asked.wanted = false,
                "-" => asked.compiles = true,
                "-x" | "--language" => asked.compiles |= value != "none",
                "-m16" | "-m32" | "-mx32" => asked.needed = true,
                "-target" | "-arch" => asked.needed |= !link::is_native(value),
                _ if word.starts_with("-flto") && is_flag(word) => {
                    asked.wanted |= FLAGS.contains(&word);
                }
                _ if link::NO_LINK.contains(&word) => asked.compiles = true,
                _ if word.starts_with("-x") => asked.compiles |= word != "-xnone",
                _ if !word.starts_with('-') => asked.compiles |= is_compiled(word),
                _ => {}
            }
            let checks = |list: &str| list.split(',').any(|check| check.starts_with("cfi"));
            // Options for the linker's plugin, which others than LLVM's refuse without it.
            asked.needed |= [word, value].iter().any(|text| text.contains("-plugin-opt"))
                || NEEDED_BY.iter().any(|option| word.starts_with(option))
                || word.strip_prefix("-fsanitize=").is_some_and(checks)
                || link::is_foreign(word);
        }
        asked
    }

    fn can_be_left_out(&self) -> bool {
        self.wanted && !self.needed && self.compiles
    }
}

/// Whether clang compiles a file, by its name.
pub fn is_compiled(file: &str) -> bool {
    let extension = Path::new(file).extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| COMPILED.contains(&extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    /// What becomes of a command line.
    fn left(line: &str) -> String {
        let (mut command, rest) = (words("clang"), words(line));
        let rest = leave_out(&mut command, &rest);
        assert_eq!(command, ["clang"]);
        rest.join(OsStr::new(" ")).into_string().expect("it was text")
    }

    #[test]
    fn compiles_go_without() {
        for (line, expected) in [
            ("-O2 -flto -c a.c -o a.o", "-O2 -c a.c -o a.o"),
            ("-c -flto=thin -fsplit-lto-unit a.cpp", "-c a.cpp"),
            ("-flto=auto -ffat-lto-objects -c a.c", "-c a.c"),
            ("-flto=full -funified-lto -flto-jobs=2 a.c -o a", "a.c -o a"),
            ("-fno-lto -flto -c a.c", "-c a.c"),
            ("-flto -x c -c -", "-x c -c -"),
            ("-flto a.o b.cc", "a.o b.cc"),
            ("-flto --target=x86_64-linux-gnu -c a.c", "--target=x86_64-linux-gnu -c a.c"),
            ("-flto -fsanitize=undefined -c a.c", "-fsanitize=undefined -c a.c"),
            // A value is no option.
            ("-flto -o -flto -c a.c", "-o -flto -c a.c"),
        ] {
            assert_eq!(left(line), expected);
        }
    }

    #[test]
    fn what_needs_it_keeps_it() {
        for line in [
            "-O2 -c a.c",
            "-flto -fno-lto -c a.c",
            "-flto -fsanitize=cfi -fvisibility=hidden -c a.c",
            "-flto -fsanitize=undefined,cfi-vcall -c a.c",
            "-flto=thin -fwhole-program-vtables -c a.cpp",
            "-flto -fvirtual-function-elimination -c a.cpp",
            "-flto=thin -fthinlto-index=a.thinlto.bc -c a.bc",
            "-flto -emit-llvm -c a.c",
            "-flto -m32 -c a.c",
            "-flto --target=aarch64-linux-gnu -c a.c",
            "-flto -target wasm32 -c a.c",
            "-flto -Wl,-plugin-opt=O2 a.c",
            "-flto -Xlinker -plugin-opt=O2 a.c",
            // Links of objects: others may have made bitcode.
            "-flto a.o b.a -lm -o a",
            "-flto=thin -shared a.o -Wl,-soname,a.c -o a.so",
            "-flto -x none a.o",
            "-flto -L x.c a.o",
            // Not an option of clang; it says so.
            "-flto=4 -c a.c",
        ] {
            assert_eq!(left(line), line);
        }
    }

    #[test]
    fn response_files_and_commands_are_looked_into() {
        let file = std::env::temp_dir().join(format!("autojit lto {}", std::process::id()));
        std::fs::write(&file, "-flto -O2").expect("the directory is writable");
        let argument = OsString::from(format!("@{}", file.display()));
        let mut line = words("ccache clang -flto -m64");
        let compile = [argument.clone(), "-c".into(), "a.c".into()];
        let compile = leave_out(&mut line, &compile);
        let link = [argument, "a.o".into()];
        let same = leave_out(&mut words("clang"), &link);
        std::fs::remove_file(&file).expect("it is ours");
        assert_eq!((line, &compile[..]), (words("ccache clang -m64"), &words("-O2 -c a.c")[..]));
        assert_eq!(same[..], link);
    }
}
