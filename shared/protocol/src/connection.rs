//! One end of a conversation that waits for answers: the runtime's, the plugin's, and that of `autojitd --status`.

use std::time::Duration;

use autojit_sys::{Errno, File, Peer, Wanted, monotonic_time, poll, select};

use crate::message::Message;
use crate::packet::{Blob, Incoming, Malformed, Outgoing, Packet};

/// How often the daemon says at least that it works.
pub const WORKING_INTERVAL: Duration = Duration::from_millis(500);
/// How long it may say nothing before it counts as gone.
pub const SILENCE: Duration = Duration::from_secs(3);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionError {
    /// The kernel says so.
    System(Errno),
    /// The other end is closed.
    Closed,
    /// Nothing came for too long.
    Silent,
    /// What came is no answer.
    Malformed(Malformed),
    /// Another user listens there.
    User(u32),
    /// It was refused: why.
    Refused(String),
}

impl std::fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System(errno) => errno.fmt(f),
            Self::Closed => f.write_str("it has closed the connection"),
            Self::Silent => f.write_str("it does not answer"),
            Self::Malformed(malformed) => write!(f, "it has sent {malformed}"),
            Self::User(user) => write!(f, "user {user} listens there"),
            Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl From<Errno> for ConnectionError {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    socket: File,
    incoming: Incoming,
}

impl Connection {
    /// The connection over a socket.
    pub fn new(socket: File) -> Self {
        Self { socket, incoming: Incoming::default() }
    }

    /// Connects to the daemon at `path`, which must be the user's own.
    ///
    /// # Errors
    /// There is none, or it is another's.
    pub fn open(path: &std::ffi::CStr) -> Result<Self, ConnectionError> {
        let socket = File::connect(path)?;
        let Peer { user, .. } = socket.peer()?;
        if user != autojit_sys::user() {
            return Err(ConnectionError::User(user));
        }
        Ok(Self::new(socket))
    }

    /// Its socket.
    pub fn socket(&self) -> &File {
        &self.socket
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The other end takes nothing for too long, or is closed: then for the reason that it sent before, if it sent one.
    pub fn send(&mut self, message: &Message<'_>, blob: Option<Blob>) -> Result<(), ConnectionError> {
        let mut outgoing = Outgoing::default();
        outgoing.push(message, blob);
        loop {
            match outgoing.flush(&self.socket) {
                Ok(true) => return Ok(()),
                Ok(false) => self.wait(libc::POLLOUT, SILENCE)?,
                Err(error @ Errno(libc::EPIPE | libc::ECONNRESET)) => return Err(self.reason_of_end(error)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Why the other end is closed, which shows as `error`: messages that came before are there to be read.
    fn reason_of_end(&mut self, error: Errno) -> ConnectionError {
        while let Ok(packet) = self.receive(Duration::ZERO) {
            if let Ok(Message::Refused { reason }) = packet.message() {
                return ConnectionError::Refused(reason.into_owned());
            }
        }
        error.into()
    }

    /// The next message, if it begins to arrive within `limit`.
    ///
    /// # Errors
    /// It does not, or is none.
    pub fn receive(&mut self, limit: Duration) -> Result<Packet, ConnectionError> {
        loop {
            match self.incoming.take() {
                Ok(Some(packet)) => return Ok(packet),
                Ok(None) => {}
                Err(malformed) => return Err(ConnectionError::Malformed(malformed)),
            }
            match self.incoming.fill(&self.socket) {
                Ok(true) => {}
                Ok(false) => return Err(ConnectionError::Closed),
                Err(Errno(libc::EAGAIN)) => self.wait(libc::POLLIN, limit)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn wait(&self, events: i16, limit: Duration) -> Result<(), ConnectionError> {
        let end = monotonic_time() + limit;
        loop {
            let mut wanted = [Wanted { fd: self.socket.descriptor(), events, revents: 0 }];
            match poll(&mut wanted, Some(end.saturating_sub(monotonic_time()))) {
                Ok(0) => return Err(ConnectionError::Silent),
                Ok(_) => return Ok(()),
                Err(Errno(libc::EINTR)) => {}
                // The process has given up all room for descriptors; those that it has remain.
                Err(Errno(libc::EINVAL)) => {
                    let write = events & libc::POLLOUT != 0;
                    let left = end.saturating_sub(monotonic_time());
                    let ready = select(self.socket.descriptor(), write, left)?;
                    return if ready { Ok(()) } else { Err(ConnectionError::Silent) };
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_ends_are_told() {
        let (here, there) = File::socket_pair().unwrap();
        let mut connection = Connection::new(here);
        let short = Duration::from_millis(5);
        assert_eq!(connection.receive(short).unwrap_err(), ConnectionError::Silent);
        there.send(b"\xff\xff\xff\xff more than a header", None).unwrap();
        let malformed = ConnectionError::Malformed(Malformed::Fields);
        assert_eq!(connection.receive(short).unwrap_err(), malformed);
        drop(there);
        let closed = connection.send(&Message::Status, None).unwrap_err();
        assert_eq!(closed, ConnectionError::System(Errno(libc::EPIPE)));
    }

    #[test]
    fn a_refusal_is_the_reason_of_an_end() {
        let (here, there) = File::socket_pair().unwrap();
        let (mut here, mut there) = (Connection::new(here), Connection::new(there));
        there.send(&Message::Working, None).unwrap();
        there.send(&Message::Refused { reason: "no room".into() }, None).unwrap();
        drop(there);
        let end = here.send(&Message::Status, None).unwrap_err();
        assert_eq!(end, ConnectionError::Refused("no room".into()));
    }

    #[test]
    fn a_message_and_its_blob_arrive() {
        let (here, there) = File::socket_pair().unwrap();
        let (mut here, mut there) = (Connection::new(here), Connection::new(there));
        there.send(&Message::Code { number: 1, kept: true }, Some(Blob::new(b"object"))).unwrap();
        let packet = here.receive(SILENCE).unwrap();
        assert_eq!(packet.message(), Ok(Message::Code { number: 1, kept: true }));
        assert_eq!(packet.blob.unwrap().len(), 6);
    }
}
