//! What scripts/release makes: the layout, the same bytes each time, and that it runs where it is unpacked, with an empty
//! home. Tests of whole systems, which are installed from the network, and of what takes other tools are left to scripts/test
//! --release.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use autojit_tests::run::{attempt, bare_command, command, run, tool};
use autojit_tests::scratch::{Scratch, dist, repository};
use autojit_tests::stats::Stats;

#[path = "release/systems.rs"]
mod systems;

/// The directory in the tarball.
fn name() -> String {
    let version = env!("CARGO_PKG_VERSION").rsplit_once('.').expect("it has three parts").0;
    format!("autojit-{}_v{version}_x86-64", autojit_tests::llvm::RELEASE)
}

/// The file name of the Debian package.
fn package() -> String {
    format!("autojit_{}-1_amd64.deb", env!("CARGO_PKG_VERSION"))
}

fn installation() -> PathBuf {
    dist("bin/autojit-run").ancestors().nth(2).expect("it is in bin").to_owned()
}

/// Packs `dist` into `out`: as a tarball, a package, or (none) both.
fn pack(dist: &Path, out: &Path, kind: Option<&str>) -> Command {
    let mut release = command(repository().join("scripts/release"));
    release.arg("--dist").arg(dist).arg("--out").arg(out);
    if let Some(kind) = kind {
        release.args(["--only", kind]);
    }
    release
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("{program} is not installed; nothing was tested with it");
    }
    found
}

#[test]
fn the_tarball_runs_where_it_is_unpacked() {
    let scratch = Scratch::new("release-unpacked");
    tool(&mut pack(&installation(), scratch.path(), Some("tarball")));
    let place = scratch.directory("some where");
    let tarball = scratch.path().join(format!("{}.tar.gz", name()));
    tool(command("tar").arg("-xzf").arg(&tarball).arg("-C").arg(&place));
    let bin = place.join(name()).join("bin");
    let (home, work) = (scratch.directory("home"), scratch.directory("work"));
    let sources = repository().join("tests/programs/released");
    let bare = |program: &Path| {
        let mut command = command(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &home).current_dir(&work);
        command
    };
    let outcome = attempt(bare(&sources.join("check.sh")).arg(&sources).arg(&bin));
    let text = outcome.assert_code(0).text();
    assert!(text.contains("\nnothing is wrong\n") && text.ends_with("everything works\n"), "{outcome}");
    assert!(home.join(".cache/autojit").is_dir(), "the cache is in the home directory");
    // A launcher of rustup has nothing in an empty home.
    let sysroot = tool(command("rustc").args(["--print", "sysroot"])).text();
    let rustc = Path::new(sysroot.trim_end()).join("bin/rustc");
    let compile = |bin: &Path| {
        let mut wrapper = bare(&bin.join("autojit-rustc"));
        attempt(wrapper.arg(&rustc).arg(sources.join("hello.rs")).args(["-o", "hello"]))
    };
    let outcome = compile(&bin);
    assert!(outcome.assert_code(1).errors().contains("its path has a space in it"), "{outcome}");
    let elsewhere = scratch.path().join("elsewhere");
    fs::rename(place, &elsewhere).expect("the directory is ours");
    compile(&elsewhere.join(name()).join("bin")).assert_code(0);
    let outcome = run(&mut bare_command(work.join("hello"), &work), &work, b"");
    assert_eq!(outcome.assert_code(0).text(), "42\n");
    Stats::read(&work.join("stats")).assert_lazy();
}

/// A build of small files that stands for a real one.
fn stand_in(scratch: &Scratch, directory: &str) -> PathBuf {
    for (file, mode) in [
        ("bin/autojit-run", 0o755),
        ("bin/autojit-clang", 0o755),
        ("lib/autojit.so", 0o644),
        ("lib/libautojit.so", 0o644),
        ("lib/systemd/user/autojitd.service", 0o644),
        ("share/autojit/gdb.py", 0o644),
        ("share/man/man1/autojit-run.1", 0o644),
        ("share/zsh/site-functions/_autojit", 0o644),
    ] {
        let path = scratch.file(&format!("{directory}/{file}"), file);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
    }
    let dist = scratch.path().join(directory);
    fs::hard_link(dist.join("bin/autojit-run"), dist.join("bin/autojit")).expect("the directory is ours");
    symlink("autojit-clang", dist.join("bin/autojit-cc")).expect("the directory is ours");
    symlink("autojit-run.1", dist.join("share/man/man1/autojit.1")).expect("the directory is ours");
    dist
}

