//! Which slot of an image is that of which function.
//!
//! Receives functions, with the numbers that their slots had in an earlier run, if those are known; hands on slots.

use std::ops::Range;

use autojit_trampoline::contract::{ModuleRecord, Slot};

use super::Image;
use crate::program::function::Function;
use crate::program::module::Module;

/// The position of a module, and the numbers of slots that belong to it, one behind the other, of functions in
/// ascending order. Linkers keep those of one object together, so there are few.
pub(super) type SlotRun = (u32, Range<u32>);

impl Image {
    /// The slot of this number.
    pub fn slot(&self, number: u32) -> Option<&'static Slot> {
        let slot = self.address_of_slot(number);
        // SAFETY: a slot of the image's.
        self.slots.contains(&slot).then(|| unsafe { &*(slot as *const Slot) })
    }

    /// Where the slot of this number would be.
    pub fn address_of_slot(&self, number: u32) -> usize {
        self.slots.start.wrapping_add(number as usize * size_of::<Slot>())
    }

    fn slot_runs(&self) -> &[SlotRun] {
        self.slot_runs.get_or_init(|| {
            let mut runs: Vec<SlotRun> = Vec::with_capacity(self.modules.len());
            let mut before = 0;
            for (slot, number) in self.slots.clone().step_by(size_of::<Slot>()).zip(0..) {
                // SAFETY: a slot of the image's.
                let slot = unsafe { &*(slot as *const Slot) };
                // SAFETY: as above.
                let record = unsafe { slot.record() } as usize;
                let position = ((record - self.records.start) / size_of::<ModuleRecord>()) as u32;
                match runs.last_mut() {
                    Some((last, run)) if *last == position && before < slot.index => run.end = number + 1,
                    _ => runs.push((position, number..number + 1)),
                }
                before = slot.index;
            }
            runs.sort_unstable_by_key(|(position, run)| (*position, run.start));
            runs
        })
    }

    /// The numbers of a module's slots, in runs of functions in ascending order.
    fn runs_of(&self, module: &Module) -> impl Iterator<Item = Range<u32>> {
        let (runs, position) = (self.slot_runs(), self.position_of(module));
        let first = runs.partition_point(|(other, _)| *other < position);
        runs[first..].iter().take_while(move |(other, _)| *other == position).map(|(_, run)| run.clone())
    }

    /// Tells the functions of `module` that were named and have slots in the image which those are.
    pub fn adopt_slots(&self, module: &'static Module) {
        for slot in self.runs_of(module).flatten().filter_map(|number| self.slot(number)) {
            if let Some(function) = module.named_function(slot.index) {
                function.adopt(slot);
            }
        }
    }

    /// The slot of this number, if it is that of the function of `index` in `module`.
    pub fn slot_of(&self, number: u32, module: &Module, index: u32) -> Option<&'static Slot> {
        let slot = self.slot(number)?;
        // SAFETY: a slot of the image's.
        let is_it = std::ptr::eq(unsafe { slot.record() }, module.record()) && slot.index == index;
        is_it.then_some(slot)
    }

    /// The number of the slot of the function of `index` in `module`, if it has one in the image.
    pub fn find_slot(&self, module: &Module, index: u32) -> Option<u32> {
        let index_at = |number: u32| self.slot(number).map_or(u32::MAX, |slot| slot.index);
        self.runs_of(module).find_map(|run| {
            let (mut start, mut end) = (run.start, run.end);
            while start < end {
                let middle = start + (end - start) / 2;
                if index_at(middle) < index { start = middle + 1 } else { end = middle }
            }
            (start < run.end && index_at(start) == index).then_some(start)
        })
    }

    /// Tells a function its slot, which `number` most likely is the number of. False if it has none in the image.
    pub fn adopt_slot(&self, function: &'static Function, number: u32) -> bool {
        let (module, index) = (function.module(), function.index());
        if let Some(slot) = self.slot_of(number, module, index) {
            function.adopt(slot);
        } else if !function.has_slot()
            && let Some(slot) = self.find_slot(module, index).and_then(|number| self.slot(number))
        {
            function.adopt(slot);
        }
        function.has_slot()
    }
}
