//! What is compiled for the build itself: build scripts and procedural macros run, or are loaded, where no runtime is
//! preloaded, so rustc compiles them and what they may be made of as usual. autojit-rustc leaves out build scripts and macros
//! itself; what they are made of is lazy then, and finds the runtime.
//!
//! The same for link-time optimisation that puts modules together (autojit-rustc takes it out of the command line), and for passes that the command line chooses.
//!
//! Receives the host's command line and cargo's environment. Cargo gives flags for programs (RUSTFLAGS) to everything
//! when it builds for no named target, and does not say what a dependency is for.

use std::path::Path;

/// What autojit-rustc adds to a crate's metadata begins so (tools/src/rust.rs).
const WRAPPED: &str = "autojit-";

/// Why the module that this process compiles must be left alone. None in compilers other than rustc.
pub fn ineligible() -> Option<&'static str> {
    let host = std::env::current_exe().ok()?;
    if host.file_name()? != "rustc" {
        return None;
    }
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    unfit_with(&arguments, &read, &|name| std::env::var_os(name).is_some())
}

/// [`unfit`] for a command line, with what reads the files that it names (`@FILE`), and what knows the environment.
fn unfit_with(
    arguments: &[String],
    read: &dyn Fn(&str) -> String,
    is_set: &dyn Fn(&str) -> bool,
) -> Option<&'static str> {
    let (mut target, mut script, mut previous) = (false, false, String::new());
    // The last of options that contradict each other counts, as for rustc.
    let (mut merged, mut for_linker) = (false, false);
    let (mut passes, mut wrapped) = (false, false);
    for argument in arguments.iter().flat_map(|argument| match argument.strip_prefix('@') {
        Some(path) => read(path).lines().map(str::to_owned).collect(),
        None => vec![argument.clone()],
    }) {
        let whole = match previous.as_str() {
            "--crate-type" | "--crate-name" | "--target" => format!("{previous}={argument}"),
            "-C" | "--codegen" => format!("-C{argument}"),
            _ => argument.clone(),
        };
        match whole.split_once('=') {
            Some(("--crate-type", "proc-macro")) => {
                return Some("the compiler loads it, a procedural macro, where there is no runtime");
            }
            Some(("--crate-name", name)) => script |= name.starts_with("build_script_"),
            Some(("--target", _)) => target = true,
            // Modules stay apart in the other kinds of `lto`, which are off, thin and thin-local.
            Some(("-Clto", kind)) => merged = matches!(kind, "fat" | "y" | "yes" | "on" | "true"),
            // A value may be the path of the linker's plugin.
            Some(("-Clinker-plugin-lto", value)) => {
                for_linker = !matches!(value, "n" | "no" | "off" | "false");
            }
            // They are no part of the pipeline that our pass can look at.
            Some(("-Cpasses", _)) => passes = true,
            Some(("-Cmetadata", given)) => wrapped |= given.starts_with(WRAPPED),
            None if whole == "-Cno-prepopulate-passes" => passes = true,
            None if whole == "-Clto" => merged = true,
            None if whole == "-Clinker-plugin-lto" => for_linker = true,
            _ => {}
        }
        previous = argument;
    }
    if merged || for_linker {
        return Some("link-time optimisation needs its bodies");
    }
    if passes {
        return Some("its passes are chosen on the command line");
    }
    // Cargo sets this one for compilers only, the others also for what it runs, which may run compilers itself.
    if wrapped || !is_set("CARGO_CRATE_NAME") {
        return None;
    }
    if script {
        return Some("cargo runs it, a build script, where there is no runtime");
    }
    let dependency = !target && !is_set("CARGO_PRIMARY_PACKAGE");
    dependency.then_some(
        "it may be part of a build script or procedural macro; cargo build --target makes dependencies lazy",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: &str = "CARGO_CRATE_NAME";
    const PRIMARY: &str = "CARGO_PRIMARY_PACKAGE";

    fn plain(arguments: &[&str], variables: &[&str]) -> bool {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let read = |path: &str| match path {
            "file" => "--crate-name\nx\n--crate-type\nproc-macro\n".to_owned(),
            _ => String::new(),
        };
        unfit_with(&arguments, &read, &|name| variables.contains(&name)).is_some()
    }

    #[test]
    fn what_runs_in_the_build_is_plain() {
        let target = "--target=x86_64-unknown-linux-gnu";
        assert!(!plain(&["rustc", "main.rs"], &[]));
        assert!(plain(&["rustc", "-C", "lto"], &[]) && plain(&["rustc", "-Clto=fat"], &[]));
        assert!(plain(&["rustc", "-Clinker-plugin-lto"], &[]) && plain(&["rustc", "-C", "lto=true"], &[]));
        assert!(
            plain(&["rustc", "-C", "passes=gvn"], &[]) && plain(&["rustc", "-Cno-prepopulate-passes"], &[])
        );
        assert!(!plain(&["rustc", "-Clto=thin"], &[]) && !plain(&["rustc", "-C", "lto=off"], &[]));
        assert!(plain(&["rustc", "-Clinker-plugin-lto=/p.so"], &[]));
        assert!(!plain(
            &["rustc", "-C", "lto", "-C", "linker-plugin-lto", "-Clto=off", "-Clinker-plugin-lto=no"],
            &[]
        ));
        assert!(plain(&["rustc", "-C", "linker-plugin-lto", "-Clto=off"], &[]));
        assert!(plain(&["rustc", "--crate-type", "proc-macro"], &[]));
        assert!(plain(&["rustc", "--crate-type=proc-macro", target], &[PACKAGE, PRIMARY]));
        assert!(plain(&["rustc", "@file"], &[PACKAGE, PRIMARY]));
        assert!(plain(&["rustc", "--crate-name", "build_script_build"], &[PACKAGE, PRIMARY]));
        assert!(!plain(&["rustc", "--crate-name", "build_script_build"], &[]));
        assert!(plain(&["rustc", "--crate-name", "x"], &[PACKAGE]));
        assert!(!plain(&["rustc", "--crate-name", "x"], &[PACKAGE, PRIMARY]));
        assert!(!plain(&["rustc", "--crate-name", "x", target], &[PACKAGE]));
        assert!(!plain(&["rustc", "--crate-name", "x", "-Cmetadata=autojit-1b4d"], &[PACKAGE]));
        assert!(plain(&["rustc", "--crate-name", "x", "-C", "metadata=1b4d"], &[PACKAGE]));
        assert!(!plain(&["rustc", "--crate-name", "x", "--target", "t"], &[PACKAGE]));
    }
}
