//! Tiers: optimised builds begin with code of the baseline compiler, which counts; what runs often is optimised meanwhile
//! (AUTOJIT_TIER).
//!
//! Receives counters that have run out; hands on functions whose code was replaced. Nothing is waited for: a request goes to
//! autojitd, and its answer is looked for when a counter runs out the next time. Where LLVM is to work in the process
//! (AUTOJIT_MODE=inprocess), or no daemon can be had, the thread whose counter has run out compiles. What was replaced
//! stays where it is: threads may be in it. If such a thread comes round a loop often, what is left of the function from
//! there on is asked for as well, which then runs on the thread's frame (on-stack replacement).
//!
//! Another thread may close a library at any time, but not one that a thread runs code of: only functions of the image whose
//! counter has run out are asked for and replaced, and those of the executable.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use autojit_abi::StackMap;
use autojit_code::lock::{ForkLock, Lock};
use autojit_generator::Made;
use autojit_trampoline::counter::Counter;
use autojit_trampoline::entry::Frame;

use crate::compile::counted::{self, Counted, Loop};
use crate::compile::daemon::{Disconnected, Talk};
use crate::compile::ranked::Ranked;
use crate::compile::{baseline, batch, compiler, engine, modules, rest};
use crate::link::listeners::Listener;
use crate::platform::guards::ErrnoGuard;
use crate::program::fork::ForkGuard;
use crate::program::function::{Function, Tier};
use crate::program::image::Image;
use crate::program::process;
use crate::settings::failure::Failure;
use crate::settings::options::{self, Mode};
use crate::settings::stats;
use crate::sys;

/// How long a program has run before a daemon of its own is started.
const PATIENCE: Duration = Duration::from_millis(200);
/// The same if something is wanted that an earlier run had optimised, before it was edited: that will run for long again.
const PATIENCE_AGAIN: Duration = Duration::from_millis(20);
/// How soon a daemon that listens is looked for, and how soon again: programs that end at once ask for nothing.
const LOOKING: Duration = Duration::from_millis(10);
/// How long the end of the process waits for one answer (AUTOJIT_TIER=wait).
const LAST_PATIENCE: Duration = Duration::from_secs(60);
/// How long an answer for an image waits for a thread that runs code of that, while others wait.
const OTHERS_PATIENCE: Duration = Duration::from_secs(1);
/// So old the last request is before there is one more. A small function has its answer by then: the next is chosen as late as
/// possible. What is as large as an interpreter takes seconds, and holds up nothing if there is a processor for it.
const HELD_UP: Duration = Duration::from_millis(5);
/// How often a daemon may be lost before it is given up.
const LOSSES: u32 = 2;

