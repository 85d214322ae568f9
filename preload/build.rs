//! How libautojit.so is linked: what it exports, and that loading it costs next to nothing.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

/// The symbols that the library shows (src/startup/exports.rs).
#[rustfmt::skip]
const EXPORTS: &[&str] = &[
    "__autojit_register", "__autojit_describe", "_Unwind_Find_FDE", "_dl_find_object",
    "backtrace_symbols", "backtrace_symbols_fd", "dl_iterate_phdr", "dladdr", "dladdr1",
    // What a program may not do before the engine is loaded.
    "chroot", "unshare", "setns",
    "setuid", "setgid", "seteuid", "setegid", "setreuid", "setregid", "setresuid", "setresgid",
    "setrlimit", "setrlimit64", "prlimit", "prlimit64", "prctl",
    "pivot_root", "mlockall",
    // Nothing outside calls these: rustc exports what the linker is to find by name.
    "__autojit_panicked", "__autojit_out_of_memory",
];

/// Handlers of the standard library, and what stands for them: those print backtraces, and the code that reads debug
/// information for them is a tenth of the library. Where no such symbol is found, the standard library's stay.
const HANDLERS: [(&str, &str); 2] = [
    ("_7___rustc17rust_begin_unwind", "__autojit_panicked"),
    ("_7___rustc26___rust_alloc_error_handler", "__autojit_out_of_memory"),
];

/// How their symbols begin.
const PREFIX: &[u8] = b"_RNvCs";

/// The functions that small programs run, in front of those that only larger ones do; scripts/order writes it.
const ORDER: &str = "libautojit.order";

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
    for (handler, ours) in HANDLERS {
        if let Some(symbol) = internal_symbol(handler) {
            println!("cargo::rustc-cdylib-link-arg=-Wl,--defsym={symbol}={ours}");
        }
    }
    for argument in order() {
        println!("cargo::rustc-cdylib-link-arg=-Wl,{argument}");
    }
    // The compiler's start files call functions that a program may define (__gmon_start__, __cxa_finalize).
    println!("cargo::rustc-cdylib-link-arg=-nostartfiles");
}

/// A symbol by which crate alloc refers to what others define: rustc puts its release in front of the name.
fn internal_symbol(name: &str) -> Option<String> {
    let rustc = env::var_os("RUSTC")?;
    let output = Command::new(rustc).args(["--print", "target-libdir"]).output().ok()?;
    let directory = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    let mut files = fs::read_dir(directory).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_std = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    };
    let library = fs::read(files.find(is_std)?).ok()?;
    let at = library.windows(name.len()).position(|window| window == name.as_bytes())?;
    let begin = library[..at].windows(PREFIX.len()).rposition(|window| window == PREFIX)?;
    String::from_utf8(library[begin..at + name.len()].to_vec()).ok()
}

/// What has functions that run lie together: a page fault maps its neighbours, which then count as the program's memory.
fn order() -> Vec<String> {
    if !is_linked_by_lld() {
        // At least apart from those that never run.
        return vec!["-zkeep-text-section-prefix".into()];
    }
    println!("cargo::rerun-if-changed={ORDER}");
    let path = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join(ORDER);
    // Builds with other settings, and other releases of rustc, have other functions.
    vec![format!("--symbol-ordering-file={}", path.display()), "--no-warn-symbol-ordering".into()]
}

/// Whether rustc has a linker of its own, which is lld, and is not told to use another one.
fn is_linked_by_lld() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let names_one =
        ["-Clinker", "linker=", "fuse-ld", "link-self-contained"].iter().any(|flag| flags.contains(flag));
    let sysroot = env::var_os("RUSTC").and_then(|rustc| {
        let output = Command::new(rustc).args(["--print", "target-libdir"]).output().ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
    });
    let own = sysroot.and_then(|lib| Some(lib.parent()?.join("bin/gcc-ld/ld.lld").is_file()));
    !names_one && env::var_os("RUSTC_LINKER").is_none() && own == Some(true)
}
