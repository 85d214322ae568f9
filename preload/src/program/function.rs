//! One lazily compiled function and its life: cold, compiling, ready or failed; and which tier its code is of.
//!
//! Receives claims and publications, hands on addresses. Exactly one thread at a time owns a function that is
//! compiling; the others sleep on its state. All fields are atomics: a function is looked at by threads that hold no
//! lock.
//!
//! What must hold between them: code is stored before the slot is looked up in [`Function::publish`], and the slot
//! before the code is looked up in [`Function::runtime_stub`]; so the thread that comes second sees the other's work, and the
//! slot leads to the code. Likewise for call sites ([`Function::add_call_site`]).

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::{iter, ptr};

use autojit_code::{CodeMemory, Named, RuntimeStub, live};
use autojit_store::{Container, FunctionInfo, FunctionKind};
use autojit_trampoline::contract::Slot;
use autojit_trampoline::counter::Counters;

use crate::program::module::Module;
use crate::program::version::Version;
use crate::program::{process, unwind_table};
use crate::settings::failure::Failure;
use crate::settings::log;
use crate::sys;
use autojit_code::lock::{ForkLock, Guard, Lock};

/// Where a function is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FunctionState {
    /// Nothing has called it.
    Cold = 0,
    /// Some thread compiles it.
    Compiling = 1,
    /// As `Compiling`, and threads sleep on the state.
    Awaited = 2,
    /// It has code.
    Ready = 3,
    /// It cannot be compiled: the process is about to end.
    Failed = 4,
}

impl FunctionState {
    fn from_word(word: u32) -> Self {
        [Self::Cold, Self::Compiling, Self::Awaited, Self::Ready, Self::Failed][word as usize]
    }
}

/// Whether a ready function gets better code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Tier {
    /// Its code is what it is to have: calls lead straight to it.
    Last = 0,
    /// It is to be replaced if it runs often: calls that lead straight to it are remembered.
    First = 1,
    /// As `First`, and some thread has, or is about to have, what replaces it.
    Replaced = 2,
}

impl Tier {
    fn from_word(word: u32) -> Self {
        [Self::Last, Self::First, Self::Replaced][word as usize]
    }
}

/// A lazily compiled function. Lives for ever.
#[derive(Debug)]
pub struct Function {
    module: &'static Module,
    index: u32,
    state: AtomicU32,
    /// Of its code; written by the thread that compiles or replaces it.
    tier: AtomicU32,
    /// Code of the first tier was replaced by better code.
    has_better: AtomicBool,
    /// It has run often in an earlier run, when its content was another.
    expected_often: AtomicBool,
    /// Its code, once it is ready.
    version: Version,
    /// What its code of the first tier counts with; null if it has none.
    counters: AtomicPtr<Counters>,
    /// A slot that leads to it; null if none is known yet.
    slot: AtomicPtr<Slot>,
    /// The stub that the runtime made for it; 0 if it made none.
    stub: AtomicUsize,
    /// For inline functions, the copy that serves the image; null until it is first asked for.
    copy: AtomicPtr<Function>,
}

/// Two threads make stubs one after the other.
static STUBS: Lock<()> = Lock::new(());

/// Keeps others from making stubs.
pub fn hold_stubs() -> Guard<'static, ()> {
    STUBS.lock()
}

/// A fork waits until no stub is being made.
pub static FORK_LOCK: &dyn ForkLock = &STUBS;

impl Function {
    /// A cold function.
    pub fn new(module: &'static Module, index: u32) -> Self {
        Self {
            module,
            index,
            state: AtomicU32::new(FunctionState::Cold as u32),
            tier: AtomicU32::new(Tier::Last as u32),
            has_better: AtomicBool::new(false),
            expected_often: AtomicBool::new(false),
            version: Version::new(),
            counters: AtomicPtr::new(ptr::null_mut()),
            slot: AtomicPtr::new(ptr::null_mut()),
            stub: AtomicUsize::new(0),
            copy: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The module that it belongs to.
    pub fn module(&self) -> &'static Module {
        self.module
    }

    /// Its index in the module's container.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// What the container says of it, which is opened if code of the function came without.
    ///
    /// # Panics
    /// If the container is damaged, which [`Module::open`] has excluded.
    pub fn info(&self) -> FunctionInfo<'static> {
        self.container().function(self.index).expect("the index is one of the container's")
    }

    /// Its kind and import, as [`info`](Self::info) has them: without a look at its name, which lies far away.
    ///
    /// # Panics
    /// As above.
    pub fn kind(&self) -> (FunctionKind, Option<u32>) {
        self.container().kind(self.index).expect("the index is one of the container's")
    }

