//! What code of the first tier counts with, and the loops that it may leave for better code.
//!
//! Receives the loops of such code and where its counters lie; hands on, for a counter that has run out, the function and the
//! loop that it is of. All of it lives for ever: a thread may be in the code.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

use autojit_baseline::LoopHeader;
use autojit_trampoline::counter::{Counter, Counters};
use autojit_trampoline::entry;

use crate::program::function::{Function, Tier};
use crate::settings::options;

/// Code of one function.
pub struct Counted {
    function: &'static Function,
    /// Its loops; their counters follow that of entries.
    loops: Box<[Loop]>,
    /// Where it begins.
    code: OnceLock<usize>,
    /// How often counters of it have run out.
    trips: AtomicU32,
}

/// A loop of the code.
pub struct Loop {
    function: &'static Function,
    header: LoopHeader,
    /// [`NEW`], [`WANTED`], [`REFUSED`], or the address of what continues it.
    continuation: AtomicUsize,
    /// Its counter, once that has run out.
    counter: AtomicUsize,
}

/// Nothing was asked for.
const NEW: usize = 0;
/// Something was.
const WANTED: usize = 1;
/// It cannot be had.
const REFUSED: usize = 2;

/// Counters run out at this multiple of the thresholds in the end, as a power of two: what is wanted is known then, and each
/// time costs as much as some hundred calls.
const SELDOM: u32 = 6;
/// The same for loops, whose thresholds are larger.
const SELDOM_LOOPS: u32 = 3;

impl Counted {
    /// For the code of a function, with the loops that it has, and the bytes that its counters begin with.
    pub fn of(function: &'static Function, loops: &[LoopHeader]) -> (&'static Self, Vec<u8>) {
        let (rounds, calls) = options::tier_thresholds();
        let of = |header: &LoopHeader| Loop {
            function,
            header: *header,
            continuation: AtomicUsize::new(NEW),
            counter: AtomicUsize::new(0),
        };
        let (code, trips) = (OnceLock::new(), AtomicU32::new(0));
        let counted = Self { function, loops: loops.iter().map(of).collect(), code, trips };
        let counted: &'static Self = Box::leak(Box::new(counted));
        let mut left = vec![rounds - 1; 1 + loops.len()];
        left[0] = calls - 1;
        (counted, Counters::bytes(std::ptr::from_ref(counted) as usize, &left, entry::counter_address()))
    }

    /// The one of which a counter has run out, which begins again; how much that stands for; and the loop that the counter is
    /// of.
    ///
    /// # Safety
    /// It is a counter of one.
    pub unsafe fn ran_out(counter: *const Counter) -> (&'static Self, u32, Option<&'static Loop>) {
        // SAFETY: the caller's promise; counters stay as long as their code, and what they are of for ever.
        let (counter, owner) = unsafe { (&*counter, Counters::of(counter).owner()) };
        // SAFETY: `of` has written it.
        let counted = unsafe { &*(owner as *const Self) };
        let (rounds, calls) = options::tier_thresholds();
        let trips = counted.trips.fetch_add(1, Relaxed);
        let at = counter.number().checked_sub(1).and_then(|number| counted.loops.get(number as usize));
        let (threshold, seldom) = if at.is_some() { (rounds, SELDOM_LOOPS) } else { (calls, SELDOM) };
        counter.restart(threshold.saturating_mul(1 << trips.min(seldom)) - 1);
        if let Some(at) = at {
            at.counter.store(std::ptr::from_ref(counter) as usize, SeqCst);
        }
        (counted, 1 << trips.saturating_sub(1).min(seldom), at)
    }

    /// Notes where the code is to lie, before it runs.
    pub fn note_code(&self, start: usize) {
        let _ = self.code.set(start);
    }

    /// Whose code it is.
    pub fn function(&self) -> &'static Function {
        self.function
    }

    /// Whether other code has replaced it.
    pub fn is_replaced(&self) -> bool {
        // What is kept for good is the last tier, too.
        self.function.tier() == Tier::Last
            && self.code.get().is_some_and(|start| self.function.code() != Some(*start))
    }
}

impl Loop {
    /// The function that it is in.
    pub fn function(&self) -> &'static Function {
        self.function
    }

    /// Its header among the blocks of the function.
    pub fn block(&self) -> u32 {
        self.header.block
    }

    /// What continues it.
    pub fn continuation(&self) -> Option<usize> {
        Some(self.continuation.load(SeqCst)).filter(|code| *code > REFUSED)
    }

    /// Notes what continues it; None if that cannot be had: then it is counted no more.
    pub fn answer(&self, continuation: Option<usize>) {
        self.continuation.store(continuation.unwrap_or(REFUSED), SeqCst);
        if continuation.is_none() {
            self.retire();
        }
    }

    fn retire(&self) {
        let counter = self.counter.load(SeqCst) as *const Counter;
        // SAFETY: null, or a counter of code of an image that is there: that of the thread whose counter has run out, or
        // the executable (`tier`).
        if let Some(counter) = unsafe { counter.as_ref() } {
            counter.retire();
        }
    }

    /// Whether it is to be asked for, as nothing was so far.
    pub fn want(&self) -> bool {
        self.header.left && self.continuation.compare_exchange(NEW, WANTED, SeqCst, SeqCst).is_ok()
    }

    /// Whether an answer is waited for.
    pub fn is_wanted(&self) -> bool {
        self.continuation.load(SeqCst) == WANTED
    }
}
