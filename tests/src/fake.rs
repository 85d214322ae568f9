//! Fakes of autojitd that do what a good one never does: each is a script, run in threads of the test for each client that
//! connects. What they answer rightly comes from the engine, loaded into the test.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use autojit_abi::{ENGINE_SYMBOL, GENERATOR};
use autojit_code::bundle;
use autojit_generator::{Generator, orc};
use autojit_protocol::message::{Key, VERSION};
use autojit_protocol::{Blob, Connection, Message, Packet, Scope};
use autojit_store::Container;

use crate::scratch::dist;

/// How long a client of a fake may say nothing.
const LIMIT: Duration = Duration::from_secs(60);

/// A fake that listens, until it is dropped; what has connected is served until the test's process ends.
#[derive(Debug)]
pub struct Fake {
    path: PathBuf,
    clients: Arc<AtomicUsize>,
}

impl Fake {
    /// Listens at `path` and runs `script` for each client, with its number, from 0.
    pub fn start(path: &Path, script: impl Fn(usize, Client) + Send + Sync + 'static) -> Self {
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path).expect("the path is free, and short");
        let clients = Arc::new(AtomicUsize::new(0));
        let (count, script) = (Arc::clone(&clients), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = Connection::new(OwnedFd::from(stream.expect("it has connected")).into());
                let client = Client { connection, modules: HashMap::new() };
                let (number, script) = (count.fetch_add(1, SeqCst), Arc::clone(&script));
                thread::spawn(move || script(number, client));
            }
        });
        Self { path: path.to_owned(), clients }
    }

    /// Its socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many clients have connected.
    pub fn clients(&self) -> usize {
        self.clients.load(SeqCst)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // Left-overs do no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// A client of a fake.
pub struct Client {
    connection: Connection,
    modules: HashMap<Key, Vec<u8>>,
}

impl Client {
    /// What it says next; none at its end.
    pub fn hear(&mut self) -> Option<Packet> {
        self.connection.receive(LIMIT).ok()
    }

    /// Says something.
    pub fn say(&mut self, message: &Message<'_>, blob: Option<Blob>) {
        // A client may have gone.
        let _ = self.connection.send(message, blob);
    }

    /// Sends bytes, whatever they are.
    pub fn say_bytes(&mut self, bytes: &[u8]) {
        let _ = self.connection.socket().send(bytes, None);
    }

    /// Answers its greeting. False if it says something else.
    pub fn greet(&mut self) -> bool {
        let Some(packet) = self.hear() else { return false };
        let greeted = matches!(packet.message(), Ok(Message::Hello { version: VERSION, .. }));
        self.say(&Message::Welcome { version: VERSION, process: std::process::id(), cache: "".into() }, None);
        greeted
    }

    /// The next request for code whose module is known by then; none at the client's end.
    pub fn request(&mut self) -> Option<Request> {
        loop {
            let mut packet = self.hear()?;
            let blob = packet.blob.take();
            match packet.message().expect("the client makes sense") {
                Message::Module { key, .. } => {
                    let bytes = blob.expect("it comes with its container").open().expect("it can be mapped");
                    self.modules.insert(key, bytes.to_vec());
                }
                Message::Compile { number, key, .. } if !self.modules.contains_key(&key) => {
                    self.say(&Message::Unknown { number }, None);
                }
                Message::Compile { number, key, level, what, inline, map, .. } => {
                    return Some(Request { number, key, level, what, inline, map: map.into_owned() });
                }
                other => panic!("unexpected request: {other:?}"),
            }
        }
    }

    /// The code that a request asks for.
    pub fn code(&self, request: &Request) -> Vec<u8> {
        compile(&self.modules[&request.key], request)
    }

    /// The name of the function that a request is about.
    pub fn function(&self, request: &Request) -> String {
        let container = Container::parse(&self.modules[&request.key]).expect("the container is whole");
        let index = request.what.function().expect("it is about a function");
        container.function(index).expect("the module has it").name.to_owned()
    }

    /// Gives a request what it asks for.
    pub fn answer(&mut self, request: &Request) {
        let code = self.code(request);
        let blob = if request.inline { Blob::Inline(code) } else { Blob::new(&code) };
        self.say(&Message::Code { number: request.number, kept: false }, Some(blob));
    }

    /// Does all that it should until the client's end.
    pub fn serve(mut self) {
        if self.greet() {
            while let Some(request) = self.request() {
                self.answer(&request);
            }
        }
    }
}

/// A request for code.
#[derive(Debug)]
pub struct Request {
    /// What its answer is told from others by.
    pub number: u32,
    key: Key,
    level: i32,
    /// What of the module.
    pub what: Scope,
    /// Whether the client wants bytes.
    pub inline: bool,
    /// The stack map of a continuation.
    map: Vec<u8>,
}

/// The engine.
static ENGINE: LazyLock<orc::Engine> = LazyLock::new(|| {
    let path = CString::new(dist("lib/libautojit-engine.so").as_os_str().as_bytes()).expect("a path");
    let name = CString::new(ENGINE_SYMBOL).expect("a name");
    // SAFETY: the library's constructors are LLVM's; it is never unloaded.
    unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null(), "{}", std::ffi::CStr::from_ptr(libc::dlerror()).to_string_lossy());
        let entry = libc::dlsym(library, name.as_ptr());
        assert!(!entry.is_null(), "the engine has its symbol");
        orc::Engine::at(entry).expect("the engine is of this build")
    }
});

/// One compile at a time is enough.
static COMPILING: Mutex<()> = Mutex::new(());

/// Compiles what a request asks for of a container: as autojitd does, without knowing what the client has.
fn compile(container: &[u8], request: &Request) -> Vec<u8> {
    let Request { key, level, what, ref map, .. } = *request;
    let _one_at_a_time = COMPILING.lock();
    // SAFETY: the container outlives the module.
    let module = unsafe { ENGINE.open(container, level, what == Scope::Everything) };
    let request = autojit_generator::Request { what, stack_map: map, claim: &|_| true };
    let made = module.expect("the container is whole").compile(&request).expect("it can be compiled");
    let key = autojit_cache::key_of(&GENERATOR, &key, level);
    made.map_or(Vec::new(), |made| bundle::encode(&made.unit, &key))
}
