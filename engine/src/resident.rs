//! Which modules LLVM has in memory. Receives containers; hands on [`Module`]s for the time of a batch.
//!
//! A program may enter hundreds of modules, most of them for one batch or two. What LLVM has read of a module stays until
//! its context goes; so when there is too much, the modules that were not used for longest are dropped, and read again
//! when something else of them is called.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use autojit_abi::OpenOptions;

use crate::module::OpenModule;

/// Bytes of bitcode that are open at most: LLVM needs some times as many. docs/decisions/0017 has the measurements.
const BYTES: usize = 24 << 20;
/// Modules that stay open however large they are: those that call each other back and forth.
const LEAST: usize = 4;

/// A module of the runtime's, between `open` and `close`; open in LLVM or not.
#[derive(Debug)]
pub struct Resident {
    container: &'static [u8],
    asked: OpenOptions,
    entry: Arc<Entry>,
}

/// Where a module is while it is open. The thread that works on it has the lock.
type Entry = Mutex<Option<OpenModule>>;

/// The modules that are open.
#[derive(Debug)]
struct Open {
    /// Each with its bytes, the one used last at the end.
    modules: VecDeque<(Arc<Entry>, usize)>,
    bytes: usize,
}

static OPEN: Mutex<Open> = Mutex::new(Open { modules: VecDeque::new(), bytes: 0 });

/// The lock's value. Nothing unwinds here, so no value is left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Resident {
    /// Opens a container.
    ///
    /// # Errors
    /// As [`OpenModule::open`].
    pub fn open(container: &'static [u8], asked: OpenOptions) -> Result<Self, String> {
        let module = OpenModule::open(container, asked)?;
        let (bytes, entry) = (module.kept.bytes(), Arc::new(Mutex::new(Some(module))));
        use_now(&entry, bytes);
        Ok(Self { container, asked, entry })
    }

    /// Does some work on the module, which is opened again for it if need be.
    ///
    /// # Errors
    /// As [`OpenModule::open`] and the work.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut OpenModule) -> Result<T, String>) -> Result<T, String> {
        let mut entry = lock(&self.entry);
        let module = match &mut *entry {
            Some(module) => module,
            closed => closed.insert(OpenModule::open(self.container, self.asked)?),
        };
        use_now(&self.entry, module.kept.bytes());
        work(module)
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        lock(&OPEN).remove(&self.entry);
    }
}

impl Open {
    /// Forgets a module, if it is known.
    fn remove(&mut self, entry: &Arc<Entry>) {
        if let Some(at) = self.modules.iter().position(|(known, _)| Arc::ptr_eq(known, entry))
            && let Some((_, bytes)) = self.modules.remove(at)
        {
            self.bytes -= bytes;
        }
    }

    /// Takes out what was not used for longest and no thread works on, as long as there is too much.
    fn excess(&mut self, bytes: usize) -> Vec<OpenModule> {
        let (mut excess, mut at) = (Vec::new(), 0);
        while self.bytes > bytes && self.modules.len() > LEAST && at < self.modules.len() {
            let mut entry = match self.modules[at].0.try_lock() {
                Ok(entry) => entry,
                Err(TryLockError::Poisoned(entry)) => entry.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    at += 1;
                    continue;
                }
            };
            excess.extend(entry.take());
            drop(entry);
            if let Some((_, bytes)) = self.modules.remove(at) {
                self.bytes -= bytes;
            }
        }
        excess
    }
}

/// Notes that a module is used, and closes others for it if there are too many.
fn use_now(entry: &Arc<Entry>, bytes: usize) {
    let mut open = lock(&OPEN);
    open.remove(entry);
    open.modules.push_back((entry.clone(), bytes));
    open.bytes += bytes;
    let excess = open.excess(limit());
    // LLVM takes its time to take a module down: others need not wait for it.
    drop(open);
    drop(excess);
}

/// Bytes that may be open.
fn limit() -> usize {
    static LIMIT: OnceLock<usize> = OnceLock::new();
    *LIMIT.get_or_init(|| match std::env::var("AUTOJIT_ENGINE_OPEN") {
        Ok(text) => text.parse().unwrap_or(BYTES),
        Err(_) => BYTES,
    })
}
