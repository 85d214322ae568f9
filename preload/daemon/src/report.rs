//! What `autojitd --status` prints.

use std::fmt::Write;
use std::time::Instant;

use crate::client::Role;
use crate::pool::Task;
use crate::server::Server;

/// What the daemon has done.
#[derive(Debug)]
pub struct Counters {
    /// When it began.
    since: Instant,
    /// Requests for code.
    pub requests: u64,
    /// Those that were answered with what was compiled already.
    pub hits: u64,
    /// Those that waited for the same as another one.
    pub shared: u64,
    /// Those that could not be met.
    pub failed: u64,
    /// Clients that were sent away.
    pub refused: u64,
    /// Functions compiled.
    pub compiled: u64,
    /// Those before anybody asked.
    pub ahead: u64,
    /// Compilers that have died.
    pub crashed: u64,
    /// Compilers that were ended because they had become large.
    pub retired: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            since: Instant::now(),
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

impl Server {
    /// The state of the daemon, as JSON with a line for each number.
    pub fn report(&self) -> String {
        let compilers = &self.children;
        let busy = compilers.iter().filter(|child| !matches!(child.task, Task::None)).count();
        let unwritten = compilers.iter().filter(|child| child.pending).count();
        let programs = self.clients.values().filter(|client| client.role == Role::Program).count();
        let memory: u64 = compilers.iter().map(|child| child.memory >> 10).sum();
        let (modules, objects, bytes) = self.modules.counts();
        let c = &self.counters;
        let numbers = [
            ("pid", std::process::id().into()),
            ("uptime_s", c.since.elapsed().as_secs()),
            ("clients", programs as u64),
            ("queue", self.queue.len() as u64),
            ("compilers", compilers.len() as u64),
            ("busy", busy as u64),
            ("unwritten", unwritten as u64),
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
        autojit_protocol::json::quote(&mut text, &self.place());
        text += "\n}";
        text
    }
}
