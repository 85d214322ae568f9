//! Connections with autojitd that wait for the next request, one request at a time on each.
//!
//! A program may close descriptors that are not its own, and open files under their numbers: a connection is used only
//! if its descriptor still leads to its socket. Their numbers are high, where programs do not come by opening files. A
//! forked child has none of its parent's.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use autojit_abi::GENERATOR;
use autojit_code::lock::{ForkLock, Lock};
use autojit_protocol::connection::SILENCE;
use autojit_protocol::message::VERSION;
use autojit_protocol::{Connection, ConnectionError, Message};

use super::{ClientError, Disconnected, spawn};
use crate::compile::cache;
use crate::program::image;
use crate::sys;
use crate::sys::{Errno, File};

/// Connections with one that listens.
const MOST: u32 = 8;
/// The least number of their descriptors, if the process may have such.
const LEAST_DESCRIPTOR: u64 = 984;
/// What is left free above it: for these, and for the files of [`names`](crate::link::names).
const ABOVE: u64 = 24;
/// How often the daemon may fail before it is given up.
const FAILURES: u32 = 2;
/// How often a daemon is asked whose queue of clients is full, and how long each time.
const CROWDED: (u32, Duration) = (100, Duration::from_millis(10));

/// A connection.
pub struct Link {
    /// Itself.
    pub connection: Connection,
    /// Whether the daemon keeps code where this process looks for it.
    pub shares_cache: bool,
    /// What tells its socket from other files.
    identity: (u64, u64),
    /// Which [`State::generation`] it is of.
    generation: u32,
}

impl Link {
    /// Whether its descriptor is still its own.
    pub fn is_whole(&self) -> bool {
        File::identity_of(self.connection.socket().descriptor()) == Some(self.identity)
    }

    /// Closes it, unless its descriptor is the program's by now.
    pub fn close(self) {
        if !self.is_whole() {
            std::mem::forget(self);
        }
    }
}

/// Which daemon is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One that listens, as far as we know.
    Listening,
    /// None listens: one of the program's own.
    Own,
    /// None.
    Closed,
}

impl Way {
    fn next(self) -> Self {
        match self {
            Self::Listening => Self::Own,
            Self::Own | Self::Closed => Self::Closed,
        }
    }
}

/// What the lock protects.
struct State {
    way: Way,
    idle: Vec<Link>,
    /// Connections, idle and in use, and those being made.
    open: u32,
    /// Grows when a connection breaks: others that were made before it are likely to be broken, too.
    generation: u32,
    /// How many generations have broken one after another.
    failures: u32,
    /// Why there is no daemon.
    reason: String,
}

/// The process's connections.
pub struct Pool {
    inside: Lock<State>,
    /// Changes whenever a connection becomes idle or is closed.
    turn: AtomicU32,
}

/// The process's connections.
pub static POOL: Pool = Pool {
    inside: Lock::new(State {
        way: Way::Listening,
        idle: Vec::new(),
        open: 0,
        generation: 0,
        failures: 0,
        reason: String::new(),
    }),
    turn: AtomicU32::new(0),
};

/// Whether there is a connection.
pub fn is_connected() -> bool {
    POOL.inside.lock().open != 0
}

/// What [`Pool::reserve`] has found.
enum Reserved {
    Idle(Link),
    /// One is to be made.
    New(Way, u32),
    /// All are in use.
    Later,
}

impl Pool {
    /// A connection for one request: an idle one, or a new one; or waits for one. A daemon of the program's own is started
    /// only if `spawn`.
    ///
    /// # Errors
    /// No daemon is there.
    pub fn take(&self, spawn: bool) -> Result<Link, Disconnected> {
        loop {
            let turn = self.turn.load(SeqCst);
            let (way, generation) = match self.reserve(spawn)? {
                Reserved::Idle(link) => return Ok(link),
                Reserved::New(way, generation) => (way, generation),
                Reserved::Later => {
                    sys::futex_wait(&self.turn, turn);
                    continue;
                }
            };
            let made = match way {
                Way::Listening => listening().and_then(greet),
                Way::Own | Way::Closed => spawn::start().map_err(ClientError::Start).and_then(greet),
            };
            let error = match made {
                Ok((connection, shares_cache)) => match connection.socket().identity() {
                    Ok(identity) => return Ok(Link { connection, shares_cache, identity, generation }),
                    Err(error) => ClientError::from(error),
                },
                Err(error) => error,
            };
            self.note_failure(way, &error)?;
        }
    }

    fn reserve(&self, spawn: bool) -> Result<Reserved, Disconnected> {
        let mut inside = self.inside.lock();
        while let Some(link) = inside.idle.pop() {
            if link.is_whole() {
                return Ok(Reserved::Idle(link));
            }
            std::mem::forget(link);
            inside.open -= 1;
        }
        let most = match inside.way {
            Way::Listening => MOST,
            Way::Own if spawn => 1,
            Way::Own | Way::Closed => return Err(Disconnected(inside.reason.clone())),
        };
        if inside.open >= most {
            return Ok(Reserved::Later);
        }
        inside.open += 1;
        Ok(Reserved::New(inside.way, inside.generation))
    }