#[test]
fn the_same_files_make_the_same_release() {
    let scratch = Scratch::new("release-same");
    let (first, second) = (stand_in(&scratch, "first"), stand_in(&scratch, "second"));
    // Neither the time of the files counts, nor their group's access, nor the user's mask, place or language.
    let file = second.join("lib/autojit.so");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    tool(command("touch").args(["--date=2001-01-01"]).arg(&file));
    let mut made = Vec::new();
    for (dist, out, mask) in [(&first, "one", "022"), (&second, "two", "077")] {
        let out = scratch.directory(out);
        let pack = pack(dist, &out, None);
        let mut shell = command("sh");
        shell.arg("-c").arg(format!("umask {mask} && exec \"$@\"")).arg("sh").arg(pack.get_program());
        tool(shell.args(pack.get_args()).env("TZ", if mask == "022" { "UTC" } else { "Asia/Tokyo" }));
        let files = [format!("{}.tar.gz", name()), package()].map(|file| out.join(file));
        made.push(files.map(|file| (fs::read(&file).expect("it was made"), file)));
    }
    for ((one, file), (two, _)) in made[0].iter().zip(&made[1]) {
        assert!(one == two, "{} has other bytes the second time", file.display());
    }
    let listed = tool(command("tar").arg("-tvzf").arg(&made[0][0].1)).text();
    for line in listed.lines() {
        let (mode, rest) = line.split_once(' ').expect("a mode");
        assert!(rest.starts_with("0/0 ") && line.contains(&format!(" {}/", name())), "{line}");
        assert!(
            ["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx", "hrwxr-xr-x"].contains(&mode),
            "{line}"
        );
    }
    let files = [
        "bin/autojit-run",
        "share/autojit/gdb.py",
        "share/doc/autojit/README.md",
        "share/doc/autojit/licences/LICENSE-MIT",
    ];
    for file in files {
        assert!(listed.contains(&format!("/{file}")), "no {file} in {listed}");
    }
    // Crates that are linked in; those that only run when something is built are not.
    for (library, linked) in
        [("goblin", true), ("zstd-sys", true), ("libmimalloc-sys", true), ("cc", false), ("syn", false)]
    {
        assert_eq!(listed.contains(&format!("licences/{library}-")), linked, "{library} in {listed}");
    }
    let listed = tool(command("dpkg-deb").arg("--contents").arg(&made[0][1].1)).text();
    for file in [
        "./usr/bin/autojit-cc -> ../lib/autojit/bin/autojit-cc",
        "./usr/lib/autojit/lib/libautojit.so",
        "./usr/lib/systemd/user/autojitd.service",
        "./usr/share/doc/autojit/copyright",
        "./usr/share/doc/autojit/changelog.gz",
        "./usr/share/doc/autojit/changelog.Debian.gz",
        "./usr/share/gdb/auto-load/usr/lib/autojit/lib/libautojit.so-gdb.py",
        "./usr/share/man/man1/autojit-run.1.gz",
        "./usr/share/man/man1/autojit.1.gz -> autojit-run.1.gz",
        "./usr/share/zsh/vendor-completions/_autojit",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(file)), "no {file} in {listed}");
    }
    assert!(listed.lines().all(|line| line.contains(" root/root ")), "{listed}");
}

