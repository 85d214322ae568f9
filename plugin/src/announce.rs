//! Tells autojitd, if it runs, of a module that was just made, so that it can compile ahead what ran last time while the
//! build goes on. Nothing waits for it or depends on it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use autojit_protocol::message::VERSION;
use autojit_protocol::{Blob, Connection, ConnectionError, Message, location};
use autojit_sys::Errno;

use crate::container::Encoded;
use crate::options::Options;

/// The build of clients that do not ask for code.
const TOOL: [u8; 32] = [0; 32];

/// Sends the container to the daemon, unless it is not wanted (AUTOJIT_PREFETCH) or there is none.
pub fn announce(options: &Options, encoded: &Encoded) {
    if !options.prefetch {
        return;
    }
    match send(options, encoded) {
        // No daemon listens: none has to.
        Ok(()) | Err(ConnectionError::System(Errno(libc::ENOENT | libc::ECONNREFUSED))) => {}
        Err(error) => options.debug(&format!("not compiled ahead: {error}")),
    }
}

fn send(options: &Options, encoded: &Encoded) -> Result<(), ConnectionError> {
    let variable = |name: &[u8]| {
        let value = std::env::var_os(OsString::from_vec(name.to_vec()))?;
        Some(value.into_vec()).filter(|value| !value.is_empty())
    };
    let cache = autojit_sys::cache_root(options.cache_dir.as_deref(), variable);
    let path = location::socket_path(
        options.socket_path.as_deref(),
        variable,
        cache.as_ref().map(|(root, _)| &**root),
    );
    let Some(path) = path else { return Ok(()) };
    let mut connection = Connection::open(&path)?;
    connection
        .send(&Message::Hello { version: VERSION, generator: TOOL, program: "(compiler)".into() }, None)?;
    // The daemon reads it when it has time, whether or not this process is still there.
    let module = Message::Module { key: encoded.key, level: -1, made: true };
    connection.send(&module, Some(Blob::new(&encoded.bytes)))
}
