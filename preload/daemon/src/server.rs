//! The daemon at work: one thread that waits for clients and compilers, and never for anything else.
//!
//! Receives messages of clients; hands on jobs to compilers and their results to all who wait for them. What can take
//! long (compiling, reading and writing the cache) happens in the compilers.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use autojit_cache::Directory;
use autojit_protocol::connection::WORKING_INTERVAL;
use autojit_protocol::{Message, What};
use autojit_sys::{Errno, Wanted, poll};

use crate::arguments::Arguments;
use crate::client::{Client, Role};
use crate::engine::Engine;
use crate::job::Variant;
use crate::listen::Listener;
use crate::modules::Modules;
use crate::pool::{Child, Task};
use crate::report::Counters;
use crate::signals::Signals;

/// Clients at the same time.
const CLIENTS: usize = 1000;
/// Compilers that are started before anybody asks.
const READY: usize = 2;
/// How long a compiler has nothing to do before it writes to the cache.
pub const BEFORE_WRITING: Duration = Duration::from_millis(30);
/// How long writing may take when the daemon ends.
const LAST_WRITES: Duration = Duration::from_secs(3);
/// How often the daemon looks whether its socket is still there.
const LOOK: Duration = Duration::from_secs(10);

/// Something that clients wait for.
#[derive(Debug)]
pub struct Request {
    pub(crate) variant: Variant,
    pub(crate) what: What,
    pub(crate) keep: bool,
    pub(crate) program: String,
    pub(crate) clients: Vec<u64>,
    /// Whether what belongs with the function is left out: a compiler has died of it.
    pub(crate) alone: bool,
}

/// The daemon.
pub struct Server {
    pub(crate) arguments: Arguments,
    pub(crate) engine: Engine,
    pub(crate) cache: Option<Directory>,
    pub(crate) listener: Option<Listener>,
    pub(crate) signals: Signals,
    /// Whether modules are compiled ahead (AUTOJIT_PREFETCH).
    pub(crate) prefetch: bool,
    pub(crate) clients: BTreeMap<u64, Client>,
    pub(crate) children: Vec<Child>,
    pub(crate) modules: Modules,
    /// Compilers that were told to end.
    pub(crate) ending: Vec<i32>,
    /// Clients that are let in at the same time.
    pub(crate) client_limit: usize,
    pub(crate) requests: BTreeMap<u64, Request>,
    /// Requests that no compiler has yet.
    pub(crate) queue: VecDeque<u64>,
    pub(crate) ahead: VecDeque<Variant>,
    pub(crate) counters: Counters,
    pub(crate) number: u64,
    /// When the last client left, or the daemon began.
    pub(crate) idle_since: Instant,
    /// When a compiler last got a job or finished one.
    pub(crate) busy: Instant,
    pub(crate) looked: Instant,
    /// When starting a compiler last failed.
    pub(crate) failed_start: Option<Instant>,
    pub(crate) stopping: Option<Instant>,
}

impl Server {
    /// A daemon that serves `listener`, or only the clients that are added.
    ///
    /// # Errors
    /// No compiler can be started: in words.
    pub fn new(
        arguments: Arguments,
        engine: Engine,
        cache: Option<Directory>,
        listener: Option<Listener>,
        signals: Signals,
        prefetch: bool,
    ) -> Result<Self, String> {
        // A part of the descriptors each for containers, objects and clients; the rest is for what is on its way.
        let limit = (autojit_sys::soft_limit(libc::RLIMIT_NOFILE).min(1 << 16) as usize / 5).max(2);
        let mut server = Self {
            arguments,
            engine,
            cache,
            listener,
            signals,
            prefetch,
            clients: BTreeMap::new(),
            children: Vec::new(),
            modules: Modules::new(limit),
            ending: Vec::new(),
            client_limit: CLIENTS.min(limit),
            requests: BTreeMap::new(),
            queue: VecDeque::new(),
            ahead: VecDeque::new(),
            counters: Counters::default(),
            number: 0,
            idle_since: Instant::now(),
            busy: Instant::now(),
            looked: Instant::now(),
            failed_start: None,
            stopping: None,
        };
        // They are there, and warm, when the first requests come.
        let first = if server.listener.is_some() { server.arguments.jobs.min(READY) } else { 1 };
        for _ in 0..first {
            let child = server.child(false).map_err(|error| format!("starting a compiler: {error}"))?;
            server.children.push(child);
        }
        Ok(server)
    }

    /// Serves a client that is connected already.
    pub fn add(&mut self, client: Client) {
        self.number += 1;
        self.clients.insert(self.number, client);
    }

    /// The socket's path, for the report.
    pub fn place(&self) -> String {
        self.listener.as_ref().map_or("(none)".into(), Listener::name)
    }

    pub(crate) fn child(&self, background: bool) -> std::io::Result<Child> {
        Child::start(self.engine, self.cache.clone(), background)
    }

    /// Works until it is told to stop, or nobody needs it.
    pub fn run(mut self) {
        while !self.is_over() {
            self.start_jobs();
            self.flush();
            self.wait();
        }
        if let Some(listener) = &self.listener {
            listener.remove();
        }
    }

