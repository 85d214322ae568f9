//! --doctor: what keeps programs from being built or run lazily, and how to mend it.
//!
//! Each check prints one line or more: "ok", "note" for what works but could be better, "WRONG" with the remedy. The last ones
//! build and run a small program by each generator, so that nothing that has no check of its own is missed.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use autojit_options::{Options, Reader, TABLE};

use crate::role::Language;
use crate::{Failure, cached, compiler, identity, installation, process, suit};

/// The release of LLVM.
const LLVM: &str = env!("LLVM_RELEASE");

/// What was found.
#[derive(Default)]
struct Report {
    wrong: usize,
}

impl Report {
    fn ok(&mut self, what: &str, text: &str) {
        println!("ok     {what}: {text}");
    }

    fn note(&mut self, what: &str, text: &str) {
        println!("note   {what}: {text}");
    }

    fn wrong(&mut self, what: &str, text: &str, remedy: &str) {
        println!("WRONG  {what}: {text}\n       {remedy}");
        self.wrong += 1;
    }
}

/// Prints what the checks find; the exit status is 1 if something is wrong.
pub fn run() -> Result<u8, Failure> {
    let mut report = Report::default();
    installation(&mut report);
    compilers(&mut report);
    environment(&mut report);
    cache(&mut report);
    daemon(&mut report);
    limits(&mut report);
    kernel(&mut report);
    if report.wrong == 0 {
        trials(&mut report);
    } else {
        report.note("trial", "no program is built: mend the rest first");
    }
    match report.wrong {
        0 => println!("nothing is wrong"),
        1 => println!("one thing is wrong"),
        count => println!("{count} things are wrong"),
    }
    Ok(u8::from(report.wrong != 0))
}

fn installation(report: &mut Report) {
    let again = "install autojit again; its files belong together (bin/ and lib/ under one prefix)";
    match installation::library("autojit.so", 1) {
        Ok(plugin) => {
            let bytes = fs::read(&plugin).unwrap_or_default();
            let digest = autojit_store::digest(&[&bytes]);
            let digest: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            if [&*digest, "unknown"].contains(&identity::PLUGIN) {
                report.ok("plugin", &plugin.display().to_string());
            } else {
                let text = format!("'{}' is not the one that this program was built with", plugin.display());
                report.wrong("plugin", &text, again);
            }
        }
        Err(failure) => report.wrong("plugin", &failure.message, again),
    }
    for (release, plugin) in suit::others() {
        other_plugin(report, release, &plugin, again);
    }
    for (what, file) in [("runtime", "libautojit.so"), ("engine", "libautojit-engine.so")] {
        match installation::library(file, 1) {
            Ok(path) => report.ok(what, &path.display().to_string()),
            Err(failure) => report.wrong(what, &failure.message, again),
        }
    }
    if let Err(failure) = installation::library("libautojit_static-x86_64.a", 1) {
        report
            .note("static runtime", &format!("{}; -static and AUTOJIT_PORTABLE=1 need it", failure.message));
    }
    let own = installation::own_directory();
    let names = ["autojit", "autojit-cc", "autojit-c++", "autojit-rustc", "autojitd"];
    let missing: Vec<_> = names.into_iter().filter(|name| !own.join(name).exists()).collect();
    if missing.is_empty() {
        report.ok("programs", &format!("in {}", own.display()));
    } else {
        report.wrong("programs", &format!("{} not in {}", missing.join(", "), own.display()), again);
    }
}

