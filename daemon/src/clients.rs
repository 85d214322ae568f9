//! The connected programs and tools.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use autojit_protocol::Message;
use autojit_protocol::connection::WORKING_INTERVAL;
use autojit_sys::Wanted;

use crate::client::{Client, Role};

/// Clients at the same time.
const LIMIT: usize = 1000;
/// How long a client may take to introduce itself.
const INTRODUCTION: Duration = Duration::from_secs(10);

/// The number of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(u64);

impl ClientId {
    /// Any number.
    #[cfg(test)]
    pub fn for_tests(number: u64) -> Self {
        Self(number)
    }
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    connected: BTreeMap<ClientId, Client>,
    last: u64,
    limit: usize,
    /// When the last one left, or the daemon began.
    left: Instant,
}

impl Clients {
    /// None yet; at most `limit` at the same time, which is as many as there are descriptors for.
    pub fn new(limit: usize) -> Self {
        Self { connected: BTreeMap::new(), last: 0, limit: limit.min(LIMIT), left: Instant::now() }
    }

    /// Adds a client.
    pub fn add(&mut self, client: Client) -> ClientId {
        self.last += 1;
        self.connected.insert(ClientId(self.last), client);
        ClientId(self.last)
    }

    /// A client by its number.
    pub fn get(&mut self, id: ClientId) -> Option<&mut Client> {
        self.connected.get_mut(&id)
    }

    /// Closes the connection of a client. False if that was done before.
    pub fn remove(&mut self, id: ClientId) -> bool {
        let removed = self.connected.remove(&id).is_some();
        if removed {
            self.left = Instant::now();
        }
        removed
    }

    /// How many more may be let in.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.connected.len())
    }

    /// How many are programs.
    pub fn programs(&self) -> usize {
        self.connected.values().filter(|client| client.role == Role::Program).count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.connected.is_empty()
    }

    /// For how long there have been none.
    pub fn absent(&self) -> Option<Duration> {
        self.is_empty().then(|| self.left.elapsed())
    }

    /// Whether one has not introduced itself yet.
    pub fn are_unknown(&self) -> bool {
        self.connected.values().any(|client| client.role == Role::Unknown)
    }

    /// Whether all have taken what they were told.
    pub fn are_told(&self) -> bool {
        self.connected.values().all(Client::is_told)
    }

    /// Tells all that the daemon ends.
    pub fn announce_end(&mut self) {
        for client in self.connected.values_mut() {
            client.tell(&Message::Stopping, None);
            // A tool has asked for it, and sees the end of the connection when the daemon has ended.
            client.leaving = client.role != Role::Tool;
        }
    }

    /// Sends what clients take; returns those that are gone, and those that are to leave and have everything.
    pub fn flush(&mut self) -> Vec<ClientId> {
        let over = |client: &mut Client| !client.flush() || (client.leaving && client.is_told());
        self.connected.iter_mut().filter_map(|(id, client)| over(client).then_some(*id)).collect()
    }

    /// Tells those that wait that they are not forgotten; returns those that have not introduced themselves in time.
    pub fn keep_alive(&mut self) -> Vec<ClientId> {
        let mut silent = Vec::new();
        for (id, client) in &mut self.connected {
            if client.waits() && client.is_told() && client.told.elapsed() >= WORKING_INTERVAL {
                client.tell(&Message::Working, None);
            }
            if client.role == Role::Unknown && client.since.elapsed() > INTRODUCTION {
                silent.push(*id);
            }
        }
        silent
    }

    /// Whether one waits until what was compiled is written.
    pub fn are_saving(&self) -> bool {
        self.connected.values().any(|client| client.saving)
    }

    /// Tells those that everything is written; returns them.
    pub fn announce_saved(&mut self) -> Vec<ClientId> {
        let saving = self.connected.iter_mut().filter(|(_, client)| client.saving);
        saving
            .map(|(id, client)| {
                client.saving = false;
                client.tell(&Message::Saved, None);
                *id
            })
            .collect()
    }

    /// Adds the descriptors to wait for.
    pub fn wanted(&self, wanted: &mut Vec<Wanted>) {
        for client in self.connected.values() {
            let apart = client.input().descriptor() != client.output().descriptor();
            let writing = if client.is_told() { 0 } else { libc::POLLOUT };
            // A client that waits for an answer sends nothing, but its end shows all the same (POLLHUP).
            let reading = libc::POLLIN | if apart { 0 } else { writing };
            wanted.push(Wanted { fd: client.input().descriptor(), events: reading, revents: 0 });
            if apart {
                wanted.push(Wanted { fd: client.output().descriptor(), events: writing, revents: 0 });
            }
        }
    }

    /// Those at whose descriptors something has `happened`.
    pub fn heard(&self, happened: &BTreeSet<i32>) -> Vec<ClientId> {
        let heard = |client: &Client| happened.contains(&client.input().descriptor());
        self.connected.iter().filter_map(|(id, client)| heard(client).then_some(*id)).collect()
    }
}
