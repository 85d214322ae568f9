//! The twin of unwind.rs in the static library: unwinders do not ask, since an executable cannot put itself between an
//! unwinder and its tables. They are told of each batch.

use autojit_code::CodeMemory;

use crate::link::listeners::{Listener, Published};
use crate::program::image::Image;

use crate::link::unwinders;
use crate::program::unwind_table;

/// Makes published code known to unwinders.
#[derive(Debug)]
pub struct Unwinding;

impl Listener for Unwinding {
    fn published(&self, published: &mut Published<'_>) {
        let code = &mut published.code;
        unwind_table::TABLE.register(code, published.description);
        if !code.eh_frame.is_empty() {
            unwinders::register(code.eh_frame.start);
        }
    }

    fn unloaded(&self, image: &Image) {
        let areas = image.reserved_memory().into_iter().flat_map(CodeMemory::areas);
        areas.for_each(|area| unwind_table::TABLE.unregister(&area.range()));
    }
}
