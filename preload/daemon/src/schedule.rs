//! Which compiler does what: requests first, then what is compiled ahead, then writing to the cache.

use std::time::Instant;

use autojit_protocol::connection::WORKING_INTERVAL;
use autojit_protocol::{Blob, Message, Packet, What};
use autojit_sys::{Errno, File};

use crate::job::{Functions, Job, Outcome, Variant};
use crate::pool::{Child, Task};
use crate::server::{BEFORE_WRITING, Server};

impl Server {
    /// Gives jobs to those who have nothing to do.
    pub(crate) fn start_jobs(&mut self) {
        if self.stopping.is_none() {
            while let Some(number) = self.queue.front().copied() {
                let Some(variant) = self.requests.get(&number).map(|request| request.variant) else {
                    self.queue.pop_front();
                    continue;
                };
                let Some(child) = self.free_child(&variant) else { break };
                self.queue.pop_front();
                self.give_request(child, number);
            }
            if self.queue.is_empty()
                && let Some(variant) = self.ahead.front().copied()
                && let Some(child) = self.background_child()
            {
                self.ahead.pop_front();
                let mut done = self.modules.done(variant);
                for request in self.requests.values().filter(|request| request.variant == variant) {
                    if let What::Function(index) = request.what {
                        done.insert(index);
                    }
                }
                let job = Job::Prefetch { variant, done };
                let modules = &self.modules;
                // A container that is not here any more was not wanted by anybody.
                let _ =
                    self.children[child].give(&job, Task::Ahead, |variant| modules.container(&variant.key));
            }
        }
        let quiet = self.stopping.is_some() || self.busy.elapsed() >= BEFORE_WRITING;
        let writing = self.children.iter().any(|child| matches!(child.task, Task::Write));
        if quiet && !writing && self.queue.is_empty() {
            let waiting =
                self.children.iter_mut().find(|child| child.pending && matches!(child.task, Task::None));
            if let Some(child) = waiting {
                // It has something to write until it says that it has not.
                let _ = child.give(&Job::Write, Task::Write, |_| Err(Errno(libc::ENOENT)));
            }
        }
        self.retire();
    }

    /// Ends compilers that have become large. What they know is compiled, or can be compiled again.
    fn retire(&mut self) {
        let each = self.arguments.memory / (self.arguments.jobs as u64 + 1);
        let (counters, ending) = (&mut self.counters, &mut self.ending);
        self.children.retain(|child| {
            let large = child.memory > each && !child.pending && matches!(child.task, Task::None);
            if large {
                counters.retired += 1;
                ending.push(child.process);
            }
            !large
        });
        // SAFETY: null: nobody asks for the status.
        ending.retain(|process| unsafe { libc::waitpid(*process, std::ptr::null_mut(), libc::WNOHANG) } == 0);
    }

    /// A compiler without a task, best one that has the module open.
    fn free_child(&mut self, variant: &Variant) -> Option<usize> {
        let free = |child: &Child| !child.background && matches!(child.task, Task::None);
        let best = self.children.iter().position(|child| free(child) && child.has(variant));
        if let Some(child) = best.or_else(|| self.children.iter().position(free)) {
            return Some(child);
        }
        // One that hangs while it writes does not count.
        let working = |child: &&Child| !child.background && !matches!(child.task, Task::Write);
        let limit = self.arguments.jobs;
        let count = self.children.iter().filter(|child| !child.background).count();
        if self.children.iter().filter(working).count() >= limit || count >= 2 * limit {
            return None;
        }
        self.start(false)
    }

    fn background_child(&mut self) -> Option<usize> {
        match self.children.iter().position(|child| child.background) {
            Some(child) => matches!(self.children[child].task, Task::None).then_some(child),
            None => self.start(true),
        }
    }

    fn start(&mut self, background: bool) -> Option<usize> {
        if self.failed_start.is_some_and(|when| when.elapsed() < WORKING_INTERVAL) {
            return None;
        }
        match self.child(background) {
            Ok(child) => {
                self.failed_start = None;
                self.children.push(child);
                Some(self.children.len() - 1)
            }
            Err(error) => {
                crate::say(format_args!("starting a compiler: {error}"));
                self.failed_start = Some(Instant::now());
                None
            }
        }
    }

    fn give_request(&mut self, child: usize, number: u64) {
        let Some(request) = self.requests.get(&number) else { return };
        let job = Job::Compile {
            variant: request.variant,
            what: request.what,
            alone: request.alone,
            keep: request.keep,
            program: request.program.clone(),
            done: self.modules.done(request.variant),
        };
        self.busy = Instant::now();
        let modules = &self.modules;
        let given =
            self.children[child].give(&job, Task::Request(number), |variant| modules.container(&variant.key));
        if given.is_err() {
            self.children[child].task = Task::None;
            // It was forgotten meanwhile: the clients have it.
            self.answer(number, &Message::Unknown, None);
        }
    }

