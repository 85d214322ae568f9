//! A daemon of the program's own, where none listens: found, and started with one end of a socket pair. It ends when
//! the other end is closed, that is with the program.

use std::ffi::{CStr, CString};

use autojit_protocol::Connection;

use super::pool::under_high_number;
use crate::compile::cache;
use crate::platform::loaded;
use crate::settings::options;
use crate::sys::{self, File, c_string};

/// Its file name.
const NAME: &[u8] = b"autojitd";

/// Starts one, and connects with it.
///
/// # Errors
/// Why there is none.
pub fn start() -> Result<Connection, String> {
    let (here, there) = File::socket_pair().map_err(|error| format!("starting autojitd: {error}"))?;
    let here = under_high_number(here);
    let environment = environment();
    let mut failure = None;
    for path in candidates() {
        match sys::spawn(&path, &[&path, c"--stdio"], &environment, &there) {
            Ok(()) => {
                log::info!("started {}", path.to_string_lossy());
                return Ok(Connection::new(here));
            }
            Err(error) => failure = Some(format!("starting {}: {error}", path.to_string_lossy())),
        }
    }
    Err(failure.unwrap_or_else(|| "starting autojitd: there is none".into()))
}

/// Where it may be: what AUTOJIT_DAEMON_PATH says, else beside the runtime and in PATH.
fn candidates() -> Vec<CString> {
    let location = super::location();
    if let Some(path) = &location.program {
        return vec![path.clone()];
    }
    let own = loaded::own_directory();
    let beside: [&[&[u8]]; 2] = [&[&own, b"../bin/", NAME], &[&own, NAME]];
    let search = location.search.split(|&byte| byte == b':').filter(|path| path.starts_with(b"/"));
    let found = search.map(|directory| c_string(&[directory, b"/", NAME]));
    beside.iter().map(|parts| c_string(parts)).chain(found).filter(|path| is_there(path)).collect()
}

fn is_there(path: &CStr) -> bool {
    sys::readable(path).is_ok()
}

/// What it is to know of this process's options; of the program's environment, nothing.
fn environment() -> Vec<CString> {
    let mut variables = Vec::new();
    let mut add = |name: &str, value: &[u8]| variables.push(c_string(&[name.as_bytes(), b"=", value]));
    if let Some(options) = options::get() {
        match cache::configured() {
            Some(directory) => add("AUTOJIT_CACHE_DIR", directory.root()),
            None => add("AUTOJIT_DISABLE_OBJECT_CACHE", b"On"),
        }
        add("AUTOJIT_CACHE_SIZE", options.cache_size.0.to_string().as_bytes());
        if let Some(path) = &options.engine_path {
            add("AUTOJIT_ENGINE_PATH", sys::absolute(path).to_bytes());
        }
    }
    variables
}
