//! What code of the first tier counts with, and the loops that it may leave for better code.
//!
//! Receives where counters lie of code that is about to run, made just now ([`begin`]) or kept in a file ([`begin_kept`]);
//! hands on, for a counter that has run out, the function and the loop that it is of. Of kept code that is looked up
//! then: most functions run seldom. All of it lives for ever: a thread may be in the code.

use std::fmt;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst,
};
use std::time::Duration;

use autojit_baseline::LoopHeader;
use autojit_code::unit::{CountersAt, Segment, Table, UnitFunction};
use autojit_code::{Code, Symbol};
use autojit_store::FunctionKind;
use autojit_trampoline::counter::{self, Counter, Counters};
use autojit_trampoline::entry::Frame;

use crate::compile::rest;
use crate::link::publish::Claim;
use crate::program::function::{Function, Tier};
use crate::program::image::Image;
use crate::program::module::Module;
use crate::program::symbols;
use crate::settings::options;
use crate::sys;

/// Code of one function.
pub struct Counted {
    function: &'static Function,
    counters: &'static Counters,
    each: &'static [Counter],
    /// Its loops; their counters follow that of entries.
    loops: Box<[Loop]>,
    /// Where it begins.
    code: usize,
    /// Its size in bytes.
    size: u32,
    /// How often counters of it have run out.
    trips: AtomicU32,
    /// Its image was not unloaded.
    is_there: AtomicBool,
    /// What has called it, when that was looked up last.
    caller: AtomicPtr<Counted>,
    /// The next of [`MADE`].
    next: AtomicPtr<Counted>,
}

/// A loop of the code.
pub struct Loop {
    /// The function whose body has it.
    function: &'static Function,
    header: LoopHeader,
    counter: &'static Counter,
    /// [`NEW`], [`WANTED`], [`REFUSED`], or the address of what continues it.
    continuation: AtomicUsize,
    /// How often its counter has run out while another loop of the function was asked for.
    passed: AtomicU32,
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

/// Entries of a function like `main`.
const ONCE: i32 = 1;

/// How often the counter of a loop runs out before it is asked for, if another loop of the function was: the frame leaves its
/// code there as soon as it comes round. Interpreters have as many loops as instructions.
const PASSED: u32 = 8;

/// Through so many callers the one is looked for that functions are put into.
const DEEPEST: u32 = 32;

/// The thresholds of rounds and calls for which counters are made: code is kept with them. These are the usual ones, so that
/// nothing need be written to use it.
const MADE_FOR: (i32, i32) = (20_000, counter::CALLS);

/// So many rounds code counts by itself: what a call of a function loses is little beside [`counter::CALLS`] of it, and what a step
/// costs little beside its rounds.
const STEP: u16 = 128;

const _: () = assert!(Counter::STEP == LoopHeader::STEP as usize);

/// The counters of code with these loops, and whether optimisers put the function into everything that calls it.
pub fn bytes(loops: &[LoopHeader], inlined: bool) -> Vec<u8> {
    let (rounds, calls) = MADE_FOR;
    let loops = loops.iter().map(|header| (header.block, header.left));
    Counters::bytes((calls - 1, inlined), (rounds - 1, STEP), loops)
}

/// Has counters run out as the options say.
fn arm(all: &Counters, each: &[Counter]) {
    if options::tier_thresholds() != MADE_FOR {
        let (rounds, _) = options::tier_thresholds();
        all.set_step((rounds / i32::from(STEP)).clamp(1, i32::from(STEP)) as u16);
        each.iter().for_each(arm_again);
    }
}

/// Has a counter begin again.
fn arm_again(counter: &Counter) {
    let (rounds, calls) = options::tier_thresholds();
    counter.restart(if counter.number() == 0 { calls } else { rounds } - 1);
}

/// The counters of a unit whose data is at `data`.
///
/// # Safety
/// They are there, and stay.
unsafe fn counters(data: usize, at: CountersAt) -> (&'static Counters, &'static [Counter]) {
    // SAFETY: the caller's promise.
    unsafe { Counters::at(data + at.offset as usize, at.count as usize) }
}

/// The code of `function` is complete, which has just been made, and counts at `at`.
///
/// # Safety
/// It does, and the code stays as long as the function's image.
pub unsafe fn begin(function: &'static Function, code: &Code, definition: &UnitFunction<'_>, at: CountersAt) {
    let data = code.segments[Segment::Data as usize];
    // SAFETY: the caller's promise.
    let (all, each) = unsafe { counters(data, at) };
    arm(all, each);
    let start = code.text.start + definition.offset as usize;
    let counted = Counted::new((function, function), (start, definition.size), all, each);
    let counted = Box::leak(Box::new(counted));
    all.set_owner(ptr::from_ref(counted) as usize);
    add(&MADE, counted, |counted, next| counted.next.store(next, Relaxed));
    if STOPPED.load(SeqCst) {
        counted.stop();
    }
}

/// Code that this process has made, the newest first.
static MADE: AtomicPtr<Counted> = AtomicPtr::new(ptr::null_mut());

/// Puts an entry in front of a list, by way of what links it with the one that was the first.
fn add<T>(list: &AtomicPtr<T>, entry: &'static T, link: impl Fn(&T, *mut T)) {
    let new = ptr::from_ref(entry).cast_mut();
    let mut head = list.load(SeqCst);
    loop {
        link(entry, head);
        match list.compare_exchange_weak(head, new, SeqCst, SeqCst) {
            Ok(_) => break,
            Err(now) => head = now,
        }
    }
}

/// The code that counts and has an address, if it is of an image that is there.
fn with_code(address: usize) -> Option<&'static Counted> {
    let made = all_made().find(|made| made.has(address));
    made.or_else(|| {
        let here = |kept: &&Kept| kept.is_there.load(SeqCst) && kept.text.contains(&address);
        let kept = all_kept().find(here)?;
        kept.of(&kept.functions.with_code((address - kept.text.start) as u32)?)
    })
}

