//! The table of everything that the runtime has linked: what is registered there is known to all unwinders.

use autojit_code::UnwindTable;

/// The process's table.
pub static TABLE: UnwindTable = UnwindTable::new();
