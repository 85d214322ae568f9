//! Tools that stand between a build and its compiler, or start what it has built: sccache, distcc, bear, the crate cc, and
//! sudo. Each takes the wrappers for a clang, and what comes out is lazy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use autojit_tests::installation::Installation;
use autojit_tests::run::{attempt, bare_command, command, run, tool};
use autojit_tests::scratch::{Scratch, dist};
use autojit_tests::stats::Stats;

const MAKEFILE: &str = "CFLAGS = -O0 -g
program: main.o helper.o
\t$(CC) main.o helper.o -o program
";

fn project(name: &str) -> Scratch {
    let scratch = Scratch::reachable(name);
    scratch.file("main.c", autojit_tests::parts::MAIN);
    scratch.file("helper.c", autojit_tests::parts::HELPER);
    scratch.file("Makefile", MAKEFILE);
    scratch
}

/// Runs a program without an environment; it must be lazy, and print 42.
#[track_caller]
fn assert_42(scratch: &Scratch, program: &Path) {
    let outcome = run(&mut bare_command(program, scratch.path()), scratch.path(), b"");
    assert_eq!((outcome.assert_code(0).text(), outcome.errors()), ("42\n".to_owned(), String::new()));
    Stats::read(&scratch.path().join("stats")).assert_lazy();
}

/// A port for a server of this process, which no other process of the suite takes; `first` is the test's own.
fn port(first: u16) -> String {
    (first + u16::try_from(std::process::id() % 10_000).expect("it is below 10,000")).to_string()
}

/// A server that compiles for others; it ends with this.
struct Server(Child);

impl Server {
    /// Starts one, and waits until it listens; what it says goes into the file `log`.
    #[track_caller]
    fn start(mut server: Command, port: &str, scratch: &Scratch) -> Self {
        let path = scratch.path().join("log");
        let log = fs::File::create(&path).expect("the directory is ours");
        let started = server.stderr(log).stdout(Stdio::null()).spawn();
        let mut server = Self(started.unwrap_or_else(|error| panic!("{server:?}: {error}")));
        let began = Instant::now();
        let said = || fs::read_to_string(&path).unwrap_or_default();
        while std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
            let ended = server.0.try_wait().expect("it is our child");
            assert!(ended.is_none(), "the server ended: {ended:?}\n{}", said());
            assert!(began.elapsed() < Duration::from_secs(120), "the server does not answer\n{}", said());
            sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process that listens ends its workers at SIGTERM.
        attempt(command("kill").arg(self.0.id().to_string()));
        let _ = self.0.wait();
    }
}

/// An sccache of its own.
struct Sccache<'a>(&'a Scratch);

impl Sccache<'_> {
    fn command(&self) -> Command {
        let mut sccache = command("sccache");
        sccache.current_dir(self.0.path()).env("SCCACHE_DIR", self.0.path().join("sccache"));
        sccache.env("SCCACHE_SERVER_PORT", port(10_000)).env("SCCACHE_IDLE_TIMEOUT", "600");
        sccache
    }

    /// A new server, which listens. `sccache --start-server` gives one ten seconds, fewer than a busy machine may take.
    #[track_caller]
    fn start(&self) -> Server {
        let mut server = self.command();
        server.env("SCCACHE_START_SERVER", "1").env("SCCACHE_NO_DAEMON", "1");
        Server::start(server, &port(10_000), self.0)
    }

    /// Compiles by a new server, and returns how many results it had.
    #[track_caller]
    fn hits(&self, compiler: &Path) -> u32 {
        let _server = self.start();
        tool(self.command().arg(compiler).args(["-O0", "-g", "-c", "main.c", "-o", "main.o"]));
        let said = tool(self.command().arg("--show-stats")).text();
        tool(self.command().arg("--stop-server"));
        let number = |name: &str| -> u32 {
            let line = said.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name}: {said}")).trim().parse().expect("a number")
        };
        let hits = number("Cache hits   ");
        assert_eq!(hits + number("Cache misses   "), 1, "sccache did not look: {said}");
        hits
    }
}

