//! The processes that compile: which of them is free, which is too large, which has ended.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use autojit_cache::Directory;
use autojit_generator::orc::Engine;
use autojit_protocol::Packet;
use autojit_protocol::connection::WORKING_INTERVAL;
use autojit_sys::{Errno, Wanted};

use crate::arguments::Arguments;
use crate::child::{Child, Task};
use crate::job::{CodeKey, Functions, Job};

/// Compilers that are started before the first request.
const READY: usize = 2;
/// How long compilers have nothing to do before one of them writes to the cache.
pub const BEFORE_WRITING: Duration = Duration::from_millis(30);

/// All compilers.
#[derive(Debug)]
pub struct Compilers {
    engine: Engine,
    cache: Option<Directory>,
    /// Those that may compile for clients at the same time.
    jobs: usize,
    /// Bytes of memory that they may have together.
    memory: u64,
    children: Vec<Child>,
    /// Processes that were told to end.
    ending: Vec<i32>,
    /// When one last got a job or finished one.
    busy: Instant,
    /// When starting one last failed.
    failed: Option<Instant>,
}

impl Compilers {
    /// The first ones, which are there, and warm, when the first requests come: one `alone`, if there is one client.
    ///
    /// # Errors
    /// The system has no room for a process.
    pub fn start(
        arguments: &Arguments,
        engine: Engine,
        cache: Option<Directory>,
        alone: bool,
    ) -> io::Result<Self> {
        let (jobs, memory) = (arguments.jobs, arguments.memory);
        let mut compilers = Self {
            engine,
            cache,
            jobs,
            memory,
            children: Vec::new(),
            ending: Vec::new(),
            busy: Instant::now(),
            failed: None,
        };
        for _ in 0..if alone { 1 } else { jobs.min(READY) } {
            let child = Child::start(engine, compilers.cache.clone(), false)?;
            compilers.children.push(child);
        }
        Ok(compilers)
    }

    /// A compiler; its index is valid until one ends.
    pub fn get(&mut self, at: usize) -> &mut Child {
        &mut self.children[at]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Child> {
        self.children.iter()
    }

    /// A job is given or finished now.
    pub fn note_work(&mut self) {
        self.busy = Instant::now();
    }

    /// A compiler for a request, best one that has the module open.
    pub fn for_request(&mut self, code_key: &CodeKey) -> Option<usize> {
        let free = |child: &Child| !child.background && child.is_idle();
        let best = self.children.iter().position(|child| free(child) && child.has(code_key));
        if let Some(child) = best.or_else(|| self.children.iter().position(free)) {
            return Some(child);
        }
        // One that hangs while it writes does not count.
        let working = |child: &&Child| !child.background && !matches!(child.task, Task::Write);
        let count = self.children.iter().filter(|child| !child.background).count();
        if self.children.iter().filter(working).count() >= self.jobs || count >= 2 * self.jobs {
            return None;
        }
        self.start_one(false)
    }

    /// The compiler that compiles ahead, if it has nothing to do.
    pub fn for_background(&mut self) -> Option<usize> {
        match self.children.iter().position(|child| child.background) {
            Some(child) => self.children[child].is_idle().then_some(child),
            None => self.start_one(true),
        }
    }

    fn start_one(&mut self, background: bool) -> Option<usize> {
        if self.failed.is_some_and(|when| when.elapsed() < WORKING_INTERVAL) {
            return None;
        }
        match Child::start(self.engine, self.cache.clone(), background) {
            Ok(child) => {
                self.failed = None;
                self.children.push(child);
                Some(self.children.len() - 1)
            }
            Err(error) => {
                crate::say(format_args!("starting a compiler: {error}"));
                self.failed = Some(Instant::now());
                None
            }
        }
    }

    /// Has one write to the cache what it compiled: one at a time, and `now` or when they have had nothing to do for a while.
    pub fn write(&mut self, now: bool) {
        let quiet = now || self.busy.elapsed() >= BEFORE_WRITING;
        if !quiet || self.children.iter().any(|child| matches!(child.task, Task::Write)) {
            return;
        }
        if let Some(child) = self.children.iter_mut().find(|child| child.pending && child.is_idle()) {
            // Until it answers, it counts as one that has something to write.
            let _ = child.give(&Job::Write, Task::Write, |_| Err(Errno(libc::ENOENT)));
        }
    }

    /// Whether one has something to write.
    pub fn have_to_write(&self) -> bool {
        self.children.iter().any(|child| child.pending)
    }

    /// Whether one still writes, or has yet to, when the daemon ends. Compiling ahead is not waited for.
    pub fn are_writing(&self) -> bool {
        self.children.iter().any(|child| match child.task {
            Task::Write => true,
            Task::Ahead => false,
            Task::None | Task::Request(_) => child.pending,
        })
    }

    /// Whether all have nothing to do.
    pub fn are_idle(&self) -> bool {
        self.children.iter().all(Child::is_idle)
    }

    /// Whether the last attempt to start one failed.
    pub fn are_missing(&self) -> bool {
        self.failed.is_some()
    }

    /// Ends compilers that have become large, and returns their number. What they know is compiled, or can be compiled again.
    pub fn retire(&mut self) -> u64 {
        let each = self.memory / (self.jobs as u64 + 1);
        let before = self.children.len();
        let ending = &mut self.ending;
        self.children.retain(|child| {
            let large = child.memory > each && !child.pending && child.is_idle();
            if large {
                ending.push(child.process);
            }
            !large
        });
        // SAFETY: null: the status is not wanted.
        ending.retain(|process| unsafe { libc::waitpid(*process, std::ptr::null_mut(), libc::WNOHANG) } == 0);
        (before - self.children.len()) as u64
    }

    /// Tells all what they need not compile ahead.
    pub fn inform(&mut self, code_key: CodeKey, functions: &Functions) {
        self.children.iter_mut().for_each(|child| child.inform(code_key, functions));
    }

    /// Sends what waits.
    pub fn flush(&mut self) {
        for child in &mut self.children {
            // One that has ended shows when it is read.
            let _ = child.flush();
        }
    }

    /// Adds the descriptors to wait for.
    pub fn wanted(&self, wanted: &mut Vec<Wanted>) {
        for child in &self.children {
            let (fd, write) = child.wanted();
            let events = libc::POLLIN | if write { libc::POLLOUT } else { 0 };
            wanted.push(Wanted { fd, events, revents: 0 });
        }
    }

    /// What the next compiler from `at` on has sent at whose socket something has `happened`.
    pub fn receive(&mut self, at: usize, happened: &BTreeSet<i32>) -> Option<(usize, Received)> {
        let found = (at..self.children.len()).find(|at| happened.contains(&self.children[*at].wanted().0))?;
        let received = match self.children[found].receive() {
            Some(packets) => Received::Packets(packets),
            None => Received::End(self.children.remove(found)),
        };
        Some((found, received))
    }
}

/// What was read of a compiler.
#[derive(Debug)]
pub enum Received {
    /// Messages.
    Packets(Vec<Packet>),
    /// It has ended, or has sent nonsense, and is removed.
    End(Child),
}
