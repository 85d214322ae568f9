//! What the tests share: a daemon with directories of its own, programs that talk to it, and containers.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::ffi::CString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use autojit_abi::GENERATOR;
use autojit_protocol::message::{Key, VERSION};
use autojit_protocol::{Blob, Connection, ConnectionError, Message, Scope};
use autojit_store::{Contents, FunctionKind, OptLevel, StoredFunction, whole};

/// How long anything may take on a machine that does other things as well.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The engine that cargo built along with this test.
pub fn engine() -> PathBuf {
    let exe = std::env::current_exe().expect("the test knows its path");
    exe.ancestors()
        .map(|directory| directory.join("deps/libautojit_engine.so"))
        .find(|path| path.exists())
        .expect("cargo builds the library before its tests")
}

/// A directory of this test's own, removed on drop.
#[derive(Debug)]
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("autojitd-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The daemon's command, with directories in `scratch`.
pub fn command(scratch: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autojitd"));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", "/nowhere")
        .env("AUTOJIT_SOCKET_PATH", scratch.join("socket"))
        .env("AUTOJIT_CACHE_DIR", scratch.join("cache"))
        .env("AUTOJIT_ENGINE_PATH", engine())
        .stdin(Stdio::null());
    command
}

/// A daemon, killed on drop.
#[derive(Debug)]
pub struct Daemon {
    pub child: Child,
    pub scratch: Scratch,
}

impl Daemon {
    pub fn start(arguments: &[&str]) -> Self {
        let scratch = Scratch::new();
        let child = command(&scratch.0, arguments).spawn().expect("the daemon is there");
        Self::wait(child, scratch)
    }