#[test]
fn sccache_tells_installations_apart() {
    let scratch = project("sccache");
    let sccache = Sccache(&scratch);
    let wrapper =
        |name: &str, digest: &str| Installation::new(&scratch, name, Some(digest)).wrapper("autojit-cc");
    let first = wrapper("first", "0123456789abcdef");
    assert_eq!(sccache.hits(&first), 0);
    fs::remove_file(scratch.path().join("main.o")).expect("it was compiled");
    assert_eq!(sccache.hits(&first), 1);
    // What came from the cache is lazy.
    tool(
        command(dist("bin/autojit-cc"))
            .args(["main.o", "helper.c", "-o", "program"])
            .current_dir(scratch.path()),
    );
    assert_42(&scratch, &scratch.path().join("program"));
    // An update: another digest in the wrapper's bytes, at the same place.
    assert_eq!(sccache.hits(&wrapper("first", "fedcba9876543210")), 0);
}

#[test]
fn distcc_compiles_lazily_elsewhere() {
    let scratch = project("distcc");
    for name in ["client", "server"] {
        let directory = scratch.directory(name);
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).expect("it is ours");
    }
    // The server is another user.
    let wrapper = Installation::new(&scratch, "prefix", None).wrapper("autojit-cc");
    let list = scratch.file("compilers", wrapper.to_str().expect("our paths are text"));
    let port = port(20_000);
    let mut server = command("distccd");
    server.args([
        "--no-detach",
        "--daemon",
        "--user",
        "nobody",
        "--allow",
        "127.0.0.1",
        "--listen",
        "127.0.0.1",
    ]);
    server.args(["--port", &port, "--jobs", "1", "--enable-tcp-insecure", "--log-stderr"]);
    server.env("DISTCC_CMDLIST", list).env("DISTCC_CMDLIST_NUMWORDS", "1");
    server.env("TMPDIR", scratch.path().join("server")).env("DISTCC_DIR", scratch.path().join("server"));
    server.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1");
    let _server = Server::start(server, &port, &scratch);
    for file in ["main", "helper"] {
        let mut distcc = command("distcc");
        distcc.arg(&wrapper).args(["-O0", "-g", "-c", &format!("{file}.c"), "-o", &format!("{file}.o")]);
        distcc.env("DISTCC_HOSTS", format!("127.0.0.1:{port}")).env("DISTCC_FALLBACK", "0");
        tool(distcc.env("DISTCC_DIR", scratch.path().join("client")).current_dir(scratch.path()));
    }
    // It says so behind its answer.
    let began = Instant::now();
    let log = || fs::read_to_string(scratch.path().join("log")).expect("the server writes it");
    while log().matches("COMPILE_OK").count() < 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "not compiled there: {}", log());
        sleep(Duration::from_millis(20));
    }
    tool(command(&wrapper).args(["main.o", "helper.o", "-o", "program"]).current_dir(scratch.path()));
    assert_42(&scratch, &scratch.path().join("program"));
}

#[test]
fn bear_records_what_the_wrappers_compile() {
    let scratch = project("bear");
    let mut bear = command("bear");
    bear.args(["--", "make"]).env("CC", dist("bin/autojit-cc")).current_dir(scratch.path());
    tool(&mut bear);
    let recorded = fs::read_to_string(scratch.path().join("compile_commands.json"));
    let recorded = recorded.expect("bear writes it");
    for source in ["main.c", "helper.c"] {
        let path = scratch.path().join(source).canonicalize().expect("it is there");
        assert!(recorded.contains(&format!("\"file\": \"{}\"", path.display())), "{recorded}");
    }
    assert_42(&scratch, &scratch.path().join("program"));
}

/// What build scripts of crates compile by the crate `cc` is lazy if CC says so.
#[test]
fn the_crate_cc_takes_the_wrapper() {
    let scratch = project("crate-cc");
    scratch.file(
        "Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[workspace]\n[build-dependencies]\ncc = \"1\"\n",
    );
    scratch.file("build.rs", "fn main() { cc::Build::new().file(\"helper.c\").compile(\"helper\"); }\n");
    scratch.file(
        "src/main.rs",
        "unsafe extern \"C\" { safe fn helper(number: i32) -> i32; }\n\
         fn main() { println!(\"{}\", helper(41)); }\n",
    );
    scratch.file("helper.c", "int helper(int number) { return number + 1; }\n");
    let mut cargo = command("cargo");
    cargo.args(["build", "--offline", "--target-dir", "out"]).env_remove("CARGO_CRATE_NAME");
    cargo.env("RUSTC_WRAPPER", dist("bin/autojit-rustc")).env("CC", dist("bin/autojit-cc"));
    tool(cargo.current_dir(scratch.path()));
    assert_42(&scratch, &scratch.path().join("out/debug/app"));
    // The function in C is among what is lazy in the program.
    let program = scratch.path().join("out/debug/app");
    let listed = tool(command(dist("bin/autojit-run")).arg("--list").arg(program)).text();
    assert!(listed.contains("helper"), "{listed}");
}