/// Something that is to be optimised.
#[derive(Clone, Copy)]
enum Wish {
    /// A function, for calls to come.
    Function(&'static Function),
    /// What is left of a function from a loop on that a thread is in, whose function was replaced.
    Loop(&'static Loop),
}

/// Something that the daemon was asked for.
#[derive(Clone, Copy)]
struct Asked {
    wish: Wish,
    /// The number of the request.
    number: u32,
    /// When that was.
    at: Duration,
}

/// What is to be optimised.
struct Queue {
    wanted: Ranked<Wish>,
    talk: Option<Talk>,
    /// What the daemon was asked for and has not answered, in this order. The images are still there.
    asked: Vec<Asked>,
    /// How many that may be.
    most_asked: usize,
    losses: u32,
    since: Duration,
    /// When a daemon is to be looked for.
    look_at: Duration,
    /// Whether something is wanted that an earlier run had optimised.
    again: bool,
    /// Whether this is what is left behind of a process that has ended: no thread runs anything of it.
    behind: bool,
}

static QUEUE: Lock<Queue> = Lock::new(Queue {
    wanted: Ranked::new(),
    talk: None,
    asked: Vec::new(),
    most_asked: 1,
    losses: 0,
    since: Duration::ZERO,
    look_at: Duration::ZERO,
    again: false,
    behind: false,
});

/// The process that the queue is of. A child that shares the memory (vfork) is another, with descriptors of its own: what it
/// closes, as those do that start other programs, is not lost, and a daemon that it started would not be its parent's.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Whether anything was ever wanted.
static USED: AtomicBool = AtomicBool::new(false);

/// A fork waits until the queue is not being changed.
pub static FORK_LOCK: &dyn ForkLock = &QUEUE;

/// Notes the process, in which nothing has run.
pub fn begin() {
    PROCESS.store(sys::process_id(), Relaxed);
}

/// In a child after a fork: its parent's connection is not for it.
pub fn after_fork_in_child() {
    begin();
    QUEUE.lock().leave();
}

/// A counter has run out. Returns what a frame of the code goes on with, or 0.
///
/// # Safety
/// Only the trampoline may call it, for code with the counters of a [`Counted`].
pub unsafe extern "C" fn tripped(counter: *const Counter, frame: &Frame) -> usize {
    // Most often nothing comes of it, in short programs: that is to cost them little.
    // SAFETY: the caller's promise.
    if unsafe { Counted::counts_in_vain(counter) } {
        return 0;
    }
    // The program must not notice: errno is as before when this is dropped.
    let _errno = ErrnoGuard::new();
    let _fork_guard = ForkGuard::enter();
    // SAFETY: the caller's promise.
    let Some((counted, times, at)) = (unsafe { Counted::ran_out(counter) }) else { return 0 };
    if at.is_none()
        && let Some(newer) = counted.forward()
    {
        return newer;
    }
    if at.and_then(Loop::continuation).is_none() && PROCESS.load(Relaxed) == sys::process_id() {
        process::notice_unloads();
        // Whichever thread is at it does the same.
        if let Some(mut queue) = QUEUE.try_lock() {
            // SAFETY: the caller's promise.
            let whole = || unsafe { counted.optimised_with(at, frame) };
            match at {
                Some(at) if counted.is_replaced() => queue.want_loop(counted, at, times),
                Some(at) if counted.is_entered_seldom() => {
                    queue.want_loop(counted, at, times);
                    // Later runs begin with that.
                    if let Some(whole) = whole() {
                        queue.want(whole, 0);
                    }
                }
                _ => {
                    if let Some(whole) = whole() {
                        queue.want(whole, times);
                    }
                }
            }
            queue.go_on(Some(counted.function().module().image()), Duration::ZERO);
        }
    }
    let continuation = at.and_then(Loop::continuation);
    if continuation.is_some() {
        stats::COUNTERS.replaced_on_stack.add(1);
    }
    continuation.unwrap_or(0)
}

/// Has nothing optimised from now on, before the process gives up its right to the system calls that this takes. The caller
/// has a fork guard.
pub fn stop() {
    counted::stop();
    if USED.load(Relaxed) {
        let mut queue = QUEUE.lock();
        queue.leave();
        queue.wanted.clear();
    }
}

/// Whether the end of the process waits for what is wanted.
pub fn is_awaited() -> bool {
    options::tier() == options::Tier::Wait && USED.load(Relaxed)
}

/// Has everything replaced that is wanted, at the end of the process, and what was optimised for it written, so that the next
/// run begins with that. The caller has a fork guard.
pub fn finish() {
    process::notice_unloads();
    let mut queue = QUEUE.lock();
    queue.finish(Duration::MAX);
    if queue.asked.is_empty()
        && let Some(talk) = &mut queue.talk
        && let Err(Disconnected(reason)) = talk.save(LAST_PATIENCE)
    {
        log::info!("autojitd has not written what it has optimised: {reason}");
        queue.leave();
    }
}

/// What was not optimised.
pub struct Rest {
    /// For how long that has been known of something.
    pub since: Duration,
    /// Whether it is known what is to be optimised.
    pub is_known: bool,
}

/// Whether there may be something left at the end of the process. Takes no lock.
pub fn has_rest() -> bool {
    USED.load(Relaxed) || counted::youth().is_some()
}

/// What is left at the end of the process, if anything.
pub fn rest() -> Option<Rest> {
    let now = sys::monotonic_time();
    if !USED.load(Relaxed) {
        return counted::youth().map(|since| Rest { since, is_known: false });
    }
    let queue = QUEUE.lock();
    let mut wishes = queue.wanted.iter().chain(queue.asked.iter().map(|asked| asked.wish));
    let is_known = wishes.any(|wish| matches!(wish, Wish::Function(_)) && wish.is_open());
    is_known.then(|| Rest { since: now - queue.since, is_known })
}

/// In what is left behind of the process: has its rest optimised, within `limit`. Whether anything was.
pub fn finish_rest(limit: Duration) -> bool {
    let _fork_guard = ForkGuard::enter();
    let mut queue = QUEUE.lock();
    queue.behind = true;
    let before = stats::COUNTERS.optimized.get();
    queue.finish(limit);
    stats::COUNTERS.optimized.get() > before
}

/// Whether the image of a function stays while a thread is here that runs code of `current`.
fn stays(function: &Function, current: Option<&Image>) -> bool {
    let image = function.module().image();
    image.is_executable() || current.is_some_and(|current| std::ptr::eq(current, image))
}

impl Counted {
    /// What is to be optimised because code runs often, if anything. What optimisers put into everything that calls it is
    /// optimised there, as each call passes other things: alone only if that cannot be had, or the frame that calls it stays.
    ///
    /// # Safety
    /// `frame` is that of a counter of it that has run out, of the loop `at` or of entries.
    unsafe fn optimised_with(&'static self, at: Option<&Loop>, frame: &Frame) -> Option<&'static Self> {
        // SAFETY: the caller's promise.
        match unsafe { self.inlined_into(at, frame) } {
            Some(into) if Wish::Function(into.function()).is_open() => Some(into),
            Some(_) if self.has_run_out_seldom() => None,
            _ => Some(self),
        }
    }
}

impl Wish {
    /// The function that it is about.
    fn function(self) -> &'static Function {
        match self {
            Self::Function(function) => function,
            Self::Loop(at) => at.function(),
        }
    }

    fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Function(one), Self::Function(other)) => std::ptr::eq(one, other),
            (Self::Loop(one), Self::Loop(other)) => std::ptr::eq(one, other),
            _ => false,
        }
    }

    /// Whether nothing has come of it yet.
    fn is_open(self) -> bool {
        match self {
            Self::Function(function) => function.tier() == Tier::First,
            Self::Loop(at) => at.is_wanted(),
        }
    }

    /// Has it compiled in this process.
    fn fulfil_here(self) {
        let engine = engine::get().enter();
        match self {
            Self::Function(function) => {
                replaced(function, engine.and_then(|engine| batch::replace_here(function, engine)));
            }
            Self::Loop(at) => {
                let code =
                    engine.and_then(|engine| batch::continue_here(at.function(), &stack_map(at)?, engine));
                continued(at, code);
            }
        }
    }

    /// Takes autojitd's answer.
    fn fulfil_with(self, answer: Result<Made, Failure>) {
        match self {
            Self::Function(function) => {
                replaced(function, answer.and_then(|made| batch::replace_with(function, made)));
            }
            Self::Loop(at) => {
                continued(at, answer.and_then(|made| batch::continue_with(at.function(), made)));
            }
        }
    }
}

