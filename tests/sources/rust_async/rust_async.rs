//! Futures: an executor of the program's own, wakers across threads, async closures, panics in a future.
//# prints: joined 7 after 3 polls
//# prints: order a1 b1 a2 b2
//# prints: woken by a thread 42
//# prints: stream 0 1 4
//# prints: panicked: inside
//# prints: async closure 6
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

static POLLS: AtomicU32 = AtomicU32::new(0);

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        POLLS.fetch_add(1, Ordering::Relaxed);
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

struct Yield(bool);
impl Future for Yield {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn add(a: u32, b: u32) -> u32 {
    Yield(false).await;
    a + b
}

#[derive(Default)]
struct Shared {
    value: Option<u32>,
    waker: Option<Waker>,
}

struct FromThread(Arc<Mutex<Shared>>);
impl Future for FromThread {
    type Output = u32;
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u32> {
        let mut shared = self.0.lock().unwrap();
        match shared.value {
            Some(value) => Poll::Ready(value),
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Runs all of them in turns.
fn run_all(futures: Vec<Pin<Box<dyn Future<Output = ()>>>>) {
    let mut queue: VecDeque<_> = futures.into();
    let mut context = Context::from_waker(Waker::noop());
    while let Some(mut future) = queue.pop_front() {
        if future.as_mut().poll(&mut context).is_pending() {
            queue.push_back(future);
        }
    }
}

async fn squares(into: &RefCell<Vec<u32>>) {
    for n in 0..3 {
        into.borrow_mut().push(n * n);
        Yield(false).await;
    }
}

fn main() {
    let sum = block_on(async { add(1, 2).await + add(2, 2).await });
    println!("joined {sum} after {} polls", POLLS.load(Ordering::Relaxed));

    let order = Rc::new(RefCell::new(Vec::new()));
    let task = |name: &'static str| -> Pin<Box<dyn Future<Output = ()>>> {
        let order = order.clone();
        Box::pin(async move {
            order.borrow_mut().push(format!("{name}1"));
            Yield(false).await;
            order.borrow_mut().push(format!("{name}2"));
        })
    };
    run_all(vec![task("a"), task("b")]);
    println!("order {}", order.borrow().join(" "));

    let shared = Arc::new(Mutex::new(Shared::default()));
    let theirs = shared.clone();
    let worker = thread::spawn(move || {
        let mut shared = theirs.lock().unwrap();
        shared.value = Some(42);
        shared.waker.take().inspect(Waker::wake_by_ref);
    });
    println!("woken by a thread {}", block_on(FromThread(shared)));
    worker.join().unwrap();

    let numbers = RefCell::new(Vec::new());
    block_on(squares(&numbers));
    println!("stream {}", numbers.borrow().iter().map(u32::to_string).collect::<Vec<_>>().join(" "));

    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| block_on(async { if add(1, 1).await == 2 { panic!("inside") } }));
    println!("panicked: {}", caught.unwrap_err().downcast_ref::<&str>().unwrap());

    let times = 3;
    let closure = async |x: u32| add(x, 0).await * times;
    println!("async closure {}", block_on(closure(2)));
}
