//! The socket that programs find the daemon by. A lock beside it makes sure that one daemon serves it; a socket that a daemon
//! has left behind is replaced.

use std::ffi::{CStr, CString, OsString};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use autojit_cache::Directory;
use autojit_options::{Options, Reader};
use autojit_protocol::location;
use autojit_sys::{Errno, File, c_string};

/// Programs that may wait to be let in.
const BACKLOG: i32 = 256;
/// How often it is tried to take the place of a daemon that is leaving.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// The first descriptor that systemd hands over (sd_listen_fds(3)).
const ACTIVATED: i32 = 3;

/// A socket that programs connect to.
#[derive(Debug)]
pub struct Listener {
    socket: File,
    /// Its path; none if it is systemd's.
    path: Option<CString>,
    /// Locked as long as it is open.
    _lock: Option<File>,
}

/// Why there is none.
#[derive(Debug)]
pub enum NoListener {
    /// Another daemon serves it.
    Taken,
    /// In words.
    Failed(String),
}

/// A variable of the environment, if it is not empty.
pub fn variable(name: &[u8]) -> Option<Vec<u8>> {
    let name = OsString::from_vec(name.to_vec());
    std::env::var_os(name).map(OsString::into_vec).filter(|value| !value.is_empty())
}

/// The daemon's options. Says which of them are no good, once.
pub fn options() -> &'static Options {
    static OPTIONS: LazyLock<Options> = LazyLock::new(|| {
        let (options, bad) = Options::from_environment(Reader::Daemon);
        bad.iter().for_each(|bad| crate::say(format_args!("warning: {bad}")));
        options
    });
    &OPTIONS
}

/// The object cache of the daemon's user.
pub fn cache() -> Option<Directory> {
    let options = options();
    if options.disable_object_cache {
        return None;
    }
    Directory::locate(options.cache_dir.as_deref(), variable, options.cache_size.0)
}

/// The socket's path, whether or not a daemon listens there.
///
/// # Errors
/// There is no place for it: in words.
pub fn path() -> Result<CString, String> {
    // Where the cache would be, also if it is not used.
    let options = options();
    let cache = Directory::locate(options.cache_dir.as_deref(), variable, 0);
    let root = cache.as_ref().map(Directory::root);
    location::socket_path(options.socket_path.as_deref(), variable, root).ok_or_else(|| {
        "there is no place for the socket: set AUTOJIT_SOCKET_PATH, XDG_RUNTIME_DIR or HOME".into()
    })
}

impl Listener {
    /// The socket that systemd has made for this process, if there is one.
    pub fn activated() -> Option<Self> {
        let number =
            |name: &[u8]| variable(name).and_then(|value| String::from_utf8(value).ok()?.parse::<u32>().ok());
        if number(b"LISTEN_PID") != Some(std::process::id()) || number(b"LISTEN_FDS").unwrap_or(0) == 0 {
            return None;
        }
        // SAFETY: systemd has opened this descriptor for this process (sd_listen_fds(3)), and nothing else here uses it.
        let socket = unsafe {
            libc::fcntl(ACTIVATED, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::fcntl(ACTIVATED, libc::F_SETFL, libc::O_NONBLOCK);
            OwnedFd::from_raw_fd(ACTIVATED)
        };
        Some(Self { socket: socket.into(), path: None, _lock: None })
    }

    /// Listens at the path that the environment names. A daemon that is there already may have `patience` to leave.
    ///
    /// # Errors
    /// Another daemon does, or it cannot be done.
    pub fn take(patience: Duration) -> Result<Self, NoListener> {
        let start = Instant::now();
        loop {
            match Self::try_take() {
                Err(NoListener::Taken) if start.elapsed() < patience => std::thread::sleep(BETWEEN_LOOKS),
                result => return result,
            }
        }
    }

    fn try_take() -> Result<Self, NoListener> {
        let path = path().map_err(NoListener::Failed)?;
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            let path = path.to_string_lossy();
            NoListener::Failed(format!("{what} {path}: {error}; set AUTOJIT_SOCKET_PATH to another place"))
        };
        location::make_directories(&path);
        if variable(b"AUTOJIT_SOCKET_PATH").is_none()
            && let Err(error) = location::check_directory(&path)
        {
            let cause = if error == Errno(libc::EPERM) {
                "others can write its directory".to_owned()
            } else {
                error.to_string()
            };
            return Err(failed("listening at", &cause));
        }
        let lock = c_string(&[path.to_bytes(), b".lock"]);
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_NOFOLLOW;
        let lock = File::open(&lock, flags, 0o600).map_err(|error| failed("locking", &error))?;
        // SAFETY: the descriptor is open.
        if unsafe { libc::flock(lock.descriptor(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            return Err(NoListener::Taken);
        }
        remove_stale(&path).map_err(|error| match error {
            Errno(libc::EADDRINUSE) => NoListener::Taken,
            error => failed("replacing", &error),
        })?;
        // SAFETY: the process has one thread, and no other file is made in between.
        let mask = unsafe { libc::umask(0o177) };
        let socket = File::listen(&path, BACKLOG);
        // SAFETY: as above.
        unsafe { libc::umask(mask) };
        let socket = socket.map_err(|error| failed("listening at", &error))?;
        Ok(Self { socket, path: Some(path), _lock: Some(lock) })
    }

    /// The socket.
    pub fn socket(&self) -> &File {
        &self.socket
    }

    /// Its path, for people.
    pub fn name(&self) -> String {
        self.path.as_ref().map_or("(systemd)".into(), |path| path.to_string_lossy().into_owned())
    }

    /// Whether programs can still find it.
    pub fn is_there(&self) -> bool {
        self.path.as_ref().is_none_or(|path| autojit_sys::status(path).is_ok())
    }

    /// Removes it from where programs look. To be called by the daemon itself, not by its children.
    pub fn remove(&self) {
        if let Some(path) = &self.path {
            // It may be gone already.
            let _ = autojit_sys::remove(path);
        }
    }
}

/// Removes a socket at which no process listens. EADDRINUSE if one does, or if it is something else.
fn remove_stale(path: &CStr) -> Result<(), Errno> {
    match autojit_sys::status(path) {
        Err(Errno(libc::ENOENT)) => Ok(()),
        Err(error) => Err(error),
        Ok(status) if !status.is_a(libc::S_IFSOCK) => Err(Errno(libc::ENOTSOCK)),
        Ok(_) => match File::connect(path) {
            Ok(_) => Err(Errno(libc::EADDRINUSE)),
            Err(_) => autojit_sys::remove(path),
        },
    }
}
