//! Code that is found by its addresses, while other code comes and goes.

use super::*;
use crate::eh_frame::Entry as Frame;
use crate::unit::{Segment, Symbol, Unit, UnitFunction};
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;

thread_local! {
    /// Entries that were copied into new runs.
    pub(super) static COPIED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn code(start: usize) -> Code {
    let fdes = FrameIndex::Made(vec![Frame { start: 0x10, end: 0x80, fde: 0x1000 }]);
    Code { text: start..start + 0x100, eh_frame: start..start + 0x2100, fdes, ..Code::default() }
}

/// What describes it.
fn description(start: usize) -> Option<Description> {
    let function = |index, offset, size| {
        let symbol = Symbol::Function(index);
        UnitFunction { symbol, offset, size, global: true, counters: None }
    };
    let mut unit = Unit {
        functions: vec![function(0, 0x10, 0x20), function(1, 0x30, 0x50)].into(),
        names: vec!["first".into(), "second".into()],
        ..Unit::default()
    };
    unit.segments[Segment::Text as usize] = vec![0; 0x100].into();
    Description::bind(crate::describe_unit(&unit), 2, start)
}

#[test]
fn finds_by_address_in_any_order_of_registration() {
    let table = UnwindTable::new();
    assert_eq!(table.find(0x5050), None);
    for number in [5, 1, 9, 3, 7, 2, 8, 4, 6] {
        table.register(&mut code(number * 0x1000), description(number * 0x1000));
    }
    for start in (1..=9).map(|number| number * 0x1000) {
        let info = FdeInfo { fde: (start + 0x1000) as *const u8, function: start + 0x10 };
        assert_eq!(table.find(start + 0x10), Some(info));
        assert_eq!(table.find(start + 0x7f), Some(info));
        let frames = table.frames(start + 0xff).expect("the object has frames");
        assert_eq!(frames.text, start..start + 0x100);
        // SAFETY: headers live for ever.
        let header = unsafe { std::slice::from_raw_parts(frames.header, HEADER_LEN) };
        assert_eq!(header, [&[1, 0, 0xff, 0xff], &start.to_le_bytes()[..]].concat());
        for outside in [start + 0xf, start + 0x80, start + 0x100, start - 1] {
            assert_eq!(table.find(outside), None);
        }
        let first = Named { name: c"first", start: start + 0x10, size: 0x20 };
        let second = Named { name: c"second", start: start + 0x30, size: 0x50 };
        assert_eq!(table.symbol(start + 0x2f), Some(first));
        assert_eq!(table.symbol(start + 0x30), Some(second));
        assert!(table.symbols(start + 0x50).eq([first, second]));
        assert_eq!(table.fdes(start).count(), 1);
        assert_eq!(table.symbol(start + 0x80), None);
    }
}

/// What is mapped with a pack is searched where it lies, and says the same.
#[test]
fn frames_of_a_file_are_found_as_those_in_memory() {
    let ranges = [(0x10, 0x20), (0x20, 0x21), (0x40, 0x80), (0x90, 0x100)];
    let entry = |(number, (start, end))| Frame { start, end, fde: 8 * number };
    let entries: Vec<_> = (0u32..).zip(ranges).map(entry).collect();
    let packed: Vec<_> = entries.iter().map(|entry| entry.packed()).collect();
    let with = |fdes| {
        let table = UnwindTable::new();
        table.register(&mut Code { fdes, ..code(0x1000) }, None);
        table
    };
    for count in 0..=entries.len() {
        let made = with(FrameIndex::Made(entries[..count].to_vec()));
        let mapped = with(FrameIndex::Mapped(packed[..count].to_vec().leak()));
        let covered = ranges[..count].iter().map(|(start, end)| end - start).sum::<u32>();
        let found = (0x1000..0x1100).filter_map(|pc| made.find(pc));
        assert_eq!(found.count(), covered as usize);
        assert!((0xf00..0x1200).all(|pc| made.find(pc) == mapped.find(pc)), "{count}");
        assert!(made.fdes(0x1000).eq(mapped.fdes(0x1000)) && mapped.fdes(0x1000).count() == count);
    }
}

#[test]
fn objects_are_copied_a_few_times_whatever_their_order() {
    const COUNT: usize = 20_000;
    // Of one memory; downwards; of eight memories in turn; in an order that is none.
    let orders: [fn(usize) -> usize; 4] = [
        |number| number,
        |number| COUNT - number,
        |number| number % 8 * COUNT + number,
        |number| number * 7919 % COUNT,
    ];
    for (order, place) in orders.into_iter().enumerate() {
        let table = UnwindTable::new();
        COPIED.set(0);
        (0..COUNT).for_each(|number| table.register(&mut code(0x1000 + place(number) * 0x1000), None));
        assert!(COPIED.get() < 20 * COUNT, "order {order}: {} of {COUNT}", COPIED.get());
        // SAFETY: nothing replaces it.
        let runs = unsafe { (*table.current.load(Ordering::SeqCst)).runs.len() };
        assert!(runs <= 16, "order {order}: {runs} runs");
        for number in 0..COUNT {
            assert!(table.find(0x1010 + place(number) * 0x1000).is_some(), "order {order}: {number}");
        }
    }
}

#[test]
fn replaced_tables_are_freed_without_readers_only() {
    let table = UnwindTable::new();
    (0..100).rev().for_each(|number| table.register(&mut code(0x1000 + number * 0x1000), None));
    assert_eq!(table.replaced.lock().len(), 0);
    table.readers.fetch_add(1, Ordering::SeqCst);
    (0..3).rev().for_each(|number| table.register(&mut code(0x800_0000 - number), None));
    table.register(&mut code(0x100), None);
    assert!(!table.replaced.lock().is_empty());
    table.readers.fetch_sub(1, Ordering::SeqCst);
    table.register(&mut code(0x10), None);
    assert_eq!(table.replaced.lock().len(), 0);
}

#[test]
fn unloaded_code_is_removed() {
    let table = UnwindTable::new();
    table.unregister(&(0..0x1000_0000));
    (1..=9).for_each(|number| table.register(&mut code(number * 0x1000), None));
    table.unregister(&(0x3000..0x6000));
    table.unregister(&(0x3000..0x6000));
    for number in 1..=9 {
        let found = table.find(number * 0x1000 + 0x10).is_some();
        assert_eq!(found, !(3..6).contains(&number), "{number}");
    }
    table.register(&mut code(0x4000), None);
    assert!(table.find(0x4010).is_some() && table.find(0x5010).is_none());
    assert_eq!(table.replaced.lock().len(), 0);
}

#[test]
fn readers_and_writers_at_once() {
    let table = Arc::new(UnwindTable::new());
    let done = Arc::new(AtomicBool::new(false));
    table.register(&mut code(0x1000_0000), None);
    // Nothing is written before all readers run.
    let start = Arc::new(Barrier::new(3 + 4));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (table, done, start) = (table.clone(), done.clone(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(table.find(0x1000_0010).unwrap().function, 0x1000_0010);
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (table, start) = (table.clone(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                for number in 0..500 {
                    let start = 0x2000_0000 + (number * 4 + writer) * 0x1000;
                    // Every other one in front of the first.
                    table.register(
                        &mut code(if number % 2 == 0 { start } else { 0x2000_0000 - start / 2 }),
                        None,
                    );
                    assert!(table.find(start + 0x10).is_some() == (number % 2 == 0));
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|thread| thread.join().unwrap());
    done.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|thread| thread.join().unwrap());
}
