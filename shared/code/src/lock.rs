//! A futex lock that a fork can take in the parent and release in both processes, and that the only thread of a child
//! can take from a thread that did not come along. `std::sync::Mutex` can do neither.

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

use autojit_sys as sys;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and threads may sleep on the word.
const CONTENDED: u32 = 2;

/// A lock around a `T`.
pub struct Lock<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one thread at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self { state: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> Guard<'_, T> {
        if self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            while self.state.swap(CONTENDED, Ordering::Acquire) != FREE {
                sys::futex_wait(&self.state, CONTENDED);
            }
        }
        Guard { lock: self }
    }

    /// The lock, if it is free.
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(Guard { lock: self })
    }

    /// Waits for the lock, and keeps it until [`unlock`](Self::unlock): for what one function takes and another
    /// releases.
    pub fn raw_lock(&self) {
        std::mem::forget(self.lock());
    }

    /// Releases the lock of [`raw_lock`](Self::raw_lock), or of a guard that was forgotten.
    ///
    /// # Safety
    /// A guard must have been forgotten, in this thread or in the thread whose image this process is (fork).
    pub unsafe fn unlock(&self) {
        if self.state.swap(FREE, Ordering::Release) == CONTENDED {
            sys::futex_wake(&self.state, 1);
        }
    }

    /// The lock, whichever thread holds it.
    ///
    /// # Safety
    /// No other thread exists in the process, and the current one does not hold the lock. The value may be in the
    /// middle of a change.
    pub unsafe fn seize(&self) -> Guard<'_, T> {
        self.state.store(HELD, Ordering::Relaxed);
        Guard { lock: self }
    }
}

/// What a fork has to find at rest, as no other thread comes along to the child.
pub trait ForkLock: Sync {
    /// Takes the lock for the thread that forks.
    fn before_fork(&self);

    /// Releases the lock, in parent and child.
    ///
    /// # Safety
    /// `before_fork` must have run in this thread, or in the thread of the parent that forked; this is the first call
    /// since, in this process.
    unsafe fn after_fork(&self);
}

impl<T: Send> ForkLock for Lock<T> {
    fn before_fork(&self) {
        self.raw_lock();
    }

    unsafe fn after_fork(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.unlock() }
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

/// Holds the lock until dropped.
pub struct Guard<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, and is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this guard's claim ends here.
        unsafe { self.lock.unlock() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn counts_with_threads() {
        let lock = Arc::new(Lock::new(0u64));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let lock = lock.clone();
                std::thread::spawn(move || {
                    for _ in 0..20_000 {
                        *lock.lock() += 1;
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(*lock.lock(), 160_000);
    }

    #[test]
    fn forgotten_guard_is_released_and_seized() {
        let lock = Lock::new(1);
        lock.raw_lock();
        // SAFETY: taken in the line above.
        unsafe { lock.unlock() };
        std::mem::forget(lock.lock());
        // SAFETY: nothing else uses this lock.
        let mut seized = unsafe { lock.seize() };
        *seized += 1;
        drop(seized);
        assert_eq!(*lock.lock(), 2);
    }
}
