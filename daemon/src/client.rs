//! A program that is connected, as the daemon sees it.

use std::time::Instant;

use autojit_protocol::{Blob, Incoming, Message, Outgoing};
use autojit_sys::{Errno, File};

use crate::requests::RequestId;

/// Bytes that may wait for a client that does not take them.
const BACKLOG: usize = 512 << 20;
/// Bytes of a message that is not whole, of one client.
pub const UNFINISHED: usize = 300 << 20;

/// What a client is by its first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It has sent nothing yet.
    Unknown,
    /// It may ask for code.
    Program,
    /// It may send modules and ask for the status.
    Tool,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    input: File,
    /// Where answers go, if that is elsewhere.
    output: Option<File>,
    /// What has come.
    pub incoming: Incoming,
    outgoing: Outgoing,
    /// What it is.
    pub role: Role,
    /// The name that it gives itself.
    pub program: String,
    /// The request that it waits for.
    pub request: Option<RequestId>,
    /// Whether it waits until what was compiled is written.
    pub saving: bool,
    /// Whether the answer must not have a descriptor.
    pub inline: bool,
    /// When something was last sent to it.
    pub told: Instant,
    /// When it came.
    pub since: Instant,
    /// Whether its connection is closed once it has everything.
    pub leaving: bool,
}

impl Client {
    /// A client at this socket, or at these two ends.
    pub fn new(input: File, output: Option<File>) -> Self {
        Self {
            input,
            output,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            role: Role::Unknown,
            program: String::new(),
            request: None,
            saving: false,
            inline: false,
            told: Instant::now(),
            since: Instant::now(),
            leaving: false,
        }
    }

    /// Whether it waits for an answer.
    pub fn waits(&self) -> bool {
        self.request.is_some() || self.saving
    }

    /// Where its messages come from.
    pub fn input(&self) -> &File {
        &self.input
    }

    /// Where messages to it go.
    pub fn output(&self) -> &File {
        self.output.as_ref().unwrap_or(&self.input)
    }

    /// Takes in what it has sent; false if it is gone.
    pub fn fill(&mut self) -> bool {
        match self.incoming.fill(&self.input) {
            Ok(more) => more,
            Err(Errno(libc::EAGAIN)) => true,
            Err(_) => false,
        }
    }

    /// Puts a message behind those that it has yet to take.
    pub fn tell(&mut self, message: &Message<'_>, blob: Option<Blob>) {
        self.told = Instant::now();
        self.outgoing.push(message, blob);
    }

    /// Whether it has taken everything that it was told.
    pub fn is_told(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Sends what it takes; false if it is gone, or takes nothing.
    pub fn flush(&mut self) -> bool {
        let output = self.output.as_ref().unwrap_or(&self.input);
        self.outgoing.flush(output).is_ok() && self.outgoing.waiting() < BACKLOG
    }
}