    /// The container, without which there is no going on.
    fn container(&self) -> &'static Container<'static> {
        match self.module.open() {
            Ok(opened) => &opened.container,
            Err(failure) => {
                let source = self.module.source();
                log::die(process::started(), format_args!("cannot look up a function of {source}: {failure}"))
            }
        }
    }

    /// Where it is in its life.
    pub fn state(&self) -> FunctionState {
        FunctionState::from_word(self.state.load(SeqCst))
    }

    /// Its code, once it is ready.
    pub fn code(&self) -> Option<usize> {
        (self.state() == FunctionState::Ready).then(|| self.version.start()).flatten()
    }

    /// Where calls may lead straight to, if it is ready, and whether they are to be remembered: that may be replaced.
    pub fn code_for_calls(&self) -> Option<(usize, bool)> {
        // The tier is the last one only when better code is there.
        let tier = self.tier();
        let code = self.code()?;
        Some((code, tier != Tier::Last || self.tier() != Tier::Last))
    }

    /// Notes what its code counts with, which is about to be published.
    ///
    /// # Safety
    /// They stay as long as the image.
    pub unsafe fn set_counters(&self, counters: *const Counters) {
        self.counters.store(counters.cast_mut(), SeqCst);
    }

    fn counters(&self) -> Option<&Counters> {
        // SAFETY: null, or what `set_counters` has noted; what publishes or asks has the image.
        unsafe { self.counters.load(SeqCst).as_ref() }
    }

    /// Whether code of the first tier was replaced by better code.
    pub fn has_better(&self) -> bool {
        self.has_better.load(SeqCst)
    }

    /// Notes that it will run often, as it did before it was edited.
    pub fn expect_often(&self) {
        self.expected_often.store(true, SeqCst);
    }

    /// Whether it will run often, as it did before it was edited.
    pub fn is_expected_often(&self) -> bool {
        self.expected_often.load(SeqCst)
    }

    /// Its code, if it is ready and nothing replaces it.
    pub fn last_code(&self) -> Option<usize> {
        // The tier before the code, which is replaced before the tier is the last one.
        (self.tier() == Tier::Last).then(|| self.code()).flatten()
    }

    /// Which tier its code is of, once it is ready.
    pub fn tier(&self) -> Tier {
        Tier::from_word(self.tier.load(SeqCst))
    }

    /// Makes a function with code of the first tier the calling thread's to replace. False if it has none.
    pub fn claim_replacement(&self) -> bool {
        self.state() == FunctionState::Ready
            && self.tier.compare_exchange(Tier::First as u32, Tier::Replaced as u32, SeqCst, SeqCst).is_ok()
    }

    /// Gives a function back that was claimed for its replacement, unless that has come.
    pub fn unclaim_replacement(&self) {
        let (replaced, first) = (Tier::Replaced as u32, Tier::First as u32);
        let _ = self.tier.compare_exchange(replaced, first, SeqCst, SeqCst);
    }

    /// Nothing better than its code of the first tier can be had.
    pub fn keep_first(&self) {
        if self.claim_replacement() {
            self.tier.store(Tier::Last as u32, SeqCst);
            if let Some(counters) = self.counters() {
                counters.entries().retire();
            }
            self.version.rewrite_callers(true);
        }
    }

    /// Makes a cold function the calling thread's to compile. False if it is not cold.
    pub fn claim(&self) -> bool {
        self.state
            .compare_exchange(FunctionState::Cold as u32, FunctionState::Compiling as u32, SeqCst, SeqCst)
            .is_ok()
    }

    /// Gives a claimed function back, cold.
    pub fn unclaim(&self) {
        self.leave_compiling(FunctionState::Cold);
    }

    /// Marks a claimed function as one that cannot be compiled.
    pub fn fail(&self) {
        self.leave_compiling(FunctionState::Failed);
    }

    /// Sleeps while another thread compiles it.
    pub fn wait(&self) {
        let (compiling, awaited) = (FunctionState::Compiling as u32, FunctionState::Awaited as u32);
        // The owner wakes only when it finds the state awaited: it spares a system call for each function.
        let _ = self.state.compare_exchange(compiling, awaited, SeqCst, SeqCst);
        while self.state() == FunctionState::Awaited {
            sys::futex_wait(&self.state, awaited);
        }
    }

    fn leave_compiling(&self, state: FunctionState) {
        let before = FunctionState::from_word(self.state.swap(state as u32, SeqCst));
        debug_assert!(matches!(before, FunctionState::Compiling | FunctionState::Awaited), "{before:?}");
        if before == FunctionState::Awaited {
            sys::futex_wake(&self.state, i32::MAX);
        }
    }

