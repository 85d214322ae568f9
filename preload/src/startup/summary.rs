//! The statistics as text for people (AUTOJIT_STATS=text, `autojit-run --stats`): how many functions ran, where their code came
//! from, what it took.

use std::fmt::{Display, Write};

use crate::program::image;
use crate::settings::stats::{self, Counter};

/// How many reasons of refusals are shown.
const REASONS: usize = 8;

/// A number of things.
fn counted(count: u64, thing: &str, things: &str) -> String {
    format!("{count} {}", if count == 1 { thing } else { things })
}

/// A summary for a process in which `bound` functions have code.
pub fn text(process: u32, bound: usize) -> String {
    let c = &stats::COUNTERS;
    let mut text = format!("autojit: statistics of {} (process {process})\n", image::program());
    let mut line = |title: &str, rest: &dyn Display| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {title:<10} {rest}");
    };
    let functions = c.functions.get();
    let idle = functions.saturating_sub(bound as u64);
    line(
        "functions",
        &format_args!(
            "{functions} in {}: {bound} with code, {idle} not needed",
            counted(c.modules.get(), "module", "modules")
        ),
    );
    let by = |count: &Counter, rest: &dyn Fn() -> String| match count.get() {
        0 => "none".to_owned(),
        count => format!("{count} {}", rest()),
    };
    line(
        "cache",
        &by(&c.from_cache, &|| {
            format!("from earlier runs, in {}", counted(c.cache_files.get(), "file", "files"))
        }),
    );
    line("baseline", &by(&c.baseline, &|| format!("without LLVM, in {} ms", c.baseline_time.milliseconds())));
    let batches = || {
        format!("in {}, {} ms", counted(c.batches.get(), "batch", "batches"), c.compile_time.milliseconds())
    };
    line("LLVM", &by(&c.compiled, &|| format!("in the process, {}", batches())));
    line("autojitd", &by(&c.from_daemon, &|| format!("by LLVM there, {}", batches())));
    let mut refused = Vec::new();
    stats::each_refusal(|reason, count| refused.push((count, reason.to_owned())));
    refused.sort_unstable_by(|left, right| right.cmp(left));
    for (count, reason) in refused.iter().take(REASONS) {
        line("refused", &format_args!("{count} left to LLVM by the baseline compiler: {reason}"));
    }
    if refused.len() > REASONS {
        let more: u64 = refused[REASONS..].iter().map(|(count, _)| count).sum();
        line("", &format_args!("{more} for {} other reasons", refused.len() - REASONS));
    }
    let (load, link) = (c.engine_load_time.milliseconds(), c.link_time.milliseconds());
    line("steps", &format_args!("{load} ms to load LLVM, {link} ms to link and publish its code"));
    let (calls, direct) = (c.resolver_calls.get(), c.callsites_rewritten.get());
    line(
        "code",
        &format_args!("{} bytes; first calls: {calls}, calls made direct: {direct}", c.code_bytes.get()),
    );
    line("kept", &format_args!("{} for later runs", counted(c.cached.get(), "function", "functions")));
    text
}
