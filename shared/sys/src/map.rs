//! A file in memory. Receives the mapping that [`File::map`](crate::File::map) has made; lends its bytes as long as it is there.

use std::ops::Deref;

/// A file in memory, read-only, unmapped on drop.
#[derive(Debug)]
pub struct Map {
    /// Null if the file is empty.
    address: *const u8,
    size: usize,
}

// SAFETY: the bytes are only read.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// The file that [`File::map`](crate::File::map) has mapped at `address`; null if it is empty.
    pub(crate) fn new(address: *const u8, size: usize) -> Self {
        Self { address, size }
    }

    /// The bytes, mapped until the process ends.
    pub fn keep(self) -> &'static [u8] {
        // SAFETY: the mapping is never undone, as the owner is forgotten.
        let bytes = unsafe { std::mem::transmute::<&[u8], &'static [u8]>(&self) };
        std::mem::forget(self);
        bytes
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.address.is_null() {
            return &[];
        }
        // SAFETY: mapped and readable until drop.
        unsafe { std::slice::from_raw_parts(self.address, self.size) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if !self.address.is_null() {
            // SAFETY: the mapping is this one's, and the bytes were lent for its life only.
            unsafe { crate::unmap_pages(self.address as usize, self.size) };
        }
    }
}
