//! autojit-rustc, for RUSTC_WRAPPER: the first argument is rustc.
//!
//! Everything that cargo builds is lazy, with or without --target, but build scripts and procedural macros themselves:
//! measurements show no gain (docs/decisions/0049). What they are made of finds the runtime when they run.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use autojit_options::target::is_lazy;

use crate::link::{self, Link};
use crate::{Failure, identity, installation, lto, process, rlib};

/// What the arguments of rustc say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    /// Code is wanted, and not for a program of the build itself.
    code: bool,
    /// The verbose version is wanted.
    version: bool,
    /// The mangling of symbols is chosen.
    mangling: bool,
    /// Procedural macros are used.
    macros: bool,
    /// A linker is called itself, not a compiler that calls it.
    bare_linker: bool,
    /// Programs are static.
    crt_static: bool,
    /// A library for other crates is made: nothing is linked.
    library: bool,
    /// Bitcode for link-time optimisation is wanted in objects, or in their place.
    bitcode: bool,
    /// No bitcode is wanted, so there is no link-time optimisation.
    no_bitcode: bool,
    /// A library for other crates of Rust is made, alone or beside others.
    rlib: bool,
    /// Something needs link-time optimisation.
    lto_needed: bool,
    /// Code is to be optimised.
    optimised: bool,
    /// What has not changed is kept for the next time, unit by unit.
    incremental: bool,
    /// Further options are in a file.
    options_in_file: bool,
}

impl Asked {
    fn new(arguments: &[OsString]) -> Self {
        let mut asked = Self { code: true, ..Self::default() };
        let mut previous: &[u8] = b"";
        for argument in arguments {
            let argument = argument.as_bytes();
            asked.note(&[previous, argument].concat(), argument == b"--emit");
            let separate =
                [&b"--crate-type"[..], b"--crate-name", b"--emit", b"--extern", b"--target", b"-C", b"-Z"]
                    .contains(&argument);
            previous = if separate { argument } else { b"" };
        }
        asked
    }

    /// Takes in an option with its value, separate or not.
    fn note(&mut self, option: &[u8], incomplete: bool) {
        let starts = |with: &str| option.starts_with(with.as_bytes());
        let has = |part: &str| option.windows(part.len()).any(|window| window == part.as_bytes());
        match option {
            b"-vV" => {
                self.version = true;
                self.code = false;
            }
            b"-V" | b"--version" | b"--print" | b"-h" | b"--help" => self.code = false,
            _ if starts("--print=") => self.code = false,
            _ if starts("--crate-type") && option.ends_with(b"proc-macro") => self.code = false,
            _ if starts("--crate-type") && option.ends_with(b"lib") => {
                // Not cdylib, dylib and staticlib; the last is linked by others, too.
                self.library = !option.ends_with(b"dylib");
                self.rlib |= self.library && !option.ends_with(b"staticlib");
            }
            b"--test" => self.library = false,
            _ if starts("--crate-name") && has("build_script_") => self.code = false,
            // Metadata only, as `cargo check` asks for: no code is generated.
            _ if starts("--emit") => {
                self.code &= incomplete || ["link", "obj", "asm", "llvm-"].into_iter().any(has);
            }
            _ if has("symbol-mangling-version") => self.mangling = true,
            _ if has("+crt-static") => self.crt_static = true,
            _ if names_linker(option) => self.bare_linker = true,
            _ if starts("--extern") && option.ends_with(b".so") => self.macros = true,
            _ if has("linker-plugin-lto") || has("embed-bitcode") => {
                self.bitcode = true;
                self.no_bitcode |= ["embed-bitcode=no", "embed-bitcode=n", "embed-bitcode=off"]
                    .iter()
                    .any(|no| option.ends_with(no.as_bytes()));
            }
            _ if is_for_others(option) => self.code = false,
            _ if needs_lto(option) => self.lto_needed = true,
            b"-O" => self.optimised = true,
            _ if starts("@") => self.options_in_file = true,
            _ => match codegen(option) {
                Some(("opt-level", level)) => self.optimised = level != "0",
                Some(("incremental", _)) => self.incremental = true,
                _ => {}
            },
        }
    }

    /// Whether the crate is best compiled as one unit (docs/decisions/0076). What is not known may be that it is kept in units.
    fn is_one_unit(&self) -> bool {
        self.optimised && !self.incremental && !self.options_in_file && !self.lto_needed
    }

