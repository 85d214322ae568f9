//! The daemon at work: one thread that waits for clients and compilers, and never for anything else.
//!
//! Receives messages; hands them to the handlers ([`talk`], [`outcome`]) and has jobs given to compilers ([`schedule`]). What
//! can take long (compiling, reading and writing the cache) happens in the compilers.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use autojit_cache::Directory;
use autojit_generator::orc::Engine;
use autojit_protocol::Message;
use autojit_protocol::connection::WORKING_INTERVAL;
use autojit_sys::{Errno, Wanted, poll};

use crate::ahead::Ahead;
use crate::arguments::Arguments;
use crate::client::Client;
use crate::clients::Clients;
use crate::compilers::{BEFORE_WRITING, Compilers};
use crate::listen::{self, Listener};
use crate::modules::Modules;
use crate::report::Counters;
use crate::requests::Requests;
use crate::signals::Signals;
use crate::state::ServerState;
use crate::{outcome, schedule, talk};

/// How long writing may take when the daemon ends.
const LAST_WRITES: Duration = Duration::from_secs(3);
/// How often the daemon looks whether its socket is still there.
const LOOK: Duration = Duration::from_secs(10);
/// Clients that are let in before others are served again.
const AT_ONCE: usize = 16;

/// The event loop: descriptors and times.
#[derive(Debug)]
pub struct Server {
    state: ServerState,
    /// None if it serves one client only.
    listener: Option<Listener>,
    signals: Signals,
    /// How long it stays without a client.
    idle_exit: Option<Duration>,
    /// When it last looked for its socket.
    looked: Instant,
    /// When it was told to end.
    stopping: Option<Instant>,
}

impl Server {
    /// A daemon that serves `listener`, or only the clients that are added.
    ///
    /// # Errors
    /// No compiler can be started: in words.
    pub fn new(
        arguments: &Arguments,
        engine: Engine,
        cache: Option<Directory>,
        listener: Option<Listener>,
        signals: Signals,
    ) -> Result<Self, String> {
        // A part of the descriptors each for containers, objects and clients; the rest is for what is on its way.
        let limit = (autojit_sys::soft_limit(libc::RLIMIT_NOFILE).min(1 << 16) as usize / 5).max(2);
        let compilers = Compilers::start(arguments, engine, cache.clone(), listener.is_none())
            .map_err(|error| format!("starting a compiler: {error}"))?;
        let state = ServerState {
            clients: Clients::new(limit),
            requests: Requests::default(),
            // Without a cache there is no record of what ran.
            ahead: Ahead::new(listen::options().prefetch && cache.is_some()),
            compilers,
            modules: Modules::new(limit),
            counters: Counters::new(listener.as_ref().map_or("(none)".into(), Listener::name)),
            cache,
            stopping: false,
        };
        let (idle_exit, looked) = (arguments.idle_exit, Instant::now());
        Ok(Self { state, listener, signals, idle_exit, looked, stopping: None })
    }

    /// Serves a client that is connected already.
    pub fn add(&mut self, client: Client) {
        self.state.clients.add(client);
    }

    /// Works until it is told to stop, or is not needed any more.
    pub fn run(mut self) {
        while !self.is_over() {
            schedule::start_jobs(&mut self.state);
            self.state.flush();
            self.wait();
        }
        if let Some(listener) = &self.listener {
            listener.remove();
        }
    }

    fn is_over(&mut self) -> bool {
        if !self.state.stopping && self.is_needless() {
            self.state.stop();
        }
        if !self.state.stopping {
            return false;
        }
        let since = self.stopping.get_or_insert_with(Instant::now);
        let done = !self.state.compilers.are_writing() && self.state.clients.are_told();
        done || since.elapsed() > LAST_WRITES
    }

    /// Whether programs cannot find the daemon, or it has been idle for long enough.
    fn is_needless(&mut self) -> bool {
        let state = &self.state;
        let Some(listener) = &self.listener else {
            // Its one client was all there was.
            return state.is_unused();
        };
        if self.looked.elapsed() > LOOK {
            self.looked = Instant::now();
            if !listener.is_there() {
                return true;
            }
        }
        let idle = state.is_unused() && state.ahead.is_empty() && state.compilers.are_idle();
        let absent = state.clients.absent().filter(|_| idle);
        self.idle_exit.zip(absent).is_some_and(|(limit, absent)| absent >= limit)
    }

    /// How long nothing needs to be done if nothing happens.
    fn patience(&self) -> Duration {
        let state = &self.state;
        if state.stopping || state.compilers.have_to_write() || state.compilers.are_missing() {
            return BEFORE_WRITING;
        }
        if state.has_deadlines() {
            return WORKING_INTERVAL / 2;
        }
        if self.listener.is_none() && state.clients.is_empty() {
            return Duration::ZERO;
        }
        let until_exit =
            self.idle_exit.zip(state.clients.absent()).map(|(limit, absent)| limit.saturating_sub(absent));
        until_exit.map_or(LOOK, |time| time.min(LOOK)) + Duration::from_millis(1)
    }

    /// Waits until something happens, and handles it.
    fn wait(&mut self) {
        let accepting = !self.state.stopping && self.state.clients.room() > 0;
        let listener = self.listener.as_ref().map_or(-1, |it| it.socket().descriptor());
        let mut wanted = vec![
            Wanted { fd: self.signals.descriptor(), events: libc::POLLIN, revents: 0 },
            Wanted { fd: if accepting { listener } else { -1 }, events: libc::POLLIN, revents: 0 },
        ];
        self.state.compilers.wanted(&mut wanted);
        self.state.clients.wanted(&mut wanted);
        match poll(&mut wanted, Some(self.patience())) {
            Ok(_) => {}
            Err(Errno(libc::EINTR)) => return,
            Err(error) => {
                // Out of memory for now, say.
                crate::say(format_args!("waiting: {error}"));
                thread::sleep(WORKING_INTERVAL);
                return;
            }
        }
        let happened: BTreeSet<i32> =
            wanted.iter().filter(|it| it.revents & !libc::POLLOUT != 0).map(|it| it.fd).collect();
        if happened.contains(&self.signals.descriptor()) && self.signals.read() {
            self.state.stop();
        }
        // Before compilers are heard: their answers may close connections, and descriptors are used again.
        let heard = self.state.clients.heard(&happened);
        outcome::hear_compilers(&mut self.state, &happened);
        for id in heard {
            match self.state.clients.get(id).map(Client::fill) {
                Some(true) => talk::hear(&mut self.state, id),
                Some(false) => self.state.leave(id),
                None => {}
            }
        }
        if accepting && happened.contains(&listener) {
            self.accept();
        }
        let silent = self.state.clients.keep_alive();
        if self.listener.is_some() {
            silent.into_iter().for_each(|id| self.state.leave(id));
        }
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        for _ in 0..self.state.clients.room().min(AT_ONCE) {
            let socket = match listener.socket().accept() {
                Ok(socket) => socket,
                // No room for a descriptor: they wait until one is closed.
                Err(Errno(libc::EMFILE | libc::ENFILE)) => return thread::sleep(Duration::from_millis(5)),
                Err(_) => return,
            };
            let user = socket.peer().map(|peer| peer.user);
            let mut client = Client::new(socket, None);
            if user != Ok(autojit_sys::user()) {
                let reason = "this autojitd serves another user".into();
                client.tell(&Message::Refused { reason }, None);
                client.leaving = true;
            }
            self.state.clients.add(client);
        }
    }
}