/// A plugin for another release of clang, which that release must be able to load.
fn other_plugin(report: &mut Report, release: u32, plugin: &Path, remedy: &str) {
    let (what, clang, file) = (format!("plugin {release}"), format!("clang-{release}"), plugin.display());
    let Ok(program) = process::find(OsStr::new(&clang)) else {
        return report.note(&what, &format!("{file}; {clang} is not installed"));
    };
    let mut load = OsString::from("-fpass-plugin=");
    load.push(plugin);
    let outcome =
        Command::new(program).arg(load).args(["-S", "-x", "c", "/dev/null", "-o", "/dev/null"]).output();
    if outcome.is_ok_and(|outcome| outcome.status.success()) {
        report.ok(&what, &format!("{file}, which {clang} can load"));
    } else {
        report.wrong(&what, &format!("{clang} cannot load '{file}'"), remedy);
    }
}

fn compilers(report: &mut Report) {
    for language in [Language::C, Language::Cxx] {
        let (variable, own) = compiler::usual(language);
        let given = process::variable(variable).map(|command| process::words(&command)).unwrap_or_default();
        let words = if given.is_empty() { vec![OsString::from(own)] } else { given };
        let remedy =
            format!("install clang-{LLVM} (apt install clang-{LLVM}, or apt.llvm.org), or set {variable}");
        match process::find_other(&words[0]).and_then(|program| suit::plugin(&words).map(|_| program)) {
            Ok(program) => report.ok(own, &program.display().to_string()),
            Err(failure) => report.wrong(own, &failure.message, &remedy),
        }
    }
    let rustc = process::find(OsStr::new("rustc"));
    let Ok(rustc) = rustc else { return report.note("rustc", "not installed; only Rust needs it") };
    let version = process::output(&rustc, &["rustc".into(), "-vV".into()]).unwrap_or_default();
    let version = String::from_utf8_lossy(&version);
    match version.lines().find_map(|line| line.strip_prefix("LLVM version: ")) {
        Some(llvm) if llvm.split('.').next() == Some(LLVM) => report.ok("rustc", &format!("LLVM {llvm}")),
        Some(llvm) => report.wrong(
            "rustc",
            &format!("it is made of LLVM {llvm}, the plugin is for LLVM {LLVM}"),
            &format!("use a toolchain with LLVM {LLVM}: rustup update, or rustup toolchain install stable"),
        ),
        None => report.note("rustc", "does not tell which LLVM it is made of"),
    }
}

fn environment(report: &mut Report) {
    let remedy = "autojit-run --help lists the options and their values";
    let mut wrong = Vec::new();
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AUTOJIT_") && !TABLE.iter().any(|row| row.name == text) {
            wrong.push(format!("{text} is no option"));
        }
    }
    for reader in [Reader::Plugin, Reader::Wrappers, Reader::Runtime, Reader::Daemon] {
        wrong.extend(Options::from_environment(reader).1.iter().map(ToString::to_string));
    }
    wrong.sort();
    wrong.dedup();
    for text in &wrong {
        report.wrong("environment", text, remedy);
    }
    if wrong.is_empty() {
        report.ok("environment", "options have values of their forms");
    }
}

/// The closest directory above a path that is there.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

fn cache(report: &mut Report) {
    let (options, _) = Options::from_environment(Reader::Runtime);
    if options.disable_object_cache {
        let text = "is switched off (AUTOJIT_DISABLE_OBJECT_CACHE): each run compiles what it calls";
        return report.note("cache", text);
    }
    let directory = match cached::directory() {
        Ok(directory) => directory,
        Err(failure) => return report.wrong("cache", &failure.message, "set AUTOJIT_CACHE_DIR"),
    };
    let path = PathBuf::from(OsStr::from_bytes(directory.root()));
    let shown = path.display();
    // SAFETY: takes no arguments.
    let user = unsafe { libc::geteuid() };
    let there = existing(&path);
    let Ok(found) = there.metadata() else {
        return report.wrong("cache", &format!("cannot look at {shown}"), "");
    };
    let usable = found.is_dir() && (user == 0 || found.mode() & 0o200 != 0 && found.uid() == user);
    if there != path && !usable {
        let text = format!("{shown} is not there and cannot be made in {}", there.display());
        return report.wrong("cache", &text, "set AUTOJIT_CACHE_DIR to a directory that you can write");
    }
    if there == path && (found.uid() != user || !found.is_dir()) {
        let text = format!("{shown} is not a directory of this user");
        return report.wrong("cache", &text, "remove it, chown it, or set AUTOJIT_CACHE_DIR");
    }
    if there == path && found.mode() & 0o022 != 0 {
        let text = format!("{shown} can be written by other users, and is not used");
        return report.wrong("cache", &text, &format!("chmod 700 '{shown}'"));
    }
    let used: u64 = directory.contents().iter().map(|file| file.size).sum();
    report.ok("cache", &format!("{shown}, {used} of {} bytes", options.cache_size.0));
    const LITTLE: u64 = 100 << 20;
    if let Some(free) = free_bytes(there).filter(|free| *free < LITTLE) {
        report.note("cache", &format!("only {free} bytes are free on its file system"));
    }
}