    /// What is linked, if anything is.
    fn link(&self) -> Link {
        match self {
            Self { library: true, .. } | Self { bare_linker: true, .. } => Link::No,
            Self { crt_static: true, .. } => Link::Static,
            _ => Link::Dynamic,
        }
    }
}

/// The name and value of an option for generating code: `-C`, `--codegen`, or the second word of one of these.
fn codegen(option: &[u8]) -> Option<(&str, &str)> {
    let option = str::from_utf8(option).ok()?;
    let joined = ["-C", "--codegen="].iter().find_map(|name| option.strip_prefix(name));
    joined.unwrap_or(option).split_once('=')
}

/// Whether an option names a target whose programs cannot have the runtime.
fn is_for_others(option: &[u8]) -> bool {
    let target = option.strip_prefix(b"--target").map(String::from_utf8_lossy);
    target.is_some_and(|target| !target.is_empty() && !is_lazy(target.trim_start_matches('=')))
}

/// Whether an option is for what is done at link time.
fn needs_lto(option: &[u8]) -> bool {
    let option = String::from_utf8_lossy(option);
    let checks = option.strip_prefix("-Zsanitizer=").unwrap_or_default();
    checks.split(',').any(|check| check == "cfi") || option.starts_with("-Zvirtual-function-elimination")
}

/// What makes rustc do without link-time optimisation, also that of one crate's units: bodies are not there. In libraries that were
/// to have bitcode for it, stubs' would be of no use.
fn without_lto(asked: &Asked) -> Vec<OsString> {
    let no_bitcode = (asked.bitcode || asked.rlib).then_some("-Cembed-bitcode=no");
    let off = lto::OFF_FOR_RUSTC.into_iter().chain(no_bitcode).filter(|_| !asked.lto_needed);
    off.map(OsString::from).collect()
}

/// The library for other crates that a command line of cargo's makes.
fn library(arguments: &[OsString]) -> Option<PathBuf> {
    let value = |name: &str| {
        let joined =
            |word: &OsString| word.to_str()?.strip_prefix(name)?.strip_prefix('=').map(OsString::from);
        let next = |at: usize| arguments.get(at + 1).filter(|_| arguments[at] == name).cloned();
        (0..arguments.len()).find_map(|at| joined(&arguments[at]).or_else(|| next(at)))
    };
    let extra = arguments.iter().filter_map(|word| word.to_str()?.split_once("extra-filename=")).next();
    let name = value("--crate-name")?;
    let extra = extra.map_or("", |(_, extra)| extra);
    Some(Path::new(&value("--out-dir")?).join(format!("lib{}{extra}.rlib", name.to_str()?)))
}

/// Whether an option makes rustc call a linker itself, with a linker's options (`-C` and its value may be joined or not).
fn names_linker(option: &[u8]) -> bool {
    let option = String::from_utf8_lossy(option);
    let option = option.strip_prefix("-C").unwrap_or(&option);
    if let Some(flavor) = option.strip_prefix("linker-flavor=") {
        return !flavor.contains("cc") && flavor != "gcc";
    }
    let linker = option.strip_prefix("linker=").map(|linker| linker.rsplit('/').next().unwrap_or(linker));
    linker.is_some_and(|linker| {
        let linker = linker.split('-').next().unwrap_or(linker);
        linker == "ld" || linker.starts_with("ld.") || ["lld", "rust", "mold", "wild"].contains(&linker)
    })
}

/// What makes rustc link the runtime into programs and libraries: the shared one in front of the C library, which a
/// `link-arg` alone would come behind.
fn link_arguments(link: Link) -> Result<Vec<OsString>, Failure> {
    let Some(link::Runtime { first, last }) = link::runtime(link)? else { return Ok(Vec::new()) };
    if let [library] = &last[..]
        && first.is_empty()
    {
        // The static runtime needs the C library behind it, where rustc puts libraries but not arguments.
        let directory = Path::new(library).parent().unwrap_or(Path::new("/"));
        let mut search = OsString::from("-Lnative=");
        search.push(directory);
        return Ok(vec![search, "-lautojit_static-x86_64".into()]);
    }
    let words = |option: &'static str, words: Vec<OsString>| {
        let argument = move |word: &OsStr| {
            let mut argument = OsString::from(option);
            argument.push(word);
            argument
        };
        words.into_iter().flat_map(move |word| [argument(OsStr::new("-Xlinker")), argument(&word)])
    };
    Ok(words("-Zpre-link-arg=", first).chain(words("-Clink-arg=", last)).collect())
}