/// Whether nothing is counted any more.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// From now on nothing is counted: a counter that runs out makes system calls, and the process may give up its right to
/// those. What was replaced stays so.
pub fn stop() {
    STOPPED.store(true, SeqCst);
    all_made().filter(|made| made.is_there.load(SeqCst)).for_each(Counted::stop);
    all_kept().filter(|kept| kept.is_there.load(SeqCst)).for_each(Kept::stop);
}

/// Which function a number of a unit is: the module, and the index in it. None also if the unit's table of functions must
/// be wrong, which says of it what comes first.
pub type Whose = Box<dyn Fn(u32, &UnitFunction<'_>) -> Option<(&'static Module, u32)> + Send + Sync>;

/// Code of a file.
struct Kept {
    image: *const Image,
    /// Its image was not unloaded.
    is_there: AtomicBool,
    text: Range<usize>,
    data: Range<usize>,
    functions: Table<'static, UnitFunction<'static>>,
    whose: Whose,
    next: AtomicPtr<Kept>,
}

/// How long kept code counts in vain, of the processors' time: programs that end at once are not to pay for what they would gain
/// later, however busy the machine is.
const YOUTH: Duration = Duration::from_millis(10);

/// So many counters of entries at most begin again in vain until the time is looked at once more, which takes system calls.
const MOST_PASSES: i32 = 64;
/// They are more each time if so little of the processors' time has gone by.
const OFTEN: Duration = Duration::from_micros(250);

/// When a counter of kept code has run out for the first time, in nanoseconds of the processors' time; 0 if none has.
static SINCE: AtomicU64 = AtomicU64::new(0);

/// Whether a counter of kept code is to begin again, and nothing else. A process that sets thresholds, or waits, is to
/// have it now.
fn is_young() -> bool {
    if options::tier() == options::Tier::Wait || options::tier_thresholds() != MADE_FOR {
        return false;
    }
    let now = sys::processor_time().as_nanos() as u64;
    let since = SINCE.compare_exchange(0, now, SeqCst, SeqCst).err();
    if since.is_none() {
        GROWN.store(rest::look(), SeqCst);
    }
    let is_young =
        !GROWN.load(SeqCst) && since.is_none_or(|since| now.saturating_sub(since) < YOUTH.as_nanos() as u64);
    /// How many were let pass when the time was looked at last, and when that was.
    static LAST: (AtomicI32, AtomicU64) = (AtomicI32::new(0), AtomicU64::new(0));
    let elapsed = Duration::from_nanos(now.saturating_sub(LAST.1.swap(now, Relaxed)));
    let next = if is_young { passes(LAST.0.load(Relaxed), elapsed) } else { 0 };
    LAST.0.store(next, Relaxed);
    counter::let_pass(next);
    is_young
}

