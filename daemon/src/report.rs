//! What `autojitd --status` prints.

use std::fmt::Write;
use std::time::Instant;

use crate::state::ServerState;

/// What the daemon has done.
#[derive(Debug)]
pub struct Counters {
    /// When it began.
    since: Instant,
    /// Where it listens.
    socket: String,
    /// Requests for code.
    pub requests: u64,
    /// Those that were answered with what was compiled already.
    pub hits: u64,
    /// Those that waited for the same as others.
    pub shared: u64,
    /// Those that could not be met.
    pub failed: u64,
    /// Clients whose connection was closed for what they sent.
    pub refused: u64,
    /// Functions compiled.
    pub compiled: u64,
    /// Those of them that were compiled ahead.
    pub ahead: u64,
    /// Compilers that have ended by themselves.
    pub crashed: u64,
    /// Compilers that were ended because they had become large.
    pub retired: u64,
}

impl Counters {
    /// None yet, of a daemon that listens at `socket`.
    pub fn new(socket: String) -> Self {
        Self {
            since: Instant::now(),
            socket,
            requests: 0,
            hits: 0,
            shared: 0,
            failed: 0,
            refused: 0,
            compiled: 0,
            ahead: 0,
            crashed: 0,
            retired: 0,
        }
    }
}

/// Kilobytes of memory that this process has for itself.
fn own_memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut fields = statm.split(' ').skip(1).map(|field| field.parse::<u64>().unwrap_or(0));
    let (resident, shared) = (fields.next().unwrap_or(0), fields.next().unwrap_or(0));
    resident.saturating_sub(shared) * 4
}

impl ServerState {
    /// The state of the daemon, as JSON with a line for each number.
    pub fn report(&self) -> String {
        let compilers = || self.compilers.iter();
        let memory: u64 = compilers().map(|child| child.memory >> 10).sum();
        let (modules, objects, bytes) = self.modules.counts();
        let c = &self.counters;
        let numbers = [
            ("pid", std::process::id().into()),
            ("uptime_s", c.since.elapsed().as_secs()),
            ("clients", self.clients.programs() as u64),
            ("queue", self.requests.queued() as u64),
            ("compilers", compilers().count() as u64),
            ("busy", compilers().filter(|child| !child.is_idle()).count() as u64),
            ("unwritten", compilers().filter(|child| child.pending).count() as u64),
            ("requests", c.requests),
            ("cache_hits", c.hits),
            ("shared", c.shared),
            ("failed", c.failed),
            ("refused", c.refused),
            ("compiled", c.compiled),
            ("compiled_ahead", c.ahead),
            ("waiting_ahead", self.ahead.len() as u64),
            ("crashed", c.crashed),
            ("retired", c.retired),
            ("modules", modules as u64),
            ("objects", objects as u64),
            ("kept_kb", (bytes >> 10) as u64),
            ("memory_kb", own_memory() + memory),
        ];
        let mut text = String::from("{\n");
        for (name, number) in numbers {
            writeln!(text, "  \"{name}\": {number},").expect("a String takes everything");
        }
        text += "  \"socket\": ";
        autojit_protocol::json::quote(&mut text, &c.socket);
        text += "\n}";
        text
    }
}