/// Whether the environment allows a lazy crate: a build script that tries what the compiler can do must see the compiler as
/// it is. Cargo sets the first variable for compilers only.
fn environment_allows() -> bool {
    let set = |name| process::variable(name).is_some();
    set("CARGO_CRATE_NAME") || !(set("HOST") && set("NUM_JOBS") && set("OUT_DIR"))
}

/// Becomes the compiler, or answers a question for its version.
pub fn run(arguments: &[OsString]) -> Result<u8, Failure> {
    let Some((compiler, rest)) = arguments.split_first() else {
        let usage = "usage: autojit-rustc RUSTC [argument...], or RUSTC_WRAPPER=autojit-rustc cargo build";
        return Err(Failure::new(2, usage));
    };
    let asked = Asked::new(rest);
    let program = process::find(compiler)?;
    if asked.version {
        let status = process::run(&program, arguments)?;
        if status == 0 {
            println!("{}", identity::line());
        }
        return Ok(status);
    }
    if asked.macros {
        preload_for_macros();
    }
    let mut line = arguments.to_vec();
    if asked.code && environment_allows() {
        let plugin = installation::library("autojit.so", 1)?;
        if plugin.as_os_str().as_bytes().iter().any(u8::is_ascii_whitespace) {
            let why = "its path has a space in it, which rustc takes for the end; install autojit elsewhere";
            return Err(Failure::new(1, format!("rustc cannot load '{}': {why}", plugin.display())));
        }
        let mut flag = OsString::from("-Zllvm-plugins=");
        flag.push(plugin);
        line.push(flag);
        // What the compiler kept of incremental builds with another plugin is of no use. It knows the plugin's path only. The
        // plugin knows by the same word that dependencies may be lazy (plugin/src/rustc.rs).
        line.push(format!("-Cmetadata=autojit-{}", identity::PLUGIN).into());
        // Stable compilers take -Z options only so, but it also makes them mangle symbols as nightly ones do, and
        // backtraces would look different.
        if !asked.mangling && is_stable(&program, compiler)? {
            line.extend(["-Zunstable-options", "-Csymbol-mangling-version=legacy"].map(OsString::from));
        }
        if lto::is_off() {
            line.extend(without_lto(&asked));
            // In front of all that is given, as the last such option counts.
            if asked.is_one_unit() {
                line.insert(1, "-Ccodegen-units=1".into());
            }
        }
        line.extend(link_arguments(asked.link())?);
        process::set_variable("RUSTC_BOOTSTRAP", "1");
        // Whoever wants bitcode may be a test in documentation of a profile with link-time optimisation.
        let wanted = asked.rlib && !asked.no_bitcode && !asked.lto_needed && lto::is_off();
        if let Some(library) = library(rest).filter(|_| wanted) {
            let status = process::run_in_place(&program, &line)?;
            if status == 0 {
                rlib::make_fit(&library);
            }
            return Ok(status);
        }
    }
    Err(process::become_program(&program, &line))
}

/// Procedural macros are made of lazy crates.
fn preload_for_macros() {
    let Ok(library) = installation::library("libautojit.so", 1) else { return };
    if let Some(preload) = installation::preload(&library, process::variable("LD_PRELOAD").as_deref()) {
        process::set_variable("LD_PRELOAD", preload);
    }
}

