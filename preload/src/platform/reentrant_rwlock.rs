//! A readers-writer lock for forks: threads in the runtime share it, a thread that forks has it for itself.
//!
//! The writer waits until all readers have left, and no thread becomes a reader until the writer unlocks it again; so
//! no compile, no lock of the engine's and no half-linked code is ever copied into a child. A reader may become one
//! again (the program's code can be reached from within), whether a writer waits or not, as the writer waits for it; so
//! may the writer itself.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::sys;
use autojit_code::lock::Lock;

/// Readers that are known. There may be more, but those wait if they lock it again while a writer waits.
const KNOWN: usize = 64;

/// A thread: its thread pointer, which a thread has in common with its image in a child process.
type Thread = usize;

struct State {
    /// Read guards that there are.
    count: u32,
    /// 0 for a free entry.
    threads: [Thread; KNOWN],
    /// The thread that is the writer or waits to be; 0 for none.
    writer: Thread,
}

/// The lock.
pub struct ReentrantRwLock {
    state: Lock<State>,
    /// Changes whenever a thread that waits should look again.
    turn: AtomicU32,
    /// Whether a thread waits.
    waiting: AtomicU32,
}

/// Being a reader, until drop.
pub struct ReadGuard<'a> {
    lock: &'a ReentrantRwLock,
    index: Option<usize>,
    is_writer: bool,
}

impl ReadGuard<'_> {
    /// Whether the thread is the writer, too: a fork handler of the program's called into the runtime.
    pub fn is_writer(&self) -> bool {
        self.is_writer
    }
}

impl ReentrantRwLock {
    /// A lock that is free.
    pub const fn new() -> Self {
        let state = State { count: 0, threads: [0; KNOWN], writer: 0 };
        Self { state: Lock::new(state), turn: AtomicU32::new(0), waiting: AtomicU32::new(0) }
    }

    /// Locks it for reading, as soon as there is no writer.
    pub fn read(&self) -> ReadGuard<'_> {
        let thread = sys::thread_pointer();
        loop {
            let turn = self.turn.load(SeqCst);
            {
                let mut state = self.state.lock();
                let nested = state.threads.contains(&thread);
                let is_writer = state.writer == thread;
                if state.writer == 0 || nested || is_writer {
                    state.count += 1;
                    let index = state.threads.iter().position(|&other| other == 0);
                    if let Some(index) = index {
                        state.threads[index] = thread;
                    }
                    return ReadGuard { lock: self, index, is_writer };
                }
            }
            self.wait(turn);
        }
    }

    /// Locks it for writing, as soon as no other thread is a reader. The writer may still become one.
    pub fn write(&self) {
        let thread = sys::thread_pointer();
        let mut waits = false;
        loop {
            let turn = self.turn.load(SeqCst);
            {
                let mut state = self.state.lock();
                if state.writer == 0 {
                    state.writer = thread;
                    waits = true;
                }
                // A handler for SIGABRT may fork inside its thread's own call.
                let own = state.threads.iter().filter(|&&other| other == thread).count();
                if waits && state.count as usize == own {
                    return;
                }
            }
            self.wait(turn);
        }
    }

    /// Unlocks what the calling thread (in a child: its parent's) has locked for writing.
    pub fn unlock_write(&self) {
        self.state.lock().writer = 0;
        self.next_turn();
    }

    /// How many read guards there are.
    pub fn readers(&self) -> u32 {
        self.state.lock().count
    }

    fn wait(&self, turn: u32) {
        self.waiting.fetch_add(1, SeqCst);
        sys::futex_wait(&self.turn, turn);
        self.waiting.fetch_sub(1, SeqCst);
    }

    fn next_turn(&self) {
        self.turn.fetch_add(1, SeqCst);
        if self.waiting.load(SeqCst) != 0 {
            sys::futex_wake(&self.turn, i32::MAX);
        }
    }
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        let has_writer = {
            let mut state = self.lock.state.lock();
            state.count -= 1;
            if let Some(index) = self.index {
                state.threads[index] = 0;
            }
            state.writer != 0
        };
        if has_writer {
            self.lock.next_turn();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    #[test]
    fn a_writer_waits_for_readers() {
        static LOCK: ReentrantRwLock = ReentrantRwLock::new();
        static LEFT: AtomicBool = AtomicBool::new(false);
        let reader = LOCK.read();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                LOCK.write();
                assert!(LEFT.load(SeqCst));
                LOCK.unlock_write();
            });
            while LOCK.state.lock().writer == 0 {
                std::thread::yield_now();
            }
            // Again, although a writer waits: this thread is a reader.
            let again = LOCK.read();
            drop(again);
            LEFT.store(true, SeqCst);
            drop(reader);
        });
        assert_eq!(LOCK.readers(), 0);
        assert!(!LOCK.read().is_writer());
    }

    #[test]
    fn there_are_no_readers_beside_a_writer() {
        static LOCK: ReentrantRwLock = ReentrantRwLock::new();
        static ENTERED: AtomicU32 = AtomicU32::new(0);
        LOCK.write();
        assert!(LOCK.read().is_writer());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let _reader = LOCK.read();
                    ENTERED.fetch_add(1, SeqCst);
                });
            }
            std::thread::sleep(Duration::from_millis(30));
            assert_eq!(ENTERED.load(SeqCst), 0);
            LOCK.unlock_write();
        });
        assert_eq!(ENTERED.load(SeqCst), 4);
    }

    #[test]
    fn many_readers_and_writers() {
        static LOCK: ReentrantRwLock = ReentrantRwLock::new();
        static INSIDE: AtomicU32 = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for number in 0..6 {
                scope.spawn(move || {
                    for _ in 0..2000 {
                        if number < 2 {
                            LOCK.write();
                            assert_eq!(INSIDE.load(SeqCst), 0);
                            LOCK.unlock_write();
                        } else {
                            let _reader = LOCK.read();
                            INSIDE.fetch_add(1, SeqCst);
                            INSIDE.fetch_sub(1, SeqCst);
                        }
                    }
                });
            }
        });
    }
}
