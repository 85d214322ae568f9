//! The gate between threads that resolve and a thread that forks.
//!
//! Any number of threads may be state. A thread that forks closes the gate: it waits until all have left, and no thread
//! enters until it opens the gate again; so no compile, no lock of the engine's and no half-linked code is ever copied
//! into a child. A thread that is inside may enter again (the program's code can be reached from within), closed or
//! not, as the closer waits for it.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::sys;
use autojit_code::lock::Lock;

/// Threads inside that are known. More are let in, but wait if they try to enter again while the gate closes.
const KNOWN: usize = 64;

/// A thread: its thread pointer, which a thread has in common with its image in a child process.
type Thread = usize;

struct State {
    /// Entries that have not left.
    count: u32,
    /// 0 for a free place.
    threads: [Thread; KNOWN],
    /// The thread that closes or has closed the gate; 0 if it is open.
    closed_by: Thread,
}

/// The gate.
pub struct Gate {
    state: Lock<State>,
    /// Changes whenever a thread that waits should look again.
    turn: AtomicU32,
    /// Whether a thread waits.
    waiting: AtomicU32,
}

/// Being inside, until drop.
pub struct Entered<'a> {
    gate: &'a Gate,
    place: Option<usize>,
    forking: bool,
}

impl Entered<'_> {
    /// Whether the thread has closed the gate: a fork handler of the program's came in.
    pub fn forking(&self) -> bool {
        self.forking
    }
}

impl Gate {
    /// An open gate.
    pub const fn new() -> Self {
        let state = State { count: 0, threads: [0; KNOWN], closed_by: 0 };
        Self { state: Lock::new(state), turn: AtomicU32::new(0), waiting: AtomicU32::new(0) }
    }

    /// Enters, as soon as the gate is open.
    pub fn enter(&self) -> Entered<'_> {
        let thread = sys::thread_pointer();
        loop {
            let turn = self.turn.load(SeqCst);
            {
                let mut state = self.state.lock();
                let nested = state.threads.contains(&thread);
                let forking = state.closed_by == thread;
                if state.closed_by == 0 || nested || forking {
                    state.count += 1;
                    let place = state.threads.iter().position(|&other| other == 0);
                    if let Some(place) = place {
                        state.threads[place] = thread;
                    }
                    return Entered { gate: self, place, forking };
                }
            }
            self.wait(turn);
        }
    }

    /// Closes the gate, as soon as all other threads have left. The closer itself may still enter.
    pub fn close(&self) {
        let thread = sys::thread_pointer();
        let mut closing = false;
        loop {
            let turn = self.turn.load(SeqCst);
            {
                let mut state = self.state.lock();
                if state.closed_by == 0 {
                    state.closed_by = thread;
                    closing = true;
                }
                // A handler for SIGABRT may fork inside its thread's own call.
                let own = state.threads.iter().filter(|&&other| other == thread).count();
                if closing && state.count as usize == own {
                    return;
                }
            }
            self.wait(turn);
        }
    }

    /// Opens the gate that the calling thread (in a child: its parent's) has closed.
    pub fn open(&self) {
        self.state.lock().closed_by = 0;
        self.next_turn();
    }

    /// How many entries have not left.
    pub fn inside(&self) -> u32 {
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

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let closing = {
            let mut state = self.gate.state.lock();
            state.count -= 1;
            if let Some(place) = self.place {
                state.threads[place] = 0;
            }
            state.closed_by != 0
        };
        if closing {
            self.gate.next_turn();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    #[test]
    fn closing_waits_for_those_inside() {
        static GATE: Gate = Gate::new();
        static LEFT: AtomicBool = AtomicBool::new(false);
        let entered = GATE.enter();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                GATE.close();
                assert!(LEFT.load(SeqCst));
                GATE.open();
            });
            while GATE.state.lock().closed_by == 0 {
                std::thread::yield_now();
            }
            // Again, although it is closing: this thread is state.
            let again = GATE.enter();
            drop(again);
            LEFT.store(true, SeqCst);
            drop(entered);
        });
        assert_eq!(GATE.inside(), 0);
        assert!(!GATE.enter().forking());
    }

    #[test]
    fn nobody_enters_while_it_is_closed() {
        static GATE: Gate = Gate::new();
        static ENTERED: AtomicU32 = AtomicU32::new(0);
        GATE.close();
        assert!(GATE.enter().forking());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let _entered = GATE.enter();
                    ENTERED.fetch_add(1, SeqCst);
                });
            }
            std::thread::sleep(Duration::from_millis(30));
            assert_eq!(ENTERED.load(SeqCst), 0);
            GATE.open();
        });
        assert_eq!(ENTERED.load(SeqCst), 4);
    }

    #[test]
    fn many_threads_and_closers() {
        static GATE: Gate = Gate::new();
        static INSIDE: AtomicU32 = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for number in 0..6 {
                scope.spawn(move || {
                    for _ in 0..2000 {
                        if number < 2 {
                            GATE.close();
                            assert_eq!(INSIDE.load(SeqCst), 0);
                            GATE.open();
                        } else {
                            let _entered = GATE.enter();
                            INSIDE.fetch_add(1, SeqCst);
                            INSIDE.fetch_sub(1, SeqCst);
                        }
                    }
                });
            }
        });
    }
}