/// Whether the compiler is of a stable channel. Cargo names its toolchain where rustup runs it; asking the compiler takes
/// longer.
fn is_stable(program: &Path, name: &OsStr) -> Result<bool, Failure> {
    let toolchain = process::variable("RUSTUP_TOOLCHAIN").unwrap_or_default();
    let toolchain = toolchain.as_bytes();
    if toolchain.starts_with(b"stable")
        || toolchain.starts_with(b"beta")
        || toolchain.first().is_some_and(u8::is_ascii_digit)
    {
        return Ok(true);
    }
    let version = process::output(program, &[name.to_owned(), "--version".into()])?;
    let version = String::from_utf8_lossy(&version);
    Ok(!version.contains("nightly") && !version.contains("dev"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        Asked::new(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_with_separate_and_joined_values() {
        let code = Asked { code: true, ..Asked::default() };
        assert_eq!(asked("main.rs"), code);
        assert_eq!(asked("--emit obj main.rs"), code);
        assert_eq!(asked("--emit=dep-info,metadata,link main.rs"), code);
        assert_eq!(asked("--emit=llvm-bc main.rs"), code);
        assert_eq!(asked("--crate-name print --crate-type bin"), code);
        for plain in [
            "--emit=metadata",
            "--emit metadata",
            "-V",
            "--print cfg",
            "--print=cfg",
            "--crate-type proc-macro",
            "--crate-type=proc-macro",
            "--crate-name build_script_build",
            "--crate-name build_script_main",
            "--target aarch64-unknown-linux-gnu main.rs",
            "--target=wasm32-wasip1 main.rs",
            "--target x86_64-unknown-linux-musl main.rs",
        ] {
            assert!(!asked(plain).code, "{plain}");
        }
        assert!(asked("-vV").version && !asked("-vV").code);
        assert!(
            asked("-C symbol-mangling-version=v0").mangling && asked("-Csymbol-mangling-version=v0").mangling
        );
        for (line, link) in [
            ("--crate-type lib", Link::No),
            ("--crate-type=rlib", Link::No),
            ("--crate-type lib --test", Link::Dynamic),
            ("--crate-type cdylib", Link::Dynamic),
            ("main.rs", Link::Dynamic),
            ("-Ctarget-feature=+crt-static", Link::Static),
            ("-C linker=/usr/bin/ld.lld", Link::No),
            ("-Clinker=rust-lld", Link::No),
            ("-Clinker-flavor=gnu-lld", Link::No),
            ("-Clinker=clang-19 -Clinker-flavor=gnu-lld-cc -C linker=x86_64-linux-gnu-gcc", Link::Dynamic),
        ] {
            assert_eq!(asked(line).link(), link, "{line}");
        }
        for line in [
            "-C linker-plugin-lto",
            "-Clinker-plugin-lto=yes",
            "--codegen=embed-bitcode",
            "-C embed-bitcode=no",
        ] {
            assert!(asked(line).bitcode && !asked(line).lto_needed, "{line}");
            assert_eq!(asked(line).no_bitcode, line.ends_with("=no"), "{line}");
        }
        for (line, rlib) in [
            ("--crate-type lib", true),
            ("--crate-type=rlib --crate-type cdylib", true),
            ("--crate-type cdylib --crate-type staticlib", false),
            ("main.rs", false),
        ] {
            assert_eq!(asked(line).rlib, rlib, "{line}");
        }
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let path = library(&words("--crate-name a --out-dir /t -C extra-filename=-1"));
        assert_eq!(path, Some("/t/liba-1.rlib".into()));
        assert_eq!(library(&words("--crate-name=a --out-dir=/t")), Some("/t/liba.rlib".into()));
        assert_eq!(library(&words("--crate-name a -o x")), None);
        for (line, needed) in [
            ("-C lto=fat --target x86_64-unknown-linux-gnu -Z sanitizer=leak", false),
            ("-Z sanitizer=cfi", true),
            ("-Zsanitizer=leak,cfi", true),
            ("-Zvirtual-function-elimination", true),
        ] {
            assert_eq!(asked(line).lto_needed, needed, "{line}");
        }
        for (line, one) in [
            ("-O main.rs", true),
            ("-C opt-level=3 main.rs", true),
            ("-Copt-level=s main.rs", true),
            ("--codegen opt-level=2 --codegen=panic=abort main.rs", true),
            ("--codegen=opt-level=2 main.rs", true),
            ("main.rs", false),
            ("-C opt-level=0 main.rs", false),
            ("-O -Copt-level=0 main.rs", false),
            ("-C opt-level=3 -C incremental=/t main.rs", false),
            ("-C opt-level=3 @more main.rs", false),
            ("-C opt-level=3 -Zsanitizer=cfi main.rs", false),
        ] {
            assert_eq!(asked(line).is_one_unit(), one, "{line}");
        }
        assert!(asked("--extern derive=/t/libderive.so").macros && !asked("--extern a=/t/liba.rlib").macros);
    }
}