    /// Notes a slot that leads to it, unless one is known.
    pub fn adopt(&self, slot: *const Slot) {
        let _ = self.slot.compare_exchange(ptr::null_mut(), slot.cast_mut(), SeqCst, SeqCst);
    }

    /// The copy of an inline function that serves the image, which `find` finds the first time.
    pub fn chosen_copy(&self, find: impl FnOnce() -> &'static Self) -> &'static Self {
        // SAFETY: null, or what was stored below: a function, which lives for ever.
        if let Some(copy) = unsafe { self.copy.load(SeqCst).as_ref() } {
            return copy;
        }
        let copy = find();
        self.copy.store(ptr::from_ref(copy).cast_mut(), SeqCst);
        copy
    }

    /// Whether a slot is known that leads to it.
    pub fn has_slot(&self) -> bool {
        !self.slot.load(SeqCst).is_null()
    }

    /// The address of the slot that leads to it, if one is known.
    pub fn slot(&self) -> Option<usize> {
        Some(self.slot.load(SeqCst) as usize).filter(|slot| *slot != 0)
    }

    /// Gives a claimed function its code, which must be executable and known to unwinders: slot, state, what comes to older
    /// code, then the calls that waited for it.
    pub fn publish(&self, code: usize, tier: Tier) {
        self.version.set_start(code);
        self.tier.store(tier as u32, SeqCst);
        // SAFETY: slots live as long as their image, and this function is one of it.
        if let Some(slot) = unsafe { self.slot.load(SeqCst).as_ref() } {
            self.lead(slot);
        }
        if self.state() != FunctionState::Ready {
            self.leave_compiling(FunctionState::Ready);
        }
        let last = tier == Tier::Last;
        if last && let Some(counters) = self.counters() {
            counters.forward(code);
            self.has_better.store(true, SeqCst);
        }
        self.version.rewrite_callers(last);
    }

    /// Has a slot of it lead to its code, if there is any.
    pub fn lead(&self, slot: &Slot) {
        let mut led = None;
        // What replaces code looks the slot up behind the code: the last one that stores has the new code.
        while let Some(code) = self.version.start()
            && led != Some(code)
        {
            // Release: the code's bytes are visible to whatever reads its address.
            slot.target.store(code, std::sync::atomic::Ordering::Release);
            led = Some(code);
        }
    }

    /// Whether it has a stub that the runtime made.
    pub fn has_runtime_stub(&self) -> bool {
        self.stub.load(SeqCst) != 0
    }

    /// The address of the stub that the runtime makes for a function without a static one.
    pub fn runtime_stub(&self) -> Result<usize, Failure> {
        debug_assert_ne!(self.kind().0, FunctionKind::Stub);
        let made = self.stub.load(SeqCst);
        if made != 0 {
            return Ok(made);
        }
        let _one_at_a_time = STUBS.lock();
        let made = self.stub.load(SeqCst);
        if made != 0 {
            return Ok(made);
        }
        if let Some((stub, slot)) = self.module.image().stub_of(self) {
            self.adopt(slot);
            self.lead(slot);
            self.stub.store(stub, SeqCst);
            return Ok(stub);
        }
        let memory = self.module.image().memory();
        let trampoline = autojit_trampoline::entry::address();
        let stub =
            RuntimeStub::create(memory, &unwind_table::TABLE, self.module.record(), self.index, trampoline)
                .map_err(|error| Failure::new(format_args!("making a stub for it: {error}")))?;
        self.name_in_file(memory, stub.function);
        self.slot.store(ptr::from_ref(stub.slot).cast_mut(), SeqCst);
        // Whatever its state: publish may be between code and state.
        self.lead(stub.slot);
        self.stub.store(stub.function, SeqCst);
        Ok(stub.function)
    }

    /// Has tools that open the file in which `stub` lies (AUTOJIT_NAMES) find this function's name for its address.
    fn name_in_file(&self, memory: &CodeMemory, stub: usize) {
        if !live::are_wanted() {
            return;
        }
        let (Some(area), Ok(name)) = (memory.area_of(stub), CString::new(self.info().name)) else { return };
        let name = Box::leak(name.into_boxed_c_str());
        area.describe(iter::once(Named { name, start: stub, size: RuntimeStub::SIZE }), iter::empty());
    }

    /// Notes that the call at `site` in `memory` leads to `to`, a stub or older code of this function, and is to be rewritten;
    /// at once if it has other code by now.
    pub fn add_call_site(&self, memory: &'static CodeMemory, site: usize, to: usize) {
        self.version.add_caller(memory, site, to);
        if let Some((code, remembered)) = self.code_for_calls()
            && (code != to || !remembered)
        {
            self.version.rewrite_callers(!remembered);
        }
    }
}
