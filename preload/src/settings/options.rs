//! The options of the process: see the crate autojit-options. The environment is read in place, since getenv is a function
//! that the program may have replaced.

use std::sync::OnceLock;

pub use autojit_options::{BadValue, Baseline, Calls, Debugger, Mode, Names, Options, StatsSink, Tier};
use autojit_options::{Level, Reader};

use crate::platform::c_library::each_variable;
use crate::sys;

/// The options of the process, once the runtime has started.
static PROCESS: OnceLock<Options> = OnceLock::new();

/// Makes `options` those of the process, once.
pub fn begin(options: Options) -> &'static Options {
    PROCESS.get_or_init(|| options)
}

/// The options, if the runtime has started.
pub fn get() -> Option<&'static Options> {
    PROCESS.get()
}

/// Whether times are to be taken, for statistics or a timeline at the end.
pub fn stats_are_wanted() -> bool {
    get().is_some_and(|options| options.stats != StatsSink::Off || options.trace.is_some())
}

/// The optimisation level that replaces the build's; -1 for none.
pub fn opt_override() -> i32 {
    get().and_then(|options| options.opt.0).map_or(-1, i32::from)
}

/// Where compiled functions have their names.
pub fn names() -> Names {
    get().map_or(Names::Memory, |options| options.names)
}

/// Whether calls are to pass the stubs of functions that have code.
pub fn calls_pass_stubs() -> bool {
    get().is_some_and(|options| options.calls == Calls::Stubs)
}

/// What the baseline compiler is for.
pub fn baseline() -> Baseline {
    get().map_or(Baseline::Auto, |options| options.baseline)
}

/// Whether optimised builds begin with code of the baseline compiler.
pub fn tier() -> Tier {
    get().map_or(Tier::Off, |options| match options.baseline {
        // There is none, or nothing else.
        Baseline::Off | Baseline::Only => Tier::Off,
        Baseline::Auto | Baseline::On => options.tier,
    })
}

/// How many rounds of loops, and how many calls, have a function optimised.
pub fn tier_thresholds() -> (i32, i32) {
    get().map_or((1, 1), |options| (options.tier_loops.0, options.tier_calls.0))
}

/// How many functions autojitd is asked to optimise at the same time: one processor is the program's.
pub fn tier_requests() -> usize {
    let given = get().and_then(|options| options.tier_requests.0);
    given.unwrap_or_else(|| sys::processors().saturating_sub(1).clamp(1, 4))
}

/// The options, and the variables whose values were no good.
pub fn from_environment() -> (Options, Vec<BadValue>) {
    let (mut options, bad) = Options::read(Reader::Runtime, |visit| each_variable(visit));
    // The program may change its working directory.
    let Options { stats, trace, engine_path, socket_path, daemon_path, .. } = &mut options;
    let file = match stats {
        StatsSink::File(file) => Some(file),
        StatsSink::Off | StatsSink::Stderr | StatsSink::Text => None,
    };
    for path in [trace, engine_path, socket_path, daemon_path].into_iter().flatten().chain(file) {
        *path = sys::absolute(path).into_bytes();
    }
    (options, bad)
}

/// The level of messages.
pub fn level(options: &Options) -> log::LevelFilter {
    match options.log {
        Level::Off => log::LevelFilter::Off,
        Level::Error => log::LevelFilter::Error,
        Level::Warn => log::LevelFilter::Warn,
        Level::Info => log::LevelFilter::Info,
        Level::Debug => log::LevelFilter::Debug,
    }
}

/// The value of an environment variable that is not one of ours.
pub fn variable(name: &[u8]) -> Option<Vec<u8>> {
    let mut value = None;
    each_variable(|variable| {
        let rest = variable.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"="));
        if value.is_none() && rest.is_some_and(|rest| !rest.is_empty()) {
            value = rest.map(<[u8]>::to_vec);
        }
    });
    value
}
