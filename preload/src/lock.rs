//! A mutual exclusion lock on a futex.
//!
//! Not std's: a fork handler takes locks in one function and releases them in two others ([`Lock::raw_lock`]), a child
//! process resets locks whose holder it did not inherit, and nothing here needs poisoning (panics abort).

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys;

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// Taken, and somebody may be asleep.
const CONTENDED: u32 = 2;

/// Protects a `T`. Not reentrant.
#[derive(Debug)]
pub struct Lock<T> {
    word: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the lock only, by one thread at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A free lock.
    pub const fn new(value: T) -> Self {
        Self { word: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Waits until the lock is free, and takes it until the guard is dropped.
    pub fn lock(&self) -> Guard<'_, T> {
        self.raw_lock();
        Guard { lock: self }
    }

    /// Takes the lock; [`raw_unlock`](Self::raw_unlock) is to follow.
    pub fn raw_lock(&self) {
        if self.word.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            return;
        }
        // From here on the word says "contended" even if nobody else sleeps: one futile wake-up at worst.
        while self.word.swap(CONTENDED, Ordering::Acquire) != FREE {
            sys::futex_wait(&self.word, CONTENDED);
        }
    }

    /// Releases what [`raw_lock`](Self::raw_lock) took.
    ///
    /// # Safety
    /// The caller (or, after a fork, its parent's thread) must have taken the lock with `raw_lock`.
    pub unsafe fn raw_unlock(&self) {
        if self.word.swap(FREE, Ordering::Release) == CONTENDED {
            sys::futex_wake(&self.word, 1);
        }
    }
}

/// The right to the value of a [`Lock`].
#[derive(Debug)]
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
        // SAFETY: the guard was made after raw_lock.
        unsafe { self.lock.raw_unlock() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_right_with_many_threads() {
        static COUNT: Lock<u64> = Lock::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let mut count = COUNT.lock();
                        let now = *count;
                        std::hint::spin_loop();
                        *count = now + 1;
                    }
                });
            }
        });
        assert_eq!(*COUNT.lock(), 160_000);
        assert_eq!(COUNT.word.load(Ordering::Relaxed), FREE);
    }

    #[test]
    fn raw_unlock_wakes_a_waiter() {
        static LOCK: Lock<()> = Lock::new(());
        LOCK.raw_lock();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| drop(LOCK.lock()));
            while LOCK.word.load(Ordering::Relaxed) != CONTENDED {
                std::thread::yield_now();
            }
            // SAFETY: taken above.
            unsafe { LOCK.raw_unlock() };
            waiter.join().unwrap();
        });
    }
}