/// sudo empties the environment and makes the program another user's.
#[test]
fn sudo_starts_lazy_programs() {
    // SAFETY: a plain system call.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("sudo may ask for a password; nothing was tested");
        return;
    }
    let scratch = project("sudo");
    let wrapper = Installation::new(&scratch, "prefix", None).wrapper("autojit-cc");
    let runtime = scratch.path().join("prefix/lib/libautojit.so");
    fs::remove_file(&runtime).expect("it is a link");
    fs::copy(dist("lib/libautojit.so"), &runtime).expect("the directory is ours");
    tool(command("make").arg(format!("CC={}", wrapper.display())).current_dir(scratch.path()));
    let program = scratch.path().join("program");
    for user in ["root", "nobody"] {
        let stats = scratch.directory(user);
        fs::set_permissions(&stats, fs::Permissions::from_mode(0o777)).expect("it is ours");
        let variable = format!("AUTOJIT_STATS={}", stats.join("stats").display());
        let mut sudo = command("sudo");
        // Nothing is left in the user's cache, nor found there.
        sudo.args(["--non-interactive", "--user", user, &variable, "AUTOJIT_DISABLE_OBJECT_CACHE=1"]);
        sudo.arg(&program).current_dir(scratch.path());
        let outcome = tool(&mut sudo);
        // It may complain of the machine's name, or of limits.
        let errors = outcome.errors();
        let errors: Vec<&str> = errors.lines().filter(|line| !line.starts_with("sudo: ")).collect();
        assert_eq!(outcome.text(), "42\n", "{user}");
        assert!(errors.is_empty(), "{user}: {errors:?}");
        Stats::read(&stats.join("stats")).assert_lazy();
    }
}

/// cron runs commands by /bin/sh, in the user's directory, with five variables, no terminal, and standard output into a mail.
#[test]
fn programs_run_as_cron_starts_them() {
    let scratch = project("cron");
    let install =
        "install: program\n\tinstall -d $(DESTDIR)$(prefix)/bin\n\tinstall program $(DESTDIR)$(prefix)/bin\n";
    scratch.file("Makefile", format!("{MAKEFILE}\n{install}"));
    let mut make = command("make");
    make.arg(format!("CC={}", dist("bin/autojit-cc").display())).arg("install");
    make.arg(format!("DESTDIR={}", scratch.path().join("staged").display())).arg("prefix=/opt/other");
    tool(make.current_dir(scratch.path()));
    // Nothing of the build is left.
    for file in ["program", "main.o", "helper.o", "main.c", "helper.c"] {
        fs::remove_file(scratch.path().join(file)).expect("it was there");
    }
    let home = scratch.directory("home");
    let program = scratch.path().join("staged/opt/other/bin/program");
    let line = format!("AUTOJIT_STATS={}/stats {} && echo done", scratch.path().display(), program.display());
    let mut shell = Command::new("setsid");
    shell.args(["--wait", "/bin/sh", "-c", &line]).current_dir(&home).env_clear();
    let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    shell.env("SHELL", "/bin/sh").env("PATH", "/usr/bin:/bin").env("PWD", &home).env("HOME", &home);
    shell.env("LOGNAME", &user);
    let outcome = tool(&mut shell);
    assert_eq!((outcome.text().as_str(), outcome.errors().as_str()), ("42\ndone\n", ""));
    Stats::read(&scratch.path().join("stats")).assert_lazy();
    // As in the user's other runs, what was compiled is kept.
    assert!(home.join(".cache/autojit").is_dir());
}