/// Where a frame that is in a loop has what is live.
fn stack_map(at: &Loop) -> Result<StackMap, Failure> {
    baseline::stack_map(at.function(), at.block())
}

impl Queue {
    /// Has all functions replaced that are wanted, as far as that comes within `limit`.
    fn finish(&mut self, limit: Duration) {
        // No loop goes on.
        self.wanted.retain(|wish| matches!(wish, Wish::Function(_)));
        let begin = sys::monotonic_time();
        let state = |queue: &Self| (queue.wanted.len(), queue.asked.len(), queue.losses);
        loop {
            let before = state(self);
            let left = limit.saturating_sub(sys::monotonic_time() - begin);
            if left.is_zero() {
                break;
            }
            self.go_on(None, left.min(LAST_PATIENCE));
            if state(self) == before {
                break;
            }
        }
    }

    /// Notes that a function runs often.
    fn want(&mut self, counted: &Counted, times: u32) {
        let function = counted.function();
        let wish = Wish::Function(function);
        if !wish.is_open() || !self.is_new(wish, times) {
            return;
        }
        // An earlier run may have had it optimised, of which an image pack knows nothing.
        modules::bind_optimised(function.module());
        if !wish.is_open() {
            rest::note_found();
        } else {
            if self.since == Duration::ZERO {
                self.since = sys::monotonic_time();
                self.look_at = self.since + LOOKING;
            }
            USED.store(true, Relaxed);
            stats::COUNTERS.tier_requests.add(1);
            if function.is_expected_often() {
                stats::COUNTERS.wanted_again.add(1);
                self.again = true;
            }
            self.wanted.add(wish, times, counted.size());
        }
    }

    /// Notes that a loop goes round often in code that was replaced.
    fn want_loop(&mut self, counted: &Counted, at: &'static Loop, times: u32) {
        let wish = Wish::Loop(at);
        if counted.want(at) || (at.is_wanted() && self.is_new(wish, times)) {
            self.wanted.add(wish, times, counted.size());
        }
    }

    /// Whether a wish is not known yet; counts it otherwise.
    fn is_new(&mut self, wish: Wish, times: u32) -> bool {
        let known = self.wanted.count(|known| known.is(wish), times);
        !known && !self.asked.iter().any(|asked| asked.wish.is(wish))
    }

    /// What is most rewarding, of those that can be replaced by a thread that runs code of `current`.
    fn take(&mut self, current: Option<&Image>) -> Option<Wish> {
        self.wanted.retain(Wish::is_open);
        let behind = self.behind;
        self.wanted.take(|wish| behind || stays(wish.function(), current))
    }

    /// Publishes what is there, and asks for more, as a thread that runs code of `current`. An answer is waited for as long
    /// as `limit`.
    fn go_on(&mut self, current: Option<&Image>, limit: Duration) {
        if compiler::mode() == Mode::Inprocess || self.losses >= LOSSES {
            // LLVM needs the C library, whose locks other threads may have had.
            if self.behind {
                self.wanted.clear();
            }
            while let Some(wish) = self.take(current) {
                wish.fulfil_here();
            }
            return;
        }
        if let Err(Disconnected(reason)) = self.talk(current, limit) {
            log::info!("optimising without autojitd: {reason}");
            self.losses += 1;
            self.leave();
        }
    }

