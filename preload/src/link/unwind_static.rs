//! The twin of unwind.rs in the static library: unwinders do not ask, since an executable cannot put itself between an
//! unwinder and its tables. They are told of each batch.

use autojit_code::{Code, Description, UnwindTable};

use crate::link::unwinders;

/// Everything that the runtime has linked.
pub static TABLE: UnwindTable = UnwindTable::new();

/// Makes published code known to unwinders.
pub fn register(code: &mut Code<'_>, description: Option<Description>) {
    TABLE.register(code, description);
    if !code.eh_frame.is_empty() {
        unwinders::register(code.eh_frame.start);
    }
}
