//! The package on whole systems, and what other tools say of it. Needs the network, root and what scripts/setup --release
//! installs, so these tests run with scripts/test --release only (.config/nextest.toml).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use autojit_tests::llvm::CLANG;
use autojit_tests::run::{Outcome, attempt, command, run_within, tool};
use autojit_tests::scratch::{Scratch, dist, keeping, repository};

use super::{installation, name, pack, package, pages};

/// How long it may take to install a system.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(1800);

/// A Debian system with clang-22 in a directory, kept for later runs.
struct System {
    root: PathBuf,
    scratch: Scratch,
}

impl System {
    fn new(suite: &str) -> Self {
        // SAFETY: takes no pointers.
        assert_eq!(unsafe { libc::geteuid() }, 0, "only root can change roots: run this test as root");
        let scratch = Scratch::new(&format!("release-{suite}"));
        let root = keeping("roots").join(suite);
        let system = Self { root, scratch };
        let ready = system.root.join("ready");
        if !ready.exists() {
            drop(fs::remove_dir_all(&system.root));
            let mut debootstrap = Command::new("debootstrap");
            system.long(debootstrap.args(["--variant=minbase", suite]).arg(&system.root)).assert_code(0);
            system.sources(suite);
            system.root(&format!(
                "apt-get update -qq && apt-get install -y -qq --no-install-recommends {CLANG}"
            ));
            system.root("mkdir -p /home/user && chown 1000:1000 /home/user && apt-get clean");
            fs::write(ready, "").expect("the directory is ours");
        }
        system
    }

    /// This system's package sources, for another release.
    fn sources(&self, suite: &str) {
        let own = tool(Command::new("sh").args(["-c", ". /etc/os-release && echo $VERSION_CODENAME"])).text();
        let mut found = false;
        for file in ["sources.list", "sources.list.d/debian.sources"] {
            let Ok(text) = fs::read_to_string(Path::new("/etc/apt").join(file)) else { continue };
            let text = text.replace(own.trim(), suite);
            fs::write(self.root.join("etc/apt").join(file), text).expect("the directory is ours");
            found = true;
        }
        assert!(found, "/etc/apt has no sources of Debian's");
    }

    fn long(&self, command: &mut Command) -> Outcome {
        let done = run_within(command, self.scratch.path(), b"", LIMIT);
        done.unwrap_or_else(|| panic!("{command:?} took too long"))
    }

    fn within(&self, user: &str, shell: &str) -> Outcome {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--pid", "--fork"]);
        unshare.arg(format!("--mount-proc={}", self.root.join("proc").display()));
        unshare.args(["chroot", "--userspec", user]).arg(&self.root).args(["/bin/sh", "-euc", shell]);
        unshare
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive");
        self.long(&mut unshare)
    }

    /// Runs commands of root's, which must succeed.
    #[track_caller]
    fn root(&self, shell: &str) -> Outcome {
        let outcome = self.within("0:0", shell);
        outcome.assert_code(0);
        outcome
    }

    /// The same as a user with an empty home directory.
    #[track_caller]
    fn user(&self, shell: &str) {
        self.root("rm -rf /home/user && mkdir /home/user && chown 1000:1000 /home/user");
        let shell = format!("export HOME=/home/user; cd; {shell}");
        let outcome = self.within("1000:1000", &shell);
        outcome.assert_code(0);
        assert!(outcome.text().ends_with("everything works\n"), "{outcome}");
    }

    /// Installs, uses and removes the package; unpacks and uses the tarball.
    fn check(&self) {
        let inside = self.root.join("tmp/released");
        drop(fs::remove_dir_all(&inside));
        fs::create_dir(&inside).expect("the directory is ours");
        self.long(&mut pack(&installation(), &inside, None)).assert_code(0);
        for file in ["check.sh", "hello.c", "hello.cpp"] {
            let from = repository().join("tests/programs/released").join(file);
            fs::copy(from, inside.join(file)).expect("the directory is ours");
        }
        self.root("apt-get purge -y -qq autojit || true");
        self.root(&format!("apt-get install -y -qq --no-install-recommends /tmp/released/{}", package()));
        self.user("/tmp/released/check.sh /tmp/released /usr/bin");
        self.root("apt-get purge -y -qq autojit");
        let left = self.root("find /usr /etc /opt /var/lib/systemd -name '*autojit*'").text();
        assert_eq!(left, "", "left by the package");
        let orphan = self.within("1000:1000", "/home/user/program");
        assert!(orphan.assert_code(127).errors().contains("libautojit.so"), "{orphan}");
        self.root(&format!("rm -rf /opt/{0} && tar -xzf /tmp/released/{0}.tar.gz -C /opt", name()));
        self.user(&format!("/tmp/released/check.sh /tmp/released /opt/{}/bin", name()));
        self.root(&format!("rm -rf /opt/{}", name()));
    }
}

#[test]
fn installed_on_debian_12() {
    System::new("bookworm").check();
}

#[test]
fn installed_on_debian_13_with_a_newer_c_library() {
    System::new("trixie").check();
}

#[test]
fn lintian_is_content() {
    let scratch = Scratch::new("release-lintian");
    tool(&mut pack(&installation(), scratch.path(), Some("deb")));
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning"]).arg(scratch.path().join(package()));
    let outcome = run_within(&mut lintian, scratch.path(), b"", LIMIT).expect("it ends");
    assert!(outcome.status.success() && outcome.stdout.is_empty(), "{outcome}");
}

#[test]
fn mandoc_is_content() {
    let mut mandoc = command("mandoc");
    mandoc.args(["-Tlint", "-Wwarning"]).args(pages()).current_dir(installation().join("share/man"));
    let outcome = attempt(&mut mandoc);
    assert!(outcome.status.success() && outcome.stdout.is_empty(), "{outcome}");
}

