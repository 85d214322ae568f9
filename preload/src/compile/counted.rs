//! What code of the first tier counts with, and the loops that it may leave for better code.
//!
//! Receives where such code lies and what the baseline compiler tells of its loops; hands on, for the address that the call
//! of a counter which has run out returns to, the loop that the thread is in. All of it lives for ever: a thread may be in the
//! code.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use autojit_baseline::{Counting, LoopHeader};
use autojit_trampoline::counter::Counter;
use autojit_trampoline::entry;

use crate::program::function::{Function, Tier};
use crate::settings::options;

/// Of one function.
#[repr(C)]
pub struct Counted {
    counter: Counter,
    function: &'static Function,
    /// Where its code begins, and its loops, by what their calls return to.
    code: OnceLock<(usize, Box<[Loop]>)>,
}

const _: () = assert!(std::mem::offset_of!(Counted, counter) == 0);

/// A loop of the code.
pub struct Loop {
    counted: &'static Counted,
    header: LoopHeader,
    /// [`NEW`], [`WANTED`], [`REFUSED`], or the address of what continues it.
    continuation: AtomicUsize,
}

/// Nothing was asked for.
const NEW: usize = 0;
/// Something was.
const WANTED: usize = 1;
/// It cannot be had.
const REFUSED: usize = 2;

impl Counted {
    /// For the code of a function that is about to be made.
    pub fn of(function: &'static Function) -> &'static Self {
        let (rounds, _) = options::tier_thresholds();
        let counter = Counter::new(rounds - 1, entry::counter_address());
        Box::leak(Box::new(Self { counter, function, code: OnceLock::new() }))
    }

    /// The one whose counter has run out, which begins again.
    ///
    /// # Safety
    /// It is the counter of one.
    pub unsafe fn ran_out(counter: *const Counter) -> &'static Self {
        let (rounds, _) = options::tier_thresholds();
        // SAFETY: the caller's promise; it is the first field, and lives for ever.
        let counted = unsafe { &*counter.cast::<Self>() };
        counted.counter.restart(rounds - 1);
        counted
    }

    /// How the code is to count.
    pub fn counting(&self) -> Counting {
        let (rounds, calls) = options::tier_thresholds();
        let counter = std::ptr::from_ref(self) as u64;
        Counting { counter, entry: (rounds / calls).max(1), round: 1 }
    }

    /// Notes where the code is to lie, before it runs, and its loops.
    pub fn note_code(&'static self, start: usize, loops: &[LoopHeader]) {
        let continuation = || AtomicUsize::new(NEW);
        let of = |header: &LoopHeader| Loop { counted: self, header: *header, continuation: continuation() };
        let _ = self.code.set((start, loops.iter().map(of).collect()));
    }

    /// Whose code it is.
    pub fn function(&self) -> &'static Function {
        self.function
    }

    /// Whether other code has replaced it.
    pub fn is_replaced(&self) -> bool {
        // What is kept for good is the last tier, too.
        self.function.tier() == Tier::Last
            && self.code.get().is_some_and(|(start, _)| self.function.code() != Some(*start))
    }

    /// The loop in whose header a call returns to this address.
    pub fn loop_at(&'static self, returns_to: usize) -> Option<&'static Loop> {
        let (start, loops) = self.code.get()?;
        let offset = u32::try_from(returns_to.checked_sub(*start)?).ok()?;
        let found = loops.binary_search_by_key(&offset, |it| it.header.returns).ok()?;
        loops.get(found)
    }
}

impl Loop {
    /// The function that it is in.
    pub fn function(&self) -> &'static Function {
        self.counted.function
    }

    /// How the code counts, and its header.
    pub fn place(&self) -> (Counting, u32) {
        (self.counted.counting(), self.header.block)
    }

    /// What continues it.
    pub fn continuation(&self) -> Option<usize> {
        Some(self.continuation.load(SeqCst)).filter(|code| *code > REFUSED)
    }

    /// Notes what continues it; None if that cannot be had.
    pub fn answer(&self, continuation: Option<usize>) {
        self.continuation.store(continuation.unwrap_or(REFUSED), SeqCst);
    }

    /// Whether it is to be asked for, as nothing was so far.
    pub fn want(&self) -> bool {
        self.continuation.compare_exchange(NEW, WANTED, SeqCst, SeqCst).is_ok()
    }

    /// Whether an answer is waited for.
    pub fn is_wanted(&self) -> bool {
        self.continuation.load(SeqCst) == WANTED
    }
}
