//! Threads, channels, scoped threads, thread-locals, locks; sixteen threads in one first call.
//# repeat: 5
//# prints: first calls 2176
//# prints: channel 4950
//# prints: scoped [2, 4, 6]
//# prints: thread locals 1 1 2
//# prints: once 1
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, OnceLock, mpsc};
use std::thread;

#[inline(never)]
fn all_at_once(x: u32) -> u32 {
    std::hint::black_box(x) + 128
}

thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
fn count() -> u32 {
    COUNT.set(COUNT.get() + 1);
    COUNT.get()
}

fn main() {
    let barrier = Barrier::new(16);
    let sum: u32 = thread::scope(|scope| {
        let start = |i| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                all_at_once(i)
            })
        };
        let threads: Vec<_> = (0..16).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("first calls {}", sum + 8);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || (0..100).for_each(|i| sender.send(i).unwrap()));
    println!("channel {}", receiver.iter().sum::<i32>());
    let mut numbers = [1, 2, 3];
    thread::scope(|scope| numbers.iter_mut().for_each(|number| drop(scope.spawn(move || *number *= 2))));
    println!("scoped {numbers:?}");
    println!("thread locals {} {} {}", count(), thread::spawn(count).join().unwrap(), count());
    static ONCE: OnceLock<u32> = OnceLock::new();
    static CALLS: AtomicU32 = AtomicU32::new(0);
    thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(|| ONCE.get_or_init(|| CALLS.fetch_add(1, Ordering::Relaxed)))));
    });
    println!("once {}", CALLS.load(Ordering::Relaxed));
}