/// How many counters begin again before the time is looked at once more, if the last ones, of which there were `last`, took so long.
fn passes(last: i32, elapsed: Duration) -> i32 {
    if elapsed < OFTEN { (2 * last).clamp(1, MOST_PASSES) } else { last / 4 }
}

/// Whether kept code of this process need not count in vain: enough of it was run by short programs.
static GROWN: AtomicBool = AtomicBool::new(false);

/// For how long counters of kept code have run out, if that is so short a time that nothing has come of it.
pub fn youth() -> Option<Duration> {
    let since = Some(SINCE.load(SeqCst)).filter(|since| *since != 0).map(Duration::from_nanos)?;
    let youth = sys::processor_time().saturating_sub(since);
    (!GROWN.load(SeqCst) && youth < YOUTH).then_some(youth)
}

/// All of it, the newest first.
static KEPT: AtomicPtr<Kept> = AtomicPtr::new(ptr::null_mut());

/// Code of a file is complete; `functions` of it may count, and are `whose`. They are looked at when a counter has run out.
///
/// # Safety
/// What the functions say of their counters is so as far as it is within the data; the code stays as long as the image.
pub unsafe fn begin_kept(
    image: &Image,
    code: &Code,
    functions: Table<'static, UnitFunction<'static>>,
    whose: Whose,
) {
    let start = code.segments[Segment::Data as usize];
    let kept = Kept {
        image,
        is_there: AtomicBool::new(true),
        text: code.text.clone(),
        data: start..start + code.bytes[2],
        functions,
        whose,
        next: AtomicPtr::default(),
    };
    if options::tier_thresholds() != MADE_FOR {
        kept.counters().for_each(|(all, each)| arm(all, each));
    }
    let kept = Box::leak(Box::new(kept));
    add(&KEPT, kept, |kept, next| kept.next.store(next, Relaxed));
    if STOPPED.load(SeqCst) {
        kept.stop();
    }
}

/// Forgets code of an image that is gone.
pub fn forget(image: &Image) {
    all_kept().filter(|kept| ptr::eq(kept.image, image)).for_each(|kept| kept.is_there.store(false, SeqCst));
    let of_image = |made: &&Counted| ptr::eq(made.function.module().image(), image);
    all_made().filter(of_image).for_each(|made| made.is_there.store(false, SeqCst));
}

fn all_kept() -> impl Iterator<Item = &'static Kept> {
    all(&KEPT, |kept| &kept.next)
}

fn all_made() -> impl Iterator<Item = &'static Counted> {
    all(&MADE, |made| &made.next)
}

/// The entries of a list.
fn all<T: 'static>(
    list: &AtomicPtr<T>,
    next: impl Fn(&'static T) -> &'static AtomicPtr<T>,
) -> impl Iterator<Item = &'static T> {
    // SAFETY: null, or an entry that was added; entries live for ever.
    let entry = |entry: &AtomicPtr<T>| unsafe { entry.load(SeqCst).as_ref() };
    std::iter::successors(entry(list), move |at| entry(next(at)))
}

impl Kept {
    /// The counters of each function that has some.
    fn counters(&self) -> impl Iterator<Item = (&'static Counters, &'static [Counter])> {
        let at = self.functions.iter().filter_map(|function| function.counters);
        // SAFETY: `begin_kept`'s caller has promised it.
        at.filter(|at| at.is_within(self.data.len())).map(|at| unsafe { counters(self.data.start, at) })
    }

    /// See [`stop`].
    fn stop(&self) {
        self.counters().flat_map(|(_, each)| each).for_each(Counter::retire_unless_replaced);
    }

