//! Tiers: optimised builds begin with code of the baseline compiler, which counts; what runs often is optimised meanwhile
//! (AUTOJIT_TIER).
//!
//! Receives counters that have run out; hands on functions whose code was replaced. Nothing is waited for: a request goes to
//! autojitd, and its answer is looked for when a counter runs out the next time. Where LLVM is to work in the process
//! (AUTOJIT_MODE=inprocess), or no daemon can be had, the thread whose counter has run out compiles. What was replaced
//! stays where it is: threads may be in it.
//!
//! Another thread may close a library at any time, but not one that a thread runs code of: only functions of the image whose
//! counter has run out are asked for and replaced, and those of the executable.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use autojit_baseline::Counting;
use autojit_code::lock::{ForkLock, Lock};
use autojit_trampoline::counter::Counter;
use autojit_trampoline::entry;

use crate::compile::compiler;
use crate::compile::daemon::{Gone, Talk};
use crate::compile::{batch, engine};
use crate::link::listeners::Listener;
use crate::platform::undisturbed::Undisturbed;
use crate::program::fork::Inside;
use crate::program::function::{Function, Tier};
use crate::program::image::Image;
use crate::program::process;
use crate::settings::failure::Failure;
use crate::settings::options::{self, Mode};
use crate::settings::stats;
use crate::sys;

/// How long a program has run before a daemon of its own is started.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the end of the process waits for one answer (AUTOJIT_TIER=wait).
const LAST_PATIENCE: Duration = Duration::from_secs(60);
/// How long an answer for an image waits for a thread that runs code of that, while others wait.
const OTHERS_PATIENCE: Duration = Duration::from_secs(1);
/// How often a daemon may be lost before it is given up.
const LOSSES: u32 = 2;

/// What the code of a function counts with. Lives for ever: a thread may be in the code.
#[repr(C)]
struct Counted {
    counter: Counter,
    function: &'static Function,
}

/// What is to be optimised.
struct Queue {
    /// Functions, and how often their counters have run out.
    wanted: Vec<(&'static Function, u32)>,
    talk: Option<Talk>,
    /// What the daemon was asked for, if its image is still there.
    asked: Option<&'static Function>,
    /// When that was.
    asked_at: Duration,
    losses: u32,
    since: Duration,
}

static QUEUE: Lock<Queue> = Lock::new(Queue {
    wanted: Vec::new(),
    talk: None,
    asked: None,
    asked_at: Duration::ZERO,
    losses: 0,
    since: Duration::ZERO,
});

/// Whether anything was ever wanted.
static USED: AtomicBool = AtomicBool::new(false);

/// A fork waits until the queue is not being changed.
pub static FORK_LOCK: &dyn ForkLock = &QUEUE;

/// In a child after a fork: its parent's connection is not for it.
pub fn after_fork_in_child() {
    QUEUE.lock().leave();
}

/// How the code of a function is to count.
pub fn counting(function: &'static Function) -> Counting {
    let (rounds, calls) = options::tier_thresholds();
    let counter = Counter::new(rounds - 1, entry::counter_address());
    let counted: &'static Counted = Box::leak(Box::new(Counted { counter, function }));
    let address = std::ptr::from_ref(counted) as u64;
    Counting { counter: address, entry: (rounds / calls).max(1), round: 1 }
}

/// A counter has run out.
///
/// # Safety
/// Only the trampoline may call it, for code with the counter of a [`Counted`].
pub unsafe extern "C" fn tripped(counter: *const Counter) {
    // The program must not notice: errno is as before when this is dropped.
    let _undisturbed = Undisturbed::new();
    let _inside = Inside::enter();
    // SAFETY: the caller's promise; it is the first field, and lives for ever.
    let counted = unsafe { &*counter.cast::<Counted>() };
    let (rounds, _) = options::tier_thresholds();
    counted.counter.restart(rounds - 1);
    process::notice_unloads();
    // Whichever thread is at it does the same.
    if let Some(mut queue) = QUEUE.try_lock() {
        queue.want(counted.function);
        queue.go_on(Some(counted.function.module().image()), Duration::ZERO);
    }
}

/// Whether the end of the process waits for what is wanted.
pub fn is_awaited() -> bool {
    options::tier() == options::Tier::Wait && USED.load(Relaxed)
}

/// Has everything replaced that is wanted, at the end of the process. The caller is inside the gate.
pub fn finish() {
    process::notice_unloads();
    let mut queue = QUEUE.lock();
    loop {
        let state = |queue: &Queue| (queue.wanted.len(), queue.asked.is_some(), queue.losses);
        let before = state(&queue);
        queue.go_on(None, LAST_PATIENCE);
        if state(&queue) == before {
            break;
        }
    }
}

/// Whether the image of a function stays while a thread is here that runs code of `current`.
fn stays(function: &Function, current: Option<&Image>) -> bool {
    let image = function.module().image();
    image.is_executable() || current.is_some_and(|current| std::ptr::eq(current, image))
}

impl Queue {
    /// Notes that a function runs often.
    fn want(&mut self, function: &'static Function) {
        if function.tier() != Tier::First || self.asked.is_some_and(|asked| std::ptr::eq(asked, function)) {
            return;
        }
        match self.wanted.iter_mut().find(|(known, _)| std::ptr::eq(*known, function)) {
            Some((_, times)) => *times += 1,
            None => {
                if self.since == Duration::ZERO {
                    self.since = sys::monotonic_time();
                }
                USED.store(true, Relaxed);
                stats::COUNTERS.tier_requests.add(1);
                self.wanted.push((function, 1));
            }
        }
    }