#[test]
fn what_is_not_built_is_not_packed() {
    let scratch = Scratch::new("release-unbuilt");
    let outcome = attempt(&mut pack(&scratch.directory("dist"), scratch.path(), Some("tarball")));
    assert!(outcome.assert_code(1).errors().contains("run scripts/build"), "{outcome}");
    for wrong in [["--only", "rpm"], ["--fast", "x"]] {
        let outcome = attempt(command(repository().join("scripts/release")).args(wrong));
        assert!(outcome.assert_code(1).errors().starts_with("release: "), "{outcome}");
    }
}

/// The man pages that are installed.
fn pages() -> Vec<PathBuf> {
    let manual = installation().join("share/man");
    let sections = ["man1", "man8"].map(|section| fs::read_dir(manual.join(section)).expect("it is staged"));
    sections.into_iter().flatten().map(|entry| entry.expect("it is readable").path()).collect()
}

#[test]
fn man_pages_are_well_formed_and_complete() {
    let manual = installation().join("share/man");
    for program in fs::read_dir(installation().join("bin")).expect("it is there") {
        let program = program.expect("it is readable").file_name();
        let page =
            |section| manual.join(format!("man{section}")).join(format!("{}.{section}", program.display()));
        assert!(
            [1, 8].into_iter().any(|section| page(section).exists()),
            "no page for {}",
            program.display()
        );
    }
    for page in pages() {
        let mut groff = command("groff");
        let outcome =
            attempt(groff.args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(&page).current_dir(&manual));
        outcome.assert_code(0);
        assert!(outcome.errors().is_empty(), "{}: {outcome}", page.display());
        assert!(outcome.text().contains("SEE ALSO"), "{outcome}");
    }
}

#[test]
fn bash_completes_options_and_commands() {
    let file = installation().join("share/bash-completion/completions/autojit-run");
    let complete = |words: &[&str]| {
        let script = "source \"$1\"; shift; COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) COMPREPLY=()\n\
            _command_offset() { COMPREPLY=(\"command $1\"); }\n\
            spec=$(complete -p \"$1\"); function=${spec##*-F }; ${function%% *}; printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut bash = command("bash");
        tool(bash.args(["-euc", script, "bash"]).arg(&file).args(words)).text()
    };
    assert_eq!(complete(&["autojit-run", "--st"]), "--stats\n");
    assert_eq!(complete(&["autojit-run", "--trace", "file", "--cache-"]), "--cache-stats\n--cache-clear\n");
    assert_eq!(complete(&["autojit-run", "--stats", "=", "file", "--doc"]), "--doctor\n");
    assert_eq!(complete(&["autojit-run", "--daemon", "make", "-"]), "command 2\n");
    assert_eq!(complete(&["autojit-run", "--", "make", ""]), "command 2\n");
    assert_eq!(complete(&["autojit", "make", "--st"]), "command 1\n");
    assert_eq!(complete(&["autojit", "--v"]), "--version\n");
    assert_eq!(complete(&["autojitd", "--jo"]), "--jobs\n");
    assert_eq!(complete(&["autojitd", "--jobs", ""]), "\n");
    // Files: what bash does by itself then.
    assert_eq!(complete(&["autojit-run", "--list", "a"]), "\n");
}

#[test]
fn systemd_knows_the_units() {
    if !is_there("systemd-analyze") {
        return;
    }
    let scratch = Scratch::new("release-units");
    for unit in ["autojitd.service", "autojitd.socket"] {
        let text = fs::read_to_string(dist(&format!("lib/systemd/user/{unit}"))).expect("it is readable");
        // As docs/autojitd.md has it for the tarball.
        let text =
            text.replace("ExecStart=autojitd", &format!("ExecStart={}", dist("bin/autojitd").display()));
        // Pages are in the package, not on this machine.
        scratch.file(unit, text.replace("Documentation=man:", "Documentation=info:"));
    }
    let mut verify = command("systemd-analyze");
    verify.args(["--user", "verify", "./autojitd.service", "./autojitd.socket"]).current_dir(scratch.path());
    let outcome = attempt(verify.env("XDG_RUNTIME_DIR", scratch.path()));
    assert!(outcome.status.success() && outcome.errors().is_empty(), "{outcome}");
}
