//! The code memory of an image: booked when it registers, made when its first function gets code.

use std::ops::Range;
use std::sync::atomic::Ordering;

use autojit_code::{Booking, CodeMemory, reservation};

use super::{Image, all};
use crate::program::module;
use crate::settings::options;

impl Image {
    /// Books address space for its code: later the program's heap may have taken all that is in reach.
    pub(super) fn book(&self, debugged: bool, functions: usize) {
        /// What a function takes, roughly: some are never called, others come with inline functions.
        const FUNCTION: usize = 1 << 10;
        /// What few functions and their areas take.
        const LEAST: usize = 512 << 10;
        let size = (functions * FUNCTION).max(LEAST);
        *self.booking.lock() = Booking::new(self.reach(), debugged, size);
    }

    /// What its code must be able to reach with 32 bits.
    fn reach(&self) -> Range<usize> {
        /// What has no room beside it within reach.
        const LARGE: usize = (1 << 31) - (2 << 20);
        /// What compilers of the small code model add to an address, mostly.
        const ADDEND: usize = 16 << 20;
        let whole = &self.mapping.range;
        if whole.len() < LARGE {
            return whole.clone();
        }
        // Variables beyond two gigabytes are reached by way of the GOT, or by code of another model, which is static.
        let mut reach = self.slots.start.min(self.records.start)..self.slots.end.max(self.records.end);
        let mut include = |start: usize, end: usize| {
            reach = reach.start.min(start)..reach.end.max(end);
        };
        self.mapping.code.iter().for_each(|code| include(code.start, code.end));
        for record in self.modules.records() {
            let direct = module::direct_imports(record).filter(|address| whole.contains(address));
            direct.for_each(|address| include(address, address.saturating_add(ADDEND).min(whole.end)));
        }
        reach
    }

    /// A range near the image for `size` bytes where most likely nothing is in other processes, too. At the bottom of
    /// the address space there is none above the image: the heap begins wherever the kernel likes.
    pub fn unused_range(&self, size: usize) -> Option<usize> {
        let reach = self.reach();
        if !self.is_executable() {
            return reservation::unused_far(&reach, size, autojit_store::hash(self.name().as_bytes()));
        }
        let is_low = reach.start < 1 << 32;
        reservation::unused(&reach, size).filter(|start| !is_low || *start < reach.start)
    }

    /// The image's code memory, made when it is first needed.
    pub fn memory(&self) -> &CodeMemory {
        let make = || {
            // perf looks into its map for anonymous memory only, which that of a memory file is not.
            let options = options::get();
            let private =
                options.is_some_and(|options| options.perf_map && options.names == options::Names::Memory);
            let make = match self.prepared.load(Ordering::Relaxed) {
                true => CodeMemory::new_for_debugger,
                false if private => CodeMemory::new_private,
                false => CodeMemory::new,
            };
            make(self.reach(), std::mem::take(&mut *self.booking.lock()))
        };
        self.memory.get_or_init(make)
    }

    /// The image's code memory, if it has been needed.
    pub fn reserved_memory(&self) -> Option<&CodeMemory> {
        self.memory.get()
    }
}

/// The image whose code memory `address` lies in.
pub fn owner(address: usize) -> Option<&'static Image> {
    all().find(|image| image.reserved_memory().is_some_and(|memory| memory.contains(address)))
}

/// The memory that `address` lies in, if it lies in code of ours.
pub fn memory_around(address: usize) -> Option<&'static CodeMemory> {
    all().filter_map(Image::reserved_memory).find(|memory| memory.contains(address))
}