#[test]
fn zsh_and_fish_complete() {
    let share = installation().join("share");
    let complete = |line: &str| {
        let directory = share.join("fish/vendor_completions.d");
        let program = line.split(' ').next().expect("a program");
        let script = format!("source {}/{program}.fish; complete -C '{line}'", directory.display());
        tool(command("fish").args(["--no-config", "-c", &script])).text()
    };
    assert!(complete("autojit-run --st").starts_with("--stats\t"));
    assert!(complete("autojit --v").starts_with("--version\t"));
    assert!(complete("autojitd --jo").starts_with("--jobs\t"));
    // A terminal of zsh's own, in which a tab is pressed.
    let scratch = Scratch::new("release-zsh");
    let script = "zmodload zsh/zpty; zpty shell zsh -f -i\n\
        say() { zpty -w shell \"$1\"; }\n\
        say \"fpath=($FUNCTIONS \\$fpath); autoload -Uz compinit; compinit -u -d $DUMP; PROMPT=; echo re''ady\"\n\
        zpty -r shell text '*ready*'\n\
        for line in 'autojit-run --st' 'autojitd --idl' 'autojit --vers'; do\n\
          zpty -w -n shell \"$line\"$'\\t'; zpty -r shell text \"*${line% *} --*[a-z][ =]*\"; print -r -- \"$text\"\n\
          zpty -w -n shell $'\\C-u'\n\
        done\n";
    let mut zsh = command("zsh");
    zsh.args(["-f", "-c", script]).env("FUNCTIONS", share.join("zsh/site-functions"));
    let outcome = run_within(zsh.env("DUMP", scratch.path().join("dump")), scratch.path(), b"", LIMIT);
    let text = outcome.expect("it ends").text();
    for word in ["--stats", "--idle-exit", "--version"] {
        assert!(text.contains(word), "no {word} in {text}");
    }
}

/// A daemon under strace, which is ended with it.
struct Traced(Child);

impl Drop for Traced {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            // strace passes it on.
            // SAFETY: takes no pointers; the child was not waited for.
            unsafe { libc::kill(self.0.id().cast_signed(), libc::SIGTERM) };
        }
        drop(self.0.wait());
    }
}

/// The system calls of a set of systemd's.
fn calls_of(set: &str) -> Vec<String> {
    let text = tool(Command::new("systemd-analyze").args(["syscall-filter", set])).text();
    let lines = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let found = lines.map(|line| if line.starts_with('@') { calls_of(line) } else { vec![line.to_owned()] });
    found.flatten().collect()
}

#[test]
fn the_unit_allows_what_autojitd_does() {
    let unit = fs::read_to_string(dist("lib/systemd/user/autojitd.service")).expect("it is readable");
    let setting = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let allowed = calls_of(setting("SystemCallFilter").expect("it has a filter"));
    assert!(allowed.len() > 100, "{allowed:?}");
    let scratch = Scratch::new("release-unit");
    let (trace, socket) = (scratch.path().join("trace"), scratch.path().join("socket"));
    let daemon = |arguments: &[&str]| {
        let mut strace = command("strace");
        strace.args(["-f", "-o"]).arg(&trace).arg(dist("bin/autojitd")).args(arguments);
        strace.env("AUTOJIT_SOCKET_PATH", &socket).env("AUTOJIT_CACHE_DIR", scratch.path().join("cache"));
        strace.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE");
        strace
    };
    let mut child = Traced(daemon(&[]).spawn().expect("strace is there"));
    let start = std::time::Instant::now();
    while !socket.exists() {
        assert!(
            start.elapsed() < LIMIT && child.0.try_wait().is_ok_and(|ended| ended.is_none()),
            "no daemon"
        );
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // One function for a program, and what the plugin tells.
    for (source, wrapper) in [("hello.cpp", "autojit-c++"), ("hello.c", "autojit-cc")] {
        let mut compiler = command(installation().join("bin").join(wrapper));
        compiler.env("AUTOJIT_SOCKET_PATH", &socket).current_dir(scratch.path());
        let source = repository().join("tests/programs/released").join(source);
        tool(compiler.arg("-O2").arg(source).args(["-o", "program"]));
        let mut program = command(scratch.path().join("program"));
        program.env("AUTOJIT_SOCKET_PATH", &socket).env("AUTOJIT_MODE", "daemon");
        assert_eq!(tool(&mut program).text(), "42\n");
    }
    let mut stop = command(dist("bin/autojitd"));
    tool(stop.arg("--stop").env("AUTOJIT_SOCKET_PATH", &socket));
    child.0.wait().expect("it is ours");
    let text = fs::read_to_string(&trace).expect("strace wrote it");
    // "PID call(...", and "<... call resumed>".
    let calls = text.lines().filter_map(|line| Some(line.split_once(' ')?.1.trim_start().split_once('(')?.0));
    let mut calls: Vec<_> = calls
        .filter(|call| {
            call.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        })
        .collect();
    calls.sort_unstable();
    calls.dedup();
    assert!(calls.contains(&"accept4") && calls.contains(&"sendmsg"), "{calls:?}");
    let denied: Vec<_> = calls.iter().filter(|call| !allowed.iter().any(|known| known == *call)).collect();
    assert!(denied.is_empty(), "the unit's filter has not {denied:?}");
    // MemoryDenyWriteExecute, RestrictAddressFamilies.
    for line in text.lines() {
        let executable =
            line.contains("PROT_WRITE|PROT_EXEC") || line.contains("mprotect(") && line.contains("PROT_EXEC");
        assert!(!executable, "{line}");
        assert!(!line.contains(" socket(") || line.contains("AF_UNIX"), "{line}");
    }
}