    pub fn wait(child: Child, scratch: Scratch) -> Self {
        let daemon = Self { child, scratch };
        let start = Instant::now();
        while daemon.connect().is_err() {
            assert!(start.elapsed() < PATIENCE, "the daemon does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        daemon
    }

    pub fn socket(&self) -> PathBuf {
        self.scratch.0.join("socket")
    }

    /// A connection on which nothing was said.
    pub fn connect(&self) -> Result<Connection, ConnectionError> {
        let path = CString::new(self.socket().into_os_string().into_encoded_bytes()).expect("no NUL");
        Connection::open(&path)
    }

    pub fn program(&self, name: &str) -> Program {
        Program::over(self.connect().expect("the daemon listens"), name)
    }

    /// What `--status` prints.
    pub fn status(&self) -> String {
        let output = command(&self.scratch.0, &["--status"]).output().expect("the daemon is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("JSON is UTF-8")
    }

    /// A number of the status.
    pub fn number(&self, name: &str) -> u64 {
        number(&self.status(), name)
    }

    /// Waits until a number of the status is as wanted.
    pub fn until(&self, name: &str, wanted: impl Fn(u64) -> bool) {
        let start = Instant::now();
        while !wanted(self.number(name)) {
            assert!(start.elapsed() < PATIENCE, "{name} in {}", self.status());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn number(status: &str, name: &str) -> u64 {
    let rest = status.split(&format!("\"{name}\": ")).nth(1).unwrap_or_else(|| panic!("{name} in {status}"));
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

/// A container, and its key.
#[derive(Clone, Debug)]
pub struct Module {
    pub bytes: Vec<u8>,
    pub key: Key,
}

/// A container of C code with these lazy functions; those in `inside` only it can name.
pub fn module(source_name: &str, source: &str, names: &[&str]) -> Module {
    let mut clang = Command::new(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/clang"));
    clang.args([
        "-x",
        "c",
        "-fPIC",
        "-O0",
        "-Xclang",
        "-disable-llvm-passes",
        "-emit-llvm",
        "-c",
        "-o",
        "-",
        "-",
    ]);
    let bitcode = run(&mut clang, source.as_bytes());
    module_of_bitcode(source_name, &bitcode, names)
}

pub fn module_of_bitcode(source_name: &str, bitcode: &[u8], names: &[&str]) -> Module {
    let function = |name: &&str| StoredFunction {
        name: (*name).into(),
        kind: FunctionKind::Local,
        import: None,
        interposable: false,
    };
    let functions: Vec<_> = names.iter().map(function).collect();
    let opt = OptLevel { speed: 0, size: 0 };
    let contents = Contents {
        source: source_name,
        opt,
        options: "",
        functions: &functions,
        imports: &[],
        bitcode: &whole(bitcode),
    };
    let (bytes, key) = autojit_store::encode(&contents).expect("zstd has memory");
    Module { bytes, key }
}

/// What a command writes to stdout.
pub fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the tool is installed");
    let mut stdin = child.stdin.take().expect("a pipe");
    let out = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("the tool reads its input"));
        child.wait_with_output().expect("the tool ends")
    });
    assert!(out.status.success(), "{command:?} failed");
    out.stdout
}

/// `groups` times 16 functions: in each group, the first calls all others.
pub fn groups(source_name: &str, groups: usize) -> Module {
    let mut text = String::new();
    let mut names = Vec::new();
    for group in 0..groups {
        let called: Vec<String> = (1..16).map(|number| format!("g{group}_{number}")).collect();
        for name in &called {
            text += &format!("int {name}(int a) {{ return a * {group} + 3; }}\n");
        }
        text += &format!("int g{group}(void) {{ return {}; }}\n", called.join("(1) + ") + "(2)");
        names.push(format!("g{group}"));
        names.extend(called);
    }
    module(source_name, &text, &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// `count` functions that do little: f0, f1, ...; each of them calls none.
pub fn many(source_name: &str, count: usize) -> Module {
    let text: String =
        (0..count).map(|number| format!("int f{number}(int a) {{ return a + {number}; }}\n")).collect();
    let names: Vec<String> = (0..count).map(|number| format!("f{number}")).collect();
    module(source_name, &text, &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A program as the daemon sees it.
#[derive(Debug)]
pub struct Program {
    pub connection: Connection,
    /// The daemon's cache.
    pub cache: String,
}

/// An answer to a request.
#[derive(Debug)]
pub enum Answer {
    Code { code: Vec<u8>, kept: bool, inline: bool },
    Failed(String),
    Unknown,
}

/// A request for code that is not kept.
pub fn question(key: Key, what: Scope, inline: bool) -> Message<'static> {
    Message::Compile { number: 0, key, level: -1, what, inline, keep: false, map: (&[]).into() }
}

impl Program {
    pub fn over(mut connection: Connection, name: &str) -> Self {
        let hello = Message::Hello { version: VERSION, generator: GENERATOR, program: name.into() };
        connection.send(&hello, None).expect("the daemon takes it");
        let packet = connection.receive(PATIENCE).expect("the daemon answers");
        let Ok(Message::Welcome { version: VERSION, cache, .. }) = packet.message() else {
            panic!("{packet:?}")
        };
        let cache = cache.into_owned();
        Self { connection, cache }
    }

    pub fn send(&mut self, module: &Module, made: bool) {
        let message = Message::Module { key: module.key, level: -1, made };
        self.connection.send(&message, Some(Blob::new(&module.bytes))).expect("the daemon takes it");
    }

    pub fn ask(&mut self, module: &Module, what: Scope, inline: bool) -> Answer {
        let message = Message::Compile {
            number: 7,
            key: module.key,
            level: -1,
            what,
            inline,
            keep: true,
            map: (&[]).into(),
        };
        self.connection.send(&message, None).expect("the daemon takes it");
        let (number, answer) = self.answer();
        assert_eq!(number, 7);
        assert!(!inline || !matches!(answer, Answer::Code { inline: false, .. }));
        answer
    }

    /// The next answer, and which request it is of.
    pub fn answer(&mut self) -> (u32, Answer) {
        loop {
            let packet = self.connection.receive(PATIENCE).expect("the daemon answers");
            match packet.message().expect("an answer") {
                Message::Working => {}
                Message::Unknown { number } => return (number, Answer::Unknown),
                Message::Failed { number, reason } => return (number, Answer::Failed(reason.into_owned())),
                Message::Code { number, kept } => {
                    let blob = packet.blob.expect("code");
                    let inline = matches!(blob, Blob::Inline(_));
                    let code = blob.open().expect("it is there").to_vec();
                    return (number, Answer::Code { code, kept, inline });
                }
                message => panic!("{message:?}"),
            }
        }
    }

    /// The code with a function; the module is sent if need be.
    pub fn compile(&mut self, module: &Module, function: u32) -> Vec<u8> {
        match self.ask(module, Scope::Function(function), false) {
            Answer::Code { code, .. } => code,
            Answer::Unknown => {
                self.send(module, false);
                match self.ask(module, Scope::Function(function), false) {
                    Answer::Code { code, .. } => code,
                    answer => panic!("{answer:?}"),
                }
            }
            answer => panic!("{answer:?}"),
        }
    }
}

/// Whether code that the daemon has sent defines a function.
pub fn defines(bundle: &[u8], name: &str) -> bool {
    // Of the pack in it, which begins with the bundle's ninth byte.
    let key = bundle[8 + 24..8 + 56].try_into().expect("32 bytes");
    let unit = autojit_code::bundle::decode(bundle, &key).expect("code of the engine's");
    unit.functions.iter().zip(&unit.names).any(|(function, known)| function.global && known == name)
}