    /// What a counter at this address is of, if it is one of the code's.
    fn counted(&self, counter: usize) -> Option<&'static Counted> {
        self.of(&self.functions.with_counter((counter - self.data.start) as u32)?)
    }

    /// What is known of a function of the code.
    fn of(&self, definition: &UnitFunction<'_>) -> Option<&'static Counted> {
        let at = definition.counters.filter(|at| at.is_within(self.data.len()))?;
        let code = self.text.start.checked_add(definition.offset as usize)?;
        let Symbol::Function(number) = definition.symbol else { return None };
        let (module, index) = (self.whose)(number, definition).filter(|_| self.text.contains(&code))?;
        // Code of an image pack runs without its container, which may be gone by now.
        module.open().ok()?;
        let own = module.function(index)?;
        if own.kind().0 == FunctionKind::Stub {
            module.image().adopt_slot(own, u32::MAX);
        }
        // Most often naming it has published its code.
        let function = if own.kind().0 == FunctionKind::Stub { own } else { symbols::chosen(own)? };
        if function.claim() {
            Claim::of(function, definition).publish(self.text.start, self.data.start);
        }
        // SAFETY: `begin_kept`'s caller has promised it.
        let (all, each) = unsafe { counters(self.data.start, at) };
        let new = Box::into_raw(Box::new(Counted::new((function, own), (code, definition.size), all, each)));
        let owner = all.set_owner(new as usize) as *mut Counted;
        if owner != new {
            // Another thread was quicker.
            // SAFETY: it came from Box::into_raw, and nothing else refers to it.
            drop(unsafe { Box::from_raw(new) });
        }
        // SAFETY: what this or another thread has set here: one of them, which live for ever.
        Some(unsafe { &*owner })
    }
}