    fn is_over(&mut self) -> bool {
        if let Some(since) = self.stopping {
            let writing = self.children.iter().any(|child| match child.task {
                Task::Write => true,
                // What nobody has asked for is not waited for.
                Task::Ahead => false,
                Task::None | Task::Request(_) => child.pending,
            });
            let told = self.clients.values().all(Client::is_told);
            return (!writing && told) || since.elapsed() > LAST_WRITES;
        }
        let nobody = self.clients.is_empty() && self.requests.is_empty();
        let over = match &self.listener {
            // Its one client was all there was.
            None => nobody,
            Some(listener) => {
                let lost = self.looked.elapsed() > LOOK && {
                    self.looked = Instant::now();
                    !listener.is_there()
                };
                let idle = nobody
                    && self.ahead.is_empty()
                    && self.children.iter().all(|child| matches!(child.task, Task::None));
                lost || (idle
                    && self.arguments.idle_exit.is_some_and(|limit| self.idle_since.elapsed() >= limit))
            }
        };
        if over {
            self.stop();
            return self.is_over();
        }
        false
    }

    pub(crate) fn stop(&mut self) {
        self.stopping.get_or_insert_with(Instant::now);
        self.ahead.clear();
        // Whoever ends while others are compiled for goes on by himself.
        for client in self.clients.values_mut() {
            client.tell(&Message::Stopping, None);
            // Whoever has told the daemon to end sees when it has.
            client.leaving = client.role != Role::Tool;
        }
    }

    fn flush(&mut self) {
        let gone: Vec<u64> = self
            .clients
            .iter_mut()
            .filter_map(|(number, client)| (!client.flush()).then_some(*number))
            .collect();
        gone.into_iter().for_each(|number| self.leave(number));
        let left = self.clients.iter().filter(|(_, client)| client.leaving && client.is_told());
        let left: Vec<u64> = left.map(|(number, _)| *number).collect();
        left.into_iter().for_each(|number| self.leave(number));
        // Those who are gone show when they are read.
        for child in &mut self.children {
            let _ = child.flush();
        }
    }

    /// Forgets a client.
    pub(crate) fn leave(&mut self, number: u64) {
        if self.clients.remove(&number).is_none() {
            return;
        }
        for request in self.requests.values_mut() {
            request.clients.retain(|client| *client != number);
        }
        // What nobody waits for any more is not begun.
        let requests = &self.requests;
        let (kept, dropped): (VecDeque<_>, VecDeque<_>) =
            self.queue.iter().partition(|number| requests.get(number).is_some_and(|r| !r.clients.is_empty()));
        self.queue = kept;
        for number in dropped {
            self.requests.remove(&number);
        }
        self.idle_since = Instant::now();
    }

    /// How long nothing needs to be done if nothing happens.
    fn patience(&self) -> Option<Duration> {
        if self.stopping.is_some()
            || self.children.iter().any(|child| child.pending)
            || self.failed_start.is_some()
        {
            return Some(BEFORE_WRITING);
        }
        if !self.requests.is_empty() || self.clients.values().any(|client| client.role == Role::Unknown) {
            return Some(WORKING_INTERVAL / 2);
        }
        if self.listener.is_none() {
            // The one client may have gone since the last look.
            return self.clients.is_empty().then_some(Duration::ZERO);
        }
        let idle = self.arguments.idle_exit.filter(|_| self.clients.is_empty());
        Some(
            idle.map_or(LOOK, |limit| limit.saturating_sub(self.idle_since.elapsed()).min(LOOK))
                + Duration::from_millis(1),
        )
    }

    fn wait(&mut self) {
        let wanted = |fd, events| Wanted { fd, events, revents: 0 };
        let both = |write: bool| libc::POLLIN | if write { libc::POLLOUT } else { 0 };
        let accepting = self.stopping.is_none() && self.clients.len() < self.client_limit;
        let mut all = vec![
            wanted(self.signals.descriptor(), libc::POLLIN),
            wanted(
                self.listener.as_ref().filter(|_| accepting).map_or(-1, |it| it.socket().descriptor()),
                libc::POLLIN,
            ),
        ];
        for child in &self.children {
            let (descriptor, write) = child.wanted();
            all.push(wanted(descriptor, both(write)));
        }
        let clients: Vec<u64> = self.clients.keys().copied().collect();
        for client in self.clients.values() {
            let apart = client.input().descriptor() != client.output().descriptor();
            // Who waits for an answer has nothing to say: his end shows all the same (POLLHUP).
            all.push(wanted(client.input().descriptor(), both(!apart && !client.is_told())));
            if apart {
                all.push(wanted(
                    client.output().descriptor(),
                    if client.is_told() { 0 } else { libc::POLLOUT },
                ));
            }
        }
        match poll(&mut all, self.patience()) {
            Ok(_) => {}
            Err(Errno(libc::EINTR)) => return,
            Err(error) => {
                // Out of memory for now, say.
                crate::say(format_args!("waiting: {error}"));
                std::thread::sleep(WORKING_INTERVAL);
                return;
            }
        }
        let happened: std::collections::BTreeSet<i32> =
            all.iter().filter(|it| it.revents & !libc::POLLOUT != 0).map(|it| it.fd).collect();
        if happened.contains(&self.signals.descriptor()) && self.signals.read() {
            self.stop();
        }
        self.hear_children(&happened);
        for number in clients {
            let Some(client) = self.clients.get_mut(&number) else { continue };
            if happened.contains(&client.input().descriptor()) {
                if client.fill() {
                    self.hear(number);
                } else {
                    self.leave(number);
                }
            }
        }
        if self.listener.as_ref().is_some_and(|it| happened.contains(&it.socket().descriptor())) {
            self.accept();
        }
        self.keep_alive();
    }
}