    /// A connection could not be made: what now. Tells whether to try again.
    fn note_failure(&self, way: Way, error: &ClientError) -> Result<(), Disconnected> {
        let reason = match way {
            Way::Listening => match &super::location().socket {
                Some(path) => format!("{}: {error}", path.to_string_lossy()),
                None => error.to_string(),
            },
            Way::Own | Way::Closed => error.to_string(),
        };
        let mut inside = self.inside.lock();
        inside.open -= 1;
        let full = matches!(
            error,
            ClientError::Connection(ConnectionError::System(Errno(libc::EMFILE | libc::ENFILE)))
        );
        let result = if full {
            // The daemon is not to blame. One of those that are there will do.
            if inside.open > 0 { Ok(()) } else { Err(Disconnected(reason)) }
        } else {
            log::debug!("autojitd: {reason}");
            if inside.way == way {
                inside.way = way.next();
                inside.reason = reason;
            }
            Ok(())
        };
        let wait = full && inside.open > 0;
        drop(inside);
        let turn = self.next_turn();
        if wait {
            sys::futex_wait(&self.turn, turn);
        }
        result
    }

    /// After a request that was answered.
    pub fn give_back(&self, link: Link) {
        {
            let mut inside = self.inside.lock();
            inside.failures = 0;
            inside.idle.push(link);
        }
        self.next_turn();
    }

    /// After a request that was not.
    pub fn lose(&self, link: Link, reason: &str) {
        {
            let mut inside = self.inside.lock();
            inside.open -= 1;
            if link.generation == inside.generation {
                inside.generation += 1;
                inside.failures += 1;
                let idle = std::mem::take(&mut inside.idle);
                inside.open -= idle.len() as u32;
                idle.into_iter().for_each(Link::close);
                if inside.failures >= FAILURES {
                    inside.failures = 0;
                    inside.way = inside.way.next();
                    inside.reason = reason.to_owned();
                }
            }
            link.close();
        }
        self.next_turn();
    }

    /// Wakes the threads that wait; returns what they would wait for next.
    fn next_turn(&self) -> u32 {
        let turn = self.turn.fetch_add(1, SeqCst).wrapping_add(1);
        sys::futex_wake(&self.turn, i32::MAX);
        turn
    }
}

/// A socket under a high number, if there is one.
pub(super) fn under_high_number(socket: File) -> File {
    let least = sys::descriptor_limit().saturating_sub(ABOVE).min(LEAST_DESCRIPTOR);
    socket.duplicate_above(least as i32).unwrap_or(socket)
}

/// A connection with the daemon that listens.
fn listening() -> Result<Connection, ClientError> {
    let nowhere = ConnectionError::System(Errno(libc::ENOENT));
    let path: &CStr = super::location().socket.as_ref().ok_or(nowhere)?;
    let mut attempts = 0;
    let socket = loop {
        match File::connect(path) {
            Err(Errno(libc::EAGAIN)) if attempts < CROWDED.0 => {
                attempts += 1;
                let _ = sys::poll(&mut [], Some(CROWDED.1));
            }
            socket => break under_high_number(socket?),
        }
    };
    let sys::Peer { user, .. } = socket.peer()?;
    if user != sys::user() {
        return Err(ConnectionError::User(user).into());
    }
    Ok(Connection::new(socket))
}

/// Exchanges `Hello` and `Welcome`, which tells whether the daemon keeps code where this process looks for it.
fn greet(mut connection: Connection) -> Result<(Connection, bool), ClientError> {
    introduce(&mut connection)?;
    let shares_cache = welcomed(&mut connection, SILENCE)?;
    Ok((connection, shares_cache))
}

fn introduce(connection: &mut Connection) -> Result<(), ClientError> {
    let program = image::program().into();
    Ok(connection.send(&Message::Hello { version: VERSION, generator: GENERATOR, program }, None)?)
}

/// The answer to that, if it comes within `limit`.
fn welcomed(connection: &mut Connection, limit: Duration) -> Result<bool, ClientError> {
    let packet = connection.receive(limit)?;
    match packet.message().map_err(ConnectionError::Malformed)? {
        Message::Welcome { version: VERSION, process, cache } => {
            let own = cache::configured();
            let shares_cache = own.is_some_and(|own| own.root() == cache.as_bytes());
            log::info!("autojitd, process {process}, compiles");
            Ok(shares_cache)
        }
        Message::Refused { reason } => Err(ConnectionError::Refused(reason.into_owned()).into()),
        _ => Err(ClientError::Nonsense("no greeting".into())),
    }
}

/// A connection that is none of the pool's, with the daemon that listens, or, if none does and `spawn`, with one of the
/// program's own. What it answers to the greeting is not waited for ([`Link::hear_welcome`]).
///
/// # Errors
/// There is none.
pub fn connect_apart(spawn: bool) -> Result<Link, Disconnected> {
    let connect = || {
        let mut connection = match listening() {
            Ok(connection) => connection,
            Err(error) if !spawn => return Err(error),
            Err(_) => spawn::start().map_err(ClientError::Start)?,
        };
        introduce(&mut connection)?;
        let identity = connection.socket().identity()?;
        Ok(Link { connection, shares_cache: false, identity, generation: 0 })
    };
    connect().map_err(|error: ClientError| Disconnected(error.to_string()))
}

impl Link {
    /// Learns what the daemon answers to the greeting, if that comes within `limit`.
    pub fn hear_welcome(&mut self, limit: Duration) -> Result<(), ClientError> {
        self.shares_cache = welcomed(&mut self.connection, limit)?;
        Ok(())
    }
}

/// A fork waits until no connection is taken or given back.
pub static FORK_LOCK: &dyn ForkLock = &POOL.inside;

/// In a child after a fork, with the lock free: its parent's connections are not for it.
pub fn after_fork_in_child() {
    let mut inside = POOL.inside.lock();
    std::mem::take(&mut inside.idle).into_iter().for_each(Link::close);
    inside.open = 0;
    inside.generation += 1;
    inside.failures = 0;
    if inside.way == Way::Own {
        inside.way = Way::Listening;
    }
}