fn free_bytes(directory: &Path) -> Option<u64> {
    let path = std::ffi::CString::new(directory.as_os_str().as_bytes()).ok()?;
    // SAFETY: plain data, for which zeros are a value.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a C string, and a structure to write to.
    let result = unsafe { libc::statvfs(path.as_ptr(), &raw mut found) };
    (result == 0).then(|| found.f_bavail * found.f_frsize)
}

fn daemon(report: &mut Report) {
    let beside = installation::own_directory().join("autojitd");
    let program = process::variable("AUTOJIT_DAEMON_PATH").map_or(beside, PathBuf::from);
    let status = Command::new(&program).arg("--status").stdin(Stdio::null()).output();
    match status {
        Ok(output) if output.status.success() => report.ok("autojitd", "runs"),
        Ok(_) => report.note(
            "autojitd",
            "does not run: programs compile for themselves. autojitd --detach starts it, for optimised builds above all",
        ),
        Err(error) => {
            let text = format!("cannot execute '{}': {error}", program.display());
            report.wrong("autojitd", &text, "install autojit again, or correct AUTOJIT_DAEMON_PATH");
        }
    }
}

fn limits(report: &mut Report) {
    let mut all = true;
    for (resource, what, least, remedy) in [
        (libc::RLIMIT_AS, "address space", 200 << 20, "ulimit -v unlimited"),
        (libc::RLIMIT_DATA, "data", 100 << 20, "ulimit -d unlimited"),
        (libc::RLIMIT_NOFILE, "open files", 32, "ulimit -n 1024"),
        (libc::RLIMIT_FSIZE, "size of files", 64 << 20, "ulimit -f unlimited"),
    ] {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a structure to write to.
        let known = unsafe { libc::getrlimit(resource, &raw mut limit) } == 0;
        if known && limit.rlim_cur < least {
            let text =
                format!("{what}: {} is little for LLVM and the cache; {least} are enough", limit.rlim_cur);
            report.wrong("limits", &text, remedy);
            all = false;
        }
    }
    if all {
        report.ok("limits", "address space, data, open files and size of files are enough");
    }
}

/// A setting of the kernel that is a number.
fn setting(name: &str) -> Option<i64> {
    fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok()
}

fn kernel(report: &mut Report) {
    if !Path::new("/proc/self/maps").exists() {
        report.wrong("kernel", "/proc is not mounted", "mount -t proc proc /proc");
    }
    match executable_memory() {
        Ok(()) => report.ok("kernel", "memory can be made executable"),
        Err(error) => report.wrong(
            "kernel",
            &format!("memory cannot be made executable: {error}"),
            "allow it: SELinux has booleans (deny_execmem), seccomp filters of containers and systemd units \
             (MemoryDenyWriteExecute) a setting for it",
        ),
    }
    // The kernel's own default.
    if let Some(maps) = setting("vm/max_map_count").filter(|maps| *maps < 65530) {
        let text =
            format!("vm.max_map_count is {maps}: large programs may run out; sysctl vm.max_map_count=65530");
        report.note("kernel", &text);
    }
    if setting("kernel/yama/ptrace_scope").is_some_and(|scope| scope > 0) {
        let text = "gdb can only attach to its own children; sysctl kernel.yama.ptrace_scope=0 lets it attach to others";
        report.note("kernel", text);
    }
    if setting("kernel/perf_event_paranoid").is_some_and(|level| level > 2) {
        report.note("kernel", "perf is for root only; sysctl kernel.perf_event_paranoid=2 opens it");
    }
}

