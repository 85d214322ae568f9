//! How libautojit.so is linked: what it exports, and that loading it costs next to nothing.

use std::path::PathBuf;
use std::{env, fs};

/// The symbols that the library shows (src/startup/exports.rs).
#[rustfmt::skip]
const EXPORTS: &[&str] = &[
    "__autojit_register", "_Unwind_Find_FDE", "_dl_find_object",
    "backtrace_symbols", "backtrace_symbols_fd", "dl_iterate_phdr", "dladdr", "dladdr1",
    // What a program may not do before the engine is loaded.
    "chroot", "unshare", "setns",
    "setuid", "setgid", "seteuid", "setegid", "setreuid", "setregid", "setresuid", "setresgid",
    "setrlimit", "setrlimit64", "prlimit", "prlimit64", "prctl",
    "pivot_root", "mlockall",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let script = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo")).join("exports.map");
    let symbols: String = EXPORTS.iter().map(|symbol| format!("{symbol}; ")).collect();
    fs::write(&script, format!("{{ global: {symbols}local: *; }};\n")).expect("writing the version script");
    for argument in [
        format!("--version-script={}", script.display()),
        // No -soname: linkers note the path by which they were given it, at which the loader opens it without a search.
        // References inside the library stay inside, whatever the program defines.
        "-Bsymbolic".into(),
        // All symbols are bound at start: a lazy binding in the resolver could take the loader's lock.
        "-znow".into(),
        // Stubs lead here as long as the process lives.
        "-znodelete".into(),
        "-zpack-relative-relocs".into(),
        "--gc-sections".into(),
        // It is initialised behind the C library, though it refers to nothing there.
        "--no-as-needed".into(),
        "-lc".into(),
    ] {
        println!("cargo::rustc-cdylib-link-arg=-Wl,{argument}");
    }
    // The compiler's start files call functions that a program may define (__gmon_start__, __cxa_finalize).
    println!("cargo::rustc-cdylib-link-arg=-nostartfiles");
}
