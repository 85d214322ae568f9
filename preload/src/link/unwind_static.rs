//! The twin of unwind.rs in the static library: unwinders do not ask, since an executable cannot put itself between an
//! unwinder and its tables. They are told of each batch.

use autojit_code::{Code, Description};

use crate::link::unwinders;
use crate::program::unwind_table;

/// Makes published code known to unwinders.
pub fn register(code: &mut Code<'_>, description: Option<Description>) {
    unwind_table::TABLE.register(code, description);
    if !code.eh_frame.is_empty() {
        unwinders::register(code.eh_frame.start);
    }
}
