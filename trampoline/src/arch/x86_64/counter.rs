//! Counters of compiled code: how often a function was entered, and how often each of its loops went round, until they run
//! out.
//!
//! Code that counts does so at places where r11 and the flags are free:
//!
//! ```text
//!     dec  dword ptr [counter]          entries; of loops, so many rounds at once as Counters::step says
//!     js   out
//! on:
//!     …
//! out:
//!     lea  r11, [counter]
//!     call [entry]                      of counter_address
//! ```
//!
//! The call keeps every register but r11, in which it leaves what [`TrippedFn`] returns. Threads count without regard to
//! one another: what is lost does not matter.
//!
//! The counters of a function lie next to one another, behind a [head](Counters). That of entries is the first one. It is
//! counted before anything else is done, so what its call leaves in r11 may be jumped to: newer code of the function.
//!
//! They hold no address until something becomes of them, so code that counts can be kept in files and mapped from them.

use std::arch::naked_asm;
use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};

use crate::entry::Frame;

/// The calls for which counters of entries are made.
pub const CALLS: i32 = 30;

/// So many counters of entries that have run out begin again for [`CALLS`] calls without asking the runtime. Threads count without
/// locks here as well.
static PASSES: AtomicI32 = AtomicI32::new(0);

/// From now on, so many counters of entries that have run out begin again, and nothing else: those that have no owner yet, so
/// that kept code whose calls are not to count takes some instructions for them instead of system calls.
pub fn let_pass(times: i32) {
    PASSES.store(times, Ordering::Relaxed);
}

/// What is called when a counter has run out. It must not unwind. It returns 0, or the address of code that the caller, which
/// must know of it, is to go on with. If the counter is of entries, `frame.caller` is the return address of the call, as
/// nothing has been pushed yet.
pub type TrippedFn = unsafe extern "C" fn(counter: *const Counter, frame: &Frame) -> usize;

/// A counter, where the code that uses it expects its fields.
#[repr(C)]
#[derive(Debug)]
pub struct Counter {
    /// What is left; below zero, each further count calls.
    left: AtomicI32,
    /// Its number among those of its function.
    number: u32,
    /// What it is of: [`Counted`], packed; of entries the upper half is the [step](Counters::set_step).
    of: AtomicU32,
    /// [`ASKS`], [`RETIRED`] or [`REPLACED`].
    state: AtomicU32,
}

impl Counter {
    /// Where the [step](Counters::set_step) is in a counter of entries: code reads it.
    pub const STEP: usize = offset_of!(Counter, of) + 2;
}

const _: () = assert!(offset_of!(Counter, left) == 0);
const _: () = assert!(size_of::<Counter>() == Counters::SIZE);

/// What has run out asks the runtime.
const ASKS: u32 = 0;
/// Nothing comes of it any more.
const RETIRED: u32 = 1;
/// Entries go on in newer code.
const REPLACED: u32 = 2;

/// What a counter is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Entries of the function.
    Entries {
        /// Whether optimisers put its body into everything that calls it.
        inlined: bool,
    },
    /// A loop.
    Loop {
        /// Its header's number among the blocks of the function, below 2³¹.
        block: u32,
        /// Whether it may be left.
        left: bool,
    },
}

impl Counted {
    const LEFT: u32 = 1 << 31;
    const INLINED: u32 = 1;
    /// Where the step begins among the bits of entries.
    const STEP: u32 = 16;

    fn packed(self) -> u32 {
        match self {
            Self::Entries { inlined } => u32::from(inlined) * Self::INLINED,
            Self::Loop { block, left } => block | if left { Self::LEFT } else { 0 },
        }
    }
}

impl Counter {
    /// One of entries that runs out after `left`.
    pub const fn new(left: i32) -> Self {
        let of = AtomicU32::new(1 << Counted::STEP);
        Self { left: AtomicI32::new(left), number: 0, of, state: AtomicU32::new(ASKS) }
    }

    /// Its number: 0 for entries.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What is left to be counted, about.
    pub fn left(&self) -> i32 {
        self.left.load(Ordering::Relaxed)
    }

    /// Has it count `left` from the beginning.
    pub fn restart(&self, left: i32) {
        self.left.store(left, Ordering::Relaxed);
    }

    /// Nothing comes of it any more: it runs out as seldom as can be, and what it calls returns at once.
    pub fn retire(&self) {
        self.state.store(RETIRED, Ordering::SeqCst);
        self.left.store(i32::MAX, Ordering::SeqCst);
    }

    /// The same, unless entries go on in newer code by way of it.
    pub fn retire_unless_replaced(&self) {
        if self.state.compare_exchange(ASKS, RETIRED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.left.store(i32::MAX, Ordering::SeqCst);
        }
    }

    /// What it is of.
    pub fn of(&self) -> Counted {
        match (self.number, self.of.load(Ordering::Relaxed)) {
            (0, of) => Counted::Entries { inlined: of & Counted::INLINED != 0 },
            (_, of) => Counted::Loop { block: of & !Counted::LEFT, left: of & Counted::LEFT != 0 },
        }
    }
}

/// What lies in front of the counters of a function: the code knows where each counter is, and nothing else of it.
#[repr(C)]
#[derive(Debug)]
pub struct Counters {
    /// What the owner of the code knows it by; 0 as long as no counter has run out.
    owner: AtomicUsize,
    /// Newer code of the function; 0 if there is none.
    newer: AtomicUsize,
    /// That of entries; those of loops follow.
    entries: Counter,
}