    /// Ends the conversation. What was asked for is to be asked for again.
    fn leave(&mut self) {
        if let Some(talk) = self.talk.take() {
            talk.end();
        }
        for asked in std::mem::take(&mut self.asked) {
            self.wanted.add(asked.wish, 1, 0);
        }
    }

    fn talk(&mut self, current: Option<&Image>, limit: Duration) -> Result<(), Disconnected> {
        // Its module may be asked for.
        let goes = |asked: &&Asked| !stays(asked.wish.function(), current);
        if !self.behind
            && let Some(of_others) = self.asked.iter().find(goes)
        {
            if sys::monotonic_time() - of_others.at < OTHERS_PATIENCE {
                return Ok(());
            }
            // The daemon keeps its answer for the next time.
            self.leave();
        }
        if self.talk.is_none() {
            // Programs that end at once start nothing.
            let now = sys::monotonic_time();
            let patience = if self.again { PATIENCE_AGAIN } else { PATIENCE };
            let spawn = limit > Duration::ZERO || now - self.since > patience;
            if !spawn && now < self.look_at {
                return Ok(());
            }
            self.look_at = now + LOOKING;
            match Talk::begin(spawn) {
                Ok(talk) => (self.talk, self.most_asked) = (Some(talk), options::tier_requests()),
                Err(_) if !spawn => return Ok(()),
                Err(gone) => return Err(gone),
            }
        }
        self.hear(limit)?;
        while self.may_ask(limit)
            && let Some(wish) = self.take(current)
        {
            let map = match wish {
                Wish::Function(_) => None,
                Wish::Loop(at) => match stack_map(at).and_then(|map| batch::encode(&map)) {
                    Ok(map) => Some(map),
                    Err(failure) => {
                        continued(at, Err(failure));
                        continue;
                    }
                },
            };
            let (function, at) = (wish.function(), sys::monotonic_time());
            // Should the daemon be gone, it is to be asked for again.
            self.asked.push(Asked { wish, number: 0, at });
            if let Some(talk) = &mut self.talk
                && let Some(asked) = self.asked.last_mut()
            {
                asked.number = talk.ask(function.module(), function.index(), map)?;
            }
        }
        Ok(())
    }

    /// Publishes what the daemon has answered. The first answer is waited for as long as `limit`.
    fn hear(&mut self, limit: Duration) -> Result<(), Disconnected> {
        let mut limit = limit;
        while let Some(talk) = &mut self.talk
            && let Some((number, answer)) = talk.hear(limit)?
        {
            limit = Duration::ZERO;
            if let Some(at) = self.asked.iter().position(|asked| asked.number == number) {
                self.asked.remove(at).wish.fulfil_with(answer);
            }
        }
        Ok(())
    }

    /// Whether the daemon is to be asked for more before it has answered what it was asked for. If that is waited for, yes.
    fn may_ask(&self, limit: Duration) -> bool {
        let Some(last) = self.asked.last() else { return true };
        self.asked.len() < self.most_asked
            && (limit > Duration::ZERO || sys::monotonic_time() - last.at > HELD_UP)
    }
}

/// What has become of the wish to replace a function's code.
fn replaced(function: &'static Function, result: Result<(), Failure>) {
    match result {
        Ok(()) if function.tier() == Tier::Last => {}
        // Nothing better comes.
        Ok(()) => function.keep_first(),
        Err(failure) => {
            let (name, source) = (function.info().name, function.module().source());
            log::info!("{name} of {source} is not optimised: {failure}");
            function.keep_first();
        }
    }
}

/// What has become of the wish to continue a loop elsewhere.
fn continued(at: &Loop, result: Result<usize, Failure>) {
    if let Err(failure) = &result {
        let (function, block) = (at.function(), at.block());
        let (name, source) = (function.info().name, function.module().source());
        log::info!("{name} of {source} is not continued at its block {block}: {failure}");
    }
    at.answer(result.ok());
}

/// Forgets requests for functions of an image that is gone.
#[derive(Debug)]
pub struct Tiers;

impl Listener for Tiers {
    fn unloaded(&self, image: &Image) {
        counted::forget(image);
        if !USED.load(Relaxed) {
            return;
        }
        let goes = |function: &Function| std::ptr::eq(function.module().image(), image);
        let mut queue = QUEUE.lock();
        if queue.asked.iter().any(|asked| goes(asked.wish.function())) {
            // The answer would come to something else.
            queue.leave();
        }
        queue.wanted.retain(|wish| !goes(wish.function()));
    }
}
