//! The modules of an image: each is made of its record when it is first asked for.
//!
//! Receives the records that the linker put one behind the other; hands on modules. Programs have thousands of modules of
//! which a run enters a few. Memory for those of the others is never touched.

use std::ops::Range;

use autojit_trampoline::contract::ModuleRecord;

use super::Image;
use crate::program::module::Module;

/// The modules of an image.
#[derive(Debug)]
pub struct Modules {
    /// Those that were asked for; the others consist of zeros.
    all: Box<[Module]>,
    records: *const ModuleRecord,
}

// SAFETY: records are read-only, in an image that stays loaded as long as its functions are called.
unsafe impl Send for Modules {}
// SAFETY: as above.
unsafe impl Sync for Modules {}

impl Modules {
    /// The modules of these records.
    ///
    /// # Safety
    /// The records must lie one behind the other, and be readable as long as their modules are used.
    pub unsafe fn new(records: Range<*const ModuleRecord>) -> Self {
        let count = (records.end as usize - records.start as usize) / size_of::<ModuleRecord>();
        // Large allocations consist of zeros already: no page of it is touched before it is used.
        // SAFETY: a module consists of atomics, whose zeros are null and 0.
        let all = unsafe { Box::new_zeroed_slice(count).assume_init() };
        Self { all, records: records.start }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Their records.
    pub fn records(&self) -> &[ModuleRecord] {
        // SAFETY: as many as there are modules (see new).
        unsafe { std::slice::from_raw_parts(self.records, self.all.len()) }
    }
}

impl Image {
    /// How many modules it has.
    pub fn module_count(&self) -> usize {
        self.modules.len()
    }

    /// The module of a position.
    pub fn module(&'static self, position: usize) -> Option<&'static Module> {
        let module = self.modules.all.get(position)?;
        // SAFETY: there is a record for each module (see Modules::new).
        unsafe { module.make(self.modules.records.add(position), self) };
        Some(module)
    }

    /// The first one: one that stands for the image, which has some.
    pub fn first_module(&'static self) -> &'static Module {
        self.module(0).expect("it has registered for its modules")
    }

    /// All modules.
    pub fn modules(&'static self) -> impl Iterator<Item = &'static Module> {
        (0..self.modules.len()).filter_map(|position| self.module(position))
    }

    /// Those that were ever asked for. Their records are not read.
    pub fn known_modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.all.iter().filter(|module| module.is_known())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_asks_for_takes_no_memory() {
        const PAGE: usize = 4096;
        let records: Vec<u64> = vec![0; 10_000 * size_of::<ModuleRecord>() / 8];
        let range = records.as_ptr_range();
        // SAFETY: as much memory, which is readable.
        let modules = unsafe { Modules::new(range.start.cast()..range.end.cast()) };
        assert_eq!((modules.len(), modules.records().len()), (10_000, 10_000));
        let all = &*modules.all;
        // Whole pages of the array.
        let start = (all.as_ptr() as usize).next_multiple_of(PAGE);
        let count = (all.as_ptr_range().end as usize - start) / PAGE;
        let resident = || {
            let mut pages = vec![0; count];
            // SAFETY: pages of the array, and room for an answer for each.
            assert_eq!(unsafe { libc::mincore(start as *mut _, count * PAGE, pages.as_mut_ptr()) }, 0);
            pages.iter().filter(|page| **page & 1 != 0).count()
        };
        assert!(count > 80 && resident() == 0, "{} of {count} pages", resident());
        assert!(!all[5000].is_known());
    }
}
