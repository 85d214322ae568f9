//! What clients say, and what they are told.

use std::time::Duration;

use autojit_abi::GENERATOR;
use autojit_protocol::connection::WORKING_INTERVAL;
use autojit_protocol::message::VERSION;
use autojit_protocol::{Blob, Message, What};
use autojit_sys::{Errno, File};

use crate::client::{Client, Role, UNFINISHED};
use crate::job::Variant;
use crate::modules;
use crate::server::{Request, Server};

/// How long a client may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// Modules that wait to be compiled ahead.
const AHEAD: usize = 4096;

impl Server {
    pub(crate) fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let mut new = Vec::new();
        // A few at a time, so that those who are in are served.
        while new.len() < 16 && self.clients.len() + new.len() < self.client_limit {
            match listener.socket().accept() {
                Ok(socket) => new.push(socket),
                // No room for a descriptor: they wait until somebody leaves.
                Err(Errno(libc::EMFILE | libc::ENFILE)) => {
                    std::thread::sleep(Duration::from_millis(5));
                    break;
                }
                Err(_) => break,
            }
        }
        for socket in new {
            let user = socket.peer().map(|peer| peer.user);
            let mut client = Client::new(socket, None);
            if user != Ok(autojit_sys::user()) {
                let reason = "this autojitd serves another user".into();
                client.tell(&Message::Refused { reason }, None);
                client.leaving = true;
            }
            self.add(client);
        }
    }

    /// Those who wait are told that they are not forgotten; those who say nothing are left.
    pub(crate) fn keep_alive(&mut self) {
        let mut silent = Vec::new();
        for (number, client) in &mut self.clients {
            if client.request.is_some() && client.is_told() && client.told.elapsed() >= WORKING_INTERVAL {
                client.tell(&Message::Working, None);
            }
            if client.role == Role::Unknown
                && client.since.elapsed() > INTRODUCTION
                && self.listener.is_some()
            {
                silent.push(*number);
            }
        }
        silent.into_iter().for_each(|number| self.leave(number));
    }

    /// What a client has said.
    pub(crate) fn hear(&mut self, number: u64) {
        loop {
            let Some(client) = self.clients.get_mut(&number) else { return };
            if client.incoming.kept() > UNFINISHED {
                return self.leave(number);
            }
            // One request at a time: what comes behind it waits.
            if client.leaving || client.request.is_some() {
                return;
            }
            let result = match client.incoming.take() {
                Ok(None) => return,
                Ok(Some(mut packet)) => {
                    let blob = packet.blob.take();
                    match packet.message() {
                        Ok(message) => self.answer_message(number, message, blob),
                        Err(malformed) => Err(malformed.to_string()),
                    }
                }
                Err(malformed) => Err(malformed.to_string()),
            };
            if let (Err(reason), Some(client)) = (result, self.clients.get_mut(&number)) {
                self.counters.refused += 1;
                client.tell(&Message::Refused { reason: reason.into() }, None);
                client.leaving = true;
            }
        }
    }

    /// Does what a message says. An error is why the client is sent away.
    fn answer_message(
        &mut self,
        number: u64,
        message: Message<'_>,
        blob: Option<Blob>,
    ) -> Result<(), String> {
        let Some(client) = self.clients.get_mut(&number) else { return Ok(()) };
        match (client.role, message) {
            (Role::Unknown, Message::Hello { version, generator, program }) => {
                if version != VERSION {
                    return Err(format!(
                        "this autojitd speaks version {VERSION} of its language, not {version}; end it with autojitd --stop"
                    ));
                }
                client.role = match generator {
                    GENERATOR => Role::Program,
                    [0, ..] if generator == [0; 32] => Role::Tool,
                    _ => return Err(
                        "client and autojitd are of different versions; end the daemon with autojitd --stop"
                            .into(),
                    ),
                };
                client.program = program.chars().take(4096).collect();
                let root =
                    self.cache.as_ref().map(|cache| String::from_utf8_lossy(cache.root()).into_owned());
                let cache = root.unwrap_or_default().into();
                client.tell(&Message::Welcome { version: VERSION, process: std::process::id(), cache }, None);
            }
            (Role::Unknown, _) => return Err("it has not said who it is".into()),
            (_, Message::Module { key, level, made }) => {
                let blob = blob.ok_or("a module without its container")?;
                self.modules.add(key, blob).map_err(|error| format!("reading a container: {error}"))?;
                self.prefetch(Variant { key, level }, made);
            }
            (Role::Program, Message::Compile { key, level, what, inline, keep }) => {
                self.counters.requests += 1;
                client.inline = inline;
                self.compile(number, Variant { key, level }, what, keep && self.cache.is_some());
            }
            (_, Message::Compile { .. }) => return Err("a tool has asked for code".into()),
            (_, Message::Status) => {
                let text = self.report().into();
                if let Some(client) = self.clients.get_mut(&number) {
                    client.tell(&Message::Report { text }, None);
                }
            }
            (_, Message::Stop) => {
                self.stop();
            }
            (_, _) => return Err("it has sent a message that is the daemon's".into()),
        }
        Ok(())
    }

    /// Has a module compiled ahead, when there is time: one that a program uses already before those that were only made.
    fn prefetch(&mut self, variant: Variant, made: bool) {
        if self.prefetch && self.cache.is_some() && !self.ahead.contains(&variant) && self.ahead.len() < AHEAD
        {
            if made {
                self.ahead.push_back(variant);
            } else {
                self.ahead.push_front(variant);
            }
        }
    }

    fn compile(&mut self, number: u64, variant: Variant, what: What, keep: bool) {
        if let What::Function(index) = what
            && let Some((blob, kept)) = self.modules.object(variant, index)
        {
            self.counters.hits += 1;
            return self.give(number, Some(blob), kept);
        }
        if !self.modules.has(&variant.key) {
            if let Some(client) = self.clients.get_mut(&number) {
                client.tell(&Message::Unknown, None);
            }
            return;
        }
        let Some(client) = self.clients.get_mut(&number) else { return };
        let same = |request: &Request| request.variant == variant && request.what == what;
        let known = self.requests.iter_mut().find(|(_, request)| same(request));
        if let Some((request, known)) = known {
            self.counters.shared += 1;
            known.clients.push(number);
            client.request = Some(*request);
            return;
        }
        self.number += 1;
        client.request = Some(self.number);
        let (program, clients) = (client.program.clone(), vec![number]);
        self.requests.insert(self.number, Request { variant, what, keep, program, clients, alone: false });
        self.queue.push_back(self.number);
    }

    /// Gives a client its object.
    fn give(&mut self, number: u64, blob: Option<Blob>, kept: bool) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        client.request = None;
        let blob = match blob {
            Some(Blob::File(file, _)) if client.inline || client.output().peer().is_err() => {
                modules::inline(&file)
            }
            blob => blob,
        };
        match blob {
            Some(blob) => client.tell(&Message::Code { kept }, Some(blob)),
            // It goes to somebody else.
            None => client.leaving = true,
        }
    }

    /// Answers all who wait for a request.
    pub(crate) fn answer(&mut self, request: u64, message: &Message<'_>, object: Option<&File>) {
        let Some(request) = self.requests.remove(&request) else { return };
        for number in request.clients {
            match (object, message) {
                (Some(file), Message::Code { kept }) => {
                    let blob = file.size().ok().and_then(|len| modules::blob(file, len));
                    self.give(number, blob, *kept);
                }
                _ => {
                    let Some(client) = self.clients.get_mut(&number) else { continue };
                    client.request = None;
                    client.tell(message, None);
                    // It goes to somebody else.
                    client.leaving |= matches!(message, Message::Refused { .. });
                }
            }
            // He may have said more already.
            self.hear(number);
        }
    }
}