    pub(crate) fn hear_children(&mut self, happened: &std::collections::BTreeSet<i32>) {
        let mut at = 0;
        while at < self.children.len() {
            let child = &mut self.children[at];
            if !happened.contains(&child.wanted().0) {
                at += 1;
                continue;
            }
            match child.receive() {
                Some(packets) => {
                    for packet in packets {
                        self.hear_child(at, packet);
                    }
                    at += 1;
                }
                None => {
                    let child = self.children.remove(at);
                    self.bury(child);
                }
            }
        }
    }

    fn hear_child(&mut self, at: usize, mut packet: Packet) {
        let blob = packet.blob.take();
        let Some(outcome) = Outcome::of(&packet) else { return };
        self.busy = Instant::now();
        let child = &mut self.children[at];
        match outcome {
            Outcome::Idle { pending, memory } => {
                (child.pending, child.memory, child.task) = (pending, memory, Task::None);
            }
            Outcome::Code { variant, functions, memory } => {
                child.memory = memory;
                let file = match blob {
                    Some(Blob::File(file, _)) => Ok(file),
                    Some(Blob::Inline(bytes)) => File::sealed(c"object", &[&bytes]),
                    None => return,
                };
                let ahead = matches!(child.task, Task::Ahead);
                let request = match child.task {
                    Task::Request(number) => {
                        child.task = Task::None;
                        Some(number)
                    }
                    _ => None,
                };
                let count = functions.iter().count() as u64;
                if ahead {
                    self.counters.ahead += count;
                }
                self.counters.compiled += count;
                let Ok(file) = file else {
                    let reason = "autojitd has no memory left".into();
                    return request.into_iter().for_each(|it| {
                        self.answer(it, &Message::Refused { reason: std::borrow::Cow::clone(&reason) }, None)
                    });
                };
                self.deliver(at, request, variant, functions, file);
            }
            Outcome::Failed(reason) => {
                if let Task::Request(number) = child.task {
                    child.task = Task::None;
                    // It may be the container that is damaged: the next one who asks sends his own.
                    if let Some(variant) = self.requests.get(&number).map(|request| request.variant) {
                        self.children[at].forget(&variant);
                        self.modules.forget(&variant.key);
                    }
                    self.counters.failed += 1;
                    self.answer(number, &Message::Failed { reason: reason.into() }, None);
                }
            }
        }
    }

    /// Hands out an object, and remembers it.
    fn deliver(
        &mut self,
        at: usize,
        request: Option<u64>,
        variant: Variant,
        functions: Functions,
        file: File,
    ) {
        let asked = request.and_then(|number| self.requests.get(&number));
        let everything = asked.is_some_and(|request| request.what == What::Everything);
        let kept = asked.is_none_or(|request| request.keep && !everything);
        if kept {
            self.children[at].pending = true;
        }
        if let Some(number) = request {
            self.answer(number, &Message::Code { kept }, Some(&file));
        }
        if everything {
            return;
        }
        let served: Vec<u64> = self
            .queue
            .iter()
            .filter(|number| {
                self.requests.get(number).is_some_and(|request| {
                    request.variant == variant
                        && matches!(request.what, What::Function(index) if functions.contains(index))
                })
            })
            .copied()
            .collect();
        for number in served {
            self.counters.shared += 1;
            self.answer(number, &Message::Code { kept }, Some(&file));
        }
        if request.is_some() {
            self.children.iter_mut().for_each(|child| child.inform(variant, &functions));
        }
        let Ok(len) = file.size() else { return };
        self.modules.insert(variant, functions, file, len, kept);
    }

    /// A compiler is gone. What it was doing is tried once more without what might have been the reason.
    fn bury(&mut self, child: Child) {
        let mut status = 0;
        // SAFETY: the kernel writes the status. A child that is not to be understood ends as well.
        unsafe {
            if libc::waitpid(child.process, &raw mut status, libc::WNOHANG) == 0 {
                libc::kill(child.process, libc::SIGKILL);
                libc::waitpid(child.process, &raw mut status, 0);
            }
        }
        self.counters.crashed += 1;
        let how = if libc::WIFSIGNALED(status) {
            format!("signal {}", libc::WTERMSIG(status))
        } else {
            format!("exit status {}", libc::WEXITSTATUS(status))
        };
        let Task::Request(number) = child.task else {
            return crate::say(format_args!("a compiler has ended: {how}"));
        };
        let Some(request) = self.requests.get_mut(&number) else { return };
        let function = match request.what {
            What::Function(index) => Some(index),
            What::Everything => None,
        };
        let what = self.modules.describe(&request.variant.key, function);
        crate::say(format_args!("a compiler has ended while it compiled {what}: {how}"));
        if !request.alone && function.is_some() {
            request.alone = true;
            self.queue.push_front(number);
        } else {
            let reason = format!("{what}: the compiler has ended: {how}");
            self.counters.failed += 1;
            self.answer(number, &Message::Failed { reason: reason.into() }, None);
        }
    }
}