    /// The function that has run most often, of those that can be replaced by a thread that runs code of `current`.
    fn take(&mut self, current: Option<&Image>) -> Option<&'static Function> {
        self.wanted.retain(|(function, _)| function.tier() == Tier::First);
        let here = (0..self.wanted.len()).filter(|index| stays(self.wanted[*index].0, current));
        let most = here.max_by_key(|index| self.wanted[*index].1)?;
        Some(self.wanted.swap_remove(most).0)
    }

    /// Publishes what is there, and asks for more, as a thread that runs code of `current`. An answer is waited for as long
    /// as `limit`.
    fn go_on(&mut self, current: Option<&Image>, limit: Duration) {
        if compiler::mode() == Mode::Inprocess || self.losses >= LOSSES {
            while let Some(function) = self.take(current) {
                replaced(function, engine::get().api().and_then(|api| batch::replace_here(function, api)));
            }
            return;
        }
        if let Err(Gone(reason)) = self.talk(current, limit) {
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
        self.wanted.extend(self.asked.take().map(|function| (function, 1)));
    }

    fn talk(&mut self, current: Option<&Image>, limit: Duration) -> Result<(), Gone> {
        // Its module may be asked for.
        if self.asked.is_some_and(|function| !stays(function, current)) {
            if sys::monotonic_time() - self.asked_at < OTHERS_PATIENCE {
                return Ok(());
            }
            // The daemon keeps its answer for the next time.
            self.leave();
        }
        if self.talk.is_none() {
            // Programs that end at once start nothing.
            let spawn = limit > Duration::ZERO || sys::monotonic_time() - self.since > PATIENCE;
            match Talk::begin(spawn) {
                Ok(talk) => self.talk = Some(talk),
                Err(_) if !spawn => return Ok(()),
                Err(gone) => return Err(gone),
            }
        }
        let Some(talk) = &mut self.talk else { return Ok(()) };
        if let Some(answer) = talk.hear(limit)?
            && let Some(function) = self.asked.take()
        {
            replaced(function, answer.and_then(|code| batch::replace_with(function, code)));
        }
        if self.asked.is_none()
            && let Some(function) = self.take(current)
        {
            (self.asked, self.asked_at) = (Some(function), sys::monotonic_time());
            if let Some(talk) = &mut self.talk {
                talk.ask(function.module(), function.index(), None)?;
            }
        }
        Ok(())
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

/// Forgets what is wanted of an image that is gone.
#[derive(Debug)]
pub struct Tiers;

impl Listener for Tiers {
    fn unloaded(&self, image: &Image) {
        if !USED.load(Relaxed) {
            return;
        }
        let goes = |function: &Function| std::ptr::eq(function.module().image(), image);
        let mut queue = QUEUE.lock();
        if queue.asked.is_some_and(goes) {
            // The answer would come to something else.
            queue.leave();
        }
        queue.wanted.retain(|(function, _)| !goes(function));
    }
}
