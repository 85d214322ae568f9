//! The listeners to published and unloaded code, in one list.

use crate::compile::modules::Modules;
use crate::compile::tier::Tiers;
use crate::link::debugger::Debuggers;
use crate::link::listeners::Listeners;
use crate::link::live::LiveFiles;
use crate::link::names::Names;
use crate::link::perf::PerfMap;
use crate::link::unwinders::Unwinders;

/// In the order that publishing needs: an exception may pass through code as soon as anything runs it, names are read in
/// the table of the unwinders, and a debugger that sets breakpoints may ask for either.
pub static LISTENERS: Listeners = &[&Unwinders, &Names, &LiveFiles, &PerfMap, &Debuggers, &Modules, &Tiers];