impl Counted {
    /// For code at an address, of a size, by the function whose code it is, and the one whose body it was made of.
    fn new(
        (function, own): (&'static Function, &'static Function),
        (code, size): (usize, u32),
        counters: &'static Counters,
        each: &'static [Counter],
    ) -> Self {
        let of = |counter: &'static Counter| match counter.of() {
            counter::Counted::Entries { .. } => None,
            counter::Counted::Loop { block, left } => Some(Loop {
                function: own,
                header: LoopHeader { block, left },
                counter,
                continuation: AtomicUsize::new(NEW),
                passed: AtomicU32::new(0),
            }),
        };
        let loops = each.iter().filter_map(of).collect();
        Self {
            function,
            counters,
            each,
            loops,
            code,
            size,
            trips: AtomicU32::new(0),
            is_there: AtomicBool::new(true),
            caller: AtomicPtr::default(),
            next: AtomicPtr::default(),
        }
    }

    /// See [`stop`].
    fn stop(&self) {
        self.each.iter().for_each(Counter::retire_unless_replaced);
    }

    /// Whether a counter that has run out [counts in vain](YOUTH). It begins again then; no lock is taken for that.
    ///
    /// # Safety
    /// It is a counter of code that was begun.
    pub unsafe fn counts_in_vain(counter: *const Counter) -> bool {
        // SAFETY: the caller's promise; counters stay as long as their code.
        let (this, all) = unsafe { (&*counter, Counters::of(counter)) };
        // What the first one of the process looks up takes more.
        let in_vain = SINCE.load(SeqCst) != 0 && all.owner().is_none() && is_young();
        if in_vain {
            arm_again(this);
        }
        in_vain
    }

    /// The one of which a counter has run out, which begins again; how many calls or rounds that stands for, which weigh the
    /// same; and the loop that the counter is of. None if nothing comes of it, now or ever.
    ///
    /// # Safety
    /// It is a counter of code that was begun.
    pub unsafe fn ran_out(counter: *const Counter) -> Option<(&'static Self, u32, Option<&'static Loop>)> {
        // SAFETY: the caller's promise; counters stay as long as their code.
        let (this, all) = unsafe { (&*counter, Counters::of(counter)) };
        let counted = match all.owner() {
            // SAFETY: `begin` or `counted` has set it.
            Some(owner) => Some(unsafe { &*(owner as *const Self) }),
            None if is_young() => {
                arm_again(this);
                return None;
            }
            None => {
                let address = counter as usize;
                let here = |kept: &&Kept| kept.is_there.load(SeqCst) && kept.data.contains(&address);
                all_kept().find(here).and_then(|kept| kept.counted(address))
            }
        };
        let Some(counted) = counted else {
            this.retire();
            return None;
        };
        let (rounds, calls) = options::tier_thresholds();
        let trips = counted.trips.fetch_add(1, Relaxed);
        let at = this.number().checked_sub(1).and_then(|number| counted.loops.get(number as usize));
        let (threshold, seldom) = if at.is_some() { (rounds, SELDOM_LOOPS) } else { (calls, SELDOM) };
        this.restart(threshold.saturating_mul(1 << trips.min(seldom)) - 1);
        let events = threshold.saturating_mul(1 << trips.saturating_sub(1).min(seldom));
        Some((counted, events as u32, at))
    }

    /// Whose code it is.
    pub fn function(&self) -> &'static Function {
        self.function
    }

    /// The size of the code.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The code that has replaced it.
    fn newer(&self) -> Option<usize> {
        // What is kept for good is the last tier, too.
        let last = self.function.tier() == Tier::Last;
        self.function.code().filter(|code| last && *code != self.code)
    }

    /// Whether other code has replaced it.
    pub fn is_replaced(&self) -> bool {
        self.newer().is_some()
    }

    /// Whether the function was entered [once](ONCE): what its loops lead on to matters more than the next call.
    pub fn is_entered_seldom(&self) -> bool {
        let (_, calls) = options::tier_thresholds();
        self.each.first().is_some_and(|entries| calls - 1 - entries.left() == ONCE)
    }

    /// Whether an address lies in the code, of an image that is there.
    fn has(&self, address: usize) -> bool {
        self.is_there.load(SeqCst) && address.checked_sub(self.code).is_some_and(|at| at < self.size as usize)
    }

    /// Whether optimisers put the function into everything that calls it.
    fn is_inlined(&self) -> bool {
        self.counters.entries().of() == counter::Counted::Entries { inlined: true }
    }

    /// The code that has called this one, by the address that it returns to.
    fn caller(&self, returns_to: usize) -> Option<&'static Self> {
        // Of its call.
        let address = returns_to.checked_sub(1)?;
        // SAFETY: null, or what was found below, which lives for ever.
        let last = unsafe { self.caller.load(Relaxed).as_ref() };
        if let Some(last) = last.filter(|last| last.has(address)) {
            return Some(last);
        }
        let found = with_code(address)?;
        self.caller.store(ptr::from_ref(found).cast_mut(), Relaxed);
        Some(found)
    }

    /// The code into which optimisers put this one, as far as it is about to return there: its caller, or that one's.
    ///
    /// # Safety
    /// `frame` is that of a counter of it that has run out, of the loop `at` or of entries.
    pub unsafe fn inlined_into(&'static self, at: Option<&Loop>, frame: &Frame) -> Option<&'static Self> {
        let rbp = frame.rbp as *const [usize; 2];
        // SAFETY: with the frame of code of the baseline compiler in rbp, rbp and the return address of its caller are there.
        let leave = |rbp: *const [usize; 2]| unsafe { ((*rbp)[0] as *const [usize; 2], (*rbp)[1]) };
        // Entries are counted before there is a frame.
        let (mut rbp, mut returns_to) = if at.is_some() { leave(rbp) } else { (rbp, frame.caller as usize) };
        let mut inlined = self;
        for _ in 0..DEEPEST {
            if !inlined.is_inlined() {
                break;
            }
            inlined = inlined.caller(returns_to)?;
            if !inlined.is_inlined() {
                return Some(inlined);
            }
            (rbp, returns_to) = leave(rbp);
        }
        None
    }

    /// Whether its counters have not run out as often as to do so [seldom](SELDOM) from now on.
    pub fn has_run_out_seldom(&self) -> bool {
        self.trips.load(Relaxed) <= SELDOM
    }

    /// Whether a loop of it is to be asked for, as nothing was so far.
    pub fn want(&self, at: &Loop) -> bool {
        let others = self.loops.iter().filter(|other| !ptr::eq(*other, at));
        let is_left_elsewhere =
            || others.into_iter().any(|other| other.is_wanted() || other.continuation().is_some());
        let waits = || options::tier_thresholds() == MADE_FOR && is_left_elsewhere();
        at.is_new() && !(waits() && at.passed.fetch_add(1, Relaxed) < PASSED) && at.want()
    }

    /// Has its entries go on in the code that has replaced it, if there is such code, and returns where that is. A function
    /// that several files have is known by the counters of one of them.
    pub fn forward(&self) -> Option<usize> {
        let newer = self.newer()?;
        self.counters.forward(newer);
        Some(newer)
    }
}

impl Loop {
    /// The function whose body has it.
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
            self.counter.retire();
        }
    }

    fn is_new(&self) -> bool {
        self.header.left && self.continuation.load(SeqCst) == NEW
    }

    /// Notes that it is asked for. Whether nothing was so far.
    fn want(&self) -> bool {
        self.header.left && self.continuation.compare_exchange(NEW, WANTED, SeqCst, SeqCst).is_ok()
    }

    /// Whether an answer is waited for.
    pub fn is_wanted(&self) -> bool {
        self.continuation.load(SeqCst) == WANTED
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counted({:#x})", self.code)
    }
}

#[cfg(test)]
mod tests;
