//! What takes part in forks, in one list (program/fork.rs). A test finds locks that are missing here.

use autojit_code::{live, reservation};

use crate::ALLOCATOR;
#[cfg(not(feature = "static"))]
use crate::compile::library::memory;
use crate::compile::{baseline, cache, daemon, tier};
use crate::link::{debugger, names, perf, unwinders};
use crate::program::fork::{Memories, Parts};
use crate::program::{function, process, symbols, unwind_table};
use crate::settings::{stats, trace};
use crate::startup::report;

/// Locks in the order in which the runtime nests them: what holds the first may take the next.
pub static PARTS: Parts = Parts {
    locks: &[
        tier::FORK_LOCK,
        process::FORK_LOCK,
        function::FORK_LOCK,
        symbols::FORK_LOCK,
        names::FORK_LOCK,
        cache::FORK_LOCK,
        baseline::FORK_LOCK,
        daemon::FORK_LOCK,
        &Memories,
        reservation::FORK_LOCK,
        unwinders::FORK_LOCK,
        &unwind_table::TABLE,
        debugger::FORK_LOCK,
        stats::FORK_LOCK,
        trace::FORK_LOCK,
        #[cfg(not(feature = "static"))]
        memory::FORK_LOCK,
        &ALLOCATOR,
    ],
    in_child: &[
        live::after_fork_in_child,
        daemon::after_fork_in_child,
        tier::after_fork_in_child,
        report::after_fork_in_child,
        trace::after_fork_in_child,
        names::after_fork_in_child,
        perf::after_fork_in_child,
    ],
};
