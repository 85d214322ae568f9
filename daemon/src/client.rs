//! A program that is connected, as the daemon sees it.

use std::time::Instant;

use autojit_protocol::message::MOST_REQUESTS;
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

/// Something that a client waits for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// What it waits for.
    pub request: RequestId,
    /// How it knows the answer.
    pub number: u32,
    /// Whether that must not have a descriptor.
    pub inline: bool,
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
    /// What it waits for.
    pub asked: Vec<Asked>,
    /// Whether it waits until what was compiled is written.
    pub saving: bool,
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
            asked: Vec::new(),
            saving: false,
            told: Instant::now(),
            since: Instant::now(),
            leaving: false,
        }
    }

    /// Whether it waits for an answer.
    pub fn waits(&self) -> bool {
        !self.asked.is_empty() || self.saving
    }

    /// Whether what it says next is to wait until it is answered.
    pub fn is_full(&self) -> bool {
        self.asked.len() >= MOST_REQUESTS || self.saving
    }

    /// How it has asked for a request that is answered now.
    pub fn answered(&mut self, request: RequestId) -> Option<Asked> {
        let at = self.asked.iter().position(|asked| asked.request == request)?;
        Some(self.asked.remove(at))
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
