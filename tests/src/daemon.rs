//! autojitd for the tests: one that all tests of a run share. It keeps nothing and compiles nothing ahead, so each
//! program's first calls come to it; what it was asked before, by another level's test say, it remembers.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use autojit_abi::GENERATOR;
use autojit_protocol::message::VERSION;
use autojit_protocol::{Connection, Message};

use crate::run::{command, tool};
use crate::scratch;

/// How long it stays when no test is connected with it.
const IDLE: &str = "20";
/// How long it may take to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The socket of the daemon that all tests share. It runs as long as this process does.
pub fn shared() -> &'static Path {
    static SHARED: LazyLock<(PathBuf, Connection)> = LazyLock::new(|| {
        let path = socket();
        let start = Instant::now();
        // Another test's may end for want of a client just when this one comes.
        loop {
            tool(
                command(scratch::dist("bin/autojitd"))
                    .args(["--detach", "--idle-exit", IDLE])
                    .env("AUTOJIT_SOCKET_PATH", &path)
                    .env("AUTOJIT_PREFETCH", "off"),
            );
            if let Some(connection) = connect(&path) {
                return (path, connection);
            }
            assert!(start.elapsed() < LIMIT, "no daemon at {}", path.display());
        }
    });
    &SHARED.0
}

/// A socket of its own for each build: a daemon of an older one may still run.
fn socket() -> PathBuf {
    let build = ["bin/autojitd", "lib/libautojit-engine.so"].map(|file| {
        let file = fs::metadata(scratch::dist(file)).expect("it is there");
        format!("{:x}-{:x}", file.ino(), file.mtime_nsec())
    });
    scratch::keeping("daemon").join(build.join("-"))
}

/// Connects as a program does; none if nothing listens.
fn connect(path: &Path) -> Option<Connection> {
    // A socket's path is short, a target directory's perhaps not.
    let directory = fs::File::open(path.parent()?).ok()?;
    let name = path.file_name()?.to_str()?;
    let short = format!("/proc/self/fd/{}/{name}", std::os::fd::AsRawFd::as_raw_fd(&directory));
    let stream = match UnixStream::connect(short) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return None;
        }
        stream => stream.expect("the directory is ours"),
    };
    let mut connection = Connection::new(OwnedFd::from(stream).into());
    connection
        .send(&Message::Hello { version: VERSION, generator: GENERATOR, program: "tests".into() }, None)
        .ok()?;
    let packet = connection.receive(LIMIT).ok()?;
    match packet.message() {
        Ok(Message::Welcome { .. }) => Some(connection),
        other => panic!("{} refuses: {other:?}", path.display()),
    }
}
