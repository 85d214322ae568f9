//! What the daemon knows. Each part keeps its own order; what concerns several of them is here.

use autojit_cache::Directory;
use autojit_protocol::{Blob, Message};
use autojit_sys::File;

use crate::ahead::Ahead;
use crate::client::{Asked, Client};
use crate::clients::{ClientId, Clients};
use crate::compilers::Compilers;
use crate::modules::{self, Modules};
use crate::report::Counters;
use crate::requests::{RequestId, Requests};

/// The parts.
#[derive(Debug)]
pub struct ServerState {
    /// Connected programs and tools.
    pub clients: Clients,
    /// What they wait for.
    pub requests: Requests,
    /// What is compiled when nothing else is to be done.
    pub ahead: Ahead,
    /// The processes that compile.
    pub compilers: Compilers,
    /// Containers, and objects that were compiled of them.
    pub modules: Modules,
    /// What has happened so far.
    pub counters: Counters,
    /// Where compiled code is kept.
    pub cache: Option<Directory>,
    /// Whether the daemon ends: nothing new is begun.
    pub stopping: bool,
}

impl ServerState {
    /// Ends the daemon once everything is written. Clients that wait compile for themselves.
    pub fn stop(&mut self) {
        self.stopping = true;
        self.ahead.clear();
        self.clients.announce_end();
    }

    /// Closes the connection of a client.
    pub fn leave(&mut self, id: ClientId) {
        if self.clients.remove(id) {
            self.requests.leave(id);
        }
    }

    /// Sends what clients and compilers take.
    pub fn flush(&mut self) {
        self.clients.flush().into_iter().for_each(|id| self.leave(id));
        self.compilers.flush();
    }

    /// Answers all clients that wait for a request; returns them.
    pub fn answer(&mut self, id: RequestId, answer: &Answer<'_>) -> Vec<ClientId> {
        let clients = self.requests.finish(id).map(|request| request.clients).unwrap_or_default();
        for client in &clients {
            let Some(client) = self.clients.get(*client) else { continue };
            let Some(Asked { number, inline, .. }) = client.answered(id) else { continue };
            match *answer {
                Answer::Code { file, kept } => {
                    let blob = file.size().ok().and_then(|len| modules::blob(file, len));
                    give(client, blob, &Message::Code { number, kept }, inline);
                }
                Answer::Failed(reason) => {
                    client.tell(&Message::Failed { number, reason: reason.into() }, None)
                }
                Answer::Unknown => client.tell(&Message::Unknown { number }, None),
                Answer::Refused(reason) => {
                    client.tell(&Message::Refused { reason: reason.into() }, None);
                    client.leaving = true;
                }
            }
        }
        clients
    }

    /// Whether there is nothing that a client waits for or could ask for.
    pub fn is_unused(&self) -> bool {
        self.clients.is_empty() && self.requests.is_empty()
    }

    /// Whether a client waits for something that is due at a time.
    pub fn has_deadlines(&self) -> bool {
        !self.requests.is_empty() || self.clients.are_unknown() || self.clients.are_saving()
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// The code, in a file.
    Code {
        /// The file.
        file: &'a File,
        /// Whether the cache will have it.
        kept: bool,
    },
    /// It cannot be compiled: why.
    Failed(&'a str),
    /// The module is not there any more.
    Unknown,
    /// The daemon can do nothing for its clients: why.
    Refused(&'a str),
}

/// Gives a client the object that it has asked for, with `message`; as bytes if it is to be `inline`. Without one it has to do
/// without the daemon.
pub fn give(client: &mut Client, object: Option<Blob>, message: &Message<'_>, inline: bool) {
    let object = match object {
        Some(Blob::File(file, _)) if inline || client.output().peer().is_err() => modules::inline(&file),
        object => object,
    };
    match object {
        Some(object) => client.tell(message, Some(object)),
        None => client.leaving = true,
    }
}