const _: () = assert!(offset_of!(Counters, entries) == Counters::HEAD);

impl Counters {
    /// Bytes in front of the first counter.
    pub const HEAD: usize = 16;
    /// Bytes of a counter.
    pub const SIZE: usize = 16;

    /// How many bytes a head and so many counters have.
    pub const fn len(counters: usize) -> usize {
        Self::HEAD + counters * Self::SIZE
    }

    /// The bytes of a head without an owner, of a counter of entries that runs out after `calls`, and of one for each of
    /// these loops, by block and whether it may be left, that runs out after `rounds`, which are counted by steps.
    pub fn bytes(
        (calls, inlined): (i32, bool),
        (rounds, step): (i32, u16),
        loops: impl Iterator<Item = (u32, bool)>,
    ) -> Vec<u8> {
        let mut bytes = vec![0; Self::HEAD];
        let loops = loops.map(|(block, left)| (rounds, Counted::Loop { block, left }));
        for ((left, of), number) in
            std::iter::once((calls, Counted::Entries { inlined })).chain(loops).zip(0_u32..)
        {
            bytes.extend_from_slice(&left.to_le_bytes());
            let step = if number == 0 { u32::from(step) << Counted::STEP } else { 0 };
            for word in [number, of.packed() | step, ASKS] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        }
        bytes
    }

    /// Those that a counter is one of.
    ///
    /// # Safety
    /// The counter is one of [`bytes`](Self::bytes), in memory that is aligned for it and stays.
    pub unsafe fn of<'a>(counter: *const Counter) -> &'a Self {
        // SAFETY: the caller's promise: so many counters and the head are in front of it.
        unsafe { &*counter.sub((*counter).number as usize).byte_sub(Self::HEAD).cast::<Self>() }
    }

    /// The counters at an address, and `count` counters behind their head.
    ///
    /// # Safety
    /// There are so many of [`bytes`](Self::bytes), in memory that is aligned for it and stays.
    pub unsafe fn at<'a>(address: usize, count: usize) -> (&'a Self, &'a [Counter]) {
        // SAFETY: the caller's promise.
        unsafe {
            let all = &*(address as *const Self);
            (all, std::slice::from_raw_parts((address + Self::HEAD) as *const Counter, count))
        }
    }

    /// What the owner of the code knows it by. None as long as no counter has run out.
    pub fn owner(&self) -> Option<usize> {
        Some(self.owner.load(Ordering::Acquire)).filter(|owner| *owner != 0)
    }

    /// Notes the owner, unless there is one; returns which it is.
    pub fn set_owner(&self, owner: usize) -> usize {
        match self.owner.compare_exchange(0, owner, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => owner,
            Err(other) => other,
        }
    }

    /// That of entries.
    pub fn entries(&self) -> &Counter {
        &self.entries
    }

    /// Has so many rounds, at least one, counted at once by each call of the function from now on.
    pub fn set_step(&self, step: u16) {
        let others = self.entries.of.load(Ordering::Relaxed) & ((1 << Counted::STEP) - 1);
        self.entries.of.store(others | u32::from(step) << Counted::STEP, Ordering::Relaxed);
    }

    /// Has each entry go on in newer code: calls may lead to the older one for ever.
    pub fn forward(&self, newer: usize) {
        // In this order: what finds the state finds the address.
        self.newer.store(newer, Ordering::SeqCst);
        self.entries.state.store(REPLACED, Ordering::SeqCst);
        self.entries.left.store(0, Ordering::SeqCst);
    }
}

/// Called by a counter that has run out, with its address in r11: decides alone where no runtime is needed.
#[unsafe(naked)]
pub(crate) extern "C" fn ran_out() {
    naked_asm!(
        ".cfi_startproc",
        "endbr64",
        "cmp dword ptr [r11 + {state}], {retired}",
        "ja 2f",
        "je 3f",
        "cmp dword ptr [rip + {passes}], 0",
        "jle 4f",
        // Loops have done much more work.
        "cmp dword ptr [r11 + {number}], 0",
        "jne 4f",
        "cmp qword ptr [r11 - {owner}], 0",
        "jne 4f",
        "dec dword ptr [rip + {passes}]",
        "mov dword ptr [r11], {calls} - 1",
        "xor r11d, r11d",
        "ret",
        "4: jmp [rip + {asks}]",
        // The next entry comes here as well.
        "2: mov dword ptr [r11], 0",
        "mov r11, [r11 - {back}]",
        "ret",
        "3: mov dword ptr [r11], {most}",
        "xor r11d, r11d",
        "ret",
        ".cfi_endproc",
        state = const offset_of!(Counter, state),
        retired = const RETIRED,
        passes = sym PASSES,
        number = const offset_of!(Counter, number),
        owner = const offset_of!(Counters, entries) - offset_of!(Counters, owner),
        calls = const CALLS,
        asks = sym crate::entry::COUNTER_ADDRESS,
        back = const offset_of!(Counters, entries) - offset_of!(Counters, newer),
        most = const i32::MAX,
    );
}

const _: () = assert!(ASKS < RETIRED && RETIRED < REPLACED);
