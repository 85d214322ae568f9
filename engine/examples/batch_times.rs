//! Times the engine on a container, so that the batch limits can be chosen again by measurement.
//!
//! `batch_times CONTAINER` compiles every function once, in the container's order, for several batch sizes.
//! `batch_times CONTAINER TRACE` compiles what a program needs: TRACE lists the functions that it called, one name a
//! line, in the order of their first calls; each batch also takes what it thinks will be called next.
//!
//! Times are of the processor, so that other work on the machine counts less.
//!
//! A container comes from a build with AUTOJIT_STORE=DIR, a trace from one with -finstrument-functions.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Duration;

use autojit_abi::OpenOptions;
use autojit_store::{Container, Symbol};

/// The time that this thread has had of a processor.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is ours to write.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() {
    let args: Vec<_> = std::env::args().collect();
    let container = common::read(args.get(1).expect("usage: batch_times CONTAINER [TRACE]").as_ref());
    let parsed = Container::parse(&container).expect("a container");
    let order: Vec<u32> = match args.get(2) {
        None => (0..parsed.function_count()).collect(),
        Some(trace) => String::from_utf8(common::read(trace.as_ref()))
            .expect("names")
            .lines()
            .filter_map(|name| match parsed.find(name) {
                Some(Symbol::Function(index)) => Some(index),
                _ => None,
            })
            .collect(),
    };
    let start = cpu_time();
    common::api();
    println!("load {:.1} ms", (cpu_time() - start).as_secs_f64() * 1e3);
    println!("limit  open ms  total ms  batches  compiled  wanted  ms/batch  ms/function  object KB");
    let limits = std::env::var("LIMITS").unwrap_or("1,2,4,8,16,32,64".into());
    for batch_limit in limits.split(',').map(|limit| limit.parse().expect("a number")) {
        let start = cpu_time();
        let mut module = common::Module::open(&container, OpenOptions { batch_limit, ..common::AS_BUILT })
            .unwrap_or_else(|error| panic!("{error}"));
        let opened = cpu_time() - start;
        let mut done = vec![false; parsed.function_count() as usize];
        let (mut batches, mut bytes) = (0, 0);
        for &root in &order {
            if std::mem::replace(&mut done[root as usize], true) {
                continue;
            }
            batches += 1;
            let object = module.compile(root, |index| !std::mem::replace(&mut done[index as usize], true));
            bytes += object.unwrap_or_else(|error| panic!("{error}")).len();
        }
        let total = (cpu_time() - start).as_secs_f64() * 1e3;
        let compiled = done.iter().filter(|done| **done).count();
        println!(
            "{batch_limit:5}  {:7.1}  {total:8.1}  {batches:7}  {compiled:8}  {:6}  {:8.3}  {:11.3}  {:9}",
            opened.as_secs_f64() * 1e3,
            order.len(),
            total / f64::from(batches),
            total / compiled as f64,
            bytes / 1024
        );
    }
}