/// Makes memory as compiled code has it: written by one mapping, executed by another.
fn executable_memory() -> std::io::Result<()> {
    const LENGTH: usize = 4096;
    // SAFETY: a C string.
    let file = unsafe { libc::memfd_create(c"autojit-doctor".as_ptr(), libc::MFD_CLOEXEC) };
    if file < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened here; the mappings are new, and their bytes are not looked at.
    unsafe {
        let map = |protection| {
            libc::mmap(std::ptr::null_mut(), LENGTH, protection, libc::MAP_SHARED, file, 0)
                != libc::MAP_FAILED
        };
        let done = libc::ftruncate(file, LENGTH as libc::off_t) == 0
            && map(libc::PROT_READ | libc::PROT_WRITE)
            && map(libc::PROT_READ | libc::PROT_EXEC);
        let error = std::io::Error::last_os_error();
        libc::close(file);
        if done { Ok(()) } else { Err(error) }
    }
}

/// Builds and runs a program.
fn trials(report: &mut Report) {
    let directory = std::env::temp_dir().join(format!("autojit-doctor-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&directory) {
        let text = format!("cannot make '{}': {error}", directory.display());
        return report.wrong("trial", &text, "set TMPDIR to a directory that you can write");
    }
    for (variable, what) in [("auto", "without LLVM"), ("off", "by LLVM")] {
        match trial(&directory, variable) {
            Ok(()) => report.ok("trial", &format!("a program was built, and compiled {what} when it ran")),
            Err(why) => report.wrong(
                "trial",
                &format!("a program that is to be compiled {what}: {why}"),
                "the message tells what is missing; docs/troubleshooting.md has them by their words",
            ),
        }
    }
    // What is left in a directory for temporary files does no harm.
    drop(fs::remove_dir_all(&directory));
}

fn trial(directory: &Path, baseline: &str) -> Result<(), String> {
    let [source, program, stats] = ["main.c", "program", "stats"].map(|name| directory.join(name));
    fs::write(&source, "static int four(void) { return 4; }\nint main(void) { return four(); }\n")
        .map_err(|error| format!("writing {}: {error}", source.display()))?;
    let run = |command: &mut Command, status: i32| {
        let output = command.env_remove("LD_PRELOAD").stdin(Stdio::null()).output();
        let output = output.map_err(|error| error.to_string())?;
        if output.status.code() == Some(status) {
            return Ok(());
        }
        Err(format!("{}; {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end()))
    };
    let mut wrapper = Command::new(installation::own_directory().join("autojit-cc"));
    run(wrapper.arg(&source).arg("-o").arg(&program), 0)?;
    let mut lazy = Command::new(&program);
    lazy.env("AUTOJIT_BASELINE", baseline).env("AUTOJIT_STATS", &stats);
    lazy.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1").env("AUTOJIT_MODE", "inprocess");
    run(&mut lazy, 4)?;
    let text = fs::read_to_string(&stats).map_err(|_| "it has nothing lazy in it".to_owned())?;
    let key = if baseline == "off" { "\"compiled\": " } else { "\"baseline\": " };
    let count = text.split(key).nth(1).unwrap_or_default();
    if count.starts_with(|digit: char| ('1'..='9').contains(&digit)) {
        return Ok(());
    }
    Err(format!("it ran otherwise: {}", text.trim_end()))
}
